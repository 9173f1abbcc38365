/* SPDX-License-Identifier: Apache-2.0 */
/* An overlay in process, and what clients see of it. */
#include "tests/helpers/ovl_bed.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "overlay/lower_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int bed_mount(struct bed *b)
{
	struct ovl_config cfg = { .lower_id = "image:test",
		.upper_dirfd = b->dirfd,
		.flags = b->flags | OVL_SQUASH_OWNER,
		.squash_uid = geteuid(),
		.squash_gid = getegid() };
	int index = -1, tar = -1, r;
	struct idx *x;

	r = fake_image(b->image, b->n_image, &index, &tar);
	if (r == 0)
		r = idx_open(&x, index, IDX_KIND_IMAGE, NULL);
	if (index >= 0)
		(void)close(index);
	if (r == 0)
		r = lower_image_new(&cfg.lower, x, &tar, 1, NULL);
	return r < 0 ? r : ovl_fs_new(&b->fs, &cfg, NULL);
}

void bed_unmount(struct bed *b)
{
	ovl_fs_free(b->fs);
	b->fs = NULL;
}

int bed_make(struct bed *b)
{
	static const char *const places[] = { "/dev/shm", "/var/tmp" };
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(b->dir, sizeof(b->dir), "%s/lamina-faults-XXXXXX", places[i]);
		if (!mkdtemp(b->dir))
			continue;
		b->dirfd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = bed_mount(b);
		if (r == 0) {
			bed_unmount(b);
			return 0;
		}
		(void)close(b->dirfd);
		(void)at_remove_tree(AT_FDCWD, b->dir);
	}
	return r;
}

void bed_empty(struct bed *b)
{
	static const char *const parts[] = { "upper", "work", "index", "super", "lock" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		(void)at_remove_tree(b->dirfd, parts[i]);
}

struct bed_path bed_walk(struct bed *b, const char *path)
{
	struct bed_path at = { .dir = OVL_ROOT, .id = OVL_ROOT };
	const char *slash;

	do {
		struct ovl_entry e;

		slash = strchr(path, '/');
		snprintf(at.name, sizeof(at.name), "%.*s",
			(int)(slash ? slash - path : (long)strlen(path)), path);
		at.dir = at.id;
		at.r = ovl_lookup(b->fs, at.dir, at.name, &e);
		at.id = at.r == 0 ? e.id : 0;
		path = slash ? slash + 1 : path;
	} while (slash && at.r == 0);
	return at;
}

/* ---- what clients see ---- */

struct dump {
	struct bed *b;
	struct buf entry;
	struct strv dirs, entries;
	const char *top;
	int r;
};

static int dump_content(struct bed *b, uint64_t id, struct buf *ret)
{
	static char buf[16384];
	struct iovec iov[OVL_READ_IOV];
	int n = ovl_read(b->fs, id, 0, sizeof(buf), buf, iov);

	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++) {
			char c = ((const char *)iov[i].iov_base)[k];
			int r = buf_add(ret, c ? &c : "0", 1);

			if (r < 0)
				return r;
		}
	return n < 0 ? n : buf_add(ret, "\n", 1);
}

static bool dump_entry(void *ctx, const struct ovl_dirent *de)
{
	struct dump *d = ctx;
	const struct stat *st = &de->st;
	auto_free char *target = NULL;

	if (str_eq(de->name, ".") || str_eq(de->name, ".."))
		return true;
	buf_done(&d->entry);
	d->r = buf_printf(&d->entry, "%s/%s %o %lu %lld ino %llx ", d->top, de->name, st->st_mode,
		(unsigned long)st->st_nlink, S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size,
		st->st_ino >> 63 ? 0ULL : (unsigned long long)st->st_ino);
	if (d->r == 0 && S_ISLNK(st->st_mode))
		d->r = ovl_readlink(d->b->fs, de->id, &target);
	if (d->r == 0 && target)
		d->r = buf_add_str(&d->entry, target);
	if (d->r == 0)
		d->r = buf_printf(&d->entry, " x %d\n",
			(int)ovl_getxattr(d->b->fs, de->id, "user.x", NULL, 0));
	if (d->r == 0 && S_ISREG(st->st_mode))
		d->r = dump_content(d->b, de->id, &d->entry);
	if (d->r == 0)
		d->r = strv_add(&d->entries, d->entry.data);
	if (d->r == 0 && S_ISDIR(st->st_mode))
		d->r = strv_addf(&d->dirs, "%s/%s", d->top, de->name);
	return d->r == 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *bed_dump(struct bed *b)
{
	struct dump d = { .b = b };
	int r = strv_add(&d.dirs, "");

	for (size_t i = 0; r == 0 && i < d.dirs.n; i++) {
		struct bed_path at = { .id = OVL_ROOT };

		d.top = d.dirs.v[i];
		if (*d.top)
			at = bed_walk(b, d.top + 1);
		r = at.r;
		if (r == 0)
			r = ovl_readdir(b->fs, at.id, 0, OVL_READDIR_PLUS, dump_entry, &d);
		r = r < 0 ? r : d.r;
	}
	buf_done(&d.entry);
	strv_done(&d.dirs);
	if (r == 0)
		qsort(d.entries.v, d.entries.n, sizeof(char *), compare);
	for (size_t i = 0; r == 0 && i < d.entries.n; i++)
		r = buf_add_str(&d.entry, d.entries.v[i]);
	strv_done(&d.entries);
	if (r < 0)
		buf_done(&d.entry);
	return r < 0 ? NULL : buf_take(&d.entry);
}

void bed_remove(struct bed *b)
{
	bed_empty(b);
	(void)close(b->dirfd);
	(void)at_remove_tree(AT_FDCWD, b->dir);
}
