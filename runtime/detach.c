/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that detach (the contract is in the header). */
#include "runtime/detach.h"

#include "base/str.h"

#include <ctype.h>

static int parse_key(const char *word, size_t len)
{
	if (len == 1 && (unsigned char)word[0] < 0x80)
		return word[0];
	if (len == 6 && strncmp(word, "ctrl-", 5) == 0) {
		char c = (char)toupper((unsigned char)word[5]);

		if (c >= '@' && c <= '_')
			return c & 0x1f;
	}
	return -EINVAL;
}

int detach_parse(const char *text, struct detach *ret, struct err *err)
{
	struct detach d = { 0 };

	for (const char *s = text; *s;) {
		size_t len = strcspn(s, ",");
		int key;

		if (len == 0 && *s == ',') /* the comma itself */
			len = 1;
		key = parse_key(s, len);
		if (key < 0 || d.n == LIMIT_DETACH_KEYS) {
			err_say(err, -EINVAL, "'%.64s' are no detach keys", text);
			return err_hint(err, -EINVAL, "--detach-keys ctrl-p,ctrl-q");
		}
		d.keys[d.n++] = (char)key;
		s += len;
		s += *s == ',';
	}
	*ret = d;
	return 0;
}

/* How many keys stand at the end of keys[0..seen) and @c: the longest beginning that fits. */
static size_t advance(const struct detach *d, char c, size_t *ret_dropped)
{
	for (size_t drop = 0; drop <= d->seen; drop++) {
		size_t kept = d->seen - drop;

		if (d->keys[kept] == c && memcmp(d->keys, d->keys + drop, kept) == 0) {
			*ret_dropped = drop;
			return kept + 1;
		}
	}
	*ret_dropped = d->seen;
	return 0;
}

bool detach_feed(struct detach *d, const char *data, size_t len, char *ret, size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		size_t dropped = 0;
		size_t seen = d->n ? advance(d, data[i], &dropped) : 0;

		/* What was held back, and turned out to be input. */
		memcpy(ret + n, d->keys, dropped);
		n += dropped;
		if (seen == 0)
			ret[n++] = data[i];
		d->seen = seen;
		if (d->n && seen == d->n) {
			d->seen = 0;
			*ret_len = n;
			return true;
		}
	}
	*ret_len = n;
	return false;
}
