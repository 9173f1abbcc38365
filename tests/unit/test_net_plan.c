/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "runtime/net_plan.h"

#include "base/str.h"

#include <arpa/inet.h>

TEST(default_network_has_the_addresses_people_know)
{
	struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;
	struct net_plan p;

	CHECK_INT(net_plan_make(&o, &p, NULL), ==, 0);
	CHECK_STR(p.gateway_text, "10.0.2.2");
	CHECK_STR(p.dns_text, "10.0.2.3");
	CHECK_STR(p.guest_text, "10.0.2.100");
	CHECK_STR(p.guest6_text, "fd00::100");
	CHECK_INT(p.prefix_len, ==, 24);
	CHECK_INT(p.mtu, ==, 1500);
	CHECK_INT(ntohl(p.dhcp.s_addr), ==, 0x0a00020f);
}

TEST(cidr_limits)
{
	static const struct {
		const char *cidr;
		int want;
		const char *guest;
	} cases[] = {
		{ "192.168.77.0/24", 0, "192.168.77.100" },
		{ "10.0.0.0/8", 0, "10.0.0.100" },
		{ "10.1.2.128/25", 0, "10.1.2.228" },
		{ "10.0.2.0/26", -EINVAL, NULL }, /* no room for .100 */
		{ "10.0.0.0/7", 0, "10.0.0.100" },
		{ "10.0.0.0/0", -EINVAL, NULL },
		{ "10.0.2.1/24", -EINVAL, NULL }, /* an address, not a network */
		{ "10.0.2.0", -EINVAL, NULL },
		{ "24", -EINVAL, NULL },
		{ "", -EINVAL, NULL },
		{ "10.0.2.0/", -EINVAL, NULL },
		{ "10.0.2.0/24x", -EINVAL, NULL },
		{ "10.0.2.0/-24", -EINVAL, NULL },
		{ "10.0.2/24", -EINVAL, NULL },
		{ "127.0.0.0/8", -EINVAL, NULL },
		{ "224.0.0.0/8", -EINVAL, NULL },
		{ "0.0.0.0/8", -EINVAL, NULL },
		{ "fd00::/64", -EINVAL, NULL },
		{ "1000000000000000000000000.0/24", -EINVAL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;
		struct net_plan p = { 0 };
		struct err err = ERR_INIT;

		o.cidr = cases[i].cidr;
		CHECK_INT(net_plan_make(&o, &p, &err), ==, cases[i].want);
		if (cases[i].guest)
			CHECK_STR(p.guest_text, cases[i].guest);
		else
			CHECK(err.text[0]);
	}
}

TEST(mtu_limits)
{
	static const struct {
		unsigned mtu;
		bool ipv6;
		int want;
	} cases[] = {
		{ 68, false, 0 },
		{ 67, false, -EINVAL },
		{ 1280, true, 0 },
		{ 1279, true, -EINVAL },
		{ NET_MTU_MAX, false, 0 },
		{ NET_MTU_MAX + 1, false, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;
		struct net_plan p;

		o.mtu = cases[i].mtu;
		o.enable_ipv6 = cases[i].ipv6;
		CHECK_INT(net_plan_make(&o, &p, NULL), ==, cases[i].want);
	}
}

TEST(mac_addresses)
{
	static const struct {
		const char *mac;
		int want;
	} cases[] = {
		{ "02:aB:00:ff:10:99", 0 },
		{ "03:ab:00:ff:10:99", -EINVAL }, /* multicast */
		{ "02:ab:00:ff:10", -EINVAL },
		{ "02:ab:00:ff:10:99:", -EINVAL },
		{ "02-ab-00-ff-10-99", -EINVAL },
		{ "0:2ab:00:ff:10:99", -EINVAL },
		{ "", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;
		struct net_plan p;

		o.mac = cases[i].mac;
		CHECK_INT(net_plan_make(&o, &p, NULL), ==, cases[i].want);
		if (cases[i].want == 0)
			CHECK(p.has_mac && p.mac[1] == 0xab && p.mac[5] == 0x99);
	}
}

TEST(tap_names)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "a b", "tap%d",
		"0123456789abcdef" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;
		struct net_plan p;

		o.tapname = bad[i];
		CHECK_INT(net_plan_make(&o, &p, NULL), ==, -EINVAL);
	}
}

TEST(forwards_take_the_guest_of_their_ip_version)
{
	struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;
	struct net_forward f = { NET_TCP, 8080, 80, NULL, NULL };
	struct net_endpoint host, guest;
	struct net_plan p;
	struct err err = ERR_INIT;

	CHECK_INT(net_plan_make(&o, &p, NULL), ==, 0);
	CHECK_INT(net_plan_forward(&p, &f, &host, &guest, NULL), ==, 0);
	CHECK_INT(host.in.sin_addr.s_addr, ==, 0);
	CHECK_INT(ntohs(host.in.sin_port), ==, 8080);
	CHECK_INT(guest.in.sin_addr.s_addr, ==, p.guest.s_addr);
	CHECK_INT(ntohs(guest.in.sin_port), ==, 80);
	f.host_port = 0; /* any that is free */
	CHECK_INT(net_plan_forward(&p, &f, &host, &guest, NULL), ==, 0);
	f.host_port = 8080;

	f.host_addr = "::1";
	CHECK_INT(net_plan_forward(&p, &f, &host, &guest, &err), ==, -EINVAL);
	CHECK(err.hint[0]);
	p.ipv6 = true;
	CHECK_INT(net_plan_forward(&p, &f, &host, &guest, NULL), ==, 0);
	CHECK_INT(guest.sa.sa_family, ==, AF_INET6);
	CHECK(memcmp(&guest.in6.sin6_addr, &p.guest6, 16) == 0);
	f.guest_addr = "10.0.2.100";
	CHECK_INT(net_plan_forward(&p, &f, &host, &guest, NULL), ==, -EINVAL);
}

TEST(wrong_forwards_and_servers_are_told_at_once)
{
	static const struct net_forward bad[] = {
		{ NET_TCP, 80, 0, NULL, NULL },
		{ NET_TCP, 80, 80, "localhost", NULL },
		{ NET_UDP, 80, 80, NULL, "" },
		{ NET_PROTO_MAX_, 80, 80, NULL, NULL },
	};
	static const char *const dns[] = { "1.1.1.1", "dns.example" };
	struct net_plan p;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;

		o.forwards = &bad[i];
		o.n_forwards = 1;
		CHECK_INT(net_plan_make(&o, &p, NULL), ==, -EINVAL);
	}
	for (size_t n = 1; n <= 2; n++) {
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;

		o.dns = dns;
		o.n_dns = n;
		CHECK_INT(net_plan_make(&o, &p, NULL), ==, n == 1 ? 0 : -EINVAL);
	}
	for (size_t n = LIMIT_NET_FORWARDS; n <= LIMIT_NET_FORWARDS + 1; n++) {
		auto_free struct net_forward *f = calloc(n, sizeof(*f));
		struct net_slirp_opts o = NET_SLIRP_OPTS_INIT;

		for (size_t i = 0; i < n; i++)
			f[i] = (struct net_forward){ NET_UDP, 1, 1, NULL, NULL };
		o.forwards = f;
		o.n_forwards = n;
		CHECK_INT(net_plan_make(&o, &p, NULL), ==, n == LIMIT_NET_FORWARDS ? 0 : -E2BIG);
	}
}
