/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks
 *
 *      state ──pipe──▶ hook ──pipe──▶ first bytes of its output, for the error
 *
 * Its end is what is waited for, not the end of its output: a hook may leave a daemon behind.
 */
#include "runtime/hooks.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <time.h>

static const char *const names[] = { "prestart", "createRuntime", "createContainer",
	"startContainer", "poststart", "poststop" };
static_assert(ARRAY_SIZE(names) == SPEC_HOOK_MAX_, "each kind has a name");

const char *hooks_name(enum spec_hook_kind kind)
{
	return names[kind];
}

struct run {
	pid_t pid;
	int pidfd, in_fd, out_fd;
	size_t sent;
	char text[HOOK_TEXT_BYTES];
	size_t text_len;
};

static int spawn_hook(const struct spec_hook *h, int in, int out, pid_t *ret)
{
	const char *alone[] = { h->path, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	(void)sigemptyset(&none);
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0)
		r = posix_spawnattr_init(&attr);
	if (r != 0)
		return -r;
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_adddup2(&actions, in, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 2);
	if (r == 0)
		r = posix_spawn(ret, h->path, &actions, &attr,
			(char *const *)(h->args.n ? h->args.v : alone),
			h->env.v ? (char *const *)h->env.v : environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	return -r;
}

static int start_hook(struct run *run, const struct spec_hook *h)
{
	auto_fd in = -1, out = -1;
	int to[2], from[2], r;

	if (pipe2(to, O_CLOEXEC) < 0)
		return -errno;
	in = to[0];
	run->in_fd = to[1];
	if (pipe2(from, O_CLOEXEC) < 0)
		return -errno;
	run->out_fd = from[0];
	out = from[1];
	(void)fcntl(run->in_fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(run->out_fd, F_SETFL, O_NONBLOCK);
	r = spawn_hook(h, in, out, &run->pid);
	if (r < 0)
		return r;
	run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
	return run->pidfd < 0 ? -errno : 0;
}

static void send_state(struct run *run, const char *state, size_t len)
{
	ssize_t n = write(run->in_fd, state + run->sent, len - run->sent);

	if (n > 0)
		run->sent += (size_t)n;
	if (run->sent < len && (n > 0 || errno == EAGAIN || errno == EINTR))
		return;
	cleanup_fd(&run->in_fd); /* it has all, or does not want it */
	run->in_fd = -1;
}

static void take_output(struct run *run)
{
	char scrap[512];
	ssize_t n = read(run->out_fd, scrap, sizeof(scrap));
	size_t room = sizeof(run->text) - 1 - run->text_len;

	if (n > 0) {
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(run->text + run->text_len, scrap, room);
		run->text_len += room;
	} else if (n == 0 || errno != EAGAIN) {
		cleanup_fd(&run->out_fd);
		run->out_fd = -1;
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Its exit code, or -ETIMEDOUT with the hook still there. */
static int watch_hook(struct run *run, uint32_t timeout_s, const char *state, size_t len)
{
	int64_t end = now_ms() + (int64_t)timeout_s * 1000;

	for (;;) {
		struct pollfd p[] = { { .fd = run->pidfd, .events = POLLIN },
			{ .fd = run->in_fd, .events = POLLOUT },
			{ .fd = run->out_fd, .events = POLLIN } };
		int64_t left = timeout_s ? end - now_ms() : -1;

		if (timeout_s && left <= 0)
			return -ETIMEDOUT;
		if (poll(p, ARRAY_SIZE(p), left > INT32_MAX ? INT32_MAX : (int)left) < 0 &&
			errno != EINTR)
			return -errno;
		if (p[1].revents)
			send_state(run, state, len);
		if (p[2].revents)
			take_output(run);
		if (p[0].revents)
			break;
	}
	if (run->out_fd >= 0)
		take_output(run);
	return proc_reap(run->pidfd);
}

static int run_one(const struct spec_hook *h, const char *state, size_t len, struct err *err)
{
	struct run run = { .pidfd = -1, .in_fd = -1, .out_fd = -1 };
	int r = start_hook(&run, h), code = r;

	if (r >= 0)
		code = watch_hook(&run, h->timeout_s, state, len);
	if (code < 0 && run.pidfd >= 0) {
		(void)proc_kill(run.pidfd, SIGKILL);
		(void)proc_reap(run.pidfd);
	}
	cleanup_fd(&run.in_fd);
	cleanup_fd(&run.out_fd);
	cleanup_fd(&run.pidfd);
	run.text[strcspn(run.text, "\n")] = '\0';
	if (code == -ETIMEDOUT)
		return err_say(err, code, "hook '%s' took longer than %u s", h->path, h->timeout_s);
	if (code < 0)
		return err_set(err, code, "cannot run hook '%s'", h->path);
	if (code > 0)
		return err_say(err, -EIO, "hook '%s' exited with %d%s%s", h->path, code,
			run.text[0] ? ": " : "", run.text);
	return 0;
}

int hooks_run(const struct spec *spec, enum spec_hook_kind kind, const char *state, size_t len,
	struct err *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	int r = 0;

	/* A hook that does not read is no reason to end. */
	(void)sigaction(SIGPIPE, &ignore, &before);
	for (size_t i = 0; r >= 0 && i < spec->hooks[kind].n; i++)
		r = run_one(&spec->hooks[kind].v[i], state, len, err);
	(void)sigaction(SIGPIPE, &before, NULL);
	return r < 0 ? err_wrap(err, r, "%s", names[kind]) : 0;
}
