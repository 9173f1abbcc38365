/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Entries of merged directories: which inode a name leads to
 *
 *      upper directory's names (loaded once, kept by node)   whiteout ▶ nothing
 *                    │ no entry                              else ▶ upper inode ▶ node
 *                    ▼
 *      lower directory                                       lower inode ▶ row, or its copy
 *
 * Locking: functions take the locks of the nodes they look at, one at a time; the caller holds
 * none, unless the function says that it wants the directory's.
 */

#include "overlay/meta.h"
#include "overlay/state.h"

/* An inode that an entry leads to; child_done() it. */
struct child {
	uint64_t id;
	uint64_t handle; /* NODE_NO_HANDLE: born in the upper */
	struct node *node; /* a reference; NULL: an untouched inode of the lower */
	struct lower_attr attr; /* of an untouched inode */
	struct umeta um; /* of an inode that was found in the upper by this name */
	bool by_upper; /* um is valid */
	bool alone; /* a directory in which nothing of the lower shows: NODE_ALONE */
};

/** child_find() - look a name up; -ENOENT */
int child_find(struct ovl_fs *fs, uint64_t dir, const char *name, size_t len, struct child *ret);

/** child_of_lower() - the inode behind an entry of the lower that the upper does not hide */
int child_of_lower(
	struct ovl_fs *fs, uint64_t dir_handle, const struct lower_entry *le, struct child *ret);

/** child_of_upper() - the inode behind a name that the upper directory has */
int child_of_upper(
	struct ovl_fs *fs, struct node *dir, const char *name, uint8_t type, struct child *ret);

void child_done(struct ovl_fs *fs, struct child *c);

/** child_stat() - attributes for clients */
int child_stat(struct ovl_fs *fs, struct child *c, struct stat *ret);

/* What stands at a name of an upper directory. */
struct dir_slot {
	struct dname *upper; /* NULL: the upper has nothing there */
	struct lower_entry lower;
	bool has_lower; /* the lower has the name, whether hidden or not */
	uint64_t home;
};

/*
 * Where the upper's note on an entry of the lower wants to stand.  In a lower that changes, what is
 * there now may be gone at the next look, so such notes stand where all others do.
 */
static inline uint64_t child_home(const struct ovl_fs *fs, const struct lower_entry *le)
{
	return fs->lower->flags & LOWER_CHANGES ? dn_home(le->name, le->len)
						: DN_HOME_LOWER(le->off);
}

/** child_slot() - the directory's lock is held and its names are loaded */
int child_slot(
	struct ovl_fs *fs, struct node *dir, const char *name, size_t len, struct dir_slot *ret);

/** child_slot_set() - record that the upper now has something else at the name; lock held */
int child_slot_set(struct node *dir, const struct dir_slot *slot, const char *name, uint8_t type,
	enum dname_flags flags);
/** child_slot_clear() - the upper has nothing at the name any more; lock held */
void child_slot_clear(struct node *dir, const char *name, const struct dir_slot *slot);

/** child_load_names() - read the upper directory, once; lock held */
int child_load_names(struct ovl_fs *fs, struct node *dir);

/** node_names_left() - names of an upper file that clients see; @st is the upper inode's; lock held
 */
nlink_t node_names_left(const struct node *n, const struct stat *st);

/** node_stat() - attributes for clients of a node that has a struct; takes its lock */
int node_stat(struct ovl_fs *fs, struct node *n, struct stat *ret);
/** node_stat_locked() - the same; lock held */
int node_stat_locked(struct ovl_fs *fs, struct node *n, struct stat *ret);

/**
 * node_of_lower_file() - a struct for an inode of the lower that is no directory
 * It gets the count of its visible names, and its copy if index/ has one.
 */
int node_of_lower_file(
	struct ovl_fs *fs, uint64_t handle, const struct lower_attr *a, struct node **ret);
