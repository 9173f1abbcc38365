/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Changes to an image's config, spelled as instructions: "CMD [\"sh\"]", "ENV A=b", "USER app"
 *
 * What `commit` and `import` take with --change.  Between instruction and value stands a blank or
 * '='; known are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
 * Pure: no I/O, any thread.
 */

#include "base/err.h"
#include "base/json.h"

#define LIMIT_CHANGE_BYTES 65536

/**
 * config_change() - apply one instruction
 * @config: the "config" member of an image's config, an object; changed
 *
 * CMD and ENTRYPOINT take a JSON list, or words for a shell.  ENV and LABEL take one or more
 * NAME=VALUE, values in double quotes where they hold blanks, or NAME VALUE; EXPOSE and VOLUME one
 * or more words; VOLUME a JSON list, too.
 * Return: 0; -EINVAL with a text that names the instruction; -ENOMEM.
 */
int config_change(json_t *config, const char *text, struct err *err);
