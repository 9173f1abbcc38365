/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs on existing containers (the contract is in the header). */
#include "runtime/cli/ctl.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "runtime/rundir.h"

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

int ctl_each(struct ctl *ctl, const struct ctl_each *e)
{
	struct err err = ERR_INIT;
	int code = 0;

	if (e->argc == 0 && !e->all) {
		err_say(&err, -EINVAL, "no container was named");
		err_hint(&err, -EINVAL, "lamina %s CONTAINER, or lamina %s --help", e->verb,
			e->verb);
		return cli_fail(&err);
	}
	if (e->argc > 0 && e->all) {
		err_say(&err, -EINVAL, "both names and --all were given");
		return cli_fail(&err);
	}
	if (e->all)
		return act_on_all(ctl, e);
	for (int i = 0; i < e->argc; i++) {
		int one = act_on(ctl, e, e->argv[i]);

		code = one ? one : code;
	}
	return code;
}
