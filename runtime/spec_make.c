/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an image and the flags of `run` to a config.json
 *
 * JSON is built by a struct builder whose first failure sticks, so the text of the document can be
 * read below without an error path between every two members.
 */
#include "runtime/spec_make.h"
#include "runtime/caps.h"
#include "runtime/seccomp_default.h"
#include "runtime/signame.h"
#include "runtime/spec_env.h"
#include "runtime/spec_json.h"

#include <errno.h>
#include <signal.h>

#define DEFAULT_UMASK 022
#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct builder {
	const struct spec_make *m;
	const json_t *config; /* "config" of the image; NULL: none */
	uint64_t caps; /* bounding set */
	char hostname[SPEC_MAKE_HOSTNAME_CHARS + 1];
	int r; /* the first error; 0 while all is well */
	struct err *err;
};

/* Consumes @value. */
static void put(struct builder *b, json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) < 0 && b->r == 0)
		b->r = err_set(b->err, -ENOMEM, "cannot write '%s'", key);
}

static void push(struct builder *b, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value) < 0 && b->r == 0)
		b->r = err_set(b->err, -ENOMEM, "cannot write the configuration");
}

/* A string of the user's: the one kind of value that can be refused. */
static json_t *text(struct builder *b, const char *key, const char *s)
{
	json_t *j = json_string(s);

	if (!j && b->r == 0)
		b->r = err_say(b->err, -EINVAL,
			"%s '%.64s' is not valid UTF-8 and cannot be written down", key, s);
	return j ? j : json_string("");
}

static void put_text(struct builder *b, json_t *obj, const char *key, const char *s)
{
	if (s)
		put(b, obj, key, text(b, key, s));
}

static void put_list(struct builder *b, json_t *obj, const char *key, const struct strv *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		push(b, array, text(b, key, list->v[i]));
	put(b, obj, key, array);
}

static void fail(struct builder *b, int r)
{
	if (r < 0 && b->r == 0)
		b->r = r;
}

/* Where a text may go: the first error is the one to be read. */
static struct err *err_of(struct builder *b)
{
	return b->r == 0 ? b->err : NULL;
}

static bool has_flag(const struct builder *b, enum spec_make_flags flag)
{
	return b->m->flags & flag;
}

/* "NAME=VALUE" words as an object, on top of what it holds. */
static void put_pairs(struct builder *b, json_t *obj, const char *option, const struct strv *pairs)
{
	for (size_t i = 0; pairs && i < pairs->n; i++) {
		auto_free char *name = strdup(pairs->v[i]);
		char *value = name ? strchr(name, '=') : NULL;

		if (!value || value == name) {
			fail(b, err_say(err_of(b), -EINVAL, "%s '%.64s' is not NAME=VALUE", option,
					pairs->v[i]));
			return;
		}
		*value++ = '\0';
		if (json_object_set_new(obj, name, text(b, option, value)) < 0)
			fail(b, err_say(err_of(b), -EINVAL, "%s: a name is not valid UTF-8",
					option));
	}
}

static int image_env(struct builder *b, struct strv *env)
{
	const json_t *list = json_object_get(b->config, "Env"), *item;
	size_t i;
	int r = 0;

	json_array_foreach ((json_t *)list, i, item) {
		const char *s = json_string_value(item);

		/* Without a value a line of the image says nothing. */
		if (r == 0 && s && s[0] != '=' && strchr(s, '='))
			r = env_set(env, s);
	}
	return r;
}

/* Of the image, and what programs expect to be set. */
static int default_env(struct builder *b, struct strv *env)
{
	const struct spec_make *m = b->m;
	int r = image_env(b, env);

	if (r == 0)
		r = env_set_default(env, "PATH", DEFAULT_PATH);
	if (r == 0 && has_flag(b, SPEC_MAKE_TTY))
		r = env_set_default(env, "TERM", "xterm");
	if (r == 0)
		r = env_set_default(env, "container", "lamina");
	if (r == 0)
		r = env_set_default(env, "HOSTNAME", b->hostname[0] ? b->hostname : m->hostname);
	return r < 0 ? r : env_set_default(env, "HOME", m->user->home);
}

static void put_env(struct builder *b, json_t *process)
{
	const struct spec_make *m = b->m;
	auto_strv env = { 0 };
	int r = 0;

	if (!m->no_default_env)
		r = default_env(b, &env);
	for (size_t i = 0; m->unset_env && i < m->unset_env->n; i++)
		env_unset(&env, m->unset_env->v[i]);
	for (size_t i = 0; r == 0 && m->env && i < m->env->n; i++)
		r = env_set(&env, m->env->v[i]);
	if (r < 0)
		fail(b, err_set(err_of(b), r, "cannot put the environment together"));
	put_list(b, process, "env", &env);
}

