/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One entry of an image made in a directory; the scheduling is in image/unpack.c. */

#include "image/unpack.h"

#include <pthread.h>

#define UNPACK_LINK_LOCKS 64

/* What all threads share; constant but for what is said. */
struct unpack {
	struct lower *lower;
	enum unpack_ownership ownership;
	bool resumed; /* an earlier run left files */
	bool can_override; /* any mode lets this process in */
	uid_t uid;
	gid_t gid;
	int links_fd; /* directory with a name for each inode that has several */
	uint8_t *linked; /* a bit a handle: made there by this run; links[] */
	pthread_mutex_t links[UNPACK_LINK_LOCKS]; /* by handle */
	struct unpack_stats stats; /* atomic additions */
};

/**
 * unpack_entry() - make anything but a directory
 * @dirfd: open directory
 * @name:  one component
 *
 * What has the name already is replaced, unless it is a file that an earlier run completed.
 * Return: 0; a negative errno with a text that does not name the entry.
 */
int unpack_entry(struct unpack *u, int dirfd, const char *name, uint64_t handle,
	const struct lower_attr *a, struct err *err);

/**
 * unpack_finish_dir() - owner, attributes, mode and time of a directory whose entries are complete
 * @fd: open for reading
 */
int unpack_finish_dir(struct unpack *u, int fd, uint64_t handle, struct err *err);
