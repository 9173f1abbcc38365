/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From a challenge to an Authorization header
 *
 * Basic: the credentials themselves.  Bearer: a token that the realm gives for them, or for
 * nothing. The realm must be https whenever the registry is, and sees the credentials only if it
 * belongs to the registry (url_may_hold_credentials()) or has an entry of its own in the
 * credentials' file. Spec: distribution's "Token Authentication Specification", "Oauth2 Token
 * Authentication".
 */

#include "image/auth.h"
#include "image/http.h"

struct token_context {
	const struct url *registry;
	const char *host; /* as people write it: "docker.io" */
	const char *path; /* the repository, for the scope and for its credentials; NULL: none */
	const char *actions; /* "pull" or "pull,push" */
	const char *mount_from; /* one more repository to be read, or NULL */
	const char *auth_file;
	const struct http_trust *trust;
	const struct cred *cred; /* instead of those in files; or NULL */
};

/**
 * token_answer() - answer a challenge of the registry
 * @ret: the header's value, owned by the caller
 *
 * Return: 0; -EACCES with a text that says what is missing; errors of http_open().
 */
int token_answer(struct http *h, const struct token_context *ctx, const struct challenge *c,
	char **ret, struct err *err);
