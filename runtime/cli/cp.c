/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verb: cp
 *
 *      PATH | CONTAINER:PATH | -  ──▶  PATH | CONTAINER:PATH | -
 *
 * What a path means is decided before anything is copied: which file or directory it is, as an fd,
 * or which name that is still free in which directory.
 */
#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "image/blob_source.h"
#include "image/decode.h"
#include "runtime/cli/ctrroot.h"
#include "runtime/cptree.h"
#include "runtime/inroot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

struct cp_opts {
	bool keep_owners; /* --archive=false */
	bool overwrite;
};

/* One side. */
struct end {
	const char *path; /* behind "CONTAINER:" */
	char *container; /* NULL: here */
	struct cli_ctrroot root; /* of a container */
	bool is_open;
};

/* ---- what the words mean ---- */

/* As podman has it: what begins with '/' or '.' is here. */
static int end_parse(struct end *e, const char *word, struct err *err)
{
	const char *colon = word[0] == '/' || word[0] == '.' ? NULL : strchr(word, ':');

	e->path = colon ? colon + 1 : word;
	if (!colon)
		return *word ? 0 : err_say(err, -EINVAL, "a path is empty");
	if (colon == word || !colon[1])
		return err_say(err, -EINVAL, "'%s' is not CONTAINER:PATH", word);
	e->container = strndup(word, (size_t)(colon - word));
	return e->container ? 0 : err_set(err, -ENOMEM, "cannot copy");
}

static int end_open(struct end *e, const struct cli *cli, struct err *err)
{
	int r;

	if (!e->container)
		return 0;
	e->is_open = true;
	r = cli_ctrroot_open(&e->root, cli, e->container, err);
	return r < 0 ? err_wrap(err, r, "container '%s'", e->container) : 0;
}

static void end_close(struct end *e)
{
	if (e->is_open)
		cli_ctrroot_close(&e->root);
	free(e->container);
}

static bool is_stream(const struct end *e)
{
	return !e->container && str_eq(e->path, "-");
}

