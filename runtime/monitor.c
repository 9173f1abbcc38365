/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's loop
 *
 *      signalfd ──▶ the container's pid 1        pidfds: container, root file system, network
 *      terminal ⇄ pty master
 *
 * The container's first process has no handler of ours: a signal that it ignores, as pid 1 does by
 * default, is ignored, except SIGKILL.  Its root file system's end is its own end; without a
 * network it goes on.
 */
#include "runtime/monitor.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* Faults are this process's own; stops and SIGCONT are between it and the shell. */
static const int kept[] = { SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
	SIGABRT, SIGSYS, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

int monitor_init(struct monitor *m, struct err *err)
{
	m->pidfd = m->root_pidfd = m->net_pidfd = -1;
	m->tty = NULL;
	(void)sigfillset(&m->passed);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		(void)sigdelset(&m->passed, kept[i]);
	/* A reader of our output that went away is an error of write(2), not the end. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &m->passed, &m->before) < 0)
		return err_set(err, -errno, "cannot block signals");
	m->signal_fd = signalfd(-1, &m->passed, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signal_fd < 0)
		return err_set(err, -errno, "cannot wait for signals");
	return 0;
}

static void pass_signals(struct monitor *m)
{
	struct signalfd_siginfo si;

	while (read(m->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGWINCH && m->tty)
			tty_resize(m->tty);
		else
			(void)proc_kill(m->pidfd, (int)si.ssi_signo);
	}
}

/* It ends by itself, and well, when the mount goes: then the container is about to. */
static bool root_process_failed(const struct monitor *m)
{
	siginfo_t si = { 0 };

	return waitid((idtype_t)P_PIDFD, (id_t)m->root_pidfd, &si, WEXITED | WNOWAIT) == 0 &&
	       !(si.si_code == CLD_EXITED && si.si_status == 0);
}

static void root_process_ended(struct monitor *m)
{
	if (root_process_failed(m)) {
		log_warning("run", "the root file system's process ended, so does the container");
		(void)proc_kill(m->pidfd, SIGKILL);
	}
	m->root_pidfd = -1;
}

int monitor_run(struct monitor *m, struct err *err)
{
	enum { SIGNALS, CONTAINER, ROOT, NET, TTY_IN, TTY_MASTER, N };

	for (;;) {
		struct pollfd p[N] = {
			[SIGNALS] = { .fd = m->signal_fd, .events = POLLIN },
			[CONTAINER] = { .fd = m->pidfd, .events = POLLIN },
			[ROOT] = { .fd = m->root_pidfd, .events = POLLIN },
			[NET] = { .fd = m->net_pidfd, .events = POLLIN },
			[TTY_IN] = { .fd = -1 },
			[TTY_MASTER] = { .fd = -1 },
		};

		if (m->tty)
			tty_poll_fill(m->tty, &p[TTY_IN]);
		if (poll(p, N, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_set(err, -errno, "cannot wait for the container");
		}
		if (p[SIGNALS].revents)
			pass_signals(m);
		if (m->tty)
			tty_poll_done(m->tty, &p[TTY_IN]);
		if (p[CONTAINER].revents)
			break;
		if (p[ROOT].revents)
			root_process_ended(m);
		if (p[NET].revents) {
			m->net_pidfd = -1;
			log_warning(
				"run", "the network process ended, the container goes on without");
		}
	}
	if (m->tty)
		tty_drain(m->tty);
	return proc_reap(m->pidfd);
}

void monitor_done(struct monitor *m)
{
	if (m->signal_fd < 0)
		return;
	cleanup_fd(&m->signal_fd);
	m->signal_fd = -1;
	(void)sigprocmask(SIG_SETMASK, &m->before, NULL);
}
