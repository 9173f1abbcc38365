/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of lamina-overlay
 *
 *      -o lowerdir=/a:/b\:c,upperdir=/u  ─ split at commas ─▶ words ─ table ─▶ struct opts
 *
 * As in fuse-overlayfs and mount(8), a backslash takes its meaning from the character behind it:
 * in the whole list it keeps a comma, in lowerdir a colon; before anything else it is itself.
 */
#include "overlay/opts.h"

#include "base/cleanup.h"

#include <math.h>
#include <string.h>

#define LIMIT_TIMEOUT_S 1e9

static const char usage[] =
	"Usage: lamina-overlay [OPTION]... [-o OPTION[,OPTION...]]... MOUNTPOINT\n"
	"       lamina-overlay --check UPPERDIR [-o lowerdir=DIR[:DIR...],workdir=DIR]\n"
	"       lamina-overlay --finish UPPERDIR -o lowerdir=DIR[:DIR...],workdir=DIR\n"
	"Mount directories one above the other, as fuse-overlayfs and kernel overlayfs do.\n"
	"\n"
	"  -f                          stay in the foreground\n"
	"  -d, --debug                 print what the kernel asks; implies -f\n"
	"      --check                 examine an upper directory that is not mounted\n"
	"      --finish                complete its redirects and metadata-only copies, so that\n"
	"                              programs that know neither can read it\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"  lowerdir=DIR[:DIR...]       layers, the top one first; '\\:' stands for a colon\n"
	"  upperdir=DIR, workdir=DIR   where changes go; without: a read-only mount\n"
	"  uidmapping=ID:TO:N[:...], gidmapping=ID:TO:N[:...]\n"
	"                              show ids of the layers as others\n"
	"  squash_to_root, squash_to_uid=N, squash_to_gid=N\n"
	"                              show everything as one owner's\n"
	"  xattr_permissions=0|1|2     keep owner and mode in an attribute of the file\n"
	"  redirect_dir=on|off, metacopy=on|off\n"
	"                              rename and chmod without copying; only Lamina and kernels\n"
	"                              that are told so can read such an upper (default: off)\n"
	"  timeout=SECONDS             how long the kernel may remember; 0 for layers that "
	"somebody\n"
	"                              changes (default: for ever)\n"
	"  volatile, fsync=0           sync nothing\n"
	"  writeback=0|1, threaded=0|1, noxattrs=1, noacl, static_nlink=0|1, ino32_t, "
	"announce_opens,\n"
	"  context=LABEL, fsname=NAME, and the usual words of mount(8)\n";

const char *opts_usage(void)
{
	return usage;
}

void opts_done(struct opts *o)
{
	strv_done(&o->lowers);
	strv_done(&o->warnings);
	free(o->upper);
	free(o->work);
	free(o->context);
	free(o->source);
	idmap_done(&o->uids);
	idmap_done(&o->gids);
}

/* ---- values ---- */

static int bad_value(const char *key, const char *value, struct err *err)
{
	return err_say(err, -EINVAL, "bad value '%s' of option '%s'", value, key);
}

static int parse_id(const char *key, const char *value, uint32_t *ret, struct err *err)
{
	uint64_t v;

	if (str_to_u64(value, UINT32_MAX - 1, &v) < 0)
		return bad_value(key, value, err);
	*ret = (uint32_t)v;
	return 0;
}

static int set_string(char **ret, const char *key, const char *value, struct err *err)
{
	if (!*value)
		return bad_value(key, value, err);
	free(*ret);
	*ret = strdup(value);
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot read the options");
}

/* One directory of a list up to the colon that ends it; *@rest is NULL behind the last. */
static char *next_dir(const char **rest)
{
	const char *s = *rest;
	char *ret = malloc(strlen(s) + 1), *to = ret;

	if (!ret)
		return NULL;
	while (*s && *s != ':') {
		if (s[0] == '\\' && s[1] == ':')
			s++;
		*to++ = *s++;
	}
	*to = '\0';
	*rest = *s ? s + 1 : NULL;
	return ret;
}

static int parse_lowers(struct opts *o, const char *value, struct err *err)
{
	const char *rest = value;

	strv_done(&o->lowers);
	while (rest) {
		auto_free char *dir = next_dir(&rest);

		if (!dir)
			return err_set(err, -ENOMEM, "cannot read the options");
		if (!*dir)
			return err_say(err, -EINVAL, "an empty directory name in 'lowerdir'");
		if (o->lowers.n == LIMIT_OPTS_LAYERS)
			return err_say(err, -EINVAL, "more than %d layers", LIMIT_OPTS_LAYERS);
		if (strv_add(&o->lowers, dir) < 0)
			return err_set(err, -ENOMEM, "cannot read the options");
	}
	return 0;
}

