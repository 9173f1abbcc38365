/* SPDX-License-Identifier: Apache-2.0 */
/* Uppers seen over their images (the contract is in image/layer_diff.h). */
#include "image/layer_diff.h"

#include "base/at.h"
#include "base/str.h"
#include "image/resolve.h"

#include <string.h>
#include <unistd.h>

#define LIMIT_SUPER_BYTES 4096
#define LOWER_PREFIX	  "image:"

int upper_read_super(int state_fd, struct upper_super *ret, struct err *err)
{
	auto_free char *text = NULL;
	bool read_only;
	size_t len;
	int r = at_read_file(state_fd, "super", LIMIT_SUPER_BYTES, &text, &len);

	if (r < 0)
		return err_set(err, r, "it is no upper: cannot read its superblock");
	r = upper_super_parse(text, len, ret, &read_only, err);
	return r < 0 ? err_wrap(err, r, "superblock") : 0;
}

int upper_view_open(struct img_store *s, const struct img *img, int state_fd,
	struct upper_view *ret, struct err *err)
{
	char chain[DIGEST_TEXT_BYTES], lower_id[sizeof(LOWER_PREFIX) + DIGEST_TEXT_BYTES];
	struct ovl_config cfg = {
		.lower_id = lower_id, .upper_dirfd = state_fd, .flags = OVL_PEEK
	};
	struct upper_view v = { .uid = geteuid(), .gid = getegid() };
	struct upper_super super;
	int r = 0;

	if (state_fd >= 0)
		r = upper_read_super(state_fd, &super, err);
	if (r < 0)
		return r;
	v.own_is_root = state_fd >= 0 && super.ownership == UPPER_OVERRIDE;
	digest_text(&img->chain_id, chain);
	snprintf(lower_id, sizeof(lower_id), LOWER_PREFIX "%s", chain);
	r = img_open_lower(s, img, &cfg.lower, err);
	if (r < 0)
		return r;
	v.lower = cfg.lower;
	r = ovl_fs_new(&v.fs, &cfg, err);
	if (r == 0)
		*ret = v;
	return r;
}

void upper_view_close(struct upper_view *v)
{
	ovl_fs_free(v->fs);
	*v = (struct upper_view){ 0 };
}

/* The chain id that the superblock names. */
static int read_chain(int state_fd, struct idx_digest *ret, struct err *err)
{
	struct upper_super super;
	int r = upper_read_super(state_fd, &super, err);

	if (r < 0)
		return r;
	if (!str_starts(super.lower, LOWER_PREFIX) ||
		digest_parse(super.lower + strlen(LOWER_PREFIX), ret) < 0)
		return err_say(
			err, -EINVAL, "it belongs to '%s', which is not an image", super.lower);
	return 0;
}

int upper_find_image(struct img_store *s, int state_fd, struct img *ret, struct err *err)
{
	auto_index x = { 0 };
	auto_fd lock = -1;
	struct idx_digest chain;
	int r = read_chain(state_fd, &chain, err);

	if (r == 0)
		r = lock = store_lock(s, LOCK_SHARED, err);
	if (r >= 0)
		r = names_load(s, &x, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < x.n; i++) {
		if (resolve_load(s, &x.entries[i], ret, NULL) < 0)
			continue;
		if (digest_eq(&ret->chain_id, &chain)) {
			ret->lease_fd =
				resolve_take_lease(s, &ret->manifest_digest, LOCK_SHARED, err);
			if (ret->lease_fd >= 0)
				return 0;
			img_done(ret);
			return ret->lease_fd;
		}
		img_done(ret);
	}
	return err_say(err, -ENOENT, "the store has no image with the layers that it lies over");
}
