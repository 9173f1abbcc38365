#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What operations of the overlay filesystem cost: requests, and system calls of the daemon.

. "${0%/*}/lib.sh"

. "$SRC/tests/helpers/ovl.sh"

# traced COMMAND OPTION…: what strace sees of the daemon meanwhile, in "trace"
traced() {
	local command=$1 pid tracer

	shift
	pid=$(cat pid)
	strace -f "$@" -p "$pid" -o trace 2> /dev/null &
	tracer=$!
	wait_for "grep -q 'TracerPid:.[1-9]' /proc/$pid/status"
	bash -euc "$command" > /dev/null
	# The daemon answers in order of arrival as far as one client can tell: this is the last.
	stat "mnt/end-$RANDOM$RANDOM" > /dev/null 2>&1 || true
	kill -INT "$tracer"
	wait "$tracer" || true
}

# requests COMMAND: how many requests of which kind the daemon reads meanwhile, in "requests"
requests() {
	traced "$1" -e trace=read -e read=none -xx -s 16
	python3 - << 'END' > requests
import collections, re
kinds = {1: "lookup", 2: "forget", 3: "getattr", 4: "setattr", 8: "mknod", 10: "unlink", 14: "open",
    15: "read", 16: "write", 18: "release", 22: "getxattr", 25: "flush", 27: "opendir", 35: "create",
    42: "forget", 44: "readdirplus", 28: "readdir"}
count = collections.Counter()
for line in open("trace"):
    m = re.search(r'"((?:\\x..){16})', line)
    if m:
        raw = bytes(int(x, 16) for x in m.group(1).split("\\x")[1:])
        count[kinds.get(int.from_bytes(raw[4:8], "little"), "other")] += 1
count["lookup"] -= 1
for kind, n in sorted(count.items()):
    if n and kind != "forget":
        print(kind, n)
END
}

# calls COMMAND: which system calls the daemon makes meanwhile, without those that wait, in "calls"
calls() {
	traced "$1"
	# A thread more, which may start at any time, opens the device.
	sed -En '/\/dev\/fuse/d; s/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' trace | grep -vE '^(read|writev|futex|rt_sig.*)$' |
		sort | uniq -c > calls
}

# n_calls NAME: how many of them in "calls"
n_calls() {
	awk -v name="$1" '$2 == name { n = $1 } END { print n + 0 }' calls
}

check_requests_of_readers() {
	mkdir -p tree/d mnt
	seq 50 | (cd tree/d && while read -r i; do echo "$i" > "f$i"; done)
	"$OVLMOUNT" tree - mnt > pid
	cat mnt/d/f50 > /dev/null	# the first open tells the kernel that there is no need to
	ls -l mnt/d > /dev/null
	stat mnt/d/f50 > /dev/null	# asks once whether there are birth times
	requests 'ls mnt/d; find mnt/d -size +1k'
	assert_eq "$(grep -v other requests)" "" "requests of a warm listing"
	requests 'cat mnt/d/f1'
	assert_eq "$(cat requests)" "read 1" "requests of a first read"
	requests 'cat mnt/d/f1 mnt/d/f1'
	assert_eq "$(cat requests)" "" "requests of a warm read"
	requests 'stat mnt/d/f1 mnt/d/f2'
	assert_eq "$(cat requests)" "" "requests of a warm stat"
}

t_warm_reading_asks_nothing() {
	need strace python3
	ns check_requests_of_readers
}

check_requests_of_writers() {
	mkdir -p tree/d
	echo x > tree/d/x
	mnt
	echo first > mnt/d/first
	requests 'echo small > mnt/d/small'
	[ "$(awk '!/getattr/ { n += $2 } END { print n }' requests)" -le 5 ] ||
		fail "creating a small file: $(cat requests)"
	requests 'dd if=/dev/zero of=mnt/d/big bs=4k count=4096 2> /dev/null'
	[ "$(awk '{ n += $2 } END { print n }' requests)" -le 30 ] ||
		fail "writing 16 MiB: $(cat requests)"
}

t_writing_asks_little() {
	need strace python3
	ns check_requests_of_writers
}