static void put_args(struct builder *b, json_t *process)
{
	const struct spec_make *m = b->m;
	auto_strv args = { 0 };

	fail(b, args_combine(b->config, m->entrypoint, m->command, m->n_command, &args, err_of(b)));
	put_list(b, process, "args", &args);
}

static void put_user(struct builder *b, json_t *process)
{
	const struct spec_make *m = b->m;
	json_t *user = json_object(), *gids;

	put(b, user, "uid", json_integer(m->user->uid));
	put(b, user, "gid", json_integer(m->user->gid));
	put(b, user, "umask", json_integer(m->umask.set ? (json_int_t)m->umask.v : DEFAULT_UMASK));
	if (m->user->n_gids > 0) {
		gids = json_array();
		for (size_t i = 0; i < m->user->n_gids; i++)
			push(b, gids, json_integer(m->user->gids[i]));
		put(b, user, "additionalGids", gids);
	}
	put(b, process, "user", user);
}

static void put_workdir(struct builder *b, json_t *process)
{
	const char *dir = b->m->workdir;

	if (!dir)
		dir = json_get_str(b->config, "WorkingDir");
	if (!dir || !dir[0])
		dir = "/";
	if (dir[0] != '/')
		fail(b, err_say(err_of(b), -EINVAL,
				"the working directory '%.256s' is not an absolute path", dir));
	put_text(b, process, "cwd", dir);
}

static void put_cap_set(struct builder *b, json_t *caps, const char *key, uint64_t set)
{
	json_t *list = json_array();

	for (int cap = 0; cap < CAPS_N; cap++)
		if (set & CAPS_BIT(cap))
			push(b, list, json_string(caps_name(cap)));
	put(b, caps, key, list);
}

/*
 * Root has what is in the bounding set.  Another user starts with none, as after a real setuid, but
 * for those that were asked for by name; they are ambient, so that they survive the exec.
 */
static void put_caps(struct builder *b, json_t *process)
{
	static const struct strv none = { 0 };
	const struct spec_make *m = b->m;
	json_t *caps = json_object();
	uint64_t set = b->caps;

	if (m->user->uid != 0 && !has_flag(b, SPEC_MAKE_PRIVILEGED)) {
		fail(b, caps_change(0, m->cap_add ? m->cap_add : &none, &none, &set, err_of(b)));
		set &= b->caps;
	}
	put_cap_set(b, caps, "bounding", b->caps);
	put_cap_set(b, caps, "effective", set);
	put_cap_set(b, caps, "permitted", set);
	if (m->user->uid != 0) {
		put_cap_set(b, caps, "inheritable", set);
		put_cap_set(b, caps, "ambient", set);
	}
	put(b, process, "capabilities", caps);
}

static void put_rlimits(struct builder *b, json_t *process)
{
	json_t *list = json_array();

	for (size_t i = 0; i < b->m->n_rlimits; i++) {
		const struct spec_rlimit *l = &b->m->rlimits[i];
		json_t *limit = json_object();

		put(b, limit, "type", json_string(l->name));
		put(b, limit, "soft", spec_json_new_u64(l->soft));
		put(b, limit, "hard", spec_json_new_u64(l->hard));
		push(b, list, limit);
	}
	put(b, process, "rlimits", list);
}

static void put_process(struct builder *b, json_t *doc)
{
	const struct spec_make *m = b->m;
	json_t *process = json_object();
	bool tty = has_flag(b, SPEC_MAKE_TTY);

	put(b, process, "terminal", json_boolean(tty));
	if (tty && m->rows && m->cols)
		put(b, process, "consoleSize",
			json_pack("{s:i, s:i}", "height", m->rows, "width", m->cols));
	put_user(b, process);
	put_args(b, process);
	put_env(b, process);
	put_workdir(b, process);
	put_caps(b, process);
	if (m->n_rlimits > 0)
		put_rlimits(b, process);
	put(b, process, "noNewPrivileges", json_boolean(has_flag(b, SPEC_MAKE_NO_NEW_PRIVS)));
	put_text(b, process, "apparmorProfile", m->apparmor);
	if (m->oom_score_adj.set)
		put(b, process, "oomScoreAdj", json_integer(m->oom_score_adj.v));
	put(b, doc, "process", process);
}

