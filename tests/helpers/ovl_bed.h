/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* An overlay over a small image, in process and opened again and again, for tests. */

#include "overlay/ops.h"
#include "tests/helpers/fake_image.h"

#include <stddef.h>
#include <stdint.h>

struct bed {
	const struct fake_entry *image; /* borrowed */
	size_t n_image;
	enum ovl_flags flags;
	char dir[64]; /* where the upper's state directory is */
	int dirfd;
	struct ovl_fs *fs; /* between bed_mount() and bed_unmount() */
};

/**
 * bed_make() - an upper, in memory if that can have attributes; image and flags are set
 * Return: 0, or the error of the last place that was tried: nothing here can hold an upper.
 */
int bed_make(struct bed *b);
void bed_remove(struct bed *b);

/** bed_mount() - open the filesystem; owners are squashed to the caller */
int bed_mount(struct bed *b);
void bed_unmount(struct bed *b);

/** bed_empty() - as if it had never been mounted */
void bed_empty(struct bed *b);

/* The node of a path, and the directory and the name that lead there. */
struct bed_path {
	uint64_t dir, id; /* id 0: there is nothing */
	char name[64];
	int r; /* of the last look-up */
};

struct bed_path bed_walk(struct bed *b, const char *path);

/**
 * bed_dump() - names, modes, link counts, sizes, numbers of the lower, targets, contents
 * Return: a text owned by the caller, one line or more for each entry, sorted; NULL if something
 * cannot be read.
 */
char *bed_dump(struct bed *b);
