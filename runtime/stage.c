/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start sequence and the engine that walks it
 *
 * Both sides hold the same list and the same struct stage (the inside is a copy, made by clone).
 * Each runs its own steps in order; the other side's it skips.  A meeting is a step of both: one
 * side tells, the other waits, so the list alone says what happens before what.  A step that fails
 * inside sends its text and ends the process; one that fails outside closes the socket, which ends
 * the inside at its next meeting, or by its parent-death signal.
 *
 * The socket closes with execve(2): its end is the meeting "started".
 */
#include "runtime/stage.h"

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/sock.h"
#include "base/str.h"
#include "runtime/init.h"
#include "runtime/userns.h"

#include <assert.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

enum side { OUTSIDE, INSIDE, CLONE, TELL_INSIDE, TELL_OUTSIDE, SIDE_MAX_ };

struct step {
	enum side side;
	const char *name;
	int (*run)(struct stage *st, struct err *err);
};

struct message {
	int code; /* 0: the meeting took place; else what failed */
	int exit_code;
	struct err err;
};

/* ---- what the outside does ---- */

static int check_supported(struct stage *st, struct err *err)
{
	const struct spec *s = st->spec;
	const char *what = NULL;

	for (int i = 0; i < SPEC_NS_MAX_; i++)
		if (s->ns[i].on && s->ns[i].path)
			what = "joining existing namespaces";
	for (int i = 0; i < SPEC_HOOK_MAX_; i++)
		if (s->hooks[i].n > 0)
			what = "hooks";
	if (s->ns[SPEC_NS_TIME].on)
		what = "a time namespace";
	if (s->process->apparmor_profile)
		what = "an AppArmor profile";
	if (s->process->selinux_label || s->mount_label)
		what = "an SELinux label";
	if (s->process->scheduler.set || s->process->cpus_initial || s->process->cpus_final)
		what = "scheduling attributes";
	if (s->intel_rdt_clos)
		what = "Intel RDT";
	if (s->seccomp && s->seccomp->listener_path)
		what = "a seccomp listener";
	return what ? err_say(err, -EOPNOTSUPP, "%s: not supported", what) : 0;
}

static int map_ids(struct stage *st, struct err *err)
{
	int r;

	r = userns_write_maps(st->pid, &st->spec->uid_map, &st->spec->gid_map);
	return r < 0 ? err_set(err, r, "cannot map ids into the container") : 0;
}

/* ---- the list ---- */

static int seal(struct stage *st, struct err *err)
{
	return rootfs_seal(&st->rootfs, err);
}

static int mask(struct stage *st, struct err *err)
{
	return rootfs_mask(&st->rootfs, err);
}

static int devices(struct stage *st, struct err *err)
{
	return rootfs_devices(&st->rootfs, err);
}

static int mounts(struct stage *st, struct err *err)
{
	return rootfs_mount(&st->rootfs, err);
}

static int pivot(struct stage *st, struct err *err)
{
	return rootfs_pivot(&st->rootfs, err);
}

static int make(struct stage *st, struct err *err)
{
	return rootfs_make(&st->rootfs, err);
}

static const struct step steps[] = {
	{ OUTSIDE, "check what is asked for", check_supported },
	{ CLONE, "clone into new namespaces", NULL },
	{ INSIDE, "die with the monitor", init_die_with_monitor },
	{ INSIDE, "close what is the monitor's", init_close_others },
	{ OUTSIDE, "map ids", map_ids },
	{ TELL_INSIDE, "mapped", NULL },
	{ INSIDE, "become root of the namespaces", init_become_root },
	{ INSIDE, "new session", init_new_session },
	{ INSIDE, "new session keyring", init_new_keyring },
	{ INSIDE, "host and domain name", init_set_names },
	{ INSIDE, "loopback up", init_loopback_up },
	{ INSIDE, "make file systems", make },
	{ INSIDE, "change the root", pivot },
	{ INSIDE, "mount file systems", mounts },
	{ INSIDE, "devices", devices },
	{ INSIDE, "terminal", init_console },
	{ INSIDE, "kernel settings", init_sysctls },
	{ INSIDE, "mask paths", mask },
	{ INSIDE, "working directory", init_work_dir },
	{ INSIDE, "seal the root", seal },
	{ INSIDE, "find the program", init_find_program },
	{ TELL_OUTSIDE, "ready", NULL },
	{ TELL_INSIDE, "start", NULL },
	{ INSIDE, "limits", init_limits },
	{ INSIDE, "standard streams", init_streams },
	{ INSIDE, "filter, without no_new_privs", init_filter_early },
	{ INSIDE, "user and capabilities", init_change_user },
	{ INSIDE, "filter, with no_new_privs", init_filter_late },
	{ INSIDE, "execute", init_exec },
	{ TELL_OUTSIDE, "started", NULL },
};

