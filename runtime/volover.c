/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the host under an overlay (the contract is in the header). */
#include "runtime/volover.h"

#include "base/at.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

char *volover_path(const char *store_path, const char *id, size_t n)
{
	return str_format("%s/containers/%s/overlays/%zu/merged", store_path, id, n);
}

static int make_dir(int dirfd, size_t n, const char *name, mode_t mode)
{
	char path[64];

	snprintf(path, sizeof(path), "overlays/%zu/%s", n, name);
	return at_mkdir_p(dirfd, path, mode);
}

/* By fds: paths in the options of an overlay would have to be escaped. */
static int mount_one(int dirfd, size_t n, const char *source, struct err *err)
{
	auto_fd lower = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd upper = make_dir(dirfd, n, "upper", 0755);
	auto_fd work = make_dir(dirfd, n, "work", 0700);
	auto_fd merged = make_dir(dirfd, n, "merged", 0700);
	char options[160], target[32];
	struct stat st;

	if (lower < 0)
		return err_set(err, -errno, "volume '%s'", source);
	if (upper < 0 || work < 0 || merged < 0)
		return err_set(err,
			upper < 0  ? upper
			: work < 0 ? work
				   : merged,
			"cannot make an overlay of '%s'", source);
	/* The root of the overlay is the upper directory's. */
	if (fstat(lower, &st) == 0) {
		char path[32];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", upper);
		(void)chown(path, st.st_uid, st.st_gid);
		(void)chmod(path, st.st_mode & 07777);
	}
	snprintf(options, sizeof(options),
		"userxattr,lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,workdir=/proc/self/"
		"fd/%d",
		lower, upper, work);
	snprintf(target, sizeof(target), "/proc/self/fd/%d", merged);
	if (mount("overlay", target, "overlay", 0, options) == 0)
		return 0;
	err_set(err, -errno, "cannot make an overlay of '%s'", source);
	return err_hint(
		err, -errno, "volume option 'O' needs Linux 5.11, and a store on a local disk");
}

int volover_mount(int dirfd, const struct strv *sources, struct err *err)
{
	int r = sources->n > 0 ? at_remove_tree(dirfd, "overlays") : 0;

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "cannot remove an old overlay");
	for (size_t i = 0; i < sources->n; i++) {
		r = mount_one(dirfd, i, sources->v[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}
