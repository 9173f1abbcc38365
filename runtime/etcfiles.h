/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * /etc/hosts, /etc/resolv.conf and /etc/hostname of a container
 *
 * They are made in the container's directory and bound over the image's, so the image's own are
 * neither read nor changed.
 */

#include "base/err.h"
#include "base/str.h"
#include "runtime/net_plan.h"

enum etc_network { ETC_NET_NONE, ETC_NET_HOST, ETC_NET_SLIRP };

struct etcfiles {
	enum etc_network network;
	const struct net_plan *plan; /* ETC_NET_SLIRP: its addresses; else NULL */
	const char *hostname;
	const char *name; /* of the container */
	const struct strv *add_hosts; /* "NAME:ADDRESS"; NULL: none */
	const struct strv *dns; /* servers instead of the network's own; NULL: none */
	const struct strv *search, *options; /* instead of the host's; NULL or empty: those */
	bool no_dns_server; /* nothing answers at the network's DNS address */
	const char *host_addr; /* address of the host that the container reaches; NULL: none */
	bool host_loopback_closed; /* what listens on the host's loopback is out of reach: say so */
};

/** etc_make_hosts() - the text of /etc/hosts.  Pure.  0, -EINVAL for a wrong add_hosts, -ENOMEM */
int etc_make_hosts(const struct etcfiles *e, struct buf *ret, struct err *err);

/**
 * etc_make_resolv() - the text of /etc/resolv.conf.  Pure.
 * @host: the host's file; its search and option lines are kept, its servers where the container
 *        can reach them
 */
int etc_make_resolv(const struct etcfiles *e, const char *host, struct buf *ret);

/** etcfiles_write() - make "hosts", "resolv.conf" and "hostname" in a directory */
int etcfiles_write(int dirfd, const struct etcfiles *e, struct err *err);

/** etcfiles_host_addr() - an IPv4 address of this host that is not loopback; 0 or -ENOENT */
int etcfiles_host_addr(char ret[INET_ADDRSTRLEN]);
