/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The tap: a network interface in the container's namespace whose other end is an fd here
 *
 * Only a process inside the namespaces may make it, and the network process must not be inside:
 * a child enters them, makes and configures the tap, hands its fd back and ends.
 */

#include "runtime/net_plan.h"

struct net_tap {
	int fd; /* non-blocking; -1: none */
	bool vnet_hdr; /* a struct virtio_net_hdr stands before each frame */
	bool offload; /* checksums and segmentation may be left to either side */
};

/**
 * net_tap_open() - make the tap of a namespace and configure it
 * @opts:      for the name, no_configure and flags
 * @userns_fd: owner of @netns_fd; -1, or the caller's own: not entered
 * @netns_fd:  where the tap is made; -1: in the caller's own
 *
 * Does not wait for the child, whose end takes milliseconds after it has answered: the caller
 * ignores SIGCHLD, which reaps it.
 *
 * Return: 0 or a negative errno with a text.  @ret->fd is owned by the caller; the interface
 * lives as long as it is open anywhere; with NET_LEAVE_TAP, as long as its namespace.
 */
int net_tap_open(const struct net_slirp_opts *opts, const struct net_plan *plan, int userns_fd,
	int netns_fd, struct net_tap *ret, struct err *err);

/** net_tap_probe() - can /dev/net/tun be opened?  0, or the error that a network would meet */
int net_tap_probe(struct err *err);

/** net_tap_adopt() - what an attached tap that somebody else made can do */
int net_tap_adopt(int fd, struct net_tap *ret, struct err *err);
