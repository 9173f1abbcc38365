/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of OCI layout directories (the contract is in the header). */
#include "image/layout.h"

#include "base/at.h"
#include "base/json.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/ref.h"

#include <fcntl.h>
#include <sys/stat.h>

struct layout {
	struct origin origin;
	int dirfd;
	char *path;
	char *ref; /* NULL: none was given */
};

void document_done(struct document *d)
{
	free(d->data);
	free(d->media_type);
	memset(d, 0, sizeof(*d));
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* PATH[:REF]: the whole is a directory, or what stands before the first colon that leaves one. */
static int split(const char *text, struct layout *l)
{
	const char *colon = strchr(text, ':');

	l->path = strdup(text);
	if (!l->path)
		return -ENOMEM;
	if (is_dir(text))
		return 0;
	for (; colon; colon = strchr(colon + 1, ':')) {
		l->path[colon - text] = '\0';
		if (is_dir(l->path) || !strchr(colon + 1, ':')) {
			l->ref = strdup(colon + 1);
			return l->ref ? 0 : -ENOMEM;
		}
		l->path[colon - text] = ':';
	}
	return 0;
}

static int check_version(struct layout *l, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	const char *version;
	size_t len;
	int r = at_read_file(l->dirfd, "oci-layout", 4096, &data, &len);

	if (r == -ENOENT)
		return err_say(err, -EINVAL, "'%s' is not an OCI layout: it has no file oci-layout",
			l->path);
	if (r < 0)
		return err_set(err, r, "cannot read '%s/oci-layout'", l->path);
	r = json_parse(data, len, "oci-layout", &j, err);
	if (r < 0)
		return r;
	version = json_get_str(j, "imageLayoutVersion");
	if (!version || !str_starts(version, "1."))
		return err_say(err, -EBADMSG, "the version of the layout is '%s', not 1",
			version ? version : "");
	return 0;
}

static char *blob_path(const struct idx_digest *digest)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(digest, text);
	return str_format("blobs/%s/%s", digest_alg_name(digest), digest_hex(text));
}

static int layout_blob(struct origin *o, struct origin_line *line, const struct descriptor *d,
	struct source **ret, struct err *err)
{
	struct layout *l = (struct layout *)o;
	auto_free char *path = blob_path(&d->digest);
	auto_fd fd = -1;
	struct stat st;

	if (!path)
		return err_set(err, -ENOMEM, "cannot read a blob");
	fd = at_open(l->dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_say(err, -EBADMSG, "'%s' is not a regular file", path);
	return source_file_new_take_fd(ret, fd_take(&fd), err);
}

static int layout_manifest(struct origin *o, struct origin_line *line, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	auto_document doc = { 0 };
	auto_source checked = NULL;
	struct source *raw;
	int r;

	if (d->size > LIMIT_MANIFEST_BYTES)
		return err_say(err, -EBADMSG, "the manifest claims %llu bytes, the limit is %u",
			(unsigned long long)d->size, LIMIT_MANIFEST_BYTES);
	r = layout_blob(o, line, d, &raw, err);
	if (r == 0)
		r = source_check_new(&checked, raw, &d->digest, d->size, NULL, err);
	if (r == 0)
		r = source_read_all(checked, LIMIT_MANIFEST_BYTES, &doc.data, &doc.len, err);
	if (r < 0)
		return err_wrap(err, r, "the manifest");
	doc.digest = d->digest;
	doc.media_type = strdup(d->media_type);
	if (!doc.media_type)
		return err_set(err, -ENOMEM, "cannot read a manifest");
	*ret = doc;
	memset(&doc, 0, sizeof(doc));
	return 0;
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
			return err_hint(err, -EINVAL, "name one: oci:%s:REF, REF being %s", l->path,
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

static int layout_top(
	struct origin *o, struct origin_line *line, struct document *ret, struct err *err)
{
	struct layout *l = (struct layout *)o;
	auto_free char *data = NULL;
	auto_index x = { 0 };
	const struct descriptor *d = NULL;
	size_t len;
	int r = at_read_file(l->dirfd, "index.json", LIMIT_MANIFEST_BYTES, &data, &len);

	if (r < 0)
		return err_set(err, r, "cannot read '%s/index.json'", l->path);
	r = index_parse(data, len, &x, err);
	if (r == 0)
		r = choose_entry(l, &x, &d, err);
	return r < 0 ? r : layout_manifest(o, line, d, ret, err);
}

/* Files need no connection. */
static int layout_line_new(struct origin *o, struct origin_line **ret, struct err *err)
{
	*ret = NULL;
	return 0;
}

static void layout_line_free(struct origin_line *l)
{
}

static void layout_close(struct origin *o)
{
	struct layout *l = (struct layout *)o;

	if (l->dirfd >= 0)
		(void)close(l->dirfd);
	free(l->path);
	free(l->ref);
	free(o->name);
	free(l);
}

static const struct origin_ops layout_ops = {
	.top = layout_top,
	.manifest = layout_manifest,
	.blob = layout_blob,
	.line_new = layout_line_new,
	.line_free = layout_line_free,
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
	return ref_local_name(
		base ? base + 1 : "", l->ref && ref_tag_is_valid(l->ref) ? l->ref : "latest");
}

int layout_open(struct origin **ret, const char *text, struct err *err)
{
	struct layout *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "cannot open a layout");
	l->origin.ops = &layout_ops;
	l->dirfd = -1;
	r = split(text, l);
	if (r < 0) {
		err_set(err, r, "cannot open a layout");
	} else {
		l->dirfd = open(l->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = l->dirfd < 0 ? err_set(err, -errno, "cannot open '%s'", l->path)
				 : check_version(l, err);
	}
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
