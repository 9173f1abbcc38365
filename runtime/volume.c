/* SPDX-License-Identifier: Apache-2.0 */
/* What people want mounted (the contract is in the header). */
#include "runtime/volume.h"

#include <ctype.h>
#include <errno.h>

enum group { ANY, ACCESS, PROPAGATION, BINDING, LABEL, DEV, SUID, EXEC, COPY, GROUP_MAX_ };

/* Options of -v and --tmpfs.  Two of one group contradict each other. */
static const struct {
	const char *word;
	enum group group;
	unsigned int flag; /* enum volume_flags; 0: a word for mountopt_parse() */
} options_known[] = {
	{ "ro", ACCESS, 0 },
	{ "rw", ACCESS, 0 },
	{ "z", LABEL, VOLUME_SHARED_LABEL },
	{ "Z", LABEL, VOLUME_PRIVATE_LABEL },
	{ "U", ANY, VOLUME_CHOWN },
	{ "O", ANY, VOLUME_OVERLAY },
	{ "copy", COPY, 0 },
	{ "nocopy", COPY, VOLUME_NO_COPY },
	{ "shared", PROPAGATION, 0 },
	{ "rshared", PROPAGATION, 0 },
	{ "slave", PROPAGATION, 0 },
	{ "rslave", PROPAGATION, 0 },
	{ "private", PROPAGATION, 0 },
	{ "rprivate", PROPAGATION, 0 },
	{ "unbindable", PROPAGATION, 0 },
	{ "runbindable", PROPAGATION, 0 },
	{ "bind", BINDING, 0 },
	{ "rbind", BINDING, 0 },
	{ "dev", DEV, 0 },
	{ "nodev", DEV, 0 },
	{ "suid", SUID, 0 },
	{ "nosuid", SUID, 0 },
	{ "exec", EXEC, 0 },
	{ "noexec", EXEC, 0 },
	{ "idmap", ANY, 0 },
	{ "noatime", ANY, 0 },
	{ "tmpcopyup", COPY, 0 },
	{ "notmpcopyup", COPY, VOLUME_NO_COPY },
};

/* Words that a tmpfs takes with a value. */
static const char *const tmpfs_values[] = {
	"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "huge=", "mpol="
};

/* Which groups have had a word. */
struct seen {
	const char *word[GROUP_MAX_];
};

static int add_word(struct volume *v, const char *word, struct err *err)
{
	if (str_eq(word, "copy")) /* what happens anyway */
		return 0;
	if (strv_add(&v->options, word) < 0)
		return err_set(err, -ENOMEM, "cannot read options");
	return 0;
}

static int add_option(struct volume *v, struct seen *seen, const char *word, struct err *err)
{
	if (str_starts(word, "idmap=") && v->type != VOLUME_TMPFS)
		return add_word(v, word, err);
	for (size_t i = 0; v->type == VOLUME_TMPFS && i < ARRAY_SIZE(tmpfs_values); i++)
		if (str_starts(word, tmpfs_values[i]))
			return add_word(v, word, err);
	for (size_t i = 0; i < ARRAY_SIZE(options_known); i++) {
		enum group group = options_known[i].group;

		if (!str_eq(options_known[i].word, word))
			continue;
		if (group != ANY && seen->word[group])
			return err_say(err, -EINVAL, "options '%s' and '%s' exclude each other",
				seen->word[group], word);
		seen->word[group] = options_known[i].word;
		v->flags |= options_known[i].flag;
		v->read_only |= str_eq(word, "ro");
		return options_known[i].flag ? 0 : add_word(v, word, err);
	}
	return err_say(err, -EINVAL, "unknown option '%.64s'", word);
}

