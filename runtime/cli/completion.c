/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: completion
 *
 *      shell ─ words so far ─▶ lamina completion words ─▶ "WORD\tWHAT IT IS" a line, ":files"
 *
 * What a shell loads asks back at each key, so options, aliases and names of containers are always
 * those of this program and of now.
 */
#include "base/cleanup.h"
#include "image/inspect.h"
#include "runtime/cli/ctl.h"
#include "runtime/cli/verbs.h"
#include "runtime/netstore.h"
#include "runtime/volstore.h"

static const char bash_script[] =
	"# bash completion of lamina: source <(lamina completion bash)\n"
	"_lamina() {\n"
	"\tlocal words=() i word cur= glue= skip\n"
	"\t# bash splits words at colons and equals signs\n"
	"\tfor ((i = 1; i <= COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [ ${#words[@]} -gt 0 ] && { [ -n \"$glue\" ] || [[ $word == [:=]* ]]; }; then\n"
	"\t\t\twords[${#words[@]}-1]+=$word\n"
	"\t\telse\n"
	"\t\t\twords+=(\"$word\")\n"
	"\t\tfi\n"
	"\t\tglue=\n"
	"\t\t[[ $word != *[:=] ]] || glue=1\n"
	"\tdone\n"
	"\tcur=${words[${#words[@]}-1]}\n"
	"\tskip=${cur%\"${cur##*[:=]}\"}\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS=$'\\t' read -r word _; do\n"
	"\t\tif [ \"$word\" = :files ]; then\n"
	"\t\t\tcompopt -o default 2> /dev/null\n"
	"\t\telse\n"
	"\t\t\tCOMPREPLY+=(\"${word#\"$skip\"}\")\n"
	"\t\tfi\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" completion words -- \"${words[@]}\" 2> /dev/null)\n"
	"}\n"
	"complete -F _lamina lamina\n";

static const char zsh_script[] =
	"#compdef lamina\n"
	"# zsh completion of lamina: source <(lamina completion zsh)\n"
	"_lamina() {\n"
	"\tlocal -a found\n"
	"\tlocal word what\n"
	"\twhile IFS=$'\\t' read -r word what; do\n"
	"\t\tif [[ $word == :files ]]; then\n"
	"\t\t\t_files\n"
	"\t\telse\n"
	"\t\t\tfound+=(\"${word//:/\\\\:}:$what\")\n"
	"\t\tfi\n"
	"\tdone < <(lamina completion words -- \"${(@)words[2,CURRENT]}\" 2> /dev/null)\n"
	"\t(( ${#found} )) && _describe lamina found\n"
	"}\n"
	"compdef _lamina lamina\n";

static const char fish_script[] = "# fish completion of lamina: lamina completion fish | source\n"
				  "function __lamina_complete\n"
				  "\tset -l words (commandline -opc) (commandline -ct)\n"
				  "\tset -e words[1]\n"
				  "\tfor line in (lamina completion words -- $words 2> /dev/null)\n"
				  "\t\tif test \"$line\" = :files\n"
				  "\t\t\t__fish_complete_path (commandline -ct)\n"
				  "\t\telse\n"
				  "\t\t\techo $line\n"
				  "\t\tend\n"
				  "\tend\n"
				  "end\n"
				  "complete -c lamina -f -a '(__lamina_complete)'\n";

struct completion {
	const struct cli *cli;
	const char *cur; /* what is being typed */
	struct ctl ctl;
	bool is_open;
};

static void offer(const struct completion *c, const char *word, const char *what)
{
	if (str_starts(word, c->cur))
		printf("%s\t%s\n", word, what);
}

/* ---- names of things ---- */

static bool open_store(struct completion *c)
{
	if (!c->is_open)
		c->is_open = ctl_open(&c->ctl, c->cli, 0, NULL) >= 0;
	return c->is_open;
}

static void offer_containers(struct completion *c)
{
	auto_strv ids = { 0 };

	if (!open_store(c) || record_list(c->ctl.c.store_fd, &ids, NULL) < 0)
		return;
	for (size_t i = 0; i < ids.n; i++) {
		struct record r;

		if (record_read(c->ctl.c.store_fd, ids.v[i], &r, NULL) < 0)
			continue;
		offer(c, r.name, state_word(r.state));
		/* Ids only where one was begun. */
		if (*c->cur && !str_starts(r.name, c->cur))
			offer(c, ids.v[i], r.name);
		record_done(&r);
	}
}

