/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of docker's archives (the contract is in the header). */
#include "image/docker_archive.h"

#include "base/str.h"
#include "image/blob_source.h"
#include "image/config.h"
#include "image/manifest_make.h"
#include "image/ref.h"

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_CONFIG	"application/vnd.docker.container.image.v1+json"
#define DOCKER_LAYER	"application/vnd.docker.image.rootfs.diff.tar"
#define LIMIT_IMAGES	10000

struct docker_archive {
	struct origin origin;
	struct files *files;
	json_t *images;
	struct docker_image image;
	struct made_blob *blobs; /* the config, then the layers; lowest first */
	const char **names; /* their files; they point into ->images */
	size_t n_blobs;
};

/* ---- manifest.json ---- */

static bool is_list_of_strings(const json_t *j)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(j))
		return false;
	json_array_foreach ((json_t *)j, i, v)
		if (!json_is_string(v))
			return false;
	return true;
}

struct docker_image docker_image_get(const json_t *images, size_t i)
{
	const json_t *j = json_array_get(images, i), *tags = json_object_get(j, "RepoTags");

	return (struct docker_image){ json_get_str(j, "Config"), json_is_array(tags) ? tags : NULL,
		json_object_get(j, "Layers") };
}

int docker_images_load(struct files *f, json_t **ret, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	size_t len;
	int r = files_read(f, "manifest.json", LIMIT_MANIFEST_BYTES, &data, &len, err);

	if (r == 0)
		r = json_parse(data, len, "manifest.json", &j, err);
	if (r < 0)
		return r;
	if (!json_is_array(j) || json_array_size(j) > LIMIT_IMAGES)
		return err_say(err, -EBADMSG, "manifest.json is no list of images");
	for (size_t i = 0; i < json_array_size(j); i++) {
		struct docker_image m = docker_image_get(j, i);

		if (!m.config || !is_list_of_strings(m.layers) ||
			(m.tags && !is_list_of_strings(m.tags)))
			return err_say(
				err, -EBADMSG, "image %zu of manifest.json is not valid", i + 1);
		if (json_array_size(m.layers) > LIMIT_IDX_LAYERS)
			return err_say(err, -EBADMSG, "image %zu has too many layers", i + 1);
	}
	*ret = ptr_take(&j);
	return 0;
}

static bool has_tag(const struct docker_image *m, const char *want)
{
	const json_t *v;
	size_t i;

	json_array_foreach ((json_t *)m->tags, i, v) {
		auto_free char *full = NULL;
		auto_ref ref = { 0 };

		if (ref_parse(json_string_value(v), &ref, NULL) < 0)
			continue;
		full = ref_text(&ref);
		if (full && str_eq(full, want))
			return true;
	}
	return false;
}

/* Return: the image's place in manifest.json. */
static int choose(const json_t *images, const char *text, struct err *err)
{
	auto_free char *full = NULL;
	auto_ref ref = { 0 };
	size_t n = json_array_size(images);
	uint64_t number;
	int r;

	if (!text && n == 1)
		return 0;
	if (!text) {
		err_say(err, -EINVAL, "the archive has %zu images", n);
		return err_hint(err, -EINVAL,
			"name one behind a colon, or as :@0 the first; 'lamina load' takes all");
	}
	if (text[0] == '@') {
		if (str_to_u64(text + 1, INT32_MAX, &number) < 0 || number >= n)
			return err_say(
				err, -ENOENT, "the archive has no image '%s', but %zu", text, n);
		return (int)number;
	}
	r = ref_parse(text, &ref, err);
	if (r < 0)
		return r;
	full = ref_text(&ref);
	for (size_t i = 0; full && i < n; i++) {
		struct docker_image m = docker_image_get(images, i);

		if (has_tag(&m, full))
			return (int)i;
	}
	return err_say(err, -ENOENT, "the archive has no image '%s'", text);
}

/* ---- blobs ---- */

/* Size and, if it is to be computed, the digest of a file. */
static int measure(
	struct files *f, const char *name, struct made_blob *b, bool is_layer, struct err *err)
{
	auto_source s = NULL;
	struct hasher *h;
	const uint8_t *data;
	size_t len;
	bool first = true;
	int r = files_source(f, name, &s, &b->size, err);

	if (r == 0)
		r = hasher_new(&h, IDX_SHA256);
	if (r < 0)
		return r;
	while ((r = source_next(s, &data, &len, err)) > 0) {
		/* A plain layer's digest is its diff id, which the pull checks. */
		if (is_layer && first && !(len > 3 && (data[0] == 0x1f || data[0] == 0x28)))
			break;
		first = false;
		hasher_update(h, data, len);
	}
	if (r == 0 && (!is_layer || !first))
		hasher_finish(h, &b->digest);
	hasher_free(h);
	return r < 0 ? r : 0;
}

