/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the overlay in process: no mount, no kernel that caches. */
#include "base/at.h"
#include "base/cleanup.h"
#include "overlay/lower_image.h"
#include "overlay/ops.h"
#include "tests/helpers/fake_image.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const struct ovl_cred root_cred = { 0, 0, 022 };

/* A filesystem over a small image, its upper in a directory that is removed at the end. */
struct bed {
	char dir[64];
	int dirfd;
	struct ovl_fs *fs;
};

static const struct fake_entry image[] = {
	{ .path = "dir", .mode = S_IFDIR | 0755 },
	{ .path = "dir/file", .mode = S_IFREG | 0644, .data = "content" },
	{ .path = "dir/hard", .data = "dir/file" },
	{ .path = "dir/link", .mode = S_IFLNK | 0777, .data = "file" },
	{ .path = "empty", .mode = S_IFDIR | 0700 },
	{ .path = "sparse", .mode = S_IFREG | 0600, .data = "end", .hole = 8192, .size = 8195 },
};

static int open_fs(struct bed *b)
{
	struct ovl_config cfg = { .lower_id = "image:test",
		.upper_dirfd = b->dirfd,
		.flags = OVL_SQUASH_OWNER | OVL_VOLATILE,
		.squash_uid = geteuid(),
		.squash_gid = getegid() };
	int index = -1, tar = -1, r;
	struct idx *x;

	r = fake_image(image, ARRAY_SIZE(image), &index, &tar);
	if (r == 0)
		r = idx_open(&x, index, IDX_KIND_IMAGE, NULL);
	if (index >= 0)
		(void)close(index);
	if (r == 0)
		r = lower_image_new(&cfg.lower, x, &tar, 1, NULL);
	return r < 0 ? r : ovl_fs_new(&b->fs, &cfg, NULL);
}

static bool bed_open(struct bed *b)
{
	int r;

	snprintf(b->dir, sizeof(b->dir), "/var/tmp/lamina-test-XXXXXX");
	if (!mkdtemp(b->dir)) {
		test_skip("cannot make a directory in /var/tmp");
		return false;
	}
	b->dirfd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = open_fs(b);
	if (r < 0) {
		(void)close(b->dirfd);
		(void)at_remove_tree(AT_FDCWD, b->dir);
		if (r == -EOPNOTSUPP || r == -EPERM)
			test_skip("/var/tmp has no user xattrs or whiteouts");
		else
			CHECK_INT(r, ==, 0);
		return false;
	}
	return true;
}

static void reopen(struct bed *b)
{
	ovl_fs_free(b->fs);
	b->fs = NULL;
	CHECK_INT(open_fs(b), ==, 0);
}

static void bed_close(struct bed *b)
{
	ovl_fs_free(b->fs);
	(void)close(b->dirfd);
	CHECK_INT(at_remove_tree(AT_FDCWD, b->dir), ==, 0);
}

static struct ovl_entry find(struct bed *b, uint64_t dir, const char *name)
{
	struct ovl_entry e = { 0 };

	CHECK_INT(ovl_lookup(b->fs, dir, name, &e), ==, 0);
	return e;
}

/* The first bytes of a file, up to 63, as a string. */
static const char *text_of(struct bed *b, uint64_t id, char text[64])
{
	static char buf[64];
	struct iovec iov[OVL_READ_IOV];
	int pair[2], n = ovl_read(b->fs, id, 0, 63, buf, iov);
	ssize_t len = 0;

	memset(text, 0, 64);
	if (n < 0 || pipe(pair) < 0)
		return "error";
	if (n > 0)
		len = writev(pair[1], iov, n);
	if (len > 0)
		len = read(pair[0], text, 63);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return text;
}

static ssize_t write_text(struct bed *b, uint64_t id, const char *text, off_t off)
{
	struct ovl_write w = { .buf = text, .len = strlen(text), .off = off };

	return ovl_write(b->fs, id, &w);
}

TEST(an_inode_keeps_its_numbers_over_copy_up_and_reopening)
{
	struct bed b;
	struct ovl_entry before, hard, after;
	struct stat st;
	char text[64];

	if (!bed_open(&b))
		return;
	before = find(&b, find(&b, OVL_ROOT, "dir").id, "file");
	CHECK_INT(before.st.st_nlink, ==, 2);
	CHECK_INT(write_text(&b, before.id, "C", 0), ==, 1);
	hard = find(&b, find(&b, OVL_ROOT, "dir").id, "hard");
	CHECK_INT(hard.id, ==, before.id);
	CHECK_STR(text_of(&b, hard.id, text), "Content");
	CHECK_INT(ovl_getattr(b.fs, before.id, &st), ==, 0);
	CHECK_INT(st.st_ino, ==, before.st.st_ino);
	CHECK_INT(st.st_nlink, ==, 2);
	reopen(&b);
	after = find(&b, find(&b, OVL_ROOT, "dir").id, "file");
	CHECK_INT(after.id, ==, before.id);
	CHECK_INT(after.st.st_ino, ==, before.st.st_ino);
	CHECK_INT(after.st.st_nlink, ==, 2);
	CHECK_STR(text_of(&b, after.id, text), "Content");
	bed_close(&b);
}

