/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Named volumes: directories of the store that outlive containers
 *
 *      volumes/<name>/_data          what containers see
 *      volumes/<name>/volume.json    when it was made, its labels; written last, so a volume is
 *                                    there when this file is
 *      volumes/.lock                 held while one is made or removed
 *
 * Which containers use a volume, their options.json say (runtime/ctropts.h).
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define LIMIT_VOLUME_NAME 128
#define VOLSTORE_OWN_LEN  64 /* of the name of a volume that nobody named: hexadecimal digits */

enum volstore_flags {
	VOLSTORE_EXISTING = 1 << 0, /* one that is there already is no error */
	VOLSTORE_ANONYMOUS = 1 << 1, /* it goes with its container */
};

/**
 * volstore_create() - make a volume
 * @name:     NULL: a name of random digits
 * @labels:   "NAME=VALUE" words; NULL: none
 * @ret_name: owned by the caller
 * Return: 0; -EEXIST; -EINVAL for a name that is none.
 */
int volstore_create(int store_fd, const char *name, const struct strv *labels, unsigned int flags,
	char **ret_name, struct err *err);

/** volstore_open() - an fd of _data; -ENOENT */
int volstore_open(int store_fd, const char *name, struct err *err);

/** volstore_list() - all names, sorted */
int volstore_list(int store_fd, struct strv *ret, struct err *err);

/** volstore_users() - ids of the containers that use a volume */
int volstore_users(int store_fd, const char *name, struct strv *ret, struct err *err);

/**
 * volstore_remove() - remove a volume that no container uses
 * In the parent namespace, since files may belong to subordinate ids.
 * Return: 0; -ENOENT; -EBUSY with the container's name.
 */
int volstore_remove(int store_fd, const char *name, struct err *err);

/** volstore_inspect() - as data, keys as podman's; a new reference */
int volstore_inspect(
	int store_fd, const char *store_path, const char *name, json_t **ret, struct err *err);

/** volstore_fill() - copy what an image has at a volume's place, if the volume is empty */
int volstore_fill(int data_fd, int from_fd);
