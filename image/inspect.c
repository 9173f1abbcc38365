/* SPDX-License-Identifier: Apache-2.0 */
/* What the store knows about its images (the contract is in the header). */
#include "image/inspect.h"

#include "base/str.h"
#include "image/config.h"
#include "image/layers.h"
#include "image/ref.h"
#include "image/resolve.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Size of a layer's tar; false if it is not there. */
static bool tar_size(struct img_store *s, const struct idx_digest *diff_id, uint64_t *ret)
{
	struct stat st;

	if (!layer_stat(s, diff_id, &st))
		return false;
	*ret += (uint64_t)st.st_size;
	return true;
}

static int fill_info(struct img_store *s, const struct descriptor *d, struct img_info *info)
{
	auto_config c = { 0 };
	const char *created;
	struct img img;
	json_t *labels;

	info->manifest_digest = info->id = d->digest;
	info->platform = d->platform;
	if (d->ref_name && !(info->name = strdup(d->ref_name)))
		return -ENOMEM;
	if (resolve_load(s, d, &img, NULL) < 0) {
		info->is_damaged = true;
		return 0;
	}
	info->id = img.config_digest;
	for (uint32_t i = 0; i < img.n_layers; i++)
		if (!tar_size(s, &img.diff_ids[i], &info->tar_bytes))
			info->is_damaged = true;
	if (config_parse(img.config_json, img.config_len, &c, NULL) == 0) {
		created = json_get_str(c.json, "created");
		info->created = created ? strdup(created) : NULL;
		labels = json_object_get(json_object_get(c.json, "config"), "Labels");
		info->labels = json_is_object(labels) ? json_incref(labels) : NULL;
	}
	img_done(&img);
	return 0;
}

/* The newest first; without a date last, then by name. */
static int compare(const void *pa, const void *pb)
{
	const struct img_info *a = pa, *b = pb;
	int r = strcmp(b->created ? b->created : "", a->created ? a->created : "");

	return r ? r : strcmp(a->name ? a->name : "", b->name ? b->name : "");
}

/* Append the images of one store. */
static int list_store(
	struct img_store *s, struct img_list *list, bool is_read_only, struct err *err)
{
	auto_index x = { 0 };
	auto_fd lock = store_lock(s, LOCK_SHARED, err);
	struct img_info *bigger;
	int r;

	if (lock < 0)
		return lock;
	r = names_load(s, &x, err);
	if (r < 0)
		return r;
	bigger = reallocarray(list->v, list->n + x.n + 1, sizeof(*bigger));
	if (!bigger)
		return err_set(err, -ENOMEM, "cannot list the images");
	list->v = bigger;
	for (size_t i = 0; r == 0 && i < x.n; i++) {
		struct img_info *info = &list->v[list->n++];

		*info = (struct img_info){ .is_read_only = is_read_only };
		r = fill_info(s, &x.entries[i], info);
	}
	return r < 0 ? err_set(err, r, "cannot list the images") : 0;
}

int img_list_load(struct img_store *s, struct img_list *ret, struct err *err)
{
	struct img_list list = { 0 };
	int r = list_store(s, &list, false, err);

	/* What is wrong with another's store is not this user's to mend. */
	for (size_t i = 0; r == 0 && i < img_store_n_others(s); i++)
		if (list_store(img_store_other(s, i), &list, true, NULL) == -ENOMEM)
			r = err_set(err, -ENOMEM, "cannot list the images");
	if (r < 0) {
		img_list_done(&list);
		return r;
	}
	qsort(list.v, list.n, sizeof(*list.v), compare);
	*ret = list;
	return 0;
}

void img_info_done(struct img_info *info)
{
	free(info->name);
	free(info->created);
	json_decref(info->labels);
}

void img_list_done(struct img_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		img_info_done(&list->v[i]);
	free(list->v);
	memset(list, 0, sizeof(*list));
}

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

