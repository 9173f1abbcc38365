/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes and manifests (the contract is in the header). */
#include "image/manifest.h"

#include "base/json.h"
#include "base/str.h"

#include <strings.h>

/* Keys that mean something here.  Parsers that fold case would see the others of their family. */
static const char *const document_keys[] = { "schemaVersion", "mediaType", "manifests", "config",
	"layers", "fsLayers", "signatures", "artifactType", "subject", "annotations", NULL };
static const char *const descriptor_keys[] = { "mediaType", "digest", "size", "urls", "data",
	"platform", "annotations", "artifactType", NULL };
static const char *const platform_keys[] = { "os", "architecture", "variant", NULL };

static int check_keys(
	const json_t *obj, const char *const *known, const char *what, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)obj, key, value)
		for (const char *const *k = known; *k; k++)
			if (strcasecmp(key, *k) == 0 && !str_eq(key, *k))
				return err_say(err, -EBADMSG,
					"%s has a key '%s' that some would read as '%s'", what, key,
					*k);
	return 0;
}

/* A member that must be a string if it is there. */
static int get_text(
	const json_t *obj, const char *key, const char *what, const char **ret, struct err *err)
{
	const json_t *v = json_object_get(obj, key);

	if (v && !json_is_string(v))
		return err_say(err, -EBADMSG, "%s: '%s' is not a string", what, key);
	*ret = json_string_value(v);
	return 0;
}

