/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a merged directory is made of
 *
 *      layer 0   a/b          has a redirect "/x": from here on look for x, from the layers' roots
 *      layer 1   x            opaque? then nothing of the layers below shows
 *      layer 2   x
 *
 * A walk goes down the layers below a place and finds what the upper part continues, as the kernel
 * does: each layer is looked at by itself, component by component; a whiteout, a file, or an opaque
 * directory on the way ends the walk.
 *
 * Directories are opened beneath the descriptors that the layers were opened with, and never across
 * a mount: the one that we serve may stand inside of a layer.
 *
 * Spec: kernel Documentation/filesystems/overlayfs.rst
 */
#include "overlay/dirs_internal.h"

#include "base/at.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

/* ---- opening directories ---- */

static int open_dir(int dirfd, const char *path)
{
	int fd = at_open_here(dirfd, path, DIR_FLAGS);

	/* What may only be searched can at least be looked into by name. */
	return fd == -EACCES ? at_open_here(dirfd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW) : fd;
}

/* The directory of this layer among those that @dir is made of. */
static int find_layer(const struct dirs_dir *dir, uint16_t layer, uint32_t *ret)
{
	uint32_t lo = 0, hi = dir->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (dir->v[mid].layer < layer)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == dir->n || dir->v[lo].layer != layer)
		return -ESTALE;
	*ret = lo;
	return 0;
}

/* A way down: records from the directory upwards that have to be opened. */
struct way {
	uint32_t *v;
	size_t n, room;
};

static int way_add(struct way *w, uint32_t handle)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 16;
		uint32_t *v = reallocarray(w->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		w->v = v;
		w->room = room;
	}
	w->v[w->n++] = handle;
	return 0;
}

/* Climb to a directory that is open, or a root; @ret is where the way down begins. */
static int climb(
	struct lower_dirs *d, uint32_t handle, uint16_t layer, struct way *way, struct fd_ref *ret)
{
	for (;;) {
		const struct dirs_rec *rec = dirs_rec(d, handle);
		struct dirs_elem *e;
		uint32_t i;
		int r;

		if (handle == 0) {
			*ret = (struct fd_ref){ d->layers[layer].fd, NULL };
			return 0;
		}
		r = find_layer(rec->dir, layer, &i);
		if (r < 0)
			return r;
		e = &rec->dir->v[i];
		if (fdc_get_at(d->fds, &e->slot, ret))
			return 0;
		r = way_add(way, handle);
		if (r < 0)
			return r;
		if (e->kind == DIRS_PATH) {
			*ret = (struct fd_ref){ d->layers[layer].fd, NULL };
			return 0;
		}
		handle = rec->names->dir;
	}
}

