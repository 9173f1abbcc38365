/* SPDX-License-Identifier: Apache-2.0 */
/* lamina.conf: what is understood, and what is refused with its line. */
#include "image/conf.h"
#include "tests/unit/test.h"

static const char *lookup(void *ctx, const char *name)
{
	static char big[LIMIT_CONF_VALUE];

	memset(big, 'x', sizeof(big) - 1);
	if (str_eq(name, "BIG"))
		return big;
	return str_eq(name, "HOME") ? "/home/me" : str_eq(name, "EMPTY") ? "" : NULL;
}

static int parse(struct conf *c, const char *text, struct err *err)
{
	return conf_parse(c, text, strlen(text), "file", lookup, NULL, err);
}

TEST(values_are_taken)
{
	struct conf c = { 0 };

	CHECK_INT(parse(&c, "", NULL), ==, 0);
	CHECK(!c.root);
	CHECK_INT(
		parse(&c, "# root = /x\n\n  root\t=  $HOME/a b/${HOME} \r\nadditional-store=/one\n",
			NULL),
		==, 0);
	CHECK_STR(c.root, "/home/me/a b//home/me");
	CHECK_INT(parse(&c, "root = /later\nadditional-store = /two", NULL), ==, 0);
	CHECK_STR(c.root, "/later");
	CHECK_INT(c.additional_stores.n, ==, 2);
	CHECK_STR(c.additional_stores.v[1], "/two");
	conf_done(&c);
}

TEST(what_is_malformed_is_refused_with_its_line)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "root", "file, line 1: it is not 'key = value'" },
		{ "\nroots = /x", "file, line 2: 'roots' is not known" },
		{ "root = here", "file, line 1: 'root' takes an absolute path, not 'here'" },
		{ "root =", "file, line 1: 'root' takes an absolute path, not ''" },
		{ "root = $NO", "file, line 1: the variable 'NO' is not set" },
		{ "root = /$", "file, line 1: '$' is not followed by a name" },
		{ "root = ${HOME", "file, line 1: '$' is not followed by a name" },
		{ "root = /$BIG/$BIG", "file, line 1: the value is too long" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf c = { 0 };
		struct err err = ERR_INIT;

		CHECK_INT(parse(&c, cases[i].text, &err), ==, -EINVAL);
		CHECK_STR(err.text, cases[i].why);
		conf_done(&c);
	}
}

TEST(limits_hold)
{
	auto_buf text = { 0 };
	struct conf c = { 0 };

	for (int i = 0; i < LIMIT_CONF_ADDITIONAL; i++)
		CHECK_INT(buf_add_str(&text, "additional-store = /x\n"), ==, 0);
	CHECK_INT(parse(&c, text.data, NULL), ==, 0);
	CHECK_INT(parse(&c, "additional-store = /y", NULL), ==, -E2BIG);
	CHECK_INT(conf_parse(&c, "a\0b", 3, "file", lookup, NULL, NULL), ==, -EINVAL);
	CHECK_INT(conf_parse(&c, text.data, LIMIT_CONF_BYTES + 1, "file", lookup, NULL, NULL), ==,
		-E2BIG);
	conf_done(&c);
}
