/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keeping and forgetting credentials: `login`, `logout`
 *
 * The file is --authfile, $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json, else
 * $XDG_CONFIG_HOME/containers/auth.json; where its credHelpers names a program for the registry,
 * that program keeps them.  The file is replaced in one step, mode 0600; what else it holds stays.
 */

#include "image/auth.h"

/** auth_store() - @key: HOST or HOST/NAMESPACE… */
int auth_store(const char *file, const char *key, const struct cred *cred, struct err *err);

/** auth_erase() - @key NULL: all; Return: how many were forgotten; a negative errno */
int auth_erase(const char *file, const char *key, struct err *err);
