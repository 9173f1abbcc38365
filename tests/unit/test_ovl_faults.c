/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Death and errors at every step of every operation
 *
 * The linker sends the system calls of our own code here (--wrap).  Each scenario is run again and
 * again, and in run n the n-th call does not happen: the process dies instead, or the call fails.
 * Afterwards the tree, as the next mount sees it, is the old one or the new one; after an error it is
 * that at once, and after success the new one.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "tests/helpers/ovl_bed.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIED 99 /* exit status of a child that was struck down */

/* ---- the fault layer ---- */

static struct {
	long left; /* calls until the fault; below 0: none */
	long n; /* calls so far */
	int error; /* 0: die */
	bool trace; /* say what was struck */
} fault = { .left = -1 };

static bool strikes(const char *call)
{
	fault.n++;
	if (fault.left < 0 || fault.left-- > 0)
		return false;
	if (fault.trace)
		(void)dprintf(STDOUT_FILENO, "# the call is %s()\n", call);
	if (!fault.error)
		_exit(DIED);
	errno = fault.error;
	return true;
}

#define WRAP(type, name, params, args)                                                             \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return strikes(#name) ? (type)-1 : __real_##name args;                             \
	}

WRAP(int, mkdirat, (int d, const char *n, mode_t m), (d, n, m))
WRAP(int, mknodat, (int d, const char *n, mode_t m, dev_t v), (d, n, m, v))
WRAP(int, symlinkat, (const char *t, int d, const char *n), (t, d, n))
WRAP(int, linkat, (int d, const char *n, int e, const char *m, int f), (d, n, e, m, f))
WRAP(int, unlinkat, (int d, const char *n, int f), (d, n, f))
WRAP(int, renameat, (int d, const char *n, int e, const char *m), (d, n, e, m))
WRAP(int, renameat2, (int d, const char *n, int e, const char *m, unsigned int f), (d, n, e, m, f))
WRAP(int, fsetxattr, (int fd, const char *n, const void *v, size_t s, int f), (fd, n, v, s, f))
WRAP(int, fremovexattr, (int fd, const char *n), (fd, n))
WRAP(int, ftruncate64, (int fd, off_t n), (fd, n))
WRAP(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t o), (fd, p, n, o))
WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(int, fallocate64, (int fd, int m, off_t o, off_t n), (fd, m, o, n))
WRAP(int, fchmod, (int fd, mode_t m), (fd, m))
WRAP(int, fchmodat, (int d, const char *n, mode_t m, int f), (d, n, m, f))
WRAP(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, fchownat, (int d, const char *n, uid_t u, gid_t g, int f), (d, n, u, g, f))
WRAP(int, fsync, (int fd), (fd))

int __real_openat64(int dirfd, const char *path, int flags, ...);
int __wrap_openat64(int dirfd, const char *path, int flags, ...);

int __wrap_openat64(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return strikes("openat") ? -1 : __real_openat64(dirfd, path, flags, mode);
}

/* ---- operations by path ---- */

static const struct fake_entry image[] = {
	{ .path = "dir", .mode = S_IFDIR | 0755 },
	{ .path = "dir/file", .mode = S_IFREG | 0644, .data = "content" },
	{ .path = "dir/hard", .data = "dir/file" },
	{ .path = "dir/link", .mode = S_IFLNK | 0777, .data = "file" },
	{ .path = "dir/sub", .mode = S_IFDIR | 0755 },
	{ .path = "dir/sub/deep", .mode = S_IFREG | 0600, .data = "deep" },
	{ .path = "dir/sub/gone", .mode = S_IFREG | 0600, .data = "gone" },
	{ .path = "empty", .mode = S_IFDIR | 0700 },
	{ .path = "one", .mode = S_IFREG | 0640, .data = "one name", .xattr = "user.x=y" },
	{ .path = "sparse", .mode = S_IFREG | 0600, .data = "end", .hole = 8192, .size = 8195 },
	{ .path = "tmp", .mode = S_IFDIR | S_ISGID | 0775 },
};

/* Looking up is no part of an operation: no faults there. */
static struct bed_path walk(struct bed *b, const char *path)
{
	const long left = fault.left, n = fault.n;
	struct bed_path at;

	fault.left = -1;
	at = bed_walk(b, path);
	fault.left = left;
	fault.n = n;
	return at;
}

static const struct ovl_cred cred = { 0, 0, 022 };

static int do_write(struct bed *b, const char *path, const char *text)
{
	struct ovl_write w = { .buf = text, .len = strlen(text) };
	ssize_t n = ovl_write(b->fs, walk(b, path).id, &w);

	return n < 0 ? (int)n : 0;
}

