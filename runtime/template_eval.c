/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: pipelines
 *
 *      pipeline = command { "|" command }       a value goes into the next command as its last word
 *      command  = function operand… | operand
 *      operand  = "." | .Field… | $var.Field… | "text" | `text` | number | true | false | nil |
 *                 "(" pipeline ")" .Field…
 */
#include "runtime/template_eval.h"

#include "base/cleanup.h"

#include <ctype.h>

#define LIMIT_ARGS 16

/* ---- words ---- */

void template_space(struct template *t)
{
	while (t->pos < t->len && isspace((unsigned char)t->text[t->pos]))
		t->pos++;
}

static char here(const struct template *t)
{
	return t->pos < t->len ? t->text[t->pos] : '\0';
}

bool template_at_end(const struct template *t)
{
	size_t left = t->len - t->pos;
	const char *s = t->text + t->pos;

	return left == 0 || (left >= 2 && memcmp(s, "}}", 2) == 0) ||
	       (left >= 3 && memcmp(s, "-}}", 3) == 0);
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

bool template_word(struct template *t, const char *word)
{
	size_t n = strlen(word);

	if (t->len - t->pos < n || memcmp(t->text + t->pos, word, n) != 0 ||
		(t->pos + n < t->len && is_name(t->text[t->pos + n])))
		return false;
	t->pos += n;
	return true;
}

static size_t take_name(struct template *t, const char **ret)
{
	size_t start = t->pos;

	while (is_name(here(t)))
		t->pos++;
	*ret = t->text + start;
	return t->pos - start;
}

bool template_take_var(struct template *t, const char **ret, size_t *ret_len)
{
	if (here(t) != '$')
		return false;
	t->pos++;
	*ret_len = take_name(t, ret);
	return true;
}

int template_set_var(struct template *t, const char *name, size_t len, json_t *value)
{
	if (t->n_vars == LIMIT_TEMPLATE_VARS)
		return template_fail(t, "too many variables");
	t->vars[t->n_vars++] = (struct template_var){ name, len, json_incref(value) };
	return 0;
}

static json_t *find_var(const struct template *t, const char *name, size_t len)
{
	if (len == 0)
		return json_incref((json_t *)(uintptr_t)t->root);
	for (size_t i = t->n_vars; i-- > 0;)
		if (t->vars[i].len == len && memcmp(t->vars[i].name, name, len) == 0)
			return json_incref(t->vars[i].value);
	return NULL;
}

/* ---- fields ---- */

static bool is_map(json_t *object)
{
	const char *key;
	json_t *value;

	/* Fields of a structure begin with a capital letter. */
	json_object_foreach (object, key, value)
		if (!isupper((unsigned char)key[0]))
			return true;
	return json_object_size(object) == 0;
}

static json_t *find_field(json_t *object, const char *name, size_t len)
{
	json_t *exact = json_object_getn(object, name, len), *value;
	const char *key;

	if (exact)
		return exact;
	json_object_foreach (object, key, value)
		if (strlen(key) == len && strncasecmp(key, name, len) == 0)
			return value;
	return NULL;
}

/* Replaces the value by its field. */
static int enter_field(struct template *t, json_t **value, const char *name, size_t len)
{
	json_t *field = json_is_object(*value) ? find_field(*value, name, len) : NULL;

	if (!field && !json_is_null(*value) && !(json_is_object(*value) && is_map(*value)))
		return err_say(t->err, -EINVAL, "there is no field '%.*s'", (int)len, name);
	field = field ? json_incref(field) : json_null();
	json_decref(*value);
	*value = field;
	return 0;
}

/* .A.B… behind a value; on failure the value is dropped. */
static int enter_fields(struct template *t, json_t **value)
{
	while (here(t) == '.') {
		const char *name;
		size_t len;
		int r;

		t->pos++;
		len = take_name(t, &name);
		r = len ? enter_field(t, value, name, len) : template_fail(t, "a name is missing");
		if (r < 0) {
			json_decref(*value);
			*value = NULL;
			return r;
		}
	}
	return 0;
}

/* ---- operands ---- */

static int take_string(struct template *t, json_t **ret)
{
	char quote = here(t);
	auto_buf text = { 0 };

	t->pos++;
	while (t->pos < t->len && here(t) != quote) {
		char c = here(t);

		if (c == '\\' && quote == '"' && t->pos + 1 < t->len) {
			c = t->text[++t->pos];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		if (buf_add(&text, &c, 1) < 0)
			return err_set(t->err, -ENOMEM, "template");
		t->pos++;
	}
	if (t->pos == t->len)
		return template_fail(t, "a quote is missing");
	t->pos++;
	*ret = json_stringn(text.len ? text.data : "", text.len);
	return *ret ? 0 : template_fail(t, "it is not valid UTF-8");
}

static int take_integer(struct template *t, json_t **ret)
{
	size_t start = t->pos;
	char number[24];
	int64_t v = 0;

	t->pos += here(t) == '-';
	while (isdigit((unsigned char)here(t)))
		t->pos++;
	if (t->pos - start >= 19)
		return template_fail(t, "the number is too long");
	snprintf(number, sizeof(number), "%.*s", (int)(t->pos - start), t->text + start);
	v = strtoll(number, NULL, 10);
	*ret = json_integer(v);
	return *ret ? 0 : err_set(t->err, -ENOMEM, "template");
}

static int take_parentheses(struct template *t, const json_t *dot, json_t **ret)
{
	int r;

	if (t->depth == LIMIT_TEMPLATE_DEPTH)
		return template_fail(t, "too many parentheses");
	t->pos++;
	t->depth++;
	r = template_pipeline(t, dot, ret);
	t->depth--;
	if (r < 0)
		return r;
	template_space(t);
	if (here(t) != ')') {
		json_decref(*ret);
		*ret = NULL;
		return template_fail(t, "')' is missing");
	}
	t->pos++;
	return enter_fields(t, ret);
}

static bool starts_operand(const struct template *t)
{
	char c = here(t);

	if (template_at_end(t))
		return false;
	return c == '.' || c == '$' || c == '"' || c == '`' || c == '(' || c == '-' ||
	       isdigit((unsigned char)c) || is_name(c);
}

static int take_word_value(struct template *t, json_t **ret)
{
	if (template_word(t, "true"))
		*ret = json_true();
	else if (template_word(t, "false"))
		*ret = json_false();
	else if (template_word(t, "nil"))
		*ret = json_null();
	else
		return template_fail(t, "a function stands only at the beginning");
	return 0;
}

static int take_operand(struct template *t, const json_t *dot, json_t **ret)
{
	const char *name;
	size_t len;

	switch (here(t)) {
	case '.':
		*ret = json_incref((json_t *)(uintptr_t)dot);
		if (t->pos + 1 < t->len && is_name(t->text[t->pos + 1]))
			return enter_fields(t, ret);
		t->pos++;
		return 0;
	case '$':
		(void)template_take_var(t, &name, &len);
		*ret = find_var(t, name, len);
		return *ret ? enter_fields(t, ret) : template_fail(t, "there is no such variable");
	case '"':
	case '`':
		return take_string(t, ret);
	case '(':
		return take_parentheses(t, dot, ret);
	default:
		if (here(t) == '-' || isdigit((unsigned char)here(t)))
			return take_integer(t, ret);
		return take_word_value(t, ret);
	}
}

/* ---- commands ---- */

struct args {
	json_t *v[LIMIT_ARGS];
	size_t n;
};

static void args_drop(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		json_decref(a->v[i]);
	a->n = 0;
}

static int take_args(struct template *t, const json_t *dot, struct args *a)
{
	for (;;) {
		int r;

		template_space(t);
		if (!starts_operand(t))
			return 0;
		if (a->n == LIMIT_ARGS - 1)
			return template_fail(t, "too many words");
		r = take_operand(t, dot, &a->v[a->n]);
		if (r < 0)
			return r;
		a->n++;
	}
}

static bool is_value_word(const char *name, size_t len)
{
	return (len == 4 && memcmp(name, "true", 4) == 0) ||
	       (len == 5 && memcmp(name, "false", 5) == 0) ||
	       (len == 3 && memcmp(name, "nil", 3) == 0);
}

/* @piped: what came through "|", a reference that is consumed; NULL: nothing. */
static int take_command(struct template *t, const json_t *dot, json_t *piped, json_t **ret)
{
	struct args a = { 0 };
	const char *name;
	size_t start = t->pos, len = take_name(t, &name);
	bool call = len > 0 && !isdigit((unsigned char)name[0]) && !is_value_word(name, len);
	int r;

	if (!call)
		t->pos = start;
	r = take_args(t, dot, &a);
	if (piped)
		a.v[a.n++] = piped;
	if (r == 0 && call) {
		r = template_call(t, name, len, a.v, a.n, ret);
		if (r == -ENOENT)
			r = err_say(t->err, -EINVAL, "there is no function '%.*s'", (int)len, name);
	} else if (r == 0 && a.n != 1) {
		r = template_fail(t, a.n ? "one value only" : "a value is missing");
	} else if (r == 0) {
		*ret = json_incref(a.v[0]);
	}
	args_drop(&a);
	return r;
}

int template_pipeline(struct template *t, const json_t *dot, json_t **ret)
{
	json_t *value = NULL;
	int r;

	for (;;) {
		json_t *next = NULL;

		template_space(t);
		r = take_command(t, dot, value, &next);
		if (r < 0)
			return r;
		value = next;
		template_space(t);
		if (here(t) != '|')
			break;
		t->pos++;
	}
	*ret = value;
	return 0;
}

int template_skip_pipeline(struct template *t)
{
	while (!template_at_end(t)) {
		json_t *ignored = NULL;
		int r = 0;

		if (here(t) == '"' || here(t) == '`')
			r = take_string(t, &ignored);
		else
			t->pos++;
		json_decref(ignored);
		if (r < 0)
			return r;
	}
	return 0;
}

bool template_truth(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_REAL:
		return json_real_value(v) != 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}
