/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * HTTP: requests whose answers are pulled as a source (the one file around libcurl)
 *
 * libcurl is loaded at the first use: linking it would cost every start of the program some five
 * milliseconds, for thirty libraries come with it.
 *
 * Redirects are followed here and not by libcurl, so that one rule decides for each hop: never from
 * https to http, at most five, no Authorization outside the first URL's scheme, host and port, and
 * no connection to link-local addresses (metadata services) or from elsewhere to loopback;
 * addresses are checked after the name was resolved.  Proxies come from the environment as libcurl
 * reads it.
 */

#include "base/err.h"
#include "image/authhdr.h"
#include "image/source.h"
#include "image/url.h"

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_HTTP_REDIRECTS	5
#define LIMIT_HTTP_HEADER_BYTES (256 << 10)

struct http_lib;

/** http_lib_open() - load libcurl; 0, or -ELIBACC with a hint if it is not installed */
int http_lib_open(struct http_lib **ret, struct err *err);
void http_lib_close(struct http_lib *lib);

struct http_options {
	unsigned int timeout_s; /* to connect, and below HTTP_LEAST_SPEED; 0: HTTP_TIMEOUT_S */
	int cancel_fd; /* readable: every request ends with -ECANCELED; -1: none */
};
#define HTTP_TIMEOUT_S	 30
#define HTTP_LEAST_SPEED 100 /* bytes a second */

/* A connection kept alive, for one thread and one request at a time. */
struct http;
int http_new(
	struct http **ret, struct http_lib *lib, const struct http_options *opts, struct err *err);
void http_free(struct http *h);

struct http_request {
	const char *method; /* NULL: GET, or POST if there is a form */
	const char *url;
	const struct url *home; /* whom we set out to talk to; other hosts are trusted less */
	const char *accept; /* NULL: anything */
	const char *authorization; /* value of the header, or NULL; dropped on a line that others
				      can read */
	const char *form; /* body of a POST, or NULL for a GET */
	uint64_t from; /* > 0: ask for the bytes from here on */
	const void *body; /* with @method, borrowed until the answer's head is there; or NULL */
	size_t body_len;
	const char *content_type; /* of @body, or NULL */
	const char *content_range; /* of @body, or NULL */
	const struct http_trust *trust; /* of @home, borrowed; NULL: the system's */
};

/* Whom to believe to be the home, and how to prove ourselves to it. */
struct http_trust {
	bool insecure; /* any certificate, and plain http also beyond loopback */
	char *ca_pem; /* more certificates of CAs, one text; or NULL */
	char *cert_path, *key_path; /* the client's own, or NULL */
};

struct http_response {
	int status;
	bool redirected; /* another origin answered than was asked */
	bool transient; /* on failure: may work if it is tried again */
	bool no_tls; /* on failure: the other side does not seem to speak TLS, or only TLS */
	char content_type[256];
	char retry_after[64];
	char content_range[128];
	char range[64]; /* of an upload: what the server has */
	char location[2048]; /* "" if there is none, or too long a one */
	uint64_t chunk_min; /* bytes that a part of an upload must have, 0: not said */
	struct challenge challenge;
	int64_t content_length; /* -1: not said */
};

/**
 * http_open() - send a request, read the head of the answer
 * Only GET and HEAD follow redirects; what holds a body goes where it was meant to go, or nowhere.
 * @resp: filled, also on failure as far as its comments say
 * @ret:  the body, owned by the caller; closed before the next request and before http_free()
 *
 * Return: 0, whatever the status; -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT, -ECONNRESET, -EPROTO
 * (TLS), -ELOOP (too many redirects), -EACCES (a redirect that is not followed), -ECANCELED.
 */
int http_open(struct http *h, const struct http_request *req, struct http_response *resp,
	struct source **ret, struct err *err);

/** http_is_transient() - did the body break off for a reason that may pass? */
bool http_is_transient(const struct http *h);
