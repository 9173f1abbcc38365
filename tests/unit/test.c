/* SPDX-License-Identifier: Apache-2.0 */
/* The runner behind tests/unit/test.h. */
#include "tests/unit/test.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static struct test_case *first, **last = &first;
static bool failed;
static const char *skip_reason;

void test_register(struct test_case *tc)
{
	*last = tc;
	last = &tc->next;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	failed = true;
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void test_skip(const char *reason)
{
	skip_reason = reason;
}

int main(int argc, char **argv)
{
	int n = 0;
	bool any_failed = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test_case *tc = first; tc; tc = tc->next) {
		if (argc > 1 && strcmp(argv[1], tc->name) != 0)
			continue;
		failed = false;
		skip_reason = NULL;
		tc->run();
		any_failed |= failed;
		printf("%sok %d - %s", failed ? "not " : "", ++n, tc->name);
		if (skip_reason)
			printf(" # SKIP %s", skip_reason);
		printf("\n");
	}
	printf("1..%d\n", n);
	return any_failed;
}
