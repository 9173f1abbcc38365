/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a transfer shows while it runs: moving lines on a terminal, a line for each change elsewhere,
 * or JSON
 *
 * On a terminal the block of lines is drawn over itself; layers that have no room are summed up in
 * the last line.  JSON is an object a line: {"text": …} for what is said, and for a layer
 * {"digest", "state", "done", "size"}, at each change of its state and while it moves.
 */

#include "image/crew.h"
#include "image/digest.h"

#include <stdio.h>

struct progress;

enum progress_form {
	PROGRESS_AUTO, /* moving lines on a terminal */
	PROGRESS_PLAIN,
	PROGRESS_JSON,
};

/** progress_new() - for @out; NULL: no memory, and then nothing is shown */
struct progress *progress_new(FILE *out, enum progress_form form);
/** progress_tick_ms() - what to set view.tick_ms to */
unsigned int progress_tick_ms(const struct progress *p);
/** progress_show() - view.progress, @ctx being the struct progress */
void progress_show(void *ctx, const struct pull_status *st);
/** progress_line() - print a line of its own above the moving ones */
void progress_line(struct progress *p, const char *text);
/** progress_free() - leaves the last state on the screen */
void progress_free(struct progress *p);

/** progress_bytes() - "12.3 MB" into @ret.  Pure. */
#define PROGRESS_BYTES_BYTES 16
void progress_bytes(uint64_t n, char ret[static PROGRESS_BYTES_BYTES]);

/**
 * progress_format() - one layer as one line of at most @width columns.  Pure.
 * @doing: what PULL_RUNNING means
 * @rate:  bytes a second; 0: not known
 * @ret:   room for @width + 1 bytes
 */
void progress_format(
	const struct pull_layer *l, const char *doing, uint64_t rate, size_t width, char *ret);
