/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which containers use which images: an image that one was made of is needed, running or not */

#include "base/str.h"
#include "image/gc.h"

/* Prints what a removal of images takes away. */
extern const struct rmi_report cli_rmi_report;

struct image_use {
	struct strv image_ids; /* one for each container that has an image */
	struct strv ids, names; /* of these containers, in the same order */
};

/**
 * image_use_load() - look at all containers
 * Return: 0; an error if one cannot be read, for then it may need any image.
 */
int image_use_load(int store_fd, struct image_use *ret, struct err *err);
void image_use_done(struct image_use *u);

/** image_use_check() - for struct image_users: names a container that uses the image */
bool image_use_check(void *ctx, const struct idx_digest *image_id, struct err *err);
