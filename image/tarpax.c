/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pax records
 *
 * A record without a value takes back what an earlier header said, so the header's own field counts
 * again.  Where readers differ on that (size), it is refused.
 */
#include "image/tarpax.h"

#include "base/base64.h"
#include "image/tarnum.h"

#include <errno.h>
#include <string.h>

struct record {
	const char *key, *value; /* not terminated */
	size_t key_len, value_len;
};

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

void tarpax_clear(struct tarpax *x)
{
	x->values = (struct tarpax_values){ 0 };
	x->has_size = x->has_dev_major = x->has_dev_minor = x->has_real_size = false;
	x->path.len = x->link.len = x->sparse_name.len = x->bytes.len = 0;
	x->sparse_major = x->sparse_minor = x->n_pieces = x->piece_off = -1;
	x->n_xattrs = 0;
}

void tarpax_done(struct tarpax *x)
{
	buf_done(&x->path);
	buf_done(&x->link);
	buf_done(&x->sparse_name);
	buf_done(&x->bytes);
	free(x->xattrs);
}

/* "LEN KEY=VALUE\n", where LEN counts all of it. */
static int next_record(const char **p, size_t *left, struct record *ret, const char **ret_why)
{
	const char *space = memchr(*p, ' ', *left < 9 ? *left : 9), *equals;
	uint64_t len;
	size_t head;

	if (!space)
		return bad(ret_why, "pax record without a length");
	head = (size_t)(space - *p) + 1;
	if (tarnum_decimal(*p, head - 1, &len) < 0 || len <= head || len > *left)
		return bad(ret_why, "pax record with a wrong length");
	if ((*p)[len - 1] != '\n')
		return bad(ret_why, "pax record without its end");
	ret->key = space + 1;
	equals = memchr(ret->key, '=', len - head - 1);
	if (!equals || equals == ret->key || memchr(ret->key, '\0', (size_t)(equals - ret->key)))
		return bad(ret_why, "pax record without a key");
	ret->key_len = (size_t)(equals - ret->key);
	ret->value = equals + 1;
	ret->value_len = (size_t)(*p + len - 1 - ret->value);
	*p += len;
	*left -= len;
	return 0;
}

static bool has_key(const struct record *rec, const char *key)
{
	return rec->key_len == strlen(key) && memcmp(rec->key, key, rec->key_len) == 0;
}

static bool key_starts(const struct record *rec, const char *prefix)
{
	size_t len = strlen(prefix);

	return rec->key_len > len && memcmp(rec->key, prefix, len) == 0;
}

static int take_name(struct buf *to, const struct record *rec, const char **ret_why)
{
	if (memchr(rec->value, '\0', rec->value_len))
		return bad(ret_why, "name with a NUL byte");
	to->len = 0;
	return buf_add(to, rec->value, rec->value_len);
}

static int take_number(const struct record *rec, bool *has, uint64_t *ret, const char **ret_why)
{
	*has = rec->value_len > 0;
	if (*has && tarnum_decimal(rec->value, rec->value_len, ret) < 0)
		return bad(ret_why, "pax record with something else than a number");
	return 0;
}

/* Return: 1 if the key is not one of these. */
static int take_value(struct tarpax_values *v, const struct record *rec, const char **ret_why)
{
	if (has_key(rec, "uid"))
		return take_number(rec, &v->has_uid, &v->uid, ret_why);
	if (has_key(rec, "gid"))
		return take_number(rec, &v->has_gid, &v->gid, ret_why);
	if (!has_key(rec, "mtime"))
		return 1;
	v->has_mtime = rec->value_len > 0;
	if (v->has_mtime &&
		tarnum_time(rec->value, rec->value_len, &v->mtime_sec, &v->mtime_nsec) < 0)
		return bad(ret_why, "time that is not a number");
	return 0;
}

/* ---- sparse files ---- */

static int take_sparse_number(const struct record *rec, int64_t *ret, const char **ret_why)
{
	uint64_t v;

	if (tarnum_decimal(rec->value, rec->value_len, &v) < 0)
		return bad(ret_why, "sparse file with something else than numbers");
	*ret = (int64_t)v;
	return 0;
}

static int take_sparse(struct tarpax *x, const struct record *rec, const char **ret_why)
{
	int64_t v;
	int r;

	if (has_key(rec, "GNU.sparse.name"))
		return take_name(&x->sparse_name, rec, ret_why);
	if (has_key(rec, "GNU.sparse.map"))
		return tarmap_add_01(x->map, rec->value, rec->value_len, ret_why);
	if (has_key(rec, "GNU.sparse.major"))
		return take_sparse_number(rec, &x->sparse_major, ret_why);
	if (has_key(rec, "GNU.sparse.minor"))
		return take_sparse_number(rec, &x->sparse_minor, ret_why);
	if (has_key(rec, "GNU.sparse.numblocks"))
		return take_sparse_number(rec, &x->n_pieces, ret_why);
	r = take_sparse_number(rec, &v, ret_why);
	if (r < 0)
		return r;
	if (has_key(rec, "GNU.sparse.size") || has_key(rec, "GNU.sparse.realsize")) {
		x->has_real_size = true;
		x->real_size = (uint64_t)v;
		return 0;
	}
	/* pax 0.0: an offset, then its length, again and again. */
	if (has_key(rec, "GNU.sparse.offset") && x->piece_off < 0) {
		x->piece_off = v;
		return 0;
	}
	if (has_key(rec, "GNU.sparse.numbytes") && x->piece_off >= 0) {
		r = tarmap_add(x->map, (uint64_t)x->piece_off, (uint64_t)v, ret_why);
		x->piece_off = -1;
		return r;
	}
	return bad(ret_why, "sparse file of an unknown format");
}

