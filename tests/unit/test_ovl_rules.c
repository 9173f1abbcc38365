/* SPDX-License-Identifier: Apache-2.0 */
/* The overlay's pure rules: texts of overrides, origins and superblocks, names of xattrs, ACLs. */
#include "overlay/acl.h"
#include "overlay/meta.h"
#include "overlay/upper.h"
#include "overlay/xattrs.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

TEST(overrides_are_read_as_others_write_them)
{
	static const struct {
		const char *text;
		int want;
		uint32_t uid, mode, major, minor;
	} cases[] = {
		{ "0:0:0755", 0, 0, 0755, 0, 0 },
		{ "1006:1017:0600:char-1-3", 0, 1006, S_IFCHR | 0600, 1, 3 },
		{ "5:6:755:dir", 0, 5, S_IFDIR | 0755, 0, 0 },
		{ "5:6:0777:symlink", 0, 5, S_IFLNK | 0777, 0, 0 },
		{ "5:6:0104755:file", 0, 5, S_IFREG | 04755, 0, 0 },
		{ "5:6", -EINVAL, 0, 0, 0, 0 },
		{ "5:6:", -EINVAL, 0, 0, 0, 0 },
		{ "5:6:0888", -EINVAL, 0, 0, 0, 0 },
		{ "-5:6:0755", -EINVAL, 0, 0, 0, 0 },
		{ "4294967295:6:0755", -EINVAL, 0, 0, 0, 0 },
		{ "5:6:0755:char", -EINVAL, 0, 0, 0, 0 },
		{ "5:6:0755:char-1", -EINVAL, 0, 0, 0, 0 },
		{ "5:6:0755:dir-1-2", -EINVAL, 0, 0, 0, 0 },
		{ "5:6:0755:thing", -EINVAL, 0, 0, 0, 0 },
		{ "", -EINVAL, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct node_override ov = { 0 };

		CHECK_INT(meta_override_parse(cases[i].text, strlen(cases[i].text), &ov), ==,
			cases[i].want);
		CHECK_INT(ov.set, ==, cases[i].want == 0);
		CHECK_INT(ov.uid, ==, cases[i].uid);
		CHECK_INT(ov.mode, ==, cases[i].mode);
		CHECK_INT(ov.major, ==, cases[i].major);
		CHECK_INT(ov.minor, ==, cases[i].minor);
	}
}

TEST(an_override_reads_what_it_wrote)
{
	static const uint32_t modes[] = { S_IFREG | 0, S_IFDIR | 01777, S_IFLNK | 0777,
		S_IFIFO | 0600, S_IFSOCK | 0755, S_IFCHR | 0620, S_IFBLK | 0660 };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const struct node_override in = { true, 2147483647, 7, modes[i],
			S_ISCHR(modes[i]) || S_ISBLK(modes[i]) ? 4095 : 0,
			S_ISCHR(modes[i]) || S_ISBLK(modes[i]) ? 1048575 : 0 };
		struct node_override out = { 0 };
		char text[META_OVERRIDE_BYTES];

		meta_override_format(&in, text);
		CHECK_INT(meta_override_parse(text, strlen(text), &out), ==, 0);
		CHECK_INT(out.uid, ==, in.uid);
		CHECK_INT(out.mode, ==, in.mode);
		CHECK_INT(out.major, ==, in.major);
		CHECK_INT(out.minor, ==, in.minor);
	}
}

TEST(origins_are_16_lower_case_digits)
{
	char name[UPPER_ORIGIN_BYTES];
	uint64_t v = 7;

	upper_origin_name(UINT64_C(0x0123456789abcdef), name);
	CHECK_STR(name, "0123456789abcdef");
	CHECK(upper_origin_parse(name, 16, &v));
	CHECK(v == UINT64_C(0x0123456789abcdef));
	CHECK(!upper_origin_parse("0123456789ABCDEF", 16, &v));
	CHECK(!upper_origin_parse("123", 3, &v));
	CHECK(!upper_origin_parse("0123456789abcdef0", 17, &v));
}

