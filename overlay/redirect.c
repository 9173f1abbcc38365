/* SPDX-License-Identifier: Apache-2.0 */
/* Renamed lower directories (how it works is said in the header). */
#include "overlay/redirect.h"

#include "base/cleanup.h"
#include "overlay/child.h"
#include "overlay/locate.h"
#include "overlay/walk.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define READ_BYTES 4096 /* of a redirect that somebody else wrote */
#define MAX_TRIES  16

int redirect_path(struct ovl_fs *fs, uint64_t handle, char ret[LIMIT_REDIRECT_BYTES + 1])
{
	size_t at = LIMIT_REDIRECT_BYTES;

	ret[at] = '\0';
	while (handle != 0) {
		struct lower_name name;
		struct lower_entry le;
		int r = fs->lower->ops->name_of(fs->lower, handle, 0, &name);

		if (r == 0)
			r = fs->lower->ops->list(fs->lower, name.dir, name.ordinal, &le);
		if (r < 0)
			return r;
		if (le.len + 1 > at)
			return -ENAMETOOLONG;
		at -= le.len;
		memcpy(ret + at, le.name, le.len);
		ret[--at] = '/';
		handle = name.dir;
	}
	memmove(ret, ret + at, LIMIT_REDIRECT_BYTES - at + 1);
	return 0;
}

static bool is_name(const char *s, size_t len)
{
	return len > 0 && len <= NAME_MAX && !(len == 1 && s[0] == '.') &&
	       !(len == 2 && s[0] == '.' && s[1] == '.');
}

int redirect_resolve(
	struct ovl_fs *fs, uint64_t dir, const char *text, size_t len, uint64_t *ret_handle)
{
	const char *end = text + len;

	if (memchr(text, 0, len))
		return -ENOENT;
	if (len > 0 && *text == '/') {
		dir = 0;
		text++;
	} else if (memchr(text, '/', len)) {
		return -ENOENT;
	}
	if (dir == NODE_NO_HANDLE)
		return -ENOENT;
	for (;;) {
		const char *slash = memchr(text, '/', (size_t)(end - text));
		size_t n = (size_t)((slash ? slash : end) - text);
		struct lower_entry le;
		int r = is_name(text, n) ? fs->lower->ops->lookup(fs->lower, dir, text, n, &le)
					 : -ENOENT;

		if (r < 0)
			return r;
		if (slash && le.type != DT_DIR)
			return -ENOENT;
		dir = le.handle;
		if (!slash)
			break;
		text = slash + 1;
	}
	*ret_handle = dir;
	return 0;
}

int redirect_read(
	struct ovl_fs *fs, uint64_t dir, int dirfd, const char *name, uint64_t *ret_handle)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[READ_BYTES];
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = fgetxattr(fd, XA_REDIRECT, text, sizeof(text));
	if (len < 0)
		return errno == ENODATA || errno == ERANGE ? -ENOENT : -errno;
	return redirect_resolve(fs, dir, text, (size_t)len, ret_handle);
}

void redirect_pin(struct ovl_fs *fs, struct node *n)
{
	if (n->flags & NODE_MOVED)
		return;
	(void)node_ref(fs->nodes, n);
	node_flags_set(n, NODE_MOVED, 0);
}

void redirect_unpin(struct ovl_fs *fs, struct node *n)
{
	if (!(n->flags & NODE_MOVED))
		return;
	node_flags_set(n, 0, NODE_MOVED);
	node_put(fs->nodes, n); /* not the last reference, so nothing dies under the lock */
}

int redirect_set(struct ovl_fs *fs, struct node *n, const char *path)
{
	struct fd_ref ref;
	int r;

	if (n->flags & NODE_MOVED)
		return 0;
	r = upper_note_moved(fs->up);
	if (r == 0)
		r = locate_dir_fd(fs, n, &ref);
	if (r < 0)
		return r;
	if (fsetxattr(ref.fd, XA_REDIRECT, path, strlen(path), 0) < 0)
		r = -errno;
	fdc_release(fs->fds, &ref);
	if (r == 0)
		redirect_pin(fs, n);
	return r;
}

void redirect_clear(struct ovl_fs *fs, struct node *n)
{
	struct fd_ref ref;

	/* Should this fail, it leads where the name leads by itself. */
	if (locate_dir_fd(fs, n, &ref) < 0)
		return;
	(void)fremovexattr(ref.fd, XA_REDIRECT);
	fdc_release(fs->fds, &ref);
	redirect_unpin(fs, n);
}

/* ---- those of earlier mounts ---- */

static int search_dir(struct ovl_fs *fs, struct node *dir, struct walk *todo)
{
	char name[NAME_MAX + 1];
	uint64_t off = 0;
	int r;

	while ((r = walk_next_dir(fs, dir, &off, name)) > 0) {
		struct child c;

		r = child_of_upper(fs, dir, name, DT_DIR, &c);
		if (r == -ENOENT || r == -ENOTDIR)
			continue; /* it went meanwhile */
		if (r < 0)
			return r;
		/* To find one is to pin it. */
		r = walk_add(todo, c.node);
		if (r < 0) {
			child_done(fs, &c);
			return r;
		}
	}
	return r == -ENOENT ? 0 : r;
}

static int search(struct ovl_fs *fs)
{
	struct walk todo = { 0 };
	int r = walk_add(&todo, node_ref(fs->nodes, fs->root));

	for (struct node *dir; (dir = walk_take(&todo)); node_put(fs->nodes, dir))
		if (r == 0)
			r = search_dir(fs, dir, &todo);
	return r;
}

int redirect_find_all(struct ovl_fs *fs)
{
	uint64_t before;
	int r = 0, tries = 0;

	if (!upper_has_moved(fs->up) || __atomic_load_n(&fs->moved_known, __ATOMIC_ACQUIRE))
		return 0;
	pthread_mutex_lock(&fs->search_lock);
	if (!fs->moved_known) {
		/* What moves while we look may be overlooked. */
		do {
			before = __atomic_load_n(&fs->n_dir_moves, __ATOMIC_ACQUIRE);
			r = search(fs);
		} while (r == 0 && ++tries < MAX_TRIES &&
			 before != __atomic_load_n(&fs->n_dir_moves, __ATOMIC_ACQUIRE));
		if (r == 0)
			__atomic_store_n(&fs->moved_known, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&fs->search_lock);
	return r;
}
