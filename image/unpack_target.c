/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that is unpacked into (the contract is in the header)
 *
 * The state names the boot and the ownership.  After a crash of the machine a file may have its
 * time and not its data, and other ownership gives other files: then what is there is removed.
 */
#include "image/unpack_target.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/str.h"
#include "image/store_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/xattr.h>

#define MARK_PREFIX	  ".lamina-unpack-"
#define LIMIT_STATE_BYTES 256

/* What the files of one run are worth to another. */
static char *state_text(enum unpack_ownership ownership)
{
	static const char *const words[] = { "real", "record", "squash" };
	auto_fd fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char boot[64] = "unknown";
	ssize_t n = fd < 0 ? -1 : read(fd, boot, sizeof(boot) - 1);

	if (n > 0)
		boot[strcspn(boot, "\n")] = '\0';
	return str_format("%s %u %s\n", words[ownership], (unsigned int)geteuid(), boot);
}

static int open_dir(const char *path, struct err *err)
{
	struct stat st;
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory '%s'", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR) && lstat(path, &st) == 0 &&
		S_ISLNK(st.st_mode)) {
		err_say(err, -ELOOP, "'%s' is a symbolic link", path);
		return err_hint(err, -ELOOP, "name the directory itself");
	}
	return fd < 0 ? err_set(err, -errno, "cannot open the directory '%s'", path) : fd;
}

/* Return: 1 if the directory holds nothing, 0 if it does; remove all but @keep if @empty is set. */
static int look_through(int dirfd, const char *keep, bool empty)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	int r = 1;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (r >= 0 && (de = readdir(d))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") ||
			(keep && str_eq(de->d_name, keep)))
			continue;
		r = empty ? at_remove_tree(dirfd, de->d_name) : 0;
		if (r == 0 && !empty)
			break;
		r = r < 0 ? r : 1;
	}
	(void)closedir(d);
	return r;
}

static int make_mark(struct unpack_target *t, const char *path, struct err *err)
{
	int r = look_through(t->dirfd, NULL, false);

	if (r < 0)
		return err_set(err, r, "cannot list '%s'", path);
	if (r == 0) {
		err_say(err, -ENOTEMPTY,
			"'%s' is not empty, and not left by an unfinished unpack "
			"of this image",
			path);
		return err_hint(err, -ENOTEMPTY, "name a new directory");
	}
	/* Nothing is to be inherited, and nobody is to look in. */
	(void)fremovexattr(t->dirfd, "system.posix_acl_default");
	(void)fremovexattr(t->dirfd, "system.posix_acl_access");
	if (fchmod(t->dirfd, 0700) < 0 || mkdirat(t->dirfd, t->name, 0700) < 0)
		return err_set(err, -errno, "cannot write to '%s'", path);
	return 0;
}

/* Locked, so that what another process is making is not taken for a left-over. */
static int take_state(
	struct unpack_target *t, enum unpack_ownership ownership, const char *path, struct err *err)
{
	auto_free char *want = state_text(ownership), *has = NULL;
	int r;

	if (!want)
		return err_set(err, -ENOMEM, "cannot unpack");
	t->lock_fd = openat(t->mark_fd, "state", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->lock_fd < 0)
		return err_set(err, -errno, "cannot write to '%s'", path);
	if (lock_fd(t->lock_fd, LOCK_EXCLUSIVE, LOCK_TRY) == -EAGAIN)
		return err_say(err, -EBUSY, "another process unpacks into '%s'", path);
	r = fd_read_file(t->lock_fd, LIMIT_STATE_BYTES, &has, NULL);
	t->resumed = r == 0 && str_eq(has, want);
	if (t->resumed)
		return 0;
	r = look_through(t->dirfd, t->name, true);
	if (r >= 0)
		r = look_through(t->mark_fd, "state", true);
	if (r >= 0)
		r = ftruncate(t->lock_fd, 0) < 0 || lseek(t->lock_fd, 0, SEEK_SET) < 0
			    ? -errno
			    : fd_write_all(t->lock_fd, want, strlen(want));
	return r < 0 ? err_set(err, r, "cannot prepare '%s'", path) : 0;
}

int unpack_target_open(struct unpack_target *ret, const char *path, const struct idx_digest *chain,
	enum unpack_ownership ownership, struct err *err)
{
	struct unpack_target t = { -1, -1, -1, "", false };
	char digest[STORE_DIR_NAME_BYTES];
	int r;

	store_dir_name(chain, digest);
	snprintf(t.name, sizeof(t.name), MARK_PREFIX "%s", digest);
	t.dirfd = r = open_dir(path, err);
	if (r >= 0) {
		t.mark_fd =
			openat(t.dirfd, t.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = t.mark_fd < 0 ? make_mark(&t, path, err) : 0;
	}
	if (r >= 0 && t.mark_fd < 0)
		t.mark_fd =
			openat(t.dirfd, t.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r >= 0 && t.mark_fd < 0)
		r = err_set(err, -errno, "cannot open '%s/%s'", path, t.name);
	if (r >= 0)
		r = take_state(&t, ownership, path, err);
	if (r < 0) {
		unpack_target_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

int unpack_target_complete(struct unpack_target *t, struct err *err)
{
	int r = at_remove_tree(t->dirfd, t->name);

	return r < 0 ? err_set(err, r, "cannot remove '%s'", t->name) : 0;
}

void unpack_target_done(struct unpack_target *t)
{
	const int fds[] = { t->lock_fd, t->mark_fd, t->dirfd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	*t = (struct unpack_target){ -1, -1, -1, "", false };
}
