#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Over directories, what few programs ask for works as well: deep paths, big directories that change
# while they are read, direct I/O, leases, locks, flags, layers that change below what was written.
# EDGES_ENTRIES (default 20000) is the size of the big directory.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/dirs.sh"

export ENTRIES=${EDGES_ENTRIES:-20000}

check_layers_change_below_an_upper() {
	mkdir -p base/d base/kept
	echo one > base/file
	echo low > base/d/changed
	echo low > base/d/removed
	echo low > base/d/copied
	ovl base timeout=0
	echo upper >> mnt/d/copied
	rm mnt/d/removed
	touch mnt/d/mine
	assert_missing mnt/later mnt/d/later
	# Below: contents, new names, names that went, a name that was removed above comes back.
	echo two > base/file
	echo lower > base/d/changed
	echo x | tee base/later > base/d/later
	rm base/d/copied base/d/removed
	echo again > base/d/removed
	assert_content mnt/file two
	assert_content mnt/d/changed lower
	assert_content mnt/d/later x
	assert_content mnt/d/copied "$(printf 'low\nupper')"
	assert_missing mnt/d/removed
	assert_eq "$(names mnt)" "d d/changed d/copied d/later d/mine file kept later "
	# What came later can be changed, removed and renamed.
	echo y >> mnt/d/later
	mv mnt/later mnt/d/changed
	assert_content mnt/d/changed x
	rmdir base/kept
	echo file > base/kept
	assert_content mnt/kept file
	rm mnt/kept
	assert_missing mnt/kept
	assert_content base/kept file
	rm -r base/d
	assert_eq "$(names mnt)" "d d/changed d/copied d/later d/mine file "
	touch mnt/d/another
	rm mnt/d/mine
	umount mnt
	ovl base
	assert_eq "$(names mnt)" "d d/another d/changed d/copied d/later file "
}

check_deep_paths() {
	mkdir base
	cat > deep.py << 'END'
import os, sys
NAME, DEPTH = "n" * 200, 60  # three times PATH_MAX

def down(top, make):
    os.chdir(top)
    for i in range(DEPTH):
        if make:
            os.mkdir(NAME)
        os.chdir(NAME)

start = os.getcwd()
if sys.argv[1] == "make":
    down("base", True)
    open("low", "w").write("low")
elif sys.argv[1] == "change":
    down("mnt", False)
    assert open("low").read() == "low"
    open("low", "a").write("er")
    open("new", "w").write("new")
    os.mkdir("dir")
    os.rename("new", "dir/new")
    os.link("low", "dir/linked")
    os.unlink("low")
    os.symlink("x" * 4000, "symlink")
elif sys.argv[1] == "look":
    down("mnt", False)
    assert sorted(os.listdir()) == ["dir", "symlink"], os.listdir()
    assert open("dir/linked").read() == "lower"
    assert open("dir/new").read() == "new"
    os.unlink("dir/new")
END
	python3 deep.py make
	ovl base
	python3 deep.py change
	umount mnt
	ovl base
	python3 deep.py look
	rm -r mnt/n*
	assert_eq "$(ls -A mnt)" ""
}

# What stays while others come and go is seen once; a place in a listing stays a place.
check_big_directory() {
	mkdir -p base/d
	seq -f 'l%.0f' "$((ENTRIES / 2))" | (cd base/d && xargs touch)
	ovl base
	seq -f 'u%.0f' "$((ENTRIES / 2))" | (cd mnt/d && xargs touch)
	python3 - << 'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
libc.closedir.argtypes = libc.readdir.argtypes = libc.telldir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]

def name(d):
    p = libc.readdir(d)
    return ctypes.string_at(p + 19).decode() if p else None

