/* SPDX-License-Identifier: Apache-2.0 */
/* lamina: finds the verb, parses its options from its table, runs it. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/selfexe.h"

#include <stdio.h>

static const struct cli_verb *const groups[] = {
	cli_verbs_alter,
	cli_verbs_commit,
	cli_verbs_cp,
	cli_verbs_diff,
	cli_verbs_doctor,
	cli_verbs_exec,
	cli_verbs_fsck,
	cli_verbs_history,
	cli_verbs_image,
	cli_verbs_images,
	cli_verbs_import,
	cli_verbs_info,
	cli_verbs_inspect,
	cli_verbs_layer,
	cli_verbs_login,
	cli_verbs_logs,
	cli_verbs_mount,
	cli_verbs_network,
	cli_verbs_network_show,
	cli_verbs_port,
	cli_verbs_prune,
	cli_verbs_ps,
	cli_verbs_pull,
	cli_verbs_push,
	cli_verbs_run,
	cli_verbs_start,
	cli_verbs_stats,
	cli_verbs_stop,
	cli_verbs_top,
	cli_verbs_unpack,
	cli_verbs_unshare,
	cli_verbs_volume,
};

static const struct args_opt global_opts[] = {
	{ "root", 0, ARGS_STRING, offsetof(struct cli, root), "DIR", "the store" },
	{ "debug", 0, ARGS_FLAG, offsetof(struct cli, debug), NULL, "say on stderr what is done" },
	{ 0 },
};

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
	print_opts(global_opts);
	printf("\n");
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct cli_verb *v = groups[g]; v->name; v++)
			printf("  %-14s  %s\n", v->name, v->help);
	printf("\n'lamina VERB --help' tells more about one verb.\n");
}

/* Verbs have one word or two ("layer ls"); @ret_words says how many were used. */
static const struct cli_verb *find_verb(char **words, int n, int *ret_words)
{
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct cli_verb *v = groups[g]; v->name; v++) {
			const char *space = strchr(v->name, ' ');
			size_t len = space ? (size_t)(space - v->name) : strlen(v->name);

			if (strlen(words[0]) != len || memcmp(words[0], v->name, len) != 0)
				continue;
			*ret_words = space ? 2 : 1;
			if (!space || (n > 1 && str_eq(words[1], space + 1)))
				return v;
		}
	return NULL;
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

int main(int argc, char **argv)
{
	auto_free char **pos = calloc((size_t)argc + 1, sizeof(*pos));
	struct cli cli = { 0 };
	struct err err = ERR_INIT;
	const struct cli_verb *v;
	int n, words = 1;

	if (!pos || fd_fill_standard() < 0)
		return EXIT_LAMINA;
	if (argc == 2 && (str_eq(argv[1], "--version") || str_eq(argv[1], "version"))) {
		printf("lamina " LAMINA_VERSION "\n");
		return 0;
	}
	if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h") ||
		str_eq(argv[1], "help")) {
		print_help();
		return argc < 2 ? EXIT_LAMINA : 0;
	}
	n = args_parse(global_opts, &cli, argc - 1, argv + 1, true, pos, &err);
	if (n < 0)
		return cli_fail(&err);
	if (cli.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	v = n > 0 ? find_verb(pos, n, &words) : NULL;
	if (!v) {
		err_say(&err, -EINVAL, "unknown verb '%s'", n > 0 ? pos[0] : "");
		err_hint(&err, -EINVAL, "lamina --help");
		return cli_fail(&err);
	}
	if (wants_help(v, pos + words, n - words)) {
		print_verb_help(v);
		return 0;
	}
	if (v->enters_container && selfexe_protect(argv, &err) < 0)
		return cli_fail(&err);
	return run_verb(&cli, v, n - words, pos + words);
}
