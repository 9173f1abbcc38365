/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The mark of a volatile upper: work/incompat/volatile/dirty, as kernel overlayfs writes it
 *
 * The file holds the boot id.  While the machine has not gone down since, nothing is lost, however
 * the daemon ended; after that nobody knows what of the upper reached the disk.  The kernel's own
 * mark is empty and counts as of another boot.
 */

#include "base/err.h"

/* The name in work/ that a sweep must leave alone. */
#define VOLATILE_DIR "incompat"

/**
 * volatile_check() - may an upper with this work directory be mounted?
 * Return: 0 without a mark; 1 with the mark of this boot; -EUCLEAN with an older one;
 * -EPROTONOSUPPORT with a mark of something that is not known here.
 */
int volatile_check(int work_fd, struct err *err);

/** volatile_set() - leave the mark; nothing is synced */
int volatile_set(int work_fd);

/** volatile_clear() - all that was written is on the disk now */
int volatile_clear(int work_fd);
