/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping credentials (the contract is in the header). */
#include "image/auth_store.h"

#include "base/at.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/str.h"
#include "image/auth_helper.h"
#include "image/conf_path.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The file, opened as a directory and a name in it, under a lock. */
struct auth_file {
	char *path;
	const char *base; /* in @path */
	int dirfd, lock_fd;
	json_t *json;
};

static void auth_file_done(struct auth_file *f)
{
	free(f->path);
	json_decref(f->json);
	if (f->lock_fd >= 0)
		(void)close(f->lock_fd);
	if (f->dirfd >= 0)
		(void)close(f->dirfd);
}

static char *choose_path(const char *file)
{
	const char *env = getenv("REGISTRY_AUTH_FILE");
	char *path;

	if (file && *file)
		return strdup(file);
	if (env && *env)
		return strdup(env);
	path = conf_path_in("XDG_RUNTIME_DIR", NULL, "containers/auth.json");
	return path ? path : conf_path_user("auth.json");
}

/* The directory of the file, made if it is missing. */
static int open_dir(struct auth_file *f, struct err *err)
{
	char *slash = strrchr(f->path, '/');

	f->base = slash ? slash + 1 : f->path;
	if (!slash) {
		f->dirfd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		for (char *p = f->path + 1; p <= slash; p++) {
			if (*p != '/')
				continue;
			*p = '\0';
			(void)mkdir(f->path, 0700);
			*p = '/';
		}
		*slash = '\0';
		f->dirfd = open(*f->path ? f->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		*slash = '/';
	}
	if (f->dirfd < 0)
		return err_set(err, -errno, "cannot open the directory of '%s'", f->path);
	return 0;
}

static int load(struct auth_file *f, struct err *err)
{
	auto_fd fd = openat(f->dirfd, f->base, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	auto_free char *data = NULL;
	size_t len = 0;
	int r;

	if (fd < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot read '%s'", f->path);
	if (fd >= 0) {
		r = fd_read_file(fd, LIMIT_AUTH_FILE_BYTES, &data, &len);
		if (r < 0)
			return err_set(err, r, "cannot read '%s'", f->path);
	}
	if (len == 0) {
		f->json = json_object();
		return f->json ? 0 : err_set(err, -ENOMEM, "cannot read '%s'", f->path);
	}
	r = json_parse(data, len, f->path, &f->json, err);
	explicit_bzero(data, len);
	if (r == 0 && !json_is_object(f->json))
		r = err_say(err, -EBADMSG, "'%s' is not a JSON object", f->path);
	return r;
}

static int auth_file_open(struct auth_file *f, const char *file, struct err *err)
{
	auto_free char *lock_name = NULL;
	int r;

	*f = (struct auth_file){ choose_path(file), NULL, -1, -1, NULL };
	if (!f->path)
		return err_say(err, -ENOENT,
			"there is no place for credentials: neither XDG_RUNTIME_DIR nor HOME is "
			"set");
	r = open_dir(f, err);
	if (r < 0)
		return r;
	lock_name = str_format(".%s.lock", f->base);
	f->lock_fd =
		lock_name ? lock_open(f->dirfd, lock_name, LOCK_EXCLUSIVE, LOCK_WAIT) : -ENOMEM;
	if (f->lock_fd < 0 && f->lock_fd != -ENOLCK)
		return err_set(err, f->lock_fd, "cannot lock '%s'", f->path);
	return load(f, err);
}

static int save(struct auth_file *f, struct err *err)
{
	auto_free char *text = json_dumps(f->json, JSON_INDENT(8));
	int r;

	if (!text)
		return err_set(err, -ENOMEM, "cannot write '%s'", f->path);
	r = at_replace_file(f->dirfd, f->base, text, strlen(text), 0600, AT_REPLACE_SYNC);
	explicit_bzero(text, strlen(text));
	return r < 0 ? err_set(err, r, "cannot write '%s'", f->path) : 0;
}

static const char *helper_of(const struct auth_file *f, const char *key)
{
	const char *name = json_get_str(json_object_get(f->json, "credHelpers"), key);

	return name ? name : json_get_str(f->json, "credsStore");
}

static json_t *entry_json(const struct cred *cred)
{
	auto_free char *basic = NULL;

	if (cred->identity_token)
		return json_pack("{s:s}", "identitytoken", cred->identity_token);
	basic = auth_basic(cred->user, cred->password);
	return basic ? json_pack("{s:s}", "auth", basic + strlen("Basic ")) : NULL;
}

int auth_store(const char *file, const char *key, const struct cred *cred, struct err *err)
{
	struct auth_file f;
	int r = auth_file_open(&f, file, err);
	const char *helper = r == 0 ? helper_of(&f, key) : NULL;
	json_t *auths;

	if (r == 0 && helper) {
		r = auth_helper_store(helper, key, cred, err);
	} else if (r == 0) {
		auths = json_object_get(f.json, "auths");
		if (!json_is_object(auths)) {
			auths = json_object();
			(void)json_object_set_new(f.json, "auths", auths);
		}
		if (json_object_set_new(auths, key, entry_json(cred)) < 0)
			r = err_set(err, -ENOMEM, "cannot keep credentials");
		else
			r = save(&f, err);
	}
	auth_file_done(&f);
	return r;
}

/* Return: how many entries went, programs' ones not counted. */
static int erase_all(struct auth_file *f)
{
	json_t *auths = json_object_get(f->json, "auths");
	int n = (int)json_object_size(auths);

	(void)json_object_clear(auths);
	return n;
}

int auth_erase(const char *file, const char *key, struct err *err)
{
	struct auth_file f;
	int n = 0, r = auth_file_open(&f, file, err);
	const char *helper = r == 0 && key ? helper_of(&f, key) : NULL;

	if (r == 0 && helper) {
		r = auth_helper_erase(helper, key, err);
		n = r == 0;
	}
	if (r >= 0 && !key)
		n = erase_all(&f);
	else if (r >= 0 && json_object_del(json_object_get(f.json, "auths"), key) == 0)
		n = 1;
	if (r >= 0 && n > 0)
		r = save(&f, err);
	auth_file_done(&f);
	return r < 0 ? r : n;
}
