/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rename
 *
 *      source      copied up first, its metadata; a directory that the lower has gets a redirect,
 *                  or, where it cannot have one, leaves the lower: overlay/copywhole.h
 *      old name    RENAME_WHITEOUT leaves a whiteout in the same step, if the lower has the name
 *      new name    a directory over a whiteout changes places with it; one of the upper's own that
 *                  comes to stand over something of the lower is made opaque first; a directory
 *                  that holds nothing but whiteouts is first replaced by one that is empty and opaque
 *
 * A crash between the steps leaves the tree as before, or as after, as clients see it.  The one
 * exception is a client's RENAME_WHITEOUT, whose device appears after the move.
 *
 * Locking: both parents, the source and what is replaced; fs->tree if a directory moves.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "overlay/copyup.h"
#include "overlay/copywhole.h"
#include "overlay/hide.h"
#include "overlay/locate.h"
#include "overlay/ops.h"
#include "overlay/redirect.h"
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
	char cleared
		[UPPER_WORK_NAME_BYTES]; /* where clear_dir() put what stood there; "": nowhere */
	bool whole; /* a directory that leaves the lower */
	char redirect[LIMIT_REDIRECT_BYTES + 1]; /* of a directory that the lower has, if it may */
};

struct renaming {
	struct ovl_fs *fs;
	struct side from, to;
	unsigned int flags;
	bool no_redirects; /* one did not fit: directories leave the lower instead */
	char device[UPPER_WORK_NAME_BYTES]; /* a client's whiteout in work/; "": none */
};

static bool is_whiteout(const struct side *s)
{
	return s->slot.upper && (s->slot.upper->flags & DN_WHITEOUT);
}

/* ---- before the locks ---- */

/* The source, or with RENAME_EXCHANGE the target: in the upper. */
static int prepare_mover(struct ovl_fs *fs, struct side *s)
{
	struct child c;
	int r = child_find(fs, s->dir_id, s->name, strlen(s->name), &c);

	if (r < 0)
		return r;
	if (S_ISDIR(c.node ? c.node->fmt : c.attr.mode))
		r = copyup_dir(fs, c.id, &s->n);
	else
		/* A copy of an inode with several names may be made under another one. */
		r = copyup_file(fs, c.id, copyup_for_new_name(fs), &s->n);
	child_done(fs, &c);
	return r;
}

/* How a directory that the lower has takes along what is below it. */
static int prepare_contents(const struct renaming *m, struct side *s)
{
	struct ovl_fs *fs = m->fs;
	int r = 0;

	if (!S_ISDIR(s->n->fmt) || node_lower_dir(s->n) == NODE_NO_HANDLE ||
		(s->n->flags & NODE_MOVED))
		return 0;
	if (!m->no_redirects && !(fs->flags & OVL_COPY_DIRS))
		r = redirect_path(fs, s->n->handle, s->redirect);
	if (r < 0 && r != -ENAMETOOLONG)
		return r;
	s->whole = !*s->redirect;
	return s->whole ? copywhole_fill(fs, s->n) : 0;
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

/* Known before anything is copied: what may replace what. */
static int check_kinds(const struct renaming *m)
{
	const struct node *from = m->from.n, *to = m->to.n;

	if ((m->flags & RENAME_EXCHANGE) || !to || S_ISDIR(to->fmt) == S_ISDIR(from->fmt))
		return 0;
	return S_ISDIR(to->fmt) ? -EISDIR : -ENOTDIR;
}

static int prepare(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	int r = strlen(m->to.name) > NAME_MAX ? -ENAMETOOLONG : 0;

	if (r == 0 && hide_is_reserved(fs->up, m->to.name))
		r = -EINVAL;
	if (r == 0)
		r = prepare_mover(fs, &m->from);
	if (r == 0)
		r = m->flags & RENAME_EXCHANGE ? prepare_mover(fs, &m->to)
					       : prepare_target(fs, &m->to);
	if (r == 0 && (m->flags & RENAME_NOREPLACE) && m->to.n)
		r = -EEXIST;
	if (r == 0)
		r = check_kinds(m);
	if (r == 0)
		r = copyup_dir(fs, m->from.dir_id, &m->from.dir);
	if (r == 0)
		r = copyup_dir(fs, m->to.dir_id, &m->to.dir);
	if (r == 0 && m->from.n != m->to.n)
		r = prepare_contents(m, &m->from);
	if (r == 0 && (m->flags & RENAME_EXCHANGE) && m->from.n != m->to.n)
		r = prepare_contents(m, &m->to);
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
	int r = copyup_name(fs, s->n, s->dir, s->fd.fd, s->name, &s->slot);

	if (r == 0 && s->slot.upper)
		s->type = s->slot.upper->type;
	return r;
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
	r = hide_mark_opaque(fs->up, ref.fd);
	fdc_release(fs->fds, &ref);
	return r;
}

/* Put an empty opaque directory in the place of one that no descriptor keeps, but a name shall. */
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

	if (fd < 0 || upper_mark_opaque(fd) < 0 ||
		renameat2(fs->up->work_fd, tmp, s->fd.fd, s->name, RENAME_EXCHANGE) < 0) {
		r = -errno;
		(void)at_remove_tree(fs->up->work_fd, tmp);
		return r;
	}
	memcpy(s->cleared, tmp, sizeof(tmp));
	return 0;
}

