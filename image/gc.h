/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Removal of images, and of what nothing refers to any more
 *
 * The disk is walked, not a list: whatever an interrupted command left behind goes as well.
 */

#include "image/names.h"

struct needed;

/**
 * gc_needed() - which files the entries of @x need; store lock held
 * @ret: gc_needed_free() it
 */
int gc_needed(struct img_store *s, const struct index *x, struct needed **ret, struct err *err);
void gc_needed_free(struct needed *n);
/** gc_is_needed() - @dir: "layers", "images", "blobs/sha256", "blobs/sha512" */
bool gc_is_needed(const struct needed *n, const char *dir, const char *name);
/** gc_needed_is_unknown() - an image could not be read, so layers and blobs may be its */
bool gc_needed_is_unknown(const struct needed *n);

struct gc_stats {
	uint32_t n_layers; /* removed */
	uint32_t n_busy; /* left because somebody holds a lease */
	uint64_t bytes; /* freed in layers */
};

/**
 * gc_run() - remove blobs, layers and merged indexes that no entry of @x needs
 * Store lock held exclusively.  If an image cannot be read, what it needs is not known, so layers
 * and blobs stay until it is removed or healed.
 */
int gc_run(struct img_store *s, const struct index *x, struct gc_stats *ret, struct err *err);

/* Whether something outside of image/ (a container that is stopped) uses an image. */
struct image_users {
	/* NULL: nothing does.  Says in @err, which may be NULL, what does. */
	bool (*is_used)(void *ctx, const struct idx_digest *image_id, struct err *err);
	void *ctx;
};

/** image_users_have() - whether they use the image of an entry; not, if that cannot be read */
bool image_users_have(struct img_store *s, const struct descriptor *d,
	const struct image_users *users, struct err *err);

enum rmi_flags {
	RMI_FORCE = 1 << 0, /* by id: also if it has several names */
};

/* What a removal did, for the person. */
struct rmi_report {
	void (*untagged)(void *ctx, const char *name);
	void (*deleted)(void *ctx, const struct idx_digest *id);
	void *ctx;
};

/**
 * img_remove() - remove a name, and the image with its last name
 * @text:  name or id
 * @users: a name that is not the last one goes although something uses the image
 *
 * Return: 0; -ENOENT; -EBUSY if the image is in use; -EEXIST if an id has several names.
 */
int img_remove(struct img_store *s, const char *text, enum rmi_flags flags,
	const struct image_users *users, const struct rmi_report *report, struct err *err);
