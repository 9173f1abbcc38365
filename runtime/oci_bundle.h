/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A bundle of somebody else, made fit for the engine by what this caller may do. */

#include "runtime/spec.h"
#include "runtime/stage.h"

/**
 * oci_bundle_read() - enter the bundle and read its configuration
 * @dir:  NULL: the working directory, which becomes the bundle
 * @file: NULL: "config.json"
 * @ret_text: the configuration as it was read, owned by the caller
 *
 * Without the right to make mounts a missing user namespace is added, and without mappings the
 * process's user is mapped to the caller and all others to the caller's subordinate ids.
 */
int oci_bundle_read(
	const char *dir, const char *file, struct spec **ret, char **ret_text, struct err *err);

/** oci_bundle_add_env() - "NAME=VALUE" in place of what NAME was; 0 or -ENOMEM */
int oci_bundle_add_env(struct spec *spec, const char *text);

/** oci_bundle_pass_fds() - LISTEN_FDS of systemd: @ret_n more fds to preserve, variables added */
int oci_bundle_pass_fds(struct spec *spec, unsigned int *ret_n);

/** oci_bundle_keeps_groups() - whether the program keeps the caller's groups (of `podman run
 * --group-add keep-groups`) */
bool oci_bundle_keeps_groups(const struct spec *spec);
