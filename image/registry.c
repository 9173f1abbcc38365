/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry as an origin (the contract is in the header)
 *
 * A blob is a blob_source that opens a request, and another one from its position on when the body
 * breaks off.  What a mirror fails to give is asked of the next place, and last of the registry
 * itself; the digest says that it is the same.
 */
#include "image/registry.h"

#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/ref.h"
#include "image/regconf.h"
#include "image/retry.h"
#include "image/session.h"

#include <pthread.h>

#define LIMIT_RESUMES  50 /* of one blob; RETRY_TRIES in a row that bring nothing */
#define LEAST_PROGRESS (64U << 10) /* a try that brings less was in vain */

struct registry {
	struct origin origin;
	struct registry_options opts;
	struct ref ref;
	struct regconf_places places; /* mirrors, and the registry itself */
	size_t at; /* the first of them that answers; constant once the top document came */
	pthread_mutex_t lock;
	struct session **sessions; /* ->lock; one a place, NULL until it is asked */
	struct http_lib *lib;
};

struct origin_line {
	struct http *http;
};

/* ---- places ---- */

/* Credentials that a person gave are for the registry and not for its mirrors. */
static int get_session(struct registry *reg, size_t place, struct session **ret, struct err *err)
{
	const struct session_place *at = &reg->places.v[place];
	struct registry_options opts = reg->opts;
	int r = 0;

	if (!str_eq(at->host, reg->places.v[reg->places.n - 1].host))
		opts.cred = NULL;
	pthread_mutex_lock(&reg->lock);
	if (!reg->sessions[place])
		r = session_new(&reg->sessions[place], at, "pull", &opts, err);
	*ret = reg->sessions[place];
	pthread_mutex_unlock(&reg->lock);
	return r;
}

/* Turn to the place behind *@at after an error.  Return: whether there is one to be asked. */
static bool next_place(const struct registry *reg, size_t *at, int code, const struct err *err)
{
	if (code == -ECANCELED || code == -ENOMEM || *at + 1 >= reg->places.n)
		return false;
	log_debug("image", "mirror='%s' failed error='%s'", reg->places.v[*at].host,
		err ? err->text : "");
	(*at)++;
	return true;
}

/* ---- manifests ---- */

static int get_document_at(struct registry *reg, size_t place, struct origin_line *l,
	const char *reference, const struct idx_digest *want, struct document *ret, struct err *err)
{
	auto_free char *path = str_format("manifests/%s", reference);
	auto_document doc = { 0 };
	auto_source body = NULL;
	struct http_response resp;
	struct query q = { .path = path, .accept = MEDIA_ACCEPT_MANIFESTS };
	struct session *session;
	struct hasher *hasher;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot get a manifest");
	r = get_session(reg, place, &session, err);
	if (r == 0)
		r = session_perform(session, l->http, &q, &resp, &body, err);
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

/* From the place *@at on, which becomes the one that answered. */
static int get_document(struct registry *reg, size_t *at, struct origin_line *l,
	const char *reference, const struct idx_digest *want, struct document *ret, struct err *err)
{
	int r;

	do
		r = get_document_at(reg, *at, l, reference, want, ret, err);
	while (r < 0 && next_place(reg, at, r, err));
	return r;
}

static int registry_top(
	struct origin *o, struct origin_line *l, struct document *ret, struct err *err)
{
	struct registry *reg = (struct registry *)o;
	char reference[DIGEST_TEXT_BYTES];

	if (!reg->ref.digest.alg)
		return get_document(reg, &reg->at, l, reg->ref.tag, NULL, ret, err);
	digest_text(&reg->ref.digest, reference);
	return get_document(reg, &reg->at, l, reference, &reg->ref.digest, ret, err);
}

static int registry_manifest(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	struct registry *reg = (struct registry *)o;
	char digest[DIGEST_TEXT_BYTES];
	size_t at = reg->at;
	int r;

	digest_text(&d->digest, digest);
	r = get_document(reg, &at, l, digest, &d->digest, ret, err);
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
	size_t place; /* of ->reg, that is asked */
	struct session *session; /* with it */
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
	struct query q = { .path = b->path, .from = b->pos };
	struct http_response resp;
	int r = get_session(b->reg, b->place, &b->session, err);

	if (r < 0)
		return r;
	r = session_perform(b->session, b->http, &q, &resp, &b->body, err);
	if (r == -EREMOTEIO && resp.status == 416)
		return err_say(
			err, -EBADMSG, "it has no bytes from %llu on", (unsigned long long)b->pos);
	if (r < 0)
		return r;
	b->skip = 0;
	if (resp.status != 200 && resp.status != 206)
		return err_say(err, -EBADMSG, "status %d is no answer to that", resp.status);
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

/* The next bytes of this place, over as many connections as are worth it. */
static int blob_try(struct blob_source *b, const uint8_t **ret, size_t *ret_len, struct err *err)
{
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
		b->in_vain = b->pos > b->broke_at + LEAST_PROGRESS ? 1 : b->in_vain + 1;
		b->broke_at = b->pos;
		if (b->in_vain >= RETRY_TRIES)
			return r;
		source_close(ptr_take(&b->body));
		r = session_back_off(b->session, b->in_vain, NULL, err);
		if (r < 0)
			return r;
	}
}

static int blob_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct blob_source *b = (struct blob_source *)s;
	int r = blob_try(b, ret, ret_len, err);

	/* An end that comes too early is an error of this place, too. */
	while ((r < 0 || (r == 0 && b->pos < b->size)) && next_place(b->reg, &b->place, r, err)) {
		source_close(ptr_take(&b->body));
		b->resumes = b->in_vain = 0;
		r = blob_try(b, ret, ret_len, err);
	}
	return r;
}

static void blob_close(struct source *s)
{
	struct blob_source *b = (struct blob_source *)s;

	source_close(b->body);
	free(b);
}

static int registry_blob(struct origin *o, struct origin_line *l, const struct descriptor *d,
	uint64_t from, struct source **ret, struct err *err)
{
	struct blob_source *b = calloc(1, sizeof(*b));
	char digest[DIGEST_TEXT_BYTES];

	if (!b)
		return err_set(err, -ENOMEM, "cannot get a blob");
	digest_text(&d->digest, digest);
	snprintf(b->path, sizeof(b->path), "blobs/%s", digest);
	b->source = (struct source){ blob_next, blob_close };
	b->reg = (struct registry *)o;
	b->place = b->reg->at;
	b->http = l->http;
	b->size = d->size;
	b->pos = b->broke_at = from;
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

	for (size_t i = 0; reg->sessions && i < reg->places.n; i++)
		session_free(reg->sessions[i]);
	free(reg->sessions);
	pthread_mutex_destroy(&reg->lock);
	regconf_places_done(&reg->places);
	free(o->name);
	ref_done(&reg->ref);
	http_lib_close(reg->lib);
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
	r = regconf_resolve(name, &reg->ref, &reg->places, err);
	if (r == 0 && reg->ref.digest.alg) {
		/* The digest says it all; a tag beside it may have moved on. */
		free(reg->ref.tag);
		reg->ref.tag = NULL;
	}
	if (r == 0) {
		reg->origin.name = ref_text(&reg->ref);
		reg->sessions = calloc(reg->places.n, sizeof(struct session *));
		if (!reg->origin.name || !reg->sessions)
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
