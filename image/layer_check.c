/* SPDX-License-Identifier: Apache-2.0 */
/* Layers are checked by making their index again. */
#include "image/layer_check.h"

#include "base/fd.h"
#include "image/layer_write.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Return: 1 if both files hold the same bytes; 0 if not. */
static int is_equal(int a, int b)
{
	char buf_a[16384], buf_b[sizeof(buf_a)];
	struct stat st_a, st_b;

	if (fstat(a, &st_a) < 0 || fstat(b, &st_b) < 0)
		return -errno;
	if (st_a.st_size != st_b.st_size)
		return 0;
	for (off_t off = 0; off < st_a.st_size; off += (off_t)sizeof(buf_a)) {
		size_t left = (size_t)(st_a.st_size - off);
		size_t n = left < sizeof(buf_a) ? left : sizeof(buf_a);
		int r = fd_pread_all(a, buf_a, n, off);

		if (r == 0)
			r = fd_pread_all(b, buf_b, n, off);
		if (r < 0)
			return r;
		if (memcmp(buf_a, buf_b, n) != 0)
			return 0;
	}
	return 1;
}

int layer_check(int tar_fd, int idx_fd, const struct idx_digest *diff_id, struct err *err)
{
	auto_fd again = memfd_create("layer.idx", MFD_CLOEXEC);
	char text[DIGEST_TEXT_BYTES];
	struct layer_stats stats;
	int r;

	if (again < 0)
		return err_set(err, -errno, "cannot check the layer");
	r = layer_index(tar_fd, again, diff_id->alg, &stats, err);
	if (r < 0)
		return err_wrap(err, r, "its tar is damaged");
	if (!digest_eq(&stats.diff_id, diff_id)) {
		digest_text(&stats.diff_id, text);
		return err_say(err, -EBADMSG, "its tar is damaged: digest is %s", text);
	}
	if (idx_fd < 0) {
		err_say(err, -ENOENT, "its index is missing");
		return 1;
	}
	r = is_equal(again, idx_fd);
	if (r < 0)
		return err_set(err, r, "cannot read its index");
	if (r == 0)
		err_say(err, -EBADMSG, "its index is damaged");
	return r == 0;
}
