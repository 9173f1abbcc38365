#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the same random things to a mount and to a plain directory, and compares.

usage: differential.py MOUNT PLAIN SEED SECONDS PROCESSES

Both hold the same trees 0, 1, … at the start, one for each process.  Each operation must give the same
answer or the same errno, and every now and then the two trees must be equal: names, types, modes,
sizes, link counts, targets, contents, attributes.  A line "remount" or "kill" on stdout asks for a
remount, or for the death of the daemon before it; any line on stdin says that it is done.  The last
line is the number of operations.
"""

import ctypes
import errno
import mmap
import multiprocessing
import os
import random
import stat
import sys
import time
import traceback

NAMES = ["a", "b", "c", "d", "e", "f", "g"]
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
CHECK_EVERY, ROUND = 150, 700  # operations
MAX_BYTES = 200000
LAST = int(os.environ.get("DIFFERENTIAL_TAIL", "40"))  # operations that a failure shows

libc = ctypes.CDLL(None, use_errno=True)


class Side:
    """One of the two trees, with the files that are open in it."""

    def __init__(self, root):
        self.root = root
        self.fds = {}

    def path(self, rel):
        return os.path.join(self.root, rel)

    def close_all(self):
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}


def renameat2(old, new, flags):
    if libc.renameat2(-100, os.fsencode(old), -100, os.fsencode(new), flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def describe(st):
    """What has to be the same on both sides."""
    size = st.st_size if stat.S_ISREG(st.st_mode) or stat.S_ISLNK(st.st_mode) else 0
    mode = stat.S_IFMT(st.st_mode) if stat.S_ISLNK(st.st_mode) else st.st_mode
    return (oct(mode), st.st_nlink, size, st.st_uid, st.st_gid)


def write_at(path, off, data):
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    try:
        return os.pwrite(fd, data, off)
    finally:
        os.close(fd)


def read_all(path):
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.pread(fd, 2 * MAX_BYTES, 0)
    finally:
        os.close(fd)


def append(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def create(path, mode, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def truncate_open(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def copy_range(src, dst, off_in, off_out, count):
    a = os.open(src, os.O_RDONLY | os.O_NONBLOCK)
    try:
        b = os.open(dst, os.O_RDWR | os.O_NONBLOCK)
        try:
            return os.copy_file_range(a, b, count, off_in, off_out)
        finally:
            os.close(b)
    finally:
        os.close(a)


def write_mapped(path, off, data):
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode) or os.fstat(fd).st_size < off + len(data) + 1:
            return None
        with mmap.mmap(fd, 0) as m:
            m[off:off + len(data)] = data
            return m[0]
    finally:
        os.close(fd)


def punch(path, off, count):
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        if libc.fallocate(fd, 3, ctypes.c_long(off), ctypes.c_long(count)):
            raise OSError(ctypes.get_errno(), "fallocate")
    finally:
        os.close(fd)


class Random:
    """Picks an operation: a name for the log and a function of the side."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.weights = [(getattr(self, n), getattr(self, n).weight)
                        for n in sorted(dir(self)) if n.startswith("op_")]
        self.known = []

    def next(self):
        ops, weights = zip(*self.weights)
        return self.r.choices(ops, weights)[0]()

    def rel(self):
        if self.known and self.r.random() < 0.5:
            return self.r.choice(self.known)
        return "/".join(self.r.choices(NAMES, k=self.r.choice((1, 2, 2, 3, 3, 4))))

    def data(self):
        n = self.r.choice((0, 1, 10, 4096, 5000, 70000))
        return bytes([self.r.randrange(256)]) * n

    def off(self):
        return self.r.choice((0, 1, 100, 4095, 4096, 10000, 100000))

    def op_create(self):
        p, mode, data = self.rel(), self.r.choice((0o644, 0o600, 0o755)), self.data()
        return f"create {p} {mode:o} {len(data)}", lambda s: create(s.path(p), mode, data)

    def op_mkdir(self):
        p = self.rel()
        return f"mkdir {p}", lambda s: os.mkdir(s.path(p))

    def op_symlink(self):
        p, target = self.rel(), self.rel()
        return f"symlink {p}", lambda s: os.symlink(target, s.path(p))

    def op_mkfifo(self):
        p = self.rel()
        return f"mkfifo {p}", lambda s: os.mkfifo(s.path(p))

    def op_unlink(self):
        p = self.rel()
        return f"unlink {p}", lambda s: os.unlink(s.path(p))

    def op_rmdir(self):
        p = self.rel()
        return f"rmdir {p}", lambda s: os.rmdir(s.path(p))

    def op_rename(self):
        p, q = self.rel(), self.rel()
        flags = self.r.choice((0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE))
        return f"rename {p} {q} {flags}", lambda s: renameat2(s.path(p), s.path(q), flags)

    def op_link(self):
        p, q = self.rel(), self.rel()
        return f"link {p} {q}", lambda s: os.link(s.path(p), s.path(q), follow_symlinks=False)

    def op_write(self):
        p, off, data = self.rel(), self.off(), self.data()
        return f"write {p} {off} {len(data)}", lambda s: write_at(s.path(p), off, data)

    def op_append(self):
        p, data = self.rel(), self.data()[:5000]
        return f"append {p} {len(data)}", lambda s: append(s.path(p), data)

    def op_truncate(self):
        p, size = self.rel(), self.off()
        return f"truncate {p} {size}", lambda s: os.truncate(s.path(p), size)

    def op_truncate_open(self):
        p, data = self.rel(), self.data()
        return f"O_TRUNC {p} {len(data)}", lambda s: truncate_open(s.path(p), data)

    def op_copy_range(self):
        p, q, i, o = self.rel(), self.rel(), self.off(), self.off()
        return f"copy {p} {i} {q} {o}", lambda s: copy_range(s.path(p), s.path(q), i, o, 30000)

    def op_read(self):
        p = self.rel()
        return f"read {p}", lambda s: read_all(s.path(p))

    def op_stat(self):
        p = self.rel()
        return f"stat {p}", lambda s: describe(os.lstat(s.path(p)))

    def op_list(self):
        p = self.rel()
        return f"list {p}", lambda s: sorted(os.listdir(s.path(p)))

    def op_readlink(self):
        p = self.rel()
        return f"readlink {p}", lambda s: os.readlink(s.path(p))

    def op_chmod(self):
        p, mode = self.rel(), self.r.choice((0o700, 0o755, 0o2755, 0o1777))
        return f"chmod {p} {mode:o}", lambda s: os.chmod(s.path(p), mode)

    def op_chown(self):
        p, uid, gid = self.rel(), self.r.randrange(3), self.r.randrange(3)
        return f"chown {p} {uid} {gid}", lambda s: os.chown(s.path(p), uid, gid,
                                                           follow_symlinks=False)

    def op_utime(self):
        p, t = self.rel(), self.r.randrange(10**9, 2 * 10**9) * 10**9 + self.r.randrange(10**9)

        def set_and_look(s):
            os.utime(s.path(p), ns=(t, t), follow_symlinks=False)
            return os.lstat(s.path(p)).st_mtime_ns
        return f"utime {p}", set_and_look

    def op_xattr(self):
        p, name, value = self.rel(), self.r.choice(("user.x", "user.overlay.y")), self.data()[:99]
        if self.r.random() < 0.3:
            return f"removexattr {p} {name}", lambda s: os.removexattr(s.path(p), name)
        return f"setxattr {p} {name}", lambda s: os.setxattr(s.path(p), name, value)

    def op_open(self):
        p, key = self.rel(), self.r.randrange(8)

        def replace(s):
            fd = os.open(s.path(p), os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
            if key in s.fds:
                os.close(s.fds[key])
            s.fds[key] = fd
        return f"open {p} as {key}", replace

    def op_use(self):
        key, off, data, what = self.r.randrange(8), self.off(), self.data(), self.r.randrange(5)

        def use(s):
            fd = s.fds.get(key)
            if fd is None or not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            if what == 0:
                return os.pwrite(fd, data, off)
            if what == 1:
                return os.pread(fd, MAX_BYTES, 0)
            if what == 2:
                return os.ftruncate(fd, off)
            if what == 3:
                return os.fchmod(fd, 0o640)
            return describe(os.fstat(fd))
        return f"use {key} {off} {len(data)} {what}", use

    def op_map(self):
        p, off, data = self.rel(), self.off(), self.data()
        return f"mmap {p} {off} {len(data)}", lambda s: write_mapped(s.path(p), off, data)

    def op_punch(self):
        p, off, n = self.rel(), self.off(), self.r.choice((1, 4096, 50000))
        return f"punch {p} {off} {n}", lambda s: punch(s.path(p), off, n)

    def op_opendir(self):
        p, key = self.rel(), self.r.randrange(8, 12)

        def replace(s):
            fd = os.open(s.path(p), os.O_RDONLY | os.O_DIRECTORY)
            if key in s.fds:
                os.close(s.fds[key])
            s.fds[key] = fd
        return f"opendir {p} as {key}", replace

    def op_use_dir(self):
        key, name, what = self.r.randrange(8, 12), self.r.choice(NAMES), self.r.randrange(6)

        def use(s):
            fd = s.fds.get(key)
            if fd is None:
                return None
            if what == 0:
                return os.mkdir(name, dir_fd=fd)
            if what == 1:
                return os.fchmod(fd, 0o711)
            if what == 2:
                return os.unlink(name, dir_fd=fd)
            if what == 3:
                return describe(os.fstat(fd))
            if what == 4:
                return describe(os.stat(name, dir_fd=fd, follow_symlinks=False))
            return sorted(os.listdir(fd))
        return f"use directory {key} {name} {what}", use

    op_map.weight = op_punch.weight = op_opendir.weight = 3
    op_use_dir.weight = 6
    op_create.weight = op_mkdir.weight = op_rename.weight = 12
    op_unlink.weight = op_write.weight = op_link.weight = op_rmdir.weight = 8
    op_stat.weight = op_list.weight = op_open.weight = op_use.weight = 6
    op_read.weight = op_append.weight = op_truncate.weight = op_chmod.weight = 4
    op_symlink.weight = op_mkfifo.weight = op_chown.weight = op_utime.weight = 3
    op_xattr.weight = op_copy_range.weight = op_readlink.weight = op_truncate_open.weight = 3


def attempt(side, fn):
    try:
        return fn(side)
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def snapshot(root):
    """Everything below a directory, and which names are one inode."""
    found, groups = {}, {}
    for top, dirs, files in os.walk(root):
        with os.scandir(top) as it:
            numbers = {e.name: e.inode() for e in it}
        for name in dirs + files:
            path = os.path.join(top, name)
            rel = os.path.relpath(path, root)
            st = os.lstat(path)
            facts = [describe(st), numbers[name] == st.st_ino]
            if stat.S_ISREG(st.st_mode):
                facts.append(hash(read_all(path)))
            if stat.S_ISLNK(st.st_mode):
                facts.append(os.readlink(path))
            if stat.S_ISREG(st.st_mode) or stat.S_ISDIR(st.st_mode):
                facts.append(sorted((n, os.getxattr(path, n)) for n in os.listxattr(path)))
            facts.append(groups.setdefault(st.st_ino, rel) if not stat.S_ISDIR(st.st_mode) else "")
            found[rel] = facts
    # The first name in the order of the listing differs; the smallest one does not.
    first = {}
    for rel in sorted(found):
        first.setdefault(found[rel][-1], rel)
    for facts in found.values():
        facts[-1] = first[facts[-1]]
    return found


def differences(a, b):
    names = sorted(set(a) | set(b))
    return [f"{k}: {a.get(k)} / {b.get(k)}" for k in names if a.get(k) != b.get(k)]


def inos(root):
    return {os.path.relpath(os.path.join(top, n), root): os.lstat(os.path.join(top, n)).st_ino
            for top, dirs, files in os.walk(root) for n in dirs + files}


class Failure(Exception):
    pass


def fail(log, text):
    last = "".join(f"#   {line}\n" for line in log[-LAST:])
    raise Failure("# the last operations:\n" + last + "# " + text.replace("\n", "\n# "))


def check(sides, rnd, log):
    found = snapshot(sides[1].root)
    diff = differences(snapshot(sides[0].root), found)
    rnd.known = sorted(found)
    if diff:
        fail(log, "the trees differ (mount / plain):\n" + "\n".join(diff[:20]))


def run_round(sides, rnd, log, end):
    """Some operations; how many they were."""
    for n in range(1, ROUND + 1):
        if n % 50 == 0 and time.monotonic() > end:
            break
        text, fn = rnd.next()
        got = attempt(sides[0], fn)
        want = attempt(sides[1], fn)
        log.append(f"{n} {text} → {str(want)[:60]}")
        if got != want:
            fail(log, f"the mount says {str(got)[:300]}, a plain directory {str(want)[:300]}")
        if n % CHECK_EVERY == 0:
            check(sides, rnd, log)
    for s in sides:
        s.close_all()
    check(sides, rnd, log)
    return n


def work(pipe, sides, seed, end):
    """A process: a round of operations, or a look at the trees, at each word from the parent."""
    rnd, log = Random(seed), []
    try:
        check(sides, rnd, log)
        for word in iter(pipe.recv, "end"):
            log.append(f"--- {word}")
            n = 0
            if word == "round":
                n = run_round(sides, rnd, log, end)
            else:
                check(sides, rnd, log)
            pipe.send(n)
    except Failure as e:
        pipe.send(str(e))
    except Exception:
        pipe.send("# " + traceback.format_exc().replace("\n", "\n# "))


def tell(pipes, word):
    """All do it at the same time; the sum of their answers."""
    total = 0
    for p in pipes:
        p.send(word)
    for i, p in enumerate(pipes):
        answer = p.recv()
        if isinstance(answer, str):
            print(f"# process {i}:\n{answer}", file=sys.stderr)
            sys.exit(1)
        total += answer
    return total


def sync(mount):
    fd = os.open(mount, os.O_RDONLY)
    if libc.syncfs(fd):
        raise OSError(ctypes.get_errno(), "syncfs")
    os.close(fd)


def remount(mount, word):
    before = inos(mount)
    if word == "kill":
        sync(mount)  # what the kernel holds for the daemon would be lost with it
    print(word, flush=True)
    sys.stdin.readline()
    moved = differences(before, inos(mount))
    if moved:
        print("# inode numbers changed:", *moved[:20], sep="\n# ", file=sys.stderr)
        sys.exit(1)


def main():
    mount, plain, seed, seconds, processes = sys.argv[1:]
    end, pipes, n = time.monotonic() + float(seconds), [], 0
    for i in range(int(processes)):
        mine, theirs = multiprocessing.Pipe()
        sides = [Side(os.path.join(mount, str(i))), Side(os.path.join(plain, str(i)))]
        multiprocessing.Process(target=work, args=(theirs, sides, int(seed) * 100 + i, end),
                                daemon=True).start()
        pipes.append(mine)
    words = random.Random(int(seed))
    while time.monotonic() < end:
        n += tell(pipes, "round")
        word = words.choice(("remount", "remount", "kill"))
        remount(mount, word)
        tell(pipes, word)
    for p in pipes:
        p.send("end")
    print(n)


main()
