/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Examining an upper
 *
 *      upper/a/b ──▶ its marks make sense?          ──▶ with the lower: what they refer to is there?
 *      index/0…  ──▶ an origin, and that of the file?
 *
 * The walk goes down with the lower directory that the upper one continues, as a mount does.
 */
#include "overlay/check.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/meta.h"
#include "overlay/name_counts.h"
#include "overlay/upper.h"
#include "overlay/whiteout.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define LIMIT_DEPTH	     2048
#define LIMIT_REDIRECT_BYTES 4096
#define NOWHERE		     UINT64_MAX /* the lower has no directory there */

/* An upper inode with an origin, to find two that claim the same. */
struct claim {
	uint64_t origin, ino;
};

struct check {
	const struct check_opts *o;
	struct buf path; /* of what is examined */
	int64_t n_wrong;
	bool names; /* whiteouts are names in this upper */
	struct claim *claims;
	size_t n_claims, room;
};

static void __attribute__((format(printf, 2, 3))) wrong(struct check *c, const char *fmt, ...)
{
	auto_free char *quoted =
		str_quote(c->path.len ? c->path.data : ".", c->path.len ? c->path.len : 1);
	va_list ap;

	c->n_wrong++;
	fprintf(c->o->out, "%s: ", quoted ? quoted : "?");
	va_start(ap, fmt);
	vfprintf(c->o->out, fmt, ap);
	va_end(ap);
	fputc('\n', c->o->out);
}

/* ---- the lower ---- */

static int lower_find(
	const struct check *c, uint64_t dir, const char *name, size_t len, struct lower_entry *ret)
{
	struct lower *l = c->o->lower;

	if (!l || dir == NOWHERE)
		return -ENOENT;
	return l->ops->lookup(l, dir, name, len, ret);
}

static bool is_name(const char *s, size_t len)
{
	return len > 0 && len <= NAME_MAX && !(len == 1 && s[0] == '.') &&
	       !(len == 2 && s[0] == '.' && s[1] == '.');
}

/* What a redirect leads to; -EINVAL if it makes no sense, -ENOENT if nothing is there. */
static int follow(const struct check *c, uint64_t dir, const char *text, struct lower_entry *ret)
{
	bool absolute = *text == '/';
	const char *slash;

	if (absolute) {
		dir = 0;
		text++;
	}
	for (;; text = slash + 1) {
		size_t len;
		int r;

		slash = strchr(text, '/');
		len = slash ? (size_t)(slash - text) : strlen(text);
		if (!is_name(text, len) || (slash && !absolute))
			return -EINVAL;
		r = lower_find(c, dir, text, len, ret);
		if (!slash)
			return r;
		/* Names behind one that is not there still have to be names. */
		dir = r == 0 && ret->type == DT_DIR ? ret->handle : NOWHERE;
	}
}

/* ---- marks of one entry ---- */

struct marks {
	bool opaque, metacopy, has_redirect;
	char redirect[LIMIT_REDIRECT_BYTES + 1];
	uint64_t origin;
};

static void check_override(struct check *c, int fd)
{
	char text[META_OVERRIDE_BYTES];
	struct node_override ov;
	ssize_t n = fgetxattr(fd, XA_OVERRIDE, text, sizeof(text));

	if (n < 0 && errno == ENODATA)
		return;
	if (n < 0 || meta_override_parse(text, (size_t)n, &ov) < 0)
		wrong(c, "the owner in '%s' cannot be read", XA_OVERRIDE);
}

static void read_marks(struct check *c, int fd, struct marks *m)
{
	char value[UPPER_ORIGIN_BYTES];
	ssize_t n = fgetxattr(fd, XA_OPAQUE, value, sizeof(value));

	memset(m, 0, sizeof(*m));
	m->opaque = n == 1 && value[0] == 'y';
	if ((n >= 0 || errno == ERANGE) && !m->opaque && !(n == 1 && value[0] == 'x'))
		wrong(c, "'%s' is neither y nor x", XA_OPAQUE);
	m->metacopy = fgetxattr(fd, XA_METACOPY, NULL, 0) >= 0;
	n = fgetxattr(fd, XA_REDIRECT, m->redirect, LIMIT_REDIRECT_BYTES);
	m->has_redirect = n >= 0;
	if (n < 0 && errno == ERANGE)
		wrong(c, "the redirect is too long");
	if (n >= 0 && memchr(m->redirect, 0, (size_t)n))
		wrong(c, "the redirect holds NUL bytes");
	n = fgetxattr(fd, XA_ORIGIN, value, sizeof(value));
	if ((n >= 0 && !upper_origin_parse(value, (size_t)n, &m->origin)) ||
		(n < 0 && errno == ERANGE))
		wrong(c, "the origin is not a number");
	check_override(c, fd);
}

