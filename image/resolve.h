/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Entries of the store's index, found and loaded; img_resolve() is in image/store.h. */

#include "image/names.h"

/**
 * resolve_entry() - find what a person means
 * @x:   from names_load(), under the store lock
 * @ret: points into @x
 * Return: 0 for a name, 1 for an id; -ENOENT; -EEXIST if it means several; -EINVAL if it is neither
 * a name nor an id.
 */
int resolve_entry(struct img_store *s, const struct index *x, const char *text,
	const struct descriptor **ret, struct err *err);

/** resolve_load() - an entry as an image, without a lease; 0 with @ret filled (img_done() it) */
int resolve_load(struct img_store *s, const struct descriptor *d, struct img *ret, struct err *err);

/**
 * resolve_take_lease() - lock an image against removal, or for it
 * Under the store lock.  Return: the fd that holds the lease; -EBUSY without a text if another
 * holds it in the way.
 */
int resolve_take_lease(struct img_store *s, const struct idx_digest *manifest, enum lock_mode mode,
	struct err *err);

/**
 * img_tag() - give an image one more name
 * @ref:  as of img_resolve()
 * @name: NAME[:TAG]; a short one stands below localhost/
 * @ret_name: the full name, owned by the caller
 */
int img_tag(
	struct img_store *s, const char *ref, const char *name, char **ret_name, struct err *err);
