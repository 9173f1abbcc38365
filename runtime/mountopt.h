/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Mount options as words: what mount(2), mount_setattr(2) and we ourselves make of them.  Pure.
 *
 * Every word that crun and runc know is known; any other belongs to the filesystem and goes into
 * the data string.  Later words win over earlier ones ("ro", "rw").
 * Spec: OCI runtime-spec 1.2, config.md, "Mounts".
 */

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define LIMIT_MOUNT_DATA 4095 /* mount(2) takes a page */

enum mountopt_extra {
	MOUNTOPT_TMPCOPYUP = 1 << 0, /* a tmpfs starts with a copy of what it hides */
	MOUNTOPT_IDMAP = 1 << 1, /* shift ids; by what, see idmap */
	MOUNTOPT_IDMAP_REC = 1 << 2, /* the mounts below too */
	MOUNTOPT_COPY_SYMLINK = 1 << 3, /* a source that is a symlink is made again, not mounted */
	MOUNTOPT_SRC_NOFOLLOW = 1 << 4, /* mount the symlink itself */
};

struct mountopt {
	unsigned long flags; /* MS_…; MS_BIND and MS_REC included, propagation not */
	unsigned long clear; /* MS_… that a word turned off */
	unsigned long propagation; /* MS_SHARED, …, maybe with MS_REC; 0: no word */
	uint64_t attr_set, attr_clr; /* MOUNT_ATTR_… of the mount, from flags and clear */
	uint64_t rec_set, rec_clr; /* the same for the whole tree (AT_RECURSIVE): "rro", … */
	unsigned int extra; /* enum mountopt_extra */
	char *data; /* comma-separated, for the filesystem; NULL: none.  Owned */
	char *idmap; /* behind "idmap=": "uids=…;gids=…"; NULL: none.  Owned */
};

/**
 * mountopt_parse() - make sense of option words
 * @words: @n of them, borrowed; empty ones are skipped
 * @ret:   ended with mountopt_done()
 *
 * Return: 0; -EINVAL for a word that cannot be honoured; -E2BIG above LIMIT_MOUNT_DATA; -ENOMEM.
 */
int mountopt_parse(const char *const *words, size_t n, struct mountopt *ret, struct err *err);

void mountopt_done(struct mountopt *mo);

static inline void cleanup_mountopt(struct mountopt *mo)
{
	mountopt_done(mo);
}
#define auto_mountopt __attribute__((cleanup(cleanup_mountopt))) struct mountopt

/** mountopt_attrs() - the MOUNT_ATTR_… that say what MS_… flags say of one mount */
uint64_t mountopt_attrs(unsigned long flags);

/** mountopt_word() - the n-th word that is known, NULL behind the last (for `features`) */
const char *mountopt_word(size_t n);
