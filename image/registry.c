/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry as an origin (the contract is in the header)
 *
 * A request is one walk through perform(): the answer decides whether to log in, to wait, or to
 * give up; all loops there are bounded by RETRY_TRIES.  A blob is a blob_source that opens such a
 * request, and another one from its position on when the body breaks off.
 *
 * Locking: registry->lock guards base, home and authorization; it is not held during a request but
 * for the first one, which finds out the scheme, and for logging in.
 */
#include "image/registry.h"

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/ref.h"
#include "image/retry.h"
#include "image/token.h"

#include <poll.h>
#include <pthread.h>
#include <sys/random.h>

#define LIMIT_ERROR_DOCUMENT (64U << 10)
#define LIMIT_RESUMES	     50 /* of one blob; RETRY_TRIES in a row that bring nothing */

struct registry {
	struct origin origin;
	struct registry_options opts;
	struct http_lib *lib;
	struct ref ref;
	pthread_mutex_t lock;
	char *base; /* ->lock; "https://host:port", NULL until the scheme is known */
	struct url home; /* ->lock until base is set, constant then */
	char *authorization; /* ->lock; NULL: none was asked for yet */
	unsigned int logins; /* ->lock; how often authorization changed */
};

struct origin_line {
	struct http *http;
};

/* Pull of docker.io means this host. */
static const char *api_host(const struct ref *ref)
{
	return str_eq(ref->host, "docker.io") ? "registry-1.docker.io" : ref->host;
}

/* ---- the scheme ---- */

static int try_scheme(
	struct registry *reg, struct http *h, const char *scheme, bool *ret_other, struct err *err)
{
	auto_free char *base = str_format("%s://%s", scheme, api_host(&reg->ref));
	auto_free char *ping = base ? str_format("%s/v2/", base) : NULL;
	struct http_response resp = { 0 };
	struct http_request req = { .url = ping, .home = &reg->home };
	auto_source body = NULL;
	int r;

	*ret_other = false;
	if (!ping)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	if (url_parse(base, &reg->home) < 0)
		return err_say(err, -EINVAL, "'%s' is not a host name", api_host(&reg->ref));
	r = http_open(h, &req, &resp, &body, err);
	/* A server that wants TLS answers a plain request with 400, or hangs up. */
	*ret_other = r < 0 ? resp.no_tls : !reg->home.is_tls && resp.status == 400;
	if (r == 0 && !*ret_other)
		reg->base = ptr_take(&base);
	return r;
}

/* reg->lock is held. */
static int find_base(struct registry *reg, struct http *h, struct err *err)
{
	auto_free char *https = str_format("https://%s", api_host(&reg->ref));
	struct url u;
	bool other;
	int r;

	if (!https)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	if (url_parse(https, &u) < 0)
		return err_say(err, -EINVAL, "'%s' is not a host name", api_host(&reg->ref));
	if (!url_is_loopback(&u) && !reg->opts.http.plain_allowed) {
		reg->home = u;
		reg->base = ptr_take(&https);
		return 0;
	}
	/* Nobody listens on loopback; elsewhere TLS is tried first. */
	r = try_scheme(reg, h, url_is_loopback(&u) ? "http" : "https", &other, err);
	if (other)
		r = try_scheme(reg, h, url_is_loopback(&u) ? "https" : "http", &other, err);
	if (r == 0 && !reg->base)
		r = err_say(err, -EPROTO, "'%s' is not a registry", reg->ref.host);
	return r;
}

/* ---- one request ---- */

/* The authorization as it is now, and its number; the copy is owned by the caller. */
static int prepare(
	struct registry *reg, struct http *h, char **ret, unsigned int *ret_logins, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&reg->lock);
	if (!reg->base)
		r = find_base(reg, h, err);
	*ret = NULL;
	if (r == 0 && reg->authorization) {
		*ret = strdup(reg->authorization);
		if (!*ret)
			r = err_set(err, -ENOMEM, "cannot talk to a registry");
	}
	*ret_logins = reg->logins;
	pthread_mutex_unlock(&reg->lock);
	return r;
}

