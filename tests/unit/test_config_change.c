/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of --change: which are understood, and what they leave in the config. */
#include "image/config_change.h"
#include "tests/unit/test.h"

static void check(const char *before, const char *text, const char *after)
{
	json_t *config, *want;
	struct err err = ERR_INIT;

	CHECK_INT(json_parse(before, strlen(before), "before", &config, NULL), ==, 0);
	CHECK_INT(json_parse(after, strlen(after), "after", &want, NULL), ==, 0);
	CHECK_INT(config_change(config, text, &err), ==, 0);
	CHECK(json_equal(config, want));
	json_decref(config);
	json_decref(want);
}

TEST(instructions_change_the_config)
{
	check("{}", "CMD [\"a\", \"b c\"]", "{\"Cmd\": [\"a\", \"b c\"]}");
	check("{\"Cmd\": [\"x\"]}", "cmd echo hi", "{\"Cmd\": [\"/bin/sh\", \"-c\", \"echo hi\"]}");
	check("{}", "ENTRYPOINT=[]", "{\"Entrypoint\": []}");
	check("{\"Env\": [\"A=1\", \"B=2\"]}", "ENV A=3 \"C=d e\" F=\\\"",
		"{\"Env\": [\"B=2\", \"A=3\", \"C=d e\", \"F=\\\"\"]}");
	check("{\"Env\": null}", "ENV A b = c", "{\"Env\": [\"A=b = c\"]}");
	check("{}", "EXPOSE 80 53/udp", "{\"ExposedPorts\": {\"80/tcp\": {}, \"53/udp\": {}}}");
	check("{\"Labels\": {\"a\": \"1\"}}", "LABEL a=2 b=\"\"",
		"{\"Labels\": {\"a\": \"2\", \"b\": \"\"}}");
	check("{}", "VOLUME [\"/a b\"]", "{\"Volumes\": {\"/a b\": {}}}");
	check("{}", "VOLUME /a /b", "{\"Volumes\": {\"/a\": {}, \"/b\": {}}}");
	check("{}", "ONBUILD RUN x", "{\"OnBuild\": [\"RUN x\"]}");
	check("{}", "USER = app", "{\"User\": \"app\"}");
	check("{}", "WORKDIR\t/srv", "{\"WorkingDir\": \"/srv\"}");
}

TEST(what_is_malformed_is_refused)
{
	static const char *const texts[] = { "", "CMD", "FROM x", "CMDS x", "CMD [1]", "CMD [\"a\"",
		"ENV", "ENV =x", "ENV A", "ENV A=\"b", "ENV A=1 B", "LABEL =", "WORKDIR srv",
		"VOLUME \"\"", "USER \xff" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *config = json_object();
		struct err err = ERR_INIT;

		CHECK_INT(config_change(config, texts[i], &err), ==, -EINVAL);
		CHECK(err.text[0]);
		json_decref(config);
	}
}

TEST(members_of_a_wrong_kind_are_refused)
{
	static const char *const configs[] = { "{\"Env\": {}}", "{\"Env\": \"A=1\"}" };

	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		json_t *config;

		CHECK_INT(
			json_parse(configs[i], strlen(configs[i]), "config", &config, NULL), ==, 0);
		CHECK_INT(config_change(config, "ENV A=1", NULL), ==, -EINVAL);
		json_decref(config);
	}
}
