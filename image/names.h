/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * index.json: which images the store has, and what they are called
 *
 * One entry for each name; ref.name holds the full name.  A manifest that lost its last name to
 * another image keeps an entry without one until it is removed, so it stays reachable by id.
 */

#include "image/manifest.h"
#include "image/store_dir.h"

/** names_load() - the caller holds the store lock; 0 with @ret filled (index_done() it) */
int names_load(struct img_store *s, struct index *ret, struct err *err);

/** names_save() - replace index.json in one step; store lock held exclusively */
int names_save(struct img_store *s, const struct index *x, struct err *err);

/** names_find() - the entry called @name, or NULL.  Pure. */
struct descriptor *names_find(const struct index *x, const char *name);

/**
 * names_set() - let @d->ref_name name @d from now on
 * The manifest that had the name keeps an entry without name, if this was its last one; an entry
 * without name of @d goes.  Pure.
 * @d: copied
 *
 * Return: 0, -ENOMEM, -E2BIG at LIMIT_INDEX_DESCRIPTORS.
 */
int names_set(struct index *x, const struct descriptor *d);

/** names_add_unnamed() - an entry without a name, unless @d->digest has one already; as names_set() */
int names_add_unnamed(struct index *x, const struct descriptor *d);

/** names_remove() - remove entry @i.  Pure. */
void names_remove(struct index *x, size_t i);

/** names_count() - how many entries have this manifest.  Pure. */
size_t names_count(const struct index *x, const struct idx_digest *manifest);