static int do_set(struct bed *b, const char *path, enum ovl_set set, uint64_t value)
{
	const struct ovl_attr a = { .set = set, .mode = (mode_t)value, .size = (off_t)value };
	struct stat st;

	return ovl_setattr(b->fs, walk(b, path).id, &a, &st);
}

static int do_make(struct bed *b, const char *path, mode_t mode, const char *target)
{
	const struct ovl_new what = { .mode = mode, .target = target };
	struct bed_path at = walk(b, path);
	struct ovl_entry e;

	return ovl_make(b->fs, at.dir, at.name, &what, &cred, &e);
}

static int do_unlink(struct bed *b, const char *path)
{
	struct bed_path at = walk(b, path);

	return ovl_unlink(b->fs, at.dir, at.name);
}

static int do_rmdir(struct bed *b, const char *path)
{
	struct bed_path at = walk(b, path);

	return ovl_rmdir(b->fs, at.dir, at.name);
}

static int do_link(struct bed *b, const char *from, const char *to)
{
	struct bed_path a = walk(b, from), z = walk(b, to);
	struct ovl_entry e;

	return ovl_link(b->fs, a.id, z.dir, z.name, &e);
}

static int do_rename(struct bed *b, const char *from, const char *to, unsigned int flags)
{
	struct bed_path a = walk(b, from), z = walk(b, to);
	const struct ovl_rename what = { a.dir, z.dir, a.name, z.name, flags };

	return ovl_rename(b->fs, &what);
}

/* One after the other. */
#define BOTH(a, b)                                                                                 \
	__extension__({                                                                            \
		int first_ = (a);                                                                  \
		first_ < 0 ? first_ : (b);                                                         \
	})

/* ---- scenarios ---- */

#define STEP(id) static int id(struct bed *b)

STEP(write_several_names)
{
	return do_write(b, "dir/hard", "C");
}
STEP(write_one_name)
{
	return do_write(b, "one", "O");
}
STEP(write_holes)
{
	return do_write(b, "sparse", "S");
}
STEP(chmod_file)
{
	return do_set(b, "one", OVL_SET_MODE, 0600);
}
STEP(chmod_several)
{
	return do_set(b, "dir/file", OVL_SET_MODE, 0600);
}
STEP(chmod_dir)
{
	return do_set(b, "dir/sub", OVL_SET_MODE, 0700);
}
STEP(cut_file)
{
	return do_set(b, "one", OVL_SET_SIZE, 3);
}
STEP(cut_several)
{
	return do_set(b, "dir/file", OVL_SET_SIZE, 3);
}
STEP(grow_file)
{
	return do_set(b, "one", OVL_SET_SIZE, 30);
}
STEP(time_link)
{
	return do_set(b, "dir/link", OVL_SET_MTIME, 0);
}
STEP(set_xattr)
{
	return ovl_setxattr(b->fs, walk(b, "one").id, "user.x", "long", 4, 0);
}
STEP(unlink_lower)
{
	return do_unlink(b, "one");
}
STEP(unlink_several)
{
	return do_unlink(b, "dir/hard");
}
STEP(rmdir_lower)
{
	return do_rmdir(b, "empty");
}
STEP(rmdir_merged)
{
	return do_rmdir(b, "dir/sub");
}
STEP(empty_sub)
{
	return BOTH(do_unlink(b, "dir/sub/deep"), do_unlink(b, "dir/sub/gone"));
}
STEP(hide_sub)
{
	return BOTH(empty_sub(b), do_rmdir(b, "dir/sub"));
}
STEP(make_file)
{
	return do_make(b, "dir/new", S_IFREG | 0644, NULL);
}
STEP(make_inherited)
{
	return do_make(b, "tmp/new", S_IFDIR | 0755, NULL);
}
STEP(make_over_whiteout)
{
	return do_make(b, "one", S_IFREG | 0644, NULL);
}
STEP(make_dir_over_whiteout)
{
	return do_make(b, "dir/sub", S_IFDIR | 0755, NULL);
}
STEP(make_own)
{
	return BOTH(hide_sub(b), make_dir_over_whiteout(b));
}
STEP(make_link)
{
	return do_make(b, "dir/symlink", S_IFLNK | 0777, "target");
}
STEP(make_dir)
{
	return do_make(b, "dir/newdir", S_IFDIR | 0755, NULL);
}
STEP(fill_dir)
{
	return BOTH(make_dir(b), do_make(b, "dir/newdir/f", S_IFREG | 0600, NULL));
}
STEP(link_lower)
{
	return do_link(b, "one", "dir/linked");
}
STEP(link_over_whiteout)
{
	return do_link(b, "one", "dir/hard");
}
STEP(rename_lower)
{
	return do_rename(b, "one", "dir/one", 0);
}
STEP(rename_several)
{
	return do_rename(b, "dir/file", "tmp/file", 0);
}
STEP(rename_symlink)
{
	return do_rename(b, "dir/link", "tmp/link", 0);
}
STEP(rename_over)
{
	return do_rename(b, "one", "dir/file", 0);
}
STEP(rename_dir)
{
	return do_rename(b, "dir", "tmp/dir", 0);
}
STEP(rename_sub)
{
	return do_rename(b, "dir/sub", "moved", 0);
}
STEP(rename_back)
{
	return do_rename(b, "tmp/dir", "dir", 0);
}
STEP(rename_onto_whiteouts)
{
	return do_rename(b, "dir/newdir", "dir/sub", 0);
}
STEP(rename_lower_onto_whiteouts)
{
	return do_rename(b, "tmp", "dir/sub", 0);
}
STEP(exchange)
{
	return do_rename(b, "dir/sub", "one", RENAME_EXCHANGE);
}
STEP(exchange_dirs)
{
	return do_rename(b, "dir/sub", "tmp", RENAME_EXCHANGE);
}

