/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/logfile.h"
#include "base/at.h"
#include "base/cleanup.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int make_dir(char path[32])
{
	snprintf(path, 32, "/tmp/test-logfile.XXXXXX");
	CHECK(mkdtemp(path) != NULL);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_dir(const char *path)
{
	CHECK_INT(at_remove_tree(AT_FDCWD, path), ==, 0);
}

TEST(what_is_written_is_read_back)
{
	static const char stamp[] = "2026-11-22T19:27:41.000000005Z";
	struct log_line l;
	char text[64], back[LOGFILE_STAMP_LEN + 1];

	snprintf(text, sizeof(text), "%s stderr P half a line", stamp);
	CHECK_INT(logfile_parse(text, strlen(text), &l), ==, 0);
	CHECK_INT(l.stream, ==, LOG_STDERR);
	CHECK(l.partial);
	CHECK_INT(l.len, ==, 11);
	CHECK(memcmp(l.text, "half a line", 11) == 0);
	logfile_stamp(l.time_ns, back);
	CHECK_STR(back, stamp);
}

TEST(what_is_no_line_of_a_log_is_refused)
{
	static const char *const bad[] = { "", "2026-11-22T19:27:41.000000005Z",
		"2026-11-22T19:27:41.000000005Z stdout F",
		"2026-11-22T19:27:41.000000005Z stdin F x",
		"2026-11-22T19:27:41.000000005Z stdout X x",
		"2026-13-22T19:27:41.000000005Z stdout F x",
		"2026-11-22T19:27:41.00000000xZ stdout F x" };
	struct log_line l;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(logfile_parse(bad[i], strlen(bad[i]), &l), ==, -EBADMSG);
}

TEST(lines_and_pieces_of_lines_are_told_apart)
{
	struct logfile *log = NULL;
	char path[32];
	auto_fd dirfd = make_dir(path);
	auto_free char *text = NULL;
	char *line;

	CHECK_INT(logfile_open(&log, dirfd, 0, NULL), ==, 0);
	CHECK_INT(logfile_write(log, LOG_STDOUT, "one\n\npart", 9), ==, 0);
	CHECK_INT(logfile_write(log, LOG_STDOUT, "\n", 1), ==, 0);
	logfile_close(log);
	CHECK_INT(at_read_file(dirfd, "log", 4096, &text, NULL), ==, 0);
	line = text;
	for (int i = 0; i < 4; i++) {
		static const char *const want[] = { " stdout F one", " stdout F ", " stdout P part",
			" stdout F " };
		char *end = strchr(line, '\n');

		CHECK(end != NULL);
		*end = '\0';
		CHECK_STR(line + LOGFILE_STAMP_LEN, want[i]);
		line = end + 1;
	}
	CHECK_STR(line, "");
	remove_dir(path);
}

TEST(a_log_that_becomes_too_long_is_put_aside_once)
{
	struct logfile *log = NULL;
	char path[32];
	auto_fd dirfd = make_dir(path);
	struct stat st;

	CHECK_INT(logfile_open(&log, dirfd, 400, NULL), ==, 0);
	for (int i = 0; i < 100; i++)
		CHECK_INT(logfile_write(log, LOG_STDOUT, "some words\n", 11), ==, 0);
	logfile_close(log);
	CHECK_INT(fstatat(dirfd, "log", &st, 0), ==, 0);
	CHECK_INT(st.st_size, <=, 400);
	CHECK_INT(fstatat(dirfd, "log.1", &st, 0), ==, 0);
	CHECK_INT(st.st_size, <=, 400);
	CHECK_INT(st.st_size, >, 300);
	remove_dir(path);
}

TEST(a_log_that_is_no_file_is_not_written)
{
	struct logfile *log = NULL;
	char path[32];
	auto_fd dirfd = make_dir(path);

	CHECK_INT(symlinkat("/dev/null", dirfd, "log"), ==, 0);
	CHECK_INT(logfile_open(&log, dirfd, 0, NULL), ==, -ELOOP);
	remove_dir(path);
}
