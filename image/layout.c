/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of OCI layouts (the contract is in the header). */
#include "image/layout.h"

#include "base/json.h"
#include "base/str.h"
#include "image/ref.h"

struct layout {
	struct origin origin;
	struct files *files;
	char *path;
	char *ref; /* NULL: none was given */
};

static int check_version(struct layout *l, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	const char *version;
	size_t len;
	int r;

	if (!files_has(l->files, "oci-layout"))
		return err_say(err, -EINVAL, "'%s' is not an OCI layout: it has no file oci-layout",
			l->path);
	r = files_read(l->files, "oci-layout", 4096, &data, &len, err);
	if (r == 0)
		r = json_parse(data, len, "oci-layout", &j, err);
	if (r < 0)
		return r;
	version = json_get_str(j, "imageLayoutVersion");
	if (!version || !str_starts(version, "1."))
		return err_say(err, -EBADMSG, "the version of the layout is '%s', not 1",
			version ? version : "");
	return 0;
}

char *layout_blob_name(const struct idx_digest *digest)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(digest, text);
	return str_format("blobs/%s/%s", digest_alg_name(digest), digest_hex(text));
}

static int layout_blob(struct origin *o, struct origin_line *line, const struct descriptor *d,
	uint64_t from, struct source **ret, struct err *err)
{
	struct layout *l = (struct layout *)o;
	auto_free char *name = layout_blob_name(&d->digest);

	if (!name)
		return err_set(err, -ENOMEM, "cannot read a blob");
	return files_source(l->files, name, ret, NULL, err);
}

static int layout_manifest(struct origin *o, struct origin_line *line, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	struct source *raw;
	int r = layout_blob(o, line, d, 0, &raw, err);

	return r < 0 ? err_wrap(err, r, "the manifest") : document_read_take(raw, d, ret, err);
}

/* "a, b, …": what may be written behind the path. */
static void list_refs(const struct index *x, char *ret, size_t room)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < x->n; i++) {
		const char *name = x->entries[i].ref_name;

		if (!name || used + strlen(name) + 3 > room)
			continue;
		used += (size_t)snprintf(ret + used, room - used, "%s%s", used ? ", " : "", name);
	}
}

static bool entry_matches(const struct descriptor *d, const char *ref)
{
	struct idx_digest digest;

	if (d->ref_name && str_eq(d->ref_name, ref))
		return true;
	if (d->name && str_eq(d->name, ref))
		return true;
	return digest_parse(ref, &digest) == 0 && digest_eq(&digest, &d->digest);
}

static int choose_entry(const struct layout *l, const struct index *x,
	const struct descriptor **ret, struct err *err)
{
	const struct descriptor *found = NULL;
	char have[256];

	for (size_t i = 0; i < x->n; i++) {
		const struct descriptor *d = &x->entries[i];

		if (l->ref && !entry_matches(d, l->ref))
			continue;
		if (found && !digest_eq(&found->digest, &d->digest)) {
			if (l->ref)
				return err_say(err, -EBADMSG,
					"'%s' names several manifests of the layout", l->ref);
			list_refs(x, have, sizeof(have));
			err_say(err, -EINVAL, "the layout has %zu images", x->n);
			return err_hint(err, -EINVAL, "name one: %s:REF, REF being %s", l->path,
				have[0] ? have : "a digest");
		}
		found = d;
	}
	if (found) {
		*ret = found;
		return 0;
	}
	list_refs(x, have, sizeof(have));
	err_say(err, -ENOENT, "the layout has no image '%s'", l->ref ? l->ref : "");
	return have[0] ? err_hint(err, -ENOENT, "it has: %s", have) : -ENOENT;
}

int layout_list(struct files *f, struct index *ret, struct err *err)
{
	auto_free char *data = NULL;
	size_t len;
	int r = files_read(f, "index.json", LIMIT_MANIFEST_BYTES, &data, &len, err);

	return r < 0 ? r : index_parse(data, len, ret, err);
}

static int layout_top(
	struct origin *o, struct origin_line *line, struct document *ret, struct err *err)
{
	struct layout *l = (struct layout *)o;
	auto_index x = { 0 };
	const struct descriptor *d = NULL;
	int r = layout_list(l->files, &x, err);

	if (r == 0)
		r = choose_entry(l, &x, &d, err);
	return r < 0 ? r : layout_manifest(o, line, d, ret, err);
}

static void layout_close(struct origin *o)
{
	struct layout *l = (struct layout *)o;

	files_close(l->files);
	free(l->path);
	free(l->ref);
	free(o->name);
	free(l);
}

static const struct origin_ops layout_ops = {
	.top = layout_top,
	.manifest = layout_manifest,
	.blob = layout_blob,
	.line_new = origin_no_line_new,
	.line_free = origin_no_line_free,
	.close = layout_close,
};

/* A full REF as it stands, a short one below localhost/, a mere tag behind the directory's name. */
static char *default_name(const struct layout *l)
{
	auto_free char *real = realpath(l->path, NULL);
	const char *base = real ? strrchr(real, '/') : NULL;
	auto_ref ref = { 0 };

	if (l->ref && strpbrk(l->ref, "/:") && ref_parse(l->ref, &ref, NULL) == 0) {
		auto_free char *local = str_format("localhost/%s", l->ref);
		auto_ref below = { 0 };

		if (!ref.is_short)
			return ref_text(&ref);
		if (local && ref_parse(local, &below, NULL) == 0)
			return ref_text(&below);
	}
	/* Of an archive without what says that it is one. */
	if (base && str_ends(base, ".tar"))
		real[strlen(real) - strlen(".tar")] = '\0';
	return ref_local_name(
		base ? base + 1 : "", l->ref && ref_tag_is_valid(l->ref) ? l->ref : "latest");
}

int layout_open_take_files(
	struct origin **ret, struct files *files, const struct place *p, struct err *err)
{
	struct layout *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		files_close(files);
		return err_set(err, -ENOMEM, "cannot open a layout");
	}
	l->origin.ops = &layout_ops;
	l->origin.is_local = true;
	l->files = files;
	l->path = strdup(p->path);
	l->ref = p->ref ? strdup(p->ref) : NULL;
	if (!l->path || (p->ref && !l->ref))
		r = err_set(err, -ENOMEM, "cannot open a layout");
	else
		r = check_version(l, err);
	if (r == 0) {
		l->origin.name = default_name(l);
		if (!l->origin.name)
			r = err_set(err, -ENOMEM, "cannot open a layout");
	}
	if (r < 0) {
		layout_close(&l->origin);
		return r;
	}
	*ret = &l->origin;
	return 0;
}
