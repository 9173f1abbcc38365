/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: text and blocks
 *
 * The text is walked as it is run: a block that is not taken is walked without effect, one that is
 * repeated is walked again from its beginning.
 */
#include "runtime/template.h"

#include "base/cleanup.h"
#include "runtime/template_eval.h"

#include <ctype.h>

enum ended { BY_TEXT, BY_END, BY_ELSE };

int template_fail(struct template *t, const char *what)
{
	int at = (int)(t->pos < t->len ? t->pos : t->len);

	return err_say(t->err, -EINVAL, "the template is wrong at '%.24s': %s", t->text + at, what);
}

/* ---- text ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Text between actions, in which \t and \n mean what they say. */
static int put_text(struct template *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '\\' && i + 1 < n && (s[i + 1] == 't' || s[i + 1] == 'n'))
			c = s[++i] == 't' ? '\t' : '\n';
		if (buf_add(t->out, &c, 1) < 0)
			return err_set(t->err, -ENOMEM, "template");
	}
	return 0;
}

/* Up to the next action, which is entered; false at the end of the template. */
static int walk_text(struct template *t, bool active, bool *ret_action)
{
	const char *start = t->text + t->pos;
	const char *open = memmem(start, t->len - t->pos, "{{", 2);
	size_t n = open ? (size_t)(open - start) : t->len - t->pos;

	t->pos += n;
	*ret_action = open;
	if (open) {
		t->pos += 2;
		if (t->pos + 1 < t->len && t->text[t->pos] == '-' &&
			is_space(t->text[t->pos + 1])) {
			t->pos++;
			while (n > 0 && is_space(start[n - 1]))
				n--;
		}
	}
	return active ? put_text(t, start, n) : 0;
}

/* "}}", or " -}}" with the white space behind it. */
static int close_action(struct template *t)
{
	template_space(t);
	if (t->len - t->pos >= 3 && memcmp(t->text + t->pos, "-}}", 3) == 0) {
		t->pos += 3;
		while (t->pos < t->len && is_space(t->text[t->pos]))
			t->pos++;
		return 0;
	}
	if (t->len - t->pos < 2 || memcmp(t->text + t->pos, "}}", 2) != 0)
		return template_fail(t, "'}}' is missing");
	t->pos += 2;
	return 0;
}

/* ---- blocks ---- */

static int walk_block(struct template *t, const json_t *dot, bool active, enum ended *ret);

/* The value of the pipeline that the action ends with. */
static int take_value(struct template *t, const json_t *dot, bool active, json_t **ret)
{
	int r;

	*ret = NULL;
	r = active ? template_pipeline(t, dot, ret) : template_skip_pipeline(t);
	if (r == 0)
		r = close_action(t);
	if (r < 0) {
		json_decref(*ret);
		*ret = NULL;
	}
	return r;
}

/* A block and what it ends with; variables that it makes end with it. */
static int walk_scope(struct template *t, const json_t *dot, bool active, enum ended *ret)
{
	size_t n_vars = t->n_vars;
	int r;

	if (t->depth == LIMIT_TEMPLATE_DEPTH)
		return template_fail(t, "too many blocks in each other");
	t->depth++;
	r = walk_block(t, dot, active, ret);
	t->depth--;
	while (t->n_vars > n_vars)
		json_decref(t->vars[--t->n_vars].value);
	if (r == 0 && *ret == BY_TEXT)
		return template_fail(t, "'{{end}}' is missing");
	return r;
}

