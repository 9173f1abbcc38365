/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where an image is written to: the other end of an origin
 *
 * Order: blobs, in any order and by several threads unless the target is serial; then manifests, a
 * document before the one that names it; then target_finish(), without which nothing counts.
 */

#include "image/origin.h"

struct target;
struct target_line;

struct target_ops {
	/* 1 if the blob is there already, 0 if it must be put.  May make it be there. */
	int (*has)(struct target *t, struct target_line *l, const struct descriptor *d,
		struct err *err);
	/* Store a blob.  @s is borrowed, checked against @d, and not read before this call. */
	int (*put)(struct target *t, struct target_line *l, const struct descriptor *d,
		struct source *s, struct err *err);
	/* Store a manifest; @is_top: it is what the place's reference shall name. */
	int (*put_manifest)(struct target *t, struct target_line *l, const struct document *doc,
		bool is_top, struct err *err);
	/* Everything of all images was put. */
	int (*finish)(struct target *t, struct err *err);
	int (*line_new)(struct target *t, struct target_line **ret, struct err *err);
	void (*line_free)(struct target_line *l);
	void (*close)(struct target *t); /* without finish(): undo what can be undone */
};

struct target {
	const struct target_ops *ops;
	bool is_serial; /* blobs one after the other */
	bool takes_no_index; /* one platform only */
	char *name; /* names for the next top manifest: "localhost/x:1", or a bare tag; or NULL */
};

/** target_close() - NULL is accepted */
static inline void target_close(struct target *t)
{
	if (t)
		t->ops->close(t);
}

/** target_name() - what the next top manifest is called; 0 or -ENOMEM */
int target_name(struct target *t, const char *name);

/* For targets that are files: they need no connection. */
int target_no_line_new(struct target *t, struct target_line **ret, struct err *err);
void target_no_line_free(struct target_line *l);
