/* SPDX-License-Identifier: Apache-2.0 */
/* Records of tar-split: whatever they say, only the layer's own files are read, to a bounded end. */
#include "base/at.h"
#include "image/tar_split.h"
#include "tests/fuzz/fuzz.h"
#include "tests/helpers/mem_source.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/fuzz-XXXXXX";

static void remove_dir(void)
{
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)at_remove_tree(tmp, path + strlen("/tmp/"));
	(void)close(tmp);
}

/* A directory with the file f of 5 bytes, for as long as the program runs. */
static int layer_dir(void)
{
	int dirfd;

	if (!mkdtemp(path))
		abort();
	(void)atexit(remove_dir);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)at_replace_file(dirfd, "f", "hello", 5, 0600, 0);
	return dirfd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int dirfd = -1;
	struct mem_source records;
	struct source *s;
	const uint8_t *piece;
	size_t n, total = 0;

	if (dirfd < 0)
		dirfd = layer_dir();
	mem_source_init(&records, data, len, 11);
	if (source_tar_split_new_take(&s, &records.base, dup(dirfd), NULL) < 0)
		return 0;
	while (source_next(s, &piece, &n, NULL) > 0) {
		assert(n > 0);
		total += n;
	}
	/* A record of a file is longer than the file. */
	assert(total <= len);
	source_close(s);
	return 0;
}
