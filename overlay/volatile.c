/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of a volatile upper (the contract is in the header). */
#include "overlay/volatile.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define MARK	      VOLATILE_DIR "/volatile/dirty"
#define LIMIT_BOOT_ID 64

/* Without /proc there is none, and no two boots are known to be one. */
static char *boot_id(void)
{
	auto_fd fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char *text = NULL;

	return fd < 0 || fd_read_file(fd, LIMIT_BOOT_ID, &text, NULL) < 0 ? NULL : text;
}

static int check_mark(void *ctx, int dirfd, const struct dirent *de)
{
	if (str_eq(de->d_name, "volatile"))
		return 0;
	return err_say(ctx, -EPROTONOSUPPORT, "unknown mark 'work/incompat/%s'", de->d_name);
}

/* Is there anything in incompat/ but the mark that we know? */
static int check_others(int work_fd, struct err *err)
{
	int fd = openat(work_fd, VOLATILE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot open work/incompat");
	r = at_list_take_fd(fd, check_mark, err);
	return r < 0 && r != -EPROTONOSUPPORT ? err_set(err, r, "cannot list work/incompat") : r;
}

int volatile_check(int work_fd, struct err *err)
{
	auto_free char *found = NULL, *now = NULL;
	struct stat st;
	int r = check_others(work_fd, err);

	if (r < 0)
		return r;
	if (fstatat(work_fd, VOLATILE_DIR "/volatile", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "cannot examine work/incompat");
	now = boot_id();
	r = at_read_file(work_fd, MARK, LIMIT_BOOT_ID, &found, NULL);
	if (r == 0 && now && *now && str_eq(found, now))
		return 1;
	err_say(err, -EUCLEAN,
		"it was mounted volatile when the machine went down: parts of it may be lost");
	return err_hint(err, -EUCLEAN,
		"throw it away, or remove work/incompat/volatile in it to go on with what is left");
}

int volatile_set(int work_fd)
{
	auto_free char *now = boot_id();
	const char *text = now ? now : "";
	int fd = at_mkdir_p(work_fd, VOLATILE_DIR "/volatile", 0700), r;

	if (fd < 0)
		return fd;
	r = at_replace_file(fd, "dirty", text, strlen(text), 0600, 0);
	(void)close(fd);
	return r;
}

int volatile_clear(int work_fd)
{
	return at_remove_tree(work_fd, VOLATILE_DIR);
}
