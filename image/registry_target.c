/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry as a target (the contract is in image/registry.h)
 *
 *      HEAD blobs/DIGEST ─ there ─▶ done
 *        └ POST uploads/?mount= ─ 201 ─▶ done
 *            └ PATCH piece … PATCH piece ─▶ PUT ?digest=
 *
 * A piece is held in memory until the registry has it.  When the connection breaks, the registry is
 * asked how far it came, and the rest of the piece is sent again; so the source is read once.
 */
#include "image/registry.h"

#include "base/log.h"
#include "base/str.h"
#include "image/ref.h"
#include "image/regconf.h"
#include "image/retry.h"
#include "image/session.h"

#define PIECE_BYTES	  (8U << 20)
#define LIMIT_PIECE_BYTES (64U << 20) /* of what a registry may demand */

struct registry_target {
	struct target target;
	struct ref ref;
	struct session *session;
	char *mount_from; /* a repository of the same registry, or NULL */
};

struct target_line {
	struct http *http;
	char *upload; /* URL of an upload that a refused mount began, or NULL */
	uint8_t *piece;
	size_t room;
};

/* One upload. */
struct upload {
	struct registry_target *rt;
	struct http *http;
	char *url;
	uint64_t off; /* bytes that the registry has */
};

/* A request whose body does not matter. */
static int ask(struct registry_target *rt, struct http *h, const struct query *q,
	struct http_response *resp, struct err *err)
{
	auto_source body = NULL;

	return session_perform(rt->session, h, q, resp, &body, err);
}

static int set_url(struct upload *u, const char *location, struct err *err)
{
	char *url = location[0] == '/' ? session_url(u->rt->session, location) : strdup(location);

	if (!url)
		return err_set(err, -ENOMEM, "cannot upload a blob");
	free(u->url);
	u->url = url;
	return 0;
}

/* ---- is it there? ---- */

static int head(struct registry_target *rt, struct target_line *l, const struct descriptor *d,
	const char *digest, struct err *err)
{
	auto_free char *path = str_format("blobs/%s", digest);
	struct query q = { .method = "HEAD", .path = path };
	struct http_response resp;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot upload a blob");
	r = ask(rt, l->http, &q, &resp, err);
	if (r == -ENOENT)
		return 0;
	/* Where it lies answers for itself, and may know no HEAD: but there it is. */
	if (r < 0 && resp.redirected)
		return r == -ECANCELED ? r : 1;
	return r < 0 ? r : resp.content_length < 0 || (uint64_t)resp.content_length == d->size;
}

/* Return: 1 if the registry took it from the other repository. */
static int mount(
	struct registry_target *rt, struct target_line *l, const char *digest, struct err *err)
{
	auto_free char *from = url_escape(rt->mount_from), *escaped = url_escape(digest);
	auto_free char *path = NULL;
	struct upload u = { rt, l->http, NULL, 0 };
	struct query q = { .method = "POST", .body = "", .flags = QUERY_ONCE };
	struct http_response resp;
	int r;

	if (from && escaped)
		path = str_format("blobs/uploads/?mount=%s&from=%s", escaped, from);
	if (!path)
		return err_set(err, -ENOMEM, "cannot upload a blob");
	q.path = path;
	r = ask(rt, l->http, &q, &resp, err);
	/* A registry that does not let us read there just gets the bytes. */
	if (r < 0)
		return r == -ECANCELED ? r : 0;
	if (resp.status == 201)
		return 1;
	if (resp.status == 202 && resp.location[0] && set_url(&u, resp.location, err) == 0) {
		free(l->upload);
		l->upload = u.url;
	}
	return 0;
}

static int target_has(
	struct target *t, struct target_line *l, const struct descriptor *d, struct err *err)
{
	struct registry_target *rt = (struct registry_target *)t;
	char digest[DIGEST_TEXT_BYTES];
	int r;

	digest_text(&d->digest, digest);
	r = head(rt, l, d, digest, err);
	if (r == 0 && rt->mount_from)
		r = mount(rt, l, digest, err);
	return r;
}

/* ---- uploading ---- */

static int begin(struct upload *u, struct target_line *l, struct err *err)
{
	struct query q = { .method = "POST", .path = "blobs/uploads/", .body = "" };
	struct http_response resp;
	uint64_t least = PIECE_BYTES;
	int r = 0;

	if (l->upload) {
		u->url = ptr_take(&l->upload);
	} else {
		r = ask(u->rt, u->http, &q, &resp, err);
		if (r == 0 && !resp.location[0])
			r = err_say(err, -EBADMSG, "'%s' gives no place for an upload",
				session_host(u->rt->session));
		if (r == 0)
			r = set_url(u, resp.location, err);
		if (r == 0 && resp.chunk_min > least)
			least = resp.chunk_min;
	}
	if (r < 0)
		return r;
	if (least > LIMIT_PIECE_BYTES)
		return err_say(err, -EFBIG, "'%s' wants pieces of %llu bytes, the limit is %u",
			session_host(u->rt->session), (unsigned long long)least, LIMIT_PIECE_BYTES);
	if (l->room < least) {
		free(l->piece);
		l->room = 0;
		l->piece = malloc((size_t)least);
		if (!l->piece)
			return err_set(err, -ENOMEM, "cannot upload a blob");
		l->room = (size_t)least;
	}
	return 0;
}

