/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* lamina-runtime: what its verbs share.  Each verb is in the oci_*.c file named after it. */

#include "base/err.h"
#include "runtime/cli/args.h"

#include <stdbool.h>

#define OCI_SPEC_VERSION "1.2.0"
#define OCI_EXIT_FAILED	 1 /* of everything but exec */
#define OCI_EXIT_EXEC	 255 /* exec failed: programs use the small numbers */

/* The global options. */
struct oci {
	const char *root; /* directory of states; NULL: the default */
	const char *log, *log_format, *log_level;
	const char *cgroup_manager; /* NULL: cgroupfs */
	const char *rootless, *criu; /* taken and not needed: see for ourselves */
	bool systemd_cgroup, debug, version, help;
	int root_fd; /* of root; -1 until oci_root_open() */
};

struct oci_verb {
	const char *name, *synopsis, *help;
	const struct args_opt *opts;
	size_t opts_bytes;
	int min_args, max_args; /* max -1: any */
	bool stop_at_positional;
	/* Return: the exit code, or a negative errno with a text. */
	int (*run)(struct oci *o, void *opts, char **args, struct err *err);
};

extern const struct oci_verb oci_verb_create, oci_verb_run, oci_verb_start, oci_verb_exec,
	oci_verb_kill, oci_verb_delete, oci_verb_state, oci_verb_list, oci_verb_ps, oci_verb_pause,
	oci_verb_resume, oci_verb_update, oci_verb_events, oci_verb_features, oci_verb_spec;
