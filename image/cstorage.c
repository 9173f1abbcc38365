/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of containers-storage (the contract is in the header)
 *
 *      NAME ─▶ images.json ─▶ manifest ─▶ config ─▶ diff ids ┐
 *                    └▶ top layer ─▶ layers.json ─▶ parents ─┴▶ tar-split + files = tars
 *
 * The storage's writers replace their records by rename, so no lock of theirs is taken.
 */
#include "image/cstorage.h"

#include "base/at.h"
#include "base/base64.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/config.h"
#include "image/cstorage_find.h"
#include "image/decode.h"
#include "image/manifest_make.h"
#include "image/ref.h"
#include "image/tar_split.h"

#include <assert.h>
#include <fcntl.h>

#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER  "application/vnd.oci.image.layer.v1.tar"

/* Where the files of a layer are, around its id. */
static const struct {
	const char *before, *behind;
} files_of[] = {
	[CSTORAGE_OVERLAY] = { "overlay/", "/diff" },
	[CSTORAGE_VFS] = { "vfs/dir/", "" },
};
static_assert(ARRAY_SIZE(files_of) == CSTORAGE_MAX_, "a place for each driver");

struct cstorage {
	struct origin origin;
	struct cstorage_records records;
	struct cstorage_found found; /* borrowed from ->records */
	json_t *layer_records;
	char *config_data;
	struct made_blob *blobs; /* the config, then the layers; lowest first */
	const char **ids; /* of the layers, as ->blobs; borrowed from ->layer_records or ->found */
	size_t n_blobs;
};

static void cstorage_close(struct origin *o)
{
	struct cstorage *c = (struct cstorage *)o;

	if (!c)
		return;
	cstorage_records_done(&c->records);
	json_decref(c->layer_records);
	free(c->config_data);
	free(c->blobs);
	free(c->ids);
	document_done(&o->original);
	free(o->name);
	free(c);
}

static inline void cleanup_cstorage(struct cstorage **c)
{
	cstorage_close((struct origin *)*c);
}
#define auto_cstorage __attribute__((cleanup(cleanup_cstorage))) struct cstorage *

/* ---- one image ---- */

