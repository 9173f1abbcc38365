/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The bytes of layer.idx and of a chain's merged index
 *
 *      block 0      struct idx_header: what this is, where the sections are
 *      sections     arrays of rows and blobs, each starting on a block
 *      CRC table    a CRC-32 of each block of the sections
 *
 * All numbers are little endian; rows are aligned to 4 bytes at least, so on little-endian machines
 * they are used in the mapping as they lie.  doc/on-disk.md is the specification and says what a
 * reader must reject.  Nothing in a file is believed: every row number, offset and length is
 * checked where it is used, and a block's CRC when it is first touched.
 */

#include <assert.h>
#include <stdint.h>

#define IDX_MAGIC	"LAMINAIX"
#define IDX_VERSION	1
#define IDX_BLOCK_BYTES 4096
#define IDX_NONE	UINT32_MAX /* no row */

enum idx_kind { IDX_KIND_LAYER = 1, IDX_KIND_IMAGE = 2 };

/* A digest in binary: SHA-256 fills 32 bytes, SHA-512 64; the rest is zero. */
enum idx_digest_alg { IDX_SHA256 = 1, IDX_SHA512 = 2 };
struct idx_digest {
	uint16_t alg; /* enum idx_digest_alg */
	uint16_t len; /* bytes used: 32 or 64 */
	uint8_t bytes[64];
};

/* A section; its number in idx_header.sections says which. */
struct idx_section {
	uint64_t off; /* bytes from the start of the file, a multiple of IDX_BLOCK_BYTES */
	uint64_t len; /* bytes, without the padding to the next block */
};

enum idx_section_id {
	/* both kinds */
	IDX_SEC_STRINGS, /* names, paths and link targets, found by offset; no terminators */
	IDX_SEC_XATTRS, /* sets of extended attributes, see struct idx_xattrs; offset 0 is "none" */
	IDX_SEC_EXTENTS, /* struct idx_extent */
	/* a layer */
	IDX_SEC_MEMBERS, /* struct idx_member, in the order of the tar */
	/* an image */
	IDX_SEC_INODES, /* struct idx_inode; row 0 is the root; a directory stands before its
			   entries */
	IDX_SEC_NAMES, /* struct idx_name: the entries of a directory are one run, in listing order
			*/
	IDX_SEC_LOOKUP, /* struct idx_lookup: the same runs, sorted by (hash, name) */
	IDX_SEC_LAYERS, /* struct idx_layer, lowest first */
	IDX_SEC_MAX_
};

struct idx_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t kind; /* enum idx_kind */
	uint32_t incompat; /* feature bits: a reader that does not know one must refuse; none yet */
	uint32_t compat; /* feature bits that a reader may ignore; none yet */
	uint64_t file_size; /* bytes; the file has exactly this size */
	uint64_t crc_off; /* the CRC table: a multiple of IDX_BLOCK_BYTES, after all sections */
	uint32_t crc_n; /* its entries: (crc_off / IDX_BLOCK_BYTES) - 1 */
	uint32_t crc_crc; /* CRC-32 of the table */
	struct idx_digest id; /* layer: the diff id; image: the chain id */
	uint32_t reserved; /* 0 */
	uint64_t tar_size; /* layer: bytes of layer.tar; image: 0 */
	struct idx_section sections[16]; /* those not used by the kind are zero */
	uint8_t zero[4096 - 384 - 4];
	uint32_t header_crc; /* CRC-32 of the bytes of block 0 before this field */
};
static_assert(sizeof(struct idx_header) == IDX_BLOCK_BYTES, "block 0 is the header");
static_assert(IDX_SEC_MAX_ <= 16, "sections fit");

enum idx_member_kind {
	IDX_MEMBER_ENTRY = 1, /* a file, directory, symlink, device or FIFO */
	IDX_MEMBER_HARDLINK = 2, /* another name of `link`; only path and link mean something */
	IDX_MEMBER_WHITEOUT = 3, /* what lower layers have at path is hidden */
	IDX_MEMBER_OPAQUE = 4, /* all that lower layers have in the directory at path is hidden */
};

/*
 * One member of a layer.  path is cleaned ("./", leading and double slashes gone; "" is the root),
 * but not resolved: its parents may be symlinks of this or a lower layer.
 */
