/* SPDX-License-Identifier: Apache-2.0 */
/* Tars from tar-split's records (the contract is in the header). */
#include "image/tar_split.h"

#include "base/at.h"
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PIECE_BYTES (256 << 10)

enum record_type {
	RECORD_FILE = 1,
	RECORD_SEGMENT = 2,
};

struct tar_split {
	struct source source;
	struct source *records;
	int dirfd;
	const uint8_t *rest; /* lent by ->records, not looked at yet */
	size_t rest_len;
	struct buf line, segment;
	int file_fd; /* the file that is being read, or -1 */
	uint64_t file_left;
	char *file_name;
	int failed;
	uint8_t piece[PIECE_BYTES];
};

/* Return: 1 with a line in t->line, without its end; 0 behind the last. */
static int next_line(struct tar_split *t, struct err *err)
{
	t->line.len = 0;
	for (;;) {
		const uint8_t *end = t->rest_len ? memchr(t->rest, '\n', t->rest_len) : NULL;
		size_t len = end ? (size_t)(end - t->rest) : t->rest_len;
		int r;

		if (t->line.len + len > LIMIT_TAR_SPLIT_RECORD)
			return err_say(err, -EBADMSG, "a record of tar-split is too long");
		if (len && buf_add(&t->line, t->rest, len) < 0)
			return err_set(err, -ENOMEM, "cannot read the records of tar-split");
		if (end) {
			t->rest += len + 1;
			t->rest_len -= len + 1;
			return 1;
		}
		r = source_next(t->records, &t->rest, &t->rest_len, err);
		if (r <= 0) {
			t->rest_len = 0;
			return r < 0 ? r : t->line.len > 0;
		}
	}
}

static int take_segment(struct tar_split *t, const json_t *record, struct err *err)
{
	const json_t *payload = json_object_get(record, "payload");
	int r;

	t->segment.len = 0;
	if (!payload || json_is_null(payload))
		return 0;
	if (!json_is_string(payload))
		return err_say(err, -EBADMSG, "a record of tar-split is not valid");
	r = base64_decode(&t->segment, json_string_value(payload), json_string_length(payload));
	if (r == -EINVAL)
		return err_say(err, -EBADMSG, "a record of tar-split is not valid");
	return r < 0 ? err_set(err, r, "cannot read the records of tar-split") : 0;
}

/* A name that is not UTF-8 stands in base64 beside a mended one. */
static int name_of(const json_t *record, char **ret)
{
	const json_t *raw = json_object_get(record, "name_raw");
	const char *name = json_get_str(record, "name");
	auto_buf b = { 0 };

	if (json_is_string(raw)) {
		int r = base64_decode(&b, json_string_value(raw), json_string_length(raw));

		if (r < 0 || (b.len && memchr(b.data, 0, b.len)))
			return r < 0 ? r : -EINVAL;
		*ret = buf_take(&b);
	} else {
		if (!name)
			return -EINVAL;
		*ret = strdup(name);
	}
	return *ret ? 0 : -ENOMEM;
}

static int take_file(struct tar_split *t, const json_t *record, struct err *err)
{
	auto_free char *name = NULL, *shown = NULL;
	uint64_t size = 0;
	struct stat st;
	auto_fd fd = -1;
	int r = json_get_u64(record, "size", &size);

	if (r == -ENOENT || (r == 0 && size == 0))
		return 0;
	if (r == 0)
		r = name_of(record, &name);
	if (r < 0)
		return r == -ENOMEM ? err_set(err, r, "cannot read the records of tar-split")
				    : err_say(err, -EBADMSG, "a record of tar-split is not valid");
	shown = str_quote(name, strlen(name));
	/* A leading slash leads to the root of the layer. */
	fd = at_open_in_root(t->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return err_say(err, -EBADMSG, "its file '%s' is missing", shown ? shown : "");
	if (fd < 0)
		return err_set(err, fd, "cannot open its file '%s'", shown ? shown : "");
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot open its file '%s'", shown ? shown : "");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return err_say(err, -EBADMSG, "its file '%s' was changed", shown ? shown : "");
	t->file_fd = fd_take(&fd);
	t->file_left = size;
	t->file_name = ptr_take(&shown);
	return 0;
}

static int take_record(struct tar_split *t, struct err *err)
{
	auto_json *record = NULL;
	uint64_t type;
	int r = json_parse(t->line.data, t->line.len, "a record of tar-split", &record, err);

	if (r < 0)
		return r;
	if (json_get_u64(record, "type", &type) < 0)
		return err_say(err, -EBADMSG, "a record of tar-split has no type");
	t->segment.len = 0;
	if (type == RECORD_SEGMENT)
		return take_segment(t, record, err);
	if (type == RECORD_FILE)
		return take_file(t, record, err);
	return err_say(err, -EBADMSG, "a record of tar-split has an unknown type");
}

static void end_file(struct tar_split *t)
{
	if (t->file_fd >= 0)
		(void)close(t->file_fd);
	t->file_fd = -1;
	free(ptr_take(&t->file_name));
}

static int read_file(
	struct tar_split *t, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	size_t want = t->file_left < PIECE_BYTES ? (size_t)t->file_left : PIECE_BYTES;
	ssize_t n;

	do
		n = read(t->file_fd, t->piece, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(
			err, -errno, "cannot read its file '%s'", t->file_name ? t->file_name : "");
	if (n == 0)
		return err_say(err, -EBADMSG, "its file '%s' was changed",
			t->file_name ? t->file_name : "");
	t->file_left -= (uint64_t)n;
	if (t->file_left == 0)
		end_file(t);
	*ret_data = t->piece;
	*ret_len = (size_t)n;
	return 1;
}

static int produce(struct tar_split *t, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	while (t->file_fd < 0) {
		int r = next_line(t, err);

		if (r <= 0)
			return r;
		if (t->line.len == 0)
			continue;
		r = take_record(t, err);
		if (r < 0)
			return r;
		if (t->segment.len) {
			*ret_data = (const uint8_t *)t->segment.data;
			*ret_len = t->segment.len;
			return 1;
		}
	}
	return read_file(t, ret_data, ret_len, err);
}

static int split_next(struct source *s, const uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	struct tar_split *t = (struct tar_split *)s;
	int r = t->failed ? err_set(err, t->failed, "cannot make the tar anew")
			  : produce(t, ret_data, ret_len, err);

	if (r < 0)
		t->failed = r;
	return r;
}

static void split_close(struct source *s)
{
	struct tar_split *t = (struct tar_split *)s;

	end_file(t);
	source_close(t->records);
	(void)close(t->dirfd);
	buf_done(&t->line);
	buf_done(&t->segment);
	free(t);
}

int source_tar_split_new_take(
	struct source **ret, struct source *records, int dirfd, struct err *err)
{
	struct tar_split *t = malloc(sizeof(*t));

	if (!t) {
		source_close(records);
		(void)close(dirfd);
		return err_set(err, -ENOMEM, "cannot read the records of tar-split");
	}
	memset(t, 0, offsetof(struct tar_split, piece));
	t->source = (struct source){ split_next, split_close };
	t->records = records;
	t->dirfd = dirfd;
	t->file_fd = -1;
	*ret = &t->source;
	return 0;
}
