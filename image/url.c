/* SPDX-License-Identifier: Apache-2.0 */
/* URLs as far as trust is concerned (the contract is in the header). */
#include "image/url.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

static int parse_port(const char *p, size_t len, struct url *u)
{
	char digits[6];
	uint64_t n;

	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, p, len);
	digits[len] = '\0';
	if (str_to_u64(digits, 65535, &n) < 0 || n == 0)
		return -EINVAL;
	u->port = (unsigned int)n;
	return 0;
}

static int set_host(const char *p, size_t len, struct url *u)
{
	if (len == 0 || len >= sizeof(u->host))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		bool ok = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z') ||
			  (p[i] >= '0' && p[i] <= '9') || strchr(".-_:", p[i]);

		if (!ok)
			return -EINVAL;
		u->host[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] - 'A' + 'a') : p[i];
	}
	u->host[len] = '\0';
	return 0;
}

int url_parse(const char *text, struct url *ret)
{
	struct url u = { 0 };
	const char *p, *colon;
	size_t len, host_len;

	if (strlen(text) > LIMIT_URL_BYTES)
		return -EINVAL;
	for (p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f || *p == '\\')
			return -EINVAL;
	if (strncasecmp(text, "https://", 8) == 0)
		u.is_tls = true;
	else if (strncasecmp(text, "http://", 7) != 0)
		return -EINVAL;
	u.port = u.is_tls ? 443 : 80;
	p = text + (u.is_tls ? 8 : 7);
	len = strcspn(p, "/?#");
	if (memchr(p, '@', len))
		return -EINVAL;
	if (p[0] == '[') {
		const char *end = memchr(p, ']', len);

		if (!end)
			return -EINVAL;
		host_len = (size_t)(end - p) - 1;
		colon = end + 1 < p + len ? end + 1 : NULL;
		if (colon && *colon != ':')
			return -EINVAL;
		p++;
	} else {
		colon = memchr(p, ':', len);
		host_len = colon ? (size_t)(colon - p) : len;
	}
	if (set_host(p, host_len, &u) < 0)
		return -EINVAL;
	if (colon) {
		const char *end = text + (u.is_tls ? 8 : 7) + len;

		if (parse_port(colon + 1, (size_t)(end - colon) - 1, &u) < 0)
			return -EINVAL;
	}
	*ret = u;
	return 0;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->is_tls == b->is_tls && a->port == b->port && str_eq(a->host, b->host);
}

bool url_is_loopback(const struct url *u)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (str_eq(u->host, "localhost") || str_ends(u->host, ".localhost"))
		return true;
	if (inet_pton(AF_INET, u->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, u->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool url_is_private_line(const struct url *u)
{
	return u->is_tls || url_is_loopback(u);
}

bool url_may_follow(const struct url *from, const struct url *to, bool plain_allowed)
{
	if (to->is_tls)
		return true;
	return !from->is_tls && (url_is_loopback(to) || plain_allowed);
}

static bool is_address(const char *host)
{
	struct in_addr v4;

	return strchr(host, ':') || inet_pton(AF_INET, host, &v4) == 1;
}

bool url_may_hold_credentials(const struct url *registry, const struct url *realm)
{
	const char *parent;
	size_t n;

	if (!url_is_private_line(realm) || (registry->is_tls && !realm->is_tls))
		return false;
	if (str_eq(registry->host, realm->host))
		return true;
	if (is_address(registry->host) || is_address(realm->host))
		return false;
	parent = strchr(registry->host, '.');
	if (!parent || !strchr(parent + 1, '.'))
		parent = registry->host;
	else
		parent++;
	if (!strchr(parent, '.'))
		return false;
	n = strlen(realm->host) - (strlen(realm->host) < strlen(parent) ? 0 : strlen(parent));
	return str_ends(realm->host, parent) && (n == 0 || realm->host[n - 1] == '.');
}

char *url_escape(const char *s)
{
	auto_buf b = { 0 };

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~", c);
		int r = plain ? buf_add(&b, s, 1) : buf_printf(&b, "%%%02X", c);

		if (r < 0)
			return NULL;
	}
	return buf_take(&b);
}
