/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files into a directory or a tar (the contract is in the header)
 *
 * Locking: the tar is written under ->lock, a whole member at a time; a directory needs none.
 */
#include "image/sink.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/str.h"
#include "image/blob_source.h"
#include "image/files.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define BLOCK	   512
#define NAME_ROOM  100
#define OCTAL_SIZE ((UINT64_C(1) << 33) - 1) /* the largest that 11 octal digits hold */

struct sink {
	bool is_dir;
	int fd; /* of the directory, or of the tar */
	char *path;
	char *tmp_path; /* a tar that is not called @path yet; NULL: written in place */
	bool is_nameless; /* @tmp_path is not its name yet either: a kill leaves nothing */
	const char *tmp_dir;
	pthread_mutex_t lock;
	struct strv names; /* ->lock; of the tar's members */
	_Atomic unsigned int n_tmp; /* for temporary names in a directory */
};

static struct sink *sink_new(const char *path)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	s->path = strdup(path);
	if (s->path)
		return s;
	sink_close(s);
	return NULL;
}

void sink_close(struct sink *s)
{
	if (!s)
		return;
	if (s->tmp_path && !s->is_nameless)
		(void)unlink(s->tmp_path);
	if (s->fd >= 0)
		(void)close(s->fd);
	pthread_mutex_destroy(&s->lock);
	strv_done(&s->names);
	free(s->path);
	free(s->tmp_path);
	free(s);
}

int sink_open_dir(struct sink **ret, const char *path, struct err *err)
{
	struct sink *s = sink_new(path);

	if (!s)
		return err_set(err, -ENOMEM, "cannot write '%s'", path);
	s->is_dir = true;
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		s->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0) {
		int r = err_set(err, -errno, "cannot make the directory '%s'", path);

		sink_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* A file beside @path that takes its name at the end.  Return: an fd, or -1 with errno. */
static int open_new(struct sink *s)
{
	const char *slash = strrchr(s->path, '/');
	auto_free char *dir = slash ? strndup(s->path, (size_t)(slash - s->path) + 1) : strdup(".");
	mode_t mask = umask(0);
	int fd;

	(void)umask(mask);
	s->tmp_path = str_format("%s.tmp-%d-XXXXXX", s->path, (int)getpid());
	if (!dir || !s->tmp_path) {
		errno = ENOMEM;
		return -1;
	}
	fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666 & ~mask);
	s->is_nameless = fd >= 0;
	if (fd < 0)
		fd = mkostemp(s->tmp_path, O_CLOEXEC);
	if (fd < 0) {
		free(s->tmp_path);
		s->tmp_path = NULL;
		return -1;
	}
	(void)fchmod(fd, 0666 & ~mask);
	return fd;
}

