/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where an image comes from or goes to, as people and skopeo write it
 *
 *      docker://NAME, NAME          a registry
 *      oci:DIR[:REF]                a directory with an OCI layout
 *      oci-archive:FILE[:REF]       the same in a tar
 *      docker-archive:FILE[:NAME]   a tar as of `docker save`; :@N is the N-th image, from 0
 *      dir:DIR                      manifest and blobs side by side
 *      containers-storage:[[SPEC]]NAME    an image of Podman's; read only (image/cstorage.h)
 *
 * FILE may be "-": stdin or stdout.
 */

#include "base/err.h"

enum place_kind {
	PLACE_REGISTRY,
	PLACE_OCI,
	PLACE_OCI_ARCHIVE,
	PLACE_DOCKER_ARCHIVE,
	PLACE_DIR,
	PLACE_STORAGE,
	PLACE_MAX_
};

struct place {
	enum place_kind kind;
	char *path; /* of a registry: the name; of a storage what stands in brackets, or "" */
	char *ref; /* behind the path's colon, or of a storage the name; NULL: none was given */
};

/**
 * place_parse() - split what a person wrote
 * A path may hold colons if it exists: what is there decides, else the first colon ends it.
 * Return: 0 with @ret filled (place_done() it); -EINVAL for a transport that is not supported;
 * -ENOMEM.
 */
int place_parse(const char *text, struct place *ret, struct err *err);
void place_done(struct place *p);

/** place_text() - the text that place_parse() splits so; owned by the caller; NULL if out of memory */
char *place_text(const struct place *p);

/** place_prefix() - "oci-archive:", or "docker://" */
const char *place_prefix(enum place_kind kind);

static inline void cleanup_place(struct place *p)
{
	place_done(p);
}
#define auto_place __attribute__((cleanup(cleanup_place))) struct place
