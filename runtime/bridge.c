/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge of a named network (the contract is in the header). */
#include "runtime/bridge.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "runtime/netlink.h"
#include "runtime/nsrun.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>

enum { LIMIT_INTERFACES = 64 };
/* And the number of the interface: of several networks the first leads outside. */
enum { FIRST_METRIC = 100 };

/* IPv6 usable at once, and nothing configured by what others on the bridge advertise */
static void set_ipv6(const char *ifname)
{
	static const char *const settings[][2] = { { "disable_ipv6", "0" }, { "accept_dad", "0" },
		{ "accept_ra", "0" } };

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		auto_free char *path = str_format("ipv6/conf/%s/%s", ifname, settings[i][0]);

		if (path)
			(void)net_sysctl_write(path, settings[i][1]);
	}
}

/* Addresses, up, default routes; an internal network's gateway is nobody, and needs no route. */
static int configure(int nl, const char *ifname, const struct net_plan *plan, struct err *err)
{
	int index = (int)if_nametoindex(ifname), r;

	if (index == 0)
		return err_set(err, -errno, "no interface '%s'", ifname);
	set_ipv6(ifname);
	r = nl_link_set_u32(nl, index, IFLA_MTU, plan->mtu);
	if (r >= 0)
		r = nl_link_up(nl, index);
	if (r >= 0)
		r = nl_address_add(nl, index, AF_INET, &plan->guest, plan->prefix_len);
	if (r >= 0 && plan->ipv6)
		r = nl_address_add(nl, index, AF_INET6, &plan->guest6, 64);
	if (r >= 0 && !plan->internal)
		r = nl_default_route_add(
			nl, index, AF_INET, &plan->gateway, FIRST_METRIC + (uint32_t)index);
	if (r >= 0 && plan->ipv6 && !plan->internal)
		r = nl_default_route_add(
			nl, index, AF_INET6, &plan->gateway6, FIRST_METRIC + (uint32_t)index);
	return r < 0 ? err_set(err, r, "cannot configure '%s' with %s", ifname, plan->guest_text)
		     : 0;
}

/* ---- the bridge ---- */

static int make_inside(void *ctx, struct err *err)
{
	static const uint8_t mac[6] = { 0x02, 0x4c, 0xff, 0xff, 0xff, 0xff };
	const struct net_plan *plan = ctx;
	auto_fd nl = nl_open();
	int r;

	if (nl < 0)
		return err_set(err, nl, "cannot open a netlink socket");
	r = nl_link_up(nl, NL_LO_INDEX);
	if (r >= 0)
		r = nl_link_add_bridge(nl, BRIDGE_NAME);
	/* One of its own: else it would change with the ports. */
	if (r >= 0)
		r = nl_link_set_mac(nl, (int)if_nametoindex(BRIDGE_NAME), mac);
	if (r < 0)
		return err_set(err, r, "cannot make the bridge");
	return configure(nl, BRIDGE_NAME, plan, err);
}

int bridge_make(const struct net_plan *plan, struct err *err)
{
	int fd = -1;
	int r = nsrun(-1, make_inside, (void *)(uintptr_t)plan, &fd, err);

	return r < 0 ? r : fd;
}

static int join_bridge(int nl, const char *ifname)
{
	int bridge = (int)if_nametoindex(BRIDGE_NAME), index = (int)if_nametoindex(ifname);
	int r;

	if (bridge == 0 || index == 0)
		return -ENODEV;
	set_ipv6(ifname);
	r = nl_link_set_u32(nl, index, IFLA_MASTER, (uint32_t)bridge);
	return r < 0 ? r : nl_link_up(nl, index);
}

static int uplink_inside(void *ctx, struct err *err)
{
	auto_fd nl = nl_open();
	int r = nl;

	(void)ctx;
	if (nl >= 0)
		r = join_bridge(nl, BRIDGE_UPLINK);
	return r < 0 ? err_set(err, r, "cannot connect the bridge with the host's network") : 0;
}

int bridge_attach_uplink(int bridge_netns_fd, struct err *err)
{
	return nsrun(bridge_netns_fd, uplink_inside, NULL, NULL, err);
}

/* ---- containers ---- */

static void port_name(const char *id, char ret[IFNAMSIZ])
{
	snprintf(ret, IFNAMSIZ, "v%.12s", id);
}

/* Made under its final name: a veth is born in the other namespace with the name it keeps. */
static int port_inside(void *ctx, struct err *err)
{
	const struct bridge_guest *g = ctx;
	char port[IFNAMSIZ], ifname[IFNAMSIZ];
	auto_fd nl = nl_open();
	int index = 0, r;

	if (nl < 0)
		return err_set(err, nl, "cannot open a netlink socket");
	port_name(g->id, port);
	if (if_nametoindex(port))
		return err_say(err, -EEXIST, "the container is connected already");
	do {
		snprintf(ifname, sizeof(ifname), "eth%d", index);
		r = nl_link_add_veth(
			nl, port, g->ifname[0] ? g->ifname : ifname, g->netns_fd, g->mac);
	} while (r == -EEXIST && !g->ifname[0] && ++index < LIMIT_INTERFACES);
	if (r < 0)
		return err_set(
			err, r, "cannot make interface '%s'", g->ifname[0] ? g->ifname : ifname);
	r = nl_link_set_u32(nl, (int)if_nametoindex(port), IFLA_MTU, g->plan->mtu);
	if (r >= 0)
		r = join_bridge(nl, port);
	if (r < 0) {
		(void)nl_link_del(nl, (int)if_nametoindex(port));
		return err_set(err, r, "cannot connect '%s' to the bridge", port);
	}
	return index;
}

struct guest_call {
	const struct bridge_guest *g;
	int index;
};

static int guest_inside(void *ctx, struct err *err)
{
	const struct guest_call *call = ctx;
	const struct bridge_guest *g = call->g;
	char ifname[IFNAMSIZ];
	auto_fd nl = nl_open();

	if (nl < 0)
		return err_set(err, nl, "cannot open a netlink socket");
	snprintf(ifname, sizeof(ifname), "eth%d", call->index);
	(void)nl_link_up(nl, NL_LO_INDEX);
	return configure(nl, g->ifname[0] ? g->ifname : ifname, g->plan, err);
}

int bridge_connect(int bridge_netns_fd, const struct bridge_guest *guest, struct err *err)
{
	struct guest_call call = { .g = guest };
	int r;

	r = nsrun(bridge_netns_fd, port_inside, (void *)(uintptr_t)guest, NULL, err);
	if (r < 0)
		return r;
	call.index = r;
	r = nsrun(guest->netns_fd, guest_inside, &call, NULL, err);
	if (r < 0)
		(void)bridge_disconnect(bridge_netns_fd, guest->id, NULL);
	return r;
}

static int remove_inside(void *ctx, struct err *err)
{
	char port[IFNAMSIZ];
	auto_fd nl = nl_open();
	int index, r = 0;

	port_name(ctx, port);
	index = (int)if_nametoindex(port);
	if (nl >= 0 && index)
		r = nl_link_del(nl, index);
	return nl < 0 || r < 0 ? err_set(err, nl < 0 ? nl : r, "cannot remove '%s'", port) : 0;
}

int bridge_disconnect(int bridge_netns_fd, const char *id, struct err *err)
{
	return nsrun(bridge_netns_fd, remove_inside, (void *)(uintptr_t)id, NULL, err);
}
