/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of images: what their index names is read or refused, by all readers. */
#include "base/fd.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/dir_image.h"
#include "image/docker_archive.h"
#include "image/layout.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <sys/mman.h>

typedef int open_fn(struct origin **, struct files *, const struct place *, struct err *);

static void read_blob(struct origin *o, const struct descriptor *d)
{
	auto_source s = NULL;
	const uint8_t *data;
	size_t len;

	if (o->ops->blob(o, NULL, d, 0, &s, NULL) < 0)
		return;
	while (source_next(s, &data, &len, NULL) > 0)
		assert(len > 0);
}

static void read_image(open_fn *open, const char *path, const char *ref)
{
	const struct place p = { PLACE_OCI_ARCHIVE, (char *)path, (char *)ref };
	struct files *f;
	struct origin *o;
	auto_document doc = { 0 };
	auto_manifest m = { 0 };

	if (files_open_tar(&f, path, "/tmp", NULL) < 0 || open(&o, f, &p, NULL) < 0)
		return;
	assert(o->name && *o->name);
	if (o->ops->top(o, NULL, &doc, NULL) == 0 &&
		manifest_parse(doc.data, doc.len, &m, NULL) == 0) {
		read_blob(o, &m.config);
		for (uint32_t i = 0; i < m.n_layers && i < 4; i++)
			read_blob(o, &m.layers[i]);
	}
	o->ops->close(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_fd fd = memfd_create("archive", MFD_CLOEXEC);
	auto_free char *path = str_format("/proc/self/fd/%d", fd);

	if (fd < 0 || !path || fd_write_all(fd, data, len) < 0)
		return 0;
	read_image(layout_open_take_files, path, NULL);
	read_image(layout_open_take_files, path, "x");
	read_image(docker_archive_open_take_files, path, "@0");
	read_image(docker_archive_open_take_files, path, "foo:1");
	read_image(dir_image_open_take_files, path, NULL);
	return 0;
}
