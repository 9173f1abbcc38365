/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The lower of plain directories: a stack of layers, each a directory tree with whiteouts
 *
 * Reads all spellings that are in use (doc/on-disk.md, "Dialects"): 0/0 devices, files .wh.NAME,
 * and marked empty files as whiteouts; opaque marks of kernel overlayfs and fuse-overlayfs;
 * redirects, metadata-only copies and owners in overrides, in every layer, since an upper becomes
 * a lower.
 */

#include "base/err.h"
#include "overlay/lower.h"

#define LIMIT_DIRS_LAYERS 4096

enum lower_dirs_flags {
	LOWER_DIRS_FRESH = 1 << 0, /* somebody changes the layers: look again each time */
	LOWER_DIRS_COUNT = 1 << 1, /* links of directories are counted, which reads them */
};

struct lower_dirs_opts {
	const int *layer_fds; /* directories, the top one first; consumed, also on failure */
	size_t n_layers;
	uint32_t max_fds; /* descriptors to keep open besides those of the layers */
	enum lower_dirs_flags flags;
};

/**
 * lower_dirs_new() - a lower over open directories
 *
 * Return: 0; -E2BIG above LIMIT_DIRS_LAYERS; -ENOTDIR; -ENOMEM; errors of the layers.
 */
int lower_dirs_new(struct lower **ret, const struct lower_dirs_opts *o, struct err *err);
