/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The layers of a pull: threads that bring them into the store. */

#include "image/config.h"
#include "image/origin.h"
#include "image/pull.h"
#include "image/store_dir.h"

struct fetch {
	struct img_store *store;
	struct stage *stage;
	struct origin *origin;
	const struct manifest *manifest;
	const struct config *config;
	const struct pull_options *opts;
	const char *name; /* for the display */
	int cancel_fd; /* an eventfd that the origin's requests listen to */
};

/**
 * fetch_layers() - have every layer in the store, each with a lease
 * @ret_leases: one fd for each layer that is different, owned by the caller; @ret_n of them
 *
 * The first error stops the other threads.  Return: 0, or that error with nothing leased.
 */
int fetch_layers(const struct fetch *f, int **ret_leases, uint32_t *ret_n, struct err *err);
