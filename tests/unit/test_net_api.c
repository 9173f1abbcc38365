/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_api.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct net_plan plan;
static struct net_api api;
static int add_result, remove_result, n_listening;

static int fake_add(void *ctx, enum net_proto proto, struct net_endpoint *host,
	const struct net_endpoint *guest)
{
	(void)ctx;
	CHECK(proto == NET_TCP || proto == NET_UDP);
	CHECK(host->sa.sa_family == guest->sa.sa_family);
	if (host->in.sin_port == 0)
		host->in.sin_port = htons(49152);
	if (add_result == 0)
		n_listening++;
	return add_result;
}

static int fake_remove(void *ctx, enum net_proto proto, const struct net_endpoint *host)
{
	(void)ctx;
	(void)proto;
	(void)host;
	if (remove_result == 0)
		n_listening--;
	return remove_result;
}

static void reset(void)
{
	struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;

	CHECK_INT(net_plan_make(&o, &plan, NULL), ==, 0);
	net_api_done(&api);
	api = (struct net_api){ .plan = &plan, .add = fake_add, .remove = fake_remove };
	add_result = remove_result = n_listening = 0;
}

static void check_answer(const char *request, const char *want)
{
	auto_buf reply = { 0 };

	CHECK_INT(net_api_answer(&api, request, strlen(request), &reply), ==, 0);
	CHECK_STR(reply.data, want);
}

TEST(ports_are_added_listed_and_removed)
{
	reset();
	check_answer("{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		     "\"host_addr\":\"127.0.0.1\",\"host_port\":8080,"
		     "\"guest_addr\":\"10.0.2.50\",\"guest_port\":80}}",
		"{\"return\":{\"id\":1}}");
	check_answer("{\"execute\": \"add_hostfwd\", \"arguments\": {\"proto\": \"udp\", "
		     "\"host_port\": 53, \"guest_addr\": \"\", \"guest_port\": 5353}}\n",
		"{\"return\":{\"id\":2}}");
	check_answer("{\"execute\":\"list_hostfwd\"}",
		"{\"return\":{\"entries\":["
		"{\"id\":1,\"proto\":\"tcp\",\"host_addr\":\"127.0.0.1\",\"host_port\":8080,"
		"\"guest_addr\":\"10.0.2.50\",\"guest_port\":80},"
		"{\"id\":2,\"proto\":\"udp\",\"host_addr\":\"0.0.0.0\",\"host_port\":53,"
		"\"guest_addr\":\"10.0.2.100\",\"guest_port\":5353}]}}");
	check_answer(
		"{\"execute\":\"remove_hostfwd\",\"arguments\":{\"id\":1}}", "{\"return\":{}}");
	check_answer("{\"execute\":\"remove_hostfwd\",\"arguments\":{\"id\":1}}",
		"{\"error\":{\"desc\":\"bad request: remove_hostfwd: bad arguments.id\"}}");
	CHECK_INT(n_listening, ==, 1);
	CHECK_INT(api.n_entries, ==, 1);
}

TEST(a_chosen_port_is_listed)
{
	struct net_forward fw = { NET_TCP, 0, 80, NULL, NULL };

	reset();
	CHECK_INT(net_api_add(&api, &fw, NULL), ==, 1);
	CHECK_INT(api.entries[0].host_port, ==, 49152);
}

