/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: functions, and how values are shown. */
#include "base/cleanup.h"
#include "runtime/template_eval.h"

#include <ctype.h>
#include <inttypes.h>

#define LIMIT_SHOW_DEPTH 16

typedef int function(struct template *t, json_t *const *a, size_t n, json_t **ret);

/* ---- showing ---- */

static int show(const json_t *v, struct buf *out, unsigned int depth);

static int show_list(const json_t *v, struct buf *out, unsigned int depth)
{
	int r = buf_add_str(out, "[");

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++) {
		r = i ? buf_add_str(out, " ") : 0;
		if (r == 0)
			r = show(json_array_get(v, i), out, depth + 1);
	}
	return r == 0 ? buf_add_str(out, "]") : r;
}

static int show_map(const json_t *v, struct buf *out, unsigned int depth)
{
	int r = buf_add_str(out, "map[");
	bool first = true;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)v, key, value) {
		if (r == 0)
			r = buf_printf(out, "%s%s:", first ? "" : " ", key);
		if (r == 0)
			r = show(value, out, depth + 1);
		first = false;
	}
	return r == 0 ? buf_add_str(out, "]") : r;
}

static int show(const json_t *v, struct buf *out, unsigned int depth)
{
	if (depth > LIMIT_SHOW_DEPTH || out->len > LIMIT_TEMPLATE_OUTPUT)
		return -E2BIG;
	if (!v)
		return 0;
	switch (json_typeof(v)) {
	case JSON_STRING:
		return buf_add(out, json_string_value(v), json_string_length(v));
	case JSON_INTEGER:
		return buf_printf(out, "%" PRId64, (int64_t)json_integer_value(v));
	case JSON_REAL:
		return buf_printf(out, "%g", json_real_value(v));
	case JSON_TRUE:
		return buf_add_str(out, "true");
	case JSON_FALSE:
		return buf_add_str(out, "false");
	case JSON_NULL:
		return buf_add_str(out, "<no value>");
	case JSON_ARRAY:
		return show_list(v, out, depth);
	case JSON_OBJECT:
		return show_map(v, out, depth);
	}
	return 0;
}

int template_print(const json_t *value, struct buf *out)
{
	return show(value, out, 0);
}

/* ---- results ---- */

static int give(struct template *t, json_t *value, json_t **ret)
{
	*ret = value;
	return value ? 0 : err_set(t->err, -ENOMEM, "template");
}

static int give_text(struct template *t, const struct buf *text, json_t **ret)
{
	*ret = json_stringn(text->len ? text->data : "", text->len);
	return *ret ? 0 : err_say(t->err, -EINVAL, "what the template makes is not valid UTF-8");
}

static int wrong(struct template *t, const char *usage)
{
	return err_say(t->err, -EINVAL, "the template's function is used so: %s", usage);
}

/* ---- functions ---- */

static int f_json(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	auto_free char *text = n == 1 ? json_dumps(a[0], JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	return text ? give(t, json_string(text), ret) : wrong(t, "json VALUE");
}

static int f_index(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	json_t *v = n > 0 ? a[0] : NULL;

	for (size_t i = 1; i < n; i++) {
		if (json_is_object(v) && json_is_string(a[i]))
			v = json_object_get(v, json_string_value(a[i]));
		else if (json_is_array(v) && json_is_integer(a[i]))
			v = json_array_get(v, (size_t)json_integer_value(a[i]));
		else if (v && !json_is_null(v))
			return wrong(t, "index MAP \"KEY\", index LIST NUMBER");
		/* As in Go: nothing of a map is its empty value, beyond a list is an error. */
		if (!v && json_is_integer(a[i]))
			return err_say(t->err, -EINVAL, "the template's index is beyond the list");
		if (!v)
			return give(t, json_string(""), ret);
	}
	return n > 0 ? give(t, json_incref(v), ret) : wrong(t, "index MAP \"KEY\"");
}

static int f_len(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	size_t len = 0;

	if (n != 1)
		return wrong(t, "len VALUE");
	if (json_is_array(a[0]))
		len = json_array_size(a[0]);
	else if (json_is_object(a[0]))
		len = json_object_size(a[0]);
	else if (json_is_string(a[0]))
		len = json_string_length(a[0]);
	return give(t, json_integer((json_int_t)len), ret);
}

static int f_join(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	auto_buf text = { 0 };

	if (n != 2 || !json_is_string(a[1]) || !(json_is_array(a[0]) || json_is_null(a[0])))
		return wrong(t, "join LIST \",\"");
	for (size_t i = 0; i < json_array_size(a[0]); i++)
		if ((i && buf_add_str(&text, json_string_value(a[1])) < 0) ||
			template_print(json_array_get(a[0], i), &text) < 0)
			return err_set(t->err, -E2BIG, "template");
	return give_text(t, &text, ret);
}

static int f_split(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	auto_json *list = json_array();
	const char *s, *sep;

	if (n != 2 || !json_is_string(a[0]) || !json_string_length(a[1]))
		return wrong(t, "split TEXT \",\"");
	s = json_string_value(a[0]);
	sep = json_string_value(a[1]);
	while (s) {
		const char *end = strstr(s, sep);
		size_t len = end ? (size_t)(end - s) : strlen(s);

		if (json_array_append_new(list, json_stringn(s, len)) < 0)
			return wrong(t, "split TEXT \",\"");
		s = end ? end + strlen(sep) : NULL;
	}
	return give(t, ptr_take(&list), ret);
}

static int change_case(struct template *t, json_t *const *a, size_t n, json_t **ret, int mode)
{
	auto_buf text = { 0 };
	bool start = true;

	if (n != 1 || template_print(a[0], &text) < 0)
		return wrong(t, "lower TEXT, upper TEXT, title TEXT");
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x80 && (mode == 'u' || (mode == 't' && start)))
			text.data[i] = (char)toupper(c);
		else if (c < 0x80 && mode == 'l')
			text.data[i] = (char)tolower(c);
		start = isspace(c);
	}
	return give_text(t, &text, ret);
}

