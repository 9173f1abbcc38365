/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Interfaces, addresses, routes and rules of the network namespace that the caller is in, by
 * rtnetlink; settings below /proc/sys/net
 *
 * One request, one acknowledgement: each message asks for NLM_F_ACK and its error is read before
 * the next is sent.  Every function returns 0 or the negative errno of the kernel's answer.
 *
 * Spec: rtnetlink(7), netlink(7)
 */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/** nl_open() - a netlink socket of this namespace, owned by the caller, or a negative errno */
int nl_open(void);

int nl_link_up(int fd, int ifindex);
/** nl_link_set_u32() - one attribute: IFLA_MTU, IFLA_MASTER, IFLA_GSO_MAX_SIZE … */
int nl_link_set_u32(int fd, int ifindex, uint16_t attr, uint32_t v);
int nl_link_set_mac(int fd, int ifindex, const uint8_t mac[6]);
int nl_link_add_bridge(int fd, const char *name);
/**
 * nl_link_add_veth() - a pair of interfaces
 * @peer_netns_fd: where the second is made; -1: here
 * @peer_mac:      of the second; NULL: the kernel's choice
 */
int nl_link_add_veth(int fd, const char *name, const char *peer_name, int peer_netns_fd,
	const uint8_t *peer_mac);
int nl_link_del(int fd, int ifindex);

/** nl_address_add() - replaces an equal one.  @addr: struct in_addr or in6_addr, by @family */
int nl_address_add(int fd, int ifindex, int family, const void *addr, unsigned prefix_len);

enum { NL_LO_INDEX = 1 }; /* lo is the first interface of every namespace */

/** nl_default_route_add() - replaces one of equal @metric; 0: none */
int nl_default_route_add(int fd, int ifindex, int family, const void *gateway, uint32_t metric);

enum nl_change { NL_ADD, NL_REMOVE };

/**
 * nl_local_route() - treat what goes to @dst as this namespace's own: it is delivered through lo
 * @dst: one address; NULL: all
 * @src: what answers of unbound sockets come from; NULL: the kernel's choice
 * Return: 0, also where it stands already or is gone.
 */
int nl_local_route(int fd, enum nl_change change, int family, const void *dst, const void *src,
	uint32_t table);

struct nl_rule {
	int family;
	uint32_t priority, table;
	uint32_t mark; /* 0: any */
	uint8_t ipproto; /* IPPROTO_…; 0: any */
	uint16_t sport; /* 0: any */
};

/** nl_rule() - 0, also where it stands already or is gone */
int nl_rule(int fd, enum nl_change change, const struct nl_rule *rule);

/** net_sysctl_open() - a file below /proc/sys/net of this namespace; fd or a negative errno */
int net_sysctl_open(const char *path, int flags);

/** net_sysctl_write() - set one; a failure is logged for debugging only.  0 or a negative errno */
int net_sysctl_write(const char *path, const char *value);
