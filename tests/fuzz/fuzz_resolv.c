/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf: what is written of it reads the same again. */
#include "runtime/resolv.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_resolv rv = { 0 }, again = { 0 };
	auto_buf text = { 0 }, text_again = { 0 };

	if (resolv_parse((const char *)data, len, &rv) < 0 || resolv_write(&rv, &text) < 0 ||
		text.len == 0)
		return 0;
	if (resolv_parse(text.data, text.len, &again) < 0 || resolv_write(&again, &text_again) < 0)
		return 0;
	assert(text_again.len == text.len && memcmp(text.data, text_again.data, text.len) == 0);
	return 0;
}
