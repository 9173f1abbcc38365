/* SPDX-License-Identifier: Apache-2.0 */
/* --userns auto (the contract is in the header). */
#include "runtime/usernsauto.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include "runtime/record.h"

#include <errno.h>
#include <fcntl.h>

/* What a container has that was not seen to be gone; one that cannot be read has none. */
static int add_taken(int store_fd, const char *id, struct strv *ret)
{
	auto_free char *path = str_format("containers/%s", id);
	auto_fd dirfd =
		path ? at_open(store_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0) : -ENOMEM;
	struct ctropts o;
	int r = 0;

	if (dirfd == -ENOMEM)
		return dirfd;
	if (dirfd < 0 || ctropts_read(dirfd, &o, NULL) < 0)
		return 0;
	if (o.userns)
		r = strv_add(ret, o.userns);
	ctropts_done(&o);
	return r;
}

int usernsauto_take(int store_fd, int dirfd, struct usernsmode *mode, uint32_t n_ids,
	struct ctropts *o, struct err *err)
{
	auto_strv ids = { 0 }, taken = { 0 };
	auto_fd lock = lock_open(store_fd, "containers/.userns", LOCK_EXCLUSIVE, LOCK_WAIT);
	int r;

	if (lock < 0)
		return err_set(err, lock, "cannot lock the choice of ids");
	r = record_list(store_fd, &ids, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < ids.n; i++)
		r = add_taken(store_fd, ids.v[i], &taken);
	if (r < 0)
		return err_set(err, r, "cannot choose ids");
	r = usernsmode_choose(mode, &taken, n_ids);
	if (r < 0) {
		err_say(err, r, "--userns auto: %u of your subordinate ids are not free",
			mode->size);
		return err_hint(err, r, "--userns auto:size=N with less, or 'lamina rm' of others");
	}
	free(o->userns);
	o->userns = usernsmode_text(mode);
	return o->userns ? ctropts_write(dirfd, o, err) : err_set(err, -ENOMEM, "options");
}
