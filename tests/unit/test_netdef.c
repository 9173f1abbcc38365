/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/netdef.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

static struct net_def make_def(const char *cidr, const char *gateway)
{
	struct net_def d = { .mtu = 1500 };

	snprintf(d.name, sizeof(d.name), "net");
	snprintf(d.cidr, sizeof(d.cidr), "%s", cidr);
	snprintf(d.gateway, sizeof(d.gateway), "%s", gateway);
	return d;
}

static bool alive(const struct proc_id *holder)
{
	return holder->pid != 99;
}

static int lease(struct net_def *d, const char *id, const char *ip, pid_t pid, char *ret)
{
	const struct net_wish wish = {
		.id = id, .name = id, .ip = ip, .holder = { pid, 1 }, .is_alive = alive
	};
	const struct net_lease *l;
	int r = ipam_lease(d, &wish, &l, NULL);

	ret[0] = '\0';
	if (r >= 0)
		inet_ntop(AF_INET, &l->ip, ret, INET_ADDRSTRLEN);
	return r;
}

TEST(addresses_are_given_once)
{
	auto_netdef d = make_def("10.89.0.0/24", "10.89.0.1");
	char ip[INET_ADDRSTRLEN];

	CHECK_INT(lease(&d, "a", NULL, 1, ip), ==, 0);
	CHECK_STR(ip, "10.89.0.4");
	CHECK_INT(lease(&d, "b", NULL, 1, ip), ==, 0);
	CHECK_STR(ip, "10.89.0.5");
	CHECK_INT(lease(&d, "a", NULL, 1, ip), ==, 0);
	CHECK_STR(ip, "10.89.0.4"); /* the one that it has */
	CHECK_INT(lease(&d, "c", "10.89.0.5", 1, ip), ==, -EADDRINUSE);
	CHECK_INT(lease(&d, "c", "10.89.0.77", 1, ip), ==, 0);
	CHECK_STR(ip, "10.89.0.77");
	CHECK_INT(lease(&d, "d", "10.88.0.1", 1, ip), ==, -EADDRNOTAVAIL);
	CHECK_INT(lease(&d, "d", "10.89.0.0", 1, ip), ==, -EADDRNOTAVAIL);
	CHECK_INT(lease(&d, "d", "10.89.0.255", 1, ip), ==, -EADDRNOTAVAIL);
	CHECK_INT(lease(&d, "d", "10.89.0.1", 1, ip), ==, -EADDRNOTAVAIL);
	CHECK_INT(lease(&d, "d", "10.89.0.3", 1, ip), ==, -EADDRNOTAVAIL); /* the bridge */
	CHECK_INT(lease(&d, "d", "10.89.0.250", 1, ip), ==, -EADDRNOTAVAIL); /* DHCP */
	CHECK_INT(lease(&d, "d", "x", 1, ip), ==, -EINVAL);
	ipam_release(&d, "a");
	CHECK_INT(lease(&d, "d", NULL, 1, ip), ==, 0);
	CHECK_STR(ip, "10.89.0.4");
	CHECK_INT(d.n_leases, ==, 3);
}

TEST(leases_of_the_dead_are_taken_back)
{
	auto_netdef d = make_def("10.89.0.0/24", "10.89.0.254");
	char ip[INET_ADDRSTRLEN];

	CHECK_INT(lease(&d, "dead", NULL, 99, ip), ==, 0);
	CHECK_INT(lease(&d, "living", NULL, 1, ip), ==, 0);
	CHECK_STR(ip, "10.89.0.4");
	CHECK(!ipam_find(&d, "dead"));
}

TEST(a_full_network_says_so)
{
	auto_netdef d = make_def("10.89.0.0/25", "10.89.0.1");
	char ip[INET_ADDRSTRLEN], id[16];
	int n = 0;

	do
		snprintf(id, sizeof(id), "c%d", n++);
	while (lease(&d, id, NULL, 1, ip) == 0);
	CHECK_INT(lease(&d, "more", NULL, 1, ip), ==, -ENOSPC);
	CHECK_INT(d.n_leases, ==, 128 - 4 - 1 - 16); /* network to bridge, broadcast, DHCP */
}

