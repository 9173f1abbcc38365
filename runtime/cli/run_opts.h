/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The options of `lamina run`, and what they come to for spec_make() and the engine */

#include "image/platform.h"
#include "runtime/cli/args.h"
#include "runtime/ctropts.h"
#include "runtime/detach.h"
#include "runtime/spec_make.h"
#include "runtime/usernsmode.h"

/* As they are typed. */
struct run_opts {
	bool env_host, detach, rm, interactive, tty, read_only, privileged, rootfs, replace;
	bool init, publish_all, no_hosts, quiet, unsetenv_all;
	bool no_http_proxy, no_passwd, no_read_only_tmpfs, no_sig_proxy, no_tls_verify;
	bool as_is; /* what there is none of anyway */
	const char *name, *workdir, *user, *ip, *mac_address, *hostname, *entrypoint, *stop_signal;
	const char *userns, *pid, *ipc, *uts, *tz, *umask, *pull, *cgroups;
	const char *shm_size, *memory, *memory_swap, *memory_reservation, *cpus, *cpuset_cpus;
	const char *cpuset_mems, *pids_limit, *oom_score_adj;
	uint64_t cpu_shares, cpu_period, cpu_quota;
	const char *cgroupns, *personality, *image_volume, *authfile;
	const char *platform, *os, *arch, *variant;
	const char *restart, *sdnotify, *systemd;
	const char *cidfile, *pidfile, *detach_keys, *log_driver, *stop_timeout;
	uint64_t preserve_fds, timeout;
	struct strv env, env_file, volume, mount, tmpfs, publish;
	struct strv cap_add, cap_drop, security_opt, ulimit, sysctl;
	struct strv network, network_alias, add_host, dns, group_add, label, annotation, log_opt;
	struct strv device, attach, cgroup_conf, dns_option, dns_search, expose, label_file;
	struct strv unsetenv, volumes_from;
};

extern const struct args_opt run_opts_table[];

/* What they come to; zeroed is empty, ended with run_plan_done(). */
struct run_plan {
	struct strv env;
	struct volume *volumes;
	size_t n_volumes;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
	struct strv mask, unmask, proc_opts;
	char *apparmor; /* profile; NULL: none is asked for */
	struct platform platform; /* os "": whichever the store has */
	unsigned int flags; /* enum spec_make_flags */
	char *seccomp_path; /* of --security-opt seccomp=FILE; NULL: our own profile */
	struct detach detach;
	struct usernsmode userns;
	char *caller_name, *caller_gecos; /* with keep-id; NULL: not known */
	struct spec_make_limits limits;
	uint64_t shm_bytes; /* 0: the default */
	struct spec_u64 umask;
	struct spec_i64 oom_score_adj;
	struct strv groups; /* of --group-add, without keep-groups */
};

/**
 * run_plan_make() - check the options and bring them into order
 * Looks at the caller's environment, working directory, and the files of --env-file.
 * @ctropts: of ctropts_init(), filled with what the container keeps; also after a failure
 */
int run_plan_make(
	const struct run_opts *o, struct run_plan *ret, struct ctropts *ctropts, struct err *err);
void run_plan_done(struct run_plan *p);

/** run_plan_limits() - of these: limits for its cgroup alone; @ret borrows from @o */
int run_plan_limits(const struct run_opts *o, struct spec_make_limits *ret, struct err *err);

/** run_plan_rights() - of these: what it may do, and how much it may use; for run_plan_make() */
int run_plan_rights(const struct run_opts *o, struct run_plan *p, struct err *err);
