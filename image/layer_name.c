/* SPDX-License-Identifier: Apache-2.0 */
/* Names of members. */
#include "image/layer_name.h"

#include "overlay/index_format.h"

#include <errno.h>
#include <string.h>

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

int layer_path_clean(const char *raw, size_t len, struct buf *out, const char **ret_why)
{
	const char *end = raw + len, *p = raw;
	unsigned int depth = 0;

	out->len = 0;
	if (len == 0)
		return bad(ret_why, "empty name");
	while (p < end) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t part = (size_t)((slash ? slash : end) - p);
		const char *name = p;

		p += part + (slash != NULL);
		if (part == 0 || (part == 1 && name[0] == '.'))
			continue;
		if (part == 2 && name[0] == '.' && name[1] == '.')
			return bad(ret_why, "'..' in the name");
		if (part > 255)
			return bad(ret_why, "name longer than 255 bytes");
		if (++depth > LIMIT_IDX_DEPTH)
			return bad(ret_why, "path that is too deep");
		if (out->len + 1 + part > LIMIT_IDX_PATH_BYTES)
			return bad(ret_why, "path that is too long");
		if ((out->len && buf_add(out, "/", 1) < 0) || buf_add(out, name, part) < 0)
			return -ENOMEM;
	}
	return 0;
}

#define QUOTE_BYTES 160 /* of a name in a message */

char *layer_name_quote(const char *name, size_t len)
{
	const size_t half = QUOTE_BYTES / 2;
	auto_free char *front = NULL, *back = NULL;

	if (len <= QUOTE_BYTES)
		return str_quote(name, len);
	front = str_quote(name, half);
	back = str_quote(name + len - half, half);
	return front && back ? str_format("%s…%s", front, back) : NULL;
}

/*
 * Whiteouts have no children; what aufs kept in directories with such names is skipped.
 * Return: 0, WH_META or -EBADMSG.
 */
static int check_parents(const char *path, size_t len, const char **ret_why)
{
	const char *slash, *end = path + len, *hidden;

	for (const char *p = path; (slash = memchr(p, '/', (size_t)(end - p))); p = slash + 1) {
		int kind = wh_from_tar_name(p, (size_t)(slash - p), &hidden);

		if (kind == WH_META)
			return WH_META;
		if (kind != WH_NONE)
			return bad(ret_why, "whiteout with something below it");
	}
	return 0;
}

int layer_name_read(const char *raw, size_t len, struct buf *out, const char **ret_why)
{
	const char *last, *hidden;
	size_t up;
	int kind, r = layer_path_clean(raw, len, out, ret_why);

	if (r < 0 || out->len == 0)
		return r;
	r = check_parents(out->data, out->len, ret_why);
	if (r)
		return r;
	last = memrchr(out->data, '/', out->len);
	up = last ? (size_t)(last - out->data) + 1 : 0;
	kind = wh_from_tar_name(out->data + up, out->len - up, &hidden);
	if (kind == -EINVAL)
		return bad(ret_why, "whiteout of nothing, '.' or '..'");
	if (kind == WH_DELETED) {
		size_t n = out->len - (size_t)(hidden - out->data);

		memmove(out->data + up, hidden, n);
		out->len = up + n;
	} else if (kind == WH_OPAQUE) {
		out->len = up ? up - 1 : 0;
	}
	return kind;
}