static const struct scenario {
	const char *name;
	int (*prepare)(struct bed *b);
	int (*run)(struct bed *b);
	enum ovl_flags flags;
} scenarios[] = {
	{ "write, several names", NULL, write_several_names },
	{ "write, one name", NULL, write_one_name },
	{ "write, holes", NULL, write_holes },
	{ "write behind a metadata-only copy", chmod_file, write_one_name },
	{ "write behind a copy of several names", chmod_several, write_several_names },
	{ "chmod", NULL, chmod_file },
	{ "chmod, several names", NULL, chmod_several },
	{ "chmod, always with data", NULL, chmod_several, OVL_COPY_DATA },
	{ "chmod, directory", NULL, chmod_dir },
	{ "truncate", NULL, cut_file },
	{ "truncate, several names", NULL, cut_several },
	{ "truncate, longer", NULL, grow_file },
	{ "truncate behind a metadata-only copy", chmod_file, cut_file },
	{ "time of a symlink", NULL, time_link },
	{ "attribute", NULL, set_xattr },
	{ "unlink", NULL, unlink_lower },
	{ "unlink a copy", write_one_name, unlink_lower },
	{ "unlink one of several", write_several_names, unlink_several },
	{ "rmdir", NULL, rmdir_lower },
	{ "rmdir of whiteouts", empty_sub, rmdir_merged },
	{ "rmdir of the upper's own", make_own, rmdir_merged },
	{ "create", NULL, make_file },
	{ "create below a set-gid directory", NULL, make_inherited },
	{ "create over a whiteout", unlink_lower, make_over_whiteout },
	{ "mkdir over a whiteout", hide_sub, make_dir_over_whiteout },
	{ "symlink", NULL, make_link },
	{ "link", NULL, link_lower },
	{ "link over a whiteout", unlink_several, link_over_whiteout },
	{ "rename", NULL, rename_lower },
	{ "rename one of several", NULL, rename_several },
	{ "rename, symlink", NULL, rename_symlink },
	{ "rename over one of several", NULL, rename_over },
	{ "rename, directory", NULL, rename_dir },
	{ "rename, changed directory", empty_sub, rename_dir },
	{ "rename, directory without redirect", NULL, rename_dir, OVL_COPY_DIRS },
	{ "rename, changed directory as copy", write_several_names, rename_dir,
		OVL_COPY_DIRS | OVL_COPY_DATA },
	{ "rename, directory comes home", rename_dir, rename_back },
	{ "rename, directory out of one", NULL, rename_sub },
	{ "rename onto whiteouts", empty_sub, rename_onto_whiteouts },
	{ "rename of the lower's onto whiteouts", empty_sub, rename_lower_onto_whiteouts },
	{ "exchange, directory and file", NULL, exchange },
	{ "exchange, directories", NULL, exchange_dirs },
	{ "exchange, directories without redirect", NULL, exchange_dirs, OVL_COPY_DIRS },
};

/* A filled directory is what moves onto whiteouts. */
static int prepare(struct bed *b, const struct scenario *s)
{
	int r = s->prepare ? s->prepare(b) : 0;

	if (r == 0 && s->run == rename_onto_whiteouts)
		r = fill_dir(b);
	return r;
}

/* ---- runs ---- */

/* What the child finds: its exit status. */
enum verdict { OLD, NEW, BAD_PREPARE, BAD_ERRNO, HALF_MADE, UNREADABLE };

