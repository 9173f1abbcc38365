/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * WWW-Authenticate: which scheme a registry asks for, and where tokens come from
 * Pure: no I/O, any thread.
 * Spec: RFC 9110, section 11.6.1 (several challenges may stand in one header); distribution's
 * "Token Authentication Specification".
 */

#include <stddef.h>

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

#define LIMIT_AUTH_PARAM_BYTES 2048

struct challenge {
	enum auth_scheme scheme; /* the strongest that we speak */
	char realm[LIMIT_AUTH_PARAM_BYTES]; /* "" if it was not given */
	char service[LIMIT_AUTH_PARAM_BYTES];
	char scope[LIMIT_AUTH_PARAM_BYTES];
	char error[64]; /* "insufficient_scope", "invalid_token", … */
};

/**
 * challenge_parse() - read one header's value, or a further one of the same response
 * @value: bytes of the header behind its name, NUL-terminated
 * @ret:   zeroed before the first header; a stronger challenge replaces a weaker one
 *
 * What is malformed ends the reading; challenges before it count.  A parameter that is too long
 * makes its challenge void.
 */
void challenge_parse(const char *value, struct challenge *ret);