static int f_lower(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return change_case(t, a, n, ret, 'l');
}

static int f_upper(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return change_case(t, a, n, ret, 'u');
}

static int f_title(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return change_case(t, a, n, ret, 't');
}

/* slice TEXT FROM TO, bytes as in Go; what would cut a character is an error by its UTF-8. */
static int f_slice(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	json_int_t from = n > 1 ? json_integer_value(a[1]) : 0;
	json_int_t len = n > 0 ? (json_int_t)json_string_length(a[0]) : 0;
	json_int_t to = n > 2 ? json_integer_value(a[2]) : len;
	struct buf text;

	if (n < 1 || n > 3 || !json_is_string(a[0]) || from < 0 || to < from || to > len)
		return wrong(t, "slice TEXT FROM TO");
	text = (struct buf){ (char *)(uintptr_t)json_string_value(a[0]) + from, (size_t)(to - from),
		0 };
	return give_text(t, &text, ret);
}

static int f_truncate(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	struct buf text;
	size_t len;

	if (n != 2 || !json_is_string(a[0]) || json_integer_value(a[1]) < 0)
		return wrong(t, "truncate TEXT LENGTH");
	len = json_string_length(a[0]);
	text = (struct buf){ (char *)(uintptr_t)json_string_value(a[0]), len, 0 };
	if ((json_int_t)len > json_integer_value(a[1]))
		text.len = (size_t)json_integer_value(a[1]);
	return give_text(t, &text, ret);
}

static int print_all(struct template *t, json_t *const *a, size_t n, const char *end, json_t **ret)
{
	auto_buf text = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = i && *end ? buf_add_str(&text, " ") : 0;
		if (r == 0)
			r = template_print(a[i], &text);
	}
	if (r == 0)
		r = buf_add_str(&text, end);
	return r < 0 ? err_set(t->err, r, "template") : give_text(t, &text, ret);
}

static int f_print(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return print_all(t, a, n, "", ret);
}

static int f_println(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return print_all(t, a, n, "\n", ret);
}

/* "%-10.3s": flag, width, precision; the letters s, v, d and q, a width of at most three digits. */
static size_t take_spec(const char *s, bool *left, int *width, int *precision, char *letter)
{
	const char *start = s++;

	*left = *s == '-';
	s += *left;
	*width = 0;
	*precision = -1;
	for (int i = 0; i < 3 && isdigit((unsigned char)*s); i++)
		*width = *width * 10 + (*s++ - '0');
	if (*s == '.') {
		*precision = 0;
		s++;
		for (int i = 0; i < 3 && isdigit((unsigned char)*s); i++)
			*precision = *precision * 10 + (*s++ - '0');
	}
	*letter = *s;
	return *s ? (size_t)(s - start) + 1 : 0;
}

static int put_padded(
	struct buf *out, const struct buf *text, bool left, int width, int precision, char letter)
{
	size_t n = text->len;
	const char *quote = letter == 'q' ? "\"" : "";

