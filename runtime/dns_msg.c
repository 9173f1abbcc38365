/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages (the contract is in the header). */
#include "runtime/dns_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_RD = 0x0100, FLAG_RA = 0x0080 };
enum { OPCODE_MASK = 0x7800, RCODE_MASK = 0x000f };
enum { LABEL_MAX = 63, CLASS_IN = 1 };
/* Containers come and go with their addresses: nobody shall remember them. */
enum { TTL_LOCAL_S = 0 };
/* A pointer to the name behind the header, RFC 1035 4.1.4 */
enum { POINTER_TO_QUESTION = 0xc000 | DNS_HEADER_LEN };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

/* A name that is not compressed, as the first of a message must be.  Return: bytes, or -EINVAL. */
static int parse_name(const uint8_t *at, size_t room, struct dns_name *ret)
{
	size_t n = 0;

	for (;;) {
		size_t label = n < room ? at[n] : LABEL_MAX + 1;

		if (label > LABEL_MAX || n + 1 + label > room || n + 1 + label > LIMIT_DNS_NAME)
			return -EINVAL;
		ret->wire[n] = (uint8_t)label;
		for (size_t i = n + 1; i <= n + label; i++)
			ret->wire[i] = lower(at[i]);
		n += 1 + label;
		if (label == 0)
			break;
	}
	ret->len = n;
	return (int)n;
}

static int parse_question(const uint8_t *msg, size_t len, struct dns_question *ret)
{
	size_t at = DNS_HEADER_LEN;
	int n;

	if (get16(msg + 4) != 1)
		return -EINVAL;
	n = parse_name(msg + at, len - at, &ret->name);
	if (n < 0)
		return n;
	at += (size_t)n;
	if (len - at < 4)
		return -EINVAL;
	ret->type = get16(msg + at);
	ret->klass = get16(msg + at + 2);
	ret->end = at + 4;
	return 0;
}

int dns_parse_query(const uint8_t *msg, size_t len, struct dns_question *ret)
{
	*ret = (struct dns_question){ 0 };
	if (len < DNS_HEADER_LEN || get16(msg + 2) & FLAG_QR)
		return -EBADMSG;
	ret->id = get16(msg);
	ret->flags = get16(msg + 2);
	if (ret->flags & OPCODE_MASK)
		return -EOPNOTSUPP;
	return parse_question(msg, len, ret);
}

bool dns_is_answer(const struct dns_question *q, uint16_t id, const uint8_t *msg, size_t len)
{
	struct dns_question own;

	if (len < DNS_HEADER_LEN || get16(msg) != id || !(get16(msg + 2) & FLAG_QR))
		return false;
	/* Servers that make nothing of a question may leave it out. */
	if (get16(msg + 4) == 0)
		return dns_rcode_of(msg) != DNS_NOERROR;
	return parse_question(msg, len, &own) == 0 && own.type == q->type &&
	       own.klass == q->klass && dns_name_equal(&own.name, &q->name);
}

enum dns_rcode dns_rcode_of(const uint8_t *msg)
{
	return get16(msg + 2) & RCODE_MASK;
}

void dns_set_id(uint8_t *msg, uint16_t id)
{
	put16(msg, id);
}

int dns_name_from_text(const char *text, struct dns_name *ret)
{
	size_t n = 0;

	if (*text == '\0')
		return -EINVAL;
	for (;;) {
		size_t label = strcspn(text, ".");

		if (label == 0 || label > LABEL_MAX || n + 1 + label + 1 > LIMIT_DNS_NAME)
			return -EINVAL;
		ret->wire[n++] = (uint8_t)label;
		for (size_t i = 0; i < label; i++)
			ret->wire[n++] = lower((uint8_t)text[i]);
		text += label;
		if (*text == '\0' || *++text == '\0')
			break;
	}
	ret->wire[n++] = 0;
	ret->len = n;
	return 0;
}

void dns_name_of_address(int family, const void *addr, struct dns_name *ret)
{
	char text[80];
	const uint8_t *a = addr;
	int n = 0;

	if (family == AF_INET) {
		(void)snprintf(
			text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", a[3], a[2], a[1], a[0]);
	} else {
		for (int i = 15; i >= 0; i--)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%x.%x.", a[i] & 15U,
				a[i] >> 4U);
		(void)snprintf(text + n, sizeof(text) - (size_t)n, "ip6.arpa");
	}
	(void)dns_name_from_text(text, ret);
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

void dns_reply_begin(struct dns_reply *r, const uint8_t *query, const struct dns_question *q,
	enum dns_rcode rcode)
{
	uint16_t flags = (uint16_t)(FLAG_QR | FLAG_RA | (q->flags & (OPCODE_MASK | FLAG_RD)));

	r->len = q->end ? q->end : DNS_HEADER_LEN;
	memcpy(r->msg, query, r->len);
	put16(r->msg, q->id);
	put16(r->msg + 2, (uint16_t)(flags | rcode));
	put16(r->msg + 4, q->end ? 1 : 0);
	memset(r->msg + 6, 0, 6);
}

int dns_reply_add(struct dns_reply *r, enum dns_type type, const void *data, size_t len)
{
	uint8_t *at = r->msg + r->len;

	if (sizeof(r->msg) - r->len < 12 + len)
		return -ENOSPC;
	put16(at, POINTER_TO_QUESTION);
	put16(at + 2, (uint16_t)type);
	put16(at + 4, CLASS_IN);
	put16(at + 6, 0);
	put16(at + 8, TTL_LOCAL_S);
	put16(at + 10, (uint16_t)len);
	memcpy(at + 12, data, len);
	r->len += 12 + len;
	put16(r->msg + 6, (uint16_t)(get16(r->msg + 6) + 1));
	put16(r->msg + 2, (uint16_t)(get16(r->msg + 2) | FLAG_AA));
	return 0;
}
