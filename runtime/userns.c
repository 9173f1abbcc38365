/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent user namespace
 *
 *      $XDG_RUNTIME_DIR/lamina/userns.lock     held while one looks, joins or makes
 *      $XDG_RUNTIME_DIR/lamina/members/PID     "START INODE": a process in it
 *
 * There is no keeper process: every monitor (and every `lamina unshare`) writes itself down as a
 * member, and any living member leads the next command in.  Whoever finds none makes a new one.
 *
 * Invariants: - a member is believed only if (pid, start time) is alive, its namespace has the
 *               inode written down, and that namespace is owned by our user
 *             - whoever is killed leaves at most a file; who meets it while looking removes it
 * Locking:    userns.lock from the first look until our own member file stands
 * Spec:       user_namespaces(7); newuidmap(1)
 */
#include "runtime/userns.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/str.h"
#include "overlay/idmap.h"
#include "runtime/rundir.h"
#include "runtime/subid.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LIMIT_MEMBER_BYTES 128
#define LIMIT_SUBID_BYTES  (16 << 20)
#define LIMIT_MAP_BYTES	   65536

/* ---- members ---- */

static int ns_inode(int fd, ino_t *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

static int own_ns_inode(ino_t *ret)
{
	auto_fd fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : ns_inode(fd, ret);
}

static int members_open(int rundir_fd)
{
	if (mkdirat(rundir_fd, "members", 0700) < 0 && errno != EEXIST)
		return -errno;
	return at_open(rundir_fd, "members", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int member_write(int rundir_fd, const struct proc_id *self)
{
	auto_fd dirfd = members_open(rundir_fd);
	char name[16], text[LIMIT_MEMBER_BYTES];
	ino_t inode = 0;
	int r;

	if (dirfd < 0)
		return dirfd;
	r = own_ns_inode(&inode);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%d", (int)self->pid);
	snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 "\n", self->start, (uint64_t)inode);
	return at_replace_file(dirfd, name, text, strlen(text), 0600, 0);
}

/* The two numbers of a member file. */
static int member_read(int dirfd, const char *name, struct proc_id *ret, uint64_t *ret_inode)
{
	auto_free char *text = NULL;
	char *space, *end;
	uint64_t pid;
	int r;

	if (str_to_u64(name, INT32_MAX, &pid) < 0)
		return -EBADMSG;
	r = at_read_file(dirfd, name, LIMIT_MEMBER_BYTES, &text, NULL);
	if (r < 0)
		return r;
	space = strchr(text, ' ');
	end = strchr(text, '\n');
	if (!space || !end || space > end)
		return -EBADMSG;
	*space = *end = '\0';
	ret->pid = (pid_t)pid;
	if (str_to_u64(text, UINT64_MAX, &ret->start) < 0 ||
		str_to_u64(space + 1, UINT64_MAX, ret_inode) < 0)
		return -EBADMSG;
	return 0;
}

/* The namespace that a member file leads to: an fd, or -ESRCH if it leads nowhere. */
static int member_namespace(int dirfd, const char *name)
{
	auto_fd pidfd = -1, nsfd = -1;
	char path[32];
	struct proc_id id;
	uint64_t want;
	ino_t inode = 0;
	uid_t owner;
	int r;

	r = member_read(dirfd, name, &id, &want);
	if (r < 0)
		return -ESRCH;
	pidfd = proc_open(&id);
	if (pidfd < 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)id.pid);
	nsfd = open(path, O_RDONLY | O_CLOEXEC);
	if (nsfd < 0 || proc_has_ended(pidfd))
		return -ESRCH;
	if (ns_inode(nsfd, &inode) < 0 || inode != want)
		return -ESRCH;
	if (ioctl(nsfd, NS_GET_OWNER_UID, &owner) < 0 || owner != geteuid())
		return -ESRCH;
	return fd_take(&nsfd);
}

/* Look for a living member; dead ones that stand before it are removed on the way. */
static int find_namespace(int rundir_fd)
{
	auto_fd dirfd = members_open(rundir_fd);
	struct dirent *e;
	int nsfd = -ENOENT;
	DIR *dir;

	if (dirfd < 0)
		return dirfd;
	dir = fdopendir(dup(dirfd));
	if (!dir)
		return -errno;
	while (nsfd < 0 && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		nsfd = member_namespace(dirfd, e->d_name);
		if (nsfd < 0)
			(void)unlinkat(dirfd, e->d_name, 0);
	}
	(void)closedir(dir);
	return nsfd < 0 ? -ENOENT : nsfd;
}

/* ---- making it ---- */

struct maps {
	struct idmap uids, gids;
	bool by_helper; /* written by newuidmap and newgidmap */
};

static void maps_done(struct maps *m)
{
	idmap_done(&m->uids);
	idmap_done(&m->gids);
}

/* A process that does nothing but be in a new user namespace until @ret_hold is closed. */
static int start_holder(pid_t *ret_pid, int *ret_hold, struct err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	int pipe_fds[2];
	long pid;
	char c;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(pipe_fds[1]);
		while (read(pipe_fds[0], &c, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	(void)close(pipe_fds[0]);
	if (pid < 0) {
		int code = -errno;

		(void)close(pipe_fds[1]);
		err_set(err, code, "cannot make a user namespace");
		return userns_explain(err, code);
	}
	*ret_pid = (pid_t)pid;
	*ret_hold = pipe_fds[1];
	return 0;
}

static void end_holder(pid_t pid, int hold)
{
	(void)close(hold);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[48];
	auto_fd fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int write_map(pid_t pid, const char *name, const struct idmap *m)
{
	auto_buf text = { 0 };

	for (size_t i = 0; i < m->n; i++)
		if (buf_printf(&text, "%u %u %u\n", m->v[i].inside, m->v[i].outside, m->v[i].n) < 0)
			return -ENOMEM;
	return write_proc(pid, name, text.data ? text.data : "");
}

/* The ids of this namespace as they are. */
static int identity_map(const char *map_path, struct idmap *ret)
{
	auto_fd fd = open(map_path, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	char *rest, *line;
	int r;

	if (fd < 0)
		return -errno;
	r = fd_read_file(fd, LIMIT_MAP_BYTES, &text, NULL);
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n")) && *line) {
		unsigned int inside, outside, n;

		if (sscanf(line, "%u %u %u", &inside, &outside, &n) != 3)
			return -EBADMSG;
		r = idmap_add(ret, inside, inside, n);
		if (r < 0)
			return r;
	}
	return ret->n > 0 ? 0 : -EBADMSG;
}

int userns_own_ids(struct idmap *ret_uids, struct idmap *ret_gids)
{
	int r = identity_map("/proc/self/uid_map", ret_uids);

	return r < 0 ? r : identity_map("/proc/self/gid_map", ret_gids);
}

int userns_write_maps(pid_t pid, const struct idmap *uids, const struct idmap *gids)
{
	const struct {
		const char *name, *own;
		const struct idmap *given;
	} maps[] = { { "uid_map", "/proc/self/uid_map", uids },
		{ "gid_map", "/proc/self/gid_map", gids } };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(maps); i++) {
		struct idmap own = { 0 };

		if (maps[i].given->n == 0)
			r = identity_map(maps[i].own, &own);
		if (r >= 0)
			r = write_map(pid, maps[i].name, own.n ? &own : maps[i].given);
		idmap_done(&own);
	}
	return r;
}

static int start_helper(struct proc_run *ret, const char *program, pid_t pid, const struct idmap *m)
{
	auto_strv argv = { 0 };
	int r;

	r = strv_add(&argv, program);
	if (r >= 0)
		r = strv_addf(&argv, "%d", (int)pid);
	for (size_t i = 0; r >= 0 && i < m->n; i++) {
		r = strv_addf(&argv, "%u", m->v[i].inside);
		if (r >= 0)
			r = strv_addf(&argv, "%u", m->v[i].outside);
		if (r >= 0)
			r = strv_addf(&argv, "%u", m->v[i].n);
	}
	return r < 0 ? r : proc_run_start(ret, (const char *const *)argv.v);
}

/* Say why newuidmap or newgidmap did not do it; its own text may be empty. */
static int explain_helper(struct err *err, const char *program, int code, const char *text)
{
	if (code == -ENOENT) {
		err_say(err, code, "'%s' is not installed", program);
		return err_hint(err, code, "install the package 'uidmap' (or 'shadow-utils')");
	}
	if (code < 0)
		return err_set(err, code, "cannot run '%s'", program);
	err_say(err, -EPERM, "'%s' failed: %s", program,
		text[0] ? text : "it is neither setuid root nor has file capabilities");
	return err_hint(err, -EPERM, "run 'chmod u+s $(command -v %s)' as root", program);
}

/* Both helpers at once: most of the time goes into their start. */
static int run_helpers(pid_t pid, const struct maps *m, struct err *err)
{
	static const char *const names[] = { "newuidmap", "newgidmap" };
	const struct idmap *maps[] = { &m->uids, &m->gids };
	struct proc_run runs[2];
	char text[256];
	int code[2], ret = 0;

	for (int i = 0; i < 2; i++)
		code[i] = start_helper(&runs[i], names[i], pid, maps[i]);
	for (int i = 0; i < 2; i++) {
		text[0] = '\0';
		if (code[i] >= 0)
			code[i] = proc_run_wait(&runs[i], text, sizeof(text));
		if (code[i] != 0 && ret == 0)
			ret = explain_helper(err, names[i], code[i], text);
	}
	return ret;
}

static int write_maps(pid_t pid, const struct maps *m, bool deny_setgroups, struct err *err)
{
	int r = 0;

	if (m->by_helper)
		return run_helpers(pid, m, err);
	if (deny_setgroups)
		r = write_proc(pid, "setgroups", "deny");
	if (r >= 0)
		r = write_map(pid, "uid_map", &m->uids);
	if (r >= 0)
		r = write_map(pid, "gid_map", &m->gids);
	if (r < 0) {
		err_set(err, r, "cannot map ids into the user namespace");
		return userns_explain(err, r);
	}
	return 0;
}

/* Make a namespace with these maps: an fd of it, kept alive by the fd alone. */
static int make_namespace(const struct maps *m, bool deny_setgroups, struct err *err)
{
	char path[32];
	int nsfd = -1, hold = -1, r;
	pid_t pid = 0;

	r = start_holder(&pid, &hold, err);
	if (r < 0)
		return r;
	r = write_maps(pid, m, deny_setgroups, err);
	if (r >= 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		nsfd = open(path, O_RDONLY | O_CLOEXEC);
		r = nsfd < 0 ? err_set(err, -errno, "cannot open the user namespace") : nsfd;
	}
	end_holder(pid, hold);
	return r;
}

/* Add the ranges that /etc/subuid or /etc/subgid gives the user, from id 1 on. */
static int add_subids(const char *path, const char *name, uid_t uid, struct idmap *m)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_free char *text = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	r = fd_read_file(fd, LIMIT_SUBID_BYTES, &text, &len);
	return r < 0 ? r : subid_append(text, len, name, uid, m);
}

static bool is_own_id(const struct idmap *m, uint32_t own)
{
	return m->n == 1 && m->v[0].n == 1 && m->v[0].outside == own;
}

int userns_map_child(pid_t pid, const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	const struct maps m = { *uids, *gids,
		.by_helper = !is_own_id(uids, geteuid()) || !is_own_id(gids, getegid()) };
	int r;

	if (!proc_has_cap(CAP_SETUID) || !proc_has_cap(CAP_SETGID))
		return write_maps(pid, &m, true, err);
	r = userns_write_maps(pid, uids, gids);
	return r < 0 ? err_set(err, r, "cannot map ids into the container") : 0;
}

int userns_open_new(const struct idmap *uids, const struct idmap *gids, struct err *err)
{
	int hold = -1, fd = -1, r;
	char path[48];
	pid_t pid = 0;

	r = start_holder(&pid, &hold, err);
	if (r < 0)
		return r;
	r = userns_map_child(pid, uids, gids, err);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (r >= 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r >= 0 && fd < 0)
		r = err_set(err, -errno, "cannot open the new user namespace");
	end_holder(pid, hold);
	return r < 0 ? r : fd;
}

/* From 0 = the caller, 1… = others, to @id = the caller, the others around it. */
static int put_caller_at(struct idmap *m, uint32_t id)
{
	struct idmap to = { 0 };
	int r = idmap_add(&to, id, m->v[0].outside, 1);

	for (size_t i = 1; r >= 0 && i < m->n; i++) {
		uint32_t in = m->v[i].inside - 1, out = m->v[i].outside, n = m->v[i].n;
		uint32_t below = in >= id ? 0 : n < id - in ? n : id - in;

		if (below > 0)
			r = idmap_add(&to, in, out, below);
		if (r >= 0 && below < n)
			r = idmap_add(&to, in + below + 1, out + below, n - below);
	}
	if (r < 0) {
		idmap_done(&to);
		return r;
	}
	idmap_done(m);
	*m = to;
	return 0;
}

int userns_default_ids(uint32_t uid, uint32_t gid, struct idmap *ret_uids, struct idmap *ret_gids)
{
	__attribute__((cleanup(maps_done))) struct maps m = { 0 };
	const struct passwd *pw = getpwuid(geteuid());
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%u", (unsigned int)geteuid());
	r = idmap_add(&m.uids, 0, geteuid(), 1);
	if (r >= 0)
		r = idmap_add(&m.gids, 0, getegid(), 1);
	/* A file that cannot be read is as good as none. */
	if (r >= 0)
		(void)add_subids("/etc/subuid", pw ? pw->pw_name : name, geteuid(), &m.uids);
	if (r >= 0)
		(void)add_subids("/etc/subgid", pw ? pw->pw_name : name, geteuid(), &m.gids);
	if (r >= 0 && uid > 0)
		r = put_caller_at(&m.uids, uid);
	if (r >= 0 && gid > 0)
		r = put_caller_at(&m.gids, gid);
	if (r < 0)
		return r;
	*ret_uids = m.uids;
	*ret_gids = m.gids;
	m.uids = m.gids = (struct idmap){ 0 };
	return 0;
}

bool userns_denies_setgroups(const char *proc_dir)
{
	char path[48], c = '\0';
	auto_fd fd = -1;

	snprintf(path, sizeof(path), "%.32s/setgroups", proc_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &c, 1) == 1 && c == 'd';
}

/* In a container, ids that it was not given itself cannot be handed on. */
static int clip_to_own_ids(struct maps *m)
{
	__attribute__((cleanup(maps_done))) struct maps own = { 0 };
	int r;

	r = userns_own_ids(&own.uids, &own.gids);
	if (r >= 0)
		r = subid_clip(&own.uids, &m->uids);
	return r < 0 ? r : subid_clip(&own.gids, &m->gids);
}

static int map_with_subids(struct maps *m, const char *name, struct err *err)
{
	int r;

	r = idmap_add(&m->uids, 0, geteuid(), 1);
	if (r >= 0)
		r = idmap_add(&m->gids, 0, getegid(), 1);
	if (r >= 0)
		r = add_subids("/etc/subuid", name, geteuid(), &m->uids);
	if (r >= 0)
		r = add_subids("/etc/subgid", name, geteuid(), &m->gids);
	if (r >= 0)
		r = clip_to_own_ids(m);
	if (r < 0)
		return err_set(err, r, "cannot read the subordinate ids of user '%s'", name);
	m->by_helper = true;
	if (m->uids.n > 1 && m->gids.n > 1)
		return 0;
	err_say(err, -ENOENT, "no subordinate %s for user '%s'", m->uids.n > 1 ? "gids" : "uids",
		name);
	return err_hint(err, -ENOENT,
		"run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s' as root",
		name);
}

static int make_with_subids(const char *name, struct err *err)
{
	__attribute__((cleanup(maps_done))) struct maps m = { 0 };
	int r;

	r = map_with_subids(&m, name, err);
	return r < 0 ? r : make_namespace(&m, false, err);
}

static int make_with_single_id(struct err *err)
{
	__attribute__((cleanup(maps_done))) struct maps m = { 0 };

	if (idmap_add(&m.uids, 0, geteuid(), 1) < 0 || idmap_add(&m.gids, 0, getegid(), 1) < 0)
		return err_set(err, -ENOMEM, "cannot make a user namespace");
	return make_namespace(&m, true, err);
}

static int make_as_root(struct err *err)
{
	__attribute__((cleanup(maps_done))) struct maps m = { 0 };
	int r;

	r = userns_own_ids(&m.uids, &m.gids);
	if (r < 0)
		return err_set(err, r, "cannot read the ids of this user namespace");
	return make_namespace(&m, false, err);
}

static int make_any(struct err *err)
{
	struct err why = ERR_INIT;
	const struct passwd *pw;
	char name[32];
	int r;

	if (proc_has_cap(CAP_SETUID) && proc_has_cap(CAP_SETGID) && geteuid() == 0)
		return make_as_root(err);
	pw = getpwuid(geteuid());
	snprintf(name, sizeof(name), "%u", (unsigned int)geteuid());
	r = make_with_subids(pw ? pw->pw_name : name, &why);
	if (r >= 0)
		return r;
	r = make_with_single_id(err);
	if (r >= 0)
		log_warning("userns", "%s; containers have one id only; to change that, %s",
			why.text, why.hint);
	return r;
}

/* ---- entering it ---- */

static bool has_single_id(void)
{
	struct idmap m = { 0 };
	bool single;

	single = identity_map("/proc/self/uid_map", &m) < 0 || (m.n == 1 && m.v[0].n == 1);
	idmap_done(&m);
	return single;
}

static int join(int nsfd, struct err *err)
{
	ino_t here = 0, there = 0;
	int r;

	r = own_ns_inode(&here);
	if (r >= 0)
		r = ns_inode(nsfd, &there);
	if (r < 0)
		return err_set(err, r, "cannot look at the user namespace");
	if (here != there && setns(nsfd, CLONE_NEWUSER) < 0)
		return err_set(err, -errno, "cannot join the user namespace");
	if (unshare(CLONE_NEWNS) < 0) {
		r = err_set(err, -errno, "cannot make a mount namespace");
		return userns_explain(err, r);
	}
	return 0;
}

int userns_enter(struct userns *ret, struct err *err)
{
	auto_fd rundir_fd = -1, lock = -1, nsfd = -1;
	struct proc_id self;
	int r;

	rundir_fd = rundir_open(err);
	if (rundir_fd < 0)
		return rundir_fd;
	lock = lock_open(rundir_fd, "userns.lock", LOCK_EXCLUSIVE, LOCK_WAIT);
	if (lock < 0)
		return err_set(err, lock, "cannot lock the runtime directory");
	nsfd = find_namespace(rundir_fd);
	if (nsfd < 0)
		nsfd = make_any(err);
	if (nsfd < 0)
		return nsfd;
	r = join(nsfd, err);
	if (r < 0)
		return r;
	r = proc_id_of(getpid(), &self);
	if (r >= 0)
		r = member_write(rundir_fd, &self);
	if (r < 0)
		return err_set(err, r, "cannot become a member of the user namespace");
	*ret = (struct userns){ fd_take(&rundir_fd), has_single_id(), self };
	return 0;
}

void userns_leave(struct userns *ns)
{
	auto_fd rundir_fd = fd_take(&ns->rundir_fd);
	auto_fd dirfd = -1;
	char name[16];

	if (rundir_fd < 0)
		return;
	dirfd = members_open(rundir_fd);
	snprintf(name, sizeof(name), "%d", (int)ns->self.pid);
	if (dirfd >= 0)
		(void)unlinkat(dirfd, name, 0);
}

int userns_probe(struct err *err)
{
	int hold = -1, r;
	pid_t pid = 0;

	r = start_holder(&pid, &hold, err);
	if (r >= 0)
		end_holder(pid, hold);
	return r;
}

int userns_probe_subids(struct err *err)
{
	const struct passwd *pw = getpwuid(geteuid());
	char name[32];
	int fd;

	if (proc_has_cap(CAP_SETUID) && proc_has_cap(CAP_SETGID) && geteuid() == 0)
		return 0;
	snprintf(name, sizeof(name), "%u", (unsigned int)geteuid());
	fd = make_with_subids(pw ? pw->pw_name : name, err);
	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? fd : 0;
}
