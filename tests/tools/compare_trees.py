#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: compare_trees.py [--no-devices] [--skip PATH]… A B

Compares two trees entry by entry: names, types, permission bits, owners, sizes, modification times in
nanoseconds, link targets, device numbers, extended attributes, contents, and which names are hard
links of each other. Prints a line for each difference and exits with 1 if there is one.

--no-devices: B was unpacked where devices cannot be made; an empty file stands for each there.
--skip: leave out this path (relative to the roots) and what is below it.
"""
import argparse, hashlib, os, stat, sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink",
         stat.S_IFCHR: "character device", stat.S_IFBLK: "block device", stat.S_IFIFO: "fifo",
         stat.S_IFSOCK: "socket"}
# What unpackers write beside the image's own attributes
IGNORED = ("user.rootlesscontainers", "security.selinux")


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def xattrs(path):
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return {n: os.getxattr(path, n, follow_symlinks=False) for n in names if n not in IGNORED}
    except OSError:
        return {}


def describe(path, st):
    kind = KINDS[stat.S_IFMT(st.st_mode)]
    facts = {"type": kind, "mode": "%04o" % stat.S_IMODE(st.st_mode), "uid": st.st_uid,
             "gid": st.st_gid, "mtime": st.st_mtime_ns, "xattrs": xattrs(path)}
    if kind == "file":
        facts["size"] = st.st_size
        facts["content"] = digest(path)
    elif kind == "symlink":
        facts["target"] = os.readlink(path)
    elif kind.endswith("device"):
        facts["device"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
    return facts


def scan(root, skipped):
    """relative path -> facts; a hard link has the first of its names, in order, as a fact"""
    tree, first = {}, {}
    todo = [b""]
    while todo:
        name = todo.pop(0)
        if name in skipped:
            continue
        path = os.path.join(root, name) if name else root
        st = os.lstat(path)
        tree[name] = describe(path, st)
        if stat.S_ISDIR(st.st_mode):
            todo += sorted(os.path.join(name, n) for n in os.listdir(path))
        elif st.st_nlink > 1:
            tree[name]["links"] = st.st_nlink
            tree[name]["hard link of"] = first.setdefault((st.st_dev, st.st_ino), name)
    return tree


def differences(a, b, no_devices):
    for name in sorted(set(a) | set(b)):
        shown = os.fsdecode(name) or "."
        if name not in b:
            yield "%s: only in A" % shown
        elif name not in a:
            yield "%s: only in B" % shown
        else:
            x, y = dict(a[name]), dict(b[name])
            if no_devices and "device" in x and y.get("size") == 0:
                for facts in (x, y):
                    for fact in ("type", "device", "size", "content"):
                        facts.pop(fact, None)
            for fact in sorted(set(x) | set(y)):
                if x.get(fact) != y.get(fact):
                    yield "%s: %s %r, %r" % (shown, fact, x.get(fact), y.get(fact))


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("--no-devices", action="store_true")
    ap.add_argument("--skip", action="append", default=[])
    ap.add_argument("a")
    ap.add_argument("b")
    args = ap.parse_args()
    skipped = {os.fsencode(p.strip("/")) for p in args.skip}
    a, b = scan(os.fsencode(args.a), skipped), scan(os.fsencode(args.b), skipped)
    n = 0
    for line in differences(a, b, args.no_devices):
        n += 1
        if n <= 50:
            print(line)
    print("%d entries, %d differences" % (len(a), n))
    sys.exit(1 if n else 0)


main()
