/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay/dnames.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <stdio.h>

#define HOME (DN_OFF_UPPER | 1000)

static struct dname *add(struct dnames *d, uint64_t home, const char *name)
{
	struct dname *e = NULL;

	CHECK_INT(dn_add(d, home, name, strlen(name), &e), ==, 0);
	return e;
}

static uint64_t off_of(const struct dnames *d, uint64_t home, const char *name)
{
	const struct dname *e = dn_get(d, home, name, strlen(name));

	return e ? e->off : 0;
}

TEST(offsets_of_names_that_collide_do_not_depend_on_the_order)
{
	static const char *const orders[][4] = {
		{ "a", "b", "c", "d" },
		{ "d", "c", "b", "a" },
		{ "b", "d", "a", "c" },
	};

	for (size_t o = 0; o < 3; o++) {
		struct dnames d = { 0 };

		for (size_t i = 0; i < 4; i++)
			add(&d, HOME, orders[o][i]);
		CHECK_INT(off_of(&d, HOME, "a"), ==, HOME);
		CHECK_INT(off_of(&d, HOME, "b"), ==, HOME + 1);
		CHECK_INT(off_of(&d, HOME, "c"), ==, HOME + 2);
		CHECK_INT(off_of(&d, HOME, "d"), ==, HOME + 3);
		dn_done(&d);
	}
}

TEST(names_behind_a_removed_one_are_still_found)
{
	struct dnames d = { 0 };

	add(&d, HOME, "a");
	add(&d, HOME, "b");
	add(&d, HOME, "c");
	add(&d, HOME + 1, "x"); /* a neighbour that was pushed away from its home */
	add(&d, HOME + 9, "far");
	dn_del(&d, dn_get(&d, HOME, "a", 1));
	CHECK(!dn_get(&d, HOME, "a", 1));
	CHECK(dn_get(&d, HOME, "b", 1) != NULL);
	CHECK(dn_get(&d, HOME, "c", 1) != NULL);
	CHECK(dn_get(&d, HOME + 1, "x", 1) != NULL);
	CHECK_INT(off_of(&d, HOME + 9, "far"), ==, HOME + 9);
	CHECK_INT(d.n, ==, 4);
	dn_done(&d);
}

TEST(a_name_pushed_past_a_settled_one_is_found_after_a_removal)
{
	struct dnames d = { 0 };

	add(&d, HOME, "a");
	add(&d, HOME, "b");
	add(&d, HOME + 2, "x"); /* at its home */
	add(&d, HOME, "c"); /* behind it */
	CHECK_INT(off_of(&d, HOME, "c"), ==, HOME + 3);
	dn_del(&d, dn_get(&d, HOME, "a", 1));
	CHECK_INT(off_of(&d, HOME, "c"), ==, HOME + 1);
	CHECK_INT(off_of(&d, HOME + 2, "x"), ==, HOME + 2);
	dn_done(&d);
}

TEST(a_walk_sees_every_name_once_and_in_order)
{
	struct dnames d = { 0 };
	uint64_t off = 0;
	size_t n = 0;

	for (int i = 0; i < 5000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%04d", i);
		add(&d, i % 3 ? dn_home(name, 5) : DN_HOME_LOWER((uint64_t)i), name);
	}
	for (const struct dname *e; (e = dn_next(&d, off)); n++) {
		CHECK(e->off >= off);
		off = e->off + 1;
	}
	CHECK_INT(n, ==, 5000);
	/* Removing behind and before the cursor leaves the rest where it was. */
	off = dn_next(&d, DN_OFF_UPPER)->off + 1;
	dn_del(&d, dn_next(&d, 0));
	dn_del(&d, dn_next(&d, off));
	for (n = 0; d.n; n++)
		dn_del(&d, dn_next(&d, n % 2 ? DN_OFF_UPPER : 0)
				   ? dn_next(&d, n % 2 ? DN_OFF_UPPER : 0)
				   : dn_next(&d, 0));
	CHECK_INT(n, ==, 4998);
	dn_done(&d);
}

TEST(counts_follow_what_stands_at_a_name)
{
	struct dnames d = { 0 };
	struct dname *e = add(&d, DN_HOME_LOWER(0), "dir");

	dn_set(&d, e, DT_DIR, 0, DT_DIR); /* a merged directory: nothing more than the lower has */
	CHECK_INT(d.n_dirs_more, ==, 0);
	CHECK_INT(d.n_shown, ==, 1);
	dn_set(&d, e, DT_CHR, DN_WHITEOUT, DT_DIR);
	CHECK_INT(d.n_dirs_more, ==, -1);
	CHECK_INT(d.n_shown, ==, 0);
	e = add(&d, dn_home("new", 3), "new");
	dn_set(&d, e, DT_DIR, 0, DT_UNKNOWN);
	CHECK_INT(d.n_dirs_more, ==, 0);
	CHECK_INT(d.n_shown, ==, 1);
	dn_del(&d, e);
	CHECK_INT(d.n_dirs_more, ==, -1);
	CHECK_INT(d.n_shown, ==, 0);
	CHECK_INT(d.n, ==, 1);
	dn_done(&d);
}

TEST(homes_keep_clear_of_the_sign_bit_and_of_lower_ordinals)
{
	CHECK(dn_home("x", 1) >= DN_OFF_UPPER);
	CHECK(dn_home("x", 1) < DN_OFF_UPPER + (UINT64_C(1) << 61));
	CHECK(dn_home("x", 1) != dn_home("y", 1));
}
