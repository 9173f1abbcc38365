/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New images of the store (the contract is in the header)
 *
 * The layer is written and published first, with a lease; config, manifest and name follow under
 * the store lock, the name last.
 */
#include "image/commit.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "image/config_change.h"
#include "image/layers.h"
#include "image/names.h"
#include "image/ref.h"

#include <fcntl.h>
#include <time.h>

#define STAGED_LAYER	 "layer"
#define MEDIA_CONFIG_OCI "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER_OCI	 "application/vnd.oci.image.layer.v1.tar"

/* The image on its way. */
struct draft {
	struct img_store *store;
	const struct img *base; /* NULL: none */
	const struct commit_options *opts;
	struct layer_stats layer;
	char created[32];
	char *name;
	json_t *config;
	char *config_text, *manifest_text;
};

static void draft_done(struct draft *d)
{
	json_decref(d->config);
	free(d->name);
	free(d->config_text);
	free(d->manifest_text);
}

/* ---- config ---- */

static void set_created(struct draft *d)
{
	time_t t = d->opts->diff.has_epoch ? (time_t)d->opts->diff.epoch : time(NULL);
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
		!strftime(d->created, sizeof(d->created), "%Y-%m-%dT%H:%M:%SZ", &tm))
		d->created[0] = '\0';
}

/* An array or object member, made if it is missing or null. */
static json_t *get_or_make(json_t *j, const char *key, json_t *(*make)(void))
{
	json_t *m = json_object_get(j, key);

	if (m && !json_is_null(m))
		return m;
	return json_object_set_new(j, key, make()) < 0 ? NULL : json_object_get(j, key);
}

static int start_config(struct draft *d, struct err *err)
{
	struct platform p = d->opts->platform;

	if (d->base)
		return json_parse(d->base->config_json, d->base->config_len, "the image config",
			&d->config, err);
	if (!p.os[0])
		platform_host(&p);
	d->config = json_pack("{s:s, s:s, s:{}}", "architecture", p.arch, "os", p.os, "config");
	if (d->config && p.variant[0])
		(void)json_object_set_new(d->config, "variant", json_string(p.variant));
	return d->config ? 0 : err_set(err, -ENOMEM, "cannot make the image's config");
}

/* A string member, or nothing for NULL. */
static int put_text(json_t *j, const char *key, const char *value, struct err *err)
{
	if (value && json_object_set_new(j, key, json_string(value)) < 0)
		return err_say(err, -EINVAL, "'%s' of the image is not UTF-8", key);
	return 0;
}

static int add_history(struct draft *d, struct err *err)
{
	const struct commit_options *o = d->opts;
	json_t *history = get_or_make(d->config, "history", json_array);
	json_t *entry = json_object();
	int r = 0;

	if (!json_is_array(history) || json_array_append_new(history, entry) < 0)
		return err_set(err, -EINVAL, "cannot add to the image's history");
	r = put_text(entry, "created", d->created, err);
	if (r == 0)
		r = put_text(entry, "created_by", o->created_by, err);
	if (r == 0)
		r = put_text(entry, "author", o->author, err);
	return r == 0 ? put_text(entry, "comment", o->message, err) : r;
}

static int fill_config(struct draft *d, struct err *err)
{
	const struct commit_options *o = d->opts;
	char diff_id[DIGEST_TEXT_BYTES];
	json_t *rootfs, *ids, *config;
	int r = start_config(d, err);

	if (r < 0)
		return r;
	config = get_or_make(d->config, "config", json_object);
	rootfs = get_or_make(d->config, "rootfs", json_object);
	ids = rootfs ? get_or_make(rootfs, "diff_ids", json_array) : NULL;
	digest_text(&d->layer.diff_id, diff_id);
	if (!json_is_object(config) || !json_is_array(ids) ||
		json_object_set_new(rootfs, "type", json_string("layers")) < 0 ||
		json_array_append_new(ids, json_string(diff_id)) < 0)
		return err_set(err, -ENOMEM, "cannot make the image's config");
	if (o->config && json_object_update(config, (json_t *)(uintptr_t)o->config) < 0)
		return err_set(err, -ENOMEM, "cannot make the image's config");
	for (size_t i = 0; o->changes && i < o->changes->n; i++) {
		r = config_change(config, o->changes->v[i], err);
		if (r < 0)
			return r;
	}
	r = put_text(d->config, "created", d->created, err);
	if (r == 0)
		r = put_text(d->config, "author", o->author, err);
	return r == 0 ? add_history(d, err) : r;
}

