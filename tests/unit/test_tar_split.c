/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar_split.h"

#include "base/at.h"
#include "base/fd.h"
#include "image/blob_source.h"
#include "tests/helpers/mem_source.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A directory with the files f ("hello"), d/g ("x"), \xff ("raw"), a link out of it, and a FIFO. */
static int make_dir(char *path)
{
	int dirfd;

	CHECK(mkdtemp(path) != NULL);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dirfd >= 0);
	CHECK_INT(at_replace_file(dirfd, "f", "hello", 5, 0600, 0), ==, 0);
	CHECK_INT(at_replace_file(dirfd, "\xff", "raw", 3, 0600, 0), ==, 0);
	CHECK_INT(mkdirat(dirfd, "d", 0700), ==, 0);
	CHECK_INT(at_replace_file(dirfd, "g", "x", 1, 0600, 0), ==, 0);
	CHECK_INT(renameat(dirfd, "g", dirfd, "d/g"), ==, 0);
	CHECK_INT(symlinkat("/d", dirfd, "link"), ==, 0);
	CHECK_INT(symlinkat("/etc/hostname", dirfd, "out"), ==, 0);
	CHECK_INT(mkfifoat(dirfd, "fifo", 0600), ==, 0);
	return dirfd;
}

static int read_all(const char *records, int dirfd, char **ret, size_t *ret_len)
{
	struct mem_source mem;
	auto_source s = NULL;
	int r;

	mem_source_init(&mem, records, strlen(records), 7);
	r = source_tar_split_new_take(&s, &mem.base, dup(dirfd), NULL);
	return r < 0 ? r : source_read_all(s, 1000, ret, ret_len, NULL);
}

TEST(records_and_files_make_the_bytes)
{
	static const struct {
		const char *records, *want; /* @want NULL: refused */
	} cases[] = {
		{ "", "" },
		{ "{\"type\":2,\"payload\":\"QUI=\"}\n", "AB" },
		{ "{\"type\":2,\"payload\":\"QUI=\"}\n\n{\"type\":1,\"name\":\"f\",\"size\":5}\n"
		  "{\"type\":2,\"payload\":\"Qw\"}",
			"ABhelloC" },
		{ "{\"type\":1,\"name\":\"d/\",\"payload\":null}", "" },
		{ "{\"type\":2}", "" },
		{ "{\"type\":1,\"name\":\"/d/g\",\"size\":1}", "x" },
		/* Links of directories lead within the layer. */
		{ "{\"type\":1,\"name\":\"link/g\",\"size\":1}", "x" },
		{ "{\"type\":1,\"name\":\"../../f\",\"size\":5}", "hello" },
		{ "{\"type\":1,\"name\":\"\\ufffd\",\"name_raw\":\"/w==\",\"size\":3}", "raw" },
		{ "{\"type\":1,\"name\":\"out\",\"size\":5}", NULL },
		{ "{\"type\":1,\"name\":\"fifo\",\"size\":5}", NULL },
		{ "{\"type\":1,\"name\":\"d\",\"size\":5}", NULL },
		{ "{\"type\":1,\"name\":\"none\",\"size\":5}", NULL },
		{ "{\"type\":1,\"name\":\"f\",\"size\":4}", NULL },
		{ "{\"type\":1,\"name\":\"f\",\"size\":6}", NULL },
		{ "{\"type\":1,\"name\":\"f\",\"size\":-5}", NULL },
		{ "{\"type\":1,\"size\":5}", NULL },
		{ "{\"type\":1,\"name\":\"f\",\"name_raw\":\"AA==\",\"size\":5}", NULL },
		{ "{\"type\":1,\"name\":\"f\",\"name_raw\":\"!\",\"size\":5}", NULL },
		{ "{\"type\":2,\"payload\":\"Q!\"}", NULL },
		{ "{\"type\":2,\"payload\":5}", NULL },
		{ "{\"type\":3}", NULL },
		{ "{\"name\":\"f\"}", NULL },
		{ "[]", NULL },
		{ "{", NULL },
	};
	char path[] = "/tmp/test_tar_split-XXXXXX";
	auto_fd dirfd = make_dir(path);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = NULL;
		size_t len = 0;
		int r = read_all(cases[i].records, dirfd, &got, &len);

		CHECK_INT(r, ==, cases[i].want ? 0 : -EBADMSG);
		if (r == 0 && cases[i].want)
			CHECK_STR(got, cases[i].want);
	}
	(void)close(fd_take(&dirfd));
	dirfd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(at_remove_tree(dirfd, path + strlen("/tmp/")), ==, 0);
}

TEST(an_error_stays)
{
	static const char records[] = "{\"type\":3}\n{\"type\":2,\"payload\":\"QUI=\"}\n";
	struct mem_source mem;
	auto_source s = NULL;
	const uint8_t *data;
	size_t len;

	mem_source_init(&mem, records, sizeof(records) - 1, 0);
	CHECK_INT(source_tar_split_new_take(&s, &mem.base, open("/tmp", O_PATH | O_CLOEXEC), NULL),
		==, 0);
	CHECK_INT(source_next(s, &data, &len, NULL), ==, -EBADMSG);
	CHECK_INT(source_next(s, &data, &len, NULL), ==, -EBADMSG);
}
