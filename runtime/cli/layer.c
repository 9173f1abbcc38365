/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: layer ls, layer cat, layer verify
 *
 * What a layer is called: its diff id ("sha256:07aa…"), the beginning of that id's digits, or the path
 * of a layer.idx with its layer.tar beside it.
 */
#include "base/at.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/layer_check.h"
#include "image/layer_name.h"
#include "image/layers.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/layer_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

DEFINE_CLEANUP(struct img_store *, store, img_store_close)
DEFINE_CLEANUP(struct idx *, idx, idx_close)
DEFINE_CLEANUP(DIR *, dir, closedir)
#define auto_store auto_cleanup(store) struct img_store *
#define auto_idx   auto_cleanup(idx) struct idx *

/* What a person called a layer: in the store, or a file. */
struct layer_ref {
	struct idx_digest diff_id;
	int tar_fd; /* -1: there is no tar */
	struct idx *x; /* of either kind, where it is a file */
};

static void layer_ref_done(struct layer_ref *l)
{
	idx_close(l->x);
	if (l->tar_fd >= 0)
		(void)close(l->tar_fd);
}
#define auto_layer __attribute__((cleanup(layer_ref_done))) struct layer_ref

/* ---- finding ---- */

/* "sha256-HEX" of the store as a digest. */
static int parse_dir_name(const char *name, struct idx_digest *ret)
{
	auto_free char *text = strdup(name);
	char *dash = text ? strchr(text, '-') : NULL;

	if (!dash)
		return text ? -EINVAL : -ENOMEM;
	*dash = ':';
	return digest_parse(text, ret);
}

