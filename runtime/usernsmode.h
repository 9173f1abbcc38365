/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * --userns: how a container's ids lie on those of the parent namespace, where 0 is the user.  Pure.
 *
 *      "", host            0 → 0 (the user), 1… → 1…
 *      keep-id             the user has the same number inside as outside: UID → 0, the others → 1…
 *      keep-id:uid=U,gid=G the user is U inside
 *      nomap               0 → 1…: the user is not there at all
 *      auto[:size=N]       0… → N ids that no other such container has
 *      container:NAME      as in that container, whose user namespace it is
 */

#include "base/err.h"
#include "base/str.h"
#include "overlay/idmap.h"

#define USERNSMODE_AUTO_SIZE 1024 /* ids, unless told otherwise */

enum usernsmode_kind {
	USERNSMODE_DEFAULT,
	USERNSMODE_KEEP_ID,
	USERNSMODE_NOMAP,
	USERNSMODE_AUTO,
	USERNSMODE_CONTAINER,
};

struct usernsmode {
	enum usernsmode_kind kind;
	uint32_t uid, gid; /* of the user inside, USERNSMODE_KEEP_ID */
	uint32_t size, base; /* USERNSMODE_AUTO: its ids in the parent namespace; 0: to be chosen */
	const char *target; /* USERNSMODE_CONTAINER: points into the text */
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
 * usernsmode_choose() - a base for @m, whose size is set, among those of others
 * @texts: what others have, in the words of usernsmode_text(); those that are not auto are skipped
 * @n_ids: of the parent namespace, 0 being the user's
 * Return: 0; -ERANGE if there is no room.
 */
int usernsmode_choose(struct usernsmode *m, const struct strv *texts, uint32_t n_ids);

/**
 * usernsmode_map() - inside: the container's ids; outside: the parent namespace's
 * @own:  all ids of the parent namespace, each mapped to itself
 * @keep: the id that the user has inside
 * Return: 0; -ERANGE if the parent namespace has too few ids for it; -ENOMEM.
 */
int usernsmode_map(
	const struct usernsmode *m, const struct idmap *own, uint32_t keep, struct idmap *ret);