static void put_annotations(struct builder *b, json_t *doc)
{
	const char *name = b->m->stop_signal;
	json_t *annotations = json_object();
	char number[12];
	int sig;

	if (!name)
		name = json_get_str(b->config, "StopSignal");
	sig = name && name[0] ? signame_parse(name) : SIGTERM;
	if (sig < 0)
		fail(b, err_say(err_of(b), -EINVAL, "stop signal '%.64s' is not known", name));
	snprintf(number, sizeof(number), "%d", sig);
	put(b, annotations, "io.container.manager", json_string("lamina"));
	put(b, annotations, "org.opencontainers.image.stopSignal", json_string(number));
	put_pairs(b, annotations, "--annotation", b->m->annotations);
	put(b, doc, "annotations", annotations);
}

static void put_idmap(struct builder *b, json_t *obj, const char *key, const struct idmap *map)
{
	json_t *list = json_array();

	for (size_t i = 0; map && i < map->n; i++)
		push(b, list,
			json_pack("{s:I, s:I, s:I}", "containerID", (json_int_t)map->v[i].inside,
				"hostID", (json_int_t)map->v[i].outside, "size",
				(json_int_t)map->v[i].n));
	put(b, obj, key, list);
}

static void put_namespaces(struct builder *b, json_t *lnx)
{
	const struct spec_make *m = b->m;
	json_t *list = json_array();

	for (int ns = 0; ns < SPEC_NS_MAX_; ns++) {
		json_t *j;

		if (m->ns[ns].mode == SPEC_MAKE_HOST && ns != SPEC_NS_MNT)
			continue;
		j = json_object();
		put(b, j, "type", json_string(spec_ns_name((enum spec_ns)ns)));
		if (m->ns[ns].mode == SPEC_MAKE_JOIN)
			put_text(b, j, "path", m->ns[ns].path);
		push(b, list, j);
	}
	put(b, lnx, "namespaces", list);
	if (m->ns[SPEC_NS_USER].mode == SPEC_MAKE_NEW && m->uid_map && m->gid_map) {
		put_idmap(b, lnx, "uidMappings", m->uid_map);
		put_idmap(b, lnx, "gidMappings", m->gid_map);
	}
}

static void put_i64(struct builder *b, json_t *obj, const char *key, struct spec_i64 v)
{
	if (v.set)
		put(b, obj, key, json_integer(v.v));
}

static void put_u64(struct builder *b, json_t *obj, const char *key, struct spec_u64 v)
{
	if (v.set)
		put(b, obj, key, spec_json_new_u64(v.v));
}

/* An object with nothing in it is left out. */
static void put_if_any(struct builder *b, json_t *obj, const char *key, json_t *value)
{
	if (json_object_size(value) > 0)
		put(b, obj, key, value);
	else
		json_decref(value);
}

static void put_resources(struct builder *b, json_t *lnx)
{
	const struct spec_make_limits *l = &b->m->limits;
	json_t *resources = json_object(), *memory = json_object(), *cpu = json_object();
	json_t *pids = json_object(), *unified = json_object();

	put_i64(b, memory, "limit", l->memory);
	put_i64(b, memory, "reservation", l->memory_reservation);
	put_i64(b, memory, "swap", l->memory_swap);
	put_u64(b, cpu, "shares", l->cpu_shares);
	put_u64(b, cpu, "quota", l->cpu_quota_us);
	put_u64(b, cpu, "period", l->cpu_period_us);
	put_text(b, cpu, "cpus", l->cpuset_cpus);
	put_text(b, cpu, "mems", l->cpuset_mems);
	put_i64(b, pids, "limit", l->pids);
	put_pairs(b, unified, "--cgroup-conf", l->unified);
	put_if_any(b, resources, "memory", memory);
	put_if_any(b, resources, "cpu", cpu);
	put_if_any(b, resources, "pids", pids);
	put_if_any(b, resources, "unified", unified);
	put_if_any(b, lnx, "resources", resources);
}

/* ping(8) works without a capability where group 0 may open its kind of socket. */
static void put_sysctls(struct builder *b, json_t *lnx)
{
	json_t *sysctl = json_object();

	if (b->m->ns[SPEC_NS_NET].mode == SPEC_MAKE_NEW &&
		b->m->ns[SPEC_NS_PID].mode != SPEC_MAKE_HOST)
		put(b, sysctl, "net.ipv4.ping_group_range", json_string("0 0"));
	put_pairs(b, sysctl, "--sysctl", b->m->sysctls);
	put_if_any(b, lnx, "sysctl", sysctl);
}

static void put_paths(struct builder *b, json_t *lnx, const char *key, const char *const *paths,
	const struct strv *more)
{
	json_t *list = json_array();

	for (; *paths; paths++)
		if (!b->m->unmask || !strv_has(b->m->unmask, *paths))
			push(b, list, json_string(*paths));
	for (size_t i = 0; more && i < more->n; i++)
		push(b, list, text(b, key, more->v[i]));
	put(b, lnx, key, list);
}