/* "0-1023": the registry has 1024 bytes.  Return: 0 if the header says nothing of use. */
static int parse_range(const char *text, uint64_t *ret)
{
	unsigned long long last;
	int used = 0;

	if (str_starts(text, "bytes="))
		text += strlen("bytes=");
	if (sscanf(text, "0-%llu%n", &last, &used) != 1 || text[used] != '\0' ||
		last >= LIMIT_BLOB_BYTES)
		return 0;
	/* Some say 0-0 also while they have nothing; nobody sends a piece of one byte. */
	*ret = last ? last + 1 : 0;
	return 1;
}

/* Ask how far the registry came. */
static int ask_offset(struct upload *u, struct err *err)
{
	struct query q = { .url = u->url };
	struct http_response resp;
	int r = ask(u->rt, u->http, &q, &resp, err);

	if (r == -ENOENT)
		return err_say(err, -ESTALE, "the registry lost an upload");
	if (r < 0)
		return r;
	if (!parse_range(resp.range, &u->off))
		return err_say(err, -ESTALE, "the registry does not say how far an upload came");
	return resp.location[0] ? set_url(u, resp.location, err) : 0;
}

static bool is_passing(int r, const struct http_response *resp)
{
	return r == -EBUSY || (r < 0 && resp->status == 0 && resp->transient) ||
	       (r == -EREMOTEIO && (retry_status(resp->status) || resp->status == 416));
}

/* The piece that lies at @at in the blob. */
static int send_piece(
	struct upload *u, const uint8_t *data, size_t len, uint64_t at, struct err *err)
{
	unsigned int tries = 0;

	while (u->off < at + len) {
		size_t skip = (size_t)(u->off - at);
		char range[64];
		struct query q = { .method = "PATCH",
			.url = u->url,
			.body = data + skip,
			.body_len = len - skip,
			.content_type = "application/octet-stream",
			.content_range = range,
			.flags = QUERY_ONCE };
		struct http_response resp;
		int r;

		snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)u->off,
			(unsigned long long)(at + len - 1));
		r = ask(u->rt, u->http, &q, &resp, err);
		if (r == 0) {
			uint64_t before = u->off;

			if (!parse_range(resp.range, &u->off))
				u->off = at + len;
			if (resp.location[0])
				r = set_url(u, resp.location, err);
			/* A registry that takes pieces and has none of them. */
			if (r == 0 && u->off <= before && ++tries >= RETRY_TRIES)
				r = err_say(err, -EBADMSG, "the registry takes no piece of it");
		} else if (is_passing(r, &resp) && ++tries < RETRY_TRIES) {
			r = session_back_off(u->rt->session, tries, resp.retry_after, err);
			if (r == 0)
				r = ask_offset(u, err);
		}
		if (r < 0)
			return r;
		if (u->off < at || u->off > at + len)
			return err_say(err, -ESTALE, "the registry lost a part of an upload");
	}
	return 0;
}

/* PUT: the upload becomes the blob @digest; @data is the last piece, or nothing. */
static int commit(
	struct upload *u, const char *digest, const uint8_t *data, size_t len, struct err *err)
{
	auto_free char *escaped = url_escape(digest);
	auto_free char *url = NULL;
	struct query q = { .method = "PUT",
		.body = data,
		.body_len = len,
		.content_type = "application/octet-stream" };
	struct http_response resp;

	if (escaped)
		url = str_format("%s%cdigest=%s", u->url, strchr(u->url, '?') ? '&' : '?', escaped);
	if (!url)
		return err_set(err, -ENOMEM, "cannot upload a blob");
	q.url = url;
	return ask(u->rt, u->http, &q, &resp, err);
}

/* What was not read of the source's last piece. */
struct rest {
	const uint8_t *data;
	size_t len;
};

