/* SPDX-License-Identifier: Apache-2.0 */
/* lamina-runtime spec: a configuration to begin with. */
#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/cli/args.h"
#include "runtime/oci.h"
#include "runtime/spec_json.h"

#include <fcntl.h>

struct spec_opts {
	const char *bundle, *file;
	bool rootless;
};

static const struct args_opt spec_opts[] = {
	{ "bundle", 'b', ARGS_STRING, offsetof(struct spec_opts, bundle), "DIR",
		"write it there; default: here" },
	{ "file", 'f', ARGS_STRING, offsetof(struct spec_opts, file), "NAME",
		"default: config.json" },
	{ "rootless", 0, ARGS_FLAG, offsetof(struct spec_opts, rootless), NULL,
		"for a caller who is not root" },
	{ 0 },
};

static json_t *caps(void)
{
	return json_pack("[s, s, s]", "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE");
}

static json_t *process(void)
{
	return json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[s, s], s:s, s:{s:o, s:o, s:o}, "
			 "s:[{s:s, s:i, s:i}], s:b}",
		"terminal", 1, "user", "uid", 0, "gid", 0, "args", "sh", "env",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
		"cwd", "/", "capabilities", "bounding", caps(), "effective", caps(), "permitted",
		caps(), "rlimits", "type", "RLIMIT_NOFILE", "hard", 1024, "soft", 1024,
		"noNewPrivileges", 1);
}

static json_t *mounts(bool rootless)
{
	static const char pts[] = "gid=5";
	json_t *list = json_array(), *devpts;

	devpts = json_pack(
		"[s, s, s, s, s]", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620");
	/* Group 5 has no number in a namespace of one id. */
	if (!rootless)
		(void)json_array_append_new(devpts, json_string(pts));
	(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "destination", "/proc",
						  "type", "proc", "source", "proc"));
	(void)json_array_append_new(
		list, json_pack("{s:s, s:s, s:s, s:[s, s, s, s]}", "destination", "/dev", "type",
			      "tmpfs", "source", "tmpfs", "options", "nosuid", "strictatime",
			      "mode=755", "size=65536k"));
	(void)json_array_append_new(
		list, json_pack("{s:s, s:s, s:s, s:o}", "destination", "/dev/pts", "type", "devpts",
			      "source", "devpts", "options", devpts));
	(void)json_array_append_new(
		list, json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination", "/dev/shm",
			      "type", "tmpfs", "source", "shm", "options", "nosuid", "noexec",
			      "nodev", "mode=1777", "size=65536k"));
	(void)json_array_append_new(list,
		json_pack("{s:s, s:s, s:s, s:[s, s, s]}", "destination", "/dev/mqueue", "type",
			"mqueue", "source", "mqueue", "options", "nosuid", "noexec", "nodev"));
	(void)json_array_append_new(list,
		json_pack("{s:s, s:s, s:s, s:[s, s, s, s]}", "destination", "/sys", "type", "sysfs",
			"source", "sysfs", "options", "nosuid", "noexec", "nodev", "ro"));
	(void)json_array_append_new(
		list, json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination",
			      "/sys/fs/cgroup", "type", "cgroup", "source", "cgroup", "options",
			      "nosuid", "noexec", "nodev", "relatime", "ro"));
	return list;
}

static json_t *strings(const char *const *words)
{
	json_t *list = json_array();

	for (; *words; words++)
		(void)json_array_append_new(list, json_string(*words));
	return list;
}

static json_t *linux_part(bool rootless)
{
	static const char *const namespaces[] = { "pid", "network", "ipc", "uts", "mount", "cgroup",
		NULL };
	static const char *const masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore",
		"/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/proc/scsi", "/sys/firmware", NULL };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger", NULL };
	json_t *list = json_array(), *all;

	for (const char *const *ns = namespaces; *ns; ns++)
		(void)json_array_append_new(list, json_pack("{s:s}", "type", *ns));
	all = json_pack("{s:O, s:o, s:o}", "namespaces", list, "maskedPaths", strings(masked),
		"readonlyPaths", strings(readonly));
	if (rootless) {
		(void)json_array_append_new(list, json_pack("{s:s}", "type", "user"));
		(void)json_object_set_new(all, "uidMappings",
			json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID", (int)geteuid(),
				"size", 1));
		(void)json_object_set_new(all, "gidMappings",
			json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID", (int)getegid(),
				"size", 1));
	}
	json_decref(list);
	return all;
}

static int run_spec(struct oci *o, void *opts, char **args, struct err *err)
{
	const struct spec_opts *given = opts;
	const char *name = given->file ? given->file : "config.json";
	auto_fd dirfd =
		open(given->bundle ? given->bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_json *doc = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion",
		OCI_SPEC_VERSION, "process", process(), "root", "path", "rootfs", "readonly", 1,
		"hostname", "lamina", "mounts", mounts(given->rootless), "linux",
		linux_part(given->rootless));
	auto_buf text = { 0 };
	struct stat st;
	int r;

	if (dirfd < 0)
		return err_set(err, -errno, "cannot open '%s'", given->bundle);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_say(err, -EEXIST, "'%s' exists already", name);
	r = doc ? spec_json_dump(doc, &text) : -ENOMEM;
	if (r >= 0)
		r = at_replace_file(dirfd, name, text.data, text.len, 0644, 0);
	return r < 0 ? err_set(err, r, "cannot write '%s'", name) : 0;
}

const struct oci_verb oci_verb_spec = { "spec", "[OPTION]…", "write a config.json to begin with",
	spec_opts, sizeof(struct spec_opts), 0, 0, false, run_spec };
