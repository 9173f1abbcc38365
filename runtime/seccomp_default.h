/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The profile of containers that ask for none: a list of what is allowed.  Pure.
 *
 * What programs use is allowed; what only root of the machine needs, or what attacked kernels again
 * and again, answers EPERM; what nobody listed answers ENOSYS, so that a libc of tomorrow falls
 * back to older calls.  Some calls depend on a capability: the kernel checks it too, but behind
 * code that the filter keeps out of reach.
 * The set is that of Podman's profile, so images behave here as they do there.
 */

#include "runtime/seccomp.h"

#define SEC_DEFAULT_RULES 40 /* at most */

/* Points into itself: do not copy. */
struct sec_default {
	struct sec_profile profile;
	struct sec_rule rules[SEC_DEFAULT_RULES];
};

/**
 * sec_default_init() - the profile for a container
 * @caps: bounding set of the container (runtime/caps.h)
 * @ret:  filled; nothing to free
 */
void sec_default_init(struct sec_default *ret, uint64_t caps);
