/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a directory or a tar (the contract is in the header)
 *
 *      tar ── scan of all headers ──▶ members, sorted by name ── pread ──▶ sources
 *
 * Of members with one name the last counts, as it does for tar.  Links are followed once, for old
 * archives of docker hold a layer twice so.
 */
#include "image/files.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/decode.h"
#include "image/tarhead.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PIECE_BYTES	   (256 << 10)
#define HEAD_BYTES	   4096
#define LIMIT_SPOOL_BYTES  (UINT64_C(1) << 40)
#define LIMIT_NAMES_LENGTH 4096

struct member {
	char *name; /* without "./" and slashes in front */
	char *link; /* of a link, where it leads, from the archive's root; else NULL */
	uint64_t off, size;
	size_t number; /* place in the archive: the last of a name counts */
};

struct files {
	int fd; /* the directory, or the tar */
	bool is_tar;
	struct member *members; /* of a tar, sorted by name */
	size_t n;
};

int files_open_dir(struct files **ret, const char *path, struct err *err)
{
	struct files *f = calloc(1, sizeof(*f));

	if (!f)
		return err_set(err, -ENOMEM, "cannot open '%s'", path);
	f->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0) {
		int r = err_set(err, -errno, "cannot open '%s'", path);

		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void files_close(struct files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->members[i].name);
		free(f->members[i].link);
	}
	free(f->members);
	(void)close(f->fd);
	free(f);
}

int files_tmp(const char *dir, struct err *err)
{
	const char *env = getenv("TMPDIR");
	auto_free char *name = NULL;
	int fd;

	if (!dir)
		dir = env && *env ? env : "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	name = str_format("%s/lamina-XXXXXX", dir);
	if (!name)
		return err_set(err, -ENOMEM, "cannot make a temporary file");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a temporary file in '%s'", dir);
	(void)unlink(name);
	return fd;
}

/* ---- a tar: what is in it ---- */

/* "./a//b" is "a//b": names inside image archives are plain, so no more is done. */
static const char *plain_name(const char *name)
{
	for (;;) {
		if (name[0] == '/')
			name++;
		else if (name[0] == '.' && name[1] == '/')
			name += 2;
		else
			return name;
	}
}

/* Where a symlink of @name leads: "a/layer.tar" → "../b/layer.tar" is "b/layer.tar". */
static char *link_goal(const char *name, const char *link)
{
	const char *slash = strrchr(name, '/');
	size_t dir_len = slash ? (size_t)(slash - name) : 0;

	if (*link == '/')
		return strdup(plain_name(link));
	while (str_starts(link, "../")) {
		while (dir_len && name[dir_len - 1] != '/')
			dir_len--;
		if (dir_len)
			dir_len--;
		link += 3;
	}
	return dir_len ? str_format("%.*s/%s", (int)dir_len, name, link) : strdup(link);
}