/* Links are followed; in a container they lead nowhere but in it. */
static int end_get(const struct end *e, const char *path, int flags)
{
	int fd;

	if (e->container)
		return inroot_open(e->root.fd, path, flags);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The last component without slashes at the end, owned by the caller; NULL: no memory. */
static char *base_of(const char *path)
{
	size_t len = strlen(path), from;

	while (len > 0 && path[len - 1] == '/')
		len--;
	for (from = len; from > 0 && path[from - 1] != '/'; from--)
		;
	return strndup(path + from, len - from);
}

/* What stands before it: "." if nothing does. */
static char *dir_of(const char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len ? strndup(path, len) : strdup(".");
}

/* Paths that name the inside of a directory: "x/.", ".", "/", "..". */
static bool means_contents(const char *base)
{
	return str_eq(base, ".") || str_eq(base, "..") || !*base;
}

/* ---- source and destination ---- */

struct from {
	int fd; /* of the file or directory itself, open for reading */
	bool is_dir;
	char *name;
};

static int from_open(const struct end *e, struct from *ret, struct err *err)
{
	auto_fd fd = end_get(e, e->path, O_PATH);
	struct stat st;

	if (fd < 0)
		return err_set(err, fd, "cannot find '%s'", e->path);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot read '%s'", e->path);
	ret->is_dir = S_ISDIR(st.st_mode);
	if (!ret->is_dir && !S_ISREG(st.st_mode))
		return err_say(err, -EINVAL, "'%s' is neither a file nor a directory", e->path);
	ret->fd = at_reopen(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (ret->fd < 0)
		return err_set(err, ret->fd, "cannot read '%s'", e->path);
	ret->name = base_of(e->path);
	return ret->name ? 0 : err_set(err, -ENOMEM, "cannot copy");
}

static void from_done(struct from *f)
{
	cleanup_fd(&f->fd);
	free(f->name);
}

struct to {
	int dirfd; /* O_PATH */
	char *name; /* in it; NULL: dirfd is the directory that gets the contents */
	int file; /* of a link's target that exists, open for writing; -1 */
};

/* A file is replaced; what a link leads to is written, and the link stays. */
static int to_file(
	const struct end *e, int fd, const struct stat *st, struct to *ret, struct err *err)
{
	struct stat here;

	if (!S_ISREG(st->st_mode))
		return err_say(err, -EINVAL, "'%s' is no regular file", e->path);
	ret->name = base_of(e->path);
	if (!ret->name)
		return err_set(err, -ENOMEM, "cannot copy");
	if (fstatat(ret->dirfd, ret->name, &here, AT_SYMLINK_NOFOLLOW) == 0 &&
		!S_ISLNK(here.st_mode))
		return 0;
	ret->file = at_reopen(fd, O_WRONLY | O_TRUNC | O_NONBLOCK | O_NOCTTY);
	return ret->file < 0 ? err_set(err, ret->file, "cannot write '%s'", e->path) : 0;
}

static int to_dir(const struct from *f, int fd, struct to *ret, struct err *err)
{
	ret->dirfd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (ret->dirfd < 0)
		return err_set(err, -errno, "cannot copy");
	if (f->is_dir && means_contents(f->name))
		return 0;
	ret->name = strdup(f->name);
	return ret->name ? 0 : err_set(err, -ENOMEM, "cannot copy");
}

/* Nothing is there yet. */
static int to_new(const struct end *e, const struct from *f, struct to *ret, struct err *err)
{
	ret->name = base_of(e->path);
	if (!ret->name)
		return err_set(err, -ENOMEM, "cannot copy");
	if (means_contents(ret->name) || (!f->is_dir && str_ends(e->path, "/")))
		return err_say(err, -ENOENT, "there is no directory '%s'", e->path);
	return 0;
}

static int to_open(const struct end *e, const struct from *f, struct to *ret, struct err *err)
{
	auto_fd fd = end_get(e, e->path, O_PATH);
	auto_free char *dir = dir_of(e->path);
	struct stat st;

	if (!dir)
		return err_set(err, -ENOMEM, "cannot copy");
	if (fd < 0 && fd != -ENOENT)
		return err_set(err, fd, "cannot find '%s'", e->path);
	if (fd >= 0 && fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot read '%s'", e->path);
	if (fd >= 0 && S_ISDIR(st.st_mode))
		return to_dir(f, fd, ret, err);
	if (fd >= 0 && f->is_dir)
		return err_say(
			err, -ENOTDIR, "'%s' is a file, and what is copied a directory", e->path);
	ret->dirfd = end_get(e, dir, O_PATH | O_DIRECTORY);
	if (ret->dirfd < 0)
		return err_set(err, ret->dirfd, "cannot find '%s'", dir);
	return fd >= 0 ? to_file(e, fd, &st, ret, err) : to_new(e, f, ret, err);
}

static void to_done(struct to *t)
{
	cleanup_fd(&t->dirfd);
	cleanup_fd(&t->file);
	free(t->name);
}

/* ---- copying ---- */

static int copy_dir(struct cptree *c, const struct from *f, const struct to *t, struct err *err)
{
	struct stat st;

	if (!t->name)
		return cptree_copy_contents(c, f->fd, t->dirfd, err);
	if (fstat(f->fd, &st) < 0)
		return err_set(err, -errno, "cannot read '%s'", f->name);
	return cptree_copy_dir(c, f->fd, &st, t->dirfd, t->name, err);
}

static int copy_file(struct cptree *c, const struct from *f, struct to *t, struct err *err)
{
	if (t->file < 0)
		t->file = put_file(&c->put, t->dirfd, t->name);
	if (t->file < 0)
		return err_set(err, t->file, "cannot make '%s'", t->name);
	return cptree_copy_file(c, f->fd, t->file, err);
}

static int copy_tree(
	struct cptree *c, const struct end *src, const struct end *dst, struct err *err)
{
	struct from f = { .fd = -1 };
	struct to t = { .dirfd = -1, .file = -1 };
	int r = from_open(src, &f, err);

	if (r >= 0)
		r = to_open(dst, &f, &t, err);
	if (r >= 0 && buf_add_str(&c->path, f.name) < 0)
		r = err_set(err, -ENOMEM, "cannot copy");
	if (r >= 0)
		r = f.is_dir ? copy_dir(c, &f, &t, err) : copy_file(c, &f, &t, err);
	to_done(&t);
	from_done(&f);
	return r;
}

static int copy_out(struct cptree *c, const struct end *src, struct err *err)
{
	struct from f = { .fd = -1 };
	int r = from_open(src, &f, err);

	if (r >= 0 && isatty(STDOUT_FILENO)) {
		r = err_say(err, -EINVAL, "a tar is not written to a terminal");
		err_hint(err, r, "redirect standard output, or name a directory");
	}
	if (r >= 0)
		r = cptree_to_tar(
			c, f.fd, means_contents(f.name) ? "." : f.name, STDOUT_FILENO, err);
	from_done(&f);
	return r;
}

static int copy_in(struct cptree *c, const struct end *dst, struct err *err)
{
	auto_fd dir = end_get(dst, dst->path, O_PATH | O_DIRECTORY);
	struct source *file = NULL;
	auto_source src = NULL;
	int fd, r;

	if (dir < 0)
		return err_set(err, dir, "cannot find the directory '%s'", dst->path);
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_set(err, -errno, "cannot read standard input");
	r = source_file_new_take_fd(&file, fd, err);
	if (r >= 0)
		r = source_decode_new(&src, file, CODEC_NONE, err);
	return r < 0 ? r : cptree_from_tar(c, src, dst->root.fd, dst->path, err);
}

/* ---- the verb ---- */

/* Who owns what is made, and what the ids of tars mean. */
static int set_ids(struct cptree *c, const struct cp_opts *o, const struct end *src,
	const struct end *dst, struct err *err)
{
	const struct spec *spec = dst->container ? dst->root.spec : src->root.spec;

	c->uids = &spec->uid_map;
	c->gids = &spec->gid_map;
	/* What a container calls set-user-id must not be that for the user here. */
	c->put.mask = dst->container ? 07777 : 0777;
	c->put.own_ids = !dst->container;
	c->put.overwrite = o->overwrite;
	c->give = dst->container && !o->keep_owners;
	if (!c->give || !spec->process)
		return 0;
	c->uid = spec->process->user.uid;
	c->gid = spec->process->user.gid;
	if ((spec->uid_map.n && !idmap_out(&spec->uid_map, c->uid, &c->uid)) ||
		(spec->gid_map.n && !idmap_out(&spec->gid_map, c->gid, &c->gid)))
		return err_say(err, -ERANGE, "the container's user has no id here");
	return 0;
}

static int check(const struct end *src, const struct end *dst, struct err *err)
{
	if (!src->container && !dst->container)
		return err_say(err, -EINVAL, "one of both must be CONTAINER:PATH");
	if (!src->container || !dst->container)
		return 0;
	err_say(err, -EOPNOTSUPP, "both are containers");
	return err_hint(err, -EOPNOTSUPP, "lamina cp A:PATH - | lamina cp - B:DIR");
}

static int copy(struct cptree *c, const struct cp_opts *o, struct end *src, struct end *dst,
	const struct cli *cli, struct err *err)
{
	int r = end_open(src->container ? src : dst, cli, err);

	if (r >= 0)
		r = set_ids(c, o, src, dst, err);
	if (r < 0)
		return r;
	if (is_stream(src))
		return copy_in(c, dst, err);
	return is_stream(dst) ? copy_out(c, src, err) : copy_tree(c, src, dst, err);
}

static int run_cp(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct cp_opts *o = opts;
	struct end src = { 0 }, dst = { 0 };
	struct err err = ERR_INIT;
	struct cptree c = { 0 };
	int r = end_parse(&src, argv[0], &err);

	(void)fd_raise_limit();
	if (r >= 0)
		r = end_parse(&dst, argv[1], &err);
	if (r >= 0)
		r = check(&src, &dst, &err);
	if (r >= 0)
		r = copy(&c, o, &src, &dst, cli, &err);
	end_close(&dst);
	end_close(&src);
	buf_done(&c.path);
	if (r < 0) {
		err_wrap(&err, r, "cannot copy '%s'", argv[0]);
		return cli_fail(&err);
	}
	if (c.n_left_out)
		fprintf(stderr, "lamina: warning: %" PRIu64 " devices and sockets were left out\n",
			c.n_left_out);
	return 0;
}

static const struct args_opt cp_table[] = {
	{ "archive", 'a', ARGS_FLAG_ON, offsetof(struct cp_opts, keep_owners), NULL,
		"into a container: its user owns all; false: who owned it before" },
	{ "overwrite", 0, ARGS_FLAG, offsetof(struct cp_opts, overwrite), NULL,
		"a directory and a file may replace each other" },
	{ 0 },
};

const struct cli_verb cli_verbs_cp[] = {
	{ "cp", "[OPTION]… [CONTAINER:]PATH|- [CONTAINER:]PATH|-",
		"copy files and directories into and out of containers", cp_table,
		sizeof(struct cp_opts), 2, 2, false, run_cp },
	{ 0 },
};
