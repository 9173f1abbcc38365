/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reader of what `docker save` writes: manifest.json names configs and layers in a tar
 *
 * Such an archive has no manifest, so one of docker's kind is made up: the digest of a plain layer
 * is its diff id, that of a packed one is computed.
 * Spec: docker's image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
 */

#include "base/json.h"
#include "image/files.h"
#include "image/origin.h"
#include "image/place.h"

/**
 * docker_archive_open_take_files() - an origin for FILE[:NAME] or FILE:@N
 * @files: consumed, also on failure
 * Return: 0; -ENOENT if there is no such image; -EINVAL if there are several and none was named;
 * -EBADMSG.
 */
int docker_archive_open_take_files(
	struct origin **ret, struct files *files, const struct place *p, struct err *err);

/* One image of manifest.json. */
struct docker_image {
	const char *config; /* names of files; they point into the JSON */
	const json_t *tags, *layers; /* arrays of strings; @tags may be NULL */
};

/** docker_images_load() - manifest.json, checked; 0 with a new reference, -EBADMSG, -ENOENT */
int docker_images_load(struct files *f, json_t **ret, struct err *err);

/** docker_image_get() - element @i of it */
struct docker_image docker_image_get(const json_t *images, size_t i);
