/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* CRC-32 as gzip has it (polynomial 0xedb88320).  Pure: any thread. */

#include <stddef.h>
#include <stdint.h>

/** crc_update() - continue a checksum; @crc is 0 before the first piece */
uint32_t crc_update(uint32_t crc, const void *data, size_t len);
