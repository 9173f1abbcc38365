/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains in a small language, one member a line, and the tree that they must give
 *
 *      d PATH [MODE]   directory        w PATH          whiteout
 *      f PATH [SIZE]   file             o PATH          opaque mark
 *      s PATH TARGET   symlink          h PATH TARGET   hard link
 *
 * A tree is its paths in order: "d path/mode", "f path/size/nlink", "s path>target".
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "image/index_merge.h"
#include "overlay/index_build.h"
#include "overlay/inum.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define TAR_BYTES (1 << 30)

static uint32_t add_string(struct idx_build *b, const char *s)
{
	uint64_t off = 0;

	CHECK_INT(idx_build_add(b, IDX_SEC_STRINGS, s, strlen(s), &off), ==, 0);
	return (uint32_t)off;
}

static void add_member(struct idx_build *b, const char *line, uint64_t hdr_off)
{
	struct idx_member m = { .hdr_off = hdr_off, .mtime_sec = (int64_t)hdr_off };
	char kind, path[8192] = "", arg[8192] = "";

	CHECK(sscanf(line, "%c %8191s %8191s", &kind, path, arg) >= 2);
	if (str_eq(path, "."))
		path[0] = '\0';
	m.kind = kind == 'h'   ? IDX_MEMBER_HARDLINK
		 : kind == 'w' ? IDX_MEMBER_WHITEOUT
		 : kind == 'o' ? IDX_MEMBER_OPAQUE
			       : IDX_MEMBER_ENTRY;
	m.mode = kind == 'd'   ? S_IFDIR | (mode_t)strtoul(arg[0] ? arg : "755", NULL, 8)
		 : kind == 's' ? S_IFLNK | 0777
			       : S_IFREG | 0644;
	m.size = kind == 'f' ? strtoul(arg, NULL, 10) : 0;
	m.data = m.size ? hdr_off + 512 : 0;
	m.path = add_string(b, path);
	m.path_len = (uint32_t)strlen(path);
	if (kind == 's' || kind == 'h') {
		m.link = add_string(b, arg);
		m.link_len = (uint32_t)strlen(arg);
	}
	CHECK_INT(idx_build_add(b, IDX_SEC_MEMBERS, &m, sizeof(m), NULL), ==, 0);
}

static struct idx *make_layer(const char *spec, unsigned int number)
{
	const struct idx_digest id = { .alg = IDX_SHA256, .len = 32, .bytes = { (uint8_t)number } };
	auto_free char *copy = strdup(spec);
	auto_fd fd = memfd_create("layer", MFD_CLOEXEC);
	struct idx_build *b = NULL;
	struct err err = ERR_INIT;
	struct idx *x = NULL;
	char *rest = copy, *line;
	uint64_t hdr_off = 0;

	CHECK_INT(idx_build_new(&b, IDX_KIND_LAYER), ==, 0);
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			add_member(b, line, hdr_off);
		hdr_off += 1024;
	}
	CHECK_INT(idx_build_write(b, &id, TAR_BYTES, fd, &err), ==, 0);
	idx_build_free(b);
	CHECK_INT(idx_open(&x, fd, IDX_KIND_LAYER, &err), ==, 0);
	CHECK_STR(err.text, "");
	return x;
}

/* Merge the layers (up to a NULL) into an open index; NULL with the text in @err. */
static struct idx *merge(const char *const *specs, struct err *err)
{
	const struct idx_digest chain = { .alg = IDX_SHA256, .len = 32 };
	auto_fd fd = memfd_create("image", MFD_CLOEXEC);
	struct idx *layers[16], *x = NULL;
	uint32_t n = 0;
	int r;

	for (; specs[n]; n++)
		layers[n] = make_layer(specs[n], n);
	r = index_merge(layers, n, &chain, fd, err);
	if (r == 0)
		r = idx_open(&x, fd, IDX_KIND_IMAGE, err);
	if (r == 0)
		CHECK_INT(idx_verify(x, err), ==, 0);
	while (n > 0)
		idx_close(layers[--n]);
	return x;
}