/* Files are called by their keys, in base64 if those are more than letters and digits. */
static char *key_path(const struct cstorage *c, const char *key)
{
	const char *driver = cstorage_driver_name(c->found.driver);
	auto_buf b = { 0 };

	if (strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789.") == strlen(key))
		return str_format("%s-images/%s/%s", driver, c->found.id, key);
	if (base64_encode(&b, key, strlen(key)) < 0)
		return NULL;
	return str_format("%s-images/%s/=%s", driver, c->found.id, b.data);
}

static int read_key(
	const struct cstorage *c, const char *key, char **ret, size_t *ret_len, struct err *err)
{
	auto_free char *path = key_path(c, key);
	int r = path ? at_read_file(c->records.rootfd, path, LIMIT_MANIFEST_BYTES, ret, ret_len)
		     : -ENOMEM;

	return r < 0 ? err_set(err, r, "cannot read the image's '%s'", key) : 0;
}

static int read_manifest(struct cstorage *c, struct manifest *ret, struct err *err)
{
	auto_free char *data = NULL;
	size_t len;
	int r = read_key(c, "manifest", &data, &len, err);

	if (r == 0)
		r = manifest_kind(data, len, NULL, err);
	if (r == MEDIA_INDEX)
		return err_say(err, -EINVAL, "it is a list of images and not one");
	if (r >= 0)
		r = manifest_parse(data, len, ret, err);
	return r < 0 ? r : document_of_take(ptr_take(&data), len, &c->origin.original, err);
}

/* The config's digest is checked by whoever reads it as a blob. */
static int read_config(
	struct cstorage *c, struct config *ret, struct made_blob *blob, struct err *err)
{
	char key[DIGEST_TEXT_BYTES];
	auto_manifest m = { 0 };
	size_t len;
	int r = read_manifest(c, &m, err);

	if (r < 0)
		return r;
	digest_text(&m.config.digest, key);
	r = read_key(c, key, &c->config_data, &len, err);
	if (r < 0)
		return r;
	*blob = (struct made_blob){ OCI_CONFIG, m.config.digest, len };
	return config_parse(c->config_data, len, ret, err);
}

static const json_t *find_layer(const struct cstorage *c, const char *id)
{
	const json_t *v;
	size_t i;

	json_array_foreach (c->layer_records, i, v) {
		const char *is = json_get_str(v, "id");

		if (is && str_eq(is, id))
			return v;
	}
	return NULL;
}

/* From the top layer down; there must be as many as the config has diff ids. */
static int find_layers(struct cstorage *c, const struct config *config, struct err *err)
{
	const char *id = json_get_str(c->found.image, "layer");
	uint32_t n = config->n_diff_ids;

	for (uint32_t i = n; i > 0; i--) {
		const json_t *record = id && cstorage_is_id(id, 1) ? find_layer(c, id) : NULL;
		struct made_blob *b = &c->blobs[i];

		if (!record)
			return err_say(err, -EBADMSG, "layer %u of %u is missing", i, n);
		*b = (struct made_blob){ OCI_LAYER, config->diff_ids[i - 1], 0 };
		c->ids[i] = id;
		if (json_get_u64(record, "diff-size", &b->size) < 0 || b->size > LIMIT_BLOB_BYTES)
			return err_say(
				err, -EBADMSG, "the size of layer %u of %u is not known", i, n);
		id = json_get_str(record, "parent");
	}
	if (n > 0 && id && *id)
		return err_say(err, -EBADMSG, "the image has more layers than diff ids");
	return 0;
}

/* The name that was found, else the beginning of the id. */
static char *origin_name(const struct cstorage *c)
{
	auto_free char *base = NULL;
	auto_ref ref = { 0 };

	if (c->found.name && ref_parse(c->found.name, &ref, NULL) == 0 && ref.tag &&
		!ref.digest.alg)
		return ref_text(&ref);
	base = strndup(c->found.id, 12);
	return base ? ref_local_name(base, "latest") : NULL;
}

static int load_image(struct cstorage *c, struct err *err)
{
	auto_config config = { 0 };
	struct made_blob config_blob = { 0 };
	int r = cstorage_records_layers(&c->records, c->found.driver, &c->layer_records, err);

	if (r == 0)
		r = read_config(c, &config, &config_blob, err);
	if (r < 0)
		return r;
	if (config.n_diff_ids > LIMIT_IDX_LAYERS)
		return err_say(err, -EBADMSG, "the image has too many layers");
	c->n_blobs = config.n_diff_ids + 1;
	c->blobs = calloc(c->n_blobs, sizeof(*c->blobs));
	c->ids = calloc(c->n_blobs, sizeof(*c->ids));
	c->origin.name = origin_name(c);
	if (!c->blobs || !c->ids || !c->origin.name)
		return err_set(err, -ENOMEM, "cannot read an image");
	c->blobs[0] = config_blob;
	return find_layers(c, &config, err);
}

/* ---- the origin ---- */

static int cstorage_top(
	struct origin *o, struct origin_line *l, struct document *ret, struct err *err)
{
	struct cstorage *c = (struct cstorage *)o;

	return manifest_make(MEDIA_OCI_MANIFEST, c->blobs, c->n_blobs, ret, err);
}

static int cstorage_manifest(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	return err_say(err, -ENOENT, "a storage of containers has no further manifests");
}

/* The records of tar-split, unpacked. */
static int open_records(struct cstorage *c, const char *id, struct source **ret, struct err *err)
{
	auto_free char *path =
		str_format("%s-layers/%s.tar-split.gz", cstorage_driver_name(c->found.driver), id);
	struct source *packed;
	int fd, r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot read a layer");
	fd = at_open(c->records.rootfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd == -ENOENT) {
		err_say(err, -ENOENT, "'%s', which makes its tar of its files, is missing", path);
		return err_hint(err, -ENOENT, "podman save IMAGE | lamina load");
	}
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s'", path);
	r = source_file_new_take_fd(&packed, fd, err);
	return r < 0 ? r : source_decode_new(ret, packed, CODEC_GZIP, err);
}

static int open_layer(struct cstorage *c, const char *id, struct source **ret, struct err *err)
{
	auto_free char *files = str_format(
		"%s%s%s", files_of[c->found.driver].before, id, files_of[c->found.driver].behind);
	struct source *records;
	auto_fd dirfd = -1;
	int r;

	if (!files)
		return err_set(err, -ENOMEM, "cannot read a layer");
	dirfd = at_open(c->records.rootfd, files, O_PATH | O_DIRECTORY, 0);
	if (dirfd < 0)
		return err_set(err, dirfd, "cannot open '%s'", files);
	r = open_records(c, id, &records, err);
	return r < 0 ? r : source_tar_split_new_take(ret, records, fd_take(&dirfd), err);
}

/* Bytes that are in memory as long as the origin is. */
struct memory_source {
	struct source source;
	const char *data;
	size_t len;
};

static int memory_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct memory_source *m = (struct memory_source *)s;

	*ret = (const uint8_t *)m->data;
	*ret_len = m->len;
	m->len = 0;
	return *ret_len > 0;
}

