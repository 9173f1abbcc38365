/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs: mount, umount
 *
 *      lamina mount ─ fork ─▶ daemon: lower ─ upper ─ mount ─ serve … ─ unmounted: ends
 *           ◀── one byte: the mount answers, or struct err: why not ──┘
 *
 * Root of a user namespace mounts by itself and sees the image's ids; an ordinary user mounts
 * through fusermount3 and sees everything as his own, unless --ids image says otherwise.
 */
#include "runtime/cli/cli.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/store.h"
#include "image/store_dir.h"
#include "overlay/fuse_session.h"
#include "overlay/mount.h"
#include "runtime/mountd.h"
#include "runtime/rundir.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/stat.h>

struct mount_opts {
	bool rw;
	bool is_volatile;
	bool no_open_off;
	const char *upper;
	const char *ids;
};

static const struct args_opt mount_args[] = {
	{ "rw", 0, ARGS_FLAG, offsetof(struct mount_opts, rw), NULL,
		"writable; changes are dropped when it is unmounted" },
	{ "upper", 0, ARGS_STRING, offsetof(struct mount_opts, upper), "DIR",
		"writable; changes are kept in DIR" },
	{ "ids", 0, ARGS_STRING, offsetof(struct mount_opts, ids), "image|own",
		"owners as the image has them, or all as one's own" },
	{ "volatile", 0, ARGS_FLAG, offsetof(struct mount_opts, is_volatile), NULL,
		"do not sync; a crash of the machine may damage the changes" },
	{ "announce-opens", 0, ARGS_FLAG, offsetof(struct mount_opts, no_open_off), NULL,
		"work around kernels that hang under memory pressure (slower)" },
	{ 0 },
};

/* A mount that is being made. */
struct mounting {
	const struct mount_opts *opts;
	struct img_store *store;
	struct img img;
	char *mountpoint; /* absolute */
	char *source;
	bool made_mountpoint;
	struct stage stage; /* with --rw */
	int upper_fd; /* -1: read-only */
};

static bool is_writable(const struct mount_opts *o)
{
	return o->rw || o->upper;
}

static bool mounts_itself(void)
{
	return proc_has_cap(CAP_SYS_ADMIN);
}

/* ---- where ---- */

/* "debian:12" → "debian_12": one component that no shell minds. */
static char *dir_name_of(const char *image)
{
	char *name = strdup(image);

	for (char *c = name; c && *c; c++)
		if (*c == '/' || *c == ':' || *c == '@')
			*c = '_';
	return name;
}

static char *path_of_fd(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > 0 && n < (ssize_t)sizeof(path) ? strndup(path, (size_t)n) : NULL;
}

/* Below the user's runtime directory: mounts/NAME. */
static int default_mountpoint(struct mounting *m, const char *image, struct err *err)
{
	auto_free char *name = dir_name_of(image);
	auto_free char *path = name ? str_format("mounts/%s", name) : NULL;
	auto_fd rundir = rundir_open(err);
	auto_fd dir = -1;

	if (rundir < 0)
		return rundir;
	if (!path)
		return err_set(err, -ENOMEM, "cannot mount");
	dir = at_mkdir_p(rundir, path, 0700);
	if (dir < 0)
		return err_set(err, dir, "cannot make a directory to mount on");
	m->mountpoint = path_of_fd(dir);
	m->made_mountpoint = true;
	return m->mountpoint ? 0 : err_set(err, -ENOENT, "cannot find '%s'", path);
}

static int given_mountpoint(struct mounting *m, const char *dir, struct err *err)
{
	struct stat st;

	m->mountpoint = realpath(dir, NULL);
	if (!m->mountpoint || stat(m->mountpoint, &st) < 0)
		return err_set(err, -errno, "cannot mount on '%s'", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "cannot mount on '%s'", dir);
	return 0;
}

/* ---- the upper ---- */

/* Before the daemon leaves the working directory. */
static int open_upper(struct mounting *m, struct err *err)
{
	int r;

	if (m->opts->upper) {
		m->upper_fd = at_mkdir_p(AT_FDCWD, m->opts->upper, 0700);
		if (m->upper_fd < 0)
			return err_set(
				err, m->upper_fd, "cannot open the upper '%s'", m->opts->upper);
	}
	if (!m->opts->rw)
		return 0;
	r = store_stage_new(m->store, &m->stage, err);
	if (r < 0)
		return r;
	/* The stage has files of its own. */
	m->upper_fd = at_mkdir_p(m->stage.dirfd, "state", 0700);
	return m->upper_fd < 0 ? err_set(err, m->upper_fd, "cannot make an upper") : 0;
}

/* ---- the daemon ---- */

