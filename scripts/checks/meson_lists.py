#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: meson_lists.py meson.build

Lists of meson.build are in order, every source is in one, and every unit test is registered. A file
that nobody compiles rots; an unordered list breeds merge conflicts."""
import glob, re, sys

text = open(sys.argv[1]).read()
wrong = []
for block in re.findall(r"files\(\n(.*?)\n\s*\)", text, re.S):
    names = re.findall(r"'([^']+)'", block)
    if names != sorted(names):
        wrong.append("not in order: " + next(b for a, b in zip(names, names[1:]) if a > b))
for source in glob.glob("base/*.c") + glob.glob("overlay/*.c") + glob.glob("image/*.c") + \
        glob.glob("runtime/*.c") + glob.glob("runtime/cli/*.c"):
    if "'%s'" % source not in text:
        wrong.append("not compiled: " + source)
for kind, pattern in (("unit_tests", "tests/unit/test_*.c"), ("fuzzers", "tests/fuzz/fuzz_*.c")):
    table = re.search(kind + r" = [{\[](.*?)\n[}\]]", text, re.S)
    known = re.findall(r"'(\w+)'", table[1]) if table else []
    for source in glob.glob(pattern):
        name = re.search(r"(?:test|fuzz)_(\w+)\.c$", source)[1]
        if name not in known:
            wrong.append("not registered: " + source)
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
