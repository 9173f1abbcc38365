/* SPDX-License-Identifier: Apache-2.0 */
/* Staging, sweeping and trash: what lies in tmp/ (the contract is in image/store_dir.h). */
#include "image/store_dir.h"

#include "base/at.h"
#include "base/crc.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/utsname.h>

#define STAGE_PREFIX "stage-" /* then machine_tag() and a random number */
#define TRASH_PREFIX "trash-"
#define TRASH_MAKING "making-trash"

/*
 * Lock what stands for @name in tmp/: an fd; -EAGAIN if somebody holds it; -1 if nothing does.
 * The directory of a process that died before it made its lock gets one now.
 */
static int lock_owner(int tmp, const char *name)
{
	auto_free char *lock_name = NULL;
	struct stat st;

	if (str_starts(name, TRASH_PREFIX))
		lock_name = strdup(TRASH_MAKING);
	else if (str_starts(name, "making-"))
		lock_name = strdup(name);
	else if (fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		lock_name = str_format("%s/lock", name);
	return lock_name ? lock_open(tmp, lock_name, LOCK_EXCLUSIVE, LOCK_TRY) : -1;
}

static DIR *list_tmp(int tmp)
{
	int fd = openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		(void)close(fd);
	return dir;
}

/*
 * What a machine's staging directories are called.  Where a store is shared, a host must not take
 * another's for dead, for not every filesystem shows one host's locks to the others.
 */
static uint32_t machine_tag(void)
{
	auto_fd fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	struct utsname uts = { 0 };
	char id[64];
	ssize_t n = fd < 0 ? -1 : read(fd, id, sizeof(id));

	if (n > 0)
		return crc_update(0, id, (size_t)n);
	(void)uname(&uts);
	return crc_update(0, uts.nodename, strlen(uts.nodename));
}

static bool is_of_another_machine(const char *name, uint32_t own)
{
	unsigned int tag, number;

	return sscanf(name, STAGE_PREFIX "%8x-%8x", &tag, &number) == 2 && tag != own;
}

int store_sweep(struct img_store *s, enum sweep_flags flags,
	void (*found)(void *ctx, const char *name), void *ctx)
{
	auto_fd tmp = store_open_dir(s, "tmp", NULL);
	DIR *dir = tmp < 0 ? NULL : list_tmp(tmp);
	uint32_t machine = machine_tag();
	struct dirent *de;

	if (!dir)
		return tmp < 0 ? tmp : -errno;
	while ((de = readdir(dir))) {
		auto_fd owner = -1;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") ||
			(!(flags & SWEEP_ALL_MACHINES) &&
				is_of_another_machine(de->d_name, machine)))
			continue;
		owner = lock_owner(tmp, de->d_name);
		if (owner == -EAGAIN)
			continue;
		if (found && !str_eq(de->d_name, TRASH_MAKING) &&
			!str_starts(de->d_name, TRASH_PREFIX))
			found(ctx, de->d_name);
		if (flags & SWEEP_REMOVE)
			(void)at_remove_tree(tmp, de->d_name);
	}
	(void)closedir(dir);
	/* Looking at trash has made its lock. */
	if (flags & SWEEP_REMOVE)
		(void)unlinkat(tmp, TRASH_MAKING, 0);
	return 0;
}