static void list(struct idx *x, uint32_t row, const char *path, struct strv *out)
{
	struct idx_inode in;
	struct idx_dirent e, found;

	for (uint32_t i = 0; idx_entry(x, row, i, &e) == 0; i++) {
		auto_free char *child =
			str_format("%s%s%.*s", path, *path ? "/" : "", e.len, e.name);
		const char *target = "";

		CHECK_INT(idx_lookup(x, row, e.name, e.len, &found), ==, 0);
		CHECK_INT(found.inode, ==, e.inode);
		CHECK_INT(found.ordinal, ==, i);
		CHECK_INT(idx_inode(x, e.inode, &in), ==, 0);
		if (S_ISDIR(in.mode)) {
			strv_addf(out, "d %s/%o", child, in.mode & 07777);
			list(x, e.inode, child, out);
		} else if (S_ISLNK(in.mode)) {
			CHECK_INT(idx_string(x, (uint32_t)in.data, (uint32_t)in.size, &target), ==,
				0);
			strv_addf(out, "s %s>%.*s", child, (int)in.size, target);
		} else {
			strv_addf(out, "f %s/%d/%u", child, (int)in.size, in.nlink);
		}
	}
}

static int cmp_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a + 2, *(char *const *)b + 2);
}

static char *tree_of(struct idx *x)
{
	auto_strv lines = { 0 };
	auto_buf out = { 0 };

	list(x, 0, "", &lines);
	if (lines.n)
		qsort(lines.v, lines.n, sizeof(*lines.v), cmp_paths);
	for (size_t i = 0; i < lines.n; i++)
		buf_printf(&out, "%s%s", i ? "\n" : "", lines.v[i]);
	return buf_take(&out);
}

static void check_tree(const char *const *specs, const char *want)
{
	struct err err = ERR_INIT;
	struct idx *x = merge(specs, &err);
	auto_free char *got = x ? tree_of(x) : NULL;

	CHECK_STR(err.text, "");
	CHECK_STR(got, want);
	idx_close(x);
}
#define TREE(want, ...) check_tree((const char *const[]){ __VA_ARGS__, NULL }, want)

static void check_refused(const char *const *specs, const char *why)
{
	struct err err = ERR_INIT;
	struct idx *x = merge(specs, &err);

	CHECK(!x);
	CHECK(strstr(err.text, why) != NULL);
	if (!strstr(err.text, why))
		CHECK_STR(err.text, why);
	idx_close(x);
}
#define REFUSED(why, ...) check_refused((const char *const[]){ __VA_ARGS__, NULL }, why)

TEST(layers_add_up)
{
	TREE("", "");
	TREE("d a/700\nf a/x/3/1\nf b/1/1", "d a 700\nf a/x 5", "f b 1\nf a/x 3");
	TREE("d d/700", "d d 755", "d d 700"); /* metadata of the topmost */
	TREE("f d/1/1", "d d\nf d/x\nf d/y", "f d 1");
	TREE("d d/755\nf d/x/0/1", "f d 1", "d d\nf d/x");
}

TEST(parents_without_an_entry_keep_what_lower_layers_say)
{
	TREE("d d/700\nf d/x/0/1", "d d 700", "f d/x");
	TREE("d p/755\nd p/q/755\nf p/q/x/0/1", "f p/q/x");
	TREE("d p/711\nd p/q/755", "d p/q\nd p 711"); /* the parent's entry comes after */
	TREE("d f/755\nf f/x/0/1", "f f 1", "f f/x"); /* a file that became a directory */
}

