/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * policy.json: which images may be used at all
 *
 * $XDG_CONFIG_HOME/containers/policy.json, else /etc/containers/policy.json; without one everything
 * may.  Rules that ask for a signature are refused, for none is verified here.
 * Spec: containers-policy.json(5).
 */

#include "base/json.h"
#include "image/place.h"

#define LIMIT_POLICY_BYTES (1U << 20)

/**
 * policy_check() - may an image be read from a place?
 * @name: the full name of an image of a registry or of containers-storage, which is its scope
 * Return: 0; -EACCES with what forbids it; -EBADMSG for a file that is not valid.
 */
int policy_check(const struct place *p, const char *name, struct err *err);

/**
 * policy_decide() - the same by a parsed policy and a scope.  Pure.
 * @transport: "docker", "oci", …
 * @scope:     "HOST/PATH:TAG", or an absolute path; its parents count, too
 */
int policy_decide(const json_t *policy, const char *transport, const char *scope, struct err *err);
