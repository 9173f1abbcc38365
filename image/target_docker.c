/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive as of `docker save` as a target (the contract is in image/target_files.h)
 *
 *      HEX.json     a config       HEX.tar     a layer, unpacked; HEX is of the packed blob
 *      manifest.json               which belong together, written last
 */
#include "base/json.h"
#include "base/str.h"
#include "image/decode.h"
#include "image/ref.h"
#include "image/sink.h"
#include "image/target_files.h"

struct target_docker {
	struct target target;
	struct sink *sink;
	json_t *images; /* manifest.json */
};

/* Owned by the caller; NULL if out of memory. */
static char *file_name(const struct descriptor *d)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(&d->digest, text);
	return str_format(
		"%s.%s", digest_hex(text), d->media.kind == MEDIA_CONFIG ? "json" : "tar");
}

static int docker_has(
	struct target *t, struct target_line *l, const struct descriptor *d, struct err *err)
{
	struct target_docker *td = (struct target_docker *)t;
	auto_free char *name = file_name(d);

	return name ? sink_has(td->sink, name, d->size)
		    : err_set(err, -ENOMEM, "cannot write an archive");
}

/* A source that its owner keeps. */
struct borrowed {
	struct source source;
	struct source *below;
};

static int borrowed_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	return source_next(((struct borrowed *)s)->below, ret, ret_len, err);
}

static void borrowed_close(struct source *s)
{
}

static int docker_put(struct target *t, struct target_line *l, const struct descriptor *d,
	struct source *s, struct err *err)
{
	struct target_docker *td = (struct target_docker *)t;
	struct borrowed b = { { borrowed_next, borrowed_close }, s };
	auto_free char *name = file_name(d);
	auto_source plain = NULL;
	int r;

	if (!name)
		return err_set(err, -ENOMEM, "cannot write an archive");
	if (d->media.kind == MEDIA_CONFIG)
		return sink_put(td->sink, name, d->size, s, err);
	r = source_decode_new(&plain, &b.source, d->media.codec, err);
	if (r < 0)
		return r;
	return sink_put(td->sink, name, d->media.codec == CODEC_NONE ? d->size : SINK_SIZE_UNKNOWN,
		plain, err);
}

/* The image with these layers that was put before, for one more name; or NULL. */
static json_t *find_image(struct target_docker *td, const char *config)
{
	json_t *v;
	size_t i;

	json_array_foreach (td->images, i, v)
		if (str_eq(json_get_str(v, "Config"), config))
			return v;
	return NULL;
}

static json_t *image_json(const struct manifest *m, const char *config)
{
	json_t *j = json_pack("{s:s, s:[], s:[]}", "Config", config, "RepoTags", "Layers");

	for (uint32_t i = 0; j && i < m->n_layers; i++) {
		auto_free char *layer = file_name(&m->layers[i]);

		if (!layer || json_array_append_new(
				      json_object_get(j, "Layers"), json_string(layer)) < 0) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

static int docker_put_manifest(struct target *t, struct target_line *l, const struct document *doc,
	bool is_top, struct err *err)
{
	struct target_docker *td = (struct target_docker *)t;
	auto_manifest m = { 0 };
	auto_free char *config = NULL;
	json_t *image;
	int r = manifest_parse(doc->data, doc->len, &m, err);

	if (r < 0)
		return r;
	config = file_name(&m.config);
	image = config ? find_image(td, config) : NULL;
	if (config && !image) {
		image = image_json(&m, config);
		if (json_array_append_new(td->images, image) < 0)
			image = NULL;
	}
	if (!image || (t->name && json_array_append_new(json_object_get(image, "RepoTags"),
					  json_string(t->name)) < 0))
		return err_set(err, -ENOMEM, "cannot write an archive");
	return 0;
}

static int docker_finish(struct target *t, struct err *err)
{
	struct target_docker *td = (struct target_docker *)t;
	auto_free char *text = json_dumps(td->images, JSON_COMPACT);
	int r;

	if (!text)
		return err_set(err, -ENOMEM, "cannot write an archive");
	r = sink_put_data(td->sink, "manifest.json", text, strlen(text), err);
	return r < 0 ? r : sink_finish(td->sink, err);
}

static void docker_target_close(struct target *t)
{
	struct target_docker *td = (struct target_docker *)t;

	sink_close(td->sink);
	json_decref(td->images);
	free(t->name);
	free(td);
}

static const struct target_ops docker_target_ops = {
	.has = docker_has,
	.put = docker_put,
	.put_manifest = docker_put_manifest,
	.finish = docker_finish,
	.line_new = target_no_line_new,
	.line_free = target_no_line_free,
	.close = docker_target_close,
};

/* A name that docker's readers accept: in full, with a tag. */
static int set_name(struct target *t, const char *text, struct err *err)
{
	auto_free char *full = NULL;
	int r = text ? ref_stored_name(text, &full, err) : 0;

	if (r < 0)
		return r;
	r = target_name(t, full);
	return r < 0 ? err_set(err, r, "cannot write an archive") : 0;
}

int target_docker_open(
	struct target **ret, const struct place *p, const char *tmp_dir, struct err *err)
{
	struct target_docker *td = calloc(1, sizeof(*td));
	int r;

	if (!td)
		return err_set(err, -ENOMEM, "cannot write an archive");
	td->target.ops = &docker_target_ops;
	td->target.is_serial = true;
	td->target.takes_no_index = true;
	td->images = json_array();
	r = td->images ? set_name(&td->target, p->ref, err)
		       : err_set(err, -ENOMEM, "cannot write an archive");
	if (r == 0)
		r = sink_open_tar(&td->sink, p->path, tmp_dir, err);
	if (r < 0) {
		docker_target_close(&td->target);
		return r;
	}
	*ret = &td->target;
	return 0;
}
