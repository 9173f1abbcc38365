/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From an image and the flags of `run` to a config.json
 *
 *      image config ─┐
 *      struct spec_make ─┴─ spec_make() ──▶ json_t ──spec_json_dump()──▶ config.json
 *                                              └────spec_parse_json()──▶ struct spec
 *
 * What a flag means follows `podman run`.  Equal input gives equal output, byte for byte.
 * Pure: no I/O, any thread.  Everything in struct spec_make is borrowed for the call.
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "overlay/idmap.h"
#include "runtime/seccomp_json.h"
#include "runtime/spec.h"
#include "runtime/userdb.h"
#include "runtime/volume.h"

#define SPEC_MAKE_SHM_BYTES	 65536000 /* of /dev/shm unless told otherwise */
#define SPEC_MAKE_HOSTNAME_CHARS 12 /* of the id */

enum spec_make_mode {
	SPEC_MAKE_HOST, /* the namespace that the runtime is in */
	SPEC_MAKE_NEW,
	SPEC_MAKE_JOIN, /* the one at path */
};

struct spec_make_ns {
	enum spec_make_mode mode;
	const char *path; /* SPEC_MAKE_JOIN */
};

enum spec_make_cgroup {
	SPEC_MAKE_CGROUP_NONE, /* nothing at /sys/fs/cgroup */
	SPEC_MAKE_CGROUP_RO,
	SPEC_MAKE_CGROUP_RW,
};

enum spec_make_flags {
	SPEC_MAKE_TTY = 1 << 0,
	SPEC_MAKE_READ_ONLY = 1 << 1, /* the root file system */
	SPEC_MAKE_READ_ONLY_TMPFS = 1 << 2, /* with it: /run, /tmp and /var/tmp stay writable */
	SPEC_MAKE_PRIVILEGED = 1 << 3, /* all capabilities, no masks, no seccomp */
	SPEC_MAKE_NO_NEW_PRIVS = 1 << 4,
	SPEC_MAKE_NO_SECCOMP = 1 << 5, /* --security-opt seccomp=unconfined */
	SPEC_MAKE_UNMASK_ALL = 1 << 6, /* --security-opt unmask=ALL */
	SPEC_MAKE_NO_MQUEUE = 1 << 7, /* the host shows no queues that could be shared */
};

/* Limits for the cgroup; what is not set is not written. */
struct spec_make_limits {
	struct spec_i64 memory, memory_reservation, memory_swap; /* bytes, -1: none */
	struct spec_i64 pids; /* -1: none */
	struct spec_u64 cpu_shares, cpu_quota_us, cpu_period_us;
	const char *cpuset_cpus, *cpuset_mems; /* NULL: not given */
	const struct strv *unified; /* "FILE=VALUE"; may be NULL */
};

/* Files of the runtime that are bound over those of the image; NULL: the image's own. */
struct spec_make_files {
	const char *hosts, *resolv_conf, *hostname, *containerenv;
};

struct spec_make {
	const char *id; /* of the container */
	const char *rootfs; /* root.path */
	const json_t *image; /* the image's config, the whole document; NULL: none */
	unsigned int flags; /* enum spec_make_flags */

	/* The process. */
	const char *entrypoint; /* NULL: the image's; see args_combine() */
	char *const *command;
	size_t n_command;
	bool no_default_env; /* neither the image's variables nor those that are always set */
	const struct strv *unset_env; /* names that the image sets in vain; may be NULL */
	const struct strv *env; /* "NAME=VALUE" of --env-file and -e, by env_add_…(); may be NULL */
	const char *workdir; /* NULL: the image's, else "/" */
	const struct userdb_user *user; /* resolved against the image's files */
	struct spec_u64 umask; /* not set: 022 */
	uint16_t rows, cols; /* with SPEC_MAKE_TTY; 0: not known */
	const struct strv *cap_add, *cap_drop; /* may be NULL */
	const struct spec_rlimit *rlimits;
	size_t n_rlimits;
	struct spec_i64 oom_score_adj;
	const char *stop_signal; /* NULL: the image's, else SIGTERM */

	/* What it sees. */
	const char *hostname; /* NULL: the id's first characters */
	const struct volume *volumes; /* sources are absolute paths by now; tmpfs has none */
	size_t n_volumes;
	struct spec_make_files files;
	uint64_t shm_bytes; /* 0: SPEC_MAKE_SHM_BYTES */
	enum spec_make_cgroup cgroup;
	const struct strv *mask, *unmask; /* paths; may be NULL */
	const struct strv *proc_opts; /* more options for /proc; may be NULL */
	const char *apparmor; /* profile; NULL: none */
	const char *personality; /* "LINUX32"; NULL: none */

	/* What it is part of. */
	struct spec_make_ns ns[SPEC_NS_MAX_]; /* the mount namespace is always new */
	const struct idmap *uid_map, *gid_map; /* for a new user namespace; may be NULL */
	struct spec_make_limits limits;
	const char *cgroups_path; /* NULL: none */
	const struct strv *sysctls; /* "NAME=VALUE"; may be NULL */
	const struct strv *annotations; /* "NAME=VALUE"; may be NULL */
	const json_t *seccomp_profile; /* a file of --security-opt seccomp=; NULL: our own */
	const struct sec_host *host; /* for the conditions in that file */
};

/**
 * spec_make() - the configuration of a container
 *
 * Return: 0 and a new reference in @ret; -EINVAL with a text if a flag is wrong, or if a string is
 * not UTF-8, which config.json cannot hold; -ENOMEM.
 */
int spec_make(const struct spec_make *m, json_t **ret, struct err *err);

/** spec_make_mounts() - the "mounts" member; for spec_make(), errors as there */
int spec_make_mounts(const struct spec_make *m, json_t **ret, struct err *err);

/** spec_make_image_volumes() - what the image's config lists as Volumes, sorted; 0 or -ENOMEM */
int spec_make_image_volumes(const json_t *image, struct strv *ret);

/** spec_make_resources() - limits as linux.resources; a new reference, an empty object for none */
int spec_make_resources(const struct spec_make_limits *l, json_t **ret, struct err *err);
