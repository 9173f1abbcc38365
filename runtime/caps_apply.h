/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Capabilities of the calling thread
 *
 * System calls alone: no allocation, no locks, so both may stand between fork and exec.
 */

#include "runtime/spec.h"

/**
 * caps_drop_bounding() - shrink the bounding set
 * @keep: capabilities that stay; those that the kernel does not know are no error
 *
 * Needs CAP_SETPCAP: call it before the user is changed.  Return: 0 or a negative errno.
 */
int caps_drop_bounding(uint64_t keep);

/**
 * caps_apply() - set permitted, effective, inheritable and ambient
 * @caps: borrowed; what is neither permitted now nor known to the kernel is left out, and an
 *        ambient capability that is not permitted and inheritable too
 *
 * Call it after the user was changed, with PR_SET_KEEPCAPS set before that.
 *
 * Return: 0 or a negative errno.
 */
int caps_apply(const struct spec_caps *caps);

/** caps_raise() - make all that is permitted effective again, which a change of user ends */
int caps_raise(void);

/** caps_get_permitted() - what the calling thread may have; 0 or a negative errno */
int caps_get_permitted(uint64_t *ret);
