/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Keys that end the look at a container and leave it running: "ctrl-p,ctrl-q".  Pure. */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define LIMIT_DETACH_KEYS 16
#define DETACH_DEFAULT	  "ctrl-p,ctrl-q"

struct detach {
	char keys[LIMIT_DETACH_KEYS];
	size_t n; /* 0: none */
	size_t seen; /* of them, at the end of the input so far */
};

/**
 * detach_parse() - what --detach-keys takes: single characters or "ctrl-X", separated by commas
 * X is a letter or one of @ [ \ ] ^ _; "" is none.
 */
int detach_parse(const char *text, struct detach *ret, struct err *err);

/**
 * detach_feed() - look for the keys in the next @len bytes
 * @ret: room for @len + LIMIT_DETACH_KEYS bytes: what goes to the container; keys that may be the
 *       beginning are held back until it is clear that they are not
 * Return: true if all keys were there; what followed them is dropped.
 */
bool detach_feed(struct detach *d, const char *data, size_t len, char *ret, size_t *ret_len);
