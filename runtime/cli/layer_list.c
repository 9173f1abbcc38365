/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings of indexes
 *
 *      row of MEMBERS or (path, row of INODES) ──▶ struct line ──▶ text or JSON
 *
 * Names are quoted, since they come from strangers and go to terminals.
 */
#include "runtime/cli/layer_list.h"

#include "base/json.h"
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

struct line {
	const char *what; /* "file", "directory" …, "whiteout", "opaque", "hard link" */
	char letter; /* in front of the permissions */
	uint32_t mode, uid, gid;
	uint64_t size;
	uint64_t dev; /* major << 32 | minor */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	char *path; /* quoted */
	char *link; /* quoted; NULL: none */
};

static const struct {
	uint32_t type;
	char letter;
	const char *what;
} types[] = {
	{ S_IFREG, '-', "file" },
	{ S_IFDIR, 'd', "directory" },
	{ S_IFLNK, 'l', "symlink" },
	{ S_IFCHR, 'c', "character device" },
	{ S_IFBLK, 'b', "block device" },
	{ S_IFIFO, 'p', "fifo" },
};

static void set_type(struct line *l, uint32_t mode)
{
	l->mode = mode;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == (mode & S_IFMT)) {
			l->letter = types[i].letter;
			l->what = types[i].what;
		}
}

static bool is_device(const struct line *l)
{
	return l->letter == 'c' || l->letter == 'b';
}

static bool has_metadata(const struct line *l)
{
	return l->letter != 'w' && l->letter != 'o' && l->letter != 'h';
}

static void format_mode(const struct line *l, char ret[11])
{
	static const char bits[] = "rwxrwxrwx";

	ret[0] = l->letter;
	for (unsigned int i = 0; i < 9; i++)
		ret[1 + i] = l->mode & 0400 >> i ? bits[i] : '-';
	for (unsigned int i = 0; i < 3; i++) {
		char *x = &ret[3 + 3 * i];

		if (l->mode & 04000 >> i)
			*x = i == 2 ? (*x == 'x' ? 't' : 'T') : *x == 'x' ? 's' : 'S';
	}
	ret[10] = '\0';
}

static void format_time(const struct line *l, char *ret, size_t room)
{
	time_t t = l->mtime_sec;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(ret, room, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(ret, room, "%lld", (long long)l->mtime_sec);
}

static void print_text(const struct line *l)
{
	char mode[11], owner[32], size[32], when[64];

	format_mode(l, mode);
	format_time(l, when, sizeof(when));
	snprintf(owner, sizeof(owner), "%u/%u", l->uid, l->gid);
	if (is_device(l))
		snprintf(size, sizeof(size), "%llu,%u", (unsigned long long)l->dev >> 32,
			(uint32_t)l->dev);
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)l->size);
	if (has_metadata(l))
		printf("%s %-9s %10s %s %s", mode, owner, size, when, l->path);
	else
		printf("%c--------- %-9s %10s %16s %s", l->letter, "-", "-", l->what, l->path);
	if (l->link)
		printf("%s%s", l->letter == 'l' ? " -> " : " link to ", l->link);
	printf("\n");
}

static int print_json(const struct line *l)
{
	auto_json *j = json_pack("{s:s, s:s}", "type", l->what, "path", l->path);
	auto_free char *text = NULL;
	char mode[8];
	int r = j ? 0 : -1;

	snprintf(mode, sizeof(mode), "%04o", l->mode & 07777);
	if (r == 0 && has_metadata(l))
		r = json_object_update_new(
			j, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "mode", mode, "uid",
				   (json_int_t)l->uid, "gid", (json_int_t)l->gid, "size",
				   (json_int_t)l->size, "mtime", (json_int_t)l->mtime_sec,
				   "mtime_nsec", (json_int_t)l->mtime_nsec));
	if (r == 0 && is_device(l))
		r = json_object_set_new(j, "device",
			json_pack("[I, I]", (json_int_t)(l->dev >> 32),
				(json_int_t)(uint32_t)l->dev));
	if (r == 0 && l->link)
		r = json_object_set_new(j, "target", json_string(l->link));
	text = r == 0 ? json_dumps(j, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	printf("%s\n", text);
	return 0;
}

/* Prints and frees the line. */
static int print_line(struct line *l, enum layer_list_flags flags)
{
	int r = 0;

	if (!l->path)
		r = -ENOMEM;
	else if (flags & LAYER_LIST_JSON)
		r = print_json(l);
	else
		print_text(l);
	free(l->path);
	free(l->link);
	return r;
}

