/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * From JSON to the structs of runtime/spec.h, by tables of members
 *
 * A struct rd is a place in the document: the node, what it is called there, the place above it.
 * Places live on the stack, so an error can name the whole path and nothing is allocated for it.
 * Every function returns a negative errno with a text like
 * "process.rlimits[2].soft is not an integer".  Internal to runtime/spec*.c.  Pure.
 */

#include "runtime/spec.h"

struct rd {
	const json_t *j;
	const struct rd *up; /* NULL: the document itself */
	const char *key; /* NULL: an element of an array, at index */
	size_t index;
	struct spec *spec; /* owner of what is allocated */
	struct err *err;
};

enum rd_kind {
	RD_BOOL, /* bool */
	RD_STR, /* const char * */
	RD_LIST, /* struct spec_list, at most max elements */
	RD_PAIRS, /* struct spec_pairs: an object whose values are strings */
	RD_U16, /* uint16_t, 0..max */
	RD_U32, /* uint32_t, 0..max */
	RD_I32, /* int32_t, min..max */
	RD_U64, /* uint64_t, 0..max */
	RD_I64, /* int64_t, min..max */
	RD_OPT_U64, /* struct spec_u64, 0..max */
	RD_OPT_I64, /* struct spec_i64, min..max */
};

struct rd_field {
	const char *key;
	enum rd_kind kind;
	size_t offset; /* in the struct that the table is for */
	uint64_t max;
	int64_t min;
	bool required;
};

/* A member that is an object, and the function that reads it into the struct of its parent. */
struct rd_part {
	const char *key;
	int (*read)(const struct rd *at, void *out);
};

/* A member that is an array of objects, and the pointer and count that describe it in C. */
struct rd_array {
	const char *key;
	size_t max; /* elements */
	size_t size; /* bytes of an element in C; zeroed before it is read */
	size_t v_offset, n_offset; /* of the pointer and the size_t, in the parent's struct */
	int (*read)(const struct rd *item, void *elem);
};

/* A word of the specification and the number that it stands for. */
struct rd_word {
	const char *word;
	long value;
};

/** rd_fail() - an error about a place: its path, then the text; returns @code */
int rd_fail(const struct rd *at, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** rd_warn() - note something that the specification wants logged; 0 or -ENOMEM */
int rd_warn(const struct rd *at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** rd_fields() - fill a struct from an object; members that are absent change nothing */
int rd_fields(const struct rd *obj, const struct rd_field *fields, size_t n, void *out);

/** rd_parts() - hand the members that are objects to their readers; absent ones are skipped */
int rd_parts(const struct rd *obj, const struct rd_part *parts, size_t n, void *out);

/** rd_arrays() - read members that are arrays of objects; absent ones change nothing */
int rd_arrays(const struct rd *obj, const struct rd_array *arrays, size_t n, void *out);

/** rd_ids() - an array of at most LIMIT_SPEC_ARGS ids; absent changes nothing */
int rd_ids(const struct rd *obj, const char *key, uint32_t **ret, size_t *ret_n);

/** rd_word() - the member @key as one of @n known words; 1, 0 if absent, or an error */
int rd_word(
	const struct rd *obj, const char *key, const struct rd_word *words, size_t n, long *ret);

/** rd_find_word() - the value of a word, or -ENOENT */
long rd_find_word(const char *word, const struct rd_word *words, size_t n);

/** rd_flags() - the member @key, a list of known words, as their values or-ed together */
int rd_flags(const struct rd *obj, const char *key, const struct rd_word *words, size_t n,
	uint64_t *ret);

/** rd_idmap() - an array of {containerID, hostID, size}; absent changes nothing */
int rd_idmap(const struct rd *obj, const char *key, struct idmap *ret);

/* The parts of spec_parse(), each in the file named like it; @out is what it is a part of. */
int spec_read_process(const struct rd *at, void *process);
int spec_read_linux(const struct rd *at, void *spec);
int spec_read_resources(const struct rd *at, void *spec);
int spec_read_seccomp(const struct rd *at, void *spec);
