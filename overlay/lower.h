/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What lies below the upper: an interface, so that the core never asks which kind it is
 *
 * A lower is a read-only tree of inodes.  An inode is named by a handle (uint64_t) that the kind
 * chooses: for an image tree the row of its index.  The root's handle is 0.  Any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Attributes as layers have them: ids are the image's, before any mapping. */
struct lower_attr {
	uint64_t ino; /* permanent number, overlay/inum.h */
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint32_t rdev_major;
	uint32_t rdev_minor;
};

struct lower_entry {
	const char
		*name; /* no NUL; borrowed until the next call on this directory or lower_close() */
	size_t len;
	uint64_t handle;
	uint64_t off; /* ordinal in the listing; permanent */
	uint8_t type; /* DT_… */
};

struct lower;

struct lower_ops {
	void (*close)(struct lower *l);
	int (*lookup)(struct lower *l, uint64_t dir, const char *name, size_t len,
		struct lower_entry *ret); /* -ENOENT */
	/* The entry at @ordinal or the next one behind it; -ENOENT behind the last. */
	int (*list)(struct lower *l, uint64_t dir, uint64_t ordinal, struct lower_entry *ret);
	int (*attr)(struct lower *l, uint64_t handle, struct lower_attr *ret);
	/* Target without NUL, borrowed until lower_close(). */
	int (*readlink)(struct lower *l, uint64_t handle, const char **ret, size_t *ret_len);
	ssize_t (*read)(struct lower *l, uint64_t handle, void *buf, size_t len, uint64_t off);
	/*
	 * Where the bytes at @off lie, so that they can be spliced, cloned or sent without a copy:
	 * Return 1: @ret_fd (borrowed) and @ret_pos hold them for @ret_len bytes; 0: a hole of
	 * @ret_len bytes; -ENXIO at or behind the end.
	 */
	int (*map)(struct lower *l, uint64_t handle, uint64_t off, int *ret_fd, uint64_t *ret_pos,
		uint64_t *ret_len);
	/* Like getxattr(2) and listxattr(2): size 0 asks for the length; -ENODATA, -ERANGE. */
	ssize_t (*getxattr)(
		struct lower *l, uint64_t handle, const char *name, void *buf, size_t size);
	ssize_t (*listxattr)(struct lower *l, uint64_t handle, char *buf, size_t size);
	/* The handle of the inode with this permanent number (an origin that an upper recorded). */
	int (*by_ino)(struct lower *l, uint64_t ino, uint64_t *ret_handle); /* -ENOENT */
};

struct lower {
	const struct lower_ops *ops;
	uint64_t n_handles; /* handles are below this if the kind knows their number, else 0 */
};
