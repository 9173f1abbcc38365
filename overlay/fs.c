/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing a filesystem
 *
 * A new upper/ has no metadata of its own for the root: it gets the lower root's, and last of all
 * the origin, which says that it is complete.
 */
#include "overlay/fs.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "overlay/child.h"
#include "overlay/locate.h"
#include "overlay/metacopy.h"
#include "overlay/state.h"
#include "overlay/visible.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#define MIN_CACHED_FDS 16
#define MAX_CACHED_FDS 1024
#define MAX_ORPHAN_FDS 4096

static int copy_map(struct idmap *to, const struct idmap *from)
{
	int r = 0;

	for (size_t i = 0; from && r == 0 && i < from->n; i++)
		r = idmap_add(to, from->v[i].inside, from->v[i].outside, from->v[i].n);
	return r;
}

/* What ids this process can name: user_namespaces(7).  Without /proc: suppose all. */
static int read_ns_map(const char *path, struct idmap *ret)
{
	auto_file f = fopen(path, "re");
	unsigned int inside, outside, n;
	int r = 0;

	while (f && r == 0 && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
		r = idmap_add(ret, inside, outside, n);
	return r;
}

/*
 * Descriptors: a part of the limit for the cache, a part for unlinked files, the rest for the
 * session's clones, work in progress and whatever the process has open already.
 */
static int share_fds(struct ovl_fs *fs)
{
	const uint64_t limit = fd_raise_limit();
	const int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
	uint64_t open, cached, orphans;

	/* The lowest number that is free tells how many are taken. */
	open = lowest > 0 ? (uint64_t)lowest : 0;
	if (lowest >= 0)
		(void)close(lowest);
	cached = orphans = limit > open ? (limit - open) / 4 : 0;

	if (cached < MIN_CACHED_FDS)
		cached = MIN_CACHED_FDS;
	if (cached > MAX_CACHED_FDS)
		cached = MAX_CACHED_FDS;
	fs->max_orphan_fds = orphans > MAX_ORPHAN_FDS ? MAX_ORPHAN_FDS : orphans;
	return fdc_new(&fs->fds, (uint32_t)cached);
}

static void on_node_free(void *ctx, struct node *n)
{
	struct ovl_fs *fs = ctx;

	fdc_drop(fs->fds, n);
	if (fs->up)
		locate_unkeep(fs, n);
}

void ovl_fs_free(struct ovl_fs *fs)
{
	if (!fs)
		return;
	if (fs->root)
		node_put(fs->nodes, fs->root);
	node_table_free(fs->nodes);
	fdc_free(fs->fds);
	upper_close(fs->up);
	if (fs->lower)
		fs->lower->ops->close(fs->lower);
	idmap_done(&fs->uids);
	idmap_done(&fs->gids);
	idmap_done(&fs->ns_uids);
	idmap_done(&fs->ns_gids);
	pthread_rwlock_destroy(&fs->tree);
	pthread_rwlock_destroy(&fs->gate);
	pthread_mutex_destroy(&fs->search_lock);
	free(fs);
}
DEFINE_CLEANUP(struct ovl_fs *, ovl_fs, ovl_fs_free)

/* An upper whose owners stand in overrides says so at its root, for those to whom it is a layer. */
static int keep_root(struct ovl_fs *fs, struct umeta *um)
{
	char text[META_OVERRIDE_BYTES];

	if (um->ov.set ||
		!(fs->up->super.ownership == UPPER_OVERRIDE || (fs->flags & OVL_KEEP_OWNERS)))
		return 0;
	um->ov = (struct node_override){
		.set = true, .uid = um->st.st_uid, .gid = um->st.st_gid, .mode = um->st.st_mode
	};
	meta_override_format(&um->ov, text);
	return fsetxattr(fs->up->tree_fd, XA_OVERRIDE, text, strlen(text), 0) < 0 ? -errno : 0;
}

static int make_root(struct ovl_fs *fs)
{
	struct lower_attr a;
	struct umeta um;
	struct node *n;
	int r = fs->lower->ops->attr(fs->lower, 0, &a);

	if (r == 0)
		r = meta_read(fs->up->tree_fd, ".", DT_DIR, &um);
	if (r == 0 && fs->up->flags & UPPER_GIVEN_TREE) {
		r = keep_root(fs, &um);
	} else if (r == 0 && !um.origin && !(fs->flags & OVL_PEEK)) {
		r = metacopy_apply(fs, 0, &a, fs->up->tree_fd, &um.ov);
		if (r == 0)
			r = meta_read(fs->up->tree_fd, ".", DT_DIR, &um);
	}
	if (r < 0)
		return r;
	n = node_new(NODE_ROOT, 0, a.ino, S_IFDIR);
	if (!n)
		return -ENOMEM;
	n->flags = NODE_UPPER;
	n->upper_ino = um.st.st_ino;
	n->ov = um.ov;
	fs->root = node_publish(fs->nodes, n);
	return fs->root ? 0 : -ENOMEM;
}

/*
 * Names of index/ that nothing leads to any more: no name in the upper (the link count says so) and
 * none in the lower that is still visible.
 */
static void check_indexed(void *ctx, uint64_t origin, uint64_t ino)
{
	struct ovl_fs *fs = ctx;
	char name[UPPER_ORIGIN_BYTES];
	struct lower_name at;
	struct lower_attr a;
	uint64_t handle;
	struct stat st;
	int r;

	upper_origin_name(origin, name);
	if (fstatat(fs->up->index_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink > 1)
		return;
	r = fs->lower->ops->by_ino(fs->lower, origin, &handle);
	if (r == 0)
		r = fs->lower->ops->attr(fs->lower, handle, &a);
	if (r == 0 && a.nlink > 1)
		r = visible_lower_name(fs, handle, &at);
	else if (r == 0)
		r = -ENOENT;
	if (r == -ENOENT)
		(void)upper_index_del(fs->up, origin);
}

/* ---- inodes that nobody needs any more ---- */

static void on_handle_unused(void *ctx, uint64_t handle)
{
	struct ovl_fs *fs = ctx;

	if (fs->lower->ops->release)
		fs->lower->ops->release(fs->lower, handle);
}

static bool is_handle_in_use(void *ctx, uint64_t handle)
{
	return node_handle_in_use(((struct ovl_fs *)ctx)->nodes, handle);
}

void ovl_begin(struct ovl_fs *fs)
{
	if (fs->lower->ops->reclaim)
		(void)pthread_rwlock_rdlock(&fs->gate);
}

/* If others are busy, the next one does it. */
void ovl_end(struct ovl_fs *fs)
{
	const struct lower_ops *ops = fs->lower->ops;

	if (!ops->reclaim)
		return;
	(void)pthread_rwlock_unlock(&fs->gate);
	if (!ops->wants_reclaim(fs->lower) || pthread_rwlock_trywrlock(&fs->gate) != 0)
		return;
	ops->reclaim(fs->lower, is_handle_in_use, fs);
	(void)pthread_rwlock_unlock(&fs->gate);
}

/* ---- opening ---- */

static int open_upper(struct ovl_fs *fs, const struct ovl_config *cfg, struct err *err)
{
	const struct upper_opts opts = { .state_fd = cfg->upper_dirfd,
		.tree_fd = cfg->tree_fd,
		.lower_id = cfg->lower_id,
		.ownership = fs->can_chown ? UPPER_PLAIN : UPPER_OVERRIDE,
		.flags = (cfg->flags & OVL_VOLATILE ? UPPER_VOLATILE : 0) |
			 (cfg->flags & OVL_PEEK ? UPPER_PEEK : 0) |
			 (cfg->flags & OVL_NAME_WHITEOUTS ? UPPER_NAMES : 0) |
			 (cfg->flags & OVL_GIVEN_TREE ? UPPER_GIVEN_TREE : 0) };
	int r = upper_open(&fs->up, &opts, err);

	if (r < 0)
		return err_wrap(err, r, "upper");
	r = make_root(fs);
	if (r < 0)
		return err_set(err, r, "cannot prepare the upper's root directory");
	if (!(fs->flags & OVL_PEEK) && !state_is_partial(fs))
		upper_index_each(fs->up, check_indexed, fs);
	return 0;
}

int ovl_fs_new(struct ovl_fs **ret, const struct ovl_config *cfg, struct err *err)
{
	auto_cleanup(ovl_fs) struct ovl_fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs) {
		cfg->lower->ops->close(cfg->lower);
		return err_set(err, -ENOMEM, "cannot open the filesystem");
	}
	fs->lower = cfg->lower;
	pthread_rwlock_init(&fs->tree, NULL);
	pthread_rwlock_init(&fs->gate, NULL);
	pthread_mutex_init(&fs->search_lock, NULL);
	fs->flags = cfg->flags;
	fs->squash_uid = cfg->squash_uid;
	fs->squash_gid = cfg->squash_gid;
	fs->euid = geteuid();
	fs->egid = getegid();
	fs->can_chown = proc_has_cap(CAP_CHOWN);
	fs->can_override = proc_has_cap(CAP_DAC_OVERRIDE);
	r = copy_map(&fs->uids, cfg->uids);
	if (r == 0)
		r = copy_map(&fs->gids, cfg->gids);
	if (r == 0)
		r = read_ns_map("/proc/self/uid_map", &fs->ns_uids);
	if (r == 0)
		r = read_ns_map("/proc/self/gid_map", &fs->ns_gids);
	if (r == 0)
		r = share_fds(fs);
	if (r == 0)
		r = node_table_new(&fs->nodes, fs->lower->n_handles);
	if (r < 0)
		return err_set(err, r, "cannot open the filesystem");
	node_table_on_free(fs->nodes, on_node_free, fs);
	node_table_on_unused(fs->nodes, on_handle_unused);
	if (cfg->upper_dirfd >= 0) {
		r = open_upper(fs, cfg, err);
		if (r < 0)
			return r;
	}
	*ret = ptr_take(&fs);
	return 0;
}
