/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup.h"
#include "runtime/cgroup_plan.h"
#include "tests/unit/test.h"

#include "base/at.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- what is written ---- */

/* The plan of a resources document as "file=text;…", or NULL. */
static char *plan_of(const char *json, int *ret_code)
{
	struct cgroup_plan p = { 0 };
	auto_spec *spec = NULL;
	auto_buf text = { 0 };

	*ret_code = spec_parse_resources(json, strlen(json), &spec, NULL);
	if (*ret_code >= 0)
		*ret_code = cgroup_plan_make(&spec->resources, &p, NULL);
	(void)buf_add_str(&text, "");
	for (size_t i = 0; i < p.n; i++)
		(void)buf_printf(&text, "%s=%s;", p.v[i].file, p.v[i].text);
	cgroup_plan_done(&p);
	return *ret_code < 0 ? NULL : buf_take(&text);
}

TEST(resources_become_files_of_version_2)
{
	static const struct {
		const char *json, *want;
	} cases[] = {
		{ "{}", "" },
		{ "{\"memory\":{\"limit\":1000,\"reservation\":500}}",
			"memory.max=1000;memory.low=500;" },
		{ "{\"memory\":{\"limit\":1000,\"swap\":3000}}",
			"memory.max=1000;memory.swap.max=2000;" },
		{ "{\"memory\":{\"limit\":-1,\"swap\":-1}}",
			"memory.max=max;memory.swap.max=max;" },
		{ "{\"memory\":{\"limit\":0,\"swappiness\":18446744073709551615}}", "" },
		{ "{\"cpu\":{\"shares\":1024}}", "cpu.weight=39;" },
		{ "{\"cpu\":{\"quota\":5000,\"period\":10000}}", "cpu.max=5000 10000;" },
		{ "{\"cpu\":{\"quota\":-1}}", "cpu.max=max 100000;" },
		{ "{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":1}}",
			"cpu.idle=1;cpuset.cpus=0-1;cpuset.mems=0;" },
		{ "{\"pids\":{\"limit\":7}}", "pids.max=7;" },
		{ "{\"pids\":{\"limit\":-1}}", "pids.max=max;" },
		{ "{\"blockIO\":{\"weight\":10,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,"
		  "\"rate\":600}]}}",
			"io.weight=default 1;io.max=8:0 rbps=600;" },
		{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}]}",
			"hugetlb.2MB.max=4;" },
		{ "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}}}", "rdma.max=mlx5_1 hca_handle=3;" },
		{ "{\"memory\":{\"limit\":9},\"unified\":{\"memory.max\":\"8\"}}",
			"memory.max=9;memory.max=8;" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int code;
		auto_free char *got = plan_of(cases[i].json, &code);

		CHECK_STR(got, cases[i].want);
	}
}

TEST(what_version_2_cannot_do_is_refused)
{
	static const char *const bad[] = { "{\"memory\":{\"swappiness\":5}}",
		"{\"memory\":{\"disableOOMKiller\":true}}", "{\"memory\":{\"swap\":5}}",
		"{\"memory\":{\"limit\":9,\"swap\":5}}", "{\"cpu\":{\"realtimePeriod\":5}}",
		"{\"network\":{\"classID\":5}}", "{\"blockIO\":{\"leafWeight\":5}}",
		"{\"unified\":{\"../x\":\"1\"}}", "{\"unified\":{\"a/b\":\"1\"}}",
		"{\"hugepageLimits\":[{\"pageSize\":\"../\",\"limit\":4}]}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int code;
		auto_free char *got = plan_of(bad[i], &code);

		CHECK(code == -EOPNOTSUPP || code == -EINVAL);
		CHECK_STR(got, NULL);
	}
}

TEST(shares_and_weights_meet_at_the_ends)
{
	CHECK_INT(cgroup_weight_of_shares(0), ==, 1);
	CHECK_INT(cgroup_weight_of_shares(2), ==, 1);
	CHECK_INT(cgroup_weight_of_shares(262144), ==, 10000);
	CHECK_INT(cgroup_weight_of_shares(UINT64_MAX), ==, 10000);
}

/* ---- a fake tree ---- */

struct tree {
	char path[64];
	int fd;
};

static void tree_make(struct tree *t)
{
	snprintf(t->path, sizeof(t->path), "/tmp/test-cgroup-XXXXXX");
	CHECK(mkdtemp(t->path) != NULL);
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(t->fd >= 0);
}

