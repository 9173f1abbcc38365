/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of named networks (the contract is in the header). */
#include "runtime/netdef.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

enum { FORMAT = 1 };
/* Networks without a subnet of their own begin at 10.89.0.0/24 and end at 10.255.255.0/24. */
enum { FIRST_SECOND_BYTE = 89, LAST_SECOND_BYTE = 255 };

void netdef_done(struct net_def *d)
{
	strv_done(&d->dns);
	strv_done(&d->labels);
	free(d->leases);
	memset(d, 0, sizeof(*d));
}

int netdef_check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool good = len > 0 && len <= LIMIT_NET_NAME && isalnum((unsigned char)name[0]);

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (!good)
		return err_say(err, -EINVAL,
			"'%.80s' is no name of a network: letters, digits, '_', '.', '-'", name);
	return 0;
}

void netdef_opts(const struct net_def *d, struct net_slirp_opts *ret, const char **dns)
{
	*ret = (struct net_slirp_opts)NET_SLIRP_OPTS_INIT;
	ret->cidr = d->cidr;
	ret->gateway = d->gateway;
	ret->prefix6 = d->prefix6[0] ? d->prefix6 : NULL;
	ret->enable_ipv6 = d->prefix6[0];
	ret->mtu = d->mtu;
	ret->flags = d->internal ? NET_INTERNAL : 0;
	ret->dns = dns;
	for (size_t i = 0; i < d->dns.n && i < LIMIT_NET_DNS; i++)
		dns[ret->n_dns++] = d->dns.v[i];
}

static uint32_t host_of(const struct net_plan *p, struct in_addr a)
{
	return ntohl(a.s_addr & ~p->mask.s_addr);
}

static struct in_addr address_of(const struct net_plan *p, uint32_t host)
{
	return (struct in_addr){ htonl(ntohl(p->network.s_addr) + host) };
}

void netdef_set_guest(struct net_plan *plan, struct in_addr ip)
{
	uint32_t host = host_of(plan, ip);

	plan->guest = ip;
	plan->guest6 = plan->network6;
	for (int i = 0; i < 4; i++)
		plan->guest6.s6_addr[15 - i] = (uint8_t)(host >> 8 * i);
	inet_ntop(AF_INET, &plan->guest, plan->guest_text, sizeof(plan->guest_text));
	inet_ntop(AF_INET6, &plan->guest6, plan->guest6_text, sizeof(plan->guest6_text));
}

/* The first address that is neither the gateway's nor that of DNS. */
static struct in_addr bridge_address(const struct net_plan *p)
{
	uint32_t host = 1;

	while (host == host_of(p, p->gateway) || host == host_of(p, p->dns) || host == 2)
		host++;
	return address_of(p, host);
}

int netdef_plan(const struct net_def *d, struct net_plan *ret, struct err *err)
{
	const char *dns[LIMIT_NET_DNS];
	struct net_slirp_opts opts;
	int r;

	netdef_opts(d, &opts, dns);
	r = net_plan_make(&opts, ret, err);
	if (r >= 0)
		netdef_set_guest(ret, bridge_address(ret));
	return r;
}

/* ---- JSON ---- */