/* "etc/" for a directory and "./" for the root, as tar has it. */
static char *quote_path(const char *path, size_t len, bool is_dir)
{
	auto_free char *quoted = str_quote(path, len);

	if (!quoted)
		return NULL;
	return str_format("%s%s%s", len ? "" : ".", quoted, is_dir ? "/" : "");
}

/* ---- layers ---- */

static int read_quoted(struct idx *x, uint32_t off, uint32_t len, char **ret)
{
	const char *s;
	int r = idx_string(x, off, len, &s);

	if (r == 0)
		*ret = str_quote(s, len);
	return r < 0 || *ret ? r : -ENOMEM;
}

static int list_member(struct idx *x, uint32_t row, enum layer_list_flags flags)
{
	struct line l = { 0 };
	struct idx_member m;
	const char *path;
	int r = idx_member(x, row, &m);

	if (r == 0)
		r = idx_string(x, m.path, m.path_len, &path);
	if (r < 0)
		return r;
	l = (struct line){ .uid = m.uid,
		.gid = m.gid,
		.size = m.size,
		.dev = m.data,
		.mtime_sec = m.mtime_sec,
		.mtime_nsec = m.mtime_nsec };
	if (m.kind == IDX_MEMBER_ENTRY)
		set_type(&l, m.mode);
	else if (m.kind == IDX_MEMBER_WHITEOUT)
		l.letter = 'w', l.what = "whiteout";
	else if (m.kind == IDX_MEMBER_OPAQUE)
		l.letter = 'o', l.what = "opaque";
	else
		l.letter = 'h', l.what = "hard link";
	if (l.letter == 'h' || l.letter == 'l')
		r = read_quoted(x, m.link, m.link_len, &l.link);
	if (r < 0)
		return r;
	l.path = quote_path(path, m.path_len, l.letter == 'd' || l.letter == 'o');
	return print_line(&l, flags);
}

int layer_list_members(struct idx *x, enum layer_list_flags flags, struct err *err)
{
	for (uint32_t i = 0; i < idx_n_members(x); i++) {
		int r = list_member(x, i, flags);

		if (r < 0)
			return err_set(err, r, "member %u", i);
	}
	return 0;
}

/* ---- images ---- */

static int list_inode(
	struct idx *x, uint32_t row, const struct buf *path, enum layer_list_flags flags)
{
	struct line l = { 0 };
	struct idx_inode ino;
	int r = idx_inode(x, row, &ino);

	if (r < 0)
		return r;
	l = (struct line){ .uid = ino.uid,
		.gid = ino.gid,
		.size = ino.size,
		.dev = ino.data,
		.mtime_sec = ino.mtime_sec,
		.mtime_nsec = ino.mtime_nsec };
	set_type(&l, ino.mode);
	if (l.letter == 'l')
		r = read_quoted(x, (uint32_t)ino.data, (uint32_t)ino.size, &l.link);
	if (r < 0)
		return r;
	l.path = quote_path(path->data ? path->data : "", path->len, l.letter == 'd');
	return print_line(&l, flags);
}

/* A directory on the way down. */
struct level {
	uint32_t row, ordinal;
	size_t path_len;
};

/* The entry that is next in @top; its path replaces the one in @path. */
static int next_entry(struct idx *x, struct level *top, struct buf *path, struct idx_dirent *ret)
{
	int r = idx_entry(x, top->row, top->ordinal++, ret);

	path->len = top->path_len;
	if (r == 0 && path->len)
		r = buf_add(path, "/", 1);
	return r < 0 ? r : buf_add(path, ret->name, ret->len);
}

int layer_list_tree(struct idx *x, enum layer_list_flags flags, struct err *err)
{
	size_t depth = 1, room = 64;
	auto_free struct level *stack = calloc(room, sizeof(*stack));
	auto_buf path = { 0 };
	int r = stack ? list_inode(x, 0, &path, flags) : -ENOMEM;

	while (r == 0 && depth > 0) {
		struct idx_dirent e;

		r = next_entry(x, &stack[depth - 1], &path, &e);
		if (r == -ENOENT) {
			depth--;
			r = 0;
			continue;
		}
		if (r == 0)
			r = list_inode(x, e.inode, &path, flags);
		if (r < 0 || e.type != DT_DIR)
			continue;
		/* Rows of directories grow on the way down, so this ends. */
		if (depth == room) {
			struct level *bigger = reallocarray(stack, room *= 2, sizeof(*stack));

			if (!bigger)
				return err_set(err, -ENOMEM, "cannot list the image");
			stack = bigger;
		}
		stack[depth++] = (struct level){ .row = e.inode, .path_len = path.len };
	}
	return r < 0 ? err_set(err, r, "cannot list the image") : 0;
}
