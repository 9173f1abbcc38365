/* SPDX-License-Identifier: Apache-2.0 */
/* Processes (the contract is in the header). */
#include "base/proc.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LIMIT_PROC_STAT_BYTES 4096

int proc_id_of(pid_t pid, struct proc_id *ret)
{
	char path[32], buf[LIMIT_PROC_STAT_BYTES], *s;
	auto_fd fd = -1;
	uint64_t start;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	/* The second field is the name in parentheses, which may hold any character. */
	s = strrchr(buf, ')');
	for (int field = 2; s && field < 22; field++)
		s = strchr(s + 1, ' ');
	if (!s)
		return -EBADMSG;
	s[1 + strcspn(s + 1, " ")] = '\0';
	if (str_to_u64(s + 1, UINT64_MAX, &start) < 0)
		return -EBADMSG;
	*ret = (struct proc_id){ pid, start };
	return 0;
}

int proc_open(const struct proc_id *id)
{
	auto_fd pidfd = -1;
	struct proc_id now;
	int r;

	if (id->pid <= 0)
		return -ESRCH;
	pidfd = (int)syscall(SYS_pidfd_open, id->pid, 0);
	if (pidfd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	r = proc_id_of(id->pid, &now);
	if (r < 0)
		return r;
	/* Alive after the look at /proc: it was this process that we looked at. */
	if (now.start != id->start || proc_has_ended(pidfd))
		return -ESRCH;
	return fd_take(&pidfd);
}

bool proc_has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

int proc_wait(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int proc_kill(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int proc_reap(int pidfd)
{
	siginfo_t si = { 0 };

	while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &si, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
}

bool proc_has_cap(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

/* The owner of the root directory is nobody in a namespace that a user made. */
bool proc_is_system_root(void)
{
	struct stat st;

	return getuid() == 0 && stat("/", &st) == 0 && st.st_uid == 0;
}

uid_t proc_own_uid(void)
{
	auto_file f = fopen("/proc/self/uid_map", "re");
	unsigned int inside, outside, n;
	uid_t uid = getuid();

	while (f && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
		if (uid >= inside && uid - inside < n)
			return outside + (uid - inside);
	return uid;
}

int proc_run_start(struct proc_run *ret, const char *const argv[])
{
	auto_fd in = -1, out = -1;
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], r;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	in = pipe_fds[0];
	out = pipe_fds[1];
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, 2);
	if (r == 0)
		r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	*ret = (struct proc_run){ pid, fd_take(&in) };
	return 0;
}

int proc_run_wait(struct proc_run *run, char *ret_text, size_t size)
{
	auto_fd fd = fd_take(&run->out_fd);
	char scrap[512];
	size_t len = 0;
	int status;

	for (;;) {
		bool full = len + 1 >= size;
		ssize_t n = read(
			fd, full ? scrap : ret_text + len, full ? sizeof(scrap) : size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!full)
			len += (size_t)n;
	}
	ret_text[len] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
	while (waitpid(run->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