/* Return: an fd to write to. */
static int open_tar(struct sink *s, struct err *err)
{
	struct stat st;
	int fd;

	if (str_eq(s->path, "-")) {
		if (isatty(1))
			return err_say(err, -EINVAL, "an archive is not written to a terminal");
		fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
	} else if (stat(s->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(s->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	} else {
		fd = open_new(s);
	}
	return fd < 0 ? err_set(err, -errno, "cannot write '%s'", s->path) : fd;
}

int sink_open_tar(struct sink **ret, const char *path, const char *tmp_dir, struct err *err)
{
	struct sink *s = sink_new(path);

	if (!s)
		return err_set(err, -ENOMEM, "cannot write '%s'", path);
	s->tmp_dir = tmp_dir;
	s->fd = open_tar(s, err);
	if (s->fd < 0) {
		int r = s->fd;

		sink_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

bool sink_is_dir(const struct sink *s)
{
	return s->is_dir;
}

bool sink_has(struct sink *s, const char *name, uint64_t size)
{
	struct stat st;
	bool has = false;

	if (s->is_dir) {
		auto_fd fd = at_open(s->fd, name, O_PATH | O_NOFOLLOW, 0);

		return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		       (uint64_t)st.st_size == size;
	}
	pthread_mutex_lock(&s->lock);
	has = strv_has(&s->names, name);
	pthread_mutex_unlock(&s->lock);
	return has;
}

int sink_lock(struct sink *s)
{
	auto_fd fd = -1;
	int r;

	if (!s->is_dir)
		return -ENOLCK;
	fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = lock_fd(fd, LOCK_EXCLUSIVE, LOCK_WAIT);
	/* Record locks, which stand in for flock(2), do not lock directories. */
	return r == 0 ? fd_take(&fd) : r == -EBADF ? -ENOLCK : r;
}

int sink_read(struct sink *s, const char *name, size_t max, char **ret, size_t *ret_len)
{
	return s->is_dir ? at_read_file(s->fd, name, max, ret, ret_len) : -ENOENT;
}

/* ---- a directory ---- */

/* The directory of @name, made if it is missing, and the last component. */
static int parent_of(struct sink *s, const char *name, const char **ret_base)
{
	const char *slash = strrchr(name, '/');
	auto_free char *dir = slash ? strndup(name, (size_t)(slash - name)) : strdup(".");

	*ret_base = slash ? slash + 1 : name;
	if (!dir)
		return -ENOMEM;
	return slash ? at_mkdir_p(s->fd, dir, 0777)
		     : openat(s->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int copy_source(int fd, struct source *in, uint64_t *ret_bytes, struct err *err)
{
	const uint8_t *data;
	size_t len;
	int r;

	*ret_bytes = 0;
	while ((r = source_next(in, &data, &len, err)) > 0) {
		r = fd_write_all(fd, data, len);
		if (r < 0)
			return err_set(err, r, "cannot write it");
		*ret_bytes += len;
	}
	return r;
}

static int put_in_dir(struct sink *s, const char *name, struct source *in, struct err *err)
{
	auto_free char *tmp = str_format(".tmp-%d-%u", (int)getpid(), s->n_tmp++);
	const char *base;
	auto_fd dir = parent_of(s, name, &base), fd = -1;
	uint64_t bytes;
	int r;

	if (!tmp || dir < 0)
		return err_set(err, tmp ? dir : -ENOMEM, "cannot write '%s/%s'", s->path, name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_set(err, -errno, "cannot write '%s/%s'", s->path, name);
	r = copy_source(fd, in, &bytes, err);
	if (r == 0 && (fdatasync(fd) < 0 || renameat(dir, tmp, dir, base) < 0))
		r = err_set(err, -errno, "cannot write '%s/%s'", s->path, name);
	if (r < 0)
		(void)unlinkat(dir, tmp, 0);
	return r;
}

/* ---- a tar ---- */

static void set_octal(uint8_t *field, size_t room, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)room - 1, (unsigned long long)n);
	memcpy(field, text, room);
}

static void set_size(uint8_t field[12], uint64_t n)
{
	if (n <= OCTAL_SIZE) {
		set_octal(field, 12, n);
		return;
	}
	/* GNU's and pax's readers know it: the top bit, then a big-endian number. */
	memset(field, 0, 12);
	field[0] = 0x80;
	for (int i = 11; i > 3; i--, n >>= 8)
		field[i] = (uint8_t)n;
}

static int write_header(struct sink *s, const char *name, char type, uint64_t size)
{
	uint8_t b[BLOCK] = { 0 };
	unsigned int sum = 0;
	size_t len = strlen(name);

	memcpy(b, name, len < NAME_ROOM ? len : NAME_ROOM);
	set_octal(b + 100, 8, type == '5' ? 0755 : 0644);
	set_octal(b + 108, 8, 0);
	set_octal(b + 116, 8, 0);
	set_size(b + 124, size);
	set_octal(b + 136, 12, 0);
	memset(b + 148, ' ', 8);
	b[156] = (uint8_t)type;
	memcpy(b + 257, "ustar", sizeof("ustar"));
	b[263] = b[264] = '0';
	for (size_t i = 0; i < sizeof(b); i++)
		sum += b[i];
	set_octal(b + 148, 7, sum);
	return fd_write_all(s->fd, b, sizeof(b));
}

static int write_padding(struct sink *s, uint64_t size)
{
	static const uint8_t zeros[BLOCK];

	return fd_write_all(s->fd, zeros, (size_t)(-size & (BLOCK - 1)));
}

/* All headers of a member; a long name goes into one of its own (GNU's). */
static int write_headers(struct sink *s, const char *name, uint64_t size)
{
	size_t len = strlen(name) + 1;
	int r = 0;

	if (len > NAME_ROOM) {
		r = write_header(s, "././@LongLink", 'L', len);
		if (r == 0)
			r = fd_write_all(s->fd, name, len);
		if (r == 0)
			r = write_padding(s, len);
	}
	return r < 0 ? r : write_header(s, name, '0', size);
}

/* Entries for the directories above @name that have none yet: readers that are not root may else
 * fail to make them. */
static int write_parents(struct sink *s, const char *name)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		auto_free char *dir = strndup(name, (size_t)(slash - name) + 1);
		int r;

		if (!dir)
			return -ENOMEM;
		if (strv_has(&s->names, dir))
			continue;
		r = write_header(s, dir, '5', 0);
		if (r == 0)
			r = strv_add(&s->names, dir);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ->lock is held. */
static int put_in_tar(
	struct sink *s, const char *name, uint64_t size, struct source *in, struct err *err)
{
	uint64_t bytes;
	int r = write_parents(s, name);

	if (r == 0)
		r = write_headers(s, name, size);
	if (r < 0)
		return err_set(err, r, "cannot write '%s'", s->path);
	r = copy_source(s->fd, in, &bytes, err);
	if (r < 0)
		return r;
	if (bytes != size)
		return err_say(err, -EBADMSG, "'%s' has %llu bytes, not %llu", name,
			(unsigned long long)bytes, (unsigned long long)size);
	r = write_padding(s, size);
	if (r == 0)
		r = strv_add(&s->names, name);
	return r < 0 ? err_set(err, r, "cannot write '%s'", s->path) : 0;
}

/* A header needs the size, so what has none is written elsewhere first. */
static int spool(
	struct sink *s, struct source *in, uint64_t *ret_size, struct source **ret, struct err *err)
{
	auto_fd fd = files_tmp(s->tmp_dir, err);
	int r;

	if (fd < 0)
		return fd;
	r = copy_source(fd, in, ret_size, err);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = err_set(err, -errno, "cannot read a temporary file");
	return r < 0 ? r : source_file_new_take_fd(ret, fd_take(&fd), err);
}

int sink_put(struct sink *s, const char *name, uint64_t size, struct source *in, struct err *err)
{
	auto_source spooled = NULL;
	int r = 0;

	if (s->is_dir)
		return put_in_dir(s, name, in, err);
	if (size == SINK_SIZE_UNKNOWN) {
		r = spool(s, in, &size, &spooled, err);
		in = spooled;
	}
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->lock);
	r = put_in_tar(s, name, size, in, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* Bytes in memory as a source. */
struct data_source {
	struct source source;
	const void *data;
	size_t len;
};

static int data_next(struct source *s, const uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct data_source *d = (struct data_source *)s;

	if (d->len == 0)
		return 0;
	*ret = d->data;
	*ret_len = d->len;
	d->len = 0;
	return 1;
}

static void data_close(struct source *s)
{
}

int sink_put_data(struct sink *s, const char *name, const void *data, size_t len, struct err *err)
{
	struct data_source d = { { data_next, data_close }, data, len };

	return sink_put(s, name, len, &d.source, err);
}

static int give_name(struct sink *s)
{
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", s->fd);
	if (linkat(AT_FDCWD, proc, AT_FDCWD, s->tmp_path, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	s->is_nameless = false;
	return 0;
}

int sink_finish(struct sink *s, struct err *err)
{
	static const uint8_t end[2 * BLOCK];
	int r;

	if (s->is_dir)
		return 0;
	r = fd_write_all(s->fd, end, sizeof(end));
	if (r == 0 && s->tmp_path && fsync(s->fd) < 0)
		r = -errno;
	if (r == 0 && s->is_nameless)
		r = give_name(s);
	if (r == 0 && s->tmp_path && rename(s->tmp_path, s->path) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "cannot write '%s'", s->path);
	free(s->tmp_path);
	s->tmp_path = NULL;
	return 0;
}
