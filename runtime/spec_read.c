/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON to structs by tables of members (the contract is in the header). */
#include "runtime/spec_read.h"
#include "runtime/spec_json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>

/* The path of a place, from the outside in.  Recursion as deep as our own tables nest. */
static void add_path(const struct rd *at, struct buf *out)
{
	if (at->up)
		add_path(at->up, out);
	if (at->key)
		(void)buf_printf(out, "%s%s", out->len ? "." : "", at->key);
	else if (at->up)
		(void)buf_printf(out, "[%zu]", at->index);
}

static const char *path_or_root(const struct rd *at, struct buf *out)
{
	add_path(at, out);
	return out->data ? out->data : "the document";
}

int rd_fail(const struct rd *at, int code, const char *fmt, ...)
{
	auto_buf path = { 0 };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_say(at->err, code, "%s %s", path_or_root(at, &path), text);
}

int rd_warn(const struct rd *at, const char *fmt, ...)
{
	auto_buf path = { 0 };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strv_addf(&at->spec->warnings, "%s %s", path_or_root(at, &path), text) < 0)
		return rd_fail(at, -ENOMEM, "cannot be read: out of memory");
	return 0;
}

/* null counts as absent: encoders of other languages write it for empty lists. */
static bool member(const struct rd *obj, const char *key, struct rd *ret)
{
	const json_t *j = json_object_get(obj->j, key);

	if (!j || json_is_null(j))
		return false;
	*ret = (struct rd){ .j = j, .up = obj, .key = key, .spec = obj->spec, .err = obj->err };
	return true;
}

static int get_str(const struct rd *at, const char **ret)
{
	if (!json_is_string(at->j))
		return rd_fail(at, -EINVAL, "is not a string");
	if (json_string_length(at->j) > LIMIT_SPEC_STRING)
		return rd_fail(at, -E2BIG, "is longer than %d bytes", LIMIT_SPEC_STRING);
	*ret = json_string_value(at->j);
	return 0;
}

static int get_list(const struct rd *at, size_t max, struct spec_list *ret)
{
	size_t n = json_array_size(at->j);
	const char **v;
	int r;

	if (!json_is_array(at->j))
		return rd_fail(at, -EINVAL, "is not an array");
	if (n > max)
		return rd_fail(at, -E2BIG, "has more than %zu elements", max);
	v = spec_alloc(at->spec, n + 1, sizeof(*v));
	if (!v)
		return rd_fail(at, -ENOMEM, "cannot be read: out of memory");
	for (size_t i = 0; i < n; i++) {
		struct rd item = { json_array_get(at->j, i), at, NULL, i, at->spec, at->err };

		r = get_str(&item, &v[i]);
		if (r < 0)
			return r;
	}
	*ret = (struct spec_list){ v, n };
	return 0;
}

static int get_pairs(const struct rd *at, size_t max, struct spec_pairs *ret)
{
	struct spec_pair *v;
	const char *key;
	json_t *value;
	size_t n = 0;
	int r;

	if (!json_is_object(at->j))
		return rd_fail(at, -EINVAL, "is not an object");
	if (json_object_size(at->j) > max)
		return rd_fail(at, -E2BIG, "has more than %zu members", max);
	v = spec_alloc(at->spec, json_object_size(at->j), sizeof(*v));
	if (!v)
		return rd_fail(at, -ENOMEM, "cannot be read: out of memory");
	json_object_foreach ((json_t *)at->j, key, value) {
		struct rd item = { value, at, key, 0, at->spec, at->err };

		if (!key[0])
			return rd_fail(at, -EINVAL, "has a member without a name");
		v[n].key = key;
		r = get_str(&item, &v[n++].value);
		if (r < 0)
			return r;
	}
	*ret = (struct spec_pairs){ v, n };
	return 0;
}

static int get_u64(const struct rd *at, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	int r;

	r = spec_json_u64(at->j, &v);
	if (r == -EINVAL)
		return rd_fail(at, r, "is not an integer");
	if (r == -ERANGE || v > max)
		return rd_fail(at, -EINVAL, "is not between 0 and %" PRIu64, max);
	*ret = v;
	return 0;
}

