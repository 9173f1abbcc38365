/* SPDX-License-Identifier: Apache-2.0 */
/* Verb: info. */
#include "image/store_probe.h"

#include "base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

struct info_opts {
	bool json;
};

static const struct args_opt info_args[] = {
	{ "json", 0, ARGS_FLAG, offsetof(struct info_opts, json), NULL, "as JSON" },
	{ 0 },
};

static void print_store(struct img_store *s, const struct store_probe *p)
{
	char total[PROGRESS_BYTES_BYTES], left[PROGRESS_BYTES_BYTES];

	progress_bytes(p->total_bytes, total);
	progress_bytes(p->free_bytes, left);
	printf("store: %s\n", img_store_path(s));
	printf("  filesystem: %s, %s of %s free%s\n", p->fs_type, left, total,
		p->is_writable ? "" : ", not writable");
	for (size_t i = 0; i < PROBE_MAX_ && p->is_writable; i++) {
		if (p->results[i] == 0)
			printf("  %s: yes\n", store_probe_name((enum probe)i));
		else
			printf("  %s: no (%s): %s\n", store_probe_name((enum probe)i),
				strerror(-p->results[i]), store_probe_without((enum probe)i));
	}
	for (size_t i = 0; i < img_store_n_others(s); i++)
		printf("additional store: %s\n", img_store_path(img_store_other(s, i)));
}

static int print_json(struct img_store *s, const struct store_probe *p, const struct utsname *uts,
	struct err *err)
{
	auto_json *others = json_array(), *can = json_object(), *j = NULL;
	auto_free char *text = NULL;

	for (size_t i = 0; i < PROBE_MAX_; i++)
		(void)json_object_set_new(
			can, store_probe_name((enum probe)i), json_boolean(p->results[i] == 0));
	for (size_t i = 0; i < img_store_n_others(s); i++)
		(void)json_array_append_new(
			others, json_string(img_store_path(img_store_other(s, i))));
	j = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:b, s:I, s:I, s:O, s:O}}", "version",
		LAMINA_VERSION, "kernel", uts->release, "architecture", uts->machine, "store",
		"path", img_store_path(s), "filesystem", p->fs_type, "writable", p->is_writable,
		"totalBytes", (json_int_t)p->total_bytes, "freeBytes", (json_int_t)p->free_bytes,
		"can", can, "additionalStores", others);
	text = j ? json_dumps(j, JSON_INDENT(4)) : NULL;
	if (!text)
		return err_set(err, -ENOMEM, "cannot print JSON");
	printf("%s\n", text);
	return 0;
}

static int run_info(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct info_opts *o = opts;
	struct img_store *s = NULL;
	struct err err = ERR_INIT;
	struct utsname uts = { 0 };
	struct store_probe p;
	int r = img_store_open(&s, cli->root, &err);

	(void)uname(&uts);
	if (r == 0)
		r = store_probe(s, &p, &err);
	if (r == 0 && o->json) {
		r = print_json(s, &p, &uts, &err);
	} else if (r == 0) {
		printf("lamina %s\nkernel: %s, %s\n", LAMINA_VERSION, uts.release, uts.machine);
		print_store(s, &p);
	}
	img_store_close(s);
	return r < 0 ? cli_fail(&err) : 0;
}

const struct cli_verb cli_verbs_info[] = {
	{ "info", "[--json]", "tell what this machine and the store can do", info_args,
		sizeof(struct info_opts), 0, 0, false, run_info },
	{ 0 },
};
