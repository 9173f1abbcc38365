/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_poll.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct net_poll p;
static struct net_poll_set set;
static int calls;

static void make_pair(int sv[2])
{
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), ==, 0);
}

TEST(wanted_fds_report_and_others_are_quiet)
{
	int a[2], b[2];

	make_pair(a);
	make_pair(b);
	CHECK_INT(net_poll_init(&p), ==, 0);
	CHECK_INT(write(a[1], "x", 1), ==, 1);
	CHECK_INT(write(b[1], "x", 1), ==, 1);
	net_poll_begin(&set);
	CHECK_INT(net_poll_want(&p, &set, a[0], EPOLLIN), ==, 0);
	CHECK_INT(net_poll_want(&p, &set, b[0], EPOLLIN), ==, 0);
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 2);
	CHECK_INT(net_poll_events(&p, a[0]), ==, EPOLLIN);
	/* b is not named this time; its end hangs up, which epoll would report unasked */
	(void)close(b[1]);
	net_poll_begin(&set);
	CHECK_INT(net_poll_want(&p, &set, a[0], EPOLLIN), ==, 0);
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 1);
	CHECK_INT(net_poll_events(&p, b[0]), ==, 0);
	/* and comes back with another interest */
	net_poll_begin(&set);
	CHECK_INT(net_poll_want(&p, &set, b[0], EPOLLOUT), ==, 0);
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 1);
	CHECK(net_poll_events(&p, b[0]) & EPOLLHUP);
	CHECK_INT(net_poll_events(&p, a[0]), ==, 0);
	net_poll_done(&p);
	net_poll_set_done(&set);
	(void)close(a[0]);
	(void)close(a[1]);
	(void)close(b[0]);
}

TEST(a_new_fd_with_an_old_number_starts_afresh)
{
	int a[2], b[2], number;

	make_pair(a);
	CHECK_INT(net_poll_init(&p), ==, 0);
	net_poll_begin(&set);
	CHECK_INT(write(a[1], "x", 1), ==, 1);
	CHECK_INT(net_poll_want(&p, &set, a[0], EPOLLIN), ==, 0);
	CHECK_INT(net_poll_set_tag(&p, a[0], 7), ==, 0);
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 1);
	number = a[0];
	net_poll_forget(&p, a[0]);
	(void)close(a[0]);
	make_pair(b);
	CHECK_INT(dup2(b[0], number), ==, number);
	CHECK_INT(net_poll_events(&p, number), ==, 0);
	CHECK_INT(net_poll_tag(&p, number), ==, 0);
	net_poll_begin(&set);
	CHECK_INT(net_poll_want(&p, &set, number, EPOLLIN), ==, 0);
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 0);
	CHECK_INT(write(b[1], "x", 1), ==, 1);
	CHECK_INT(net_poll_wait(&p, 0), ==, 1);
	CHECK_INT(net_poll_events(&p, number), ==, EPOLLIN);
	net_poll_done(&p);
	net_poll_set_done(&set);
	(void)close(number);
	(void)close(a[1]);
	(void)close(b[0]);
	(void)close(b[1]);
}

static void forget_other(void *ctx, int fd, uint32_t events)
{
	int *other = ctx;

	(void)fd;
	CHECK(events & EPOLLIN);
	calls++;
	net_poll_forget(&p, *other);
}

TEST(a_watch_that_another_ends_is_not_called)
{
	int a[2], b[2];

	make_pair(a);
	make_pair(b);
	calls = 0;
	CHECK_INT(net_poll_init(&p), ==, 0);
	CHECK_INT(net_poll_watch(&p, a[0], EPOLLIN, forget_other, &b[0]), ==, 0);
	CHECK_INT(net_poll_watch(&p, b[0], EPOLLIN, forget_other, &a[0]), ==, 0);
	CHECK_INT(write(a[1], "x", 1), ==, 1);
	CHECK_INT(write(b[1], "x", 1), ==, 1);
	net_poll_begin(&set);
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 2);
	CHECK_INT(calls, ==, 1);
	net_poll_begin(&set); /* watches need not be named again */
	net_poll_end(&p, &set);
	CHECK_INT(net_poll_wait(&p, 0), ==, 1);
	CHECK_INT(calls, ==, 2);
	net_poll_done(&p);
	net_poll_set_done(&set);
	for (int i = 0; i < 2; i++) {
		(void)close(a[i]);
		(void)close(b[i]);
	}
}

TEST(many_fds_come_and_go)
{
	enum { PAIRS = 200 };
	static int sv[PAIRS][2];
	size_t wrong = 0;

	CHECK_INT(net_poll_init(&p), ==, 0);
	for (int i = 0; i < PAIRS; i++) {
		make_pair(sv[i]);
		CHECK_INT(write(sv[i][1], "x", 1), ==, 1);
	}
	for (unsigned turn = 0; turn < 50; turn++) {
		int want = 0;

		net_poll_begin(&set);
		for (unsigned i = 0; i < PAIRS; i++) {
			if ((i * 7 + turn * 13) % 5 >= 3)
				continue;
			CHECK_INT(net_poll_want(&p, &set, sv[i][0], EPOLLIN), ==, 0);
			want++;
		}
		net_poll_end(&p, &set);
		CHECK_INT(net_poll_wait(&p, 0), ==, want);
		for (unsigned i = 0; i < PAIRS; i++)
			wrong += (net_poll_events(&p, sv[i][0]) != 0) !=
				 ((i * 7 + turn * 13) % 5 < 3);
	}
	CHECK_INT(wrong, ==, 0);
	net_poll_done(&p);
	net_poll_set_done(&set);
	for (int i = 0; i < PAIRS; i++) {
		(void)close(sv[i][0]);
		(void)close(sv[i][1]);
	}
}
