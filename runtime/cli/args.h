/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Command lines from tables.  Pure: no output, no exit.
 *
 * Accepts --name VALUE, --name=VALUE, -xVALUE, -x VALUE, grouped short flags (-it),
 * --flag=true|false, and "--" as the end of options.  Unknown options are errors that name the
 * nearest known one.
 */

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum args_kind {
	ARGS_FLAG = 1, /* bool */
	ARGS_FLAG_ON, /* bool, on unless it is told otherwise: the field says that it is off */
	ARGS_STRING, /* const char *, the last one wins; points into argv */
	ARGS_LIST, /* struct strv, one element per use */
	ARGS_U64, /* uint64_t */
	ARGS_REFUSED, /* known from other engines; help says what to use instead */
};

struct args_opt {
	const char *name; /* long name without "--"; NULL ends the table */
	char letter; /* short form, 0: none */
	enum args_kind kind;
	size_t offset; /* of the field in the options struct */
	const char *meta; /* what the value is called in help: "NAME"; NULL for flags */
	const char *help; /* one line */
};

/**
 * args_parse() - parse into an options struct
 * @opts:       table, or NULL for none
 * @out:        zeroed struct that the table's offsets belong to
 * @argc, @argv: without the program and verb; borrowed, not changed
 * @pos:        array of at least @argc + 1 pointers, filled with the positionals, then NULL
 *
 * With @stop_at_positional everything from the first positional on is positional.
 * Return: the number of positionals; -EINVAL with a text and hint.
 */
int args_parse(const struct args_opt *opts, void *out, int argc, char **argv,
	bool stop_at_positional, char **pos, struct err *err);

/** args_done() - free what the lists hold */
void args_done(const struct args_opt *opts, void *out);
