/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: libfuse's loop over a descriptor that is mounted already
 *
 *      kernel ─ read ──▶ notes INIT's unique, a WRITE's flags ──▶ libfuse ──▶ adapter
 *      kernel ◀─ writev ─ INIT's reply gets HANDLE_KILLPRIV_V2 ◀─ libfuse ◀── adapter
 *
 * Requests that libfuse does not know are answered before it sees them (fuse_tmpfile.h), and so are
 * large READs (fuse_splice.h).
 *
 * libfuse before 3.17 does not know FUSE_HANDLE_KILLPRIV_V2, which saves a GETXATTR for each write;
 * fuse_session_custom_io() lets the reply be edited on its way out.  The same place turns EFAULT,
 * which the kernel says when a mapped tar lost its bytes, into an answer.
 *
 * Signals are taken by a thread of their own, so that dirty data can be written back while the
 * loop still serves.
 */
#include "overlay/fuse_session.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "overlay/fuse_adapter.h"
#include "overlay/fuse_seek.h"
#include "overlay/fuse_splice.h"
#include "overlay/fuse_tmpfile.h"
#include "overlay/mount.h"
#include "overlay/ops.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define MAX_THREADS 8

struct session {
	struct fuse_adapter adapter; /* first: the handlers' userdata */
	const struct ovl_session_opts *opts;
	uint64_t init_unique; /* of INIT while it is not answered; one thread serves then */
	bool killpriv_v2; /* offered by the kernel */
	pthread_t main_thread;
	pthread_t signal_thread;
};

static void note_init(struct session *s, const struct fuse_in_header *head, size_t len)
{
	const struct fuse_init_in *in = (const void *)(head + 1);

	if (len < sizeof(*head) + offsetof(struct fuse_init_in, flags) + sizeof(in->flags))
		return;
	s->init_unique = head->unique;
	s->killpriv_v2 = in->flags & FUSE_HANDLE_KILLPRIV_V2;
}

/* Is this thread between a request and its answer? */
static __thread bool serving;

static ssize_t read_one(struct session *s, int fd, void *buf, size_t len)
{
	struct ovl_fs *fs = s->adapter.fs;
	ssize_t n;

	if (serving)
		ovl_end(fs);
	serving = false;
	n = read(fd, buf, len);
	if (n > 0) {
		ovl_begin(fs);
		serving = true;
	}
	return n;
}

static ssize_t session_read(int fd, void *buf, size_t len, void *userdata)
{
	const struct fuse_in_header *head = buf;
	struct session *s = userdata;
	ssize_t n;

	do
		n = read_one(s, fd, buf, len);
	while (n > 0 && (fuse_splice_serve(&s->adapter, fd, buf, (size_t)n) ||
				fuse_tmpfile_serve(&s->adapter, fd, buf, (size_t)n)));
	if (n < (ssize_t)sizeof(*head))
		return n;
	if (head->opcode == FUSE_WRITE &&
		(size_t)n >= sizeof(*head) + sizeof(struct fuse_write_in)) {
		const struct fuse_write_in *in = (const void *)(head + 1);

		fuse_adapter_write_flags(in->write_flags);
	} else if (head->opcode == FUSE_INIT) {
		note_init(s, head, (size_t)n);
	}
	return n;
}

static void edit_init(struct session *s, const struct iovec *iov, int count)
{
	const struct fuse_out_header *head = iov[0].iov_base;
	struct fuse_init_out *out;

	s->init_unique = 0;
	if (head->error || count < 2 || iov[1].iov_len < offsetof(struct fuse_init_out, flags) + 4)
		return;
	out = iov[1].iov_base;
	if (s->killpriv_v2)
		out->flags |= FUSE_HANDLE_KILLPRIV_V2;
	out->flags &= ~(uint32_t)FUSE_HANDLE_KILLPRIV;
}

static ssize_t session_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct session *s = userdata;
	const struct fuse_out_header *head = iov[0].iov_base;
	bool is_init = s->init_unique && head->unique == s->init_unique;
	ssize_t n;

	if (is_init)
		edit_init(s, iov, count);
	n = writev(fd, iov, count);
	if (n < 0 && errno == EFAULT) {
		struct fuse_out_header eio = { sizeof(eio), -EIO, head->unique };
		struct iovec one = { &eio, sizeof(eio) };

		n = writev(fd, &one, 1) < 0 ? -1 : (ssize_t)head->len;
	}
	if (is_init && n >= 0 && s->opts->ready_fd >= 0 && write(s->opts->ready_fd, "1", 1) < 0)
		log_debug("overlay", "nobody waits for the mount");
	return n;
}

/* ---- signals ---- */

static void on_wake(int sig)
{
}

