/* SPDX-License-Identifier: Apache-2.0 */
/* Records of containers-storage (the contract is in the header). */
#include "image/cstorage_find.h"

#include "base/at.h"
#include "base/str.h"
#include "image/cstorage_root.h"
#include "image/digest.h"
#include "image/ref.h"

#include <assert.h>
#include <fcntl.h>

#define LIMIT_ID_PREFIX 3 /* hex digits */
#define LIMIT_ID	64

static const char *const names[] = { [CSTORAGE_OVERLAY] = "overlay", [CSTORAGE_VFS] = "vfs" };
static_assert(ARRAY_SIZE(names) == CSTORAGE_MAX_, "a name for each driver");

const char *cstorage_driver_name(enum cstorage_driver driver)
{
	return names[driver];
}

bool cstorage_is_id(const char *s, size_t min)
{
	size_t len = strspn(s, "0123456789abcdef");

	return s[len] == '\0' && len >= min && len <= LIMIT_ID;
}

/* [DRIVER@]ROOT[+RUNROOT][:OPTIONS] */
static int split_spec(const char *spec, char **ret_driver, char **ret_root, struct err *err)
{
	const char *at = strchr(spec, '@');

	if (at) {
		*ret_driver = strndup(spec, (size_t)(at - spec));
		spec = at + 1;
		if (!*ret_driver)
			return err_set(err, -ENOMEM, "cannot open a storage of containers");
	}
	if (!*spec)
		return cstorage_root(ret_root, err);
	if (*spec != '/')
		return err_say(err, -EINVAL, "'%s' is not the absolute path of a storage", spec);
	*ret_root = strndup(spec, strcspn(spec, "+:"));
	return *ret_root ? 0 : err_set(err, -ENOMEM, "cannot open a storage of containers");
}

/* An empty list if there is no such file, or an empty one: nothing was ever stored. */
static int load(
	int rootfd, enum cstorage_driver driver, const char *what, json_t **ret, struct err *err)
{
	const char *name = cstorage_driver_name(driver);
	auto_free char *path = str_format("%s-%s/%s.json", name, what, what), *text = NULL;
	auto_json *j = NULL;
	size_t len = 0;
	int r;

	if (!path)
		return err_set(err, -ENOMEM, "cannot read a storage of containers");
	r = at_read_file(rootfd, path, LIMIT_CSTORAGE_RECORDS_BYTES, &text, &len);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return err_set(err, r, "cannot read '%s'", path);
	if (len == 0)
		j = json_array();
	else if ((r = json_parse(text, len, path, &j, err)) < 0)
		return r;
	if (!json_is_array(j))
		return err_say(err, -EBADMSG, "'%s' is no list", path);
	*ret = ptr_take(&j);
	return 0;
}

int cstorage_records_layers(const struct cstorage_records *c, enum cstorage_driver driver,
	json_t **ret, struct err *err)
{
	return load(c->rootfd, driver, "layers", ret, err);
}

void cstorage_records_done(struct cstorage_records *c)
{
	if (c->rootfd >= 0)
		(void)close(c->rootfd);
	for (size_t i = 0; i < CSTORAGE_MAX_; i++)
		json_decref(c->images[i]);
	*c = (struct cstorage_records){ .rootfd = -1 };
}

int cstorage_records_open(struct cstorage_records *ret, const char *spec, struct err *err)
{
	struct cstorage_records found = { .rootfd = -1 };
	auto_free char *driver = NULL, *root = NULL;
	auto_fd fd = -1;
	bool known = false;
	int r = split_spec(spec, &driver, &root, err);

	if (r < 0)
		return r;
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open the storage of containers '%s'", root);
	for (size_t i = 0; r >= 0 && i < CSTORAGE_MAX_; i++) {
		if (driver && *driver && !str_eq(driver, names[i]))
			continue;
		known = true;
		r = load(fd, (enum cstorage_driver)i, "images", &found.images[i], err);
	}
	if (!known)
		r = err_say(err, -EINVAL, "the driver '%s' is not supported: overlay and vfs are",
			driver);
	if (r < 0) {
		cstorage_records_done(&found);
		return err_wrap(err, r, "the storage of containers '%s'", root);
	}
	found.rootfd = fd_take(&fd);
	*ret = found;
	return 0;
}

/* ---- which image ---- */

enum match { MATCH_NONE, MATCH_END, MATCH_HUB, MATCH_LOCAL, MATCH_EXACT };

/* What a person asks for, in all forms that it may have in the records. */
struct wanted {
	const char *id; /* a prefix; NULL: it is no id */
	char *exact, *local, *hub, *end; /* with the tag; NULL: not of this form */
	struct idx_digest digest; /* alg 0: none */
};

