/* SPDX-License-Identifier: Apache-2.0 */
/* What is written down about a container of lamina-runtime (the contract is in the header). */
#include "runtime/oci_state.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "runtime/cgroup.h"
#include "runtime/spec_json.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LIMIT_STATE_FILE_BYTES (1 << 20)

void oci_state_done(struct oci_state *s)
{
	free(s->id);
	free(s->bundle);
	free(s->rootfs);
	free(s->owner);
	free(s->created);
	free(s->cgroup);
	free(s->scope);
	cleanup_fd(&s->dirfd);
	memset(s, 0, sizeof(*s));
	s->dirfd = -1;
}

/* ---- the directory of states ---- */

int oci_root_open(struct oci *o, struct err *err)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	auto_free char *path = NULL;

	if (o->root)
		path = strdup(o->root);
	else if (xdg && xdg[0] == '/')
		path = str_format("%s/lamina-runtime", xdg);
	else if (geteuid() == 0)
		path = strdup("/run/lamina-runtime");
	else
		return err_say(err, -ENOENT, "neither --root nor XDG_RUNTIME_DIR is set");
	if (!path)
		return err_set(err, -ENOMEM, "cannot open the states");
	for (char *p = path + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		(void)mkdir(path, 0700);
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make '%s'", path);
	o->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return o->root_fd < 0 ? err_set(err, -errno, "cannot open '%s'", path) : 0;
}

static bool id_is_valid(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len > NAME_MAX || id[0] == '.')
		return false;
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_+-.", *p))
			return false;
	return true;
}

