/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Names of images: [HOST[:PORT]/]PATH[:TAG][@DIGEST]
 *
 *      alpine                  docker.io/library/alpine:latest
 *      user/app:1              docker.io/user/app:1
 *      localhost:5000/x        localhost:5000/x:latest
 *      quay.io/a/b@sha256:…    as it stands
 *
 * The first component is a host if it holds a dot or a colon, is "localhost", or stands in
 * brackets; else the host is docker.io.  Pure: no I/O, any thread.
 * Spec: OCI distribution-spec, "Pulling manifests"; the host rule is docker's.
 */

#include "base/err.h"
#include "overlay/index_format.h"

#include <stdbool.h>

#define LIMIT_REF_NAME_BYTES 255 /* host, slash and path */
#define LIMIT_REF_TAG_BYTES  128

struct ref {
	char *host; /* with the port if there is one */
	char *path; /* "library/alpine" */
	char *tag; /* NULL: only a digest was given */
	struct idx_digest digest; /* alg 0: none */
	bool is_short; /* the text named no host, so docker.io was assumed */
};

/**
 * ref_parse() - strict; a leading "docker://" is dropped
 * A name without tag and digest gets the tag "latest".
 *
 * Return: 0 with @ret filled (ref_done() it); -EINVAL with a text that says what is wrong; -ENOMEM.
 */
int ref_parse(const char *text, struct ref *ret, struct err *err);
void ref_done(struct ref *ref);

/** ref_text() - the full name, owned by the caller; NULL if out of memory */
char *ref_text(const struct ref *ref);

/**
 * ref_stored_name() - the full name that a person gives to an image of the store
 * A short name stands below localhost/: it is not docker.io's.
 * Return: 0 with @ret owned by the caller; -EINVAL, also for a digest; -ENOMEM.
 */
int ref_stored_name(const char *text, char **ret, struct err *err);

/** ref_tag_is_valid() - [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} */
bool ref_tag_is_valid(const char *tag);

/**
 * ref_local_name() - a name below localhost/ for an image that came from a directory
 * @base: last component of the directory's path, any bytes: capitals become small, runs of what a
 *        name must not hold become one dash
 * @tag:  a valid tag
 *
 * Return: "localhost/BASE:TAG", owned by the caller; NULL if out of memory.
 */
char *ref_local_name(const char *base, const char *tag);

static inline void cleanup_ref(struct ref *ref)
{
	ref_done(ref);
}
#define auto_ref __attribute__((cleanup(cleanup_ref))) struct ref
