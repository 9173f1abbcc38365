/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * New images of the store: an image and one layer more, or a layer alone
 *
 *      upper over an image ─ layer_diff_write() ─┐
 *      root tar ─────────────────────────────────┴▶ layer ─▶ config, manifest ─▶ index.json
 *
 * Equal input, with an epoch, gives equal digests.
 */

#include "base/json.h"
#include "base/str.h"
#include "image/layer_diff.h"
#include "image/platform.h"
#include "image/source.h"

struct commit_options {
	const char *name; /* "NAME[:TAG]" as for ref_stored_name(); NULL: none, found by id */
	const json_t *config; /* members that stand instead of the base's config's; may be NULL */
	const struct strv *changes; /* for config_change(); may be NULL */
	const char *author; /* NULL: none */
	const char *message; /* NULL: none */
	const char *created_by; /* of the history's entry; NULL: none */
	struct platform platform; /* of an import; os "": this machine's */
	struct layer_diff_options diff; /* its epoch is the image's time, too */
};

struct commit_result {
	char *name; /* owned; NULL: none */
	struct idx_digest config_digest; /* the image id */
	struct idx_digest diff_id;
	struct layer_diff_stats stats; /* of img_commit() */
};

/**
 * img_commit() - an image of what an upper changed
 * @base: with its lease, borrowed
 * @view: as of upper_view_open() for @base
 * @ret:  free ret->name
 *
 * Return: 0; errors of layer_diff_write(), config_change(), ref_stored_name() and of the store.
 */
int img_commit(struct img_store *s, const struct img *base, const struct upper_view *view,
	const struct commit_options *opts, struct commit_result *ret, struct err *err);

/**
 * img_import() - an image of a root tar
 * @src: the decoded tar, borrowed; read to its end
 */
int img_import(struct img_store *s, struct source *src, const struct commit_options *opts,
	struct commit_result *ret, struct err *err);
