/* SPDX-License-Identifier: Apache-2.0 */
/* All verbs (the contract is in the header). */
#include "runtime/cli/verbs.h"

#include "base/str.h"

const struct cli_verb *const cli_groups[] = {
	cli_verbs_alter,
	cli_verbs_commit,
	cli_verbs_completion,
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
	cli_verbs_system,
	cli_verbs_top,
	cli_verbs_unpack,
	cli_verbs_unshare,
	cli_verbs_update,
	cli_verbs_volume,
	NULL,
};

const struct args_opt cli_global_opts[] = {
	{ "root", 0, ARGS_STRING, offsetof(struct cli, root), "DIR", "the store" },
	{ "debug", 0, ARGS_FLAG, offsetof(struct cli, debug), NULL, "say on stderr what is done" },
	{ 0 },
};

#define SAME(noun, word)                                                                           \
	{                                                                                          \
		noun, word, word, NULL                                                             \
	}

const struct cli_alias cli_aliases[] = {
	SAME("container", "attach"),
	SAME("container", "commit"),
	SAME("container", "cp"),
	SAME("container", "create"),
	SAME("container", "diff"),
	SAME("container", "exec"),
	SAME("container", "export"),
	SAME("container", "init"),
	{ "container", "inspect", "inspect", "--type=container" },
	SAME("container", "kill"),
	{ "container", "list", "ps", NULL },
	SAME("container", "logs"),
	{ "container", "ls", "ps", NULL },
	SAME("container", "pause"),
	SAME("container", "port"),
	SAME("container", "ps"),
	SAME("container", "rename"),
	SAME("container", "restart"),
	SAME("container", "rm"),
	SAME("container", "run"),
	SAME("container", "start"),
	SAME("container", "stats"),
	SAME("container", "stop"),
	SAME("container", "top"),
	SAME("container", "unpause"),
	SAME("container", "update"),
	SAME("container", "wait"),
	SAME("image", "diff"),
	SAME("image", "history"),
	SAME("image", "import"),
	{ "image", "inspect", "inspect", "--type=image" },
	{ "image", "list", "images", NULL },
	SAME("image", "load"),
	{ "image", "ls", "images", NULL },
	SAME("image", "mount"),
	SAME("image", "prune"),
	SAME("image", "pull"),
	SAME("image", "push"),
	{ "image", "rm", "rmi", NULL },
	SAME("image", "save"),
	SAME("image", "tag"),
	SAME("image", "tree"),
	{ "image", "umount", "umount", NULL },
	{ "network", "list", "network ls", NULL },
	{ "network", "remove", "network rm", NULL },
	SAME("system", "info"),
	SAME("system", "reset"),
	{ "volume", "list", "volume ls", NULL },
	{ "volume", "remove", "volume rm", NULL },
	{ 0 },
};

static const struct cli_verb *find_name(const char *name)
{
	for (size_t g = 0; cli_groups[g]; g++)
		for (const struct cli_verb *v = cli_groups[g]; v->name; v++)
			if (str_eq(v->name, name))
				return v;
	return NULL;
}

/* Whether @name is "FIRST SECOND". */
static bool is_pair(const char *name, const char *first, const char *second)
{
	size_t len = strlen(first);

	return strncmp(name, first, len) == 0 && name[len] == ' ' && str_eq(name + len + 1, second);
}

static const struct cli_verb *find_pair(char **words)
{
	for (size_t g = 0; cli_groups[g]; g++)
		for (const struct cli_verb *v = cli_groups[g]; v->name; v++)
			if (is_pair(v->name, words[0], words[1]))
				return v;
	return NULL;
}

bool cli_find_verb(char **words, int n, struct cli_found *ret)
{
	*ret = (struct cli_found){ .n_words = 2 };
	if (n < 1)
		return false;
	ret->verb = n > 1 ? find_pair(words) : NULL;
	for (const struct cli_alias *a = cli_aliases; n > 1 && !ret->verb && a->noun; a++)
		if (str_eq(a->noun, words[0]) && str_eq(a->word, words[1])) {
			ret->verb = find_name(a->verb);
			ret->option = a->option;
		}
	if (!ret->verb && !strchr(words[0], ' ')) {
		ret->verb = find_name(words[0]);
		ret->n_words = 1;
	}
	return ret->verb;
}

bool cli_is_noun(const char *word)
{
	size_t len = strlen(word);

	for (size_t g = 0; cli_groups[g]; g++)
		for (const struct cli_verb *v = cli_groups[g]; v->name; v++)
			if (strncmp(v->name, word, len) == 0 && v->name[len] == ' ')
				return true;
	for (const struct cli_alias *a = cli_aliases; a->noun; a++)
		if (str_eq(a->noun, word))
			return true;
	return false;
}
