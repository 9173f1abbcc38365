/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay/opts.h"
#include "tests/unit/test.h"

#include <errno.h>

#define MAX_ARGS 8

/* Parse a command line; the program's name is added. */
static int parse(struct opts *ret, const char *const args[MAX_ARGS], struct err *err)
{
	char program[] = "lamina-overlay";
	char *argv[MAX_ARGS + 2] = { program };
	int argc = 1;

	while (argc <= MAX_ARGS && args[argc - 1]) {
		argv[argc] = (char *)args[argc - 1];
		argc++;
	}
	return opts_parse(ret, argc, argv, err);
}

static int parse_words(struct opts *ret, const char *words)
{
	const char *const args[MAX_ARGS] = { "-o", "lowerdir=/l", "-o", words, "/mnt" };

	return parse(ret, args, NULL);
}

TEST(directories_of_a_mount)
{
	const char *const args[MAX_ARGS] = { "-f", "-olowerdir=/a\\:b:rel\\,x:/c,workdir=/w", "-o",
		"upperdir=/u\\,v", "/mnt" };
	struct opts o;

	CHECK_INT(parse(&o, args, NULL), ==, 0);
	CHECK_INT(o.action, ==, OPTS_MOUNT);
	CHECK_INT(o.lowers.n, ==, 3);
	CHECK_STR(o.lowers.v[0], "/a:b");
	CHECK_STR(o.lowers.v[1], "rel,x");
	CHECK_STR(o.lowers.v[2], "/c");
	CHECK_STR(o.upper, "/u,v");
	CHECK_STR(o.work, "/w");
	CHECK_STR(o.mountpoint, "/mnt");
	CHECK_INT(o.flags, ==, OPTS_FOREGROUND);
	CHECK(o.timeout_s >= OPTS_TIMEOUT_FOREVER);
	opts_done(&o);
}

TEST(a_source_before_the_mountpoint_is_that_of_mount)
{
	const char *const args[MAX_ARGS] = { "none", "/mnt", "-o", "rw,lowerdir=/l" };
	struct opts o;

	CHECK_INT(parse(&o, args, NULL), ==, 0);
	CHECK_STR(o.mountpoint, "/mnt");
	opts_done(&o);
}

