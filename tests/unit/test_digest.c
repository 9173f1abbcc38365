/* SPDX-License-Identifier: Apache-2.0 */
#include "image/digest.h"
#include "tests/unit/test.h"

#include <errno.h>

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

TEST(a_digest_goes_through_text_and_back)
{
	struct idx_digest a, b;
	char text[DIGEST_TEXT_BYTES];

	CHECK_INT(digest_of("", 0, &a), ==, 0);
	digest_text(&a, text);
	CHECK_STR(text, EMPTY);
	CHECK_INT(digest_parse(text, &b), ==, 0);
	CHECK(digest_eq(&a, &b));
	CHECK_STR(digest_hex(text), &EMPTY[7]);
}

TEST(only_the_canonical_spelling_is_a_digest)
{
	static const char *const bad[] = {
		"",
		"sha256",
		"sha256:",
		EMPTY "0",
		"sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha256:../../../../../../../../../../../../../../../../../../../../etc/passwd",
		"/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	};
	struct idx_digest d;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(digest_parse(bad[i], &d), ==, -EINVAL);
}
