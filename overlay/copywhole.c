/* SPDX-License-Identifier: Apache-2.0 */
/* A directory and all below it leave the lower (how it works is said in the header). */
#include "overlay/copywhole.h"

#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/copyup.h"
#include "overlay/hide.h"
#include "overlay/locate.h"
#include "overlay/walk.h"
#include "overlay/xattrs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

/* Does a directory show entries of the lower just because of where it stands? */
static bool is_merged(const struct node *n)
{
	return node_lower_dir(n) != NODE_NO_HANDLE && !(n->flags & NODE_MOVED);
}

/* ---- step 1 ---- */

/* Give a name of the lower in @dir to the upper; @n is the inode's copy. */
static int fill_name(struct ovl_fs *fs, struct node *dir, struct node *n, const char *name)
{
	struct node *locked[2] = { dir, n };
	struct dir_slot slot;
	struct fd_ref ref;
	int r;

	node_lock_all(locked, 2);
	r = n->flags & NODE_GONE ? -ENOENT : child_load_names(fs, dir);
	if (r == 0)
		r = child_slot(fs, dir, name, strlen(name), &slot);
	if (r == 0)
		r = locate_dir_fd(fs, dir, &ref);
	if (r == 0) {
		r = copyup_name(fs, n, dir, ref.fd, name, &slot);
		fdc_release(fs->fds, &ref);
	}
	node_unlock_all(locked, 2);
	return r;
}

static int fill_entry(struct ovl_fs *fs, struct node *dir, const struct lower_entry *le)
{
	const uint64_t want = fs->flags & OVL_COPY_DATA ? COPYUP_ALL : COPYUP_META;
	char name[NAME_MAX + 1];
	struct node *n = NULL;
	struct child c = { 0 };
	int r;

	memcpy(name, le->name, le->len);
	name[le->len] = '\0';
	r = child_of_lower(fs, node_lower_dir(dir), le, &c);
	if (r < 0)
		return r;
	if (S_ISDIR(c.attr.mode)) {
		r = copyup_dir(fs, c.id, &n);
	} else {
		r = copyup_file(fs, c.id, want, &n);
		if (r == 0)
			r = fill_name(fs, dir, n, name);
	}
	if (r == 0)
		node_put(fs->nodes, n);
	child_done(fs, &c);
	return r;
}

/* 1 if the upper says something about an entry of the lower. */
static int is_covered(struct ovl_fs *fs, struct node *dir, const struct lower_entry *le)
{
	int r = dir->flags & NODE_GONE ? -ENOENT : child_load_names(fs, dir);

	return r < 0 ? r : dn_get(&dir->names, child_home(fs, le), le->name, le->len) != NULL;
}

static int fill_dir(struct ovl_fs *fs, struct node *dir)
{
	uint64_t lower_dir = node_lower_dir(dir), at = 0;
	struct lower_entry le;
	int r;

	while ((r = fs->lower->ops->list(fs->lower, lower_dir, at, &le)) == 0) {
		at = le.off + 1;
		pthread_mutex_lock(&dir->lock);
		r = is_covered(fs, dir, &le);
		pthread_mutex_unlock(&dir->lock);
		if (r == 0)
			r = fill_entry(fs, dir, &le);
		/* Removed meanwhile: nothing to copy. */
		if (r < 0 && r != -ENOENT && r != -ESTALE)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

/* The directories in @dir that are copies of some of the lower, without a redirect. */
static int add_merged(struct ovl_fs *fs, struct node *dir, struct walk *todo)
{
	char name[NAME_MAX + 1];
	uint64_t off = 0;
	int r;

	while ((r = walk_next_dir(fs, dir, &off, name)) > 0) {
		struct child c;

		r = child_of_upper(fs, dir, name, DT_DIR, &c);
		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		if (r < 0)
			return r;
		if (c.handle == NODE_NO_HANDLE || (c.node->flags & NODE_MOVED)) {
			child_done(fs, &c);
			continue;
		}
		r = walk_add(todo, c.node);
		if (r < 0) {
			child_done(fs, &c);
			return r;
		}
	}
	return r == -ENOENT ? 0 : r;
}

int copywhole_fill(struct ovl_fs *fs, struct node *dir)
{
	struct walk todo = { 0 };
	int r = walk_add(&todo, node_ref(fs->nodes, dir));

	if (r < 0)
		node_put(fs->nodes, dir);
	for (struct node *n; (n = walk_take(&todo)); node_put(fs->nodes, n)) {
		if (r == 0 && is_merged(n))
			r = fill_dir(fs, n);
		if (r == 0)
			r = add_merged(fs, n, &todo);
	}
	return r;
}

/* ---- step 2 ---- */

static int check_complete(struct ovl_fs *fs, struct node *dir)
{
	struct lower_entry le;
	uint64_t at = 0;
	int r;

	while ((r = fs->lower->ops->list(fs->lower, node_lower_dir(dir), at, &le)) == 0) {
		at = le.off + 1;
		r = is_covered(fs, dir, &le);
		if (r <= 0)
			return r < 0 ? r : -ESTALE;
	}
	return r == -ENOENT ? 0 : r;
}

/* The lower's entries do not count any more: names stand elsewhere in the listing. */
static void stand_alone(struct node *dir)
{
	if (dir->flags & NODE_ALONE)
		return;
	dn_done(&dir->names);
	node_flags_set(dir, NODE_ALONE, NODE_LISTED);
}

int copywhole_detach(struct ovl_fs *fs, struct node *dir)
{
	struct fd_ref ref;
	int r = check_complete(fs, dir);

	if (r == 0)
		r = locate_dir_fd(fs, dir, &ref);
	if (r < 0)
		return r;
	r = hide_mark_opaque(fs->up, ref.fd);
	fdc_release(fs->fds, &ref);
	if (r == 0)
		stand_alone(dir);
	return r;
}

/* ---- step 4 ---- */

/* Remove whiteouts; the directory's times stay. */
int copywhole_clean_one(struct ovl_fs *fs, struct node *dir)
{
	const struct dname *e;
	struct timespec ts[2];
	struct fd_ref ref;
	struct stat st;
	int r = child_load_names(fs, dir);

	if (r == 0)
		r = locate_dir_fd(fs, dir, &ref);
	if (r < 0)
		return r;
	if (fstat(ref.fd, &st) < 0) {
		r = -errno;
		fdc_release(fs->fds, &ref);
		return r;
	}
	for (uint64_t off = 0; r == 0 && (e = dn_next(&dir->names, off)); off = e->off + 1)
		if (e->flags & DN_WHITEOUT)
			r = hide_clear(fs->up, ref.fd, e->name);
	ts[0] = st.st_atim;
	ts[1] = st.st_mtim;
	(void)futimens(ref.fd, ts);
	fdc_release(fs->fds, &ref);
	dn_done(&dir->names);
	node_flags_set(dir, 0, NODE_LISTED);
	return r;
}

void copywhole_clean(struct ovl_fs *fs, struct node *dir)
{
	struct walk todo = { 0 };
	int r = walk_add(&todo, node_ref(fs->nodes, dir));

	if (r < 0)
		node_put(fs->nodes, dir);
	for (struct node *n; (n = walk_take(&todo)); node_put(fs->nodes, n)) {
		pthread_mutex_lock(&n->lock);
		if (!(n->flags & NODE_GONE)) {
			stand_alone(n);
			(void)copywhole_clean_one(fs, n); /* what is left hides nothing */
		}
		pthread_mutex_unlock(&n->lock);
		(void)add_merged(fs, n, &todo);
	}
}
