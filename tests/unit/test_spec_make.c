/* SPDX-License-Identifier: Apache-2.0 */
/* Every result is parsed and checked as the engine would do it. */
#include "runtime/caps.h"
#include "runtime/spec_check.h"
#include "runtime/spec_json.h"
#include "runtime/spec_make.h"
#include "tests/unit/test.h"

#include <errno.h>

static const char image_text[] =
	"{\"config\":{\"Env\":[\"PATH=/bin\",\"LANG=C\",\"broken\",\"=x\"],\"Cmd\":[\"sh\"],"
	"\"WorkingDir\":\"/srv\",\"StopSignal\":\"SIGQUIT\","
	"\"Volumes\":{\"/var/b\":{},\"/a\":{},\"rel\":{}}}}";

static char home[] = "/home/dev";
static struct userdb_user root = { .home = "/root" };
static struct userdb_user dev = { .uid = 5, .gid = 6, .home = home };

/* All namespaces that a container has unless told otherwise. */
static struct spec_make plain(void)
{
	struct spec_make m = { .id = "0123456789abcdef", .rootfs = "/r", .user = &root };

	for (int ns = 0; ns < SPEC_NS_MAX_; ns++)
		m.ns[ns].mode =
			ns == SPEC_NS_TIME || ns == SPEC_NS_USER ? SPEC_MAKE_HOST : SPEC_MAKE_NEW;
	return m;
}

static struct spec *make(const struct spec_make *m)
{
	auto_json *doc = NULL;
	struct spec *spec = NULL;
	struct err err = ERR_INIT;

	CHECK_INT(spec_make(m, &doc, &err), ==, 0);
	if (doc && spec_parse_json(doc, &spec, &err) == 0)
		CHECK_INT(spec_check(spec, &err), ==, 0);
	CHECK_STR(err.text, "");
	return spec;
}

static json_t *image_new(void)
{
	json_t *image = NULL;

	CHECK_INT(json_parse(image_text, strlen(image_text), "it", &image, NULL), ==, 0);
	return image;
}

static const char *join(const struct spec_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++)
		(void)buf_printf(out, "%s%s", i ? "|" : "", list->v[i]);
	return out->data ? out->data : "";
}

TEST(the_image_speaks_where_flags_are_silent)
{
	auto_json *image = image_new();
	struct spec_make m = plain();
	auto_buf env = { 0 };
	auto_spec *s = NULL;

	m.image = image;
	s = make(&m);
	if (!s)
		return;
	CHECK_STR(s->process->args.v[0], "sh");
	CHECK_STR(s->process->cwd, "/srv");
	CHECK_STR(join(&s->process->env, &env),
		"PATH=/bin|LANG=C|container=lamina|HOSTNAME=0123456789ab|HOME=/root");
	CHECK_STR(s->hostname, "0123456789ab");
	CHECK_STR(spec_annotation(s, "org.opencontainers.image.stopSignal"), "3");
	CHECK(!s->process->terminal && !s->root.readonly);
	CHECK_INT(s->process->user.umask.v, ==, 022);
	CHECK(s->seccomp);
	CHECK_INT(s->masked_paths.n, ==, 13);
	CHECK_STR(s->sysctl.v[0].key, "net.ipv4.ping_group_range");
}