TEST(whiteouts_hide_lower_content_wherever_they_stand)
{
	TREE("d d/755", "d d\nf d/x", "w d/x");
	TREE("d d/755\nd d/s/755\nf d/s/new/0/1", "d d\nd d/s\nf d/s/old",
		"w d/s\nd d/s\nf d/s/new");
	TREE("d d/755\nd d/s/755\nf d/s/new/0/1", "d d\nd d/s\nf d/s/old",
		"d d/s\nf d/s/new\nw d/s");
	TREE("f x/0/1", "f x", "w y\nw no/such/dir/z\nw x/y");
	TREE("d d/755\nf d/keep/0/1\ns l>d", "d d\nf d/keep\nf l", "s l d\nw l");
	TREE("d d/755\ns l>d", "d d\nf d/x\ns l d", "w l/x"); /* its parent is followed */
	TREE("d d/755\nf d/x/0/1", "d d\nf d/x\ns l d", "w l"); /* itself is not */
}

TEST(opaque_marks_empty_lower_directories_only)
{
	TREE("d d/700\nf d/new/0/1", "d d 700\nf d/old\nd d/s\nf d/s/x", "f d/new\no d");
	TREE("d d/755\nd d/s/755\nf d/s/n/0/1", "d d\nd d/s\nf d/s/o", "o d\nd d/s\nf d/s/n");
	TREE("f new/0/1", "f old\nd d\nf d/x", "o .\nf new");
	TREE("f x/1/1", "f x 1", "o x\no nothing");
	TREE("d d/755\nf d/x/0/1\ns l>d", "d d\nf d/x\ns l d", "o l");
	TREE("f d/3/0/1\nd d/755", "d d\nf d/1", "o d\nf d/2", "o d\nf d/3");
}

TEST(hard_links_are_names_of_one_inode)
{
	TREE("f a/1/2\nf b/1/2", "f a 1\nh b a");
	TREE("f a/1/2\nf b/1/2", "f a 1", "h b a");
	TREE("f a/2/1\nf b/1/1", "f a 1\nh b a", "f a 2");
	TREE("f b/1/1", "f a 1\nh b a", "w a");
	TREE("s a>t\ns b>t", "s a t\nh b a"); /* the link itself */
	TREE("d d/755\nf d/x/1/2\ns l>d\nf y/1/2", "d d\nf d/x 1\ns l d\nh y l/x");
	TREE("f a/1/1", "f a 1\nh a a");
	TREE("f d/7/1", "d d\nf d/x 7", "h d d/x"); /* the target lies in what it replaces */
	REFUSED("'b' to 'a'", "h b a");
	REFUSED("layer 2 of 2: hard link 'b' to 'd'", "d d", "h b d");
	REFUSED("hard link", "f a\nh b a/x");
	REFUSED("hard link", "f a", "w a\nh b a");
}

TEST(links_in_paths_stay_inside_the_root)
{
	TREE("s lib>usr/lib\nd usr/755\nd usr/lib/755\nf usr/lib/x/0/1",
		"d usr\nd usr/lib\ns lib usr/lib", "f lib/x");
	TREE("d etc/755\nf etc/x/0/1\ns l>/etc", "d etc\ns l /etc\nf l/x");
	TREE("s l>../../../tmp\nd tmp/755\nf tmp/x/0/1", "s l ../../../tmp\nf l/x");
	TREE("d a/755\ns a/up>..\nf x/0/1", "d a\ns a/up ..\nf a/up/x");
	TREE("d d/755\nf d/f/0/1\nd l/755\nf l/f/0/1", "d d\ns l d",
		"d l\nf l/f\nw d\nd d\nw l\nf d/f\nw l/g");
	REFUSED("'l/x'", "s l l\nf l/x");
	REFUSED("'a/x'", "s a b\ns b a\nf a/x");
}

TEST(an_entry_replaces_a_link_and_never_what_it_points_to)
{
	TREE("d d/755\nf d/x/0/1\nf l/1/1", "d d\nf d/x\ns l d\nf l 1");
	TREE("d d/755\nd l/700\nf l/y/0/1", "d d\ns l d", "d l 700\nf l/y");
	TREE("f l/2/1\nf t/1/1", "f t 1\ns l t\nf l 2");
}

