/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer's members applied to the tree of a chain
 *
 *      pass 1   whiteouts and opaque marks, against what lower layers left in the tree
 *      pass 2   entries and hard links, in the order of the tar
 *
 * Two passes make the place of a whiteout in its layer meaningless, as it has to be: it hides what
 * lower layers have, and never what its own layer adds.
 *
 * Paths are walked component by component from the root.  A symlink puts its target before the
 * rest of the path; ".." stops at the root; so nothing leads out of the tree, whatever it says.
 * Neighbours in a tar share their directory, so the last one is remembered.
 *
 * Spec: doc/on-disk.md, "How layers merge"; OCI image-spec, layer.md
 */
#include "image/merge_apply.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "image/layer_name.h"
#include "overlay/inum.h"

#include <string.h>
#include <sys/stat.h>

struct apply {
	struct merge_tree *t;
	struct idx *x;
	uint32_t layer;
	struct idx_member m; /* the member at hand */
	const char *path; /* its path */
	uint32_t last_implied; /* depth in the number of the last directory made for it */
	/* The last directory that was resolved, valid while the tree's epoch is the same. */
	const char *cached;
	size_t cached_len;
	uint32_t cached_dir; /* 0: nothing is remembered */
	uint64_t cached_epoch;
};

/* What is left of a path: the innermost link's target first. */
struct rest {
	struct piece {
		const char *p;
		size_t len;
	} v[LIMIT_MERGE_LINKS + 1];
	unsigned int n, n_links;
};

enum walk_flags {
	WALK_MAKE = 1 << 0, /* make missing directories, replace what is none */
};

/* Cut the next component off; false at the end of the path. */
static bool next_component(struct rest *rest, const char **ret, size_t *ret_len)
{
	while (rest->n > 0) {
		struct piece *top = &rest->v[rest->n - 1];
		const char *slash = memchr(top->p, '/', top->len);
		size_t len = slash ? (size_t)(slash - top->p) : top->len;

		*ret = top->p;
		*ret_len = len;
		top->p += len + (slash != NULL);
		top->len -= len + (slash != NULL);
		if (top->len == 0)
			rest->n--;
		if (len > 0 && !(len == 1 && (*ret)[0] == '.'))
			return true;
	}
	return false;
}

static bool is_dotdot(const char *s, size_t len)
{
	return len == 2 && s[0] == '.' && s[1] == '.';
}

static bool is_component(const char *s, size_t len)
{
	return len > 0 && len <= UINT8_MAX && !is_dotdot(s, len) && !(len == 1 && s[0] == '.');
}

/* A directory that the member implies without an entry of its own. */
static int make_implied(struct apply *a, uint32_t dir, const char *name, size_t len, uint32_t *ret)
{
	struct merge_inode in = { .layer = a->layer, .row = IDX_NONE };
	struct inum num = { .layer = a->layer, .hdr_off = a->m.hdr_off };
	int r;

	num.depth = a->t->inodes[dir].depth + 1;
	/* A link with ".." may lead to one depth twice, but numbers must differ. */
	if (num.depth <= a->last_implied)
		num.depth = a->last_implied + 1;
	a->last_implied = num.depth;
	if (inum_pack(&num, &in.ino) < 0)
		return -ENAMETOOLONG;
	in.m.mode = S_IFDIR | 0755;
	in.m.mtime_sec = a->m.mtime_sec;
	in.m.mtime_nsec = a->m.mtime_nsec;
	r = merge_new_inode(a->t, &in, ret);
	return r < 0 ? r : merge_link(a->t, dir, name, len, *ret);
}

/* From @dir one component on: to a directory, or along a link. */
static int step(struct apply *a, struct rest *rest, uint32_t *dir, const char *name, size_t len,
	enum walk_flags flags)
{
	struct merge_tree *t = a->t;
	const struct merge_inode *in;
	uint32_t n;

