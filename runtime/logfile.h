/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container has written, with the time of each piece
 *
 *      containers/<id>/log      2026-11-22T19:27:41.123456789Z stdout F text
 *      containers/<id>/log.1    the one before, if the first has become too long
 *
 * The third word is F where the piece ends with a newline, P where more of the line follows: what is
 * written is in the file at once, also a prompt without a newline.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGFILE_NAME	  "log"
#define LOGFILE_OLD_NAME  "log.1"
#define LOGFILE_MAX_BYTES (10u << 20) /* unless told otherwise */
#define LOGFILE_STAMP_LEN 30 /* "2026-11-22T19:27:41.123456789Z" */
#define LOGFILE_HEAD_LEN  (LOGFILE_STAMP_LEN + 10) /* and " stdout F " */
#define LIMIT_LOG_PIECE	  (64 << 10) /* of what is written in one line of the file */
#define LIMIT_LOG_LINE	  (LIMIT_LOG_PIECE + LOGFILE_STAMP_LEN + 16) /* of the file */

enum log_stream { LOG_STDOUT, LOG_STDERR };

struct logfile;

/**
 * logfile_open() - go on writing the log of a container
 * @dirfd:     its directory, borrowed for as long as the log is open
 * @max_bytes: a file that has become longer is put aside; 0: never
 */
int logfile_open(struct logfile **ret, int dirfd, uint64_t max_bytes, struct err *err);

/** logfile_write() - what came from a stream; 0, or a negative errno (a full disk) and it is lost */
int logfile_write(struct logfile *log, enum log_stream stream, const char *data, size_t len);

void logfile_close(struct logfile *log);

/* A line of the file. */
struct log_line {
	int64_t time_ns; /* since the epoch */
	enum log_stream stream;
	bool partial;
	const char *text; /* within the line, without its newline */
	size_t len;
};

/** logfile_parse() - @line without its newline; 0 or -EBADMSG.  Pure. */
int logfile_parse(const char *line, size_t len, struct log_line *ret);

/** logfile_stamp() - a time as the file has it.  Pure. */
void logfile_stamp(int64_t time_ns, char ret[static LOGFILE_STAMP_LEN + 1]);
