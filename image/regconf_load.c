/* SPDX-License-Identifier: Apache-2.0 */
/* registries.conf found and read (the contract is in image/regconf.h). */
#include "base/fd.h"
#include "base/str.h"
#include "image/conf_path.h"
#include "image/regconf.h"

#include <dirent.h>
#include <fcntl.h>

static int merge_file(json_t *conf, const char *path, bool must_exist, struct err *err)
{
	auto_free char *data = NULL;
	auto_fd fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t len;
	int r;

	if (fd < 0 && !must_exist && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_set(err, -errno, "cannot read '%s'", path);
	r = fd_read_file(fd, LIMIT_REGCONF_BYTES, &data, &len);
	if (r < 0)
		return err_set(err, r, "cannot read '%s'", path);
	r = regconf_merge(conf, data, len, err);
	return r < 0 ? err_wrap(err, r, "'%s'", path) : 0;
}

static int is_conf(const struct dirent *de)
{
	return de->d_name[0] != '.' && str_ends(de->d_name, ".conf");
}

static int merge_dir(json_t *conf, const char *dir, struct err *err)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_conf, alphasort), r = 0;

	if (n < 0)
		return 0;
	if (n > LIMIT_REGCONF_FILES)
		r = err_say(err, -EFBIG, "'%s' has %d files, the limit is %d", dir, n,
			LIMIT_REGCONF_FILES);
	for (int i = 0; i < n; i++) {
		auto_free char *path = str_format("%s/%s", dir, list[i]->d_name);

		if (r == 0)
			r = path ? merge_file(conf, path, false, err)
				 : err_set(err, -ENOMEM, "cannot read '%s'", dir);
		free(list[i]);
	}
	free(list);
	return r;
}

static int load(json_t **ret, struct err *err)
{
	const char *named = getenv("CONTAINERS_REGISTRIES_CONF");
	auto_free char *main_file =
		named && *named ? strdup(named) : conf_path_file("registries.conf");
	auto_free char *own_dir = conf_path_user("registries.conf.d");
	auto_json *conf = json_object();
	int r;

	if (!conf || !main_file)
		return err_set(err, -ENOMEM, "cannot read registries.conf");
	r = merge_file(conf, main_file, named && *named, err);
	if (r == 0)
		r = merge_dir(conf, "/etc/containers/registries.conf.d", err);
	if (r == 0 && own_dir)
		r = merge_dir(conf, own_dir, err);
	if (r < 0)
		return r;
	*ret = ptr_take(&conf);
	return 0;
}

int regconf_resolve(const char *name, struct ref *ref, struct regconf_places *ret, struct err *err)
{
	auto_json *conf = NULL;
	int r = load(&conf, err);

	if (r == 0)
		r = regconf_name(conf, name, ref, err);
	return r < 0 ? r : regconf_find(conf, ref, false, ret, err);
}

int regconf_resolve_push(
	const char *name, struct ref *ref, struct regconf_places *ret, struct err *err)
{
	auto_json *conf = NULL;
	int r = load(&conf, err);

	if (r == 0)
		r = ref_parse(name, ref, err);
	return r < 0 ? r : regconf_find(conf, ref, true, ret, err);
}

int regconf_insecure(const char *host, bool *ret, struct err *err)
{
	auto_json *conf = NULL;
	int r = load(&conf, err);

	if (r == 0)
		*ret = regconf_is_insecure(conf, host);
	return r;
}
