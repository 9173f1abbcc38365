/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The keeper of a named network: a process that holds the network's namespace as long as anybody is
 * a member
 *
 *      container ──join: pidfd, names──▶ keeper ──names──▶ slirp process, whose tap is on the bridge
 *                ◀──the namespace──────    │
 *                                          └ holds the namespace; ends with the last member
 *
 * Members are processes: when one ends, its names go. The first member starts the keeper; a keeper
 * that died is started again by the next member.
 */

#include "runtime/netdef.h"

#define LIMIT_NET_MEMBER_NAMES 4096 /* bytes */

struct netkeeper_member {
	const char *id; /* of the container, or of whoever */
	int pidfd; /* borrowed */
	const char *names; /* lines like /etc/hosts; "": none */
};

/**
 * netkeeper_join() - become a member; start the network if nobody is
 * @rundir_fd: where keepers are found, borrowed
 * @ret_netns_fd: the network's namespace, owned by the caller
 * Return: 0; a negative errno with a text.
 */
int netkeeper_join(int rundir_fd, const struct net_def *def, const struct netkeeper_member *member,
	int *ret_netns_fd, struct err *err);

/**
 * netkeeper_leave() - a member that lives on is none any more
 * @ret_netns_fd: as of netkeeper_join(), so that its interface can be removed
 * Return: 0; -ENOENT if the network has no keeper.
 */
int netkeeper_leave(
	int rundir_fd, const char *network, const char *id, int *ret_netns_fd, struct err *err);

/** netkeeper_is_up() - does a network have members? */
bool netkeeper_is_up(int rundir_fd, const char *network);
