/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI layout as a target, in a directory or a tar (the contract is in image/target_files.h)
 *
 * index.json is written last, so a layout in a directory names an image when all of it is there.
 */
#include "base/json.h"
#include "base/str.h"
#include "image/layout.h"
#include "image/manifest_make.h"
#include "image/ref.h"
#include "image/sink.h"
#include "image/target_files.h"

#define LAYOUT_JSON "{\"imageLayoutVersion\":\"1.0.0\"}"

struct target_layout {
	struct target target;
	struct sink *sink;
	json_t *entries; /* of the top manifests that were put */
};

static int layout_has(
	struct target *t, struct target_line *l, const struct descriptor *d, struct err *err)
{
	struct target_layout *tl = (struct target_layout *)t;
	auto_free char *name = layout_blob_name(&d->digest);

	return name ? sink_has(tl->sink, name, d->size)
		    : err_set(err, -ENOMEM, "cannot write a layout");
}

static int layout_put(struct target *t, struct target_line *l, const struct descriptor *d,
	struct source *s, struct err *err)
{
	struct target_layout *tl = (struct target_layout *)t;
	auto_free char *name = layout_blob_name(&d->digest);

	return name ? sink_put(tl->sink, name, d->size, s, err)
		    : err_set(err, -ENOMEM, "cannot write a layout");
}

/* Names for whoever reads it: ref.name for most, image.name for containerd and docker. */
static json_t *entry_json(const struct document *doc, const char *type, const char *name)
{
	const struct made_blob as_blob = { type, doc->digest, doc->len };
	json_t *j = manifest_make_descriptor(&as_blob);
	auto_ref ref = { 0 };

	if (!j || !name)
		return j;
	if (strpbrk(name, "/:") && ref_parse(name, &ref, NULL) == 0 && !ref.is_short)
		(void)json_object_set_new(j, "annotations",
			json_pack("{s:s, s:s}", "io.containerd.image.name", name,
				"org.opencontainers.image.ref.name", name));
	else
		(void)json_object_set_new(j, "annotations",
			json_pack("{s:s}", "org.opencontainers.image.ref.name", name));
	return j;
}

static int layout_put_manifest(struct target *t, struct target_line *l, const struct document *doc,
	bool is_top, struct err *err)
{
	struct target_layout *tl = (struct target_layout *)t;
	auto_free char *name = layout_blob_name(&doc->digest);
	auto_free char *type = document_type(doc);
	int r = 0;

	if (!name || !type)
		return err_set(err, -ENOMEM, "cannot write a layout");
	if (!sink_has(tl->sink, name, doc->len))
		r = sink_put_data(tl->sink, name, doc->data, doc->len, err);
	if (r == 0 && is_top &&
		json_array_append_new(tl->entries, entry_json(doc, type, t->name)) < 0)
		r = err_set(err, -ENOMEM, "cannot write a layout");
	return r;
}

static const char *name_of(const json_t *entry)
{
	return json_get_str(
		json_object_get(entry, "annotations"), "org.opencontainers.image.ref.name");
}

/* Does @entry of the old index give way to one of ours? */
static bool is_replaced(const json_t *entry, const json_t *ours)
{
	const char *name = name_of(entry), *digest = json_get_str(entry, "digest");
	const json_t *v;
	size_t i;

	json_array_foreach ((json_t *)ours, i, v) {
		const char *our_name = name_of(v);

		if (name && our_name && str_eq(name, our_name))
			return true;
		if (!name && digest && str_eq(digest, json_get_str(v, "digest")))
			return true;
	}
	return false;
}

/* What stood in the index of a directory before, and stays. */
static int add_old(struct target_layout *tl, json_t *manifests, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	const json_t *v;
	size_t len, i;
	int r = sink_read(tl->sink, "index.json", LIMIT_MANIFEST_BYTES, &data, &len);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, r, "cannot read the layout's index.json");
	r = json_parse(data, len, "index.json", &j, err);
	if (r < 0)
		return r;
	json_array_foreach (json_object_get(j, "manifests"), i, v)
		if (!is_replaced(v, tl->entries) && json_array_append(manifests, (json_t *)v) < 0)
			return err_set(err, -ENOMEM, "cannot write a layout");
	return 0;
}

static int layout_finish(struct target *t, struct err *err)
{
	struct target_layout *tl = (struct target_layout *)t;
	auto_json *j = json_pack(
		"{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests");
	auto_free char *text = NULL;
	json_t *manifests = json_object_get(j, "manifests");
	/* Copies into one directory at once lose none of their entries. */
	auto_fd lock = sink_lock(tl->sink);
	int r;

	if (lock < 0 && lock != -ENOLCK)
		return err_set(err, lock, "cannot lock the layout");
	if (!manifests)
		return err_set(err, -ENOMEM, "cannot write a layout");
	r = add_old(tl, manifests, err);
	if (r < 0)
		return r;
	if (json_array_extend(manifests, tl->entries) == 0)
		text = json_dumps(j, JSON_COMPACT);
	if (!text)
		return err_set(err, -ENOMEM, "cannot write a layout");
	r = sink_put_data(tl->sink, "oci-layout", LAYOUT_JSON, strlen(LAYOUT_JSON), err);
	if (r == 0)
		r = sink_put_data(tl->sink, "index.json", text, strlen(text), err);
	return r < 0 ? r : sink_finish(tl->sink, err);
}

static void layout_target_close(struct target *t)
{
	struct target_layout *tl = (struct target_layout *)t;

	sink_close(tl->sink);
	json_decref(tl->entries);
	free(t->name);
	free(tl);
}

static const struct target_ops layout_target_ops = {
	.has = layout_has,
	.put = layout_put,
	.put_manifest = layout_put_manifest,
	.finish = layout_finish,
	.line_new = target_no_line_new,
	.line_free = target_no_line_free,
	.close = layout_target_close,
};

int target_layout_open(
	struct target **ret, const struct place *p, const char *tmp_dir, struct err *err)
{
	struct target_layout *tl = calloc(1, sizeof(*tl));
	int r;

	if (!tl)
		return err_set(err, -ENOMEM, "cannot write a layout");
	tl->target.ops = &layout_target_ops;
	tl->target.is_serial = p->kind == PLACE_OCI_ARCHIVE;
	tl->entries = json_array();
	r = tl->entries ? target_name(&tl->target, p->ref) : -ENOMEM;
	if (r < 0)
		err_set(err, r, "cannot write a layout");
	else if (p->kind == PLACE_OCI)
		r = sink_open_dir(&tl->sink, p->path, err);
	else
		r = sink_open_tar(&tl->sink, p->path, tmp_dir, err);
	if (r < 0) {
		layout_target_close(&tl->target);
		return r;
	}
	*ret = &tl->target;
	return 0;
}
