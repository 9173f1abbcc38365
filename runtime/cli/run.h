/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* One `lamina run` or `lamina create`, as its parts share it */

#include "runtime/cli/boot.h"
#include "runtime/cli/run_opts.h"

struct run {
	const struct cli *cli;
	const struct run_opts *opts;
	struct run_plan plan;
	const char *image_name;
	char **command;
	size_t n_command;
	struct boot b;
	bool left; /* the detach keys were pressed */
};

/**
 * run_make_volumes() - the container's volumes: those of the image and of other containers, made and
 * filled; afterwards each volume of the plan has a source that is an absolute path
 */
int run_make_volumes(struct run *run, struct err *err);

/**
 * run_prepare_volumes() - of these: give them to the container's user, put overlays over them
 * @uid, @gid: inside
 */
int run_prepare_volumes(struct run *run, uint32_t uid, uint32_t gid, struct err *err);
