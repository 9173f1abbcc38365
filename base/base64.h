/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Base64 with the standard alphabet.  Pure.  Spec: RFC 4648, section 4. */

#include "base/str.h"

/** base64_encode() - append the encoded form, padded; 0 or -ENOMEM */
int base64_encode(struct buf *to, const void *data, size_t len);

/**
 * base64_decode() - append the bytes; padding may be missing
 * Return: 0; -EINVAL if @text is not base64 (@to may have grown then); -ENOMEM.
 */
int base64_decode(struct buf *to, const char *text, size_t len);