/* ---- manifest ---- */

static json_t *descriptor_json(const char *type, const struct idx_digest *d, uint64_t size)
{
	char digest[DIGEST_TEXT_BYTES];

	digest_text(d, digest);
	return json_pack(
		"{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)size);
}

/* The base's layers as OCI calls them: docker's types have no place in an OCI manifest. */
static int add_base_layers(struct draft *d, json_t *layers, struct err *err)
{
	static const char *const types[] = { [CODEC_NONE] = MEDIA_LAYER_OCI,
		[CODEC_GZIP] = MEDIA_LAYER_OCI "+gzip",
		[CODEC_ZSTD] = MEDIA_LAYER_OCI "+zstd" };
	auto_free char *text = NULL;
	auto_manifest m = { 0 };
	size_t len;
	int r;

	if (!d->base)
		return 0;
	r = store_read_blob(d->store, &d->base->manifest_digest, &text, &len, err);
	if (r == 0)
		r = manifest_parse(text, len, &m, err);
	for (uint32_t i = 0; r == 0 && i < m.n_layers; i++)
		if (json_array_append_new(layers, descriptor_json(types[m.layers[i].media.codec],
							  &m.layers[i].digest, m.layers[i].size)) <
			0)
			r = err_set(err, -ENOMEM, "cannot make the image's manifest");
	return r;
}

static int make_texts(struct draft *d, struct idx_digest *ret_config,
	struct idx_digest *ret_manifest, struct err *err)
{
	auto_json *m = NULL, *layers = json_array();
	int r;

	d->config_text = json_dumps(d->config, JSON_COMPACT);
	if (!d->config_text || !layers)
		return err_set(err, -ENOMEM, "cannot make the image's config");
	r = digest_of(d->config_text, strlen(d->config_text), ret_config);
	if (r == 0)
		r = add_base_layers(d, layers, err);
	if (r < 0)
		return r;
	if (json_array_append_new(layers,
		    descriptor_json(MEDIA_LAYER_OCI, &d->layer.diff_id, d->layer.tar_bytes)) < 0)
		return err_set(err, -ENOMEM, "cannot make the image's manifest");
	m = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", MEDIA_OCI_MANIFEST,
		"config", descriptor_json(MEDIA_CONFIG_OCI, ret_config, strlen(d->config_text)),
		"layers", layers);
	d->manifest_text = m ? json_dumps(m, JSON_COMPACT) : NULL;
	if (!d->manifest_text)
		return err_set(err, -ENOMEM, "cannot make the image's manifest");
	if (strlen(d->manifest_text) > LIMIT_MANIFEST_BYTES ||
		strlen(d->config_text) > LIMIT_MANIFEST_BYTES)
		return err_say(err, -EFBIG, "the image's config or manifest becomes too large");
	return digest_of(d->manifest_text, strlen(d->manifest_text), ret_manifest);
}

/* ---- the store ---- */

/* The entry of index.json; without a name unless an image has the manifest already. */
static int set_entry(struct draft *d, const struct idx_digest *manifest, struct err *err)
{
	auto_index x = { 0 };
	struct descriptor e = { .digest = *manifest,
		.size = strlen(d->manifest_text),
		.media_type = (char *)MEDIA_OCI_MANIFEST,
		.ref_name = d->name };
	int r = names_load(d->store, &x, err);

	if (r < 0)
		return r;
	(void)platform_set(&e.platform, json_get_str(d->config, "os"),
		json_get_str(d->config, "architecture"), json_get_str(d->config, "variant"));
	r = d->name ? names_set(&x, &e) : names_add_unnamed(&x, &e);
	if (r < 0)
		return err_set(err, r, "cannot store the image's name");
	return names_save(d->store, &x, err);
}

