/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log (the format is in the header)
 *
 * Each call is a few writes of whole lines at the end of the file, so a reader sees whole
 * lines, unless the disk is full.  A file that is put aside is renamed: who reads it goes on reading it.
 */
#include "runtime/logfile.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/when.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct logfile {
	int dirfd; /* borrowed */
	int fd;
	uint64_t len, max_bytes;
};

static const char *const stream_names[] = { "stdout", "stderr" };

void logfile_stamp(int64_t time_ns, char ret[static LOGFILE_STAMP_LEN + 1])
{
	time_t secs = (time_t)(time_ns / 1000000000);
	struct tm tm = { 0 };

	(void)gmtime_r(&secs, &tm);
	(void)strftime(ret, LOGFILE_STAMP_LEN + 1, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + 19, LOGFILE_STAMP_LEN + 1 - 19, ".%09uZ",
		(unsigned int)(time_ns % 1000000000) % 1000000000u);
}

int logfile_parse(const char *line, size_t len, struct log_line *ret)
{
	const size_t head = LOGFILE_HEAD_LEN;
	const char *word = line + LOGFILE_STAMP_LEN + 1;

	if (len < head || len > LIMIT_LOG_LINE || line[LOGFILE_STAMP_LEN] != ' ')
		return -EBADMSG;
	if (when_parse_stamp(line, LOGFILE_STAMP_LEN, &ret->time_ns) < 0)
		return -EBADMSG;
	if (memcmp(word, "stdout ", 7) == 0)
		ret->stream = LOG_STDOUT;
	else if (memcmp(word, "stderr ", 7) == 0)
		ret->stream = LOG_STDERR;
	else
		return -EBADMSG;
	if ((word[7] != 'F' && word[7] != 'P') || word[8] != ' ')
		return -EBADMSG;
	ret->partial = word[7] == 'P';
	ret->text = line + head;
	ret->len = len - head;
	return 0;
}

static int open_file(struct logfile *log)
{
	struct stat st;
	int fd = openat(log->dirfd, LOGFILE_NAME,
		O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return -EINVAL;
	}
	log->fd = fd;
	log->len = (uint64_t)st.st_size;
	return 0;
}

int logfile_open(struct logfile **ret, int dirfd, uint64_t max_bytes, struct err *err)
{
	auto_free struct logfile *log = calloc(1, sizeof(*log));
	int r;

	if (!log)
		return err_set(err, -ENOMEM, "cannot open the log");
	log->dirfd = dirfd;
	log->max_bytes = max_bytes;
	r = open_file(log);
	if (r < 0)
		return err_set(err, r, "cannot open the log");
	*ret = ptr_take(&log);
	return 0;
}

/* When it fails, the long file goes on. */
static void put_aside(struct logfile *log)
{
	int old = log->fd;

	if (renameat(log->dirfd, LOGFILE_NAME, log->dirfd, LOGFILE_OLD_NAME) < 0)
		return;
	if (open_file(log) == 0)
		(void)close(old);
}

/* Whole lines of the file; afterwards there are none. */
static int flush(struct logfile *log, struct buf *text)
{
	int r = text->len ? fd_write_all(log->fd, text->data, text->len) : 0;

	if (r == 0)
		log->len += text->len;
	text->len = 0;
	return r;
}

int logfile_write(struct logfile *log, enum log_stream stream, const char *data, size_t len)
{
	char stamp[LOGFILE_STAMP_LEN + 1];
	auto_buf text = { 0 };
	struct timespec now;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	logfile_stamp((int64_t)now.tv_sec * 1000000000 + now.tv_nsec, stamp);
	while (r == 0 && len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) : len;
		bool whole = newline && n <= LIMIT_LOG_PIECE;

		if (n > LIMIT_LOG_PIECE)
			n = LIMIT_LOG_PIECE;
		if (log->max_bytes && log->len + text.len &&
			log->len + text.len + LOGFILE_HEAD_LEN + n >= log->max_bytes) {
			r = flush(log, &text);
			put_aside(log);
		}
		if (r == 0)
			r = buf_printf(
				&text, "%s %s %c ", stamp, stream_names[stream], whole ? 'F' : 'P');
		if (r == 0)
			r = buf_add(&text, data, n);
		if (r == 0)
			r = buf_add(&text, "\n", 1);
		data += n + whole;
		len -= n + whole;
	}
	return r < 0 ? r : flush(log, &text);
}

void logfile_close(struct logfile *log)
{
	if (!log)
		return;
	(void)close(log->fd);
	free(log);
}
