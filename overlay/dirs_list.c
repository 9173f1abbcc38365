/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merged listings of the lower of directories
 *
 *      layer 0   a   b/  .wh.c ┐
 *      layer 1       b/  c   d ├─ sort by (offset, name, layer) ─▶ a  b/ (more)  d
 *      layer 2       b   e     ┘                                    e
 *
 * One pass of getdents64(2) over each directory; an entry is looked at only if its type says that
 * it may be a whiteout.  Offsets are hashes of names, so they do not depend on what else is there;
 * should two collide, the later one takes the next number.
 */
#include "overlay/dirs_internal.h"

#include "base/at.h"
#include "base/str.h"
#include "overlay/whiteout.h"

#include <dirent.h>
#include <sys/stat.h>

#define LIMIT_NAMES_BYTES UINT32_MAX

struct making {
	struct lower_dirs *d;
	struct dirs_entry *v;
	size_t n, room;
	uint32_t n_dirs;
	struct buf names;
};

void dirs_listing_free(struct dirs_listing *list)
{
	if (!list)
		return;
	free(list->v);
	free(list->names);
	free(list);
}

static int add(struct making *m, const char *name, size_t len, uint32_t elem, uint8_t type,
	enum dirs_entry_flags flags)
{
	if (m->n == m->room) {
		size_t room = m->room ? m->room * 2 : 64;
		struct dirs_entry *v = reallocarray(m->v, room, sizeof(*v));

		if (!v)
			return -ENOMEM;
		m->v = v;
		m->room = room;
	}
	if (m->names.len + len + 1 > LIMIT_NAMES_BYTES)
		return -EFBIG;
	m->v[m->n++] = (struct dirs_entry){ .off = dirs_off(m->d, name, len),
		.name_at = (uint32_t)m->names.len,
		.elem = (uint16_t)elem,
		.len = (uint8_t)len,
		.type = type,
		.flags = (uint8_t)flags };
	if (buf_add(&m->names, name, len) < 0 || buf_add(&m->names, "", 1) < 0)
		return -ENOMEM;
	return 0;
}

/* May the entry be something else than its type says? */
static bool has_to_be_looked_at(uint8_t type, enum dirs_marks marks)
{
	return type == DT_UNKNOWN || type == DT_CHR ||
	       (type == DT_REG && (marks & DIRS_X_WHITEOUTS));
}

/* An element of the directory, while it is read. */
struct reading {
	struct making *m;
	const struct dirs_elem *elem;
	uint32_t i;
};

static int add_entry(void *ctx, int dirfd, const struct dirent *de)
{
	const struct reading *rd = ctx;
	enum dirs_entry_flags flags = 0;
	size_t len = strlen(de->d_name);
	uint8_t type = de->d_type;
	const char *target;
	struct dirs_found f;
	bool whiteout;
	int r = wh_from_tar_name(de->d_name, len, &target);

	if (r == WH_DELETED)
		return add(rd->m, target, len - (size_t)(target - de->d_name), rd->i, DT_CHR,
			DIRS_ENTRY_WHITEOUT);
	if (r != WH_NONE)
		return 0;
	if (has_to_be_looked_at(type, rd->elem->marks)) {
		r = dirs_stat(rd->m->d, rd->elem->layer, dirfd, de->d_name, rd->elem->marks, &f,
			&whiteout);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		type = IFTODT(f.attr.mode);
		flags = whiteout ? DIRS_ENTRY_WHITEOUT : 0;
	}
	return add(rd->m, de->d_name, len, rd->i, type, flags);
}

static int read_elem(struct making *m, const struct dirs_elem *elem, uint32_t i, int dirfd)
{
	struct reading rd = { m, elem, i };

	return at_list_take_fd(at_open_again(dirfd), add_entry, &rd);
}

static int compare_names(const char *names, const struct dirs_entry *a, const struct dirs_entry *b)
{
	int c = memcmp(names + a->name_at, names + b->name_at, a->len < b->len ? a->len : b->len);

	return c ? c : (a->len > b->len) - (a->len < b->len);
}

