/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A container's place in one named network: membership, interface, address
 */

#include "runtime/netmode.h"

#include <sys/types.h>

struct netlinkage {
	const char *network;
	const char *ifname; /* NULL: eth0, eth1, … */
	const char *names; /* of netlinkage_names() */
	const char *id; /* of the container */
	const struct net_plan *plan; /* guest is the container's address */
	const uint8_t *mac; /* 6 bytes */
	pid_t pid; /* of the container's first process */
	int pidfd;
	int netns_fd;
};

/**
 * netlinkage_names() - lines like /etc/hosts for the network's DNS
 * Return: a string owned by the caller: addresses, the container's name, its short id, aliases; NULL
 * if out of memory.
 */
char *netlinkage_names(const struct net_plan *plan, const char *id, const char *name,
	const struct netmode_link *link);

/**
 * netlinkage_start() - join the network and make the interface
 * The lease, made before, belongs to the container's first process from now on.
 */
int netlinkage_start(const struct netlinkage *l, int store_fd, int rundir_fd, struct err *err);

/** netlinkage_stop() - leave a network that the container lives on without */
int netlinkage_stop(
	int store_fd, int rundir_fd, const char *network, const char *id, struct err *err);

/** netlinkage_exists() - 1 if the container has an address in the network, 0, or a negative errno */
int netlinkage_exists(int store_fd, const char *network, const char *id);

/** netlinkage_release() - give the address back */
void netlinkage_release(int store_fd, const char *network, const char *id);