TEST(flags_win_over_the_image)
{
	static char *command[] = { "id", "-u" };
	auto_json *image = image_new();
	struct spec_make m = plain();
	auto_strv e = { 0 }, notes = { 0 }, sysctls = { 0 };
	const struct spec_rlimit limit = { 7, "RLIMIT_NOFILE", 5, UINT64_MAX };
	auto_buf env = { 0 };
	auto_spec *s = NULL;

	(void)strv_add(&e, "LANG=de");
	(void)strv_add(&e, "HOME=/else");
	(void)strv_add(&e, "NEW=1");
	(void)strv_add(&notes, "a.b=c=d");
	(void)strv_add(&sysctls, "net.ipv4.ping_group_range=1 5");
	m.image = image;
	m.command = command;
	m.n_command = 2;
	m.env = &e;
	m.annotations = &notes;
	m.sysctls = &sysctls;
	m.workdir = "/";
	m.flags = SPEC_MAKE_TTY | SPEC_MAKE_NO_NEW_PRIVS;
	m.rows = 24;
	m.cols = 80;
	m.hostname = "web";
	m.stop_signal = "RTMIN+3";
	m.rlimits = &limit;
	m.n_rlimits = 1;
	m.umask = (struct spec_u64){ true, 077 };
	m.oom_score_adj = (struct spec_i64){ true, 7 };
	m.limits.pids = (struct spec_i64){ true, 9 };
	m.limits.memory = (struct spec_i64){ true, 1 << 20 };
	s = make(&m);
	if (!s)
		return;
	CHECK_STR(s->process->args.v[1], "-u");
	CHECK_STR(join(&s->process->env, &env),
		"PATH=/bin|LANG=de|TERM=xterm|container=lamina|HOSTNAME=web|HOME=/else|NEW=1");
	CHECK(s->process->terminal && s->process->no_new_privs);
	CHECK_INT(s->process->cols, ==, 80);
	CHECK_STR(s->hostname, "web");
	CHECK_STR(spec_annotation(s, "org.opencontainers.image.stopSignal"), "37");
	CHECK_STR(spec_annotation(s, "a.b"), "c=d");
	CHECK_STR(s->sysctl.v[0].value, "1 5");
	CHECK(s->process->rlimits[0].hard == UINT64_MAX);
	CHECK_INT(s->process->user.umask.v, ==, 077);
	CHECK_INT(s->process->oom_score_adj.v, ==, 7);
	CHECK_INT(s->resources.pids.v, ==, 9);
	CHECK_INT(s->resources.memory.limit.v, ==, 1 << 20);
	CHECK(!s->resources.cpu.shares.set);
}

static char *command_true[] = { "true" };

static struct spec_make with_command(void)
{
	struct spec_make m = plain();

	m.command = command_true;
	m.n_command = 1;
	return m;
}

TEST(capabilities_depend_on_the_user)
{
	static const struct {
		bool other_user;
		unsigned int flags;
		const char *add, *drop;
		uint64_t bounding, effective, ambient;
	} cases[] = {
		{ false, 0, NULL, NULL, CAPS_DEFAULT, CAPS_DEFAULT, 0 },
		{ false, 0, "net_admin", NULL, CAPS_DEFAULT | CAPS_BIT(12),
			CAPS_DEFAULT | CAPS_BIT(12), 0 },
		{ false, 0, NULL, "all", 0, 0, 0 },
		{ true, 0, NULL, NULL, CAPS_DEFAULT, 0, 0 },
		{ true, 0, "net_admin", NULL, CAPS_DEFAULT | CAPS_BIT(12), CAPS_BIT(12),
			CAPS_BIT(12) },
		{ false, SPEC_MAKE_PRIVILEGED, NULL, NULL, CAPS_ALL, CAPS_ALL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec_make m = with_command();
		auto_strv add = { 0 }, drop = { 0 };
		auto_spec *s = NULL;

		if (cases[i].add)
			(void)strv_add(&add, cases[i].add);
		if (cases[i].drop)
			(void)strv_add(&drop, cases[i].drop);
		m.cap_add = &add;
		m.cap_drop = &drop;
		m.flags = cases[i].flags;
		m.user = cases[i].other_user ? &dev : &root;
		s = make(&m);
		if (!s)
			return;
		CHECK(s->process->caps.bounding == cases[i].bounding);
		CHECK(s->process->caps.effective == cases[i].effective);
		CHECK(s->process->caps.permitted == cases[i].effective);
		CHECK(s->process->caps.ambient == cases[i].ambient);
	}
}

static const struct spec_mount *find_mount(const struct spec *s, const char *dest)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (str_eq(s->mounts[i].destination, dest))
			return &s->mounts[i];
	return NULL;
}

/* "type source options", or "" for no such mount. */
static void check_mount(const struct spec *s, const char *dest, const char *want)
{
	const struct spec_mount *m = find_mount(s, dest);
	auto_buf text = { 0 };

	if (m)
		(void)buf_printf(&text, "%s %s", m->type, m->source);
	for (size_t i = 0; m && i < m->options.n; i++)
		(void)buf_printf(&text, "%c%s", i ? ',' : ' ', m->options.v[i]);
	CHECK_STR(text.data ? text.data : "", want);
}

