/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs on existing containers (the contract is in the header). */
#include "runtime/cli/ctl.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtime/cli/ctrfilter.h"
#include "runtime/rundir.h"

#include <fcntl.h>

int ctl_open(struct ctl *ctl, const struct cli *cli, unsigned int flags, struct err *err)
{
	int r;

	*ctl = (struct ctl)CTL_INIT;
	r = img_store_open(&ctl->store, cli->root, err);
	if (r < 0)
		return r;
	if (flags & CTL_ENTER) {
		r = userns_enter(&ctl->ns, err);
		ctl->c.rundir_fd = ctl->ns.rundir_fd;
	} else {
		r = ctl->c.rundir_fd = ctl->rundir_fd = rundir_open(err);
	}
	ctl->c.store_fd = img_store_dirfd(ctl->store);
	return r < 0 ? r : 0;
}

void ctl_close(struct ctl *ctl)
{
	cleanup_fd(&ctl->rundir_fd);
	userns_leave(&ctl->ns);
	img_store_close(ctl->store);
}

bool ctl_is_live(const struct record *r)
{
	return state_is_live(r->state);
}

bool ctl_is_any(const struct record *r)
{
	return true;
}

static int act_on(struct ctl *ctl, const struct ctl_each *e, const char *ref)
{
	struct err err = ERR_INIT;
	int r = e->act(ctl, ref, e->arg, &err);

	if (r < 0) {
		err_wrap(&err, r, "cannot %s '%s'", e->verb, ref);
		return cli_fail(&err);
	}
	if (!e->quiet)
		printf("%s\n", ref);
	return 0;
}

static int act_on_all(struct ctl *ctl, const struct ctl_each *e)
{
	struct err err = ERR_INIT;
	auto_strv ids = { 0 };
	int code = 0, one;

	if (record_list(ctl->c.store_fd, &ids, &err) < 0)
		return cli_fail(&err);
	for (size_t i = 0; i < ids.n; i++) {
		struct err why = ERR_INIT;
		struct record rec;
		int r = record_read(ctl->c.store_fd, ids.v[i], &rec, &why);
		bool picked;

		/* One that is being made, or removed, is none. */
		if (r == -ENOENT)
			continue;
		if (r < 0) {
			code = cli_fail(&why);
			continue;
		}
		picked = e->all(&rec);
		record_done(&rec);
		one = picked ? act_on(ctl, e, ids.v[i]) : 0;
		code = one ? one : code;
	}
	return code;
}

/* ---- by other words than names ---- */

int ctl_latest(struct ctl *ctl, char ret_id[CTR_ID_LEN + 1], struct err *err)
{
	int64_t newest = INT64_MIN;
	auto_strv ids = { 0 };
	int r = record_list(ctl->c.store_fd, &ids, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ids.n; i++) {
		struct record rec;

		if (record_read(ctl->c.store_fd, ids.v[i], &rec, NULL) < 0)
			continue;
		if (rec.created_ns > newest) {
			newest = rec.created_ns;
			memcpy(ret_id, rec.id, sizeof(rec.id));
		}
		record_done(&rec);
	}
	return newest == INT64_MIN ? err_say(err, -ENOENT, "there is no container") : 0;
}

static int act_on_filtered(struct ctl *ctl, const struct ctl_each *e)
{
	struct err err = ERR_INIT;
	auto_strv ids = { 0 };
	int code = 0, one;

	if (ctrfilter_check(&e->choice->filter, &err) < 0 ||
		record_list(ctl->c.store_fd, &ids, &err) < 0)
		return cli_fail(&err);
	for (size_t i = 0; i < ids.n; i++) {
		auto_control_ctr c = { 0 };

		if (control_open(&ctl->c, ids.v[i], &c, NULL) < 0 ||
			!ctrfilter_matches(&e->choice->filter, &c) ||
			(e->all && !e->all(&c.record)))
			continue;
		one = act_on(ctl, e, ids.v[i]);
		code = one ? one : code;
	}
	return code;
}

static int act_on_file(struct ctl *ctl, const struct ctl_each *e, const char *path)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct err err = ERR_INIT;
	auto_free char *id = NULL;
	size_t len;
	int r = fd < 0 ? -errno : fd_read_file(fd, CTR_ID_LEN + 2, &id, &len);

	if (r < 0) {
		err_set(&err, r, "cannot read '%s'", path);
		return cli_fail(&err);
	}
	id[strcspn(id, "\r\n")] = '\0';
	return act_on(ctl, e, id);
}

static int act_on_chosen(struct ctl *ctl, const struct ctl_each *e)
{
	const struct ctl_choice *choice = e->choice;
	char id[CTR_ID_LEN + 1];
	struct err err = ERR_INIT;
	int code = 0;

	if (choice->latest && ctl_latest(ctl, id, &err) < 0)
		return cli_fail(&err);
	if (choice->latest)
		return act_on(ctl, e, id);
	if (choice->filter.n > 0)
		return act_on_filtered(ctl, e);
	for (size_t i = 0; i < choice->cidfile.n; i++) {
		int one = act_on_file(ctl, e, choice->cidfile.v[i]);

		code = one ? one : code;
	}
	return code;
}

static bool is_chosen(const struct ctl_each *e)
{
	const struct ctl_choice *c = e->choice;

	return c && (c->latest || c->filter.n > 0 || c->cidfile.n > 0);
}

/* Names, --all and the other ways to choose: one of them, but that --all and --filter go together. */
static int check_choice(const struct ctl_each *e, struct err *err)
{
	int ways = (e->argc > 0) + is_chosen(e);

	if (e->all && !(is_chosen(e) && e->choice->filter.n > 0))
		ways++;
	if (ways == 0) {
		err_say(err, -EINVAL, "no container was named");
		return err_hint(
			err, -EINVAL, "lamina %s CONTAINER, or lamina %s --help", e->verb, e->verb);
	}
	return ways > 1 ? err_say(err, -EINVAL,
				  "containers were chosen in two ways: by name, and by an option")
			: 0;
}

int ctl_each(struct ctl *ctl, const struct ctl_each *e)
{
	struct err err = ERR_INIT;
	int code = 0;

	if (check_choice(e, &err) < 0)
		return cli_fail(&err);
	if (is_chosen(e))
		return act_on_chosen(ctl, e);
	if (e->all)
		return act_on_all(ctl, e);
	for (int i = 0; i < e->argc; i++) {
		int one = act_on(ctl, e, e->argv[i]);

		code = one ? one : code;
	}
	return code;
}

int ctl_run(const struct cli *cli, unsigned int flags, const struct ctl_each *e)
{
	struct err err = ERR_INIT;
	struct ctl ctl;
	int code;

	code = ctl_open(&ctl, cli, flags, &err) < 0 ? cli_fail(&err) : ctl_each(&ctl, e);
	ctl_close(&ctl);
	return code;
}
