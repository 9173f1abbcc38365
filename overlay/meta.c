/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, mode and type of upper inodes (the contract is in the header). */
#include "overlay/meta.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "overlay/xattrs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define OVERFLOW_ID 65534

/* ---- ids ---- */

static uint32_t to_client(const struct idmap *m, uint32_t id, bool *exact)
{
	uint32_t ret;

	if (m->n == 0 || idmap_out(m, id, &ret))
		return m->n == 0 ? id : ret;
	*exact = false;
	if (idmap_out(m, OVERFLOW_ID, &ret) || idmap_out(m, 0, &ret))
		return ret;
	return 0;
}

static uint32_t to_image(const struct idmap *m, uint32_t id, bool *exact)
{
	uint32_t ret;

	if (m->n == 0)
		return id;
	if (idmap_in(m, id, &ret))
		return ret;
	*exact = false;
	return OVERFLOW_ID;
}

void meta_owner_from_image(
	const struct ovl_fs *fs, uint32_t uid, uint32_t gid, struct meta_owner *ret)
{
	bool exact = true;

	ret->image_uid = uid;
	ret->image_gid = gid;
	ret->uid = to_client(&fs->uids, uid, &exact);
	ret->gid = to_client(&fs->gids, gid, &exact);
	ret->exact = exact;
}

void meta_owner_from_client(
	const struct ovl_fs *fs, uint32_t uid, uint32_t gid, struct meta_owner *ret)
{
	bool exact = true;

	ret->uid = uid;
	ret->gid = gid;
	ret->image_uid = to_image(&fs->uids, uid, &exact);
	ret->image_gid = to_image(&fs->gids, gid, &exact);
	/* A file may be given to a client id that has no number in the image. */
	ret->exact = true;
}

void meta_owner_from_disk(
	const struct ovl_fs *fs, uint32_t uid, uint32_t gid, struct meta_owner *ret)
{
	if (fs->flags & OVL_MAP_UPPER)
		meta_owner_from_image(fs, uid, gid, ret);
	else
		meta_owner_from_client(fs, uid, gid, ret);
}

static bool in_namespace(const struct idmap *m, uint32_t id)
{
	uint32_t outside;

	return m->n == 0 || idmap_out(m, id, &outside);
}

bool meta_ids_fit(const struct ovl_fs *fs, const struct meta_owner *o)
{
	uint32_t uid = meta_disk_uid(fs, o), gid = meta_disk_gid(fs, o);

	if (fs->flags & OVL_KEEP_OWNERS)
		return false;
	/* With ids of the image on disk an owner fits whether it is shown as itself or not. */
	if (!o->exact && !(fs->flags & OVL_MAP_UPPER))
		return false;
	if (uid == fs->euid && gid == fs->egid)
		return true;
	return fs->can_chown && in_namespace(&fs->ns_uids, uid) && in_namespace(&fs->ns_gids, gid);
}

/* ---- the override's text ---- */

static const struct {
	const char *word;
	uint32_t fmt;
} types[] = {
	{ "dir", S_IFDIR },
	{ "file", S_IFREG },
	{ "symlink", S_IFLNK },
	{ "pipe", S_IFIFO },
	{ "socket", S_IFSOCK },
	{ "char", S_IFCHR },
	{ "block", S_IFBLK },
};

static int parse_type(char *word, struct node_override *ret)
{
	char *major = strchr(word, '-'), *minor = major ? strchr(major + 1, '-') : NULL;
	uint64_t v[2] = { 0, 0 };

	if (major)
		*major++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!str_eq(word, types[i].word))
			continue;
		if ((types[i].fmt == S_IFCHR || types[i].fmt == S_IFBLK) != (minor != NULL))
			return -EINVAL;
		if (minor) {
			*minor++ = '\0';
			if (str_to_u64(major, UINT32_MAX, &v[0]) < 0 ||
				str_to_u64(minor, UINT32_MAX, &v[1]) < 0)
				return -EINVAL;
		} else if (major) {
			return -EINVAL;
		}
		ret->mode |= types[i].fmt;
		ret->major = (uint32_t)v[0];
		ret->minor = (uint32_t)v[1];
		return 0;
	}
	return -EINVAL;
}

static int parse_mode(const char *word, uint32_t *ret)
{
	uint32_t v = 0;

	if (!*word || strlen(word) > 7)
		return -EINVAL;
	for (; *word; word++) {
		if (*word < '0' || *word > '7')
			return -EINVAL;
		v = v << 3 | (uint32_t)(*word - '0');
	}
	*ret = v & 07777;
	return 0;
}

int meta_override_parse(const char *text, size_t len, struct node_override *ret)
{
	char copy[META_OVERRIDE_BYTES], *rest = copy, *word;
	struct node_override ov = { .set = true };
	uint64_t ids[2];

	if (len >= sizeof(copy) || memchr(text, 0, len))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < 2; i++) {
		word = strsep(&rest, ":");
		if (!word || str_to_u64(word, UINT32_MAX - 1, &ids[i]) < 0)
			return -EINVAL;
	}
	ov.uid = (uint32_t)ids[0];
	ov.gid = (uint32_t)ids[1];
	word = strsep(&rest, ":");
	if (!word || parse_mode(word, &ov.mode) < 0)
		return -EINVAL;
	if (rest && parse_type(rest, &ov) < 0)
		return -EINVAL;
	*ret = ov;
	return 0;
}

