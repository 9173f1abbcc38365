/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Inside the store: its lock, its blobs, staging, and locks on what is being made
 *
 *      tmp/stage-XXXXXX/lock    held by the owner of the staging directory
 *      tmp/making-NAME          held by whoever makes NAME (a layer, a merged index)
 *      tmp/new                  a small file on its way, under the store lock
 *      tmp/trash-XXXXXXXX       what was removed; making-trash is locked by whoever deletes it
 *
 * What stands in tmp/ and is locked by nobody has lost its owner: it is removed whenever a staging
 * directory is made.  Making and sweeping happen under the store lock, so nothing is swept
 * between its birth and its lock.
 */

#include "base/lock.h"
#include "image/store.h"

#define STORE_DIR_NAME_BYTES (8 + DIGEST_TEXT_BYTES)

/** store_dir_name() - "sha256-HEX": a digest as a file name */
void store_dir_name(const struct idx_digest *d, char ret[static STORE_DIR_NAME_BYTES]);

/** store_open_dir() - an O_PATH fd of a directory of the store, owned by the caller */
int store_open_dir(struct img_store *s, const char *name, struct err *err);

/**
 * store_lock() - wait for the store lock
 * Return: an fd that holds it until it is closed.  On a filesystem that is read-only a shared lock
 * may be held on nothing but the file as it is.
 */
int store_lock(struct img_store *s, enum lock_mode mode, struct err *err);

/**
 * store_put() - write a small file in one step that survives power loss
 * @dir: directory of the store, "." for its root
 * The caller holds the store lock exclusively.
 */
int store_put(struct img_store *s, const char *dir, const char *name, const void *data, size_t len,
	struct err *err);

/**
 * store_read_blob() - a manifest or config, checked against its digest
 * Return: 0 with @ret owned by the caller; -ENOENT; -EBADMSG if it is damaged.
 */
int store_read_blob(struct img_store *s, const struct idx_digest *d, char **ret, size_t *ret_len,
	struct err *err);

/** store_put_blob() - unless it is there already, undamaged; store lock held exclusively */
int store_put_blob(struct img_store *s, const struct idx_digest *d, const void *data, size_t len,
	struct err *err);

/* A directory of one's own in tmp/. */
struct stage {
	struct img_store *store; /* borrowed; NULL: none */
	int dirfd;
	int lock_fd;
	char name[32];
};

/** store_stage_new() - also sweeps what dead processes left; takes the store lock for that */
int store_stage_new(struct img_store *s, struct stage *ret, struct err *err);
/** store_stage_done() - remove it with all that is left in it */
void store_stage_done(struct stage *stage);

/**
 * store_sweep() - look through tmp/ for what has no owner
 * @found: called with each name but trash, which only waits for its turn; may be NULL
 * Store lock held exclusively.
 */
enum sweep_flags {
	SWEEP_LOOK = 0,
	SWEEP_REMOVE = 1 << 0,
	SWEEP_ALL_MACHINES =
		1 << 1, /* staging directories of other hosts that share the store, too */
};
int store_sweep(struct img_store *s, enum sweep_flags flags,
	void (*found)(void *ctx, const char *name), void *ctx);

/**
 * store_trash() - move @name of an open directory out of the way, in one step
 * It lies in tmp/ from then on, without an owner, until store_empty_trash() or a sweep.
 * Store lock held exclusively.  Return: 0; a negative errno.
 */
int store_trash(struct img_store *s, int dirfd, const char *name);

/**
 * store_empty_trash() - remove what store_trash() moved, in a process that outlives the caller
 * Only for processes with one thread that hold no lock.  Does nothing where nothing is there; what
 * goes wrong is left to the next sweep.
 */
void store_empty_trash(struct img_store *s);

/**
 * store_try_making() - become the only one who makes @name
 * Return: an fd for store_made(); -EAGAIN while another process or thread makes it.
 */
int store_try_making(struct img_store *s, const char *name, struct err *err);

/** store_made() - done, or given up; closes @fd */
void store_made(struct img_store *s, const char *name, int fd);

static inline void cleanup_stage(struct stage *stage)
{
	store_stage_done(stage);
}
#define auto_stage __attribute__((cleanup(cleanup_stage))) struct stage
