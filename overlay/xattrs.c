/* SPDX-License-Identifier: Apache-2.0 */
/* Names of extended attributes. */
#include "overlay/xattrs.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a client's attribute has in front, and what is put there instead. */
static const struct {
	const char *plain, *escaped;
} escapes[] = {
	{ "user.overlay.", "user.overlay.overlay." },
	{ "trusted.overlay.", "trusted.overlay.overlay." },
};

static bool has_prefix(const char *name, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(name, prefix, n) == 0;
}

bool xattr_is_private(const char *name, size_t len)
{
	return has_prefix(name, len, "user.overlay.") ||
	       has_prefix(name, len, "trusted.overlay.") ||
	       has_prefix(name, len, "user.fuseoverlayfs.") ||
	       has_prefix(name, len, "user.containers.override_");
}

int xattr_to_upper(const char *name, char ret[XATTR_NAME_BYTES])
{
	size_t len = strlen(name);
	const char *prefix = "";

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		if (has_prefix(name, len, escapes[i].plain)) {
			prefix = escapes[i].escaped;
			name += strlen(escapes[i].plain);
			break;
		}
	if (!*prefix && xattr_is_private(name, len))
		return -EPERM;
	return snprintf(ret, XATTR_NAME_BYTES, "%s%s", prefix, name) >= XATTR_NAME_BYTES ? -ERANGE
											 : 0;
}

bool xattr_from_upper(const char *name, char ret[XATTR_NAME_BYTES])
{
	size_t len = strlen(name);
	const char *prefix = "";

	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
		if (has_prefix(name, len, escapes[i].escaped)) {
			prefix = escapes[i].plain;
			name += strlen(escapes[i].escaped);
			break;
		}
	if (!*prefix && xattr_is_private(name, len))
		return false;
	snprintf(ret, XATTR_NAME_BYTES, "%s%s", prefix, name);
	return true;
}
