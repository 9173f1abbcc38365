/* SPDX-License-Identifier: Apache-2.0 */
/* skopeo's dir as a target (the contract is in image/target_files.h). */
#include "base/str.h"
#include "image/dir_image.h"
#include "image/sink.h"
#include "image/target_files.h"

struct target_dir {
	struct target target;
	struct sink *sink;
};

static int dir_has(
	struct target *t, struct target_line *l, const struct descriptor *d, struct err *err)
{
	struct target_dir *td = (struct target_dir *)t;
	auto_free char *name = dir_image_name(&d->digest, "");

	return name ? sink_has(td->sink, name, d->size)
		    : err_set(err, -ENOMEM, "cannot write an image");
}

static int dir_put(struct target *t, struct target_line *l, const struct descriptor *d,
	struct source *s, struct err *err)
{
	struct target_dir *td = (struct target_dir *)t;
	auto_free char *name = dir_image_name(&d->digest, "");

	return name ? sink_put(td->sink, name, d->size, s, err)
		    : err_set(err, -ENOMEM, "cannot write an image");
}

static int dir_put_manifest(struct target *t, struct target_line *l, const struct document *doc,
	bool is_top, struct err *err)
{
	struct target_dir *td = (struct target_dir *)t;
	auto_free char *name =
		is_top ? strdup("manifest.json") : dir_image_name(&doc->digest, ".manifest.json");

	return name ? sink_put_data(td->sink, name, doc->data, doc->len, err)
		    : err_set(err, -ENOMEM, "cannot write an image");
}

static int dir_finish(struct target *t, struct err *err)
{
	struct target_dir *td = (struct target_dir *)t;

	return sink_put_data(
		td->sink, "version", DIR_IMAGE_VERSION, strlen(DIR_IMAGE_VERSION), err);
}

static void dir_target_close(struct target *t)
{
	struct target_dir *td = (struct target_dir *)t;

	sink_close(td->sink);
	free(t->name);
	free(td);
}

static const struct target_ops dir_target_ops = {
	.has = dir_has,
	.put = dir_put,
	.put_manifest = dir_put_manifest,
	.finish = dir_finish,
	.line_new = target_no_line_new,
	.line_free = target_no_line_free,
	.close = dir_target_close,
};

int target_dir_open(struct target **ret, const struct place *p, struct err *err)
{
	struct target_dir *td = calloc(1, sizeof(*td));
	int r;

	if (!td)
		return err_set(err, -ENOMEM, "cannot write an image");
	td->target.ops = &dir_target_ops;
	r = sink_open_dir(&td->sink, p->path, err);
	if (r < 0) {
		dir_target_close(&td->target);
		return r;
	}
	*ret = &td->target;
	return 0;
}
