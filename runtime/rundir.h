/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The directory for what lives no longer than the user's processes. */

#include "base/err.h"

/**
 * rundir_open() - open the user's runtime directory, making it if it is missing
 *
 * $XDG_RUNTIME_DIR/lamina, else /run/lamina for real root, else /tmp/lamina-UID.  Nobody else can
 * have put anything there: it must be a directory, not a link, of the caller, with mode 0700.
 *
 * Return: an fd that can be locked and resolved from, owned by the caller; -EPERM if the directory
 * belongs to another user or is open to others; another negative errno.
 */
int rundir_open(struct err *err);
