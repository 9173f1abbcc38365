/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The operations of the overlay: functions on (filesystem, node id) that return errnos
 *
 * Any thread.  Each is atomic towards the others; the caller serialises changes within a directory
 * as the VFS does, but nothing breaks if it does not.  Node ids come from ovl_lookup(),
 * ovl_readdir() and the operations that create; each such answer counts as one look-up, which
 * ovl_forget() takes back.
 *
 * All return 0 or what they document, or a negative errno: those of the system call of the same
 * name, plus -ENOSPC, -EDQUOT, -EIO of the upper, -EBADMSG → -EIO for damaged layers.
 */

#include "overlay/fdcache.h"
#include "overlay/fs.h"
#include "overlay/lower.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#define OVL_ROOT UINT64_C(1)

struct ovl_cred {
	uid_t uid;
	gid_t gid;
	mode_t umask;
};

struct ovl_entry {
	uint64_t id;
	struct stat st;
};

/* ---- names and attributes ---- */

/** ovl_lookup() - -ENOENT for a name that is not there */
int ovl_lookup(struct ovl_fs *fs, uint64_t dir, const char *name, struct ovl_entry *ret);
void ovl_forget(struct ovl_fs *fs, uint64_t id, uint64_t n);
int ovl_getattr(struct ovl_fs *fs, uint64_t id, struct stat *ret);
/**
 * ovl_origin() - what an inode has to do with the lower
 * @ret_handle: of the lower inode that it is, or is a copy of
 * Return: 0 if it is the lower's own, unchanged; 1 if the upper has a copy of it; -ENOENT if it was
 * born in the upper.
 */
int ovl_origin(struct ovl_fs *fs, uint64_t id, uint64_t *ret_handle);
/** ovl_readlink() - @ret is owned by the caller */
int ovl_readlink(struct ovl_fs *fs, uint64_t id, char **ret);
int ovl_statfs(struct ovl_fs *fs, struct statvfs *ret);

enum ovl_set {
	OVL_SET_MODE = 1 << 0,
	OVL_SET_UID = 1 << 1,
	OVL_SET_GID = 1 << 2,
	OVL_SET_SIZE = 1 << 3,
	OVL_SET_ATIME = 1 << 4, /* tv_nsec may be UTIME_NOW */
	OVL_SET_MTIME = 1 << 5,
	OVL_SET_KILL_SUIDGID = 1 << 6, /* clear set-id bits, as write and chown do */
};

struct ovl_attr {
	enum ovl_set set;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	off_t size;
	struct timespec atime, mtime;
};

int ovl_setattr(struct ovl_fs *fs, uint64_t id, const struct ovl_attr *a, struct stat *ret);

/* ---- directories ---- */

struct ovl_dirent {
	const char *name; /* NUL-terminated, borrowed for the call */
	uint64_t off; /* continue behind it by passing this to ovl_readdir() */
	uint64_t id;
	struct stat st;
};

/**
 * ovl_readdir() - list a directory from an offset on
 * @off:  0, or the offset of the last entry seen
 * @emit: called for each entry; returns false if it did not take it, which ends the listing.  The
 *        entry then does not count as looked up.
 * @plus: count a look-up for each entry taken, but for "." and ".."
 */
enum ovl_readdir_flags { OVL_READDIR_PLUS = 1 << 0 };
int ovl_readdir(struct ovl_fs *fs, uint64_t dir, uint64_t off, enum ovl_readdir_flags flags,
	bool (*emit)(void *ctx, const struct ovl_dirent *de), void *ctx);

/* ---- data ---- */

#define OVL_READ_IOV 64

/**
 * ovl_read() - where the bytes of a file are
 * @buf:  @len bytes of the caller; used where bytes have to be copied
 * @iov:  OVL_READ_IOV elements, filled; they point into @buf, a mapping that only system calls may
 *        touch (valid as long as @fs), or zeros
 *
 * Return: the number of elements, 0 at the end of the file.  Fewer bytes than @len only there.
 */
