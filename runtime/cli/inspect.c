/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: inspect. */
#include "image/inspect.h"
#include "base/cleanup.h"
#include "runtime/cli/ctl.h"
#include "runtime/describe.h"
#include "runtime/template.h"
#include "runtime/volstore.h"

struct inspect_opts {
	const char *format, *type;
};

static int inspect_container(struct ctl *ctl, const char *ref, json_t **ret, struct err *err)
{
	auto_control_ctr c = { 0 };
	auto_spec *spec = NULL;
	int r;

	r = control_open(&ctl->c, ref, &c, err);
	if (r >= 0)
		r = control_spec(&ctl->c, c.record.id, &spec, err);
	if (r >= 0 && !spec->process)
		r = err_say(err, -EBADMSG, "its configuration has no process");
	if (r >= 0) {
		const struct describe d = { img_store_path(ctl->store), ctl->c.store_fd, &c, spec };

		*ret = describe_inspect(&d);
		if (!*ret)
			r = err_set(err, -ENOMEM, "cannot describe it");
	}
	return r;
}

/* Of a container, else an image, else a volume. */
static int inspect_any(
	struct ctl *ctl, const char *ref, const char *type, json_t **ret, struct err *err)
{
	int r = -ENOENT;

	if (!type || str_eq(type, "container"))
		r = inspect_container(ctl, ref, ret, err);
	if (r == -ENOENT && (!type || str_eq(type, "image")))
		r = img_inspect(ctl->store, ref, ret, err);
	if (r == -ENOENT && (!type || str_eq(type, "volume")))
		r = volstore_inspect(ctl->c.store_fd, img_store_path(ctl->store), ref, ret, err);
	if (r == -ENOENT && !type)
		err_say(err, r, "there is no container, image or volume of that name");
	return r;
}

static int print_format(const char *format, const json_t *j, struct err *err)
{
	auto_buf out = { 0 };
	int r = 0;

	if (str_eq(format, "json")) {
		auto_free char *text = json_dumps(j, JSON_COMPACT);

		r = text ? buf_add_str(&out, text) : -ENOMEM;
		if (r < 0)
			return err_set(err, r, "cannot print it");
	} else {
		r = template_run(format, j, &out, err);
	}
	if (r < 0)
		return r;
	(void)fwrite(out.data ? out.data : "", 1, out.len, stdout);
	return putchar('\n') < 0 ? err_set(err, -EIO, "cannot print it") : 0;
}

static int inspect_one(struct ctl *ctl, const char *ref, const struct inspect_opts *o, json_t *all,
	struct err *err)
{
	auto_json *j = NULL;
	int r = inspect_any(ctl, ref, o->type, &j, err);

	if (r >= 0 && o->format)
		r = print_format(o->format, j, err);
	else if (r >= 0 && json_array_append(all, j) < 0)
		r = err_set(err, -ENOMEM, "cannot print it");
	return r;
}

static int run_inspect(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct inspect_opts *o = opts;
	auto_json *all = json_array();
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code = 0;

	if (ctl_open(&ctl, cli, 0, &err) < 0)
		code = cli_fail(&err);
	for (int i = 0; ctl.store && code != EXIT_LAMINA && i < argc; i++) {
		struct err why = ERR_INIT;
		int r = inspect_one(&ctl, argv[i], o, all, &why);

		if (r < 0) {
			err_wrap(&why, r, "cannot inspect '%s'", argv[i]);
			(void)cli_fail(&why);
			code = 1; /* told at the end, what was found is printed */
		}
	}
	if (!o->format && code != EXIT_LAMINA &&
		(json_dumpf(all, stdout, JSON_INDENT(2)) < 0 || printf("\n") < 0)) {
		err_set(&err, -EIO, "cannot print");
		code = cli_fail(&err);
	}
	ctl_close(&ctl);
	return code ? EXIT_LAMINA : 0;
}

static const struct args_opt inspect_table[] = {
	{ "format", 'f', ARGS_STRING, offsetof(struct inspect_opts, format), "TEMPLATE",
		"print this of each: '{{.State.Pid}}', or json" },
	{ "type", 0, ARGS_STRING, offsetof(struct inspect_opts, type), "container|image|volume",
		"look for such only" },
	{ 0 },
};

const struct cli_verb cli_verbs_inspect[] = {
	{ "inspect", "[OPTION]… NAME…", "print everything about containers, images or volumes",
		inspect_table, sizeof(struct inspect_opts), 1, -1, false, run_inspect },
	{ 0 },
};
