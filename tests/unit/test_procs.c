/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of a process, whatever the process calls itself. */
#include "runtime/ctrstats.h"
#include "tests/unit/test.h"

#include <errno.h>

#define REST " S 1 7 7 34817 7 4194560 1 2 3 4 150 50 6 4 20 -5 3 0 1234 4096000 10 999\n"

TEST(a_name_may_hold_anything)
{
	static const char *const names[] = { "sh", "a) R 1 (b", ") (", "x\n\033y" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *text = str_format("42 (%s)" REST, names[i]);
		struct proc_row row = { 0 };

		CHECK_INT(procs_parse_stat(text, &row), ==, 0);
		CHECK_INT(row.pid, ==, 42);
		CHECK_INT(row.ppid, ==, 1);
		CHECK_INT(row.state, ==, 'S');
		CHECK_INT(row.tty, ==, 34817);
		CHECK_INT(row.user_ticks, ==, 150);
		CHECK_INT(row.system_ticks, ==, 50);
		CHECK_INT(row.gone_ticks, ==, 10);
		CHECK_INT(row.nice, ==, -5);
		CHECK_INT(row.n_threads, ==, 3);
		CHECK_INT(row.start_ticks, ==, 1234);
		CHECK_INT(row.virtual_bytes, ==, 4096000);
		CHECK_INT(strchr(row.name, '\n') != NULL, ==, 0);
	}
}

TEST(what_is_no_stat_is_refused)
{
	static const char *const texts[] = { "", "42", "42 (sh", "42 )(", "42 (sh)", "42 (sh) S",
		"42 (sh) S 1 7 7 x", "42 (sh) S 1 2 3 4 5 6 7" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct proc_row row = { 0 };

		CHECK_INT(procs_parse_stat(texts[i], &row), ==, -EBADMSG);
	}
}

TEST(the_innermost_number_is_the_containers)
{
	struct proc_row row = { 0 };

	CHECK_INT(procs_parse_status("Name:\tsh\nUid:\t5\t6\t5\t5\nGid:\t7\t8\t7\t7\n"
				     "NSpid:\t4711\t12\t3\nThreads:\t1\n",
			  &row),
		==, 0);
	CHECK_INT(row.ruid, ==, 5);
	CHECK_INT(row.uid, ==, 6);
	CHECK_INT(row.rgid, ==, 7);
	CHECK_INT(row.gid, ==, 8);
	CHECK_INT(row.inner_pid, ==, 3);
	CHECK_INT(procs_parse_status("Name:\tsh\n", &row), ==, -EBADMSG);
}

TEST(traffic_is_added_up_without_the_loopback)
{
	uint64_t in, out;

	ctrstats_parse_net("Inter-|   Receive                    |  Transmit\n"
			   " face |bytes    packets errs|bytes    packets\n"
			   "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
			   "  tap0:1000 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n"
			   "  eth1: 3 1 0 0 0 0 0 0 4 1 0 0 0 0 0 0\n",
		&in, &out);
	CHECK_INT(in, ==, 1003);
	CHECK_INT(out, ==, 24);
	ctrstats_parse_net("", &in, &out);
	CHECK_INT(in, ==, 0);
}
