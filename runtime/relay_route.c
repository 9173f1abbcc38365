/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of published ports (the contract is in the header). */
#include "runtime/relay_route.h"

#include <arpa/inet.h>
#include <string.h>

bool relay_is_foreign(const struct net_endpoint *client)
{
	const struct in6_addr *a6 = &client->in6.sin6_addr;
	uint32_t a;

	if (client->sa.sa_family == AF_INET6)
		return !IN6_IS_ADDR_LOOPBACK(a6) && !IN6_IS_ADDR_UNSPECIFIED(a6) &&
		       !IN6_IS_ADDR_LINKLOCAL(a6) && !IN6_IS_ADDR_MULTICAST(a6) &&
		       !IN6_IS_ADDR_V4MAPPED(a6);
	a = ntohl(client->in.sin_addr.s_addr);
	return a >> 24 != 127 && a >> 24 != 0 && a >> 28 < 0xe;
}

uint16_t relay_port_of(const struct net_endpoint *e)
{
	return ntohs(e->sa.sa_family == AF_INET6 ? e->in6.sin6_port : e->in.sin_port);
}

void relay_set_port(struct net_endpoint *e, uint16_t port)
{
	if (e->sa.sa_family == AF_INET6)
		e->in6.sin6_port = htons(port);
	else
		e->in.sin_port = htons(port);
}

bool relay_same_address(const struct net_endpoint *a, const struct net_endpoint *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

void relay_route(const struct net_plan *plan, const struct net_endpoint *guest,
	const struct net_endpoint *client, struct net_endpoint *ret)
{
	bool own = client->sa.sa_family == guest->sa.sa_family && relay_is_foreign(client);

	*ret = (struct net_endpoint){ .len = guest->len };
	ret->sa.sa_family = guest->sa.sa_family;
	if (guest->sa.sa_family == AF_INET)
		ret->in.sin_addr = own ? client->in.sin_addr : plan->gateway;
	else
		ret->in6.sin6_addr = own ? client->in6.sin6_addr : plan->gateway6;
	relay_set_port(ret, relay_port_of(client));
}
