/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a well-formed configuration can still get wrong
 *
 * runtime/spec.h knows types and limits; here are the rules between members, those that would
 * otherwise fail halfway through the start with an errno and no name.  Pure: no I/O, any thread.
 */

#include "runtime/spec.h"

#include <stddef.h>

#define LIMIT_HOSTNAME	  64 /* __NEW_UTS_LEN */
#define LIMIT_SYSCTL_PATH 255 /* bytes of a sysctl's path below /proc/sys */

/**
 * spec_check() - whether a container can be made from a configuration
 *
 * A configuration without a process passes (create allows it).  Relative mount destinations pass:
 * the specification has them start at "/".
 *
 * Return: 0, or -EINVAL with a text that names the JSON path.
 */
int spec_check(const struct spec *spec, struct err *err);

/** spec_check_process() - the part of it that is about a process, for exec */
int spec_check_process(const struct spec_process *process, struct err *err);

/**
 * spec_sysctl_path() - a sysctl's path below /proc/sys
 * @name: "net.ipv4.ip_forward", or with slashes; as in sysctl(8) the first separator decides, so
 *        dots inside names ("net/ipv4/conf/eth0.1/forwarding") survive
 * @buf:  LIMIT_SYSCTL_PATH + 1 bytes
 *
 * Return: 0; -EINVAL if a component is empty, "." or ".."; -ENAMETOOLONG.
 */
int spec_sysctl_path(const char *name, char *buf);

/** spec_sysctl_ns() - the namespace that a sysctl belongs to (by its path); -ENOENT for the host's
 */
int spec_sysctl_ns(const char *path);
