/* SPDX-License-Identifier: Apache-2.0 */
/* lamina: finds the verb, parses its options from its table, runs it. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cli/verbs.h"
#include "runtime/selfexe.h"

#include <stdio.h>

int cli_fail(const struct err *err)
{
	err_print(err, "lamina");
	return EXIT_LAMINA;
}

static void print_opts(const struct args_opt *o)
{
	for (; o && o->name; o++) {
		char left[64];

		if (o->kind == ARGS_REFUSED)
			continue;

		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : "",
			o->letter ? o->letter : ' ', o->letter ? ", " : "   ", o->name,
			o->meta ? " " : "", o->meta ? o->meta : "");
		printf("  %-30s  %s\n", left, o->help);
	}
}

static void print_verb_help(const struct cli_verb *v)
{
	printf("usage: lamina %s %s\n\n%s\n", v->name, v->synopsis, v->help);
	if (v->detail)
		printf("\n%s\n", v->detail);
	if (v->opts) {
		printf("\n");
		print_opts(v->opts);
	}
}

static void print_help(void)
{
	printf("usage: lamina [--root DIR] [--debug] VERB [OPTION]… …\n\n");
	print_opts(cli_global_opts);
	printf("\n");
	for (size_t g = 0; cli_groups[g]; g++)
		for (const struct cli_verb *v = cli_groups[g]; v->name; v++)
			printf("  %-14s  %s\n", v->name, v->help);
	printf("\n'lamina VERB --help' tells more about one verb.\n");
}

static bool wants_help(const struct cli_verb *v, char **argv, int n)
{
	for (int i = 0; i < n; i++) {
		if (str_eq(argv[i], "--help"))
			return true;
		if (str_eq(argv[i], "--") || (v->stop_at_positional && argv[i][0] != '-'))
			break;
	}
	return false;
}

static int run_verb(struct cli *cli, const struct cli_verb *v, int argc, char **argv)
{
	auto_free char **pos = calloc((size_t)argc + 1, sizeof(*pos));
	auto_free void *opts = calloc(1, v->opts_bytes ? v->opts_bytes : 1);
	struct err err = ERR_INIT;
	int n, code;

	if (!pos || !opts) {
		err_set(&err, -ENOMEM, "cannot start");
		return cli_fail(&err);
	}
	n = args_parse(v->opts, opts, argc, argv, v->stop_at_positional, pos, &err);
	if (n >= 0 && (n < v->min_args || (v->max_args >= 0 && n > v->max_args)))
		n = err_say(&err, -EINVAL, "'lamina %s' takes %s", v->name, v->synopsis);
	if (n < 0) {
		err_hint(&err, n, "lamina %s --help", v->name);
		code = cli_fail(&err);
	} else {
		code = v->run(cli, opts, n, pos);
	}
	args_done(v->opts, opts);
	return code;
}

static int unknown_verb(char **words, int n)
{
	bool noun = n > 0 && cli_is_noun(words[0]);
	struct err err = ERR_INIT;

	err_say(&err, -EINVAL, "unknown verb '%s%s%s'", n > 0 ? words[0] : "",
		noun && n > 1 ? " " : "", noun && n > 1 ? words[1] : "");
	err_hint(&err, -EINVAL, "lamina --help");
	return cli_fail(&err);
}

int main(int argc, char **argv)
{
	auto_free char **pos = calloc((size_t)argc + 1, sizeof(*pos));
	struct cli cli = { 0 };
	struct err err = ERR_INIT;
	struct cli_found f;
	int n;

	if (!pos || fd_fill_standard() < 0)
		return EXIT_LAMINA;
	if (argc == 2 && (str_eq(argv[1], "--version") || str_eq(argv[1], "-v"))) {
		printf("lamina " LAMINA_VERSION "\n");
		return 0;
	}
	if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h") ||
		str_eq(argv[1], "help")) {
		print_help();
		return argc < 2 ? EXIT_LAMINA : 0;
	}
	n = args_parse(cli_global_opts, &cli, argc - 1, argv + 1, true, pos, &err);
	if (n < 0)
		return cli_fail(&err);
	if (cli.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	if (!cli_find_verb(pos, n, &f))
		return unknown_verb(pos, n);
	if (wants_help(f.verb, pos + f.n_words, n - f.n_words)) {
		print_verb_help(f.verb);
		return 0;
	}
	if (f.verb->enters_container && selfexe_protect(argv, &err) < 0)
		return cli_fail(&err);
	/* What an alias stands for takes the place of its last word. */
	if (f.option)
		pos[--f.n_words] = (char *)(uintptr_t)f.option;
	return run_verb(&cli, f.verb, n - f.n_words, pos + f.n_words);
}
