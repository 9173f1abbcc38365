#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tests/helpers/add_layer.py LAYOUT NEW MIB

Copies the OCI layout LAYOUT to NEW and adds a last layer to its first image: a plain tar with one
file of MIB random mebibytes, so that its digest is its diff id."""
import hashlib, io, json, os, shutil, sys, tarfile

src, dst, mib = sys.argv[1], sys.argv[2], int(sys.argv[3])
shutil.copytree(src, dst)


def load(name):
    with open(dst + "/" + name) as f:
        return json.load(f)


def blob(data):
    name = hashlib.sha256(data).hexdigest()
    with open(dst + "/blobs/sha256/" + name, "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + name, "size": len(data)}


def json_blob(obj):
    return blob(json.dumps(obj).encode())


def path_of(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w") as tar:
    info = tarfile.TarInfo("big")
    info.size = mib << 20
    tar.addfile(info, io.BytesIO(os.urandom(info.size)))
layer = blob(out.getvalue())
index = load("index.json")
manifest = load(path_of(index["manifests"][0]))
config = load(path_of(manifest["config"]))
config["rootfs"]["diff_ids"].append(layer["digest"])
manifest["config"].update(json_blob(config))
manifest["layers"].append(dict(layer, mediaType="application/vnd.oci.image.layer.v1.tar"))
index["manifests"][0].update(json_blob(manifest))
with open(dst + "/index.json", "w") as f:
    json.dump(index, f)
print(layer["digest"])