TEST(wrong_requests_say_what_is_wrong)
{
	static const struct {
		const char *request, *desc;
	} cases[] = {
		{ "", "cannot parse JSON" },
		{ "{", "cannot parse JSON" },
		{ "{} {}", "cannot parse JSON" },
		{ "{\"execute\":\"list_hostfwd\",\"execute\":\"x\"}", "cannot parse JSON" },
		{ "[]", "json_object() failed" },
		{ "{}", "no execute found" },
		{ "{\"execute\":1}", "no execute found" },
		{ "{\"execute\":\"quit\"}", "unknown execute" },
		{ "{\"execute\":\"add_hostfwd\"}", "add_hostfwd: bad arguments.proto" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":[]}",
			"add_hostfwd: bad arguments.proto" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"sctp\"}}",
			"add_hostfwd: bad arguments.proto" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		  "\"host_addr\":\"localhost\"}}",
			"add_hostfwd: bad arguments.host_addr" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		  "\"host_addr\":7,\"host_port\":1,\"guest_port\":1}}",
			"add_hostfwd: bad arguments.host_addr" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		  "\"host_port\":65536,\"guest_port\":1}}",
			"add_hostfwd: bad arguments.host_port" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		  "\"host_port\":80,\"guest_port\":0}}",
			"add_hostfwd: bad arguments.guest_port" },
		{ "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		  "\"host_port\":80,\"guest_addr\":\"x\",\"guest_port\":80}}",
			"add_hostfwd: bad arguments.guest_addr" },
		{ "{\"execute\":\"remove_hostfwd\"}", "remove_hostfwd: bad arguments.id" },
		{ "{\"execute\":\"remove_hostfwd\",\"arguments\":{\"id\":-1}}",
			"remove_hostfwd: bad arguments.id" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[256];

		reset();
		snprintf(want, sizeof(want), "{\"error\":{\"desc\":\"bad request: %s\"}}",
			cases[i].desc);
		check_answer(cases[i].request, want);
	}
}

TEST(a_port_in_use_is_told_and_not_listed)
{
	reset();
	add_result = -EADDRINUSE;
	check_answer("{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		     "\"host_port\":8080,\"guest_port\":80}}",
		"{\"error\":{\"desc\":\"bad request: add_hostfwd: slirp_add_hostfwd failed: "
		"cannot publish 0.0.0.0:8080/tcp: Address already in use\"}}");
	check_answer("{\"execute\":\"list_hostfwd\"}", "{\"return\":{\"entries\":[]}}");
}

TEST(a_port_that_cannot_be_removed_stays)
{
	reset();
	remove_result = -ENOENT;
	check_answer("{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"tcp\","
		     "\"host_port\":8080,\"guest_port\":80}}",
		"{\"return\":{\"id\":1}}");
	check_answer("{\"execute\":\"remove_hostfwd\",\"arguments\":{\"id\":1}}",
		"{\"error\":{\"desc\":\"bad request: remove_hostfwd: "
		"slirp_remove_hostfwd failed\"}}");
	CHECK_INT(api.n_entries, ==, 1);
}

TEST(requests_have_a_longest_length)
{
	static char request[LIMIT_API_REQUEST + 2];
	auto_buf reply = { 0 };

	reset();
	memset(request, ' ', sizeof(request) - 1);
	memcpy(request, "{\"execute\":\"list_hostfwd\"}", 26);
	CHECK_INT(net_api_answer(&api, request, LIMIT_API_REQUEST, &reply), ==, 0);
	CHECK_STR(reply.data, "{\"return\":{\"entries\":[]}}");
	check_answer(request, "{\"error\":{\"desc\":\"bad request: too large message\"}}");
}

TEST(forwards_have_a_largest_number)
{
	struct net_forward fw = { NET_TCP, 1, 1, NULL, NULL };
	struct err err = ERR_INIT;

	reset();
	for (int i = 0; i < LIMIT_NET_FORWARDS; i++)
		CHECK_INT(net_api_add(&api, &fw, &err), ==, i + 1);
	CHECK_INT(net_api_add(&api, &fw, &err), ==, -E2BIG);
	CHECK_INT(n_listening, ==, LIMIT_NET_FORWARDS);
}

TEST(a_whole_document_is_known)
{
	CHECK(net_api_is_whole("{\"execute\":\"x\"}\n", 16));
	CHECK(!net_api_is_whole("{\"execute\":\"x\"", 14));
	CHECK(!net_api_is_whole("", 0));
}