static int parse_map(struct idmap *m, const char *key, const char *value, struct err *err)
{
	/* Podman writes a colon before the first, too. */
	auto_free char *copy = strdup(value + (*value == ':'));
	char *rest = copy, *word;
	int r;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot read the options");
	idmap_done(m);
	while (rest) {
		uint64_t v[3];

		for (size_t i = 0; i < 3; i++) {
			word = strsep(&rest, ":");
			if (!word || str_to_u64(word, UINT32_MAX, &v[i]) < 0)
				return bad_value(key, value, err);
		}
		r = idmap_add(m, (uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2]);
		if (r == -EINVAL)
			return err_say(err, r, "the ranges of '%s' overlap or are empty", key);
		if (r < 0)
			return err_set(err, r, "option '%s'", key);
	}
	return 0;
}

static int parse_timeout(struct opts *o, const char *value, struct err *err)
{
	char *end;
	double v = strtod(value, &end);

	if (!*value || *end || !isfinite(v) || v < 0)
		return bad_value("timeout", value, err);
	o->timeout_s = v > LIMIT_TIMEOUT_S ? LIMIT_TIMEOUT_S : v;
	return 0;
}

/* 1, 0 or -1 for words like on, off, 1, 0. */
static int truth(const char *value)
{
	static const char *const yes[] = { "1", "on", "yes", "true" };
	static const char *const no[] = { "0", "off", "no", "false" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (str_eq(value, yes[i]))
			return 1;
		if (str_eq(value, no[i]))
			return 0;
	}
	return -1;
}

/* ---- words ---- */

enum word_kind {
	WORD_SET, /* alone, or with a truth: sets or clears the flag */
	WORD_CLEAR, /* the same, the other way round */
	WORD_VALUE, /* with a value, that a function reads */
	WORD_SILENT, /* accepted: it is how things are anyway */
	WORD_IGNORED, /* accepted with a warning */
};

struct word {
	const char *name;
	enum word_kind kind;
	enum opts_flags flag;
};

static const struct word words[] = {
	{ "allow_other", WORD_SET, OPTS_ALLOW_OTHER },
	{ "allow_root", WORD_SET, OPTS_ALLOW_OTHER },
	{ "announce_opens", WORD_SET, OPTS_ANNOUNCE_OPENS },
	{ "async", WORD_SILENT, 0 },
	{ "atime", WORD_SET, OPTS_ATIME },
	{ "auto_cache", WORD_SILENT, 0 },
	{ "auto_unmount", WORD_IGNORED, 0 },
	{ "blksize", WORD_IGNORED, 0 },
	{ "clone_fd", WORD_SILENT, 0 },
	{ "context", WORD_VALUE, 0 },
	{ "debug", WORD_SET, OPTS_DEBUG },
	{ "default_permissions", WORD_SILENT, 0 },
	{ "dev", WORD_SET, OPTS_DEV },
	{ "diratime", WORD_CLEAR, OPTS_NO_DIRATIME },
	{ "exec", WORD_CLEAR, OPTS_NO_EXEC },
	{ "fast_ino", WORD_SILENT, 0 },
	{ "fsname", WORD_VALUE, 0 },
	{ "fsync", WORD_CLEAR, OPTS_VOLATILE },
	{ "gidmapping", WORD_VALUE, 0 },
	{ "index", WORD_SILENT, 0 },
	{ "ino32_t", WORD_SET, OPTS_INO32 },
	{ "kernel_cache", WORD_SILENT, 0 },
	{ "lazytime", WORD_SILENT, 0 },
	{ "lowerdir", WORD_VALUE, 0 },
	{ "max_background", WORD_IGNORED, 0 },
	{ "max_idle_threads", WORD_IGNORED, 0 },
	{ "max_read", WORD_IGNORED, 0 },
	{ "max_threads", WORD_IGNORED, 0 },
	{ "max_write", WORD_IGNORED, 0 },
	{ "metacopy", WORD_SET, OPTS_METACOPY },
	{ "nfs_export", WORD_IGNORED, 0 },
	{ "noacl", WORD_SET, OPTS_NO_ACL },
	{ "noatime", WORD_CLEAR, OPTS_ATIME },
	{ "nodev", WORD_SET, OPTS_NO_DEV },
	{ "nodiratime", WORD_SET, OPTS_NO_DIRATIME },
	{ "noexec", WORD_SET, OPTS_NO_EXEC },
	{ "nolazytime", WORD_SILENT, 0 },
	{ "nostrictatime", WORD_SILENT, 0 },
	{ "nosuid", WORD_SET, OPTS_NO_SUID },
	{ "noxattrs", WORD_SET, OPTS_NO_XATTRS },
	{ "plugins", WORD_IGNORED, 0 },
	{ "redirect_dir", WORD_VALUE, 0 },
	{ "relatime", WORD_SET, OPTS_ATIME },
	{ "ro", WORD_SET, OPTS_READ_ONLY },
	{ "rw", WORD_CLEAR, OPTS_READ_ONLY },
	{ "splice_move", WORD_SILENT, 0 },
	{ "splice_read", WORD_SILENT, 0 },
	{ "splice_write", WORD_SILENT, 0 },
	{ "squash_to_gid", WORD_VALUE, 0 },
	{ "squash_to_root", WORD_VALUE, 0 },
	{ "squash_to_uid", WORD_VALUE, 0 },
	{ "static_nlink", WORD_VALUE, 0 },
	{ "strictatime", WORD_SET, OPTS_ATIME },
	{ "subtype", WORD_SILENT, 0 },
	{ "suid", WORD_SET, OPTS_SUID },
	{ "sync", WORD_CLEAR, OPTS_VOLATILE },
	{ "threaded", WORD_CLEAR, OPTS_SINGLE_THREAD },
	{ "timeout", WORD_VALUE, 0 },
	{ "uidmapping", WORD_VALUE, 0 },
	{ "upperdir", WORD_VALUE, 0 },
	{ "userxattr", WORD_SILENT, 0 },
	{ "uuid", WORD_SILENT, 0 },
	{ "verity", WORD_IGNORED, 0 },
	{ "volatile", WORD_SET, OPTS_VOLATILE },
	{ "workdir", WORD_VALUE, 0 },
	{ "writeback", WORD_CLEAR, OPTS_NO_WRITEBACK },
	{ "xattr_permissions", WORD_VALUE, 0 },
	{ "xino", WORD_SILENT, 0 },
};