/* Answer a challenge, unless another thread has done so since authorization number @logins. */
static int log_in(struct registry *reg, struct http *h, const struct challenge *c,
	unsigned int logins, struct err *err)
{
	struct token_context ctx = { &reg->home, reg->ref.host, reg->ref.path, reg->opts.auth_file,
		reg->opts.http.plain_allowed };
	char *fresh;
	int r = 0;

	pthread_mutex_lock(&reg->lock);
	if (reg->logins == logins) {
		r = token_answer(h, &ctx, c, &fresh, err);
		if (r == 0) {
			free(reg->authorization);
			reg->authorization = fresh;
			reg->logins++;
		}
	}
	pthread_mutex_unlock(&reg->lock);
	return r;
}

static int wait_ms(struct registry *reg, unsigned int ms, struct err *err)
{
	struct pollfd p = { reg->opts.http.cancel_fd, POLLIN, 0 };

	/* The event is that the server's time is over, or that the pull was given up. */
	return poll(&p, 1, (int)ms) > 0 ? err_say(err, -ECANCELED, "cancelled") : 0;
}

static int back_off(
	struct registry *reg, unsigned int try_no, const char *retry_after, struct err *err)
{
	unsigned int ms;
	uint32_t n = 0;

	(void)getrandom(&n, sizeof(n), GRND_NONBLOCK);
	ms = retry_delay_ms(
		try_no, n, retry_after && *retry_after ? retry_after : NULL, time(NULL));
	log_debug("image", "retry host='%s' try=%u wait_ms=%u", reg->ref.host, try_no, ms);
	return wait_ms(reg, ms, err);
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

static int refuse(struct registry *reg, const struct http_response *resp, struct source *body,
	struct err *err)
{
	char detail[320];

	read_error(body, detail, sizeof(detail));
	switch (resp->status) {
	case 401:
	case 403:
		err_say(err, -EACCES, "'%s' denies access to '%s'%s", reg->ref.host, reg->ref.path,
			detail);
		return err_hint(err, -EACCES,
			"check the name, or log in with 'podman login %s' or 'docker login %s'",
			reg->ref.host, reg->ref.host);
	case 404:
		return err_say(err, -ENOENT, "'%s' does not have it%s", reg->ref.host, detail);
	case 429:
		return err_say(
			err, -EBUSY, "'%s' limits the number of pulls%s", reg->ref.host, detail);
	default:
		return err_say(err, -EIO, "'%s' answers with status %d%s", reg->ref.host,
			resp->status, detail);
	}
}

struct query {
	const char *path; /* behind /v2/REPOSITORY/ */
	const char *accept;
	uint64_t from;
};

/* One request; 1: log in or wait was done, ask again. */
static int perform_once(struct registry *reg, struct http *h, const struct query *q,
	unsigned int try_no, bool *logged_in, struct http_response *resp, struct source **ret,
	struct err *err)
{
	auto_free char *authorization = NULL, *url = NULL;
	struct http_request req = { .home = &reg->home, .accept = q->accept, .from = q->from };
	auto_source body = NULL;
	unsigned int logins;
	int r = prepare(reg, h, &authorization, &logins, err);

	if (r < 0)
		return r;
	url = str_format("%s/v2/%s/%s", reg->base, reg->ref.path, q->path);
	if (!url)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	req.url = url;
	req.authorization = authorization;
	r = http_open(h, &req, resp, &body, err);
	if (r < 0) {
		if (!resp->transient || try_no >= RETRY_TRIES)
			return r;
		return back_off(reg, try_no, NULL, err) < 0 ? -ECANCELED : 1;
	}
	if (resp->status == 200 || resp->status == 206) {
		*ret = ptr_take(&body);
		return 0;
	}
	/* A challenge counts only if the registry itself sends it; one answer to it is enough. */
	if (resp->status == 401 && !resp->redirected && resp->challenge.scheme && !*logged_in) {
		*logged_in = true;
		source_close(ptr_take(&body));
		r = log_in(reg, h, &resp->challenge, logins, err);
		return r < 0 ? r : 1;
	}
	if (retry_status(resp->status) && try_no < RETRY_TRIES) {
		source_close(ptr_take(&body));
		return back_off(reg, try_no, resp->retry_after, err) < 0 ? -ECANCELED : 1;
	}
	return refuse(reg, resp, body, err);
}

static int perform(struct registry *reg, struct http *h, const struct query *q,
	struct http_response *resp, struct source **ret, struct err *err)
{
	bool logged_in = false;
	int r = 1;

