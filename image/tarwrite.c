/* SPDX-License-Identifier: Apache-2.0 */
/* Tars of ours (the contract is in the header). */
#include "image/tarwrite.h"

#include "base/fd.h"

#include <inttypes.h>
#include <stdlib.h>

#define BLOCK	      512
#define USTAR_NAME    100
#define USTAR_MAX_ID  2097151U /* seven octal digits */
#define USTAR_MAX_BIG UINT64_C(077777777777) /* eleven */

/* The fields of a header block: POSIX pax(1), "ustar Interchange Format". */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag,
		linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8],
		prefix[155], pad[12];
};
static_assert(sizeof(struct ustar) == BLOCK, "a block");

/* ---- bytes out ---- */

static int put(struct tarwrite *w, const void *data, size_t len, struct err *err)
{
	int r = fd_write_all(w->fd, data, len);

	w->n_bytes += len;
	return r < 0 ? err_set(err, r, "cannot write the tar") : 0;
}

int tarwrite_data(struct tarwrite *w, struct iovec *iov, int n, struct err *err)
{
	while (n > 0) {
		ssize_t done = writev(w->fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		/* A layer that shrank under its mapping. */
		if (done < 0 && errno == EFAULT)
			return err_set(err, -EIO, "cannot read the layer");
		if (done < 0)
			return err_set(err, -errno, "cannot write the tar");
		w->n_bytes += (uint64_t)done;
		for (; n > 0 && (size_t)done >= iov->iov_len; n--)
			done -= (ssize_t)iov++->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int tarwrite_pad(struct tarwrite *w, struct err *err)
{
	static const char zeros[BLOCK];
	size_t over = w->n_bytes % BLOCK;

	return over ? put(w, zeros, BLOCK - over, err) : 0;
}

int tarwrite_end(struct tarwrite *w, struct err *err)
{
	static const char zeros[2 * BLOCK];

	return put(w, zeros, sizeof(zeros), err);
}

void tarwrite_done(struct tarwrite *w)
{
	buf_done(&w->head);
	buf_done(&w->records);
}

/* ---- pax records ---- */

/* "LEN KEY=VALUE\n", where LEN counts its own digits. */
static int add_record(struct buf *b, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char digits[24];
	int r;

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + rest != total)
		total = rest + strlen(digits);
	r = buf_printf(b, "%zu %s=", total, key);
	if (r == 0)
		r = buf_add(b, value, len);
	return r == 0 ? buf_add(b, "\n", 1) : r;
}

static int add_number(struct buf *b, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return add_record(b, key, text, strlen(text));
}

/* Seconds before 1970 count backwards, the fraction as well: -1.25 is 1.25 seconds before. */
static int add_mtime(struct buf *b, const struct tarwrite_member *m)
{
	int64_t sec = m->mtime_sec;
	uint32_t nsec = m->mtime_nsec;
	char text[48];
	size_t len;

	if (sec < 0 && nsec > 0) {
		sec++;
		nsec = 1000000000 - nsec;
	}
	snprintf(text, sizeof(text), "%s%" PRIu64 ".%09u", m->mtime_sec < 0 ? "-" : "",
		sec < 0 ? (uint64_t)-sec : (uint64_t)sec, nsec);
	len = strlen(text);
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	return add_record(b, "mtime", text, len);
}

/* A name that the field holds, and that every reader understands alike. */
static bool fits_field(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || (unsigned char)name[i] > 0x7e)
			return false;
	return len <= USTAR_NAME;
}

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp(
		((const struct tarwrite_xattr *)a)->name, ((const struct tarwrite_xattr *)b)->name);
}

static int add_xattrs(struct buf *b, const struct tarwrite_member *m, struct err *err)
{
	auto_free struct tarwrite_xattr *sorted = calloc(m->n_xattrs + 1, sizeof(*sorted));

	if (!sorted)
		return err_set(err, -ENOMEM, "cannot write the tar");
	if (m->n_xattrs)
		memcpy(sorted, m->xattrs, m->n_xattrs * sizeof(*sorted));
	qsort(sorted, m->n_xattrs, sizeof(*sorted), compare_xattrs);
	for (size_t i = 0; i < m->n_xattrs; i++) {
		auto_free char *key = str_format("SCHILY.xattr.%s", sorted[i].name);

		if (strchr(sorted[i].name, '='))
			return err_say(err, -EINVAL,
				"a tar cannot hold its attribute '%s': the name has a '='",
				sorted[i].name);
		if (!key || add_record(b, key, sorted[i].value, sorted[i].len) < 0)
			return err_set(err, -ENOMEM, "cannot write the tar");
	}
	return 0;
}

/* All that the fields cannot hold, in the order of the keys. */
static int make_records(struct tarwrite *w, const struct tarwrite_member *m, const char *path,
	uint64_t stored, struct err *err)
{
	struct buf *b = &w->records;
	bool is_small_time = m->mtime_sec >= 0 && (uint64_t)m->mtime_sec <= USTAR_MAX_BIG;
	int r = 0;

	b->len = 0;
	if (m->is_sparse) {
		r = add_number(b, "GNU.sparse.major", 1);
		if (r == 0)
			r = add_number(b, "GNU.sparse.minor", 0);
		if (r == 0)
			r = add_record(b, "GNU.sparse.name", path, strlen(path));
		if (r == 0)
			r = add_number(b, "GNU.sparse.realsize", m->size);
	}
	if (r == 0 && !m->is_hardlink)
		r = add_xattrs(b, m, err);
	if (r == 0 && m->gid > USTAR_MAX_ID)
		r = add_number(b, "gid", m->gid);
	if (r == 0 && m->link && !fits_field(m->link, strlen(m->link)))
		r = add_record(b, "linkpath", m->link, strlen(m->link));
	if (r == 0 && (m->mtime_nsec || !is_small_time))
		r = add_mtime(b, m);
	if (r == 0 && !m->is_sparse && !fits_field(path, strlen(path)))
		r = add_record(b, "path", path, strlen(path));
	if (r == 0 && stored > USTAR_MAX_BIG)
		r = add_number(b, "size", stored);
	if (r == 0 && m->uid > USTAR_MAX_ID)
		r = add_number(b, "uid", m->uid);
	return r == -ENOMEM ? err_set(err, r, "cannot write the tar") : r;
}

