/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A unit test program: TEST() registers a case, CHECK…() records a failure and goes on,
 * the program prints TAP and exits 1 if any case failed.  Link it with tests/unit/test.c.
 */

#include <stdint.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
	struct test_case *next;
};

void test_register(struct test_case *tc);
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Mark the running case as skipped, with a reason; return from it afterwards. */
void test_skip(const char *reason);

#define TEST(id)                                                                                   \
	static void test_##id(void);                                                               \
	static struct test_case test_case_##id = { #id, test_##id, 0 };                            \
	__attribute__((constructor)) static void test_register_##id(void)                          \
	{                                                                                          \
		test_register(&test_case_##id);                                                    \
	}                                                                                          \
	static void test_##id(void)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			test_fail(__FILE__, __LINE__, "%s", #cond);                                \
	} while (0)

#define CHECK_INT(a, op, b)                                                                        \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (!(a_ op b_))                                                                   \
			test_fail(                                                                 \
				__FILE__, __LINE__, "%s %s %s: %lld, %lld", #a, #op, #b, a_, b_);  \
	} while (0)

#define CHECK_STR(a, b)                                                                            \
	do {                                                                                       \
		const char *a_ = (a), *b_ = (b);                                                   \
		if (!a_ != !b_ || (a_ && strcmp(a_, b_) != 0))                                     \
			test_fail(__FILE__, __LINE__, "%s is '%s', not '%s'", #a,                  \
				a_ ? a_ : "(null)", b_ ? b_ : "(null)");                           \
	} while (0)
