/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Keyed hash for tables whose keys come from strangers: without the key nobody can choose names
 * that fall together.  Pure but for hash_key_random().
 * Spec: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the 1-3 variant.
 */

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/** hash_key_random() - a fresh key; 0 or a negative errno */
int hash_key_random(struct hash_key *ret);

/** hash_bytes() - SipHash-1-3 */
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);
