/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_buffers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const size_t BUFFER = (size_t)128 << 10;

static bool has_slots(void)
{
	void *p, *q;
	struct net_buffers_pair pair;

	net_buffers_reserve();
	p = g_malloc(BUFFER);
	q = g_malloc(BUFFER);
	pair = net_buffers_newest();
	g_free(p);
	g_free(q);
	return pair.a;
}

TEST(buffers_are_memory_like_any)
{
	char *p, *q;

	net_buffers_reserve();
	p = g_malloc(BUFFER);
	memset(p, 'x', BUFFER);
	q = g_realloc(p, BUFFER + 65535);
	CHECK_INT(q[0], ==, 'x');
	CHECK_INT(q[BUFFER - 1], ==, 'x');
	memset(q, 'y', BUFFER + 65535);
	p = g_realloc(q, (size_t)1 << 20);
	CHECK_INT(p[BUFFER + 65534], ==, 'y');
	g_free(p);
	CHECK(g_malloc(0) == NULL);
	CHECK(g_realloc(g_realloc(NULL, 10), 0) == NULL);
	g_free(NULL);
}

TEST(empty_buffers_lose_their_pages)
{
	struct net_buffers_pair pair;
	char *p, *q;

	if (!has_slots()) {
		test_skip("buffers come from malloc() here");
		return;
	}
	p = g_malloc(BUFFER);
	q = g_malloc(BUFFER);
	pair = net_buffers_newest();
	CHECK(pair.a && pair.b && pair.a != pair.b);
	CHECK_INT(net_buffers_newest().a, ==, 0);
	memset(p, 'x', BUFFER);
	memset(q, 'x', BUFFER);
	net_buffers_trim((struct net_buffers_pair){ 0 });
	CHECK_INT(p[0], ==, 'x');
	net_buffers_trim(pair);
	CHECK_INT(p[0], ==, 0);
	CHECK_INT(q[BUFFER - 1], ==, 0);
	g_free(p);
	g_free(q);
}

TEST(one_buffer_is_no_pair)
{
	char *p;

	if (!has_slots()) {
		test_skip("buffers come from malloc() here");
		return;
	}
	(void)net_buffers_newest();
	p = g_malloc(BUFFER);
	CHECK_INT(net_buffers_newest().a, ==, 0);
	g_free(p);
}

TEST(many_buffers_come_and_go)
{
	enum { N = 500 };
	char *p[N];

	net_buffers_reserve();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			p[i] = g_malloc(BUFFER);
			p[i][0] = (char)i;
			p[i][BUFFER - 1] = (char)i;
		}
		for (int i = 0; i < N; i++) {
			CHECK_INT(p[i][0], ==, (char)i);
			CHECK_INT(p[i][BUFFER - 1], ==, (char)i);
			g_free(p[i]);
		}
	}
}

TEST(empty_connections_are_found_in_the_list)
{
	static const char list[] =
		"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n"
		"  TCP[ESTABLISHED]   12      10.0.2.100 40000       192.0.2.2    80     0     0\n"
		"  TCP[ESTABLISHED]   13      10.0.2.100 40001       192.0.2.2    80     0    10\n"
		"  TCP[ESTABLISHED]   14      10.0.2.100 40002       192.0.2.2    80 10000     0\n"
		"  TCP[SYN_SENT]      -1      10.0.2.100 40003       192.0.2.2    80     0     0\n"
		"  TCP[HOST_FORWARD] 12345             *  8080      10.0.2.100    80     0     0\n"
		"  UDP[239 sec]       15      10.0.2.100 40000       192.0.2.2    80     0     0\n"
		"  TCP[broken 16 0     0\n"
		"  TCP[CLOSED] 0     0\n"
		"  TCP[CLOSE_WAIT]    17      10.0.2.100 40000       192.0.2.2    80     0     0";
	const char *at = list;
	int fd;

	at = net_buffers_next_empty(at, &fd);
	CHECK(at && fd == 12);
	at = net_buffers_next_empty(at, &fd);
	CHECK(at && fd == 12345);
	at = net_buffers_next_empty(at, &fd);
	CHECK(at && fd == 0); /* harmless: nobody's buffers */
	CHECK(net_buffers_next_empty(at, &fd) == NULL);
}