int ovl_read(struct ovl_fs *fs, uint64_t id, off_t off, size_t len, void *buf, struct iovec *iov);

/* Bytes that lie in a row in a file; ovl_source_done() it. */
struct ovl_source {
	int fd; /* borrowed */
	off_t pos;
	size_t len; /* what was asked for, or up to the end of the file */
	/* what keeps @fd open */
	struct node *node;
	struct fd_ref ref;
	struct lower_piece piece;
};

/**
 * ovl_source() - the file that has @len bytes of a file from @off on
 * Return: 1; 0 if there is no such file, or errors: ask ovl_read() then.  The file may have lost some.
 */
int ovl_source(struct ovl_fs *fs, uint64_t id, off_t off, size_t len, struct ovl_source *ret);
void ovl_source_done(struct ovl_fs *fs, struct ovl_source *src);

struct ovl_write {
	const void *buf;
	size_t len;
	off_t off;
	bool cached; /* from the page cache: the kernel keeps the time and sets it by itself */
	bool kill_suidgid; /* clear set-id bits: the writer lacks CAP_FSETID */
	bool mode_changed; /* answer: the kernel's idea of the mode is out of date */
};

/** ovl_write() - returns the number of bytes written */
ssize_t ovl_write(struct ovl_fs *fs, uint64_t id, struct ovl_write *w);
int ovl_fsync(struct ovl_fs *fs, uint64_t id, bool datasync);
int ovl_fsyncdir(struct ovl_fs *fs, uint64_t id);
/** ovl_syncfs() - all that the upper holds */
int ovl_syncfs(struct ovl_fs *fs);
int ovl_fallocate(struct ovl_fs *fs, uint64_t id, int mode, off_t off, off_t len);
/** ovl_lseek() - SEEK_DATA and SEEK_HOLE */
off_t ovl_lseek(struct ovl_fs *fs, uint64_t id, off_t off, int whence);

struct ovl_copy {
	uint64_t in, out; /* ids */
	off_t off_in, off_out;
	size_t len;
};
ssize_t ovl_copy_file_range(struct ovl_fs *fs, const struct ovl_copy *c);
/** ovl_get_flags() - FS_IOC_GETFLAGS */
int ovl_get_flags(struct ovl_fs *fs, uint64_t id, int *ret);

/* ---- changes of names ---- */

/* What ovl_make() makes. */
struct ovl_new {
	mode_t mode; /* with S_IFMT, before the umask */
	dev_t rdev; /* client's encoding */
	const char *target; /* of a symlink; else NULL */
};

int ovl_make(struct ovl_fs *fs, uint64_t dir, const char *name, const struct ovl_new *what,
	const struct ovl_cred *cred, struct ovl_entry *ret);
/** ovl_make_unnamed() - O_TMPFILE: a regular file that goes when it is forgotten, unless it is linked */
int ovl_make_unnamed(struct ovl_fs *fs, uint64_t dir, mode_t mode, const struct ovl_cred *cred,
	struct ovl_entry *ret);
int ovl_link(struct ovl_fs *fs, uint64_t id, uint64_t dir, const char *name, struct ovl_entry *ret);
int ovl_unlink(struct ovl_fs *fs, uint64_t dir, const char *name);
int ovl_rmdir(struct ovl_fs *fs, uint64_t dir, const char *name);

struct ovl_rename {
	uint64_t dir, new_dir;
	const char *name, *new_name;
	unsigned int flags; /* RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT */
};
int ovl_rename(struct ovl_fs *fs, const struct ovl_rename *what);

/* ---- extended attributes ---- */

/* As getxattr(2) and listxattr(2): size 0 asks for the length. */
ssize_t ovl_getxattr(struct ovl_fs *fs, uint64_t id, const char *name, void *buf, size_t size);
ssize_t ovl_listxattr(struct ovl_fs *fs, uint64_t id, char *buf, size_t size);
int ovl_setxattr(struct ovl_fs *fs, uint64_t id, const char *name, const void *value, size_t size,
	int flags);
int ovl_removexattr(struct ovl_fs *fs, uint64_t id, const char *name);
