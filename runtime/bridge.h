/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The bridge of a named network, and the interfaces on it
 *
 *      container: ethN ── veth ── br0 ── uplink: the tap of the network's slirp process
 *                                  └─ an address of its own, for `lamina unshare --network`
 */

#include "base/err.h"
#include "runtime/net_plan.h"

#define BRIDGE_NAME   "br0"
#define BRIDGE_UPLINK "uplink"

/** bridge_make() - in a new namespace of the caller's, entered by a child: an fd of it */
int bridge_make(const struct net_plan *plan, struct err *err);

/** bridge_attach_uplink() - the tap BRIDGE_UPLINK, which exists, becomes a port */
int bridge_attach_uplink(int bridge_netns_fd, struct err *err);

struct bridge_guest {
	int netns_fd; /* of the container */
	const char *id; /* of the container: the name of the bridge's end follows from it */
	const char *ifname; /* in the container; "": the first of eth0, eth1, … that is free */
	uint8_t mac[6];
	const struct net_plan *plan; /* guest is the container's */
};

/** bridge_connect() - give a container an interface on the bridge, configured and up */
int bridge_connect(int bridge_netns_fd, const struct bridge_guest *guest, struct err *err);

/** bridge_disconnect() - take it away again; 0, also if there is none */
int bridge_disconnect(int bridge_netns_fd, const char *id, struct err *err);
