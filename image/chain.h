/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Chain ids: one digest for a stack of layers
 *
 * Of one layer it is the diff id itself; of more it is SHA-256 of "CHAIN-BELOW DIFF-ID".  Pure.
 * Spec: OCI image-spec, config.md, "Layer ChainID".
 */

#include "image/digest.h"

#include <stdint.h>

/**
 * chain_id() - of @n layers, lowest first
 * Of no layers: SHA-256 of the empty string.
 * Return: 0 or -ENOMEM.
 */
int chain_id(const struct idx_digest *diff_ids, uint32_t n, struct idx_digest *ret);