	if (precision >= 0 && n > (size_t)precision)
		n = (size_t)precision;
	if (n > INT32_MAX)
		return -E2BIG;
	if (buf_add_str(out, quote) < 0 ||
		(!left && (size_t)width > n && buf_printf(out, "%*s", width - (int)n, "") < 0))
		return -ENOMEM;
	if (n && buf_add(out, text->data, n) < 0)
		return -ENOMEM;
	if (left && (size_t)width > n && buf_printf(out, "%*s", width - (int)n, "") < 0)
		return -ENOMEM;
	return buf_add_str(out, quote);
}

static int f_printf(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	auto_buf out = { 0 };
	size_t arg = 1;
	const char *s;
	int r = 0;

	if (n < 1 || !json_is_string(a[0]))
		return wrong(t, "printf \"%s\" VALUE…");
	for (s = json_string_value(a[0]); r == 0 && *s; s++) {
		int width, precision;
		bool left;
		char letter;
		size_t len = *s == '%' ? take_spec(s, &left, &width, &precision, &letter) : 0;

		if (*s == '%' && s[1] == '%') {
			r = buf_add(&out, s++, 1);
		} else if (*s != '%') {
			r = buf_add(&out, s, 1);
		} else if (len == 0 || !strchr("svdq", letter) || arg >= n) {
			return wrong(t, "printf \"%-10s %d %v %q\" VALUE…");
		} else {
			auto_buf text = { 0 };

			r = template_print(a[arg++], &text);
			if (r == 0)
				r = put_padded(&out, &text, left, width, precision, letter);
			s += len - 1;
		}
	}
	return r < 0 ? err_set(t->err, r, "template") : give_text(t, &out, ret);
}

/* ---- comparison ---- */

static int compare(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) {
		double x = json_number_value(a), y = json_number_value(b);

		return x < y ? -1 : x > y;
	}
	if (json_is_string(a) && json_is_string(b)) {
		int c = strcmp(json_string_value(a), json_string_value(b));

		return c < 0 ? -1 : c > 0;
	}
	return json_equal(a, b) ? 0 : 2;
}

/* eq takes several: whether the first is any of the others. */
static int f_eq(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	bool any = false;

	if (n < 2)
		return wrong(t, "eq VALUE VALUE…");
	for (size_t i = 1; i < n; i++)
		any |= compare(a[0], a[i]) == 0;
	return give(t, json_boolean(any), ret);
}

static int order(struct template *t, json_t *const *a, size_t n, json_t **ret, const char *name,
	unsigned int want)
{
	int c = n == 2 ? compare(a[0], a[1]) : 2;

	/* Bits of @want: less, equal, greater, different. */
	if (n != 2 || (c == 2 && !(want & 8)))
		return err_say(
			t->err, -EINVAL, "the template's '%s' compares two numbers or texts", name);
	return give(t, json_boolean(want & 1u << (c + 1)), ret);
}

static int f_ne(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return order(t, a, n, ret, "ne", 1 | 4 | 8);
}

static int f_lt(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return order(t, a, n, ret, "lt", 1);
}

static int f_le(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return order(t, a, n, ret, "le", 1 | 2);
}

static int f_gt(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return order(t, a, n, ret, "gt", 4);
}

static int f_ge(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return order(t, a, n, ret, "ge", 2 | 4);
}

/* The first that decides, else the last. */
static int decide(struct template *t, json_t *const *a, size_t n, json_t **ret, bool by)
{
	size_t i = 0;

	if (n == 0)
		return wrong(t, "and VALUE…, or VALUE…");
	while (i + 1 < n && template_truth(a[i]) != by)
		i++;
	return give(t, json_incref(a[i]), ret);
}

static int f_and(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return decide(t, a, n, ret, false);
}

static int f_or(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return decide(t, a, n, ret, true);
}

static int f_not(struct template *t, json_t *const *a, size_t n, json_t **ret)
{
	return n == 1 ? give(t, json_boolean(!template_truth(a[0])), ret) : wrong(t, "not VALUE");
}

static const struct {
	const char *name;
	function *call;
} functions[] = {
	{ "and", f_and },
	{ "eq", f_eq },
	{ "ge", f_ge },
	{ "gt", f_gt },
	{ "index", f_index },
	{ "join", f_join },
	{ "json", f_json },
	{ "le", f_le },
	{ "len", f_len },
	{ "lower", f_lower },
	{ "lt", f_lt },
	{ "ne", f_ne },
	{ "not", f_not },
	{ "or", f_or },
	{ "print", f_print },
	{ "printf", f_printf },
	{ "println", f_println },
	{ "slice", f_slice },
	{ "split", f_split },
	{ "title", f_title },
	{ "truncate", f_truncate },
	{ "upper", f_upper },
};

int template_call(struct template *t, const char *name, size_t len, json_t *const *args, size_t n,
	json_t **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
			return functions[i].call(t, args, n, ret);
	return -ENOENT;
}
