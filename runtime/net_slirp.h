/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The slirp network of one network namespace
 *
 *      container ── tap0 ──frames──▶ network process (libslirp) ──sockets──▶ the host's network
 *
 * The network process stands outside the container: in the caller's user, network and pid
 * namespaces, with no capabilities, an empty root and a seccomp filter.
 */

#include "runtime/net_plan.h"

#include <sys/types.h>

/**
 * net_slirp_start() - start the network process of a namespace
 * @opts:       borrowed for the call
 * @userns_fd:  user namespace that owns @netns_fd; -1: the caller's own
 * @netns_fd:   network namespace that gets the tap
 * @watch_fd:   pidfd of the process whose end ends the network (the container's init, or the
 *              holder of the namespace); -1: only opts->exit_fd or a signal ends it
 * @ret_pid:    the network process, a child of the caller who must reap it
 *
 * The caller has the rights to enter both namespaces: it is root of the parent user namespace, or
 * the owner of @userns_fd, or real root.  It sees /dev/net/tun and /proc.  Ports are bound and
 * connections are made in the caller's own network namespace.
 *
 * Returns when packets flow: the tap is up with its addresses and routes, and every forward
 * listens.  The process has left the caller's session; of the caller's fds it keeps stderr and
 * those of @opts.  It ends by itself, at once, when @watch_fd or opts->exit_fd reports an event, on
 * SIGTERM, and when the tap is gone; the interface vanishes with it, but see NET_LEAVE_TAP.
 *
 * Forks without exec: call it from a process with one thread.
 *
 * Return: 0; -EINVAL for wrong options; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES with a text that
 * names the forward; another negative errno with a text.  Nothing is left behind on failure.
 */
int net_slirp_start(const struct net_slirp_opts *opts, int userns_fd, int netns_fd, int watch_fd,
	pid_t *ret_pid, struct err *err);

/**
 * net_slirp_serve() - be the network process: the same, in this process, until it ends
 * @ready_fd: gets "1" when packets flow, then is closed; -1: nobody waits.  Consumed
 *
 * Drops the process's rights for good; the caller can do no more than exit.
 *
 * Return: 0 when it was told to end; otherwise as net_slirp_start().
 */
int net_slirp_serve(const struct net_slirp_opts *opts, int userns_fd, int netns_fd, int watch_fd,
	int ready_fd, struct err *err);

/**
 * net_slirp_serve_tap() - the same on a tap that somebody else made and configured
 * @tap_fd: an attached tap (IFF_TAP | IFF_NO_PI), with or without IFF_VNET_HDR.  Consumed
 */
int net_slirp_serve_tap(
	const struct net_slirp_opts *opts, int tap_fd, int watch_fd, int ready_fd, struct err *err);
