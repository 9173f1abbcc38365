/* SPDX-License-Identifier: Apache-2.0 */
/* Right checksums over wrong content. */
#include "tests/helpers/repair_index.h"

#include "base/crc.h"
#include "overlay/index_format.h"

#include <string.h>

void repair_index(uint8_t *data, size_t len)
{
	struct idx_header h;

	if (len < sizeof(h))
		return;
	memcpy(&h, data, sizeof(h));
	if (h.crc_off < IDX_BLOCK_BYTES || h.crc_off > len || h.crc_off % IDX_BLOCK_BYTES ||
		h.crc_n > (len - h.crc_off) / 4)
		return;
	for (size_t b = 0; b < h.crc_n && (b + 2) * IDX_BLOCK_BYTES <= len; b++) {
		uint32_t c = crc_update(0, data + (b + 1) * IDX_BLOCK_BYTES, IDX_BLOCK_BYTES);

		memcpy(data + h.crc_off + b * sizeof(c), &c, sizeof(c));
	}
	h.crc_crc = crc_update(0, data + h.crc_off, h.crc_n * sizeof(uint32_t));
	h.header_crc = crc_update(0, &h, offsetof(struct idx_header, header_crc));
	memcpy(data, &h, sizeof(h));
}
