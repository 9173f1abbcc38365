/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Compiled filters, kept: libseccomp takes 20 ms for the default profile, reading one back 0.1. */

#include "runtime/seccomp.h"

#define SEC_CACHE_SLOTS 64 /* files at most */

/**
 * sec_compile_cached() - sec_compile(), with programs kept in a directory
 * @dirfd: directory that nobody else can write (see rundir_open()); files "seccomp-NN" appear in
 *         it, and whoever removes them loses nothing
 *
 * A cache that cannot be read or written is as good as none.
 *
 * Return: as sec_compile().
 */
int sec_compile_cached(
	int dirfd, const struct sec_profile *p, struct sec_filter *ret, struct err *err);
