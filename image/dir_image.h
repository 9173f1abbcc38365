/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Reader of skopeo's dir: manifest.json and blobs called by their hex digests
 *
 *      version        "Directory Transport Version: 1.1"
 *      manifest.json  what the image's name stands for
 *      HEX            a blob;  HEX.manifest.json  a manifest below an index
 */

#include "image/files.h"
#include "image/origin.h"
#include "image/place.h"

#define DIR_IMAGE_VERSION "Directory Transport Version: 1.1\n"

/** dir_image_open_take_files() - @files is consumed, also on failure */
int dir_image_open_take_files(
	struct origin **ret, struct files *files, const struct place *p, struct err *err);

/** dir_image_name() - of a blob, or with @suffix of a manifest; owned by the caller, or NULL */
char *dir_image_name(const struct idx_digest *digest, const char *suffix);
