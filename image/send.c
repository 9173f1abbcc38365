/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Send: an image of the store to a target (the contract is in the header)
 *
 *      layer ─┬ blob kept ───────────────────────────┐
 *             ├ target has the blob ─────────────────┤
 *             ├ layer.tar, if it was never packed ───┼─▶ origin ─▶ img_copy()
 *             └ layer.tar ─ packed into tmp/ ────────┘
 */
#include "image/send.h"

#include "base/at.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/layers.h"
#include "image/layout.h"
#include "image/pack.h"

#include <fcntl.h>
#include <sys/stat.h>

#define OCI_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

enum layer_form { FORM_AS_IT_CAME, FORM_TAR, FORM_PACKED };

struct sent_layer {
	enum layer_form form;
	struct idx_digest digest; /* as sent */
	uint64_t size;
	int fd; /* FORM_PACKED; else -1 */
};

struct send {
	struct origin origin; /* what img_copy() reads from */
	struct img_store *store;
	struct target *target;
	enum send_flags flags;
	const struct copy_options *opts;
	struct img img;
	struct document doc; /* as stored */
	struct manifest manifest;
	struct sent_layer *layers;
	struct crew_job *jobs; /* of packing */
	uint32_t *packed; /* numbers of the layers that are packed */
	uint32_t n_packed;
	struct stage stage;
};

static bool is_docker(const struct send *s)
{
	return s->manifest.media_type && strstr(s->manifest.media_type, "docker");
}

/* ---- which form each layer goes in ---- */

/* The blob as it came, if it was kept; -ENOENT. */
static int open_kept(struct send *s, const struct descriptor *d)
{
	auto_free char *name = layout_blob_name(&d->digest);
	auto_fd fd = -1;
	struct stat st;

	if (!name)
		return -ENOMEM;
	fd = at_open(img_store_dirfd(s->store), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != d->size)
		return -ENOENT;
	return fd_take(&fd);
}