TEST(what_was_forgotten_is_found_again)
{
	struct bed b;
	struct ovl_entry dir, e;
	char text[64];

	if (!bed_open(&b))
		return;
	dir = find(&b, OVL_ROOT, "dir");
	for (int i = 0; i < 3; i++) {
		e = find(&b, dir.id, "file");
		CHECK_INT(write_text(&b, e.id, "x", i), ==, 1);
		ovl_forget(b.fs, e.id, 1);
	}
	e = find(&b, dir.id, "hard");
	CHECK_STR(text_of(&b, e.id, text), "xxxtent");
	bed_close(&b);
}

TEST(the_last_name_to_go_frees_the_copy)
{
	struct bed b;
	struct ovl_entry dir, e;
	struct stat st;

	if (!bed_open(&b))
		return;
	dir = find(&b, OVL_ROOT, "dir");
	e = find(&b, dir.id, "file");
	CHECK_INT(write_text(&b, e.id, "C", 0), ==, 1);
	CHECK_INT(ovl_unlink(b.fs, dir.id, "file"), ==, 0);
	CHECK_INT(ovl_getattr(b.fs, e.id, &st), ==, 0);
	CHECK_INT(st.st_nlink, ==, 1);
	CHECK_INT(ovl_unlink(b.fs, dir.id, "hard"), ==, 0);
	CHECK_INT(ovl_getattr(b.fs, e.id, &st), ==, 0);
	CHECK_INT(st.st_nlink, ==, 0);
	CHECK_INT(write_text(&b, e.id, "more", 7), ==, 4);
	CHECK_INT(ovl_lookup(b.fs, dir.id, "hard", &e), ==, -ENOENT);
	reopen(&b);
	CHECK_INT(ovl_lookup(b.fs, find(&b, OVL_ROOT, "dir").id, "file", &e), ==, -ENOENT);
	bed_close(&b);
}

TEST(a_lower_file_written_after_its_removal_stays_removed)
{
	struct bed b;
	struct ovl_entry e;
	char text[64];

	if (!bed_open(&b))
		return;
	e = find(&b, OVL_ROOT, "sparse");
	CHECK_INT(ovl_unlink(b.fs, OVL_ROOT, "sparse"), ==, 0);
	CHECK_INT(write_text(&b, e.id, "late", 0), ==, 4);
	CHECK_STR(text_of(&b, e.id, text), "late");
	CHECK_INT(ovl_lookup(b.fs, OVL_ROOT, "sparse", &e), ==, -ENOENT);
	bed_close(&b);
}

TEST(errors_change_nothing)
{
	static const struct ovl_new file = { .mode = S_IFREG | 0644 };
	struct bed b;
	struct ovl_entry dir, e;
	struct ovl_rename mv = { OVL_ROOT, OVL_ROOT, "dir", "moved", 0 };
	char name[300];

	if (!bed_open(&b))
		return;
	dir = find(&b, OVL_ROOT, "dir");
	CHECK_INT(ovl_make(b.fs, dir.id, "file", &file, &root_cred, &e), ==, -EEXIST);
	CHECK_INT(ovl_rmdir(b.fs, OVL_ROOT, "dir"), ==, -ENOTEMPTY);
	CHECK_INT(ovl_rmdir(b.fs, dir.id, "file"), ==, -ENOTDIR);
	CHECK_INT(ovl_unlink(b.fs, OVL_ROOT, "dir"), ==, -EISDIR);
	CHECK_INT(ovl_unlink(b.fs, OVL_ROOT, "nothing"), ==, -ENOENT);
	mv.flags = 8;
	CHECK_INT(ovl_rename(b.fs, &mv), ==, -EINVAL);
	memset(name, 'n', 256);
	name[256] = '\0';
	CHECK_INT(ovl_make(b.fs, dir.id, name, &file, &root_cred, &e), ==, -ENAMETOOLONG);
	CHECK_INT(ovl_getattr(b.fs, 12345, &e.st), ==, -ESTALE);
	CHECK_INT(write_text(&b, dir.id, "x", 0), ==, -EISDIR);
	bed_close(&b);
}

TEST(a_new_directory_over_a_removed_one_hides_what_was_below)
{
	static const struct ovl_new dir = { .mode = S_IFDIR | 0755 };
	struct bed b;
	struct ovl_entry e, sub;

	if (!bed_open(&b))
		return;
	sub = find(&b, OVL_ROOT, "dir");
	CHECK_INT(ovl_unlink(b.fs, sub.id, "file"), ==, 0);
	CHECK_INT(ovl_unlink(b.fs, sub.id, "hard"), ==, 0);
	CHECK_INT(ovl_unlink(b.fs, sub.id, "link"), ==, 0);
	CHECK_INT(ovl_rmdir(b.fs, OVL_ROOT, "dir"), ==, 0);
	CHECK_INT(ovl_make(b.fs, OVL_ROOT, "dir", &dir, &root_cred, &e), ==, 0);
	CHECK(e.id != sub.id);
	CHECK_INT(ovl_lookup(b.fs, e.id, "file", &sub), ==, -ENOENT);
	reopen(&b);
	e = find(&b, OVL_ROOT, "dir");
	CHECK_INT(ovl_lookup(b.fs, e.id, "file", &sub), ==, -ENOENT);
	CHECK_INT(e.st.st_nlink, ==, 2);
	bed_close(&b);
}

TEST(an_upper_is_opened_once)
{
	struct bed b, second;

	if (!bed_open(&b))
		return;
	second = b;
	CHECK_INT(open_fs(&second), ==, -EBUSY);
	bed_close(&b);
}
