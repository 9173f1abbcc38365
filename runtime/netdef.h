/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A named network: its definition, and who has which of its addresses.  Pure.
 *
 *      10.89.0.0/24   .1 gateway   .2 DNS   .3 the bridge itself   .4 … containers   last 16: DHCP
 *      fdxx:…::/64    ::2 gateway  ::3 DNS  containers: the host part of their IPv4 address
 */

#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/net_plan.h"

#define LIMIT_NET_NAME	   64
#define LIMIT_NET_LEASES   1024
#define LIMIT_NET_LABELS   256
#define LIMIT_NET_WORD	   1024 /* bytes of a label */
#define LIMIT_NETDEF_BYTES (1 << 20)

struct net_lease {
	char id[65]; /* of the container */
	char name[129];
	struct in_addr ip;
	uint8_t mac[6];
	struct proc_id holder; /* the lease ends with it */
};

struct net_def {
	char name[LIMIT_NET_NAME + 1];
	char cidr[INET_ADDRSTRLEN + 3];
	char gateway[INET_ADDRSTRLEN];
	char prefix6[INET6_ADDRSTRLEN]; /* "": no IPv6 */
	bool internal;
	unsigned mtu;
	int64_t created_s;
	struct strv dns; /* servers instead of the host's; empty: those */
	struct strv labels; /* "KEY=VALUE" */
	struct net_lease *leases;
	size_t n_leases;
};

void netdef_done(struct net_def *d);

/** netdef_check_name() - letters, digits, "_.-", beginning with one of the first two; 0 or -EINVAL */
int netdef_check_name(const char *name, struct err *err);

/** netdef_opts() - the options that the definition means, borrowed from @d */
void netdef_opts(const struct net_def *d, struct net_slirp_opts *ret, const char **dns);

/** netdef_plan() - its addresses; guest is the bridge's.  Checks the definition.  0 or -EINVAL */
int netdef_plan(const struct net_def *d, struct net_plan *ret, struct err *err);

/** netdef_set_guest() - make @plan that of the holder of an address */
void netdef_set_guest(struct net_plan *plan, struct in_addr ip);

/** netdef_parse() - the text of a file.  0; -EBADMSG with a text; -ENOMEM */
int netdef_parse(const char *text, size_t len, struct net_def *ret, struct err *err);

/** netdef_dump() - the text for the file; 0 or -ENOMEM */
int netdef_dump(const struct net_def *d, struct buf *ret);

/**
 * netdef_choose_subnet() - a network 10.N.M.0/24 that overlaps none of the others
 * @others: definitions; @ret: at least INET_ADDRSTRLEN + 3 bytes
 * Return: 0 or -ENOSPC.
 */
int netdef_choose_subnet(const struct net_def *others, size_t n, char *ret, struct err *err);

/** netdef_overlaps() - do two definitions share addresses? */
bool netdef_overlaps(const struct net_def *a, const struct net_def *b);

/* ---- addresses ---- */

struct net_wish {
	const char *id, *name; /* of the container */
	const char *ip; /* NULL: any */
	const char *mac; /* NULL: one that follows from the address */
	struct proc_id holder;
	bool (*is_alive)(const struct proc_id *holder);
};

/**
 * ipam_lease() - give an address to a container, or again the one that it has
 * Leases whose holder is gone are taken back first.
 * Return: 0 and @ret, borrowed until the next change; -EADDRINUSE, -EADDRNOTAVAIL, -ENOSPC, -EINVAL
 * with a text.
 */
int ipam_lease(struct net_def *d, const struct net_wish *wish, const struct net_lease **ret,
	struct err *err);

/** ipam_find() - the lease of a container; NULL: it has none */
struct net_lease *ipam_find(const struct net_def *d, const char *id);

/** ipam_release() - nothing happens if the container has no lease */
void ipam_release(struct net_def *d, const char *id);

static inline void cleanup_netdef(struct net_def *d)
{
	netdef_done(d);
}
#define auto_netdef __attribute__((cleanup(cleanup_netdef))) struct net_def
