/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX ACLs as extended attributes: a version, then entries of (tag, permissions, id). */
#include "overlay/acl.h"

#include "base/str.h"

#include <endian.h>

#define ACL_VERSION 2

enum {
	TAG_USER_OBJ = 1,
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4,
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32
};

struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

bool acl_is_name(const char *name)
{
	return str_eq(name, ACL_ACCESS) || str_eq(name, ACL_DEFAULT);
}

/* The entries and their number; -EINVAL if it is no ACL. */
static int entries_of(void *value, size_t len, struct acl_entry **ret)
{
	uint32_t version;

	if (len < 4 || (len - 4) % sizeof(struct acl_entry) != 0)
		return -EINVAL;
	memcpy(&version, value, 4);
	if (le32toh(version) != ACL_VERSION)
		return -EINVAL;
	*ret = (struct acl_entry *)((char *)value + 4);
	return (int)((len - 4) / sizeof(struct acl_entry));
}

static bool map_id(const struct idmap *m, uint32_t id, enum acl_direction d, uint32_t *ret)
{
	if (m->n == 0) {
		*ret = id;
		return true;
	}
	return d == ACL_TO_CLIENT ? idmap_out(m, id, ret) : idmap_in(m, id, ret);
}

int acl_map(const struct ovl_fs *fs, void *value, size_t len, enum acl_direction direction)
{
	struct acl_entry *e;
	int n = entries_of(value, len, &e);

	for (int i = 0; i < n; i++) {
		uint16_t tag = le16toh(e[i].tag);
		uint32_t id = le32toh(e[i].id);

		if (tag != TAG_USER && tag != TAG_GROUP)
			continue;
		if (!map_id(tag == TAG_USER ? &fs->uids : &fs->gids, id, direction, &id))
			return -EINVAL;
		e[i].id = htole32(id);
	}
	return n < 0 ? n : 0;
}

int acl_inherit(void *dflt, size_t len, uint32_t *mode)
{
	struct acl_entry *e, *mask = NULL, *group = NULL;
	uint32_t m = *mode;
	bool extended = false;
	int n = entries_of(dflt, len, &e);

	for (int i = 0; i < n; i++) {
		uint16_t perm = le16toh(e[i].perm) & 7;

		switch (le16toh(e[i].tag)) {
		case TAG_USER_OBJ:
			perm &= (m >> 6) & 7;
			m = (m & ~0700U) | (uint32_t)perm << 6;
			e[i].perm = htole16(perm);
			break;
		case TAG_OTHER:
			perm &= m & 7;
			m = (m & ~07U) | perm;
			e[i].perm = htole16(perm);
			break;
		case TAG_GROUP_OBJ:
			group = &e[i];
			break;
		case TAG_MASK:
			mask = &e[i];
			extended = true;
			break;
		case TAG_USER:
		case TAG_GROUP:
			extended = true;
			break;
		default:
			return -EINVAL;
		}
	}
	if (n < 0)
		return n;
	if (!mask)
		mask = group;
	if (!mask)
		return -EINVAL;
	mask->perm = htole16((uint16_t)(le16toh(mask->perm) & (m >> 3) & 7));
	*mode = (m & ~070U) | (uint32_t)(le16toh(mask->perm) & 7) << 3;
	return extended;
}