static int descend(struct lower_dirs *d, uint16_t layer, const struct way *way, struct fd_ref *at)
{
	for (size_t k = way->n; k-- > 0;) {
		const struct dirs_rec *rec = dirs_rec(d, way->v[k]);
		struct dirs_elem *e;
		uint32_t i;
		int fd, r = find_layer(rec->dir, layer, &i);

		if (r < 0)
			return r;
		e = &rec->dir->v[i];
		fd = open_dir(at->fd, e->text ? e->text : rec->names->name);
		fdc_release(d->fds, at);
		if (fd < 0)
			return fd;
		r = fdc_put_take_fd_at(d->fds, &e->slot, fd, at);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The directory of a layer that a merged directory is made of. */
static int open_in_layer(struct lower_dirs *d, uint32_t handle, uint16_t layer, struct fd_ref *ret)
{
	struct way way = { 0 };
	struct fd_ref at = { -1, NULL };
	int r = climb(d, handle, layer, &way, &at);

	if (r == 0)
		r = descend(d, layer, &way, &at);
	free(way.v);
	if (r < 0)
		fdc_release(d->fds, &at);
	else
		*ret = at;
	return r;
}

int dirs_open_elem(struct lower_dirs *d, uint32_t handle, uint32_t i, struct fd_ref *ret)
{
	return open_in_layer(d, handle, dirs_rec(d, handle)->dir->v[i].layer, ret);
}

int dirs_open_home(struct lower_dirs *d, const struct dirs_rec *rec, const struct dirs_name *name,
	struct fd_ref *ret)
{
	return open_in_layer(d, name->dir, rec->layer, ret);
}

/* ---- walks down the layers ---- */

struct descent {
	struct lower_dirs *d;
	uint32_t parent; /* the merged directory that names are looked up in */
	uint16_t layer; /* that was looked at last */
	char *name; /* while names are looked up, else NULL */
	char *path; /* while paths from the layers' roots are; else NULL */
	bool stop;
	/* what was found */
	struct fd_ref dir;
	int own_fd; /* @dir.fd, if it is to be closed; else -1 */
	const char *last; /* the name in @dir */
	struct dirs_found found;
};

static void descent_let_go(struct descent *w)
{
	if (w->own_fd >= 0)
		(void)close(fd_take(&w->own_fd));
	fdc_release(w->d->fds, &w->dir);
}

static void descent_done(struct descent *w)
{
	descent_let_go(w);
	free(w->name);
	free(w->path);
}

static int descent_begin(struct descent *w, struct lower_dirs *d, const struct dirs_rec *rec)
{
	*w = (struct descent){ .d = d,
		.parent = rec->names->dir,
		.layer = rec->layer,
		.dir = { -1, NULL },
		.own_fd = -1,
		.name = strdup(rec->names->name) };
	return w->name ? 0 : -ENOMEM;
}

/* From now on look for what a redirect says: a path from the root, or a name beside this one. */
static int descent_redirect(struct descent *w, const char *text)
{
	char *slash, *copy;

	if (!*text)
		return 0;
	if (*text == '/') {
		copy = strdup(text + 1);
		free(w->name);
		free(w->path);
		w->name = NULL;
		w->path = copy;
		return copy ? 0 : -ENOMEM;
	}
	if (strchr(text, '/') || str_eq(text, ".") || str_eq(text, "..")) {
		w->stop = true;
		return 0;
	}
	if (w->name) {
		copy = strdup(text);
		free(w->name);
		w->name = copy;
	} else {
		slash = strrchr(w->path, '/');
		copy = str_format("%.*s%s", (int)(slash ? slash + 1 - w->path : 0), w->path, text);
		free(w->path);
		w->path = copy;
	}
	return copy ? 0 : -ENOMEM;
}

/* Look for a name in a directory of a layer: 1 found; 0 not there; -ESTALE: the walk ends. */
static int look_at(struct descent *w, int dirfd, const char *name, struct dirs_found *ret)
{
	bool whiteout;
	int r = dirs_stat(w->d, w->layer, dirfd, name, 0, ret, &whiteout);

	if (r == 0)
		return whiteout ? -ESTALE : 1;
	if (r != -ENOENT)
		return r == -ENOTDIR ? -ESTALE : r;
	r = dirs_is_hidden(dirfd, name, strlen(name));
	return r > 0 ? -ESTALE : r;
}

/* Follow the path in one layer up to the directory of its last component. */
static int follow_path(struct descent *w)
{
	auto_fd here = -1;
	int at = w->d->layers[w->layer].fd;
	char *rest = w->path, *slash;

	while ((slash = strchr(rest, '/'))) {
		struct dirs_found f;
		struct dirs_says marks;
		int next, r;

		*slash = '\0';
		if (str_eq(rest, "..") || str_eq(rest, ".")) {
			*slash = '/';
			return -ESTALE;
		}
		r = *rest ? look_at(w, at, rest, &f) : 1;
		if (r > 0 && *rest && !S_ISDIR(f.attr.mode))
			r = -ESTALE;
		next = r > 0 && *rest ? open_dir(at, rest) : -1;
		*slash = '/';
		if (r <= 0)
			return r;
		if (slash == rest) {
			rest++;
			continue;
		}
		rest = slash + 1;
		if (next < 0)
			return next;
		dirs_read_says(next, &marks);
		if (marks.dir & DIRS_OPAQUE)
			w->stop = true; /* behind this layer */
		if (here >= 0)
			(void)close(here);
		at = here = next;
	}
	w->own_fd = fd_take(&here);
	w->dir = (struct fd_ref){ at, NULL };
	w->last = rest;
	return *rest && !str_eq(rest, ".") && !str_eq(rest, "..") ? 1 : -ESTALE;
}

/* Look into the next layer: as look_at(). */
static int look_into_layer(struct descent *w)
{
	const struct dirs_dir *up = dirs_rec(w->d, w->parent)->dir;
	uint32_t i;
	int r;

	if (w->path) {
		r = follow_path(w);
	} else {
		if (find_layer(up, w->layer, &i) < 0)
			return 0;
		r = dirs_open_elem(w->d, w->parent, i, &w->dir);
		w->last = w->name;
		r = r < 0 ? r : 1;
	}
	return r > 0 ? look_at(w, w->dir.fd, w->last, &w->found) : r;
}

/* What the next layer has that has it: 1, and @found; 0 if there is no more. */
static int descent_next(struct descent *w)
{
	while (!w->stop && (size_t)w->layer + 1 < w->d->n_layers) {
		int r;

		descent_let_go(w);
		w->layer++;
		r = look_into_layer(w);
		if (r == -ESTALE)
			return 0;
		if (r != 0)
			return r;
	}
	return 0;
}

/* ---- what a directory is made of ---- */

static int add_elem(struct dirs_dir *dir, uint32_t *room, const struct dirs_elem *e)
{
	if (dir->n == *room) {
		uint32_t more = *room ? *room * 4 : 1;
		struct dirs_elem *v = reallocarray(dir->v, more, sizeof(*v));

		if (!v)
			return -ENOMEM;
		dir->v = v;
		*room = more;
	}
	dir->v[dir->n++] = *e;
	return 0;
}

/* The part of the layer that the walk stands at. */
static int add_found(
	struct descent *w, struct dirs_dir *dir, uint32_t *room, const struct dirs_rec *rec)
{
	struct dirs_elem e = { .layer = w->layer };
	struct dirs_says marks;
	int r;

	auto_fd fd = open_dir(w->dir.fd, w->last);
	if (fd < 0)
		return fd == -EXDEV ? 0 : fd;
	dirs_read_says(fd, &marks);
	dirs_read_opaque_file(fd, &marks);
	e.marks = (uint8_t)marks.dir;
	if (w->path) {
		e.kind = DIRS_PATH;
		e.text = strdup(w->path);
	} else if (!str_eq(w->name, rec->names->name)) {
		e.kind = DIRS_NAME;
		e.text = strdup(w->name);
	}
	r = e.kind != DIRS_SAME && !e.text ? -ENOMEM : add_elem(dir, room, &e);
	if (r < 0) {
		free(e.text);
		return r;
	}
	if (marks.dir & DIRS_OPAQUE)
		w->stop = true;
	return descent_redirect(w, marks.redirect);
}

static int add_below(
	struct descent *w, struct dirs_dir *dir, uint32_t *room, const struct dirs_rec *rec)
{
	int r;

	while ((r = descent_next(w)) > 0) {
		if (!S_ISDIR(w->found.attr.mode))
			return 0;
		r = add_found(w, dir, room, rec);
		if (r < 0)
			break;
	}
	return r;
}

static int make_dir(
	struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir, struct fd_ref *ret_top)
{
	const struct dirs_rec *rec = dirs_rec(d, handle);
	struct dirs_elem top = { .layer = rec->layer };
	bool last = (size_t)rec->layer + 1 == d->n_layers;
	struct fd_ref home;
	struct dirs_says marks;
	uint32_t room = 0;
	struct descent w;
	int fd, r = dirs_open_home(d, rec, rec->names, &home);

	if (r < 0)
		return r;
	fd = open_dir(home.fd, rec->names->name);
	fdc_release(d->fds, &home);
	if (fd == -EXDEV)
		return 0; /* something is mounted there: its place shows nothing */
	if (fd < 0)
		return fd;
	*ret_top = (struct fd_ref){ fd, NULL };
	dirs_read_says(fd, &marks);
	if (!last)
		dirs_read_opaque_file(fd, &marks);
	top.marks = (uint8_t)marks.dir;
	r = add_elem(dir, &room, &top);
	if (r < 0 || last || (marks.dir & DIRS_OPAQUE) ||
		((rec->flags & DIRS_ONLY) && !marks.redirect[0]))
		return r;
	r = descent_begin(&w, d, rec);
	if (r == 0)
		r = descent_redirect(&w, marks.redirect);
	if (r == 0)
		r = add_below(&w, dir, &room, rec);
	descent_done(&w);
	return r;
}

static void free_unpublished(struct dirs_dir *dir)
{
	for (uint32_t i = 0; i < dir->n; i++)
		free(dir->v[i].text);
	free(dir->v);
	free(dir);
}

static int look_into(struct lower_dirs *d, uint32_t handle, struct dirs_dir **ret)
{
	struct dirs_dir *dir = calloc(1, sizeof(*dir));
	struct fd_ref top = { -1, NULL };
	int r = dir ? make_dir(d, handle, dir, &top) : -ENOMEM;

	if (r < 0) {
		if (top.fd >= 0)
			(void)close(top.fd);
		if (dir)
			free_unpublished(dir);
		return r;
	}
	__atomic_store_n(&dirs_rec(d, handle)->dir, dir, __ATOMIC_RELEASE);
	if (top.fd >= 0 && fdc_put_take_fd_at(d->fds, &dir->v[0].slot, top.fd, &top) == 0)
		fdc_release(d->fds, &top);
	*ret = dir;
	return 0;
}

int dirs_look_into(struct lower_dirs *d, uint32_t handle, struct dirs_dir **ret)
{
	pthread_mutex_t *stripe = &d->stripes[handle % DIRS_STRIPES];
	struct dirs_rec *rec = dirs_rec(d, handle);
	int r = 0;

	*ret = __atomic_load_n(&rec->dir, __ATOMIC_ACQUIRE);
	if (*ret)
		return 0;
	if (!S_ISDIR(rec->attr.mode))
		return -ENOTDIR;
	pthread_mutex_lock(stripe);
	*ret = rec->dir;
	if (!*ret)
		r = look_into(d, handle, ret);
	pthread_mutex_unlock(stripe);
	return r;
}

/* ---- data ---- */

static int open_file(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
	int fd = at_open_here(dirfd, name, flags | O_NOATIME);

	return fd == -EPERM ? at_open_here(dirfd, name, flags) : fd;
}

/* The data that a metadata-only copy continues, in the layers below it. */
static int open_below(struct lower_dirs *d, const struct dirs_rec *rec, const char *redirect)
{
	struct dirs_says marks;
	struct descent w;
	int fd = -1, r = descent_begin(&w, d, rec);

	if (r == 0)
		r = descent_redirect(&w, redirect);
	while (r == 0) {
		r = descent_next(&w);
		if (r <= 0 || !S_ISREG(w.found.attr.mode)) {
			r = r < 0 ? r : -EIO;
			break;
		}
		fd = open_file(w.dir.fd, w.last);
		r = fd < 0 ? fd : 0;
		if (r < 0)
			break;
		dirs_read_says(fd, &marks);
		if (!marks.metacopy)
			break;
		(void)close(fd_take(&fd));
		r = descent_redirect(&w, marks.redirect);
	}
	descent_done(&w);
	return r < 0 ? r : fd;
}

int dirs_open_data(struct lower_dirs *d, uint32_t handle)
{
	const struct dirs_rec *rec = dirs_rec(d, handle);
	const struct dirs_name *name = __atomic_load_n(&rec->names, __ATOMIC_ACQUIRE);
	struct dirs_says marks;
	int fd = -ESTALE;

	/* In a layer that somebody changes, one of the names may be gone. */
	for (; name && fd < 0; name = name->next) {
		struct fd_ref home;
		int r = dirs_open_home(d, rec, name, &home);

		if (r < 0)
			return r;
		fd = open_file(home.fd, name->name);
		fdc_release(d->fds, &home);
		if (fd < 0 && fd != -ENOENT)
			return fd;
	}
	if (fd < 0 || (size_t)rec->layer + 1 == d->n_layers)
		return fd;
	dirs_read_says(fd, &marks);
	if (!marks.metacopy)
		return fd;
	(void)close(fd);
	return open_below(d, rec, marks.redirect);
}
