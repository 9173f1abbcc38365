/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-overlay: mounts directories one above the other
 *
 *      parent    waits for the mount, exits 0
 *      child     opens the layers and the upper ─▶ mounts ─▶ lets go of the terminal ─▶ serves
 *
 * Everything is opened before the mount is made, which may cover some of it.
 *
 * Exit codes: 0; 1 it failed; 2 the command line is wrong; of --check also 3: the upper is damaged.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/str.h"
#include "overlay/check.h"
#include "overlay/finish.h"
#include "overlay/fs.h"
#include "overlay/fuse_session.h"
#include "overlay/lower_dirs.h"
#include "overlay/mount.h"
#include "overlay/opts.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define OTHER_FDS     48 /* that the process needs besides those of the layers */
#define MAX_LOWER_FDS 1024
#define EXIT_DAMAGED  3 /* --check found something */

static const char program[] = "lamina-overlay";

/* Which release of fuse-overlayfs has the options and formats that this program knows. */
static const char as_fuse_overlayfs[] = "1.16";

/* ---- what is mounted ---- */

struct layers {
	int *fds;
	size_t n;
};

static void layers_done(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		(void)close(l->fds[i]);
	free(l->fds);
}

/* The mountpoint and the directories above it, by what they are: names of layers cost too much. */
struct above {
	struct {
		dev_t dev;
		ino_t ino;
	} * v;
	size_t n;
};

static int find_above(const char *mountpoint, struct above *ret)
{
	auto_free char *path = strdup(mountpoint); /* absolute, without symlinks */
	size_t room = 2;
	struct stat st;

	for (const char *s = mountpoint; *s; s++)
		room += *s == '/';
	*ret = (struct above){ .v = path ? calloc(room, sizeof(*ret->v)) : NULL };
	if (!ret->v)
		return -ENOMEM;
	for (size_t len = strlen(path); len > 0; len--) {
		if (path[len] != '/' && path[len])
			continue;
		path[len] = '\0';
		if (stat(path, &st) < 0)
			continue;
		ret->v[ret->n].dev = st.st_dev;
		ret->v[ret->n++].ino = st.st_ino;
	}
	if (stat("/", &st) == 0) {
		ret->v[ret->n].dev = st.st_dev;
		ret->v[ret->n++].ino = st.st_ino;
	}
	return 0;
}

/* Is the mountpoint inside of this directory? */
static bool is_among(const struct above *a, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].ino == st.st_ino && a->v[i].dev == st.st_dev)
			return true;
	return false;
}

/*
 * A layer that the mount will stand in is seen through a private copy of its mount, where nothing
 * is mounted on it; without the privilege for that, lookups stop at mounts.
 */
static int open_layer(const char *dir, const struct above *above)
{
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd tree = -1;
	int copy;

	if (fd < 0)
		return -errno;
	if (!is_among(above, fd))
		return fd_take(&fd);
	tree = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return fd_take(&fd);
	copy = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return copy < 0 ? -errno : copy;
}

static int open_layers(
	const struct opts *o, const char *mountpoint, struct layers *ret, struct err *err)
{
	uint64_t limit = fd_raise_limit();
	auto_free void *of_above = NULL;
	struct above above;

	if (o->lowers.n + OTHER_FDS > limit) {
		err_say(err, -EMFILE, "%zu layers need %zu file descriptors, the limit is %llu",
			o->lowers.n, o->lowers.n + OTHER_FDS, (unsigned long long)limit);
		return err_hint(err, -EMFILE, "raise the hard limit of open files (ulimit -Hn)");
	}
	ret->fds = calloc(o->lowers.n + 1, sizeof(*ret->fds));
	if (!ret->fds || find_above(mountpoint, &above) < 0)
		return err_set(err, -ENOMEM, "cannot open the layers");
	of_above = above.v;
	for (size_t i = 0; i < o->lowers.n; i++) {
		int fd = open_layer(o->lowers.v[i], &above);

		if (fd < 0)
			return err_set(err, fd, "cannot open layer '%s'", o->lowers.v[i]);
		ret->fds[ret->n++] = fd;
	}
	return 0;
}