static void memory_close(struct source *s)
{
	free(s);
}

static int cstorage_blob(struct origin *o, struct origin_line *line, const struct descriptor *d,
	uint64_t from, struct source **ret, struct err *err)
{
	struct cstorage *c = (struct cstorage *)o;
	struct memory_source *m;

	for (size_t i = 1; i < c->n_blobs; i++)
		if (digest_eq(&c->blobs[i].digest, &d->digest))
			return open_layer(c, c->ids[i], ret, err);
	if (!digest_eq(&c->blobs[0].digest, &d->digest))
		return err_say(err, -ENOENT, "the storage of containers does not have it");
	m = malloc(sizeof(*m));
	if (!m)
		return err_set(err, -ENOMEM, "cannot read a config");
	*m = (struct memory_source){ { memory_next, memory_close }, c->config_data,
		c->blobs[0].size };
	*ret = &m->source;
	return 0;
}

static const struct origin_ops cstorage_ops = {
	.top = cstorage_top,
	.manifest = cstorage_manifest,
	.blob = cstorage_blob,
	.line_new = origin_no_line_new,
	.line_free = origin_no_line_free,
	.close = cstorage_close,
};

int cstorage_open(struct origin **ret, const struct place *p, struct err *err)
{
	auto_cstorage c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(err, -ENOMEM, "cannot open a storage of containers");
	c->origin.ops = &cstorage_ops;
	c->origin.is_local = true;
	c->records.rootfd = -1;
	if (!p->ref) {
		err_say(err, -EINVAL, "the image's name is missing behind 'containers-storage:'");
		return err_hint(err, -EINVAL, "'lamina load -i containers-storage:' takes all");
	}
	r = cstorage_records_open(&c->records, p->path, err);
	if (r == 0)
		r = cstorage_records_find(&c->records, p->ref, &c->found, err);
	if (r == 0)
		r = load_image(c, err);
	if (r < 0)
		return r;
	*ret = &ptr_take(&c)->origin;
	return 0;
}

/* ---- all images ---- */

static int add_listed(struct listed **list, int *n, const char *ref, const char *name)
{
	struct listed *bigger = reallocarray(*list, (size_t)*n + 1, sizeof(**list));
	struct listed *l;

	if (!bigger)
		return -ENOMEM;
	*list = bigger;
	l = &bigger[(*n)++];
	*l = (struct listed){ strdup(ref), name ? strdup(name) : NULL };
	return l->ref && (!name || l->name) ? 0 : -ENOMEM;
}

static int add_names(struct listed **list, int *n, const json_t *image)
{
	const char *id = json_get_str(image, "id");
	bool named = false;
	const json_t *v;
	size_t i;

	if (!id || !cstorage_is_id(id, 1))
		return 0;
	json_array_foreach (json_object_get(image, "names"), i, v) {
		const char *name = json_string_value(v);
		auto_ref ref = { 0 };

		if (!name || ref_parse(name, &ref, NULL) < 0 || ref.digest.alg)
			continue;
		named = true;
		if (add_listed(list, n, name, name) < 0)
			return -ENOMEM;
	}
	return named ? 0 : add_listed(list, n, id, NULL);
}

int cstorage_list(const struct place *p, struct listed **ret, struct err *err)
{
	struct cstorage_records c = { .rootfd = -1 };
	struct listed *list = NULL;
	const json_t *image;
	int n = 0, r = cstorage_records_open(&c, p->path, err);
	size_t i;

	for (int d = 0; r == 0 && d < CSTORAGE_MAX_; d++)
		json_array_foreach (c.images[d], i, image)
			if (r == 0 && add_names(&list, &n, image) < 0)
				r = err_set(err, -ENOMEM, "cannot list a storage of containers");
	cstorage_records_done(&c);
	if (r < 0) {
		listed_free(list, n);
		return r;
	}
	*ret = list;
	return n;
}
