/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a person types to an image of the store (the contract is in image/store.h)
 *
 * In this order: the name as it stands, below localhost/, with docker.io's prefix; NAME@DIGEST by
 * the manifest's digest or the one that it was pulled by; a prefix of the image id; a short name
 * that one image's full name ends with.
 *
 * The lease of an image is a shared flock on its manifest's blob, taken while the store lock keeps
 * removals out.
 */
#include "image/resolve.h"

#include "base/at.h"
#include "base/str.h"
#include "image/chain.h"
#include "image/config.h"
#include "image/ref.h"

#include <fcntl.h>

#define LIMIT_ID_PREFIX_MIN 3 /* shorter ones are more likely names */

static const struct descriptor *find_named(const struct index *x, const struct ref *ref)
{
	auto_free char *full = ref_text(ref);
	auto_free char *local = NULL;
	const struct descriptor *d;

	if (ref->is_short && full) {
		const char *path = ref->path;

		/* "alpine" was read as docker.io/library/alpine. */
		if (str_starts(path, "library/"))
			path += strlen("library/");
		local = str_format("localhost/%s:%s", path, ref->tag ? ref->tag : "latest");
		d = local ? names_find(x, local) : NULL;
		if (d && !ref->digest.alg)
			return d;
	}
	return full ? names_find(x, full) : NULL;
}

/* NAME[:TAG]@DIGEST: an entry of that repository which has or came by that digest. */
static const struct descriptor *find_by_digest(const struct index *x, const struct ref *ref)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(&ref->digest, text);
	for (size_t i = 0; i < x->n; i++) {
		const struct descriptor *d = &x->entries[i];
		auto_ref name = { 0 };

		if (!d->ref_name || ref_parse(d->ref_name, &name, NULL) < 0 ||
			!str_eq(name.host, ref->host) || !str_eq(name.path, ref->path))
			continue;
		if (digest_eq(&d->digest, &ref->digest) ||
			(d->source_digest && str_eq(d->source_digest, text)))
			return d;
	}
	return NULL;
}

/* The config's digest of an entry's manifest. */
static int image_id(struct img_store *s, const struct descriptor *d, struct idx_digest *ret)
{
	auto_free char *data = NULL;
	auto_manifest m = { 0 };
	size_t len;
	int r = store_read_blob(s, &d->digest, &data, &len, NULL);

	if (r == 0)
		r = manifest_parse(data, len, &m, NULL);
	if (r == 0)
		*ret = m.config.digest;
	return r;
}

static bool is_hex(const char *s)
{
	return s[strspn(s, "0123456789abcdef")] == '\0';
}

/* A prefix of an image id, or of a manifest's digest in full. */
static int find_by_id(struct img_store *s, const struct index *x, const char *text,
	const struct descriptor **ret, struct err *err)
{
	const struct descriptor *found = NULL;
	struct idx_digest found_id = { 0 };

	if (str_starts(text, "sha256:"))
		text += strlen("sha256:");
	if (strlen(text) < LIMIT_ID_PREFIX_MIN || strlen(text) > 128 || !is_hex(text))
		return -ENOENT;
	for (size_t i = 0; i < x->n; i++) {
		char id_text[DIGEST_TEXT_BYTES], digest[DIGEST_TEXT_BYTES];
		struct idx_digest id;

		digest_text(&x->entries[i].digest, digest);
		if (image_id(s, &x->entries[i], &id) < 0) {
			/* A damaged image can still be named by its manifest. */
			id = x->entries[i].digest;
		}
		digest_text(&id, id_text);
		if (!str_starts(digest_hex(id_text), text) && !str_eq(digest_hex(digest), text))
			continue;
		if (found && !digest_eq(&found_id, &id))
			return err_say(err, -EEXIST, "'%s' begins the ids of several images", text);
		if (!found) {
			found = &x->entries[i];
			found_id = id;
		}
	}
	*ret = found;
	return found ? 1 : -ENOENT;
}

/* Does the full name @name end with the short one: the same tag, the same last components? */
static bool ends_with(const char *name, const struct ref *ref)
{
	const char *path = ref->path;
	auto_free char *suffix = NULL;
	auto_ref full = { 0 };

	if (str_starts(path, "library/"))
		path += strlen("library/");
	suffix = str_format("/%s", path);
	if (!suffix || ref_parse(name, &full, NULL) < 0 || !full.tag || !str_eq(full.tag, ref->tag))
		return false;
	return str_eq(full.path, path) || str_ends(full.path, suffix);
}

/* A short name that was pulled by an alias or from the one registry that is searched. */
static int find_by_end(const struct index *x, const struct ref *ref, const char *text,
	const struct descriptor **ret, struct err *err)
{
	const struct descriptor *found = NULL;

	for (size_t i = 0; ref->is_short && !ref->digest.alg && i < x->n; i++) {
		const struct descriptor *d = &x->entries[i];

		if (!d->ref_name || !ends_with(d->ref_name, ref))
			continue;
		if (found && !digest_eq(&found->digest, &d->digest)) {
			err_say(err, -EEXIST, "'%s' may be one of several images", text);
			return err_hint(err, -EEXIST, "give the full name: %s, %s", found->ref_name,
				d->ref_name);
		}
		found = d;
	}
	*ret = found;
	return found ? 0 : -ENOENT;
}

