/* SPDX-License-Identifier: Apache-2.0 */
/* Places opened, whatever their kind (the contract is in the header). */
#include "image/transport.h"

#include "base/str.h"
#include "image/cstorage.h"
#include "image/dir_image.h"
#include "image/docker_archive.h"
#include "image/layout.h"
#include "image/ref.h"
#include "image/target_files.h"

#include <sys/stat.h>

typedef int open_fn(
	struct origin **ret, struct files *files, const struct place *p, struct err *err);

static open_fn *const openers[PLACE_MAX_] = {
	[PLACE_OCI] = layout_open_take_files,
	[PLACE_OCI_ARCHIVE] = layout_open_take_files,
	[PLACE_DOCKER_ARCHIVE] = docker_archive_open_take_files,
	[PLACE_DIR] = dir_image_open_take_files,
};

static bool is_archive(enum place_kind kind)
{
	return kind == PLACE_OCI_ARCHIVE || kind == PLACE_DOCKER_ARCHIVE;
}

static int open_files(
	struct files **ret, const struct place *p, const char *tmp_dir, struct err *err)
{
	return is_archive(p->kind) ? files_open_tar(ret, p->path, tmp_dir, err)
				   : files_open_dir(ret, p->path, err);
}

int transport_origin(struct origin **ret, const struct place *p,
	const struct transport_options *opts, struct err *err)
{
	struct files *files;
	int r;

	if (p->kind == PLACE_REGISTRY)
		return registry_open(ret, p->path, &opts->registry, err);
	if (p->kind == PLACE_STORAGE)
		return cstorage_open(ret, p, err);
	r = open_files(&files, p, opts->tmp_dir, err);
	return r < 0 ? r : openers[p->kind](ret, files, p, err);
}

int transport_target(struct target **ret, const struct place *p,
	const struct transport_options *opts, struct err *err)
{
	switch (p->kind) {
	case PLACE_OCI:
	case PLACE_OCI_ARCHIVE:
		return target_layout_open(ret, p, opts->tmp_dir, err);
	case PLACE_DOCKER_ARCHIVE:
		return target_docker_open(ret, p, opts->tmp_dir, err);
	case PLACE_DIR:
		return target_dir_open(ret, p, err);
	case PLACE_STORAGE:
		return err_say(err, -EINVAL, "a storage of containers is only read");
	default:
		return registry_target_open(ret, p->path, &opts->registry, err);
	}
}

/* ---- what an archive holds ---- */

/* The name of an entry, in full, if it is one. */
static char *full_name(const char *text)
{
	auto_free char *full = NULL;

	return text && strpbrk(text, "/:") && ref_stored_name(text, &full, NULL) == 0
		       ? ptr_take(&full)
		       : NULL;
}

static int list_layout(struct files *f, struct listed **ret, struct err *err)
{
	auto_index x = { 0 };
	struct listed *list;
	int r = layout_list(f, &x, err);

	if (r < 0)
		return r;
	list = calloc(x.n + 1, sizeof(*list));
	if (!list)
		return err_set(err, -ENOMEM, "cannot read an archive");
	for (size_t i = 0; i < x.n; i++) {
		const struct descriptor *d = &x.entries[i];
		char digest[DIGEST_TEXT_BYTES];

		digest_text(&d->digest, digest);
		list[i].ref = strdup(d->ref_name ? d->ref_name : digest);
		list[i].name = full_name(d->name ? d->name : d->ref_name);
		if (!list[i].ref) {
			listed_free(list, (int)x.n);
			return err_set(err, -ENOMEM, "cannot read an archive");
		}
	}
	*ret = list;
	return (int)x.n;
}

/* Each tag of each image; an image without tags by its place. */
static int list_docker(struct files *f, struct listed **ret, struct err *err)
{
	auto_json *images = NULL;
	struct listed *list = NULL;
	size_t n = 0;
	int r = docker_images_load(f, &images, err);

	for (size_t i = 0; r == 0 && i < json_array_size(images); i++) {
		struct docker_image m = docker_image_get(images, i);
		size_t n_tags = json_array_size(m.tags);

		for (size_t k = 0; r == 0 && k < (n_tags ? n_tags : 1); k++) {
			struct listed *bigger = reallocarray(list, n + 1, sizeof(*list));
			auto_ref ref = { 0 };
			const char *tag = json_string_value(json_array_get(m.tags, k));

			if (!bigger) {
				r = -ENOMEM;
				break;
			}
			list = bigger;
			list[n] = (struct listed){ str_format("@%zu", i), NULL };
			if (tag && ref_parse(tag, &ref, NULL) == 0 && !ref.digest.alg)
				list[n].name = ref_text(&ref);
			r = list[n++].ref ? 0 : -ENOMEM;
		}
	}
	if (r < 0) {
		listed_free(list, (int)n);
		return r == -ENOMEM ? err_set(err, r, "cannot read an archive") : r;
	}
	*ret = list;
	return (int)n;
}

void listed_free(struct listed *list, int n)
{
	for (int i = 0; list && i < n; i++) {
		free(list[i].ref);
		free(list[i].name);
	}
	free(list);
}

int transport_list(const struct place *p, const char *tmp_dir, enum place_kind *ret_kind,
	struct listed **ret, struct err *err)
{
	struct place is = *p;
	auto_files f = NULL;
	struct stat st;
	bool is_dir = !str_eq(p->path, "-") && stat(p->path, &st) == 0 && S_ISDIR(st.st_mode);
	int r;

	if (p->kind == PLACE_STORAGE) {
		*ret_kind = p->kind;
		return cstorage_list(p, ret, err);
	}
	if (p->kind == PLACE_REGISTRY)
		is.kind = is_dir ? PLACE_OCI : PLACE_OCI_ARCHIVE;
	r = open_files(&f, &is, tmp_dir, err);
	if (r < 0)
		return r;
	if (p->kind == PLACE_REGISTRY && !files_has(f, "oci-layout")) {
		if (!files_has(f, "manifest.json"))
			return err_say(err, -EBADMSG,
				"'%s' holds no image: neither oci-layout nor manifest.json",
				p->path);
		is.kind = is_dir ? PLACE_DIR : PLACE_DOCKER_ARCHIVE;
	}
	*ret_kind = is.kind;
	if (is.kind == PLACE_DIR) {
		*ret = calloc(1, sizeof(**ret));
		return *ret ? 1 : err_set(err, -ENOMEM, "cannot read '%s'", p->path);
	}
	return is.kind == PLACE_DOCKER_ARCHIVE ? list_docker(f, ret, err)
					       : list_layout(f, ret, err);
}