static int add_options(struct volume *v, char *list, struct err *err)
{
	struct seen seen = { 0 };
	char *word;
	int r;

	while ((word = strsep(&list, ","))) {
		if (!word[0])
			continue;
		r = add_option(v, &seen, word, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes the last component off a path that begins with a slash. */
static void drop_last(struct buf *out)
{
	while (out->len > 0 && out->data[out->len - 1] != '/')
		out->len--;
	if (out->len > 0)
		out->len--;
}

/* "/a//b/./c/.." becomes "/a/b". */
static int set_dest(struct volume *v, const char *path, struct err *err)
{
	auto_buf out = { 0 };
	auto_free char *copy = strdup(path);
	char *rest = copy, *name;
	int r = copy ? 0 : -ENOMEM;

	if (path[0] != '/')
		return err_say(err, -EINVAL,
			"'%.256s' is not an absolute path inside the container", path);
	if (strlen(path) > LIMIT_VOLUME_PATH)
		return err_say(err, -EINVAL, "the path inside the container is too long");
	while (r == 0 && (name = strsep(&rest, "/"))) {
		if (!name[0] || str_eq(name, "."))
			continue;
		if (str_eq(name, ".."))
			drop_last(&out);
		else
			r = buf_printf(&out, "/%s", name);
	}
	if (r < 0)
		return err_set(err, r, "cannot read '%.256s'", path);
	if (out.len == 0)
		return err_say(err, -EINVAL, "'/' cannot be mounted over");
	free(v->dest);
	v->dest = strndup(out.data, out.len);
	return v->dest ? 0 : err_set(err, -ENOMEM, "cannot read '%.256s'", path);
}

/* Pure.  [a-zA-Z0-9][a-zA-Z0-9_.-]*, what engines call a volume. */
static bool is_volume_name(const char *s)
{
	if (!isalnum((unsigned char)s[0]))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static int set_source(struct volume *v, const char *source, struct err *err)
{
	if (!source[0])
		return err_say(err, -EINVAL, "the source is empty");
	if (strlen(source) > LIMIT_VOLUME_PATH)
		return err_say(err, -EINVAL, "the source is too long");
	if (v->type == VOLUME_NAMED && !is_volume_name(source))
		return err_hint(err,
			err_say(err, -EINVAL, "'%.256s' is not a name for a volume", source),
			"a path begins with '/' or './'");
	free(v->source);
	v->source = strdup(source);
	return v->source ? 0 : err_set(err, -ENOMEM, "cannot read '%.256s'", source);
}

static int check(const struct volume *v, struct err *err)
{
	if (v->flags & VOLUME_OVERLAY && v->read_only)
		return err_say(err, -EINVAL, "options 'O' and 'ro' exclude each other");
	for (size_t i = 0; v->type != VOLUME_TMPFS && i < v->options.n; i++)
		if (str_eq(v->options.v[i], "tmpcopyup"))
			return err_say(err, -EINVAL, "option 'tmpcopyup' is for tmpfs");
	return 0;
}

/* Moves a finished volume out, or names the option in the error. */
static int finish(struct volume *v, int r, const char *option, struct volume *ret, struct err *err)
{
	if (r == 0)
		r = check(v, err);
	if (r < 0)
		return err_wrap(err, r, "%s", option);
	*ret = *v;
	*v = (struct volume){ 0 };
	return 0;
}

static int parse_short(struct volume *v, char *text, struct err *err)
{
	char *rest = text, *first = strsep(&rest, ":"), *dest = strsep(&rest, ":");
	char *options = strsep(&rest, ":");
	int r;

	if (rest)
		return err_say(err, -EINVAL, "more than two colons");
	if (!dest) {
		v->type = VOLUME_NAMED;
		return set_dest(v, first, err);
	}
	v->type = strchr("/.~", first[0]) && first[0] ? VOLUME_BIND : VOLUME_NAMED;
	r = set_source(v, first, err);
	if (r == 0)
		r = set_dest(v, dest, err);
	return r < 0 || !options ? r : add_options(v, options, err);
}

int volume_parse(const char *text, struct volume *ret, struct err *err)
{
	auto_volume v = { 0 };
	auto_free char *copy = strdup(text), *option = str_format("-v '%.256s'", text);

	if (!copy || !option)
		return err_set(err, -ENOMEM, "cannot read -v");
	return finish(&v, parse_short(&v, copy, err), option, ret, err);
}

static int parse_tmpfs(struct volume *v, char *text, struct err *err)
{
	char *rest = text, *dest = strsep(&rest, ":");
	int r;

	v->type = VOLUME_TMPFS;
	r = set_dest(v, dest, err);
	return r < 0 || !rest ? r : add_options(v, rest, err);
}

int volume_parse_tmpfs(const char *text, struct volume *ret, struct err *err)
{
	auto_volume v = { 0 };
	auto_free char *copy = strdup(text), *option = str_format("--tmpfs '%.256s'", text);

	if (!copy || !option)
		return err_set(err, -ENOMEM, "cannot read --tmpfs");
	return finish(&v, parse_tmpfs(&v, copy, err), option, ret, err);
}

/* Keys of --mount, and the option word that one stands for. */
enum key { KEY_TYPE, KEY_SOURCE, KEY_DEST, KEY_FLAG, KEY_VALUE, KEY_PASS };

static const struct {
	const char *key;
	enum key kind;
	const char *word; /* KEY_FLAG: the option; KEY_VALUE: prefix of it; KEY_PASS: none */
	const char *off; /* KEY_FLAG: the option for "=false"; NULL: none */
} keys_known[] = {
	{ "type", KEY_TYPE, NULL, NULL },
	{ "source", KEY_SOURCE, NULL, NULL },
	{ "src", KEY_SOURCE, NULL, NULL },
	{ "destination", KEY_DEST, NULL, NULL },
	{ "target", KEY_DEST, NULL, NULL },
	{ "dst", KEY_DEST, NULL, NULL },
	{ "ro", KEY_FLAG, "ro", "rw" },
	{ "readonly", KEY_FLAG, "ro", "rw" },
	{ "rw", KEY_FLAG, "rw", "ro" },
	{ "U", KEY_FLAG, "U", NULL },
	{ "chown", KEY_FLAG, "U", NULL },
	{ "bind-nonrecursive", KEY_FLAG, "bind", "rbind" },
	{ "volume-nocopy", KEY_FLAG, "nocopy", NULL },
	{ "tmpcopyup", KEY_FLAG, "tmpcopyup", NULL },
	{ "notmpcopyup", KEY_FLAG, "notmpcopyup", NULL },
	{ "dev", KEY_FLAG, "dev", "nodev" },
	{ "exec", KEY_FLAG, "exec", "noexec" },
	{ "suid", KEY_FLAG, "suid", "nosuid" },
	{ "nodev", KEY_FLAG, "nodev", "dev" },
	{ "noexec", KEY_FLAG, "noexec", "exec" },
	{ "nosuid", KEY_FLAG, "nosuid", "suid" },
	{ "bind-propagation", KEY_PASS, NULL, NULL },
	{ "tmpfs-size", KEY_VALUE, "size=", NULL },
	{ "tmpfs-mode", KEY_VALUE, "mode=", NULL },
};

static int set_type(struct volume *v, const char *type, struct err *err)
{
	static const char *const types[] = { "bind", "volume", "tmpfs" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(types[i], type)) {
			v->type = (enum volume_type)i;
			return 0;
		}
	return err_say(err, -EINVAL, "type '%.64s' is not bind, volume or tmpfs", type);
}

/* "relabel=shared|private", "idmap", "idmap=MAP": what no row of the table can say. */
static int add_special(
	struct volume *v, struct seen *seen, const char *key, const char *value, struct err *err)
{
	if (str_eq(key, "relabel") && value && str_eq(value, "shared"))
		return add_option(v, seen, "z", err);
	if (str_eq(key, "relabel") && value && str_eq(value, "private"))
		return add_option(v, seen, "Z", err);
	if (str_eq(key, "idmap") && !value)
		return add_option(v, seen, "idmap", err);
	if (str_eq(key, "idmap")) {
		auto_free char *word = str_format("idmap=%s", value);

		return word ? add_option(v, seen, word, err)
			    : err_set(err, -ENOMEM, "cannot read options");
	}
	return err_say(err, -EINVAL, "unknown option '%.64s'", key);
}

static int add_flag(
	struct volume *v, struct seen *seen, size_t row, const char *value, struct err *err)
{
	const char *word = keys_known[row].word;

	if (value && (str_eq(value, "false") || str_eq(value, "0")))
		word = keys_known[row].off;
	else if (value && !str_eq(value, "true") && !str_eq(value, "1"))
		return err_say(err, -EINVAL, "'%s=%.64s' is not true or false", keys_known[row].key,
			value);
	return word ? add_option(v, seen, word, err) : 0;
}

static int add_key(
	struct volume *v, struct seen *seen, const char *key, const char *value, struct err *err)
{
	auto_free char *word = NULL;
	size_t row = 0;

	while (row < ARRAY_SIZE(keys_known) && !str_eq(keys_known[row].key, key))
		row++;
	if (row == ARRAY_SIZE(keys_known))
		return add_special(v, seen, key, value, err);
	if (keys_known[row].kind == KEY_FLAG)
		return add_flag(v, seen, row, value, err);
	if (!value)
		return err_say(err, -EINVAL, "'%s' needs a value", key);
	switch (keys_known[row].kind) {
	case KEY_SOURCE:
		return set_source(v, value, err);
	case KEY_DEST:
		return set_dest(v, value, err);
	case KEY_PASS:
		return add_option(v, seen, value, err);
	case KEY_VALUE:
		word = str_format("%s%s", keys_known[row].word, value);
		return word ? add_option(v, seen, word, err)
			    : err_set(err, -ENOMEM, "cannot read options");
	case KEY_TYPE: /* read before the others */
	case KEY_FLAG:
		break;
	}
	return 0;
}

/* The type decides what the other keys mean, so it is read first. */
static int read_type(struct volume *v, const char *text, struct err *err)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *item;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot read options");
	v->type = VOLUME_NAMED;
	while ((item = strsep(&rest, ",")))
		if (str_starts(item, "type="))
			return set_type(v, item + strlen("type="), err);
	return 0;
}

static int parse_long(struct volume *v, char *text, struct err *err)
{
	struct seen seen = { 0 };
	char *item;
	int r;

	r = read_type(v, text, err);
	while (r == 0 && (item = strsep(&text, ","))) {
		char *value = item, *key = strsep(&value, "=");

		if (key[0])
			r = add_key(v, &seen, key, value, err);
	}
	if (r < 0)
		return r;
	if (!v->dest)
		return err_say(err, -EINVAL, "no destination: 'dst=' is missing");
	if (v->type == VOLUME_BIND && !v->source)
		return err_say(err, -EINVAL, "no source: 'src=' is missing");
	if (v->type == VOLUME_TMPFS && v->source)
		return err_say(err, -EINVAL, "a tmpfs has no source");
	return 0;
}

int volume_parse_mount(const char *text, struct volume *ret, struct err *err)
{
	auto_volume v = { 0 };
	auto_free char *copy = strdup(text), *option = str_format("--mount '%.256s'", text);

	if (!copy || !option)
		return err_set(err, -ENOMEM, "cannot read --mount");
	return finish(&v, parse_long(&v, copy, err), option, ret, err);
}

static int parse_device(struct volume *v, char *text, struct err *err)
{
	char *rest = text, *source = strsep(&rest, ":"), *dest = strsep(&rest, ":");
	char *access = strsep(&rest, ":");
	int r;

	if (rest)
		return err_say(err, -EINVAL, "more than two colons");
	if (dest && dest[0] != '/' && !access) {
		access = dest;
		dest = NULL;
	}
	if (access && (!access[0] || strspn(access, "rwm") != strlen(access)))
		return err_say(err, -EINVAL, "the access '%.16s' is not made of 'rwm'", access);
	v->type = VOLUME_BIND;
	v->read_only = access && !strchr(access, 'w');
	r = set_source(v, source, err);
	if (r == 0 && source[0] != '/')
		return err_say(err, -EINVAL, "'%.256s' is not an absolute path", source);
	if (r == 0)
		r = set_dest(v, dest ? dest : source, err);
	for (const char *const *word = (const char *const[]){ "bind", "nosuid", "noexec", NULL };
		r == 0 && *word; word++)
		r = add_word(v, *word, err);
	return r == 0 && v->read_only ? add_word(v, "ro", err) : r;
}

int volume_parse_device(const char *text, struct volume *ret, struct err *err)
{
	auto_volume v = { 0 };
	auto_free char *copy = strdup(text), *option = str_format("--device '%.256s'", text);

	if (!copy || !option)
		return err_set(err, -ENOMEM, "cannot read --device");
	return finish(&v, parse_device(&v, copy, err), option, ret, err);
}

void volume_done(struct volume *v)
{
	free(v->source);
	free(v->dest);
	strv_done(&v->options);
	memset(v, 0, sizeof(*v));
}