	if (is_dotdot(name, len)) {
		*dir = t->inodes[*dir].parent;
		return 0;
	}
	if (len > UINT8_MAX)
		return -ENAMETOOLONG;
	n = merge_find(t, *dir, name, len);
	in = n ? &t->inodes[t->names[n].inode] : NULL;
	if (in && merge_is_dir(in)) {
		*dir = t->names[n].inode;
		return 0;
	}
	if (in && merge_is_symlink(in)) {
		if (rest->n_links++ == LIMIT_MERGE_LINKS)
			return -ELOOP;
		if (in->m.link_len > t->link_bytes)
			return -EMLINK;
		t->link_bytes -= in->m.link_len;
		if (in->target[0] == '/')
			*dir = MERGE_ROOT;
		/* There is room: a link used up pops at most itself and pushes one. */
		rest->v[rest->n++] = (struct piece){ in->target, in->m.link_len };
		return 0;
	}
	if (!(flags & WALK_MAKE))
		return in ? -ENOTDIR : -ENOENT;
	if (in)
		merge_unlink(t, n);
	return make_implied(a, *dir, name, len, dir);
}

/* Resolve all of a path but its last component, which is never followed. */
static int walk(struct apply *a, const char *path, size_t len, enum walk_flags flags,
	uint32_t *ret_dir, const char **ret_name, size_t *ret_len)
{
	const char *slash = memrchr(path, '/', len);
	size_t dir_len = slash ? (size_t)(slash - path) : 0;
	struct rest rest = { .v = { { path, dir_len } }, .n = 1 };
	uint32_t dir = MERGE_ROOT;
	const char *name;
	size_t n;

	*ret_name = slash ? slash + 1 : path;
	*ret_len = len - (slash ? dir_len + 1 : 0);
	if (!is_component(*ret_name, *ret_len))
		return -EBADMSG;
	if (a->cached_dir && a->cached_epoch == a->t->epoch && a->cached_len == dir_len &&
		memcmp(a->cached, path, dir_len) == 0) {
		*ret_dir = a->cached_dir;
		return 0;
	}
	while (next_component(&rest, &name, &n)) {
		int r = step(a, &rest, &dir, name, n, flags);

		if (r < 0)
			return r;
	}
	a->cached = path;
	a->cached_len = dir_len;
	a->cached_dir = dir;
	a->cached_epoch = a->t->epoch;
	*ret_dir = dir;
	return 0;
}

static int apply_whiteout(struct apply *a)
{
	const char *name;
	uint32_t dir, n;
	size_t len;
	int r;

	r = walk(a, a->path, a->m.path_len, 0, &dir, &name, &len);
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return 0;
	if (r < 0)
		return r;
	n = merge_find(a->t, dir, name, len);
	if (n)
		merge_unlink(a->t, n);
	return 0;
}

static int apply_opaque(struct apply *a)
{
	uint32_t dir, n, inode = MERGE_ROOT;
	const char *name;
	size_t len;
	int r;

	if (a->m.path_len > 0) {
		r = walk(a, a->path, a->m.path_len, 0, &dir, &name, &len);
		if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
			return 0;
		if (r < 0)
			return r;
		n = merge_find(a->t, dir, name, len);
		if (!n)
			return 0;
		inode = a->t->names[n].inode;
	}
	if (merge_is_dir(&a->t->inodes[inode]))
		merge_empty(a->t, inode);
	return 0;
}

/* Metadata of an entry for a new inode or for a directory that is there already. */
static int set_metadata(struct apply *a, struct merge_inode *in)
{
	struct inum num = { .layer = a->layer, .hdr_off = a->m.hdr_off };
	int r;

	if (inum_pack(&num, &in->ino) < 0)
		return -EFBIG;
	in->m = a->m;
	in->layer = a->layer;
	if (!merge_is_symlink(in))
		return 0;
	r = idx_string(a->x, a->m.link, a->m.link_len, &in->target);
	if (r == 0 && a->m.link_len == 0)
		r = -EBADMSG;
	return r;
}

static int apply_root(struct apply *a)
{
	struct merge_inode *root = &a->t->inodes[MERGE_ROOT];
	uint64_t ino = root->ino;
	int r;

	if (!S_ISDIR(a->m.mode))
		return -ENOTDIR;
	r = set_metadata(a, root);
	root->ino = ino;
	return r;
}

