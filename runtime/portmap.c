/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports (the contract is in the header). */
#include "runtime/portmap.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>

struct range {
	uint16_t first, last; /* 0, 0: not given */
};

/* "80" or "80-90"; "" is not given. */
static int parse_range(char *text, struct range *ret, struct err *err)
{
	uint64_t first, last;
	char *dash = strchr(text, '-');

	if (!text[0]) {
		*ret = (struct range){ 0, 0 };
		return 0;
	}
	if (dash)
		*dash++ = '\0';
	if (str_to_u64(text, UINT16_MAX, &first) < 0 || first == 0)
		return err_say(err, -EINVAL, "'%.64s' is not a port", text);
	if (!dash)
		last = first;
	else if (str_to_u64(dash, UINT16_MAX, &last) < 0 || last == 0)
		return err_say(err, -EINVAL, "'%.64s' is not a port", dash);
	if (last < first)
		return err_say(err, -EINVAL, "the range ends before it begins");
	*ret = (struct range){ (uint16_t)first, (uint16_t)last };
	return 0;
}

/* Takes "/tcp" or "/udp" off the end. */
static int parse_proto(char *text, enum net_proto *ret, struct err *err)
{
	char *slash = strchr(text, '/');

	*ret = NET_TCP;
	if (!slash)
		return 0;
	*slash++ = '\0';
	if (str_eq(slash, "udp"))
		*ret = NET_UDP;
	else if (!str_eq(slash, "tcp"))
		return err_say(err, -EINVAL, "protocol '%.64s' is not tcp or udp", slash);
	return 0;
}

/* Takes "IP:" off the front, if it is there; what is left goes to @ret_rest. */
static int parse_addr(char *text, char addr[INET6_ADDRSTRLEN], char **ret_rest, struct err *err)
{
	char *end, *first, *second;
	unsigned char bin[sizeof(struct in6_addr)];
	int family = AF_INET;

	addr[0] = '\0';
	*ret_rest = text;
	first = strchr(text, ':');
	second = first ? strchr(first + 1, ':') : NULL;
	if (text[0] == '[') {
		family = AF_INET6;
		end = strchr(++text, ']');
		if (!end || end[1] != ':')
			return err_say(err, -EINVAL, "']:' does not follow the address");
		*end++ = '\0';
	} else if (second && strchr(second + 1, ':')) {
		return err_hint(err, err_say(err, -EINVAL, "more than two colons"),
			"an IPv6 address stands in brackets: [::1]:8080:80");
	} else if (second) {
		end = first;
	} else {
		return 0;
	}
	*end++ = '\0';
	if (strlen(text) >= INET6_ADDRSTRLEN || inet_pton(family, text, bin) != 1)
		return err_say(err, -EINVAL, "'%.64s' is not an %s address", text,
			family == AF_INET ? "IPv4" : "IPv6");
	/* One spelling of an address, so that equal ones compare equal. */
	(void)inet_ntop(family, bin, addr, INET6_ADDRSTRLEN);
	*ret_rest = end;
	return 0;
}

static bool is_taken(const struct portmap *map, const struct port *port)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct port *p = &map->v[i];

		if (port->host_port && p->host_port == port->host_port && p->proto == port->proto &&
			str_eq(p->host_addr, port->host_addr))
			return true;
	}
	return false;
}

static int add_port(struct portmap *map, const struct port *port, struct err *err)
{
	struct port *v;

	if (map->n == LIMIT_NET_FORWARDS)
		return err_say(err, -E2BIG, "more than %d ports are published", LIMIT_NET_FORWARDS);
	if (is_taken(map, port))
		return err_say(err, -EINVAL, "host port %u is published twice", port->host_port);
	v = reallocarray(map->v, map->n + 1, sizeof(*v));
	if (!v)
		return err_set(err, -ENOMEM, "cannot publish a port");
	map->v = v;
	v[map->n++] = *port;
	return 0;
}

static int parse(struct portmap *map, char *text, struct err *err)
{
	struct range host = { 0 }, guest = { 0 };
	struct port port = { 0 };
	char *rest = text, *colon;
	int r;

	r = parse_proto(text, &port.proto, err);
	if (r == 0)
		r = parse_addr(text, port.host_addr, &rest, err);
	if (r < 0)
		return r;
	colon = strchr(rest, ':');
	if (colon) {
		*colon++ = '\0';
		if (strchr(colon, ':'))
			return err_say(err, -EINVAL, "more than two colons");
		r = parse_range(rest, &host, err);
	}
	if (r == 0)
		r = parse_range(colon ? colon : rest, &guest, err);
	if (r < 0)
		return r;
	if (guest.first == 0)
		return err_say(err, -EINVAL, "the container's port is missing");
	if (host.first && host.last - host.first != guest.last - guest.first)
		return err_say(err, -EINVAL, "the ranges have different lengths");
	for (unsigned int i = 0; r == 0 && i <= (unsigned int)(guest.last - guest.first); i++) {
		port.host_port = host.first ? (uint16_t)(host.first + i) : 0;
		port.guest_port = (uint16_t)(guest.first + i);
		r = add_port(map, &port, err);
	}
	return r;
}

int portmap_add(struct portmap *map, const char *text, struct err *err)
{
	auto_free char *copy = strdup(text);
	size_t before = map->n;
	int r;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot read -p");
	r = parse(map, copy, err);
	if (r < 0) {
		map->n = before;
		return err_wrap(err, r, "-p '%.128s'", text);
	}
	return 0;
}

void portmap_done(struct portmap *map)
{
	free(map->v);
	*map = (struct portmap){ 0 };
}