int oci_state_make(struct oci *o, const char *id, struct oci_state *s, struct err *err)
{
	if (!id_is_valid(id))
		return err_say(err, -EINVAL,
			"invalid container ID '%.256s': letters, digits and _+-. are allowed", id);
	if (mkdirat(o->root_fd, id, 0700) < 0)
		return errno == EEXIST ? err_say(err, -EEXIST, "container '%s' already exists", id)
				       : err_set(err, -errno, "cannot make container '%s'", id);
	s->dirfd = openat(o->root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	s->id = strdup(id);
	if (s->dirfd < 0 || !s->id)
		return err_set(err, s->id ? -errno : -ENOMEM, "cannot make container '%s'", id);
	return 0;
}

int oci_state_remove(struct oci *o, const char *id, struct err *err)
{
	int r = at_remove_tree(o->root_fd, id);

	return r < 0 ? err_set(err, r, "cannot remove container '%s'", id) : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int oci_state_list(struct oci *o, struct strv *ret)
{
	int fd = openat(o->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *e;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return -ENOMEM;
	}
	while (r >= 0 && (e = readdir(dir)))
		if (id_is_valid(e->d_name))
			r = strv_add(ret, e->d_name);
	(void)closedir(dir);
	if (ret->n > 1)
		qsort(ret->v, ret->n, sizeof(ret->v[0]), compare_names);
	return r;
}

/* ---- writing and reading ---- */

int oci_state_write(const struct oci_state *s, struct err *err)
{
	auto_buf text = { 0 };
	auto_json *doc = json_pack("{s:s, s:i, s:o, s:s, s:s, s:s, s:s, s:s*, s:s*}", "id", s->id,
		"pid", (int)s->init.pid, "start", spec_json_new_u64(s->init.start), "bundle",
		s->bundle, "rootfs", s->rootfs, "owner", s->owner, "created", s->created, "cgroup",
		s->cgroup, "scope", s->scope);
	int r = doc ? spec_json_dump(doc, &text) : -EINVAL;

	if (r >= 0)
		r = at_replace_file(s->dirfd, "state.json", text.data, text.len, 0600, 0);
	return r < 0 ? err_set(err, r, "cannot write the state of '%s'", s->id) : 0;
}

static bool is_frozen(const char *path)
{
	auto_fd mount_fd = cgroup_mount_open();
	auto_fd fd = mount_fd < 0 ? -1 : cgroup_open(mount_fd, path);

	return fd >= 0 && cgroup_frozen(fd);
}

static enum ctr_state find_status(const struct oci_state *s)
{
	auto_fd pidfd = proc_open(&s->init);
	struct stat st;

	if (pidfd < 0)
		return CTR_STOPPED;
	if (fstatat(s->dirfd, "start", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return CTR_CREATED;
	return s->cgroup && is_frozen(s->cgroup) ? CTR_PAUSED : CTR_RUNNING;
}

static char *dup_member(const json_t *doc, const char *key)
{
	const char *text = json_get_str(doc, key);

	return text ? strdup(text) : NULL;
}

static int parse_state(const char *text, size_t len, struct oci_state *s, struct err *err)
{
	auto_json *doc = NULL;
	uint64_t pid;
	int r;

	r = spec_json_parse(text, len, "state", &doc, err);
	if (r < 0)
		return r;
	s->bundle = dup_member(doc, "bundle");
	s->rootfs = dup_member(doc, "rootfs");
	s->owner = dup_member(doc, "owner");
	s->created = dup_member(doc, "created");
	s->cgroup = dup_member(doc, "cgroup");
	s->scope = dup_member(doc, "scope");
	if (json_get_u64(doc, "pid", &pid) < 0 || pid > INT32_MAX ||
		spec_json_u64(json_object_get(doc, "start"), &s->init.start) < 0 || !s->bundle ||
		!s->rootfs || !s->owner || !s->created)
		return err_say(err, -EBADMSG, "its state is damaged");
	s->init.pid = (pid_t)pid;
	return 0;
}

int oci_state_read(struct oci *o, const char *id, struct oci_state *ret, struct err *err)
{
	auto_oci_state s = OCI_STATE_INIT;
	auto_free char *text = NULL;
	size_t len;
	int r = -ENOENT;

	if (id_is_valid(id)) {
		s.dirfd = openat(o->root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = s.dirfd < 0 ? -errno
				: at_read_file(s.dirfd, "state.json", LIMIT_STATE_FILE_BYTES, &text,
					  &len);
	}
	if (r == -ENOENT)
		return err_say(err, r, "container '%.256s' does not exist", id);
	if (r < 0)
		return err_set(err, r, "cannot read the state of container '%s'", id);
	s.id = strdup(id);
	r = s.id ? parse_state(text, len, &s, err) : -ENOMEM;
	if (r < 0)
		return err_wrap(err, r, "container '%s'", id);
	s.status = find_status(&s);
	*ret = s;
	s = (struct oci_state)OCI_STATE_INIT;
	return 0;
}

int oci_state_pidfd(const struct oci_state *s, struct err *err)
{
	int pidfd = proc_open(&s->init);

	return pidfd == -ESRCH ? err_say(err, pidfd, "container not running")
	       : pidfd < 0     ? err_set(err, pidfd, "cannot watch container '%s'", s->id)
			       : pidfd;
}

int oci_state_config(const struct oci_state *s, struct spec **ret, struct err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int r = at_read_file(s->dirfd, "config.json", LIMIT_SPEC_BYTES, &text, &len);

	if (r < 0)
		return err_set(err, r, "cannot read the configuration of '%s'", s->id);
	return spec_parse(text, len, ret, err);
}

json_t *oci_state_json(const struct oci_state *s, const struct spec *spec, enum ctr_state status)
{
	enum ctr_state now = status == CTR_MAX_ ? s->status : status;
	json_t *notes = json_object(), *doc;

	for (size_t i = 0; spec && i < spec->annotations.n; i++)
		(void)json_object_set_new(notes, spec->annotations.v[i].key,
			json_string(spec->annotations.v[i].value));
	doc = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o}", "ociVersion",
		OCI_SPEC_VERSION, "id", s->id, "pid", now == CTR_STOPPED ? 0 : (int)s->init.pid,
		"status", state_name(now), "bundle", s->bundle, "rootfs", s->rootfs, "created",
		s->created, "owner", s->owner, "annotations", notes);
	if (doc && s->scope)
		(void)json_object_set_new(doc, "systemd-scope", json_string(s->scope));
	return doc;
}

/* ---- sockets ---- */

/* By /proc/self/fd: the path of a socket has room for 107 bytes. */
static int socket_address(int dirfd, const char *name, struct sockaddr_un *ret)
{
	int n;

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	return n < 0 || (size_t)n >= sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

int oci_listen(int dirfd, const char *name, struct err *err)
{
	auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	int r = fd < 0 ? -errno : socket_address(dirfd, name, &addr);

	if (r >= 0 && (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0))
		r = -errno;
	return r < 0 ? err_set(err, r, "cannot make the start socket") : fd_take(&fd);
}

int oci_connect(int dirfd, const char *name)
{
	auto_fd fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	int r = fd < 0 ? -errno : socket_address(dirfd, name, &addr);

	if (r >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	return r < 0 ? r : fd_take(&fd);
}
