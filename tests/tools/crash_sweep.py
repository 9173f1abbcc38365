#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills lamina-overlay, or makes its system calls fail, at each change that it makes on disk.

usage: crash_sweep.py kill|ERRNO POINTS SEED OPTIONS

Runs in an empty directory, as root of a mount namespace.  For each operation below, and each N, strace
lets the N-th system call that changes something be the daemon's last, or fail.  What the next mount
shows has to be what was there before the operation or what is there after it, and whatever the daemon
left behind must have been swept.  POINTS of all points are tried, chosen by SEED; 0: all of them.
The last line of stdout is their number.
"""

import atexit
import ctypes
import errno
import hashlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time

CHANGES = ("mkdirat,openat,renameat,renameat2,unlinkat,linkat,symlinkat,mknodat,fsetxattr,fremovexattr,"
           "ftruncate,fallocate,copy_file_range,write,pwrite64,sendfile,fsync,utimensat,fchmod,fchmodat,"
           "fchown,fchownat")
PROGRAM = os.environ["LAMINA_OVERLAY"]
SCALE = float(os.environ.get("TEST_SCALE", "1"))
libc = ctypes.CDLL(None, use_errno=True)


def make_base():
    for d in ("d/sub", "empty", "full", "whole/deep/er", "acl"):
        os.makedirs("base/" + d)
    for name in ("file", "gone", "copied", "over", "one", "d/in", "d/sub/x", "full/a", "full/b",
                 "whole/f", "whole/deep/g", "whole/deep/er/h"):
        with open("base/" + name, "wb") as f:
            f.write(name.encode() * 3000)
    os.link("base/one", "base/d/two")
    os.link("base/one", "base/d/three")
    os.symlink("file", "base/link")
    os.mkfifo("base/fifo")


def prepare():
    """What the upper has before the operation."""
    os.unlink("mnt/gone")
    os.chmod("mnt/copied", 0o600)
    for name in ("full/a", "full/b"):
        os.unlink("mnt/" + name)
    os.mkdir("mnt/own")
    with open("mnt/own/file", "w") as f:
        f.write("own")


def write(path, flags, data=b"new"):
    fd = os.open(path, flags, 0o644)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def create(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def rename(old, new, flags=0):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags):
        raise OSError(ctypes.get_errno(), "renameat2")


OPERATIONS = {
    "chmod a layer's file": lambda: os.chmod("file", 0o600),
    "append to a layer's file": lambda: write("file", os.O_WRONLY | os.O_APPEND),
    "append to one of several names": lambda: write("d/two", os.O_WRONLY | os.O_APPEND),
    "chmod one of several names": lambda: os.chmod("d/two", 0o600),
    "truncate a layer's file": lambda: os.truncate("d/in", 100),
    "set an attribute deep below": lambda: os.setxattr("whole/deep/er/h", "user.x", b"1"),
    "chmod a fifo": lambda: os.chmod("fifo", 0o600),
    "unlink a layer's file": lambda: os.unlink("file"),
    "unlink a copied file": lambda: os.unlink("copied"),
    "unlink one of several names": lambda: os.unlink("d/two"),
    "unlink a file of the upper's own": lambda: os.unlink("own/file"),
    "rmdir a layer's directory": lambda: os.rmdir("empty"),
    "rmdir one that holds whiteouts": lambda: os.rmdir("full"),
    "rename a layer's file": lambda: rename("file", "renamed"),
    "rename over a layer's file": lambda: rename("own/file", "over"),
    "rename over a whiteout": lambda: rename("copied", "gone"),
    "rename one of several names": lambda: rename("d/two", "own/two"),
    "rename a symlink": lambda: rename("link", "own/link"),
    "rename a layer's directory": lambda: rename("whole", "own/whole"),
    "rename a directory over an empty one": lambda: rename("whole", "empty"),
    "rename a directory over whiteouts": lambda: rename("own", "full"),
    "rename a directory over a whiteout": lambda: rename("d", "gone"),
    "exchange files": lambda: rename("file", "own/file", 2),
    "exchange a directory and a file": lambda: rename("whole", "own/file", 2),
    "link a layer's file": lambda: os.link("file", "own/linked"),
    "link over a whiteout": lambda: os.link("d/two", "gone"),
    "create": lambda: create("own/new"),
    "create over a whiteout": lambda: create("gone"),
    "mkdir over a whiteout": lambda: os.mkdir("full/a"),
    "mkdir": lambda: os.mkdir("d/sub/new"),
    "symlink over a whiteout": lambda: os.symlink("target", "gone"),
}


def facts(root):
    """Names, types, modes, contents and attributes; all that a crash may not mix."""
    found = {}
    for top, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(top, name)
            st = os.lstat(path)
            what = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_rdev]
            if stat.S_ISLNK(st.st_mode):
                what.append(os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    what.append(hashlib.md5(f.read()).hexdigest())
                what.append(sorted((n, os.getxattr(path, n)) for n in os.listxattr(path)))
            found[os.path.relpath(path, root)] = what
    return found


def wait_until(what, cond):
    end = time.monotonic() + 30 * SCALE
    while not cond():
        if time.monotonic() > end:
            sys.exit(f"never came true: {what}")
        time.sleep(0.005)


class Mount:
    """A daemon that serves in one thread, so that its calls can be counted."""

    def __init__(self, options):
        words = "lowerdir=base,upperdir=now/upper,workdir=now/work,threaded=0" + options
        self.daemon = subprocess.Popen([PROGRAM, "-f", "-o", words, "mnt"],
                                       stdout=subprocess.DEVNULL)
        atexit.register(self.daemon.kill)
        wait_until("a mount", lambda: os.path.ismount("mnt") or self.daemon.poll() is not None)
        if self.daemon.poll() is not None:
            sys.exit("cannot mount again")

    def end(self):
        libc.umount2(b"mnt", 2)
        self.daemon.wait()


class Strace:
    def __init__(self, pid, inject):
        self.p = subprocess.Popen(
            ["strace", "-f", "-o", "trace", "-e", "trace=" + CHANGES,
             "-e", f"inject={CHANGES}:{inject}", "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        if "attached" not in self.p.stderr.readline():
            sys.exit("strace cannot attach")

    def end(self, how=signal.SIGINT):
        """Its text; a strace whose tracees were killed may wait for them for ever: SIGKILL."""
        self.p.send_signal(how)
        self.p.wait()
        self.p.stderr.close()
        with open("trace") as f:
            return f.read()


def fresh():
    shutil.rmtree("now", ignore_errors=True)
    subprocess.run(["cp", "-a", "template", "now"], check=True)


def perform(op):
    """0 or an errno."""
    top = os.open(".", os.O_RDONLY)
    os.chdir("mnt")
    try:
        OPERATIONS[op]()
        return 0
    except OSError as e:
        return e.errno
    finally:
        os.fchdir(top)  # ".." of a dead mount cannot be looked up
        os.close(top)


def look_again(options):
    m = Mount(options)
    found = facts("mnt")
    left = [n for n in os.listdir("now/work/lamina/work") if n.startswith("w")]
    m.end()
    if left:
        sys.exit(f"left in work/: {left}")
    check = subprocess.run([PROGRAM, "--check", "now/upper", "-o", "lowerdir=base,workdir=now/work"],
                           stdout=subprocess.PIPE, text=True)
    # A whiteout that hides nothing any more does no harm; a crash may leave one.
    bad = [line for line in check.stdout.splitlines()
           if "a whiteout hides nothing" not in line and "whiteout in an opaque" not in line]
    return found, bad


def difference(found, want):
    return "\n".join(f"  {n}: {found.get(n)} / {want.get(n)}"
                     for n in sorted(set(found) | set(want)) if found.get(n) != want.get(n))


def count_calls(op, options):
    """How many changes the operation makes, and what is there afterwards."""
    fresh()
    m = Mount(options)
    s = Strace(m.daemon.pid, "delay_enter=0")
    code = perform(op)
    text = s.end()
    m.end()
    if code:
        sys.exit(f"{op}: {os.strerror(code)}")
    found, bad = look_again(options)
    if bad:
        sys.exit(f"{op}: the check says {bad}")
    return sum("(" in line and "+++" not in line for line in text.splitlines()), found


def try_point(op, n, how, options, old, new):
    fresh()
    m = Mount(options)
    inject = "signal=KILL" if how == "kill" else "error=" + how
    s = Strace(m.daemon.pid, f"{inject}:when={n}")
    code = perform(op)
    if how == "kill":
        m.daemon.kill()
    elif m.daemon.poll() is not None:
        sys.exit(f"{op}, call {n}: the daemon has ended")
    text = s.end(signal.SIGKILL if how == "kill" else signal.SIGINT)
    if how != "kill" and code not in (0, getattr(errno, how)):
        sys.exit(f"{op}, call {n}: {os.strerror(code)} instead of {how}\n{text}")
    # What could not be written back is the kernel's to keep or to drop: no second write.
    if how != "kill" and code and not op.startswith("append"):
        again = perform(op)
        if again not in (0, getattr(errno, how), errno.EIO):
            sys.exit(f"{op}, call {n}: again: {os.strerror(again)}\n{text}")
    m.end()
    found, bad = look_again(options)
    if bad:
        sys.exit(f"{op}, call {n}: the check says {bad}\n{text}")
    if found not in (old, new):
        sys.exit(f"{op}, call {n}: neither old nor new\nold:\n{difference(found, old)}\nnew:\n"
                 f"{difference(found, new)}\n{text}")


def main():
    how, points, seed, options = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    os.umask(0o022)
    for d in ("template/upper", "template/work", "mnt"):
        os.makedirs(d)
    make_base()
    fresh()
    m = Mount(options)
    prepare()
    m.end()
    shutil.rmtree("template")
    os.rename("now", "template")
    fresh()
    old, _ = look_again(options)
    ops = sorted(OPERATIONS)
    rnd = random.Random(seed)
    if points:
        rnd.shuffle(ops)
        ops = ops[:max(1, (points + 3) // 4)]
    done = 0
    for op in ops:
        n_calls, new = count_calls(op, options)
        chosen = range(1, n_calls + 1)
        if points:
            chosen = sorted(rnd.sample(chosen, min(4, n_calls)))
        for n in chosen:
            try_point(op, n, how, options, old, new)
            done += 1
    print(done)


main()
