/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's directory: found, made, locked, staged in (the contracts are in the headers)
 *
 * A directory becomes a store by its file oci-layout, which is written last.  Opening an existing
 * store writes nothing, so a store on a read-only filesystem can be used.
 */
#include "image/store_dir.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/conf.h"
#include "image/manifest.h"

#include <dirent.h>
#include <fcntl.h>

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_JSON "{\"imageLayoutVersion\":\"1.0.0\"}"
#define EMPTY_INDEX "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}"

struct img_store {
	int dirfd;
	char *path;
	/* Stores that are only read, in the order of lamina.conf; they have none themselves. */
	struct img_store **others;
	size_t n_others;
};

static const char *const subdirs[] = { "blobs", "blobs/sha256", "layers", "images", "tmp" };

/* $LAMINA_ROOT, lamina.conf, $XDG_DATA_HOME/lamina, ~/.local/share/lamina; root's /var/lib/lamina. */
static char *default_path(const struct conf *conf)
{
	const char *root = getenv("LAMINA_ROOT"), *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (root && *root)
		return strdup(root);
	if (conf->root)
		return strdup(conf->root);
	if (proc_is_system_root())
		return strdup("/var/lib/lamina");
	if (data && *data == '/')
		return str_format("%s/lamina", data);
	return home && *home ? str_format("%s/.local/share/lamina", home) : NULL;
}

/* Parents with the modes that the XDG rules give them, the store itself for nobody else. */
static int make_root(const char *path, struct err *err)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return err_set(err, -ENOMEM, "cannot open the store");
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/' || p[-1] == '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return err_set(err, -errno, "cannot make the directory '%s'", copy);
		*p = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST && errno != EROFS)
		return err_set(err, -errno, "cannot make the store '%s'", path);
	return 0;
}

static bool is_empty_but_for(int dirfd, const char *const *names)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	bool clean = dir;

	while (dir && (de = readdir(dir))) {
		const char *const *n = names;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		while (*n && !str_eq(*n, de->d_name))
			n++;
		clean = clean && *n;
	}
	if (dir)
		(void)closedir(dir);
	return clean;
}

/* Everything of a new store; what an interrupted first time left is taken over. */
static int fill_root(struct img_store *s, struct err *err)
{
	static const char *const ours[] = { "lock", "blobs", "layers", "images", "tmp",
		"index.json", "index.json.damaged", "containers", "networks", LAYOUT_FILE, NULL };
	auto_fd lock = -1;

	if (!is_empty_but_for(s->dirfd, ours)) {
		err_say(err, -ENOTEMPTY, "'%s' is not empty and not a store", s->path);
		return err_hint(err, -ENOTEMPTY, "name another directory with --root");
	}
	lock = store_lock(s, LOCK_EXCLUSIVE, err);
	if (lock < 0)
		return lock;
	for (size_t i = 0; i < ARRAY_SIZE(subdirs); i++)
		if (mkdirat(s->dirfd, subdirs[i], 0700) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make '%s/%s'", s->path, subdirs[i]);
	if (faccessat(s->dirfd, "index.json", F_OK, 0) < 0) {
		int r = store_put(s, ".", "index.json", EMPTY_INDEX, strlen(EMPTY_INDEX), err);

		if (r < 0)
			return r;
	}
	return store_put(s, ".", LAYOUT_FILE, LAYOUT_JSON, strlen(LAYOUT_JSON), err);
}

static int check_layout(struct img_store *s, struct err *err)
{
	auto_free char *data = NULL;
	auto_json *j = NULL;
	const char *version;
	size_t len;
	int r = at_read_file(s->dirfd, LAYOUT_FILE, 4096, &data, &len);

	if (r == -ENOENT)
		return fill_root(s, err);
	if (r < 0)
		return err_set(err, r, "cannot read '%s/" LAYOUT_FILE "'", s->path);
	r = json_parse(data, len, LAYOUT_FILE, &j, err);
	if (r < 0)
		return r;
	version = json_get_str(j, "imageLayoutVersion");
	if (!version || !str_starts(version, "1."))
		return err_say(err, -EPROTONOSUPPORT, "the version of its layout is '%s', not 1",
			version ? version : "");
	return 0;
}

static int open_dir(const char *path, struct img_store **ret, struct err *err)
{
	struct img_store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "cannot open the store");
	s->dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0) {
		int r = err_set(err, -errno, "cannot open the store '%s'", path);

		free(s);
		return r;
	}
	s->path = realpath(path, NULL);
	if (!s->path)
		s->path = strdup(path);
	*ret = s;
	return s->path ? 0 : err_set(err, -ENOMEM, "cannot open the store");
}

/* One that cannot be opened stands in nobody's way: the machine may just not have it mounted. */
static void open_other(struct img_store *s, const char *path)
{
	struct img_store *other = NULL;
	struct err err = ERR_INIT;
	int r = open_dir(path, &other, &err);

	if (r == 0 && faccessat(other->dirfd, LAYOUT_FILE, F_OK, 0) < 0)
		r = err_set(&err, -errno, "'%s' is not a store", path);
	if (r == 0)
		r = check_layout(other, &err);
	if (r < 0) {
		log_warning("store", "additional store is left out: %s", err.text);
		img_store_close(other);
		return;
	}
	s->others[s->n_others++] = other;
}

static int open_others(struct img_store *s, const struct conf *conf, struct err *err)
{
	s->others = calloc(conf->additional_stores.n + 1, sizeof(struct img_store *));
	if (!s->others)
		return err_set(err, -ENOMEM, "cannot open the store");
	for (size_t i = 0; i < conf->additional_stores.n; i++)
		open_other(s, conf->additional_stores.v[i]);
	return 0;
}