static const struct word *find_word(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i].name, name))
			return &words[i];
	return NULL;
}

static void set_flag(struct opts *o, enum opts_flags flag, bool on)
{
	if (on)
		o->flags |= flag;
	else
		o->flags &= ~(unsigned int)flag;
}

static int parse_squash(struct opts *o, const char *key, const char *value, struct err *err)
{
	if (str_eq(key, "squash_to_root")) {
		int yes = value ? truth(value) : 1;

		if (yes < 0)
			return bad_value(key, value, err);
		/* A uid or gid of its own goes before this one. */
		if (yes)
			o->flags |= OPTS_SQUASH_UID | OPTS_SQUASH_GID;
		return 0;
	}
	o->flags |= str_eq(key, "squash_to_uid") ? OPTS_SQUASH_UID : OPTS_SQUASH_GID;
	return parse_id(
		key, value, str_eq(key, "squash_to_uid") ? &o->squash_uid : &o->squash_gid, err);
}

/* Set, links of directories are never counted; cleared, they are, whatever it costs. */
static int parse_static_nlink(struct opts *o, const char *value, struct err *err)
{
	int yes = value ? truth(value) : 1;

	if (yes < 0)
		return bad_value("static_nlink", value, err);
	set_flag(o, OPTS_STATIC_NLINK, yes > 0);
	set_flag(o, OPTS_COUNT_NLINK, yes == 0);
	return 0;
}

static int parse_value(struct opts *o, const char *key, const char *value, struct err *err)
{
	uint32_t n = 0;

	if (strncmp(key, "squash_", 7) == 0 && (value || str_eq(key, "squash_to_root")))
		return parse_squash(o, key, value, err);
	if (str_eq(key, "static_nlink"))
		return parse_static_nlink(o, value, err);
	if (!value)
		return err_say(err, -EINVAL, "option '%s' needs a value", key);
	if (str_eq(key, "lowerdir"))
		return parse_lowers(o, value, err);
	if (str_eq(key, "upperdir"))
		return set_string(&o->upper, key, value, err);
	if (str_eq(key, "workdir"))
		return set_string(&o->work, key, value, err);
	if (str_eq(key, "context"))
		return set_string(&o->context, key, value, err);
	if (str_eq(key, "fsname"))
		return set_string(&o->source, key, value, err);
	if (str_eq(key, "uidmapping"))
		return parse_map(&o->uids, key, value, err);
	if (str_eq(key, "gidmapping"))
		return parse_map(&o->gids, key, value, err);
	if (str_eq(key, "timeout"))
		return parse_timeout(o, value, err);
	if (str_eq(key, "redirect_dir")) {
		/* "follow" and "nofollow" say what to read; that is never in question here. */
		if (truth(value) < 0 && !str_eq(value, "follow") && !str_eq(value, "nofollow"))
			return bad_value(key, value, err);
		set_flag(o, OPTS_REDIRECT, truth(value) == 1);
		return 0;
	}
	/* xattr_permissions */
	if (parse_id(key, value, &n, err) < 0 || n > 2)
		return bad_value(key, value, err);
	o->xattr_permissions = n;
	return 0;
}

