/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Talking to one repository of a registry: scheme, logging in, trying again
 *
 * A request is one walk through session_perform(): the answer decides whether to log in, to wait,
 * or to give up; all loops there are bounded by RETRY_TRIES.
 *
 * Shared by the threads of a pull or a push; each brings a connection (struct http) of its own.
 */

#include "image/http.h"
#include "image/registry.h"

struct session;

/* A repository as it is asked for: a mirror's differs from what the image is called. */
struct session_place {
	char *host; /* with a port if there is one; docker.io stands for its API's host */
	char *path; /* NULL: none, for a mere login */
	bool insecure; /* any certificate, plain http */
};

/**
 * session_new() - nothing is asked yet
 * @actions: "pull" or "pull,push": what tokens are asked for
 */
int session_new(struct session **ret, const struct session_place *p, const char *actions,
	const struct registry_options *opts, struct err *err);
void session_free(struct session *s);

/** session_http() - a connection, for one thread and one request at a time */
int session_http(struct session *s, struct http **ret, struct err *err);

/** session_mount_from() - also ask for tokens that may read this repository of the registry */
int session_mount_from(struct session *s, const char *path);

/** session_host() - for messages, borrowed */
const char *session_host(const struct session *s);

enum query_flags {
	QUERY_ONCE = 1 << 0, /* log in if it must be, but do not try again */
};

struct query {
	const char *method; /* NULL: GET */
	const char *path; /* behind /v2/REPOSITORY/, … */
	const char *url; /* … or a whole URL that the registry gave; or both NULL: /v2/ */
	const char *accept;
	uint64_t from;
	const void *body;
	size_t body_len;
	const char *content_type, *content_range;
	enum query_flags flags;
};

/**
 * session_perform() - a request until it is answered for good
 * @resp: filled; its status is 2xx on success
 * @ret:  the body, owned by the caller; closed before the next request on @h
 *
 * Return: 0; -ENOENT 404; -EACCES denied; -EBUSY 429; -EREMOTEIO another status, see resp->status;
 * errors of http_open().
 */
int session_perform(struct session *s, struct http *h, const struct query *q,
	struct http_response *resp, struct source **ret, struct err *err);

/** session_back_off() - wait before try number @try_no + 1; 0 or -ECANCELED */
int session_back_off(
	struct session *s, unsigned int try_no, const char *retry_after, struct err *err);

/** session_url() - "https://host:port" and @path of the registry, owned by the caller */
char *session_url(struct session *s, const char *path);
