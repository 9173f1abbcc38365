/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to a repository (the contract is in the header)
 *
 * Locking: session->lock guards base, home, authorization and logins; it is not held during a
 * request but for the first one, which finds out the scheme, and for logging in.
 */
#include "image/session.h"

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/certs.h"
#include "image/retry.h"
#include "image/token.h"

#include <poll.h>
#include <pthread.h>
#include <sys/random.h>

#define LIMIT_ERROR_DOCUMENT (64U << 10)

struct session {
	struct registry_options opts;
	struct http_lib *lib;
	char *host, *path; /* of the API */
	const char *actions;
	char *mount_from; /* NULL: none */
	struct http_trust trust;
	pthread_mutex_t lock;
	char *base; /* ->lock; "https://host:port", NULL until the scheme is known */
	struct url home; /* ->lock until base is set, constant then */
	char *authorization; /* ->lock; NULL: none was asked for yet */
	unsigned int logins; /* ->lock; how often authorization changed */
};

/* docker.io means this host. */
static const char *api_host(const struct session *s)
{
	return str_eq(s->host, "docker.io") ? "registry-1.docker.io" : s->host;
}

/* ---- the scheme ---- */

static int try_scheme(
	struct session *s, struct http *h, const char *scheme, bool *ret_other, struct err *err)
{
	auto_free char *base = str_format("%s://%s", scheme, api_host(s));
	auto_free char *ping = base ? str_format("%s/v2/", base) : NULL;
	struct http_response resp = { 0 };
	struct http_request req = { .url = ping, .home = &s->home, .trust = &s->trust };
	auto_source body = NULL;
	int r;

	*ret_other = false;
	if (!ping)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	if (url_parse(base, &s->home) < 0)
		return err_say(err, -EINVAL, "'%s' is not a host name", api_host(s));
	r = http_open(h, &req, &resp, &body, err);
	/* A server that wants TLS answers a plain request with 400, or hangs up. */
	*ret_other = r < 0 ? resp.no_tls : !s->home.is_tls && resp.status == 400;
	if (r == 0 && !*ret_other)
		s->base = ptr_take(&base);
	return r;
}

/* s->lock is held. */
static int find_base(struct session *s, struct http *h, struct err *err)
{
	auto_free char *https = str_format("https://%s", api_host(s));
	struct url u;
	bool other;
	int r;

	if (!https)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	if (url_parse(https, &u) < 0)
		return err_say(err, -EINVAL, "'%s' is not a host name", api_host(s));
	if (!url_is_loopback(&u) && !s->trust.insecure) {
		s->home = u;
		s->base = ptr_take(&https);
		return 0;
	}
	/* Nobody listens on loopback; elsewhere TLS is tried first. */
	r = try_scheme(s, h, url_is_loopback(&u) ? "http" : "https", &other, err);
	if (other)
		r = try_scheme(s, h, url_is_loopback(&u) ? "https" : "http", &other, err);
	if (r == 0 && !s->base)
		r = err_say(err, -EPROTO, "'%s' is not a registry", s->host);
	return r;
}

/* ---- one request ---- */

