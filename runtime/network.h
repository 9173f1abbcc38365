/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The network of one container: what --network and -p ask for, and the processes that bring it
 *
 *      network_parse() ─▶ network_prepare() ─▶ addresses are known, network_write_etc()
 *      network_start() ─▶ slirp, bridge, port relay        network_end() ─▶ nothing is left
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
	char id[65]; /* of the container */
	char *ns_path; /* the namespace to join instead of a new one; NULL: a new one */
	int store_fd; /* leases of named networks are in it; -1: there are none */
	int etc_fd; /* directory of the other container's files in /etc; -1 */
	struct net_plan link_plans[LIMIT_NETMODE_LINKS];
	uint8_t link_macs[LIMIT_NETMODE_LINKS][6];
	char *link_names[LIMIT_NETMODE_LINKS]; /* lines of names */
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

/**
 * network_prepare() - take what has to be known before the container is: its addresses in named
 * networks, another container's namespace
 * @store_fd: root of the store
 * Return: 0; -ENOENT, -EADDRINUSE and the like with a text; network_end() gives all back.
 */
int network_prepare(
	struct network *n, int store_fd, const char *id, const char *name, struct err *err);

/** network_write_etc() - the container's files in /etc, with what its network adds to @e */
int network_write_etc(struct network *n, int dirfd, struct etcfiles *e, struct err *err);

/* The namespace that the network is for; all borrowed for the call. */
struct network_place {
	int userns_fd, netns_fd;
	pid_t pid; /* of the container's first process */
	int watch_fd; /* pidfd: the network ends with it */
	int rundir_fd; /* where the API's socket is made; -1: nowhere */
	const char *id; /* of the container, names that socket */
};

/**
 * network_start() - the network is usable, and every published port listens
 * Return: 0; a negative errno with a text; network_end() is called either way.
 */
int network_start(struct network *n, const struct network_place *place, struct err *err);

/**
 * network_attach() - give a container that runs the named networks of @n; they end with it
 * Return: 0; a negative errno with a text, and nothing has changed.
 */
int network_attach(struct network *n, int store_fd, const char *name,
	const struct network_place *place, struct err *err);

/**
 * network_publish() - ports of a container that runs can be published: its relay is there
 * @text: of its --network; NULL: the default
 *
 * A container that was started without -p gets the relay now; it ends with the container.
 *
 * Return: 0; -EINVAL if it is in a network of others; another negative errno with a text.
 */
int network_publish(
	const char *text, int store_fd, const struct network_place *place, struct err *err);

/** network_end() - wait for the processes, which end with the container */
void network_end(struct network *n);

/** network_done() - free what network_parse() made */
void network_done(struct network *n);

/**
 * network_api_connect() - to the API of a running container's ports
 * Return: a connected socket; -ENOENT if it publishes none.
 */
int network_api_connect(int rundir_fd, const char *id, struct err *err);
