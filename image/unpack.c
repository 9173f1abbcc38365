/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking: the directories of a tree, side by side (the contract is in the header)
 *
 *      stack of directories that wait ──pop──▶ thread: open it below its parent, make its entries,
 *                 ▲                                    push its directories
 *                 └─────────────────────────────────────────┘
 *
 * The newest directory is taken first, so the tree is walked depth first and few directories are
 * open at once.  A directory stays open until the last one below it was opened; then it gets its
 * metadata, for its mode may forbid to enter it.
 *
 * Locking: pool->lock guards the stack, the counts of waiting threads, all reference counts and the
 *          first error.
 */
#include "image/unpack.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/unpack_entry.h"
#include "image/unpack_target.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>

/* A directory of the tree. */
struct dir {
	struct dir *next; /* pool->lock */
	struct dir *parent; /* a reference, until this one is open */
	uint64_t handle;
	uint32_t n_refs; /* pool->lock */
	int fd; /* -1: not opened yet; of the root borrowed from the target */
	char name[]; /* NUL-terminated */
};

struct pool {
	struct unpack u;
	const struct unpack_target *target;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct dir *waiting; /* lock */
	unsigned int n_busy; /* lock: threads that may still push */
	int code; /* lock: the first error */
	struct err err; /* lock */
};

/* ---- errors name the path ---- */

/* "etc/passwd"; as far as it can be told. */
static char *path_of(struct lower *l, uint64_t dir, const char *name)
{
	char *path = str_quote(name, strlen(name));
	struct lower_name at;
	struct lower_entry e;

	for (int depth = 0; path && dir != 0 && depth < 4096; depth++) {
		auto_free char *below = path, *quoted = NULL;

		if (l->ops->name_of(l, dir, 0, &at) < 0 ||
			l->ops->list(l, at.dir, at.ordinal, &e) < 0)
			return ptr_take(&below);
		quoted = str_quote(e.name, e.len);
		path = quoted ? str_format("%s/%s", quoted, below) : NULL;
		dir = at.dir;
	}
	return path;
}

static void fail(struct pool *p, int code, const struct err *err)
{
	pthread_mutex_lock(&p->lock);
	if (p->code == 0) {
		p->code = code;
		p->err = *err;
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void fail_at(struct pool *p, uint64_t dir, const char *name, int code, struct err *err)
{
	auto_free char *path = path_of(p->u.lower, dir, name);

	err_wrap(err, code, "'%s'", path ? path : name);
	fail(p, code, err);
}

/* ---- directories ---- */

static struct dir *dir_new(struct dir *parent, uint64_t handle, const char *name)
{
	size_t len = strlen(name);
	struct dir *d = calloc(1, sizeof(*d) + len + 1);

	if (!d)
		return NULL;
	d->parent = parent;
	d->handle = handle;
	d->n_refs = 1;
	d->fd = -1;
	memcpy(d->name, name, len + 1);
	return d;
}

static bool has_failed(struct pool *p)
{
	return __atomic_load_n(&p->code, __ATOMIC_RELAXED) != 0;
}

/* Give a reference back; with the last one the directory gets its metadata and closes. */
static void dir_put(struct pool *p, struct dir *d)
{
	struct err err = ERR_INIT;
	bool last;
	int r;

	pthread_mutex_lock(&p->lock);
	last = --d->n_refs == 0;
	pthread_mutex_unlock(&p->lock);
	if (!last)
		return;
	if (d->fd >= 0 && !has_failed(p)) {
		r = unpack_finish_dir(&p->u, d->fd, d->handle, &err);
		if (r < 0)
			fail_at(p, d->handle, "", r, &err);
	}
	if (d->fd >= 0)
		(void)close(d->fd);
	free(d);
}

static void dir_push(struct pool *p, struct dir *d)
{
	pthread_mutex_lock(&p->lock);
	if (d->parent)
		d->parent->n_refs++;
	d->next = p->waiting;
	p->waiting = d;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* Open a directory that its mode may have closed already, in an earlier run. */
static int open_again(int dirfd, const char *name)
{
	char path[32];
	auto_fd fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, 0700) < 0)
		return -errno;
	return at_reopen(fd, O_RDONLY | O_DIRECTORY);
}

static int open_child(struct pool *p, struct dir *d)
{
	int fd = openat(d->parent->fd, d->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && p->u.resumed)
		fd = open_again(d->parent->fd, d->name);
	else if (fd < 0)
		fd = -errno;
	if (fd < 0)
		return fd;
	if (p->u.resumed && fchmod(fd, 0700) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	d->fd = fd;
	return 0;
}

/* What an earlier run left and the image does not have is not the image's. */
static int remove_strangers(struct pool *p, struct dir *d, struct err *err)
{
	struct lower *l = p->u.lower;
	struct lower_entry e;
	struct dirent *de;
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd);
		return err_set(err, r, "it cannot be listed");
	}
	while (r == 0 && (de = readdir(list))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") ||
			(d->handle == 0 && str_eq(de->d_name, p->target->name)))
			continue;
		r = l->ops->lookup(l, d->handle, de->d_name, strlen(de->d_name), &e);
		if (r == -ENOENT)
			r = at_remove_tree(d->fd, de->d_name);
	}
	(void)closedir(list);
	return r < 0 ? err_set(err, r, "what an earlier run left cannot be removed") : 0;
}

