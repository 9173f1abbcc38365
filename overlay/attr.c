/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing attributes
 *
 * The kernel flushes the modification time of files that it knows better than we do, also when
 * nothing but the change time moved, and also after the last name went.  What changes nothing is
 * answered without a copy-up.
 */
#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/copyup.h"
#include "overlay/locate.h"
#include "overlay/ops.h"

#include <fcntl.h>

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Changes of owner that nobody would see. */
static unsigned int ignored(const struct ovl_fs *fs)
{
	unsigned int ret = 0;

	if (fs->flags & (OVL_SQUASH_OWNER | OVL_SQUASH_UID))
		ret |= OVL_SET_UID;
	if (fs->flags & (OVL_SQUASH_OWNER | OVL_SQUASH_GID))
		ret |= OVL_SET_GID;
	return ret;
}

/* True if @a would leave an inode of the lower as it is. */
static bool changes_nothing(
	const struct ovl_fs *fs, const struct ovl_attr *a, const struct stat *st)
{
	enum ovl_set set = a->set;

	set &= ~ignored(fs);
	if ((set & OVL_SET_MTIME) && same_time(&a->mtime, &st->st_mtim))
		set &= ~(unsigned int)OVL_SET_MTIME;
	if ((set & OVL_SET_ATIME) && same_time(&a->atime, &st->st_atim))
		set &= ~(unsigned int)OVL_SET_ATIME;
	if ((set & OVL_SET_KILL_SUIDGID) && !(st->st_mode & (S_ISUID | S_ISGID)))
		set &= ~(unsigned int)OVL_SET_KILL_SUIDGID;
	return set == 0;
}

/* What the node has to be after the change; true if owner or mode are concerned at all. */
static bool want_of(const struct ovl_fs *fs, const struct node *n, const struct stat *disk,
	const struct ovl_attr *a, struct meta_want *w)
{
	const unsigned int set = a->set & ~ignored(fs);
	struct meta_owner now, new;
	struct stat st;

	meta_show(fs, disk, &n->ov, &st);
	if (n->ov.set)
		meta_owner_from_image(fs, n->ov.uid, n->ov.gid, &now);
	else
		meta_owner_from_disk(fs, disk->st_uid, disk->st_gid, &now);
	*w = (struct meta_want){ .owner = now,
		.mode = n->ov.set ? (n->ov.mode & 07777) | n->fmt : st.st_mode,
		.major = n->ov.major,
		.minor = n->ov.minor };
	if (!n->ov.set)
		w->mode = (disk->st_mode & 07777) | n->fmt;
	if (a->set & OVL_SET_MODE)
		w->mode = n->fmt | (a->mode & 07777);
	if (a->set & OVL_SET_KILL_SUIDGID) {
		w->mode &= ~(uint32_t)S_ISUID;
		if (w->mode & S_IXGRP)
			w->mode &= ~(uint32_t)S_ISGID;
	}
	meta_owner_from_client(fs, a->uid, a->gid, &new);
	if (set & OVL_SET_UID) {
		w->owner.uid = new.uid;
		w->owner.image_uid = new.image_uid;
	}
	if (set & OVL_SET_GID) {
		w->owner.gid = new.gid;
		w->owner.image_gid = new.image_gid;
	}
	if ((set & OVL_SET_UID) && (set & OVL_SET_GID))
		w->owner.exact = true;
	return a->set & (OVL_SET_MODE | OVL_SET_UID | OVL_SET_GID | OVL_SET_KILL_SUIDGID);
}

static void times_of(const struct ovl_attr *a, struct timespec ts[2])
{
	const struct timespec keep = { .tv_nsec = UTIME_OMIT };

	ts[0] = a->set & OVL_SET_ATIME ? a->atime : keep;
	ts[1] = a->set & OVL_SET_MTIME ? a->mtime : keep;
}

