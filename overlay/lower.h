/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What lies below the upper: an interface, so that the core never asks which kind it is
 *
 * A lower is a read-only tree of inodes.  An inode is named by a handle (uint64_t) that the kind
 * chooses: for an image tree the row of its index.  The root's handle is 0.  Any thread.
 *
 * Functions return 0, or what they document, or a negative errno; -EBADMSG and -EIO for layers that
 * are damaged.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

/* Attributes as layers have them: ids are the image's, before any mapping. */
struct lower_attr {
	uint64_t ino; /* permanent number, overlay/inum.h */
	uint64_t size;
	uint64_t n_bytes; /* of data, without holes */
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

/* One of the names of an inode: the entry at @ordinal of @dir. */
struct lower_name {
	uint64_t dir;
	uint64_t ordinal;
};

/* A piece of a file's content: bytes that are mapped, bytes in a file, or a hole. */
struct lower_piece {
	const void *mem; /* not NULL: mapped.  Only the kernel may touch it: it says EFAULT where
			    user space would get SIGBUS */
	int fd; /* if not -1: borrowed, has the bytes at @pos.  Without both it is a hole */
	uint64_t pos;
	uint64_t len; /* of the piece, from the offset that was asked for; not 0 */
	void *pin; /* the kind's; not NULL: lower_unmap() when done */
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
	/* The piece of a regular file that begins at @off; -ENXIO at or behind the end. */
	int (*map)(struct lower *l, uint64_t handle, uint64_t off, struct lower_piece *ret);
	/* Like getxattr(2) and listxattr(2): size 0 asks for the length; -ENODATA, -ERANGE. */
	ssize_t (*getxattr)(
		struct lower *l, uint64_t handle, const char *name, void *buf, size_t size);
	ssize_t (*listxattr)(struct lower *l, uint64_t handle, char *buf, size_t size);
	/* The handle of the inode with this permanent number (an origin that an upper recorded). */
	int (*by_ino)(struct lower *l, uint64_t ino, uint64_t *ret_handle); /* -ENOENT */
	/*
	 * The @i-th name, from 0, of a directory or of an inode with several names; -ENOENT behind
	 * the last.  The root has none.
	 */
	int (*name_of)(struct lower *l, uint64_t handle, uint32_t i, struct lower_name *ret);
	/* NULL, or: what a piece with a pin holds is not needed any more. */
	void (*unmap)(struct lower *l, struct lower_piece *piece);
	/* NULL, or: where the lower says how much it holds. */
	int (*statfs)(struct lower *l, struct statvfs *ret);
	/*
	 * NULL where handles are for ever.  Else a handle belongs to its inode as long as somebody
	 * needs it: release() says that perhaps nobody does now, and reclaim(), called while no
	 * operation is in progress, asks @in_use of each handle that was released or never used.
	 */
	void (*release)(struct lower *l, uint64_t handle);
	bool (*wants_reclaim)(struct lower *l);
	void (*reclaim)(struct lower *l, bool (*in_use)(void *ctx, uint64_t handle), void *ctx);
};

enum lower_flags {
	LOWER_NAMES_PARTIAL = 1 << 0, /* name_of() knows the names that were looked up, by_ino()
					 the inodes that have handles now */
	LOWER_CHANGES = 1 << 1, /* somebody may change it while it is mounted */
	LOWER_KEPT_XATTRS = 1 << 2, /* its attributes have the names that an upper keeps them
				       under (overlay/xattrs.h) */
};

struct lower {
	const struct lower_ops *ops;
	uint64_t n_handles; /* handles are below this */
	enum lower_flags flags;
};

/** lower_unmap() - let go of a piece */
static inline void lower_unmap(struct lower *l, struct lower_piece *piece)
{
	if (piece->pin)
		l->ops->unmap(l, piece);
}
