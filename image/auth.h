/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Credentials that people keep for registries: containers' auth.json, docker's config.json
 *
 * The first file that exists and knows the registry counts: the one that was asked for, or
 * $REGISTRY_AUTH_FILE, and no other then; else $XDG_RUNTIME_DIR/containers/auth.json,
 * $XDG_CONFIG_HOME/containers/auth.json, $DOCKER_CONFIG/config.json (~/.docker), ~/.dockercfg.
 * A file's credHelpers come before its own entries, its credsStore after them.
 * Spec: containers-auth.json(5).
 */

#include "base/err.h"
#include "base/json.h"

#define LIMIT_AUTH_FILE_BYTES (1U << 20)

struct cred {
	char *user; /* NULL: there are no credentials */
	char *password;
	char *identity_token; /* NULL: none */
};

void cred_done(struct cred *c);

/** cred_copy() - 0 with @ret filled (cred_done() it), or -ENOMEM */
int cred_copy(struct cred *ret, const struct cred *c);

/**
 * auth_find() - credentials for a repository
 * @file: --authfile, or NULL
 * @host: "docker.io", "localhost:5000"
 * @path: "library/alpine": the longest key HOST/PATH… wins; NULL for a host alone
 *
 * Return: 0 with @ret filled (cred_done() it; user NULL if there are none); -ENOENT if a file that
 * was asked for is missing; -EBADMSG if a file or its entry is malformed.
 */
int auth_find(
	const char *file, const char *host, const char *path, struct cred *ret, struct err *err);

/** auth_look_up() - the same in one parsed file.  Pure. */
int auth_look_up(
	const json_t *file, const char *host, const char *path, struct cred *ret, struct err *err);

/** auth_helper_of() - the program that a file's credHelpers names for a repository, borrowed, or NULL
 */
const char *auth_helper_of(const json_t *file, const char *host, const char *path);

/** auth_basic() - the value of an Authorization header, owned by the caller; NULL: no memory */
char *auth_basic(const char *user, const char *password);

static inline void cleanup_cred(struct cred *c)
{
	cred_done(c);
}
#define auto_cred __attribute__((cleanup(cleanup_cred))) struct cred
