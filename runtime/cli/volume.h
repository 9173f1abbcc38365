/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Volumes, for `system prune` */

#include "runtime/cli/ctl.h"

/** volume_prune() - remove what no container uses, print the names; unless @all, only unnamed ones */
int volume_prune(struct ctl *ctl, bool all, struct err *err);
