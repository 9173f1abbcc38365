/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a command in the foreground (the contract is in the header). */
#include "runtime/watch.h"

#include "base/cleanup.h"
#include "base/proc.h"

#include <poll.h>
#include <sys/signalfd.h>

/* Faults are this process's own; stops and SIGCONT are between it and the shell. */
static const int kept[] = { SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
	SIGABRT, SIGSYS, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

int watch_init(struct watch *w, struct err *err)
{
	w->pidfd = -1;
	w->tty = NULL;
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
	enum { SIGNALS, PROGRAM, TTY_IN, TTY_MASTER, N };

	for (;;) {
		struct pollfd p[N] = {
			[SIGNALS] = { .fd = w->signal_fd, .events = POLLIN },
			[PROGRAM] = { .fd = w->pidfd, .events = POLLIN },
			[TTY_IN] = { .fd = -1 },
			[TTY_MASTER] = { .fd = -1 },
		};

		if (w->tty)
			tty_poll_fill(w->tty, &p[TTY_IN]);
		if (poll(p, N, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(err, -errno, "cannot wait for the program");
		}
		if (p[SIGNALS].revents)
			pass_signals(w);
		if (w->tty)
			tty_poll_done(w->tty, &p[TTY_IN]);
		if (p[PROGRAM].revents)
			break;
	}
	if (w->tty)
		tty_drain(w->tty);
	return proc_reap(w->pidfd);
}

void watch_done(struct watch *w)
{
	if (w->signal_fd < 0)
		return;
	cleanup_fd(&w->signal_fd);
	w->signal_fd = -1;
	(void)sigprocmask(SIG_SETMASK, &w->before, NULL);
}