static void wanted_done(struct wanted *w)
{
	free(w->exact);
	free(w->local);
	free(w->hub);
	free(w->end);
}

static int wanted_init(struct wanted *w, const char *text, struct err *err)
{
	auto_ref ref = { 0 };
	int r;

	if (text[0] == '@' && cstorage_is_id(text + 1, LIMIT_ID_PREFIX)) {
		w->id = text + 1;
		return 0;
	}
	w->id = cstorage_is_id(text, LIMIT_ID_PREFIX) ? text : NULL;
	r = ref_parse(text, &ref, err);
	if (r < 0)
		return w->id ? 0 : r;
	w->digest = ref.digest;
	ref.digest.alg = 0;
	w->hub = ref_text(&ref);
	if (ref.is_short) {
		const char *path = ref.path;

		if (str_starts(path, "library/") && !str_starts(text, "library/"))
			path += strlen("library/");
		w->end = str_format("/%s%s%s", path, ref.tag ? ":" : "", ref.tag ? ref.tag : "");
		w->local = w->end ? str_format("localhost%s", w->end) : NULL;
	} else {
		w->exact = ref_text(&ref);
	}
	return w->hub && (ref.is_short ? w->local : w->exact)
		       ? 0
		       : err_set(err, -ENOMEM, "cannot look for an image");
}

/* "NAME" without the tag that a digest makes needless. */
static bool name_eq(const char *name, const char *want, bool by_digest)
{
	size_t len = want ? strlen(want) : 0;

	return want && strncmp(name, want, len) == 0 &&
	       (!name[len] || (by_digest && (name[len] == ':' || name[len] == '@')));
}

static enum match match_name(const struct wanted *w, const char *name)
{
	bool by_digest = w->digest.alg;

	if (name_eq(name, w->exact, by_digest))
		return MATCH_EXACT;
	if (name_eq(name, w->local, by_digest))
		return MATCH_LOCAL;
	if (name_eq(name, w->hub, by_digest))
		return MATCH_HUB;
	return w->end && !by_digest && str_ends(name, w->end) ? MATCH_END : MATCH_NONE;
}

/* Does a digest name the image: that of its manifest, or of another one that led to it? */
static bool has_digest(const json_t *image, const struct idx_digest *want)
{
	const json_t *digests = json_object_get(image, "big-data-digests"), *v;
	const char *key, *own = json_get_str(image, "digest");
	struct idx_digest is;

	if (own && digest_parse(own, &is) == 0 && digest_eq(&is, want))
		return true;
	json_object_foreach ((json_t *)digests, key, v)
		if (str_starts(key, "manifest") && json_is_string(v) &&
			digest_parse(json_string_value(v), &is) == 0 && digest_eq(&is, want))
			return true;
	return false;
}

static enum match match_image(const struct wanted *w, const json_t *image, const char **ret_name)
{
	const char *id = json_get_str(image, "id");
	enum match best = MATCH_NONE;
	const json_t *v;
	size_t i;

	*ret_name = NULL;
	if (!id || !cstorage_is_id(id, 1) || (w->digest.alg && !has_digest(image, &w->digest)))
		return MATCH_NONE;
	json_array_foreach (json_object_get(image, "names"), i, v) {
		enum match m = json_is_string(v) ? match_name(w, json_string_value(v)) : MATCH_NONE;

		if (m > best)
			*ret_name = json_string_value(v);
		best = m > best ? m : best;
	}
	if (best == MATCH_NONE && w->id && str_starts(id, w->id)) {
		*ret_name = json_string_value(json_array_get(json_object_get(image, "names"), 0));
		best = MATCH_END;
	}
	return best;
}

int cstorage_records_find(const struct cstorage_records *c, const char *text,
	struct cstorage_found *ret, struct err *err)
{
	struct wanted w = { 0 };
	enum match best = MATCH_NONE;
	bool ambiguous = false;
	const json_t *image;
	const char *name;
	size_t i;
	int r = wanted_init(&w, text, err);

	for (int d = 0; r == 0 && d < CSTORAGE_MAX_; d++)
		json_array_foreach (c->images[d], i, image) {
			enum match m = match_image(&w, image, &name);

			if (m == MATCH_NONE || m < best)
				continue;
			ambiguous = m == best && m == MATCH_END &&
				    !str_eq(json_get_str(image, "id"), ret->id);
			best = m;
			*ret = (struct cstorage_found){ (enum cstorage_driver)d, image,
				json_get_str(image, "id"), name };
		}
	wanted_done(&w);
	if (r < 0)
		return r;
	if (best == MATCH_NONE)
		return err_say(err, -ENOENT, "there is no image '%s'", text);
	return ambiguous ? err_say(err, -EEXIST, "'%s' may be one of several images", text) : 0;
}
