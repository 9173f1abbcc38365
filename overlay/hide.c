/* SPDX-License-Identifier: Apache-2.0 */
/* Hiding names of the lower (how it works is said in the header). */
#include "overlay/hide.h"

#include "base/fd.h"
#include "overlay/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX	    ".wh."
#define PREFIX_LEN  (sizeof(PREFIX) - 1)
#define OPAQUE_FILE ".wh..wh..opq"

bool hide_is_reserved(const struct upper *up, const char *name)
{
	return up->super.names && strncmp(name, PREFIX, PREFIX_LEN) == 0;
}

bool hide_target(const struct upper *up, const char *name, const char **ret_target)
{
	if (!hide_is_reserved(up, name))
		return false;
	(void)wh_from_tar_name(name, strlen(name), ret_target);
	return true;
}

static int spell(const char *name, char ret[NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len + PREFIX_LEN > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, PREFIX, PREFIX_LEN);
	memcpy(ret + PREFIX_LEN, name, len + 1);
	return 0;
}

static int make_empty(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

/* 1 if it was made now, 0 if it was there. */
static int make_name(int dirfd, const char *name)
{
	char wh[NAME_MAX + 1];
	int r = spell(name, wh);

	if (r == 0)
		r = make_empty(dirfd, wh);
	return r == 0 ? 1 : r == -EEXIST ? 0 : r;
}

static int clear_name(int dirfd, const char *name)
{
	char wh[NAME_MAX + 1];
	int r = spell(name, wh);

	if (r < 0)
		return 0; /* it cannot have one */
	return unlinkat(dirfd, wh, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * All devices are names of one inode, which also has one in work/: a name costs less than an inode,
 * to make and to remove.  Kernel overlayfs does the same.
 */
#define SHARED "whiteout"

static int make_device(struct upper *up, int dirfd, const char *name)
{
	int r;

	if (!__atomic_load_n(&up->no_links, __ATOMIC_RELAXED)) {
		if (linkat(up->work_fd, SHARED, dirfd, name, 0) == 0)
			return 0;
		if (errno == EEXIST)
			return -EEXIST;
	}
	/* There is none yet, or it has as many names as it can have. */
	r = upper_make_whiteout(dirfd, name);
	if (r < 0 || __atomic_load_n(&up->no_links, __ATOMIC_RELAXED))
		return r;
	(void)unlinkat(up->work_fd, SHARED, 0);
	if (linkat(dirfd, name, up->work_fd, SHARED, 0) < 0 && errno != EEXIST)
		__atomic_store_n(&up->no_links, true, __ATOMIC_RELAXED);
	return 0;
}

int hide_name(struct upper *up, int dirfd, const char *name)
{
	int r;

	if (!up->super.names)
		return make_device(up, dirfd, name);
	r = make_name(dirfd, name);
	return r < 0 ? r : 0;
}

static int make_device_in_work(struct upper *up, char tmp[UPPER_WORK_NAME_BYTES])
{
	upper_work_name(up, tmp);
	return make_device(up, up->work_fd, tmp);
}

int hide_file(struct upper *up, int dirfd, const char *name)
{
	char tmp[UPPER_WORK_NAME_BYTES];
	int made, r;

	if (up->super.names) {
		made = make_name(dirfd, name);
		if (made < 0)
			return made;
		r = unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
		if (r < 0 && made)
			(void)clear_name(dirfd, name);
		return r;
	}
	r = make_device_in_work(up, tmp);
	if (r == 0 && renameat(up->work_fd, tmp, dirfd, name) < 0) {
		r = -errno;
		(void)unlinkat(up->work_fd, tmp, 0);
	}
	return r;
}

int hide_dir(struct upper *up, int dirfd, const char *name, char tmp[UPPER_WORK_NAME_BYTES])
{
	int made, r;

	if (up->super.names) {
		made = make_name(dirfd, name);
		if (made < 0)
			return made;
		upper_work_name(up, tmp);
		r = renameat(dirfd, name, up->work_fd, tmp) < 0 ? -errno : 0;
		if (r < 0 && made)
			(void)clear_name(dirfd, name);
		return r;
	}
	r = make_device_in_work(up, tmp);
	if (r == 0 && renameat2(dirfd, name, up->work_fd, tmp, RENAME_EXCHANGE) < 0) {
		r = -errno;
		(void)unlinkat(up->work_fd, tmp, 0);
	}
	return r;
}

int hide_clear(struct upper *up, int dirfd, const char *name)
{
	if (up->super.names)
		return clear_name(dirfd, name);
	return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
}

void hide_drop_stale(struct upper *up, int dirfd, const char *name)
{
	if (up->super.names)
		(void)clear_name(dirfd, name);
}

int hide_cover(struct upper *up, const char *tmp, int dirfd, const char *name)
{
	struct stat st;

	if (up->super.names) {
		if (renameat2(up->work_fd, tmp, dirfd, name, RENAME_NOREPLACE) < 0)
			return -errno;
		hide_drop_stale(up, dirfd, name);
		return 0;
	}
	if (fstatat(up->work_fd, tmp, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return renameat(up->work_fd, tmp, dirfd, name) < 0 ? -errno : 0;
	if (renameat2(up->work_fd, tmp, dirfd, name, RENAME_EXCHANGE) < 0)
		return -errno;
	(void)unlinkat(up->work_fd, tmp, 0);
	return 0;
}

static int move_by_name(struct upper *up, const struct hide_move *m)
{
	int made = m->leave ? make_name(m->from_fd, m->from) : 0, r;

	if (made < 0)
		return made;
	if (renameat(m->from_fd, m->from, m->to_fd, m->to) < 0) {
		r = -errno;
		if (made)
			(void)clear_name(m->from_fd, m->from);
		return r;
	}
	if (m->covered)
		hide_drop_stale(up, m->to_fd, m->to);
	return 0;
}

static int rename_with(const struct hide_move *m, unsigned int flags)
{
	return renameat2(m->from_fd, m->from, m->to_fd, m->to, flags) < 0 ? -errno : 0;
}

int hide_move(struct upper *up, const struct hide_move *m)
{
	int r;

	if (up->super.names)
		return move_by_name(up, m);
	if (!m->is_dir || !m->covered)
		return rename_with(m, m->leave ? RENAME_WHITEOUT : 0);
	r = rename_with(m, RENAME_EXCHANGE);
	/* The whiteout is at the old name now, where it hides nothing unless the lower has it. */
	if (r == 0 && !m->leave)
		(void)unlinkat(m->from_fd, m->from, 0);
	return r;
}

int hide_mark_opaque(struct upper *up, int fd)
{
	struct timespec ts[2];
	struct stat st;
	int r = upper_mark_opaque(fd);

	if (r < 0 || !up->super.names)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = make_empty(fd, OPAQUE_FILE);
	if (r < 0)
		return r == -EEXIST ? 0 : r;
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	(void)futimens(fd, ts);
	return 0;
}

void hide_empty_opaque(struct upper *up, int fd)
{
	if (up->super.names)
		(void)unlinkat(fd, OPAQUE_FILE, 0);
}