static int make_dir(struct pool *p, struct dir *d, const struct lower_entry *e, const char *name,
	struct err *err)
{
	struct dir *child = dir_new(d, e->handle, name);
	struct stat st;
	int r;

	if (!child)
		return err_set(err, -ENOMEM, "it cannot be made");
	r = mkdirat(d->fd, name, 0700) < 0 ? -errno : 0;
	if (r == -EEXIST) {
		/* Of an earlier run, else somebody's. */
		if (p->u.resumed && fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISDIR(st.st_mode))
			r = 0;
		else
			r = at_remove_tree(d->fd, name);
		if (r == 0 && mkdirat(d->fd, name, 0700) < 0 && errno != EEXIST)
			r = -errno;
	}
	if (r < 0) {
		free(child);
		return err_set(err, r, "it cannot be made");
	}
	dir_push(p, child);
	return 0;
}

static int make_entry(struct pool *p, struct dir *d, const struct lower_entry *e, const char *name,
	struct err *err)
{
	struct lower_attr a;
	int r;

	(void)__atomic_add_fetch(&p->u.stats.n_entries, 1, __ATOMIC_RELAXED);
	if (e->type == DT_DIR)
		return make_dir(p, d, e, name, err);
	r = p->u.lower->ops->attr(p->u.lower, e->handle, &a);
	if (r < 0)
		return err_set(err, r, "the image's index cannot be read");
	return unpack_entry(&p->u, d->fd, name, e->handle, &a, err);
}

/* All entries of an open directory. */
static void fill_dir(struct pool *p, struct dir *d)
{
	struct lower *l = p->u.lower;
	struct err err = ERR_INIT;
	uint64_t ordinal = 0;
	struct lower_entry e;
	int r = p->u.resumed ? remove_strangers(p, d, &err) : 0;

	if (r < 0)
		fail_at(p, d->handle, "", r, &err);
	while (!has_failed(p)) {
		char name[NAME_MAX + 1];

		r = l->ops->list(l, d->handle, ordinal, &e);
		if (r == -ENOENT)
			return;
		if (r == 0 && e.len > NAME_MAX)
			r = -EBADMSG;
		if (r < 0) {
			err_set(&err, r, "the image's index cannot be read");
			fail_at(p, d->handle, "", r, &err);
			return;
		}
		memcpy(name, e.name, e.len);
		name[e.len] = '\0';
		r = make_entry(p, d, &e, name, &err);
		if (r < 0)
			fail_at(p, d->handle, name, r, &err);
		ordinal = e.off + 1;
	}
}

