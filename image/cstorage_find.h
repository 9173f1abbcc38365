/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The records of containers-storage, and which image a name means there
 *
 * A name that a person gives means, in this order: an image of exactly this name, localhost/NAME,
 * docker.io's, one whose name ends so, one whose id begins so.
 */

#include "base/json.h"

#include <stdbool.h>

#define LIMIT_CSTORAGE_RECORDS_BYTES (64U << 20) /* images.json, layers.json */

enum cstorage_driver { CSTORAGE_OVERLAY, CSTORAGE_VFS, CSTORAGE_MAX_ };

struct cstorage_records {
	int rootfd; /* O_PATH; -1: not open */
	json_t *images[CSTORAGE_MAX_]; /* lists; NULL for a driver that was not asked for */
};

/**
 * cstorage_records_open() - the images of a storage
 * @spec: "[DRIVER@][ROOT[+RUNROOT][:OPTIONS]]"; without ROOT the user's own
 * Return: 0; -EINVAL; -EBADMSG for records that make no sense; -ENOENT without a storage.
 */
int cstorage_records_open(struct cstorage_records *ret, const char *spec, struct err *err);
void cstorage_records_done(struct cstorage_records *c);

/** cstorage_records_layers() - 0 with a new reference to the list of a driver's layers */
int cstorage_records_layers(const struct cstorage_records *c, enum cstorage_driver driver,
	json_t **ret, struct err *err);

struct cstorage_found {
	enum cstorage_driver driver;
	const json_t *image;
	const char *id, *name; /* they point into the image; @name is NULL if it has none */
};

/**
 * cstorage_records_find() - the image that a person means
 * @text: a name, NAME@DIGEST, @ID or the beginning of an id
 * Return: 0 with @ret filled, borrowed from @c; -ENOENT; -EEXIST if it may be several; -EINVAL.
 */
int cstorage_records_find(const struct cstorage_records *c, const char *text,
	struct cstorage_found *ret, struct err *err);

/** cstorage_driver_name() - "overlay", "vfs" */
const char *cstorage_driver_name(enum cstorage_driver driver);

/** cstorage_is_id() - lower-case hex digits, at least @min and at most 64 */
bool cstorage_is_id(const char *s, size_t min);