TEST(definitions_survive_the_file)
{
	auto_netdef d = make_def("10.90.0.0/16", "10.90.0.1"), back = { 0 };
	auto_buf text = { 0 };
	char ip[INET_ADDRSTRLEN];

	snprintf(d.prefix6, sizeof(d.prefix6), "fd12:3456:789a:1::");
	d.internal = true;
	d.created_s = 4711;
	CHECK_INT(strv_add(&d.dns, "192.0.2.53"), ==, 0);
	CHECK_INT(strv_add(&d.labels, "a=b"), ==, 0);
	CHECK_INT(lease(&d, "a", NULL, 1, ip), ==, 0);
	CHECK_INT(netdef_dump(&d, &text), ==, 0);
	CHECK_INT(netdef_parse(text.data, text.len, &back, NULL), ==, 0);
	CHECK_STR(back.cidr, "10.90.0.0/16");
	CHECK_STR(back.prefix6, "fd12:3456:789a:1::");
	CHECK(back.internal);
	CHECK_STR(back.labels.v[0], "a=b");
	CHECK_INT(back.n_leases, ==, 1);
	CHECK_INT(back.leases[0].ip.s_addr, ==, d.leases[0].ip.s_addr);
	CHECK_INT(netdef_parse("{}", 2, &back, NULL), ==, -EBADMSG);
}

TEST(addresses_of_a_network)
{
	struct net_def d = make_def("10.89.0.0/24", "10.89.0.1");
	struct net_plan p;

	snprintf(d.prefix6, sizeof(d.prefix6), "fd12:3456:789a:1::");
	CHECK_INT(netdef_plan(&d, &p, NULL), ==, 0);
	CHECK_STR(p.gateway_text, "10.89.0.1");
	CHECK_STR(p.dns_text, "10.89.0.2");
	CHECK_STR(p.guest_text, "10.89.0.3"); /* the bridge's own */
	CHECK_STR(p.gateway6_text, "fd12:3456:789a:1::2");
	netdef_set_guest(&p, (struct in_addr){ htonl(0x0a590105) });
	CHECK_STR(p.guest6_text, "fd12:3456:789a:1::5");
	d = make_def("10.89.0.0/24", "10.89.0.254");
	CHECK_INT(netdef_plan(&d, &p, NULL), ==, 0);
	CHECK_STR(p.dns_text, "10.89.0.253");
	d = make_def("10.89.0.0/24", "10.89.1.1");
	CHECK_INT(netdef_plan(&d, &p, NULL), ==, -EINVAL);
}

TEST(subnets_do_not_overlap)
{
	struct net_def others[] = { make_def("10.89.0.0/24", "10.89.0.1"),
		make_def("10.89.2.0/23", "10.89.2.1") };
	struct net_def wide = make_def("10.88.0.0/15", "10.88.0.1");
	char cidr[INET_ADDRSTRLEN + 3];

	CHECK_INT(netdef_choose_subnet(others, 0, cidr, NULL), ==, 0);
	CHECK_STR(cidr, "10.89.0.0/24");
	CHECK_INT(netdef_choose_subnet(others, 2, cidr, NULL), ==, 0);
	CHECK_STR(cidr, "10.89.1.0/24");
	CHECK(netdef_overlaps(&wide, &others[0]));
	CHECK(!netdef_overlaps(&others[0], &others[1]));
}

TEST(names_of_networks)
{
	CHECK_INT(netdef_check_name("front-1.x_y", NULL), ==, 0);
	CHECK_INT(netdef_check_name("", NULL), ==, -EINVAL);
	CHECK_INT(netdef_check_name(".lock", NULL), ==, -EINVAL);
	CHECK_INT(netdef_check_name("../x", NULL), ==, -EINVAL);
	CHECK_INT(netdef_check_name("a+b", NULL), ==, -EINVAL);
	CHECK_INT(netdef_check_name("a:b", NULL), ==, -EINVAL);
}