n = int(os.environ["ENTRIES"])
want = {k + str(i) for k in "lu" for i in range(1, n // 2 + 1)}
d, seen, places = libc.opendir(b"mnt/d"), [], []
while (x := name(d)):
    seen.append(x)
    if len(seen) % 97 == 0:
        places.append((x, libc.telldir(d), len(seen)))
    if x[0] in "lu" and len(seen) % 3 == 0:
        os.unlink("mnt/d/" + x)
        if len(seen) % 51 == 0:
            open("mnt/d/new" + x, "w").close()
assert len(seen) == len(set(seen))
assert {x for x in seen if x[0] in "lu"} == want
# Back to places at which the next entry is known to be there still.
for x, at, i in places[::7]:
    rest = [y for y in seen[i:i + 60] if os.path.lexists("mnt/d/" + y) and y[0] in "lu"][0]
    libc.seekdir(d, at)
    # What was removed meanwhile may still be seen.
    while (y := name(d)) and (y[0] not in "lu" or not os.path.lexists("mnt/d/" + y)):
        pass
    assert y == rest, (x, y, rest)
libc.closedir(d)
END
	ls -U mnt/d > before
	umount mnt
	ovl base
	ls -U mnt/d | sort > after
	sort before | diff - after
	rm -r mnt/d
	assert_missing mnt/d
}

check_what_programs_ask() {
	mkdir -p base/d
	head -c 65536 /dev/urandom > base/direct
	cp base/direct base/same
	echo x | tee base/leased > base/locked
	ovl base
	python3 - << 'END'
import array, fcntl, mmap, os, signal, subprocess, sys

# Direct I/O, on what is still a layer's and on the copy
want = open("base/direct", "rb").read()
fd = os.open("mnt/direct", os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 8192)
assert os.preadv(fd, [page], 4096) == 8192 and page[:] == want[4096:12288]
page[:] = b"\xaa" * 8192
assert os.pwritev(fd, [page], 8192) == 8192
os.close(fd)
want = want[:8192] + b"\xaa" * 8192 + want[16384:]
assert open("mnt/direct", "rb").read() == want
# Two writers that append
a = os.open("mnt/same", os.O_WRONLY | os.O_APPEND)
b = os.open("mnt/same", os.O_WRONLY | os.O_APPEND)
for i in range(50):
    os.write(a, b"a" * 100)
    os.write(b, b"b" * 100)
os.close(a), os.close(b)
assert os.stat("mnt/same").st_size == 65536 + 10000
# Flags of a file
for path in ("mnt/d", "mnt/locked", "mnt/direct"):
    fd = os.open(path, os.O_RDONLY)
    flags = array.array("l", [-1])
    try:
        fcntl.ioctl(fd, 0x80086601, flags)  # FS_IOC_GETFLAGS
        assert flags[0] != -1
    except OSError as e:
        # The filesystem of the layer or of the upper may have none: tmpfs before Linux 6.6.
        assert e.errno == 25, (path, e)
    os.close(fd)
# Leases: the kernel's own, broken by a writer who does not wait
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open("mnt/leased", os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
assert fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK
try:
    os.open("mnt/leased", os.O_WRONLY | os.O_NONBLOCK)
    assert False, "the lease was not noticed"
except BlockingIOError:
    pass
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
os.close(fd)
# Locks, before and after copy-up, seen by another process
fd = os.open("mnt/locked", os.O_RDWR)
fcntl.lockf(fd, fcntl.LOCK_EX, 10, 5)
other = "import fcntl, os; fd = os.open('mnt/locked', os.O_RDWR); fcntl.%s(fd, fcntl.LOCK_EX | fcntl.LOCK_NB%s)"
try_it = lambda how, where: subprocess.run([sys.executable, "-c", other % (how, where)],
                                           stderr=subprocess.DEVNULL).returncode == 0
assert not try_it("lockf", ", 10, 5") and try_it("lockf", ", 10, 50")
os.write(fd, b"changed")
assert not try_it("lockf", ", 10, 5")
fcntl.flock(fd, fcntl.LOCK_EX)
assert not try_it("flock", "")
os.close(fd)
assert try_it("flock", "") and try_it("lockf", ", 10, 5")
END
	echo dirty > mnt/d/file
	sync -f mnt/d/file
	assert_content upper/d/file dirty
}

# Only the machine's root may write these.
t_layers_change_below_an_upper() { ns check_layers_change_below_an_upper; }
t_deep_paths() {
	need python3
	ns check_deep_paths
}
t_big_directory_that_changes() {
	need python3
	ns check_big_directory
}
t_what_programs_ask() {
	need python3
	ns check_what_programs_ask
}

run_tests
