/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a command in the foreground (the contract is in the header). */
#include "runtime/watch.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>

/* Faults are this process's own; stops and SIGCONT are between it and the shell. */
static const int kept[] = { SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
	SIGABRT, SIGSYS, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

int watch_init(struct watch *w, struct err *err)
{
	w->pidfd = -1;
	w->tty = NULL;
	for (int i = 0; i < 3; i++)
		w->copies[i] = (struct watch_copy){ .from_fd = -1, .to_fd = -1 };
	(void)sigfillset(&w->passed);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		(void)sigdelset(&w->passed, kept[i]);
	/* A reader of our output that went away is an error of write(2), not the end. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &w->passed, &w->before) < 0)
		return err_set(err, -errno, "cannot block signals");
	w->signal_fd = signalfd(-1, &w->passed, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signal_fd < 0)
		return err_set(err, -errno, "cannot wait for signals");
	return 0;
}

/* ---- streams ---- */

static void close_copy(struct watch_copy *c)
{
	if (c->from_fd > STDERR_FILENO)
		(void)close(c->from_fd);
	if (c->to_fd > STDERR_FILENO)
		(void)close(c->to_fd);
	c->from_fd = c->to_fd = -1;
	c->pipe.len = 0;
}

int watch_pipes(struct watch *w, int stdio[3], int ret_inside[3], struct err *err)
{
	int fds[2];

	for (int i = 0; i < 3; i++) {
		int inside = i == STDIN_FILENO ? 0 : 1;

		ret_inside[i] = -1;
		if (stdio[i] < 0 || !isatty(stdio[i]))
			continue;
		if (pipe2(fds, O_CLOEXEC) < 0)
			return err_set(err, -errno, "cannot make a pipe");
		ret_inside[i] = fds[inside];
		w->copies[i].from_fd = inside ? fds[0] : stdio[i];
		w->copies[i].to_fd = inside ? stdio[i] : fds[1];
		stdio[i] = fds[inside];
		if (fcntl(fds[!inside], F_SETFL, O_NONBLOCK) < 0)
			return err_set(err, -errno, "cannot prepare a pipe");
	}
	return 0;
}

static void fill_copy(const struct watch_copy *c, struct pollfd *p)
{
	bool full = c->pipe.len > 0;

	*p = (struct pollfd){ .fd = full ? c->to_fd : c->from_fd,
		.events = full ? POLLOUT : POLLIN };
}

/* One step: a read or a write; false if there is nothing more to do. */
static bool copy_step(struct watch_copy *c)
{
	ssize_t n;

	if (c->from_fd < 0)
		return false;
	if (c->pipe.len > 0) {
		n = write(c->to_fd, c->pipe.data + c->pipe.off, c->pipe.len);
		if (n > 0) {
			c->pipe.off += (size_t)n;
			c->pipe.len -= (size_t)n;
			return true;
		}
	} else {
		n = read(c->from_fd, c->pipe.data, sizeof(c->pipe.data));
		if (n > 0) {
			c->pipe.off = 0;
			c->pipe.len = (size_t)n;
			return true;
		}
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_copy(c);
	return false;
}

/* The program has ended: what it wrote before. */
static void drain_copies(struct watch *w)
{
	for (int i = STDOUT_FILENO; i <= STDERR_FILENO; i++)
		while (copy_step(&w->copies[i]))
			;
}

/* ---- the loop ---- */

static void pass_signals(struct watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && w->tty)
			tty_resize(w->tty);
		else
			(void)proc_kill(w->pidfd, (int)si.ssi_signo);
	}
}

int watch_run(struct watch *w, struct err *err)
{
	enum { SIGNALS, PROGRAM, TTY_IN, TTY_MASTER, COPIES, N = COPIES + 3 };

	for (;;) {
		struct pollfd p[N] = {
			[SIGNALS] = { .fd = w->signal_fd, .events = POLLIN },
			[PROGRAM] = { .fd = w->pidfd, .events = POLLIN },
			[TTY_IN] = { .fd = -1 },
			[TTY_MASTER] = { .fd = -1 },
		};

		if (w->tty)
			tty_poll_fill(w->tty, &p[TTY_IN]);
		for (int i = 0; i < 3; i++)
			fill_copy(&w->copies[i], &p[COPIES + i]);
		if (poll(p, N, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(err, -errno, "cannot wait for the program");
		}
		if (p[SIGNALS].revents)
			pass_signals(w);
		if (w->tty)
			tty_poll_done(w->tty, &p[TTY_IN]);
		for (int i = 0; i < 3; i++)
			if (p[COPIES + i].revents)
				(void)copy_step(&w->copies[i]);
		if (p[PROGRAM].revents)
			break;
	}
	if (w->tty)
		tty_drain(w->tty);
	drain_copies(w);
	return proc_reap(w->pidfd);
}

void watch_done(struct watch *w)
{
	if (w->signal_fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		close_copy(&w->copies[i]);
	cleanup_fd(&w->signal_fd);
	w->signal_fd = -1;
	(void)sigprocmask(SIG_SETMASK, &w->before, NULL);
}