static int store_draft(struct draft *d, struct commit_result *ret, struct err *err)
{
	struct idx_digest config, manifest;
	auto_fd lock = -1;
	int r = fill_config(d, err);

	if (r == 0)
		r = make_texts(d, &config, &manifest, err);
	if (r == 0)
		r = lock = store_lock(d->store, LOCK_EXCLUSIVE, err);
	if (r >= 0)
		r = store_put_blob(d->store, &config, d->config_text, strlen(d->config_text), err);
	if (r >= 0)
		r = store_put_blob(
			d->store, &manifest, d->manifest_text, strlen(d->manifest_text), err);
	if (r >= 0)
		r = set_entry(d, &manifest, err);
	if (r < 0)
		return r;
	ret->name = ptr_take(&d->name);
	ret->config_digest = config;
	ret->diff_id = d->layer.diff_id;
	return 0;
}

/* A layer of these bytes may be there already, sound: then it is used. */
static int publish(struct draft *d, struct stage *stage, struct err *err)
{
	int lease = layer_lease(d->store, &d->layer.diff_id, NULL);
	struct idx *x;

	if (lease >= 0) {
		if (layer_open_index(d->store, &d->layer.diff_id, lease, &x, NULL) == 0) {
			idx_close(x);
			return lease;
		}
		(void)close(lease);
	}
	return layer_publish(d->store, stage->dirfd, STAGED_LAYER, &d->layer.diff_id, err);
}

static int draft_init(struct draft *d, struct stage *stage, int *ret_dirfd, struct err *err)
{
	int r = d->opts->name ? ref_stored_name(d->opts->name, &d->name, err) : 0;

	set_created(d);
	if (r == 0)
		r = store_stage_new(d->store, stage, err);
	if (r < 0)
		return r;
	*ret_dirfd = at_mkdir_p(stage->dirfd, STAGED_LAYER, 0700);
	return *ret_dirfd < 0 ? err_set(err, *ret_dirfd, "cannot make the layer") : 0;
}

/* layer.tar from the upper, then its index from the tar. */
static int write_layer(struct draft *d, const struct upper_view *view, int dirfd,
	struct layer_diff_stats *stats, struct err *err)
{
	auto_fd tar = openat(dirfd, "layer.tar", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	auto_fd idx = openat(dirfd, "layer.idx", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (tar < 0 || idx < 0)
		return err_set(err, -errno, "cannot make the layer");
	r = layer_diff_write(view, tar, &d->opts->diff, stats, err);
	return r < 0 ? r : layer_index(tar, idx, IDX_SHA256, &d->layer, err);
}

int img_commit(struct img_store *s, const struct img *base, const struct upper_view *view,
	const struct commit_options *opts, struct commit_result *ret, struct err *err)
{
	struct draft d = { .store = s, .base = base, .opts = opts };
	auto_stage stage = { NULL, -1, -1, "" };
	auto_fd dirfd = -1, lease = -1;
	struct commit_result result = { 0 };
	int r = draft_init(&d, &stage, &dirfd, err);

	if (r == 0)
		r = write_layer(&d, view, dirfd, &result.stats, err);
	if (r == 0)
		r = lease = publish(&d, &stage, err);
	if (r >= 0)
		r = store_draft(&d, &result, err);
	draft_done(&d);
	if (r == 0)
		*ret = result;
	return r;
}

int img_import(struct img_store *s, struct source *src, const struct commit_options *opts,
	struct commit_result *ret, struct err *err)
{
	struct draft d = { .store = s, .opts = opts };
	auto_stage stage = { NULL, -1, -1, "" };
	auto_fd dirfd = -1, lease = -1;
	struct commit_result result = { 0 };
	int r = draft_init(&d, &stage, &dirfd, err);

	if (r == 0)
		r = layer_write(src, dirfd, NULL, &d.layer, err);
	if (r == 0)
		r = lease = publish(&d, &stage, err);
	if (r >= 0)
		r = store_draft(&d, &result, err);
	draft_done(&d);
	if (r == 0)
		*ret = result;
	return r;
}
