/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a running container uses: from its cgroup where there is one, else summed over its processes */

#include "runtime/procs.h"

struct ctrstats {
	bool from_cgroup; /* memory and processor time; else of the processes that live now */
	uint64_t cpu_ns;
	uint64_t memory, memory_limit; /* bytes; without a limit, what the machine has */
	uint64_t n_tasks;
	uint64_t net_in, net_out; /* bytes, without the loopback */
	uint64_t block_in, block_out; /* bytes of its processes that live now */
};

/** ctrstats_load() - in the parent namespace; -ESRCH if it does not run */
int ctrstats_load(const struct record *r, struct ctrstats *ret, struct err *err);

/** ctrstats_parse_net() - /proc/PID/net/dev, added up without "lo".  Pure. */
void ctrstats_parse_net(const char *text, uint64_t *ret_in, uint64_t *ret_out);
