/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where leaks are looked for, in builds with AddressSanitizer
 *
 * At its exit LeakSanitizer attaches to the process by ptrace(2). Behind a system call filter, or
 * in a process that is not dumpable, or without /proc, it cannot: it would end the process with an error of its own,
 * or hang. Such processes are not checked; all others are.
 */
#include <sys/prctl.h>
#include <unistd.h>

/* What LeakSanitizer asks for by this name. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
	/* The filter may refuse even the question. */
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1 ||
	       access("/proc/self/task", F_OK) < 0;
}
