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
#include "base/str.h"
#include "image/manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_JSON "{\"imageLayoutVersion\":\"1.0.0\"}"
#define EMPTY_INDEX "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]}"

struct img_store {
	int dirfd;
	char *path;
};

static const char *const subdirs[] = { "blobs", "blobs/sha256", "layers", "images", "tmp" };

/*
 * Root of this system, and not of a namespace that the user made below it (`lamina unshare`), where
 * the owner of the root directory is nobody.
 */
static bool is_system_root(void)
{
	struct stat st;

	return getuid() == 0 && stat("/", &st) == 0 && st.st_uid == 0;
}

/* $LAMINA_ROOT, $XDG_DATA_HOME/lamina, ~/.local/share/lamina; /var/lib/lamina for real root. */
static char *default_path(void)
{
	const char *root = getenv("LAMINA_ROOT"), *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (root && *root)
		return strdup(root);
	if (is_system_root())
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

int img_store_open(struct img_store **ret, const char *path, struct err *err)
{
	auto_free char *chosen = path ? strdup(path) : default_path();
	struct img_store *s;
	int r;

	if (!chosen || !*chosen) {
		err_say(err, -ENOENT, "there is no place for the store: HOME is not set");
		return err_hint(err, -ENOENT, "name a directory with --root");
	}
	r = make_root(chosen, err);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "cannot open the store");
	s->dirfd = open(chosen, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0) {
		r = err_set(err, -errno, "cannot open the store '%s'", chosen);
		free(s);
		return r;
	}
	s->path = realpath(chosen, NULL);
	if (!s->path)
		s->path = ptr_take(&chosen);
	r = check_layout(s, err);
	if (r < 0) {
		r = err_wrap(err, r, "the store '%s'", s->path);
		img_store_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void img_store_close(struct img_store *s)
{
	if (!s)
		return;
	(void)close(s->dirfd);
	free(s->path);
	free(s);
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
	return fd < 0 ? err_set(err, fd, "cannot lock the store '%s'", s->path) : fd;
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

/* ---- tmp/ ---- */

#define TRASH_PREFIX "trash-"
#define TRASH_MAKING "making-trash"

/*
 * Lock what stands for @name in tmp/: an fd; -EAGAIN if somebody holds it; -1 if nothing does.
 * The directory of a process that died before it made its lock gets one now.
 */
static int lock_owner(int tmp, const char *name)
{
	auto_free char *lock_name = NULL;
	struct stat st;

	if (str_starts(name, TRASH_PREFIX))
		lock_name = strdup(TRASH_MAKING);
	else if (str_starts(name, "making-"))
		lock_name = strdup(name);
	else if (fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		lock_name = str_format("%s/lock", name);
	return lock_name ? lock_open(tmp, lock_name, LOCK_EXCLUSIVE, LOCK_TRY) : -1;
}

static DIR *list_tmp(int tmp)
{
	int fd = openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		(void)close(fd);
	return dir;
}

int store_sweep(struct img_store *s, enum sweep_flags flags,
	void (*found)(void *ctx, const char *name), void *ctx)
{
	auto_fd tmp = store_open_dir(s, "tmp", NULL);
	DIR *dir = tmp < 0 ? NULL : list_tmp(tmp);
	struct dirent *de;

	if (!dir)
		return tmp < 0 ? tmp : -errno;
	while ((de = readdir(dir))) {
		auto_fd owner = -1;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		owner = lock_owner(tmp, de->d_name);
		if (owner == -EAGAIN)
			continue;
		if (found && !str_eq(de->d_name, TRASH_MAKING) &&
			!str_starts(de->d_name, TRASH_PREFIX))
			found(ctx, de->d_name);
		if (flags == SWEEP_REMOVE)
			(void)at_remove_tree(tmp, de->d_name);
	}
	(void)closedir(dir);
	/* Looking at trash has made its lock. */
	if (flags == SWEEP_REMOVE)
		(void)unlinkat(tmp, TRASH_MAKING, 0);
	return 0;
}

int store_trash(struct img_store *s, int dirfd, const char *name)
{
	auto_fd tmp = store_open_dir(s, "tmp", NULL);

	if (tmp < 0)
		return tmp;
	for (int tries = 0; tries < 100; tries++) {
		char to[32];
		uint32_t n;

		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return -errno;
		snprintf(to, sizeof(to), TRASH_PREFIX "%08x", n);
		/* Under the store lock nobody else makes such a name. */
		if (faccessat(tmp, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		return renameat(dirfd, name, tmp, to) < 0 ? -errno : 0;
	}
	return -EEXIST;
}

/* Return: whether anything was there. */
static bool remove_trash(int tmp)
{
	DIR *dir = list_tmp(tmp);
	struct dirent *de;
	bool any = false;

	while (dir && (de = readdir(dir)))
		if (str_starts(de->d_name, TRASH_PREFIX) && at_remove_tree(tmp, de->d_name) == 0)
			any = true;
	if (dir)
		(void)closedir(dir);
	return any;
}

static bool has_trash(int tmp)
{
	DIR *dir = list_tmp(tmp);
	struct dirent *de;
	bool has = false;

	while (dir && !has && (de = readdir(dir)))
		has = str_starts(de->d_name, TRASH_PREFIX);
	if (dir)
		(void)closedir(dir);
	return has;
}

/* In the child: nothing of the parent's is kept open but the directory. */
static void empty_trash(int tmp)
{
	int lock;

	(void)setsid();
	(void)dup2(tmp, 3);
	(void)close_range(4, ~0U, 0);
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	(void)fd_fill_standard();
	lock = lock_open(3, TRASH_MAKING, LOCK_EXCLUSIVE, LOCK_TRY);
	/* Whoever holds it goes round until nothing is left. */
	if (lock >= 0) {
		while (remove_trash(3))
			;
		(void)unlinkat(3, TRASH_MAKING, 0);
	}
	_exit(0);
}

void store_empty_trash(struct img_store *s)
{
	auto_fd tmp = store_open_dir(s, "tmp", NULL);
	pid_t pid;

	if (tmp < 0 || !has_trash(tmp))
		return;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		empty_trash(tmp);
	if (pid < 0)
		(void)remove_trash(tmp);
}

/* A directory of a name that nobody has. */
static int make_stage_dir(int tmp, struct stage *stage)
{
	for (int tries = 0; tries < 100; tries++) {
		uint32_t n;

		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return -errno;
		snprintf(stage->name, sizeof(stage->name), "stage-%08x", n);
		if (mkdirat(tmp, stage->name, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

int store_stage_new(struct img_store *s, struct stage *ret, struct err *err)
{
	struct stage stage = { s, -1, -1, "" };
	auto_fd tmp = store_open_dir(s, "tmp", err), lock = -1;
	int r;

	if (tmp < 0)
		return tmp;
	lock = store_lock(s, LOCK_EXCLUSIVE, err);
	if (lock < 0)
		return lock;
	(void)store_sweep(s, SWEEP_REMOVE, NULL, NULL);
	r = make_stage_dir(tmp, &stage);
	if (r < 0)
		return err_set(err, r, "cannot make a directory in '%s/tmp'", s->path);
	stage.dirfd = at_open(tmp, stage.name, O_PATH | O_DIRECTORY, 0);
	r = stage.dirfd;
	if (r >= 0)
		r = stage.lock_fd = lock_open(stage.dirfd, "lock", LOCK_EXCLUSIVE, LOCK_TRY);
	if (r < 0) {
		store_stage_done(&stage);
		return err_set(err, r, "cannot make a directory in '%s/tmp'", s->path);
	}
	*ret = stage;
	return 0;
}

void store_stage_done(struct stage *stage)
{
	auto_fd tmp = -1;

	if (!stage->store)
		return;
	tmp = store_open_dir(stage->store, "tmp", NULL);
	if (tmp >= 0)
		(void)at_remove_tree(tmp, stage->name);
	if (stage->dirfd >= 0)
		(void)close(stage->dirfd);
	if (stage->lock_fd >= 0)
		(void)close(stage->lock_fd);
	*stage = (struct stage){ NULL, -1, -1, "" };
}

int store_try_making(struct img_store *s, const char *name, struct err *err)
{
	auto_free char *lock_name = str_format("making-%s", name);
	auto_fd tmp = store_open_dir(s, "tmp", err), fd = -1;
	struct stat held, there;

	if (tmp < 0)
		return tmp;
	if (!lock_name)
		return err_set(err, -ENOMEM, "cannot make '%s'", name);
	fd = lock_open(tmp, lock_name, LOCK_EXCLUSIVE, LOCK_TRY);
	if (fd == -EAGAIN)
		return -EAGAIN;
	if (fd < 0)
		return err_set(err, fd, "cannot lock '%s/tmp/%s'", s->path, lock_name);
	/* Its last holder may have removed the file between our open and our lock. */
	if (fstat(fd, &held) < 0 || fstatat(tmp, lock_name, &there, 0) < 0 ||
		held.st_ino != there.st_ino)
		return -EAGAIN;
	return fd_take(&fd);
}

void store_made(struct img_store *s, const char *name, int fd)
{
	auto_free char *lock_name = str_format("making-%s", name);
	auto_fd tmp = store_open_dir(s, "tmp", NULL);

	if (fd < 0)
		return;
	if (lock_name && tmp >= 0)
		(void)unlinkat(tmp, lock_name, 0);
	(void)close(fd);
}
