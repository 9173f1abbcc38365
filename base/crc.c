/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32: ISA-L's where it is built in (it uses the processor's carry-less multiply), else zlib's.
 */
#include "base/crc.h"

#ifdef HAVE_ISAL
#include <isa-l/crc.h>

uint32_t crc_update(uint32_t crc, const void *data, size_t len)
{
	return crc32_gzip_refl(crc, data, len);
}
#else
#include <zlib.h>

uint32_t crc_update(uint32_t crc, const void *data, size_t len)
{
	return (uint32_t)crc32_z(crc, data, len);
}
#endif
