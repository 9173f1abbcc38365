/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Processes: who they are, so that a number that the kernel gave away again harms nobody. */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A process for as long as the machine runs: pids are reused, (pid, start) is not. */
struct proc_id {
	pid_t pid; /* 0: nobody */
	uint64_t start; /* field 22 of /proc/PID/stat: clock ticks since boot */
};

/** proc_id_of() - 0; -ESRCH if there is no such process (any more) */
int proc_id_of(pid_t pid, struct proc_id *ret);

/**
 * proc_open() - a pidfd of exactly this process
 * Return: the pidfd, owned by the caller; -ESRCH if it has ended, also if its pid lives on as
 * somebody else.
 */
int proc_open(const struct proc_id *id);

/** proc_has_ended() - whether the process of a pidfd is dead or a zombie */
bool proc_has_ended(int pidfd);

/** proc_wait() - until any process, child or not, has ended; 0 or a negative errno */
int proc_wait(int pidfd);

/** proc_kill() - send a signal by pidfd; 0 or a negative errno */
int proc_kill(int pidfd, int sig);

/**
 * proc_reap() - wait for the end of a child
 * @pidfd: of a child of the caller
 * Return: its exit code, or 128 + signal; a negative errno.
 */
int proc_reap(int pidfd);

/**
 * proc_has_cap() - whether the caller has a capability in its effective set
 * @cap: CAP_…
 */
bool proc_has_cap(int cap);

/** proc_is_system_root() - root of this system, and not of a namespace that a user made below it */
bool proc_is_system_root(void);

/** proc_own_uid() - the caller's uid as the namespace above the caller's knows it */
uid_t proc_own_uid(void);

/* A helper program that is being run. */
struct proc_run {
	pid_t pid;
	int out_fd; /* what it writes to stdout and stderr */
};

/**
 * proc_run_start() - start a helper program, found by PATH, without stdin
 * @argv: ends with NULL, borrowed
 *
 * Return: 0; -ENOENT if there is no such program; -EACCES; another negative errno.
 */
int proc_run_start(struct proc_run *ret, const char *const argv[]);

/**
 * proc_run_wait() - wait until it ends
 * @ret_text: filled with the beginning of its output, one line, NUL-terminated; @size bytes
 * Return: its exit code, or 128 + signal; a negative errno.
 */
int proc_run_wait(struct proc_run *run, char *ret_text, size_t size);
