/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* --network: which network a container has.  Pure. */

#include "base/err.h"
#include "runtime/net_plan.h"

enum netmode_kind { NETMODE_NONE, NETMODE_HOST, NETMODE_SLIRP };

/* Who carries published ports */
enum netmode_ports { NETMODE_PORTS_SPLICE, NETMODE_PORTS_SLIRP };

struct netmode {
	enum netmode_kind kind;
	enum netmode_ports ports;
	struct net_slirp_opts slirp; /* strings point into @text */
	char *text; /* owned */
	const char **dns; /* owned: of the option dns, the words are in @text */
};

/**
 * netmode_parse() - "none", "host", "slirp" or "slirp:OPTION=VALUE,…"; "slirp4netns" is the same
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

void netmode_done(struct netmode *m);