	for (unsigned int try_no = 1; r == 1; try_no++) {
		bool before = logged_in;

		r = perform_once(reg, h, q, try_no, &logged_in, resp, ret, err);
		/* Logging in is no failure of the request. */
		if (r == 1 && logged_in && !before)
			try_no--;
	}
	return r;
}

/* ---- manifests ---- */

static int get_document(struct registry *reg, struct origin_line *l, const char *reference,
	const struct idx_digest *want, struct document *ret, struct err *err)
{
	auto_free char *path = str_format("manifests/%s", reference);
	auto_document doc = { 0 };
	auto_source body = NULL;
	struct http_response resp;
	struct query q = { path, MEDIA_ACCEPT_MANIFESTS, 0 };
	struct hasher *hasher;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot get a manifest");
	r = perform(reg, l->http, &q, &resp, &body, err);
	if (r < 0)
		return r;
	if (resp.status != 200)
		return err_say(err, -EBADMSG, "a part was sent, but none was asked for");
	if (resp.content_length > (int64_t)LIMIT_MANIFEST_BYTES)
		return err_say(err, -EBADMSG, "the manifest has %lld bytes, the limit is %u",
			(long long)resp.content_length, LIMIT_MANIFEST_BYTES);
	r = source_read_all(body, LIMIT_MANIFEST_BYTES, &doc.data, &doc.len, err);
	if (r < 0)
		return err_wrap(err, r, "the manifest");
	r = hasher_new(&hasher, want ? want->alg : IDX_SHA256);
	if (r < 0)
		return err_set(err, r, "cannot check a manifest");
	hasher_update(hasher, doc.data, doc.len);
	hasher_finish(hasher, &doc.digest);
	hasher_free(hasher);
	if (want && !digest_eq(want, &doc.digest)) {
		char is[DIGEST_TEXT_BYTES], should[DIGEST_TEXT_BYTES];

		digest_text(&doc.digest, is);
		digest_text(want, should);
		return err_say(err, -EBADMSG, "the manifest: digest is %s, not %s", is, should);
	}
	doc.media_type = resp.content_type[0] ? strdup(resp.content_type) : NULL;
	*ret = doc;
	memset(&doc, 0, sizeof(doc));
	return 0;
}

static int registry_top(
	struct origin *o, struct origin_line *l, struct document *ret, struct err *err)
{
	struct registry *reg = (struct registry *)o;
	char digest[DIGEST_TEXT_BYTES];

	if (!reg->ref.digest.alg)
		return get_document(reg, l, reg->ref.tag, NULL, ret, err);
	digest_text(&reg->ref.digest, digest);
	return get_document(reg, l, digest, &reg->ref.digest, ret, err);
}

static int registry_manifest(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	char digest[DIGEST_TEXT_BYTES];
	int r;

	digest_text(&d->digest, digest);
	r = get_document((struct registry *)o, l, digest, &d->digest, ret, err);
	if (r < 0)
		return r;
	if (ret->len != d->size) {
		r = err_say(err, -EBADMSG, "the manifest has %zu bytes, not %llu", ret->len,
			(unsigned long long)d->size);
		document_done(ret);
	}
	return r;
}

/* ---- blobs ---- */

struct blob_source {
	struct source source;
	struct registry *reg;
	struct http *http;
	struct source *body; /* NULL between two requests */
	char path[16 + DIGEST_TEXT_BYTES];
	uint64_t size; /* by the descriptor */
	uint64_t pos; /* bytes that were lent */
	uint64_t skip; /* bytes of this body that were lent already */
	uint64_t broke_at; /* where the last body broke off */
	unsigned int resumes; /* in all */
	unsigned int in_vain; /* of these, the last ones that brought nothing */
};

/* (Re)open the body at b->pos. */
static int blob_connect(struct blob_source *b, struct err *err)
{
	struct query q = { b->path, NULL, b->pos };
	struct http_response resp;
	int r = perform(b->reg, b->http, &q, &resp, &b->body, err);

	if (r < 0)
		return r;
	b->skip = 0;
	if (resp.status == 206 && b->pos == 0)
		return err_say(err, -EBADMSG, "a part was sent, but none was asked for");
	if (resp.status == 206 && !retry_range_matches(resp.content_range, b->pos, b->size))
		return err_say(err, -EBADMSG, "asked for bytes from %llu on, got '%s'",
			(unsigned long long)b->pos, resp.content_range);
	/* A server that does not know ranges starts again. */
	if (resp.status == 200)
		b->skip = b->pos;
	return 0;
}

/* A piece of the body without what was lent before; 0 at its end. */
static int blob_piece(struct blob_source *b, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	for (;;) {
		int r = source_next(b->body, ret, ret_len, err);
		size_t drop;

		if (r <= 0)
			return r;
		drop = *ret_len < b->skip ? *ret_len : (size_t)b->skip;
		b->skip -= drop;
		*ret += drop;
		*ret_len -= drop;
		if (*ret_len > 0)
			return 1;
	}
}

static int blob_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct blob_source *b = (struct blob_source *)s;