/* Return: how many bytes of a piece there are, less than the line has room for at the end. */
static ssize_t fill(struct target_line *l, struct source *s, struct rest *rest, struct err *err)
{
	size_t len = 0;

	while (len < l->room) {
		size_t n;

		if (rest->len == 0) {
			int r = source_next(s, &rest->data, &rest->len, err);

			if (r < 0)
				return r;
			if (r == 0)
				break;
		}
		n = rest->len < l->room - len ? rest->len : l->room - len;
		memcpy(l->piece + len, rest->data, n);
		rest->data += n;
		rest->len -= n;
		len += n;
	}
	return (ssize_t)len;
}

static int target_put(struct target *t, struct target_line *l, const struct descriptor *d,
	struct source *s, struct err *err)
{
	struct registry_target *rt = (struct registry_target *)t;
	struct upload u = { rt, l->http, NULL, 0 };
	struct rest rest = { NULL, 0 };
	char digest[DIGEST_TEXT_BYTES];
	uint64_t at = 0;
	ssize_t len = 0;
	int r = begin(&u, l, err);

	digest_text(&d->digest, digest);
	while (r == 0) {
		len = fill(l, s, &rest, err);
		if (len < 0)
			r = (int)len;
		/* What fits into one piece needs no PATCH. */
		if (len <= 0 || (at == 0 && (size_t)len < l->room))
			break;
		r = send_piece(&u, l->piece, (size_t)len, at, err);
		at += (uint64_t)len;
		if ((size_t)len < l->room) {
			len = 0;
			break;
		}
	}
	if (r == 0)
		r = commit(&u, digest, l->piece, (size_t)len, err);
	free(u.url);
	return r;
}

static int target_put_manifest(struct target *t, struct target_line *l, const struct document *doc,
	bool is_top, struct err *err)
{
	struct registry_target *rt = (struct registry_target *)t;
	auto_free char *type = document_type(doc), *path = NULL;
	char digest[DIGEST_TEXT_BYTES];
	struct query q = { .method = "PUT", .body = doc->data, .body_len = doc->len };
	struct http_response resp;

	digest_text(&doc->digest, digest);
	if (is_top && rt->ref.digest.alg && !digest_eq(&rt->ref.digest, &doc->digest))
		return err_say(err, -EINVAL,
			"the manifest's digest is %s, not the one that was named", digest);
	path = str_format("manifests/%s", is_top && rt->ref.tag ? rt->ref.tag : digest);
	if (!type || !path)
		return err_set(err, -ENOMEM, "cannot upload a manifest");
	q.path = path;
	q.content_type = type;
	return ask(rt, l->http, &q, &resp, err);
}

/* ---- the target ---- */

static int target_finish(struct target *t, struct err *err)
{
	return 0;
}

static int target_line_new(struct target *t, struct target_line **ret, struct err *err)
{
	struct registry_target *rt = (struct registry_target *)t;
	struct target_line *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	r = session_http(rt->session, &l->http, err);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void target_line_free(struct target_line *l)
{
	if (!l)
		return;
	http_free(l->http);
	free(l->upload);
	free(l->piece);
	free(l);
}

static void registry_target_close(struct target *t)
{
	struct registry_target *rt = (struct registry_target *)t;

	session_free(rt->session);
	ref_done(&rt->ref);
	free(rt->mount_from);
	free(t->name);
	free(rt);
}

static const struct target_ops registry_target_ops = {
	.has = target_has,
	.put = target_put,
	.put_manifest = target_put_manifest,
	.finish = target_finish,
	.line_new = target_line_new,
	.line_free = target_line_free,
	.close = registry_target_close,
};

int registry_target_open(
	struct target **ret, const char *name, const struct registry_options *opts, struct err *err)
{
	struct registry_target *rt = calloc(1, sizeof(*rt));
	auto_regconf_places places = { 0 };
	int r;

	if (!rt)
		return err_set(err, -ENOMEM, "cannot talk to a registry");
	rt->target.ops = &registry_target_ops;
	r = regconf_resolve_push(name, &rt->ref, &places, err);
	if (r == 0)
		r = session_new(&rt->session, &places.v[0], "pull,push", opts, err);
	if (r == 0) {
		rt->target.name = ref_text(&rt->ref);
		if (!rt->target.name)
			r = err_set(err, -ENOMEM, "cannot talk to a registry");
	}
	if (r < 0) {
		registry_target_close(&rt->target);
		return r;
	}
	*ret = &rt->target;
	return 0;
}

int registry_target_mount_from(struct target *t, const char *name)
{
	struct registry_target *rt = (struct registry_target *)t;
	auto_ref ref = { 0 };

	if (t->ops != &registry_target_ops || ref_parse(name, &ref, NULL) < 0 ||
		!str_eq(ref.host, rt->ref.host) || str_eq(ref.path, rt->ref.path))
		return 0;
	free(rt->mount_from);
	rt->mount_from = strdup(ref.path);
	return rt->mount_from ? session_mount_from(rt->session, ref.path) : -ENOMEM;
}
