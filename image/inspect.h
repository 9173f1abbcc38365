/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the store knows about its images, as data for people and programs. */

#include "base/json.h"
#include "image/names.h"

/* One row of a list. */
struct img_info {
	char *name; /* NULL: the image has none */
	struct idx_digest manifest_digest;
	struct idx_digest id; /* the config's digest; the manifest's if the image is damaged */
	struct platform platform;
	char *created; /* RFC 3339, or NULL */
	json_t *labels; /* an object; NULL: none */
	uint64_t tar_bytes; /* of all layers; those that images share count in each */
	bool is_damaged; /* something of it is missing or broken */
	bool is_read_only; /* of an additional store */
};

struct img_list {
	struct img_info *v;
	size_t n;
};

/** img_list_load() - all images, the newest first; 0 with @ret filled (img_list_done() it) */
int img_list_load(struct img_store *s, struct img_list *ret, struct err *err);
void img_list_done(struct img_list *list);
void img_info_done(struct img_info *info);

/** img_list_json() - an array with an object for each image; new reference, NULL: no memory */
json_t *img_list_json(const struct img_list *list);

/**
 * img_inspect() - everything about one image
 * Keys are those of `podman image inspect`, in the same order, where they mean the same.
 * Return: 0 with a new reference in @ret; errors of img_resolve().
 */
int img_inspect(struct img_store *s, const char *ref, json_t **ret, struct err *err);
