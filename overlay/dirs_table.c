/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the lower of directories (what they are is said in dirs_internal.h)
 *
 *      record ◀─ handle ─ (fs, inode) buckets          two names of one inode are one record
 *             ◀─ name ─── (directory, offset) buckets  what was found once needs no system call
 *
 * Two handles never stand for one file, two files never for one handle: the key is the filesystem
 * and the inode, never the inode alone.  A directory has one name, so one that is found at a second
 * place (a layer inside of another one) is a record of its own.
 *
 * Permanent numbers: filesystem << 48 | inode where that fits, else a hash of both with bit 62.
 */
#include "overlay/dirs_internal.h"

#include "base/cleanup.h"
#include "overlay/inum.h"

#include <string.h>

#define CHUNK_RECS   1024
#define MIN_BUCKETS  256
#define MIN_QUEUE    1024
#define INO_BITS     48
#define FS_MAX	     ((1U << 14) - 1)
#define INO_IS_HASH  (UINT64_C(1) << 62)
#define OFF_BITS     60
#define RELEASE_STEP 1024 /* queued handles that make a reclaim worth while */

struct dirs_rec *dirs_rec(const struct lower_dirs *d, uint32_t handle)
{
	return &d->chunks[handle / CHUNK_RECS][handle % CHUNK_RECS];
}

uint64_t dirs_off(const struct lower_dirs *d, const char *name, size_t len)
{
	return hash_bytes(&d->key, name, len) >> (64 - OFF_BITS);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ b * UINT64_C(0xff51afd7ed558ccd)) * UINT64_C(0x9e3779b97f4a7c15);
	return a ^ a >> 32;
}

static uint32_t *inode_bucket(const struct lower_dirs *d, uint16_t fs, uint64_t fs_ino)
{
	return &d->inodes[mix(fs_ino, fs) & (d->n_buckets - 1)];
}

static struct dirs_name **name_bucket(const struct lower_dirs *d, uint32_t dir, uint64_t off)
{
	return &d->by_name[mix(off, dir) & (d->n_buckets - 1)];
}

/* ---- tables; the lock is held ---- */

static int resize(struct lower_dirs *d, size_t n)
{
	uint32_t *inodes = malloc(n * sizeof(*inodes));
	struct dirs_name **by_name = calloc(n, sizeof(struct dirs_name *));
	struct dirs_name **old = d->by_name;
	size_t n_old = d->n_buckets;

	if (!inodes || !by_name) {
		free(inodes);
		free(by_name);
		return -ENOMEM;
	}
	memset(inodes, 0xff, n * sizeof(*inodes));
	free(d->inodes);
	d->inodes = inodes;
	d->by_name = by_name;
	d->n_buckets = n;
	for (uint32_t h = 0; h < d->n_recs; h++) {
		struct dirs_rec *rec = dirs_rec(d, h);
		uint32_t *at = inode_bucket(d, rec->fs, rec->fs_ino);

		if (!(rec->flags & DIRS_LIVE))
			continue;
		rec->hash_next = *at;
		*at = h;
	}
	for (size_t b = 0; b < n_old; b++)
		while (old[b]) {
			struct dirs_name *name = old[b], **at;

			old[b] = name->hash_next;
			at = name_bucket(d, name->dir, name->off);
			name->hash_next = *at;
			*at = name;
		}
	free(old);
	return 0;
}

static int push(uint32_t **v, uint32_t *n, uint32_t *room, uint32_t value)
{
	if (*n == *room) {
		uint32_t more = *room ? *room * 2 : 256;
		uint32_t *fresh = reallocarray(*v, more, sizeof(**v));

		if (!fresh)
			return -ENOMEM;
		*v = fresh;
		*room = more;
	}
	(*v)[(*n)++] = value;
	return 0;
}

/* Without memory for the queue the record just lives longer. */
static void enqueue(struct lower_dirs *d, uint32_t handle)
{
	struct dirs_rec *rec = dirs_rec(d, handle);

	if (handle == 0 || !(rec->flags & DIRS_LIVE) || (rec->flags & DIRS_QUEUED))
		return;
	if (push(&d->queue, &d->n_queued, &d->queue_room, handle) == 0)
		rec->flags |= DIRS_QUEUED;
}

