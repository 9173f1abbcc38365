/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New names: files, directories, symlinks, devices, hard links
 *
 *      nothing special         one system call makes it in place, complete
 *      else                    work/w1 gets owner, mode, ACLs ─ rename ─▶ upper/dir/name
 *      over a whiteout         the same; a directory, made opaque first, changes places with it
 *
 * Locking: the directory's lock is held throughout.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/acl.h"
#include "overlay/child.h"
#include "overlay/copyup.h"
#include "overlay/hide.h"
#include "overlay/inum.h"
#include "overlay/locate.h"
#include "overlay/ops.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Something that is being made. */
struct making {
	struct ovl_fs *fs;
	struct node *dir;
	const char *name;
	const char *target;
	struct dir_slot slot;
	struct fd_ref dirfd;
	struct meta_want want;
	char acl[LIMIT_ACL_BYTES]; /* the directory's default ACL */
	ssize_t acl_len; /* 0: none */
	mode_t dir_mode, disk_mode; /* of the directory, as shown and on disk: S_ISGID or 0 */
	gid_t dir_gid;
	bool set_acl; /* the new inode's own needs more than its mode */
	char tmp[UPPER_WORK_NAME_BYTES];
	int fd; /* of a new regular file or directory; else -1 */
	struct node_override ov;
	struct stat st;
};

static bool is_whiteout(const struct dir_slot *s)
{
	return s->upper && (s->upper->flags & DN_WHITEOUT);
}

static bool exists(const struct dir_slot *s)
{
	return s->upper ? !is_whiteout(s) : s->has_lower;
}

/* What the directory hands down.  One that hands down nothing is not asked again. */
static int ask_dir(struct making *m)
{
	struct stat disk, dir;

	if (m->dir->flags & NODE_SIMPLE)
		return 0;
	if (fstat(m->dirfd.fd, &disk) < 0)
		return -errno;
	meta_show(m->fs, &disk, &m->dir->ov, &dir);
	m->dir_mode = dir.st_mode & S_ISGID;
	m->dir_gid = dir.st_gid;
	m->disk_mode = disk.st_mode & S_ISGID;
	m->acl_len = fgetxattr(m->dirfd.fd, ACL_DEFAULT, m->acl, sizeof(m->acl));
	if (m->acl_len < 0 && (errno == ENODATA || errno == EOPNOTSUPP) && !m->dir_mode &&
		!m->disk_mode)
		node_flags_set(m->dir, NODE_SIMPLE, 0);
	return 0;
}

/* Owner and mode: set-gid directories, default ACLs, umask. */
static int inherit(struct making *m, const struct ovl_new *what, const struct ovl_cred *cred)
{
	struct ovl_fs *fs = m->fs;
	uint32_t uid = cred->uid, gid = cred->gid, mode = what->mode;
	int r = ask_dir(m);

	if (r < 0)
		return r;
	if (m->dir_mode & S_ISGID)
		gid = m->dir_gid;
	if (fs->flags & (OVL_SQUASH_OWNER | OVL_SQUASH_UID))
		uid = fs->euid;
	if (fs->flags & (OVL_SQUASH_OWNER | OVL_SQUASH_GID))
		gid = fs->egid;
	if (S_ISDIR(mode) && (m->dir_mode & S_ISGID))
		mode |= S_ISGID;
	if (!S_ISLNK(mode)) {
		if (m->acl_len > 0) {
			char own[LIMIT_ACL_BYTES];

			memcpy(own, m->acl, (size_t)m->acl_len);
			r = acl_inherit(own, (size_t)m->acl_len, &mode);
			if (r < 0)
				return r;
			m->set_acl = r;
		} else {
			mode &= ~(uint32_t)cred->umask;
		}
	}
	meta_owner_from_client(fs, uid, gid, &m->want.owner);
	m->want.mode = mode;
	m->want.major = major(what->rdev);
	m->want.minor = minor(what->rdev);
	return 0;
}

/* Would a plain system call in the directory make just what is wanted? */
static bool is_plain(const struct making *m)
{
	const struct ovl_fs *fs = m->fs;
	uint32_t mode = m->want.mode, need = S_ISDIR(mode) ? 0700 : 0600;

	if (m->slot.upper || m->slot.has_lower || m->acl_len > 0 || S_ISCHR(mode) || S_ISBLK(mode))
		return false;
	if (!S_ISLNK(mode) && !fs->can_override && (mode & need) != need)
		return false;
	if ((m->disk_mode & S_ISGID) || (fs->flags & OVL_KEEP_OWNERS))
		return false;
	return meta_disk_uid(fs, &m->want.owner) == fs->euid &&
	       meta_disk_gid(fs, &m->want.owner) == fs->egid;
}

