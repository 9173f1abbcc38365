/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the network process, one a line, on one table: every answer is JSON. */
#include "runtime/net_api.h"
#include "tests/fuzz/fuzz.h"

#include "base/json.h"

#include <assert.h>

static int add(void *ctx, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest)
{
	(void)ctx;
	assert(proto < NET_PROTO_MAX_ && host->sa.sa_family == guest->sa.sa_family);
	return ntohs(host->in.sin_port) % 2 ? 0 : -EADDRINUSE;
}

static int drop(void *ctx, enum net_proto proto, const struct net_endpoint *host)
{
	(void)ctx;
	(void)proto;
	return ntohs(host->in.sin_port) % 3 ? 0 : -ENOENT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct net_slirp_opts opts = NET_SLIRP_OPTS_INIT;
	struct net_plan plan;
	struct net_api api = { .plan = &plan, .add = add, .remove = drop };

	opts.enable_ipv6 = true;
	assert(net_plan_make(&opts, &plan, NULL) == 0);
	while (len > 0) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t line = end ? (size_t)(end - data) : len;
		auto_buf reply = { 0 };
		auto_json *j = NULL;

		(void)net_api_is_whole((const char *)data, line);
		assert(net_api_answer(&api, (const char *)data, line, &reply) == 0);
		assert(json_parse(reply.data, reply.len, "reply", &j, NULL) == 0);
		data += end ? line + 1 : line;
		len -= end ? line + 1 : line;
	}
	net_api_done(&api);
	return 0;
}