/* {{if}} and {{with}}, from the condition on, up to their {{end}}. */
static int walk_if(struct template *t, const json_t *dot, bool active, bool with)
{
	auto_json *value = NULL;
	enum ended ended;
	bool yes;
	int r;

	r = take_value(t, dot, active, &value);
	if (r < 0)
		return r;
	yes = active && template_truth(value);
	r = walk_scope(t, with && yes ? value : dot, yes, &ended);
	if (r < 0 || ended == BY_END)
		return r;
	/* {{else}} was taken up to the word: {{else if}} nests. */
	template_space(t);
	if (template_word(t, "if")) {
		if (++t->depth > LIMIT_TEMPLATE_DEPTH)
			return template_fail(t, "too many blocks in each other");
		r = walk_if(t, dot, active && !yes, false);
		t->depth--;
		return r;
	}
	r = close_action(t);
	if (r == 0)
		r = walk_scope(t, dot, active && !yes, &ended);
	return r == 0 && ended != BY_END ? template_fail(t, "a second '{{else}}'") : r;
}

struct range {
	const char *names[2]; /* key, value; NULL: not wanted */
	size_t lens[2];
	size_t body;
	enum ended ended;
	const json_t *dot;
};

/* "$i, $x :=" or "$x :=" */
static int take_range_vars(struct template *t, struct range *g)
{
	size_t start = t->pos;

	template_space(t);
	if (!template_take_var(t, &g->names[1], &g->lens[1]))
		return 0;
	template_space(t);
	if (t->pos < t->len && t->text[t->pos] == ',') {
		t->pos++;
		template_space(t);
		g->names[0] = g->names[1];
		g->lens[0] = g->lens[1];
		if (!template_take_var(t, &g->names[1], &g->lens[1]))
			return template_fail(t, "a variable is missing");
		template_space(t);
	}
	if (t->len - t->pos >= 2 && memcmp(t->text + t->pos, ":=", 2) == 0) {
		t->pos += 2;
		return 0;
	}
	if (g->names[0])
		return template_fail(t, "':=' is missing");
	/* It was the beginning of the pipeline. */
	g->names[1] = NULL;
	t->pos = start;
	return 0;
}

static int walk_turn(struct template *t, struct range *g, json_t *key, json_t *value)
{
	size_t n_vars = t->n_vars;
	int r = 0;

	t->pos = g->body;
	if (g->names[0])
		r = template_set_var(t, g->names[0], g->lens[0], key);
	if (r == 0 && g->names[1])
		r = template_set_var(t, g->names[1], g->lens[1], value);
	if (r == 0)
		r = walk_scope(t, value, true, &g->ended);
	while (t->n_vars > n_vars)
		json_decref(t->vars[--t->n_vars].value);
	return r;
}

static int walk_turns(struct template *t, struct range *g, json_t *list, size_t *ret_n)
{
	json_t *value;
	const char *name;
	size_t i;
	int r = 0;

	if (json_is_array(list)) {
		json_array_foreach (list, i, value) {
			auto_json *key = json_integer((json_int_t)i);

			r = r == 0 ? walk_turn(t, g, key, value) : r;
			++*ret_n;
		}
	} else if (json_is_object(list)) {
		json_object_foreach (list, name, value) {
			auto_json *key = json_string(name);

			r = r == 0 ? walk_turn(t, g, key, value) : r;
			++*ret_n;
		}
	} else if (list && !json_is_null(list)) {
		return template_fail(t, "{{range}} takes a list");
	}
	return r;
}

static int walk_range(struct template *t, const json_t *dot, bool active)
{
	struct range g = { .ended = BY_END };
	auto_json *list = NULL;
	enum ended ended;
	size_t n = 0;
	int r;

	r = take_range_vars(t, &g);
	if (r == 0)
		r = take_value(t, dot, active, &list);
	if (r < 0)
		return r;
	g.body = t->pos;
	r = active ? walk_turns(t, &g, list, &n) : 0;
	if (r == 0 && n == 0)
		r = walk_scope(t, dot, false, &g.ended);
	if (r < 0 || g.ended == BY_END)
		return r;
	r = close_action(t);
	if (r == 0)
		r = walk_scope(t, dot, active && n == 0, &ended);
	return r == 0 && ended != BY_END ? template_fail(t, "a second '{{else}}'") : r;
}

/* ---- actions ---- */

