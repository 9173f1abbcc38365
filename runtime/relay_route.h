/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where a client of a published port is taken, and as whom.  Pure.
 *
 * The server sees the client's own address and port.  Clients that have no address outside of the
 * host, or none of the container's IP version, are shown as the gateway: 127.0.0.1 would make a server
 * that trusts its own loopback trust every user of the host.
 */

#include "runtime/net_plan.h"

/** relay_is_foreign() - can a server be shown this address as that of its client? */
bool relay_is_foreign(const struct net_endpoint *client);

/**
 * relay_route() - the address that the socket inside the container is bound to
 * @plan:   gateways
 * @guest:  the container's end
 * @client: as accept(2) or recvfrom(2) told
 * @ret:    of @guest's family, with the client's port
 */
void relay_route(const struct net_plan *plan, const struct net_endpoint *guest,
	const struct net_endpoint *client, struct net_endpoint *ret);

/** relay_same_address() - are family and address, not the port, equal? */
bool relay_same_address(const struct net_endpoint *a, const struct net_endpoint *b);

/** relay_port_of() - the port, in host order */
uint16_t relay_port_of(const struct net_endpoint *e);

/** relay_set_port() - @port in host order */
void relay_set_port(struct net_endpoint *e, uint16_t port);
