/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where an image is read from: a registry, a layout, an archive, or the store
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
	/* The bytes of a blob from @from on (0 unless the origin is remote), not checked yet. */
	int (*blob)(struct origin *o, struct origin_line *l, const struct descriptor *d,
		uint64_t from, struct source **ret, struct err *err);
	int (*line_new)(struct origin *o, struct origin_line **ret, struct err *err);
	void (*line_free)(struct origin_line *l);
	void (*close)(struct origin *o);
};

struct origin {
	const struct origin_ops *ops;
	bool is_local; /* files of this machine */
	/* Of an origin whose top document is made up around plain layers: what the image had, to be
	 * stored in its place; data NULL: none.  Owned. */
	struct document original;
	char *name; /* what the image is called unless the person says otherwise; owned */
};

void document_done(struct document *d);

/**
 * document_read_take() - a manifest from its bytes, checked against @d
 * @raw: consumed, also on failure
 */
int document_read_take(
	struct source *raw, const struct descriptor *d, struct document *ret, struct err *err);

/** document_of_take() - a document of bytes that need no check; @data is consumed, also on failure */
int document_of_take(char *data, size_t len, struct document *ret, struct err *err);

/**
 * document_type() - the media type of a document: its own, else the declared one, else OCI's
 * Return: owned by the caller; NULL if out of memory.
 */
char *document_type(const struct document *d);

/* For origins that are files: they need no connection. */
int origin_no_line_new(struct origin *o, struct origin_line **ret, struct err *err);
void origin_no_line_free(struct origin_line *l);

static inline void cleanup_document(struct document *d)
{
	document_done(d);
}
#define auto_document __attribute__((cleanup(cleanup_document))) struct document