static int copy_text(char **ret, const char *s)
{
	if (!s)
		return 0;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

static int parse_platform(const json_t *j, const char *what, struct platform *ret, struct err *err)
{
	const char *os = NULL, *arch = NULL, *variant = NULL;
	int r;

	if (!j)
		return 0;
	if (!json_is_object(j))
		return err_say(err, -EBADMSG, "%s: 'platform' is not an object", what);
	r = check_keys(j, platform_keys, what, err);
	if (r == 0)
		r = get_text(j, "os", what, &os, err);
	if (r == 0)
		r = get_text(j, "architecture", what, &arch, err);
	if (r == 0)
		r = get_text(j, "variant", what, &variant, err);
	if (r < 0)
		return r;
	/* Odd words mean a platform that nobody asks for, not a broken index. */
	if (!os || !arch || platform_set(ret, os, arch, variant) < 0)
		(void)platform_set(ret, "unknown", "unknown", NULL);
	return 0;
}

static int parse_annotations(
	const json_t *j, const char *what, struct descriptor *d, struct err *err)
{
	const char *ref_name = NULL, *name = NULL, *source = NULL;
	int r;

	if (!j)
		return 0;
	if (!json_is_object(j))
		return err_say(err, -EBADMSG, "%s: 'annotations' is not an object", what);
	r = get_text(j, "org.opencontainers.image.ref.name", what, &ref_name, err);
	if (r == 0)
		r = get_text(j, "io.containerd.image.name", what, &name, err);
	if (r == 0)
		r = get_text(j, "dev.lamina.source.digest", what, &source, err);
	if (r < 0)
		return r;
	if (copy_text(&d->ref_name, ref_name) < 0 || copy_text(&d->name, name) < 0 ||
		copy_text(&d->source_digest, source) < 0)
		return err_set(err, -ENOMEM, "%s", what);
	return 0;
}

int descriptor_copy(struct descriptor *ret, const struct descriptor *d)
{
	struct descriptor copy = *d;

	copy.media_type = copy.ref_name = copy.name = copy.source_digest = NULL;
	if (copy_text(&copy.media_type, d->media_type) < 0 ||
		copy_text(&copy.ref_name, d->ref_name) < 0 || copy_text(&copy.name, d->name) < 0 ||
		copy_text(&copy.source_digest, d->source_digest) < 0) {
		descriptor_done(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	free(d->ref_name);
	free(d->name);
	free(d->source_digest);
	memset(d, 0, sizeof(*d));
}

static int parse_descriptor(
	const json_t *j, const char *what, struct descriptor *d, struct err *err)
{
	const char *type = NULL, *digest = NULL;
	int r;

	if (!json_is_object(j))
		return err_say(err, -EBADMSG, "%s is not an object", what);
	r = check_keys(j, descriptor_keys, what, err);
	if (r == 0)
		r = get_text(j, "mediaType", what, &type, err);
	if (r == 0)
		r = get_text(j, "digest", what, &digest, err);
	if (r < 0)
		return r;
	if (!type)
		return err_say(err, -EBADMSG, "%s has no mediaType", what);
	if (!digest || digest_parse(digest, &d->digest) < 0)
		return err_say(
			err, -EBADMSG, "%s: '%s' is not a digest", what, digest ? digest : "");
	if (json_get_u64(j, "size", &d->size) < 0)
		return err_say(err, -EBADMSG, "%s has no valid size", what);
	if (d->size > LIMIT_BLOB_BYTES)
		return err_say(err, -EBADMSG, "%s claims %llu bytes, more than the limit of %llu",
			what, (unsigned long long)d->size, (unsigned long long)LIMIT_BLOB_BYTES);
	d->media = media_of(type);
	if (copy_text(&d->media_type, type) < 0)
		return err_set(err, -ENOMEM, "%s", what);
	r = parse_platform(json_object_get(j, "platform"), what, &d->platform, err);
	if (r < 0)
		return r;
	return parse_annotations(json_object_get(j, "annotations"), what, d, err);
}

static int parse_descriptors(const json_t *array, const char *what, size_t max,
	struct descriptor **ret, size_t *ret_n, struct err *err)
{
	size_t n = json_array_size(array);
	struct descriptor *d;

	if (!json_is_array(array))
		return err_say(err, -EBADMSG, "'%ss' is not an array", what);
	if (n > max)
		return err_say(
			err, -EBADMSG, "%zu %ss are more than the limit of %zu", n, what, max);
	d = calloc(n + 1, sizeof(*d));
	if (!d)
		return err_set(err, -ENOMEM, "cannot parse %zu %ss", n, what);
	/* The caller's destructor frees what was filled in before an error. */
	*ret = d;
	for (size_t i = 0; i < n; i++) {
		char which[48];
		int r;

		snprintf(which, sizeof(which), "%s %zu of %zu", what, i + 1, n);
		*ret_n = i + 1;
		r = parse_descriptor(json_array_get(array, i), which, &d[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A document's own checks: an object, version 2, no second reading. */
static int parse_document(
	const char *data, size_t len, const char *what, json_t **ret, struct err *err)
{
	auto_json *j = NULL;
	const json_t *version;
	int r;

	if (len > LIMIT_MANIFEST_BYTES)
		return err_say(
			err, -EBADMSG, "%s has more than %u bytes", what, LIMIT_MANIFEST_BYTES);
	r = json_parse(data, len, what, &j, err);
	if (r < 0)
		return r;
	if (!json_is_object(j))
		return err_say(err, -EBADMSG, "%s is not a JSON object", what);
	r = check_keys(j, document_keys, what, err);
	if (r < 0)
		return r;
	version = json_object_get(j, "schemaVersion");
	if (json_is_integer(version) && json_integer_value(version) == 1) {
		err_say(err, -EBADMSG, "%s is of docker's schema 1, which is not supported", what);
		return err_hint(err, -EBADMSG, "push the image again with a current tool");
	}
	if (!json_is_integer(version) || json_integer_value(version) != 2)
		return err_say(err, -EBADMSG, "%s does not have schemaVersion 2", what);
	*ret = ptr_take(&j);
	return 0;
}

static const char *kind_name(enum media_kind kind)
{
	return kind == MEDIA_INDEX ? "an index" : "a manifest";
}

/* What the document is by the keys that it has; it must not be two things. */
static int kind_by_keys(const json_t *j, struct err *err)
{
	bool is_index = json_object_get(j, "manifests");
	bool is_manifest = json_object_get(j, "layers") || json_object_get(j, "config");

	if (json_object_get(j, "fsLayers") || json_object_get(j, "signatures"))
		return err_say(err, -EBADMSG,
			"the manifest has parts of docker's schema 1, which is not supported");
	if (is_index && is_manifest)
		return err_say(err, -EBADMSG,
			"the document is ambiguous: it has 'manifests' beside 'layers' or "
			"'config'");
	if (!is_index && !is_manifest)
		return err_say(
			err, -EBADMSG, "the document is neither an image index nor a manifest");
	return is_index ? MEDIA_INDEX : MEDIA_MANIFEST;
}

int manifest_kind(const char *data, size_t len, const char *declared, struct err *err)
{
	auto_json *j = NULL;
	enum media_kind said = media_of(declared).kind;
	const char *own = NULL;
	int kind, r;

	if (said == MEDIA_SCHEMA1) {
		err_say(err, -EBADMSG,
			"the manifest is of docker's schema 1, which is not supported");
		return err_hint(err, -EBADMSG, "push the image again with a current tool");
	}
	r = parse_document(data, len, "the manifest", &j, err);
	if (r == 0)
		r = get_text(j, "mediaType", "the manifest", &own, err);
	if (r < 0)
		return r;
	kind = kind_by_keys(j, err);
	if (kind < 0)
		return kind;
	if (own && (enum media_kind)kind != media_of(own).kind)
		return err_say(err, -EBADMSG, "the document says it is '%s', but it is %s", own,
			kind_name(kind));
	if (said != MEDIA_UNKNOWN && said != (enum media_kind)kind)
		return err_say(err, -EBADMSG, "the document was declared as '%s', but it is %s",
			declared, kind_name(kind));
	if (own && said != MEDIA_UNKNOWN && !media_eq(own, declared))
		return err_say(err, -EBADMSG,
			"the document says it is '%s', but was declared as '%s'", own, declared);
	return kind;
}

int index_parse(const char *data, size_t len, struct index *ret, struct err *err)
{
	auto_json *j = NULL;
	auto_index x = { 0 };
	int r = parse_document(data, len, "the index", &j, err);

	if (r < 0)
		return r;
	r = parse_descriptors(json_object_get(j, "manifests"), "manifest", LIMIT_INDEX_DESCRIPTORS,
		&x.entries, &x.n, err);
	if (r < 0)
		return err_wrap(err, r, "the index");
	*ret = x;
	memset(&x, 0, sizeof(x));
	return 0;
}

void index_done(struct index *x)
{
	for (size_t i = 0; i < x->n; i++)
		descriptor_done(&x->entries[i]);
	free(x->entries);
	memset(x, 0, sizeof(*x));
}

/* What cannot be pulled, said before anything is downloaded. */
static int check_image(const struct manifest *m, struct err *err)
{
	if (m->config.media.kind != MEDIA_CONFIG)
		return err_say(err, -EBADMSG, "this is an artifact of type '%s', not an image",
			m->config.media_type);
	if (m->config.size > LIMIT_MANIFEST_BYTES)
		return err_say(err, -EBADMSG,
			"the config claims %llu bytes, more than the limit of %u",
			(unsigned long long)m->config.size, LIMIT_MANIFEST_BYTES);
	for (uint32_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *d = &m->layers[i];

		if (d->media.kind == MEDIA_ENCRYPTED)
			return err_say(err, -EBADMSG,
				"layer %u of %u is encrypted, which is not supported", i + 1,
				m->n_layers);
		if (d->media.kind != MEDIA_LAYER)
			return err_say(err, -EBADMSG, "layer %u of %u has the unknown type '%s'",
				i + 1, m->n_layers, d->media_type);
	}
	return 0;
}

int manifest_parse_blobs(const char *data, size_t len, struct manifest *ret, struct err *err)
{
	auto_json *j = NULL;
	auto_manifest m = { 0 };
	size_t n = 0;
	int r = parse_document(data, len, "the manifest", &j, err);

	if (r < 0)
		return r;
	r = parse_descriptor(json_object_get(j, "config"), "config", &m.config, err);
	if (r == 0)
		r = parse_descriptors(json_object_get(j, "layers"), "layer", LIMIT_IDX_LAYERS,
			&m.layers, &n, err);
	m.n_layers = (uint32_t)n;
	if (r == 0 && copy_text(&m.media_type, json_get_str(j, "mediaType")) < 0)
		r = err_set(err, -ENOMEM, "cannot read it");
	if (r < 0)
		return err_wrap(err, r, "the manifest");
	*ret = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

int manifest_parse(const char *data, size_t len, struct manifest *ret, struct err *err)
{
	auto_manifest m = { 0 };
	int r = manifest_parse_blobs(data, len, &m, err);

	if (r == 0)
		r = check_image(&m, err);
	if (r < 0)
		return r;
	*ret = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

void manifest_done(struct manifest *m)
{
	free(m->media_type);
	descriptor_done(&m->config);
	for (uint32_t i = 0; i < m->n_layers; i++)
		descriptor_done(&m->layers[i]);
	free(m->layers);
	memset(m, 0, sizeof(*m));
}

/* "linux/amd64, linux/arm64, …": each platform once, as much as fits. */
static void list_platforms(const struct index *x, char *ret, size_t room)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < x->n; i++) {
		char text[PLATFORM_TEXT_BYTES];
		bool seen = x->entries[i].platform.os[0] == '\0';

		for (size_t k = 0; k < i && !seen; k++)
			seen = memcmp(&x->entries[k].platform, &x->entries[i].platform,
				       sizeof(struct platform)) == 0;
		if (seen)
			continue;
		platform_text(&x->entries[i].platform, text);
		if (used + strlen(text) + 3 > room)
			return;
		used += (size_t)snprintf(ret + used, room - used, "%s%s", used ? ", " : "", text);
	}
}

int index_choose(const struct index *x, const struct platform *want, const struct descriptor **ret,
	struct err *err)
{
	const struct descriptor *best = NULL;
	char wanted[PLATFORM_TEXT_BYTES], have[256];
	unsigned int best_rank = 0;

	for (size_t i = 0; i < x->n; i++) {
		const struct descriptor *d = &x->entries[i];
		unsigned int rank;

		if (d->media.kind != MEDIA_MANIFEST && d->media.kind != MEDIA_INDEX)
			continue;
		/* No platform: may be anything, so it is the last choice. */
		rank = d->platform.os[0] ? platform_rank(want, &d->platform) * 2 : 1;
		if (rank > best_rank) {
			best_rank = rank;
			best = d;
		}
	}
	if (best) {
		*ret = best;
		return 0;
	}
	platform_text(want, wanted);
	list_platforms(x, have, sizeof(have));
	err_say(err, -ENOENT, "there is no image for %s", wanted);
	return have[0] ? err_hint(err, -ENOENT, "choose one with --platform: %s", have) : -ENOENT;
}
