/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime directory (the contract is in the header). */
#include "runtime/rundir.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <fcntl.h>
#include <sys/stat.h>

/*
 * Our number outside of the user namespace, which is the same on both sides of entering the parent
 * namespace.  The map's first line has the user, who is root inside.
 */
static unsigned int outer_uid(void)
{
	unsigned int inside, outside, n, uid = geteuid();
	auto_file f = fopen("/proc/self/uid_map", "re");

	while (f && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
		if (uid >= inside && uid - inside < n)
			return outside + (uid - inside);
	return uid;
}

static char *default_path(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (xdg && xdg[0] == '/')
		return str_format("%s/lamina", xdg);
	if (geteuid() == 0 && stat("/run", &st) == 0 && st.st_uid == 0 &&
		faccessat(AT_FDCWD, "/run", W_OK, AT_EACCESS) == 0)
		return str_format("/run/lamina");
	return str_format("/tmp/lamina-%u", outer_uid());
}

int rundir_open(struct err *err)
{
	auto_free char *path = default_path();
	auto_fd fd = -1;
	struct stat st;

	if (!path)
		return err_set(err, -ENOMEM, "cannot open the runtime directory");
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		err_set(err, -errno, "cannot make runtime directory '%s'", path);
		return err_hint(err, -errno, "set XDG_RUNTIME_DIR to a directory of your own");
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open runtime directory '%s'", path);
	if (st.st_uid != geteuid() || (st.st_mode & 0077) != 0) {
		err_say(err, -EPERM, "runtime directory '%s' %s", path,
			st.st_uid != geteuid() ? "belongs to another user" : "is open to others");
		return err_hint(err, -EPERM, "set XDG_RUNTIME_DIR to a directory of your own");
	}
	return fd_take(&fd);
}
