/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root process: a fork of the monitor that runs overlay/
 *
 * Two threads besides libfuse's: none serves, one watches the monitor.  A container may clear the
 * parent-death signal of its first process; then, when the monitor dies, the watching thread is
 * who ends it.  The socket between them says it all: an fd that arrives is the pidfd of the
 * container, its end is the monitor's.
 *
 * Before the fork nothing of the image is opened, so that a slow store delays this process alone,
 * while the monitor goes on until it needs the first file.
 */
#include "runtime/rootproc.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sock.h"
#include "overlay/fuse_session.h"
#include "overlay/mount.h"
#include "runtime/userns.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct failure {
	int code;
	struct err err;
};

/* ---- the process ---- */

static void *watch_monitor(void *arg)
{
	int sock = *(const int *)arg, pidfd = -1;
	char c;

	while (sock_recv(sock, &c, sizeof(c), &pidfd) > 0)
		;
	if (pidfd >= 0)
		(void)proc_kill(pidfd, SIGKILL);
	return NULL;
}

static int start_watching(const int *sock, struct err *err)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, watch_monitor, (void *)(uintptr_t)sock);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return err_set(err, -r, "cannot watch the monitor");
	(void)pthread_detach(thread);
	return 0;
}

static int serve(const struct rootproc_opts *opts, int fuse_fd, const int *sock, struct err *err)
{
	struct ovl_session_opts session = { .ready_fd = -1, .debug = log_is_debug() };
	char id[sizeof("image:") + DIGEST_TEXT_BYTES] = "image:";
	struct ovl_config cfg = { .lower_id = id,
		.upper_dirfd = opts->upper_dirfd,
		.flags = opts->throw_away ? OVL_VOLATILE : 0 };
	struct idmap uids = { 0 }, gids = { 0 };
	struct ovl_fs *fs = NULL;
	int r;

	r = userns_own_ids(&uids, &gids);
	if (r < 0)
		return err_set(err, r, "cannot read the ids of this user namespace");
	cfg.uids = opts->uids ? opts->uids : &uids;
	cfg.gids = opts->gids ? opts->gids : &gids;
	digest_text(&opts->img->chain_id, id + strlen(id));
	r = img_open_lower(opts->store, opts->img, &cfg.lower, err);
	if (r >= 0)
		r = ovl_fs_new(&fs, &cfg, err);
	if (r >= 0)
		r = start_watching(sock, err);
	if (r >= 0)
		r = ovl_serve(fs, fuse_fd, &session, err);
	ovl_fs_free(fs);
	return r;
}

static void leave_session(const char *name)
{
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	(void)chdir("/");
	(void)prctl(PR_SET_NAME, name);
	/* A reader at the end of the monitor's output must not wait for this process. */
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (!log_is_debug())
		(void)dup2(null, STDERR_FILENO);
}

/* What is not its own: it lives as long as the container. */
static void close_others(const struct rootproc_opts *opts)
{
	fd_close_inherited(3);
	for (size_t i = 0; i < opts->n_close_fds; i++)
		(void)close(opts->close_fds[i]);
}

static void __attribute__((noreturn))
be_root_process(const struct rootproc_opts *opts, int fuse_fd, int mount_fd, const int *sock)
{
	struct failure f = { 0 };

	leave_session("lamina-overlay");
	(void)close(mount_fd);
	close_others(opts);
	f.code = serve(opts, fuse_fd, sock, &f.err);
	if (f.code < 0)
		(void)sock_send(*sock, &f, sizeof(f), -1);
	_exit(f.code < 0);
}

/* ---- the monitor's side ---- */

/* Fork with a socket between: 0 in the child, with its end in @ret_sock; 1 in the monitor. */
static int fork_root_process(struct rootproc *ret, int *ret_sock, struct err *err)
{
	int pair[2], r;
	pid_t pid;

	r = sock_pair(pair);
	if (r < 0)
		return err_set(err, r, "cannot make a socket");
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		*ret_sock = pair[1];
		return 0;
	}
	(void)close(pair[1]);
	ret->sock = pair[0];
	if (pid < 0)
		return err_set(err, -errno, "cannot start the root file system's process");
	ret->pid = pid;
	ret->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return ret->pidfd < 0 ? err_set(err, -errno, "cannot watch the root file system's process")
			      : 1;
}

int rootproc_start(
	struct rootproc *ret, const struct rootproc_opts *opts, int *ret_mount, struct err *err)
{
	const struct ovl_mount_opts mount_opts = { .allow_other = true, .source = "lamina" };
	auto_fd fuse_fd = -1, mount_fd = -1;
	int sock = -1, r;

	r = ovl_mount_detached(&mount_opts, &fuse_fd, &mount_fd, err);
	if (r >= 0)
		r = fork_root_process(ret, &sock, err);
	if (r < 0)
		return r;
	if (r == 0)
		be_root_process(opts, fuse_fd, mount_fd, &sock);
	*ret_mount = fd_take(&mount_fd);
	return 0;
}

int rootproc_start_guard(struct rootproc *ret, const struct rootproc_opts *opts, struct err *err)
{
	int sock = -1, r;

	r = fork_root_process(ret, &sock, err);
	if (r != 0)
		return r < 0 ? r : 0;
	leave_session("lamina-guard");
	close_others(opts);
	(void)watch_monitor(&sock);
	_exit(0);
}

int rootproc_explain(const struct rootproc *rp, int code, struct err *err)
{
	struct pollfd p = { .fd = rp->sock, .events = POLLIN };
	struct failure f;

	if (rp->sock < 0 || poll(&p, 1, 0) <= 0 ||
		sock_recv(rp->sock, &f, sizeof(f), NULL) != (ssize_t)sizeof(f))
		return code;
	if (err)
		*err = f.err;
	return f.code;
}

void rootproc_guard(const struct rootproc *rp, int pidfd)
{
	(void)sock_send(rp->sock, "", 1, pidfd);
}

void rootproc_end(struct rootproc *rp, enum rootproc_end_flags flags)
{
	/* A guard waits for nothing else. */
	cleanup_fd(&rp->sock);
	rp->sock = -1;
	if (rp->pidfd >= 0) {
		if (flags & ROOTPROC_KILL)
			(void)proc_kill(rp->pidfd, SIGKILL);
		(void)proc_reap(rp->pidfd);
		(void)close(rp->pidfd);
	}
	rp->pidfd = -1;
}
