/* SPDX-License-Identifier: Apache-2.0 */
/* What a container runs with is what an image of it says. */
#include "runtime/commit_config.h"
#include "tests/unit/test.h"

static const char image_text[] =
	"{\"Env\":[\"PATH=/bin\",\"HOME=/srv\"],\"Entrypoint\":[\"/run\"],"
	"\"Cmd\":[\"a\"],\"WorkingDir\":\"/w\",\"Labels\":{\"k\":\"old\",\"n\":\"1\"}}";

/* The config of a container with these members, as JSON with sorted keys. */
static char *config_of(const char *process, const struct strv *labels, const char *image)
{
	auto_free char *text = str_format("{\"ociVersion\":\"1.2.0\",\"process\":%s}", process);
	auto_json *of_image = NULL, *config = NULL;
	auto_spec *spec = NULL;

	CHECK_INT(spec_parse(text, strlen(text), &spec, NULL), ==, 0);
	CHECK_INT(json_parse(image, strlen(image), "image", &of_image, NULL), ==, 0);
	config = spec ? commit_config(spec, labels, of_image) : NULL;
	return config ? json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

TEST(arguments_behind_the_entrypoint_are_the_command)
{
	const struct strv none = { 0 };
	auto_free char *got = config_of("{\"cwd\":\"/w\",\"args\":[\"/run\",\"b\",\"c\"],"
					"\"env\":[\"PATH=/x\",\"HOME=/srv\",\"TERM=xterm\"]}",
		&none, image_text);

	CHECK_STR(got, "{\"Cmd\":[\"b\",\"c\"],\"Env\":[\"PATH=/x\",\"HOME=/srv\"]}");
}

TEST(another_entrypoint_replaces_both)
{
	char label[] = "k=new";
	char *words[] = { label, NULL };
	const struct strv labels = { words, 1 };
	auto_free char *got = config_of(
		"{\"cwd\":\"/v\",\"args\":[\"sh\"],\"env\":[\"HOME=/root\"]}", &labels, image_text);

	CHECK_STR(got, "{\"Cmd\":[],\"Entrypoint\":[\"sh\"],\"Env\":[\"HOME=/root\"],"
		       "\"Labels\":{\"k\":\"new\",\"n\":\"1\"},\"WorkingDir\":\"/v\"}");
}

TEST(an_image_that_says_nothing)
{
	const struct strv none = { 0 };
	auto_free char *got = config_of(
		"{\"cwd\":\"/\",\"args\":[\"sh\"],\"env\":[\"HOME=/root\",\"A=1\"]}", &none, "{}");

	CHECK_STR(got, "{\"Cmd\":[\"sh\"],\"Env\":[\"A=1\"]}");
}
