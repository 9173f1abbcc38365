/* SPDX-License-Identifier: Apache-2.0 */
/* Groups: making, moving, freezing, ending (the contract is in the header). */
#include "runtime/cgroup.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#define LIMIT_CGROUP_DEPTH 64
#define LIMIT_CGROUP_PIDS  (1 << 20)
#define FREEZE_TIMEOUT_MS  10000
#define REMOVE_TIMEOUT_MS  5000

int cgroup_mount_open(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_fd fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
			return fd_take(&fd);
	}
	return -ENOENT;
}

int cgroup_own_path(char **ret)
{
	auto_file f = fopen("/proc/self/cgroup", "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!str_starts(line, "0::/"))
			continue;
		*ret = strdup(line + 3);
		return *ret ? 0 : -ENOMEM;
	}
	return f ? -ENOENT : -errno;
}

int cgroup_read(int fd, const char *name, char **ret)
{
	auto_fd file = at_open(fd, name, O_RDONLY, 0);

	return file < 0 ? file : fd_read_file(file, LIMIT_CGROUP_FILE_BYTES, ret, NULL);
}

int cgroup_read_u64(int fd, const char *name, uint64_t *ret)
{
	auto_free char *text = NULL;
	int r = cgroup_read(fd, name, &text);

	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (str_eq(text, "max")) {
		*ret = UINT64_MAX;
		return 0;
	}
	return str_to_u64(text, UINT64_MAX, ret);
}

static int write_file(int fd, const char *name, const char *text)
{
	auto_fd file = at_open(fd, name, O_WRONLY, 0);

	return file < 0 ? file : fd_write_all(file, text, strlen(text));
}

/* ---- making ---- */

/* Switch on what can be: what is missing is told when a limit of it is to be set. */
static void enable_controllers(int fd)
{
	auto_free char *have = NULL;
	char *rest, *word;

	if (cgroup_read(fd, "cgroup.controllers", &have) < 0)
		return;
	have[strcspn(have, "\n")] = '\0';
	rest = have;
	while ((word = strsep(&rest, " "))) {
		char text[64];

		snprintf(text, sizeof(text), "+%.60s", word);
		if (*word)
			(void)write_file(fd, "cgroup.subtree_control", text);
	}
}

int cgroup_make(int mount_fd, const char *path, const struct spec_resources *res, struct err *err)
{
	auto_free char *copy = strdup(path);
	auto_fd fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *rest = copy, *name;
	int depth = 0;

	if (!copy)
		return err_set(err, -ENOMEM, "cannot make a cgroup");
	while (fd >= 0 && (name = strsep(&rest, "/"))) {
		int below;

		if (!*name)
			continue;
		if (str_eq(name, ".") || str_eq(name, "..") || ++depth > LIMIT_CGROUP_DEPTH)
			return err_say(
				err, -EINVAL, "the cgroup path '%s' is not acceptable", path);
		if (cgroup_wants_limits(res))
			enable_controllers(fd);
		if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
			return err_set(err, -errno, "cannot make the cgroup '%s'", path);
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		(void)close(fd);
		fd = below;
	}
	return fd < 0 ? err_set(err, -errno, "cannot open the cgroup '%s'", path) : fd_take(&fd);
}

int cgroup_open(int mount_fd, const char *path)
{
	path += strspn(path, "/");
	return at_open(mount_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
}

int cgroup_add(int fd, pid_t pid, struct err *err)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", (int)pid);
	r = write_file(fd, "cgroup.procs", text);
	return r < 0 ? err_set(err, r, "cannot move the container into its cgroup") : 0;
}

/* ---- all of its processes ---- */

