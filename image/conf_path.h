/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Where the configuration that container tools share is kept. */

/** conf_path_in() - $VARIABLE/NAME, else $HOME/FALLBACK/NAME; owned by the caller; NULL if neither
 * variable is set, or @fallback is NULL */
char *conf_path_in(const char *variable, const char *fallback, const char *name);

/** conf_path_user() - $XDG_CONFIG_HOME/containers/NAME, else below ~/.config; owned by the caller, or
 * NULL */
char *conf_path_user(const char *name);

/** conf_path_file() - that if there is such a file, else /etc/containers/NAME; owned, or NULL */
char *conf_path_file(const char *name);