static int get_i64(const struct rd *at, int64_t min, uint64_t max, int64_t *ret)
{
	int64_t v = json_integer_value(at->j);

	if (!json_is_integer(at->j))
		return rd_fail(at, -EINVAL, "is not an integer in 64 bits");
	if (v < min || v > (int64_t)max)
		return rd_fail(at, -EINVAL, "is not between %" PRId64 " and %" PRIu64, min, max);
	*ret = v;
	return 0;
}

static int get_bool(const struct rd *at, bool *ret)
{
	if (!json_is_boolean(at->j))
		return rd_fail(at, -EINVAL, "is not true or false");
	*ret = json_is_true(at->j);
	return 0;
}

static int get_unsigned(const struct rd *at, const struct rd_field *f, void *out)
{
	uint64_t v = 0;
	int r;

	r = get_u64(at, f->max, &v);
	if (r < 0)
		return r;
	if (f->kind == RD_U16)
		*(uint16_t *)out = (uint16_t)v;
	else if (f->kind == RD_U32)
		*(uint32_t *)out = (uint32_t)v;
	else if (f->kind == RD_U64)
		*(uint64_t *)out = v;
	else
		*(struct spec_u64 *)out = (struct spec_u64){ true, v };
	return 0;
}

static int get_signed(const struct rd *at, const struct rd_field *f, void *out)
{
	int64_t v = 0;
	int r;

	r = get_i64(at, f->min, f->max, &v);
	if (r < 0)
		return r;
	if (f->kind == RD_I32)
		*(int32_t *)out = (int32_t)v;
	else if (f->kind == RD_I64)
		*(int64_t *)out = v;
	else
		*(struct spec_i64 *)out = (struct spec_i64){ true, v };
	return 0;
}

static int get_field(const struct rd *at, const struct rd_field *f, void *out)
{
	switch (f->kind) {
	case RD_BOOL:
		return get_bool(at, out);
	case RD_STR:
		return get_str(at, out);
	case RD_LIST:
		return get_list(at, f->max, out);
	case RD_PAIRS:
		return get_pairs(at, f->max, out);
	case RD_U16:
	case RD_U32:
	case RD_U64:
	case RD_OPT_U64:
		return get_unsigned(at, f, out);
	case RD_I32:
	case RD_I64:
	case RD_OPT_I64:
		return get_signed(at, f, out);
	}
	return -EINVAL;
}

int rd_fields(const struct rd *obj, const struct rd_field *fields, size_t n, void *out)
{
	struct rd at;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!member(obj, fields[i].key, &at)) {
			if (fields[i].required)
				return rd_fail(obj, -EINVAL, "has no '%s'", fields[i].key);
			continue;
		}
		r = get_field(&at, &fields[i], (char *)out + fields[i].offset);
		if (r < 0)
			return r;
	}
	return 0;
}

int rd_parts(const struct rd *obj, const struct rd_part *parts, size_t n, void *out)
{
	struct rd at;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!member(obj, parts[i].key, &at))
			continue;
		if (!json_is_object(at.j))
			return rd_fail(&at, -EINVAL, "is not an object");
		r = parts[i].read(&at, out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Answers 1 and a zeroed C array with room for all elements, or 0 if the member is absent. */
static int open_array(const struct rd *obj, const char *key, size_t max, size_t size,
	struct rd *ret_at, void **ret_v)
{
	if (!member(obj, key, ret_at))
		return 0;
	if (!json_is_array(ret_at->j))
		return rd_fail(ret_at, -EINVAL, "is not an array");
	if (json_array_size(ret_at->j) > max)
		return rd_fail(ret_at, -E2BIG, "has more than %zu elements", max);
	*ret_v = spec_alloc(obj->spec, json_array_size(ret_at->j), size);
	if (!*ret_v)
		return rd_fail(ret_at, -ENOMEM, "cannot be read: out of memory");
	return 1;
}

static int read_array(const struct rd *obj, const struct rd_array *a, void *out)
{
	void *v = NULL;
	struct rd at;
	size_t n;
	int r;

	r = open_array(obj, a->key, a->max, a->size, &at, &v);
	if (r <= 0)
		return r;
	/* Before the elements are read: spec_free() releases what a half-read one holds. */
	n = json_array_size(at.j);
	memcpy((char *)out + a->v_offset, &v, sizeof(v));
	memcpy((char *)out + a->n_offset, &n, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		struct rd item = { json_array_get(at.j, i), &at, NULL, i, at.spec, at.err };

		if (!json_is_object(item.j))
			return rd_fail(&item, -EINVAL, "is not an object");
		r = a->read(&item, (char *)v + i * a->size);
		if (r < 0)
			return r;
	}
	return 0;
}

int rd_arrays(const struct rd *obj, const struct rd_array *arrays, size_t n, void *out)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		r = read_array(obj, &arrays[i], out);
		if (r < 0)
			return r;
	}
	return 0;
}

