/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a network's own DNS answers (the contract is in the header). */
#include "runtime/dns_names.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>

#define SPACE " \t\r"
enum { CLASS_IN = 1, CLASS_ANY = 255 };

struct dns_names_entry {
	struct dns_name name, reverse;
	uint8_t addr[16];
	uint8_t addr_len; /* 4 or 16 */
};

static int entry_add(struct dns_names *names, const struct dns_names_entry *e)
{
	size_t room = names->room ? names->room * 2 : 8;
	struct dns_names_entry *v;

	if (names->n == LIMIT_DNS_NAMES)
		return -E2BIG;
	if (names->n == names->room) {
		v = realloc(names->v, room * sizeof(*v));
		if (!v)
			return -ENOMEM;
		names->v = v;
		names->room = room;
	}
	names->v[names->n++] = *e;
	return 0;
}

static int add_line(struct dns_names *names, char *line)
{
	struct dns_names_entry e = { 0 };
	char *word;
	int r = 0;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, SPACE);
	word = strsep(&line, SPACE);
	if (inet_pton(AF_INET, word, e.addr) == 1)
		e.addr_len = 4;
	else if (inet_pton(AF_INET6, word, e.addr) == 1)
		e.addr_len = 16;
	else
		return 0;
	dns_name_of_address(e.addr_len == 4 ? AF_INET : AF_INET6, e.addr, &e.reverse);
	while (r == 0 && (word = strsep(&line, SPACE)))
		if (dns_name_from_text(word, &e.name) == 0)
			r = entry_add(names, &e);
	return r;
}

int dns_names_parse(const char *text, size_t len, struct dns_names *ret)
{
	struct dns_names names = { 0 };
	int r = 0;

	for (size_t start = 0, n; r == 0 && start < len; start += n + 1) {
		const char *nl = memchr(text + start, '\n', len - start);
		auto_free char *line = NULL;

		n = nl ? (size_t)(nl - text) - start : len - start;
		line = strndup(text + start, n);
		r = line ? add_line(&names, line) : -ENOMEM;
	}
	if (r < 0)
		dns_names_done(&names);
	else
		*ret = names;
	return r;
}

void dns_names_done(struct dns_names *names)
{
	free(names->v);
	*names = (struct dns_names){ 0 };
}

static int add_address(
	struct dns_reply *reply, const struct dns_question *q, const struct dns_names_entry *e)
{
	enum dns_type type = e->addr_len == 4 ? DNS_A : DNS_AAAA;

	if (q->type != type && q->type != DNS_ANY)
		return 0;
	return dns_reply_add(reply, type, e->addr, e->addr_len) == 0;
}

bool dns_names_answer(const struct dns_names *names, const uint8_t *query,
	const struct dns_question *q, struct dns_reply *ret)
{
	bool known = false;
	int n = 0;

	if (q->klass != CLASS_IN && q->klass != CLASS_ANY)
		return false;
	dns_reply_begin(ret, query, q, DNS_NOERROR);
	for (size_t i = 0; i < names->n && n < LIMIT_DNS_ADDRESSES; i++) {
		const struct dns_names_entry *e = &names->v[i];

		if (dns_name_equal(&e->name, &q->name)) {
			known = true;
			n += add_address(ret, q, e);
		} else if (dns_name_equal(&e->reverse, &q->name)) {
			known = true;
			if (q->type == DNS_PTR || q->type == DNS_ANY)
				(void)dns_reply_add(ret, DNS_PTR, e->name.wire, e->name.len);
			break;
		}
	}
	return known;
}