struct idx_member {
	uint32_t kind; /* enum idx_member_kind */
	uint32_t mode; /* S_IFMT and permission bits */
	uint32_t uid; /* at most 2^31 - 1 */
	uint32_t gid;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t xattrs; /* offset in IDX_SEC_XATTRS; 0: none */
	uint64_t size; /* of a file, holes included; else 0 */
	uint64_t hdr_off; /* of the member's first header in layer.tar, a multiple of 512 */
	uint64_t data; /* file: see idx_inode.data; device: major << 32 | minor */
	uint32_t n_extents;
	uint32_t path; /* offset in IDX_SEC_STRINGS */
	uint32_t path_len; /* bytes */
	uint32_t link; /* symlink: target, as it stands; hard link: cleaned path of the target */
	uint32_t link_len;
	uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct idx_member) == 80, "rows are packed");

/*
 * One inode of an image.  ino is permanent: layer bytes define it (overlay/inum.h), and it names
 * the layer whose tar holds the data.
 */
struct idx_inode {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink; /* file: its names in this image; directory: 2 + subdirectories */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t xattrs; /* offset in IDX_SEC_XATTRS; 0: none */
	uint64_t size; /* file: bytes, holes included; symlink: bytes of the target; else 0 */
	uint64_t ino;
	uint64_t data; /*
			* file, n_extents 0: where its bytes start in layer.tar
			* file, else: first row in IDX_SEC_EXTENTS
			* directory: first row in IDX_SEC_NAMES and IDX_SEC_LOOKUP
			* symlink: offset of the target in IDX_SEC_STRINGS
			* device: major << 32 | minor
			*/
	uint32_t count; /* file: n_extents; directory: entries; else 0 */
	uint32_t parent; /* directory: row of its parent (the root: 0); else IDX_NONE */
};
static_assert(sizeof(struct idx_inode) == 64, "one cache line");

/* One name; in a directory they stand in the order of (ino, name). */
struct idx_name {
	uint32_t str; /* offset in IDX_SEC_STRINGS */
	uint32_t inode;
	uint8_t len; /* bytes, 1 to 255 */
	uint8_t type; /* DT_DIR and so on, equal to the inode's */
	uint16_t reserved;
};
static_assert(sizeof(struct idx_name) == 12, "rows are packed");

struct idx_lookup {
	uint32_t hash; /* idx_name_hash() */
	uint32_t name; /* row in IDX_SEC_NAMES */
};
static_assert(sizeof(struct idx_lookup) == 8, "rows are packed");

/* A piece of a sparse file; pieces are sorted, do not overlap and end within the size. */
struct idx_extent {
	uint64_t file_off;
	uint64_t len;
	uint64_t tar_off;
};

struct idx_layer {
	struct idx_digest diff_id;
	uint32_t reserved;
	uint64_t tar_size;
};
static_assert(sizeof(struct idx_layer) == 80, "rows are packed");

/*
 * A set of extended attributes: this head, then n times
 *      u16 name_len, u16 0, u32 value_len, name, value, zeros up to a multiple of 4
 * sorted by name (memcmp, the shorter first), no name twice.
 */
struct idx_xattrs {
	uint32_t n;
};

/* Limits that writers keep and readers enforce. */
#define LIMIT_IDX_FILE_BYTES   (UINT64_C(1) << 40)
#define LIMIT_IDX_ROWS	       UINT32_C(0xfffffff0) /* of inodes, names, members, extents */
#define LIMIT_IDX_BLOB_BYTES   UINT32_C(0xfffffff0) /* of strings, of xattrs: offsets are 32 bits */
#define LIMIT_IDX_LAYERS       4094
#define LIMIT_IDX_PATH_BYTES   65535 /* of a member's path */
#define LIMIT_IDX_DEPTH	       4095 /* components of a path */
#define LIMIT_IDX_LINK_BYTES   4095 /* of a symlink's target: PATH_MAX without its NUL */
#define LIMIT_IDX_XATTR_NAME   255
#define LIMIT_IDX_XATTR_VALUE  65536
#define LIMIT_IDX_XATTRS_N     512
#define LIMIT_IDX_XATTRS_BYTES 131072 /* of names and values of one inode */
#define LIMIT_IDX_ID	       UINT32_C(0x7fffffff)
#define LIMIT_IDX_EXTENTS_FILE 1048576 /* pieces of one sparse file */
#define LIMIT_IDX_FILE_SIZE    (UINT64_C(1) << 44) /* of a file, holes included: 16 TiB */
#define LIMIT_IDX_TIME	       (INT64_C(1) << 53) /* seconds, before and after 1970 */
