#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tests/helpers/lying_layouts.py LAYOUT DIR

Makes copies of the OCI layout LAYOUT (tag "demo") below DIR, each wrong in one way, and prints
"NAME<tab>PATTERN" for each: the extended regular expression that a refusal must match.
"""
import gzip, hashlib, json, os, shutil, sys

src, out = sys.argv[1:]
OCI = "application/vnd.oci.image."


class Layout:
    def __init__(self, name):
        self.top = "%s/%s" % (out, name)
        shutil.copytree(src, self.top)
        self.index = json.load(open(self.top + "/index.json"))
        self.entry = self.index["manifests"][0]
        self.manifest = json.loads(self.blob(self.entry))
        self.config = json.loads(self.blob(self.manifest["config"]))

    def blob(self, d):
        with open("%s/blobs/%s" % (self.top, d["digest"].replace(":", "/")), "rb") as f:
            return f.read()

    def put(self, data, like):
        name = hashlib.sha256(data).hexdigest()
        with open("%s/blobs/sha256/%s" % (self.top, name), "wb") as f:
            f.write(data)
        return dict(like, digest="sha256:" + name, size=len(data))

    def layer(self, data):
        self.manifest["layers"][0] = self.put(data, self.manifest["layers"][0])

    def diff_ids(self):
        return self.config["rootfs"]["diff_ids"]

    def write(self, raw=None):
        if raw is None:
            self.manifest["config"] = self.put(
                json.dumps(self.config).encode(),
                {"mediaType": self.manifest["config"]["mediaType"]}) \
                if "config" in self.manifest else None
            raw = json.dumps(self.manifest).encode()
        self.index["manifests"][0] = self.put(raw, self.entry)
        with open(self.top + "/index.json", "w") as f:
            json.dump(self.index, f)


def gz(l):
    return l.blob(l.manifest["layers"][0])


def change(path, value):
    def f(l):
        d = l.manifest
        for key in path[:-1]:
            d = d[key]
        d[path[-1]] = value
    return f


def swap(l):
    l.diff_ids()[0], l.diff_ids()[1] = l.diff_ids()[1], l.diff_ids()[0]


def corrupt(l):
    d = bytearray(gz(l))
    d[len(d) // 2] ^= 0x55
    with open("%s/blobs/%s" % (l.top, l.manifest["layers"][0]["digest"].replace(":", "/")), "wb") as f:
        f.write(d)


CASES = {
    "fewer-diff-ids": ("3 layers, but 2 diff ids", lambda l: l.diff_ids().pop()),
    "more-diff-ids": ("3 layers, but 4 diff ids", lambda l: l.diff_ids().append(l.diff_ids()[0])),
    "swapped-diff-ids": ("layer [12] of 3: diff id is sha256:.*, not sha256:", swap),
    "other-tar": ("layer 1 of 3: diff id is", lambda l: l.layer(gzip.compress(bytes(10240)))),
    "corrupt-blob": ("layer 1 of 3: digest is sha256:.*, not sha256:", corrupt),
    "cut-gzip": ("layer 1 of 3: the packed layer is cut short", lambda l: l.layer(gz(l)[:-100])),
    "garbage-behind": ("followed by garbage", lambda l: l.layer(gz(l) + b"more")),
    "not-packed": ("declared as gzip, but is not", lambda l: l.layer(gzip.decompress(gz(l)))),
    "zstd-window": ("a window above 128 MiB", lambda l: l.layer(bytes.fromhex("28b52ffd00b0010000"))),
    "size-too-small": ("more than the 100 bytes", change(["layers", 0, "size"], 100)),
    "size-too-large": ("ends after", change(["layers", 0, "size"], 1 << 30)),
    "size-negative": ("no valid size", change(["layers", 0, "size"], -1)),
    "size-immense": ("more than the limit", change(["layers", 0, "size"], 1 << 60)),
    "digest-path": ("is not a digest", change(["layers", 0, "digest"], "sha256:../../../../x")),
    "encrypted": ("is encrypted", change(["layers", 0, "mediaType"], OCI + "layer.v1.tar+encrypted")),
    "unknown-type": ("unknown type", change(["layers", 0, "mediaType"], OCI + "layer.v1.rar")),
    "artifact": ("an artifact of type 'application/x'", change(["config", "mediaType"], "application/x")),
    "two-things": ("ambiguous", change(["manifests"], [])),
    "other-type": ("says it is", change(["mediaType"], OCI + "index.v1+json")),
    "schema-1": ("schema 1", change(["schemaVersion"], 1)),
    "null-layers": ("'layers' is not an array", change(["layers"], None)),
    "wrong-case": ("some would read as 'layers'", change(["Layers"], [])),
}
RAW = {
    "trailing": ("not valid JSON", lambda raw: raw + b"{}"),
    "duplicate": ("not valid JSON", lambda raw: raw[:-1] + b',"layers":[]}'),
    "deep": ("nested more than", lambda raw: raw[:-1] + b',"x":' + b"[" * 10000 + b"]" * 10000 + b"}"),
    "huge": ("claims [0-9]* bytes", lambda raw: raw + b" " * (5 << 20)),
    "empty": ("not valid JSON", lambda raw: b""),
}

for name, (pattern, f) in {**CASES, **RAW}.items():
    l = Layout(name)
    if name in RAW:
        l.write(f(json.dumps(l.manifest).encode()))
    else:
        f(l)
        l.write()
    print("%s\t%s" % (name, pattern))