static bool is_expiring(const struct opts *o)
{
	return o->timeout_s < OPTS_TIMEOUT_FOREVER;
}

static int open_lower(
	const struct opts *o, const char *mountpoint, struct lower **ret, struct err *err)
{
	struct layers layers = { 0 };
	struct lower_dirs_opts lo = { .flags = (is_expiring(o) ? LOWER_DIRS_FRESH : 0) |
					       (o->flags & OPTS_COUNT_NLINK ? LOWER_DIRS_COUNT
									    : 0) };
	uint64_t room;
	int r = open_layers(o, mountpoint, &layers, err);

	if (r < 0) {
		layers_done(&layers);
		return r;
	}
	room = (fd_raise_limit() - layers.n - OTHER_FDS) / 4;
	lo.layer_fds = layers.fds;
	lo.n_layers = layers.n;
	lo.max_fds = room > MAX_LOWER_FDS ? MAX_LOWER_FDS : (uint32_t)room;
	r = lower_dirs_new(ret, &lo, err);
	layers.n = 0; /* consumed */
	layers_done(&layers);
	return r;
}

static int open_dir(const char *what, const char *path, int *ret, struct err *err)
{
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? err_set(err, -errno, "cannot open %s '%s'", what, path) : 0;
}

static int check_places(const struct opts *o, int upper, int work, struct err *err)
{
	struct stat a, b;

	if (fstat(upper, &a) < 0 || fstat(work, &b) < 0)
		return err_set(err, -errno, "cannot examine upperdir and workdir");
	if (a.st_dev != b.st_dev)
		return err_say(err, -EXDEV,
			"upperdir '%s' and workdir '%s' are on different "
			"filesystems",
			o->upper, o->work);
	if (a.st_ino == b.st_ino)
		return err_say(err, -EINVAL, "upperdir and workdir are the same directory");
	return 0;
}

static enum ovl_flags fs_flags(const struct opts *o)
{
	enum ovl_flags flags = OVL_MAP_UPPER | OVL_GIVEN_TREE;

	if (o->flags & OPTS_VOLATILE)
		flags |= OVL_VOLATILE;
	if (!(o->flags & OPTS_REDIRECT))
		flags |= OVL_COPY_DIRS;
	if (!(o->flags & OPTS_METACOPY))
		flags |= OVL_COPY_DATA;
	if (o->flags & OPTS_SQUASH_UID)
		flags |= OVL_SQUASH_UID;
	if (o->flags & OPTS_SQUASH_GID)
		flags |= OVL_SQUASH_GID;
	if (o->flags & OPTS_COUNT_NLINK)
		flags |= OVL_COUNT_NLINK;
	if (o->flags & OPTS_STATIC_NLINK)
		flags |= OVL_STATIC_NLINK;
	if (o->xattr_permissions)
		flags |= OVL_KEEP_OWNERS;
	if (getenv("FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT"))
		flags |= OVL_NAME_WHITEOUTS;
	return flags;
}

