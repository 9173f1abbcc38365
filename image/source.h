/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A stream of bytes that is pulled: socket, blob file, digest check and decoder chain up as
 * sources, each lending its reader a piece of its own buffer, so nothing is copied between the
 * stages
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct source {
	/*
	 * Lend the next piece.  Return 1 with a non-empty piece that is valid until the next call;
	 * 0 at the end; a negative errno (then every later call says the same).
	 */
	int (*next)(struct source *s, const uint8_t **ret_data, size_t *ret_len, struct err *err);
	/* Free the source and the sources that it owns.  Never fails. */
	void (*close)(struct source *s);
	/* So many pieces, the newest included, stay valid; 0 is 1.  Constant from the first one on. */
	unsigned int n_kept;
};

static inline int source_next(struct source *s, const uint8_t **d, size_t *n, struct err *err)
{
	return s->next(s, d, n, err);
}

static inline void source_close(struct source *s)
{
	if (s)
		s->close(s);
}

static inline void cleanup_source(struct source **s)
{
	source_close(*s);
}
#define auto_source __attribute__((cleanup(cleanup_source))) struct source *
