/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reader of layer.idx and of merged indexes
 *
 * A file is mapped read-only and shared; opening checks the header and the CRC table only, so it
 * costs the same for ten entries and for a million.  Each accessor checks bounds and, at the first
 * touch of a block, its CRC; nothing is copied but the row that was asked for.
 *
 * What callers can rely on, whatever the file holds: a row that is returned obeys doc/on-disk.md as
 * far as it and what it refers to can tell; names are valid names; a directory in a directory has a
 * greater row than that directory, so every descent ends.  idx_verify() checks the rest.
 *
 * The store may lie on a filesystem that somebody truncates: a SIGBUS in the mapping is caught,
 * the page is replaced by zeros, the index is marked as broken, and every later call says -EIO.
 * Threads that use an index must not block SIGBUS (overlay/mapping.h).
 *
 * Any thread, no locks.  All functions return 0 (or what they document) or: -EBADMSG for bytes that
 * contradict the format, -EIO for a file that changed underneath.
 */

#include "base/err.h"
#include "overlay/index_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct idx;

/**
 * idx_open() - map an index
 * @fd:   borrowed, a regular file open for reading
 * @kind: what it has to be
 *
 * Return: 0; -EBADMSG if it is not an index of that kind or is damaged; -EPROTONOSUPPORT for a
 * newer version; -EINVAL if @fd is not a regular file.
 */
int idx_open(struct idx **ret, int fd, enum idx_kind kind, struct err *err);
void idx_close(struct idx *x);

/** idx_verify() - check every CRC, every row and every rule of doc/on-disk.md; reads all of it */
int idx_verify(struct idx *x, struct err *err);

/** idx_header() - borrowed until idx_close() */
const struct idx_header *idx_header(const struct idx *x);

/** idx_is_broken() - a page of the mapping vanished; answers already given may have held zeros */
bool idx_is_broken(const struct idx *x);

/* Row counts of the sections. */
uint32_t idx_n_members(const struct idx *x);
uint32_t idx_n_inodes(const struct idx *x);
uint32_t idx_n_names(const struct idx *x);
uint32_t idx_n_layers(const struct idx *x);

/* ---- an image ---- */

/**
 * idx_inode() - copy a row of the inode table; row 0 is the root, which is a directory
 * The row is as doc/on-disk.md has it; names, targets and extents lie within their sections, and
 * contiguous data within the layer's tar.
 */
int idx_inode(struct idx *x, uint32_t row, struct idx_inode *ret);

/** idx_layer() - copy a row of the layer table */
int idx_layer(struct idx *x, uint32_t row, struct idx_layer *ret);

/** idx_name_hash() - FNV-1a, 32 bits.  Pure. */
uint32_t idx_name_hash(const char *name, size_t len);

/* A directory entry; name points into the mapping, has no NUL, and lives until idx_close(). */
struct idx_dirent {
	const char *name;
	uint32_t inode; /* row */
	uint32_t ordinal; /* in its directory, from 0 */
	uint8_t len;
	uint8_t type; /* DT_… */
};

/**
 * idx_entry() - the @ordinal-th entry of a directory, in listing order
 * @dir: row of the directory
 * Return: 0; -ENOENT behind the last one; -ENOTDIR.
 */
int idx_entry(struct idx *x, uint32_t dir, uint32_t ordinal, struct idx_dirent *ret);

/**
 * idx_lookup() - find a name in a directory by hash, O(log n)
 * @dir: row of the directory
 * Return: 0 with @ret filled; -ENOENT; -ENOTDIR.
 */
int idx_lookup(struct idx *x, uint32_t dir, const char *name, size_t len, struct idx_dirent *ret);

/* ---- both kinds ---- */

/** idx_string() - bytes of IDX_SEC_STRINGS, in the mapping, holding no NUL, until idx_close() */
int idx_string(struct idx *x, uint32_t off, uint32_t len, const char **ret);

/** idx_extent() - copy a row of IDX_SEC_EXTENTS */
int idx_extent(struct idx *x, uint64_t row, struct idx_extent *ret);

/* Where the content of a regular file lies: the fields that inodes and members share. */
struct idx_content {
	uint64_t size; /* bytes, holes included */
	uint64_t data;
	uint32_t n_extents;
	uint32_t layer; /* row of the layer table; 0 in the index of a layer */
	uint64_t tar_size;
};

/** idx_inode_content() - of a regular file; -EINVAL for another type */
int idx_inode_content(struct idx *x, const struct idx_inode *ino, struct idx_content *ret);
int idx_member_content(struct idx *x, const struct idx_member *m, struct idx_content *ret);

/**
 * idx_map() - what lies at @off of a file: bytes of the tar or a hole
 * @ret_pos: offset in the tar; of a hole 0
 * @ret_len: bytes from there on, or bytes of hole; never 0, never beyond the file's size
 *
 * Return: 1 for data, which lies within the tar; 0 for a hole; -ENXIO at or behind the end.
 */
int idx_map(struct idx *x, const struct idx_content *c, uint64_t off, uint64_t *ret_pos,
	uint64_t *ret_len);

/* An extended attribute in the mapping, until idx_close(). */
struct idx_xattr {
	const char *name; /* no NUL */
	const void *value;
	uint32_t value_len;
	uint16_t name_len;
};

/**
 * idx_xattr_next() - walk the set at @off
 * @off:    idx_inode.xattrs or idx_member.xattrs
 * @cursor: 0 before the first call
 * Return: 1 with @ret filled; 0 behind the last one; an error.
 */
int idx_xattr_next(struct idx *x, uint32_t off, uint64_t *cursor, struct idx_xattr *ret);

/* ---- a layer ---- */

/**
 * idx_member() - copy a row
 * Its path, and the path of a hard link's target, are clean: no leading, trailing or double slash,
 * no ".", "..", or component above 255 bytes.
 */
int idx_member(struct idx *x, uint32_t row, struct idx_member *ret);

/** idx_path_is_clean() - the rule for members' paths; "" is the root and clean.  Pure. */
bool idx_path_is_clean(const char *path, size_t len);
