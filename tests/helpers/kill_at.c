/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: kill_at N COMMAND [ARG]…
 *
 * Runs a command and kills it, with all its threads and children, before the N-th system call of
 * them all.  Exit code 137 then; else the command's own, and the number of its calls on stderr.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_PROCESSES 256
#define SYSCALL_STOP  (SIGTRAP | 0x80)

static pid_t processes[MAX_PROCESSES];
static int n_processes;

static void note(pid_t pid)
{
	for (int i = 0; i < n_processes; i++)
		if (processes[i] == pid)
			return;
	if (n_processes < MAX_PROCESSES)
		processes[n_processes++] = pid;
}

/* Nothing of it is left when this returns, so no lock is either. */
static void kill_all(void)
{
	pid_t pid;
	int status;

	for (int i = 0; i < n_processes; i++)
		(void)kill(processes[i], SIGKILL);
	/* A child that was born just now is known by its first stop. */
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR)
		if (pid > 0 && WIFSTOPPED(status))
			(void)kill(pid, SIGKILL);
	exit(137);
}

static void start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	pid_t pid = fork();

	if (pid == 0) {
		(void)raise(SIGSTOP);
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, options) < 0) {
		perror("kill_at");
		exit(125);
	}
	note(pid);
	while (kill(pid, SIGCONT) < 0)
		;
}

int main(int argc, char **argv)
{
	long limit = argc > 2 ? strtol(argv[1], NULL, 10) : 0, calls = 0;
	pid_t first = 0, pid;
	int status, code = 125;

	if (argc < 3)
		return 125;
	start(argv + 2);
	first = processes[0];
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		int sig = 0;

		if (pid < 0)
			continue;
		note(pid);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == first)
				code = WIFEXITED(status) ? WEXITSTATUS(status)
							 : 128 + WTERMSIG(status);
			continue;
		}
		/* Entries and exits both stop: two stops are one call. */
		if (WSTOPSIG(status) == SYSCALL_STOP && ++calls / 2 >= limit && limit > 0)
			kill_all();
		if (status >> 16 == 0 && WSTOPSIG(status) != SYSCALL_STOP &&
			WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP)
			sig = WSTOPSIG(status);
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, (long)sig);
	}
	fprintf(stderr, "%ld\n", calls / 2);
	return code;
}
