/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Pull: from a registry or a layout into the store
 *
 *      reference ─▶ index … ─▶ manifest ─▶ config      one after the other, each checked
 *                                 └▶ layers            a thread each, at most `jobs` at once:
 *                                      blob ─ check ─ unpack ─ layer_write() ─ diff id ─ publish
 *      all there ─▶ blobs and index.json, under the store lock
 *
 * Nothing becomes visible but complete layers, which are harmless alone, and at the end the image
 * in one step.  A layer that is there already is used; one that another process is downloading is
 * waited for.
 */

#include "image/platform.h"
#include "image/registry.h"
#include "image/store.h"

enum pull_state {
	PULL_WAITING, /* for a thread */
	PULL_SHARED, /* another process has it in hand */
	PULL_RUNNING,
	PULL_PRESENT, /* was in the store */
	PULL_DONE,
};

struct pull_layer {
	struct idx_digest digest; /* of the blob */
	uint64_t size; /* of the blob */
	uint64_t done; /* bytes of it that came */
	enum pull_state state;
};

/* What a display shows; a snapshot, valid during the call. */
struct pull_status {
	const char *name; /* full name of the image */
	const struct pull_layer *layers; /* one for each that is different */
	uint32_t n_layers;
};

struct pull_options {
	struct registry_options registry;
	struct platform platform; /* os "": this machine's */
	const char *name; /* to be stored as; NULL: as the origin says */
	unsigned int jobs; /* layers at once; 0: PULL_JOBS */
	unsigned int tick_ms; /* how often @progress is called while layers come; 0: on changes */
	void (*begin)(void *ctx, const char *name); /* the name is known, nothing was asked yet */
	void (*progress)(void *ctx, const struct pull_status *st); /* calling thread only */
	void (*note)(void *ctx, const char *text); /* something the person should know */
	void *ctx;
};
#define PULL_JOBS 4

struct pull_result {
	char *name; /* owned; as stored */
	struct idx_digest manifest_digest;
	struct idx_digest config_digest; /* the image id */
};

/**
 * img_pull() - make an image part of the store
 * @source: "oci:PATH[:REF]", or a name as of ref_parse(), "docker://" allowed
 * @ret:    free ret->name
 *
 * Return: 0; -ENOENT there is none; -EACCES not allowed; -EBADMSG what came is not what was
 * promised; -ENOSPC, -EDQUOT; errors of http_open().  The store is as it was, but for whole layers.
 */
int img_pull(struct img_store *s, const char *source, const struct pull_options *opts,
	struct pull_result *ret, struct err *err);
