/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lamina-init: the first process of a container with --init
 *
 *      lamina-init PATH ARG0 [ARG…]  ─fork─▶  PATH        signals go on to it; all that ends is reaped
 *
 * It ends with the exit code of what it started, or 128 + the signal that ended that; the kernel then
 * ends what is left in the namespace.  A program of its own, linked statically, since it runs among the
 * files of an image; lamina holds it (runtime/initprog.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_OURS = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static int failed(const char *what, int exit_code)
{
	fprintf(stderr, "lamina-init: %s: %s\n", what, strerror(errno));
	return exit_code;
}

/* A group of its own, which the terminal's keys are for, so that job control works. */
static void __attribute__((noreturn)) run(char **argv, const sigset_t *before)
{
	(void)setpgid(0, 0);
	(void)signal(SIGTTOU, SIG_IGN);
	(void)tcsetpgrp(STDIN_FILENO, getpgrp());
	(void)signal(SIGTTOU, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, before, NULL);
	(void)execv(argv[1], argv + 2);
	_exit(failed(argv[2], errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN));
}

/* The exit code once @child has ended; -1 before. */
static int reap(pid_t child)
{
	int status, code = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child)
			code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return code;
}

int main(int argc, char **argv)
{
	sigset_t all, before;
	siginfo_t si;
	pid_t child;
	int code = -1;

	if (argc < 3) {
		fprintf(stderr, "usage: lamina-init PATH ARG0 [ARG…]\n");
		return EXIT_OURS;
	}
	(void)prctl(PR_SET_NAME, "lamina-init");
	/* Where it is not the first process of its namespace: --pid host. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	child = fork();
	if (child < 0)
		return failed("cannot start a process", EXIT_OURS);
	if (child == 0)
		run(argv, &before);
	while (code < 0) {
		if (sigwaitinfo(&all, &si) < 0)
			continue;
		if (si.si_signo == SIGCHLD)
			code = reap(child);
		else
			(void)kill(child, si.si_signo);
	}
	return code;
}