static int walk_comment(struct template *t)
{
	const char *start = t->text + t->pos;
	const char *end = memmem(start, t->len - t->pos, "*/", 2);

	if (!end)
		return template_fail(t, "'*/' is missing");
	t->pos += (size_t)(end - start) + 2;
	return close_action(t);
}

/* {{pipeline}}, or {{$x := pipeline}}, which prints nothing. */
static int walk_pipeline(struct template *t, const json_t *dot, bool active)
{
	auto_json *value = NULL;
	struct range v = { 0 };
	int r;

	r = take_range_vars(t, &v);
	if (r == 0 && v.names[0])
		r = template_fail(t, "one variable only");
	if (r == 0)
		r = take_value(t, dot, active, &value);
	if (r < 0 || !active)
		return r;
	if (v.names[1])
		return template_set_var(t, v.names[1], v.lens[1], value);
	r = template_print(value, t->out);
	return r < 0 ? err_set(t->err, r, "template") : 0;
}

/* One action; @ret says whether it ended the block. */
static int walk_action(struct template *t, const json_t *dot, bool active, enum ended *ret)
{
	if (++t->steps > LIMIT_TEMPLATE_STEPS || t->out->len > LIMIT_TEMPLATE_OUTPUT)
		return err_say(t->err, -E2BIG, "the template makes too much");
	template_space(t);
	if (t->len - t->pos >= 2 && memcmp(t->text + t->pos, "/*", 2) == 0)
		return walk_comment(t);
	if (template_word(t, "end")) {
		*ret = BY_END;
		return t->depth ? close_action(t) : template_fail(t, "there is nothing to end");
	}
	if (template_word(t, "else")) {
		*ret = BY_ELSE;
		return t->depth ? 0 : template_fail(t, "there is no '{{if}}'");
	}
	if (template_word(t, "if"))
		return walk_if(t, dot, active, false);
	if (template_word(t, "with"))
		return walk_if(t, dot, active, true);
	if (template_word(t, "range"))
		return walk_range(t, dot, active);
	return walk_pipeline(t, dot, active);
}

static int walk_block(struct template *t, const json_t *dot, bool active, enum ended *ret)
{
	*ret = BY_TEXT;
	while (*ret == BY_TEXT) {
		bool action = false;
		int r = walk_text(t, active, &action);

		if (r < 0 || !action)
			return r;
		r = walk_action(t, dot, active, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

int template_run(const char *text, const json_t *data, struct buf *out, struct err *err)
{
	struct template t = {
		.text = text, .len = strlen(text), .root = data, .out = out, .err = err
	};
	enum ended ended;
	int r;

	if (t.len > LIMIT_TEMPLATE_BYTES)
		return err_say(err, -E2BIG, "the template is too long");
	r = walk_block(&t, data, true, &ended);
	while (t.n_vars > 0)
		json_decref(t.vars[--t.n_vars].value);
	if (r == 0 && buf_add(out, "", 0) < 0)
		return err_set(err, -ENOMEM, "template");
	return r;
}

int template_header(const char *text, struct buf *out)
{
	int r = 0;

	while (r == 0 && *text) {
		const char *open = strstr(text, "{{"), *close = open ? strstr(open, "}}") : NULL;
		const char *dot, *name;
		size_t n = open && close ? (size_t)(open - text) : strlen(text);

		for (size_t i = 0; r == 0 && i < n; i++)
			if (text[i] == '\\' && text[i + 1] == 't')
				r = buf_add(out, "\t", 1), i++;
			else
				r = buf_add(out, text + i, 1);
		if (!open || !close)
			break;
		/* The last field of the last word with a dot: "{{json .State.Pid}}" is PID. */
		dot = memrchr(open, '.', (size_t)(close - open));
		for (name = dot ? dot + 1 : close; r == 0 && isalnum((unsigned char)*name);
			name++) {
			char c = (char)toupper((unsigned char)*name);

			r = buf_add(out, &c, 1);
		}
		text = close + 2;
	}
	return r;
}