static int make_plain(struct making *m)
{
	int dirfd = m->dirfd.fd;
	uint32_t mode = m->want.mode;
	int r = 0;

	if (S_ISREG(mode)) {
		m->fd = openat(dirfd, m->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);
		r = m->fd;
	} else if (S_ISDIR(mode)) {
		r = mkdirat(dirfd, m->name, mode & 07777);
	} else if (m->target) {
		r = symlinkat(m->target, dirfd, m->name);
	} else {
		r = mknodat(dirfd, m->name, mode, 0);
	}
	if (r < 0)
		return -errno;
	if (fstatat(dirfd, m->name, &m->st, AT_SYMLINK_NOFOLLOW) < 0) {
		r = -errno;
		(void)unlinkat(dirfd, m->name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
		return r;
	}
	return 0;
}

static int set_acls(struct making *m)
{
	char own[LIMIT_ACL_BYTES];
	uint32_t mode = 0777;

	if (m->acl_len <= 0)
		return 0;
	if (m->set_acl) {
		mode = m->want.mode & 0777;
		memcpy(own, m->acl, (size_t)m->acl_len);
		(void)acl_inherit(own, (size_t)m->acl_len, &mode);
		if (fsetxattr(m->fd, ACL_ACCESS, own, (size_t)m->acl_len, 0) < 0)
			return -errno;
	}
	if (S_ISDIR(m->want.mode) &&
		fsetxattr(m->fd, ACL_DEFAULT, m->acl, (size_t)m->acl_len, 0) < 0)
		return -errno;
	return 0;
}

static int make_file_in_work(struct making *m)
{
	int work = m->fs->up->work_fd, r;

	if (S_ISDIR(m->want.mode)) {
		if (mkdirat(work, m->tmp, 0700) < 0)
			return -errno;
		m->fd = openat(work, m->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} else {
		m->fd = openat(work, m->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (m->fd < 0)
		return -errno;
	r = meta_apply(m->fs, m->fd, &m->want, &m->ov);
	if (r == 0)
		r = set_acls(m);
	if (r == 0 && S_ISDIR(m->want.mode) && m->slot.has_lower)
		r = hide_mark_opaque(m->fs->up, m->fd);
	return r;
}

/* Put work/tmp at the name, over a whiteout if there is one. */
static int publish(struct making *m)
{
	int work = m->fs->up->work_fd, dirfd = m->dirfd.fd;

	if (is_whiteout(&m->slot))
		return hide_cover(m->fs->up, m->tmp, dirfd, m->name);
	return renameat2(work, m->tmp, dirfd, m->name, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static int make_in_work(struct making *m)
{
	struct ovl_fs *fs = m->fs;
	int work = fs->up->work_fd, r;

	upper_work_name(fs->up, m->tmp);
	if (S_ISREG(m->want.mode) || S_ISDIR(m->want.mode))
		r = make_file_in_work(m);
	else
		r = meta_make_special(fs, work, m->tmp, &m->want, m->target, &m->ov);
	if (r == 0 && fstatat(work, m->tmp, &m->st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r == 0)
		r = publish(m);
	if (r < 0) {
		(void)at_remove_tree(work, m->tmp);
		return r;
	}
	/* Its change time is now that of the rename. */
	(void)fstatat(m->dirfd.fd, m->name, &m->st, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* What is known of a new inode need not be asked for. */
static void note_new(const struct making *m, struct node *n)
{
	const uint32_t setid = S_ISDIR(n->fmt) ? S_ISGID : S_ISUID | S_ISGID;

	n->flags = NODE_UPPER | (S_ISDIR(n->fmt) ? NODE_LISTED : 0);
	if (m->acl_len <= 0 && !((m->want.mode | m->st.st_mode) & setid))
		n->flags |= NODE_SIMPLE;
	n->upper_ino = m->st.st_ino;
	n->ov = m->ov;
	n->mtime = m->st.st_mtim;
	n->mtime_kept = true;
}

/* The struct of what was made, its name, and the kernel's look-up. */
static int bind_new(struct making *m, struct ovl_entry *ret)
{
	struct ovl_fs *fs = m->fs;
	uint64_t id = NODE_BORN | m->st.st_ino;
	struct child made = { .by_upper = true, .um.st = m->st };
	struct fd_ref ref;
	struct node *n;
	int r;

	if (m->st.st_ino >= NODE_BORN)
		return -EOVERFLOW;
	n = node_new(id, NODE_NO_HANDLE, INUM_UPPER | m->st.st_ino, m->want.mode & S_IFMT);
	if (!n)
		return -ENOMEM;
	note_new(m, n);
	r = node_link_add(fs->nodes, n, m->dir, m->name, strlen(m->name));
	if (r < 0) {
		node_put_fresh(fs->nodes, n);
		return r;
	}
	n = node_publish(fs->nodes, n);
	if (!n)
		return -ENOMEM;
	if (m->fd >= 0 && fdc_put_take_fd(fs->fds, n, fd_take(&m->fd), &ref) == 0)
		fdc_release(fs->fds, &ref);
	ret->id = id;
	made.node = n;
	r = child_stat(fs, &made, &ret->st);
	if (r == 0)
		(void)node_looked_up(fs->nodes, id);
	node_put(fs->nodes, n);
	return r;
}

static int make_locked(struct making *m, const struct ovl_new *what, const struct ovl_cred *cred,
	struct ovl_entry *ret)
{
	int r = inherit(m, what, cred);

	if (r == 0)
		r = is_plain(m) ? make_plain(m) : make_in_work(m);
	/* By what the upper has: a stand-in is a regular file. */
	if (r == 0)
		r = child_slot_set(m->dir, &m->slot, m->name, IFTODT(m->st.st_mode), 0);
	return r < 0 ? r : bind_new(m, ret);
}

/* The directory, in the upper, locked, with its slot for the name; put and unlock it. */
static int begin(struct ovl_fs *fs, uint64_t dir, const char *name, struct node *also,
	struct node **ret, struct dir_slot *slot)
{
	struct node *locked[2] = { NULL, also };
	int r = strlen(name) > NAME_MAX ? -ENAMETOOLONG : 0;

	if (r == 0 && fs->up && hide_is_reserved(fs->up, name))
		r = -EINVAL;
	if (r == 0)
		r = copyup_dir(fs, dir, ret);
	if (r < 0)
		return r;
	locked[0] = *ret;
	node_lock_all(locked, 2);
	r = (*ret)->flags & NODE_GONE ? -ENOENT : child_load_names(fs, *ret);
	if (r == 0)
		r = child_slot(fs, *ret, name, strlen(name), slot);
	if (r == 0 && exists(slot))
		r = -EEXIST;
	if (r < 0) {
		node_unlock_all(locked, 2);
		node_put(fs->nodes, *ret);
	}
	return r;
}

int ovl_make(struct ovl_fs *fs, uint64_t dir, const char *name, const struct ovl_new *what,
	const struct ovl_cred *cred, struct ovl_entry *ret)
{
	struct making m = { .fs = fs, .name = name, .target = what->target, .fd = -1 };
	int r;

	r = begin(fs, dir, name, NULL, &m.dir, &m.slot);
	if (r < 0)
		return r;
	r = locate_dir_fd(fs, m.dir, &m.dirfd);
	if (r == 0) {
		r = make_locked(&m, what, cred, ret);
		fdc_release(fs->fds, &m.dirfd);
	}
	if (m.fd >= 0)
		(void)close(m.fd);
	pthread_mutex_unlock(&m.dir->lock);
	node_put(fs->nodes, m.dir);
	return r;
}

/* ---- files without a name ---- */

/* In work/orphans from the start: that name is never counted, and goes with the struct. */
static int make_orphan(struct making *m, struct node **ret)
{
	struct ovl_fs *fs = m->fs;
	struct node *n;
	char name[24];
	int r;

	upper_work_name(fs->up, m->tmp);
	r = make_file_in_work(m);
	if (r == 0 && fstat(m->fd, &m->st) < 0)
		r = -errno;
	if (r == 0 && m->st.st_ino >= NODE_BORN)
		r = -EOVERFLOW;
	n = r < 0 ? NULL
		  : node_new(NODE_BORN | m->st.st_ino, NODE_NO_HANDLE, INUM_UPPER | m->st.st_ino,
			    S_IFREG);
	if (r == 0 && !n)
		r = -ENOMEM;
	if (r == 0) {
		locate_orphan_name(n, name);
		if (renameat(fs->up->work_fd, m->tmp, fs->up->orphans_fd, name) < 0)
			r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(fs->up->work_fd, m->tmp, 0);
		if (n)
			node_put_fresh(fs->nodes, n);
		return r;
	}
	n->flags = NODE_UPPER | NODE_IN_ORPHANS;
	n->upper_ino = m->st.st_ino;
	n->ov = m->ov;
	*ret = node_publish(fs->nodes, n);
	return *ret ? 0 : -ENOMEM;
}

int ovl_make_unnamed(struct ovl_fs *fs, uint64_t dir, mode_t mode, const struct ovl_cred *cred,
	struct ovl_entry *ret)
{
	const struct ovl_new what = { .mode = S_IFREG | (mode & 07777) };
	struct making m = { .fs = fs, .fd = -1 };
	struct node *n = NULL;
	int r = copyup_dir(fs, dir, &m.dir);

	if (r < 0)
		return r;
	pthread_mutex_lock(&m.dir->lock);
	r = m.dir->flags & NODE_GONE ? -ENOENT : locate_dir_fd(fs, m.dir, &m.dirfd);
	if (r == 0) {
		r = inherit(&m, &what, cred);
		if (r == 0)
			r = make_orphan(&m, &n);
		fdc_release(fs->fds, &m.dirfd);
	}
	pthread_mutex_unlock(&m.dir->lock);
	if (m.fd >= 0)
		(void)close(m.fd);
	if (r == 0) {
		ret->id = n->id;
		r = node_stat(fs, n, &ret->st);
	}
	if (r == 0)
		(void)node_looked_up(fs->nodes, n->id);
	node_put(fs->nodes, n);
	node_put(fs->nodes, m.dir);
	return r;
}

/* ---- hard links ---- */

/* linkat(2) from wherever the inode is; a descriptor needs /proc instead of a capability. */
static int link_from(const struct place *at, int dirfd, const char *name)
{
	char path[64];

	if (*at->name)
		return linkat(at->dirfd, at->name, dirfd, name, 0) < 0 ? -errno : 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at->dirfd);
	return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int link_locked(struct ovl_fs *fs, struct node *n, struct node *dir, const char *name,
	const struct dir_slot *slot)
{
	struct fd_ref dirfd = { -1, NULL };
	char tmp[UPPER_WORK_NAME_BYTES];
	struct place at;
	struct stat st;
	int r;

	if (n->flags & NODE_GONE)
		return -ENOENT;
	r = locate(fs, n, &at);
	if (r < 0)
		return r;
	r = locate_dir_fd(fs, dir, &dirfd);
	if (r == 0 && !is_whiteout(slot)) {
		r = link_from(&at, dirfd.fd, name);
	} else if (r == 0) {
		upper_work_name(fs->up, tmp);
		r = link_from(&at, fs->up->work_fd, tmp);
		if (r == 0) {
			r = hide_cover(fs->up, tmp, dirfd.fd, name);
			if (r < 0)
				(void)unlinkat(fs->up->work_fd, tmp, 0);
		}
	}
	if (r == 0)
		r = fstatat(dirfd.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (r == 0)
		r = child_slot_set(dir, slot, name, IFTODT(st.st_mode), 0);
	if (r == 0)
		r = node_link_add(fs->nodes, n, dir, name, strlen(name));
	fdc_release(fs->fds, &dirfd);
	locate_done(fs, &at);
	return r;
}

int ovl_link(struct ovl_fs *fs, uint64_t id, uint64_t dir, const char *name, struct ovl_entry *ret)
{
	struct node *n, *locked[2];
	struct dir_slot slot;
	int r = copyup_file(fs, id, copyup_for_new_name(fs), &n);

	if (r < 0)
		return r == -EISDIR ? -EPERM : r;
	r = begin(fs, dir, name, n, &locked[0], &slot);
	if (r == 0) {
		locked[1] = n;
		r = link_locked(fs, n, locked[0], name, &slot);
		if (r == 0)
			r = node_stat_locked(fs, n, &ret->st);
		node_unlock_all(locked, 2);
		node_put(fs->nodes, locked[0]);
	}
	ret->id = id;
	if (r == 0)
		(void)node_looked_up(fs->nodes, id);
	node_put(fs->nodes, n);
	return r;
}
