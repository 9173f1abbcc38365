/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Capabilities: names and numbers, sets as bits of a uint64_t.  Pure: no I/O, any thread. */

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPS_N	 41 /* known ones, capabilities(7); CAP_CHECKPOINT_RESTORE is the last */
#define CAPS_ALL ((UINT64_C(1) << CAPS_N) - 1)

/* What a container has unless told otherwise: chown, dac_override, fowner, fsetid, kill, setgid,
 * setuid, setpcap, net_bind_service, sys_chroot, setfcap.  Those are podman's. */
#define CAPS_DEFAULT UINT64_C(0x800405fb)

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/** caps_from_name() - "CAP_CHOWN", "chown", any case; the number, or -EINVAL */
int caps_from_name(const char *name);

/** caps_name() - "CAP_CHOWN"; NULL if @cap is not known */
const char *caps_name(int cap);

/**
 * caps_change() - apply --cap-add and --cap-drop
 * @set:  what there is before
 * @add:  names, and "all"; @drop likewise
 *
 * "all" goes first, then the single names: `--cap-drop all --cap-add chown` leaves chown alone.
 *
 * Return: 0; -EINVAL if a name is unknown, or is added and dropped at once.
 */
int caps_change(uint64_t set, const struct strv *add, const struct strv *drop, uint64_t *ret,
	struct err *err);
