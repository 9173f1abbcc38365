/* SPDX-License-Identifier: Apache-2.0 */
/* Uppers that are read (the contract is in the header). */
#include "runtime/cli/upper.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"

#include <fcntl.h>

bool cli_upper_is_container(const struct cli_upper *u)
{
	return u->ctr.record.name;
}

void cli_upper_close(struct cli_upper *u)
{
	if (u->frozen)
		(void)control_freeze(&u->ctr.record, false, NULL);
	if (u->view.fs)
		upper_view_close(&u->view);
	img_done(&u->img);
	ctr_dir_close(&u->held);
	control_ctr_done(&u->ctr);
	cleanup_fd(&u->state_fd);
	u->state_fd = -1;
	ctl_close(&u->ctl);
}

/* ---- containers ---- */

/* What its mount holds back in memory is written to the upper. */
static int write_back(const struct record *rec, struct err *err)
{
	auto_fd init = control_init(rec, err), root = -1, dir = -1;

	if (init < 0)
		return init;
	root = control_open_root(rec, init, err);
	/* Its program has not begun: nobody has written anything. */
	if (root == -EACCES && rec->state == CTR_CREATED)
		return 0;
	if (root < 0)
		return root;
	dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || syncfs(dir) < 0)
		return err_set(err, -errno, "cannot write back what it has changed");
	return 0;
}

/* A running one is brought to rest, as far as was asked for; any other cannot start from now on. */
static int settle(struct cli_upper *u, unsigned int flags, struct err *err)
{
	const struct record *rec = &u->ctr.record;
	int r;

	if (!state_is_live(rec->state))
		return ctr_dir_take(u->ctl.c.store_fd, rec->id, &u->held, err);
	if (flags & CLI_UPPER_PAUSE && rec->state == CTR_RUNNING) {
		r = control_freeze(rec, true, err);
		if (r < 0)
			return err_hint(err, r, "without --pause it is read while it runs");
		u->frozen = true;
	}
	return write_back(rec, err);
}

static int find_image(struct cli_upper *u, struct err *err)
{
	const char *id = u->ctr.record.image_id;
	const char *hex = id ? strchr(id, ':') : NULL;

	if (hex && img_resolve(u->ctl.store, hex + 1, &u->img, NULL) == 0)
		return 0;
	return upper_find_image(u->ctl.store, u->state_fd, &u->img, err);
}

static int open_container(struct cli_upper *u, unsigned int flags, struct err *err)
{
	auto_fd dirfd = -1;
	int r;

	if (u->ctr.opts.rootfs) {
		err_say(err, -EINVAL, "its root file system is the directory '%s'",
			u->ctr.opts.rootfs);
		return err_hint(err, -EINVAL, "tar -C '%s' -c .", u->ctr.opts.rootfs);
	}
	r = userns_enter(&u->ctl.ns, err);
	if (r >= 0)
		r = settle(u, flags, err);
	if (r >= 0)
		r = dirfd = control_open_dir(&u->ctl.c, u->ctr.record.id, err);
	if (r < 0)
		return r;
	u->state_fd = at_open(dirfd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (u->state_fd < 0)
		return err_set(err, u->state_fd, "cannot open what it has written");
	return find_image(u, err);
}

/* ---- directories ---- */

/* What a mount still holds back in memory would be missing. */
static int refuse_mounted(const struct cli_upper *u, struct err *err)
{
	int fd = lock_open(u->state_fd, "lock", LOCK_EXCLUSIVE, LOCK_TRY);

	if (fd >= 0)
		(void)close(fd);
	if (fd != -EAGAIN)
		return 0;
	err_say(err, -EBUSY, "it is mounted");
	return err_hint(err, -EBUSY, "unmount it first");
}

static int open_directory(struct cli_upper *u, const char *dir, struct err *err)
{
	struct upper_super super;
	int r;

	u->state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->state_fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (u->state_fd < 0)
		return err_set(err, -errno, "cannot open the upper");
	r = upper_read_super(u->state_fd, &super, err);
	if (r == 0)
		r = refuse_mounted(u, err);
	if (r == 0 && super.ownership == UPPER_PLAIN && geteuid() != 0)
		r = userns_enter(&u->ctl.ns, err);
	return r < 0 ? r : upper_find_image(u->ctl.store, u->state_fd, &u->img, err);
}

int cli_upper_open(struct cli_upper *u, const struct cli *cli, const char *ref, unsigned int flags,
	struct err *err)
{
	int r = ctl_open(&u->ctl, cli, 0, err);

	if (r < 0)
		return r;
	r = control_open(&u->ctl.c, ref, &u->ctr, err);
	if (r == -ENOENT) {
		if (err)
			*err = (struct err)ERR_INIT;
		r = open_directory(u, ref, err);
	} else if (r >= 0) {
		r = open_container(u, flags, err);
	}
	return r < 0 ? r : upper_view_open(u->ctl.store, &u->img, u->state_fd, &u->view, err);
}
