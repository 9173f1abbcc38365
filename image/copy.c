/* SPDX-License-Identifier: Apache-2.0 */
/* From an origin to a target (the contract is in the header). */
#include "image/copy.h"

#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"

#define LIMIT_INDEX_DEPTH 8 /* indexes within indexes */
#define LIMIT_RESTARTS	  3 /* of one blob whose upload was lost */

struct copy {
	struct origin *origin;
	struct target *target;
	const struct copy_options *opts;
	struct origin_line *line;
	struct target_line *target_line;
	struct document *docs; /* children before the document that names them */
	size_t n_docs;
	struct descriptor *blobs; /* each digest once */
	struct crew_job *jobs;
	size_t n_blobs, blobs_room;
};

/* Both ends of one thread. */
struct ends {
	struct origin_line *from;
	struct target_line *to;
};

int copy_choose(struct origin *o, struct origin_line *l, const struct platform *platform,
	struct document *doc, struct err *err)
{
	int r = 0;

	for (int depth = 0; r == 0; depth++) {
		auto_document next = { 0 };
		auto_index x = { 0 };
		const struct descriptor *d;

		r = manifest_kind(doc->data, doc->len, doc->media_type, err);
		if (r < 0 || r == MEDIA_MANIFEST)
			return r < 0 ? r : 0;
		if (depth >= LIMIT_INDEX_DEPTH)
			return err_say(err, -EBADMSG, "indexes are nested more than %d deep",
				LIMIT_INDEX_DEPTH);
		r = index_parse(doc->data, doc->len, &x, err);
		if (r == 0)
			r = index_choose(&x, platform, &d, err);
		if (r == 0)
			r = o->ops->manifest(o, l, d, &next, err);
		if (r == 0) {
			document_done(doc);
			*doc = next;
			memset(&next, 0, sizeof(next));
		}
	}
	return r;
}

/* ---- what there is to copy ---- */

static int add_blob(struct copy *c, const struct descriptor *d, struct err *err)
{
	for (size_t i = 0; i < c->n_blobs; i++)
		if (digest_eq(&c->blobs[i].digest, &d->digest))
			return 0;
	if (c->n_blobs >= LIMIT_COPY_BLOBS)
		return err_say(err, -EFBIG, "there are more than %d blobs", LIMIT_COPY_BLOBS);
	if (c->n_blobs == c->blobs_room) {
		size_t room = c->blobs_room ? c->blobs_room * 2 : 64;
		struct descriptor *bigger = reallocarray(c->blobs, room, sizeof(*bigger));

		if (!bigger)
			return err_set(err, -ENOMEM, "cannot copy an image");
		c->blobs = bigger;
		c->blobs_room = room;
	}
	if (descriptor_copy(&c->blobs[c->n_blobs], d) < 0)
		return err_set(err, -ENOMEM, "cannot copy an image");
	c->n_blobs++;
	return 0;
}

/* @doc is moved away. */
static int add_doc(struct copy *c, struct document *doc, struct err *err)
{
	struct document *bigger = reallocarray(c->docs, c->n_docs + 1, sizeof(*bigger));

	if (!bigger)
		return err_set(err, -ENOMEM, "cannot copy an image");
	c->docs = bigger;
	c->docs[c->n_docs++] = *doc;
	memset(doc, 0, sizeof(*doc));
	return 0;
}

static int gather_manifest(struct copy *c, struct document *doc, struct err *err)
{
	auto_manifest m = { 0 };
	int r = manifest_parse_blobs(doc->data, doc->len, &m, err);

	if (r == 0)
		r = add_blob(c, &m.config, err);
	for (uint32_t i = 0; r == 0 && i < m.n_layers; i++)
		r = add_blob(c, &m.layers[i], err);
	return r < 0 ? r : add_doc(c, doc, err);
}

/* Is the document among those that were gathered? */
static bool is_known(const struct copy *c, const struct idx_digest *digest)
{
	for (size_t i = 0; i < c->n_docs; i++)
		if (digest_eq(&c->docs[i].digest, digest))
			return true;
	return false;
}

static int gather(struct copy *c, struct document *doc, int depth, struct err *err)
{
	auto_index x = { 0 };
	int r = manifest_kind(doc->data, doc->len, doc->media_type, err);

	if (r < 0)
		return r;
	if (r == MEDIA_MANIFEST)
		return gather_manifest(c, doc, err);
	if (depth >= LIMIT_INDEX_DEPTH)
		return err_say(
			err, -EBADMSG, "indexes are nested more than %d deep", LIMIT_INDEX_DEPTH);
	r = index_parse(doc->data, doc->len, &x, err);
	for (size_t i = 0; r == 0 && i < x.n; i++) {
		auto_document next = { 0 };

		if (is_known(c, &x.entries[i].digest))
			continue;
		if (c->n_docs >= LIMIT_COPY_MANIFESTS)
			return err_say(err, -EFBIG, "there are more than %d manifests",
				LIMIT_COPY_MANIFESTS);
		r = c->origin->ops->manifest(c->origin, c->line, &x.entries[i], &next, err);
		if (r == 0)
			r = gather(c, &next, depth + 1, err);
	}
	return r < 0 ? r : add_doc(c, doc, err);
}

