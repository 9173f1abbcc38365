/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Names of signals, as people and images write them.  Pure: no I/O, any thread. */

#define LIMIT_SIGNAL 64 /* the last real-time one on Linux */

/**
 * signame_parse() - "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3", "RTMAX-1"
 * Real-time names count from the kernel's 34, as in every libc of Linux.
 * Return: 1..LIMIT_SIGNAL, or -EINVAL.
 */
int signame_parse(const char *name);

/** signame_text() - "SIGTERM"; NULL for numbers without a name (real-time ones) */
const char *signame_text(int sig);