void ctr_stage_print(void)
{
	static const char *const sides[] = { "outside", "inside", "both", "-> inside",
		"-> outside" };

	static_assert(ARRAY_SIZE(sides) == SIDE_MAX_, "each side has a name");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		printf("%-10s  %s\n", sides[steps[i].side], steps[i].name);
}

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

static void __attribute__((noreturn)) walk_inside(struct stage *st)
{
	struct message m = { 0 };
	struct err err = ERR_INIT;
	int r;

	for (; st->at < ARRAY_SIZE(steps); st->at++) {
		const struct step *s = &steps[st->at];

		switch (s->side) {
		case INSIDE:
			r = s->run(st, &err);
			if (r < 0)
				inside_failed(st, r, &err);
			break;
		case TELL_INSIDE:
			if (recv_message(st->sock, &m, NULL) != 1)
				_exit(STAGE_EXIT_FAILED);
			break;
		case TELL_OUTSIDE:
			m.code = 0;
			if (send_message(st->sock, &m, st->pty_fd) < 0)
				_exit(STAGE_EXIT_FAILED);
			break;
		default:
			break;
		}
	}
	_exit(STAGE_EXIT_FAILED);
}

static int clone_inside(struct stage *st, struct err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_PIDFD, .exit_signal = SIGCHLD };
	int pair[2], pidfd = -1, r;
	long pid;

	for (int i = 0; i < SPEC_NS_MAX_; i++)
		if (st->spec->ns[i].on)
			args.flags |= (uint64_t)(unsigned int)spec_ns_clone_flag((enum spec_ns)i);
	args.flags |= CLONE_NEWNS;
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	r = sock_pair(pair);
	if (r < 0)
		return err_set(err, r, "cannot make a socket");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		(void)close(pair[0]);
		st->sock = pair[1];
		walk_inside(st);
	}
	(void)close(pair[1]);
	st->sock = pair[0];
	if (pid < 0) {
		int code = err_set(err, -errno, "cannot make the container's namespaces");

		return userns_explain(err, code);
	}
	st->pid = (pid_t)pid;
	st->pidfd = pidfd;
	return 0;
}

/* ---- the outside's walk ---- */

static int wait_for_inside(struct stage *st, const struct step *s, struct err *err)
{
	struct message m = { 0 };
	int r = recv_message(st->sock, &m, &st->pty_fd);

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

/* Walk up to and including the meeting @until. */
static int walk_outside(struct stage *st, const char *until, struct err *err)
{
	static const struct message go = { 0 };
	int r = 0;

	while (st->at < ARRAY_SIZE(steps)) {
		const struct step *s = &steps[st->at++];

		if (s->side == OUTSIDE)
			r = s->run(st, err);
		else if (s->side == CLONE)
			r = clone_inside(st, err);
		else if (s->side == TELL_INSIDE)
			r = send_message(st->sock, &go, -1);
		else if (s->side == TELL_OUTSIDE)
			r = wait_for_inside(st, s, err);
		/* Nobody listens any more: why, the next message says. */
		if (r == -EPIPE && s->side == TELL_INSIDE)
			r = wait_for_inside(st, s, err);
		if (r < 0)
			return r;
		if (s->side >= TELL_INSIDE && str_eq(s->name, until))
			break;
	}
	return 0;
}

void ctr_stage_init(struct stage *st, const struct spec *spec)
{
	memset(st, 0, sizeof(*st));
	st->spec = spec;
	st->pidfd = st->pty_fd = st->sock = st->slave_fd = -1;
	st->exit_code = STAGE_EXIT_FAILED;
	st->rootfs.root_fd = -1;
	for (int i = 0; i < 3; i++)
		st->stdio[i] = i;
}

int ctr_stage_spawn(struct stage *st, struct err *err)
{
	int r = walk_outside(st, "mapped", err);

	/* The inside has its own copies; the root must not be held by anybody else. */
	rootfs_done(&st->rootfs);
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

void ctr_stage_done(struct stage *st)
{
	rootfs_done(&st->rootfs);
	cleanup_fd(&st->sock);
	cleanup_fd(&st->pty_fd);
	if (st->pidfd >= 0) {
		(void)proc_kill(st->pidfd, SIGKILL);
		(void)proc_reap(st->pidfd);
		(void)close(st->pidfd);
	}
	st->sock = st->pty_fd = st->pidfd = -1;
}
