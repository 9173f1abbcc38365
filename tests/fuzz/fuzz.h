/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A fuzz target is one function, called with any bytes
 *
 * With -Dfuzzers=true (clang) it links libFuzzer: build/fuzz_NAME CORPUS.  Without, it links
 * tests/fuzz/replay.c, and the suite `fuzz` runs it on tests/fuzz/corpus/NAME: each input that ever
 * broke something is kept there.
 */

#include <stddef.h>
#include <stdint.h>

/** LLVMFuzzerTestOneInput() - the target; libFuzzer's name for it.  Returns 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