static void offer_images(struct completion *c)
{
	struct img_list list = { 0 };

	if (!open_store(c) || img_list_load(c->ctl.store, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.v[i].name;

		if (!name)
			continue;
		offer(c, name, "image");
		/* "demo:latest" for "localhost/demo:latest" */
		if (strrchr(name, '/'))
			offer(c, strrchr(name, '/') + 1, name);
	}
	img_list_done(&list);
}

static void offer_volumes(struct completion *c)
{
	auto_strv names = { 0 };

	if (!open_store(c) || volstore_list(c->ctl.c.store_fd, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		offer(c, names.v[i], "volume");
}

static void offer_networks(struct completion *c)
{
	auto_netstore store = NETSTORE_INIT;
	auto_strv names = { 0 };

	if (!open_store(c) || netstore_open(&store, c->ctl.c.store_fd, NULL) < 0 ||
		netstore_list(&store, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		offer(c, names.v[i], "network");
}

/* ---- words of synopses ---- */

static bool has(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word));
}

/* "a|b|c": words that are meant as they stand. */
static void offer_alternatives(const struct completion *c, const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n + 1) {
		auto_free char *word = NULL;

		n = 0;
		while (i + n < len && text[i + n] != '|')
			n++;
		word = strndup(text + i, n);
		if (word && *word && word[strspn(word, "abcdefghijklmnopqrstuvwxyz-")] == '\0')
			offer(c, word, "");
	}
}

/* What "CONTAINER…" or "FILE" stands for; @verb may say more. */
static void offer_kind(struct completion *c, const char *verb, const char *text, size_t len)
{
	bool of_volume = verb && str_starts(verb, "volume "),
	     of_network = verb && str_starts(verb, "network ");

	if (has(text, len, "CONTAINER"))
		offer_containers(c);
	if (has(text, len, "IMAGE") && !has(text, len, "NEWIMAGE"))
		offer_images(c);
	if (has(text, len, "NETWORK") || (of_network && has(text, len, "NAME")))
		offer_networks(c);
	if (has(text, len, "VOLUME") || (of_volume && has(text, len, "NAME")))
		offer_volumes(c);
	if (verb && str_eq(verb, "inspect")) {
		offer_containers(c);
		offer_images(c);
		offer_volumes(c);
	}
	if (has(text, len, "FILE") || has(text, len, "DIR") || has(text, len, "PATH") ||
		has(text, len, "UPPER"))
		printf(":files\n");
	offer_alternatives(c, text, len);
}

/* The @n-th word of a synopsis that stands for an argument, else the last one. */
static void offer_positional(struct completion *c, const struct cli_verb *v, int n)
{
	const char *at = NULL, *s = v->synopsis;
	size_t at_len = 0;

	while (*s && n >= 0) {
		size_t len;

		s += strspn(s, " ");
		len = strcspn(s, " ");
		if (len && !has(s, len, "OPTION") && s[0] != '-' && !str_starts(s, "[-")) {
			at = s;
			at_len = len;
			n--;
		} else if (str_starts(s, "[-") && !has(s, len, "]")) {
			/* "[-o FILE]" is an option and its value. */
			s += len + strspn(s + len, " ");
			len = strcspn(s, " ");
		}
		s += len;
	}
	/* What a command inside of a container takes is unknown. */
	if (at && (n < 0 || strstr(at, "…") == at + at_len - strlen("…")))
		offer_kind(c, v->name, at, at_len);
}

/* ---- options and verbs ---- */

static bool is_flag(const struct args_opt *o)
{
	return o->kind == ARGS_FLAG || o->kind == ARGS_FLAG_ON;
}

/* The option that waits for the word behind it, or NULL. */
static const struct args_opt *waits(const struct args_opt *opts, const char *word)
{
	if (word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	for (const struct args_opt *o = opts; o && o->name; o++) {
		bool is_long = word[1] == '-' && str_eq(o->name, word + 2);
		bool is_short = word[1] != '-' && o->letter && word[strlen(word) - 1] == o->letter;

		if ((is_long || is_short) && o->kind != ARGS_REFUSED)
			return is_flag(o) ? NULL : o;
	}
	return NULL;
}

static void offer_options(const struct completion *c, const struct args_opt *opts)
{
	for (const struct args_opt *o = opts; o && o->name; o++) {
		auto_free char *word = str_format("--%s", o->name);

		if (word && o->kind != ARGS_REFUSED)
			offer(c, word, o->help);
	}
	offer(c, "--help", "tell about it");
}

static void offer_value(struct completion *c, const struct args_opt *o)
{
	if (str_eq(o->name, "network")) {
		offer_networks(c);
		offer_alternatives(c, "none|host|slirp", strlen("none|host|slirp"));
	} else if (str_eq(o->name, "volume") || str_eq(o->name, "mount")) {
		offer_volumes(c);
		printf(":files\n");
	} else if (o->meta) {
		offer_kind(c, NULL, o->meta, strlen(o->meta));
	}
}

/* First words of all verbs, or second words behind @noun; each once. */
static void offer_verbs(const struct completion *c, const char *noun)
{
	size_t len = noun ? strlen(noun) : 0;
	auto_strv seen = { 0 };

	for (size_t g = 0; cli_groups[g]; g++)
		for (const struct cli_verb *v = cli_groups[g]; v->name; v++) {
			size_t first = strcspn(v->name, " ");
			auto_free char *word = strndup(v->name, first);

			if (noun && v->name[first] == ' ' && first == len && str_eq(word, noun))
				offer(c, v->name + first + 1, v->help);
			if (noun || !word || strv_has(&seen, word))
				continue;
			offer(c, word, v->name[first] ? "…" : v->help);
			(void)strv_add(&seen, word);
		}
	for (const struct cli_alias *a = cli_aliases; a->noun; a++) {
		if (noun && str_eq(a->noun, noun))
			offer(c, a->word, a->verb);
		if (noun || strv_has(&seen, a->noun))
			continue;
		offer(c, a->noun, "…");
		(void)strv_add(&seen, a->noun);
	}
}

/* Behind a verb: @words are those after it, the last one is being typed. */
static void complete_verb(struct completion *c, const struct cli_verb *v, char **words, int n)
{
	const struct args_opt *wanting = NULL;
	bool only_positional = false;
	int n_positional = 0;

	for (int i = 0; i + 1 < n; i++) {
		if (wanting) {
			wanting = NULL;
		} else if (!only_positional && str_eq(words[i], "--")) {
			only_positional = true;
		} else if (!only_positional && words[i][0] == '-' && words[i][1]) {
			wanting = waits(v->opts, words[i]);
		} else {
			n_positional++;
			only_positional |= v->stop_at_positional;
		}
	}
	if (wanting)
		offer_value(c, wanting);
	else if (c->cur[0] == '-' && !only_positional)
		offer_options(c, v->opts);
	else
		offer_positional(c, v, n_positional);
}

static int complete_words(struct completion *c, char **words, int n)
{
	struct cli_found f;
	int i = 0;

	c->cur = n > 0 ? words[n - 1] : "";
	while (i + 1 < n && words[i][0] == '-')
		i += waits(cli_global_opts, words[i]) ? 2 : 1;
	if (i >= n && n > 0) {
		printf(":files\n");
	} else if (i + 1 >= n) {
		if (c->cur[0] == '-')
			offer_options(c, cli_global_opts);
		else
			offer_verbs(c, NULL);
	} else if (i + 2 == n && cli_is_noun(words[i])) {
		offer_verbs(c, words[i]);
		if (cli_find_verb(words + i, 1, &f))
			complete_verb(c, f.verb, words + i + 1, 1);
	} else if (cli_find_verb(words + i, n - i, &f)) {
		complete_verb(c, f.verb, words + i + f.n_words, n - i - f.n_words);
	}
	return 0;
}

static int run_completion(struct cli *cli, void *opts, int argc, char **argv)
{
	struct completion c = { .cli = cli, .ctl = CTL_INIT };
	struct err err = ERR_INIT;

	if (str_eq(argv[0], "words")) {
		complete_words(&c, argv + 1, argc - 1);
		ctl_close(&c.ctl);
		return 0;
	}
	if (argc == 1 && str_eq(argv[0], "bash"))
		return fputs(bash_script, stdout) < 0;
	if (argc == 1 && str_eq(argv[0], "zsh"))
		return fputs(zsh_script, stdout) < 0;
	if (argc == 1 && str_eq(argv[0], "fish"))
		return fputs(fish_script, stdout) < 0;
	err_say(&err, -EINVAL, "there is no completion for '%s'", argv[0]);
	err_hint(&err, -EINVAL, "lamina completion bash, zsh or fish");
	return cli_fail(&err);
}

const struct cli_verb cli_verbs_completion[] = {
	{ "completion", "bash|zsh|fish", "print what makes a shell complete lamina's words", NULL,
		0, 1, -1, true, run_completion,
		"bash:  source <(lamina completion bash)\nzsh:   source <(lamina completion zsh)\n"
		"fish:  lamina completion fish | source" },
	{ 0 },
};
