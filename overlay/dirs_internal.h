/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The parts of the lower of directories; private to lower_dirs.c and the dirs_*.c files
 *
 *      lower_dirs    the operations of overlay/lower.h
 *      dirs_table    records: handles, inodes, names; who is freed when
 *      dirs_stack    which directories of which layers a merged directory is made of
 *      dirs_entry    what an entry of a layer says by itself
 *      dirs_list     the merged listing of a directory
 *
 * A handle is the number of a record.  A record stands for an inode of a layer (for a merged
 * directory: that of its top layer) and holds the names by which it was found; each name keeps the
 * record of its directory alive.  A directory that was only looked up has no more than that; what
 * it is made of is found out at the first look into it, and its listing is read when it is listed,
 * or when so many of its names were looked up that this is cheaper.
 *
 * Locking: table->lock guards hash chains, counts, attributes and the queue; stripes[] the making
 * of what hangs on one directory.  Names, stacks and listings are constant once they can be found,
 * and records, names and listings are freed by dirs_reclaim() alone, when no operation is in
 * progress; so what was found needs no lock.  Order: stripe → table->lock.
 */

#include "base/hash.h"
#include "overlay/fdcache.h"
#include "overlay/lower_dirs.h"

#include <pthread.h>

#define DIRS_NONE	 UINT32_MAX
#define DIRS_MAX_HANDLES (UINT32_C(1) << 25)
#define DIRS_STRIPES	 64
/* Listings are kept up to this number of entries in all, and the last few in any case. */
#define DIRS_KEPT_ENTRIES  65536
#define DIRS_KEPT_LISTINGS 4

/* A name of an inode. */
struct dirs_name {
	struct dirs_name *hash_next; /* table->lock */
	struct dirs_name *next; /* of the same inode */
	uint64_t off; /* place in the directory: a hash of the name */
	uint32_t dir, handle;
	uint8_t len;
	char name[]; /* NUL-terminated */
};

/* How a directory of a layer is found. */
enum dirs_kind {
	DIRS_SAME, /* in the parent's directory of the layer, by the name */
	DIRS_NAME, /* there, by another name (a redirect) */
	DIRS_PATH, /* by a path from the layer's root (a redirect) */
};

enum dirs_marks {
	DIRS_OPAQUE = 1 << 0,
	DIRS_X_WHITEOUTS = 1 << 1, /* empty files with overlay.whiteout are whiteouts here */
};

/* One of the directories that a merged one is made of. */
struct dirs_elem {
	struct fd_slot *slot; /* fd cache's lock */
	char *text; /* the name or the path; NULL for DIRS_SAME */
	uint16_t layer;
	uint8_t kind; /* enum dirs_kind */
	uint8_t marks; /* enum dirs_marks */
};

struct dirs_entry {
	uint64_t off;
	uint32_t name_at; /* in the listing's names */
	uint16_t elem;
	uint8_t len;
	uint8_t type; /* DT_… */
	uint8_t flags; /* enum dirs_entry_flags */
};

enum dirs_entry_flags {
	DIRS_ENTRY_WHITEOUT = 1 << 0, /* only while the listing is made */
	DIRS_ENTRY_MORE = 1 << 1, /* a directory that goes on in a lower layer */
};

struct dirs_listing {
	struct dirs_entry *v; /* sorted by off, no two the same */
	size_t n;
	uint32_t n_dirs; /* directories among them */
	char *names; /* each with a NUL */
	struct dirs_listing *retired; /* the next of those that wait to be freed */
};

/* What is known of a directory that was looked into. */
struct dirs_dir {
	struct dirs_elem *v; /* from the top */
	uint32_t n;
	uint32_t n_probes; /* atomic; names that were looked for without a listing */
	struct dirs_listing *list; /* atomic */
	uint64_t used; /* atomic; when, for the choice of what is dropped */
};

struct dirs_attr {
	uint64_t size, blocks; /* of 512 bytes */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t mode, uid, gid, nlink;
	uint32_t major, minor;
};

enum dirs_rec_flags {
	DIRS_LIVE = 1 << 0,
	DIRS_QUEUED = 1 << 1, /* dirs_reclaim() will look at it */
	DIRS_ONLY = 1 << 2, /* a directory that no lower layer has */
	DIRS_ALIAS = 1 << 3, /* a directory that is found at two places: its number is made up */
};

struct dirs_rec {
	uint32_t hash_next; /* table->lock */
	uint32_t n_children; /* table->lock; names in this directory */
	uint64_t fs_ino;
	uint64_t ino; /* permanent number */
	struct dirs_attr attr; /* table->lock */
	struct dirs_name *names; /* atomic: grows at its head */
	struct dirs_dir *dir; /* atomic; of directories */
	char *target; /* atomic; of symlinks that were read */
	struct fd_slot *slot; /* of a file's data; fd cache's lock */
	uint16_t fs; /* ordinal of the filesystem among the layers' */
	uint16_t layer;
	uint8_t flags; /* enum dirs_rec_flags; table->lock, DIRS_ONLY is constant */
	bool no_xattrs; /* atomic; it has none */
};

struct dirs_layer {
	int fd;
	bool overrides; /* its root has an override, so anything may have one */
};

