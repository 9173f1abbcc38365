/* SPDX-License-Identifier: Apache-2.0 */
/* What targets share (the contract is in the header). */
#include "image/target.h"

#include "base/str.h"

int target_name(struct target *t, const char *name)
{
	char *copy = name ? strdup(name) : NULL;

	if (name && !copy)
		return -ENOMEM;
	free(t->name);
	t->name = copy;
	return 0;
}

int target_no_line_new(struct target *t, struct target_line **ret, struct err *err)
{
	*ret = NULL;
	return 0;
}

void target_no_line_free(struct target_line *l)
{
}
