/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places in a root file system
 *
 * The kernel resolves what exists.  What does not is walked here, component by component, into a
 * path free of links and "..", whose missing rest can then be made without following anything.
 * Between the walk and the making somebody who shares a volume may swap in a link: then the making
 * fails, since it follows none.
 */
#include "runtime/inroot.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <limits.h>

#define LIMIT_INROOT_LINKS 40 /* as the kernel has it */

static const char *relative(const char *path)
{
	path += strspn(path, "/");
	return *path ? path : ".";
}

int inroot_open(int root_fd, const char *path, int flags)
{
	return at_open_in_root(root_fd, relative(path), flags, 0);
}

struct walk {
	int root_fd;
	char done[PATH_MAX]; /* resolved so far, relative, no links; "" is the root */
	char rest[PATH_MAX]; /* still to be resolved */
	int links;
};

static int walk_push(struct walk *w, const char *name)
{
	size_t len = strlen(w->done);

	if (str_eq(name, ".") || !*name)
		return 0;
	if (str_eq(name, "..")) {
		char *slash = strrchr(w->done, '/');

		*(slash ? slash : w->done) = '\0';
		return 0;
	}
	if (len + 1 + strlen(name) + 1 > sizeof(w->done))
		return -ENAMETOOLONG;
	snprintf(w->done + len, sizeof(w->done) - len, "%s%s", len ? "/" : "", name);
	return 0;
}

/* The component just pushed is a link: put its target before the rest. */
static int walk_link(struct walk *w, int fd)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);
	int len;

	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (++w->links > LIMIT_INROOT_LINKS)
		return -ELOOP;
	if (target[0] == '/')
		w->done[0] = '\0';
	else
		(void)walk_push(w, "..");
	len = snprintf(rest, sizeof(rest), "%s/%s", target, w->rest);
	if (len < 0 || (size_t)len >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, (size_t)len + 1);
	return 0;
}

static int walk_step(struct walk *w)
{
	char name[NAME_MAX + 1];
	size_t len = strcspn(w->rest, "/");
	auto_fd fd = -1;
	struct stat st;
	int r;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->rest, len);
	name[len] = '\0';
	memmove(w->rest, w->rest + len, strlen(w->rest + len) + 1);
	memmove(w->rest, w->rest + strspn(w->rest, "/"),
		strlen(w->rest + strspn(w->rest, "/")) + 1);
	r = walk_push(w, name);
	if (r < 0 || !w->done[0] || str_eq(name, "..") || str_eq(name, "."))
		return r;
	fd = at_open(w->root_fd, w->done, O_PATH | O_NOFOLLOW, 0);
	if (fd == -ENOENT)
		return 0; /* missing: nothing below it can be a link */
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISLNK(st.st_mode) ? walk_link(w, fd) : 0;
}

/* @ret: where @path leads, relative to the root, free of links; PATH_MAX bytes. */
static int walk_path(int root_fd, const char *path, char *ret)
{
	struct walk w = { .root_fd = root_fd };
	int r;

	if (strlen(path) >= sizeof(w.rest))
		return -ENAMETOOLONG;
	snprintf(w.rest, sizeof(w.rest), "%s", relative(path));
	while (w.rest[0]) {
		r = walk_step(&w);
		if (r < 0)
			return r;
	}
	snprintf(ret, PATH_MAX, "%s", w.done[0] ? w.done : ".");
	return 0;
}

int inroot_open_dir(int root_fd, const char *path)
{
	int fd = inroot_open(root_fd, path, O_PATH | O_DIRECTORY);
	char real[PATH_MAX];
	int r;

	if (fd != -ENOENT)
		return fd;
	r = walk_path(root_fd, path, real);
	return r < 0 ? r : at_mkdir_p(root_fd, real, 0755);
}

static int make_file(int root_fd, char *real)
{
	char *slash = strrchr(real, '/');
	const char *name = slash ? slash + 1 : real;
	auto_fd parent = -1;
	int fd;

	if (slash)
		*slash = '\0';
	parent = at_mkdir_p(root_fd, slash ? real : ".", 0755);
	if (parent < 0)
		return parent;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	/* The way to it led through what does not exist, and back ("missing/../there"). */
	if (fd < 0 && errno == EEXIST)
		fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int inroot_open_file(int root_fd, const char *path)
{
	auto_fd fd = inroot_open(root_fd, path, O_PATH);
	char real[PATH_MAX];
	struct stat st;
	int r;

	if (fd == -ENOENT) {
		r = walk_path(root_fd, path, real);
		if (r < 0)
			return r;
		fd = make_file(root_fd, real);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	return S_ISDIR(st.st_mode) ? -EISDIR : fd_take(&fd);
}

bool inroot_exists(int root_fd, const char *path)
{
	auto_fd fd = inroot_open(root_fd, path, O_PATH);

	return fd >= 0;
}

int inroot_open_parent(int root_fd, const char *path, char **ret_copy, const char **ret_name)
{
	auto_free char *parent = strdup(path);
	char *slash;
	int dirfd;

	if (!parent)
		return -ENOMEM;
	slash = strrchr(parent, '/');
	if (!slash || !slash[1])
		return -EINVAL;
	*slash = '\0';
	dirfd = inroot_open_dir(root_fd, parent);
	if (dirfd >= 0) {
		*ret_name = slash + 1;
		*ret_copy = ptr_take(&parent);
	}
	return dirfd;
}

int inroot_symlink(int root_fd, const char *path, const char *target)
{
	auto_free char *copy = NULL;
	const char *name;
	auto_fd dirfd = inroot_open_parent(root_fd, path, &copy, &name);
	char there[PATH_MAX];
	ssize_t n;

	if (dirfd < 0)
		return dirfd;
	if (symlinkat(target, dirfd, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	n = readlinkat(dirfd, name, there, sizeof(there) - 1);
	if (n < 0)
		return -EEXIST;
	there[n] = '\0';
	return str_eq(there, target) ? 0 : -EEXIST;
}

int inroot_read(int root_fd, const char *path, size_t max_len, char **ret_data, size_t *ret_len)
{
	auto_fd fd = inroot_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? fd : fd_read_file(fd, max_len, ret_data, ret_len);
}
