/* SPDX-License-Identifier: Apache-2.0 */
/* Where configuration is kept (the contract is in the header). */
#include "image/conf_path.h"

#include "base/str.h"

char *conf_path_in(const char *variable, const char *fallback, const char *name)
{
	const char *dir = getenv(variable), *home = getenv("HOME");

	if (dir && *dir)
		return str_format("%s/%s", dir, name);
	if (!fallback || !home || !*home)
		return NULL;
	return str_format("%s/%s/%s", home, fallback, name);
}

char *conf_path_user(const char *name)
{
	auto_free char *below = str_format("containers/%s", name);

	return below ? conf_path_in("XDG_CONFIG_HOME", ".config", below) : NULL;
}

char *conf_path_file(const char *name)
{
	auto_free char *own = conf_path_user(name);

	if (own && access(own, F_OK) == 0)
		return ptr_take(&own);
	return str_format("/etc/containers/%s", name);
}