bool cgroup_frozen(int fd)
{
	auto_free char *text = NULL;

	return cgroup_read(fd, "cgroup.events", &text) >= 0 && strstr(text, "frozen 1");
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int cgroup_freeze(int fd, bool on, struct err *err)
{
	auto_fd events = at_open(fd, "cgroup.events", O_RDONLY, 0);
	int64_t end = now_ms() + FREEZE_TIMEOUT_MS, left;
	struct pollfd p = { .fd = events, .events = POLLPRI };
	int r = events < 0 ? events : write_file(fd, "cgroup.freeze", on ? "1" : "0");

	if (r < 0)
		return err_set(err, r, "cannot %s the container", on ? "freeze" : "thaw");
	/* The file is read before each wait: that is what a change is counted from. */
	while (cgroup_frozen(fd) != on && (left = end - now_ms()) > 0)
		(void)poll(&p, 1, left < 50 ? (int)left : 50);
	if (cgroup_frozen(fd) != on)
		return err_say(
			err, -ETIMEDOUT, "the container does not %s", on ? "freeze" : "thaw");
	return 0;
}

int cgroup_kill(int fd)
{
	int r = write_file(fd, "cgroup.kill", "1");

	return r == -ENOENT ? cgroup_signal(fd, SIGKILL) : r; /* before Linux 5.14 */
}

static int add_pids(int fd, pid_t **all, size_t *n)
{
	auto_free char *text = NULL;
	char *rest, *line;
	int r = cgroup_read(fd, "cgroup.procs", &text);

	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r; /* a threaded one */
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		uint64_t pid;
		pid_t *more;

		if (str_to_u64(line, INT32_MAX, &pid) < 0 || pid == 0)
			continue;
		if (*n >= LIMIT_CGROUP_PIDS)
			return -E2BIG;
		more = reallocarray(*all, *n + 1, sizeof(**all));
		if (!more)
			return -ENOMEM;
		*all = more;
		more[(*n)++] = (pid_t)pid;
	}
	return 0;
}

/* Calls @visit for each group below @fd, deepest first, with its parent and name. */
static int walk_below(
	int fd, int depth, int (*visit)(int parent, const char *name, void *arg), void *arg)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *e;
	DIR *dir;

	if (copy < 0)
		return -errno;
	dir = fdopendir(copy);
	if (!dir) {
		(void)close(copy);
		return -ENOMEM;
	}
	while (r >= 0 && (e = readdir(dir))) {
		auto_fd below = -1;

		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		below = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			continue;
		r = depth < LIMIT_CGROUP_DEPTH ? walk_below(below, depth + 1, visit, arg) : -E2BIG;
		if (r >= 0)
			r = visit(fd, e->d_name, arg);
	}
	(void)closedir(dir);
	return r;
}

struct pid_list {
	pid_t *v;
	size_t n;
};

static int visit_pids(int parent, const char *name, void *arg)
{
	auto_fd fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct pid_list *l = arg;

	return fd < 0 ? 0 : add_pids(fd, &l->v, &l->n);
}

int cgroup_pids(int fd, pid_t **ret, size_t *ret_n)
{
	struct pid_list l = { 0 };
	int r = add_pids(fd, &l.v, &l.n);

	if (r >= 0)
		r = walk_below(fd, 0, visit_pids, &l);
	if (r < 0) {
		free(l.v);
		return r;
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

int cgroup_signal(int fd, int sig)
{
	auto_free pid_t *pids = NULL;
	size_t n = 0;
	int r = cgroup_pids(fd, &pids, &n);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			r = -errno;
	return r;
}

static int visit_remove(int parent, const char *name, void *arg)
{
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_remove(int mount_fd, const char *path)
{
	auto_free char *copy = strdup(path);
	int64_t end = now_ms() + REMOVE_TIMEOUT_MS;
	auto_fd parent = -1;
	char *slash, *name;
	int r;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (slash)
		*slash = '\0';
	parent = cgroup_open(mount_fd, slash ? copy : "");
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	/* A process that has just been reaped may be counted for a moment longer. */
	for (;;) {
		auto_fd fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return errno == ENOENT ? 0 : -errno;
		r = walk_below(fd, 0, visit_remove, NULL);
		if (r >= 0)
			r = visit_remove(parent, name, NULL);
		if (r != -EBUSY || now_ms() >= end)
			return r;
		(void)poll(NULL, 0, 2);
	}
}
