/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's loop
 *
 *      our stdin ──detach keys?──▶ socket ──▶ stdout, stderr          signalfd ──▶ socket
 *
 * Our standard input may be shared with a shell, so it is never made non-blocking; poll says when
 * it can be read.  Sending input never waits, since the monitor may wait for us to take output.
 */
#include "runtime/client.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/sock.h"
#include "runtime/attach.h"

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

/* What the kernel or the shell means for us alone. */
static const int kept[] = { SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
	SIGABRT, SIGSYS, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

int client_hold_signals(struct client *c, struct err *err)
{
	sigset_t held;

	(void)sigfillset(&held);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		(void)sigdelset(&held, kept[i]);
	if (sigprocmask(SIG_BLOCK, &held, &c->before) < 0)
		return err_set(err, -errno, "cannot block signals");
	c->signal_fd = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signal_fd < 0 ? err_set(err, -errno, "cannot wait for signals") : 0;
}

static void release_signals(struct client *c)
{
	if (c->signal_fd < 0)
		return;
	(void)close(c->signal_fd);
	c->signal_fd = -1;
	(void)sigprocmask(SIG_SETMASK, &c->before, NULL);
}

int client_fork(struct client *c, int *ret_sock, struct err *err)
{
	int pair[2], r;

	r = client_hold_signals(c, err);
	if (r < 0)
		return r;
	r = sock_pair(pair);
	if (r < 0)
		return err_set(err, r, "cannot make a socket");
	c->pid = fork();
	if (c->pid == 0) {
		release_signals(c);
		(void)close(pair[0]);
		(void)setsid();
		*ret_sock = pair[1];
		return 0;
	}
	(void)close(pair[1]);
	c->sock = pair[0];
	if (c->pid < 0)
		return err_set(err, -errno, "cannot start the container's monitor");
	return 1;
}

void client_failed(int sock, int code, int exit_code, const struct err *err)
{
	struct attach_msg m = { .kind = ATTACH_FAILED };

	m.failed.code = code;
	m.failed.exit_code = exit_code;
	m.failed.err = *err;
	(void)attach_send(sock, &m, sizeof(m.failed), ATTACH_WAIT);
}

static bool is_end_signal(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

/* Wait for a message; a signal that ends programs ends the wait. */
static int wait_message(struct client *c, int *ret_signal)
{
	struct pollfd p[2] = { { .fd = c->sock, .events = POLLIN },
		{ .fd = c->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo si;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			return 0;
		while (read(c->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
			if (is_end_signal((int)si.ssi_signo)) {
				*ret_signal = (int)si.ssi_signo;
				return -EINTR;
			}
	}
}

int client_wait_started(
	struct client *c, char ret_id[static CLIENT_ID_BYTES], int *ret_exit_code, struct err *err)
{
	struct attach_msg m;
	size_t len = 0;
	int r, sig = 0;

	r = wait_message(c, &sig);
	if (r == -EINTR) {
		*ret_exit_code = 128 + sig;
		return err_say(err, r, "interrupted");
	}
	if (r >= 0)
		r = attach_recv(c->sock, &m, &len);
	if (r <= 0)
		return err_say(err, r ? r : -EIO, "the container's monitor was killed");
	if (m.kind == ATTACH_STARTED && len < CLIENT_ID_BYTES) {
		memcpy(ret_id, m.data, len);
		ret_id[len] = '\0';
		return 0;
	}
	if (m.kind != ATTACH_FAILED || len < sizeof(m.failed) || m.failed.code >= 0)
		return err_say(err, -EBADMSG, "the container's monitor is not understood");
	*ret_exit_code = m.failed.exit_code;
	if (err)
		*err = m.failed.err;
	return m.failed.code;
}

/* ---- the loop ---- */

struct relay {
	struct client *c;
	struct client_opts *o;
	int in_fd; /* -1: no (more) input */
	struct attach_msg pending; /* for the monitor */
	size_t pending_len;
	bool is_pending;
	bool end_input; /* to be told */
	bool detached; /* to be told */
	bool left; /* it was told */
	struct termios saved;
	bool raw;
	int exit_code; /* -1: not known yet */
};

static int make_raw(struct relay *r)
{
	struct termios raw;

	if (!r->o->terminal || r->in_fd < 0 || tcgetattr(r->in_fd, &r->saved) < 0)
		return 0;
	raw = r->saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -errno;
	r->raw = true;
	return 0;
}

static void restore(struct relay *r)
{
	if (r->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	r->raw = false;
}

/* Puts a message there if there is none. */
static void put(struct relay *r, enum attach_kind kind, size_t len)
{
	r->pending.kind = kind;
	r->pending_len = len;
	r->is_pending = true;
}

static void send_pending(struct relay *r)
{
	int sent;

	while (r->is_pending || r->end_input || r->detached) {
		if (!r->is_pending && r->end_input) {
			r->end_input = false;
			put(r, ATTACH_END_INPUT, 0);
		} else if (!r->is_pending) {
			r->detached = false;
			r->left = true;
			put(r, ATTACH_DETACH, 0);
		}
		sent = attach_send(r->c->sock, &r->pending, r->pending_len, ATTACH_TRY);
		if (sent == -EAGAIN)
			return;
		r->is_pending = false;
	}
}

static void send_size(struct relay *r)
{
	struct winsize ws;
	struct attach_msg m = { .kind = ATTACH_SIZE };

	for (int fd = 0; r->o->terminal && fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col) {
			m.size.rows = ws.ws_row;
			m.size.cols = ws.ws_col;
			(void)attach_send(r->c->sock, &m, sizeof(m.size), ATTACH_WAIT);
			return;
		}
}

static void pass_signals(struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->c->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGWINCH)
			send_size(r);
		else if (r->o->pass_signals)
			(void)attach_send_number(r->c->sock, ATTACH_SIGNAL, sig);
		else if (is_end_signal(sig))
			r->detached = true;
	}
}

static void read_input(struct relay *r)
{
	char data[ATTACH_DATA_BYTES - LIMIT_DETACH_KEYS];
	ssize_t n = read(r->in_fd, data, sizeof(data));
	size_t len = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r->in_fd = -1;
		r->end_input = true;
		return;
	}
	if (detach_feed(&r->o->detach, data, (size_t)n, r->pending.data, &len)) {
		r->in_fd = -1;
		r->detached = true;
	}
	if (len > 0)
		put(r, ATTACH_INPUT, len);
}

/* false if nobody reads what is shown. */
static bool show(const struct relay *r, int fd, const struct attach_msg *m, size_t len)
{
	bool hidden = fd == STDOUT_FILENO ? r->o->no_stdout : r->o->no_stderr;

	return hidden || fd_write_all(fd, m->data, len) == 0;
}

/* 1 while there is more. */
static int hear(struct relay *r, struct err *err)
{
	struct attach_msg m;
	size_t len = 0;
	int got = attach_recv(r->c->sock, &m, &len);

	if (got <= 0)
		return err_say(err, -ECONNRESET, "the container's monitor was killed");
	if (m.kind == ATTACH_STDOUT || m.kind == ATTACH_STDERR)
		return show(r, m.kind == ATTACH_STDOUT ? STDOUT_FILENO : STDERR_FILENO, &m, len)
			       ? 1
			       : err_set(err, -EPIPE, "cannot write what the container wrote");
	if (m.kind != ATTACH_EXIT || len < sizeof(m.number))
		return err_say(err, -EBADMSG, "the container's monitor is not understood");
	r->exit_code = m.number;
	return 0;
}

static int turn(struct relay *r, struct err *err)
{
	bool busy = r->is_pending;
	struct pollfd p[3] = {
		{ .fd = r->c->sock, .events = (short)(POLLIN | (busy ? POLLOUT : 0)) },
		{ .fd = r->c->signal_fd, .events = POLLIN },
		{ .fd = busy ? -1 : r->in_fd, .events = POLLIN },
	};

	if (poll(p, 3, -1) < 0)
		return errno == EINTR ? 1 : err_set(err, -errno, "cannot wait for the container");
	if (p[1].revents)
		pass_signals(r);
	if (p[2].revents)
		read_input(r);
	send_pending(r);
	if (r->left)
		return 0;
	return p[0].revents & (POLLIN | POLLHUP | POLLERR) ? hear(r, err) : 1;
}

int client_run(struct client *c, struct client_opts *o, struct err *err)
{
	struct relay r = { .c = c, .o = o, .in_fd = o->input ? STDIN_FILENO : -1, .exit_code = -1 };
	int ret;

	ret = make_raw(&r);
	if (ret < 0)
		return err_set(err, ret, "cannot prepare the terminal");
	send_size(&r);
	ret = 1;
	while (ret > 0)
		ret = turn(&r, err);
	restore(&r);
	if (ret < 0)
		return ret;
	return r.left ? -ECANCELED : r.exit_code;
}

void client_done(struct client *c, bool wait)
{
	cleanup_fd(&c->sock);
	c->sock = -1;
	while (wait && c->pid > 0 && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	release_signals(c);
}
