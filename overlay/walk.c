/* SPDX-License-Identifier: Apache-2.0 */
/* Walking over the directories of the upper. */
#include "overlay/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int walk_add(struct walk *w, struct node *n)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 64;
		struct node **v = reallocarray(w->v, room, sizeof(struct node *));

		if (!v)
			return -ENOMEM;
		w->v = v;
		w->room = room;
	}
	w->v[w->n++] = n;
	return 0;
}

struct node *walk_take(struct walk *w)
{
	if (w->n > 0)
		return w->v[--w->n];
	free(w->v);
	*w = (struct walk){ 0 };
	return NULL;
}

int walk_next_dir(struct ovl_fs *fs, struct node *dir, uint64_t *off, char name[NAME_MAX + 1])
{
	const struct dname *e = NULL;
	int r;

	pthread_mutex_lock(&dir->lock);
	r = dir->flags & NODE_GONE ? -ENOENT : child_load_names(fs, dir);
	if (r == 0)
		do
			e = dn_next(&dir->names, e ? e->off + 1 : *off + 1);
		while (e && (e->type != DT_DIR || (e->flags & DN_WHITEOUT)));
	if (e) {
		*off = e->off;
		memcpy(name, e->name, (size_t)e->len + 1);
		r = 1;
	}
	pthread_mutex_unlock(&dir->lock);
	return r;
}
