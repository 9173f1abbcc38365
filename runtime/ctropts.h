/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container was made with and its config.json has no place for
 *
 *      containers/<id>/options.json     written once, read by each start
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CTROPTS_STOP_TIMEOUT_S 10
#define LIMIT_CTROPTS_BYTES    (4 << 20)

struct ctropts {
	char *network; /* as --network has it; NULL: the default */
	char *rootfs; /* absolute path; NULL: the root file system is the image's */
	char *log_driver; /* "file", "none", "passthrough"; NULL: by what the container is for */
	char *pid_file; /* absolute; NULL: none */
	char *userns; /* as --userns has it; NULL: the default */
	struct strv publish, add_host, dns, dns_search, dns_option; /* as they were typed */
	struct strv shares; /* namespaces of others, runtime/nsshare.h */
	struct strv overlays; /* directories of the host, runtime/volover.h */
	struct strv labels; /* "NAME=VALUE" */
	struct strv volumes; /* named volumes that it uses */
	struct strv own_volumes; /* those of them that nobody gave a name: they go with it */
	struct strv create_command; /* the words of the command line */
	uint64_t log_max_bytes; /* 0: no limit */
	uint64_t stop_timeout_s;
	uint64_t timeout_s; /* 0: none */
	bool interactive;
	bool init; /* a process of ours is the first */
	bool keep_groups; /* of the user; none can be set */
	bool no_cgroup; /* none is made */
	bool fake_ids;
};

void ctropts_init(struct ctropts *o);
void ctropts_done(struct ctropts *o);

/** ctropts_to_json() - new reference; NULL: no memory, or a string that is not UTF-8.  Pure. */
json_t *ctropts_to_json(const struct ctropts *o);

/** ctropts_from_json() - what is missing keeps its default; 0 or -ENOMEM.  Pure. */
int ctropts_from_json(const json_t *j, struct ctropts *ret);

/** ctropts_write() - into a container's directory */
int ctropts_write(int dirfd, const struct ctropts *o, struct err *err);
/** ctropts_read() - a container that has none has the defaults */
int ctropts_read(int dirfd, struct ctropts *ret, struct err *err);
