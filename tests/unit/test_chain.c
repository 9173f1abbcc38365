/* SPDX-License-Identifier: Apache-2.0 */
#include "image/chain.h"

#include "tests/unit/test.h"

static const char *text_of(const struct idx_digest *d)
{
	static char text[DIGEST_TEXT_BYTES];

	digest_text(d, text);
	return text;
}

TEST(chain_ids_follow_the_specification)
{
	struct idx_digest diffs[3], chain, want;
	char line[2 * DIGEST_TEXT_BYTES];

	CHECK_INT(digest_of("a", 1, &diffs[0]), ==, 0);
	CHECK_INT(digest_of("b", 1, &diffs[1]), ==, 0);
	CHECK_INT(digest_of("c", 1, &diffs[2]), ==, 0);

	CHECK_INT(chain_id(diffs, 0, &chain), ==, 0);
	CHECK_STR(text_of(&chain),
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_INT(chain_id(diffs, 1, &chain), ==, 0);
	CHECK(digest_eq(&chain, &diffs[0]));

	/* Of three: the digest over the digest of the first two. */
	strncpy(line, text_of(&diffs[0]), sizeof(line) - 1);
	line[71] = ' ';
	memcpy(line + 72, text_of(&diffs[1]), 71);
	CHECK_INT(digest_of(line, 143, &want), ==, 0);
	CHECK_INT(chain_id(diffs, 2, &chain), ==, 0);
	CHECK(digest_eq(&chain, &want));
	memcpy(line, text_of(&want), 71);
	memcpy(line + 72, text_of(&diffs[2]), 71);
	CHECK_INT(digest_of(line, 143, &want), ==, 0);
	CHECK_INT(chain_id(diffs, 3, &chain), ==, 0);
	CHECK(digest_eq(&chain, &want));
}
