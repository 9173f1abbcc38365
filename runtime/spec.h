/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A container's configuration: config.json of an OCI bundle as structs
 *
 *      bytes --spec_parse()--> struct spec --spec_check()--> the engine
 *
 * Parsing is strict where the document speaks of something that we know: a wrong type, a value
 * outside its limits or an unknown word is an error that names the JSON path
 * ("process.rlimits[2].soft").  Unknown members are ignored and null counts as absent, as the
 * specification and the engines that write such files expect.
 *
 * One struct spec owns everything that hangs off it (strings and arrays live until spec_free());
 * all pointers inside are borrowed from it.  Pure: no I/O, any thread.
 * Spec: OCI runtime-spec 1.2, config.md and config-linux.md.
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "overlay/idmap.h"
#include "runtime/seccomp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LIMIT_SPEC_BYTES      (16u << 20) /* of a config.json */
#define LIMIT_SPEC_ARGS	      65536 /* args, env, supplementary groups, paths: of each list */
#define LIMIT_SPEC_STRING     131071 /* bytes of any string: MAX_ARG_STRLEN without its NUL */
#define LIMIT_SPEC_MOUNTS     4096
#define LIMIT_SPEC_DEVICES    4096 /* devices, and device rules of the cgroup */
#define LIMIT_SPEC_HOOKS      256 /* of each kind */
#define LIMIT_SPEC_PAIRS      4096 /* annotations, sysctls, unified cgroup keys: of each map */
#define LIMIT_SPEC_SECCOMP    8192 /* seccomp rules, and names in one rule */
#define LIMIT_SPEC_ID	      4294967294u /* UINT32_MAX is "no id" to the kernel */
#define LIMIT_SPEC_RLIMITS    16 /* RLIM_NLIMITS */
#define LIMIT_SPEC_NAMESPACES 8

/* A list of strings; @v ends with NULL, so it can go to execve(2).  Empty: n 0 and v a valid list
 * only where the member was present, else NULL. */
struct spec_list {
	const char **v;
	size_t n;
};

struct spec_pair {
	const char *key, *value;
};

struct spec_pairs {
	struct spec_pair *v;
	size_t n;
};

/* Numbers that may be absent. */
struct spec_u64 {
	bool set;
	uint64_t v;
};

struct spec_i64 {
	bool set;
	int64_t v;
};

struct spec_root {
	const char *path; /* NULL: no root member */
	bool readonly;
};

struct spec_user {
	uint32_t uid, gid;
	struct spec_u64 umask; /* at most 07777 */
	uint32_t *gids; /* additionalGids */
	size_t n_gids;
};

/* Sets of capabilities: bit N is capability N (runtime/caps.h). */
struct spec_caps {
	bool set; /* absent: none at all */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

struct spec_rlimit {
	int resource; /* RLIMIT_… */
	const char *name; /* "RLIMIT_NOFILE" */
	uint64_t soft, hard; /* UINT64_MAX is RLIM_INFINITY */
};

struct spec_scheduler {
	bool set;
	int policy; /* SCHED_… */
	int32_t nice, priority;
	uint64_t flags; /* SCHED_FLAG_… */
	uint64_t runtime, deadline, period; /* nanoseconds, SCHED_DEADLINE */
};

struct spec_process {
	bool terminal;
	uint16_t rows, cols; /* consoleSize; 0: not given */
	struct spec_user user;
	struct spec_list args, env;
	const char *cwd;
	struct spec_caps caps;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privs;
	struct spec_i64 oom_score_adj; /* -1000..1000 */
	const char *apparmor_profile, *selinux_label; /* NULL: none */
	struct spec_scheduler scheduler;
	struct spec_i64 io_priority; /* as ioprio_set(2) takes it: class << 13 | priority */
	const char *cpus_initial, *cpus_final; /* execCPUAffinity; NULL: not given */
};

struct spec_mount {
	const char *destination;
	const char *type; /* NULL: not given */
	const char *source; /* NULL: not given */
	struct spec_list options; /* words for mountopt_parse() */
	struct idmap uid_map, gid_map; /* inside: the file's id; n 0: not given */
};

enum spec_ns {
	SPEC_NS_USER,
	SPEC_NS_MNT,
	SPEC_NS_PID,
	SPEC_NS_NET,
	SPEC_NS_IPC,
	SPEC_NS_UTS,
	SPEC_NS_CGROUP,
	SPEC_NS_TIME,
	SPEC_NS_MAX_
};

struct spec_namespace {
	bool on; /* a new one, or the one at path */
	const char *path; /* NULL: make a new one */
};

struct spec_device {
	const char *path;
	char type; /* 'c', 'b', 'p'; 'u' of the specification is stored as 'c' */
	uint32_t major, minor;
	struct spec_u64 mode; /* permission bits */
	uint32_t uid, gid;
};

struct spec_device_rule {
	bool allow;
	char type; /* 'a' all, 'c', 'b' */
	struct spec_i64 major, minor; /* not set or -1: any */
	const char *access; /* of "rwm"; NULL: all */
};

struct spec_resources {
	const json_t *json; /* the whole member, for what is not below; NULL: absent */
	struct {
		struct spec_i64 limit, reservation, swap; /* bytes, -1: no limit */
		struct spec_u64 swappiness;
		bool disable_oom_killer, check_before_update;
	} memory;
	struct {
		struct spec_u64 shares, period, burst, rt_period;
		struct spec_i64 quota, rt_runtime, idle;
		const char *cpus, *mems; /* NULL: not given */
	} cpu;
	struct spec_i64 pids; /* 0 and -1: no limit */
	struct spec_device_rule *devices;
	size_t n_devices;
	struct spec_pairs unified; /* files of cgroup v2 */
};

struct spec_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

enum spec_hook_kind {
	SPEC_HOOK_PRESTART,
	SPEC_HOOK_CREATE_RUNTIME,
	SPEC_HOOK_CREATE_CONTAINER,
	SPEC_HOOK_START_CONTAINER,
	SPEC_HOOK_POSTSTART,
	SPEC_HOOK_POSTSTOP,
	SPEC_HOOK_MAX_
};

struct spec_hook {
	const char *path;
	struct spec_list args, env; /* args.n 0: the path alone; env absent: the runtime's */
	uint32_t timeout_s; /* 0: none */
};

struct spec_hooks {
	struct spec_hook *v;
	size_t n;
};

struct spec_block; /* one allocation, see spec_alloc() */

struct spec {
	const char *oci_version;
	struct spec_process *process; /* NULL: absent; start needs it, create does not */
	struct spec_root root;
	const char *hostname, *domainname; /* NULL: absent */
	struct spec_mount *mounts;
	size_t n_mounts;
	struct spec_pairs annotations;
	struct spec_hooks hooks[SPEC_HOOK_MAX_];

