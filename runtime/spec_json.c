/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as a document (the contract is in the header)
 *
 * A wide integer in memory is the string "u64:DIGITS" after reading and "\xff""DIGITS" when it is
 * made for writing: no string of a parsed document or of json_string() can hold the byte 0xff, so
 * what a person wrote is never taken for a number on the way out.
 */
#include "runtime/spec_json.h"

#include <errno.h>
#include <limits.h>

#define READ_MARK  "u64:"
#define WRITE_MARK "\xff"
#define U64_DIGITS 20 /* of UINT64_MAX */

/* Pure.  Bytes of the string literal at data[0] == '"', with both quotes; len if it has no end. */
static size_t string_len(const char *data, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (data[i] == '\\')
			i++;
		else if (data[i] == '"')
			return i + 1;
	}
	return len;
}

/* Pure.  Bytes of the number at data[0], a digit or a sign. */
static size_t number_len(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && data[n] && strchr("+-.0123456789eE", data[n]))
		n++;
	return n;
}

/* Pure.  Whether a number literal is an integer in (INT64_MAX, UINT64_MAX]. */
static bool is_wide(const char *num, size_t len)
{
	char digits[U64_DIGITS + 1];
	uint64_t v;

	if (len > U64_DIGITS || num[0] == '0')
		return false;
	memcpy(digits, num, len);
	digits[len] = '\0';
	return str_to_u64(digits, UINT64_MAX, &v) == 0 && v > INT64_MAX;
}

static int mark_wide_numbers(const char *data, size_t len, struct buf *out)
{
	size_t n;
	int r = 0;

	for (size_t i = 0; i < len && r == 0; i += n) {
		n = 1;
		if (data[i] == '"')
			n = string_len(data + i, len - i);
		else if (data[i] == '-' || (data[i] >= '0' && data[i] <= '9'))
			n = number_len(data + i, len - i);
		if (data[i] != '"' && n > 1 && is_wide(data + i, n))
			r = buf_printf(out, "\"" READ_MARK "%.*s\"", (int)n, data + i);
		else
			r = buf_add(out, data + i, n);
	}
	return r;
}

int spec_json_parse(const char *data, size_t len, const char *what, json_t **ret, struct err *err)
{
	auto_buf text = { 0 };
	int r;

	r = mark_wide_numbers(data, len, &text);
	if (r < 0)
		return err_set(err, r, "cannot read %s", what);
	return json_parse(text.data ? text.data : "", text.len, what, ret, err);
}

int spec_json_u64(const json_t *node, uint64_t *ret)
{
	const char *s = json_string_value(node);

	if (s && str_starts(s, READ_MARK))
		return str_to_u64(s + strlen(READ_MARK), UINT64_MAX, ret) < 0 ? -EINVAL : 0;
	if (s && str_starts(s, WRITE_MARK))
		return str_to_u64(s + strlen(WRITE_MARK), UINT64_MAX, ret) < 0 ? -EINVAL : 0;
	if (!json_is_integer(node))
		return -EINVAL;
	if (json_integer_value(node) < 0)
		return -ERANGE;
	*ret = (uint64_t)json_integer_value(node);
	return 0;
}

json_t *spec_json_new_u64(uint64_t v)
{
	char text[sizeof(WRITE_MARK) + U64_DIGITS];

	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(text, sizeof(text), WRITE_MARK "%llu", (unsigned long long)v);
	return json_string_nocheck(text);
}

static int dump_scalar(const json_t *node, struct buf *out)
{
	const char *s = json_string_value(node);
	auto_free char *text = NULL;

	if (s && str_starts(s, WRITE_MARK))
		return buf_add_str(out, s + strlen(WRITE_MARK));
	text = json_dumps(node, JSON_ENCODE_ANY);
	return text ? buf_add_str(out, text) : -ENOMEM;
}

static int dump_line_start(struct buf *out, size_t i, unsigned int depth)
{
	int r = buf_add_str(out, i ? ",\n" : "\n");

	while (r == 0 && depth-- > 0)
		r = buf_add_str(out, "\t");
	return r;
}

static int dump_close(struct buf *out, unsigned int depth, const char *bracket)
{
	int r = dump_line_start(out, 0, depth);

	return r < 0 ? r : buf_add_str(out, bracket);
}

static int dump_node(const json_t *node, unsigned int depth, struct buf *out);

static int dump_array(const json_t *node, unsigned int depth, struct buf *out)
{
	size_t n = json_array_size(node);
	int r;

	r = buf_add_str(out, "[");
	for (size_t i = 0; i < n && r == 0; i++) {
		r = dump_line_start(out, i, depth + 1);
		if (r == 0)
			r = dump_node(json_array_get(node, i), depth + 1, out);
	}
	if (r < 0)
		return r;
	return n ? dump_close(out, depth, "]") : buf_add_str(out, "]");
}

static int dump_member(const char *key, const json_t *value, unsigned int depth, struct buf *out)
{
	auto_json *name = json_string(key);
	int r;

	if (!name)
		return -ENOMEM;
	r = dump_scalar(name, out);
	if (r == 0)
		r = buf_add_str(out, ": ");
	return r < 0 ? r : dump_node(value, depth, out);
}

static int dump_object(const json_t *node, unsigned int depth, struct buf *out)
{
	const char *key;
	json_t *value;
	size_t n = 0;
	int r;

	r = buf_add_str(out, "{");
	json_object_foreach ((json_t *)node, key, value) {
		if (r == 0)
			r = dump_line_start(out, n++, depth + 1);
		if (r == 0)
			r = dump_member(key, value, depth + 1, out);
	}
	if (r < 0)
		return r;
	return n ? dump_close(out, depth, "}") : buf_add_str(out, "}");
}

/* Declared above: the three call each other, LIMIT_JSON_DEPTH deep at most. */
static int dump_node(const json_t *node, unsigned int depth, struct buf *out)
{
	if (depth > LIMIT_JSON_DEPTH)
		return -E2BIG;
	if (json_is_object(node))
		return dump_object(node, depth, out);
	if (json_is_array(node))
		return dump_array(node, depth, out);
	return dump_scalar(node, out);
}

int spec_json_dump(const json_t *doc, struct buf *out)
{
	int r = dump_node(doc, 0, out);

	return r < 0 ? r : buf_add_str(out, "\n");
}
