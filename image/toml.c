/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML into JSON values (the contract is in the header)
 *
 * Tables are objects.  Which of them may still grow is not in them: `closed` lists values that are
 * complete where they stand (inline tables, arrays), `defined` those that had a header or were made
 * by dotted keys, `dotted` the latter alone: only they grow by further dotted keys.
 */
#include "image/toml.h"

#include "base/str.h"

#include <stdbool.h>

struct list {
	const json_t **v;
	size_t n;
};

struct toml {
	const char *p, *end;
	unsigned int line;
	json_t *root;
	json_t *table; /* of the last header */
	struct list closed, defined, dotted;
	struct err *err;
};

static int bad(struct toml *t, const char *what)
{
	return err_say(t->err, -EBADMSG, "line %u: %s", t->line, what);
}

static int no_memory(struct toml *t)
{
	return err_set(t->err, -ENOMEM, "cannot read it");
}

static bool list_has(const struct list *l, const json_t *j)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i] == j)
			return true;
	return false;
}

static int list_add(struct list *l, const json_t *j)
{
	const json_t **bigger = reallocarray(l->v, l->n + 1, sizeof(const json_t *));

	if (!bigger)
		return -ENOMEM;
	l->v = bigger;
	l->v[l->n++] = j;
	return 0;
}

/* ---- characters ---- */

static int peek(const struct toml *t)
{
	return t->p < t->end ? (unsigned char)*t->p : -1;
}

static bool eat(struct toml *t, char c)
{
	if (peek(t) != c)
		return false;
	t->p++;
	return true;
}

static void skip_blanks(struct toml *t)
{
	while (peek(t) == ' ' || peek(t) == '\t')
		t->p++;
}

/* A line's end; Return: whether there was one. */
static bool eat_newline(struct toml *t)
{
	if (peek(t) == '\r' && t->p + 1 < t->end && t->p[1] == '\n')
		t->p++;
	if (peek(t) != '\n')
		return false;
	t->p++;
	t->line++;
	return true;
}

static int skip_comment(struct toml *t)
{
	if (peek(t) != '#')
		return 0;
	while (peek(t) >= 0 && peek(t) != '\n') {
		if (peek(t) == '\r' && t->p + 1 < t->end && t->p[1] == '\n')
			return 0;
		if ((peek(t) < 0x20 && peek(t) != '\t') || peek(t) == 0x7f)
			return bad(t, "a control character in a comment");
		t->p++;
	}
	return 0;
}

/* Blanks, comments and empty lines, as between the elements of an array. */
static int skip_space(struct toml *t)
{
	do {
		int r;

		skip_blanks(t);
		r = skip_comment(t);
		if (r < 0)
			return r;
	} while (eat_newline(t));
	return 0;
}

/* ---- strings ---- */

static int add_utf8(struct buf *b, uint32_t c)
{
	char out[4];
	size_t n = 0;

	if (c < 0x80) {
		out[n++] = (char)c;
	} else if (c < 0x800) {
		out[n++] = (char)(0xc0 | c >> 6);
		out[n++] = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		out[n++] = (char)(0xe0 | c >> 12);
		out[n++] = (char)(0x80 | (c >> 6 & 63));
		out[n++] = (char)(0x80 | (c & 63));
	} else {
		out[n++] = (char)(0xf0 | c >> 18);
		out[n++] = (char)(0x80 | (c >> 12 & 63));
		out[n++] = (char)(0x80 | (c >> 6 & 63));
		out[n++] = (char)(0x80 | (c & 63));
	}
	return buf_add(b, out, n);
}

