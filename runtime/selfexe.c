/* SPDX-License-Identifier: Apache-2.0 */
/* Our own program out of reach of containers (the contract is in the header). */
#include "runtime/selfexe.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int copy_of(int exe, off_t size)
{
	auto_fd fd = memfd_create("lamina", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	for (off_t at = 0; at < size;) {
		ssize_t n = sendfile(fd, exe, &at, (size_t)(size - at));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	if (fchmod(fd, 0555) < 0 || fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -errno;
	return fd_take(&fd);
}

int selfexe_protect(char **argv, struct err *err)
{
	auto_fd exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_fd copy = -1;
	struct stat st;

	if (exe < 0 || fstat(exe, &st) < 0)
		return err_set(err, -errno, "cannot open our own program");
	/* A sealed file of memory can never be written to; on a disc, who may write here may there. */
	if (fcntl(exe, F_GET_SEALS) == ALL_SEALS)
		return 0;
	if (st.st_uid != geteuid() && access("/proc/self/exe", W_OK) < 0)
		return 0;
	copy = copy_of(exe, st.st_size);
	if (copy < 0)
		return err_set(err, copy, "cannot copy our own program");
	(void)fexecve(copy, argv, environ);
	return err_set(err, -errno, "cannot run the copy of our own program");
}
