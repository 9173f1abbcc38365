/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mountopt.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sys/mount.h>

#define MAX_WORDS 6

static int parse(const char *const words[MAX_WORDS], struct mountopt *ret, struct err *err)
{
	size_t n = 0;

	while (n < MAX_WORDS && words[n])
		n++;
	return mountopt_parse(words, n, ret, err);
}

TEST(words_become_flags)
{
	static const struct {
		const char *words[MAX_WORDS];
		unsigned long flags, clear, propagation;
		const char *data;
	} cases[] = {
		{ { 0 }, 0, 0, 0, NULL },
		{ { "defaults", "" }, 0, 0, 0, NULL },
		{ { "rbind", "ro", "rprivate" }, MS_BIND | MS_REC | MS_RDONLY, 0,
			MS_PRIVATE | MS_REC, NULL },
		{ { "ro", "rw" }, 0, MS_RDONLY, 0, NULL },
		{ { "rw", "ro" }, MS_RDONLY, 0, 0, NULL },
		{ { "nosuid", "size=64k", "mode=1777", "nodev" }, MS_NOSUID | MS_NODEV, 0, 0,
			"size=64k,mode=1777" },
		{ { "relatime", "noatime" }, MS_NOATIME, 0, 0, NULL },
		{ { "noatime", "strictatime" }, MS_STRICTATIME, 0, 0, NULL },
		{ { "shared", "slave" }, 0, 0, MS_SLAVE, NULL },
		{ { "newinstance", "ptmxmode=0666", "gid=5" }, 0, 0, 0,
			"newinstance,ptmxmode=0666,gid=5" },
		{ { "RO" }, 0, 0, 0, "RO" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_mountopt mo = { 0 };

		CHECK_INT(parse(cases[i].words, &mo, NULL), ==, 0);
		CHECK_INT(mo.flags, ==, cases[i].flags);
		CHECK_INT(mo.clear, ==, cases[i].clear);
		CHECK_INT(mo.propagation, ==, cases[i].propagation);
		CHECK_STR(mo.data, cases[i].data);
	}
}

TEST(words_become_attributes)
{
	static const struct {
		const char *words[MAX_WORDS];
		uint64_t set, clr, rec_set, rec_clr;
	} cases[] = {
		{ { "ro", "nosuid" }, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0 },
		{ { "exec" }, 0, MOUNT_ATTR_NOEXEC, 0, 0 },
		{ { "noatime" }, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0, 0 },
		{ { "relatime" }, 0, MOUNT_ATTR__ATIME, 0, 0 },
		{ { "rro", "rnosuid" }, 0, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0 },
		{ { "rro", "rrw" }, 0, 0, 0, MOUNT_ATTR_RDONLY },
		{ { "rstrictatime" }, 0, 0, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME },
		{ { "ratime" }, 0, 0, 0, MOUNT_ATTR__ATIME },
		{ { "nosymfollow", "rnodiratime" }, MOUNT_ATTR_NOSYMFOLLOW, 0,
			MOUNT_ATTR_NODIRATIME, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_mountopt mo = { 0 };

		CHECK_INT(parse(cases[i].words, &mo, NULL), ==, 0);
		CHECK_INT(mo.attr_set, ==, cases[i].set);
		CHECK_INT(mo.attr_clr, ==, cases[i].clr);
		CHECK_INT(mo.rec_set, ==, cases[i].rec_set);
		CHECK_INT(mo.rec_clr, ==, cases[i].rec_clr);
	}
}

TEST(our_own_words)
{
	static const char *const words[MAX_WORDS] = { "tmpcopyup", "copy-symlink",
		"ridmap=uids=0-1-2;gids=0-1-2" };
	static const char *const plain[MAX_WORDS] = { "idmap" };
	auto_mountopt mo = { 0 }, plain_mo = { 0 };

	CHECK_INT(parse(words, &mo, NULL), ==, 0);
	CHECK_INT(mo.extra, ==,
		MOUNTOPT_TMPCOPYUP | MOUNTOPT_COPY_SYMLINK | MOUNTOPT_IDMAP | MOUNTOPT_IDMAP_REC);
	CHECK_STR(mo.idmap, "uids=0-1-2;gids=0-1-2");
	CHECK_INT(parse(plain, &plain_mo, NULL), ==, 0);
	CHECK_INT(plain_mo.extra, ==, MOUNTOPT_IDMAP);
	CHECK_STR(plain_mo.idmap, NULL);
}

TEST(what_cannot_be_done_is_refused)
{
	static const char *const words[MAX_WORDS] = { "rsync" };
	auto_mountopt mo = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(parse(words, &mo, &err), ==, -EINVAL);
	CHECK_STR(err.text, "mount option 'rsync' cannot be applied to a tree of mounts");
}

TEST(data_fits_a_page)
{
	char word[LIMIT_MOUNT_DATA + 2];

	for (size_t over = 0; over < 2; over++) {
		const char *words[MAX_WORDS] = { word };
		auto_mountopt mo = { 0 };

		memset(word, 'x', LIMIT_MOUNT_DATA + over);
		word[LIMIT_MOUNT_DATA + over] = '\0';
		CHECK_INT(parse(words, &mo, NULL), ==, over ? -E2BIG : 0);
	}
}