/* ---- blocks ---- */

/* Octal, filling the field but for its NUL; 0 for what stands in a record instead. */
static void set_octal(char *field, size_t size, uint64_t value)
{
	if (value >> (3 * (size - 1)))
		value = 0;
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

static void set_text(char *field, size_t size, const char *text)
{
	memcpy(field, text, strnlen(text, size));
}

static int put_block(struct tarwrite *w, struct ustar *h, struct err *err)
{
	unsigned int sum = 0;

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += ((const unsigned char *)h)[i];
	set_octal(h->chksum, 7, sum);
	h->chksum[6] = '\0';
	return put(w, h, BLOCK, err);
}

static int put_records(struct tarwrite *w, struct err *err)
{
	struct ustar h = { .typeflag = 'x' };
	int r;

	if (w->records.len == 0)
		return 0;
	set_text(h.name, sizeof(h.name), "PaxHeaders/member");
	set_octal(h.mode, sizeof(h.mode), 0644);
	set_octal(h.uid, sizeof(h.uid), 0);
	set_octal(h.gid, sizeof(h.gid), 0);
	set_octal(h.size, sizeof(h.size), w->records.len);
	set_octal(h.mtime, sizeof(h.mtime), 0);
	r = put_block(w, &h, err);
	if (r == 0)
		r = put(w, w->records.data, w->records.len, err);
	return r == 0 ? tarwrite_pad(w, err) : r;
}

/* A sparse file's map: decimal lines, padded to a block. */
static int make_map(const struct tarwrite_member *m, struct buf *ret, struct err *err)
{
	static const char zeros[BLOCK];
	int r = buf_printf(ret, "%zu\n", m->n_map);

	for (size_t i = 0; r == 0 && i < m->n_map; i++)
		r = buf_printf(
			ret, "%" PRIu64 "\n%" PRIu64 "\n", m->map[i].file_off, m->map[i].len);
	if (r == 0 && ret->len % BLOCK)
		r = buf_add(ret, zeros, BLOCK - ret->len % BLOCK);
	return r < 0 ? err_set(err, r, "cannot write the tar") : 0;
}

static char type_of(const struct tarwrite_member *m)
{
	if (m->is_hardlink)
		return '1';
	switch (m->mode & S_IFMT) {
	case S_IFREG:
		return '0';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	default:
		return '\0';
	}
}

static void fill_block(
	struct ustar *h, const struct tarwrite_member *m, const char *path, uint64_t stored)
{
	h->typeflag = type_of(m);
	/* Readers that do not know sparse files shall not take the map for the file. */
	set_text(h->name, sizeof(h->name), m->is_sparse ? "GNUSparseFile/member" : path);
	if (m->link)
		set_text(h->linkname, sizeof(h->linkname), m->link);
	set_octal(h->mode, sizeof(h->mode), m->mode & 07777);
	set_octal(h->uid, sizeof(h->uid), m->uid);
	set_octal(h->gid, sizeof(h->gid), m->gid);
	set_octal(h->size, sizeof(h->size), stored);
	set_octal(h->mtime, sizeof(h->mtime), m->mtime_sec < 0 ? 0 : (uint64_t)m->mtime_sec);
	if (h->typeflag == '3' || h->typeflag == '4') {
		set_octal(h->devmajor, sizeof(h->devmajor), m->dev_major);
		set_octal(h->devminor, sizeof(h->devminor), m->dev_minor);
	}
}

static uint64_t stored_bytes(const struct tarwrite_member *m, size_t map_len)
{
	uint64_t n = map_len;

	if (m->is_hardlink || !S_ISREG(m->mode))
		return 0;
	if (!m->is_sparse)
		return m->size;
	for (size_t i = 0; i < m->n_map; i++)
		n += m->map[i].len;
	return n;
}

int tarwrite_member(struct tarwrite *w, const struct tarwrite_member *m, struct err *err)
{
	bool is_dir = !m->is_hardlink && S_ISDIR(m->mode);
	auto_free char *path = str_format("%s%s", m->path, is_dir ? "/" : "");
	struct ustar h = { 0 };
	uint64_t stored;
	int r = 0;

	if (!path)
		return err_set(err, -ENOMEM, "cannot write the tar");
	if (!type_of(m) || m->dev_major > USTAR_MAX_ID || m->dev_minor > USTAR_MAX_ID)
		return err_say(err, -EINVAL, "a tar cannot hold a file of its kind");
	w->head.len = 0;
	if (m->is_sparse)
		r = make_map(m, &w->head, err);
	stored = stored_bytes(m, w->head.len);
	if (r == 0)
		r = make_records(w, m, path, stored, err);
	if (r == 0)
		r = put_records(w, err);
	if (r < 0)
		return r;
	fill_block(&h, m, path, stored);
	r = put_block(w, &h, err);
	return r == 0 && w->head.len ? put(w, w->head.data, w->head.len, err) : r;
}
