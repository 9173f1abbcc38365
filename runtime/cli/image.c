/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs: tag, rmi */
#include "base/str.h"
#include "image/gc.h"
#include "image/inspect.h"
#include "image/resolve.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/users.h"

#include <stdio.h>

DEFINE_CLEANUP(struct img_store *, store, img_store_close)
#define auto_store auto_cleanup(store) struct img_store *

/* ---- tag ---- */

static int run_tag(struct cli *cli, void *opts, int argc, char **argv)
{
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int r = img_store_open(&s, cli->root, &err);

	for (int i = 1; r == 0 && i < argc; i++) {
		auto_free char *name = NULL;

		r = img_tag(s, argv[0], argv[i], &name, &err);
		if (r == 0)
			printf("%s\n", name);
	}
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot tag '%s'", argv[0]);
	return cli_fail(&err);
}

/* ---- rmi ---- */

struct opts_rmi {
	bool all, force;
};

static const struct args_opt opts_rmi[] = {
	{ "all", 'a', ARGS_FLAG, offsetof(struct opts_rmi, all), NULL, "every image" },
	{ "force", 'f', ARGS_FLAG, offsetof(struct opts_rmi, force), NULL,
		"with the containers that were made of it, with all names of an id; missing images "
		"are no error" },
	{ 0 },
};

/* The containers that were made of an image, running or not. */
static int remove_users(
	struct ctl *ctl, const char *text, const struct image_use *use, struct err *err)
{
	char id[DIGEST_TEXT_BYTES];
	struct img img;
	int r = img_resolve(ctl->store, text, &img, err);

	if (r < 0)
		return r;
	digest_text(&img.config_digest, id);
	img_done(&img);
	if (ctl->ns.rundir_fd < 0)
		r = userns_enter(&ctl->ns, err);
	for (size_t i = 0; r >= 0 && i < use->ids.n; i++)
		if (str_eq(use->image_ids.v[i], id))
			r = control_remove(&ctl->c, use->ids.v[i], CONTROL_FORCE, err);
	return r;
}

static int remove_image(struct ctl *ctl, const char *text, enum rmi_flags flags,
	struct image_use *ret_use, struct err *err)
{
	const struct image_users users = { image_use_check, ret_use };
	int r = image_use_load(ctl->c.store_fd, ret_use, err);

	return r < 0 ? r : img_remove(ctl->store, text, flags, &users, &cli_rmi_report, err);
}

static int remove_one(
	struct ctl *ctl, const struct opts_rmi *o, const char *text, enum rmi_flags flags)
{
	struct image_use use = { 0 }, now = { 0 };
	struct err err = ERR_INIT;
	int r = remove_image(ctl, text, flags, &use, &err);

	/* A container that was made meanwhile is told of. */
	if (r == -EBUSY && o->force && remove_users(ctl, text, &use, &err) >= 0)
		r = remove_image(ctl, text, flags, &now, &err);
	image_use_done(&use);
	image_use_done(&now);
	if (r == 0 || (r == -ENOENT && flags & RMI_FORCE))
		return 0;
	err_wrap(&err, r, "cannot remove '%s'", text);
	return cli_fail(&err);
}

/* By manifest digest: that also finds what has no name or is damaged. */
static int remove_all(struct ctl *ctl, const struct opts_rmi *o)
{
	struct img_list list = { 0 };
	struct err err = ERR_INIT;
	int code = 0, r = img_list_load(ctl->store, &list, &err);

	if (r < 0)
		return cli_fail(&err);
	for (size_t i = 0; i < list.n; i++) {
		char digest[DIGEST_TEXT_BYTES];
		int one;

		if (list.v[i].is_read_only)
			continue;
		digest_text(&list.v[i].manifest_digest, digest);
		/* Another of its names came first: it is gone already. */
		one = remove_one(ctl, o, digest, RMI_FORCE);
		code = one ? one : code;
	}
	img_list_done(&list);
	return code;
}

static int run_rmi(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_rmi *o = opts;
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code = 0;

	if (o->all == (argc > 0)) {
		err_say(&err, -EINVAL, "'lamina rmi' takes names or ids, or --all");
		return cli_fail(&err);
	}
	if (ctl_open(&ctl, cli, 0, &err) < 0) {
		ctl_close(&ctl);
		return cli_fail(&err);
	}
	if (o->all)
		code = remove_all(&ctl, o);
	for (int i = 0; i < argc; i++) {
		int one = remove_one(&ctl, o, argv[i], o->force ? RMI_FORCE : 0);

		code = one ? one : code;
	}
	ctl_close(&ctl);
	return code;
}

const struct cli_verb cli_verbs_image[] = {
	{ .name = "tag",
		.synopsis = "IMAGE NAME…",
		.help = "give an image more names",
		.min_args = 2,
		.max_args = -1,
		.run = run_tag },
	{ .name = "rmi",
		.synopsis = "[OPTION]… IMAGE…",
		.help = "remove names, and images with their last name",
		.opts = opts_rmi,
		.opts_bytes = sizeof(struct opts_rmi),
		.max_args = -1,
		.run = run_rmi },
	{ 0 },
};