/* Through a descriptor: regular files, what stands in for others, directories. */
static int set_by_fd(struct ovl_fs *fs, struct node *n, int fd, const struct ovl_attr *a)
{
	struct timespec ts[2];
	struct meta_want w;
	struct stat st;

	if ((a->set & OVL_SET_SIZE) && ftruncate(fd, a->size) < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (want_of(fs, n, &st, a, &w)) {
		int r = meta_apply(fs, fd, &w, &n->ov);

		if (r < 0)
			return r;
	}
	times_of(a, ts);
	if ((a->set & (OVL_SET_ATIME | OVL_SET_MTIME)) && futimens(fd, ts) < 0)
		return -errno;
	return 0;
}

/* chmod(2) by name; a descriptor that was only located needs /proc instead of fchmod(2). */
static int chmod_place(const struct place *at, mode_t mode)
{
	char path[64];

	if (*at->name)
		return fchmodat(at->dirfd, at->name, mode, 0) < 0 ? -errno : 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at->dirfd);
	return chmod(path, mode) < 0 ? -errno : 0;
}

/* By name: symlinks, FIFOs, sockets and devices that are what they show. */
static int set_by_place(
	struct ovl_fs *fs, struct node *n, const struct place *at, const struct ovl_attr *a)
{
	struct timespec ts[2];
	struct meta_want w;
	struct stat st;

	if (fstatat(at->dirfd, at->name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -errno;
	if (want_of(fs, n, &st, a, &w)) {
		uint32_t uid = meta_disk_uid(fs, &w.owner), gid = meta_disk_gid(fs, &w.owner);

		if ((uid != st.st_uid || gid != st.st_gid) &&
			fchownat(at->dirfd, at->name, uid, gid,
				AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
			return -errno;
		/* The kernel does not chmod symlinks. */
		if (!S_ISLNK(n->fmt)) {
			int r = chmod_place(at, w.mode & 07777);

			if (r < 0)
				return r;
		}
	}
	times_of(a, ts);
	if ((a->set & (OVL_SET_ATIME | OVL_SET_MTIME)) &&
		utimensat(at->dirfd, at->name, ts, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int set_upper(struct ovl_fs *fs, struct node *n, const struct ovl_attr *a)
{
	struct fd_ref ref = { -1, NULL };
	struct place at;
	int r;

	if (S_ISDIR(n->fmt)) {
		r = locate_dir_fd(fs, n, &ref);
	} else if (S_ISREG(n->fmt) || !meta_type_is_kept(&n->ov)) {
		r = a->set & OVL_SET_SIZE ? locate_writable_fd(fs, n, &ref)
					  : locate_data_fd(fs, n, &ref);
	} else {
		r = locate(fs, n, &at);
		if (r == 0) {
			r = set_by_place(fs, n, &at, a);
			locate_done(fs, &at);
		}
		return r;
	}
	if (r == 0) {
		r = set_by_fd(fs, n, ref.fd, a);
		fdc_release(fs->fds, &ref);
	}
	return r;
}

int ovl_setattr(struct ovl_fs *fs, uint64_t id, const struct ovl_attr *a, struct stat *ret)
{
	uint64_t want = COPYUP_META;
	struct node *n;
	int r = ovl_getattr(fs, id, ret);

	if (r < 0 || changes_nothing(fs, a, ret))
		return r;
	if (a->set & OVL_SET_SIZE) {
		if (!S_ISREG(ret->st_mode))
			return S_ISDIR(ret->st_mode) ? -EISDIR : -EINVAL;
		want = (uint64_t)a->size < (uint64_t)ret->st_size ? (uint64_t)a->size : COPYUP_ALL;
	}
	r = S_ISDIR(ret->st_mode) ? copyup_any(fs, id, &n) : copyup_file(fs, id, want, &n);
	if (r < 0)
		return r;
	pthread_mutex_lock(&n->lock);
	copyup_wait(n);
	n->n_attr_changes++;
	if (a->set & OVL_SET_MODE)
		node_flags_set(n, 0, NODE_SIMPLE);
	r = set_upper(fs, n, a);
	if (r == 0)
		r = node_stat_locked(fs, n, ret);
	if (r == 0 && (a->set & (OVL_SET_MTIME | OVL_SET_SIZE))) {
		n->mtime = ret->st_mtim;
		n->mtime_kept = true; /* by writes that are still on their way */
	}
	pthread_mutex_unlock(&n->lock);
	node_put(fs->nodes, n);
	return r;
}
