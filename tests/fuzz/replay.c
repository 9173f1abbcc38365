/* SPDX-License-Identifier: Apache-2.0 */
/* usage: fuzz_NAME DIRECTORY: run a fuzz target on each file, print TAP. */
#include "base/at.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>

#define LIMIT_INPUT (64 << 20)

static void run(int dirfd, const char *name, int n)
{
	auto_free char *data = NULL;
	size_t len = 0;

	if (at_read_file(dirfd, name, LIMIT_INPUT, &data, &len) < 0) {
		printf("not ok %d - %s cannot be read\n", n, name);
		return;
	}
	/* Said first, so that a crash is seen to be this input's. */
	printf("# %s\n", name);
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)data, len);
	printf("ok %d - %s\n", n, name);
}

int main(int argc, char **argv)
{
	struct dirent *e;
	DIR *dir;
	int n = 0;

	dir = argc == 2 ? opendir(argv[1]) : NULL;
	if (!dir) {
		(void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 1;
	}
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			run(dirfd(dir), e->d_name, ++n);
	(void)closedir(dir);
	printf("1..%d\n", n);
	return 0;
}