struct lower_dirs {
	struct lower base;
	enum lower_dirs_flags flags;
	struct dirs_layer *layers; /* the top one first */
	size_t n_layers;
	dev_t *devs; /* lock; filesystems, by their ordinals */
	size_t n_devs; /* lock */
	struct hash_key key;
	struct fd_cache *fds;
	pthread_mutex_t stripes[DIRS_STRIPES];
	/* the table */
	pthread_mutex_t lock;
	struct dirs_rec **chunks;
	uint32_t n_recs; /* records ever used; handles are below */
	uint32_t n_live;
	uint32_t *free_list;
	uint32_t n_free, free_room;
	uint32_t *inodes; /* buckets of handles by (fs, fs_ino) */
	struct dirs_name **by_name; /* buckets by (dir, off) */
	size_t n_buckets; /* of each */
	uint32_t *queue;
	uint32_t n_queued, queue_room;
	uint32_t *listed; /* directories that have listings */
	uint32_t n_listed, listed_room;
	uint64_t n_entries; /* in listings */
	uint64_t tick;
	struct dirs_listing *retired;
};

static inline struct lower_dirs *dirs_of(struct lower *l)
{
	return (struct lower_dirs *)l;
}

/* ---- dirs_table.c ---- */

int dirs_table_init(struct lower_dirs *d);
void dirs_table_done(struct lower_dirs *d);

/** dirs_rec() - a record that is alive */
struct dirs_rec *dirs_rec(const struct lower_dirs *d, uint32_t handle);

/** dirs_off() - the place of a name in listings */
uint64_t dirs_off(const struct lower_dirs *d, const char *name, size_t len);

/** dirs_known() - the name at a place of a directory, if somebody found it before; else NULL */
const struct dirs_name *dirs_known(
	struct lower_dirs *d, uint32_t dir, uint64_t off, const char *name, size_t len);

/* What was found at a name. */
struct dirs_found {
	uint64_t fs_ino;
	struct dirs_attr attr;
	uint16_t fs;
	uint16_t layer;
	bool only; /* a directory that no lower layer has */
};

/** dirs_enter() - the record of what was found, with the name; -ENFILE, -ENOMEM */
int dirs_enter(struct lower_dirs *d, uint32_t dir, uint64_t off, const char *name, size_t len,
	const struct dirs_found *f, const struct dirs_name **ret);

/** dirs_fs() - the ordinal of a filesystem; -EOVERFLOW, -ENOMEM */
int dirs_fs(struct lower_dirs *d, dev_t dev);

/** dirs_by_ino() - the handle that has this permanent number now; -ENOENT */
int dirs_by_ino(struct lower_dirs *d, uint64_t ino, uint64_t *ret);

/** dirs_publish_listing() - hand a listing over; an older one waits until it can be freed */
int dirs_publish_listing(struct lower_dirs *d, uint32_t handle, struct dirs_listing *fresh);

void dirs_release(struct lower *l, uint64_t handle);
bool dirs_wants_reclaim(struct lower *l);
void dirs_reclaim(struct lower *l, bool (*in_use)(void *ctx, uint64_t handle), void *ctx);

/* ---- dirs_stack.c ---- */

/** dirs_look_into() - what a directory is made of; -ENOTDIR */
int dirs_look_into(struct lower_dirs *d, uint32_t handle, struct dirs_dir **ret);

/** dirs_open_elem() - the @i-th of them, open; fdc_release() it */
int dirs_open_elem(struct lower_dirs *d, uint32_t handle, uint32_t i, struct fd_ref *ret);

/** dirs_open_home() - the directory of the layer in which a name of the record stands */
int dirs_open_home(struct lower_dirs *d, const struct dirs_rec *rec, const struct dirs_name *name,
	struct fd_ref *ret);

/** dirs_open_data() - the content of a file, also behind metadata-only copies: an fd */
int dirs_open_data(struct lower_dirs *d, uint32_t handle);

/* ---- dirs_entry.c ---- */

/** dirs_stat() - look at an entry; *@ret_whiteout: it is one.  -ENOENT */
int dirs_stat(struct lower_dirs *d, uint16_t layer, int dirfd, const char *name,
	enum dirs_marks marks, struct dirs_found *ret, bool *ret_whiteout);

/** dirs_read_root() - what the root of a layer says; *@ret_overrides: owners are in attributes */
enum dirs_marks dirs_read_root(int fd, bool *ret_overrides);

/** dirs_is_hidden() - does a directory of a layer have .wh.NAME?  1, 0 or an error */
int dirs_is_hidden(int dirfd, const char *name, size_t len);

#define DIRS_REDIRECT_BYTES 4096

/* What a directory or a metadata-only copy says about what it continues. */
struct dirs_says {
	enum dirs_marks dir;
	bool metacopy;
	char redirect[DIRS_REDIRECT_BYTES + 1]; /* "": none */
};

/** dirs_read_says() - by its attributes */
void dirs_read_says(int fd, struct dirs_says *ret);
/** dirs_read_opaque_file() - the file .wh..wh..opq says the same as the mark */
void dirs_read_opaque_file(int dirfd, struct dirs_says *says);

/* ---- dirs_list.c ---- */

/** dirs_list() - the listing of a directory, read now if it was not */
int dirs_list(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir,
	const struct dirs_listing **ret);
/** dirs_list_again() - the same, read now in any case */
int dirs_list_again(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir,
	const struct dirs_listing **ret);
/** dirs_listing_find() - the first entry with an offset of at least @off, or NULL */
const struct dirs_entry *dirs_listing_find(const struct dirs_listing *list, uint64_t off);
void dirs_listing_free(struct dirs_listing *list);
