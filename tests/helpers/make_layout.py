#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: make_layout.py DIRECTORY TAG LAYER.tar…

Make an OCI image layout of tars, lowest layer first, or add an image to one that exists."""
import hashlib
import json
import os
import sys

directory, tag, *tars = sys.argv[1:]
blobs = os.path.join(directory, "blobs/sha256")
os.makedirs(blobs, exist_ok=True)


def put(data, media_type):
    name = hashlib.sha256(data).hexdigest()
    with open(os.path.join(blobs, name), "wb") as f:
        f.write(data)
    return {"mediaType": "application/vnd.oci.image." + media_type, "digest": "sha256:" + name, "size": len(data)}


layers = [put(open(tar, "rb").read(), "layer.v1.tar") for tar in tars]
config = {"os": "linux", "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64"),
          "created": "2024-05-06T07:08:09Z", "config": {"Cmd": ["/bin/sh", "-c", "true"], "Env": ["PATH=/bin"]},
          "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
          "history": [{"created": "2024-05-06T07:08:09Z", "created_by": "tar %d" % n} for n in range(len(layers))]}
manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": put(json.dumps(config).encode(), "config.v1+json"), "layers": layers}
entry = put(json.dumps(manifest).encode(), "manifest.v1+json")
entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
path = os.path.join(directory, "index.json")
index = json.load(open(path)) if os.path.exists(path) else {"schemaVersion": 2, "manifests": []}
index["manifests"].append(entry)
with open(path, "w") as f:
    json.dump(index, f)
with open(os.path.join(directory, "oci-layout"), "w") as f:
    f.write('{"imageLayoutVersion":"1.0.0"}')
