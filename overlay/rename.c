/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename
 *
 *      source      a file is copied up first (its metadata); a directory has to be the upper's own
 *      old name    RENAME_WHITEOUT leaves a whiteout in the same step, if the lower has the name
 *      new name    a directory over a whiteout changes places with it; one that comes to stand over
 *                  something of the lower is made opaque first; a directory that holds nothing
 *                  but whiteouts is first replaced by one that is empty and opaque
 *
 * A crash between the steps leaves the tree as before, or as after, as clients see it.
 *
 * Locking: both parents, the source and what is replaced; fs->tree if a directory moves.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "overlay/copyup.h"
#include "overlay/locate.h"
#include "overlay/ops.h"
#include "overlay/remove.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

/* One side of a rename. */
struct side {
	uint64_t dir_id;
	const char *name;
	struct node *dir; /* a reference */
	struct node *n; /* a reference; NULL: nothing stands there */
	struct dir_slot slot;
	uint8_t type; /* of the upper entry there, before */
	struct node_link *link; /* to be freed behind the locks */
	struct fd_ref fd;
};

struct renaming {
	struct ovl_fs *fs;
	struct side from, to;
	unsigned int flags;
};

static bool is_whiteout(const struct side *s)
{
	return s->slot.upper && (s->slot.upper->flags & DN_WHITEOUT);
}

/* ---- before the locks ---- */

/* The source, or with RENAME_EXCHANGE the target: complete in the upper. */
static int prepare_mover(struct ovl_fs *fs, struct side *s)
{
	struct child c;
	int r = child_find(fs, s->dir_id, s->name, strlen(s->name), &c);

	if (r < 0)
		return r;
	if (S_ISDIR(c.node ? c.node->fmt : c.attr.mode)) {
		/* What the lower has below it would not move along. */
		r = c.handle == NODE_NO_HANDLE ? 0 : -EXDEV;
		if (r == 0)
			s->n = node_ref(fs->nodes, c.node);
	} else {
		r = copyup_file(fs, c.id, COPYUP_META, &s->n);
		/* A copy of an inode with several names may have been made under another one. */
	}
	child_done(fs, &c);
	return r;
}

static int prepare_target(struct ovl_fs *fs, struct side *s)
{
	struct child c;
	int r = child_find(fs, s->dir_id, s->name, strlen(s->name), &c);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = remove_node_of(fs, &c, &s->n);
	child_done(fs, &c);
	return r;
}

static int prepare(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	int r = strlen(m->to.name) > NAME_MAX ? -ENAMETOOLONG : 0;

	if (r == 0)
		r = prepare_mover(fs, &m->from);
	if (r == 0)
		r = m->flags & RENAME_EXCHANGE ? prepare_mover(fs, &m->to)
					       : prepare_target(fs, &m->to);
	if (r == 0 && (m->flags & RENAME_NOREPLACE) && m->to.n)
		r = -EEXIST;
	if (r == 0)
		r = copyup_dir(fs, m->from.dir_id, &m->from.dir);
	if (r == 0)
		r = copyup_dir(fs, m->to.dir_id, &m->to.dir);
	return r;
}

/* ---- with the locks ---- */

static int look(struct ovl_fs *fs, struct side *s)
{
	int r = s->dir->flags & NODE_GONE ? -ENOENT : child_load_names(fs, s->dir);

	if (r == 0)
		r = child_slot(fs, s->dir, s->name, strlen(s->name), &s->slot);
	if (r == 0)
		r = locate_dir_fd(fs, s->dir, &s->fd);
	if (r == 0 && s->slot.upper)
		s->type = s->slot.upper->type;
	return r;
}

/*
 * A name of an inode with several that is still the lower's: the upper gets it as a link, so that
 * there is something to move.
 */
