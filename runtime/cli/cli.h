/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the verbs of `lamina` share: the table of verbs, the global options, exit codes
 *
 * A file per group of verbs exports one table, listed in main.c.  Options are tables too
 * (runtime/cli/args.h), so help, completion and the manual's test read what the parser reads.
 */

#include "base/err.h"
#include "runtime/cli/args.h"

enum {
	EXIT_LAMINA = 125, /* lamina itself failed */
	EXIT_CANNOT_RUN = 126, /* the command cannot be executed */
	EXIT_NOT_FOUND = 127, /* the command was not found */
};

struct cli {
	const char *root; /* --root: the store, NULL for the default */
	bool debug; /* --debug */
};

struct cli_verb {
	const char *name; /* "pull", or "layer ls" */
	const char *synopsis; /* behind the name: "[OPTION]… IMAGE" */
	const char *help; /* one line, at most 60 characters */
	const struct args_opt *opts; /* ends with a zero entry; may be NULL */
	size_t opts_bytes; /* sizeof of the struct that opts fill */
	int min_args, max_args; /* positional; -1: any number */
	bool stop_at_positional; /* options end at the first positional (run, exec) */
	/* Return: the exit code.  Errors are printed by the verb through cli_fail(). */
	int (*run)(struct cli *cli, void *opts, int argc, char **argv);
	const char *detail; /* more, for the verb's own --help; or NULL */
};

/* The groups, each defined where its verbs are. */
extern const struct cli_verb cli_verbs_commit[];
extern const struct cli_verb cli_verbs_exec[];
extern const struct cli_verb cli_verbs_fsck[];
extern const struct cli_verb cli_verbs_image[];
extern const struct cli_verb cli_verbs_inspect[];
extern const struct cli_verb cli_verbs_layer[];
extern const struct cli_verb cli_verbs_login[];
extern const struct cli_verb cli_verbs_logs[];
extern const struct cli_verb cli_verbs_mount[];
extern const struct cli_verb cli_verbs_port[];
extern const struct cli_verb cli_verbs_prune[];
extern const struct cli_verb cli_verbs_ps[];
extern const struct cli_verb cli_verbs_pull[];
extern const struct cli_verb cli_verbs_push[];
extern const struct cli_verb cli_verbs_run[];
extern const struct cli_verb cli_verbs_start[];
extern const struct cli_verb cli_verbs_stop[];
extern const struct cli_verb cli_verbs_unpack[];
extern const struct cli_verb cli_verbs_unshare[];
extern const struct cli_verb cli_verbs_volume[];

/** cli_ask() - ask a person on stderr; whether the answer was yes.  The end of stdin is a no */
bool cli_ask(const char *question);

/** cli_fail() - print "lamina: cannot VERB 'OBJECT': …" and the hint; returns EXIT_LAMINA */
int cli_fail(const struct err *err);
