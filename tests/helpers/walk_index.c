/* SPDX-License-Identifier: Apache-2.0 */
/* The walk goes by rows and not by paths, so it is linear in the file whatever the file says. */
#include "tests/helpers/walk_index.h"

#include "overlay/inum.h"

#include <dirent.h>
#include <sys/stat.h>

/* Promises are checked in release builds, too. */
#define PROMISE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

#define SAY(out, ...)                                                                              \
	do {                                                                                       \
		if ((out) && buf_printf((out), __VA_ARGS__) < 0)                                   \
			return -ENOMEM;                                                            \
	} while (0)

static int say_bytes(struct buf *out, const void *data, size_t len)
{
	unsigned int sum = 0;

	/* Touch each byte, also where nothing is written. */
	for (size_t i = 0; i < len; i++)
		sum += ((const uint8_t *)data)[i];
	SAY(out, " %zu:%u:", len, sum);
	return out ? buf_add(out, data, len) : 0;
}

static int walk_xattrs(struct idx *x, uint32_t off, struct buf *out)
{
	struct idx_xattr a;
	uint64_t cursor = 0;
	unsigned int n = 0;
	int r;

	while ((r = idx_xattr_next(x, off, &cursor, &a)) == 1) {
		PROMISE(++n <= LIMIT_IDX_XATTRS_N && !memchr(a.name, '\0', a.name_len));
		r = say_bytes(out, a.name, a.name_len);
		if (r == 0)
			r = say_bytes(out, a.value, a.value_len);
		if (r < 0)
			return r;
	}
	return r;
}

static int walk_content(struct idx *x, const struct idx_content *c, struct buf *out)
{
	uint64_t off = 0, pos, len;
	unsigned int n = 0;
	int r;

	/* A step for each extent and each hole; a cap, since a hostile file may share extents. */
	while (n++ < 1000 && (r = idx_map(x, c, off, &pos, &len)) >= 0) {
		PROMISE(len > 0 && len <= c->size - off);
		PROMISE(r == 0 || (pos <= c->tar_size && len <= c->tar_size - pos));
		SAY(out, " %s %llu+%llu", r ? "data" : "hole", (unsigned long long)pos,
			(unsigned long long)len);
		off += len;
	}
	return r == -ENXIO || r >= 0 ? 0 : r;
}

static int walk_dir(struct idx *x, uint32_t row, struct buf *out)
{
	struct idx_dirent e, found;
	uint32_t i;
	int r;

	for (i = 0; (r = idx_entry(x, row, i, &e)) == 0; i++) {
		PROMISE(e.len > 0 && !memchr(e.name, '/', e.len) && !memchr(e.name, '\0', e.len));
		PROMISE(e.type != DT_DIR || e.inode > row);
		SAY(out, "\n entry %u type %u", e.inode, e.type);
		r = say_bytes(out, e.name, e.len);
		if (r < 0)
			return r;
		r = idx_lookup(x, row, e.name, e.len, &found);
		if (r == -ENOENT)
			SAY(out, " hidden");
		else if (r < 0)
			return r;
		else
			SAY(out, " at %u is %u", found.ordinal, found.inode);
	}
	return r == -ENOENT ? 0 : r;
}

static int walk_inode(struct idx *x, uint32_t row, struct buf *out)
{
	struct idx_content c;
	struct idx_inode ino;
	const char *target;
	int r = idx_inode(x, row, &ino);

	if (r < 0)
		return r;
	SAY(out, "\ninode %u: %o %u:%u %u %lld.%u %llu %llx", row, ino.mode, ino.uid, ino.gid,
		ino.nlink, (long long)ino.mtime_sec, ino.mtime_nsec, (unsigned long long)ino.size,
		(unsigned long long)ino.ino);
	r = walk_xattrs(x, ino.xattrs, out);
	if (r < 0)
		return r;
	if (S_ISDIR(ino.mode))
		return walk_dir(x, row, out);
	if (S_ISREG(ino.mode)) {
		r = idx_inode_content(x, &ino, &c);
		return r < 0 ? r : walk_content(x, &c, out);
	}
	if (S_ISLNK(ino.mode)) {
		PROMISE(ino.size > 0 && ino.size <= LIMIT_IDX_LINK_BYTES);
		r = idx_string(x, (uint32_t)ino.data, (uint32_t)ino.size, &target);
		return r < 0 ? r : say_bytes(out, target, ino.size);
	}
	SAY(out, " data %llx", (unsigned long long)ino.data);
	return 0;
}

static int walk_member(struct idx *x, uint32_t row, struct buf *out)
{
	struct idx_content c;
	struct idx_member m;
	const char *s;
	int r = idx_member(x, row, &m);

	if (r < 0)
		return r;
	SAY(out, "\nmember %u: kind %u %o %u:%u %lld.%u %llu at %llu", row, m.kind, m.mode, m.uid,
		m.gid, (long long)m.mtime_sec, m.mtime_nsec, (unsigned long long)m.size,
		(unsigned long long)m.hdr_off);
	r = idx_string(x, m.path, m.path_len, &s);
	if (r == 0)
		r = say_bytes(out, s, m.path_len);
	if (r == 0 && m.kind == IDX_MEMBER_ENTRY)
		r = walk_xattrs(x, m.xattrs, out);
	if (r == 0 && idx_member_content(x, &m, &c) == 0)
		r = walk_content(x, &c, out);
	if (r < 0 || m.kind > IDX_MEMBER_HARDLINK ||
		(m.kind == IDX_MEMBER_ENTRY && !S_ISLNK(m.mode)))
		return r;
	r = idx_string(x, m.link, m.link_len, &s);
	return r < 0 ? r : say_bytes(out, s, m.link_len);
}

int walk_index(struct idx *x, struct buf *out)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < idx_n_layers(x); i++) {
		struct idx_layer l;

		r = idx_layer(x, i, &l);
		if (r == 0)
			r = say_bytes(out, &l, sizeof(l));
	}
	for (uint32_t i = 0; r == 0 && i < idx_n_inodes(x); i++)
		r = walk_inode(x, i, out);
	for (uint32_t i = 0; r == 0 && i < idx_n_members(x); i++)
		r = walk_member(x, i, out);
	return r;
}
