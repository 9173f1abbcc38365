/* SPDX-License-Identifier: Apache-2.0 */
/* Reading blobs for fsck (the contract is in the header). */
#include "image/fsck_index.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "image/names.h"
#include "image/resolve.h"

#include <dirent.h>
#include <fcntl.h>

#define READ_BYTES 262144

int fsck_blob(struct img_store *s, const char *path, const struct idx_digest *d)
{
	auto_fd fd = at_open(img_store_dirfd(s), path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	auto_free char *data = malloc(READ_BYTES);
	struct idx_digest is;
	struct hasher *h;
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || !data)
		return fd < 0 ? fd : -ENOMEM;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EBADMSG;
	r = hasher_new(&h, d->alg);
	if (r < 0)
		return r;
	while ((n = read(fd, data, READ_BYTES)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			hasher_update(h, data, (size_t)n);
	r = n < 0 ? -errno : 0;
	hasher_finish(h, &is);
	hasher_free(h);
	return r < 0 ? r : digest_eq(&is, d) ? 0 : -EBADMSG;
}

/* An entry for the blob, if it is an image's manifest whose config is there. */
static int try_blob(struct img_store *s, const char *name, struct index *x)
{
	auto_free char *text = str_format("sha256:%s", name), *data = NULL;
	auto_manifest m = { 0 };
	struct descriptor d = { .media_type = (char *)MEDIA_OCI_MANIFEST };
	struct img img;
	size_t len;

	if (!text)
		return -ENOMEM;
	if (digest_parse(text, &d.digest) < 0 ||
		store_read_blob(s, &d.digest, &data, &len, NULL) < 0 ||
		manifest_kind(data, len, NULL, NULL) != MEDIA_MANIFEST ||
		manifest_parse(data, len, &m, NULL) < 0)
		return 0;
	if (m.media_type)
		d.media_type = m.media_type;
	d.size = len;
	if (resolve_load(s, &d, &img, NULL) < 0)
		return 0;
	img_done(&img);
	return names_add_unnamed(x, &d);
}

int fsck_rebuild_index(struct img_store *s, uint32_t *ret_n, struct err *err)
{
	int root = img_store_dirfd(s), r = 0;
	int fd = at_open(root, "blobs/sha256", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	auto_index x = { 0 };
	struct dirent *de;

	if (!dir)
		return err_set(
			err, fd < 0 ? fd : -errno, "cannot list '%s/blobs'", img_store_path(s));
	while (r == 0 && (de = readdir(dir)))
		r = try_blob(s, de->d_name, &x);
	(void)closedir(dir);
	if (r < 0)
		return err_set(err, r, "cannot make index.json anew");
	if (renameat(root, "index.json", root, "index.json.damaged") < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot move index.json away");
	*ret_n = (uint32_t)x.n;
	return names_save(s, &x, err);
}