static int open_store(
	struct img_store **ret, const char *path, const struct conf *conf, struct err *err)
{
	auto_free char *chosen = path ? strdup(path) : default_path(conf);
	struct img_store *s = NULL;
	int r;

	if (!chosen || !*chosen) {
		err_say(err, -ENOENT, "there is no place for the store: HOME is not set");
		return err_hint(err, -ENOENT, "name a directory with --root");
	}
	r = make_root(chosen, err);
	if (r == 0)
		r = open_dir(chosen, &s, err);
	if (r < 0) {
		img_store_close(s);
		return r;
	}
	r = check_layout(s, err);
	if (r < 0)
		err_wrap(err, r, "the store '%s'", s->path);
	if (r == 0)
		r = open_others(s, conf, err);
	if (r < 0) {
		img_store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

int img_store_open(struct img_store **ret, const char *path, struct err *err)
{
	struct conf conf;
	int r = conf_load(&conf, err);

	if (r < 0)
		return r;
	r = open_store(ret, path, &conf, err);
	conf_done(&conf);
	return r;
}

void img_store_close(struct img_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_others; i++)
		img_store_close(s->others[i]);
	free(s->others);
	(void)close(s->dirfd);
	free(s->path);
	free(s);
}

size_t img_store_n_others(const struct img_store *s)
{
	return s->n_others;
}

struct img_store *img_store_other(const struct img_store *s, size_t i)
{
	return s->others[i];
}

int img_store_dirfd(const struct img_store *s)
{
	return s->dirfd;
}

const char *img_store_path(const struct img_store *s)
{
	return s->path;
}

void store_dir_name(const struct idx_digest *d, char ret[static STORE_DIR_NAME_BYTES])
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(d, text);
	snprintf(ret, STORE_DIR_NAME_BYTES, "%s-%s", digest_alg_name(d), digest_hex(text));
}

int store_open_dir(struct img_store *s, const char *name, struct err *err)
{
	int fd = at_open(s->dirfd, name, O_PATH | O_DIRECTORY, 0);

	return fd < 0 ? err_set(err, fd, "cannot open '%s/%s'", s->path, name) : fd;
}

int store_lock(struct img_store *s, enum lock_mode mode, struct err *err)
{
	int fd = lock_open(s->dirfd, "lock", mode, LOCK_WAIT);

	if ((fd == -EROFS || fd == -EACCES) && mode == LOCK_SHARED) {
		fd = openat(s->dirfd, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		else
			(void)lock_fd(fd, mode, LOCK_WAIT);
	}
	if (fd >= 0)
		return fd;
	err_set(err, fd, "cannot lock the store '%s'", s->path);
	if (fd == -ENOLCK)
		err_hint(err, fd,
			"the filesystem has no locks: put the store on another with --root");
	return fd;
}

/* tmp/new, complete and synced. */
static int write_new(int tmp, const void *data, size_t len)
{
	auto_fd fd =
		openat(tmp, "new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(tmp, "new", 0);
	return r;
}

int store_put(struct img_store *s, const char *dir, const char *name, const void *data, size_t len,
	struct err *err)
{
	auto_fd tmp = store_open_dir(s, "tmp", err), to = -1;
	int r;

	if (tmp < 0)
		return tmp;
	to = store_open_dir(s, dir, err);
	if (to < 0)
		return to;
	r = write_new(tmp, data, len);
	if (r == 0 && renameat(tmp, "new", to, name) < 0)
		r = -errno;
	if (r == 0)
		r = at_sync_dir(to);
	return r < 0 ? err_set(err, r, "cannot write '%s/%s/%s'", s->path, dir, name) : 0;
}

static void blob_path(const struct idx_digest *d, char *dir, size_t room, char *hex)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(d, text);
	snprintf(dir, room, "blobs/%s", digest_alg_name(d));
	memcpy(hex, digest_hex(text), strlen(digest_hex(text)) + 1);
}

/* With the digest's own algorithm. */
static bool is_digest_of(const struct idx_digest *d, const void *data, size_t len)
{
	struct idx_digest is;
	struct hasher *h;

	if (hasher_new(&h, d->alg) < 0)
		return false;
	hasher_update(h, data, len);
	hasher_finish(h, &is);
	hasher_free(h);
	return digest_eq(&is, d);
}

int store_read_blob(struct img_store *s, const struct idx_digest *d, char **ret, size_t *ret_len,
	struct err *err)
{
	auto_free char *data = NULL;
	char dir[32], hex[DIGEST_TEXT_BYTES], path[sizeof(dir) + sizeof(hex) + 1];
	size_t len;
	int r;

	blob_path(d, dir, sizeof(dir), hex);
	snprintf(path, sizeof(path), "%s/%s", dir, hex);
	r = at_read_file(s->dirfd, path, LIMIT_MANIFEST_BYTES, &data, &len);
	if (r < 0)
		return err_set(err, r, "cannot read '%s/%s'", s->path, path);
	if (!is_digest_of(d, data, len))
		return err_say(err, -EBADMSG, "the blob '%s/%s' is damaged", s->path, path);
	*ret = ptr_take(&data);
	*ret_len = len;
	return 0;
}

int store_put_blob(struct img_store *s, const struct idx_digest *d, const void *data, size_t len,
	struct err *err)
{
	auto_free char *old = NULL;
	char dir[32], hex[DIGEST_TEXT_BYTES];
	size_t old_len;

	if (store_read_blob(s, d, &old, &old_len, NULL) == 0)
		return 0;
	blob_path(d, dir, sizeof(dir), hex);
	if (mkdirat(s->dirfd, dir, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s/%s'", s->path, dir);
	return store_put(s, dir, hex, data, len, err);
}
