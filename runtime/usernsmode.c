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

static int parse_auto(char *options, struct usernsmode *m, struct err *err)
{
	char *item;

	while (options && (item = strsep(&options, ","))) {
		uint64_t v;

		if (str_starts(item, "size=") && str_to_u64(item + 5, INT32_MAX, &v) == 0 && v > 0)
			m->size = (uint32_t)v;
		else if (str_starts(item, "base=") && str_to_u64(item + 5, INT32_MAX, &v) == 0)
			m->base = (uint32_t)v;
		else
			return err_say(err, -EINVAL, "--userns auto: '%.64s' is not size=N", item);
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
	} else if (str_eq(word, "auto")) {
		m.kind = USERNSMODE_AUTO;
		r = parse_auto(rest, &m, err);
	} else if (str_eq(word, "container") && rest && *rest) {
		m.kind = USERNSMODE_CONTAINER;
		m.target = text + strlen("container:");
	} else if (str_eq(word, "ns")) {
		err_say(err, -EOPNOTSUPP, "--userns %s: not supported", text);
		return err_hint(err, -EOPNOTSUPP, "--userns auto, nomap, keep-id or host");
	} else if ((*word && !str_eq(word, "host") && !str_eq(word, "private")) || rest) {
		return err_say(err, -EINVAL,
			"--userns '%.64s' is not auto, keep-id, nomap, host or container:NAME",
			text);
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
	case USERNSMODE_AUTO:
		return str_format("auto:size=%u,base=%u", m->size, m->base);
	case USERNSMODE_CONTAINER:
		return str_format("container:%s", m->target);
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

/* The first id behind what overlaps @m; 0 if nothing does. */
static uint32_t behind_overlap(const struct usernsmode *m, const struct strv *texts)
{
	for (size_t i = 0; i < texts->n; i++) {
		struct usernsmode other;

		if (usernsmode_parse(texts->v[i], 0, 0, &other, NULL) == 0 &&
			other.kind == USERNSMODE_AUTO && other.base < m->base + m->size &&
			m->base < other.base + other.size)
			return other.base + other.size;
	}
	return 0;
}

int usernsmode_choose(struct usernsmode *m, const struct strv *texts, uint32_t n_ids)
{
	uint32_t next;

	for (m->base = 1; m->base < n_ids && m->size <= n_ids - m->base; m->base = next) {
		next = behind_overlap(m, texts);
		if (next == 0)
			return 0;
	}
	return -ERANGE;
}

int usernsmode_map(
	const struct usernsmode *m, const struct idmap *own, uint32_t keep, struct idmap *ret)
{
	uint32_t n, below;
	int r = 0;

	if (m->kind == USERNSMODE_DEFAULT) {
		for (size_t i = 0; r == 0 && i < own->n; i++)
			r = idmap_add(ret, own->v[i].inside, own->v[i].outside, own->v[i].n);
		return r;
	}
	r = count(own, &n);
	if (r < 0)
		return r;
	if (m->kind == USERNSMODE_AUTO)
		return m->base < n && m->size <= n - m->base ? add(ret, own, 0, m->base, m->size)
							     : -ERANGE;
	if (m->kind == USERNSMODE_NOMAP)
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
