/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The network of one container: what --network and -p ask for, and the processes that bring it
 *
 *      network_parse() ─▶ addresses are known      network_etcfiles() ─▶ its view of them
 *      network_start() ─▶ slirp, port relay        network_end()      ─▶ nothing is left
 */

#include "runtime/etcfiles.h"
#include "runtime/netmode.h"
#include "runtime/portmap.h"

#include <sys/types.h>

struct network {
	struct netmode mode;
	struct portmap ports;
	struct net_forward *forwards; /* of @ports */
	struct net_plan plan;
	char host_addr[INET6_ADDRSTRLEN]; /* the host, as the container reaches it; "": not */
	pid_t slirp_pid, relay_pid; /* 0: none; also the process groups of their helpers */
	int pidfd; /* of the slirp process; -1: none */
	int rundir_fd; /* -1: the API has no socket there */
	char api_name[80]; /* of that socket */
};

/** network_init() - an empty one, for which all that ends does nothing */
void network_init(struct network *n);

/**
 * network_parse() - check what is asked for and lay down the addresses
 * @text:    of --network; NULL: the default.  Borrowed
 * @publish: values of -p, borrowed
 * Return: 0; -EINVAL and the like with a text.
 */
int network_parse(struct network *n, const char *text, const struct strv *publish, struct err *err);

/** network_etcfiles() - fill in what the container's /etc says of its network; borrowed from @n */
void network_etcfiles(struct network *n, struct etcfiles *ret);

/* The namespace that the network is for; all borrowed for the call. */
struct network_place {
	int userns_fd, netns_fd;
	int watch_fd; /* pidfd: the network ends with it */
	int rundir_fd; /* where the API's socket is made; -1: nowhere */
	const char *id; /* of the container, names that socket */
};

/**
 * network_start() - the network is usable, and every published port listens
 * Return: 0; a negative errno with a text; network_end() is called either way.
 */
int network_start(struct network *n, const struct network_place *place, struct err *err);

/** network_end() - wait for the processes, which end with the container */
void network_end(struct network *n);

/** network_done() - free what network_parse() made */
void network_done(struct network *n);

/**
 * network_api_connect() - to the API of a running container's ports
 * Return: a connected socket; -ENOENT if it publishes none.
 */
int network_api_connect(int rundir_fd, const char *id, struct err *err);
