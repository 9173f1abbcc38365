/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Targets that are files: layouts, archives, skopeo's dir. */

#include "image/place.h"
#include "image/target.h"

/**
 * target_layout_open() - oci: and oci-archive:
 * The reference becomes the entry's ref.name; in a directory it takes the name from an older entry,
 * and other entries stay as they are.
 */
int target_layout_open(
	struct target **ret, const struct place *p, const char *tmp_dir, struct err *err);

/**
 * target_docker_open() - docker-archive:
 * Layers are unpacked, for that is what its readers expect; so digests of manifests are lost.
 */
int target_docker_open(
	struct target **ret, const struct place *p, const char *tmp_dir, struct err *err);

/** target_dir_open() - dir: */
int target_dir_open(struct target **ret, const struct place *p, struct err *err);
