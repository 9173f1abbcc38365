/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the filesystem of a store can do, found by trying it in a staging directory. */

#include "image/store.h"

enum probe {
	PROBE_LOCKS, /* flock(2), and that a second one waits */
	PROBE_XATTRS, /* user.*: uppers, and unpacked trees with recorded owners */
	PROBE_NOREPLACE, /* renameat2(2) with RENAME_NOREPLACE */
	PROBE_EXCHANGE, /* with RENAME_EXCHANGE */
	PROBE_WHITEOUTS, /* 0/0 devices: uppers */
	PROBE_HARDLINKS,
	PROBE_REFLINKS, /* FICLONE: copy-up without copying */
	PROBE_TMPFILE, /* O_TMPFILE */
	PROBE_MAX_
};

struct store_probe {
	int results[PROBE_MAX_]; /* 0, or why not: a negative errno */
	char fs_type[32]; /* "ext4", or a number in hex */
	uint64_t total_bytes, free_bytes;
	bool is_writable;
};

/** store_probe() - 0 with @ret filled, also where nothing works; -ENOMEM */
int store_probe(struct img_store *s, struct store_probe *ret, struct err *err);
/** store_probe_name() - "hard links" */
const char *store_probe_name(enum probe p);
/** store_probe_without() - what is done, or cannot be done, without it: one line */
const char *store_probe_without(enum probe p);
