/* SPDX-License-Identifier: Apache-2.0 */
#include "image/names.h"

#include "base/cleanup.h"
#include "tests/unit/test.h"

static void set(struct index *x, const char *name, char digit)
{
	struct descriptor d = { .media_type = (char *)MEDIA_OCI_MANIFEST,
		.ref_name = (char *)name };

	CHECK_INT(digest_of(&digit, 1, &d.digest), ==, 0);
	CHECK_INT(names_set(x, &d), ==, 0);
}

/* The names of the manifest @digit, "-" for an entry without one. */
static int has(const struct index *x, const char *name, char digit)
{
	struct idx_digest digest;
	int n = 0;

	CHECK_INT(digest_of(&digit, 1, &digest), ==, 0);
	for (size_t i = 0; i < x->n; i++)
		if (digest_eq(&x->entries[i].digest, &digest))
			n += name ? x->entries[i].ref_name &&
					     strcmp(x->entries[i].ref_name, name) == 0
				  : !x->entries[i].ref_name;
	return n;
}

TEST(a_name_moves_and_the_old_image_stays_reachable)
{
	auto_index x = { 0 };

	set(&x, "a", '1');
	set(&x, "a", '2');
	CHECK_INT(x.n, ==, 2);
	CHECK_INT(has(&x, "a", '2'), ==, 1);
	CHECK_INT(has(&x, NULL, '1'), ==, 1);
	/* Named again, it needs no entry without name. */
	set(&x, "b", '1');
	CHECK_INT(x.n, ==, 2);
	CHECK_INT(has(&x, "b", '1'), ==, 1);
}

TEST(setting_a_name_twice_changes_nothing)
{
	auto_index x = { 0 };

	set(&x, "a", '1');
	set(&x, "a", '1');
	CHECK_INT(x.n, ==, 1);
}

TEST(an_image_with_another_name_leaves_no_trace_of_the_one_that_moved)
{
	auto_index x = { 0 };

	set(&x, "a", '1');
	set(&x, "b", '1');
	set(&x, "a", '2');
	CHECK_INT(x.n, ==, 2);
	CHECK_INT(has(&x, "b", '1'), ==, 1);
	CHECK_INT(has(&x, NULL, '1'), ==, 0);
}

TEST(removal_closes_the_gap)
{
	auto_index x = { 0 };

	set(&x, "a", '1');
	set(&x, "b", '2');
	set(&x, "c", '3');
	names_remove(&x, 1);
	CHECK_INT(x.n, ==, 2);
	CHECK(names_find(&x, "a") && names_find(&x, "c") && !names_find(&x, "b"));
}