int rd_ids(const struct rd *obj, const char *key, uint32_t **ret, size_t *ret_n)
{
	void *room = NULL;
	uint32_t *v;
	struct rd at;
	size_t n;
	int r;

	r = open_array(obj, key, LIMIT_SPEC_ARGS, sizeof(*v), &at, &room);
	if (r <= 0)
		return r;
	v = room;
	n = json_array_size(at.j);
	for (size_t i = 0; i < n; i++) {
		struct rd item = { json_array_get(at.j, i), &at, NULL, i, at.spec, at.err };
		uint64_t id = 0;

		r = get_u64(&item, LIMIT_SPEC_ID, &id);
		if (r < 0)
			return r;
		v[i] = (uint32_t)id;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

long rd_find_word(const char *word, const struct rd_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i].word, word))
			return words[i].value;
	return -ENOENT;
}

int rd_word(const struct rd *obj, const char *key, const struct rd_word *words, size_t n, long *ret)
{
	const char *s = NULL;
	struct rd at;
	long value;
	int r;

	if (!member(obj, key, &at))
		return 0;
	r = get_str(&at, &s);
	if (r < 0)
		return r;
	value = rd_find_word(s, words, n);
	if (value < 0)
		return rd_fail(&at, -EINVAL, "is '%.64s', which is not known", s);
	*ret = value;
	return 1;
}

int rd_flags(
	const struct rd *obj, const char *key, const struct rd_word *words, size_t n, uint64_t *ret)
{
	struct spec_list list = { 0 };
	struct rd at;
	long value;
	int r;

	if (!member(obj, key, &at))
		return 0;
	r = get_list(&at, LIMIT_SPEC_ARGS, &list);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		value = rd_find_word(list.v[i], words, n);
		if (value < 0)
			return rd_fail(&at, -EINVAL, "has '%.64s', which is not known", list.v[i]);
		*ret |= (uint64_t)value;
	}
	return r;
}

struct id_range {
	uint32_t inside, outside, n;
};

static const struct rd_field id_range_fields[] = {
	{ "containerID", RD_U32, offsetof(struct id_range, inside), LIMIT_SPEC_ID,
		.required = true },
	{ "hostID", RD_U32, offsetof(struct id_range, outside), LIMIT_SPEC_ID, .required = true },
	{ "size", RD_U32, offsetof(struct id_range, n), UINT32_MAX, .required = true },
};

static int read_id_range(const struct rd *item, struct idmap *map)
{
	struct id_range range = { 0 };
	int r;

	r = rd_fields(item, id_range_fields, ARRAY_SIZE(id_range_fields), &range);
	if (r < 0)
		return r;
	r = idmap_add(map, range.inside, range.outside, range.n);
	if (r == -ENOMEM)
		return rd_fail(item, r, "cannot be read: out of memory");
	if (r < 0)
		return rd_fail(item, r, "is empty, too long or overlaps another range");
	return 0;
}

int rd_idmap(const struct rd *obj, const char *key, struct idmap *ret)
{
	struct rd at;
	int r;

	if (!member(obj, key, &at))
		return 0;
	if (!json_is_array(at.j))
		return rd_fail(&at, -EINVAL, "is not an array");
	if (json_array_size(at.j) > LIMIT_IDMAP_RANGES)
		return rd_fail(&at, -E2BIG, "has more than %d elements", LIMIT_IDMAP_RANGES);
	for (size_t i = 0; i < json_array_size(at.j); i++) {
		struct rd item = { json_array_get(at.j, i), &at, NULL, i, at.spec, at.err };

		if (!json_is_object(item.j))
			return rd_fail(&item, -EINVAL, "is not an object");
		r = read_id_range(&item, ret);
		if (r < 0)
			return r;
	}
	return 0;
}
