/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where an image is pulled from: a registry or an OCI layout directory
 *
 * An origin is shared by the threads of a pull; each thread talks to it through a line of its own,
 * which keeps a connection alive.
 */

#include "base/err.h"
#include "image/manifest.h"
#include "image/source.h"

struct origin;
struct origin_line;

/* A manifest or index as it came. */
struct document {
	char *data; /* owned */
	size_t len;
	char *media_type; /* owned; as declared by whoever sent it, or NULL */
	struct idx_digest digest; /* of @data, checked if one was asked for */
};

struct origin_ops {
	/* The document that the origin's reference names. */
	int (*top)(struct origin *o, struct origin_line *l, struct document *ret, struct err *err);
	/* The manifest or index of a descriptor, checked. */
	int (*manifest)(struct origin *o, struct origin_line *l, const struct descriptor *d,
		struct document *ret, struct err *err);
	/* The bytes of a blob from its start, not checked yet. */
	int (*blob)(struct origin *o, struct origin_line *l, const struct descriptor *d,
		struct source **ret, struct err *err);
	int (*line_new)(struct origin *o, struct origin_line **ret, struct err *err);
	void (*line_free)(struct origin_line *l);
	void (*close)(struct origin *o);
};

struct origin {
	const struct origin_ops *ops;
	char *name; /* what the image is called unless the person says otherwise; owned */
};

void document_done(struct document *d);

static inline void cleanup_document(struct document *d)
{
	document_done(d);
}
#define auto_document __attribute__((cleanup(cleanup_document))) struct document
