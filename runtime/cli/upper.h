/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Uppers that are read and not mounted: of a container, or of `lamina mount --upper`
 *
 *      CONTAINER ─ record: its image ──┐
 *      DIRECTORY ─ superblock: its image ┴─▶ upper_view: list, tar, image
 *
 * Files that belong to subordinate ids are read in the user namespace of the containers.
 */

#include "image/layer_diff.h"
#include "runtime/cli/ctl.h"

struct cli_upper {
	struct ctl ctl; /* its store has the image */
	struct img img;
	struct upper_view view;
	struct control_ctr ctr; /* of a container; else its record has no name */
	struct ctr_dir held; /* of one that does not run: it cannot start meanwhile */
	bool frozen;
	int state_fd;
};

#define CLI_UPPER_INIT                                                                             \
	{                                                                                          \
		.ctl = CTL_INIT, .img = { .lease_fd = -1 }, .held = CTR_DIR_INIT, .state_fd = -1   \
	}

enum cli_upper_flags {
	CLI_UPPER_PAUSE =
		1 << 0, /* a running container's processes wait until the upper is closed */
};

/**
 * cli_upper_open() - find what a person names, and make sure that all of it can be seen
 * @u:   CLI_UPPER_INIT
 * @ref: a container, else a directory
 *
 * What a running container has written is written back first; an upper that `lamina mount` has
 * mounted is refused.
 * Return: 0 or an error; cli_upper_close() in any case.  -ENOENT without a text if there is no
 * container and no directory of that name.
 */
int cli_upper_open(struct cli_upper *u, const struct cli *cli, const char *ref, unsigned int flags,
	struct err *err);
void cli_upper_close(struct cli_upper *u);

/** cli_upper_is_container() - of a container, not a directory */
bool cli_upper_is_container(const struct cli_upper *u);
