/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities as names and bits (the contract is in the header). */
#include "runtime/caps.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <strings.h>

#define NAME(cap) [cap] = #cap

static const char *const names[] = {
	NAME(CAP_CHOWN),
	NAME(CAP_DAC_OVERRIDE),
	NAME(CAP_DAC_READ_SEARCH),
	NAME(CAP_FOWNER),
	NAME(CAP_FSETID),
	NAME(CAP_KILL),
	NAME(CAP_SETGID),
	NAME(CAP_SETUID),
	NAME(CAP_SETPCAP),
	NAME(CAP_LINUX_IMMUTABLE),
	NAME(CAP_NET_BIND_SERVICE),
	NAME(CAP_NET_BROADCAST),
	NAME(CAP_NET_ADMIN),
	NAME(CAP_NET_RAW),
	NAME(CAP_IPC_LOCK),
	NAME(CAP_IPC_OWNER),
	NAME(CAP_SYS_MODULE),
	NAME(CAP_SYS_RAWIO),
	NAME(CAP_SYS_CHROOT),
	NAME(CAP_SYS_PTRACE),
	NAME(CAP_SYS_PACCT),
	NAME(CAP_SYS_ADMIN),
	NAME(CAP_SYS_BOOT),
	NAME(CAP_SYS_NICE),
	NAME(CAP_SYS_RESOURCE),
	NAME(CAP_SYS_TIME),
	NAME(CAP_SYS_TTY_CONFIG),
	NAME(CAP_MKNOD),
	NAME(CAP_LEASE),
	NAME(CAP_AUDIT_WRITE),
	NAME(CAP_AUDIT_CONTROL),
	NAME(CAP_SETFCAP),
	NAME(CAP_MAC_OVERRIDE),
	NAME(CAP_MAC_ADMIN),
	NAME(CAP_SYSLOG),
	NAME(CAP_WAKE_ALARM),
	NAME(CAP_BLOCK_SUSPEND),
	NAME(CAP_AUDIT_READ),
	NAME(CAP_PERFMON),
	NAME(CAP_BPF),
	NAME(CAP_CHECKPOINT_RESTORE),
};
static_assert(ARRAY_SIZE(names) == CAPS_N, "a capability without a name");

int caps_from_name(const char *name)
{
	const char *prefix = "CAP_";

	if (strncasecmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	for (int i = 0; i < CAPS_N; i++)
		if (strcasecmp(names[i] + strlen(prefix), name) == 0)
			return i;
	return -EINVAL;
}

const char *caps_name(int cap)
{
	return cap >= 0 && cap < CAPS_N ? names[cap] : NULL;
}

/* The single names of a list as bits, and whether "all" is among them. */
static int parse_names(
	const struct strv *list, const char *option, uint64_t *ret, bool *ret_all, struct err *err)
{
	uint64_t set = 0;
	bool all = false;

	for (size_t i = 0; i < list->n; i++) {
		int cap = caps_from_name(list->v[i]);

		if (strcasecmp(list->v[i], "all") == 0)
			all = true;
		else if (cap < 0)
			return err_say(err, cap, "%s '%s': no such capability", option, list->v[i]);
		else
			set |= CAPS_BIT(cap);
	}
	*ret = set;
	*ret_all = all;
	return 0;
}

int caps_change(uint64_t set, const struct strv *add, const struct strv *drop, uint64_t *ret,
	struct err *err)
{
	uint64_t adds = 0, drops = 0, both;
	bool add_all = false, drop_all = false;
	int r;

	r = parse_names(add, "--cap-add", &adds, &add_all, err);
	if (r < 0)
		return r;
	r = parse_names(drop, "--cap-drop", &drops, &drop_all, err);
	if (r < 0)
		return r;
	both = adds & drops;
	if (both)
		return err_say(err, -EINVAL, "capability %s is both added and dropped",
			caps_name(__builtin_ctzll(both)));
	if (add_all && drop_all)
		return err_say(err, -EINVAL, "all capabilities are both added and dropped");
	if (drop_all)
		set = 0;
	if (add_all)
		set = CAPS_ALL;
	*ret = (set | adds) & ~drops;
	return 0;
}