static int claim_origin(struct check *c, uint64_t origin, uint64_t ino)
{
	if (c->n_claims == c->room) {
		size_t room = c->room ? c->room * 2 : 64;
		struct claim *v = reallocarray(c->claims, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->claims = v;
		c->room = room;
	}
	c->claims[c->n_claims++] = (struct claim){ origin, ino };
	return 0;
}

static void check_redirect(struct check *c, uint64_t dir, const struct marks *m, uint32_t want)
{
	struct lower_entry le;
	int r = follow(c, dir, m->redirect, &le);

	if (r == -EINVAL)
		wrong(c, "the redirect makes no sense");
	else if (c->o->lower && (r < 0 || le.type != IFTODT(want)))
		wrong(c, "the redirect leads nowhere");
}

static void check_file(struct check *c, uint64_t dir, const char *name, const struct marks *m)
{
	struct lower_entry le;

	if (m->opaque)
		wrong(c, "a file is marked opaque");
	if (m->has_redirect && !m->metacopy)
		wrong(c, "a file with data has a redirect");
	if (!m->metacopy)
		return;
	if (m->has_redirect)
		check_redirect(c, dir, m, S_IFREG);
	else if (c->o->lower &&
		 (lower_find(c, dir, name, strlen(name), &le) < 0 || le.type != DT_REG))
		wrong(c, "the data of a metadata-only copy is nowhere");
}

/* The lower directory that an upper one continues. */
static uint64_t check_dir_marks(
	struct check *c, uint64_t dir, const char *name, const struct marks *m)
{
	struct lower_entry le;

	if (m->metacopy)
		wrong(c, "a directory is marked as a metadata-only copy");
	if (m->has_redirect && m->opaque)
		wrong(c, "a directory is opaque and has a redirect");
	if (m->has_redirect) {
		check_redirect(c, dir, m, S_IFDIR);
		if (follow(c, dir, m->redirect, &le) < 0 || le.type != DT_DIR)
			return NOWHERE;
		return le.handle;
	}
	if (m->opaque || lower_find(c, dir, name, strlen(name), &le) < 0 || le.type != DT_DIR)
		return NOWHERE;
	return le.handle;
}

/* ---- the walk ---- */

static void check_whiteout(struct check *c, uint64_t dir, bool opaque, const char *name)
{
	struct lower_entry le;

	if (opaque)
		wrong(c, "a whiteout in an opaque directory");
	else if (c->o->lower && lower_find(c, dir, name, strlen(name), &le) < 0)
		wrong(c, "a whiteout hides nothing");
}

static int check_dir(struct check *c, int fd, uint64_t lower_dir, bool opaque, int depth);

static int check_inode(struct check *c, int dirfd, uint64_t dir, const char *name, int depth)
{
	auto_fd fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct marks marks;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		wrong(c, "cannot be opened: %s", strerror(errno));
		return 0;
	}
	read_marks(c, fd, &marks);
	if (marks.origin && claim_origin(c, marks.origin, st.st_ino) < 0)
		return -ENOMEM;
	if (!S_ISDIR(st.st_mode)) {
		check_file(c, dir, name, &marks);
		return 0;
	}
	dir = check_dir_marks(c, dir, name, &marks);
	if (depth == LIMIT_DEPTH) {
		wrong(c, "too deep: what is below is not examined");
		return 0;
	}
	return check_dir(c, fd_take(&fd), dir, marks.opaque, depth + 1);
}

