/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * All verbs, and the names that other engines have for them: "container ls" is "ps"
 */

#include "runtime/cli/cli.h"

/* Tables of verbs; ends with NULL. */
extern const struct cli_verb *const cli_groups[];

/* The options in front of the verb, of struct cli. */
extern const struct args_opt cli_global_opts[];

/* "NOUN WORD" for a verb; ends with an entry without noun. */
struct cli_alias {
	const char *noun, *word, *verb;
	const char *option; /* that it stands for, too: "--type=container"; NULL: none */
};

extern const struct cli_alias cli_aliases[];

struct cli_found {
	const struct cli_verb *verb;
	int n_words; /* of the command line that name it */
	const char *option; /* of struct cli_alias */
};

/** cli_find_verb() - what the first of @n words name; false if it is no verb */
bool cli_find_verb(char **words, int n, struct cli_found *ret);

/**
 * cli_is_noun() - is @word the first of a verb of two words?
 * For completion and for errors.
 */
bool cli_is_noun(const char *word);
