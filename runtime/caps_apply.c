/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities of the calling thread (the contract is in the header)
 *
 * The raw system calls: libcap allocates, which a child of fork must not.
 */
#include "runtime/caps_apply.h"
#include "runtime/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct cap_sets {
	uint64_t effective, permitted, inheritable;
};

static int get_sets(struct cap_sets *ret)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*ret = (struct cap_sets){
		.effective = (uint64_t)data[1].effective << 32 | data[0].effective,
		.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted,
		.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable,
	};
	return 0;
}

static int set_sets(const struct cap_sets *sets)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ (uint32_t)sets->effective, (uint32_t)sets->permitted,
			(uint32_t)sets->inheritable },
		{ (uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32),
			(uint32_t)(sets->inheritable >> 32) },
	};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

int caps_drop_bounding(uint64_t keep)
{
	/* Past CAPS_N: a newer kernel may know more than we do, and none of it is to be kept. */
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (keep & CAPS_BIT(cap))
			continue;
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

static int set_ambient(uint64_t set)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (unsigned long cap = 0; cap < CAPS_N; cap++)
		if (set & CAPS_BIT(cap) &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

static uint64_t get_bounding(void)
{
	uint64_t set = 0;

	for (unsigned long cap = 0; cap < CAPS_N; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			set |= CAPS_BIT(cap);
	return set;
}

int caps_raise(void)
{
	struct cap_sets sets;
	int r = get_sets(&sets);

	sets.effective = r < 0 ? 0 : sets.permitted;
	return r < 0 ? r : set_sets(&sets);
}

int caps_apply(const struct spec_caps *caps)
{
	struct cap_sets now = { 0 }, sets;
	int r;

	r = get_sets(&now);
	if (r < 0)
		return r;
	sets.permitted = caps->permitted & now.permitted;
	sets.effective = caps->effective & sets.permitted;
	/* The kernel adds to the inheritable set only what is permitted and in the bounding set. */
	sets.inheritable = caps->inheritable & ((now.permitted & get_bounding()) | now.inheritable);
	r = set_sets(&sets);
	if (r < 0)
		return r;
	return set_ambient(caps->ambient & sets.permitted & sets.inheritable);
}

int caps_get_permitted(uint64_t *ret)
{
	struct cap_sets now = { 0 };
	int r = get_sets(&now);

	if (r == 0)
		*ret = now.permitted;
	return r;
}
