/* SPDX-License-Identifier: Apache-2.0 */
#include "image/config.h"

#include "base/str.h"
#include "tests/unit/test.h"

#define HEX  "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ROOT "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}"

static int parse(const char *text)
{
	auto_config c = { 0 };

	return config_parse(text, strlen(text), &c, NULL);
}

TEST(a_config_is_read)
{
	static const char text[] =
		"{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\","
		"\"config\":{\"Env\":[\"A=b\"],\"Cmd\":null,\"Labels\":{\"a\":\"b\"},"
		"\"Volumes\":{\"/x\":{}}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" HEX "\",\"" HEX "\"]}}";
	auto_config c = { 0 };

	CHECK_INT(config_parse(text, strlen(text), &c, NULL), ==, 0);
	CHECK_STR(c.platform.arch, "arm64");
	CHECK_INT(c.n_diff_ids, ==, 2);
	CHECK(digest_eq(&c.diff_ids[0], &c.diff_ids[1]));
}

TEST(configs_that_tools_write)
{
	CHECK_INT(parse("{" ROOT "}"), ==, 0);
	CHECK_INT(parse("{\"config\":null," ROOT "}"), ==, 0);
	CHECK_INT(parse("{\"os\":\"\",\"architecture\":\"\"," ROOT "}"), ==, 0);
	CHECK_INT(parse("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}"), ==, 0);
	CHECK_INT(parse("{\"rootfs\":{\"type\":\"layers\"}}"), ==, 0);
}

TEST(malformed_configs_are_refused)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"rootfs\":[]}",
		"{\"rootfs\":{\"type\":\"other\",\"diff_ids\":[]}}",
		"{\"rootfs\":{\"diff_ids\":{}}}",
		"{\"rootfs\":{\"diff_ids\":[7]}}",
		"{\"rootfs\":{\"diff_ids\":[\"sha256:1\"]}}",
		"{\"os\":\"a b\",\"architecture\":\"x\"," ROOT "}",
		"{\"config\":[]," ROOT "}",
		"{\"config\":{\"Env\":\"A=b\"}," ROOT "}",
		"{\"config\":{\"Env\":[7]}," ROOT "}",
		"{\"config\":{\"Env\":[\"A=\\u0000\"]}," ROOT "}",
		"{\"config\":{\"Cmd\":{\"a\":1}}," ROOT "}",
		"{\"config\":{\"User\":0}," ROOT "}",
		"{\"config\":{\"Labels\":{\"a\":1}}," ROOT "}",
		"{\"config\":{\"Volumes\":[]}," ROOT "}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (parse(bad[i]) != -EBADMSG)
			test_fail(__FILE__, __LINE__, "accepted: %s", bad[i]);
}

TEST(words_and_lists_are_limited)
{
	for (int over = 0; over < 2; over++) {
		auto_buf word = { 0 }, list = { 0 };

		CHECK_INT(buf_add_str(&word, "{\"config\":{\"User\":\""), ==, 0);
		for (int i = 0; i < LIMIT_CONFIG_WORD_BYTES - 1 + over; i++)
			CHECK_INT(buf_add_str(&word, "a"), ==, 0);
		CHECK_INT(buf_add_str(&word, "\"}," ROOT "}"), ==, 0);
		CHECK_INT(parse(word.data), ==, over ? -EBADMSG : 0);

		CHECK_INT(buf_add_str(&list, "{\"config\":{\"Env\":[\"\""), ==, 0);
		for (int i = 1; i < LIMIT_CONFIG_WORDS + over; i++)
			CHECK_INT(buf_add_str(&list, ",\"\""), ==, 0);
		CHECK_INT(buf_add_str(&list, "]}," ROOT "}"), ==, 0);
		CHECK_INT(parse(list.data), ==, over ? -EBADMSG : 0);
	}
}
