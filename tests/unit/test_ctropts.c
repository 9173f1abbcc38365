/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ctropts.h"
#include "tests/unit/test.h"

#include <string.h>

TEST(options_survive_being_written_down)
{
	struct ctropts o, back;
	json_t *j;

	ctropts_init(&o);
	o.network = strdup("slirp:mtu=9000");
	o.interactive = true;
	o.stop_timeout_s = 3;
	o.log_max_bytes = 0;
	CHECK_INT(strv_add(&o.publish, "8080:80"), ==, 0);
	CHECK_INT(strv_add(&o.labels, "a=b"), ==, 0);
	j = ctropts_to_json(&o);
	CHECK(j != NULL);
	CHECK_INT(ctropts_from_json(j, &back), ==, 0);
	CHECK_STR(back.network, "slirp:mtu=9000");
	CHECK(back.interactive);
	CHECK_INT(back.stop_timeout_s, ==, 3);
	CHECK_INT(back.log_max_bytes, ==, 0);
	CHECK_INT(back.publish.n, ==, 1);
	CHECK_STR(back.labels.v[0], "a=b");
	CHECK(back.rootfs == NULL);
	json_decref(j);
	ctropts_done(&o);
	ctropts_done(&back);
}

TEST(what_is_missing_or_of_a_wrong_type_is_the_default)
{
	json_t *j = json_pack(
		"{s:i, s:s, s:[i,s]}", "network", 5, "timeout", "x", "publish", 1, "80:80");
	struct ctropts o;

	CHECK_INT(ctropts_from_json(j, &o), ==, 0);
	CHECK(o.network == NULL);
	CHECK_INT(o.timeout_s, ==, 0);
	CHECK_INT(o.stop_timeout_s, ==, CTROPTS_STOP_TIMEOUT_S);
	CHECK_INT(o.publish.n, ==, 1);
	ctropts_done(&o);
	json_decref(j);
}
