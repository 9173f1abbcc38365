/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay/node.h"
#include "tests/unit/test.h"

#define N_HANDLES 1000

static struct node_table *new_table(void)
{
	struct node_table *t = NULL;

	CHECK_INT(node_table_new(&t, N_HANDLES), ==, 0);
	return t;
}

static struct node *make(struct node_table *t, uint64_t id)
{
	uint64_t handle = node_id_handle(t, id);

	return node_publish(t, node_new(id, handle, id, S_IFREG));
}

TEST(ids_of_the_lower_and_of_the_upper_are_apart)
{
	struct node_table *t = new_table();

	CHECK_INT(node_id_of_handle(0), ==, NODE_ROOT);
	CHECK_INT(node_id_handle(t, NODE_ROOT), ==, 0);
	CHECK_INT(node_id_handle(t, N_HANDLES), ==, N_HANDLES - 1);
	CHECK(node_id_handle(t, N_HANDLES + 1) == NODE_NO_HANDLE);
	CHECK(node_id_handle(t, 0) == NODE_NO_HANDLE);
	CHECK(node_id_handle(t, NODE_BORN | 5) == NODE_NO_HANDLE);
	node_table_free(t);
}

TEST(a_node_lives_while_the_kernel_knows_it_or_somebody_uses_it)
{
	static const uint64_t ids[] = { 7, NODE_BORN | 7 };

	for (size_t i = 0; i < 2; i++) {
		struct node_table *t = new_table();
		struct node *n = make(t, ids[i]);

		CHECK(node_find(t, ids[i]) == n);
		node_put(t, n);
		CHECK(node_looked_up(t, ids[i]));
		node_put(t, n);
		CHECK_INT(node_count(t), ==, 1);
		node_forget(t, ids[i], 5); /* more than it ever was told: no underflow */
		CHECK_INT(node_count(t), ==, 0);
		CHECK(!node_find(t, ids[i]));
		node_table_free(t);
	}
}

TEST(lookups_of_untouched_rows_are_counted_without_a_struct)
{
	struct node_table *t = new_table();
	struct node *n;

	CHECK(node_looked_up(t, 9));
	CHECK(node_looked_up(t, 9));
	CHECK_INT(node_count(t), ==, 0);
	n = make(t, 9);
	node_put(t, n);
	CHECK_INT(node_count(t), ==, 1); /* the kernel knows it */
	node_forget(t, 9, 1);
	CHECK_INT(node_count(t), ==, 1);
	node_forget(t, 9, 1);
	CHECK_INT(node_count(t), ==, 0);
	CHECK(!node_looked_up(t, NODE_BORN | 1)); /* nobody made that one */
	node_table_free(t);
}

TEST(of_two_structs_for_one_id_the_first_wins)
{
	struct node_table *t = new_table();
	struct node *a = make(t, NODE_BORN | 3), *b = make(t, NODE_BORN | 3);

	CHECK(a == b);
	CHECK_INT(node_count(t), ==, 1);
	node_put(t, a);
	node_put(t, b);
	CHECK_INT(node_count(t), ==, 0);
	node_table_free(t);
}

TEST(parents_die_after_their_last_child)
{
	struct node_table *t = new_table();
	struct node *parent = make(t, NODE_BORN | 1);

	/* A chain that recursion could not free. */
	for (uint64_t i = 2; i < 20000; i++) {
		struct node *n = make(t, NODE_BORN | i);

		CHECK_INT(node_link_add(t, n, parent, "name", 4), ==, 0);
		node_put(t, parent);
		parent = n;
	}
	CHECK_INT(node_count(t), ==, 19999);
	node_put(t, parent);
	CHECK_INT(node_count(t), ==, 0);
	node_table_free(t);
}

TEST(names_are_noted_once_and_found_again)
{
	struct node_table *t = new_table();
	struct node *dir = make(t, 1), *n = make(t, 2);
	struct node_link *l;

	CHECK_INT(node_link_add(t, n, dir, "a", 1), ==, 0);
	CHECK_INT(node_link_add(t, n, dir, "a", 1), ==, 0);
	CHECK_INT(node_link_add(t, n, dir, "ab", 2), ==, 0);
	CHECK(node_link_find(n, dir, "a", 1) != node_link_find(n, dir, "ab", 2));
	l = node_link_del(n, dir, "a", 1);
	CHECK(l != NULL);
	node_link_free(t, l);
	CHECK(!node_link_find(n, dir, "a", 1));
	CHECK(!node_link_del(n, dir, "a", 1));
	CHECK(node_link_find(n, dir, "ab", 2) != NULL);
	node_put(t, n);
	node_put(t, dir);
	CHECK_INT(node_count(t), ==, 0);
	node_table_free(t);
}

TEST(only_the_alias_that_went_is_cleared)
{
	const struct lower_name gone = { 4, 2 }, other = { 4, 3 };
	struct node_table *t = new_table();
	struct lower_name at;

	CHECK(!node_alias(t, 5, &at));
	node_set_alias(t, 5, 4, 2);
	node_clear_alias(t, 5, &other);
	CHECK(node_alias(t, 5, &at));
	CHECK_INT(at.dir, ==, 4);
	CHECK_INT(at.ordinal, ==, 2);
	node_clear_alias(t, 5, &gone);
	CHECK(!node_alias(t, 5, &at));
	node_table_free(t);
}
