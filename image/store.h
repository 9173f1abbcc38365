/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The store: an OCI image layout with the unpacked form beside it
 *
 *      oci-layout  index.json  blobs/sha256/…     manifests and configs; packed layers if asked for
 *      layers/<alg>-<hex>/layer.tar  layer.idx    by diff id
 *      images/<alg>-<hex>.idx                     merged index by chain id, made at the first mount
 *      containers/<id>/                           runtime/
 *      tmp/                                       staging; what no process holds is swept
 *      partial/                                   downloads that go on later (image/partial.h)
 *      lock                                       the store lock, and leases on layers
 *
 * Everything immutable is published by rename after its content was checked and synced; everything
 * mutable is index.json, replaced atomically under the store lock.  A kill at any instruction
 * leaves the old state or the new one, and leftovers in tmp/.
 *
 * Lock order: store lock → layer lease.  Nothing is downloaded or merged under the store lock.
 */

#include "base/err.h"
#include "image/digest.h"
#include "overlay/lower.h"

#include <stdint.h>

struct img_store;

/**
 * img_store_open() - open, making it if it is missing
 * @path: NULL for $LAMINA_ROOT, else what lamina.conf says, else $XDG_DATA_HOME/lamina, else ~/.local/share/lamina; for real
 *        root /var/lib/lamina
 */
int img_store_open(struct img_store **ret, const char *path, struct err *err);
void img_store_close(struct img_store *s);
/**
 * img_store_n_others(), img_store_other() - additional stores, of which lamina.conf speaks
 * They are read and never written: images and layers are looked for there after the store's own,
 * and layers are checked against their digests before their first use.  Borrowed.
 */
size_t img_store_n_others(const struct img_store *s);
struct img_store *img_store_other(const struct img_store *s, size_t i);
/** img_store_dirfd() - an O_PATH fd of the root, borrowed */
int img_store_dirfd(const struct img_store *s);
/** img_store_path() - absolute path of the root for messages, borrowed */
const char *img_store_path(const struct img_store *s);

/* One image of the store, resolved. */
struct img {
	char *name; /* full reference as stored, "localhost:5000/debian:12"; may be NULL (by id) */
	struct idx_digest manifest_digest;
	struct idx_digest config_digest; /* the "image id" */
	char *config_json; /* bytes of the config blob, checked against config_digest */
	size_t config_len;
	struct idx_digest *diff_ids; /* lowest first */
	uint32_t n_layers;
	struct idx_digest chain_id; /* of all layers; of an image without layers: SHA-256 of "" */
	int lease_fd; /* shared lease on the image: rmi and prune wait for it or refuse; -1: none */
};

/**
 * img_resolve() - find an image by name, name@digest, or a prefix of its id
 *
 * Takes the shared lease under the store lock before the look-up ends.
 * Return: 0 with @ret filled (img_done() it); -ENOENT; -EEXIST if a prefix is ambiguous.
 */
int img_resolve(struct img_store *s, const char *ref, struct img *ret, struct err *err);
void img_done(struct img *img);

/**
 * img_open_lower() - the lower of an image, ready for ovl_fs_new()
 * Merges the chain's index if images/ does not hold it (once, also if several processes want it).
 */
int img_open_lower(struct img_store *s, const struct img *img, struct lower **ret, struct err *err);