static int add_strings(json_t *list, struct strv *ret, size_t max)
{
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *s = json_string_value(item);

		if (!s || strlen(s) > LIMIT_NET_WORD || i >= max)
			return -EBADMSG;
		if (strv_add(ret, s) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int copy_member(const json_t *j, const char *key, char *ret, size_t size)
{
	const char *s = json_get_str(j, key);

	if (!s || strlen(s) >= size)
		return -EBADMSG;
	memcpy(ret, s, strlen(s) + 1);
	return 0;
}

static int parse_mac(const char *text, uint8_t mac[6])
{
	struct net_slirp_opts opts = NET_SLIRP_OPTS_INIT;
	struct net_plan plan;
	int r;

	opts.mac = text;
	r = net_plan_make(&opts, &plan, NULL);
	if (r >= 0)
		memcpy(mac, plan.mac, sizeof(plan.mac));
	return r;
}

static int parse_lease(const json_t *j, struct net_lease *ret)
{
	char ip[INET_ADDRSTRLEN], mac[18];
	uint64_t pid, start;

	if (copy_member(j, "id", ret->id, sizeof(ret->id)) < 0 ||
		copy_member(j, "name", ret->name, sizeof(ret->name)) < 0 ||
		copy_member(j, "ip", ip, sizeof(ip)) < 0 ||
		copy_member(j, "mac", mac, sizeof(mac)) < 0 ||
		inet_pton(AF_INET, ip, &ret->ip) != 1 || parse_mac(mac, ret->mac) < 0 ||
		json_get_u64(j, "pid", &pid) < 0 || pid > INT32_MAX ||
		json_get_u64(j, "start", &start) < 0)
		return -EBADMSG;
	ret->holder = (struct proc_id){ (pid_t)pid, start };
	return 0;
}

static int parse_leases(const json_t *list, struct net_def *d)
{
	size_t n = json_array_size(list);

	if (n > LIMIT_NET_LEASES)
		return -EBADMSG;
	d->leases = calloc(n + 1, sizeof(*d->leases));
	if (!d->leases)
		return -ENOMEM;
	for (; d->n_leases < n; d->n_leases++) {
		struct net_lease *l = &d->leases[d->n_leases];

		if (parse_lease(json_array_get(list, d->n_leases), l) < 0 || !l->id[0] ||
			ipam_find(d, l->id))
			return -EBADMSG;
	}
	return 0;
}

static int parse_members(json_t *j, struct net_def *d)
{
	uint64_t format, mtu, created;
	int r;

	if (json_get_u64(j, "format", &format) < 0 || format != FORMAT ||
		json_get_u64(j, "mtu", &mtu) < 0 || mtu > NET_MTU_MAX ||
		json_get_u64(j, "created", &created) < 0 || created > INT64_MAX ||
		copy_member(j, "name", d->name, sizeof(d->name)) < 0 ||
		copy_member(j, "subnet", d->cidr, sizeof(d->cidr)) < 0 ||
		copy_member(j, "gateway", d->gateway, sizeof(d->gateway)) < 0 ||
		copy_member(j, "prefix6", d->prefix6, sizeof(d->prefix6)) < 0)
		return -EBADMSG;
	d->mtu = (unsigned)mtu;
	d->created_s = (int64_t)created;
	d->internal = json_is_true(json_object_get(j, "internal"));
	r = add_strings(json_object_get(j, "dns"), &d->dns, LIMIT_NET_DNS);
	if (r >= 0)
		r = add_strings(json_object_get(j, "labels"), &d->labels, LIMIT_NET_LABELS);
	return r < 0 ? r : parse_leases(json_object_get(j, "leases"), d);
}

int netdef_parse(const char *text, size_t len, struct net_def *ret, struct err *err)
{
	auto_netdef d = { 0 };
	auto_json *j = NULL;
	struct net_plan plan;
	int r;

	r = json_parse(text, len, "network", &j, err);
	if (r < 0)
		return r;
	r = parse_members(j, &d);
	if (r < 0)
		return err_say(err, r,
			r == -ENOMEM ? "out of memory" : "this is not the definition of a network");
	if (netdef_check_name(d.name, err) < 0 || netdef_plan(&d, &plan, err) < 0)
		return -EBADMSG;
	*ret = d;
	memset(&d, 0, sizeof(d));
	return 0;
}

static json_t *strings_json(const struct strv *sv)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < sv->n; i++)
		(void)json_array_append_new(list, json_string(sv->v[i]));
	return list;
}

static json_t *leases_json(const struct net_def *d)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < d->n_leases; i++) {
		const struct net_lease *l = &d->leases[i];
		char ip[INET_ADDRSTRLEN] = "", mac[18];

		inet_ntop(AF_INET, &l->ip, ip, sizeof(ip));
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", l->mac[0], l->mac[1],
			l->mac[2], l->mac[3], l->mac[4], l->mac[5]);
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "id", l->id, "name",
				      l->name, "ip", ip, "mac", mac, "pid", (int)l->holder.pid,
				      "start", (json_int_t)l->holder.start));
	}
	return list;
}

int netdef_dump(const struct net_def *d, struct buf *ret)
{
	auto_json *j = json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:i, s:I, s:o, s:o, s:o}",
		"format", FORMAT, "name", d->name, "subnet", d->cidr, "gateway", d->gateway,
		"prefix6", d->prefix6, "internal", d->internal, "mtu", (int)d->mtu, "created",
		(json_int_t)d->created_s, "dns", strings_json(&d->dns), "labels",
		strings_json(&d->labels), "leases", leases_json(d));
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;

	return text ? buf_printf(ret, "%s\n", text) : -ENOMEM;
}

/* ---- subnets ---- */

bool netdef_overlaps(const struct net_def *a, const struct net_def *b)
{
	struct net_plan pa, pb;
	in_addr_t mask;

	if (netdef_plan(a, &pa, NULL) < 0 || netdef_plan(b, &pb, NULL) < 0)
		return false;
	mask = pa.mask.s_addr & pb.mask.s_addr;
	return (pa.network.s_addr & mask) == (pb.network.s_addr & mask);
}

int netdef_choose_subnet(const struct net_def *others, size_t n, char *ret, struct err *err)
{
	struct net_def d = { 0 };

	for (int second = FIRST_SECOND_BYTE; second <= LAST_SECOND_BYTE; second++)
		for (int third = 0; third <= UINT8_MAX; third++) {
			bool taken = false;

			snprintf(d.cidr, sizeof(d.cidr), "10.%d.%d.0/24", second, third);
			snprintf(d.gateway, sizeof(d.gateway), "10.%d.%d.1", second, third);
			for (size_t i = 0; !taken && i < n; i++)
				taken = netdef_overlaps(&d, &others[i]);
			if (!taken) {
				snprintf(ret, sizeof(d.cidr), "%s", d.cidr);
				return 0;
			}
		}
	return err_say(err, -ENOSPC, "no network of 10.89.0.0 to 10.255.255.0 is free");
}

