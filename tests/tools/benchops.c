/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: benchops OPERATION PATH [NUMBER]
 *
 * One kind of file operation, repeated and timed inside one process, so that what scripts/bench/overlay
 * compares is the filesystem and not the start of programs.  Prints seconds.
 */
#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUF_BYTES     (1 << 20)
#define FILES_PER_DIR 1000

static char buf[BUF_BYTES];

typedef void visit(int dirfd, const char *name, const struct stat *st);

/* Every entry below a directory: stat, directories first descended into */
static void walk(int fd, visit *each)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		error(1, errno, "fdopendir");
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			error(1, errno, "stat %s", entry->d_name);
		if (S_ISDIR(st.st_mode))
			walk(openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), each);
		if (each)
			each(fd, entry->d_name, &st);
	}
	closedir(dir);
}

static void visit_chown(int dirfd, const char *name, const struct stat *st)
{
	if (fchownat(dirfd, name, 1000, 1000, AT_SYMLINK_NOFOLLOW))
		error(1, errno, "chown %s", name);
}

static void visit_remove(int dirfd, const char *name, const struct stat *st)
{
	if (unlinkat(dirfd, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0))
		error(1, errno, "unlink %s", name);
}

static void visit_rename(int dirfd, const char *name, const struct stat *st)
{
	char to[NAME_MAX + 1];

	/* A listing may return what was renamed: once is enough. */
	if (!S_ISREG(st->st_mode) || strstr(name, ".moved"))
		return;
	snprintf(to, sizeof(to), "%.200s.moved", name);
	if (renameat(dirfd, name, dirfd, to))
		error(1, errno, "rename %s", name);
}

static void visit_tree(const char *path, visit *each)
{
	walk(open(path, O_RDONLY | O_DIRECTORY), each);
}

static void read_whole(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		error(1, errno, "open %s", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		;
	if (n < 0)
		error(1, errno, "read %s", path);
	close(fd);
}

static void write_file(const char *path, int flags, long long bytes, size_t chunk)
{
	int fd = open(path, O_WRONLY | flags, 0644);

	if (fd < 0)
		error(1, errno, "open %s", path);
	for (long long done = 0; done < bytes; done += (long long)chunk)
		if (write(fd, buf, chunk) != (ssize_t)chunk)
			error(1, errno, "write %s", path);
	if (close(fd))
		error(1, errno, "close %s", path);
}

static void create_files(const char *path, long long n)
{
	char name[4096];

	for (long long i = 0; i < n; i++) {
		if (i % FILES_PER_DIR == 0) {
			snprintf(name, sizeof(name), "%s/d%lld", path, i / FILES_PER_DIR);
			if (mkdir(name, 0755))
				error(1, errno, "mkdir %s", name);
		}
		snprintf(name, sizeof(name), "%s/d%lld/f%lld", path, i / FILES_PER_DIR, i);
		write_file(name, O_CREAT | O_EXCL, 100, 100);
	}
}

static void run_often(const char *path, long long n)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	int status;
	pid_t pid;

	while (n--) {
		if (posix_spawn(&pid, path, NULL, NULL, argv, envp) ||
			waitpid(pid, &status, 0) < 0 || status)
			error(1, 0, "%s fails", path);
	}
}

static void operate(const char *what, const char *path, long long n)
{
	if (!strcmp(what, "walk"))
		visit_tree(path, NULL);
	else if (!strcmp(what, "chown"))
		visit_tree(path, visit_chown);
	else if (!strcmp(what, "remove"))
		visit_tree(path, visit_remove);
	else if (!strcmp(what, "rename"))
		visit_tree(path, visit_rename);
	else if (!strcmp(what, "read"))
		for (; n > 0; n--)
			read_whole(path);
	else if (!strcmp(what, "write"))
		write_file(path, O_CREAT | O_TRUNC, n, BUF_BYTES);
	else if (!strcmp(what, "write4k"))
		write_file(path, O_CREAT | O_TRUNC, n, 4096);
	else if (!strcmp(what, "append"))
		write_file(path, O_APPEND, 1, 1);
	else if (!strcmp(what, "create"))
		create_files(path, n);
	else if (!strcmp(what, "exec"))
		run_often(path, n);
	else
		error(2, 0, "no operation is called '%s'", what);
}

int main(int argc, char **argv)
{
	struct timespec from, to;

	if (argc < 3)
		error(2, 0, "usage: benchops OPERATION PATH [NUMBER]");
	clock_gettime(CLOCK_MONOTONIC, &from);
	operate(argv[1], argv[2], argc > 3 ? strtoll(argv[3], NULL, 10) : 1);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f\n",
		(double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}