/* The authorization as it is now, and its number; the copy is owned by the caller. */
static int prepare(
	struct session *s, struct http *h, char **ret, unsigned int *ret_logins, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&s->lock);
	if (!s->base)
		r = find_base(s, h, err);
	*ret = NULL;
	if (r == 0 && s->authorization) {
		*ret = strdup(s->authorization);
		if (!*ret)
			r = err_set(err, -ENOMEM, "cannot talk to a registry");
	}
	*ret_logins = s->logins;
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* Answer a challenge, unless another thread has done so since authorization number @logins. */
static int log_in(struct session *s, struct http *h, const struct challenge *c, unsigned int logins,
	struct err *err)
{
	struct token_context ctx = { .registry = &s->home,
		.host = s->host,
		.path = s->path,
		.actions = s->actions,
		.mount_from = s->mount_from,
		.auth_file = s->opts.auth_file,
		.cred = s->opts.cred,
		.trust = &s->trust };
	char *fresh;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	if (s->logins == logins) {
		r = token_answer(h, &ctx, c, &fresh, err);
		if (r == 0) {
			free(s->authorization);
			s->authorization = fresh;
			s->logins++;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int wait_ms(struct session *s, unsigned int ms, struct err *err)
{
	struct pollfd p = { s->opts.http.cancel_fd, POLLIN, 0 };

	/* The event is that the server's time is over, or that the pull was given up. */
	return poll(&p, 1, (int)ms) > 0 ? err_say(err, -ECANCELED, "cancelled") : 0;
}

int session_back_off(
	struct session *s, unsigned int try_no, const char *retry_after, struct err *err)
{
	unsigned int ms;
	uint32_t n = 0;

	(void)getrandom(&n, sizeof(n), GRND_NONBLOCK);
	ms = retry_delay_ms(
		try_no, n, retry_after && *retry_after ? retry_after : NULL, time(NULL));
	log_debug("image", "retry host='%s' try=%u wait_ms=%u", s->host, try_no, ms);
	return wait_ms(s, ms, err);
}

/* What the registry says about a refusal: {"errors":[{"code":…,"message":…}]} */
static void read_error(struct source *body, char *ret, size_t room)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	const json_t *first;
	const char *code, *message;
	size_t len;

	ret[0] = '\0';
	if (source_read_all(body, LIMIT_ERROR_DOCUMENT, &data, &len, NULL) < 0 ||
		json_parse(data, len, "", &j, NULL) < 0)
		return;
	first = json_array_get(json_object_get(j, "errors"), 0);
	code = json_get_str(first, "code");
	message = json_get_str(first, "message");
	if (code || message)
		snprintf(ret, room, " (%.60s%s%.200s)", code ? code : "",
			code && message ? ": " : "", message ? message : "");
}

static int refuse(
	struct session *s, const struct http_response *resp, struct source *body, struct err *err)
{
	char detail[320];

	read_error(body, detail, sizeof(detail));
	switch (resp->status) {
	case 401:
	case 403:
		err_say(err, -EACCES, "'%s' denies access to '%s'%s", s->host,
			s->path ? s->path : "", detail);
		return err_hint(
			err, -EACCES, "check the name, or log in with 'lamina login %s'", s->host);
	case 404:
		return err_say(err, -ENOENT, "'%s' does not have it%s", s->host, detail);
	case 429:
		return err_say(
			err, -EBUSY, "'%s' limits the number of requests%s", s->host, detail);
	default:
		return err_say(err, -EREMOTEIO, "'%s' answers with status %d%s", s->host,
			resp->status, detail);
	}
}

/* The whole URL of a query, owned by the caller; s->base is known. */
static char *query_url(const struct session *s, const struct query *q)
{
	if (q->url)
		return strdup(q->url);
	if (!q->path)
		return str_format("%s/v2/", s->base);
	return str_format("%s/v2/%s/%s", s->base, s->path, q->path);
}

/* An upload's URL is the registry's to choose, but credentials stay at home. */
static int check_given_url(
	const struct session *s, const char *url, bool *ret_home, struct err *err)
{
	struct url u;

	if (url_parse(url, &u) < 0)
		return err_say(err, -EACCES,
			"'%s' gave '%.200s' as an upload's place, which is no URL", s->host, url);
	if (!url_may_follow(&s->home, &u, s->trust.insecure))
		return err_say(
			err, -EACCES, "an upload to 'http://%s' is not done without TLS", u.host);
	*ret_home = url_same_origin(&s->home, &u);
	return 0;
}

/* What became of a request that was not answered with 2xx.  Return: 1: ask again. */
static int react(struct session *s, const struct query *q, unsigned int try_no,
	const struct http_response *resp, struct source **body, struct err *err)
{
	bool again = retry_status(resp->status) && try_no < RETRY_TRIES && !(q->flags & QUERY_ONCE);

	if (!again)
		return refuse(s, resp, *body, err);
	source_close(ptr_take(body));
	return session_back_off(s, try_no, resp->retry_after, err) < 0 ? -ECANCELED : 1;
}

/* One request; 1: log in or wait was done, ask again. */
static int perform_once(struct session *s, struct http *h, const struct query *q,
	unsigned int try_no, bool *logged_in, struct http_response *resp, struct source **ret,
	struct err *err)
{
	auto_free char *authorization = NULL, *url = NULL;
	struct http_request req = { .method = q->method,
		.home = &s->home,
		.accept = q->accept,
		.from = q->from,
		.body = q->body,
		.body_len = q->body_len,
		.content_type = q->content_type,
		.content_range = q->content_range,
		.trust = &s->trust };
	auto_source body = NULL;
	unsigned int logins;
	bool at_home = true;
	int r = prepare(s, h, &authorization, &logins, err);

	if (r < 0)
		return r;
	url = query_url(s, q);
	if (!url)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	if (q->url) {
		r = check_given_url(s, q->url, &at_home, err);
		if (r < 0)
			return r;
	}
	req.url = url;
	req.authorization = at_home ? authorization : NULL;
	r = http_open(h, &req, resp, &body, err);
	if (r < 0) {
		if (!resp->transient || try_no >= RETRY_TRIES || (q->flags & QUERY_ONCE))
			return r;
		return session_back_off(s, try_no, NULL, err) < 0 ? -ECANCELED : 1;
	}
	if (resp->status >= 200 && resp->status < 300) {
		*ret = ptr_take(&body);
		return 0;
	}
	/* A challenge counts only if the registry itself sends it; one answer to it is enough. */
	if (resp->status == 401 && at_home && !resp->redirected && resp->challenge.scheme &&
		!*logged_in) {
		*logged_in = true;
		source_close(ptr_take(&body));
		r = log_in(s, h, &resp->challenge, logins, err);
		return r < 0 ? r : 1;
	}
	return react(s, q, try_no, resp, &body, err);
}

int session_perform(struct session *s, struct http *h, const struct query *q,
	struct http_response *resp, struct source **ret, struct err *err)
{
	bool logged_in = false;
	int r = 1;

	memset(resp, 0, sizeof(*resp));
	for (unsigned int try_no = 1; r == 1; try_no++) {
		bool before = logged_in;

		r = perform_once(s, h, q, try_no, &logged_in, resp, ret, err);
		/* Logging in is no failure of the request. */
		if (r == 1 && logged_in && !before)
			try_no--;
	}
	return r;
}

/* ---- the session ---- */

static int copy_text(char **ret, const char *s)
{
	*ret = s ? strdup(s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

int session_new(struct session **ret, const struct session_place *p, const char *actions,
	const struct registry_options *opts, struct err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	s->opts = *opts;
	s->actions = actions;
	pthread_mutex_init(&s->lock, NULL);
	if (copy_text(&s->host, p->host) < 0 || copy_text(&s->path, p->path) < 0)
		r = err_set(err, -ENOMEM, "cannot talk to a registry");
	else
		r = certs_load(s->host, opts->cert_dir, &s->trust, err);
	if (opts->tls == TLS_VERIFY || opts->tls == TLS_SKIP)
		s->trust.insecure = opts->tls == TLS_SKIP;
	else
		s->trust.insecure = p->insecure;
	if (r == 0)
		r = http_lib_open(&s->lib, err);
	if (r < 0) {
		session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	if (s->authorization)
		explicit_bzero(s->authorization, strlen(s->authorization));
	free(s->authorization);
	free(s->base);
	free(s->host);
	free(s->path);
	free(s->mount_from);
	certs_done(&s->trust);
	http_lib_close(s->lib);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int session_http(struct session *s, struct http **ret, struct err *err)
{
	return http_new(ret, s->lib, &s->opts.http, err);
}

int session_mount_from(struct session *s, const char *path)
{
	free(s->mount_from);
	return copy_text(&s->mount_from, path);
}

const char *session_host(const struct session *s)
{
	return s->host;
}

char *session_url(struct session *s, const char *path)
{
	return str_format("%s%s", s->base, path);
}