static int make_mount(const struct mounting *m, int *ret_fuse, struct err *err)
{
	const struct ovl_mount_opts o = { .read_only = !is_writable(m->opts),
		.allow_other = mounts_itself(),
		.source = m->source };
	auto_fd mount_fd = -1;
	int r;

	if (!mounts_itself())
		return ovl_mount_fusermount(m->mountpoint, &o, ret_fuse, err);
	r = ovl_mount_detached(&o, ret_fuse, &mount_fd, err);
	if (r == 0) {
		r = ovl_mount_attach(mount_fd, m->mountpoint, err);
		if (r < 0)
			(void)close(*ret_fuse);
	}
	return r;
}

static int open_fs(struct mounting *m, struct ovl_fs **ret, struct err *err)
{
	char chain[DIGEST_TEXT_BYTES], lower_id[DIGEST_TEXT_BYTES + 8];
	bool own = m->opts->ids ? str_eq(m->opts->ids, "own") : !mounts_itself();
	struct ovl_config cfg = { .lower_id = lower_id,
		.upper_dirfd = m->upper_fd,
		.squash_uid = getuid(),
		.squash_gid = getgid(),
		.flags = (own ? OVL_SQUASH_OWNER : 0) |
			 (m->opts->is_volatile || m->opts->rw ? OVL_VOLATILE : 0) };
	int r;

	digest_text(&m->img.chain_id, chain);
	snprintf(lower_id, sizeof(lower_id), "image:%s", chain);
	r = img_open_lower(m->store, &m->img, &cfg.lower, err);
	if (r < 0)
		return r;
	r = ovl_fs_new(ret, &cfg, err);
	if (r < 0 && m->opts->upper)
		err_wrap(err, r, "'%s'", m->opts->upper);
	return r;
}

static int serve(struct mounting *m, int ready_fd, bool debug, struct err *err)
{
	const struct ovl_session_opts so = { .ready_fd = ready_fd,
		.no_open_off = m->opts->no_open_off,
		.debug = debug,
		.read_only = !is_writable(m->opts),
		.mountpoint = m->mountpoint };
	struct ovl_fs *fs = NULL;
	int fuse, r;

	r = open_fs(m, &fs, err);
	if (r == 0)
		r = make_mount(m, &fuse, err);
	if (r == 0)
		r = ovl_serve(fs, fuse, &so, err);
	ovl_fs_free(fs);
	store_stage_done(&m->stage);
	if (m->made_mountpoint)
		(void)rmdir(m->mountpoint);
	return r;
}

/* Whoever reads the caller's output by a pipe must see its end. */
static void detach_from_terminal(bool debug)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (chdir("/") == 0 && null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		if (!debug)
			(void)dup2(null, STDERR_FILENO);
	}
}

/* In the child: never returns.  What goes wrong before the mount answers goes to the parent. */
static void run_daemon(struct mounting *m, int ready_fd, bool debug)
{
	struct err err = ERR_INIT;
	int r;

	detach_from_terminal(debug);
	(void)fd_raise_limit();
	r = serve(m, ready_fd, debug, &err);
	if (r < 0 && fd_write_all(ready_fd, "E", 1) == 0)
		(void)fd_write_all(ready_fd, &err, sizeof(err));
	_exit(r < 0 ? EXIT_LAMINA : 0);
}

/* Wait for the byte of a mount that answers, or for the error of one that never will. */
static int wait_ready(int fd, struct err *err)
{
	struct {
		char first;
		struct err err;
	} __attribute__((packed)) said = { 0 };
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, (char *)&said + len, sizeof(said) - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n < 0 && errno == EINTR) || (n > 0 && said.first == 'E' && len < sizeof(said)));
	if (said.first == '1')
		return 0;
	if (len < sizeof(said))
		return err_say(err, -EIO, "the filesystem's daemon died");
	*err = said.err;
	return -EIO;
}

static int start(struct mounting *m, bool debug, struct err *err)
{
	int pair[2], r;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		run_daemon(m, pair[1], debug);
	}
	auto_fd rd = pair[0];

	(void)close(pair[1]);
	if (pid < 0)
		return err_set(err, -errno, "cannot start the filesystem's daemon");
	r = wait_ready(rd, err);
	return r < 0 ? r : mountd_record(m->mountpoint, pid, err);
}

/* ---- verbs ---- */

static void mounting_done(struct mounting *m)
{
	if (m->upper_fd >= 0)
		(void)close(m->upper_fd);
	img_done(&m->img);
	img_store_close(m->store);
	free(m->mountpoint);
	free(m->source);
}

/* What /proc/mounts shows as the source: tells which image a mount is of. */
static char *source_of(const struct img *img)
{
	char id[DIGEST_TEXT_BYTES];

	digest_text(&img->config_digest, id);
	return str_format("lamina:%s", img->name ? img->name : id);
}

