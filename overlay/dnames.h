/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The names of an upper directory, ordered by their offset in the merged listing.  Pure.
 *
 * An offset is a function of the entry (doc/on-disk.md, "Directory offsets"): a name that the lower
 * has too stands at its ordinal + 3, any other at bit 62 plus a hash of the name; so telldir() and
 * seekdir() agree while entries come and go.  Whoever adds a name computes where it wants to stand
 * (its home); names that only the upper has and that share a home stand one behind the other.
 *
 * Locking: the caller's, around every call and as long as an entry is used.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DN_OFF_DOT	       1 /* of "." */
#define DN_OFF_DOTDOT	       2
#define DN_OFF_LOWER	       3 /* of the entry with ordinal 0 */
#define DN_OFF_UPPER	       (UINT64_C(1) << 62) /* names that only the upper has begin here */
#define DN_HOME_LOWER(ordinal) ((ordinal) + DN_OFF_LOWER)

enum dname_flags {
	DN_WHITEOUT = 1 << 0, /* hides the lower's entry; not listed */
};

struct dname {
	struct dname *left, *right; /* the tree */
	uint64_t off;
	uint64_t home;
	uint32_t priority;
	uint8_t type; /* DT_… as the upper filesystem has it */
	uint8_t flags; /* enum dname_flags */
	uint8_t lower_type; /* DT_… of the lower entry that it covers; DT_UNKNOWN: none */
	uint8_t len;
	char name[]; /* NUL-terminated */
};

struct dnames {
	struct dname *root;
	size_t n; /* entries, whiteouts included */
	size_t n_shown; /* without whiteouts */
	int64_t n_dirs_more; /* directories here less those of the lower that are covered */
	uint64_t seed; /* of the priorities */
};

/** dn_home() - where a name that only the upper has wants to stand */
uint64_t dn_home(const char *name, size_t len);

/** dn_add() - add a name that is not there yet; -ENOMEM */
int dn_add(struct dnames *d, uint64_t home, const char *name, size_t len, struct dname **ret);

/** dn_set() - what stands at a name: its type, whether it is a whiteout; keeps the counts */
void dn_set(struct dnames *d, struct dname *e, uint8_t type, enum dname_flags flags,
	uint8_t lower_type);

/** dn_get() - a name, or NULL */
struct dname *dn_get(const struct dnames *d, uint64_t home, const char *name, size_t len);

/** dn_del() - take a name out and free it */
void dn_del(struct dnames *d, struct dname *e);

/** dn_next() - the first entry with an offset of at least @off, or NULL */
struct dname *dn_next(const struct dnames *d, uint64_t off);

void dn_done(struct dnames *d);