int store_trash(struct img_store *s, int dirfd, const char *name)
{
	auto_fd tmp = store_open_dir(s, "tmp", NULL);

	if (tmp < 0)
		return tmp;
	for (int tries = 0; tries < 100; tries++) {
		char to[32];
		uint32_t n;

		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return -errno;
		snprintf(to, sizeof(to), TRASH_PREFIX "%08x", n);
		/* Under the store lock nobody else makes such a name. */
		if (faccessat(tmp, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		return renameat(dirfd, name, tmp, to) < 0 ? -errno : 0;
	}
	return -EEXIST;
}

/* Return: whether anything was there. */
static bool remove_trash(int tmp)
{
	DIR *dir = list_tmp(tmp);
	struct dirent *de;
	bool any = false;

	while (dir && (de = readdir(dir)))
		if (str_starts(de->d_name, TRASH_PREFIX) && at_remove_tree(tmp, de->d_name) == 0)
			any = true;
	if (dir)
		(void)closedir(dir);
	return any;
}

static bool has_trash(int tmp)
{
	DIR *dir = list_tmp(tmp);
	struct dirent *de;
	bool has = false;

	while (dir && !has && (de = readdir(dir)))
		has = str_starts(de->d_name, TRASH_PREFIX);
	if (dir)
		(void)closedir(dir);
	return has;
}

/* In the child: nothing of the parent's is kept open but the directory. */
static void empty_trash(int tmp)
{
	int lock;

	(void)setsid();
	(void)dup2(tmp, 3);
	(void)close_range(4, ~0U, 0);
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	(void)fd_fill_standard();
	lock = lock_open(3, TRASH_MAKING, LOCK_EXCLUSIVE, LOCK_TRY);
	/* Whoever holds it goes round until nothing is left. */
	if (lock >= 0) {
		while (remove_trash(3))
			;
		(void)unlinkat(3, TRASH_MAKING, 0);
	}
	_exit(0);
}

void store_empty_trash(struct img_store *s)
{
	auto_fd tmp = store_open_dir(s, "tmp", NULL);
	pid_t pid;

	if (tmp < 0 || !has_trash(tmp))
		return;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		empty_trash(tmp);
	if (pid < 0)
		(void)remove_trash(tmp);
}

/* A directory of a name that nobody has. */
static int make_stage_dir(int tmp, struct stage *stage)
{
	const uint32_t machine = machine_tag();

	for (int tries = 0; tries < 100; tries++) {
		uint32_t n;

		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return -errno;
		snprintf(stage->name, sizeof(stage->name), STAGE_PREFIX "%08x-%08x", machine, n);
		if (mkdirat(tmp, stage->name, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int store_stage_new(struct img_store *s, struct stage *ret, struct err *err)
{
	struct stage stage = { s, -1, -1, "" };
	auto_fd tmp = store_open_dir(s, "tmp", err), lock = -1;
	int r;

	if (tmp < 0)
		return tmp;
	lock = store_lock(s, LOCK_EXCLUSIVE, err);
	if (lock < 0)
		return lock;
	(void)store_sweep(s, SWEEP_REMOVE, NULL, NULL);
	r = make_stage_dir(tmp, &stage);
	if (r < 0)
		return err_set(err, r, "cannot make a directory in '%s/tmp'", img_store_path(s));
	stage.dirfd = at_open(tmp, stage.name, O_PATH | O_DIRECTORY, 0);
	r = stage.dirfd;
	if (r >= 0)
		r = stage.lock_fd = lock_open(stage.dirfd, "lock", LOCK_EXCLUSIVE, LOCK_TRY);
	if (r < 0) {
		store_stage_done(&stage);
		return err_set(err, r, "cannot make a directory in '%s/tmp'", img_store_path(s));
	}
	*ret = stage;
	return 0;
}

void store_stage_done(struct stage *stage)
{
	auto_fd tmp = -1;

	if (!stage->store)
		return;
	tmp = store_open_dir(stage->store, "tmp", NULL);
	if (tmp >= 0)
		(void)at_remove_tree(tmp, stage->name);
	if (stage->dirfd >= 0)
		(void)close(stage->dirfd);
	if (stage->lock_fd >= 0)
		(void)close(stage->lock_fd);
	*stage = (struct stage){ NULL, -1, -1, "" };
}

int store_try_making(struct img_store *s, const char *name, struct err *err)
{
	auto_free char *lock_name = str_format("making-%s", name);
	auto_fd tmp = store_open_dir(s, "tmp", err), fd = -1;
	struct stat held, there;

	if (tmp < 0)
		return tmp;
	if (!lock_name)
		return err_set(err, -ENOMEM, "cannot make '%s'", name);
	fd = lock_open(tmp, lock_name, LOCK_EXCLUSIVE, LOCK_TRY);
	if (fd == -EAGAIN)
		return -EAGAIN;
	if (fd < 0)
		return err_set(err, fd, "cannot lock '%s/tmp/%s'", img_store_path(s), lock_name);
	/* Its last holder may have removed the file between our open and our lock. */
	if (fstat(fd, &held) < 0 || fstatat(tmp, lock_name, &there, 0) < 0 ||
		held.st_ino != there.st_ino)
		return -EAGAIN;
	return fd_take(&fd);
}

void store_made(struct img_store *s, const char *name, int fd)
{
	auto_free char *lock_name = str_format("making-%s", name);
	auto_fd tmp = store_open_dir(s, "tmp", NULL);

	if (fd < 0)
		return;
	if (lock_name && tmp >= 0)
		(void)unlinkat(tmp, lock_name, 0);
	(void)close(fd);
}
