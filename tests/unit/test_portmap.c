/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "runtime/portmap.h"
#include "tests/unit/test.h"

#include <errno.h>

TEST(ports_as_people_write_them)
{
	static const struct {
		const char *text, *ports, *error;
	} cases[] = {
		{ "80", ":0>80/0", "" },
		{ "80/udp", ":0>80/1", "" },
		{ "8080:80", ":8080>80/0", "" },
		{ ":80", ":0>80/0", "" },
		{ "8080:80/tcp", ":8080>80/0", "" },
		{ "127.0.0.1:8080:80", "127.0.0.1:8080>80/0", "" },
		{ "127.0.0.1::80", "127.0.0.1:0>80/0", "" },
		{ "[::1]:8080:80", "::1:8080>80/0", "" },
		{ "[0::0:1]:80", "::1:0>80/0", "" },
		{ "8000-8002:80-82/udp", ":8000>80/1 :8001>81/1 :8002>82/1", "" },
		{ "80-81", ":0>80/0 :0>81/0", "" },
		{ "65535:65535", ":65535>65535/0", "" },
		{ "", "", "-p '': the container's port is missing" },
		{ "8080:", "", "-p '8080:': the container's port is missing" },
		{ "0:80", "", "-p '0:80': '0' is not a port" },
		{ "65536:80", "", "-p '65536:80': '65536' is not a port" },
		{ "a:80", "", "-p 'a:80': 'a' is not a port" },
		{ "80-", "", "-p '80-': '' is not a port" },
		{ "90-80", "", "-p '90-80': the range ends before it begins" },
		{ "1-3:1-2", "", "-p '1-3:1-2': the ranges have different lengths" },
		{ "1-3:1", "", "-p '1-3:1': the ranges have different lengths" },
		{ "80/sctp", "", "-p '80/sctp': protocol 'sctp' is not tcp or udp" },
		{ "localhost:1:2", "", "-p 'localhost:1:2': 'localhost' is not an IPv4 address" },
		{ "::1:80:80", "", "-p '::1:80:80': more than two colons" },
		{ "[::1:80:80", "", "-p '[::1:80:80': ']:' does not follow the address" },
		{ "[::1]80", "", "-p '[::1]80': ']:' does not follow the address" },
		{ "[1.2.3.4]:1:2", "", "-p '[1.2.3.4]:1:2': '1.2.3.4' is not an IPv6 address" },
		{ "[::1]:1:2:3", "", "-p '[::1]:1:2:3': more than two colons" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_portmap map = { 0 };
		auto_buf ports = { 0 };
		struct err err = ERR_INIT;

		CHECK_INT(portmap_add(&map, cases[i].text, &err), ==,
			cases[i].error[0] ? -EINVAL : 0);
		CHECK_STR(err.text, cases[i].error);
		for (size_t k = 0; k < map.n; k++)
			(void)buf_printf(&ports, "%s%s:%u>%u/%d", k ? " " : "", map.v[k].host_addr,
				map.v[k].host_port, map.v[k].guest_port, (int)map.v[k].proto);
		CHECK_STR(ports.data ? ports.data : "", cases[i].ports);
	}
}

TEST(a_host_port_is_published_once)
{
	auto_portmap map = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(portmap_add(&map, "80:1", &err), ==, 0);
	CHECK_INT(portmap_add(&map, "80:1/udp", &err), ==, 0);
	CHECK_INT(portmap_add(&map, "127.0.0.1:80:1", &err), ==, 0);
	CHECK_INT(portmap_add(&map, "5", &err), ==, 0);
	CHECK_INT(portmap_add(&map, "5", &err), ==, 0);
	CHECK_INT(portmap_add(&map, "79-80:79-80", &err), ==, -EINVAL);
	CHECK_STR(err.text, "-p '79-80:79-80': host port 80 is published twice");
	CHECK_INT(map.n, ==, 5); /* nothing of the one that failed */
}

TEST(ports_have_a_limit)
{
	auto_portmap map = { 0 };
	auto_free char *all = str_format("1-%d:1-%d", LIMIT_NET_FORWARDS, LIMIT_NET_FORWARDS);

	CHECK_INT(portmap_add(&map, all, NULL), ==, 0);
	CHECK_INT(portmap_add(&map, "60000:1", NULL), ==, -E2BIG);
}
