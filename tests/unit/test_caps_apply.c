/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/caps.h"
#include "runtime/caps_apply.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CANNOT 250 /* no user namespaces here */

/* In a user namespace of its own, where a child may have every capability. */
static int run(int (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(CANNOT);
		_exit(body());
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static int keeps_what_is_listed(void)
{
	const uint64_t two = CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_NET_BIND_SERVICE);
	const struct spec_caps caps = { .set = true,
		.bounding = two,
		.permitted = two | CAPS_BIT(63),
		.effective = two,
		.inheritable = two | CAPS_BIT(CAP_SYS_ADMIN),
		.ambient = CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_SYS_ADMIN) };
	uint64_t now = 0;

	if (caps_drop_bounding(two) < 0 || caps_apply(&caps) < 0)
		return 1;
	if (caps_get_permitted(&now) < 0 || now != two)
		return 2;
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0 ||
		prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) != 1)
		return 3;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) != 1)
		return 4;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_ADMIN, 0, 0) != 0)
		return 5;
	return 0;
}

static int nothing_is_left_of_none(void)
{
	const struct spec_caps none = { 0 };
	uint64_t now = 1;

	if (caps_drop_bounding(0) < 0 || caps_apply(&none) < 0)
		return 1;
	return caps_get_permitted(&now) == 0 && now == 0 ? 0 : 2;
}

TEST(capabilities_are_what_was_listed)
{
	int r = run(keeps_what_is_listed);

	if (r == CANNOT) {
		test_skip("user namespaces cannot be made");
		return;
	}
	CHECK_INT(r, ==, 0);
	CHECK_INT(run(nothing_is_left_of_none), ==, 0);
}