static int child(struct bed *b, const struct scenario *s, const char *old, const char *new, long at,
	int error)
{
	auto_free char *now = NULL;
	int r = bed_mount(b);

	if (r == 0)
		r = prepare(b, s);
	if (r < 0)
		return BAD_PREPARE;
	fault.error = error;
	fault.left = at;
	r = s->run(b);
	fault.left = -1;
	if (fault.trace)
		(void)dprintf(STDOUT_FILENO, "# the answer is %d\n", r);
	if (r != 0 && r != -error)
		return BAD_ERRNO;
	now = bed_dump(b);
	bed_unmount(b);
	if (!now)
		return UNREADABLE;
	if (str_eq(now, new))
		return NEW;
	return r < 0 && str_eq(now, old) ? OLD : HALF_MADE;
}

/* The tree of the next mount; NULL if there is none. */
static char *dump_next(struct bed *b)
{
	char *text;

	if (bed_mount(b) < 0)
		return NULL;
	text = bed_dump(b);
	bed_unmount(b);
	return text;
}

/* Without a fault: the texts of both trees, and the number of calls. */
static bool run_whole(
	struct bed *b, const struct scenario *s, char **old, char **new, long *n_calls)
{
	int r;

	bed_empty(b);
	r = bed_mount(b);
	if (r == 0)
		r = prepare(b, s);
	CHECK_INT(r, ==, 0);
	bed_unmount(b);
	*old = dump_next(b);
	r = bed_mount(b);
	fault.n = 0;
	if (r == 0)
		r = s->run(b);
	*n_calls = fault.n;
	CHECK_INT(r, ==, 0);
	bed_unmount(b);
	*new = dump_next(b);
	return *old && *new &&r == 0;
}

static int run_child(struct bed *b, const struct scenario *s, const char *old, const char *new,
	long at, int error)
{
	int status = -1;
	pid_t pid;

	bed_empty(b);
	pid = fork();
	if (pid == 0)
		_exit(child(b, s, old, new, at, error));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static bool run_faulty(struct bed *b, const struct scenario *s, const char *old, const char *new,
	long at, int error)
{
	int verdict = run_child(b, s, old, new, at, error);
	auto_free char *after = dump_next(b);
	bool is_old = after && str_eq(after, old), is_new = after && str_eq(after, new);
	bool good = verdict == OLD ? is_old : verdict == NEW ? is_new : false;

	if (verdict == DIED && !error)
		good = is_old || is_new;

	if (good)
		return true;
	test_fail(__FILE__, __LINE__, "'%s', call %ld, %s: verdict %d\nold:\n%s\nnext:\n%s",
		s->name, at, error ? strerror(error) : "death", verdict, old,
		after ? after : "nothing");
	fault.trace = true;
	(void)run_child(b, s, old, new, at, error);
	fault.trace = false;
	return false;
}

static void run_scenarios(int error)
{
	struct bed b = { .image = image, .n_image = ARRAY_SIZE(image) };

	if (bed_make(&b) < 0) {
		test_skip("no place with user xattrs and whiteouts");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		const struct scenario *s = &scenarios[i];
		auto_free char *old = NULL, *new = NULL;
		long n = 0;

		b.flags = s->flags;
		if (!run_whole(&b, s, &old, &new, &n)) {
			test_fail(__FILE__, __LINE__, "'%s' does not run", s->name);
			continue;
		}
		/* A first failure says enough about a scenario. */
		for (long at = 0; at < n; at++)
			if (!run_faulty(&b, s, old, new, at, error))
				break;
	}
	bed_remove(&b);
}

TEST(death_leaves_the_old_or_the_new_tree)
{
	run_scenarios(0);
}

TEST(a_first_mount_that_dies_is_begun_again)
{
	struct bed b = { .image = image, .n_image = ARRAY_SIZE(image) };
	auto_free char *want = NULL;
	int status = 0;

	if (bed_make(&b) < 0) {
		test_skip("no place with user xattrs and whiteouts");
		return;
	}
	want = dump_next(&b);
	for (long at = 0; want; at++) {
		auto_free char *got = NULL;
		pid_t pid;

		bed_empty(&b);
		pid = fork();
		if (pid == 0) {
			fault.left = at;
			_exit(bed_mount(&b) < 0);
		}
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
		got = dump_next(&b);
		CHECK_STR(got, want);
		if (!got || WEXITSTATUS(status) != DIED)
			break;
	}
	CHECK_INT(WEXITSTATUS(status), ==, 0);
	bed_remove(&b);
}

TEST(a_full_disk_leaves_nothing_half_made)
{
	run_scenarios(ENOSPC);
}

TEST(an_io_error_leaves_nothing_half_made)
{
	run_scenarios(EIO);
}