static void do_dir(struct pool *p, struct dir *d)
{
	struct err err = ERR_INIT;
	struct dir *parent = d->parent;
	int r = 0;

	if (parent && !has_failed(p)) {
		r = open_child(p, d);
		if (r < 0) {
			err_set(&err, r, "it cannot be opened");
			fail_at(p, d->handle, "", r, &err);
		}
	}
	if (parent) {
		d->parent = NULL;
		dir_put(p, parent);
	}
	if (d->fd >= 0)
		fill_dir(p, d);
	dir_put(p, d);
}

/* ---- threads ---- */

static void *work(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct dir *d = p->waiting;

		if (!d && p->n_busy == 0)
			break;
		if (!d) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		p->waiting = d->next;
		p->n_busy++;
		pthread_mutex_unlock(&p->lock);
		do_dir(p, d);
		pthread_mutex_lock(&p->lock);
		p->n_busy--;
	}
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static unsigned int count_jobs(const struct unpack_options *opts)
{
	cpu_set_t set;
	unsigned int n;

	if (opts->jobs)
		return opts->jobs < LIMIT_UNPACK_JOBS ? opts->jobs : LIMIT_UNPACK_JOBS;
	n = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : 1;
	return n < UNPACK_JOBS ? n : UNPACK_JOBS;
}

/* The whole tree below an open root; the calling thread works too. */
static int fill_tree(struct pool *p, unsigned int jobs, struct err *err)
{
	pthread_t threads[LIMIT_UNPACK_JOBS];
	struct dir *root = dir_new(NULL, 0, "");
	unsigned int n = 0;

	if (!root)
		return err_set(err, -ENOMEM, "cannot unpack");
	root->fd = p->target->dirfd;
	/* One reference stays here: the root is not complete before its mark is gone. */
	root->n_refs = 2;
	dir_push(p, root);
	/* Fewer threads than wanted are slower, not wrong. */
	while (n + 1 < jobs && pthread_create(&threads[n], NULL, work, p) == 0)
		n++;
	(void)work(p);
	while (n > 0)
		(void)pthread_join(threads[--n], NULL);
	free(root);
	if (p->code < 0)
		*err = p->err;
	return p->code;
}

static int unpack_into(struct lower *lower, struct unpack_target *t,
	const struct unpack_options *opts, struct unpack_stats *ret, struct err *err)
{
	struct pool p = { .u = { .lower = lower,
				  .ownership = opts->ownership,
				  .resumed = t->resumed,
				  .can_override = proc_has_cap(CAP_DAC_OVERRIDE),
				  .uid = geteuid(),
				  .gid = getegid(),
				  .links_fd = t->mark_fd },
		.target = t,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER };
	int r;

	p.u.linked = calloc(1, lower->n_handles / 8 + 1);
	if (!p.u.linked)
		return err_set(err, -ENOMEM, "cannot unpack");
	for (size_t i = 0; i < UNPACK_LINK_LOCKS; i++)
		pthread_mutex_init(&p.u.links[i], NULL);
	r = fill_tree(&p, count_jobs(opts), err);
	if (r == 0)
		r = unpack_target_complete(t, err);
	if (r == 0)
		r = unpack_finish_dir(&p.u, t->dirfd, 0, err);
	free(p.u.linked);
	if (r == 0)
		*ret = p.u.stats;
	return r;
}

int img_unpack(struct img_store *s, const struct img *img, const char *dir,
	const struct unpack_options *opts, struct unpack_stats *ret, struct err *err)
{
	struct unpack_target t = { -1, -1, -1, "", false };
	struct lower *lower;
	mode_t old_umask;
	int r = img_open_lower(s, img, &lower, err);

	if (r < 0)
		return r;
	/* A directory stays open for each level of the tree, at worst. */
	(void)fd_raise_limit();
	r = unpack_target_open(&t, dir, &img->chain_id, opts->ownership, err);
	if (r == 0) {
		old_umask = umask(0);
		r = unpack_into(lower, &t, opts, ret, err);
		(void)umask(old_umask);
	}
	unpack_target_done(&t);
	lower->ops->close(lower);
	return r;
}
