/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state directory of an upper (the contract is in the header)
 *
 * The lock is taken before anything is read, so that two mounts cannot both see an upper without a
 * superblock and both write one.  What lies in work/ is nobody's: it is removed under the lock.
 */
#include "overlay/upper.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "base/str.h"
#include "overlay/adopt.h"
#include "overlay/name_counts.h"
#include "overlay/origin_map.h"
#include "overlay/volatile.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define LOCK_TRIES 500 /* of 10 ms */

void upper_work_name(struct upper *up, char name[UPPER_WORK_NAME_BYTES])
{
	uint64_t n = __atomic_add_fetch(&up->next_work, 1, __ATOMIC_RELAXED);

	snprintf(name, UPPER_WORK_NAME_BYTES, "w%llx", (unsigned long long)n);
}

int upper_mark_opaque(int fd)
{
	if (fsetxattr(fd, XA_OPAQUE, "y", 1, 0) < 0)
		return -errno;
	(void)fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0);
	return 0;
}

int upper_make_whiteout(int dirfd, const char *name)
{
	return mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

void upper_origin_name(uint64_t origin, char name[UPPER_ORIGIN_BYTES])
{
	snprintf(name, UPPER_ORIGIN_BYTES, "%016llx", (unsigned long long)origin);
}

bool upper_origin_parse(const char *text, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len != UPPER_ORIGIN_BYTES - 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = v;
	return true;
}

/* ---- the superblock ---- */

/* The value of the next line, which has to have this key; NULL if it has not. */
static char *next_value(char **text, const char *key)
{
	char *line = *text, *end = line ? strchr(line, '\n') : NULL;
	size_t n = strlen(key);

	if (!end || strncmp(line, key, n) != 0 || line[n] != ' ')
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line + n + 1;
}

static bool has_word(char *words, const char *wanted)
{
	char *word;

	while ((word = strsep(&words, ",")))
		if (str_eq(word, wanted))
			return true;
	return false;
}

static bool known_incompat(char *words)
{
	char *word;

	if (str_eq(words, "-"))
		return true;
	while ((word = strsep(&words, ",")))
		if (!str_eq(word, "redirect") && !str_eq(word, "metacopy") &&
			!str_eq(word, "index"))
			return false;
	return true;
}

static int parse_dialect(char **rest, struct upper_super *ret, struct err *err)
{
	const char *v = next_value(rest, "whiteout");

	if (!v || (!str_eq(v, "device") && !str_eq(v, "name")))
		return err_say(err, -EBADMSG, "bad line 'whiteout'");
	ret->names = str_eq(v, "name");
	v = next_value(rest, "ownership");
	if (!v || (!str_eq(v, "plain") && !str_eq(v, "override")))
		return err_say(err, -EBADMSG, "bad line 'ownership'");
	ret->ownership = str_eq(v, "override") ? UPPER_OVERRIDE : UPPER_PLAIN;
	v = next_value(rest, "metadata");
	if (v && str_eq(v, "sidecar"))
		return err_say(err, -EPROTONOSUPPORT,
			"the upper keeps metadata in a sidecar, which this version cannot read");
	if (!v || !str_eq(v, "xattr"))
		return err_say(err, -EBADMSG, "bad line 'metadata'");
	return 0;
}

int upper_super_parse(
	const char *text, size_t len, struct upper_super *ret, bool *ret_read_only, struct err *err)
{
	auto_free char *copy = strndup(text, len);
	char *rest = copy, *v;
	int r;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot read the superblock");
	if (strlen(copy) != len)
		return err_say(err, -EBADMSG, "the superblock holds NUL bytes");
	v = next_value(&rest, "lamina-upper");
	if (!v)
		return err_say(err, -EBADMSG, "not a superblock");
	if (!str_eq(v, "1"))
		return err_say(err, -EPROTONOSUPPORT, "unknown version '%s'", v);
	v = next_value(&rest, "lower");
	if (!v || strlen(v) >= sizeof(ret->lower))
		return err_say(err, -EBADMSG, "bad line 'lower'");
	memcpy(ret->lower, v, strlen(v) + 1);
	r = parse_dialect(&rest, ret, err);
	if (r < 0)
		return r;
	v = next_value(&rest, "features-compat");
	if (!v)
		return err_say(err, -EBADMSG, "bad line 'features-compat'");
	ret->moved = has_word(v, "moved");
	v = next_value(&rest, "features-ro");
	if (!v)
		return err_say(err, -EBADMSG, "bad line 'features-ro'");
	*ret_read_only = !str_eq(v, "-");
	v = next_value(&rest, "features-incompat");
	if (!v || *rest)
		return err_say(err, -EBADMSG, "bad line 'features-incompat'");
	if (!known_incompat(v))
		return err_say(err, -EPROTONOSUPPORT, "it needs features of a newer version");
	return 0;
}

static int write_super(struct upper *up, const struct upper_super *super)
{
	const enum at_replace_flags sync = up->flags & UPPER_VOLATILE ? 0 : AT_REPLACE_SYNC;
	auto_buf b = { 0 };
	int r = buf_printf(&b,
		"lamina-upper 1\nlower %s\nwhiteout %s\nownership %s\nmetadata xattr\n"
		"features-compat %s\nfeatures-ro -\nfeatures-incompat redirect,metacopy,index\n",
		super->lower, super->names ? "name" : "device",
		super->ownership == UPPER_OVERRIDE ? "override" : "plain",
		super->moved ? "moved" : "-");

	if (r == 0)
		r = at_replace_file(up->state_fd, "super", b.data, b.len, 0600, sync);
	return r;
}

static int make_super(struct upper *up, const struct upper_opts *o, struct err *err)
{
	int r;

	if (strlen(o->lower_id) >= sizeof(up->super.lower) || strchr(o->lower_id, '\n'))
		return err_say(err, -EINVAL, "the lower's name is too long");
	memcpy(up->super.lower, o->lower_id, strlen(o->lower_id) + 1);
	up->super.ownership = o->ownership;
	r = write_super(up, &up->super);
	return r < 0 ? err_set(err, r, "cannot write the superblock") : 0;
}

int upper_note_moved(struct upper *up)
{
	struct upper_super super;
	int r = 0;

	if (upper_has_moved(up))
		return 0;
	pthread_mutex_lock(&up->super_lock);
	if (!up->super.moved) {
		super = up->super;
		super.moved = true;
		r = write_super(up, &super);
	}
	if (r == 0)
		__atomic_store_n(&up->super.moved, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&up->super_lock);
	return r;
}

/* ---- probes, before the first superblock is written ---- */

static int probe_xattrs(struct upper *up, struct err *err)
{
	if (fsetxattr(up->work_fd, XA_OPAQUE, "y", 1, 0) == 0 &&
		fremovexattr(up->work_fd, XA_OPAQUE) == 0)
		return 0;
	err_set(err, -errno, "the filesystem has no user xattrs");
	return err_hint(err, -EOPNOTSUPP, "put the upper on ext4, xfs, btrfs or tmpfs");
}

/* Some filesystems accept the call and show something else. */
static int probe_whiteout(struct upper *up)
{
	char name[UPPER_WORK_NAME_BYTES];
	struct stat st;
	int r;

	upper_work_name(up, name);
	r = upper_make_whiteout(up->work_fd, name);
	if (r < 0)
		return r;
	if (fstatat(up->work_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(st.st_mode) ||
		st.st_rdev != makedev(0, 0))
		r = -EOPNOTSUPP;
	(void)unlinkat(up->work_fd, name, 0);
	return r;
}

/* Layers of others are made of directories; an upper of an image has names that begin with .wh. */
static int choose_whiteouts(struct upper *up, struct err *err)
{
	int r = up->flags & UPPER_NAMES ? -EOPNOTSUPP : probe_whiteout(up);

	up->super.names = r < 0 && (up->flags & UPPER_GIVEN_TREE);
	return r < 0 && !up->super.names
		       ? err_set(err, r, "cannot make whiteouts (0/0 devices) there")
		       : 0;
}

/* The first mount. */
static int begin_upper(struct upper *up, const struct upper_opts *o, struct err *err)
{
	int r = probe_xattrs(up, err);

	if (r == 0)
		r = choose_whiteouts(up, err);
	if (r == 0 && (o->flags & UPPER_GIVEN_TREE)) {
		r = adopt_upper(o->tree_fd, up->super.names ? ADOPT_NAMES : 0);
		if (r < 0)
			err_set(err, r, "cannot take it over");
	}
	return r < 0 ? r : make_super(up, o, err);
}

static int read_super(struct upper *up, const struct upper_opts *o, struct err *err)
{
	auto_free char *text = NULL;
	bool read_only = false;
	size_t len;
	int r;

	r = at_read_file(up->state_fd, "super", LIMIT_SUPER_BYTES, &text, &len);
	if (r == -ENOENT)
		return begin_upper(up, o, err);
	if (r < 0)
		return err_set(err, r, "cannot read the superblock");
	r = upper_super_parse(text, len, &up->super, &read_only, err);
	if (r < 0)
		return err_wrap(err, r, "superblock");
	if (read_only)
		return err_say(err, -EPROTONOSUPPORT,
			"a newer version wrote it; this one may only read it");
	if (!str_eq(up->super.lower, o->lower_id))
		return err_say(err, -ESTALE, "it belongs to '%s', not to '%s'", up->super.lower,
			o->lower_id);
	return 0;
}

/* ---- directories ---- */

static int open_dir(int dirfd, const char *name, mode_t mode, int *ret)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

static int remove_one(void *ctx, int dirfd, const struct dirent *de)
{
	return str_eq(de->d_name, VOLATILE_DIR) ? 0 : at_remove_tree(dirfd, de->d_name);
}

static int empty_dir(int dirfd)
{
	return at_list_take_fd(at_open_again(dirfd), remove_one, NULL);
}

/*
 * @marked: volatile_check()'s answer.  An upper that was volatile until now is made whole by a
 * mount that is not: what the page cache has of it is written first.
 */
static int settle_volatile(
	struct upper *up, const struct upper_opts *o, int marked, struct err *err)
{
	int r = 0;

	if (marked && !(o->flags & UPPER_VOLATILE)) {
		r = syncfs(up->state_fd) < 0 ? -errno : volatile_clear(up->work_fd);
		if (r < 0)
			return err_set(err, r, "cannot write out what was volatile");
	} else if (!marked && (o->flags & UPPER_VOLATILE)) {
		r = volatile_set(up->work_fd);
		if (r < 0)
			return err_set(err, r, "cannot mark it volatile");
	}
	return r;
}

static int open_dirs(struct upper *up)
{
	int r = empty_dir(up->work_fd);

	if (r == 0)
		r = open_dir(up->work_fd, "orphans", 0700, &up->orphans_fd);
	if (r == 0)
		r = open_dir(up->state_fd, "index", 0700, &up->index_fd);
	return r;
}

/*
 * A new upper/ starts with permissions that let its owner in; the root's real metadata comes with
 * the first change to it.  While it has none, it shows the lower's.
 */
static int open_tree(struct upper *up, const struct upper_opts *o)
{
	if (o->flags & UPPER_GIVEN_TREE) {
		up->tree_fd = openat(o->tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return up->tree_fd < 0 ? -errno : 0;
	}
	return open_dir(up->state_fd, "upper", 0755, &up->tree_fd);
}

/* ---- index/ ---- */

static int read_index_entry(void *ctx, int dirfd, const struct dirent *de)
{
	struct upper *up = ctx;
	uint64_t origin;
	struct stat st;

	if (name_counts_parse(de->d_name, &origin))
		up->has_name_counts = true;
	if (!upper_origin_parse(de->d_name, strlen(de->d_name), &origin))
		return 0;
	if (fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return origin_map_add(up->origins, origin, st.st_ino);
}

static int read_index(struct upper *up)
{
	return at_list_take_fd(at_open_again(up->index_fd), read_index_entry, up);
}

bool upper_index_has(struct upper *up, uint64_t origin, uint64_t *ret_ino)
{
	uint64_t ino;

	return origin_map_by_origin(up->origins, origin, ret_ino ? ret_ino : &ino);
}

bool upper_index_of_ino(struct upper *up, uint64_t ino, uint64_t *ret_origin)
{
	return origin_map_by_ino(up->origins, ino, ret_origin);
}

int upper_index_add(struct upper *up, uint64_t origin, int dirfd, const char *name, uint64_t ino)
{
	char entry[UPPER_ORIGIN_BYTES];
	int r;

	upper_origin_name(origin, entry);
	if (linkat(dirfd, name, up->index_fd, entry, 0) < 0)
		return -errno;
	r = origin_map_add(up->origins, origin, ino);
	if (r < 0)
		(void)unlinkat(up->index_fd, entry, 0);
	return r;
}

int upper_index_del(struct upper *up, uint64_t origin)
{
	char entry[UPPER_ORIGIN_BYTES];

	upper_origin_name(origin, entry);
	origin_map_del(up->origins, origin);
	return unlinkat(up->index_fd, entry, 0) < 0 && errno != ENOENT ? -errno : 0;
}

void upper_index_each(
	struct upper *up, void (*fn)(void *ctx, uint64_t origin, uint64_t ino), void *ctx)
{
	origin_map_each(up->origins, fn, ctx);
}

void upper_close(struct upper *up)
{
	if (!up)
		return;
	const int fds[] = { up->orphans_fd, up->work_fd, up->index_fd, up->tree_fd, up->state_fd,
		up->lock_fd };

	origin_map_free(up->origins);
	pthread_mutex_destroy(&up->super_lock);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	free(up);
}
DEFINE_CLEANUP(struct upper *, upper, upper_close)

static int take_lock(struct upper *up, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int fd, tries = up->flags & UPPER_GIVEN_TREE ? LOCK_TRIES : 1;

	/* An engine may mount again before the daemon of the mount that it ended has ended, too. */
	while ((fd = lock_open(up->state_fd, "lock", LOCK_EXCLUSIVE, LOCK_TRY)) == -EAGAIN &&
		--tries > 0)
		(void)nanosleep(&pause, NULL);
	if (fd == -EAGAIN)
		return err_say(err, -EBUSY, "it is mounted already");
	if (fd < 0)
		return err_set(err, fd, "cannot lock it");
	up->lock_fd = fd;
	return 0;
}

/* Only what is there; the superblock says whether it is an upper at all. */
static int peek(struct upper *up, const struct upper_opts *opts, struct err *err)
{
	static const char *const dirs[] = { "upper", "index" };
	int *const fds[] = { &up->tree_fd, &up->index_fd };
	int r = 0;

	if (faccessat(up->state_fd, "super", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, -errno, "there is no upper");
	r = read_super(up, opts, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++) {
		*fds[i] = openat(
			up->state_fd, dirs[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (*fds[i] < 0)
			r = err_set(err, -errno, "cannot open %s/", dirs[i]);
	}
	if (r == 0) {
		r = read_index(up);
		if (r < 0)
			err_set(err, r, "cannot read index/");
	}
	return r;
}

int upper_open(struct upper **ret, const struct upper_opts *opts, struct err *err)
{
	auto_cleanup(upper) struct upper *up = calloc(1, sizeof(*up));
	int marked, r;

	if (!up)
		return err_set(err, -ENOMEM, "cannot open the upper");
	pthread_mutex_init(&up->super_lock, NULL);
	up->flags = opts->flags;
	up->lock_fd = up->tree_fd = up->work_fd = up->orphans_fd = up->index_fd = -1;
	up->state_fd = openat(opts->state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up->state_fd < 0)
		return err_set(err, -errno, "cannot open the upper");
	up->origins = origin_map_new();
	if (!up->origins)
		return err_set(err, -ENOMEM, "cannot open the upper");
	if (opts->flags & UPPER_PEEK) {
		r = peek(up, opts, err);
		if (r == 0)
			*ret = ptr_take(&up);
		return r;
	}
	r = take_lock(up, err);
	if (r < 0)
		return r;
	r = open_dir(up->state_fd, "work", 0700, &up->work_fd);
	if (r < 0)
		return err_set(err, r, "cannot open work/");
	marked = volatile_check(up->work_fd, err);
	if (marked < 0)
		return marked;
	r = open_dirs(up);
	if (r < 0)
		return err_set(err, r, "cannot prepare work/ and index/");
	r = read_super(up, opts, err);
	if (r == 0)
		r = settle_volatile(up, opts, marked, err);
	if (r < 0)
		return r;
	r = open_tree(up, opts);
	if (r == 0)
		r = read_index(up);
	if (r < 0)
		return err_set(err, r, "cannot open upper/ and index/");
	*ret = ptr_take(&up);
	return 0;
}
