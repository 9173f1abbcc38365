/* SPDX-License-Identifier: Apache-2.0 */
/* Names of extended attributes. */
#include "overlay/xattrs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ESCAPABLE "user.overlay."
#define ESCAPE	  "user.overlay.overlay."

static bool has_prefix(const char *name, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(name, prefix, n) == 0;
}

bool xattr_is_private(const char *name, size_t len)
{
	return has_prefix(name, len, ESCAPABLE) || has_prefix(name, len, "trusted.overlay.") ||
	       has_prefix(name, len, "user.fuseoverlayfs.") ||
	       has_prefix(name, len, "user.containers.override_");
}

int xattr_to_upper(const char *name, char ret[XATTR_NAME_BYTES])
{
	size_t len = strlen(name);
	int n;

	if (has_prefix(name, len, ESCAPABLE))
		n = snprintf(ret, XATTR_NAME_BYTES, "%s%s", ESCAPE, name + sizeof(ESCAPABLE) - 1);
	else if (xattr_is_private(name, len))
		return -EPERM;
	else
		n = snprintf(ret, XATTR_NAME_BYTES, "%s", name);
	return n >= XATTR_NAME_BYTES ? -ERANGE : 0;
}

bool xattr_from_upper(const char *name, char ret[XATTR_NAME_BYTES])
{
	size_t len = strlen(name);

	if (has_prefix(name, len, ESCAPE))
		snprintf(ret, XATTR_NAME_BYTES, "%s%s", ESCAPABLE, name + sizeof(ESCAPE) - 1);
	else if (xattr_is_private(name, len))
		return false;
	else
		snprintf(ret, XATTR_NAME_BYTES, "%s", name);
	return true;
}