static int parse_word(struct opts *o, const char *key, const char *value, struct err *err)
{
	const struct word *w = find_word(key);
	int yes;

	if (!w) {
		err_say(err, -EINVAL, "unknown option '%s'", key);
		return err_hint(err, -EINVAL, "run 'lamina-overlay --help'");
	}
	switch (w->kind) {
	case WORD_VALUE:
		return parse_value(o, key, value, err);
	case WORD_SET:
	case WORD_CLEAR:
		yes = value ? truth(value) : 1;
		if (yes < 0)
			return bad_value(key, value, err);
		set_flag(o, w->flag, (w->kind == WORD_SET) == (yes == 1));
		return 0;
	case WORD_IGNORED:
		if (strv_has(&o->warnings, key) || strv_add(&o->warnings, key) == 0)
			return 0;
		return err_set(err, -ENOMEM, "cannot read the options");
	case WORD_SILENT:
		break;
	}
	return 0;
}

int opts_parse_words(struct opts *o, const char *list, struct err *err)
{
	auto_free char *word = malloc(strlen(list) + 1);
	const char *s = list;

	if (!word)
		return err_set(err, -ENOMEM, "cannot read the options");
	for (;;) {
		char *to = word, *value;
		int r;

		while (*s && *s != ',') {
			if (s[0] == '\\' && s[1] == ',')
				s++;
			*to++ = *s++;
		}
		*to = '\0';
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		r = *word ? parse_word(o, word, value, err) : 0;
		if (r < 0)
			return r;
		if (!*s)
			return 0;
		s++;
	}
}

/* ---- the command line ---- */

static int set_action(struct opts *o, enum opts_action action, struct err *err)
{
	if (o->action != OPTS_MOUNT && o->action != action)
		return err_say(err, -EINVAL,
			"--check, --finish, --help and --version exclude "
			"each other");
	o->action = action;
	return 0;
}

/* Return 1 if the argument is none of the known ones. */
static int parse_flag(struct opts *o, const char *arg, struct err *err)
{
	static const struct {
		const char *arg;
		enum opts_action action;
	} actions[] = {
		{ "-h", OPTS_HELP },
		{ "--help", OPTS_HELP },
		{ "-V", OPTS_VERSION },
		{ "--version", OPTS_VERSION },
		{ "--check", OPTS_CHECK },
		{ "--finish", OPTS_FINISH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (str_eq(arg, actions[i].arg))
			return set_action(o, actions[i].action, err);
	if (str_eq(arg, "-f") || str_eq(arg, "--foreground"))
		o->flags |= OPTS_FOREGROUND;
	else if (str_eq(arg, "-d") || str_eq(arg, "--debug"))
		o->flags |= OPTS_DEBUG | OPTS_FOREGROUND;
	else if (str_eq(arg, "-s"))
		o->flags |= OPTS_SINGLE_THREAD;
	else
		return 1;
	return 0;
}

static int check_whole(struct opts *o, struct err *err)
{
	if (o->action == OPTS_HELP || o->action == OPTS_VERSION)
		return 0;
	if (!o->mountpoint)
		return err_hint(err, err_say(err, -EINVAL, "no directory is named"),
			"run 'lamina-overlay --help'");
	if (o->action == OPTS_FINISH && (o->lowers.n == 0 || !o->work))
		return err_say(err, -EINVAL, "--finish needs the options 'lowerdir' and 'workdir'");
	if (o->action != OPTS_MOUNT)
		return 0;
	if (o->lowers.n == 0)
		return err_say(err, -EINVAL, "option 'lowerdir' is missing");
	if (o->upper && !o->work)
		return err_say(err, -EINVAL, "option 'upperdir' needs 'workdir'");
	return 0;
}

int opts_parse(struct opts *ret, int argc, char *const argv[], struct err *err)
{
	bool only_names = false;

	*ret = (struct opts){ .timeout_s = OPTS_TIMEOUT_FOREVER };
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		int r = only_names || arg[0] != '-' ? 1 : parse_flag(ret, arg, err);

		if (r == 0)
			continue;
		if (r < 0)
			return r;
		if (!only_names && str_eq(arg, "--")) {
			only_names = true;
		} else if (!only_names && strncmp(arg, "-o", 2) == 0) {
			if (!arg[2] && i + 1 == argc)
				return err_say(err, -EINVAL, "-o needs an argument");
			r = opts_parse_words(ret, arg[2] ? arg + 2 : argv[++i], err);
			if (r < 0)
				return r;
		} else if (!only_names && arg[0] == '-') {
			return err_hint(err, err_say(err, -EINVAL, "unknown option '%s'", arg),
				"run 'lamina-overlay --help'");
		} else {
			/* mount(8) names a source first: the last one is the directory. */
			ret->mountpoint = arg;
		}
	}
	return check_whole(ret, err);
}
