/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines from tables (the contract is in the header). */
#include "runtime/cli/args.h"

#include <errno.h>
#include <string.h>

struct parser {
	const struct args_opt *opts;
	char *out;
	int argc, i;
	char **argv;
	struct err *err;
};

static const struct args_opt *find_long(const struct args_opt *opts, const char *name, size_t len)
{
	for (; opts && opts->name; opts++)
		if (strlen(opts->name) == len && memcmp(opts->name, name, len) == 0)
			return opts;
	return NULL;
}

static const struct args_opt *find_letter(const struct args_opt *opts, char letter)
{
	for (; opts && opts->name; opts++)
		if (opts->letter == letter)
			return opts;
	return NULL;
}

/* Edits that turn @a into @b, by one row of the usual table; long names are not worth it. */
static size_t edit_distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t row[33];

	if (blen > 32)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[blen];
}

static int unknown_option(struct parser *p, const char *name, size_t len)
{
	const struct args_opt *nearest = NULL;
	size_t best = 3; /* more edits than two are no misspelling */
	int r = err_say(p->err, -EINVAL, "unknown option '--%.*s'", (int)len, name);

	for (const struct args_opt *o = p->opts; o && o->name; o++) {
		size_t d = edit_distance(name, len, o->name, strlen(o->name));

		if (d < best) {
			best = d;
			nearest = o;
		}
	}
	return nearest ? err_hint(p->err, r, "the nearest option is '--%s'", nearest->name) : r;
}

static bool is_flag(const struct args_opt *o)
{
	return o->kind == ARGS_FLAG || o->kind == ARGS_FLAG_ON;
}

static int store_value(struct parser *p, const struct args_opt *o, const char *value)
{
	void *field = p->out + o->offset;
	bool on;

	switch (o->kind) {
	case ARGS_FLAG:
	case ARGS_FLAG_ON:
		on = str_eq(value, "true") || str_eq(value, "1");
		if (!on && !str_eq(value, "false") && !str_eq(value, "0"))
			return err_say(p->err, -EINVAL,
				"option '--%s' takes true or false, not '%s'", o->name, value);
		*(bool *)field = on == (o->kind == ARGS_FLAG);
		return 0;
	case ARGS_STRING:
		*(const char **)field = value;
		return 0;
	case ARGS_LIST:
		if (strv_add(field, value) < 0)
			return err_set(p->err, -ENOMEM, "cannot parse options");
		return 0;
	case ARGS_U64:
		if (str_to_u64(value, UINT64_MAX, field) < 0)
			return err_say(p->err, -EINVAL, "option '--%s' takes a number, not '%s'",
				o->name, value);
		return 0;
	case ARGS_REFUSED:
		break;
	}
	return -EINVAL;
}

/* The value of an option that wants one: the next word. */
static int store_next(struct parser *p, const struct args_opt *o)
{
	if (p->i + 1 >= p->argc)
		return err_say(
			p->err, -EINVAL, "option '--%s' needs a value (%s)", o->name, o->meta);
	return store_value(p, o, p->argv[++p->i]);
}

static int parse_long(struct parser *p, const char *arg)
{
	const char *eq = strchr(arg, '=');
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
	const struct args_opt *o = find_long(p->opts, arg, len);

	if (!o)
		return unknown_option(p, arg, len);
	if (o->kind == ARGS_REFUSED) {
		int r = err_say(p->err, -EOPNOTSUPP, "option '--%s' is not supported", o->name);

		return err_hint(p->err, r, "%s", o->help);
	}
	if (eq)
		return store_value(p, o, eq + 1);
	return is_flag(o) ? store_value(p, o, "true") : store_next(p, o);
}

static int parse_short(struct parser *p, const char *arg)
{
	for (; *arg; arg++) {
		const struct args_opt *o = find_letter(p->opts, *arg);
		int r;

		if (!o)
			return err_say(p->err, -EINVAL, "unknown option '-%c'", *arg);
		/* "-a=false", as Go's flags have it. */
		if (!is_flag(o) || arg[1] == '=')
			return arg[1] ? store_value(p, o, arg + 1 + (arg[1] == '='))
				      : store_next(p, o);
		r = store_value(p, o, "true");
		if (r < 0)
			return r;
	}
	return 0;
}

int args_parse(const struct args_opt *opts, void *out, int argc, char **argv,
	bool stop_at_positional, char **pos, struct err *err)
{
	struct parser p = { opts, out, argc, 0, argv, err };
	bool only_positional = false;
	int n = 0;

	for (; p.i < argc; p.i++) {
		char *arg = argv[p.i];
		int r = 0;

		if (only_positional || arg[0] != '-' || arg[1] == '\0') {
			pos[n++] = arg;
			only_positional |= stop_at_positional;
		} else if (str_eq(arg, "--")) {
			only_positional = true;
		} else if (arg[1] == '-') {
			r = parse_long(&p, arg + 2);
		} else {
			r = parse_short(&p, arg + 1);
		}
		if (r < 0)
			return r;
	}
	pos[n] = NULL;
	return n;
}

void args_done(const struct args_opt *opts, void *out)
{
	for (; opts && opts->name; opts++)
		if (opts->kind == ARGS_LIST)
			strv_done((struct strv *)((char *)out + opts->offset));
}
