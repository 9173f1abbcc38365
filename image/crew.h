/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Threads that work through a list of blobs, while the caller's thread draws the display
 *
 * The first error stops the others.  Display code needs no locks: it runs in the calling thread.
 */

#include "base/err.h"
#include "overlay/index_format.h"

#include <stdatomic.h>
#include <stdint.h>

enum pull_state {
	PULL_WAITING, /* for a thread */
	PULL_SHARED, /* another process has it in hand */
	PULL_RUNNING,
	PULL_PRESENT, /* was there */
	PULL_DONE,
};

/* A blob on its way, for a display. */
struct pull_layer {
	struct idx_digest digest; /* of the blob */
	uint64_t size; /* of the blob */
	uint64_t done; /* bytes of it that came */
	enum pull_state state;
};

/* What a display shows; a snapshot, valid during the call. */
struct pull_status {
	const char *name; /* full name of the image */
	const char *doing; /* what PULL_RUNNING means: "downloading", "uploading", … */
	const struct pull_layer *layers; /* one for each that is different */
	uint32_t n_layers;
};

/* To whom is told what happens; all in the calling thread. */
struct view {
	unsigned int tick_ms; /* how often @progress is called meanwhile; 0: on changes */
	void (*begin)(void *ctx, const char *name); /* the name is known, nothing was asked yet */
	void (*progress)(void *ctx, const struct pull_status *st);
	void (*note)(void *ctx, const char *text); /* something the person should know */
	void *ctx;
};

struct crew_job {
	struct idx_digest digest;
	uint64_t size;
	_Atomic uint64_t done; /* bytes */
	enum pull_state state; /* crew_set_state() */
};

struct crew;

struct crew_task {
	struct crew_job *jobs; /* borrowed */
	uint32_t n_jobs;
	unsigned int n_threads;
	const char *name; /* for the display */
	const char *doing;
	const struct view *view;
	int cancel_fd; /* an eventfd that becomes readable with the first error; or -1 */
	/* One thread's own state, made and freed in the thread; may be NULL. */
	int (*line_new)(void *ctx, void **ret, struct err *err);
	void (*line_free)(void *ctx, void *line);
	/* Job number @i; a negative errno ends everything. */
	int (*work)(void *ctx, struct crew *c, uint32_t i, void *line, struct err *err);
	void *ctx;
};

#define CREW_MAX_THREADS 16

/** crew_run() - work through all jobs; 0, or the first error */
int crew_run(const struct crew_task *task, struct err *err);

/** crew_set_state() - from within work() */
void crew_set_state(struct crew *c, uint32_t i, enum pull_state state);
