/* SPDX-License-Identifier: Apache-2.0 */
/* Where containers-storage is (the contract is in the header). */
#include "image/cstorage_root.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "image/conf_path.h"
#include "image/toml.h"

#include <fcntl.h>

/* Return: 1 with the value of [storage] KEY; 0 if the file or the key is missing. */
static int read_key(const char *path, const char *key, char **ret, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	auto_free char *text = NULL;
	auto_json *conf = NULL;
	const char *value;
	size_t len;
	int r;

	if (fd < 0)
		return 0;
	r = fd_read_file(fd, LIMIT_STORAGE_CONF_BYTES, &text, &len);
	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	r = toml_parse(text, len, &conf, err);
	if (r < 0)
		return err_wrap(err, r, "'%s'", path);
	value = json_get_str(json_object_get(conf, "storage"), key);
	if (!value || !*value)
		return 0;
	*ret = strdup(value);
	return *ret ? 1 : err_set(err, -ENOMEM, "cannot read '%s'", path);
}

static const char *variable(const char *name, size_t len, const char *uid)
{
	if (len == 4 && memcmp(name, "HOME", 4) == 0)
		return getenv("HOME");
	if (len == 3 && memcmp(name, "UID", 3) == 0)
		return uid;
	return len == 4 && memcmp(name, "USER", 4) == 0 ? getenv("USER") : NULL;
}

/* $HOME, $UID and $USER, as storage.conf has them; all else stands for itself. */
static int expand(const char *text, char **ret)
{
	auto_buf out = { 0 };
	char uid[16];
	int r = 0;

	snprintf(uid, sizeof(uid), "%u", (unsigned int)proc_own_uid());
	while (r == 0 && *text) {
		size_t len = *text == '$' ? strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
		const char *value = len ? variable(text + 1, len, uid) : NULL;

		r = value ? buf_add_str(&out, value) : buf_add(&out, text, 1);
		text += value ? len + 1 : 1;
	}
	if (r == 0)
		*ret = buf_take(&out);
	return r == 0 && *ret ? 0 : -ENOMEM;
}

/* Return: 1 with the directory that a file names. */
static int by_files(char **ret, struct err *err)
{
	static const char *const system_files[] = { "/etc/containers/storage.conf",
		"/usr/share/containers/storage.conf" };
	const char *only = getenv("CONTAINERS_STORAGE_CONF");
	bool is_root = proc_is_system_root();
	auto_free char *own = NULL;
	int r = 0;

	if (only && *only)
		return read_key(only, "graphroot", ret, err);
	if (!is_root) {
		own = conf_path_user("storage.conf");
		r = own ? read_key(own, "graphroot", ret, err) : 0;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(system_files); i++)
		r = read_key(
			system_files[i], is_root ? "graphroot" : "rootless_storage_path", ret, err);
	return r;
}

int cstorage_root(char **ret, struct err *err)
{
	auto_free char *said = NULL;
	int r = by_files(&said, err);

	if (r < 0)
		return r;
	if (r > 0)
		r = expand(said, ret);
	else if (proc_is_system_root())
		r = (*ret = strdup("/var/lib/containers/storage")) ? 0 : -ENOMEM;
	else
		r = (*ret = conf_path_in("XDG_DATA_HOME", ".local/share", "containers/storage"))
			    ? 0
			    : -ENOENT;
	return r < 0 ? err_set(err, r, "cannot find the storage of containers") : 0;
}
