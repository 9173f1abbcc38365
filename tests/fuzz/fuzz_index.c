/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index files with right checksums and any content: the reader and its promises, and the merge of a
 * layer whose index lies
 */
#include "base/cleanup.h"
#include "image/index_merge.h"
#include "tests/fuzz/fuzz.h"
#include "tests/helpers/index_files.h"
#include "tests/helpers/repair_index.h"
#include "tests/helpers/walk_index.h"

#include <string.h>

static void try_kind(int fd, enum idx_kind kind)
{
	const struct idx_digest chain = { .alg = IDX_SHA256, .len = 32 };
	struct idx *x, *merged = NULL;
	int verified;

	if (idx_open(&x, fd, kind, NULL) < 0)
		return;
	verified = idx_verify(x, NULL);
	if (walk_index(x, NULL) < 0 && verified == 0)
		abort();
	if (kind == IDX_KIND_LAYER && verified == 0)
		merged = merge_checked(&x, 1);
	else if (kind == IDX_KIND_LAYER) {
		auto_fd out = memory_file("", 0);

		(void)index_merge(&x, 1, &chain, out, NULL);
	}
	idx_close(merged);
	idx_close(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free uint8_t *copy = malloc(len + 1);
	auto_fd fd = -1;

	if (!copy)
		return 0;
	memcpy(copy, data, len);
	repair_index(copy, len);
	fd = memory_file(copy, len);
	try_kind(fd, IDX_KIND_LAYER);
	try_kind(fd, IDX_KIND_IMAGE);
	return 0;
}
