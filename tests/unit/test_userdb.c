/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "runtime/userdb.h"
#include "tests/unit/test.h"

#include <errno.h>

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/sh\n"
				  "broken\n"
				  "wrap:x:4294967296:0::/:/bin/sh\n"
				  "none:x:4294967295:0::/:/bin/sh\n"
				  ":x:9:9::/:\n"
				  "nul\0l:x:8:8::/:/bin/sh\n"
				  "web:x:33:33:w:/var/www:/bin/sh\n"
				  "1000:x:77:78::relative:/bin/sh\n"
				  "max:x:4294967294:4294967294::/m:/bin/sh\n"
				  "many:a:b:c:d:e:f:g:h\n"
				  "dev:x:500:501::/home/dev:/bin/zsh";
static const char group_text[] = "root:x:0:\n"
				 "www:x:33:web\n"
				 "wheel:x:10:root,dev,web\n"
				 "audio:x:29:dev,\n"
				 "again:x:29:dev\n"
				 "own:x:501:dev\n"
				 "evil:x:4294967296:dev\n"
				 "short:x:60\n"
				 "devel:x:61:developer,xdev\n";

static const struct userdb_file passwd = { passwd_text, sizeof(passwd_text) - 1 };
static const struct userdb_file group = { group_text, sizeof(group_text) - 1 };
static const struct userdb_file none = { NULL, 0 };

TEST(users_by_name_and_number)
{
	static const struct {
		const char *spec;
		int want;
		uint32_t uid, gid;
		const char *home, *gids;
	} cases[] = {
		{ NULL, 0, 0, 0, "/root", "10" },
		{ "", 0, 0, 0, "/root", "10" },
		{ "root", 0, 0, 0, "/root", "10" },
		{ "0", 0, 0, 0, "/root", "10" },
		{ "dev", 0, 500, 501, "/home/dev", "10 29" },
		{ "500", 0, 500, 501, "/home/dev", "10 29" },
		{ "dev:www", 0, 500, 33, "/home/dev", "" },
		{ "dev:7", 0, 500, 7, "/home/dev", "" },
		{ "dev:", 0, 500, 501, "/home/dev", "10 29" },
		{ ":wheel", 0, 0, 10, "/root", "" },
		{ "4711", 0, 4711, 0, "/", "" },
		{ "4711:short", 0, 4711, 60, "/", "" },
		{ "1000", 0, 77, 78, "/", "" }, /* a user of that name, with a useless home */
		{ "max", 0, 4294967294u, 4294967294u, "/m", "" },
		{ "4294967294", 0, 4294967294u, 4294967294u, "/m", "" },
		{ "4294967295", -ERANGE, 0, 0, NULL, NULL },
		{ "4294967296", -ERANGE, 0, 0, NULL, NULL },
		{ "18446744073709551616", -ERANGE, 0, 0, NULL, NULL },
		{ "dev:4294967296", -ERANGE, 0, 0, NULL, NULL },
		{ "wrap", -ENOENT, 0, 0, NULL, NULL },
		{ "none", -ENOENT, 0, 0, NULL, NULL },
		{ "many", -ENOENT, 0, 0, NULL, NULL },
		{ "nul", -ENOENT, 0, 0, NULL, NULL },
		{ "dev:nope", -ENOENT, 0, 0, NULL, NULL },
		{ "dev:evil", -ENOENT, 0, 0, NULL, NULL },
		{ "-1", -ENOENT, 0, 0, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_userdb_user u = { 0 };
		auto_buf gids = { 0 };

		CHECK_INT(userdb_resolve(cases[i].spec, &passwd, &group, &u, NULL), ==,
			cases[i].want);
		if (cases[i].want < 0)
			continue;
		CHECK_INT(u.uid, ==, cases[i].uid);
		CHECK_INT(u.gid, ==, cases[i].gid);
		CHECK_STR(u.home, cases[i].home);
		for (size_t k = 0; k < u.n_gids; k++)
			(void)buf_printf(&gids, "%s%u", k ? " " : "", u.gids[k]);
		CHECK_STR(gids.data ? gids.data : "", cases[i].gids);
	}
}

TEST(images_without_the_files)
{
	auto_userdb_user u = { 0 }, v = { 0 };
	struct err err = ERR_INIT;

	CHECK_INT(userdb_resolve("7:8", &none, &none, &u, NULL), ==, 0);
	CHECK_INT(u.uid, ==, 7);
	CHECK_INT(u.gid, ==, 8);
	CHECK_STR(u.home, "/");
	CHECK_INT(userdb_resolve("web", &none, &none, &v, &err), ==, -ENOENT);
	CHECK_STR(err.text, "no user 'web' in the image's /etc/passwd");
}

TEST(groups_have_a_limit)
{
	auto_buf text = { 0 };
	struct userdb_file many;

	for (int i = 0; i < LIMIT_USER_GROUPS; i++)
		CHECK_INT(buf_printf(&text, "g%d:x:%d:dev\n", i, 1000 + i), ==, 0);
	for (int over = 0; over < 2; over++) {
		auto_userdb_user u = { 0 };

		if (over)
			CHECK_INT(buf_add_str(&text, "last:x:999999:dev\n"), ==, 0);
		many = (struct userdb_file){ text.data, text.len };
		CHECK_INT(userdb_resolve("dev", &passwd, &many, &u, NULL), ==, over ? -E2BIG : 0);
	}
}