TEST(the_root_is_a_directory_with_metadata_of_its_own)
{
	struct err err = ERR_INIT;
	struct idx *x = merge((const char *const[]){ "d . 700\nf a", NULL }, &err);
	struct idx_inode root;

	CHECK(x && idx_inode(x, 0, &root) == 0);
	CHECK_INT(root.mode, ==, S_IFDIR | 0700);
	CHECK_INT(root.ino, ==, INUM_ROOT);
	idx_close(x);
	REFUSED("member 0", "f .");
	REFUSED("member 0", "s . /");
}

TEST(numbers_come_from_layer_bytes_and_never_twice)
{
	struct err err = ERR_INIT;
	/* The second file's link goes down, up and down again: two implied directories of depth 1.
	 */
	struct idx *x = merge((const char *const[]){ "s l p/../q\nf l/a/b", "f p/c", NULL }, &err);
	struct idx_inode a, b;
	struct inum num;

	CHECK(x != NULL);
	for (uint32_t i = 1; x && i < idx_n_inodes(x); i++) {
		CHECK_INT(idx_inode(x, i, &a), ==, 0);
		CHECK(inum_unpack(a.ino, &num));
		CHECK((num.depth > 0) == (S_ISDIR(a.mode) != 0));
		for (uint32_t j = 0; j < i; j++) {
			CHECK_INT(idx_inode(x, j, &b), ==, 0);
			CHECK(a.ino != b.ino);
		}
	}
	idx_close(x);
}

TEST(the_same_layers_give_the_same_bytes)
{
	static const char *const specs[] = { "d a\nf a/1 5\nf a/2\nh b a/1\ns c a", "f a/3\nw a/2",
		NULL };
	struct err err = ERR_INIT;
	struct idx *x = merge(specs, &err), *y = merge(specs, &err);

	CHECK(x && y);
	CHECK(x && y && memcmp(idx_header(x), idx_header(y), sizeof(struct idx_header)) == 0);
	idx_close(x);
	idx_close(y);
}

TEST(hostile_chains_take_linear_time)
{
	auto_buf spec = { 0 }, path = { 0 };
	struct err err = ERR_INIT;
	struct idx *x;

	for (int i = 0; i < 100000; i++)
		buf_printf(&spec, "w no/such/%d\n", i);
	for (int i = 0; i < 500; i++)
		buf_printf(&spec, "s l%d l%d\n", i, i + 1);
	for (int i = 0; i < 1000; i++)
		buf_printf(&path, "%sd", i ? "/" : "");
	for (int i = 0; i < 20; i++)
		buf_printf(&spec, "f %s/%d\n", path.data, i);
	x = merge((const char *const[]){ spec.data, "w d", "f x", NULL }, &err);
	CHECK(x != NULL);
	CHECK(x && idx_n_inodes(x) == 502);
	idx_close(x);
}

/* Links that cost 160 KB of target for each path, and paths that do not share a directory. */
TEST(following_links_has_a_limit_for_the_whole_chain)
{
	auto_buf target = { 0 }, spec = { 0 }, marks = { 0 };
	struct err err = ERR_INIT;
	struct idx *x;

	while (target.len < 4000)
		buf_add_str(&target, "d/../");
	buf_add_str(&spec, "d d\nd end\n");
	for (int i = 0; i < 39; i++)
		buf_printf(&spec, "s l%d %sl%d\n", i, target.data, i + 1);
	buf_add_str(&spec, "s l39 end\n");
	for (int i = 0; i < 1000; i++) {
		buf_printf(&spec, "f l%d/%d\nf end/y%d\n", i % 2, i, i);
		buf_printf(&marks, "w l%d/%d\nw end/y%d\n", i % 2, i, i);
	}
	REFUSED("too much to follow", spec.data);
	/* A mark that could not be placed would bring back what it hides. */
	spec.len = (size_t)(strstr(spec.data, "f l") - spec.data);
	spec.data[spec.len] = '\0';
	REFUSED("too much to follow", spec.data, marks.data);
	x = merge((const char *const[]){ spec.data, "f l0/x\nf end/y\nf l1/z", NULL }, &err);
	CHECK_STR(err.text, "");
	idx_close(x);
}
