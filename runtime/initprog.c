/* SPDX-License-Identifier: Apache-2.0 */
/* lamina-init, held by this program (the contract is in the header). */
#include "runtime/initprog.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "init_program.h" /* made by the build: where it put the program */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

__asm__(".pushsection .rodata\n"
	"	.balign 16\n"
	"init_program:\n"
	"	.incbin \"" INIT_PROGRAM "\"\n"
	"init_program_end:\n"
	"	.byte 0\n"
	".popsection\n");

extern const char init_program[], init_program_end[];

int initprog_open(struct err *err)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	auto_fd fd = memfd_create("lamina-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno
		       : fd_write_all(fd, init_program, (size_t)(init_program_end - init_program));

	if (r >= 0 && (fchmod(fd, 0555) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0))
		r = -errno;
	return r < 0 ? err_set(err, r, "cannot make the container's init") : fd_take(&fd);
}