static int apply_entry(struct apply *a)
{
	struct merge_inode in = { .row = IDX_NONE };
	const char *name;
	uint32_t dir, n, inode;
	size_t len;
	int r;

	if (a->m.path_len == 0)
		return apply_root(a);
	r = walk(a, a->path, a->m.path_len, WALK_MAKE, &dir, &name, &len);
	if (r < 0)
		return r;
	n = merge_find(a->t, dir, name, len);
	if (n && S_ISDIR(a->m.mode) && merge_is_dir(&a->t->inodes[a->t->names[n].inode]))
		return set_metadata(a, &a->t->inodes[a->t->names[n].inode]);
	r = set_metadata(a, &in);
	if (r < 0)
		return r;
	if (n)
		merge_unlink(a->t, n);
	r = merge_new_inode(a->t, &in, &inode);
	return r < 0 ? r : merge_link(a->t, dir, name, len, inode);
}

/* The inode that a hard link's target names; -ENOENT and others if it names none. */
static int find_target(struct apply *a, uint32_t *ret)
{
	const char *target, *name;
	uint32_t dir, n;
	size_t len;
	int r;

	r = idx_string(a->x, a->m.link, a->m.link_len, &target);
	if (r < 0)
		return r;
	if (a->m.link_len == 0)
		return -EISDIR;
	r = walk(a, target, a->m.link_len, 0, &dir, &name, &len);
	if (r < 0)
		return r;
	n = merge_find(a->t, dir, name, len);
	if (!n)
		return -ENOENT;
	*ret = a->t->names[n].inode;
	return merge_is_dir(&a->t->inodes[*ret]) ? -EISDIR : 0;
}

static int apply_hardlink(struct apply *a)
{
	const char *name;
	uint32_t dir, n, inode = 0;
	size_t len;
	int r;

	r = find_target(a, &inode);
	if (r < 0)
		return r;
	r = walk(a, a->path, a->m.path_len, WALK_MAKE, &dir, &name, &len);
	if (r < 0)
		return r;
	n = merge_find(a->t, dir, name, len);
	if (n && a->t->names[n].inode == inode)
		return 0;
	/* The target may lie in what is replaced; the inode stays, its name goes. */
	if (n)
		merge_unlink(a->t, n);
	return merge_link(a->t, dir, name, len, inode);
}

static int apply_member(struct apply *a, bool removals)
{
	switch (a->m.kind) {
	case IDX_MEMBER_WHITEOUT:
		return removals ? apply_whiteout(a) : 0;
	case IDX_MEMBER_OPAQUE:
		return removals ? apply_opaque(a) : 0;
	case IDX_MEMBER_ENTRY:
		return removals ? 0 : apply_entry(a);
	case IDX_MEMBER_HARDLINK:
		return removals ? 0 : apply_hardlink(a);
	}
	return -EBADMSG;
}

/* Name the member in the error. */
static int member_failed(const struct apply *a, int code, struct err *err)
{
	auto_free char *path = layer_name_quote(a->path, a->m.path_len);
	auto_free char *link = NULL;
	const char *target;

	if (code == -EMLINK)
		return err_say(err, -EBADMSG, "'%s': the symlinks in paths are too much to follow",
			path ? path : "?");
	if (a->m.kind != IDX_MEMBER_HARDLINK || code == -ENOMEM ||
		idx_string(a->x, a->m.link, a->m.link_len, &target) < 0)
		return err_set(err, code, "'%s'", path ? path : "?");
	link = layer_name_quote(target, a->m.link_len);
	/* Whatever the tree says of the target, it is the archive that is wrong. */
	return err_set(err, code == -EIO ? code : -EBADMSG, "hard link '%s' to '%s'",
		path ? path : "?", link ? link : "?");
}

int merge_apply(struct merge_tree *t, struct idx *x, uint32_t layer, struct err *err)
{
	struct apply a = { .t = t, .x = x, .layer = layer };
	uint32_t n = idx_n_members(x);

	t->link_bytes += n * (uint64_t)LIMIT_MERGE_LINK_BYTES_MEMBER;
	/* Below the first layer there is nothing to hide. */
	for (int pass = layer == 0; pass < 2; pass++)
		for (uint32_t i = 0; i < n; i++) {
			int r = idx_member(x, i, &a.m);

			if (r < 0)
				return err_set(err, r, "member %u", i);
			a.last_implied = 0;
			r = idx_string(x, a.m.path, a.m.path_len, &a.path);
			if (r == 0)
				r = apply_member(&a, pass == 0);
			if (r < 0)
				return member_failed(&a, r, err);
		}
	return idx_is_broken(x) ? err_set(err, -EIO, "the index changed while it was read") : 0;
}
