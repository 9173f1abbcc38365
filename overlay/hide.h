/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Hiding names of the lower: whiteouts and opaque marks of an upper, in the dialect that it has
 *
 *      device    a 0/0 device in the place of the name, put there by rename or exchange
 *      name      an empty file .wh.NAME beside it; as long as NAME itself is there it has no meaning
 *
 * So in the dialect of names .wh.NAME appears before NAME goes and goes after NAME has appeared; a
 * crash between leaves a file without meaning, which hide_drop_stale() removes when it is met.
 *
 * Specification: doc/on-disk.md, "Dialects".  The caller holds the lock of the directory.
 */

#include "overlay/upper.h"

#include <stdbool.h>

/** hide_is_reserved() - a name that clients cannot have: it would be a whiteout of another */
bool hide_is_reserved(const struct upper *up, const char *name);

/**
 * hide_target() - does an entry of an upper directory, by its name alone, speak of another one?
 * @ret_target: the name that it hides, pointing into @name, or NULL if it is a mark of another kind
 * False in the dialect of devices.
 */
bool hide_target(const struct upper *up, const char *name, const char **ret_target);

/** hide_name() - where the upper has nothing; -EEXIST, -ENAMETOOLONG */
int hide_name(struct upper *up, int dirfd, const char *name);

/** hide_file() - what is no directory becomes a whiteout in one step */
int hide_file(struct upper *up, int dirfd, const char *name);

/** hide_dir() - a directory moves to work/ and leaves a whiteout; @tmp: its name there */
int hide_dir(struct upper *up, int dirfd, const char *name, char tmp[UPPER_WORK_NAME_BYTES]);

/** hide_clear() - remove the whiteout of a name where the upper has nothing else */
int hide_clear(struct upper *up, int dirfd, const char *name);

/** hide_drop_stale() - the name is there, so its .wh. file means nothing */
void hide_drop_stale(struct upper *up, int dirfd, const char *name);

/** hide_cover() - put what stands at work/@tmp at a name that has a whiteout */
int hide_cover(struct upper *up, const char *tmp, int dirfd, const char *name);

/* One name moves to another place. */
struct hide_move {
	int from_fd, to_fd;
	const char *from, *to;
	bool is_dir;
	bool leave; /* the lower has the old name: hide it */
	bool covered; /* a whiteout stands at the new name */
};

/** hide_move() - rename(2) with what has to be hidden afterwards */
int hide_move(struct upper *up, const struct hide_move *m);

/** hide_mark_opaque() - nothing of the lower shows in a directory; its times stay */
int hide_mark_opaque(struct upper *up, int fd);

/** hide_empty_opaque() - leave nothing but the attribute, so that it can be removed or replaced */
void hide_empty_opaque(struct upper *up, int fd);
