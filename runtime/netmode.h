/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* --network: which network a container has.  Pure. */

#include "base/err.h"
#include "base/str.h"
#include "runtime/netdef.h"
#include "runtime/net_plan.h"

enum netmode_kind {
	NETMODE_NONE,
	NETMODE_HOST,
	NETMODE_SLIRP,
	NETMODE_NAMED, /* one or more named networks */
	NETMODE_NS, /* the namespace at a path */
	NETMODE_CONTAINER, /* another container's */
	NETMODE_MAX_
};

#define LIMIT_NETMODE_LINKS   8
#define LIMIT_NETMODE_ALIASES 16

/* One named network; all strings lie in the netmode's text, NULL: not given */
struct netmode_link {
	const char *name;
	const char *ip, *mac, *ifname;
	const char *aliases[LIMIT_NETMODE_ALIASES];
	size_t n_aliases;
};

/* Who carries published ports */
enum netmode_ports { NETMODE_PORTS_SPLICE, NETMODE_PORTS_SLIRP };

struct netmode {
	enum netmode_kind kind;
	enum netmode_ports ports;
	struct net_slirp_opts slirp; /* strings point into @text */
	char *text; /* owned */
	const char *target; /* NETMODE_NS: path; NETMODE_CONTAINER: name or id; in @text */
	struct netmode_link links[LIMIT_NETMODE_LINKS];
	size_t n_links;
	const char **dns; /* owned: of the option dns, the words are in @text */
};

/**
 * netmode_parse() - "none", "host", "slirp" or "slirp:OPTION=VALUE,…"; "slirp4netns" is the same;
 * "ns:PATH", "container:NAME", or named networks: "NAME[:ip=…,mac=…,alias=…,interface_name=…]+NAME…"
 * @text: borrowed; NULL is "slirp"
 * @ret:  ended with netmode_done()
 *
 * Options are those of podman's slirp4netns: allow_host_loopback, enable_ipv6, mtu, cidr,
 * outbound_addr, outbound_addr6, port_handler (splice; slirp or slirp4netns; rootlesskit is what
 * podman calls its fast one, here splice); and dns (up to LIMIT_NET_DNS of them), disable_dns.
 *
 * Return: 0; -EINVAL with a text that names the word; -ENOMEM.
 */
int netmode_parse(const char *text, struct netmode *ret, struct err *err);

/**
 * netmode_join() - what several --network and the options for the first of them come to
 * @networks: values of --network, may be empty
 * @ip, @mac: NULL if not given
 * Return: a text for netmode_parse(), owned by the caller; NULL with a text in @err.
 */
char *netmode_join(const struct strv *networks, const char *ip, const char *mac,
	const struct strv *aliases, struct err *err);

/**
 * netmode_with() - a text of named networks with one more
 * @text: what netmode_join() made; NULL is "slirp"
 * @link: of one network: "NAME[:ip=…,…]"
 * Return: as netmode_join(); other kinds of networks, or a network twice, are errors.
 */
char *netmode_with(const char *text, const char *link, struct err *err);

/** netmode_without() - the same without the network @name; one has to be left */
char *netmode_without(const char *text, const char *name, struct err *err);

/** netmode_is_word() - is it one of the words that --network knows, so no network's name? */
bool netmode_is_word(const char *name);

void netmode_done(struct netmode *m);
