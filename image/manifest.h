/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Indexes and manifests, strictly
 *
 * A document that two parsers could read in two ways is refused: duplicate keys, keys that differ
 * from a known one in case alone, `manifests` beside `layers`, a mediaType that contradicts the
 * descriptor.  Fields that are not known are ignored.  Pure: no I/O, any thread.
 * Spec: OCI image-spec, image-index.md, manifest.md, descriptor.md; docker's manifest v2, schema 2.
 */

#include "base/err.h"
#include "image/digest.h"
#include "image/media.h"
#include "image/platform.h"

#include <stdint.h>

#define LIMIT_MANIFEST_BYTES	(4U << 20) /* manifests, indexes and configs */
#define LIMIT_INDEX_DESCRIPTORS 10000
#define LIMIT_BLOB_BYTES	(UINT64_C(1) << 40)

struct descriptor {
	char *media_type;
	struct media media;
	struct idx_digest digest;
	uint64_t size;
	struct platform platform; /* os "": none was given */
	char *ref_name; /* annotation org.opencontainers.image.ref.name, or NULL */
	char *name; /* annotation io.containerd.image.name: the full name, or NULL */
	char *source_digest; /* annotation dev.lamina.source.digest of a store's index, or NULL */
};

/** descriptor_copy() - 0 with @ret filled (descriptor_done() it), or -ENOMEM */
int descriptor_copy(struct descriptor *ret, const struct descriptor *d);
void descriptor_done(struct descriptor *d);

struct index {
	struct descriptor *entries;
	size_t n;
};

struct manifest {
	char *media_type; /* by the document itself, or NULL */
	struct descriptor config;
	struct descriptor *layers; /* lowest first */
	uint32_t n_layers;
};

/**
 * manifest_kind() - is this an index or a manifest?
 * @data:     the document
 * @declared: media type by the descriptor or the Content-Type header; NULL if there is none
 *
 * Return: MEDIA_INDEX or MEDIA_MANIFEST; -EBADMSG if it is neither, both, or not what was declared.
 */
int manifest_kind(const char *data, size_t len, const char *declared, struct err *err);

/** index_parse() - 0 with @ret filled (index_done() it), -EBADMSG, -ENOMEM */
int index_parse(const char *data, size_t len, struct index *ret, struct err *err);
void index_done(struct index *x);

/** manifest_parse() - of an image; 0 with @ret filled (manifest_done() it), -EBADMSG, -ENOMEM */
int manifest_parse(const char *data, size_t len, struct manifest *ret, struct err *err);
/** manifest_parse_blobs() - the same of any manifest, also an artifact's: only for copying it */
int manifest_parse_blobs(const char *data, size_t len, struct manifest *ret, struct err *err);
void manifest_done(struct manifest *m);

/**
 * index_choose() - the entry that serves @want best; the first of equals
 * Entries that are neither manifests nor indexes (attestations, artifacts) are passed over.
 * @ret: points into @x
 *
 * Return: 0; -ENOENT with a text that lists what there is.
 */
int index_choose(const struct index *x, const struct platform *want, const struct descriptor **ret,
	struct err *err);

static inline void cleanup_index(struct index *x)
{
	index_done(x);
}
static inline void cleanup_manifest(struct manifest *m)
{
	manifest_done(m);
}
#define auto_index    __attribute__((cleanup(cleanup_index))) struct index
#define auto_manifest __attribute__((cleanup(cleanup_manifest))) struct manifest
