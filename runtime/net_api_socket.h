/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The API's socket: one request per connection, none of which can hold up the packets */

#include "runtime/net_api.h"
#include "runtime/net_poll.h"

enum { NET_API_CLIENTS = 16 };
/* A client that never ends is cut off after so many bytes beyond the longest request. */
enum { LIMIT_API_DROPPED = 65536 };

struct net_api_client {
	struct net_api_server *server;
	int fd; /* -1: free */
	struct buf reply; /* empty until the request is whole */
	size_t sent;
	size_t len;
	size_t n_dropped; /* bytes and more of a request that is too long */
	/* Two more: one shows a longer request, one reads on when it is longer. */
	char request[LIMIT_API_REQUEST + 2];
};

struct net_api_server {
	struct net_api *api;
	struct net_poll *poll;
	unsigned next; /* whose turn it is to make room */
	struct net_api_client clients[NET_API_CLIENTS];
};

/**
 * net_api_listen() - serve a listening unix stream socket
 * @server:    lives as long as @poll is used
 * @listen_fd: borrowed as long; made non-blocking
 *
 * When all places are taken, the oldest connection is closed for the newest.
 */
int net_api_listen(
	struct net_api_server *server, struct net_api *api, struct net_poll *poll, int listen_fd);

void net_api_server_done(struct net_api_server *server);