static int gather_all(struct copy *c, struct err *err)
{
	struct platform platform = c->opts->platform;
	auto_document top = { 0 };
	int r = c->origin->ops->top(c->origin, c->line, &top, err);

	if (!platform.os[0])
		platform_host(&platform);
	if (r == 0 && !(c->opts->flags & COPY_ALL))
		r = copy_choose(c->origin, c->line, &platform, &top, err);
	if (r < 0)
		return r;
	if ((c->opts->flags & COPY_ALL) && c->target->takes_no_index &&
		manifest_kind(top.data, top.len, top.media_type, NULL) == MEDIA_INDEX)
		return err_say(err, -EINVAL, "the target holds one platform of an image only");
	return gather(c, &top, 0, err);
}

/* ---- blobs ---- */

static int put_once(struct copy *c, struct crew *crew, uint32_t i, struct ends *e, struct err *err)
{
	const struct descriptor *d = &c->blobs[i];
	auto_source checked = NULL;
	struct source *raw;
	int r = c->target->ops->has(c->target, e->to, d, err);

	if (r != 0) {
		if (r > 0)
			crew_set_state(crew, i, PULL_PRESENT);
		return r < 0 ? r : 0;
	}
	crew_set_state(crew, i, PULL_RUNNING);
	atomic_store(&c->jobs[i].done, 0);
	r = c->origin->ops->blob(c->origin, e->from, d, 0, &raw, err);
	if (r == 0)
		r = source_check_new(&checked, raw, &d->digest, d->size, &c->jobs[i].done, err);
	if (r == 0)
		r = c->target->ops->put(c->target, e->to, d, checked, err);
	/* What a target did not read to its end is not proved. */
	if (r == 0)
		r = source_check_rest(checked, err);
	if (r == 0)
		crew_set_state(crew, i, PULL_DONE);
	return r;
}

static int work(void *ctx, struct crew *crew, uint32_t i, void *line, struct err *err)
{
	struct copy *c = ctx;
	int r = put_once(c, crew, i, line, err);

	for (int n = 1; r == -ESTALE && n < LIMIT_RESTARTS; n++)
		r = put_once(c, crew, i, line, err);
	return r < 0 ? err_wrap(err, r, "blob %u of %zu", i + 1, c->n_blobs) : 0;
}

static void line_free(void *ctx, void *line)
{
	struct copy *c = ctx;
	struct ends *e = line;

	if (!e)
		return;
	if (e->from)
		c->origin->ops->line_free(e->from);
	if (e->to)
		c->target->ops->line_free(e->to);
	free(e);
}

static int line_new(void *ctx, void **ret, struct err *err)
{
	struct copy *c = ctx;
	struct ends *e = calloc(1, sizeof(*e));
	int r;

	*ret = e;
	if (!e)
		return err_set(err, -ENOMEM, "cannot copy an image");
	r = c->origin->ops->line_new(c->origin, &e->from, err);
	return r < 0 ? r : c->target->ops->line_new(c->target, &e->to, err);
}

static int move_blobs(struct copy *c, struct err *err)
{
	struct crew_task task = { .n_jobs = (uint32_t)c->n_blobs,
		.n_threads = c->target->is_serial ? 1
			     : c->opts->jobs	  ? c->opts->jobs
						  : COPY_JOBS,
		.name = c->origin->name,
		.doing = "copying",
		.view = &c->opts->view,
		.cancel_fd = c->opts->cancel_fd,
		.line_new = line_new,
		.line_free = line_free,
		.work = work,
		.ctx = c };

	c->jobs = calloc(c->n_blobs + 1, sizeof(*c->jobs));
	if (!c->jobs)
		return err_set(err, -ENOMEM, "cannot copy an image");
	task.jobs = c->jobs;
	for (size_t i = 0; i < c->n_blobs; i++) {
		c->jobs[i].digest = c->blobs[i].digest;
		c->jobs[i].size = c->blobs[i].size;
	}
	return crew_run(&task, err);
}

/* ---- all of it ---- */

static int put_manifests(struct copy *c, struct idx_digest *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_docs; i++) {
		bool is_top = i + 1 == c->n_docs;

		r = c->target->ops->put_manifest(
			c->target, c->target_line, &c->docs[i], is_top, err);
		if (r < 0)
			return err_wrap(err, r, "the manifest");
		*ret = c->docs[i].digest;
	}
	return r;
}

static void copy_done(struct copy *c)
{
	if (c->line)
		c->origin->ops->line_free(c->line);
	if (c->target_line)
		c->target->ops->line_free(c->target_line);
	for (size_t i = 0; i < c->n_docs; i++)
		document_done(&c->docs[i]);
	for (size_t i = 0; i < c->n_blobs; i++)
		descriptor_done(&c->blobs[i]);
	free(c->docs);
	free(c->blobs);
	free(c->jobs);
}

int img_copy(struct origin *o, struct target *t, const struct copy_options *opts,
	struct idx_digest *ret, struct err *err)
{
	struct copy c = { .origin = o, .target = t, .opts = opts };
	int r = o->ops->line_new(o, &c.line, err);

	if (r == 0)
		r = t->ops->line_new(t, &c.target_line, err);
	if (r == 0)
		r = gather_all(&c, err);
	if (r == 0)
		r = move_blobs(&c, err);
	if (r == 0)
		r = put_manifests(&c, ret, err);
	copy_done(&c);
	return r;
}