static void put(int fd, const char *name, const char *text)
{
	CHECK_INT(at_replace_file(fd, name, text, strlen(text), 0600, 0), ==, 0);
}

/* at_remove_tree() takes a path below its directory. */
static void tree_remove(struct tree *t)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)close(t->fd);
	CHECK_INT(at_remove_tree(tmp, t->path + strlen("/tmp/")), ==, 0);
	(void)close(tmp);
}

static int apply(int fd, const char *json, struct err *err)
{
	auto_spec *spec = NULL;

	CHECK_INT(spec_parse_resources(json, strlen(json), &spec, NULL), ==, 0);
	return cgroup_apply(fd, &spec->resources, err);
}

TEST(a_missing_controller_is_named_and_no_limit_needs_none)
{
	struct err err = ERR_INIT;
	struct tree t;

	tree_make(&t);
	put(t.fd, "cgroup.controllers", "cpu pids\n");
	put(t.fd, "pids.max", "max\n");
	CHECK_INT(apply(t.fd, "{\"pids\":{\"limit\":5}}", &err), ==, 0);
	CHECK_INT(apply(t.fd, "{\"memory\":{\"limit\":-1}}", &err), ==, 0);
	CHECK_INT(apply(t.fd, "{\"memory\":{\"limit\":5}}", &err), ==, -EOPNOTSUPP);
	CHECK(strstr(err.text, "the controller 'memory' is not delegated") != NULL);
	CHECK(strstr(err.text, "'cpu pids'") != NULL);
	CHECK(strstr(err.hint, "Delegate=") != NULL);
	tree_remove(&t);
}

TEST(a_group_is_made_with_its_parents_and_stays_below_the_mount)
{
	struct spec_resources none = { 0 };
	auto_fd fd = -1;
	struct tree t;

	tree_make(&t);
	fd = cgroup_make(t.fd, "/a//b/c", &none, NULL);
	CHECK(fd >= 0);
	CHECK_INT(faccessat(t.fd, "a/b/c", F_OK, 0), ==, 0);
	CHECK_INT(cgroup_make(t.fd, "/a/../../x", &none, NULL), ==, -EINVAL);
	CHECK_INT(cgroup_make(t.fd, "/./x", &none, NULL), ==, -EINVAL);
	CHECK_INT(mkdirat(fd, "below", 0755), ==, 0);
	CHECK_INT(cgroup_remove(t.fd, "/a/b"), ==, 0);
	CHECK_INT(faccessat(t.fd, "a/b", F_OK, 0), ==, -1);
	CHECK_INT(faccessat(t.fd, "a", F_OK, 0), ==, 0);
	CHECK_INT(cgroup_remove(t.fd, "/a/b"), ==, 0);
	tree_remove(&t);
}

TEST(processes_of_a_group_and_those_below_are_listed)
{
	auto_free pid_t *pids = NULL;
	auto_fd below = -1;
	struct tree t;
	size_t n = 0;

	tree_make(&t);
	put(t.fd, "cgroup.procs", "5\n17\n");
	CHECK_INT(mkdirat(t.fd, "x", 0755), ==, 0);
	below = openat(t.fd, "x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(below, "cgroup.procs", "18\nword\n0\n");
	CHECK_INT(cgroup_pids(t.fd, &pids, &n), ==, 0);
	CHECK_INT(n, ==, 3);
	CHECK_INT(n == 3 ? pids[2] : 0, ==, 18);
	tree_remove(&t);
}

TEST(frozen_is_what_the_events_say)
{
	uint64_t v = 0;
	struct tree t;

	tree_make(&t);
	CHECK(!cgroup_frozen(t.fd));
	put(t.fd, "cgroup.events", "populated 1\nfrozen 1\n");
	CHECK(cgroup_frozen(t.fd));
	put(t.fd, "cgroup.events", "populated 1\nfrozen 0\n");
	CHECK(!cgroup_frozen(t.fd));
	put(t.fd, "memory.max", "max\n");
	CHECK_INT(cgroup_read_u64(t.fd, "memory.max", &v), ==, 0);
	CHECK(v == UINT64_MAX);
	CHECK_INT(cgroup_read_u64(t.fd, "missing", &v), ==, -ENOENT);
	tree_remove(&t);
}
