/* SPDX-License-Identifier: Apache-2.0 */
/* Chain ids (the contract is in the header). */
#include "image/chain.h"

#include <stdio.h>
#include <string.h>

int chain_id(const struct idx_digest *diff_ids, uint32_t n, struct idx_digest *ret)
{
	struct idx_digest chain;
	int r;

	if (n == 0)
		return digest_of("", 0, ret);
	chain = diff_ids[0];
	for (uint32_t i = 1; i < n; i++) {
		char below[DIGEST_TEXT_BYTES], diff[DIGEST_TEXT_BYTES];
		char text[2 * DIGEST_TEXT_BYTES];
		int len;

		digest_text(&chain, below);
		digest_text(&diff_ids[i], diff);
		len = snprintf(text, sizeof(text), "%s %s", below, diff);
		r = digest_of(text, (size_t)len, &chain);
		if (r < 0)
			return r;
	}
	*ret = chain;
	return 0;
}