static void put_masks(struct builder *b, json_t *lnx)
{
	static const char *const masked[] = { "/proc/acpi", "/proc/interrupts", "/proc/kcore",
		"/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
		"/proc/timer_list", "/proc/timer_stats", "/sys/dev/block",
		"/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux", NULL };
	static const char *const readonly[] = { "/proc/asound", "/proc/bus", "/proc/fs",
		"/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL };
	static const char *const none[] = { NULL };
	bool open = has_flag(b, SPEC_MAKE_PRIVILEGED) || has_flag(b, SPEC_MAKE_UNMASK_ALL);

	put_paths(b, lnx, "maskedPaths", open ? none : masked, b->m->mask);
	put_paths(b, lnx, "readonlyPaths", open ? none : readonly, NULL);
}

static void put_seccomp(struct builder *b, json_t *lnx)
{
	struct sec_default ours;
	json_t *member = NULL;

	if (has_flag(b, SPEC_MAKE_NO_SECCOMP) || has_flag(b, SPEC_MAKE_PRIVILEGED))
		return;
	if (b->m->seccomp_profile) {
		fail(b, sec_json_resolve(
				b->m->seccomp_profile, b->caps, b->m->host, &member, err_of(b)));
	} else {
		sec_default_init(&ours, b->caps);
		member = sec_json_new(&ours.profile);
	}
	if (b->r == 0)
		put(b, lnx, "seccomp", member);
	else
		json_decref(member);
}

static void put_linux(struct builder *b, json_t *doc)
{
	json_t *lnx = json_object();

	put_namespaces(b, lnx);
	put_resources(b, lnx);
	put_text(b, lnx, "cgroupsPath", b->m->cgroups_path);
	if (b->m->personality)
		put(b, lnx, "personality",
			json_pack("{s:o}", "domain", text(b, "--personality", b->m->personality)));
	put_sysctls(b, lnx);
	put_masks(b, lnx);
	put_seccomp(b, lnx);
	put(b, doc, "linux", lnx);
}

static void put_mounts(struct builder *b, json_t *doc)
{
	json_t *mounts = NULL;

	if (b->r < 0)
		return;
	fail(b, spec_make_mounts(b->m, &mounts, err_of(b)));
	if (b->r == 0)
		put(b, doc, "mounts", mounts);
}

static int choose_caps(struct builder *b)
{
	static const struct strv none = { 0 };
	const struct spec_make *m = b->m;

	return caps_change(has_flag(b, SPEC_MAKE_PRIVILEGED) ? CAPS_ALL : CAPS_DEFAULT,
		m->cap_add ? m->cap_add : &none, m->cap_drop ? m->cap_drop : &none, &b->caps,
		b->err);
}

int spec_make(const struct spec_make *m, json_t **ret, struct err *err)
{
	struct builder b = { .m = m, .config = json_object_get(m->image, "config"), .err = err };
	auto_json *doc = json_object();
	json_t *root = json_object();

	if (m->ns[SPEC_NS_UTS].mode == SPEC_MAKE_NEW && !m->hostname)
		snprintf(b.hostname, sizeof(b.hostname), "%s", m->id);
	b.r = choose_caps(&b);
	put(&b, doc, "ociVersion", json_string("1.2.0"));
	put_process(&b, doc);
	put_text(&b, root, "path", m->rootfs);
	put(&b, root, "readonly", json_boolean(has_flag(&b, SPEC_MAKE_READ_ONLY)));
	put(&b, doc, "root", root);
	if (m->ns[SPEC_NS_UTS].mode == SPEC_MAKE_NEW)
		put_text(&b, doc, "hostname", m->hostname ? m->hostname : b.hostname);
	put_mounts(&b, doc);
	put_annotations(&b, doc);
	put_linux(&b, doc);
	if (b.r < 0)
		return b.r;
	*ret = ptr_take(&doc);
	return 0;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int spec_make_image_volumes(const json_t *image, struct strv *ret)
{
	json_t *volumes = json_object_get(json_object_get(image, "config"), "Volumes"), *value;
	const char *path;
	int r = 0;

	json_object_foreach (volumes, path, value)
		if (r == 0 && path[0] == '/')
			r = strv_add(ret, path);
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_strings);
	return r;
}

int spec_make_resources(const struct spec_make_limits *l, json_t **ret, struct err *err)
{
	const struct spec_make m = { .limits = *l };
	struct builder b = { .m = &m, .err = err };
	auto_json *lnx = json_object();
	json_t *resources;

	put_resources(&b, lnx);
	if (b.r < 0)
		return b.r;
	resources = json_object_get(lnx, "resources");
	*ret = resources ? json_incref(resources) : json_object();
	return *ret ? 0 : err_set(err, -ENOMEM, "cannot write the limits");
}