static int open_fs(
	const struct opts *o, const char *mountpoint, struct ovl_fs **ret, struct err *err)
{
	struct ovl_config cfg = { .lower_id = "directories",
		.upper_dirfd = -1,
		.uids = o->uids.n ? &o->uids : NULL,
		.gids = o->gids.n ? &o->gids : NULL,
		.squash_uid = o->squash_uid,
		.squash_gid = o->squash_gid,
		.flags = fs_flags(o) };
	auto_fd upper = -1;
	auto_fd work = -1;
	auto_fd state = -1;
	int r = 0;

	if (o->upper) {
		r = open_dir("upperdir", o->upper, &upper, err);
		if (r == 0)
			r = open_dir("workdir", o->work, &work, err);
		if (r == 0)
			r = check_places(o, upper, work, err);
		if (r < 0)
			return r;
		/* Beside what other overlay filesystems keep in a work directory. */
		if (mkdirat(work, "lamina", 0700) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot write to workdir '%s'", o->work);
		state = openat(work, "lamina", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (state < 0)
			return err_set(err, -errno, "cannot open '%s/lamina'", o->work);
		cfg.upper_dirfd = state;
		cfg.tree_fd = upper;
	}
	r = open_lower(o, mountpoint, &cfg.lower, err);
	return r < 0 ? r : ovl_fs_new(ret, &cfg, err);
}

/* ---- mounting ---- */

static bool is_read_only(const struct opts *o)
{
	return !o->upper || (o->flags & OPTS_READ_ONLY);
}

static enum ovl_mount_flags mount_flags(const struct opts *o)
{
	enum ovl_mount_flags flags = 0;
	bool root = geteuid() == 0;

	if ((root || (o->flags & OPTS_DEV)) && !(o->flags & OPTS_NO_DEV))
		flags |= OVL_MOUNT_DEV;
	if ((o->flags & OPTS_NO_SUID) || !(root || (o->flags & OPTS_SUID)))
		flags |= OVL_MOUNT_NO_SUID;
	if (o->flags & OPTS_NO_EXEC)
		flags |= OVL_MOUNT_NO_EXEC;
	if (o->flags & OPTS_ATIME)
		flags |= OVL_MOUNT_ATIME;
	if (o->flags & OPTS_NO_DIRATIME)
		flags |= OVL_MOUNT_NO_DIRATIME;
	return flags;
}

static int mount_it(const struct opts *o, const char *mountpoint, int *ret_fuse, struct err *err)
{
	const struct ovl_mount_opts mo = { .read_only = is_read_only(o),
		.allow_other = geteuid() == 0 || (o->flags & OPTS_ALLOW_OTHER),
		.flags = mount_flags(o),
		.source = o->source ? o->source : program,
		.context = o->context };
	auto_fd mount_fd = -1;
	int r;

	r = ovl_mount_detached(&mo, ret_fuse, &mount_fd, err);
	if (r == 0) {
		r = ovl_mount_attach(mount_fd, mountpoint, err);
		if (r < 0)
			(void)close(fd_take(ret_fuse));
		return r;
	}
	/* Without the privilege to mount there is a program that has it. */
	return r == -EPERM ? ovl_mount_fusermount(mountpoint, &mo, ret_fuse, err) : r;
}

/* Whoever started us may wait for the end of our output. */
static void leave_terminal(void)
{
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)!chdir("/");
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		(void)dup2(null, fd);
}

static int serve(const struct opts *o, int ready_fd, struct err *err)
{
	auto_free char *mountpoint = realpath(o->mountpoint, NULL);
	struct ovl_session_opts so = { .ready_fd = ready_fd,
		.n_threads = o->flags & OPTS_SINGLE_THREAD ? 1 : 0,
		.no_open_off = o->flags & OPTS_ANNOUNCE_OPENS,
		.debug = o->flags & OPTS_DEBUG,
		.read_only = is_read_only(o),
		.no_writeback = o->flags & OPTS_NO_WRITEBACK,
		.no_xattrs = o->flags & OPTS_NO_XATTRS,
		.no_acl = o->flags & OPTS_NO_ACL,
		.ino32 = o->flags & OPTS_INO32,
		.expires = is_expiring(o),
		.timeout_s = o->timeout_s,
		.mountpoint = mountpoint };
	struct ovl_fs *fs = NULL;
	int fuse = -1, r;

	if (!mountpoint)
		return err_set(err, -errno, "cannot mount on '%s'", o->mountpoint);
	(void)umask(0);
	r = open_fs(o, mountpoint, &fs, err);
	if (r == 0)
		r = mount_it(o, mountpoint, &fuse, err);
	if (r == 0) {
		if (!(o->flags & OPTS_FOREGROUND))
			leave_terminal();
		r = ovl_serve(fs, fuse, &so, err);
	}
	ovl_fs_free(fs);
	return r;
}

/* ---- uppers that are not mounted ---- */

/* The state directory of the upper, if a work directory is named and has one, locked: else -1. */
static int open_state(const struct opts *o, int *ret_lock, struct err *err)
{
	auto_fd work = -1;
	int state, lock;

	if (!o->work)
		return -1;
	if (open_dir("workdir", o->work, &work, err) < 0)
		return -ENOENT;
	state = openat(work, "lamina", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (state < 0)
		return -1;
	lock = lock_open(state, "lock", LOCK_SHARED, LOCK_TRY);
	if (lock < 0) {
		(void)close(state);
		return lock == -EAGAIN ? err_say(err, -EBUSY, "the upper is mounted")
				       : err_set(err, lock, "cannot lock the upper");
	}
	*ret_lock = lock;
	return state;
}

static int check(const struct opts *o, struct err *err)
{
	struct check_opts co = { .out = stdout, .state_fd = -1 };
	auto_fd tree = -1;
	auto_fd lock = -1;
	auto_fd state = -1;
	int64_t n;
	int r = open_dir("upper directory", o->mountpoint, &tree, err);

	if (r < 0)
		return r;
	state = open_state(o, &lock, err);
	if (state < -1)
		return state;
	if (o->lowers.n > 0)
		r = open_lower(o, "", &co.lower, err);
	if (r < 0)
		return r;
	co.tree_fd = tree;
	co.state_fd = state;
	n = check_upper(&co, err);
	if (co.lower)
		co.lower->ops->close(co.lower);
	return n < 0 ? (int)n : n > 0 ? EXIT_DAMAGED : 0;
}

static int finish(struct opts *o, struct err *err)
{
	struct finish_result done = { 0 };
	struct ovl_fs *fs = NULL;
	int r;

	free(o->upper);
	o->upper = strdup(o->mountpoint);
	if (!o->upper)
		return err_set(err, -ENOMEM, "cannot open the upper");
	(void)umask(0);
	r = open_fs(o, "", &fs, err);
	if (r == 0)
		r = finish_upper(fs, &done, err);
	ovl_fs_free(fs);
	if (r == 0)
		printf("%llu files and %llu directories completed\n",
			(unsigned long long)done.n_files, (unsigned long long)done.n_dirs);
	return r;
}

/* ---- the process ---- */

static int report(int r, const struct err *err)
{
	if (r < 0)
		err_print(err, program);
	return r < 0 ? 1 : r;
}

static int run_in_background(const struct opts *o)
{
	struct err err = ERR_INIT;
	int pair[2];
	char byte;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return report(err_set(&err, -errno, "cannot make a pipe"), &err);
	pid = fork();
	if (pid < 0)
		return report(err_set(&err, -errno, "cannot start a process"), &err);
	if (pid == 0) {
		(void)close(pair[0]);
		(void)setsid();
		return report(serve(o, pair[1], &err), &err);
	}
	(void)close(pair[1]);
	/* Without the byte the child has said why. */
	return read(pair[0], &byte, 1) == 1 ? 0 : 1;
}

static int run(struct opts *o)
{
	struct err err = ERR_INIT;

	if (o->action == OPTS_CHECK)
		return report(check(o, &err), &err);
	if (o->action == OPTS_FINISH)
		return report(finish(o, &err), &err);
	for (size_t i = 0; i < o->warnings.n; i++)
		log_warning("overlay", "option '%s' makes no difference here", o->warnings.v[i]);
	if (o->flags & OPTS_FOREGROUND)
		return report(serve(o, -1, &err), &err);
	return run_in_background(o);
}

static int print_version(void)
{
	printf("%s: version %s\nfuse-overlayfs: version %s\n", program, LAMINA_VERSION,
		as_fuse_overlayfs);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct opts o;
	int r;

	if (fd_fill_standard() < 0)
		return 1;
	r = opts_parse(&o, argc, argv, &err);
	if (r < 0) {
		err_print(&err, program);
		r = 2;
	} else if (o.action == OPTS_HELP) {
		fputs(opts_usage(), stdout);
	} else if (o.action == OPTS_VERSION) {
		r = print_version();
	} else {
		r = run(&o);
	}
	opts_done(&o);
	return r;
}
