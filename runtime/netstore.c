/* SPDX-License-Identifier: Apache-2.0 */
/* Named networks in the store (the contract is in the header). */
#include "runtime/netstore.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"

#include <dirent.h>
#include <fcntl.h>

#define SUFFIX ".json"

int netstore_open(struct netstore *ret, int store_fd, struct err *err)
{
	auto_fd dirfd = -1;
	int lock;

	if (mkdirat(store_fd, "networks", 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the directory of networks");
	dirfd = at_open(store_fd, "networks", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dirfd < 0)
		return err_set(err, dirfd, "cannot open the directory of networks");
	lock = lock_open(dirfd, ".lock", LOCK_EXCLUSIVE, LOCK_WAIT);
	if (lock < 0)
		return err_set(err, lock, "cannot lock the networks");
	*ret = (struct netstore){ fd_take(&dirfd), lock };
	return 0;
}

void netstore_close(struct netstore *s)
{
	cleanup_fd(&s->lock_fd);
	cleanup_fd(&s->dirfd);
	*s = (struct netstore)NETSTORE_INIT;
}

static int file_name(const char *name, char *ret, size_t size, struct err *err)
{
	int r = netdef_check_name(name, err);

	if (r >= 0)
		snprintf(ret, size, "%s" SUFFIX, name);
	return r;
}

int netstore_read(const struct netstore *s, const char *name, struct net_def *ret, struct err *err)
{
	char file[LIMIT_NET_NAME + sizeof(SUFFIX)];
	auto_free char *text = NULL;
	size_t len;
	int r;

	r = file_name(name, file, sizeof(file), err);
	if (r < 0)
		return r;
	r = at_read_file(s->dirfd, file, LIMIT_NETDEF_BYTES, &text, &len);
	if (r == -ENOENT) {
		err_say(err, r, "there is no network '%s'", name);
		return err_hint(err, r, "lamina network create %s", name);
	}
	if (r >= 0)
		r = netdef_parse(text, len, ret, err);
	else
		err_set(err, r, "cannot read it");
	return r < 0 ? err_wrap(err, r, "network '%s'", name) : 0;
}

int netstore_write(const struct netstore *s, const struct net_def *d, struct err *err)
{
	char file[LIMIT_NET_NAME + sizeof(SUFFIX)];
	auto_buf text = { 0 };
	int r;

	r = file_name(d->name, file, sizeof(file), err);
	if (r < 0)
		return r;
	r = netdef_dump(d, &text);
	if (r >= 0)
		r = at_replace_file(s->dirfd, file, text.data, text.len, 0600, 0);
	return r < 0 ? err_set(err, r, "cannot write network '%s'", d->name) : 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int netstore_list(const struct netstore *s, struct strv *ret, struct err *err)
{
	DIR *dir = fdopendir(openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	int r = 0;

	if (!dir)
		return err_set(err, -errno, "cannot list the networks");
	while (r >= 0 && (e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (e->d_name[0] == '.' || !str_ends(e->d_name, SUFFIX))
			continue;
		r = ret->n == LIMIT_NETWORKS
			    ? -E2BIG
			    : strv_addf(ret, "%.*s", (int)(len - strlen(SUFFIX)), e->d_name);
	}
	(void)closedir(dir);
	if (r < 0)
		return err_set(err, r, "cannot list the networks");
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare);
	return 0;
}

int netstore_remove(const struct netstore *s, const char *name, struct err *err)
{
	char file[LIMIT_NET_NAME + sizeof(SUFFIX)];
	int r;

	r = file_name(name, file, sizeof(file), err);
	if (r >= 0 && unlinkat(s->dirfd, file, 0) < 0)
		r = err_set(err, -errno, "cannot remove network '%s'", name);
	return r;
}

bool netstore_is_alive(const struct proc_id *holder)
{
	auto_fd fd = proc_open(holder);

	return fd >= 0 && !proc_has_ended(fd);
}
