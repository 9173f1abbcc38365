/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making one entry (the contract is in the header)
 *
 *      file:  O_EXCL ─ data ─ owner ─ attributes ─ mode ─ time
 *
 * The order is what the kernel asks for: a change of owner drops set-id bits and capabilities, and
 * attributes need the write bit.  A hard-linked inode is made once, under a name in the directory
 * of links, and every name of the tree is a link to that.
 */
#include "image/unpack_entry.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/str.h"
#include "overlay/meta.h"
#include "overlay/xattrs.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define MAKE_TRIES 16 /* against somebody who puts things in the way */
#define COPY_BYTES 131072

static void count(uint64_t *counter, uint64_t n)
{
	(void)__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

/* ---- owner and mode ---- */

/* The mode that the inode itself gets. */
static mode_t kept_mode(const struct unpack *u, const struct lower_attr *a)
{
	mode_t mode = a->mode & 07777;

	if (u->ownership == UNPACK_REAL)
		return mode;
	if (!S_ISDIR(a->mode))
		mode &= ~(mode_t)(S_ISUID | S_ISGID);
	if (u->ownership == UNPACK_RECORD && !u->can_override)
		mode |= S_ISDIR(a->mode) ? 0700 : 0600;
	return mode;
}

static bool needs_chown(const struct unpack *u, const struct lower_attr *a)
{
	return u->ownership == UNPACK_REAL && (a->uid != u->uid || a->gid != u->gid);
}

static bool needs_record(const struct unpack *u, const struct lower_attr *a)
{
	return u->ownership == UNPACK_RECORD &&
	       (a->uid != u->uid || a->gid != u->gid || kept_mode(u, a) != (a->mode & 07777));
}

static int owner_error(const struct lower_attr *a, int code, struct err *err)
{
	err_set(err, code, "it cannot be given to %u:%u", a->uid, a->gid);
	if (code == -EINVAL)
		err_hint(err, code,
			"this user namespace does not have these ids; '--ownership record' or "
			"'squash' needs none");
	if (code == -EPERM)
		err_hint(err, code, "use '--ownership mapped', 'record' or 'squash'");
	return code;
}

static int write_record(int fd, const struct lower_attr *a, uint32_t fmt)
{
	const struct node_override ov = { true, a->uid, a->gid, fmt | (a->mode & 07777),
		a->rdev_major, a->rdev_minor };
	char text[META_OVERRIDE_BYTES];

	meta_override_format(&ov, text);
	return fsetxattr(fd, XA_OVERRIDE, text, strlen(text), 0) < 0 ? -errno : 0;
}

static int record_error(int code, struct err *err)
{
	err_set(err, code, "its owner cannot be recorded in an attribute");
	return err_hint(err, code, "use '--ownership squash', which records nothing");
}

/* ---- attributes ---- */

/* Whether an attribute may be left out: this user or this filesystem cannot have it. */
static bool may_skip_xattr(int code)
{
	return code == -EPERM || code == -EOPNOTSUPP || code == -EINVAL || code == -EACCES;
}

/* @fd, or with @path the symlink or special file there. */
static int set_xattr(int fd, const char *path, const char *name, const void *v, size_t len)
{
	int r = path ? lsetxattr(path, name, v, len, 0) : fsetxattr(fd, name, v, len, 0);

	return r < 0 ? -errno : 0;
}

static int set_xattrs(struct unpack *u, uint64_t handle, int fd, const char *path, struct err *err)
{
	const struct lower_ops *ops = u->lower->ops;
	ssize_t len = ops->listxattr(u->lower, handle, NULL, 0);
	auto_free char *names = NULL;

	if (len <= 0)
		return len < 0 ? err_set(err, (int)len, "its attributes cannot be read") : 0;
	names = malloc((size_t)len);
	if (!names)
		return err_set(err, -ENOMEM, "its attributes cannot be read");
	len = ops->listxattr(u->lower, handle, names, (size_t)len);
	for (const char *n = names; len > 0 && n < names + len; n += strlen(n) + 1) {
		ssize_t size = ops->getxattr(u->lower, handle, n, NULL, 0);
		auto_free char *value = size < 0 ? NULL : malloc((size_t)size + 1);
		int r = size < 0 ? (int)size : -ENOMEM;

		if (value) {
			size = ops->getxattr(u->lower, handle, n, value, (size_t)size);
			r = size < 0 ? (int)size : set_xattr(fd, path, n, value, (size_t)size);
		}
		if (may_skip_xattr(r))
			count(&u->stats.n_xattrs_skipped, 1);
		else if (r < 0)
			return err_set(err, r, "its attribute '%s' cannot be set", n);
	}
	return len < 0 ? err_set(err, (int)len, "its attributes cannot be read") : 0;
}

static void times_of(const struct lower_attr *a, struct timespec ret[2])
{
	ret[0] = ret[1] = (struct timespec){ a->mtime_sec, (long)a->mtime_nsec };
}

/* Owner, attributes, mode, time, in this order, of an open file or directory. */
static int finish_fd(struct unpack *u, int fd, uint64_t handle, const struct lower_attr *a,
	mode_t has_mode, struct err *err)
{
	mode_t mode = kept_mode(u, a);
	struct timespec times[2];
	int r;

	if (needs_chown(u, a)) {
		if (fchown(fd, a->uid, a->gid) < 0)
			return owner_error(a, -errno, err);
		has_mode &= ~(mode_t)(S_ISUID | S_ISGID);
	}
	r = set_xattrs(u, handle, fd, NULL, err);
	if (r < 0)
		return r;
	if (needs_record(u, a)) {
		r = write_record(fd, a, 0);
		if (r < 0)
			return record_error(r, err);
	}
	if (mode != has_mode && fchmod(fd, mode) < 0)
		return err_set(err, -errno, "its mode cannot be set");
	times_of(a, times);
	return futimens(fd, times) < 0 ? err_set(err, -errno, "its time cannot be set") : 0;
}

int unpack_finish_dir(struct unpack *u, int fd, uint64_t handle, struct err *err)
{
	struct lower_attr a;
	int r = u->lower->ops->attr(u->lower, handle, &a);

	if (r < 0)
		return err_set(err, r, "the image's index cannot be read");
	return finish_fd(u, fd, handle, &a, 0700, err);
}

/* ---- data ---- */

static int write_at(int fd, const void *data, uint64_t len, uint64_t off)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len < (1U << 30) ? len : 1U << 30, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		/* The mapping of a tar that was truncated says so here. */
		if (n <= 0)
			return n < 0 && errno == EFAULT ? -EIO : n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int copy_from_fd(int fd, const struct lower_piece *p, uint64_t off)
{
	auto_free char *data = malloc(COPY_BYTES);
	int r = data ? 0 : -ENOMEM;

	for (uint64_t done = 0, n; r == 0 && done < p->len; done += n) {
		n = p->len - done < COPY_BYTES ? p->len - done : COPY_BYTES;
		r = fd_pread_all(p->fd, data, n, (off_t)(p->pos + done));
		if (r == 0)
			r = write_at(fd, data, n, off + done);
	}
	return r;
}

/* Holes stay holes. */
static int write_data(struct unpack *u, int fd, uint64_t handle, uint64_t size, struct err *err)
{
	struct lower_piece p;
	uint64_t off = 0, end = 0;
	int r = 0;

	while (r == 0 && off < size) {
		r = u->lower->ops->map(u->lower, handle, off, &p);
		if (r < 0)
			return err_set(err, r, "the layer cannot be read");
		if (p.mem)
			r = write_at(fd, p.mem, p.len, off);
		else if (p.fd >= 0)
			r = copy_from_fd(fd, &p, off);
		off += p.len;
		if (p.mem || p.fd >= 0) {
			end = off;
			count(&u->stats.n_bytes, p.len);
		}
	}
	if (r == 0 && end < size && ftruncate(fd, (off_t)size) < 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "its data cannot be written") : 0;
}

/* ---- kinds ---- */

/* Return: 0; -EEXIST without a text if the name is taken. */
static int make_file(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	/* Attributes need the write bit where the process has no privilege. */
	mode_t mode = (a->mode & 0777) | (u->can_override ? 0 : S_IWUSR);
	auto_fd fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return errno == EEXIST ? -EEXIST : err_set(err, -errno, "it cannot be made");
	r = write_data(u, fd, handle, a->size, err);
	return r < 0 ? r : finish_fd(u, fd, handle, a, mode, err);
}

/* Owner, attributes and time of what cannot be opened. */
static int finish_name(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	auto_free char *path = str_format("/proc/self/fd/%d/%s", dirfd, name);
	struct timespec times[2];
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "it cannot be made");
	if (needs_chown(u, a) && fchownat(dirfd, name, a->uid, a->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return owner_error(a, -errno, err);
	r = set_xattrs(u, handle, -1, path, err);
	if (r < 0)
		return r;
	if (!S_ISLNK(a->mode) && (kept_mode(u, a) & 07000) &&
		fchmodat(dirfd, name, kept_mode(u, a), AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, -errno, "its mode cannot be set");
	times_of(a, times);
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, -errno, "its time cannot be set");
	return 0;
}

static int make_symlink(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	auto_free char *target = NULL;
	const char *text;
	size_t len;
	int r = u->lower->ops->readlink(u->lower, handle, &text, &len);

	if (r < 0)
		return err_set(err, r, "the image's index cannot be read");
	target = strndup(text, len);
	if (!target)
		return err_set(err, -ENOMEM, "it cannot be made");
	if (symlinkat(target, dirfd, name) < 0)
		return errno == EEXIST ? -EEXIST : err_set(err, -errno, "it cannot be made");
	return finish_name(u, dirfd, name, handle, a, err);
}

/* An empty file that says which device it stands for. */
static int record_device(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	auto_fd fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct timespec times[2];
	int r;

	if (fd < 0)
		return errno == EEXIST ? -EEXIST : err_set(err, -errno, "it cannot be made");
	r = write_record(fd, a, a->mode & S_IFMT);
	if (r < 0)
		return record_error(r, err);
	count(&u->stats.n_devices_recorded, 1);
	times_of(a, times);
	return futimens(fd, times) < 0 ? err_set(err, -errno, "its time cannot be set") : 0;
}

static int make_special(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	bool is_device = S_ISCHR(a->mode) || S_ISBLK(a->mode);
	/* A 0/0 device would hide things if the tree became a layer of an overlay. */
	bool is_whiteout = S_ISCHR(a->mode) && a->rdev_major == 0 && a->rdev_minor == 0;

	if (is_device && u->ownership == UNPACK_RECORD)
		return record_device(u, dirfd, name, handle, a, err);
	if (is_whiteout || (is_device && u->ownership == UNPACK_SQUASH)) {
		count(&u->stats.n_devices_skipped, 1);
		return 0;
	}
	if (mknodat(dirfd, name, (a->mode & S_IFMT) | (kept_mode(u, a) & 0777),
		    makedev(a->rdev_major, a->rdev_minor)) < 0) {
		if (errno == EEXIST)
			return -EEXIST;
		if (!is_device || errno != EPERM)
			return err_set(err, -errno, "it cannot be made");
		count(&u->stats.n_devices_skipped, 1);
		return 0;
	}
	if (is_device)
		count(&u->stats.n_devices, 1);
	return finish_name(u, dirfd, name, handle, a, err);
}

/* Return: 1 if an earlier run completed it: its time is set last. */
static int is_complete(struct unpack *u, int dirfd, const char *name, const struct lower_attr *a)
{
	struct stat st;

	return u->resumed && S_ISREG(a->mode) &&
	       fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == a->size && st.st_mtim.tv_sec == a->mtime_sec &&
	       (uint32_t)st.st_mtim.tv_nsec == a->mtime_nsec &&
	       (st.st_mode & 07777) == kept_mode(u, a) &&
	       st.st_uid == (u->ownership == UNPACK_REAL ? a->uid : u->uid);
}

/* Make it, whatever stands in the way. */
static int make(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	for (int tries = 0; tries < MAKE_TRIES; tries++) {
		int r;

		if (S_ISREG(a->mode))
			r = make_file(u, dirfd, name, handle, a, err);
		else if (S_ISLNK(a->mode))
			r = make_symlink(u, dirfd, name, handle, a, err);
		else
			r = make_special(u, dirfd, name, handle, a, err);
		if (r != -EEXIST)
			return r;
		if (is_complete(u, dirfd, name, a)) {
			count(&u->stats.n_kept, 1);
			return 0;
		}
		r = at_remove_tree(dirfd, name);
		if (r < 0)
			return err_set(err, r, "what has its name cannot be removed");
	}
	return err_say(err, -EBUSY, "something else is put in its place again and again");
}

/* ---- hard links ---- */

/* The inode exists in the directory of links; made there by this run or found complete. */
static int make_linked(struct unpack *u, const char *link, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	pthread_mutex_t *lock = &u->links[handle / 8 % UNPACK_LINK_LOCKS];
	uint8_t bit = (uint8_t)(1U << (handle % 8));
	int r = 0;

	pthread_mutex_lock(lock);
	if (!(u->linked[handle / 8] & bit))
		r = make(u, u->links_fd, link, handle, a, err);
	if (r == 0)
		u->linked[handle / 8] |= bit;
	pthread_mutex_unlock(lock);
	return r;
}

static bool is_link_of(const struct unpack *u, const char *link, int dirfd, const char *name)
{
	struct stat a, b;

	return fstatat(u->links_fd, link, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static int make_link(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	char link[24];
	int r;

	snprintf(link, sizeof(link), "%llu", (unsigned long long)handle);
	r = make_linked(u, link, handle, a, err);
	for (int tries = 0; r == 0 && tries < MAKE_TRIES; tries++) {
		if (linkat(u->links_fd, link, dirfd, name, 0) == 0)
			return 0;
		/* A device that could not be made has no link. */
		if (errno == ENOENT && !S_ISREG(a->mode) && !S_ISLNK(a->mode))
			return 0;
		if (errno != EEXIST)
			return err_set(err, -errno, "the hard link cannot be made");
		if (is_link_of(u, link, dirfd, name))
			return 0;
		r = at_remove_tree(dirfd, name);
		if (r < 0)
			return err_set(err, r, "what has its name cannot be removed");
	}
	return r < 0 ? r
		     : err_say(err, -EBUSY, "something else is put in its place again and again");
}

int unpack_entry(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err)
{
	if (a->nlink > 1)
		return make_link(u, dirfd, name, handle, a, err);
	return make(u, dirfd, name, handle, a, err);
}
