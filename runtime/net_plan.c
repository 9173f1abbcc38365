/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of a slirp network (the contract is in the header). */
#include "runtime/net_plan.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

/* Fixed places in the network, as slirp4netns numbers them */
enum { HOST_GATEWAY = 2, HOST_DNS = 3, HOST_DHCP = 15, HOST_GUEST = 100 };
/* .100 needs seven bits of host part; the rest, and the words of errors, are slirp4netns's. */
enum { PREFIX_MIN = 1, PREFIX_MAX = 25 };

static struct in_addr host_at(struct in_addr network, uint32_t host)
{
	return (struct in_addr){ htonl(ntohl(network.s_addr) + host) };
}

static int plan_cidr(struct net_plan *p, const char *cidr, struct err *err)
{
	char addr[INET_ADDRSTRLEN];
	const char *slash = strchr(cidr, '/');
	uint64_t len;

	if (!slash || (size_t)(slash - cidr) >= sizeof(addr))
		return err_say(err, -EINVAL,
			"invalid CIDR '%s': not an IPv4 network like 10.0.2.0/24", cidr);
	memcpy(addr, cidr, (size_t)(slash - cidr));
	addr[slash - cidr] = '\0';
	if (inet_pton(AF_INET, addr, &p->network) != 1 || str_to_u64(slash + 1, 32, &len) < 0)
		return err_say(err, -EINVAL,
			"invalid CIDR '%s': not an IPv4 network like 10.0.2.0/24", cidr);
	if (len < PREFIX_MIN || len > PREFIX_MAX)
		return err_say(err, -EINVAL, "network '%s': prefix length needs to be %d-%d", cidr,
			PREFIX_MIN, PREFIX_MAX);
	p->prefix_len = (unsigned)len;
	p->mask.s_addr = htonl(UINT32_MAX << (32 - len));
	if (p->network.s_addr & ~p->mask.s_addr)
		return err_say(err, -EINVAL,
			"CIDR needs to be a network address like 10.0.2.0/24, not like %s", cidr);
	if ((ntohl(p->network.s_addr) >> 24) == 127 || (ntohl(p->network.s_addr) >> 24) == 0 ||
		(ntohl(p->network.s_addr) >> 28) >= 0xe)
		return err_say(err, -EINVAL, "network '%s' is not made of host addresses", cidr);
	return 0;
}

/* The addresses behind a gateway of the user's choice move to where they disturb nobody. */
static int plan_hosts(struct net_plan *p, const char *gateway, struct err *err)
{
	uint32_t last = ntohl(~p->mask.s_addr) - 1, host;

	p->gateway = host_at(p->network, HOST_GATEWAY);
	p->dns = host_at(p->network, HOST_DNS);
	p->dhcp = host_at(p->network, HOST_DHCP);
	p->guest = host_at(p->network, HOST_GUEST);
	if (gateway) {
		if (inet_pton(AF_INET, gateway, &p->gateway) != 1 ||
			(p->gateway.s_addr & p->mask.s_addr) != p->network.s_addr)
			return err_say(err, -EINVAL, "gateway '%s' is not in the network", gateway);
		host = ntohl(p->gateway.s_addr & ~p->mask.s_addr);
		if (host == 0 || host > last)
			return err_say(
				err, -EINVAL, "gateway '%s' is no address of a host", gateway);
		p->dns = host_at(p->network, host < last ? host + 1 : host - 1);
		p->dhcp = host_at(p->network, last - NET_DHCP_ADDRESSES + 1);
	}
	inet_ntop(AF_INET, &p->gateway, p->gateway_text, sizeof(p->gateway_text));
	inet_ntop(AF_INET, &p->dns, p->dns_text, sizeof(p->dns_text));
	inet_ntop(AF_INET, &p->guest, p->guest_text, sizeof(p->guest_text));
	return 0;
}

static struct in6_addr host6_at(const struct in6_addr *network, uint16_t host)
{
	struct in6_addr a = *network;

	a.s6_addr[14] = (uint8_t)(host >> 8);
	a.s6_addr[15] = (uint8_t)host;
	return a;
}

static int plan_ipv6(struct net_plan *p, const char *prefix, struct err *err)
{
	static const uint8_t zero[8];

	if (inet_pton(AF_INET6, prefix ? prefix : "fd00::", &p->network6) != 1 ||
		memcmp(&p->network6.s6_addr[8], zero, sizeof(zero)) != 0 ||
		(p->network6.s6_addr[0] & 0xe0) == 0 || p->network6.s6_addr[0] >= 0xfe)
		return err_say(err, -EINVAL, "'%s' is not an IPv6 network of 64 bits", prefix);
	p->gateway6 = host6_at(&p->network6, 2);
	p->dns6 = host6_at(&p->network6, 3);
	p->guest6 = host6_at(&p->network6, 0x100);
	inet_ntop(AF_INET6, &p->gateway6, p->gateway6_text, sizeof(p->gateway6_text));
	inet_ntop(AF_INET6, &p->dns6, p->dns6_text, sizeof(p->dns6_text));
	inet_ntop(AF_INET6, &p->guest6, p->guest6_text, sizeof(p->guest6_text));
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int plan_mac(struct net_plan *p, const char *mac, struct err *err)
{
	for (size_t i = 0; i < 6; i++) {
		const char *at = mac + 3 * i;
		int hi, lo;

		hi = strlen(mac) == 17 ? hex_digit(at[0]) : -1;
		lo = hi < 0 ? -1 : hex_digit(at[1]);
		if (lo < 0 || at[2] != (i == 5 ? '\0' : ':'))
			return err_say(err, -EINVAL, "'%s' is not a MAC address", mac);
		p->mac[i] = (uint8_t)(hi << 4 | lo);
	}
	if (p->mac[0] & 1)
		return err_say(err, -EINVAL, "MAC address '%s' is a multicast address", mac);
	p->has_mac = true;
	return 0;
}

static int check_tapname(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, "..") ||
		strpbrk(name, "/: \t\n%"))
		return err_say(err, -EINVAL, "'%s' is not a name for an interface", name);
	return 0;
}

