/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * --userns: how a container's ids lie on those of the parent namespace, where 0 is the user.  Pure.
 *
 *      "", host            0 → 0 (the user), 1… → 1…
 *      keep-id             the user has the same number inside as outside: UID → 0, the others → 1…
 *      keep-id:uid=U,gid=G the user is U inside
 *      nomap               0 → 1…: the user is not there at all
 */

#include "base/err.h"
#include "base/str.h"
#include "overlay/idmap.h"

enum usernsmode_kind { USERNSMODE_DEFAULT, USERNSMODE_KEEP_ID, USERNSMODE_NOMAP };

struct usernsmode {
	enum usernsmode_kind kind;
	uint32_t uid, gid; /* of the user inside, USERNSMODE_KEEP_ID */
};

/**
 * usernsmode_parse() - the value of --userns; NULL is the default
 * @uid, @gid: the user's own numbers
 * Return: 0; -EINVAL, or -EOPNOTSUPP with what is near.
 */
int usernsmode_parse(
	const char *text, uint32_t uid, uint32_t gid, struct usernsmode *ret, struct err *err);

/** usernsmode_text() - the same with the user's numbers in it, owned by the caller; NULL: no memory */
char *usernsmode_text(const struct usernsmode *m);

/**
 * usernsmode_map() - inside: the container's ids; outside: the parent namespace's
 * @own:  all ids of the parent namespace, each mapped to itself
 * @keep: the id that the user has inside
 * Return: 0; -ERANGE if the parent namespace has too few ids for it; -ENOMEM.
 */
int usernsmode_map(
	enum usernsmode_kind kind, const struct idmap *own, uint32_t keep, struct idmap *ret);
