/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The processes of a container, as /proc of the parent namespace shows them
 *
 * Its own are those of its pid namespace, and what its first process is an ancestor of: all but what
 * `exec` brought into a container that shares the pid namespace of the host.
 */

#include "base/err.h"
#include "runtime/record.h"

#include <stdint.h>
#include <sys/types.h>

#define LIMIT_PROCS_ARGS_BYTES 4096 /* of one command line; more is cut off */

struct proc_row {
	pid_t pid, ppid, pgid; /* here */
	pid_t inner_pid, inner_ppid; /* in the container; 0: none there */
	uint32_t ruid, uid, rgid, gid; /* as the caller sees them */
	char state; /* 'R', 'S', … */
	uint32_t tty; /* device; 0: none */
	int64_t nice;
	uint64_t user_ticks, system_ticks; /* of processor time */
	uint64_t gone_ticks; /* of children that were waited for */
	uint64_t start_ticks; /* since boot */
	uint64_t n_threads;
	uint64_t virtual_bytes, resident_bytes;
	char name[64]; /* printable */
	char *args; /* the command line with blanks, printable; owned */
	bool is_inside; /* it has the container's pid namespace */
};

struct procs {
	struct proc_row *v; /* by pid */
	size_t n, room;
};

/**
 * procs_load() - look at all processes of a running container, in the parent namespace
 * One that ends meanwhile is left out.  Return: 0, procs_done() it; -ESRCH; -ENOMEM.
 */
int procs_load(const struct record *r, struct procs *ret, struct err *err);
void procs_done(struct procs *p);

static inline void cleanup_procs(struct procs *p)
{
	procs_done(p);
}
#define auto_procs __attribute__((cleanup(cleanup_procs))) struct procs

/**
 * procs_parse_stat() - /proc/PID/stat; sets all but what status and cmdline say
 * Pure.  Return: 0 or -EBADMSG.
 */
int procs_parse_stat(const char *text, struct proc_row *ret);

/** procs_parse_status() - ids, and the innermost number of NSpid.  Pure; as above. */
int procs_parse_status(const char *text, struct proc_row *ret);
