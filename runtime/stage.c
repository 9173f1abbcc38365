/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine that walks the steps of a start
 *
 * Both sides hold the same list and the same struct stage (the inside is a copy, made by clone).
 * Each runs its own steps in order; the other side's it skips.  A meeting is a step of both: one
 * side tells, the other waits, so the list alone says what happens before what.  A step that fails
 * inside sends its text and ends the process; one that fails outside closes the socket, which ends
 * the inside at its next meeting, or by its parent-death signal.
 *
 * The socket closes with execve(2): its end is the meeting "started".
 */
#include "runtime/stage_walk.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/sock.h"
#include "base/str.h"
#include "runtime/nsjoin.h"

#include <signal.h>

struct message {
	int code; /* 0: the meeting took place; else what failed */
	int exit_code;
	struct err err;
};

/* ---- meetings ---- */

static int send_message(int sock, const struct message *m, int fd)
{
	return sock_send(sock, m, m->code ? sizeof(*m) : offsetof(struct message, err), fd);
}

/* 1 with a message; 0 at the end of the socket. */
static int recv_message(int sock, struct message *ret, int *ret_fd)
{
	ssize_t n = sock_recv(sock, ret, sizeof(*ret), ret_fd);

	if (n <= 0)
		return (int)n;
	return (size_t)n < offsetof(struct message, err) ? -EBADMSG : 1;
}

/* ---- the inside's walk ---- */

static void __attribute__((noreturn)) inside_failed(struct stage *st, int code, struct err *err)
{
	struct message m = { .code = code, .exit_code = st->exit_code, .err = *err };

	(void)send_message(st->sock, &m, -1);
	_exit(STAGE_EXIT_FAILED);
}

/* What was made for the outside goes with the first meeting after: the terminal's master, the
 * filter's listener. */
static int *passed_fd(struct stage *st, const struct stage_step *s)
{
	return str_eq(s->name, "listening") ? &st->listener_fd : &st->pty_fd;
}

static void tell_outside(struct stage *st)
{
	int *fd = passed_fd(st, &st->steps[st->at]);
	static const struct message m = { 0 };

	if (send_message(st->sock, &m, *fd) < 0)
		_exit(STAGE_EXIT_FAILED);
	cleanup_fd(fd);
	*fd = -1;
}

static void __attribute__((noreturn)) walk_inside(struct stage *st)
{
	struct message m = { 0 };
	struct err err = ERR_INIT;
	int r;

	for (; st->at < st->n_steps; st->at++) {
		const struct stage_step *s = &st->steps[st->at];

		if (s->when && !s->when(st))
			continue;
		if (s->side == STAGE_INSIDE) {
			r = s->run(st, &err);
			if (r < 0)
				inside_failed(st, r, &err);
		} else if (s->side == STAGE_TELL_INSIDE) {
			if (recv_message(st->sock, &m, NULL) != 1)
				_exit(STAGE_EXIT_FAILED);
		} else if (s->side == STAGE_TELL_OUTSIDE) {
			tell_outside(st);
		}
	}
	_exit(STAGE_EXIT_FAILED);
}

/* ---- the outside's walk ---- */

static int wait_for_inside(struct stage *st, const struct stage_step *s, struct err *err)
{
	struct message m = { 0 };
	int r = recv_message(st->sock, &m, passed_fd(st, s));

	if (r < 0)
		return err_set(err, r, "cannot hear from the container");
	if (r == 0 && str_eq(s->name, "started"))
		return 0;
	if (r == 0)
		return err_say(err, -EIO, "the container ended before it was %s", s->name);
	if (m.code == 0)
		return 0;
	st->exit_code = m.exit_code;
	if (err)
		*err = m.err;
	return m.code;
}

static int tell_inside(struct stage *st, const struct stage_step *s, struct err *err)
{
	static const struct message go = { 0 };
	int r = send_message(st->sock, &go, -1);

	/* Nobody listens any more: why, the next message says. */
	if (r == -EPIPE)
		return wait_for_inside(st, s, err);
	return r < 0 ? err_set(err, r, "cannot reach the container") : 0;
}

