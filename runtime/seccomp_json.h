/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Seccomp profiles as JSON: ours for a config.json, and the files of --security-opt.  Pure. */

#include "base/err.h"
#include "base/json.h"
#include "runtime/seccomp.h"

#include <stdint.h>

/* What a profile's conditions ask about the machine. */
struct sec_host {
	const char *go_arch; /* "amd64" */
	const char *oci_arch; /* "SCMP_ARCH_X86_64" */
	unsigned int major, minor; /* of the kernel */
};

/** sec_host_init() - this build's architecture, and the kernel of a uname(2) release ("6.1.0-9") */
void sec_host_init(struct sec_host *ret, const char *release);

/** sec_json_new() - the linux.seccomp member for a profile; a new reference, NULL: out of memory */
json_t *sec_json_new(const struct sec_profile *p);

/**
 * sec_json_resolve() - turn a profile file of Docker or Podman into a linux.seccomp member
 * @file: document; its conditions (archMap, includes, excludes) are decided by @caps and @host.
 *        A document that is an OCI member already comes out as it is
 * @caps: bounding set of the container
 *
 * What is not a condition is copied: spec_parse() judges it.
 *
 * Return: 0 and a new reference; -EINVAL if @file has not the shape of a profile; -ENOMEM.
 */
int sec_json_resolve(const json_t *file, uint64_t caps, const struct sec_host *host, json_t **ret,
	struct err *err);