static int take_handle(struct lower_dirs *d, uint32_t *ret)
{
	if (d->n_free > 0) {
		*ret = d->free_list[--d->n_free];
		return 0;
	}
	if (d->n_recs == DIRS_MAX_HANDLES)
		return -ENFILE;
	if (d->n_recs % CHUNK_RECS == 0) {
		struct dirs_rec *chunk = calloc(CHUNK_RECS, sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		d->chunks[d->n_recs / CHUNK_RECS] = chunk;
	}
	*ret = d->n_recs;
	__atomic_store_n(&d->n_recs, *ret + 1, __ATOMIC_RELEASE); /* also read without the lock */
	return 0;
}

int dirs_table_init(struct lower_dirs *d)
{
	struct dirs_rec *root;
	uint32_t handle;
	int r = hash_key_random(&d->key);

	d->chunks = calloc(DIRS_MAX_HANDLES / CHUNK_RECS, sizeof(*d->chunks));
	if (r == 0 && !d->chunks)
		r = -ENOMEM;
	if (r == 0)
		r = resize(d, MIN_BUCKETS);
	if (r == 0)
		r = take_handle(d, &handle);
	if (r < 0)
		return r;
	root = dirs_rec(d, 0);
	root->ino = INUM_ROOT;
	root->hash_next = DIRS_NONE;
	d->n_live = 1;
	return 0;
}

static void free_dir(struct lower_dirs *d, struct dirs_dir *dir)
{
	if (!dir)
		return;
	for (uint32_t i = 0; i < dir->n; i++) {
		fdc_drop_at(d->fds, &dir->v[i].slot);
		free(dir->v[i].text);
	}
	free(dir->v);
	dirs_listing_free(dir->list);
	free(dir);
}

static void free_rec(struct lower_dirs *d, struct dirs_rec *rec)
{
	while (rec->names) {
		struct dirs_name *name = rec->names;

		rec->names = name->next;
		free(name);
	}
	fdc_drop_at(d->fds, &rec->slot);
	free_dir(d, rec->dir);
	free(rec->target);
	memset(rec, 0, sizeof(*rec));
}

static void free_retired(struct lower_dirs *d)
{
	while (d->retired) {
		struct dirs_listing *list = d->retired;

		d->retired = list->retired;
		dirs_listing_free(list);
	}
}

void dirs_table_done(struct lower_dirs *d)
{
	for (uint32_t h = 0; h < d->n_recs; h++)
		free_rec(d, dirs_rec(d, h));
	for (uint32_t h = 0; h < d->n_recs; h += CHUNK_RECS)
		free(d->chunks[h / CHUNK_RECS]);
	free_retired(d);
	free(d->chunks);
	free(d->inodes);
	free(d->by_name);
	free(d->free_list);
	free(d->queue);
	free(d->listed);
	free(d->devs);
}

/* ---- finding ---- */

static struct dirs_name *find_name(
	const struct lower_dirs *d, uint32_t dir, uint64_t off, const char *name, size_t len)
{
	struct dirs_name *n = *name_bucket(d, dir, off);

	while (n && (n->dir != dir || n->off != off ||
			    (name && (n->len != len || memcmp(n->name, name, len) != 0))))
		n = n->hash_next;
	return n;
}

const struct dirs_name *dirs_known(
	struct lower_dirs *d, uint32_t dir, uint64_t off, const char *name, size_t len)
{
	const struct dirs_name *n;

	pthread_mutex_lock(&d->lock);
	n = find_name(d, dir, off, name, len);
	pthread_mutex_unlock(&d->lock);
	return n;
}

/* The record that this is another name of, or was found before as. */
static uint32_t find_inode(const struct lower_dirs *d, const struct dirs_found *f, uint32_t dir,
	const char *name, size_t len, bool *ret_elsewhere)
{
	uint32_t h = *inode_bucket(d, f->fs, f->fs_ino);

	*ret_elsewhere = false;
	for (; h != DIRS_NONE; h = dirs_rec(d, h)->hash_next) {
		const struct dirs_rec *rec = dirs_rec(d, h);

		if (rec->fs != f->fs || rec->fs_ino != f->fs_ino ||
			((rec->attr.mode ^ f->attr.mode) & S_IFMT))
			continue;
		if (!S_ISDIR(f->attr.mode))
			return h;
		if (rec->layer == f->layer && rec->names->dir == dir && rec->names->len == len &&
			memcmp(rec->names->name, name, len) == 0)
			return h;
		*ret_elsewhere = true;
	}
	return DIRS_NONE;
}

static uint64_t number_of(const struct dirs_found *f, uint32_t handle, bool made_up)
{
	uint64_t n = (uint64_t)f->fs << INO_BITS | f->fs_ino;

	if (!made_up && f->fs <= FS_MAX && f->fs_ino >> INO_BITS == 0 && n > INUM_ROOT)
		return n;
	n = mix(f->fs_ino, f->fs) ^ (made_up ? mix(handle, ~UINT64_C(0)) : 0);
	return INO_IS_HASH | (n & (INO_IS_HASH - 1));
}

static int new_rec(struct lower_dirs *d, const struct dirs_found *f, bool elsewhere, uint32_t *ret)
{
	struct dirs_rec *rec;
	uint32_t *at;
	int r = take_handle(d, ret);

	if (r < 0)
		return r;
	rec = dirs_rec(d, *ret);
	rec->fs = f->fs;
	rec->layer = f->layer;
	rec->fs_ino = f->fs_ino;
	rec->attr = f->attr;
	rec->ino = number_of(f, *ret, elsewhere);
	rec->flags =
		(uint8_t)(DIRS_LIVE | (f->only ? DIRS_ONLY : 0) | (elsewhere ? DIRS_ALIAS : 0));
	at = inode_bucket(d, f->fs, f->fs_ino);
	rec->hash_next = *at;
	*at = *ret;
	d->n_live++;
	enqueue(d, *ret); /* in case that nobody comes to need it */
	return 0;
}

static void forget_rec(struct lower_dirs *d, uint32_t handle);

static int add_name(struct lower_dirs *d, uint32_t handle, uint32_t dir, uint64_t off,
	const char *name, size_t len, struct dirs_name **ret)
{
	struct dirs_rec *rec = dirs_rec(d, handle);
	struct dirs_name *n = calloc(1, sizeof(*n) + len + 1), **at;

	if (!n) {
		if (!rec->names)
			forget_rec(d, handle);
		return -ENOMEM;
	}
	n->dir = dir;
	n->handle = handle;
	n->off = off;
	n->len = (uint8_t)len;
	memcpy(n->name, name, len);
	at = name_bucket(d, dir, off);
	n->hash_next = *at;
	*at = n;
	n->next = rec->names;
	__atomic_store_n(&rec->names, n, __ATOMIC_RELEASE);
	dirs_rec(d, dir)->n_children++;
	*ret = n;
	return 0;
}

static void drop_name(struct lower_dirs *d, struct dirs_name *n)
{
	struct dirs_name **at = name_bucket(d, n->dir, n->off);

	while (*at && *at != n)
		at = &(*at)->hash_next;
	if (*at)
		*at = n->hash_next;
}

int dirs_enter(struct lower_dirs *d, uint32_t dir, uint64_t off, const char *name, size_t len,
	const struct dirs_found *f, const struct dirs_name **ret)
{
	struct dirs_name *n;
	bool elsewhere;
	uint32_t handle;
	int r = 0;

	pthread_mutex_lock(&d->lock);
	if (d->n_live > d->n_buckets)
		(void)resize(d, d->n_buckets * 2); /* else chains get longer */
	handle = find_inode(d, f, dir, name, len, &elsewhere);
	n = find_name(d, dir, off, name, len);
	/* The layer changed: the name leads to something else now. */
	if (n && n->handle != handle) {
		drop_name(d, n);
		n = NULL;
	}
	if (handle == DIRS_NONE)
		r = new_rec(d, f, elsewhere, &handle);
	else
		dirs_rec(d, handle)->attr = f->attr;
	if (r == 0 && !n)
		r = add_name(d, handle, dir, off, name, len, &n);
	pthread_mutex_unlock(&d->lock);
	if (r == 0)
		*ret = n;
	return r;
}

int dirs_fs(struct lower_dirs *d, dev_t dev)
{
	dev_t *v;
	size_t i;

	pthread_mutex_lock(&d->lock);
	for (i = 0; i < d->n_devs && d->devs[i] != dev; i++)
		;
	if (i == d->n_devs && i < UINT16_MAX) {
		v = reallocarray(d->devs, i + 1, sizeof(*v));
		if (v) {
			d->devs = v;
			d->devs[d->n_devs++] = dev;
		}
	}
	pthread_mutex_unlock(&d->lock);
	if (i == UINT16_MAX)
		return -EOVERFLOW;
	return i < d->n_devs ? (int)i : -ENOMEM;
}

int dirs_by_ino(struct lower_dirs *d, uint64_t ino, uint64_t *ret)
{
	uint32_t h;

	if (ino == INUM_ROOT) {
		*ret = 0;
		return 0;
	}
	if (ino & (INO_IS_HASH | INUM_UPPER))
		return -ENOENT;
	pthread_mutex_lock(&d->lock);
	h = *inode_bucket(d, (uint16_t)(ino >> INO_BITS), ino & ((UINT64_C(1) << INO_BITS) - 1));
	while (h != DIRS_NONE && dirs_rec(d, h)->ino != ino)
		h = dirs_rec(d, h)->hash_next;
	pthread_mutex_unlock(&d->lock);
	if (h == DIRS_NONE)
		return -ENOENT;
	*ret = h;
	return 0;
}

/* ---- listings ---- */

int dirs_publish_listing(struct lower_dirs *d, uint32_t handle, struct dirs_listing *fresh)
{
	struct dirs_dir *dir = dirs_rec(d, handle)->dir;
	struct dirs_listing *old;
	int r = 0;

	pthread_mutex_lock(&d->lock);
	old = dir->list;
	if (!old)
		r = push(&d->listed, &d->n_listed, &d->listed_room, handle);
	if (r == 0) {
		__atomic_store_n(&dir->list, fresh, __ATOMIC_RELEASE);
		d->n_entries += fresh->n;
	}
	if (r == 0 && old) {
		d->n_entries -= old->n;
		old->retired = d->retired;
		d->retired = old;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

/* Drop the listings that were not used for longest. */
static void trim_listings(struct lower_dirs *d)
{
	while (d->n_entries > DIRS_KEPT_ENTRIES && d->n_listed > DIRS_KEPT_LISTINGS) {
		uint32_t oldest = 0;
		struct dirs_dir *dir;

		for (uint32_t i = 1; i < d->n_listed; i++)
			if (dirs_rec(d, d->listed[i])->dir->used <
				dirs_rec(d, d->listed[oldest])->dir->used)
				oldest = i;
		dir = dirs_rec(d, d->listed[oldest])->dir;
		d->n_entries -= dir->list->n;
		dirs_listing_free(ptr_take(&dir->list));
		dir->n_probes = 0;
		d->listed[oldest] = d->listed[--d->n_listed];
	}
}

static void unlist(struct lower_dirs *d, uint32_t handle)
{
	const struct dirs_dir *dir = dirs_rec(d, handle)->dir;

	if (!dir || !dir->list)
		return;
	d->n_entries -= dir->list->n;
	for (uint32_t i = 0; i < d->n_listed; i++)
		if (d->listed[i] == handle) {
			d->listed[i] = d->listed[--d->n_listed];
			break;
		}
}

/* ---- the end of records ---- */

/* Take a record out of all tables; its directories may be next. */
static void forget_rec(struct lower_dirs *d, uint32_t handle)
{
	struct dirs_rec *rec = dirs_rec(d, handle);
	uint32_t *at = inode_bucket(d, rec->fs, rec->fs_ino);

	while (*at != handle)
		at = &dirs_rec(d, *at)->hash_next;
	*at = rec->hash_next;
	for (struct dirs_name *n = rec->names; n; n = n->next) {
		drop_name(d, n);
		dirs_rec(d, n->dir)->n_children--;
		enqueue(d, n->dir);
	}
	unlist(d, handle);
	free_rec(d, rec);
	d->n_live--;
	/* Without room its number is lost, which costs the size of a record. */
	(void)push(&d->free_list, &d->n_free, &d->free_room, handle);
}

void dirs_release(struct lower *l, uint64_t handle)
{
	struct lower_dirs *d = dirs_of(l);

	pthread_mutex_lock(&d->lock);
	if (handle < d->n_recs)
		enqueue(d, (uint32_t)handle);
	pthread_mutex_unlock(&d->lock);
}

bool dirs_wants_reclaim(struct lower *l)
{
	struct lower_dirs *d = dirs_of(l);
	bool wants;

	pthread_mutex_lock(&d->lock);
	wants = d->n_queued >= RELEASE_STEP || d->n_entries > DIRS_KEPT_ENTRIES + 1024 ||
		d->retired;
	pthread_mutex_unlock(&d->lock);
	return wants;
}

void dirs_reclaim(struct lower *l, bool (*in_use)(void *ctx, uint64_t handle), void *ctx)
{
	struct lower_dirs *d = dirs_of(l);

	pthread_mutex_lock(&d->lock);
	/* Directories come back into the queue with their last entry: children stand behind. */
	while (d->n_queued > 0) {
		uint32_t handle = d->queue[--d->n_queued];
		struct dirs_rec *rec = dirs_rec(d, handle);

		rec->flags &= (uint8_t)~DIRS_QUEUED;
		if ((rec->flags & DIRS_LIVE) && rec->n_children == 0 && !in_use(ctx, handle))
			forget_rec(d, handle);
	}
	trim_listings(d);
	free_retired(d);
	pthread_mutex_unlock(&d->lock);
}
