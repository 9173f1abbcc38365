/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc.h"
#include "base/hash.h"
#include "tests/unit/test.h"

TEST(crc_is_that_of_gzip)
{
	CHECK_INT(crc_update(0, "123456789", 9), ==, 0xcbf43926);
	CHECK_INT(crc_update(crc_update(0, "1234", 4), "56789", 5), ==, 0xcbf43926);
	CHECK_INT(crc_update(0, "", 0), ==, 0);
}

TEST(hash_depends_on_key_and_every_byte)
{
	const struct hash_key a = { 1, 2 }, b = { 1, 3 };
	uint8_t data[40] = { 0 };

	CHECK(hash_bytes(&a, data, 40) != hash_bytes(&b, data, 40));
	for (size_t len = 0; len < sizeof(data); len++)
		CHECK(hash_bytes(&a, data, len) != hash_bytes(&a, data, len + 1));
	for (size_t i = 0; i < sizeof(data); i++) {
		uint64_t before = hash_bytes(&a, data, sizeof(data));

		data[i] = 1;
		CHECK(hash_bytes(&a, data, sizeof(data)) != before);
		data[i] = 0;
	}
}

TEST(hash_is_siphash_1_3)
{
	/* Key 00 01 … 0f, input 00 01 … 0e. */
	const struct hash_key key = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t data[15];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	CHECK(hash_bytes(&key, data, 15) == UINT64_C(0xd320d86d2a519956));
	CHECK(hash_bytes(&key, data, 0) == UINT64_C(0xabac0158050fc4dc));
}