static int read_unicode(struct toml *t, int digits, struct buf *b)
{
	uint32_t c = 0;

	for (int i = 0; i < digits; i++) {
		static const char hex[] = "0123456789abcdef0123456789ABCDEF";
		const char *d = peek(t) > 0 ? strchr(hex, peek(t)) : NULL;

		if (!d)
			return bad(t, "an escape is not valid");
		c = c << 4 | ((uint32_t)(d - hex) & 15);
		t->p++;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return bad(t, "an escape is not valid");
	return add_utf8(b, c) < 0 ? no_memory(t) : 0;
}

/* Behind the backslash. */
static int read_escape(struct toml *t, bool many_lines, struct buf *b)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *e;
	int c = peek(t);

	if (c == 'u' || c == 'U') {
		t->p++;
		return read_unicode(t, c == 'u' ? 4 : 8, b);
	}
	/* At the end of a line it swallows all white space that follows. */
	if (many_lines && (c == '\n' || c == '\r' || c == ' ' || c == '\t')) {
		skip_blanks(t);
		if (!eat_newline(t))
			return bad(t, "an escape is not valid");
		do
			skip_blanks(t);
		while (eat_newline(t));
		return 0;
	}
	e = c > 0 ? strchr(from, c) : NULL;
	if (!e)
		return bad(t, "an escape is not valid");
	t->p++;
	return buf_add(b, &to[e - from], 1) < 0 ? no_memory(t) : 0;
}

/* The rest of a string that began with three quotes. */
static int read_many_lines(struct toml *t, char quote, struct buf *b)
{
	(void)eat_newline(t);
	for (;;) {
		const char *from = t->p;
		int c = peek(t), r;

		if (c < 0)
			return bad(t, "a string does not end");
		if (c == quote && t->end - t->p >= 3 && t->p[1] == quote && t->p[2] == quote) {
			t->p += 3;
			/* Up to two quotes may stand right before the end. */
			for (int i = 0; i < 2 && eat(t, quote); i++)
				if (buf_add(b, &quote, 1) < 0)
					return no_memory(t);
			return 0;
		}
		if (eat_newline(t)) {
			r = buf_add(b, "\n", 1) < 0 ? no_memory(t) : 0;
		} else if (c == '\\' && quote == '"') {
			t->p++;
			r = read_escape(t, true, b);
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return bad(t, "a control character in a string");
		} else {
			t->p++;
			r = buf_add(b, from, 1) < 0 ? no_memory(t) : 0;
		}
		if (r < 0)
			return r;
	}
}