static int add_member(struct files *f, const struct tarhead *h, uint64_t off, size_t *room)
{
	const char *name = plain_name(h->path.data ? h->path.data : "");
	const char *link = h->link.data ? h->link.data : "";
	struct member *m;

	if (h->is_sparse || (h->type != '0' && h->type != '1' && h->type != '2'))
		return 0;
	if (f->n >= LIMIT_ARCHIVE_MEMBERS || strlen(name) > LIMIT_NAMES_LENGTH)
		return -E2BIG;
	if (f->n == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct member *bigger = reallocarray(f->members, more, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		f->members = bigger;
		*room = more;
	}
	m = &f->members[f->n];
	*m = (struct member){ strdup(name), NULL, off, h->size, f->n };
	if (h->type == '1')
		m->link = strdup(plain_name(link));
	else if (h->type == '2')
		m->link = link_goal(name, link);
	f->n++;
	return m->name && (h->type == '0' || m->link) ? 0 : -ENOMEM;
}

/* Make @b hold @need bytes of the archive from @off on, or all that there are. */
static int read_at(int fd, uint64_t off, uint64_t need, struct buf *b, struct err *err)
{
	uint8_t piece[HEAD_BYTES];

	while (b->len < need) {
		ssize_t n = pread(fd, piece, sizeof(piece), (off_t)(off + b->len));

		if (n < 0)
			return err_set(err, -errno, "cannot read the archive");
		if (n == 0)
			return 0;
		if (buf_add(b, piece, (size_t)n) < 0)
			return err_set(err, -ENOMEM, "cannot read the archive");
	}
	return 0;
}

/* The headers of one member at @off.  Return: 1 with the offset behind its data; 0 at the end. */
static int scan_member(
	struct files *f, struct tarhead *h, uint64_t *off, size_t *room, struct err *err)
{
	auto_buf b = { 0 };
	uint64_t need = HEAD_BYTES, asked;
	const char *why = NULL;
	int r;

	do {
		asked = need;
		r = read_at(f->fd, *off, need, &b, err);
		if (r < 0)
			return r;
		if (b.len == 0 || (b.len >= 512 && tarhead_is_end((const uint8_t *)b.data)))
			return 0;
		r = tarhead_parse(h, (const uint8_t *)b.data, b.len, &need, &why);
		if (r == TARHEAD_END)
			return 0;
		if (r == 1 && b.len < asked)
			return err_say(err, -EBADMSG, "the archive is cut short");
	} while (r == 1);
	if (r < 0)
		return r == -EBADMSG ? err_say(err, r, "the archive is damaged: %s", why)
				     : err_set(err, r, "cannot read the archive");
	r = add_member(f, h, *off + h->head_bytes, room);
	if (r < 0)
		return err_set(err, r, "cannot read the archive");
	*off += h->head_bytes + ((h->stored + 511) & ~UINT64_C(511));
	return 1;
}

static int by_name(const void *va, const void *vb)
{
	const struct member *a = va, *b = vb;
	int r = strcmp(a->name, b->name);

	return r ? r : (a->number < b->number) - (a->number > b->number);
}

static int scan(struct files *f, struct err *err)
{
	struct tarhead h;
	uint64_t off = 0;
	size_t room = 0;
	struct stat st;
	int r;

	if (fstat(f->fd, &st) < 0)
		return err_set(err, -errno, "cannot read the archive");
	tarhead_init(&h);
	do
		r = scan_member(f, &h, &off, &room, err);
	while (r == 1 && off <= (uint64_t)st.st_size);
	tarhead_done(&h);
	if (r == 1)
		return err_say(err, -EBADMSG, "the archive is cut short");
	if (r == 0 && f->n)
		qsort(f->members, f->n, sizeof(*f->members), by_name);
	return r;
}

/* ---- a tar: opened, unpacked if it must be ---- */

int files_spool_take_fd(int in_fd, const char *tmp_dir, struct err *err)
{
	auto_source packed = NULL;
	auto_source plain = NULL;
	auto_fd out = -1;
	const uint8_t *data;
	uint64_t total = 0;
	size_t len;
	int r = source_file_new_take_fd(&packed, in_fd, err);

	if (r == 0)
		r = source_decode_new(&plain, ptr_take(&packed), CODEC_NONE, err);
	if (r < 0)
		return r;
	out = files_tmp(tmp_dir, err);
	if (out < 0)
		return out;
	while ((r = source_next(plain, &data, &len, err)) > 0) {
		total += len;
		if (total > LIMIT_SPOOL_BYTES)
			return err_say(err, -EFBIG, "the archive is too large");
		r = fd_write_all(out, data, len);
		if (r < 0)
			return err_set(err, r, "cannot spool the archive");
	}
	return r < 0 ? r : fd_take(&out);
}

/* Can the file be read in place? */
static bool is_plain(int fd)
{
	uint8_t head[512];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       fd_pread_all(fd, head, sizeof(head), 0) == 0 &&
	       (memcmp(head + 257, "ustar", 5) == 0 ||
		       (head[0] != 0x1f && head[0] != 0x28 && (head[0] & 0xf0) != 0x50));
}

int files_open_tar(struct files **ret, const char *path, const char *tmp_dir, struct err *err)
{
	auto_fd fd = str_eq(path, "-") ? fcntl(0, F_DUPFD_CLOEXEC, 3)
				       : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	struct files *f;
	struct stat st;
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return err_set(err, -EISDIR, "cannot read '%s' as an archive", path);
	if (isatty(fd))
		return err_say(err, -EINVAL, "an archive is not read from a terminal");
	if (!is_plain(fd)) {
		int plain = files_spool_take_fd(fd_take(&fd), tmp_dir, err);

		if (plain < 0)
			return err_wrap(err, plain, "'%s'", path);
		fd = plain;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(err, -ENOMEM, "cannot open '%s'", path);
	f->is_tar = true;
	f->fd = fd_take(&fd);
	r = scan(f, err);
	if (r < 0) {
		files_close(f);
		return err_wrap(err, r, "'%s'", path);
	}
	*ret = f;
	return 0;
}

/* ---- reading ---- */

static const struct member *find_exactly(const struct files *f, const char *name)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(f->members[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->n && str_eq(f->members[low].name, name) ? &f->members[low] : NULL;
}

static const struct member *find(const struct files *f, const char *name)
{
	const struct member *m = find_exactly(f, plain_name(name));

	if (m && m->link)
		m = find_exactly(f, m->link);
	return m && !m->link ? m : NULL;
}

bool files_has(const struct files *f, const char *name)
{
	auto_fd fd = -1;

	if (f->is_tar)
		return find(f, name);
	fd = at_open(f->fd, name, O_PATH | O_NOFOLLOW, 0);
	return fd >= 0;
}

/* A piece of the tar as a source. */
struct piece_source {
	struct source source;
	int fd; /* borrowed from the files */
	uint64_t off, left;
	uint8_t buf[PIECE_BYTES];
};

static int piece_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct piece_source *p = (struct piece_source *)s;
	size_t len = p->left < sizeof(p->buf) ? (size_t)p->left : sizeof(p->buf);
	int r;

	if (len == 0)
		return 0;
	r = fd_pread_all(p->fd, p->buf, len, (off_t)p->off);
	if (r == -ENODATA)
		return err_say(err, -EBADMSG, "the archive is cut short");
	if (r < 0)
		return err_set(err, r, "cannot read the archive");
	p->off += len;
	p->left -= len;
	*ret = p->buf;
	*ret_len = len;
	return 1;
}

static void piece_close(struct source *s)
{
	free(s);
}

static int open_piece(
	struct files *f, const char *name, struct source **ret, uint64_t *ret_size, struct err *err)
{
	const struct member *m = find(f, name);
	struct piece_source *p;

	if (!m)
		return err_say(err, -ENOENT, "the archive has no file '%s'", name);
	p = malloc(sizeof(*p));
	if (!p)
		return err_set(err, -ENOMEM, "cannot read '%s'", name);
	p->source = (struct source){ piece_next, piece_close };
	p->fd = f->fd;
	p->off = m->off;
	p->left = m->size;
	if (ret_size)
		*ret_size = m->size;
	*ret = &p->source;
	return 0;
}

int files_source(
	struct files *f, const char *name, struct source **ret, uint64_t *ret_size, struct err *err)
{
	auto_fd fd = -1;
	struct stat st;

	if (f->is_tar)
		return open_piece(f, name, ret, ret_size, err);
	fd = at_open(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return err_set(err, fd, "cannot open '%s'", name);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_say(err, -EBADMSG, "'%s' is not a regular file", name);
	if (ret_size)
		*ret_size = (uint64_t)st.st_size;
	return source_file_new_take_fd(ret, fd_take(&fd), err);
}

int files_read(
	struct files *f, const char *name, size_t max, char **ret, size_t *ret_len, struct err *err)
{
	auto_source s = NULL;
	int r = files_source(f, name, &s, NULL, err);

	if (r == 0)
		r = source_read_all(s, max, ret, ret_len, err);
	return r < 0 ? err_wrap(err, r, "'%s'", name) : 0;
}