json_t *img_list_json(const struct img_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->n; i++) {
		const struct img_info *info = &list->v[i];
		char id[DIGEST_TEXT_BYTES], digest[DIGEST_TEXT_BYTES];
		json_t *names = json_array();

		digest_text(&info->id, id);
		digest_text(&info->manifest_digest, digest);
		if (names && info->name)
			(void)json_array_append_new(names, json_string(info->name));
		if (json_array_append_new(
			    array, json_pack("{s:s, s:o, s:s, s:o, s:I, s:s, s:s, s:b}", "Id",
					   digest_hex(id), "Names", names, "Digest", digest,
					   "Created", text_or_null(info->created), "Size",
					   (json_int_t)info->tar_bytes, "Os", info->platform.os,
					   "Architecture", info->platform.arch, "Damaged",
					   info->is_damaged)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Names of the manifest, and NAME@DIGEST for each. */
static int add_names(const struct index *x, const struct img *img, json_t *tags, json_t *digests)
{
	char digest[DIGEST_TEXT_BYTES];

	digest_text(&img->manifest_digest, digest);
	for (size_t i = 0; i < x->n; i++) {
		const struct descriptor *d = &x->entries[i];
		auto_free char *by_digest = NULL;
		auto_ref ref = { 0 };

		if (!digest_eq(&d->digest, &img->manifest_digest) || !d->ref_name ||
			ref_parse(d->ref_name, &ref, NULL) < 0)
			continue;
		by_digest = str_format("%s/%s@%s", ref.host, ref.path, digest);
		if (!by_digest || json_array_append_new(digests, json_string(by_digest)) < 0 ||
			(!ref.digest.alg &&
				json_array_append_new(tags, json_string(d->ref_name)) < 0))
			return -ENOMEM;
	}
	return 0;
}

static json_t *layers_json(const struct img *img)
{
	json_t *layers = json_array();

	for (uint32_t i = 0; i < img->n_layers; i++) {
		char diff_id[DIGEST_TEXT_BYTES];

		digest_text(&img->diff_ids[i], diff_id);
		(void)json_array_append_new(layers, json_string(diff_id));
	}
	return layers;
}

/* A member of the config as it stands, or @otherwise (stolen). */
static json_t *member(const struct config *c, const char *key, json_t *otherwise)
{
	json_t *v = json_object_get(c->json, key);

	if (!v || json_is_null(v))
		return otherwise;
	json_decref(otherwise);
	return json_incref(v);
}

static json_t *image_json(
	struct img_store *s, const struct index *x, const struct img *img, const struct config *c)
{
	char id[DIGEST_TEXT_BYTES], digest[DIGEST_TEXT_BYTES], chain[DIGEST_TEXT_BYTES];
	json_t *tags = json_array(), *digests = json_array(), *labels;
	uint64_t size = 0;

	digest_text(&img->config_digest, id);
	digest_text(&img->manifest_digest, digest);
	digest_text(&img->chain_id, chain);
	for (uint32_t i = 0; i < img->n_layers; i++)
		(void)tar_size(s, &img->diff_ids[i], &size);
	if (!tags || !digests || add_names(x, img, tags, digests) < 0) {
		json_decref(tags);
		json_decref(digests);
		return NULL;
	}
	labels = json_object_get(json_object_get(c->json, "config"), "Labels");
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:I, s:s, "
			 "s:{s:s, s:o}, s:o, s:o}",
		"Id", digest_hex(id), "Digest", digest, "RepoTags", tags, "RepoDigests", digests,
		"Parent", "", "Comment", member(c, "comment", json_string("")), "Created",
		member(c, "created", json_null()), "Config", member(c, "config", json_object()),
		"Author", member(c, "author", json_string("")), "Architecture", c->platform.arch,
		"Variant", c->platform.variant, "Os", c->platform.os, "Size", (json_int_t)size,
		"ChainId", chain, "RootFS", "Type", "layers", "Layers", layers_json(img), "Labels",
		json_is_object(labels) ? json_incref(labels) : json_null(), "History",
		member(c, "history", json_array()));
}

int img_inspect(struct img_store *s, const char *ref, json_t **ret, struct err *err)
{
	auto_index x = { 0 };
	auto_config c = { 0 };
	auto_fd lock = -1;
	struct img img;
	int r = img_resolve(s, ref, &img, err);

	if (r < 0)
		return r;
	r = config_parse(img.config_json, img.config_len, &c, err);
	if (r == 0) {
		r = lock = store_lock(s, LOCK_SHARED, err);
		if (r >= 0)
			r = names_load(s, &x, err);
	}
	if (r == 0) {
		*ret = image_json(s, &x, &img, &c);
		if (!*ret)
			r = err_set(err, -ENOMEM, "cannot describe the image");
	}
	img_done(&img);
	return r;
}