/* ---- addresses ---- */

struct net_lease *ipam_find(const struct net_def *d, const char *id)
{
	for (size_t i = 0; i < d->n_leases; i++)
		if (str_eq(d->leases[i].id, id))
			return &d->leases[i];
	return NULL;
}

static void remove_at(struct net_def *d, size_t i)
{
	memmove(&d->leases[i], &d->leases[i + 1], (d->n_leases - i - 1) * sizeof(d->leases[0]));
	d->n_leases--;
}

void ipam_release(struct net_def *d, const char *id)
{
	for (size_t i = 0; i < d->n_leases; i++)
		if (str_eq(d->leases[i].id, id)) {
			remove_at(d, i);
			return;
		}
}

static void reclaim(struct net_def *d, const struct net_wish *wish)
{
	for (size_t i = d->n_leases; i > 0; i--)
		if (!str_eq(d->leases[i - 1].id, wish->id) &&
			!wish->is_alive(&d->leases[i - 1].holder))
			remove_at(d, i - 1);
}

static bool is_reserved(const struct net_plan *p, uint32_t host)
{
	uint32_t last = ntohl(~p->mask.s_addr);
	uint32_t dhcp = host_of(p, p->dhcp);

	/* 2 and 3 because ::2 and ::3 are the gateway and DNS of IPv6 */
	return host <= 3 || host >= last || host == host_of(p, p->gateway) ||
	       host == host_of(p, p->dns) || host == host_of(p, p->guest) ||
	       (host >= dhcp && host < dhcp + NET_DHCP_ADDRESSES);
}

static bool is_taken(const struct net_def *d, struct in_addr ip, const char *id)
{
	for (size_t i = 0; i < d->n_leases; i++)
		if (d->leases[i].ip.s_addr == ip.s_addr && !str_eq(d->leases[i].id, id))
			return true;
	return false;
}

static int choose_ip(const struct net_def *d, const struct net_plan *p, struct in_addr *ret)
{
	uint32_t last = ntohl(~p->mask.s_addr);

	for (uint32_t host = 1; host < last; host++) {
		struct in_addr ip = address_of(p, host);

		if (is_reserved(p, host) || is_taken(d, ip, ""))
			continue;
		*ret = ip;
		return 0;
	}
	return -ENOSPC;
}

static int wished_ip(const struct net_def *d, const struct net_plan *p, const struct net_wish *wish,
	struct in_addr *ret, struct err *err)
{
	struct in_addr ip;

	if (inet_pton(AF_INET, wish->ip, &ip) != 1)
		return err_say(err, -EINVAL, "'%s' is not an IPv4 address", wish->ip);
	if ((ip.s_addr & p->mask.s_addr) != p->network.s_addr || is_reserved(p, host_of(p, ip)))
		return err_say(err, -EADDRNOTAVAIL,
			"network '%s' (%s) has no address %s for containers", d->name, d->cidr,
			wish->ip);
	if (is_taken(d, ip, wish->id))
		return err_say(err, -EADDRINUSE, "address %s of network '%s' is in use", wish->ip,
			d->name);
	*ret = ip;
	return 0;
}

static int grow(struct net_def *d, struct err *err)
{
	struct net_lease *v;

	if (d->n_leases == LIMIT_NET_LEASES)
		return err_say(err, -ENOSPC, "network '%s' has %d containers already", d->name,
			LIMIT_NET_LEASES);
	v = reallocarray(d->leases, d->n_leases + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "network '%s'", d->name);
	d->leases = v;
	return 0;
}

int ipam_lease(struct net_def *d, const struct net_wish *wish, const struct net_lease **ret,
	struct err *err)
{
	struct net_lease *old = NULL, lease = { .holder = wish->holder };
	struct net_plan p;
	int r;

	r = netdef_plan(d, &p, err);
	if (r < 0)
		return r;
	reclaim(d, wish);
	old = ipam_find(d, wish->id);
	if (wish->ip)
		r = wished_ip(d, &p, wish, &lease.ip, err);
	else if (old)
		lease.ip = old->ip;
	else if (choose_ip(d, &p, &lease.ip) < 0)
		r = err_say(
			err, -ENOSPC, "network '%s' (%s) has no free address", d->name, d->cidr);
	if (r < 0)
		return r;
	lease.mac[0] = 0x02;
	lease.mac[1] = 0x4c;
	memcpy(&lease.mac[2], &lease.ip, 4);
	if (wish->mac && parse_mac(wish->mac, lease.mac) < 0)
		return err_say(err, -EINVAL, "'%s' is not a MAC address", wish->mac);
	snprintf(lease.id, sizeof(lease.id), "%s", wish->id);
	snprintf(lease.name, sizeof(lease.name), "%s", wish->name);
	if (!old) {
		r = grow(d, err);
		if (r < 0)
			return r;
		old = &d->leases[d->n_leases++];
	}
	*old = lease;
	*ret = old;
	return 0;
}