void meta_override_format(const struct node_override *ov, char *ret)
{
	int n = snprintf(
		ret, META_OVERRIDE_BYTES, "%u:%u:%04o", ov->uid, ov->gid, ov->mode & 07777);
	uint32_t fmt = ov->mode & S_IFMT;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (fmt != types[i].fmt)
			continue;
		if (fmt == S_IFCHR || fmt == S_IFBLK)
			snprintf(ret + n, META_OVERRIDE_BYTES - (size_t)n, ":%s-%u-%u",
				types[i].word, ov->major, ov->minor);
		else
			snprintf(ret + n, META_OVERRIDE_BYTES - (size_t)n, ":%s", types[i].word);
	}
}

static int write_override(int fd, const struct node_override *ov)
{
	char text[META_OVERRIDE_BYTES];

	meta_override_format(ov, text);
	return fsetxattr(fd, XA_OVERRIDE, text, strlen(text), 0) < 0 ? -errno : 0;
}

/* ---- reading ---- */

bool meta_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int parse_count(const char *text, size_t len, uint32_t *ret)
{
	char copy[16];
	uint64_t v;

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (str_to_u64(copy, UINT32_MAX, &v) < 0)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

void meta_keep_names(int fd, uint32_t n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	(void)fsetxattr(fd, XA_NAMES, text, strlen(text), 0);
}

static int read_one(int fd, const char *name, struct umeta *ret)
{
	char value[META_OVERRIDE_BYTES];
	ssize_t n = fgetxattr(fd, name, value, sizeof(value));

	/* Of a redirect, which may be long, only that there is one. */
	if (str_eq(name, XA_REDIRECT) && (n >= 0 || errno == ERANGE)) {
		ret->redirect = true;
		return 0;
	}
	if (n < 0)
		return errno == ENODATA || errno == ERANGE ? 0 : -errno;
	if (str_eq(name, XA_OPAQUE))
		ret->opaque = n == 1 && value[0] == 'y';
	else if (str_eq(name, XA_METACOPY))
		ret->metacopy = true;
	else if (str_eq(name, XA_ORIGIN))
		(void)upper_origin_parse(value, (size_t)n, &ret->origin);
	else if (str_eq(name, XA_NAMES))
		ret->has_names = parse_count(value, (size_t)n, &ret->n_lower_names) == 0;
	else if (meta_override_parse(value, (size_t)n, &ret->ov) < 0)
		return -EIO;
	return 0;
}

/* One listxattr(2) tells that there is nothing to read, which is the rule. */
static int read_xattrs(int fd, struct umeta *ret)
{
	static const char *const ours[] = { XA_OPAQUE, XA_METACOPY, XA_ORIGIN, XA_OVERRIDE,
		XA_REDIRECT, XA_NAMES };
	char names[4096];
	ssize_t len = flistxattr(fd, names, sizeof(names));

	if (len < 0 && errno != ERANGE)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		/* Too long a list was not read: ask for each. */
		bool there = len < 0;

		for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
			there |= str_eq(names + at, ours[i]);
		if (there) {
			int r = read_one(fd, ours[i], ret);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int meta_read(int dirfd, const char *name, uint8_t type, struct umeta *ret)
{
	auto_fd fd = -1;

	memset(ret, 0, sizeof(*ret));
	if (type == DT_UNKNOWN || (type != DT_REG && type != DT_DIR)) {
		if (fstatat(dirfd, name, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (!S_ISREG(ret->st.st_mode) && !S_ISDIR(ret->st.st_mode))
			return 0;
	}
	/* O_NONBLOCK: should it be a FIFO by now, do not wait for its writer. */
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &ret->st) < 0)
		return -errno;
	return read_xattrs(fd, ret);
}

/* ---- writing ---- */

static void fill_override(const struct meta_want *w, struct node_override *ov)
{
	*ov = (struct node_override){ .set = true,
		.uid = w->owner.image_uid,
		.gid = w->owner.image_gid,
		.mode = w->mode,
		.major = w->major,
		.minor = w->minor };
}

int meta_apply(struct ovl_fs *fs, int fd, const struct meta_want *w, struct node_override *ov)
{
	uint32_t need = S_ISDIR(w->mode) ? 0700 : 0600, mode = w->mode & 07777;
	const uint32_t uid = meta_disk_uid(fs, &w->owner), gid = meta_disk_gid(fs, &w->owner);
	bool own = meta_ids_fit(fs, &w->owner);
	bool override = !own || !meta_type_is_kept(ov);
	struct stat st;

	if ((!fs->can_override || (fs->flags & OVL_KEEP_OWNERS)) && (mode & need) != need) {
		override = true;
		mode |= need;
	}
	if (!S_ISREG(w->mode) && !S_ISDIR(w->mode))
		mode = 0600; /* a regular file that stands for something else */
	if (override) {
		struct node_override fresh;
		int r;

		fill_override(w, &fresh);
		r = write_override(fd, &fresh);
		if (r < 0)
			return r;
		*ov = fresh;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (own && (st.st_uid != uid || st.st_gid != gid)) {
		if (fchown(fd, uid, gid) < 0)
			return -errno;
		st.st_mode = 0; /* set-id bits may have gone */
	}
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return -errno;
	if (!override && ov->set) {
		if (fremovexattr(fd, XA_OVERRIDE) < 0 && errno != ENODATA)
			return -errno;
		*ov = (struct node_override){ 0 };
	}
	return 0;
}

/* A regular file that says in its override what it stands for. */
static int make_stand_in(int dirfd, const char *name, const struct meta_want *w, const char *target,
	struct node_override *ret_ov)
{
	auto_fd fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = 0;

	if (fd < 0)
		return -errno;
	fill_override(w, ret_ov);
	if (target)
		r = fd_write_all(fd, target, strlen(target));
	return r < 0 ? r : write_override(fd, ret_ov);
}

int meta_make_special(struct ovl_fs *fs, int dirfd, const char *name, const struct meta_want *w,
	const char *target, struct node_override *ret_ov)
{
	int r;

	*ret_ov = (struct node_override){ 0 };
	/* A 0/0 device of its own would be a whiteout. */
	if (!meta_ids_fit(fs, &w->owner) || (S_ISCHR(w->mode) && w->major == 0 && w->minor == 0))
		return make_stand_in(dirfd, name, w, target, ret_ov);
	if (target)
		r = symlinkat(target, dirfd, name);
	else
		r = mknodat(dirfd, name, w->mode, makedev(w->major, w->minor));
	if (r < 0 && errno == EPERM && !target)
		return make_stand_in(dirfd, name, w, NULL, ret_ov);
	if (r < 0)
		return -errno;
	if (fchownat(dirfd, name, meta_disk_uid(fs, &w->owner), meta_disk_gid(fs, &w->owner),
		    AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* The owner's change may have taken bits that mknod(2) gave. */
	if (!target && (w->mode & 07000) && fchmodat(dirfd, name, w->mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

/* ---- showing ---- */

static void squash(const struct ovl_fs *fs, struct stat *st)
{
	if (fs->flags & OVL_SQUASH_UID)
		st->st_uid = fs->squash_uid;
	if (fs->flags & OVL_SQUASH_GID)
		st->st_gid = fs->squash_gid;
	if (!(fs->flags & OVL_SQUASH_OWNER))
		return;
	st->st_uid = fs->squash_uid;
	st->st_gid = fs->squash_gid;
	if (S_ISLNK(st->st_mode))
		return;
	/* What was root's to read is now this user's: u+rX. */
	st->st_mode |= S_IRUSR;
	if (S_ISDIR(st->st_mode) || (st->st_mode & 0111))
		st->st_mode |= S_IXUSR;
}

void meta_show(const struct ovl_fs *fs, const struct stat *st, const struct node_override *ov,
	struct stat *ret)
{
	*ret = *st;
	ret->st_dev = 0;
	if (!ov->set && (fs->flags & OVL_MAP_UPPER)) {
		struct meta_owner o;

		meta_owner_from_image(fs, st->st_uid, st->st_gid, &o);
		ret->st_uid = o.uid;
		ret->st_gid = o.gid;
	}
	if (ov->set) {
		struct meta_owner o;

		meta_owner_from_image(fs, ov->uid, ov->gid, &o);
		ret->st_uid = o.uid;
		ret->st_gid = o.gid;
		ret->st_mode = (st->st_mode & S_IFMT) | (ov->mode & 07777);
		if (ov->mode & S_IFMT)
			ret->st_mode = ov->mode;
		if (!S_ISREG(ret->st_mode) && !S_ISLNK(ret->st_mode) && !S_ISDIR(ret->st_mode))
			ret->st_size = ret->st_blocks = 0;
		ret->st_rdev = makedev(ov->major, ov->minor);
	}
	squash(fs, ret);
}

void meta_show_lower(const struct ovl_fs *fs, const struct lower_attr *a, struct stat *ret)
{
	struct meta_owner o;

	meta_owner_from_image(fs, a->uid, a->gid, &o);
	*ret = (struct stat){
		.st_ino = a->ino,
		.st_mode = a->mode,
		.st_nlink = a->nlink,
		.st_uid = o.uid,
		.st_gid = o.gid,
		.st_rdev = makedev(a->rdev_major, a->rdev_minor),
		.st_size = S_ISDIR(a->mode) ? 4096 : (off_t)a->size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((a->n_bytes + 4095) / 4096 * 8),
	};
	ret->st_mtim.tv_sec = a->mtime_sec;
	ret->st_mtim.tv_nsec = a->mtime_nsec;
	ret->st_atim = ret->st_ctim = ret->st_mtim;
	squash(fs, ret);
}
