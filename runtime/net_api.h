/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Publishing ports while the network runs: slirp4netns's API
 *
 *      {"execute":"add_hostfwd","arguments":{"proto":"tcp","host_addr":"0.0.0.0",
 *       "host_port":8080,"guest_addr":"10.0.2.100","guest_port":80}}  → {"return":{"id":1}}
 *      {"execute":"list_hostfwd"}                      → {"return":{"entries":[{"id":1,…}]}}
 *      {"execute":"remove_hostfwd","arguments":{"id":1}}             → {"return":{}}
 *      anything else                                   → {"error":{"desc":"bad request: …"}}
 *
 * Answers are a pure function of the request, the table and what the two functions say.
 */

#include "runtime/net_plan.h"

#include "base/str.h"

/* slirp4netns's limit; a request is about 150 bytes. */
#define LIMIT_API_REQUEST 4095

struct net_api_entry {
	uint64_t id;
	enum net_proto proto;
	char host_addr[INET6_ADDRSTRLEN], guest_addr[INET6_ADDRSTRLEN];
	uint16_t host_port, guest_port;
};

enum net_api_flags {
	NET_API_ANY_PORT = 1 << 0, /* "host_port":0 takes one that is free */
};

/* Owns its entries.  Zero, but for plan and functions, is empty. */
struct net_api {
	const struct net_plan *plan; /* borrowed */
	/* 0 or a negative errno; a port 0 of @host becomes the chosen one */
	int (*add)(void *ctx, enum net_proto proto, struct net_endpoint *host,
		const struct net_endpoint *guest);
	int (*remove)(void *ctx, enum net_proto proto, const struct net_endpoint *host);
	void *ctx;
	struct net_api_entry *entries;
	size_t n_entries, room;
	uint64_t last_id;
	unsigned flags; /* enum net_api_flags */
};

void net_api_done(struct net_api *api);

/**
 * net_api_add() - add a forward, as the request does
 * Return: its id, above 0; a negative errno with a text.
 */
int64_t net_api_add(struct net_api *api, const struct net_forward *f, struct err *err);

/** net_api_remove_newest() - take back what was added last */
void net_api_remove_newest(struct net_api *api);

/**
 * net_api_answer() - carry out a request
 * @request: @len bytes, any content
 * Return: 0 and the answer appended to @reply, errors of the request too; -ENOMEM.
 */
int net_api_answer(struct net_api *api, const char *request, size_t len, struct buf *reply);

/** net_api_is_whole() - does a JSON document end here?  For clients that do not say so */
bool net_api_is_whole(const char *request, size_t len);
