/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images: what is accepted has a full name that means the same. */
#include "image/ref.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free char *text = strndup((const char *)data, len);
	auto_free char *full = NULL, *again = NULL, *local = NULL, *stored = NULL;
	auto_ref a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	if (!text)
		return 0;
	local = ref_local_name(text, "t");
	assert(local && ref_parse(local, &c, NULL) == 0);
	if (ref_stored_name(text, &stored, NULL) == 0)
		assert(ref_parse(stored, &d, NULL) == 0 && !d.is_short && !d.digest.alg);
	if (ref_parse(text, &a, NULL) < 0)
		return 0;
	full = ref_text(&a);
	assert(full && ref_parse(full, &b, NULL) == 0);
	again = ref_text(&b);
	assert(again && str_eq(full, again));
	assert(!strstr(b.path, "..") && !strstr(b.host, "..") && !b.is_short);
	return 0;
}