static int endpoint_parse(const char *addr, uint16_t port, struct net_endpoint *ret)
{
	*ret = (struct net_endpoint){ 0 };
	if (inet_pton(AF_INET, addr, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons(port);
		ret->len = sizeof(ret->in);
		return 0;
	}
	if (inet_pton(AF_INET6, addr, &ret->in6.sin6_addr) == 1) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons(port);
		ret->len = sizeof(ret->in6);
		return 0;
	}
	return -EINVAL;
}

int net_plan_forward(const struct net_plan *plan, const struct net_forward *f,
	struct net_endpoint *ret_host, struct net_endpoint *ret_guest, struct err *err)
{
	const char *host_addr = f->host_addr ? f->host_addr : "0.0.0.0";
	struct net_endpoint host, guest;
	const char *guest_addr;

	if ((unsigned)f->proto >= NET_PROTO_MAX_)
		return err_say(err, -EINVAL, "forward: unknown protocol");
	if (f->guest_port == 0)
		return err_say(err, -EINVAL, "forward: the container's port must be 1 to 65535");
	if (endpoint_parse(host_addr, f->host_port, &host) < 0)
		return err_say(err, -EINVAL, "forward: '%s' is not an IP address", host_addr);
	guest_addr = f->guest_addr;
	if (!guest_addr)
		guest_addr = host.sa.sa_family == AF_INET || (plan->any_family && !plan->ipv6)
				     ? plan->guest_text
				     : plan->guest6_text;
	if (endpoint_parse(guest_addr, f->guest_port, &guest) < 0)
		return err_say(err, -EINVAL, "forward: '%s' is not an IP address", guest_addr);
	if (host.sa.sa_family != guest.sa.sa_family && !plan->any_family)
		return err_say(err, -EINVAL, "forward: '%s' and '%s' are of different IP versions",
			host_addr, guest_addr);
	if (guest.sa.sa_family == AF_INET6 && !plan->ipv6)
		return err_hint(err,
			err_say(err, -EINVAL, "forward: '%s' needs IPv6 in the network",
				guest_addr),
			"add enable_ipv6=true to the network's options");
	*ret_host = host;
	*ret_guest = guest;
	return 0;
}

static int check_dns(const struct net_slirp_opts *opts, struct err *err)
{
	struct net_endpoint e;

	if (opts->n_dns > LIMIT_NET_DNS)
		return err_say(err, -E2BIG, "more than %d DNS servers", LIMIT_NET_DNS);
	for (size_t i = 0; i < opts->n_dns; i++)
		if (endpoint_parse(opts->dns[i], 53, &e) < 0)
			return err_say(
				err, -EINVAL, "DNS server '%s' is not an IP address", opts->dns[i]);
	return 0;
}

int net_plan_make(const struct net_slirp_opts *opts, struct net_plan *ret, struct err *err)
{
	struct net_plan p = { .ipv6 = opts->enable_ipv6, .internal = opts->flags & NET_INTERNAL };
	struct net_endpoint host, guest;
	int r;

	p.mtu = opts->mtu ? opts->mtu : NET_MTU_DEFAULT;
	if (p.mtu < (p.ipv6 ? 1280U : 68U) || p.mtu > NET_MTU_MAX)
		return err_say(err, -EINVAL, "mtu %u is not between %u and %d", p.mtu,
			p.ipv6 ? 1280U : 68U, NET_MTU_MAX);
	r = plan_cidr(&p, opts->cidr ? opts->cidr : "10.0.2.0/24", err);
	if (r < 0)
		return r;
	r = plan_hosts(&p, opts->gateway, err);
	if (r >= 0)
		r = plan_ipv6(&p, opts->prefix6, err);
	if (r < 0)
		return r;
	if (opts->mac) {
		r = plan_mac(&p, opts->mac, err);
		if (r < 0)
			return r;
	}
	r = check_tapname(opts->tapname ? opts->tapname : "tap0", err);
	if (r < 0)
		return r;
	r = check_dns(opts, err);
	if (r < 0)
		return r;
	if (opts->n_forwards > LIMIT_NET_FORWARDS)
		return err_say(err, -E2BIG, "more than %d forwarded ports", LIMIT_NET_FORWARDS);
	for (size_t i = 0; i < opts->n_forwards; i++) {
		r = net_plan_forward(&p, &opts->forwards[i], &host, &guest, err);
		if (r < 0)
			return r;
	}
	*ret = p;
	return 0;
}

void net_plan_use_loopback(struct net_plan *plan)
{
	plan->guest.s_addr = htonl(INADDR_LOOPBACK);
	plan->guest6 = in6addr_loopback;
	plan->ipv6 = true;
	plan->any_family = true;
	snprintf(plan->guest_text, sizeof(plan->guest_text), "127.0.0.1");
	snprintf(plan->guest6_text, sizeof(plan->guest6_text), "::1");
}
