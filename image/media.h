/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Media types: what a blob is said to be.  Pure.
 * Spec: OCI image-spec, media-types.md; docker's image manifest v2, schema 2.
 */

#include <stdbool.h>

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_INDEX, /* OCI index, docker manifest list */
	MEDIA_MANIFEST, /* OCI manifest, docker v2s2 */
	MEDIA_SCHEMA1, /* docker v2s1: refused everywhere */
	MEDIA_CONFIG, /* of an image; an artifact's config is MEDIA_UNKNOWN */
	MEDIA_LAYER,
	MEDIA_ENCRYPTED, /* a layer that needs a key */
};

/* How bytes are packed; a decoder believes the magic number first. */
enum codec { CODEC_NONE, CODEC_GZIP, CODEC_ZSTD };

struct media {
	enum media_kind kind;
	enum codec codec; /* of a layer */
};

/** media_of() - what @type means; parameters behind ';' are ignored; NULL is MEDIA_UNKNOWN */
struct media media_of(const char *type);

/** media_eq() - the same type, parameters aside */
bool media_eq(const char *a, const char *b);

/* What a client says it understands when it asks for a manifest. */
#define MEDIA_ACCEPT_MANIFESTS                                                                     \
	"application/vnd.oci.image.index.v1+json, "                                                \
	"application/vnd.oci.image.manifest.v1+json, "                                             \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                              \
	"application/vnd.docker.distribution.manifest.v2+json"

#define MEDIA_OCI_INDEX	   "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
