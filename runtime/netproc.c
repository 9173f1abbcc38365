/* SPDX-License-Identifier: Apache-2.0 */
/* Forks that serve a network (the contract is in the header). */
#include "runtime/netproc.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct report {
	int code;
	struct err err;
};

static int compare_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

void netproc_close_others(int *keep, size_t n)
{
	unsigned from = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(*keep), compare_int);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			(void)close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	(void)close_range(from, ~0U, 0);
}

/* What a child inherits and a daemon must not keep. */
static void become_daemon(const char *name, int *keep, size_t n_keep)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	(void)setsid();
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
	netproc_close_others(keep, n_keep);
}

static int send_report(int fd, int code, const struct err *err)
{
	struct report report = { .code = code, .err = *err };

	return fd_write_all(fd, &report, sizeof(report));
}

int netproc_report(int *report_fd, const void *result, size_t len)
{
	const struct err none = ERR_INIT;
	int r;

	r = send_report(*report_fd, 0, &none);
	if (r >= 0 && len)
		r = fd_write_all(*report_fd, result, len);
	(void)close(fd_take(report_fd));
	return r;
}

static _Noreturn void child_main(const struct netproc *p, int report_fd)
{
	struct err err = ERR_INIT;
	int r;

	p->keep[p->n_keep] = report_fd;
	become_daemon(p->name, p->keep, p->n_keep + 1);
	r = p->main(p->ctx, &report_fd, &err);
	if (r < 0 && report_fd >= 0)
		(void)send_report(report_fd, r, &err);
	_exit(r < 0);
}

static int read_whole(int fd, void *to, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, (char *)to + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		len += (size_t)n;
	}
	return 0;
}

int netproc_start(
	const struct netproc *p, void *ret_result, size_t len, pid_t *ret_pid, struct err *err)
{
	auto_fd ours = -1, theirs = -1;
	struct report report = { 0 };
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "cannot make a pipe");
	ours = fds[0];
	theirs = fds[1];
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "cannot fork");
	if (pid == 0)
		child_main(p, theirs);
	(void)close(fd_take(&theirs));
	r = read_whole(ours, &report, sizeof(report));
	if (r == 0 && report.code == 0 && len)
		r = read_whole(ours, ret_result, len);
	if (r == 0 && report.code == 0) {
		*ret_pid = pid;
		return 0;
	}
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(err, r, "the process '%s' died", p->name);
	if (err)
		*err = report.err;
	return report.code;
}