	for (;;) {
		int r = b->body ? 0 : blob_connect(b, err);

		if (r < 0)
			return r;
		r = blob_piece(b, ret, ret_len, err);
		if (r > 0) {
			b->pos += *ret_len;
			return 1;
		}
		/* An end that the server meant is not repaired: the check above says what it is. */
		if (r == 0 || r == -ECANCELED || !http_is_transient(b->http) || b->pos >= b->size ||
			++b->resumes > LIMIT_RESUMES)
			return r;
		b->in_vain = b->pos > b->broke_at ? 1 : b->in_vain + 1;
		b->broke_at = b->pos;
		if (b->in_vain >= RETRY_TRIES)
			return r;
		source_close(ptr_take(&b->body));
		r = back_off(b->reg, b->in_vain, NULL, err);
		if (r < 0)
			return r;
	}
}

static void blob_close(struct source *s)
{
	struct blob_source *b = (struct blob_source *)s;

	source_close(b->body);
	free(b);
}

static int registry_blob(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct source **ret, struct err *err)
{
	struct blob_source *b = calloc(1, sizeof(*b));
	char digest[DIGEST_TEXT_BYTES];

	if (!b)
		return err_set(err, -ENOMEM, "cannot get a blob");
	digest_text(&d->digest, digest);
	snprintf(b->path, sizeof(b->path), "blobs/%s", digest);
	b->source = (struct source){ blob_next, blob_close };
	b->reg = (struct registry *)o;
	b->http = l->http;
	b->size = d->size;
	*ret = &b->source;
	return 0;
}

/* ---- the origin ---- */

static int registry_line_new(struct origin *o, struct origin_line **ret, struct err *err)
{
	struct registry *reg = (struct registry *)o;
	struct origin_line *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	r = http_new(&l->http, reg->lib, &reg->opts.http, err);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void registry_line_free(struct origin_line *l)
{
	if (!l)
		return;
	http_free(l->http);
	free(l);
}

static void registry_close(struct origin *o)
{
	struct registry *reg = (struct registry *)o;

	if (reg->authorization)
		explicit_bzero(reg->authorization, strlen(reg->authorization));
	free(reg->authorization);
	free(reg->base);
	free(o->name);
	ref_done(&reg->ref);
	http_lib_close(reg->lib);
	pthread_mutex_destroy(&reg->lock);
	free(reg);
}

static const struct origin_ops registry_ops = {
	.top = registry_top,
	.manifest = registry_manifest,
	.blob = registry_blob,
	.line_new = registry_line_new,
	.line_free = registry_line_free,
	.close = registry_close,
};

int registry_open(
	struct origin **ret, const char *name, const struct registry_options *opts, struct err *err)
{
	struct registry *reg = calloc(1, sizeof(*reg));
	int r;

	if (!reg)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	reg->origin.ops = &registry_ops;
	reg->opts = *opts;
	pthread_mutex_init(&reg->lock, NULL);
	r = ref_parse(name, &reg->ref, err);
	if (r == 0 && reg->ref.digest.alg) {
		/* The digest says it all; a tag beside it may have moved on. */
		free(reg->ref.tag);
		reg->ref.tag = NULL;
	}
	if (r == 0) {
		reg->origin.name = ref_text(&reg->ref);
		if (!reg->origin.name)
			r = err_set(err, -ENOMEM, "cannot talk to a registry");
	}
	if (r == 0)
		r = http_lib_open(&reg->lib, err);
	if (r < 0) {
		registry_close(&reg->origin);
		return r;
	}
	*ret = &reg->origin;
	return 0;
}
