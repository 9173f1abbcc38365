/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What people want mounted: -v, --mount and --tmpfs.  Pure: nothing is looked up on a disk.
 *
 *      -v SRC:DST[:OPTIONS]     SRC with a slash or dot in front is a path, else a volume's name
 *      -v DST                   an anonymous volume
 *      --mount type=bind|volume|tmpfs,src=SRC,dst=DST,ro,...
 *      --tmpfs DST[:OPTIONS]
 */

#include "base/err.h"
#include "base/str.h"

#define LIMIT_VOLUME_PATH 4095 /* PATH_MAX - 1 */

enum volume_type { VOLUME_BIND, VOLUME_NAMED, VOLUME_TMPFS };

enum volume_flags {
	VOLUME_SHARED_LABEL = 1 << 0, /* z: SELinux label that containers share */
	VOLUME_PRIVATE_LABEL = 1 << 1, /* Z: a label of this container alone */
	VOLUME_CHOWN = 1 << 2, /* U: give the source to the container's user */
	VOLUME_OVERLAY = 1 << 3, /* O: changes are thrown away with the container */
	/* nocopy, notmpcopyup: it does not start with what the image has at its place */
	VOLUME_NO_COPY = 1 << 4,
};

struct volume {
	enum volume_type type;
	unsigned int flags; /* enum volume_flags */
	bool read_only;
	char *source; /* path as typed, or a name; NULL: anonymous volume, or tmpfs.  Owned */
	char *dest; /* absolute, without "." and "..", not "/".  Owned */
	struct strv options; /* for mountopt_parse(): "ro", "rslave", "size=64k", "idmap=…" */
};

/** volume_parse() - the value of -v; 0, or -EINVAL with a text; @ret ended with volume_done() */
int volume_parse(const char *text, struct volume *ret, struct err *err);

/** volume_parse_mount() - the value of --mount */
int volume_parse_mount(const char *text, struct volume *ret, struct err *err);

/** volume_parse_tmpfs() - the value of --tmpfs */
int volume_parse_tmpfs(const char *text, struct volume *ret, struct err *err);

/**
 * volume_parse_device() - the value of --device: SRC[:DST][:rwm]
 * Without privileges no device can be made, so it is bound from the host: a VOLUME_BIND.
 */
int volume_parse_device(const char *text, struct volume *ret, struct err *err);

void volume_done(struct volume *v);

static inline void cleanup_volume(struct volume *v)
{
	volume_done(v);
}
#define auto_volume __attribute__((cleanup(cleanup_volume))) struct volume