TEST(private_attributes_never_meet_a_clients_own)
{
	char name[XATTR_NAME_BYTES];
	char longest[XATTR_NAME_BYTES];

	CHECK_INT(xattr_to_upper("user.overlay.opaque", name), ==, 0);
	CHECK_STR(name, "user.overlay.overlay.opaque");
	CHECK(xattr_from_upper(name, longest));
	CHECK_STR(longest, "user.overlay.opaque");
	CHECK_INT(xattr_to_upper("user.overlay.overlay.x", name), ==, 0);
	CHECK(xattr_from_upper("user.overlay.overlay.overlay.x", longest));
	CHECK_STR(longest, "user.overlay.overlay.x");
	CHECK_INT(xattr_to_upper(XA_OVERRIDE, name), ==, -EPERM);
	CHECK_INT(xattr_to_upper("trusted.overlay.opaque", name), ==, 0);
	CHECK_STR(name, "trusted.overlay.overlay.opaque");
	CHECK(xattr_from_upper(name, longest));
	CHECK_STR(longest, "trusted.overlay.opaque");
	CHECK(!xattr_from_upper("trusted.overlay.opaque", longest));
	CHECK_INT(xattr_to_upper("user.fuseoverlayfs.origin", name), ==, -EPERM);
	CHECK_INT(xattr_to_upper("user.overlay", name), ==, 0);
	CHECK_STR(name, "user.overlay");
	CHECK(!xattr_from_upper(XA_OPAQUE, longest));
	CHECK(!xattr_from_upper(XA_ORIGIN, longest));
	CHECK(!xattr_from_upper("user.containers.override_stat", longest));
	CHECK(xattr_from_upper("user.containers.other", longest));
	memset(longest, 'x', 255);
	memcpy(longest, "user.overlay.", 13);
	longest[255] = '\0';
	CHECK_INT(xattr_to_upper(longest, name), ==, -ERANGE);
}

/* Entries of an ACL as bytes: tag, permissions, id. */
struct acl_text {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[6];
};

TEST(default_acls_are_inherited_as_posix_says)
{
	struct acl_text plain = { 2, { { 1, 7, ~0U }, { 4, 5, ~0U }, { 32, 5, ~0U } } };
	struct acl_text rich = { 2,
		{ { 1, 7, ~0U }, { 2, 7, 9 }, { 4, 7, ~0U }, { 16, 7, ~0U }, { 32, 5, ~0U } } };
	uint32_t mode = S_IFREG | 0666;

	CHECK_INT(acl_inherit(&plain, 4 + 3 * 8, &mode), ==, 0);
	CHECK_INT(mode, ==, S_IFREG | 0644);
	mode = S_IFREG | 0640;
	CHECK_INT(acl_inherit(&rich, 4 + 5 * 8, &mode), ==, 1);
	CHECK_INT(mode, ==, S_IFREG | 0640);
	CHECK_INT(rich.e[0].perm, ==, 6);
	CHECK_INT(rich.e[3].perm, ==, 4); /* the mask, not the group */
	CHECK_INT(rich.e[2].perm, ==, 7);
	CHECK_INT(rich.e[4].perm, ==, 0);
	CHECK_INT(acl_inherit(&rich, 5, &mode), ==, -EINVAL);
	rich.version = 3;
	CHECK_INT(acl_inherit(&rich, 4 + 5 * 8, &mode), ==, -EINVAL);
}

TEST(superblocks_are_strict)
{
#define HEAD "lamina-upper 1\nlower image:x\n"
#define REST "features-compat -\nfeatures-ro -\nfeatures-incompat redirect,metacopy,index\n"
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ HEAD "whiteout device\nownership plain\nmetadata xattr\n" REST, 0 },
		{ HEAD "whiteout device\nownership override\nmetadata xattr\n" REST, 0 },
		{ HEAD "whiteout name\nownership plain\nmetadata xattr\n" REST, 0 },
		{ HEAD "whiteout rubbish\nownership plain\nmetadata xattr\n" REST, -EBADMSG },
		{ HEAD "whiteout device\nownership plain\nmetadata sidecar\n" REST,
			-EPROTONOSUPPORT },
		{ HEAD "whiteout device\nownership other\nmetadata xattr\n" REST, -EBADMSG },
		{ HEAD "ownership plain\nwhiteout device\nmetadata xattr\n" REST, -EBADMSG },
		{ HEAD "whiteout device\nownership plain\nmetadata xattr\n" REST "more x\n",
			-EBADMSG },
		{ HEAD "whiteout device\nownership plain\nmetadata xattr\nfeatures-compat a,b\n"
		       "features-ro -\nfeatures-incompat -\n",
			0 },
		{ HEAD "whiteout device\nownership plain\nmetadata xattr\nfeatures-compat -\n"
		       "features-ro -\nfeatures-incompat index,new\n",
			-EPROTONOSUPPORT },
		{ "lamina-upper 2\nlower image:x\n", -EPROTONOSUPPORT },
		{ "", -EBADMSG },
		{ "lamina-upper 1", -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct upper_super super;
		bool read_only;

		CHECK_INT(upper_super_parse(
				  cases[i].text, strlen(cases[i].text), &super, &read_only, NULL),
			==, cases[i].want);
	}
}