static int check_entry(
	struct check *c, int dirfd, uint64_t dir, bool opaque, const char *name, int depth)
{
	const char *target;
	struct stat st;
	int kind = wh_from_tar_name(name, strlen(name), &target);
	bool device;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		wrong(c, "cannot be examined: %s", strerror(errno));
		return 0;
	}
	device = meta_is_whiteout(&st);
	if (c->names && kind != WH_NONE) {
		if (kind == WH_DELETED)
			check_whiteout(c, dir, opaque, target);
		return 0;
	}
	if (device ? c->names
		   : kind == WH_OPAQUE ||
				(kind == WH_DELETED && S_ISREG(st.st_mode) && st.st_size == 0))
		wrong(c, "a whiteout in another dialect");
	if (device)
		check_whiteout(c, dir, opaque, name);
	else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return check_inode(c, dirfd, dir, name, depth);
	return 0;
}

/* What check_dir() is in. */
struct checking {
	struct check *c;
	uint64_t lower_dir;
	bool opaque;
	int depth;
};

static int check_next(void *ctx, int dirfd, const struct dirent *de)
{
	const struct checking *in = ctx;
	struct check *c = in->c;
	size_t len = c->path.len;
	int r = buf_printf(&c->path, "%s%s", len ? "/" : "", de->d_name);

	if (r == 0)
		r = check_entry(c, dirfd, in->lower_dir, in->opaque, de->d_name, in->depth);
	c->path.len = len;
	return r;
}

/* Consumes @fd. */
static int check_dir(struct check *c, int fd, uint64_t lower_dir, bool opaque, int depth)
{
	struct checking in = { c, lower_dir, opaque, depth };

	return at_list_take_fd(fd, check_next, &in);
}

/* ---- origins and index ---- */

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void check_claims(struct check *c)
{
	c->path.len = 0;
	if (c->n_claims > 0)
		qsort(c->claims, c->n_claims, sizeof(*c->claims), compare_claims);
	for (size_t i = 1; i < c->n_claims; i++)
		if (c->claims[i].origin == c->claims[i - 1].origin &&
			c->claims[i].ino != c->claims[i - 1].ino)
			wrong(c, "two files are copies of the origin %016llx",
				(unsigned long long)c->claims[i].origin);
}

static void check_index_entry(struct check *c, int dirfd, const char *name)
{
	uint64_t origin, own;
	struct umeta um;

	if (name_counts_parse(name, &origin))
		return;
	if (!upper_origin_parse(name, strlen(name), &origin)) {
		wrong(c, "not an origin");
		return;
	}
	if (meta_read(dirfd, name, DT_UNKNOWN, &um) < 0) {
		wrong(c, "cannot be read");
		return;
	}
	own = um.origin ? um.origin : origin;
	if (own != origin)
		wrong(c, "it is the copy of another origin, %016llx", (unsigned long long)own);
}

static int check_index_next(void *ctx, int dirfd, const struct dirent *de)
{
	struct check *c = ctx;
	int r;

	c->path.len = 0;
	r = buf_printf(&c->path, "index/%s", de->d_name);
	if (r == 0)
		check_index_entry(c, dirfd, de->d_name);
	return r;
}

static int check_index(struct check *c)
{
	int fd = openat(c->o->state_fd, "index", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return at_list_take_fd(fd, check_index_next, c);
}

/* Without a superblock it is an upper that was never mounted here, in the usual dialect. */
static bool spells_names(const struct check *c)
{
	struct upper_super super = { 0 };
	auto_free char *text = NULL;
	bool read_only;
	size_t len;

	return c->o->state_fd >= 0 &&
	       at_read_file(c->o->state_fd, "super", LIMIT_SUPER_BYTES, &text, &len) == 0 &&
	       upper_super_parse(text, len, &super, &read_only, NULL) == 0 && super.names;
}

int64_t check_upper(const struct check_opts *o, struct err *err)
{
	struct check c = { .o = o };
	int fd = openat(o->tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	c.names = spells_names(&c);
	r = fd < 0 ? -errno : check_dir(&c, fd, 0, false, 0);
	if (r == 0)
		check_claims(&c);
	if (r == 0 && o->state_fd >= 0)
		r = check_index(&c);
	buf_done(&c.path);
	free(c.claims);
	return r < 0 ? err_set(err, r, "cannot examine the upper") : c.n_wrong;
}
