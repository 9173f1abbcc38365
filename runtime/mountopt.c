/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options as words (the contract is in the header). */
#include "runtime/mountopt.h"

#include <errno.h>
#include <sys/mount.h>

enum kind { NONE, SET, CLEAR, PROPAGATION, REC_SET, REC_CLEAR, REC_NEVER, EXTRA };

static const struct {
	const char *word;
	enum kind kind;
	unsigned long value; /* MS_…, or enum mountopt_extra */
} words_known[] = {
	{ "defaults", NONE, 0 },
	{ "bind", SET, MS_BIND },
	{ "rbind", SET, MS_BIND | MS_REC },
	{ "remount", SET, MS_REMOUNT },
	{ "ro", SET, MS_RDONLY },
	{ "rw", CLEAR, MS_RDONLY },
	{ "nosuid", SET, MS_NOSUID },
	{ "suid", CLEAR, MS_NOSUID },
	{ "nodev", SET, MS_NODEV },
	{ "dev", CLEAR, MS_NODEV },
	{ "noexec", SET, MS_NOEXEC },
	{ "exec", CLEAR, MS_NOEXEC },
	{ "sync", SET, MS_SYNCHRONOUS },
	{ "async", CLEAR, MS_SYNCHRONOUS },
	{ "dirsync", SET, MS_DIRSYNC },
	{ "mand", SET, MS_MANDLOCK },
	{ "nomand", CLEAR, MS_MANDLOCK },
	{ "noatime", SET, MS_NOATIME },
	{ "atime", CLEAR, MS_NOATIME },
	{ "nodiratime", SET, MS_NODIRATIME },
	{ "diratime", CLEAR, MS_NODIRATIME },
	{ "relatime", SET, MS_RELATIME },
	{ "norelatime", CLEAR, MS_RELATIME },
	{ "strictatime", SET, MS_STRICTATIME },
	{ "nostrictatime", CLEAR, MS_STRICTATIME },
	{ "lazytime", SET, MS_LAZYTIME },
	{ "nolazytime", CLEAR, MS_LAZYTIME },
	{ "iversion", SET, MS_I_VERSION },
	{ "noiversion", CLEAR, MS_I_VERSION },
	{ "silent", SET, MS_SILENT },
	{ "loud", CLEAR, MS_SILENT },
	{ "nosymfollow", SET, MS_NOSYMFOLLOW },
	{ "symfollow", CLEAR, MS_NOSYMFOLLOW },
	{ "shared", PROPAGATION, MS_SHARED },
	{ "rshared", PROPAGATION, MS_SHARED | MS_REC },
	{ "slave", PROPAGATION, MS_SLAVE },
	{ "rslave", PROPAGATION, MS_SLAVE | MS_REC },
	{ "private", PROPAGATION, MS_PRIVATE },
	{ "rprivate", PROPAGATION, MS_PRIVATE | MS_REC },
	{ "unbindable", PROPAGATION, MS_UNBINDABLE },
	{ "runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC },
	{ "rro", REC_SET, MS_RDONLY },
	{ "rrw", REC_CLEAR, MS_RDONLY },
	{ "rnosuid", REC_SET, MS_NOSUID },
	{ "rsuid", REC_CLEAR, MS_NOSUID },
	{ "rnodev", REC_SET, MS_NODEV },
	{ "rdev", REC_CLEAR, MS_NODEV },
	{ "rnoexec", REC_SET, MS_NOEXEC },
	{ "rexec", REC_CLEAR, MS_NOEXEC },
	{ "rnoatime", REC_SET, MS_NOATIME },
	{ "ratime", REC_CLEAR, MS_NOATIME },
	{ "rnodiratime", REC_SET, MS_NODIRATIME },
	{ "rdiratime", REC_CLEAR, MS_NODIRATIME },
	{ "rrelatime", REC_SET, MS_RELATIME },
	{ "rnorelatime", REC_CLEAR, MS_RELATIME },
	{ "rstrictatime", REC_SET, MS_STRICTATIME },
	{ "rnostrictatime", REC_CLEAR, MS_STRICTATIME },
	{ "rnosymfollow", REC_SET, MS_NOSYMFOLLOW },
	{ "rsymfollow", REC_CLEAR, MS_NOSYMFOLLOW },
	/* These belong to a filesystem, not to a mount: no call changes them for a tree. */
	{ "rsync", REC_NEVER, MS_SYNCHRONOUS },
	{ "rasync", REC_NEVER, MS_SYNCHRONOUS },
	{ "rdirsync", REC_NEVER, MS_DIRSYNC },
	{ "rmand", REC_NEVER, MS_MANDLOCK },
	{ "rnomand", REC_NEVER, MS_MANDLOCK },
	{ "tmpcopyup", EXTRA, MOUNTOPT_TMPCOPYUP },
	{ "idmap", EXTRA, MOUNTOPT_IDMAP },
	{ "ridmap", EXTRA, MOUNTOPT_IDMAP | MOUNTOPT_IDMAP_REC },
	{ "copy-symlink", EXTRA, MOUNTOPT_COPY_SYMLINK },
	{ "src-nofollow", EXTRA, MOUNTOPT_SRC_NOFOLLOW },
};

#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

uint64_t mountopt_attrs(unsigned long flags)
{
	static const struct {
		unsigned long flag;
		uint64_t attr;
	} pairs[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },
		{ MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },
		{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
		{ MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
		{ MS_NOATIME, MOUNT_ATTR_NOATIME },
		{ MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
	};
	uint64_t attrs = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (flags & pairs[i].flag)
			attrs |= pairs[i].attr;
	return attrs;
}

/*
 * Attributes to set and clear.  How times of access are kept is one field of three values, which
 * the kernel wants cleared as a whole before it is set.
 */
static void set_attrs(unsigned long set, unsigned long clear, uint64_t *ret_set, uint64_t *ret_clr)
{
	*ret_set = mountopt_attrs(set);
	*ret_clr = mountopt_attrs(clear & ~ATIME_FLAGS);
	if ((set | clear) & ATIME_FLAGS)
		*ret_clr |= MOUNT_ATTR__ATIME;
}

/* A later word about the times of access replaces an earlier one. */
static void turn(unsigned long *set, unsigned long *clear, unsigned long value, bool on)
{
	if (on) {
		if (value & ATIME_FLAGS)
			*set &= ~ATIME_FLAGS;
		*set |= value;
		*clear &= ~value;
	} else {
		*clear |= value;
		*set &= ~value;
	}
}

static int add_data(struct mountopt *mo, const char *word, struct err *err)
{
	char *joined;

	if ((mo->data ? strlen(mo->data) + 1 : 0) + strlen(word) > LIMIT_MOUNT_DATA)
		return err_say(
			err, -E2BIG, "mount options are longer than %d bytes", LIMIT_MOUNT_DATA);
	joined = mo->data ? str_format("%s,%s", mo->data, word) : strdup(word);
	if (!joined)
		return err_set(err, -ENOMEM, "cannot read mount options");
	free(mo->data);
	mo->data = joined;
	return 0;
}

/* "idmap=MAP" and "ridmap=MAP". */
static int set_idmap(struct mountopt *mo, const char *word, struct err *err)
{
	free(mo->idmap);
	mo->idmap = strdup(strchr(word, '=') + 1);
	if (!mo->idmap)
		return err_set(err, -ENOMEM, "cannot read mount options");
	mo->extra |= MOUNTOPT_IDMAP | (word[0] == 'r' ? MOUNTOPT_IDMAP_REC : 0);
	return 0;
}

/* MS_… of the recursive words; attributes are made of them when all words are known. */
struct recursive {
	unsigned long set, clear;
};

static int add_word(struct mountopt *mo, struct recursive *rec, const char *word, struct err *err)
{
	if (str_starts(word, "idmap=") || str_starts(word, "ridmap="))
		return set_idmap(mo, word, err);
	for (size_t i = 0; i < ARRAY_SIZE(words_known); i++) {
		unsigned long value = words_known[i].value;

		if (!str_eq(words_known[i].word, word))
			continue;
		switch (words_known[i].kind) {
		case NONE:
			break;
		case SET:
		case CLEAR:
			turn(&mo->flags, &mo->clear, value, words_known[i].kind == SET);
			break;
		case PROPAGATION:
			mo->propagation = value;
			break;
		case REC_SET:
		case REC_CLEAR:
			turn(&rec->set, &rec->clear, value, words_known[i].kind == REC_SET);
			break;
		case REC_NEVER:
			return err_say(err, -EINVAL,
				"mount option '%s' cannot be applied to a tree of mounts", word);
		case EXTRA:
			mo->extra |= (unsigned int)value;
			break;
		}
		return 0;
	}
	return add_data(mo, word, err);
}

int mountopt_parse(const char *const *words, size_t n, struct mountopt *ret, struct err *err)
{
	auto_mountopt mo = { 0 };
	struct recursive rec = { 0 };
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!words[i][0])
			continue;
		r = add_word(&mo, &rec, words[i], err);
		if (r < 0)
			return r;
	}
	set_attrs(mo.flags, mo.clear, &mo.attr_set, &mo.attr_clr);
	set_attrs(rec.set, rec.clear, &mo.rec_set, &mo.rec_clr);
	*ret = mo;
	mo.data = NULL;
	mo.idmap = NULL;
	return 0;
}

void mountopt_done(struct mountopt *mo)
{
	free(mo->data);
	free(mo->idmap);
	memset(mo, 0, sizeof(*mo));
}

const char *mountopt_word(size_t n)
{
	return n < ARRAY_SIZE(words_known) ? words_known[n].word : NULL;
}