# Pieces of a file at odd offsets, sparse and not, in the lower, in the upper, and in copies of the metadata alone.
check_large_reads() {
	mkdir -p tree
	seq 400000 > tree/lower
	cp tree/lower tree/meta
	cp tree/lower tree/written
	cp tree/lower tree/sparse
	fallocate -p -o 300000 -l 900000 tree/sparse 2> /dev/null || true
	cp -r --sparse=always tree copy
	mnt
	chmod 600 mnt/meta copy/meta
	printf x | tee -a mnt/written >> copy/written
	cp mnt/lower mnt/new
	cp copy/lower copy/new
	remount
	python3 - << 'END'
import os
for name in os.listdir("copy"):
    want = open("copy/" + name, "rb").read()
    f = os.open("mnt/" + name, os.O_RDONLY)
    for at in (len(want) - 40000, 65537, 300000 - 4096, 0):
        os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(f, 1 << 20, at) == want[at:at + (1 << 20)], (name, at)
    os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(f, len(want) + 1, 0) == want, name
END
	diff -r copy mnt
}

t_large_reads_are_true() {
	need python3
	ns check_large_reads
}

check_large_reads_are_not_copied() {
	mkdir -p tree
	head -c 4M /dev/zero | tr '\0' x > tree/big
	mnt
	calls 'cat mnt/big'
	[ "$(n_calls splice)" -ge 16 ] || fail "reading 4 MiB: $(paste -sd" " calls)"
	[ "$(n_calls pread64)" -le 2 ] || fail "reading 4 MiB: $(paste -sd" " calls)"
	for i in 1 2 3; do head -c 50001 /dev/zero > "mnt/new$i"; done
	remount
	calls 'cat mnt/new1 mnt/new2 mnt/new3'
	assert_eq "$(n_calls splice) $(n_calls pread64)" "6 0" "files that do not end with a page"
}

t_large_reads_are_not_copied() {
	need strace
	ns check_large_reads_are_not_copied
}

check_calls_of_changes() {
	mkdir -p tree/d
	echo x | tee tree/d/x tree/d/y tree/d/z > /dev/null
	mnt
	echo first > mnt/d/first
	calls 'printf new > mnt/d/new'
	assert_eq "$(n_calls openat) $(n_calls pwrite64)" "1 1" "files that were opened and written to"
	assert_eq "$(n_calls fgetxattr) $(n_calls flistxattr)" "0 0" "extended attributes that were read"
	calls 'rm mnt/d/new'
	assert_eq "$(n_calls unlinkat) $(n_calls openat) $(n_calls fcntl)" "1 0 0" "calls of a removal"
	rm mnt/d/x
	calls 'rm mnt/d/y mnt/d/z'
	assert_eq "$(n_calls linkat) $(n_calls mknodat)" "2 0" "whiteouts that are inodes of their own"
	assert_eq "$(ls mnt/d)" first
	remount
	rm mnt/d/first
	assert_eq "$(ls mnt/d)" ""
	rmdir mnt/d
}

t_changes_take_few_system_calls() {
	need strace
	ns check_calls_of_changes
}

# Each change comes after a file was made, when the directory and the file are known to have nothing special.
check_what_is_not_asked_again() {
	mkdir -p tree/d
	mnt
	mkdir mnt/new
	for dir in mnt/d mnt/new; do
		echo 1 > $dir/before
		setfacl -m u:5:r $dir/before
		assert_eq "$(getfacl -cnp $dir/before | grep -c '^user:5:r--')" 1
		setfattr -n user.a -v 1 $dir/before
		chmod 4755 $dir/before
		assert_eq "$(stat -c %a $dir/before)" 4755
		setpriv --bounding-set -fsetid --inh-caps -all -- python3 -c "
import mmap, sys
f = open('$dir/before', 'r+b')
m = mmap.mmap(f.fileno(), 2)
m[0] = 50
m.flush()"
		assert_eq "$(stat -c %a $dir/before)" 4755 "mode after a write through a mapping"
		setfacl -d -m u:7:rwx $dir
		echo 2 > $dir/with-acl
		assert_eq "$(getfacl -cnp $dir/with-acl | grep -c '^user:7:')" 1
		setfacl -k $dir
		chmod 2775 $dir
		mkdir $dir/sub
		assert_eq "$(stat -c %a $dir/sub)" 2755
		chmod g-s $dir
		mkdir $dir/sub2
		assert_eq "$(stat -c %a $dir/sub2)" 755
	done
}

t_what_is_not_asked_again_is_still_seen() {
	need setfacl python3
	ns check_what_is_not_asked_again
}

run_tests