static int set_tar(struct send *s, uint32_t i, struct err *err)
{
	auto_fd fd = layer_lease(s->store, &s->img.diff_ids[i], err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot read a layer");
	s->layers[i].form = FORM_TAR;
	s->layers[i].digest = s->img.diff_ids[i];
	s->layers[i].size = (uint64_t)st.st_size;
	return 0;
}

static int choose_form(struct send *s, uint32_t i, struct target_line *l, struct err *err)
{
	const struct descriptor *d = &s->manifest.layers[i];
	auto_fd kept = -1;
	int r;

	if (s->flags & SEND_PLAIN)
		return set_tar(s, i, err);
	s->layers[i].digest = d->digest;
	s->layers[i].size = d->size;
	if (digest_eq(&d->digest, &s->img.diff_ids[i]))
		return set_tar(s, i, err);
	kept = open_kept(s, d);
	if (kept >= 0)
		return 0;
	r = s->target->ops->has(s->target, l, d, err);
	if (r != 0)
		return r < 0 ? r : 0;
	s->layers[i].form = FORM_PACKED;
	s->packed[s->n_packed++] = i;
	return 0;
}

static int choose_forms(struct send *s, struct err *err)
{
	struct target_line *l = NULL;
	int r = s->target->ops->line_new(s->target, &l, err);

	for (uint32_t i = 0; r == 0 && i < s->img.n_layers; i++) {
		r = choose_form(s, i, l, err);
		if (r < 0)
			err_wrap(err, r, "layer %u of %u", i + 1, s->img.n_layers);
	}
	if (l)
		s->target->ops->line_free(l);
	return r;
}

/* ---- packing ---- */

static int pack_one(void *ctx, struct crew *crew, uint32_t n, void *line, struct err *err)
{
	struct send *s = ctx;
	uint32_t i = s->packed[n];
	struct sent_layer *layer = &s->layers[i];
	auto_free char *name = str_format("packed-%u", i);
	auto_source in = NULL;
	auto_fd tar = -1;
	int r;

	tar = layer_lease(s->store, &s->img.diff_ids[i], err);
	if (tar < 0)
		return tar;
	if (!name)
		return err_set(err, -ENOMEM, "cannot pack a layer");
	crew_set_state(crew, n, PULL_RUNNING);
	layer->fd = openat(s->stage.dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (layer->fd < 0)
		return err_set(err, -errno, "cannot pack a layer");
	r = source_file_new_take_fd(&in, fd_take(&tar), err);
	if (r == 0)
		r = pack_gzip(in, layer->fd, &s->jobs[n].done, &layer->digest, &layer->size, err);
	if (r < 0)
		return err_wrap(err, r, "layer %u of %u", i + 1, s->img.n_layers);
	crew_set_state(crew, n, PULL_DONE);
	return 0;
}

static void note_packing(const struct send *s)
{
	auto_free char *text = str_format("%u of %u layers were not kept as they came and are "
					  "packed anew, so the digest of the manifest changes "
					  "(pull with --keep-blobs to avoid it)",
		s->n_packed, s->img.n_layers);

	if (text && s->opts->view.note)
		s->opts->view.note(s->opts->view.ctx, text);
}

static int pack_layers(struct send *s, struct err *err)
{
	struct crew_task task = { .jobs = s->jobs,
		.n_jobs = s->n_packed,
		.n_threads = s->opts->jobs ? s->opts->jobs : COPY_JOBS,
		.name = s->origin.name,
		.doing = "packing",
		.view = &s->opts->view,
		.cancel_fd = -1,
		.work = pack_one,
		.ctx = s };
	int r;

	if (s->n_packed == 0)
		return 0;
	note_packing(s);
	for (uint32_t n = 0; n < s->n_packed; n++) {
		uint32_t i = s->packed[n];
		auto_fd tar = layer_lease(s->store, &s->img.diff_ids[i], err);
		struct stat st;

		if (tar < 0)
			return tar;
		s->jobs[n].digest = s->img.diff_ids[i];
		s->jobs[n].size = fstat(tar, &st) == 0 ? (uint64_t)st.st_size : 0;
	}
	r = store_stage_new(s->store, &s->stage, err);
	return r < 0 ? r : crew_run(&task, err);
}

/* ---- the manifest as it is sent ---- */

static const char *layer_type(const struct send *s, enum layer_form form)
{
	if (is_docker(s) || (s->flags & SEND_PLAIN))
		return form == FORM_TAR ? DOCKER_LAYER : DOCKER_LAYER ".gzip";
	return form == FORM_TAR ? OCI_LAYER : OCI_LAYER "+gzip";
}

/* Layer @i of the manifest, changed to what is sent. */
static int change_layer(const struct send *s, json_t *layer, uint32_t i)
{
	const struct sent_layer *sent = &s->layers[i];
	char digest[DIGEST_TEXT_BYTES];

	if (digest_eq(&sent->digest, &s->manifest.layers[i].digest))
		return 0;
	digest_text(&sent->digest, digest);
	if (json_object_set_new(layer, "mediaType", json_string(layer_type(s, sent->form))) < 0 ||
		json_object_set_new(layer, "digest", json_string(digest)) < 0 ||
		json_object_set_new(layer, "size", json_integer((json_int_t)sent->size)) < 0)
		return -ENOMEM;
	(void)json_object_del(layer, "urls");
	/* What notes say about the packed bytes is no longer true. */
	(void)json_object_del(layer, "annotations");
	return 0;
}

static int send_top(struct origin *o, struct origin_line *l, struct document *ret, struct err *err)
{
	struct send *s = (struct send *)o;
	auto_json *j = NULL;
	bool changed = false;
	json_t *layer;
	size_t i;
	char *text;
	int r = json_parse(s->doc.data, s->doc.len, "the manifest", &j, err);

	if (r < 0)
		return r;
	json_array_foreach (json_object_get(j, "layers"), i, layer) {
		changed =
			changed || !digest_eq(&s->layers[i].digest, &s->manifest.layers[i].digest);
		if (change_layer(s, layer, (uint32_t)i) < 0)
			return err_set(err, -ENOMEM, "cannot send an image");
	}
	text = changed ? json_dumps(j, JSON_COMPACT) : strdup(s->doc.data);
	if (!text)
		return err_set(err, -ENOMEM, "cannot send an image");
	r = document_of_take(text, changed ? strlen(text) : s->doc.len, ret, err);
	if (r == 0 && s->manifest.media_type) {
		ret->media_type = strdup(s->manifest.media_type);
		if (!ret->media_type) {
			document_done(ret);
			r = err_set(err, -ENOMEM, "cannot send an image");
		}
	}
	return r;
}

/* ---- the origin ---- */

static int send_manifest(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	return err_say(err, -ENOENT, "the store has no further manifests");
}

static int open_layer(struct send *s, uint32_t i, struct err *err)
{
	const struct sent_layer *layer = &s->layers[i];
	auto_free char *name = NULL;
	int fd;

	switch (layer->form) {
	case FORM_TAR:
		return layer_lease(s->store, &s->img.diff_ids[i], err);
	case FORM_PACKED:
		/* An offset of its own, for the blob may be read twice. */
		name = str_format("packed-%u", i);
		fd = name ? openat(s->stage.dirfd, name, O_RDONLY | O_CLOEXEC) : -1;
		return fd < 0 ? err_set(err, -errno, "cannot read a packed layer") : fd;
	default:
		fd = open_kept(s, &s->manifest.layers[i]);
		return fd < 0 ? err_set(err, fd, "the blob of layer %u went away", i + 1) : fd;
	}
}

static int send_blob(struct origin *o, struct origin_line *l, const struct descriptor *d,
	uint64_t from, struct source **ret, struct err *err)
{
	struct send *s = (struct send *)o;
	int fd;

	for (uint32_t i = 0; i < s->img.n_layers; i++) {
		if (!digest_eq(&s->layers[i].digest, &d->digest))
			continue;
		fd = open_layer(s, i, err);
		return fd < 0 ? fd : source_file_new_take_fd(ret, fd, err);
	}
	fd = open_kept(s, d);
	if (fd < 0)
		return err_set(err, fd, "cannot read the image config");
	return source_file_new_take_fd(ret, fd, err);
}

static const struct origin_ops send_ops = {
	.top = send_top,
	.manifest = send_manifest,
	.blob = send_blob,
	.line_new = origin_no_line_new,
	.line_free = origin_no_line_free,
};

static void send_done(struct send *s)
{
	for (uint32_t i = 0; s->layers && i < s->img.n_layers; i++)
		if (s->layers[i].fd >= 0)
			(void)close(s->layers[i].fd);
	free(s->layers);
	free(s->jobs);
	free(s->packed);
	store_stage_done(&s->stage);
	manifest_done(&s->manifest);
	document_done(&s->doc);
	img_done(&s->img);
}

static int load(struct send *s, const char *ref, struct err *err)
{
	uint32_t n;
	int r = img_resolve(s->store, ref, &s->img, err);

	if (r == 0)
		r = store_read_blob(
			s->store, &s->img.manifest_digest, &s->doc.data, &s->doc.len, err);
	if (r == 0)
		r = manifest_parse(s->doc.data, s->doc.len, &s->manifest, err);
	if (r < 0)
		return r;
	if (s->manifest.n_layers != s->img.n_layers)
		return err_say(err, -EBADMSG, "the image has %u layers, but %u diff ids",
			s->manifest.n_layers, s->img.n_layers);
	n = s->img.n_layers;
	s->origin.name = s->img.name;
	s->layers = calloc(n + 1, sizeof(*s->layers));
	s->jobs = calloc(n + 1, sizeof(*s->jobs));
	s->packed = calloc(n + 1, sizeof(*s->packed));
	if (!s->layers || !s->jobs || !s->packed)
		return err_set(err, -ENOMEM, "cannot send an image");
	for (uint32_t i = 0; i < n; i++)
		s->layers[i].fd = -1;
	return 0;
}

int img_send(struct img_store *store, const char *ref, struct target *t, enum send_flags flags,
	const struct copy_options *opts, struct idx_digest *ret, struct err *err)
{
	struct send s = { .origin = { .ops = &send_ops },
		.store = store,
		.target = t,
		.flags = flags,
		.opts = opts,
		.img = { .lease_fd = -1 },
		.stage = { NULL, -1, -1, "" } };
	int r = load(&s, ref, err);

	if (r == 0)
		r = choose_forms(&s, err);
	if (r == 0)
		r = pack_layers(&s, err);
	if (r == 0)
		r = img_copy(&s.origin, t, opts, ret, err);
	send_done(&s);
	return r;
}
