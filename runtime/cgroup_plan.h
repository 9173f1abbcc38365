/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is written into which file of a cgroup: between cgroup_apply() and its tests.  Pure. */

#include "runtime/spec.h"

struct cgroup_write {
	char *file, *text; /* owned */
};

struct cgroup_plan {
	struct cgroup_write *v;
	size_t n;
};

/** cgroup_plan_make() - 0; -EOPNOTSUPP for what version 2 cannot do; -EINVAL; -ENOMEM */
int cgroup_plan_make(const struct spec_resources *res, struct cgroup_plan *p, struct err *err);
void cgroup_plan_done(struct cgroup_plan *p);

/** cgroup_weight_of_shares() - cpu.weight for cpu.shares */
uint64_t cgroup_weight_of_shares(uint64_t shares);