/* After the rename: what clear_dir() took away goes for good, or comes back if it failed. */
static void settle_cleared(struct ovl_fs *fs, struct side *s, int r)
{
	if (!*s->cleared)
		return;
	if (r < 0 &&
		renameat2(fs->up->work_fd, s->cleared, s->fd.fd, s->name, RENAME_EXCHANGE) == 0)
		(void)unlinkat(fs->up->work_fd, s->cleared, AT_REMOVEDIR);
	else
		remove_put_away(fs, s->n, s->cleared);
}

static int check_replaced(struct renaming *m)
{
	struct node *n = m->to.n;

	if (!n)
		return 0;
	if (n->flags & NODE_GONE)
		return -ESTALE;
	return S_ISDIR(n->fmt) ? remove_dir_is_empty(m->fs, n) : 0;
}

/* Hold on to what is replaced, and let rename(2) replace it. */
static int make_way(struct renaming *m)
{
	struct side *to = &m->to;
	int r;

	if (!to->n || !to->slot.upper)
		return 0;
	r = remove_keep(m->fs, to->n, to->dir, to->name);
	if (r < 0 || !S_ISDIR(to->n->fmt))
		return r;
	/* Nothing but whiteouts: it is as empty when it is opaque, and then without them. */
	if (node_lower_dir(to->n) != NODE_NO_HANDLE)
		r = copywhole_detach(m->fs, to->n);
	if (r == 0)
		r = copywhole_clean_one(m->fs, to->n);
	if (r == 0 && to->n->orphan_fd < 0)
		return clear_dir(m->fs, to);
	if (r == 0)
		hide_empty_opaque(m->fs->up, to->n->orphan_fd);
	return r;
}

/* A directory is about to stand at @to: nothing but its own contents may show in it there. */
static int prepare_move(struct renaming *m, struct side *s, const struct side *to)
{
	struct ovl_fs *fs = m->fs;
	struct node *n = s->n;
	bool home;
	int r;

	if (!S_ISDIR(n->fmt) || (n->flags & NODE_MOVED))
		return 0;
	if (node_lower_dir(n) == NODE_NO_HANDLE)
		return to->slot.has_lower ? make_opaque(fs, n) : 0;
	home = to->slot.has_lower && to->slot.lower.handle == n->handle;
	if (home)
		return 0;
	if (s->whole)
		return copywhole_detach(fs, n);
	r = redirect_set(fs, n, s->redirect);
	m->no_redirects = r == -ENOSPC || r == -E2BIG || r == -ERANGE;
	return r;
}

/* Where the lower has it, a directory needs no redirect. */
static void settle_move(struct ovl_fs *fs, struct side *s, const struct side *to)
{
	if ((s->n->flags & NODE_MOVED) && to->slot.has_lower &&
		to->slot.lower.handle == s->n->handle)
		redirect_clear(fs, s->n);
}