static int materialise(struct ovl_fs *fs, struct side *s)
{
	struct place at;
	struct stat st;
	int r;

	if (s->slot.upper || !s->slot.has_lower || s->slot.lower.handle != s->n->handle)
		return 0;
	r = locate(fs, s->n, &at);
	if (r < 0)
		return r;
	if (linkat(at.dirfd, at.name, s->fd.fd, s->name, 0) < 0 ||
		fstatat(s->fd.fd, s->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	locate_done(fs, &at);
	if (r == 0)
		r = child_slot_set(s->dir, &s->slot, s->name, IFTODT(st.st_mode), 0);
	if (r == 0)
		r = node_link_add(fs->nodes, s->n, s->dir, s->name, strlen(s->name));
	if (r < 0)
		return r;
	s->n->n_lower_names--;
	s->type = IFTODT(st.st_mode);
	return child_slot(fs, s->dir, s->name, strlen(s->name), &s->slot);
}

static int check_mover(const struct side *s)
{
	if (s->n->flags & NODE_GONE)
		return -ENOENT;
	if (!s->slot.upper || is_whiteout(s) ||
		!node_link_find(s->n, s->dir, s->name, strlen(s->name)))
		return -ESTALE;
	return 0;
}

/* The lower's directory of that name must not show through one that comes to stand there. */
static int make_opaque(struct ovl_fs *fs, struct node *dir)
{
	struct fd_ref ref;
	int r = locate_dir_fd(fs, dir, &ref);

	if (r < 0)
		return r;
	if (fsetxattr(ref.fd, XA_OPAQUE, "y", 1, 0) < 0)
		r = -errno;
	fdc_release(fs->fds, &ref);
	return r;
}

/* Replace an upper directory that holds only whiteouts, or is to be kept, by an empty opaque one. */
static int clear_dir(struct ovl_fs *fs, struct side *s)
{
	char tmp[UPPER_WORK_NAME_BYTES];
	struct stat st;
	int r = 0;

	if (fstatat(s->fd.fd, s->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	upper_work_name(fs->up, tmp);
	if (mkdirat(fs->up->work_fd, tmp, st.st_mode & 07777) < 0)
		return -errno;
	auto_fd fd = openat(fs->up->work_fd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsetxattr(fd, XA_OPAQUE, "y", 1, 0) < 0 ||
		renameat2(fs->up->work_fd, tmp, s->fd.fd, s->name, RENAME_EXCHANGE) < 0) {
		r = -errno;
		(void)at_remove_tree(fs->up->work_fd, tmp);
		return r;
	}
	remove_put_away(fs, s->n, tmp);
	return 0;
}

static int prepare_replaced(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct side *to = &m->to;
	int r;

	if (!to->n)
		return 0;
	if (to->n->flags & NODE_GONE)
		return -ESTALE;
	if (S_ISDIR(to->n->fmt) != S_ISDIR(m->from.n->fmt))
		return S_ISDIR(to->n->fmt) ? -EISDIR : -ENOTDIR;
	if (S_ISDIR(to->n->fmt)) {
		r = remove_dir_is_empty(fs, to->n);
		if (r < 0)
			return r;
	}
	r = to->slot.upper ? remove_keep(fs, to->n, to->dir, to->name) : 0;
	if (r == 0 && S_ISDIR(to->n->fmt) && to->slot.upper &&
		(to->n->names.n > 0 || to->n->orphan_fd < 0))
		r = clear_dir(fs, to);
	return r;
}

/* The system call, or calls; fs->tree is write-held if a directory is concerned. */
static int move(struct renaming *m)
{
	struct side *from = &m->from, *to = &m->to;
	bool leave_whiteout = from->slot.has_lower;
	unsigned int flags = leave_whiteout ? RENAME_WHITEOUT : 0;

	if (m->flags & RENAME_EXCHANGE)
		return renameat2(from->fd.fd, from->name, to->fd.fd, to->name, RENAME_EXCHANGE) < 0
			       ? -errno
			       : 0;
	if (!S_ISDIR(from->n->fmt) || !is_whiteout(to))
		return renameat2(from->fd.fd, from->name, to->fd.fd, to->name, flags) < 0 ? -errno
											  : 0;
	if (renameat2(from->fd.fd, from->name, to->fd.fd, to->name, RENAME_EXCHANGE) < 0)
		return -errno;
	/* The whiteout is at the old name now, where it hides nothing unless the lower has it. */
	if (!leave_whiteout)
		(void)unlinkat(from->fd.fd, from->name, 0);
	return 0;
}

/* ---- afterwards ---- */

static int record_move(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct side *from = &m->from, *to = &m->to;
	uint8_t type = from->type;
	int r;

	if (to->n)
		to->link = remove_forget_name(fs, to->n, to->dir, to->name, &to->slot);
	from->link = node_link_del(from->n, from->dir, from->name, strlen(from->name));
	r = node_link_add(fs->nodes, from->n, to->dir, to->name, strlen(to->name));
	/* The new name first: finding a place for it may move the other's entry. */
	if (r == 0)
		r = child_slot_set(to->dir, &to->slot, to->name, type, 0);
	if (from->slot.has_lower) {
		int r2 = child_slot_set(from->dir, &from->slot, from->name, DT_CHR, DN_WHITEOUT);

		r = r < 0 ? r : r2;
	} else {
		child_slot_clear(from->dir, from->name, &from->slot);
	}
	return r;
}

static int record_exchange(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct side *from = &m->from, *to = &m->to;
	int r;

	from->link = node_link_del(from->n, from->dir, from->name, strlen(from->name));
	to->link = node_link_del(to->n, to->dir, to->name, strlen(to->name));
	r = node_link_add(fs->nodes, from->n, to->dir, to->name, strlen(to->name));
	if (r == 0)
		r = node_link_add(fs->nodes, to->n, from->dir, from->name, strlen(from->name));
	if (r == 0)
		r = child_slot_set(to->dir, &to->slot, to->name, from->type, 0);
	if (r == 0)
		r = child_slot_set(from->dir, &from->slot, from->name, to->type, 0);
	return r;
}

static int rename_locked(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct side *from = &m->from, *to = &m->to;
	bool exchange = m->flags & RENAME_EXCHANGE, dirs;
	int r = look(fs, from);

	if (r == 0)
		r = look(fs, to);
	if (r == 0)
		r = materialise(fs, from);
	if (r == 0 && exchange)
		r = materialise(fs, to);
	if (r == 0)
		r = check_mover(from);
	if (r == 0)
		r = exchange ? check_mover(to) : prepare_replaced(m);
	if (r == 0 && S_ISDIR(from->n->fmt) && to->slot.has_lower)
		r = make_opaque(fs, from->n);
	if (r == 0 && exchange && S_ISDIR(to->n->fmt) && from->slot.has_lower)
		r = make_opaque(fs, to->n);
	if (r < 0)
		return r;
	dirs = S_ISDIR(from->n->fmt) || (to->n && S_ISDIR(to->n->fmt));
	if (dirs)
		pthread_rwlock_wrlock(&fs->tree);
	r = move(m);
	if (r == 0)
		r = exchange ? record_exchange(m) : record_move(m);
	if (dirs)
		pthread_rwlock_unlock(&fs->tree);
	return r;
}

static void side_done(struct ovl_fs *fs, struct side *s)
{
	node_link_free(fs->nodes, s->link);
	node_put(fs->nodes, s->n);
	node_put(fs->nodes, s->dir);
}

int ovl_rename(struct ovl_fs *fs, const struct ovl_rename *what)
{
	struct renaming m = { .fs = fs,
		.from = { .dir_id = what->dir, .name = what->name, .fd = { -1, NULL } },
		.to = { .dir_id = what->new_dir, .name = what->new_name, .fd = { -1, NULL } },
		.flags = what->flags };
	struct node *locked[4];
	int r;

	if (!fs->up)
		return -EROFS;
	if (what->flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = prepare(&m);
	/* Two names of one inode: nothing happens (rename(2)). */
	if (r == 0 && m.from.n != m.to.n) {
		locked[0] = m.from.dir;
		locked[1] = m.to.dir;
		locked[2] = m.from.n;
		locked[3] = m.to.n;
		node_lock_all(locked, 4);
		r = rename_locked(&m);
		node_unlock_all(locked, 4);
		fdc_release(fs->fds, &m.from.fd);
		fdc_release(fs->fds, &m.to.fd);
	}
	side_done(fs, &m.from);
	side_done(fs, &m.to);
	return r;
}
