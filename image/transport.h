/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A place opened for reading or for writing, whatever its kind. */

#include "image/origin.h"
#include "image/place.h"
#include "image/registry.h"
#include "image/target.h"

struct transport_options {
	struct registry_options registry;
	const char *tmp_dir; /* for what must be spooled; NULL: $TMPDIR, else /var/tmp */
};

/** transport_origin() - open a place for reading; 0 with @ret owned by the caller */
int transport_origin(struct origin **ret, const struct place *p,
	const struct transport_options *opts, struct err *err);

/** transport_target() - open a place for writing; 0 with @ret owned by the caller */
int transport_target(struct target **ret, const struct place *p,
	const struct transport_options *opts, struct err *err);

/* An image of an archive. */
struct listed {
	char *ref; /* what selects it, behind the archive's colon; NULL: it is the only one */
	char *name; /* full name that the archive gives to it; NULL: none */
};

/**
 * transport_list() - the images of an archive or a layout
 * @p:   its kind may be PLACE_REGISTRY, which stands for "find out"
 * @ret_kind: what it is
 * @ret: owned by the caller, for listed_free()
 * Return: the number of images; -EBADMSG if it is none of them.
 */
int transport_list(const struct place *p, const char *tmp_dir, enum place_kind *ret_kind,
	struct listed **ret, struct err *err);
void listed_free(struct listed *list, int n);
