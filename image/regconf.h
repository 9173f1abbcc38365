/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * registries.conf, version 2: what a name of an image stands for, and where it is asked for
 *
 * Files: $CONTAINERS_REGISTRIES_CONF, else $XDG_CONFIG_HOME/containers/registries.conf, else
 * /etc/containers/registries.conf; then registries.conf.d in /etc/containers and in
 * $XDG_CONFIG_HOME/containers, *.conf in the order of their names.
 *
 * A name without a host stands for its alias, else for a repository of the one registry of
 * unqualified-search-registries, else of docker.io.  With several such registries it is an error
 * that tells the full names: nothing is guessed.  "docker://" in front means no host: docker.io.
 * Spec: containers-registries.conf(5).
 */

#include "base/err.h"
#include "base/json.h"
#include "image/ref.h"
#include "image/session.h"

#define LIMIT_REGCONF_BYTES (1U << 20)
#define LIMIT_REGCONF_FILES 1000

/* Where an image is asked for, one after the other: mirrors, then the registry itself. */
struct regconf_places {
	struct session_place *v; /* owned, with their strings */
	size_t n;
};

void regconf_places_done(struct regconf_places *p);

/**
 * regconf_resolve() - for pulling
 * @ref: filled (ref_done() it): what the image is called
 * Return: 0; -EACCES if the registry is blocked; -EINVAL for a name or a file that is not valid.
 */
int regconf_resolve(const char *name, struct ref *ref, struct regconf_places *ret, struct err *err);

/** regconf_resolve_push() - for pushing: one place, no mirrors, no aliases */
int regconf_resolve_push(
	const char *name, struct ref *ref, struct regconf_places *ret, struct err *err);

/** regconf_insecure() - is a registry said to be so? */
int regconf_insecure(const char *host, bool *ret, struct err *err);

/* ---- the parts, pure ---- */

/** regconf_merge() - add the content of a further file to @conf, an object */
int regconf_merge(json_t *conf, const char *data, size_t len, struct err *err);

/** regconf_name() - a name with aliases and search registries applied: 0 with @ref filled */
int regconf_name(const json_t *conf, const char *name, struct ref *ref, struct err *err);

/** regconf_find() - where @ref is asked for; without mirrors if @no_mirrors */
int regconf_find(const json_t *conf, const struct ref *ref, bool no_mirrors,
	struct regconf_places *ret, struct err *err);

/** regconf_is_insecure() - is the registry @host, or HOST/NAMESPACE…, said to be so? */
bool regconf_is_insecure(const json_t *conf, const char *host);

static inline void cleanup_regconf_places(struct regconf_places *p)
{
	regconf_places_done(p);
}
#define auto_regconf_places __attribute__((cleanup(cleanup_regconf_places))) struct regconf_places
