/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses, routes and settings of a network namespace (the contract is in the header)
 *
 * Spec: kernel Documentation/networking/ip-sysctl.rst
 */
#include "runtime/net_config.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/netlink.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>

static void sysctl_write_of(const char *name, const char *leaf, const char *value)
{
	auto_free char *path = str_format("ipv6/conf/%s/%s", name, leaf);

	if (path)
		(void)net_sysctl_write(path, value);
}

/*
 * A first window of more than 64 KiB, the default since Linux 4.20, is more than libslirp's window
 * without scaling: input stalls for seconds.  Only the default changes, the limits stay.
 */
static void set_first_window(void)
{
	auto_fd fd = net_sysctl_open("ipv4/tcp_rmem", O_RDWR);
	unsigned min, dflt, max;
	char text[128];
	ssize_t n;

	n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	if (n < 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%u %u %u", &min, &dflt, &max) != 3 || dflt <= 87380)
		return;
	snprintf(text, sizeof(text), "%u 87380 %u", min, max);
	(void)net_sysctl_write("ipv4/tcp_rmem", text);
}

static int configure_ip6(
	int fd, const struct net_plan *plan, const char *name, int ifindex, struct err *err)
{
	int r;

	r = nl_address_add(fd, ifindex, AF_INET6, &plan->guest6, 64);
	if (r < 0)
		return err_set(err, r, "cannot give %s to '%s'", plan->guest6_text, name);
	r = nl_default_route_add(fd, ifindex, AF_INET6, &plan->gateway6, 0);
	if (r < 0)
		return err_set(err, r, "cannot route through %s", plan->gateway6_text);
	return 0;
}

static int configure(
	int fd, const struct net_plan *plan, const char *name, int ifindex, struct err *err)
{
	int r;

	if (plan->has_mac) {
		r = nl_link_set_mac(fd, ifindex, plan->mac);
		if (r < 0)
			return err_set(err, r, "cannot set the MAC address of '%s'", name);
	}
	if (plan->ipv6) {
		/* Before the link is up: its own address is then usable at once, too. */
		sysctl_write_of(name, "disable_ipv6", "0");
		sysctl_write_of(name, "accept_dad", "0");
		sysctl_write_of(name, "accept_ra", "0");
	}
	set_first_window();
	r = nl_link_up(fd, ifindex);
	if (r < 0)
		return err_set(err, r, "cannot bring '%s' up", name);
	r = nl_link_up(fd, NL_LO_INDEX);
	if (r < 0)
		return err_set(err, r, "cannot bring 'lo' up");
	r = nl_address_add(fd, ifindex, AF_INET, &plan->guest, plan->prefix_len);
	if (r < 0)
		return err_set(err, r, "cannot give %s to '%s'", plan->guest_text, name);
	r = nl_default_route_add(fd, ifindex, AF_INET, &plan->gateway, 0);
	if (r < 0)
		return err_set(err, r, "cannot route through %s", plan->gateway_text);
	return plan->ipv6 ? configure_ip6(fd, plan, name, ifindex, err) : 0;
}

int net_config_apply(const struct net_plan *plan, const char *name, unsigned flags, struct err *err)
{
	auto_fd fd = nl_open();
	int ifindex, r;

	if (fd < 0)
		return err_set(err, fd, "cannot open a netlink socket");
	ifindex = (int)if_nametoindex(name);
	if (ifindex == 0)
		return err_set(err, -errno, "no interface '%s'", name);
	r = nl_link_set_u32(fd, ifindex, IFLA_MTU, plan->mtu);
	if (r < 0)
		return err_set(err, r, "cannot set the MTU of '%s' to %u", name, plan->mtu);
	if (flags & NET_CONFIG_LIMIT_GSO) {
		r = nl_link_set_u32(fd, ifindex, IFLA_GSO_MAX_SIZE, NET_GSO_MAX);
		if (r < 0)
			return err_set(err, r, "cannot limit the frames of '%s'", name);
	}
	return flags & NET_CONFIG_ADDRESSES ? configure(fd, plan, name, ifindex, err) : 0;
}
