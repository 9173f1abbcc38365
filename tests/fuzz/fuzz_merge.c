/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains of layers: whatever members say, the tree verifies, twice the same, or is refused
 *
 * A byte or two make a member: what it is, then names of a small alphabet, so that members meet.
 *
 *      0 … 5   file, directory, symlink, hard link, whiteout, opaque mark; then its path, and where
 *              there is one its target
 *      6       the next layer
 *      path    components 'a' + (byte & 3), up to a byte with bit 7; bit 6 of a component: ".."
 *              in a symlink's target, nothing elsewhere
 */
#include "base/cleanup.h"
#include "overlay/index_build.h"
#include "tests/fuzz/fuzz.h"
#include "tests/helpers/index_files.h"
#include "tests/helpers/walk_index.h"

#include <string.h>
#include <sys/stat.h>

#define MAX_LAYERS 5
#define TAR_BYTES  (UINT64_C(1) << 30)

struct input {
	const uint8_t *p, *end;
};

static uint8_t next(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0x80;
}

static uint32_t add_path(struct idx_build *b, struct input *in, bool is_target, uint32_t *ret_off)
{
	char path[256];
	uint64_t off;
	size_t len = 0;
	uint8_t byte;

	/* Links may be absolute, too. */
	if (is_target && in->p < in->end && (*in->p & 0x20))
		path[len++] = '/';
	do {
		byte = next(in);
		if (len && path[len - 1] != '/')
			path[len++] = '/';
		if (is_target && byte & 0x40) {
			path[len++] = '.';
			path[len++] = '.';
		} else {
			path[len++] = (char)('a' + (byte & 3));
		}
	} while (!(byte & 0x80) && len < 200);
	if (idx_build_add(b, IDX_SEC_STRINGS, path, len, &off) < 0)
		abort();
	*ret_off = (uint32_t)off;
	return (uint32_t)len;
}

static void add_member(struct idx_build *b, struct input *in, uint8_t what, uint64_t hdr_off)
{
	static const uint8_t kinds[] = { IDX_MEMBER_ENTRY, IDX_MEMBER_ENTRY, IDX_MEMBER_ENTRY,
		IDX_MEMBER_HARDLINK, IDX_MEMBER_WHITEOUT, IDX_MEMBER_OPAQUE };
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 0755, S_IFLNK | 0777 };
	struct idx_member m = { .kind = kinds[what], .hdr_off = hdr_off, .uid = what };

	m.mode = what < ARRAY_SIZE(modes) ? modes[what] : 0;
	m.path_len = add_path(b, in, false, &m.path);
	if (what == 2 || what == 3)
		m.link_len = add_path(b, in, what == 2, &m.link);
	if (idx_build_add(b, IDX_SEC_MEMBERS, &m, sizeof(m), NULL) < 0)
		abort();
}

static struct idx *make_layer(struct input *in)
{
	const struct idx_digest id = { .alg = IDX_SHA256, .len = 32 };
	auto_fd fd = memory_file("", 0);
	struct idx_build *b;
	struct idx *x;
	uint64_t hdr_off = 0;

	if (idx_build_new(&b, IDX_KIND_LAYER) < 0)
		abort();
	while (in->p < in->end) {
		uint8_t what = next(in) % 7;

		if (what == 6)
			break;
		add_member(b, in, what, hdr_off);
		hdr_off += 512;
	}
	if (idx_build_write(b, &id, TAR_BYTES, fd, NULL) < 0 ||
		idx_open(&x, fd, IDX_KIND_LAYER, NULL) < 0 || idx_verify(x, NULL) < 0)
		abort();
	idx_build_free(b);
	return x;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, data + (len < 4096 ? len : 4096) };
	struct idx *layers[MAX_LAYERS], *merged;
	uint32_t n = 0;

	while (n < MAX_LAYERS && in.p < in.end)
		layers[n++] = make_layer(&in);
	merged = merge_checked(layers, n);
	if (merged && walk_index(merged, NULL) < 0)
		abort();
	idx_close(merged);
	while (n > 0)
		idx_close(layers[--n]);
	return 0;
}
