/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The state directory of an upper: superblock, lock, work directory, index of origins
 *
 * Specification: doc/on-disk.md, "The upper".  Any thread; index_lock is a leaf.
 */

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum upper_ownership { UPPER_PLAIN, UPPER_OVERRIDE };

enum upper_flags {
	UPPER_VOLATILE = 1 << 0, /* sync nothing, and leave the mark of that */
	UPPER_PEEK = 1 << 1, /* no lock, nothing made or emptied: work/ and orphans/ stay closed */
	UPPER_NAMES = 1 << 3, /* a new upper gets whiteouts that are names */
	UPPER_GIVEN_TREE = 1 << 2, /* the tree stands at a place that somebody else chose */
};

#define LIMIT_SUPER_BYTES 4096

struct upper_super {
	char lower[256]; /* "image:sha256:…" */
	enum upper_ownership ownership;
	bool names; /* whiteouts are files .wh.NAME, not devices */
	bool moved; /* lower directories were renamed in it, once at least */
};

struct origin_map; /* index/ in memory */

struct upper {
	int state_fd;
	int lock_fd; /* holds the lock as long as it is open */
	int tree_fd; /* upper/ */
	int work_fd;
	int orphans_fd; /* work/orphans/ */
	int index_fd;
	enum upper_flags flags;
	struct upper_super super;
	pthread_mutex_t super_lock; /* a leaf: guards super.moved, which is also read without */
	uint64_t next_work; /* atomic; numbers the names in work/ */
	bool no_links; /* atomic; each whiteout is an inode of its own: links failed */
	struct origin_map *origins;
	bool has_name_counts; /* atomic; index/ has entries of overlay/name_counts.h */
};

/* How to open one. */
struct upper_opts {
	int state_fd; /* borrowed; upper/, work/, index/ are made in it */
	int tree_fd; /* with UPPER_GIVEN_TREE: in place of upper/; borrowed */
	const char *lower_id; /* what it has to lie over, recorded at the first mount */
	enum upper_ownership ownership; /* recorded then; an existing upper keeps its own */
	enum upper_flags flags;
};

/**
 * upper_open() - open or make the upper below a state directory
 *
 * Takes the lock, checks or writes the superblock, empties work/ and reads index/.
 *
 * Return: 0; -EBUSY if it is mounted; -ENOENT if there is none to peek at; -ESTALE if it belongs
 * to another lower; -EPROTONOSUPPORT for features or dialects that this version does not write;
 * -EOPNOTSUPP where the filesystem has no user xattrs or no whiteouts; -EUCLEAN if it was volatile when the machine went down.
 */
int upper_open(struct upper **ret, const struct upper_opts *opts, struct err *err);
void upper_close(struct upper *up);

/** upper_super_parse() - a superblock's text.  Pure.  -EBADMSG or -EPROTONOSUPPORT with a text */
int upper_super_parse(const char *text, size_t len, struct upper_super *ret, bool *ret_read_only,
	struct err *err);

/** upper_note_moved() - before the first rename of a lower directory is recorded */
int upper_note_moved(struct upper *up);
static inline bool upper_has_moved(const struct upper *up)
{
	return __atomic_load_n(&up->super.moved, __ATOMIC_ACQUIRE);
}

#define UPPER_WORK_NAME_BYTES 24

/** upper_work_name() - a name in work/ that nobody uses */
void upper_work_name(struct upper *up, char name[UPPER_WORK_NAME_BYTES]);

/**
 * upper_mark_opaque() - nothing of the lower shows in a directory; 0 or a negative errno
 * Root of the machine marks it for kernel overlayfs without userxattr, too.
 */
int upper_mark_opaque(int fd);

/** upper_make_whiteout() - a 0/0 character device; -EEXIST */
int upper_make_whiteout(int dirfd, const char *name);

#define UPPER_ORIGIN_BYTES 17 /* 16 hex digits and a NUL */

/** upper_origin_name() - the name of an origin in index/ and the text of its xattr */
void upper_origin_name(uint64_t origin, char name[UPPER_ORIGIN_BYTES]);
/** upper_origin_parse() - 16 lower-case hex digits; false for anything else */
bool upper_origin_parse(const char *text, size_t len, uint64_t *ret);

/* ---- index/ ---- */

/** upper_index_has() - is there a copy of this origin?  @ret_ino may be NULL */
bool upper_index_has(struct upper *up, uint64_t origin, uint64_t *ret_ino);
/** upper_index_of_ino() - the origin of an upper inode that index/ names */
bool upper_index_of_ino(struct upper *up, uint64_t ino, uint64_t *ret_origin);
/** upper_index_add() - index/<origin> becomes a link to @name of @dirfd, whose inode is @ino */
int upper_index_add(struct upper *up, uint64_t origin, int dirfd, const char *name, uint64_t ino);
/** upper_index_del() - its last name is gone */
int upper_index_del(struct upper *up, uint64_t origin);
/** upper_index_each() - call @fn for each entry; for the check at mount */
void upper_index_each(
	struct upper *up, void (*fn)(void *ctx, uint64_t origin, uint64_t ino), void *ctx);
