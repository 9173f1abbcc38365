/* SPDX-License-Identifier: Apache-2.0 */
/* Named volumes (the contract is in the header). */
#include "runtime/volstore.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "runtime/copytree.h"
#include "runtime/ctropts.h"
#include "runtime/describe.h"
#include "runtime/logfile.h"
#include "runtime/record.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define LIMIT_VOLUME_JSON (1 << 20)

static int open_volumes(int store_fd, struct err *err)
{
	auto_fd fd = at_mkdir_p(store_fd, "volumes", 0700);

	return fd < 0 ? err_set(err, fd, "cannot open the directory of volumes") : fd_take(&fd);
}

static bool is_name(const char *s)
{
	if (!isalnum((unsigned char)s[0]) || strlen(s) > LIMIT_VOLUME_NAME)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static char *random_name(void)
{
	unsigned char raw[VOLSTORE_OWN_LEN / 2];
	char *name = malloc(VOLSTORE_OWN_LEN + 1);

	if (!name || getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw)) {
		free(name);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(name + 2 * i, 3, "%02x", raw[i]);
	return name;
}

static int write_json(int dirfd, const struct strv *labels, unsigned int flags)
{
	static const struct strv none = { 0 };
	auto_json *j = json_pack("{s:I, s:b, s:o}", "created", (json_int_t)time(NULL), "anonymous",
		(flags & VOLSTORE_ANONYMOUS) != 0, "labels",
		describe_labels(labels ? labels : &none));
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;

	return text ? at_replace_file(dirfd, "volume.json", text, strlen(text), 0600, 0) : -ENOMEM;
}

static bool exists(int volumes_fd, const char *name)
{
	auto_free char *path = str_format("%s/volume.json", name);

	return path && faccessat(volumes_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The directory may be there: left by somebody who was killed before the file was. */
static int make(int volumes_fd, const char *name, const struct strv *labels, unsigned int flags)
{
	auto_fd dirfd = at_mkdir_p(volumes_fd, name, 0700);

	if (dirfd < 0)
		return dirfd;
	if (mkdirat(dirfd, "_data", 0755) < 0 && errno != EEXIST)
		return -errno;
	return write_json(dirfd, labels, flags);
}

int volstore_create(int store_fd, const char *name, const struct strv *labels, unsigned int flags,
	char **ret_name, struct err *err)
{
	auto_free char *own = name ? strdup(name) : random_name();
	auto_fd volumes_fd = open_volumes(store_fd, err);
	auto_fd lock = -1;
	int r;

	if (volumes_fd < 0)
		return volumes_fd;
	if (!own)
		return err_set(err, -ENOMEM, "cannot name the volume");
	if (!is_name(own))
		return err_say(err, -EINVAL,
			"'%.64s' is no name: letters, digits, '_', '.' and '-' make one", own);
	lock = lock_open(volumes_fd, ".lock", LOCK_EXCLUSIVE, LOCK_WAIT);
	if (lock < 0)
		return err_set(err, lock, "cannot lock the volumes");
	if (!exists(volumes_fd, own)) {
		r = make(volumes_fd, own, labels, flags);
		if (r < 0)
			return err_set(err, r, "cannot make volume '%s'", own);
	} else if (!(flags & VOLSTORE_EXISTING)) {
		return err_say(err, -EEXIST, "there is a volume '%s' already", own);
	}
	*ret_name = ptr_take(&own);
	return 0;
}

int volstore_open(int store_fd, const char *name, struct err *err)
{
	auto_fd volumes_fd = open_volumes(store_fd, err);
	auto_free char *path = str_format("%s/_data", name);
	int fd;

	if (volumes_fd < 0)
		return volumes_fd;
	if (!path || !is_name(name) || !exists(volumes_fd, name))
		return err_say(err, -ENOENT, "there is no volume '%.64s'", name);
	fd = at_open(volumes_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	return fd < 0 ? err_set(err, fd, "cannot open volume '%s'", name) : fd;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int volstore_list(int store_fd, struct strv *ret, struct err *err)
{
	auto_fd fd = open_volumes(store_fd, err);
	int dirfd = fd < 0 ? fd : at_reopen(fd, O_RDONLY | O_DIRECTORY), r = 0;
	DIR *dir = dirfd < 0 ? NULL : fdopendir(dirfd);
	struct dirent *e;

	if (fd < 0)
		return fd;
	if (!dir)
		return err_set(err, dirfd < 0 ? dirfd : -errno, "cannot list the volumes");
	while (r == 0 && (e = readdir(dir)))
		if (is_name(e->d_name) && exists(fd, e->d_name))
			r = strv_add(ret, e->d_name);
	(void)closedir(dir);
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare);
	return r < 0 ? err_set(err, r, "cannot list the volumes") : 0;
}

static bool uses(int store_fd, const char *id, const char *name)
{
	auto_free char *path = str_format("containers/%s", id);
	auto_fd dirfd = path ? at_open(store_fd, path, O_RDONLY | O_DIRECTORY, 0) : -1;
	struct ctropts o;
	bool yes;

	if (dirfd < 0 || ctropts_read(dirfd, &o, NULL) < 0)
		return false;
	yes = strv_has(&o.volumes, name);
	ctropts_done(&o);
	return yes;
}

int volstore_users(int store_fd, const char *name, struct strv *ret, struct err *err)
{
	auto_strv ids = { 0 };
	int r = record_list(store_fd, &ids, err);

	for (size_t i = 0; r >= 0 && i < ids.n; i++)
		if (uses(store_fd, ids.v[i], name))
			r = strv_add(ret, ids.v[i]);
	return r;
}

int volstore_remove(int store_fd, const char *name, struct err *err)
{
	auto_fd volumes_fd = open_volumes(store_fd, err);
	auto_free char *json = str_format("%s/volume.json", name);
	auto_strv users = { 0 };
	auto_fd lock = -1;
	int r;

	if (volumes_fd < 0)
		return volumes_fd;
	lock = lock_open(volumes_fd, ".lock", LOCK_EXCLUSIVE, LOCK_WAIT);
	if (lock < 0 || !json)
		return err_set(err, lock < 0 ? lock : -ENOMEM, "cannot lock the volumes");
	if (!is_name(name) || !exists(volumes_fd, name))
		return err_say(err, -ENOENT, "there is no volume '%.64s'", name);
	r = volstore_users(store_fd, name, &users, err);
	if (r < 0)
		return r;
	if (users.n > 0) {
		err_say(err, -EBUSY, "volume '%s' is used by container '%.12s'", name, users.v[0]);
		return err_hint(err, -EBUSY, "lamina rm %.12s", users.v[0]);
	}
	/* First what makes it a volume: half of one is made anew by whoever wants the name. */
	if (unlinkat(volumes_fd, json, 0) < 0)
		return err_set(err, -errno, "cannot remove volume '%s'", name);
	r = at_remove_tree(volumes_fd, name);
	return r < 0 ? err_set(err, r, "cannot remove volume '%s'", name) : 0;
}

int volstore_inspect(
	int store_fd, const char *store_path, const char *name, json_t **ret, struct err *err)
{
	auto_free char *path = str_format("volumes/%s/volume.json", name), *text = NULL;
	auto_free char *where = str_format("%s/volumes/%s/_data", store_path, name);
	char stamp[LOGFILE_STAMP_LEN + 1];
	auto_json *j = NULL;
	uint64_t created = 0;
	json_t *labels;
	size_t len;
	int r;

	if (!path || !where)
		return err_set(err, -ENOMEM, "volume");
	r = is_name(name) ? at_read_file(store_fd, path, LIMIT_VOLUME_JSON, &text, &len) : -ENOENT;
	if (r == -ENOENT)
		return err_say(err, r, "there is no volume '%.64s'", name);
	if (r < 0)
		return err_set(err, r, "cannot read volume '%s'", name);
	r = json_parse(text, len, "volume.json", &j, err);
	if (r < 0)
		return r;
	(void)json_get_u64(j, "created", &created);
	logfile_stamp((int64_t)(created % 9000000000u) * 1000000000, stamp);
	labels = json_object_get(j, "labels");
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:O?, s:s, s:b, s:{}}", "Name", name, "Driver",
		"local", "Mountpoint", where, "CreatedAt", stamp, "Labels", labels, "Scope",
		"local", "Anonymous", json_is_true(json_object_get(j, "anonymous")), "Options");
	return *ret ? 0 : err_set(err, -ENOMEM, "volume");
}

static bool is_empty(int fd)
{
	int copy = at_reopen(fd, O_RDONLY | O_DIRECTORY);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	bool empty = dir;
	struct dirent *e;

	while (dir && empty && (e = readdir(dir)))
		empty = str_eq(e->d_name, ".") || str_eq(e->d_name, "..");
	if (dir)
		(void)closedir(dir);
	return empty;
}

int volstore_fill(int data_fd, int from_fd)
{
	return is_empty(data_fd) ? copytree_to_disk(from_fd, data_fd) : 0;
}