static int open_names(struct img_store *s, const char *path, DIR **ret, struct err *err)
{
	int fd = at_open(img_store_dirfd(s), path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return err_set(err, fd, "cannot open '%s/%s'", img_store_path(s), path);
	*ret = fdopendir(fd);
	if (!*ret) {
		int r = -errno;

		(void)close(fd);
		return err_set(err, r, "cannot read '%s/%s'", img_store_path(s), path);
	}
	return 0;
}

/* Does the digest in a directory's name begin with what was typed? */
static bool name_matches(const char *name, const char *typed)
{
	const char *hex = strchr(name, '-');
	const char *colon = strchr(typed, ':');
	size_t alg_len = hex ? (size_t)(hex - name) : 0;

	if (!hex)
		return false;
	if (!colon)
		return strlen(typed) >= 4 && str_starts(hex + 1, typed);
	return (size_t)(colon - typed) == alg_len && memcmp(name, typed, alg_len) == 0 &&
	       colon[1] && str_starts(hex + 1, colon + 1);
}

/* Return: 0; -ENOENT without a text if no layer has such an id; -EEXIST if several have. */
static int find_in_store(
	struct img_store *s, const char *typed, struct idx_digest *ret, struct err *err)
{
	auto_cleanup(dir) DIR *dir = NULL;
	struct dirent *e;
	unsigned int n = 0;
	int r = open_names(s, "layers", &dir, err);

	if (r < 0)
		return r;
	while ((e = readdir(dir)))
		if (name_matches(e->d_name, typed) && parse_dir_name(e->d_name, ret) == 0)
			n++;
	if (n > 1)
		return err_say(err, -EEXIST, "'%s' means %u layers", typed, n);
	return n == 1 ? 0 : -ENOENT;
}

/* An index by path, of whichever kind; the tar beside it, if there is one. */
static int open_file(const char *path, struct layer_ref *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *tar =
		str_format("%.*slayer.tar", slash ? (int)(slash + 1 - path) : 0, slash ? path : "");
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	r = idx_open(&ret->x, fd, IDX_KIND_LAYER, err);
	if (r < 0 && idx_open(&ret->x, fd, IDX_KIND_IMAGE, NULL) < 0)
		return err_wrap(err, r, "'%s'", path);
	ret->diff_id = idx_header(ret->x)->id;
	ret->tar_fd = tar && idx_header(ret->x)->kind == IDX_KIND_LAYER
			      ? open(tar, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
			      : -1;
	return 0;
}

static int open_layer(struct img_store *s, const struct idx_digest *diff_id, struct layer_ref *ret,
	struct err *err)
{
	ret->diff_id = *diff_id;
	ret->tar_fd = layer_lease(s, diff_id, err);
	if (ret->tar_fd < 0)
		return ret->tar_fd;
	return layer_open_index(s, diff_id, ret->tar_fd, &ret->x, err);
}

/* The merged index of an image, made if it is missing. */
static int open_image(struct img_store *s, const char *name, struct layer_ref *ret, struct err *err)
{
	char dir_name[STORE_DIR_NAME_BYTES];
	auto_free char *path = NULL;
	struct img img = { .lease_fd = -1 };
	struct lower *lower = NULL;
	auto_fd fd = -1;
	int r = img_resolve(s, name, &img, err);

	if (r < 0)
		return r;
	r = img_open_lower(s, &img, &lower, err);
	if (r == 0) {
		store_dir_name(&img.chain_id, dir_name);
		path = str_format("images/%s.idx", dir_name);
		fd = path ? at_open(img_store_dirfd(s), path, O_RDONLY, 0) : -ENOMEM;
		r = fd < 0 ? err_set(err, fd, "cannot open the merged index")
			   : idx_open(&ret->x, fd, IDX_KIND_IMAGE, err);
		lower->ops->close(lower);
	}
	img_done(&img);
	return r;
}

static bool is_path(const char *typed)
{
	return strchr(typed, '/') && access(typed, F_OK) == 0;
}

/* Anything that can be listed. */
static int open_any(struct cli *cli, const char *typed, struct layer_ref *ret, struct err *err)
{
	auto_store s = NULL;
	struct idx_digest id;
	int r;

	if (is_path(typed) || str_ends(typed, ".idx"))
		return open_file(typed, ret, err);
	r = img_store_open(&s, cli->root, err);
	if (r == 0)
		r = find_in_store(s, typed, &id, err);
	if (r == 0)
		return open_layer(s, &id, ret, err);
	return r == -ENOENT ? open_image(s, typed, ret, err) : r;
}

/* ---- ls ---- */

struct opts_ls {
	bool json;
};

static const struct args_opt opts_ls[] = {
	{ "json", 0, ARGS_FLAG, offsetof(struct opts_ls, json), NULL, "a JSON object a line" },
	{ 0 },
};

static int run_ls(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_ls *o = opts;
	enum layer_list_flags flags = o->json ? LAYER_LIST_JSON : 0;
	auto_layer l = { .tar_fd = -1 };
	struct err err = ERR_INIT;
	int r = open_any(cli, argv[0], &l, &err);

	if (r == 0)
		r = idx_header(l.x)->kind == IDX_KIND_LAYER ? layer_list_members(l.x, flags, &err)
							    : layer_list_tree(l.x, flags, &err);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_set(&err, -EIO, "cannot write the listing");
	if (r < 0) {
		err_wrap(&err, r, "cannot list '%s'", argv[0]);
		return cli_fail(&err);
	}
	return 0;
}

/* ---- cat ---- */

/* The last member with this path, as a merge would see it. */
static int find_member(struct idx *x, const struct buf *path, struct idx_member *ret)
{
	for (uint32_t i = idx_n_members(x); i-- > 0;) {
		const char *s;
		int r = idx_member(x, i, ret);

		if (r == 0)
			r = idx_string(x, ret->path, ret->path_len, &s);
		if (r < 0)
			return r;
		if (ret->kind <= IDX_MEMBER_HARDLINK && ret->path_len == path->len &&
			memcmp(s, path->data, path->len) == 0)
			return 0;
	}
	return -ENOENT;
}

/* A hard link's content is that of what it names, which may be another hard link. */
static int find_content(struct idx *x, struct buf *path, struct idx_content *ret, struct err *err)
{
	struct idx_member m;
	const char *s;
	int r;

	for (int links = 0; links < 40; links++) {
		r = find_member(x, path, &m);
		if (r == -ENOENT)
			return err_say(err, r, "the layer does not have it%s",
				links ? ": it is a hard link to a lower layer's file" : "");
		if (r < 0)
			return err_set(err, r, "the index is damaged");
		if (m.kind == IDX_MEMBER_ENTRY) {
			r = idx_member_content(x, &m, ret);
			return r < 0 ? err_say(err, r, "not a regular file") : 0;
		}
		r = idx_string(x, m.link, m.link_len, &s);
		path->len = 0;
		if (r == 0)
			r = buf_add(path, s, m.link_len);
		if (r < 0)
			return err_set(err, r, "cannot follow the hard link");
	}
	return err_set(err, -ELOOP, "cannot follow the hard link");
}

static int copy_content(
	struct idx *x, const struct idx_content *c, int tar_fd, int out_fd, struct err *err)
{
	char data[65536];
	uint64_t pos, len;

	for (uint64_t off = 0; off < c->size; off += len) {
		int is_data = idx_map(x, c, off, &pos, &len), r = 0;

		if (is_data < 0)
			return err_set(err, is_data, "the index is damaged");
		if (len > sizeof(data))
			len = sizeof(data);
		if (is_data)
			r = fd_pread_all(tar_fd, data, len, (off_t)pos);
		else
			memset(data, 0, len);
		if (r < 0)
			return err_set(err, r, "cannot read the layer");
		r = fd_write_all(out_fd, data, len);
		if (r < 0)
			return err_set(err, r, "cannot write");
	}
	return 0;
}

static int cat(struct cli *cli, const char *layer, const char *typed, struct err *err)
{
	auto_layer l = { .tar_fd = -1 };
	auto_buf path = { 0 };
	struct idx_content c;
	const char *why;
	int r = open_any(cli, layer, &l, err);

	if (r < 0)
		return r;
	if (idx_header(l.x)->kind != IDX_KIND_LAYER || l.tar_fd < 0)
		return err_say(err, -EINVAL, "'%s' is not a layer with its tar", layer);
	r = layer_path_clean(typed, strlen(typed), &path, &why);
	if (r < 0)
		return err_say(err, r, "%s", r == -EBADMSG ? why : "out of memory");
	r = find_content(l.x, &path, &c, err);
	return r < 0 ? r : copy_content(l.x, &c, l.tar_fd, STDOUT_FILENO, err);
}

static int run_cat(struct cli *cli, void *opts, int argc, char **argv)
{
	struct err err = ERR_INIT;
	int r = cat(cli, argv[0], argv[1], &err);

	if (r < 0) {
		err_wrap(&err, r, "cannot print '%s'", argv[1]);
		return cli_fail(&err);
	}
	return 0;
}

/* ---- verify ---- */

struct opts_verify {
	bool repair;
};

static const struct args_opt opts_verify[] = {
	{ "repair", 0, ARGS_FLAG, offsetof(struct opts_verify, repair), NULL,
		"make damaged indexes anew" },
	{ 0 },
};

static void say_damaged(const char *what, int code, struct err *err)
{
	err_wrap(err, code, "'%s'", what);
	(void)cli_fail(err);
}

/* Remove a bad index of the store; whoever needs it makes it again. */
static int drop_index(struct img_store *s, const char *path)
{
	if (unlinkat(img_store_dirfd(s), path, 0) < 0 && errno != ENOENT)
		return -errno;
	printf("%s: index removed\n", path);
	return 0;
}

/* Return: 0; 1 if something is wrong, which was said. */
static int verify_layer(struct img_store *s, const struct idx_digest *id, bool repair)
{
	char name[STORE_DIR_NAME_BYTES], text[DIGEST_TEXT_BYTES];
	auto_fd tar_fd = -1, idx_fd = -1;
	auto_free char *path = NULL;
	struct err err = ERR_INIT;
	int r;

	digest_text(id, text);
	store_dir_name(id, name);
	path = str_format("layers/%s/layer.idx", name);
	r = tar_fd = layer_lease(s, id, &err);
	if (r >= 0 && path) {
		idx_fd = at_open(img_store_dirfd(s), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
		r = layer_check(tar_fd, idx_fd, id, &err);
	}
	if (r == 1 && repair) {
		auto_idx x = NULL;

		r = drop_index(s, path);
		r = r < 0 ? err_set(&err, r, "cannot remove its index")
			  : layer_open_index(s, id, tar_fd, &x, &err);
	}
	if (r != 0) {
		if (r == 1)
			err_hint(&err, r, "lamina layer verify --repair %s", text);
		say_damaged(text, r, &err);
		return 1;
	}
	printf("%s: ok\n", text);
	return 0;
}

static int verify_merged(struct img_store *s, const char *name, bool repair)
{
	auto_free char *path = str_format("images/%s", name);
	auto_free char *id = strndup(name, strlen(name) - strlen(".idx"));
	struct idx_digest chain = { 0 };
	struct err err = ERR_INIT;
	auto_fd fd = -1;
	auto_idx x = NULL;
	int r = -ENOMEM;

	if (path && id) {
		fd = at_open(img_store_dirfd(s), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
		r = fd < 0 ? err_set(&err, fd, "cannot open it")
			   : idx_open(&x, fd, IDX_KIND_IMAGE, &err);
	}
	if (r == 0)
		r = idx_verify(x, &err);
	if (r == 0 && (parse_dir_name(id, &chain) < 0 || !digest_eq(&chain, &idx_header(x)->id)))
		r = err_say(&err, -EBADMSG, "it is another image's");
	if (r < 0 && repair && path)
		return drop_index(s, path) < 0;
	if (r < 0) {
		err_hint(&err, r, "lamina layer verify --repair");
		say_damaged(path ? path : name, r, &err);
		return 1;
	}
	printf("%s: ok\n", path);
	return 0;
}

static int verify_file(const char *path)
{
	auto_layer l = { .tar_fd = -1 };
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct err err = ERR_INIT;
	int r = open_file(path, &l, &err);

	if (r == 0)
		r = l.tar_fd >= 0 ? layer_check(l.tar_fd, fd, &l.diff_id, &err)
				  : idx_verify(l.x, &err);
	if (r != 0) {
		say_damaged(path, r, &err);
		return 1;
	}
	printf("%s: ok\n", path);
	return 0;
}

static int verify_all(struct img_store *s, bool repair, struct err *err)
{
	static const char *const dirs[] = { "layers", "images" };
	int bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_cleanup(dir) DIR *dir = NULL;
		struct idx_digest id;
		struct dirent *e;
		int r = open_names(s, dirs[i], &dir, err);

		if (r < 0)
			return r;
		while ((e = readdir(dir)))
			if (i == 0 && parse_dir_name(e->d_name, &id) == 0)
				bad += verify_layer(s, &id, repair);
			else if (i == 1 && str_ends(e->d_name, ".idx"))
				bad += verify_merged(s, e->d_name, repair);
	}
	return bad > 0;
}

static int verify_one(struct img_store *s, const char *typed, bool repair, struct err *err)
{
	struct idx_digest id;
	int r = find_in_store(s, typed, &id, err);

	if (r == -ENOENT)
		return err_say(err, r, "there is no layer '%s'", typed);
	return r < 0 ? r : verify_layer(s, &id, repair);
}

static int run_verify(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct opts_verify *o = opts;
	struct err err = ERR_INIT;
	auto_store s = NULL;
	int r = 0, bad = 0;

	for (int i = 0; r >= 0 && i < argc; i++) {
		if (is_path(argv[i])) {
			bad += verify_file(argv[i]);
			continue;
		}
		if (!s)
			r = img_store_open(&s, cli->root, &err);
		if (r >= 0)
			r = verify_one(s, argv[i], o->repair, &err);
		bad += r > 0;
	}
	if (argc == 0) {
		r = img_store_open(&s, cli->root, &err);
		if (r == 0)
			r = verify_all(s, o->repair, &err);
		bad = r > 0;
	}
	return r < 0 ? cli_fail(&err) : bad > 0;
}

const struct cli_verb cli_verbs_layer[] = {
	{ "layer ls", "[--json] LAYER|IMAGE|FILE", "list what a layer or an image holds", opts_ls,
		sizeof(struct opts_ls), 1, 1, false, run_ls },
	{ "layer cat", "LAYER PATH", "print a file of a layer", NULL, 0, 2, 2, false, run_cat },
	{ "layer verify", "[--repair] [LAYER|FILE]…",
		"check layers against their digests, and indexes", opts_verify,
		sizeof(struct opts_verify), 0, -1, false, run_verify },
	{ 0 },
};
