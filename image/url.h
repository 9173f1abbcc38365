/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * URLs as far as trust is concerned: whom one talks to, and whether others can listen
 * Pure: no I/O, any thread.
 */

#include "base/err.h"

#include <stdbool.h>

#define LIMIT_URL_BYTES 16384

struct url {
	bool is_tls; /* https; else http */
	char host[256]; /* small letters, IPv6 without brackets */
	unsigned int port; /* the default filled in */
};

/**
 * url_parse() - scheme, host and port of an absolute URL
 * Return: 0; -EINVAL for another scheme, user names, control characters, or anything malformed.
 */
int url_parse(const char *text, struct url *ret);

/** url_same_origin() - the same scheme, host and port */
bool url_same_origin(const struct url *a, const struct url *b);

/** url_is_loopback() - "localhost" or below it, 127.0.0.0/8, ::1 */
bool url_is_loopback(const struct url *u);

/** url_is_private_line() - nobody else can listen: TLS, or loopback */
bool url_is_private_line(const struct url *u);

/**
 * url_may_follow() - may a response of @from send us to @to?
 * Never from https to http; to plain http only on loopback, or with @plain_allowed.
 */
bool url_may_follow(const struct url *from, const struct url *to, bool plain_allowed);

/**
 * url_may_hold_credentials() - may the credentials of @registry go to the token server @realm?
 * It must be the same host, or stand below the same parent domain (auth.docker.io for
 * registry-1.docker.io, gitlab.com for registry.gitlab.com), over a private line.  Parents of one
 * label ("io") do not count.
 */
bool url_may_hold_credentials(const struct url *registry, const struct url *realm);

/** url_escape() - percent-encode for a query; owned by the caller; NULL if out of memory */
char *url_escape(const char *s);
