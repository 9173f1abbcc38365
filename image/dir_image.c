/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of skopeo's dir (the contract is in the header). */
#include "image/dir_image.h"

#include "base/str.h"
#include "image/ref.h"

struct dir_image {
	struct origin origin;
	struct files *files;
};

char *dir_image_name(const struct idx_digest *digest, const char *suffix)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(digest, text);
	return str_format("%s%s", digest_hex(text), suffix);
}

static int dir_top(struct origin *o, struct origin_line *l, struct document *ret, struct err *err)
{
	struct dir_image *di = (struct dir_image *)o;
	char *data;
	size_t len;
	int r = files_read(di->files, "manifest.json", LIMIT_MANIFEST_BYTES, &data, &len, err);

	return r < 0 ? r : document_of_take(data, len, ret, err);
}

static int dir_manifest(struct origin *o, struct origin_line *l, const struct descriptor *d,
	struct document *ret, struct err *err)
{
	struct dir_image *di = (struct dir_image *)o;
	auto_free char *name = dir_image_name(&d->digest, ".manifest.json");
	struct source *raw;
	int r;

	if (!name)
		return err_set(err, -ENOMEM, "cannot read a manifest");
	r = files_source(di->files, name, &raw, NULL, err);
	return r < 0 ? err_wrap(err, r, "the manifest") : document_read_take(raw, d, ret, err);
}

static int dir_blob(struct origin *o, struct origin_line *l, const struct descriptor *d,
	uint64_t from, struct source **ret, struct err *err)
{
	struct dir_image *di = (struct dir_image *)o;
	auto_free char *name = dir_image_name(&d->digest, "");

	if (!name)
		return err_set(err, -ENOMEM, "cannot read a blob");
	return files_source(di->files, name, ret, NULL, err);
}

static void dir_close(struct origin *o)
{
	struct dir_image *di = (struct dir_image *)o;

	files_close(di->files);
	free(o->name);
	free(di);
}

static const struct origin_ops dir_ops = {
	.top = dir_top,
	.manifest = dir_manifest,
	.blob = dir_blob,
	.line_new = origin_no_line_new,
	.line_free = origin_no_line_free,
	.close = dir_close,
};

int dir_image_open_take_files(
	struct origin **ret, struct files *files, const struct place *p, struct err *err)
{
	struct dir_image *di = calloc(1, sizeof(*di));
	auto_free char *real = realpath(p->path, NULL);
	const char *base = real ? strrchr(real, '/') : NULL;

	if (di) {
		di->origin.ops = &dir_ops;
		di->origin.is_local = true;
		di->origin.name = ref_local_name(base ? base + 1 : "", "latest");
	}
	if (!di || !di->origin.name) {
		free(di);
		files_close(files);
		return err_set(err, -ENOMEM, "cannot open '%s'", p->path);
	}
	di->files = files;
	if (!files_has(files, "manifest.json")) {
		int r = err_say(err, -EINVAL, "'%s' has no manifest.json", p->path);

		dir_close(&di->origin);
		return r;
	}
	*ret = &di->origin;
	return 0;
}