	/* The "linux" member. */
	struct spec_namespace ns[SPEC_NS_MAX_];
	struct idmap uid_map, gid_map; /* inside: in the container; n 0: not given */
	struct spec_time_offset monotonic, boottime;
	struct spec_device *devices;
	size_t n_devices;
	const char *cgroups_path; /* NULL: absent */
	struct spec_resources resources;
	unsigned long rootfs_propagation; /* MS_SHARED…, maybe with MS_REC; 0: not given */
	struct sec_profile *seccomp; /* NULL: none */
	struct spec_pairs sysctl;
	struct spec_list masked_paths, readonly_paths;
	const char *mount_label; /* NULL: none */
	struct spec_u64 personality; /* PER_… */
	const char *intel_rdt_clos; /* linux.intelRdt.closID; NULL: absent */

	struct strv warnings; /* what the specification wants logged instead of refused */
	json_t *json; /* the document that strings are borrowed from, owned */
	struct spec_block *blocks;
};

/**
 * spec_parse() - a whole config.json
 * @data: @len bytes, any content
 *
 * Return: 0 and a spec owned by the caller; -EBADMSG if it is not strict JSON; -EINVAL if a member
 * has a wrong type or value; -E2BIG above a limit; -ENOMEM.
 */
int spec_parse(const char *data, size_t len, struct spec **ret, struct err *err);

/** spec_parse_json() - the same from a document read by spec_json_parse(); @doc is borrowed */
int spec_parse_json(json_t *doc, struct spec **ret, struct err *err);

/**
 * spec_parse_process() - a document that is a process object alone (`exec --process FILE`)
 * Return: as spec_parse(); of *@ret only ->process and ->warnings are filled.
 */
int spec_parse_process(const char *data, size_t len, struct spec **ret, struct err *err);

/**
 * spec_parse_resources() - a document that is linux.resources alone (`update --resources FILE`)
 * Return: as spec_parse(); of *@ret only ->resources and ->warnings are filled.
 */
int spec_parse_resources(const char *data, size_t len, struct spec **ret, struct err *err);

void spec_free(struct spec *spec);

/**
 * spec_alloc() - zeroed memory that lives as long as @spec, for changes by the engine
 * Return: never NULL for 0 bytes; NULL if out of memory or if @n * @size overflows.
 */
void *spec_alloc(struct spec *spec, size_t n, size_t size);

/** spec_strdup() - a copy that lives as long as @spec; NULL if out of memory */
const char *spec_strdup(struct spec *spec, const char *s);

/** spec_annotation() - the value of an annotation, borrowed; NULL if there is none */
const char *spec_annotation(const struct spec *spec, const char *key);

/** spec_mount_is() - whether a mount is of that type */
static inline bool spec_mount_is(const struct spec_mount *m, const char *type)
{
	return m->type && str_eq(m->type, type);
}

/** spec_ns_name() - the word of config.json: "user", "mount", "pid", "network", … */
const char *spec_ns_name(enum spec_ns ns);

/** spec_ns_clone_flag() - CLONE_NEW… of a namespace */
int spec_ns_clone_flag(enum spec_ns ns);

static inline void cleanup_spec(struct spec **spec)
{
	spec_free(*spec);
}
#define auto_spec __attribute__((cleanup(cleanup_spec))) struct spec