static int read_config(struct docker_archive *a, struct config *ret, struct err *err)
{
	auto_free char *data = NULL;
	size_t len;
	int r = files_read(a->files, a->image.config, LIMIT_MANIFEST_BYTES, &data, &len, err);

	return r < 0 ? r : config_parse(data, len, ret, err);
}

static int find_blobs(struct docker_archive *a, struct err *err)
{
	size_t n = json_array_size(a->image.layers);
	auto_config config = { 0 };
	int r = read_config(a, &config, err);

	if (r < 0)
		return r;
	if (config.n_diff_ids != n)
		return err_say(err, -EBADMSG, "the image has %zu layers, but %u diff ids", n,
			config.n_diff_ids);
	a->blobs = calloc(n + 1, sizeof(*a->blobs));
	a->names = calloc(n + 1, sizeof(*a->names));
	if (!a->blobs || !a->names)
		return err_set(err, -ENOMEM, "cannot read an archive");
	a->n_blobs = n + 1;
	a->names[0] = a->image.config;
	a->blobs[0].media_type = DOCKER_CONFIG;
	r = measure(a->files, a->names[0], &a->blobs[0], false, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct made_blob *b = &a->blobs[i + 1];

		a->names[i + 1] = json_string_value(json_array_get(a->image.layers, i));
		b->media_type = DOCKER_LAYER;
		r = measure(a->files, a->names[i + 1], b, true, err);
		if (b->digest.alg)
			b->media_type = DOCKER_LAYER ".gzip";
		else
			b->digest = config.diff_ids[i];
		if (r < 0)
			err_wrap(err, r, "layer %zu of %zu", i + 1, n);
	}
	return r;
}

static int docker_top(
	struct origin *o, struct origin_line *l, struct document *ret, struct err *err)
{
	struct docker_archive *a = (struct docker_archive *)o;

	return manifest_make(DOCKER_MANIFEST, a->blobs, a->n_blobs, ret, err);
}

static int docker_manifest(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	return err_say(err, -ENOENT, "an archive of docker has no further manifests");
}

static int docker_blob(struct origin *o, struct origin_line *l, const struct descriptor *d,
	uint64_t from, struct source **ret, struct err *err)
{
	struct docker_archive *a = (struct docker_archive *)o;

	for (size_t i = 0; i < a->n_blobs; i++)
		if (digest_eq(&a->blobs[i].digest, &d->digest))
			return files_source(a->files, a->names[i], ret, NULL, err);
	return err_say(err, -ENOENT, "the archive does not have it");
}

static void docker_close(struct origin *o)
{
	struct docker_archive *a = (struct docker_archive *)o;

	json_decref(a->images);
	free(a->blobs);
	free(a->names);
	files_close(a->files);
	free(o->name);
	free(a);
}

static const struct origin_ops docker_ops = {
	.top = docker_top,
	.manifest = docker_manifest,
	.blob = docker_blob,
	.line_new = origin_no_line_new,
	.line_free = origin_no_line_free,
	.close = docker_close,
};

/* The name that was asked for, else the image's first tag, else the file's. */
static char *default_name(const struct docker_archive *a, const struct place *p)
{
	const char *tag = json_string_value(json_array_get(a->image.tags, 0)), *base;
	auto_ref ref = { 0 };

	if (p->ref && p->ref[0] != '@')
		tag = p->ref;
	if (tag && ref_parse(tag, &ref, NULL) == 0 && ref.tag && !ref.digest.alg)
		return ref_text(&ref);
	base = strrchr(p->path, '/');
	return ref_local_name(base ? base + 1 : p->path, "latest");
}

int docker_archive_open_take_files(
	struct origin **ret, struct files *files, const struct place *p, struct err *err)
{
	struct docker_archive *a = calloc(1, sizeof(*a));
	int r;

	if (!a) {
		files_close(files);
		return err_set(err, -ENOMEM, "cannot open an archive");
	}
	a->origin.ops = &docker_ops;
	a->origin.is_local = true;
	a->files = files;
	r = docker_images_load(files, &a->images, err);
	if (r == 0)
		r = choose(a->images, p->ref, err);
	if (r >= 0) {
		a->image = docker_image_get(a->images, (size_t)r);
		r = find_blobs(a, err);
	}
	if (r == 0) {
		a->origin.name = default_name(a, p);
		if (!a->origin.name)
			r = err_set(err, -ENOMEM, "cannot open an archive");
	}
	if (r < 0) {
		docker_close(&a->origin);
		return r;
	}
	*ret = &a->origin;
	return 0;
}