/* The system call, or calls; fs->tree is write-held if a directory is concerned. */
static int move(struct renaming *m)
{
	struct side *from = &m->from, *to = &m->to;
	const struct hide_move hm = { .from_fd = from->fd.fd,
		.from = from->name,
		.to_fd = to->fd.fd,
		.to = to->name,
		.is_dir = S_ISDIR(from->n->fmt),
		.leave = from->slot.has_lower,
		.covered = is_whiteout(to) };

	if (m->flags & RENAME_EXCHANGE)
		return renameat2(from->fd.fd, from->name, to->fd.fd, to->name, RENAME_EXCHANGE) < 0
			       ? -errno
			       : 0;
	return hide_move(m->fs->up, &hm);
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

/* RENAME_WHITEOUT: what the client takes for a whiteout is no whiteout of ours. */
static int prepare_device(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct meta_want w = { .mode = S_IFCHR };
	struct node_override ov;
	int r;

	if (!(m->flags & RENAME_WHITEOUT))
		return 0;
	meta_owner_from_client(fs, fs->euid, fs->egid, &w.owner);
	upper_work_name(fs->up, m->device);
	r = meta_make_special(fs, fs->up->work_fd, m->device, &w, NULL, &ov);
	if (r < 0)
		*m->device = '\0';
	return r;
}

static int put_device(struct renaming *m)
{
	struct side *from = &m->from;
	struct dir_slot slot;
	int r;

	if (!*m->device)
		return 0;
	if (renameat(m->fs->up->work_fd, m->device, from->fd.fd, from->name) < 0)
		return -errno;
	*m->device = '\0';
	hide_drop_stale(m->fs->up, from->fd.fd, from->name);
	/* The entry may have moved: see record_move(). */
	r = child_slot(m->fs, from->dir, from->name, strlen(from->name), &slot);
	return r < 0 ? r : child_slot_set(from->dir, &slot, from->name, DT_REG, 0);
}

static int move_and_record(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct side *from = &m->from, *to = &m->to;
	bool dirs = S_ISDIR(from->n->fmt) || (to->n && S_ISDIR(to->n->fmt));
	int r;

	r = prepare_device(m);
	if (dirs)
		pthread_rwlock_wrlock(&fs->tree);
	r = r < 0 ? r : move(m);
	settle_cleared(fs, to, r);
	if (r == 0)
		r = m->flags & RENAME_EXCHANGE ? record_exchange(m) : record_move(m);
	if (r == 0)
		r = put_device(m);
	if (*m->device)
		(void)unlinkat(fs->up->work_fd, m->device, 0);
	if (dirs) {
		__atomic_add_fetch(&fs->n_dir_moves, 1, __ATOMIC_RELEASE);
		pthread_rwlock_unlock(&fs->tree);
	}
	return r;
}

static int rename_locked(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct side *from = &m->from, *to = &m->to;
	bool exchange = m->flags & RENAME_EXCHANGE;
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
		r = exchange ? check_mover(to) : check_replaced(m);
	if (r == 0)
		r = prepare_move(m, from, to);
	if (r == 0 && exchange)
		r = prepare_move(m, to, from);
	if (r == 0 && !exchange)
		r = make_way(m);
	if (r == 0)
		r = move_and_record(m);
	if (r == 0)
		settle_move(fs, from, to);
	if (r == 0 && exchange)
		settle_move(fs, to, from);
	return r;
}

static void side_done(struct ovl_fs *fs, struct side *s)
{
	node_link_free(fs->nodes, s->link);
	node_put(fs->nodes, s->n);
	node_put(fs->nodes, s->dir);
}

/* Lock what is concerned and do it. */
static int rename_prepared(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	struct node *locked[4] = { m->from.dir, m->to.dir, m->from.n, m->to.n };
	int r;

	node_lock_all(locked, 4);
	r = rename_locked(m);
	node_unlock_all(locked, 4);
	fdc_release(fs->fds, &m->from.fd);
	fdc_release(fs->fds, &m->to.fd);
	if (r == 0 && m->from.whole)
		copywhole_clean(fs, m->from.n);
	if (r == 0 && m->to.whole)
		copywhole_clean(fs, m->to.n);
	return r;
}

static int rename_once(struct renaming *m)
{
	struct ovl_fs *fs = m->fs;
	int r = prepare(m);

	/* Two names of one inode: nothing happens (rename(2)). */
	if (r == 0 && m->from.n != m->to.n)
		r = rename_prepared(m);
	side_done(fs, &m->from);
	side_done(fs, &m->to);
	return r;
}

int ovl_rename(struct ovl_fs *fs, const struct ovl_rename *what)
{
	const struct side from = { .dir_id = what->dir, .name = what->name, .fd = { -1, NULL } };
	const struct side to = {
		.dir_id = what->new_dir, .name = what->new_name, .fd = { -1, NULL }
	};
	struct renaming m = { .fs = fs, .from = from, .to = to, .flags = what->flags };
	int r;

	if (!fs->up)
		return -EROFS;
	if (what->flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ||
		((what->flags & RENAME_EXCHANGE) &&
			(what->flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	r = rename_once(&m);
	if (r == 0 || !m.no_redirects)
		return r;
	m.from = from;
	m.to = to;
	return rename_once(&m);
}