int resolve_entry(struct img_store *s, const struct index *x, const char *text,
	const struct descriptor **ret, struct err *err)
{
	auto_ref ref = { 0 };
	const struct descriptor *d = NULL;
	struct err why = ERR_INIT;
	int parsed = ref_parse(text, &ref, &why), r;

	if (parsed == 0)
		d = find_named(x, &ref);
	if (!d && parsed == 0 && ref.digest.alg)
		d = find_by_digest(x, &ref);
	if (d) {
		*ret = d;
		return 0;
	}
	r = find_by_id(s, x, text, ret, err);
	if (r == -ENOENT && parsed == 0)
		r = find_by_end(x, &ref, text, ret, err);
	if (r != -ENOENT)
		return r;
	if (parsed < 0 && !str_starts(text, "sha256:")) {
		if (err)
			*err = why;
		return parsed;
	}
	return err_say(err, -ENOENT, "there is no image '%s'", text);
}

int resolve_take_lease(struct img_store *s, const struct idx_digest *manifest, enum lock_mode mode,
	struct err *err)
{
	char text[DIGEST_TEXT_BYTES], path[DIGEST_TEXT_BYTES + 32];
	int flags = mode == LOCK_EXCLUSIVE ? O_RDWR : O_RDONLY, r;
	auto_fd fd = -1;

	digest_text(manifest, text);
	snprintf(path, sizeof(path), "blobs/%s/%s", digest_alg_name(manifest), digest_hex(text));
	fd = at_open(img_store_dirfd(s), path, flags | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s/%s'", img_store_path(s), path);
	r = lock_fd(fd, mode, LOCK_TRY);
	if (r == -EAGAIN)
		return -EBUSY;
	if (r < 0 && r != -ENOLCK)
		return err_set(err, r, "cannot lock '%s/%s'", img_store_path(s), path);
	return fd_take(&fd);
}

/* Manifest and config of @d into @img. */
static int load(struct img_store *s, const struct descriptor *d, struct img *img, struct err *err)
{
	auto_free char *data = NULL;
	auto_manifest m = { 0 };
	auto_config c = { 0 };
	size_t len;
	int r;

	img->manifest_digest = d->digest;
	if (d->ref_name) {
		img->name = strdup(d->ref_name);
		if (!img->name)
			return err_set(err, -ENOMEM, "cannot open an image");
	}
	r = store_read_blob(s, &d->digest, &data, &len, err);
	if (r == 0)
		r = manifest_parse(data, len, &m, err);
	if (r < 0)
		return r;
	img->config_digest = m.config.digest;
	r = store_read_blob(s, &m.config.digest, &img->config_json, &img->config_len, err);
	if (r == 0)
		r = config_parse(img->config_json, img->config_len, &c, err);
	if (r < 0)
		return r;
	img->diff_ids = ptr_take(&c.diff_ids);
	img->n_layers = c.n_diff_ids;
	r = chain_id(img->diff_ids, img->n_layers, &img->chain_id);
	return r < 0 ? err_set(err, r, "cannot open an image") : 0;
}

int resolve_load(struct img_store *s, const struct descriptor *d, struct img *ret, struct err *err)
{
	struct img img = { .lease_fd = -1 };
	int r = load(s, d, &img, err);

	if (r < 0) {
		img_done(&img);
		return r;
	}
	*ret = img;
	return 0;
}

static int resolve_in(struct img_store *s, const char *ref, struct img *ret, struct err *err)
{
	auto_index x = { 0 };
	auto_fd lock = store_lock(s, LOCK_SHARED, err);
	const struct descriptor *d;
	int lease, r;

	if (lock < 0)
		return lock;
	r = names_load(s, &x, err);
	if (r == 0)
		r = resolve_entry(s, &x, ref, &d, err);
	if (r < 0)
		return r;
	lease = resolve_take_lease(s, &d->digest, LOCK_SHARED, err);
	if (lease < 0)
		return lease == -EBUSY ? err_say(err, lease, "it is being removed") : lease;
	r = resolve_load(s, d, ret, err);
	if (r < 0) {
		(void)close(lease);
		err_hint(err, r, "pull '%s' again", d->ref_name ? d->ref_name : ref);
		return r;
	}
	ret->lease_fd = lease;
	return 0;
}

int img_resolve(struct img_store *s, const char *ref, struct img *ret, struct err *err)
{
	int r = resolve_in(s, ref, ret, err);

	/* What is wrong with another's store is nothing that this user could mend. */
	for (size_t i = 0; r == -ENOENT && i < img_store_n_others(s); i++)
		if (resolve_in(img_store_other(s, i), ref, ret, NULL) == 0)
			return 0;
	return r;
}

void img_done(struct img *img)
{
	if (img->lease_fd >= 0)
		(void)close(img->lease_fd);
	free(img->name);
	free(img->config_json);
	free(img->diff_ids);
	*img = (struct img){ .lease_fd = -1 };
}

int img_tag(
	struct img_store *s, const char *ref, const char *name, char **ret_name, struct err *err)
{
	auto_index x = { 0 };
	auto_free char *full = NULL;
	auto_fd lock = -1;
	const struct descriptor *d = NULL;
	struct descriptor copy;
	int r = ref_stored_name(name, &full, err);

	if (r < 0)
		return r;
	lock = store_lock(s, LOCK_EXCLUSIVE, err);
	if (lock < 0)
		return lock;
	r = names_load(s, &x, err);
	if (r == 0)
		r = resolve_entry(s, &x, ref, &d, err);
	if (r < 0)
		return r;
	r = descriptor_copy(&copy, d);
	if (r == 0) {
		free(copy.ref_name);
		copy.ref_name = full;
		r = names_set(&x, &copy);
		copy.ref_name = NULL;
		descriptor_done(&copy);
	}
	if (r < 0)
		return err_set(err, r, "cannot name the image");
	r = names_save(s, &x, err);
	if (r == 0)
		*ret_name = ptr_take(&full);
	return r;
}
