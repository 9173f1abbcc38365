/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate (the contract is in the header). */
#include "image/authhdr.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static const char *skip_separators(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == ',')
		p++;
	return p;
}

static size_t token_len(const char *p)
{
	size_t n = 0;

	while (is_token_char(p[n]))
		n++;
	return n;
}

/*
 * A value: a token or a quoted string, with its escapes undone.  Return: what stands behind it, or
 * NULL if it is malformed.  *@fits becomes false if it does not fit into @ret, which is "" then.
 */
static const char *parse_value(const char *p, char *ret, size_t room, bool *fits)
{
	size_t n = 0;
	bool quoted = *p == '"';

	if (quoted)
		p++;
	while (quoted ? *p && *p != '"' : is_token_char(*p) || (*p && strchr("/:=?", *p))) {
		if (quoted && *p == '\\' && p[1])
			p++;
		/* Control characters have no place in a URL or scope. */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
		if (n + 1 < room)
			ret[n] = *p;
		n++;
		p++;
	}
	if (quoted && *p++ != '"')
		return NULL;
	*fits = n < room;
	ret[*fits ? n : 0] = '\0';
	return p;
}

static bool is_word(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

/* One NAME=VALUE into its field; unknown names are read and dropped. */
static const char *parse_param(const char *p, size_t name_len, struct challenge *c, bool *fits)
{
	char other[LIMIT_AUTH_PARAM_BYTES];
	char *field = other;
	size_t room = sizeof(other);
	const char *end;
	bool known = true;

	if (is_word(p, name_len, "realm"))
		field = c->realm;
	else if (is_word(p, name_len, "service"))
		field = c->service;
	else if (is_word(p, name_len, "scope"))
		field = c->scope;
	else if (is_word(p, name_len, "error"))
		field = c->error, room = sizeof(c->error);
	else
		known = false;
	end = skip_blanks(skip_blanks(p + name_len) + 1);
	end = parse_value(end, field, room, fits);
	if (!known)
		*fits = true;
	return end;
}

/* One challenge from its scheme on.  Return: where the next begins, or NULL: nothing more. */
static const char *parse_challenge(const char *p, struct challenge *c, bool *ok)
{
	size_t len = token_len(p);

	memset(c, 0, sizeof(*c));
	*ok = false;
	if (!len)
		return NULL;
	if (is_word(p, len, "basic"))
		c->scheme = AUTH_BASIC;
	else if (is_word(p, len, "bearer"))
		c->scheme = AUTH_BEARER;
	p = skip_blanks(p + len);
	*ok = true;
	for (;;) {
		bool fits = true;

		p = skip_separators(p);
		len = token_len(p);
		/* A word without "=" is the scheme of the next challenge. */
		if (!len || *skip_blanks(p + len) != '=')
			return *p ? p : NULL;
		p = parse_param(p, len, c, &fits);
		if (!p || !fits)
			*ok = false;
		if (!p)
			return NULL;
	}
}

void challenge_parse(const char *value, struct challenge *ret)
{
	const char *p = skip_separators(value);

	while (p && *p) {
		struct challenge c;
		bool ok;
		const char *next = parse_challenge(p, &c, &ok);

		if (ok && c.scheme > ret->scheme)
			*ret = c;
		/* No progress: something that is no token. */
		if (next == p)
			return;
		p = next;
	}
}
