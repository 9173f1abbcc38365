/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a machine must have, tried out: the same code that fails in use says why
 */

#include "base/err.h"
#include "image/store.h"

#include <stdbool.h>

struct doctor_check {
	const char *name; /* "subordinate ids" */
	const char *without; /* what is lost, one line */
	bool is_vital; /* without it no container runs */
	int (*probe)(struct img_store *s, struct err *err);
};

/* Ends with an entry without name. */
extern const struct doctor_check doctor_checks[];

/**
 * doctor_subid_overlap() - do ranges of two users in /etc/subuid or /etc/subgid overlap?
 * @data: content of the file, NUL-terminated
 * @name, @uid: of the user whose ranges are looked at
 * Pure.  Return: 0; -EEXIST with a text that names both lines.
 */
int doctor_subid_overlap(
	const char *file, const char *data, const char *name, unsigned int uid, struct err *err);
