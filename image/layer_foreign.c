/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of an additional store (the contract is in the header). */
#include "image/layer_foreign.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/layer_check.h"

#include <fcntl.h>
#include <inttypes.h>

#define LIMIT_NOTE_BYTES 512

static int add_stat(struct buf *b, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Not the device: it may change with each mount of a network filesystem. */
	return buf_printf(b, "%" PRIu64 " %" PRIu64 " %lld.%09ld %lld.%09ld\n", (uint64_t)st.st_ino,
		(uint64_t)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		(long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

static bool is_noted(struct img_store *s, const char *path, const struct buf *want)
{
	auto_free char *text = NULL;
	size_t len;

	return at_read_file(img_store_dirfd(s), path, LIMIT_NOTE_BYTES, &text, &len) == 0 &&
	       len == want->len && memcmp(text, want->data, len) == 0;
}

/* A note that cannot be written costs another check the next time. */
static void note(struct img_store *s, const char *name, const struct buf *text)
{
	/* A caller may hold the lock. */
	auto_fd lock = lock_open(img_store_dirfd(s), "lock", LOCK_EXCLUSIVE, LOCK_TRY);

	if (lock < 0 || (mkdirat(img_store_dirfd(s), "verified", 0700) < 0 && errno != EEXIST))
		return;
	(void)store_put(s, "verified", name, text->data, text->len, NULL);
}

int layer_check_foreign(struct img_store *s, struct img_store *from,
	const struct idx_digest *diff_id, int tar_fd, struct err *err)
{
	char name[STORE_DIR_NAME_BYTES];
	auto_free char *idx_path = NULL, *note_path = NULL;
	auto_buf facts = { 0 };
	auto_fd idx_fd = -1;
	int r;

	store_dir_name(diff_id, name);
	idx_path = str_format("layers/%s/layer.idx", name);
	note_path = str_format("verified/%s", name);
	if (!idx_path || !note_path)
		return err_set(err, -ENOMEM, "cannot open a layer");
	idx_fd = at_open(img_store_dirfd(from), idx_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (idx_fd < 0)
		return err_set(err, idx_fd, "cannot open '%s/%s'", img_store_path(from), idx_path);
	r = add_stat(&facts, tar_fd);
	if (r == 0)
		r = add_stat(&facts, idx_fd);
	if (r < 0)
		return err_set(err, r, "cannot examine '%s/%s'", img_store_path(from), idx_path);
	if (is_noted(s, note_path, &facts))
		return 0;
	r = layer_check(tar_fd, idx_fd, diff_id, err);
	if (r != 0)
		return err_wrap(err, r < 0 ? r : -EBADMSG, "layer '%s' of '%s'", name,
			img_store_path(from));
	note(s, name, &facts);
	return 0;
}