TEST(the_mounts_of_an_isolated_container)
{
	struct spec_make m = with_command();
	auto_spec *s = NULL;

	m.files.hosts = "/run/x/hosts";
	m.files.containerenv = "/run/x/env";
	m.cgroup = SPEC_MAKE_CGROUP_RO;
	s = make(&m);
	if (!s)
		return;
	check_mount(s, "/proc", "proc proc nosuid,noexec,nodev");
	check_mount(s, "/sys", "sysfs sysfs nosuid,noexec,nodev,ro");
	check_mount(s, "/sys/fs/cgroup", "cgroup cgroup rprivate,nosuid,noexec,nodev,relatime,ro");
	check_mount(s, "/dev", "tmpfs tmpfs nosuid,noexec,strictatime,mode=755,size=65536k");
	check_mount(s, "/dev/pts",
		"devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	check_mount(s, "/dev/mqueue", "mqueue mqueue nosuid,noexec,nodev");
	check_mount(s, "/dev/shm", "tmpfs tmpfs nosuid,noexec,nodev,mode=1777,size=65536000");
	check_mount(s, "/etc/hosts", "bind /run/x/hosts bind,rprivate");
	check_mount(s, "/etc/hostname", "");
	check_mount(s, "/run/.containerenv", "bind /run/x/env bind,rprivate");
	CHECK_STR(s->mounts[0].destination, "/proc");
	CHECK_STR(s->mounts[s->n_mounts - 1].destination, "/sys/fs/cgroup");
}

TEST(shared_namespaces_are_bound_from_the_host)
{
	struct spec_make m = with_command();
	struct idmap one = { 0 };
	auto_spec *s = NULL;

	CHECK_INT(idmap_add(&one, 0, 1000, 1), ==, 0);
	m.ns[SPEC_NS_PID].mode = m.ns[SPEC_NS_IPC].mode = SPEC_MAKE_HOST;
	m.ns[SPEC_NS_NET] = (struct spec_make_ns){ SPEC_MAKE_JOIN, "/proc/7/ns/net" };
	m.ns[SPEC_NS_UTS].mode = SPEC_MAKE_HOST;
	m.ns[SPEC_NS_USER].mode = SPEC_MAKE_NEW;
	m.uid_map = m.gid_map = &one;
	s = make(&m);
	idmap_done(&one);
	if (!s)
		return;
	check_mount(s, "/proc", "bind /proc rbind,rprivate,nosuid,noexec,nodev");
	check_mount(s, "/sys", "bind /sys rbind,rprivate,nosuid,noexec,nodev,ro");
	check_mount(s, "/dev/shm", "bind /dev/shm rbind,rprivate,nosuid,noexec,nodev");
	/* Group 5 is not mapped: the mount would fail. */
	check_mount(
		s, "/dev/pts", "devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620");
	CHECK_STR(s->hostname, NULL);
	CHECK_INT(s->sysctl.n, ==, 0);
	CHECK_STR(s->ns[SPEC_NS_NET].path, "/proc/7/ns/net");
	CHECK(s->ns[SPEC_NS_MNT].on && !s->ns[SPEC_NS_PID].on);
	CHECK_INT(s->uid_map.v[0].outside, ==, 1000);
}

TEST(volumes_take_the_place_of_mounts)
{
	static const char *const texts[] = { "/srv:/a/b/c", "/s:/a:ro,rslave", "/h:/etc/hosts",
		"/y:/dev/shm" };
	struct volume v[ARRAY_SIZE(texts) + 2] = { 0 };
	struct spec_make m = with_command();
	auto_spec *s = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		CHECK_INT(volume_parse(texts[i], &v[i], NULL), ==, 0);
	CHECK_INT(volume_parse_tmpfs("/t:size=1m", &v[4], NULL), ==, 0);
	CHECK_INT(volume_parse_mount("src=db,dst=/db", &v[5], NULL), ==, 0);
	free(v[5].source);
	v[5].source = strdup("/store/db");
	m.volumes = v;
	m.n_volumes = ARRAY_SIZE(v);
	m.files.hosts = "/run/x/hosts";
	m.flags = SPEC_MAKE_READ_ONLY | SPEC_MAKE_READ_ONLY_TMPFS;
	s = make(&m);
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		volume_done(&v[i]);
	if (!s)
		return;
	CHECK(s->root.readonly);
	check_mount(s, "/a", "bind /s ro,rslave,rbind");
	check_mount(s, "/a/b/c", "bind /srv rbind,rprivate");
	CHECK(find_mount(s, "/a") < find_mount(s, "/a/b/c"));
	check_mount(s, "/etc/hosts", "bind /h rbind,rprivate");
	check_mount(s, "/dev/shm", "bind /y rbind,rprivate");
	check_mount(s, "/t", "tmpfs tmpfs size=1m,rprivate,nosuid,nodev,tmpcopyup");
	check_mount(s, "/db", "bind /store/db rbind,rprivate,nosuid,nodev");
	check_mount(s, "/var/tmp", "tmpfs tmpfs rw,rprivate,nosuid,nodev,tmpcopyup");
}

TEST(a_dev_of_ones_own_is_left_alone)
{
	struct volume v = { 0 };
	struct spec_make m = with_command();
	auto_spec *s = NULL;

	CHECK_INT(volume_parse("/dev:/dev", &v, NULL), ==, 0);
	m.volumes = &v;
	m.n_volumes = 1;
	s = make(&m);
	volume_done(&v);
	if (!s)
		return;
	check_mount(s, "/dev", "bind /dev rbind,rprivate");
	check_mount(s, "/dev/pts", "");
}

TEST(masks_can_be_changed)
{
	struct spec_make m = with_command();
	auto_strv mask = { 0 }, unmask = { 0 };
	auto_spec *some = NULL, *none = NULL;

	(void)strv_add(&mask, "/proc/cpuinfo");
	(void)strv_add(&unmask, "/proc/kcore");
	(void)strv_add(&unmask, "/proc/sys");
	m.mask = &mask;
	m.unmask = &unmask;
	some = make(&m);
	m.flags = SPEC_MAKE_UNMASK_ALL | SPEC_MAKE_NO_SECCOMP;
	none = make(&m);
	if (!some || !none)
		return;
	CHECK_INT(some->masked_paths.n, ==, 13);
	CHECK_STR(some->masked_paths.v[12], "/proc/cpuinfo");
	CHECK_INT(some->readonly_paths.n, ==, 5);
	CHECK_INT(none->masked_paths.n, ==, 1);
	CHECK_INT(none->readonly_paths.n, ==, 0);
	CHECK(!none->seccomp);
}

TEST(mistakes_are_told)
{
	static char *broken[] = { "\xff" };
	struct volume two[2] = { { .type = VOLUME_TMPFS, .dest = "/t" },
		{ .type = VOLUME_TMPFS, .dest = "/t" } };
	struct err err = ERR_INIT;
	json_t *doc = NULL;
	struct spec_make m = with_command();

	m.n_command = 0;
	CHECK_INT(spec_make(&m, &doc, &err), ==, -EINVAL);
	CHECK_STR(err.text, "the image names no command, and none was given");
	m = with_command();
	m.command = broken;
	CHECK_INT(spec_make(&m, &doc, &err), ==, -EINVAL);
	CHECK_STR(err.text, "args '\xff' is not valid UTF-8 and cannot be written down");
	m = with_command();
	m.workdir = "tmp";
	CHECK_INT(spec_make(&m, &doc, &err), ==, -EINVAL);
	CHECK_STR(err.text, "the working directory 'tmp' is not an absolute path");
	m = with_command();
	m.stop_signal = "SIGSTRANGE";
	CHECK_INT(spec_make(&m, &doc, &err), ==, -EINVAL);
	CHECK_STR(err.text, "stop signal 'SIGSTRANGE' is not known");
	m = with_command();
	m.volumes = two;
	m.n_volumes = 2;
	CHECK_INT(spec_make(&m, &doc, &err), ==, -EINVAL);
	CHECK_STR(err.text, "two volumes at '/t'");
	CHECK(!doc);
}

TEST(equal_input_gives_equal_text)
{
	struct spec_make m = with_command();
	auto_json *a = NULL, *b = NULL;
	auto_buf ta = { 0 }, tb = { 0 };
	auto_spec *s = NULL;

	CHECK_INT(spec_make(&m, &a, NULL), ==, 0);
	CHECK_INT(spec_make(&m, &b, NULL), ==, 0);
	CHECK_INT(spec_json_dump(a, &ta), ==, 0);
	CHECK_INT(spec_json_dump(b, &tb), ==, 0);
	CHECK_STR(ta.data, tb.data);
	CHECK_INT(spec_parse(ta.data, ta.len, &s, NULL), ==, 0);
}

TEST(volumes_of_the_image)
{
	auto_json *image = image_new();
	auto_strv paths = { 0 };

	CHECK_INT(spec_make_image_volumes(image, &paths), ==, 0);
	CHECK_INT(paths.n, ==, 2);
	CHECK_STR(paths.v[0], "/a");
	CHECK_STR(paths.v[1], "/var/b");
}
