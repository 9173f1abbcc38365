/* SPDX-License-Identifier: Apache-2.0 */
/* index.json (the contract is in the header). */
#include "image/names.h"

#include "base/at.h"
#include "base/json.h"
#include "base/str.h"

int names_load(struct img_store *s, struct index *ret, struct err *err)
{
	auto_free char *data = NULL;
	size_t len;
	int r = at_read_file(img_store_dirfd(s), "index.json", LIMIT_MANIFEST_BYTES, &data, &len);

	if (r < 0)
		return err_set(err, r, "cannot read '%s/index.json'", img_store_path(s));
	r = index_parse(data, len, ret, err);
	if (r == 0)
		return 0;
	err_wrap(err, r, "'%s/index.json'", img_store_path(s));
	return r == -EBADMSG ? err_hint(err, r, "lamina fsck --repair") : r;
}

/* Adds @value to @obj if there is one; sets *@failed where jansson cannot. */
static void add_text(json_t *obj, const char *key, const char *value, bool *failed)
{
	if (value && *value && json_object_set_new(obj, key, json_string(value)) < 0)
		*failed = true;
}

static json_t *entry_json(const struct descriptor *d)
{
	json_t *j = json_object(), *platform = json_object(), *notes = json_object();
	char digest[DIGEST_TEXT_BYTES];
	bool failed = !j || !platform || !notes;

	digest_text(&d->digest, digest);
	add_text(j, "mediaType", d->media_type, &failed);
	add_text(j, "digest", digest, &failed);
	failed |= json_object_set_new(j, "size", json_integer((json_int_t)d->size)) < 0;
	add_text(platform, "os", d->platform.os, &failed);
	add_text(platform, "architecture", d->platform.arch, &failed);
	add_text(platform, "variant", d->platform.variant, &failed);
	add_text(notes, "org.opencontainers.image.ref.name", d->ref_name, &failed);
	add_text(notes, "dev.lamina.source.digest", d->source_digest, &failed);
	if (json_object_size(platform) > 0)
		failed |= json_object_set(j, "platform", platform) < 0;
	if (json_object_size(notes) > 0)
		failed |= json_object_set(j, "annotations", notes) < 0;
	json_decref(platform);
	json_decref(notes);
	if (failed) {
		json_decref(j);
		return NULL;
	}
	return j;
}

int names_save(struct img_store *s, const struct index *x, struct err *err)
{
	auto_json *j = json_pack(
		"{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_INDEX, "manifests");
	auto_free char *text = NULL;

	for (size_t i = 0; j && i < x->n; i++)
		if (json_array_append_new(
			    json_object_get(j, "manifests"), entry_json(&x->entries[i])) < 0)
			return err_set(err, -ENOMEM, "cannot write 'index.json'");
	text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	if (!text)
		return err_set(err, -ENOMEM, "cannot write 'index.json'");
	/* What could not be read again must not be written. */
	if (strlen(text) > LIMIT_MANIFEST_BYTES)
		return err_say(err, -EFBIG, "the store has too many images");
	return store_put(s, ".", "index.json", text, strlen(text), err);
}

struct descriptor *names_find(const struct index *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->entries[i].ref_name && str_eq(x->entries[i].ref_name, name))
			return &x->entries[i];
	return NULL;
}

size_t names_count(const struct index *x, const struct idx_digest *manifest)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		n += digest_eq(&x->entries[i].digest, manifest);
	return n;
}

void names_remove(struct index *x, size_t i)
{
	descriptor_done(&x->entries[i]);
	memmove(&x->entries[i], &x->entries[i + 1], (x->n - i - 1) * sizeof(x->entries[0]));
	x->n--;
}

static int append_copy(struct index *x, const struct descriptor *d)
{
	struct descriptor *bigger;
	int r;

	if (x->n >= LIMIT_INDEX_DESCRIPTORS)
		return -E2BIG;
	bigger = reallocarray(x->entries, x->n + 1, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	x->entries = bigger;
	r = descriptor_copy(&bigger[x->n], d);
	if (r < 0)
		return r;
	x->n++;
	return 0;
}

int names_add_unnamed(struct index *x, const struct descriptor *d)
{
	return names_count(x, &d->digest) ? 0 : append_copy(x, d);
}

int names_set(struct index *x, const struct descriptor *d)
{
	int r = append_copy(x, d);

	if (r < 0)
		return r;
	/* The new entry is the last one; look at the others. */
	for (size_t i = 0; i + 1 < x->n;) {
		struct descriptor *e = &x->entries[i];
		bool same = digest_eq(&e->digest, &d->digest);
		bool named = e->ref_name && str_eq(e->ref_name, d->ref_name);

		if ((same && (named || !e->ref_name)) ||
			(named && names_count(x, &e->digest) > 1)) {
			names_remove(x, i);
			continue;
		}
		if (named) {
			free(e->ref_name);
			e->ref_name = NULL;
		}
		i++;
	}
	return 0;
}
