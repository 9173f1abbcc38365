/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What creating a container holds, for the parts of lamina-runtime that take part in it. */

#include "runtime/oci_state.h"
#include "runtime/seccomp.h"
#include "runtime/stage.h"

struct oci_create_opts {
	const char *bundle, *config, *console_socket, *pidfd_socket, *pid_file;
	uint64_t preserve_fds;
	bool no_pivot, no_new_keyring, no_subreaper, detach, keep;
};

struct oci_create {
	struct oci *oci;
	const struct oci_create_opts *opts;
	struct spec *spec;
	struct oci_state state;
	struct sec_filter filter;
	struct stage stage;
	int start_sock, cgroup_fd;
	bool run; /* started by this process */
	bool made; /* there is a directory to be removed after a failure */
};

/** oci_send_fd() - one message with an fd to a listening unix socket */
int oci_send_fd(const char *path, int fd, const char *text, struct err *err);

/** oci_write_pid() - a pid file, complete from the first moment */
int oci_write_pid(const char *path, pid_t pid, struct err *err);

/** oci_seccomp() - compile a filter, with the compiled ones kept below the directory of states */
int oci_seccomp(
	struct oci *o, const struct sec_profile *p, struct sec_filter *ret, struct err *err);
