/* SPDX-License-Identifier: Apache-2.0 */
/* How layers spell deletions. */
#include "overlay/whiteout.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool starts(const char *name, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && memcmp(name, prefix, strlen(prefix)) == 0;
}

int wh_from_tar_name(const char *name, size_t len, const char **ret_target)
{
	*ret_target = NULL;
	if (!starts(name, len, ".wh."))
		return WH_NONE;
	if (starts(name, len, ".wh..wh."))
		return len == 12 && starts(name, len, ".wh..wh..opq") ? WH_OPAQUE : WH_META;
	if (len == 4 || (len == 5 && name[4] == '.') || (len == 6 && starts(name, len, ".wh...")))
		return -EINVAL;
	*ret_target = name + 4;
	return WH_DELETED;
}
