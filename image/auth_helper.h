/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Credential programs: docker-credential-NAME get, store, erase
 *
 * They are named by credHelpers and credsStore of the user's own files, are found by PATH, read a
 * server or JSON on stdin and answer on stdout.
 * Spec: docker's credential helper protocol.
 */

#include "image/auth.h"

#define LIMIT_HELPER_ANSWER (1U << 20)

/** auth_helper_get() - 0 with @ret filled, user NULL if the program knows none; a negative errno */
int auth_helper_get(const char *name, const char *server, struct cred *ret, struct err *err);

/** auth_helper_store() - keep credentials for @server */
int auth_helper_store(
	const char *name, const char *server, const struct cred *cred, struct err *err);

/** auth_helper_erase() - forget them; 1 if the program knew none */
int auth_helper_erase(const char *name, const char *server, struct err *err);
