/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Addresses of a slirp network: from what people asked for to what is configured.  Pure.
 *
 *      10.0.2.0/24:  .2 gateway (the host), .3 DNS, .15-.30 DHCP, .100 the container
 *      fd00::/64:    ::2 gateway, ::3 DNS, ::100 the container
 */

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Forwards per network: a range of -p may be long, yet each costs an fd and a walk per turn. */
#define LIMIT_NET_FORWARDS    4096
#define LIMIT_NET_DNS	      8
#define LIMIT_NET_NAMES_BYTES 131072
/* What libslirp accepts at most. */
#define NET_MTU_MAX	65521
#define NET_MTU_DEFAULT 1500

/* How many addresses from plan->dhcp on may be given out by DHCP */
enum { NET_DHCP_ADDRESSES = 16 };

enum net_proto { NET_TCP, NET_UDP, NET_PROTO_MAX_ };

/* A published port.  Addresses are text, as in -p and in the API. */
struct net_forward {
	enum net_proto proto;
	uint16_t host_port; /* 0: any that is free, see ret_host_ports */
	uint16_t guest_port; /* not 0 */
	const char *host_addr; /* IPv4 or IPv6; NULL: 0.0.0.0 */
	const char *guest_addr; /* NULL: the container's own, of the family of @host_addr */
};

struct net_slirp_opts {
	const char *cidr; /* IPv4, prefix 8..25; NULL: 10.0.2.0/24 */
	unsigned mtu; /* of the interface; 0: NET_MTU_DEFAULT */
	const char *gateway; /* in @cidr; NULL: its second address.  DNS follows it */
	const char *prefix6; /* IPv6 network, 64 bits; NULL: fd00:: */
	const char *tapname; /* NULL: tap0 */
	const char *mac; /* of the tap, "02:…"; NULL: the kernel's choice */
	bool no_configure; /* make the tap, leave its addresses, routes and lo alone */
	bool allow_host_loopback; /* gateway address reaches the host's 127.0.0.1 and ::1 */
	bool enable_ipv6;
	bool disable_dns; /* nothing answers at the DNS address */
	const char *outbound_addr, *outbound_addr6; /* address or interface name of the host */
	const char *const *dns; /* forward to these instead of the host's resolv.conf */
	size_t n_dns;
	const struct net_forward *forwards;
	size_t n_forwards;
	uint16_t
		*ret_host_ports; /* of @forwards in their order, set on success; NULL: not wanted */
	int exit_fd; /* the network ends at any event on it; -1: none.  Borrowed */
	int api_fd; /* listening unix stream socket of the API; -1: none.  Borrowed */
	/*
	 * The network's own names: messages like /etc/hosts, of at most LIMIT_NET_NAMES_BYTES, each
	 * instead of the one before; -1: none.  Borrowed
	 */
	int names_fd;
	unsigned flags; /* enum net_slirp_flags */
};

/* The fds are 0 in a zeroed struct: begin with this. */
#define NET_SLIRP_OPTS_INIT                                                                        \
	{                                                                                          \
		.exit_fd = -1, .api_fd = -1, .names_fd = -1                                        \
	}

enum net_slirp_flags {
	NET_NO_OFFLOAD =
		1 << 0, /* plain frames, as on kernels without offload (tests, comparison) */
	/*
	 * The namespace goes when the network does and takes the interface along: removing it here
	 * would make everybody who waits for the network's end wait for the kernel (20 ms).
	 */
	NET_LEAVE_TAP = 1 << 1,
	NET_INTERNAL = 1 << 2, /* nothing but the network's own names is reached */
};

/* One end of a forward. */
struct net_endpoint {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

struct net_plan {
	struct in_addr network, mask, gateway, dns, guest, dhcp;
	unsigned prefix_len;
	unsigned mtu;
	bool ipv6;
	bool internal; /* the gateway is nobody */
	bool any_family; /* the two ends of a forward may be of different IP versions */
	struct in6_addr network6, gateway6, dns6, guest6;
	uint8_t mac[6];
	bool has_mac;
	/* The same as text, for resolv.conf and /etc/hosts */
	char gateway_text[INET_ADDRSTRLEN], dns_text[INET_ADDRSTRLEN], guest_text[INET_ADDRSTRLEN];
	char gateway6_text[INET6_ADDRSTRLEN], dns6_text[INET6_ADDRSTRLEN];
	char guest6_text[INET6_ADDRSTRLEN];
};

/**
 * net_plan_make() - all addresses of a network
 * @opts: borrowed; only what concerns fds and behaviour is not looked at
 *
 * Checks them all, so an error of the user is told before anything is started.
 *
 * Return: 0; -EINVAL with a text that names the wrong word; -E2BIG beyond a limit.
 */
int net_plan_make(const struct net_slirp_opts *opts, struct net_plan *ret, struct err *err);

/**
 * net_plan_forward() - the two ends of a forward
 * Return: 0; -EINVAL for a wrong address, port or mix of families (the host's end and the
 * container's must be of one family, unless plan->any_family; IPv6 needs enable_ipv6).
 */
int net_plan_forward(const struct net_plan *plan, const struct net_forward *f,
	struct net_endpoint *ret_host, struct net_endpoint *ret_guest, struct err *err);

/** net_plan_use_loopback() - the container's own addresses are 127.0.0.1 and ::1: it has lo alone */
void net_plan_use_loopback(struct net_plan *plan);