static int prepare(struct mounting *m, struct cli *cli, int argc, char **argv, struct err *err)
{
	const struct mount_opts *o = m->opts;
	int r;

	if (o->ids && !str_eq(o->ids, "image") && !str_eq(o->ids, "own"))
		return err_say(err, -EINVAL, "'--ids' takes image or own, not '%s'", o->ids);
	if (o->rw && o->upper)
		return err_say(err, -EINVAL, "'--rw' and '--upper' exclude each other");
	r = img_store_open(&m->store, cli->root, err);
	if (r == 0)
		r = img_resolve(m->store, argv[0], &m->img, err);
	if (r < 0)
		return r;
	m->source = source_of(&m->img);
	if (!m->source)
		return err_set(err, -ENOMEM, "cannot mount");
	r = argc > 1 ? given_mountpoint(m, argv[1], err) : default_mountpoint(m, argv[0], err);
	return r < 0 ? r : open_upper(m, err);
}

static int run_mount(struct cli *cli, void *opts, int argc, char **argv)
{
	struct mounting m = { .opts = opts, .img = { .lease_fd = -1 }, .upper_fd = -1 };
	struct err err = ERR_INIT;
	int r = prepare(&m, cli, argc, argv, &err);

	if (r == 0)
		r = start(&m, cli->debug, &err);
	if (r == 0)
		printf("%s\n", m.mountpoint);
	else if (m.made_mountpoint && m.mountpoint)
		(void)rmdir(m.mountpoint);
	if (r < 0)
		store_stage_done(&m.stage);
	mounting_done(&m);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot mount '%s'", argv[0]);
	return cli_fail(&err);
}

/* Undo the octal escapes of /proc/self/mountinfo, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++)
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	*to = '\0';
}

/* Mount points of an image, into @ret. */
static int find_mounts(const char *source, struct strv *ret, struct err *err)
{
	auto_file f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!f)
		return err_set(err, -errno, "cannot read '/proc/self/mountinfo'");
	while (r == 0 && getline(&line, &room, f) > 0) {
		char *fields[64], *rest = line, *word;
		size_t n = 0, dash;

		while (n < ARRAY_SIZE(fields) && (word = strsep(&rest, " \n")))
			fields[n++] = word;
		for (dash = 6; dash < n && !str_eq(fields[dash], "-");)
			dash++;
		if (dash + 2 >= n || !str_eq(fields[dash + 1], "fuse.lamina"))
			continue;
		unescape(fields[4]);
		unescape(fields[dash + 2]);
		if (str_eq(fields[dash + 2], source))
			r = strv_add(ret, fields[4]);
	}
	return r < 0 ? err_set(err, r, "cannot read the mounts") : 0;
}

static int unmount_image(struct cli *cli, const char *image, struct err *err)
{
	struct img img = { .lease_fd = -1 };
	struct img_store *store = NULL;
	auto_free char *source = NULL;
	auto_strv mounts = { 0 };
	int r = img_store_open(&store, cli->root, err);

	if (r == 0)
		r = img_resolve(store, image, &img, err);
	if (r == 0) {
		source = source_of(&img);
		r = source ? find_mounts(source, &mounts, err)
			   : err_set(err, -ENOMEM, "cannot read the mounts");
		img_done(&img);
	}
	img_store_close(store);
	if (r == 0 && mounts.n == 0)
		r = err_say(err, -ENOENT, "it is not mounted");
	for (size_t i = 0; r == 0 && i < mounts.n; i++)
		r = mountd_unmount(mounts.v[i], err);
	return r;
}

static int run_umount(struct cli *cli, void *opts, int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct stat st;
	int r;

	/* A dead daemon's mount point cannot be examined, and has to go all the same. */
	if (stat(argv[0], &st) == 0 || errno == ENOTCONN)
		r = mountd_unmount(argv[0], &err);
	else
		r = unmount_image(cli, argv[0], &err);
	if (r == 0)
		return 0;
	err_wrap(&err, r, "cannot unmount '%s'", argv[0]);
	return cli_fail(&err);
}

const struct cli_verb cli_verbs_mount[] = {
	{
		.name = "mount",
		.synopsis = "[OPTION]… IMAGE [DIR]",
		.help = "mount an image, print where",
		.opts = mount_args,
		.opts_bytes = sizeof(struct mount_opts),
		.min_args = 1,
		.max_args = 2,
		.run = run_mount,
	},
	{
		.name = "umount",
		.synopsis = "DIR|IMAGE",
		.help = "unmount what 'lamina mount' mounted",
		.min_args = 1,
		.max_args = 1,
		.run = run_umount,
	},
	{ 0 },
};
