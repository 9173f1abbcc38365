/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The configuration of an image that is made of a container.  Pure. */

#include "base/json.h"
#include "runtime/spec.h"

/**
 * commit_config() - what the container runs with, as members of an image's config
 * @spec:   of the container, has a process
 * @labels: "NAME=VALUE"
 * @image:  "config" member of its image's config; may be NULL
 *
 * Env, WorkingDir, Labels, Cmd, and Entrypoint where the container has another than the image.
 * Variables that every container gets of its own are left out.
 *
 * Return: a new reference; NULL if out of memory or if something is not UTF-8.
 */
json_t *commit_config(const struct spec *spec, const struct strv *labels, const json_t *image);
