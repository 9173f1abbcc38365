/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's loop
 *
 *      signalfd ──▶ the container's pid 1        pidfds: container, root file system, network
 *      clients, log ⇄ streams
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
#include <sys/timerfd.h>
#include <sys/wait.h>

enum {
	P_SIGNALS,
	P_CONTAINER,
	P_ROOT,
	P_NET,
	P_TIMER,
	P_STREAMS,
	N_POLL = P_STREAMS + STREAMS_N_POLL
};

/* Faults are this process's own; stops and SIGCONT are between it and the shell. */
static const int kept[] = { SIGCHLD, SIGPIPE, SIGURG, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
	SIGABRT, SIGSYS, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT,
	SIGWINCH };

void monitor_init(struct monitor *m)
{
	m->pidfd = m->root_pidfd = m->net_pidfd = m->signal_fd = m->timer_fd = -1;
	m->timeout_s = 0;
	streams_init(&m->streams);
}

int monitor_hold_signals(struct monitor *m, struct err *err)
{
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

	while (read(m->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		(void)proc_kill(m->pidfd, (int)si.ssi_signo);
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

static int start_timer(struct monitor *m, struct err *err)
{
	const struct itimerspec when = { .it_value.tv_sec = m->timeout_s };

	if (m->timeout_s == 0 || m->timer_fd >= 0)
		return 0;
	m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (m->timer_fd < 0 || timerfd_settime(m->timer_fd, 0, &when, NULL) < 0)
		return err_set(err, -errno, "cannot limit the container's time");
	return 0;
}

static void kill_container(struct monitor *m, int *why_fd)
{
	(void)proc_kill(m->pidfd, SIGKILL);
	if (why_fd) {
		cleanup_fd(why_fd);
		*why_fd = -1;
	}
}

/* One turn: 1 when the container has ended, else 0. */
static int turn(struct monitor *m, struct err *err)
{
	struct pollfd p[N_POLL] = {
		[P_SIGNALS] = { .fd = m->signal_fd, .events = POLLIN },
		[P_CONTAINER] = { .fd = m->pidfd, .events = POLLIN },
		[P_ROOT] = { .fd = m->root_pidfd, .events = POLLIN },
		[P_NET] = { .fd = m->net_pidfd, .events = POLLIN },
		[P_TIMER] = { .fd = m->timer_fd, .events = POLLIN },
	};

	streams_poll_fill(&m->streams, p + P_STREAMS);
	if (poll(p, N_POLL, -1) < 0)
		return errno == EINTR ? 0 : err_set(err, -errno, "cannot wait for the container");
	if (p[P_SIGNALS].revents)
		pass_signals(m);
	streams_poll_done(&m->streams, p + P_STREAMS, m->pidfd);
	if (m->streams.owner_gone) {
		m->streams.owner_gone = false;
		kill_container(m, NULL);
	}
	if (p[P_TIMER].revents)
		kill_container(m, &m->timer_fd);
	if (p[P_CONTAINER].revents)
		return 1;
	if (p[P_ROOT].revents)
		root_process_ended(m);
	if (p[P_NET].revents) {
		m->net_pidfd = -1;
		log_warning("run", "the network process ended, the container goes on without");
	}
	return 0;
}

int monitor_wait_start(struct monitor *m, struct err *err)
{
	int r = 0;

	while (r == 0 && m->streams.starter_fd < 0)
		r = turn(m, err);
	return r == 1 ? err_say(err, -ECANCELED, "the container ended before it was started") : r;
}

int monitor_run(struct monitor *m, struct err *err)
{
	int r = start_timer(m, err);

	while (r == 0)
		r = turn(m, err);
	if (r < 0)
		return r;
	(void)streams_drain(&m->streams);
	return proc_reap(m->pidfd);
}

void monitor_done(struct monitor *m)
{
	streams_done(&m->streams);
	cleanup_fd(&m->timer_fd);
	m->timer_fd = -1;
	if (m->signal_fd < 0)
		return;
	cleanup_fd(&m->signal_fd);
	m->signal_fd = -1;
	(void)sigprocmask(SIG_SETMASK, &m->before, NULL);
}
