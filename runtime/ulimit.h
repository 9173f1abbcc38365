/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* --ulimit: resource limits as people write them.  Pure. */

#include "runtime/spec.h"

/**
 * ulimit_parse() - "nofile=1024", "nofile=1024:4096", "core=-1" (no limit), "RLIMIT_CPU=5"
 * Return: 0 with ->name pointing to a constant; -EINVAL with a text.
 */
int ulimit_parse(const char *text, struct spec_rlimit *ret, struct err *err);

/** ulimit_resource() - RLIMIT_… of "RLIMIT_NOFILE", or -EINVAL */
int ulimit_resource(const char *name);
