/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* --userns auto: ids that no other container of the store has */

#include "base/err.h"
#include "runtime/ctropts.h"
#include "runtime/usernsmode.h"

/**
 * usernsauto_take() - choose ids for a container and write that into its options
 * @dirfd: the container's directory; its options.json is written under the lock of all choices
 * @mode:  USERNSMODE_AUTO with a size; its base is set
 * @n_ids: of the parent namespace
 * Return: 0; -ERANGE with a text if too few are left.
 */
int usernsauto_take(int store_fd, int dirfd, struct usernsmode *mode, uint32_t n_ids,
	struct ctropts *o, struct err *err);