/* ---- extended attributes ---- */

/* The slot for one more; its bytes are added behind it. */
static struct tarpax_xattr *new_xattr(struct tarpax *x)
{
	if (x->n_xattrs == x->xattrs_room) {
		size_t room = x->xattrs_room ? x->xattrs_room * 2 : 8;
		struct tarpax_xattr *v = reallocarray(x->xattrs, room, sizeof(*v));

		if (!v)
			return NULL;
		x->xattrs = v;
		x->xattrs_room = room;
	}
	x->xattrs[x->n_xattrs] = (struct tarpax_xattr){ .name = x->bytes.len };
	return &x->xattrs[x->n_xattrs++];
}

static int take_plain_xattr(
	struct tarpax *x, const char *name, size_t name_len, const struct record *rec)
{
	struct tarpax_xattr *a = new_xattr(x);

	if (!a || buf_add(&x->bytes, name, name_len) < 0)
		return -ENOMEM;
	a->name_len = name_len;
	a->value = x->bytes.len;
	a->value_len = rec->value_len;
	return buf_add(&x->bytes, rec->value, rec->value_len);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX in names. */
static int add_url_decoded(struct buf *to, const char *p, size_t len, const char **ret_why)
{
	for (size_t i = 0; i < len; i++) {
		char c = p[i];

		if (c == '%') {
			int hi = len - i > 2 ? hex_digit(p[i + 1]) : -1;
			int lo = len - i > 2 ? hex_digit(p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return bad(ret_why, "attribute whose name is encoded wrongly");
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		if (buf_add(to, &c, 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int take_encoded_xattr(struct tarpax *x, const char *name, size_t name_len,
	const struct record *rec, const char **ret_why)
{
	struct tarpax_xattr *a = new_xattr(x);
	int r = a ? add_url_decoded(&x->bytes, name, name_len, ret_why) : -ENOMEM;

	if (r < 0)
		return r;
	a->name_len = x->bytes.len - a->name;
	a->value = x->bytes.len;
	r = base64_decode(&x->bytes, rec->value, rec->value_len);
	if (r == -EINVAL)
		return bad(ret_why, "attribute whose value is encoded wrongly");
	a->value_len = x->bytes.len - a->value;
	return r;
}

/* Return: 1 if the key is not of an attribute. */
static int take_xattr(struct tarpax *x, const struct record *rec, const char **ret_why)
{
	static const char schily[] = "SCHILY.xattr.", libarchive[] = "LIBARCHIVE.xattr.";
	static const char selinux[] = "security.selinux";
	size_t skip;

	if (key_starts(rec, schily)) {
		skip = sizeof(schily) - 1;
		return take_plain_xattr(x, rec->key + skip, rec->key_len - skip, rec);
	}
	if (key_starts(rec, libarchive)) {
		skip = sizeof(libarchive) - 1;
		return take_encoded_xattr(x, rec->key + skip, rec->key_len - skip, rec, ret_why);
	}
	if (has_key(rec, "RHT.security.selinux"))
		return take_plain_xattr(x, selinux, sizeof(selinux) - 1, rec);
	return 1;
}

/* ---- headers ---- */

static int take_record(struct tarpax *x, const struct record *rec, const char **ret_why)
{
	int r = take_value(&x->values, rec, ret_why);

	if (r == 1)
		r = take_xattr(x, rec, ret_why);
	if (r != 1)
		return r;
	if (has_key(rec, "path"))
		return take_name(&x->path, rec, ret_why);
	if (has_key(rec, "linkpath"))
		return take_name(&x->link, rec, ret_why);
	if (has_key(rec, "size")) {
		/* "No value" is 0 to some readers and "no record" to others. */
		r = take_number(rec, &x->has_size, &x->size, ret_why);
		return r < 0 || x->has_size ? r : bad(ret_why, "pax size without a value");
	}
	if (has_key(rec, "SCHILY.devmajor"))
		return take_number(rec, &x->has_dev_major, &x->dev_major, ret_why);
	if (has_key(rec, "SCHILY.devminor"))
		return take_number(rec, &x->has_dev_minor, &x->dev_minor, ret_why);
	if (key_starts(rec, "GNU.sparse."))
		return take_sparse(x, rec, ret_why);
	return 0;
}

int tarpax_read(struct tarpax *x, const char *p, size_t len, const char **ret_why)
{
	struct record rec;

	while (len > 0) {
		int r = next_record(&p, &len, &rec, ret_why);

		if (r == 0)
			r = take_record(x, &rec, ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

int tarpax_read_global(struct tarpax_values *v, const char *p, size_t len, const char **ret_why)
{
	struct record rec;

	while (len > 0) {
		int r = next_record(&p, &len, &rec, ret_why);

		if (r == 0)
			r = take_value(v, &rec, ret_why);
		if (r < 0)
			return r;
		if (r == 1 && (has_key(&rec, "path") || has_key(&rec, "linkpath") ||
				      has_key(&rec, "size") || key_starts(&rec, "GNU.sparse.")))
			return bad(ret_why, "global header that names or sizes members");
	}
	return 0;
}
