/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf (the contract is in the header). */
#include "runtime/resolv.h"

#include <arpa/inet.h>
#include <errno.h>

#define SPACE " \t\r"

static bool to_binary(const char *word, struct in_addr *v4, struct in6_addr *v6, bool *ret_is_v4)
{
	char addr[INET6_ADDRSTRLEN];
	size_t n = strcspn(word, "%");

	*ret_is_v4 = inet_pton(AF_INET, word, v4) == 1;
	if (*ret_is_v4)
		return true;
	if (n >= sizeof(addr) || (word[n] == '%' && !word[n + 1]))
		return false;
	memcpy(addr, word, n);
	addr[n] = '\0';
	return inet_pton(AF_INET6, addr, v6) == 1;
}

bool resolv_is_address(const char *word)
{
	struct in6_addr v6;
	struct in_addr v4;
	bool is_v4;

	return to_binary(word, &v4, &v6, &is_v4);
}

bool resolv_is_loopback(const char *server)
{
	struct in6_addr v6;
	struct in_addr v4;
	bool is_v4;

	if (!to_binary(server, &v4, &v6, &is_v4))
		return false;
	if (is_v4)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET || v4.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6);
}

/* The words of a line, in place; those that are too long or too many are dropped. */
static int add_words(struct strv *list, char *rest)
{
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&rest, SPACE)))
		if (word[0] && strlen(word) <= LIMIT_RESOLV_WORD && list->n < LIMIT_RESOLV_WORDS)
			r = strv_add(list, word);
	return r;
}

static int add_server(struct resolv *rv, char *rest)
{
	char *word = rest + strspn(rest, SPACE);

	word[strcspn(word, SPACE)] = '\0';
	if (strlen(word) > LIMIT_RESOLV_WORD || !resolv_is_address(word) ||
		rv->servers.n == LIMIT_RESOLV_SERVERS)
		return 0;
	return strv_add(&rv->servers, word);
}

static int add_line(struct resolv *rv, char *line)
{
	size_t n = strcspn(line, SPACE);
	char *rest = line + n + (line[n] != '\0');

	line[n] = '\0';
	if (str_eq(line, "nameserver"))
		return add_server(rv, rest);
	if (str_eq(line, "options"))
		return add_words(&rv->options, rest);
	if (!str_eq(line, "search") && !str_eq(line, "domain"))
		return 0;
	strv_done(&rv->search);
	rv->search = (struct strv){ 0 };
	return add_words(&rv->search, rest);
}

int resolv_parse(const char *data, size_t len, struct resolv *ret)
{
	auto_resolv rv = { 0 };
	size_t start = 0, n;
	int r = 0;

	for (; r == 0 && start < len; start += n + 1) {
		const char *nl = memchr(data + start, '\n', len - start);
		auto_free char *line = NULL;

		n = nl ? (size_t)(nl - data) - start : len - start;
		if (memchr(data + start, '\0', n))
			continue;
		line = strndup(data + start, n);
		r = line ? add_line(&rv, line) : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret = rv;
	rv = (struct resolv){ 0 };
	return 0;
}

static int write_words(const char *key, const struct strv *list, struct buf *out)
{
	int r = 0;

	if (list->n == 0)
		return 0;
	r = buf_add_str(out, key);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = buf_printf(out, " %s", list->v[i]);
	return r < 0 ? r : buf_add_str(out, "\n");
}

int resolv_write(const struct resolv *rv, struct buf *out)
{
	int r;

	r = write_words("search", &rv->search, out);
	for (size_t i = 0; r == 0 && i < rv->servers.n; i++)
		r = buf_printf(out, "nameserver %s\n", rv->servers.v[i]);
	return r < 0 ? r : write_words("options", &rv->options, out);
}

void resolv_done(struct resolv *rv)
{
	strv_done(&rv->servers);
	strv_done(&rv->search);
	strv_done(&rv->options);
	*rv = (struct resolv){ 0 };
}