static int step_outside(struct stage *st, const struct stage_step *s, struct err *err)
{
	int r;

	switch (s->side) {
	case STAGE_OUTSIDE:
		return s->run(st, err);
	case STAGE_CLONE:
		r = s->run(st, err);
		if (r == 0)
			walk_inside(st);
		return r;
	case STAGE_TELL_INSIDE:
		return tell_inside(st, s, err);
	case STAGE_TELL_OUTSIDE:
		return wait_for_inside(st, s, err);
	default:
		return 0;
	}
}

/* Walk up to and including the meeting @until. */
static int walk_outside(struct stage *st, const char *until, struct err *err)
{
	while (st->at < st->n_steps) {
		const struct stage_step *s = &st->steps[st->at++];
		int r;

		if (s->when && !s->when(st))
			continue;
		r = step_outside(st, s, err);
		if (r < 0)
			return r;
		if ((s->side == STAGE_TELL_INSIDE || s->side == STAGE_TELL_OUTSIDE) &&
			str_eq(s->name, until))
			break;
	}
	return 0;
}

/* ---- the filter's listener ---- */

static bool listens(const struct stage *st)
{
	return st->spec->seccomp && st->spec->seccomp->listener_path;
}

bool stage_listens_early(const struct stage *st)
{
	return listens(st) && !st->spec->process->no_new_privs;
}

bool stage_listens_late(const struct stage *st)
{
	return listens(st) && st->spec->process->no_new_privs;
}

int stage_hand_listener(struct stage *st, struct err *err)
{
	int r = 0;

	/* Without an agent the kernel answers ENOSYS. */
	if (st->listener_fd >= 0 && st->hand_listener)
		r = st->hand_listener(st->arg, st->listener_fd, st->pid, err);
	cleanup_fd(&st->listener_fd);
	st->listener_fd = -1;
	return r;
}

/* ---- for callers ---- */

void stage_init_list(
	struct stage *st, const struct spec *spec, const struct stage_step *steps, size_t n_steps)
{
	memset(st, 0, sizeof(*st));
	st->spec = spec;
	st->steps = steps;
	st->n_steps = n_steps;
	st->pidfd = st->pty_fd = st->sock = st->slave_fd = st->listener_fd = -1;
	st->start_sock = st->target_pidfd = st->label_fd = st->init_fd = -1;
	st->netns_fd = -1;
	st->exit_code = STAGE_EXIT_FAILED;
	st->rootfs.root_fd = -1;
	for (int i = 0; i < SPEC_NS_MAX_; i++)
		st->ns_fds[i] = -1;
	for (int i = 0; i < 3; i++)
		st->stdio[i] = i;
}

int ctr_stage_spawn(struct stage *st, struct err *err)
{
	int r = walk_outside(st, "mapped", err);

	/* The inside has its own copies; the root must not be held by anybody else. */
	rootfs_done(&st->rootfs);
	nsjoin_done(st);
	return r;
}

int ctr_stage_wait_ready(struct stage *st, struct err *err)
{
	return walk_outside(st, "ready", err);
}

int ctr_stage_start(struct stage *st, struct err *err)
{
	int r = walk_outside(st, "started", err);

	cleanup_fd(&st->sock);
	st->sock = -1;
	return r;
}

void ctr_stage_resume(struct stage *st, const struct spec *spec, int sock)
{
	ctr_stage_init(st, spec);
	st->sock = sock;
	while (!str_eq(st->steps[st->at].name, "start"))
		st->at++;
}

void ctr_stage_release(struct stage *st)
{
	cleanup_fd(&st->sock);
	cleanup_fd(&st->pidfd);
	st->sock = st->pidfd = -1;
}

void ctr_stage_done(struct stage *st)
{
	rootfs_done(&st->rootfs);
	nsjoin_done(st);
	cleanup_fd(&st->init_fd);
	cleanup_fd(&st->netns_fd);
	cleanup_fd(&st->sock);
	cleanup_fd(&st->pty_fd);
	cleanup_fd(&st->listener_fd);
	if (st->pidfd >= 0) {
		(void)proc_kill(st->pidfd, SIGKILL);
		(void)proc_reap(st->pidfd);
		(void)close(st->pidfd);
	}
	st->netns_fd = st->init_fd = st->sock = st->pty_fd = st->pidfd = st->listener_fd = -1;
}
