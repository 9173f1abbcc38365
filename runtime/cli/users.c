/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and their images (the contract is in the header). */
#include "runtime/cli/users.h"

#include "base/cleanup.h"
#include "runtime/record.h"

static void on_untagged(void *ctx, const char *name)
{
	printf("Untagged: %s\n", name);
}

static void on_deleted(void *ctx, const struct idx_digest *id)
{
	char text[DIGEST_TEXT_BYTES];

	digest_text(id, text);
	printf("Deleted: %s\n", digest_hex(text));
}

const struct rmi_report cli_rmi_report = { on_untagged, on_deleted, NULL };

static int add(struct image_use *u, const struct record *rec)
{
	if (!rec->image_id)
		return 0;
	if (strv_add(&u->image_ids, rec->image_id) < 0 || strv_add(&u->ids, rec->id) < 0 ||
		strv_add(&u->names, rec->name ? rec->name : rec->id) < 0)
		return -ENOMEM;
	return 0;
}

int image_use_load(int store_fd, struct image_use *ret, struct err *err)
{
	auto_strv ids = { 0 };
	int r = record_list(store_fd, &ids, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < ids.n; i++) {
		struct record rec;

		r = record_read(store_fd, ids.v[i], &rec, err);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return err_wrap(err, r, "container '%s'", ids.v[i]);
		r = add(ret, &rec);
		record_done(&rec);
		if (r < 0)
			return err_set(err, r, "cannot list the containers");
	}
	return 0;
}

void image_use_done(struct image_use *u)
{
	strv_done(&u->image_ids);
	strv_done(&u->ids);
	strv_done(&u->names);
}

bool image_use_check(void *ctx, const struct idx_digest *image_id, struct err *err)
{
	const struct image_use *u = ctx;
	char text[DIGEST_TEXT_BYTES];

	digest_text(image_id, text);
	for (size_t i = 0; i < u->image_ids.n; i++)
		if (str_eq(u->image_ids.v[i], text)) {
			err_say(err, -EBUSY, "container '%s' was made of it", u->names.v[i]);
			err_hint(err, -EBUSY, "lamina rm %s", u->names.v[i]);
			return true;
		}
	return false;
}
