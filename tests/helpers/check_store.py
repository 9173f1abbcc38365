#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tests/helpers/check_store.py STORE [--swept]

Reads a whole store and says what is wrong with it: content that differs from its digest, files that
do not belong there, images that lack something. --swept: nothing may lie in tmp/ either.
"""
import hashlib, json, os, sys, time

root, swept = sys.argv[1], "--swept" in sys.argv[2:]
wrong = []


def sha(path, alg="sha256"):
    h = hashlib.new(alg)
    with open(path, "rb") as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.hexdigest()


def check(ok, text):
    if not ok:
        wrong.append(text)


def names(path):
    return sorted(os.listdir(os.path.join(root, path)))


check(os.stat(root).st_mode & 0o077 == 0, "others may enter the store")
check(json.load(open(root + "/oci-layout"))["imageLayoutVersion"] == "1.0.0", "oci-layout")
check(set(names(".")) <= {"lock", "oci-layout", "index.json", "blobs", "layers", "images", "tmp", "partial",
                          "containers", "networks"}, "strangers in the root: %s" % names("."))
for alg in names("blobs"):
    for name in names("blobs/" + alg):
        check(sha("%s/blobs/%s/%s" % (root, alg, name), alg) == name, "blob " + name)
for name in names("layers"):
    alg, _, digest = name.partition("-")
    check(names("layers/" + name) == ["layer.idx", "layer.tar"],
          "layer %s holds %s" % (name, names("layers/" + name)))
    check(sha("%s/layers/%s/layer.tar" % (root, name), alg) == digest, "tar of " + name)
    check(os.path.getsize("%s/layers/%s/layer.idx" % (root, name)) % 4096 == 0, "index of " + name)
seen = set()
for entry in json.load(open(root + "/index.json"))["manifests"]:
    ref = entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
    check(ref is None or ref not in seen, "two entries are called %s" % ref)
    seen.add(ref)
    try:
        with open(root + "/blobs/" + entry["digest"].replace(":", "/")) as f:
            manifest = json.load(f)
        with open(root + "/blobs/" + manifest["config"]["digest"].replace(":", "/")) as f:
            config = json.load(f)
        for diff_id in config["rootfs"]["diff_ids"]:
            check(os.path.isdir(root + "/layers/" + diff_id.replace(":", "-")),
                  "%s lacks layer %s" % (ref, diff_id))
    except OSError as e:
        wrong.append("%s: %s" % (ref, e))
# Removed files are deleted behind the command's back.
deadline = time.monotonic() + 10
while swept and names("tmp") and time.monotonic() < deadline:
    time.sleep(0.02)
if swept:
    check(names("tmp") == [], "left in tmp: %s" % names("tmp"))
for text in wrong:
    print("store: " + text)
sys.exit(bool(wrong))