/* A string of any kind; the first quote is next. */
static int read_string(struct toml *t, bool may_have_lines, struct buf *b)
{
	char quote = *t->p++;

	if (t->end - t->p >= 2 && t->p[0] == quote && t->p[1] == quote) {
		if (!may_have_lines)
			return bad(t, "a key has several lines");
		t->p += 2;
		return read_many_lines(t, quote, b);
	}
	while (!eat(t, quote)) {
		int c = peek(t), r;

		if (c < 0 || c == '\n')
			return bad(t, "a string does not end");
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return bad(t, "a control character in a string");
		t->p++;
		if (c == '\\' && quote == '"')
			r = read_escape(t, false, b);
		else
			r = buf_add(b, t->p - 1, 1) < 0 ? no_memory(t) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- keys ---- */

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static int read_key(struct toml *t, char **ret)
{
	auto_buf b = { 0 };
	int c = peek(t), r;

	if (c == '"' || c == '\'') {
		r = read_string(t, false, &b);
		if (r < 0)
			return r;
	} else {
		const char *from = t->p;

		while (is_bare(peek(t)))
			t->p++;
		if (t->p == from)
			return bad(t, "a key is missing");
		if (buf_add(&b, from, (size_t)(t->p - from)) < 0)
			return no_memory(t);
	}
	*ret = buf_take(&b);
	return *ret ? 0 : no_memory(t);
}

/* a.b.c; at most LIMIT_TOML_DEPTH parts. */
static int read_keys(struct toml *t, struct strv *ret)
{
	do {
		auto_free char *key = NULL;
		int r;

		skip_blanks(t);
		r = read_key(t, &key);
		if (r < 0)
			return r;
		if (ret->n >= LIMIT_TOML_DEPTH)
			return bad(t, "a key has too many parts");
		if (strv_add(ret, key) < 0)
			return no_memory(t);
		skip_blanks(t);
	} while (eat(t, '.'));
	return 0;
}

/* ---- values ---- */

static int read_value(struct toml *t, unsigned int depth, json_t **ret);
static int read_pair(struct toml *t, json_t *table, unsigned int depth);

static int read_array(struct toml *t, unsigned int depth, json_t **ret)
{
	auto_json *array = json_array();
	int r;

	if (!array)
		return no_memory(t);
	for (;;) {
		json_t *v;

		r = skip_space(t);
		if (r < 0)
			return r;
		if (eat(t, ']'))
			break;
		r = read_value(t, depth + 1, &v);
		if (r < 0)
			return r;
		if (json_array_append_new(array, v) < 0)
			return no_memory(t);
		r = skip_space(t);
		if (r < 0)
			return r;
		if (!eat(t, ',') && peek(t) != ']')
			return bad(t, "a comma or ']' is missing");
	}
	if (list_add(&t->closed, array) < 0)
		return no_memory(t);
	*ret = ptr_take(&array);
	return 0;
}

static int read_inline_table(struct toml *t, unsigned int depth, json_t **ret)
{
	auto_json *table = json_object();
	bool first = true;

	if (!table)
		return no_memory(t);
	for (;;) {
		int r;

		skip_blanks(t);
		if (first && eat(t, '}'))
			break;
		first = false;
		r = read_pair(t, table, depth + 1);
		if (r < 0)
			return r;
		skip_blanks(t);
		if (eat(t, '}'))
			break;
		if (!eat(t, ','))
			return bad(t, "a comma or '}' is missing");
	}
	if (list_add(&t->closed, table) < 0)
		return no_memory(t);
	*ret = ptr_take(&table);
	return 0;
}

/* true, false, or a decimal integer with single underscores between digits. */
static int read_word(struct toml *t, json_t **ret)
{
	const char *from = t->p;
	size_t len, n = 0;
	char digits[32];
	char *end;
	long long v;

	while (is_bare(peek(t)) || peek(t) == '+' || peek(t) == '.' || peek(t) == ':')
		t->p++;
	len = (size_t)(t->p - from);
	if (len == 4 && memcmp(from, "true", 4) == 0) {
		*ret = json_true();
		return 0;
	}
	if (len == 5 && memcmp(from, "false", 5) == 0) {
		*ret = json_false();
		return 0;
	}
	for (size_t i = 0; i < len; i++) {
		bool sign = i == 0 && (from[i] == '+' || from[i] == '-');
		bool inner = i > 0 && i + 1 < len && from[i] == '_' && from[i - 1] != '_' &&
			     from[i - 1] != '-' && from[i - 1] != '+';

		if ((!sign && !inner && (from[i] < '0' || from[i] > '9')) ||
			n + 1 >= sizeof(digits))
			return bad(
				t, "a value is neither string, integer, boolean, array nor table");
		if (!inner)
			digits[n++] = from[i];
	}
	digits[n] = '\0';
	errno = 0;
	v = strtoll(digits, &end, 10);
	if (n == 0 || *end || end == digits || errno ||
		(digits[strspn(digits, "+-")] == '0' && v != 0))
		return bad(t, "a number is not valid");
	*ret = json_integer(v);
	return *ret ? 0 : no_memory(t);
}

static int read_value(struct toml *t, unsigned int depth, json_t **ret)
{
	int c = peek(t), r;

	if (depth > LIMIT_TOML_DEPTH)
		return bad(t, "values are nested too deep");
	if (c == '"' || c == '\'') {
		auto_buf b = { 0 };

		r = read_string(t, true, &b);
		if (r < 0)
			return r;
		*ret = json_stringn(b.data ? b.data : "", b.len);
		return *ret ? 0 : bad(t, "a string is not UTF-8");
	}
	if (c == '[' || c == '{') {
		t->p++;
		return c == '[' ? read_array(t, depth, ret) : read_inline_table(t, depth, ret);
	}
	return read_word(t, ret);
}

/* ---- tables ---- */

/* The table @key of @table, made if it is missing; of an array of tables its last one. */
static int descend(struct toml *t, json_t *table, const char *key, json_t **ret)
{
	json_t *v = json_object_get(table, key);

	if (!v) {
		v = json_object();
		if (json_object_set_new(table, key, v) < 0)
			return bad(t, "a key is not UTF-8");
	}
	if (list_has(&t->closed, v))
		return bad(t, "a complete value is extended");
	if (json_is_array(v))
		v = json_array_get(v, json_array_size(v) - 1);
	if (!json_is_object(v))
		return bad(t, "a key is both a value and a table");
	*ret = v;
	return 0;
}

/* a.b.c = value, into @table */
static int read_pair(struct toml *t, json_t *table, unsigned int depth)
{
	auto_strv keys = { 0 };
	const char *last;
	json_t *v;
	int r = read_keys(t, &keys);

	if (r < 0)
		return r;
	if (!eat(t, '='))
		return bad(t, "'=' is missing");
	for (size_t i = 0; i + 1 < keys.n; i++) {
		bool is_new = !json_object_get(table, keys.v[i]);

		r = descend(t, table, keys.v[i], &table);
		if (r < 0)
			return r;
		if (!is_new && !list_has(&t->dotted, table))
			return bad(t, "a table is extended by a key");
		if (is_new && (list_add(&t->defined, table) < 0 || list_add(&t->dotted, table) < 0))
			return no_memory(t);
	}
	last = keys.v[keys.n - 1];
	if (json_object_get(table, last))
		return bad(t, "a key is defined twice");
	skip_blanks(t);
	r = read_value(t, depth, &v);
	if (r < 0)
		return r;
	return json_object_set_new(table, last, v) < 0 ? bad(t, "a key is not UTF-8") : 0;
}

/* [[a.b]]: one more table in the array @key of @table */
static int append_table(struct toml *t, json_t *table, const char *key)
{
	json_t *array = json_object_get(table, key), *v;

	if (!array) {
		array = json_array();
		if (json_object_set_new(table, key, array) < 0)
			return bad(t, "a key is not UTF-8");
	}
	if (!json_is_array(array) || list_has(&t->closed, array))
		return bad(t, "a key is both an array of tables and something else");
	v = json_object();
	if (json_array_append_new(array, v) < 0)
		return no_memory(t);
	t->table = v;
	return 0;
}

/* [a.b] or [[a.b]]; the first bracket is next. */
static int read_header(struct toml *t)
{
	auto_strv keys = { 0 };
	json_t *table = t->root;
	bool is_array;
	int r;

	t->p++;
	is_array = eat(t, '[');
	r = read_keys(t, &keys);
	if (r < 0)
		return r;
	if (!eat(t, ']') || (is_array && !eat(t, ']')))
		return bad(t, "']' is missing");
	for (size_t i = 0; r == 0 && i + 1 < keys.n; i++)
		r = descend(t, table, keys.v[i], &table);
	if (r < 0)
		return r;
	if (is_array)
		return append_table(t, table, keys.v[keys.n - 1]);
	if (json_is_array(json_object_get(table, keys.v[keys.n - 1])))
		return bad(t, "a table is defined twice");
	r = descend(t, table, keys.v[keys.n - 1], &t->table);
	if (r < 0)
		return r;
	if (list_has(&t->defined, t->table))
		return bad(t, "a table is defined twice");
	return list_add(&t->defined, t->table) < 0 ? no_memory(t) : 0;
}

static int read_document(struct toml *t)
{
	int r;

	if (memchr(t->p, '\0', (size_t)(t->end - t->p)))
		return bad(t, "it holds NUL bytes");
	while ((r = skip_space(t)) == 0 && peek(t) >= 0) {
		r = peek(t) == '[' ? read_header(t) : read_pair(t, t->table, 1);
		if (r < 0)
			return r;
		skip_blanks(t);
		r = skip_comment(t);
		if (r < 0)
			return r;
		if (peek(t) >= 0 && !eat_newline(t))
			return bad(t, "something stands behind a value");
	}
	return r;
}

int toml_parse(const char *data, size_t len, json_t **ret, struct err *err)
{
	struct toml t = { .p = data, .end = data + len, .line = 1, .err = err };
	int r;

	t.root = t.table = json_object();
	r = t.root ? read_document(&t) : no_memory(&t);
	free(t.closed.v);
	free(t.defined.v);
	free(t.dotted.v);
	if (r < 0) {
		json_decref(t.root);
		return r;
	}
	*ret = t.root;
	return 0;
}
