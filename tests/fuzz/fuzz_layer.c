/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar as a layer, twice in a chain: what is accepted gives indexes that verify
 *
 * Checksums of headers are made right first, or the fuzzer would not get past them.
 */
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"
#include "tests/helpers/index_files.h"
#include "tests/helpers/make_tar.h"
#include "tests/helpers/walk_index.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free uint8_t *copy = malloc(len + 1);
	struct idx *layers[2], *merged;

	if (!copy)
		return 0;
	memcpy(copy, data, len);
	/* A header says that it is one: 'ustar' stands in its place. */
	for (size_t off = 0; off + 512 <= len; off += 512)
		if (memcmp(copy + off + 257, "ustar", 5) == 0)
			make_tar_fix(copy + off);
	layers[0] = layers[1] = layer_from_tar(copy, len);
	if (!layers[0])
		return 0;
	if (walk_index(layers[0], NULL) < 0)
		abort();
	merged = merge_checked(layers, 2);
	if (merged && walk_index(merged, NULL) < 0)
		abort();
	idx_close(merged);
	idx_close(layers[0]);
	return 0;
}