/* Write back what the kernel holds of this mount; the loop goes on serving meanwhile. */
static void sync_mount(const char *mountpoint)
{
	int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)syncfs(fd);
	(void)close(fd);
}

/*
 * libfuse waits on a semaphore, which a signal to its thread interrupts; one that comes between
 * its check and the wait is lost, hence the repetition.  The thread is cancelled when it is heard.
 */
static void stop_loop(struct session *s)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	fuse_session_exit(s->adapter.se);
	for (;;) {
		(void)pthread_kill(s->main_thread, SIGUSR1);
		(void)nanosleep(&pause, NULL);
	}
}

static void *signal_main(void *arg)
{
	struct session *s = arg;
	struct err err = ERR_INIT;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	while (sigwait(&set, &sig) != 0)
		;
	if (s->opts->mountpoint) {
		sync_mount(s->opts->mountpoint);
		if (ovl_unmount_lazy(s->opts->mountpoint, &err) == 0)
			while (sigwait(&set, &sig) != 0)
				;
		else
			log_warning("overlay", "%s; stopping with the mount in place", err.text);
	}
	stop_loop(s);
	return NULL;
}

static int start_signals(struct session *s)
{
	struct sigaction wake = { .sa_handler = on_wake }, ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)sigaction(SIGUSR1, &wake, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	s->main_thread = pthread_self();
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	return -pthread_create(&s->signal_thread, NULL, signal_main, s);
}

/* The one for signals first: those that are started later leave signals to it. */
static int start_threads(struct session *s)
{
	int r = start_signals(s);

	if (r < 0 || s->adapter.read_only || s->adapter.no_writeback)
		return r;
	s->adapter.seek = fuse_seek_new();
	if (s->adapter.seek)
		return 0;
	(void)pthread_cancel(s->signal_thread);
	(void)pthread_join(s->signal_thread, NULL);
	return -EAGAIN;
}

/* ---- the loop ---- */

static unsigned int count_threads(const struct ovl_session_opts *o)
{
	long n = o->n_threads ? (long)o->n_threads : sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 2)
		n = 2; /* a signal may make the daemon wait for itself */
	return n > MAX_THREADS ? MAX_THREADS : (unsigned int)n;
}

static int run_loop(struct session *s)
{
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	int r;

	if (!cfg)
		return -ENOMEM;
	fuse_loop_cfg_set_max_threads(cfg, count_threads(s->opts));
	fuse_loop_cfg_set_idle_threads(cfg, MAX_THREADS);
	fuse_loop_cfg_set_clone_fd(cfg, 1);
	r = fuse_session_loop_mt(s->adapter.se, cfg);
	fuse_loop_cfg_destroy(cfg);
	return r < 0 ? r : 0;
}

static struct fuse_session *new_session(struct session *s)
{
	char program[] = "lamina", debug[] = "-d";
	char *argv[] = { program, debug, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(s->opts->debug ? 2 : 1, argv);
	struct fuse_session *se =
		fuse_session_new(&args, fuse_adapter_ops(), sizeof(*fuse_adapter_ops()), s);

	fuse_opt_free_args(&args);
	return se;
}

int ovl_serve(struct ovl_fs *fs, int fuse_fd, const struct ovl_session_opts *opts, struct err *err)
{
	static const struct fuse_custom_io io = { .writev = session_writev, .read = session_read };
	struct session s = { .opts = opts,
		.adapter = { .fs = fs,
			.no_open = !opts->no_open_off && !opts->expires,
			.read_only = opts->read_only,
			.no_writeback = opts->no_writeback,
			.no_xattrs = opts->no_xattrs,
			.no_acl = opts->no_acl,
			.ino32 = opts->ino32,
			.expires = opts->expires,
			.timeout_s = opts->expires ? opts->timeout_s : FUSE_ADAPTER_FOREVER_S } };
	auto_fd fd = fuse_fd;
	int r;

	(void)umask(0);
	s.adapter.se = new_session(&s);
	if (!s.adapter.se)
		return err_say(err, -EINVAL, "libfuse refuses a session");
	r = fuse_session_custom_io(s.adapter.se, &io, fd);
	if (r == 0) {
		(void)fd_take(&fd); /* libfuse closes it */
		r = start_threads(&s);
	}
	if (r < 0) {
		fuse_session_destroy(s.adapter.se);
		return err_set(err, r, "cannot serve the mount");
	}
	r = run_loop(&s);
	(void)pthread_cancel(s.signal_thread);
	(void)pthread_join(s.signal_thread, NULL);
	if (fuse_seek_free(s.adapter.seek) == 0)
		fuse_session_destroy(s.adapter.se);
	/* An unmount ends the loop with ENODEV. */
	return r < 0 && r != -ENODEV ? err_set(err, r, "serving the mount failed") : 0;
}

const char *ovl_fuse_version(void)
{
	return fuse_pkgversion();
}
