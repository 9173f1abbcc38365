/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers in the store
 *
 *      create:  .gone/<id> → <id>/ → <id>/lock held → .names/NAME → state.json → no .gone/<id>
 *      rename:  .names/NEW → <id>/name → no .names/OLD
 *      remove:  .gone/<id> held → <id>/ renamed to .dead-<id> → .names/NAME → tree → no .gone/<id>
 *
 * Invariants: - a container that is not complete, or half removed, has a mark in .gone/
 *             - nobody removes a container whose lock is held, or one of another machine
 * Locking:    containers/.lock is held shared from the mark until the container's own lock is
 *             held, and exclusively by a sweep while it decides; so what a sweep finds unlocked
 *             is nobody's.  Order: containers/.lock → containers/<id>/lock → .gone/<id>
 *             The last two are locks of the open file (F_OFD_SETLK), since these can be asked
 *             about without being taken
 * Failure:    each step leaves something that record_sweep() removes
 */
#include "runtime/record.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "runtime/attach.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <time.h>

#define DEAD_PREFIX ".dead-"

/* ---- locks, names, directories ---- */

/* 0; -EAGAIN if another has it. */
static int hold(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static bool is_held(int fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

/* containers/<id>/lock, held. */
static int open_held(int dirfd, int flags)
{
	auto_fd fd = openat(dirfd, "lock", flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = hold(fd);
	return r < 0 ? r : fd_take(&fd);
}

static bool is_id(const char *s)
{
	return strlen(s) == CTR_ID_LEN && strspn(s, "0123456789abcdef") == CTR_ID_LEN;
}

static bool is_name(const char *s)
{
	static const char alnum[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char all[sizeof(alnum) + 3];

	snprintf(all, sizeof(all), "%s_.-", alnum);
	return s[0] && strchr(alnum, s[0]) && strlen(s) <= LIMIT_CTR_NAME &&
	       s[strspn(s, all)] == '\0';
}

static int make_id(char ret[CTR_ID_LEN + 1])
{
	unsigned char raw[CTR_ID_LEN / 2];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return -EIO;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(ret + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

static int open_dir(int dirfd, const char *name)
{
	int fd = at_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return at_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int open_containers(int store_fd, struct err *err)
{
	int fd = open_dir(store_fd, "containers");

	/* A store that this user may only read, and that never had a container. */
	if ((fd == -EACCES || fd == -EROFS) &&
		faccessat(store_fd, "containers", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		fd = -ENOENT;
	return fd < 0 ? err_set(err, fd, "cannot open the directory of containers") : fd;
}

/* The mark, made if it is missing: an fd for mark_hold(). */
static int mark_gone(int containers_fd, const char *id)
{
	auto_fd dirfd = open_dir(containers_fd, ".gone");
	int fd;

	if (dirfd < 0)
		return dirfd;
	fd = openat(dirfd, id, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int unmark_gone(int containers_fd, const char *id)
{
	auto_fd dirfd = open_dir(containers_fd, ".gone");

	if (dirfd < 0)
		return dirfd;
	return unlinkat(dirfd, id, 0) < 0 && errno != ENOENT ? -errno : 0;
}

void ctr_dir_close(struct ctr_dir *d)
{
	cleanup_fd(&d->lock_fd);
	cleanup_fd(&d->fd);
	cleanup_fd(&d->containers_fd);
	d->lock_fd = d->fd = d->containers_fd = -1;
}

/* ---- names ---- */

/* The id that a name stands for; -ENOENT. */
static int name_read(int containers_fd, const char *name, char ret_id[CTR_ID_LEN + 1])
{
	auto_fd dirfd = open_dir(containers_fd, ".names");
	char target[CTR_ID_LEN + 2];
	ssize_t n;

	if (dirfd < 0)
		return dirfd;
	n = readlinkat(dirfd, name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (!is_id(target))
		return -ENOENT;
	memcpy(ret_id, target, CTR_ID_LEN + 1);
	return 0;
}

static int name_take(int containers_fd, const char *name, const char *id, struct err *err)
{
	auto_fd dirfd = open_dir(containers_fd, ".names");
	char other[CTR_ID_LEN + 1];

	if (dirfd < 0)
		return err_set(err, dirfd, "cannot open the directory of names");
	for (int tries = 0; tries < 2; tries++) {
		if (symlinkat(id, dirfd, name) == 0)
			return 0;
		if (errno != EEXIST)
			return err_set(err, -errno, "cannot take the name '%s'", name);
		if (name_read(containers_fd, name, other) == 0 &&
			faccessat(containers_fd, other, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			break;
		/* Its container is gone: somebody was killed before the name went too. */
		(void)unlinkat(dirfd, name, 0);
	}
	err_say(err, -EEXIST, "the name '%s' is taken by another container", name);
	return err_hint(err, -EEXIST, "lamina rm %s", name);
}

static void name_drop(int containers_fd, const char *name, const char *id)
{
	auto_fd dirfd = open_dir(containers_fd, ".names");
	char owner[CTR_ID_LEN + 1];

	if (dirfd >= 0 && name_read(containers_fd, name, owner) == 0 && str_eq(owner, id))
		(void)unlinkat(dirfd, name, 0);
}

static int check_name(const char *name, struct err *err)
{
	if (is_name(name))
		return 0;
	return err_say(
		err, -EINVAL, "'%s' is no name: letters, digits, '_', '.' and '-' make one", name);
}

/* The name that a container was given later: owned by the caller; NULL if there is none. */
static char *later_name(int dirfd)
{
	auto_free char *name = NULL;

	if (at_read_file(dirfd, "name", LIMIT_CTR_NAME, &name, NULL) < 0 || !is_name(name))
		return NULL;
	return ptr_take(&name);
}

/* ---- making, taking, removing ---- */

/* The directory and its lock; the mark in .gone/ stands from before. */
static int make_locked_dir(struct ctr_dir *d, struct err *err)
{
	if (mkdirat(d->containers_fd, d->id, 0700) < 0)
		return err_set(err, -errno, "cannot make the container's directory");
	d->fd = at_open(d->containers_fd, d->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (d->fd < 0)
		return err_set(err, d->fd, "cannot open the container's directory");
	d->lock_fd = open_held(d->fd, O_CREAT);
	if (d->lock_fd < 0)
		return err_set(err, d->lock_fd, "cannot lock the container");
	return 0;
}

int ctr_dir_create(int store_fd, const char *name, struct ctr_dir *ret, struct err *err)
{
	struct ctr_dir d = CTR_DIR_INIT;
	auto_fd lock = -1, mark = -1;
	int r;

	r = name ? check_name(name, err) : 0;
	if (r < 0)
		return r;
	r = make_id(d.id);
	if (r < 0)
		return err_set(err, r, "cannot make an id");
	d.containers_fd = open_containers(store_fd, err);
	if (d.containers_fd < 0)
		return d.containers_fd;
	lock = lock_open(d.containers_fd, ".lock", LOCK_SHARED, LOCK_WAIT);
	if (lock < 0) {
		r = err_set(err, lock, "cannot lock the directory of containers");
		goto fail;
	}
	mark = mark_gone(d.containers_fd, d.id);
	if (mark < 0) {
		r = err_set(err, mark, "cannot mark the new container");
		goto fail;
	}
	r = make_locked_dir(&d, err);
	if (r < 0)
		goto fail;
	r = name ? name_take(d.containers_fd, name, d.id, err) : 0;
	if (r < 0) {
		(void)ctr_dir_remove(&d, NULL, NULL);
		goto fail;
	}
	*ret = d;
	return 0;
fail:
	ctr_dir_close(&d);
	return r;
}

int ctr_dir_keep(const struct ctr_dir *d, struct err *err)
{
	int r = unmark_gone(d->containers_fd, d->id);

	return r < 0 ? err_set(err, r, "cannot keep the container") : 0;
}

int ctr_dir_doom(const struct ctr_dir *d, struct err *err)
{
	auto_fd mark = mark_gone(d->containers_fd, d->id);

	return mark < 0 ? err_set(err, mark, "cannot mark the container") : 0;
}

int ctr_dir_remove(const struct ctr_dir *d, const char *name, struct err *err)
{
	auto_fd mark = mark_gone(d->containers_fd, d->id);
	auto_free char *later = d->fd >= 0 ? later_name(d->fd) : NULL;
	char dead[sizeof(DEAD_PREFIX) + CTR_ID_LEN];
	int r;

	snprintf(dead, sizeof(dead), DEAD_PREFIX "%s", d->id);
	if (mark < 0)
		return err_set(err, mark, "cannot mark container '%s'", d->id);
	if (hold(mark) == -EAGAIN)
		return 0; /* somebody else is at it */
	if (renameat(d->containers_fd, d->id, d->containers_fd, dead) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot remove container '%s'", d->id);
	if (name)
		name_drop(d->containers_fd, name, d->id);
	if (later)
		name_drop(d->containers_fd, later, d->id);
	r = at_remove_tree(d->containers_fd, dead);
	if (r >= 0)
		r = unmark_gone(d->containers_fd, d->id);
	return r < 0 ? err_set(err, r, "cannot remove the files of container '%s'", d->id) : 0;
}

int ctr_dir_take(int store_fd, const char *id, struct ctr_dir *ret, struct err *err)
{
	struct ctr_dir d = CTR_DIR_INIT;
	int r;

	snprintf(d.id, sizeof(d.id), "%s", id);
	d.containers_fd = open_containers(store_fd, err);
	if (d.containers_fd < 0)
		return d.containers_fd;
	d.fd = at_open(d.containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	r = d.fd;
	if (r >= 0)
		r = d.lock_fd = open_held(d.fd, O_CREAT);
	if (r >= 0) {
		*ret = d;
		return 0;
	}
	ctr_dir_close(&d);
	if (r == -EAGAIN)
		return err_say(err, -EBUSY, "container '%s' is running", id);
	return err_set(err, r, "cannot open container '%s'", id);
}

/* ---- state.json ---- */

static void read_first_line(const char *path, char *ret, size_t size)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

void record_init(struct record *r, const char *id)
{
	struct timespec now = { 0 };

	memset(r, 0, sizeof(*r));
	snprintf(r->id, sizeof(r->id), "%s", id);
	r->exit_code = -1;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	r->created_s = now.tv_sec;
	r->created_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	(void)proc_id_of(getpid(), &r->monitor);
	record_stamp_boot(r);
}

void record_stamp_boot(struct record *r)
{
	read_first_line("/etc/machine-id", r->machine_id, sizeof(r->machine_id));
	read_first_line("/proc/sys/kernel/random/boot_id", r->boot_id, sizeof(r->boot_id));
}

void record_done(struct record *r)
{
	free(r->name);
	free(r->image);
	free(r->image_id);
	free(r->command);
	free(r->cgroup);
	memset(r, 0, sizeof(*r));
}

static json_t *proc_to_json(const struct proc_id *p)
{
	return json_pack("{s:i, s:I}", "pid", (int)p->pid, "start", (json_int_t)p->start);
}

static void proc_from_json(const json_t *j, struct proc_id *ret)
{
	uint64_t pid = 0, start = 0;

	if (json_get_u64(j, "pid", &pid) < 0 || json_get_u64(j, "start", &start) < 0 ||
		pid > INT32_MAX)
		pid = start = 0;
	*ret = (struct proc_id){ (pid_t)pid, start };
}

int record_write(const struct ctr_dir *d, const struct record *r, struct err *err)
{
	auto_json *j = json_pack(
		"{s:s, s:s?, s:s?, s:s?, s:s?, s:s, s:o, s:o, s:i, s:I, s:I, s:I, s:I, s:b, "
		"s:s, s:s, s:s?}",
		"id", r->id, "name", r->name, "image", r->image, "imageId", r->image_id, "command",
		r->command, "status", state_name(r->state), "init", proc_to_json(&r->init),
		"monitor", proc_to_json(&r->monitor), "exitCode", r->exit_code, "created",
		(json_int_t)r->created_s, "started", (json_int_t)r->started_s, "createdNs",
		(json_int_t)r->created_ns, "finished", (json_int_t)r->finished_s, "autoRemove",
		r->auto_remove, "machineId", r->machine_id, "bootId", r->boot_id, "cgroup",
		r->cgroup);
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	int ret;

	if (!text)
		return err_set(err, -ENOMEM, "cannot write the container's state");
	ret = at_replace_file(d->fd, "state.json", text, strlen(text), 0600, 0);
	return ret < 0 ? err_set(err, ret, "cannot write the container's state") : 0;
}

static int dup_str(const json_t *j, const char *key, char **ret)
{
	const char *s = json_get_str(j, key);

	*ret = s ? strdup(s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

static void copy_str(const json_t *j, const char *key, char *ret, size_t size)
{
	const char *s = json_get_str(j, key);

	snprintf(ret, size, "%s", s ? s : "");
}

static int record_from_json(const json_t *j, struct record *r)
{
	const char *status = json_get_str(j, "status");
	uint64_t created = 0, created_ns = 0, started = 0, finished = 0;

	if (!status || state_parse(status, &r->state) < 0)
		return -EBADMSG;
	if (dup_str(j, "name", &r->name) < 0 || dup_str(j, "image", &r->image) < 0 ||
		dup_str(j, "imageId", &r->image_id) < 0 || dup_str(j, "command", &r->command) < 0 ||
		dup_str(j, "cgroup", &r->cgroup) < 0)
		return -ENOMEM;
	(void)json_get_u64(j, "created", &created);
	(void)json_get_u64(j, "createdNs", &created_ns);
	(void)json_get_u64(j, "started", &started);
	(void)json_get_u64(j, "finished", &finished);
	r->created_s = (int64_t)created;
	r->created_ns = created_ns ? (int64_t)created_ns : r->created_s * 1000000000;
	r->started_s = (int64_t)started;
	r->finished_s = (int64_t)finished;
	r->exit_code = (int)json_integer_value(json_object_get(j, "exitCode"));
	r->auto_remove = json_is_true(json_object_get(j, "autoRemove"));
	proc_from_json(json_object_get(j, "init"), &r->init);
	proc_from_json(json_object_get(j, "monitor"), &r->monitor);
	copy_str(j, "machineId", r->machine_id, sizeof(r->machine_id));
	copy_str(j, "bootId", r->boot_id, sizeof(r->boot_id));
	return 0;
}

static bool is_alive(int dirfd)
{
	auto_fd lock = at_open(dirfd, "lock", O_RDWR | O_NOFOLLOW, 0);

	return lock >= 0 && is_held(lock);
}

static int load(int dirfd, const char *id, struct record *ret, struct err *err)
{
	auto_free char *text = NULL;
	auto_json *j = NULL;
	char *later;
	size_t len;
	int r;

	r = at_read_file(dirfd, "state.json", LIMIT_STATE_BYTES, &text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read the state of container '%s'", id);
	r = json_parse(text, len, "state.json", &j, err);
	if (r < 0)
		return err_wrap(err, r, "container '%s'", id);
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	r = record_from_json(j, ret);
	if (r < 0) {
		record_done(ret);
		return err_set(err, r, "state of container '%s'", id);
	}
	later = later_name(dirfd);
	if (later) {
		free(ret->name);
		ret->name = later;
	}
	return 0;
}

int record_load(const struct ctr_dir *d, struct record *ret, struct err *err)
{
	int r = load(d->fd, d->id, ret, err);

	/* The lock is ours, so nothing of it lives. */
	if (r >= 0 && (state_is_live(ret->state) || ret->state == CTR_CREATING))
		ret->state = CTR_STOPPED;
	return r;
}

int record_read(int store_fd, const char *id, struct record *ret, struct err *err)
{
	auto_fd containers_fd = open_containers(store_fd, err);
	auto_fd fd = -1;
	bool alive;
	int r;

	if (containers_fd < 0)
		return containers_fd;
	fd = at_open(containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_set(err, fd, "cannot open container '%s'", id);
	/* The lock first: a monitor writes the end before it lets go. */
	alive = is_alive(fd);
	r = load(fd, id, ret, err);
	if (r < 0)
		return r;
	if (!alive && (state_is_live(ret->state) || ret->state == CTR_CREATING))
		ret->state = CTR_STOPPED;
	return 0;
}

/* Under the lock of all containers, so that two renames of one do not cross. */
static int rename_locked(int containers_fd, const char *id, const char *name, struct err *err)
{
	auto_fd fd = at_open(containers_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct record rec;
	int r;

	if (fd < 0)
		return err_set(err, fd, "cannot open container '%s'", id);
	r = load(fd, id, &rec, err);
	if (r < 0)
		return r;
	/* Already its name: then only what a kill left is completed. */
	r = rec.name && str_eq(rec.name, name) ? 0 : name_take(containers_fd, name, id, err);
	if (r >= 0) {
		r = at_replace_file(fd, "name", name, strlen(name), 0600, 0);
		if (r < 0)
			name_drop(containers_fd, name, id);
		if (r < 0)
			err_set(err, r, "cannot write the name");
	}
	if (r >= 0 && rec.name && !str_eq(rec.name, name))
		name_drop(containers_fd, rec.name, id);
	record_done(&rec);
	return r;
}

int record_rename(int store_fd, const char *id, const char *name, struct err *err)
{
	auto_fd containers_fd = open_containers(store_fd, err), lock = -1;
	int r = check_name(name, err);

	if (r < 0 || containers_fd < 0)
		return r < 0 ? r : containers_fd;
	lock = lock_open(containers_fd, ".lock", LOCK_EXCLUSIVE, LOCK_WAIT);
	if (lock < 0)
		return err_set(err, lock, "cannot lock the directory of containers");
	return rename_locked(containers_fd, id, name, err);
}

/* ---- finding ---- */

int record_list(int store_fd, struct strv *ret, struct err *err)
{
	auto_fd fd = open_containers(store_fd, err);
	struct dirent *e;
	DIR *dir;
	int r = 0;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return err_set(err, -errno, "cannot list the containers");
	fd = -1;
	while (r == 0 && (e = readdir(dir)))
		if (is_id(e->d_name))
			r = strv_add(ret, e->d_name);
	(void)closedir(dir);
	return r < 0 ? err_set(err, r, "cannot list the containers") : 0;
}

int record_find(int store_fd, const char *ref, char ret_id[CTR_ID_LEN + 1], struct err *err)
{
	auto_fd containers_fd = open_containers(store_fd, err);
	auto_strv ids = { 0 };
	const char *found = NULL;
	int r;

	if (containers_fd < 0)
		return containers_fd;
	if (is_name(ref) && name_read(containers_fd, ref, ret_id) == 0 &&
		faccessat(containers_fd, ret_id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = record_list(store_fd, &ids, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ids.n; i++) {
		if (!ref[0] || !str_starts(ids.v[i], ref))
			continue;
		if (found)
			return err_say(
				err, -EEXIST, "'%s' begins the ids of several containers", ref);
		found = ids.v[i];
	}
	if (!found)
		return err_say(err, -ENOENT, "no container '%s'", ref);
	memcpy(ret_id, found, CTR_ID_LEN + 1);
	return 0;
}

/* ---- sweeping ---- */

/* Take a marked container that nobody has: 0; -EBUSY if it lives, is being made, or is removed. */
static int take_marked(int store_fd, int containers_fd, const char *id, struct ctr_dir *d)
{
	/* Whoever is making it holds this lock until it holds its own. */
	auto_fd lock = lock_open(containers_fd, ".lock", LOCK_EXCLUSIVE, LOCK_TRY);
	int r;

	if (lock < 0)
		return -EBUSY;
	r = ctr_dir_take(store_fd, id, d, NULL);
	if (r != -ENOENT)
		return r;
	/* Only the mark and perhaps the renamed directory are left. */
	snprintf(d->id, sizeof(d->id), "%s", id);
	d->containers_fd = fcntl(containers_fd, F_DUPFD_CLOEXEC, 0);
	return d->containers_fd < 0 ? -errno : 0;
}

/* A container of another machine may live there. */
static void sweep_one(int store_fd, int containers_fd, int rundir_fd, const char *id)
{
	struct ctr_dir d = CTR_DIR_INIT;
	struct record here, r = { 0 };
	bool foreign;

	if (take_marked(store_fd, containers_fd, id, &d) < 0)
		return;
	record_init(&here, id);
	foreign = d.fd >= 0 && load(d.fd, id, &r, NULL) == 0 &&
		  !str_eq(r.machine_id, here.machine_id);
	if (!foreign)
		attach_unlink(rundir_fd, id);
	if (!foreign && ctr_dir_remove(&d, r.name, NULL) == 0)
		log_debug("record", "swept id=%s", id);
	record_done(&r);
	ctr_dir_close(&d);
}

void record_sweep(int store_fd, int rundir_fd)
{
	auto_fd containers_fd = open_containers(store_fd, NULL);
	auto_strv ids = { 0 };
	struct dirent *e;
	DIR *dir;
	int fd;

	if (containers_fd < 0)
		return;
	fd = open_dir(containers_fd, ".gone");
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (is_id(e->d_name) && strv_add(&ids, e->d_name) < 0)
			break;
	(void)closedir(dir);
	for (size_t i = 0; i < ids.n; i++)
		sweep_one(store_fd, containers_fd, rundir_fd, ids.v[i]);
}