TEST(words_set_and_clear_flags)
{
	static const struct {
		const char *words;
		unsigned int flags;
	} cases[] = {
		{ "", 0 },
		{ "volatile", OPTS_VOLATILE },
		{ "fsync=0", OPTS_VOLATILE },
		{ "volatile,fsync=1", 0 },
		{ "writeback=0", OPTS_NO_WRITEBACK },
		{ "writeback=1,threaded=1", 0 },
		{ "threaded=0", OPTS_SINGLE_THREAD },
		{ "noxattrs=1,noacl", OPTS_NO_XATTRS | OPTS_NO_ACL },
		{ "noxattrs=0", 0 },
		{ "redirect_dir=on,metacopy=on", OPTS_REDIRECT | OPTS_METACOPY },
		{ "redirect_dir=off,index=off,metacopy=off,userxattr,xino=auto", 0 },
		{ "redirect_dir=nofollow", 0 },
		{ "ro", OPTS_READ_ONLY },
		{ "ro,rw", 0 },
		{ "nosuid,nodev,noexec", OPTS_NO_SUID | OPTS_NO_DEV | OPTS_NO_EXEC },
		{ "static_nlink,ino32_t,fast_ino=1", OPTS_STATIC_NLINK | OPTS_INO32 },
		{ "static_nlink=0", OPTS_COUNT_NLINK },
		{ "squash_to_root", OPTS_SQUASH_UID | OPTS_SQUASH_GID },
		{ "squash_to_root=0", 0 },
		{ "squash_to_uid=5", OPTS_SQUASH_UID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct opts o;

		CHECK_INT(parse_words(&o, cases[i].words), ==, 0);
		CHECK_INT(o.flags, ==, cases[i].flags);
		CHECK_INT(o.warnings.n, ==, 0);
		opts_done(&o);
	}
}

TEST(uppers_are_checked_with_or_without_layers)
{
	const char *const args[MAX_ARGS] = { "--check", "/u" };
	struct opts o;

	CHECK_INT(parse(&o, args, NULL), ==, 0);
	CHECK_INT(o.action, ==, OPTS_CHECK);
	CHECK_STR(o.mountpoint, "/u");
	opts_done(&o);
}

TEST(values_are_read)
{
	struct opts o;
	uint32_t id;

	CHECK_INT(parse_words(&o, "squash_to_root,squash_to_gid=7,timeout=0.5,xattr_permissions=2,"
				  "uidmapping=0:1000:1:1:110000:65536,gidmapping=:0:5:1,"
				  "context=\"a:b\",fsname=x"),
		==, 0);
	CHECK_INT(o.squash_uid, ==, 0);
	CHECK_INT(o.squash_gid, ==, 7);
	CHECK(o.timeout_s == 0.5);
	CHECK_INT(o.xattr_permissions, ==, 2);
	CHECK_STR(o.context, "\"a:b\"");
	CHECK_STR(o.source, "x");
	CHECK(idmap_out(&o.uids, 2, &id));
	CHECK_INT(id, ==, 110001);
	CHECK(!idmap_out(&o.gids, 1, &id));
	opts_done(&o);
}

TEST(words_without_meaning_here_are_told_once)
{
	struct opts o;

	CHECK_INT(parse_words(&o, "nfs_export=on,max_write=5,nfs_export=off"), ==, 0);
	CHECK_INT(o.warnings.n, ==, 2);
	opts_done(&o);
}

TEST(wrong_command_lines)
{
	static const struct {
		const char *args[MAX_ARGS];
		const char *text;
	} cases[] = {
		{ { "/mnt" }, "option 'lowerdir' is missing" },
		{ { "-o", "lowerdir=/l" }, "no directory is named" },
		{ { "-o" }, "-o needs an argument" },
		{ { "-x", "/mnt" }, "unknown option '-x'" },
		{ { "-o", "lowerdir=/l,upperdir=/u", "/m" }, "option 'upperdir' needs 'workdir'" },
		{ { "-o", "lowerdir=/a::/b", "/m" }, "an empty directory name in 'lowerdir'" },
		{ { "--finish", "/u", "-o", "lowerdir=/l" },
			"--finish needs the options 'lowerdir' and 'workdir'" },
		{ { "--check", "--finish", "/u" },
			"--check, --finish, --help and --version exclude each other" },
		{ { "-o", "lowerdir", "/m" }, "option 'lowerdir' needs a value" },
		{ { "-o", "nonsense=1", "/m" }, "unknown option 'nonsense'" },
		{ { "-o", "volatile=maybe", "/m" }, "bad value 'maybe' of option 'volatile'" },
		{ { "-o", "timeout=-1", "/m" }, "bad value '-1' of option 'timeout'" },
		{ { "-o", "timeout=nan", "/m" }, "bad value 'nan' of option 'timeout'" },
		{ { "-o", "uidmapping=0:1", "/m" }, "bad value '0:1' of option 'uidmapping'" },
		{ { "-o", "uidmapping=0:1:2:1:5:1", "/m" },
			"the ranges of 'uidmapping' overlap or are empty" },
		{ { "-o", "squash_to_uid=4294967295", "/m" },
			"bad value '4294967295' of option 'squash_to_uid'" },
		{ { "-o", "xattr_permissions=3", "/m" },
			"bad value '3' of option 'xattr_permissions'" },
		{ { "-o", "redirect_dir=sometimes", "/m" },
			"bad value 'sometimes' of option 'redirect_dir'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;
		struct opts o;

		CHECK_INT(parse(&o, cases[i].args, &err), ==, -EINVAL);
		CHECK_STR(err.text, cases[i].text);
		opts_done(&o);
	}
}
