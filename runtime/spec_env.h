/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a container's process is given: its environment and its arguments.  Pure.
 *
 * An environment is a list of "NAME=VALUE" in which every name stands once; setting a name again
 * replaces the value where it stands.
 */

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#include <stddef.h>

#define LIMIT_ENV_FILE_BYTES (1 << 20) /* of an --env-file; for the caller that reads it */

/** env_get() - the value of a name, borrowed; NULL if it is not set */
const char *env_get(const struct strv *env, const char *name);

/** env_set() - set "NAME=VALUE"; 0 or -ENOMEM */
int env_set(struct strv *env, const char *pair);

/** env_unset() - take a name out, if it is there */
void env_unset(struct strv *env, const char *name);

/** env_set_default() - set a name that is not set yet; a NULL value changes nothing */
int env_set_default(struct strv *env, const char *name, const char *value);

/**
 * env_add_option() - the value of -e
 * @option: "NAME=VALUE"; "NAME" takes the caller's value, if it has one; "PREFIX*" all of them
 * @caller: environment of the caller, NULL-terminated; may be NULL
 *
 * Return: 0; -EINVAL if there is no name; -ENOMEM.
 */
int env_add_option(struct strv *env, const char *option, char *const *caller, struct err *err);

/**
 * env_add_file() - the content of an --env-file
 *
 * A line is what -e takes; white space in front of it, empty lines and lines that begin with '#'
 * are skipped, and quotes mean nothing.
 *
 * Return: 0; -EINVAL with the number of the line; -ENOMEM.
 */
int env_add_file(
	struct strv *env, const char *data, size_t len, char *const *caller, struct err *err);

/**
 * args_combine() - the arguments of the process
 * @image:      "config" member of an image's config: its Entrypoint and Cmd; may be NULL
 * @entrypoint: --entrypoint: a program, or a JSON list of strings; "" for none; NULL: the image's
 * @command:    @n_command words behind the image's name; none: the image's Cmd, which belongs to
 *              its Entrypoint and goes with it
 *
 * Return: 0; -EINVAL if nothing is left to run; -ENOMEM.
 */
int args_combine(const json_t *image, const char *entrypoint, char *const *command,
	size_t n_command, struct strv *ret, struct err *err);
