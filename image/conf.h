/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * lamina.conf: where stores are
 *
 *      # comment
 *      root = $HOME/images
 *      additional-store = /cluster/images
 *
 * $LAMINA_CONF alone if it is set; else /etc/lamina/lamina.conf, then lamina/lamina.conf below
 * $XDG_CONFIG_HOME or ~/.config, whose words win.  Manual: lamina.conf(5).
 */

#include "base/err.h"
#include "base/str.h"

#define LIMIT_CONF_BYTES      65536
#define LIMIT_CONF_VALUE      4096
#define LIMIT_CONF_ADDITIONAL 16

struct conf {
	char *root; /* NULL: not said */
	struct strv additional_stores;
};

/**
 * conf_parse() - add what a file says; later words win, additional stores add up
 * @what:   names the file in errors
 * @lookup: the value of a variable, or NULL; @ctx is passed on
 *
 * "$NAME" and "${NAME}" in values are replaced.  Paths are absolute.
 * Pure but for @lookup.  Return: 0; -EINVAL with the line; -E2BIG; -ENOMEM.
 */
int conf_parse(struct conf *c, const char *text, size_t len, const char *what,
	const char *(*lookup)(void *ctx, const char *name), void *ctx, struct err *err);

/** conf_load() - from the files; a missing file says nothing; 0 with @ret filled (conf_done() it) */
int conf_load(struct conf *ret, struct err *err);
void conf_done(struct conf *c);
