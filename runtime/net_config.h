/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Addresses, routes and settings of the network namespace that the caller is in, by rtnetlink and
 * /proc/sys
 */

#include "runtime/net_plan.h"

enum net_config_flags {
	NET_CONFIG_LIMIT_GSO = 1 << 0, /* frames of at most NET_GSO_MAX bytes */
	NET_CONFIG_ADDRESSES = 1 << 1, /* lo and the interface up, addresses, default routes */
};

/* libslirp takes at most 65521 bytes at once; headers and some room go off. */
#define NET_GSO_MAX 65000

/**
 * net_config_apply() - bring an interface of this namespace into its planned state
 * @plan:  borrowed
 * @name:  of an interface that exists
 * @flags: enum net_config_flags
 *
 * IPv6 addresses are usable at once: without duplicate address detection, on a link with a
 * single neighbour.  Settings in /proc/sys that only speed things up may fail in silence (it may
 * be read-only).
 *
 * Return: 0 or a negative errno with a text.
 */
int net_config_apply(
	const struct net_plan *plan, const char *name, unsigned flags, struct err *err);
