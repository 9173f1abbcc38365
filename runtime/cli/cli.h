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
	bool enters_container; /* its processes get into containers: selfexe_protect() */
};

extern const struct cli_verb cli_verbs_alter[], cli_verbs_commit[], cli_verbs_completion[],
	cli_verbs_system[], cli_verbs_cp[], cli_verbs_diff[], cli_verbs_doctor[], cli_verbs_exec[],
	cli_verbs_fsck[], cli_verbs_history[], cli_verbs_image[], cli_verbs_images[],
	cli_verbs_import[], cli_verbs_info[], cli_verbs_inspect[], cli_verbs_layer[],
	cli_verbs_login[], cli_verbs_logs[], cli_verbs_mount[], cli_verbs_network[],
	cli_verbs_network_show[], cli_verbs_port[], cli_verbs_prune[], cli_verbs_ps[],
	cli_verbs_pull[], cli_verbs_push[], cli_verbs_run[], cli_verbs_start[], cli_verbs_stats[],
	cli_verbs_stop[], cli_verbs_top[], cli_verbs_unpack[], cli_verbs_unshare[],
	cli_verbs_update[], cli_verbs_volume[];

struct layer_diff_options;
/** cli_read_epoch() - SOURCE_DATE_EPOCH, as reproducible-builds.org specifies it; -EINVAL */
int cli_read_epoch(struct layer_diff_options *ret, struct err *err);

struct layer_diff_stats;
/** cli_say_sockets() - warn of what a tar could not hold */
void cli_say_sockets(const struct layer_diff_stats *st);

/** cli_ask() - ask a person on stderr; whether the answer was yes.  The end of stdin is a no */
bool cli_ask(const char *question);

/** cli_fail() - print "lamina: cannot VERB 'OBJECT': …" and the hint; returns EXIT_LAMINA */
int cli_fail(const struct err *err);
