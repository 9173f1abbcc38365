/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/template.h"
#include "base/cleanup.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

static const char sample[] = "{\"Id\":\"0123456789abcdef\",\"State\":{\"Pid\":42,\"Running\":true,"
			     "\"Status\":\"running\"},"
			     "\"Config\":{\"Labels\":{\"a.b\":\"one\",\"c\":\"two\"},\"Cmd\":["
			     "\"sh\",\"-c\",\"x y\"],\"Env\":null},"
			     "\"NetworkSettings\":{\"Networks\":{\"net1\":{\"IPAddress\":\"10.0.0."
			     "1\"},\"net2\":{\"IPAddress\":\"10.0.0.2\"}}},"
			     "\"Mounts\":[{\"Source\":\"/a\",\"RW\":true},{\"Source\":\"/"
			     "b\",\"RW\":false}],\"Empty\":[],\"Size\":1.5}";

static int run(const char *text, struct buf *out)
{
	auto_json *j = NULL;

	CHECK_INT(json_parse(sample, strlen(sample), "sample", &j, NULL), ==, 0);
	return template_run(text, j, out, NULL);
}

TEST(what_scripts_use)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "plain", "plain" },
		{ "{{.State.Pid}}", "42" },
		{ "{{ .Id }}\\t{{.State.Running}}\\n", "0123456789abcdef\ttrue\n" },
		{ "{{json .State}}", "{\"Pid\":42,\"Running\":true,\"Status\":\"running\"}" },
		{ "{{.State | json}}", "{\"Pid\":42,\"Running\":true,\"Status\":\"running\"}" },
		{ "{{json .Config.Env}}", "null" },
		{ "{{index .Config.Labels \"a.b\"}}", "one" },
		{ "{{index .Config.Labels \"missing\"}}.", "." },
		{ "{{.Config.Labels.missing}}", "<no value>" },
		{ "{{(index .Mounts 0).Source}}", "/a" },
		{ "{{index .Config.Cmd 1}}", "-c" },
		{ "{{range .Mounts}}{{.Source}} {{end}}", "/a /b " },
		{ "{{range .Empty}}x{{else}}none{{end}}", "none" },
		{ "{{range $i, $m := .Mounts}}{{$i}}={{$m.Source}};{{end}}", "0=/a;1=/b;" },
		{ "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}", "a.b=one,c=two," },
		{ "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
			"10.0.0.1 10.0.0.2 " },
		{ "{{range .Mounts}}{{$.Id}}{{end}}", "0123456789abcdef0123456789abcdef" },
		{ "{{if .State.Running}}up{{else}}down{{end}}", "up" },
		{ "{{if not .State.Running}}up{{else if eq .State.Pid 42}}pid{{else}}x{{end}}",
			"pid" },
		{ "{{if eq .State.Status \"exited\" \"running\"}}y{{end}}", "y" },
		{ "{{if and .State.Running (gt .State.Pid 1)}}y{{else}}n{{end}}", "y" },
		{ "{{if or .Empty .Config.Env}}y{{else}}n{{end}}", "n" },
		{ "{{with .State}}{{.Pid}}{{end}}{{with .Empty}}x{{end}}", "42" },
		{ "{{len .Mounts}} {{len .Id}}", "2 16" },
		{ "{{join .Config.Cmd \" \"}}", "sh -c x y" },
		{ "{{.Config.Cmd}}", "[sh -c x y]" },
		{ "{{.Config.Labels}}", "map[a.b:one c:two]" },
		{ "{{slice .Id 0 4}} {{.Id | printf \"%.12s\"}} {{truncate .Id 3}}",
			"0123 0123456789ab 012" },
		{ "{{printf \"%-4s|%4d|%q\" \"a\" 7 \"b\"}}", "a   |   7|\"b\"" },
		{ "{{upper .State.Status}} {{title .State.Status}} {{lower \"AB\"}}",
			"RUNNING Running ab" },
		{ "a {{- .State.Pid -}} b", "a42b" },
		{ "{{/* nothing */}}x", "x" },
		{ "{{$x := .State.Pid}}{{$x}}", "42" },
		{ "{{\"}}\"}}{{`{{`}}", "}}{{" },
		{ "{{.ID}}", "0123456789abcdef" },
		{ "{{.Size}}", "1.5" },
		{ "{{println .State.Pid \"x\"}}", "42 x\n" },
		{ "{{range split \"a,b\" \",\"}}<{{.}}>{{end}}", "<a><b>" },
		{ "{{if false}}{{.NoSuch}}{{end}}x", "x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_buf out = { 0 };

		CHECK_INT(run(cases[i].text, &out), ==, 0);
		CHECK_STR(out.data ? out.data : "", cases[i].want);
	}
}

TEST(what_is_wrong_is_an_error)
{
	static const char *const bad[] = { "{{", "{{.", "{{.Id", "{{.Id}", "{{.NoSuch}}",
		"{{.Id.x}}", "{{if .Id}}x", "{{end}}", "{{else}}",
		"{{if .Id}}{{else}}{{else}}{{end}}", "{{nosuch 1}}", "{{index .Mounts 9}}",
		"{{range .Id}}{{end}}", "{{\"x}}", "{{$nosuch}}", "{{.Id .Id}}", "{{}}", "{{(.Id}}",
		"{{len}}", "{{lt .Id 1}}", "{{/* x}}", "{{range $a, := .Mounts}}{{end}}",
		"{{slice .Id 5 4}}", "{{printf \"%s\"}}", "{{printf \"%z\" 1}}",
		"{{index .Mounts -1}}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_buf out = { 0 };

		CHECK_INT(run(bad[i], &out), ==, -EINVAL);
	}
}

TEST(limits_hold)
{
	static char text[LIMIT_TEMPLATE_BYTES + 2];
	auto_buf out = { 0 };

	memset(text, 'x', LIMIT_TEMPLATE_BYTES + 1);
	CHECK_INT(run(text, &out), ==, -E2BIG);
	text[LIMIT_TEMPLATE_BYTES] = '\0';
	CHECK_INT(run(text, &out), ==, 0);
	memset(text, '(', 1000);
	memcpy(text, "{{", 2);
	CHECK_INT(run(text, &out), ==, -EINVAL);
	text[0] = '\0';
	for (int i = 0; i < LIMIT_TEMPLATE_DEPTH + 1; i++)
		memcpy(text + strlen(text), "{{if true}}", sizeof("{{if true}}"));
	CHECK_INT(run(text, &out), ==, -EINVAL);
}

TEST(headers_of_tables)
{
	auto_buf out = { 0 };

	CHECK_INT(template_header("{{.ID}}\\t{{.State.Status}}  {{json .Names}}", &out), ==, 0);
	CHECK_STR(out.data, "ID\tSTATUS  NAMES");
}