/* Within a layer, what stands at the name comes before a .wh. file of that name. */
static int compare_entries(const void *pa, const void *pb, void *names)
{
	const struct dirs_entry *a = pa, *b = pb;
	int c;

	if (a->off != b->off)
		return a->off < b->off ? -1 : 1;
	c = compare_names(names, a, b);
	if (c)
		return c;
	if (a->elem != b->elem)
		return a->elem < b->elem ? -1 : 1;
	return (a->flags & DIRS_ENTRY_WHITEOUT) - (b->flags & DIRS_ENTRY_WHITEOUT);
}

/* Entries of one name, from the top: the first counts; directories below it go on. */
static void merge_name(struct making *m, size_t from, size_t to, size_t *n)
{
	struct dirs_entry e = m->v[from];

	if (e.flags & DIRS_ENTRY_WHITEOUT)
		return;
	if (e.type == DT_DIR && to - from > 1 && m->v[from + 1].type == DT_DIR)
		e.flags |= DIRS_ENTRY_MORE;
	if (*n > 0 && e.off <= m->v[*n - 1].off)
		e.off = m->v[*n - 1].off + 1;
	m->n_dirs += e.type == DT_DIR;
	m->v[(*n)++] = e;
}

static void merge(struct making *m)
{
	size_t n = 0, from = 0;

	if (m->n > 0)
		qsort_r(m->v, m->n, sizeof(*m->v), compare_entries, m->names.data);
	while (from < m->n) {
		size_t to = from + 1;

		while (to < m->n && m->v[to].off == m->v[from].off &&
			compare_names(m->names.data, &m->v[to], &m->v[from]) == 0)
			to++;
		merge_name(m, from, to, &n);
		from = to;
	}
	m->n = n;
}

static int read_listing(struct lower_dirs *d, uint32_t handle, const struct dirs_dir *dir,
	struct dirs_listing **ret)
{
	struct dirs_listing *list = calloc(1, sizeof(*list));
	struct making m = { .d = d };
	int r = list ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < dir->n; i++) {
		struct fd_ref ref;

		r = dirs_open_elem(d, handle, i, &ref);
		if (r < 0)
			break;
		r = read_elem(&m, &dir->v[i], i, ref.fd);
		fdc_release(d->fds, &ref);
	}
	if (r < 0) {
		free(m.v);
		buf_done(&m.names);
		free(list);
		return r;
	}
	merge(&m);
	list->v = m.v;
	list->n = m.n;
	list->n_dirs = m.n_dirs;
	list->names = ptr_take(&m.names.data);
	*ret = list;
	return 0;
}

static int list(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir,
	const struct dirs_listing *have, const struct dirs_listing **ret)
{
	pthread_mutex_t *stripe = &d->stripes[handle % DIRS_STRIPES];
	struct dirs_listing *fresh;
	int r = 0;

	pthread_mutex_lock(stripe);
	/* Another thread may have read it while we waited. */
	if (dir->list == have) {
		r = read_listing(d, handle, dir, &fresh);
		if (r == 0) {
			r = dirs_publish_listing(d, handle, fresh);
			if (r < 0)
				dirs_listing_free(fresh);
		}
	}
	if (r == 0)
		*ret = dir->list;
	pthread_mutex_unlock(stripe);
	return r;
}

int dirs_list(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir,
	const struct dirs_listing **ret)
{
	__atomic_store_n(
		&dir->used, __atomic_add_fetch(&d->tick, 1, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	*ret = __atomic_load_n(&dir->list, __ATOMIC_ACQUIRE);
	return *ret ? 0 : list(d, handle, dir, NULL, ret);
}

int dirs_list_again(struct lower_dirs *d, uint32_t handle, struct dirs_dir *dir,
	const struct dirs_listing **ret)
{
	return list(d, handle, dir, __atomic_load_n(&dir->list, __ATOMIC_ACQUIRE), ret);
}

const struct dirs_entry *dirs_listing_find(const struct dirs_listing *list, uint64_t off)
{
	size_t lo = 0, hi = list->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->v[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < list->n ? &list->v[lo] : NULL;
}
