/* SPDX-License-Identifier: Apache-2.0 */
/* --userns (the contract is in the header). */
#include "runtime/usernsmode.h"

#include <errno.h>

#define LIMIT_ID 4294967294u

static int parse_keep_id(char *options, struct usernsmode *m, struct err *err)
{
	char *item;

	while (options && (item = strsep(&options, ","))) {
		uint64_t v;

		if (str_starts(item, "uid=") && str_to_u64(item + 4, LIMIT_ID, &v) == 0)
			m->uid = (uint32_t)v;
		else if (str_starts(item, "gid=") && str_to_u64(item + 4, LIMIT_ID, &v) == 0)
			m->gid = (uint32_t)v;
		else
			return err_say(err, -EINVAL,
				"--userns keep-id: '%.64s' is not uid=N or gid=N", item);
	}
	return 0;
}

int usernsmode_parse(
	const char *text, uint32_t uid, uint32_t gid, struct usernsmode *ret, struct err *err)
{
	struct usernsmode m = { .uid = uid, .gid = gid };
	auto_free char *copy = strdup(text ? text : "");
	char *rest = copy, *word;
	int r = 0;

	if (!copy)
		return err_set(err, -ENOMEM, "--userns");
	word = strsep(&rest, ":");
	if (str_eq(word, "keep-id")) {
		m.kind = USERNSMODE_KEEP_ID;
		r = parse_keep_id(rest, &m, err);
	} else if (str_eq(word, "nomap") && !rest) {
		m.kind = USERNSMODE_NOMAP;
	} else if (str_eq(word, "auto") || str_eq(word, "container") || str_eq(word, "ns")) {
		err_say(err, -EOPNOTSUPP, "--userns %s: not supported", text);
		return err_hint(err, -EOPNOTSUPP, "--userns nomap, keep-id or host");
	} else if ((*word && !str_eq(word, "host") && !str_eq(word, "private")) || rest) {
		return err_say(
			err, -EINVAL, "--userns '%.64s' is not keep-id, nomap or host", text);
	}
	if (r == 0)
		*ret = m;
	return r;
}

char *usernsmode_text(const struct usernsmode *m)
{
	switch (m->kind) {
	case USERNSMODE_KEEP_ID:
		return str_format("keep-id:uid=%u,gid=%u", m->uid, m->gid);
	case USERNSMODE_NOMAP:
		return strdup("nomap");
	case USERNSMODE_DEFAULT:
		break;
	}
	return strdup("host");
}

/* Ids 0…n-1, without a gap: what the parent namespace has by construction. */
static int count(const struct idmap *own, uint32_t *ret)
{
	uint32_t n = 0;

	for (size_t i = 0; i < own->n; i++) {
		if (own->v[i].inside != n)
			return -ERANGE;
		n += own->v[i].n;
	}
	*ret = n;
	return 0;
}

/* The kernel wants each range to lie in one range of the parent's. */
static int add(
	struct idmap *m, const struct idmap *own, uint32_t inside, uint32_t outside, uint32_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < own->n && n > 0; i++) {
		const struct idmap_range *o = &own->v[i];
		uint32_t part;

		if (outside < o->inside || outside - o->inside >= o->n)
			continue;
		part = o->n - (outside - o->inside);
		if (part > n)
			part = n;
		r = idmap_add(m, inside, outside, part);
		inside += part;
		outside += part;
		n -= part;
	}
	return r;
}

int usernsmode_map(
	enum usernsmode_kind kind, const struct idmap *own, uint32_t keep, struct idmap *ret)
{
	uint32_t n, below;
	int r = 0;

	if (kind == USERNSMODE_DEFAULT) {
		for (size_t i = 0; r == 0 && i < own->n; i++)
			r = idmap_add(ret, own->v[i].inside, own->v[i].outside, own->v[i].n);
		return r;
	}
	r = count(own, &n);
	if (r < 0)
		return r;
	if (kind == USERNSMODE_NOMAP)
		return n > 1 ? add(ret, own, 0, 1, n - 1) : -ERANGE;
	below = keep < n - 1 ? keep : n - 1;
	r = add(ret, own, 0, 1, below);
	if (r == 0)
		r = add(ret, own, keep, 0, 1);
	/* What is left goes on behind the user's number. */
	if (r == 0 && keep < LIMIT_ID - n)
		r = add(ret, own, keep + 1, below + 1, n - 1 - below);
	return r;
}
