#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The overlay filesystem on real mounts: an image tree below, an upper above.

. "${0%/*}/lib.sh"

. "$SRC/tests/helpers/ovl.sh"

# --- reading --------------------------------------------------------------------------------------

check_image_is_what_it_was_made_of() {
	small_tree
	truncate -s 5M tree/sparse
	printf end | dd of=tree/sparse bs=1 seek=3M conv=notrunc 2> /dev/null
	printf 'bytes' > "tree/$(printf 'not-\xff-utf8')"
	printf 'whiteout?' > tree/.wh.name
	printf 'long' > "tree/$(printf 'n%.0s' {1..255})"
	"$OVLMOUNT" tree - mnt > pid
	diff -r --no-dereference -x fifo tree mnt
	diff <(cd tree && find . ! -type d -printf '%P %y %m %n %s %T@ %l\n' | sort) \
		<(cd mnt && find . ! -type d -printf '%P %y %m %n %s %T@ %l\n' | sort)
	[ "$(stat -c %b mnt/sparse)" -lt 100 ] || fail "the hole is not seen"
	assert_eq "$(ino mnt/etc/motd)" "$(ino mnt/full/hard)"
	assert_fails any 'Read-only' touch mnt/new
}

t_an_image_is_what_it_was_made_of() {
	mkdir tree mnt
	ns check_image_is_what_it_was_made_of
}

t_an_ordinary_user_mounts_by_fusermount() {
	need fusermount3
	mkdir tree mnt
	small_tree
	chmod 000 tree/etc/conf.d/a 2> /dev/null
	chmod 644 tree/etc/conf.d/a
	"$OVLMOUNT" -u -s tree - mnt > pid
	diff -r --no-dereference -x fifo tree mnt
	assert_eq "$(stat -c %U mnt/etc/motd)" "$(id -un)"
	fusermount3 -u mnt
	gone
	mkdir state
	"$OVLMOUNT" -u -s tree state mnt > pid
	echo more >> mnt/etc/motd
	chmod 400 mnt/etc/conf.d/a
	assert_eq "$(stat -c %a mnt/etc/conf.d/a)" 400
	rm -r mnt/full
	mkdir mnt/full
	fusermount3 -u mnt
	gone
	"$OVLMOUNT" -u -s tree state mnt > pid
	assert_content mnt/etc/motd "motd
more"
	assert_eq "$(stat -c %a mnt/etc/conf.d/a)" 400
	assert_eq "$(ls mnt/full)" ""
	fusermount3 -u mnt
}

# --- copy-up ----------------------------------------------------------------------------------------

check_copy_up_keeps_what_it_does_not_change() {
	local before

	small_tree
	setfattr -n user.note -v text tree/etc/motd
	setfacl -m u:7:r tree/etc/motd
	mnt
	before=$(ino mnt/etc/motd)
	chmod 640 mnt/etc/motd
	assert_eq "$(stat -c '%i %h %a %y' mnt/etc/motd)" "$before 2 640 2001-02-03 04:05:06.123456789 +0000"
	assert_eq "$(stat -c %y mnt/etc mnt/full)" "2001-02-03 04:05:06.123456789 +0000
2001-02-03 04:05:06.123456789 +0000" "times of the parents"
	assert_eq "$(getfattr --only-values -n user.note mnt/etc/motd)" text
	assert_match "$(getfacl -cn mnt/etc/motd 2> /dev/null)" '^user:7:r--'
	find state/upper -type f -name motd -o -name hard -type f | grep -q . || fail "nothing was copied"
	[ "$(find state/upper state/index -type f -printf '%b\n' | sort -n | tail -1)" -lt 16 ] ||
		fail "chmod copied data"
	echo more >> mnt/full/hard
	assert_content mnt/etc/motd "motd
more"
	assert_eq "$(stat -c '%i %h' mnt/etc/motd)" "$before 2"
	remount
	assert_content mnt/full/hard "motd
more"
	assert_eq "$(stat -c '%i %h %a' mnt/full/hard)" "$before 2 640"
	assert_eq "$(getfattr --only-values -n user.note mnt/etc/motd)" text
	assert_eq "$(getfattr -d -m- mnt/etc/motd | grep -c overlay)" 0
}

t_copy_up_keeps_what_it_does_not_change() {
	need setfattr setfacl
	ns check_copy_up_keeps_what_it_does_not_change
}

check_holes_survive() {
	mkdir tree
	truncate -s 64M tree/sparse
	printf middle | dd of=tree/sparse bs=1 seek=32M conv=notrunc 2> /dev/null
	mnt
	printf end | dd of=mnt/sparse bs=1 seek=60M conv=notrunc 2> /dev/null
	sync mnt/sparse
	[ "$(stat -c %b state/upper/sparse)" -lt 200 ] || fail "holes were filled"
	assert_eq "$(dd if=mnt/sparse bs=1 skip=32M count=6 2> /dev/null)" middle
	assert_eq "$(stat -c %s mnt/sparse)" 67108864
}

t_holes_survive_copy_up() {
	ns check_holes_survive
}

check_one_copy_under_concurrency() {
	local i

	mkdir tree
	head -c 40M /dev/urandom > tree/big
	mnt
	for i in 1 2 3 4 5 6 7 8; do
		printf '%s' "$i" | dd of=mnt/big bs=1 seek="$i" conv=notrunc 2> /dev/null &
	done
	cmp -i 64 tree/big mnt/big	# readers are served meanwhile
	wait
	assert_eq "$(dd if=mnt/big bs=1 skip=1 count=8 2> /dev/null)" 12345678
	cmp -i 64 tree/big mnt/big
	assert_eq "$(find state/work -type f | wc -l)" 0
}

t_writers_of_one_file_share_one_copy() {
	ns check_one_copy_under_concurrency
}

check_truncation() {
	small_tree
	seq 100000 > tree/numbers
	mnt
	: > mnt/etc/motd
	assert_eq "$(stat -c %s mnt/etc/motd mnt/full/hard)" "0
0"
	truncate -s 10 mnt/numbers
	assert_content mnt/numbers "$(seq 5)"
	truncate -s 1M mnt/etc/conf.d/a
	assert_eq "$(head -c 2 mnt/etc/conf.d/a)" a
	remount
	assert_content mnt/numbers "$(seq 5)"
	assert_eq "$(stat -c %s mnt/etc/motd)" 0
}

t_truncation_copies_no_more_than_is_left() {
	ns check_truncation
}

check_setid_bits() {
	small_tree
	mnt
	echo more >> mnt/bin/tool
	assert_eq "$(stat -c %a mnt/bin/tool)" 755 "mode after a write"
	cp -p tree/bin/tool mnt/other
	chmod 4755 mnt/other
	chown 1:1 mnt/other
	assert_eq "$(stat -c '%a %u' mnt/other)" "755 1"
	umask 027
	mkdir mnt/dir
	: > mnt/dir/file
	mkfifo mnt/dir/fifo
	assert_eq "$(stat -c %a mnt/dir mnt/dir/file mnt/dir/fifo)" "750
640
640"
	chmod 2775 mnt/dir
	chgrp 5 mnt/dir
	chmod g+s mnt/dir
	mkdir mnt/dir/sub
	: > mnt/dir/new
	assert_eq "$(stat -c '%a %g' mnt/dir/sub mnt/dir/new)" "2750 5
640 5"
	setfacl -d -m u:9:rwx mnt/dir
	: > mnt/dir/acl
	mkdir mnt/dir/acldir
	assert_match "$(getfacl -cn mnt/dir/acl 2> /dev/null)" '^user:9:rwx'
	assert_match "$(getfacl -cn mnt/dir/acldir 2> /dev/null)" '^default:user:9:rwx'
}

check_setid_bits_of_mappings() {
	mkdir tree
	head -c 8192 /dev/zero | tee tree/file > tree/other
	chmod 6755 tree/file
	mnt
	python3 -c 'import mmap
with open("mnt/file", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[0:1] = b"x"
    m.flush()'
	assert_eq "$(head -c 1 mnt/file) $(stat -c %a mnt/file)" 'x 6755'
	chmod 2711 mnt/other	# its data comes with the write
	python3 -c 'import mmap
with open("mnt/other", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[0:1] = b"x"
    m.flush()'
	assert_eq "$(stat -c %a mnt/other)" 2711
	remount
	assert_eq "$(stat -c %a mnt/file mnt/other)" "6755
2711"
}

t_writes_through_mappings_keep_setid_bits() {
	need python3
	ns check_setid_bits_of_mappings
}

t_setid_bits_umask_and_default_acls() {
	need setfacl
	ns check_setid_bits
}

# --- names --------------------------------------------------------------------------------------------

check_removal() {
	small_tree
	mnt
	rm mnt/etc/conf.d/a
	assert_missing mnt/etc/conf.d/a
	assert_eq "$(ls mnt/etc/conf.d)" b
	assert_fails any 'not empty' rmdir mnt/etc/conf.d
	rm mnt/etc/conf.d/b
	rmdir mnt/etc/conf.d
	rm -r mnt/full mnt/bin
	assert_eq "$(stat -c %h mnt/etc/motd)" 1 "links of a file one of whose names went"
	: > mnt/upper-only
	rm mnt/upper-only
	assert_missing state/upper/upper-only
	mkdir mnt/full
	assert_eq "$(ls -A mnt/full)" "" "a new directory over a removed one"
	assert_eq "$(stat -c %h mnt)" 5
	: > mnt/bin
	remount
	assert_eq "$(ls -A mnt/full)" ""
	assert_eq "$(ls mnt)" "bin
empty
etc
full"
	assert_missing mnt/etc/conf.d
	assert_eq "$(stat -c '%F %h' mnt/bin mnt/etc/motd)" "regular empty file 1
regular file 1"
	diff -r tree/etc/motd mnt/etc/motd
}

t_removed_things_stay_removed() {
	ns check_removal
}

check_refusal() {
	small_tree
	mnt
	mkdir mnt/new
	assert_fails any 'not empty' rmdir mnt/etc
	assert_fails any 'not empty' mv -T mnt/new mnt/full
	echo b2 > mnt/etc/conf.d/b
	echo motd2 > mnt/etc/motd
	: > mnt/full/new
	remount
	assert_content mnt/etc/motd motd2
	assert_content mnt/etc/conf.d/b b2
	assert_exists mnt/full/new
}

t_directories_that_cannot_be_removed_stay_writable() {
	ns check_refusal
}

check_fifo_mode() {
	mkdir tree
	mkfifo tree/lower
	mnt
	mkfifo mnt/a
	ln mnt/a mnt/b
	remount
	exec 5<> mnt/a 6<> mnt/lower	# a name that is looked up, and then goes
	rm mnt/a mnt/lower
	chmod 600 mnt/b /proc/self/fd/6
	assert_eq "$(stat -c '%a %h' mnt/b)" "600 1"
	assert_eq "$(stat -Lc %a /proc/self/fd/6)" 600
}

t_a_fifo_without_a_known_name_takes_a_mode() {
	ns check_fifo_mode
}

check_links() {
	small_tree
	mnt
	ln mnt/etc/conf.d/a mnt/etc/conf.d/c
	assert_eq "$(stat -c %h mnt/etc/conf.d/a mnt/etc/conf.d/c)" "2
2"
	echo changed > mnt/etc/conf.d/c
	assert_content mnt/etc/conf.d/a changed
	rm mnt/etc/conf.d/a
	assert_eq "$(stat -c %h mnt/etc/conf.d/c)" 1
	ln mnt/bin/link mnt/bin/link3
	assert_eq "$(stat -c %h mnt/bin/link)" 2
	rm mnt/full/hard
	ln mnt/etc/motd mnt/full/hard	# over a whiteout
	assert_eq "$(stat -c '%h %i' mnt/full/hard)" "$(stat -c '%h %i' mnt/etc/motd)"
	facts mnt > before
	remount
	diff before <(facts mnt)
	# The copied one goes; its other name, still the image's, has the new content.
	echo new > mnt/etc/motd
	rm mnt/etc/motd
	assert_content mnt/full/hard new
	remount
	assert_content mnt/full/hard new
	assert_eq "$(stat -c %h mnt/full/hard)" 1
}

t_names_of_one_inode_stay_together() {
	ns check_links
}

check_strange_names() {
	local long

	long=$(printf 'n%.0s' {1..255})
	mkdir tree
	echo l > "tree/$long"
	echo w > tree/.wh.file
	mnt
	echo x >> "mnt/$long"
	echo w >> mnt/.wh.file
	echo u > "mnt/.wh..wh..opq"
	echo u > "mnt/$(printf '\xfe\xff')"
	assert_fails any 'too long' touch "mnt/n$long"
	rm "mnt/$long"
	mv mnt/.wh.file "mnt/$long"
	remount
	assert_content "mnt/$long" "w
w"
	assert_content "mnt/.wh..wh..opq" u
	assert_content "mnt/$(printf '\xfe\xff')" u
	assert_eq "$(find mnt -mindepth 1 | wc -l)" 3
	mknod mnt/zero c 0 0	# a client's whiteout is no whiteout here
	assert_eq "$(stat -c '%t %T %F' mnt/zero)" '0 0 character special file'
}

t_names_of_255_bytes_and_of_whiteouts() {
	ns check_strange_names
}

# --- files that are open --------------------------------------------------------------------------

check_unlinked() {
	small_tree
	mnt
	python3 - << 'END'
import os
def check(path, data):
    f = os.open(path, os.O_RDWR)
    os.unlink(path)
    assert os.fstat(f).st_nlink == 0
    assert os.pread(f, 100, 0) == data, path
    os.pwrite(f, b"written", 0)
    os.fsync(f)
    os.ftruncate(f, 3)
    os.fchmod(f, 0o600)
    assert os.pread(f, 100, 0) == b"wri"
    s = os.fstat(f)
    assert (s.st_size, s.st_mode & 0o777, s.st_nlink) == (3, 0o600, 0)
    os.close(f)
    assert not os.path.exists(path)
open("mnt/new", "w").write("new")
check("mnt/new", b"new")
check("mnt/etc/conf.d/a", b"a\n")
os.chmod("mnt/etc/conf.d/b", 0o644)
open("mnt/etc/conf.d/b", "a").write("!")
check("mnt/etc/conf.d/b", b"b\n!")
# More of them than the daemon may hold open.
fds = []
for i in range(600):
    f = os.open("mnt/many%d" % i, os.O_RDWR | os.O_CREAT)
    os.write(f, b"%d" % i)
    os.unlink("mnt/many%d" % i)
    fds.append(f)
os.sync()
open("/proc/sys/vm/drop_caches", "w").write("1") if os.access("/proc/sys/vm/drop_caches", os.W_OK) else None
for i, f in enumerate(fds):
    assert os.pread(f, 10, 0) == b"%d" % i
    assert os.fstat(f).st_nlink == 0
END
	wait_for "[ \$(find state/work -type f | wc -l) = 0 ]"
}

t_unlinked_files_work_until_they_are_closed() {
	need python3
	ulimit -n 700
	ns check_unlinked
}

check_unnamed() {
	small_tree
	mnt "$@"
	python3 - << 'END'
import os, stat
def unnamed(where, mode=0o640):
    return os.open(where, os.O_RDWR | os.O_TMPFILE, mode)
old = os.umask(0o027)
fd = unnamed("mnt/etc", 0o666)
os.umask(old)
os.write(fd, b"unnamed")
s = os.fstat(fd)
assert (s.st_nlink, s.st_size, stat.S_IMODE(s.st_mode)) == (0, 7, 0o640), s
assert sorted(os.listdir("mnt/etc")) == ["conf.d", "motd"]
os.link(f"/proc/self/fd/{fd}", "mnt/etc/named", src_dir_fd=fd, follow_symlinks=True)
os.pwrite(fd, b"N", 0)
s2 = os.fstat(fd)
assert (s2.st_nlink, s2.st_ino) == (1, s.st_ino), s2
os.link("mnt/etc/named", "mnt/second")
assert os.fstat(fd).st_nlink == 2
os.unlink("mnt/etc/named")
os.close(fd)
assert open("mnt/second").read() == "Nnnamed"
lost = unnamed("mnt")
os.write(lost, b"x" * 100000)
os.close(lost)
try:
    os.close(unnamed("mnt/etc/motd"))
    assert False
except NotADirectoryError:
    pass
END
	# What was linked stays there as long as the kernel knows it.
	wait_for '[ "$(find state/work/orphans -type f | wc -l)" = 1 ]'
	remount "$@"
	assert_content mnt/second Nnnamed
	assert_eq "$(stat -c '%h %a' mnt/second)" '1 640'
}

t_files_without_a_name() {
	need python3
	ns check_unnamed
	rm -rf state tree
	ns 'check_unnamed -n'
}

# --- directories ------------------------------------------------------------------------------------

check_readdir() {
	mkdir -p tree/d
	(cd tree/d && seq -f 'l%g' 3000 | xargs touch)
	mnt
	(cd mnt/d && seq -f 'u%g' 3000 | xargs touch)
	python3 - << 'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.c_void_p
for f in "readdir telldir closedir".split():
    getattr(libc, f).argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
def name(d):
    p = libc.readdir(d)
    return ctypes.string_at(p + 19).decode() if p else None
# Every other entry is removed while the directory is read; each that stays is seen once.
d = libc.opendir(b"mnt/d")
seen = []
while (n := name(d)):
    seen.append(n)
    if n[0] in "lu" and len(seen) % 2:
        os.unlink("mnt/d/" + n)
        if len(seen) % 50 == 1:
            open("mnt/d/new" + n, "w").close()
libc.closedir(d)
assert len(seen) == len(set(seen))
assert {n for n in seen if n[0] in "lu"} == {"%s%d" % (k, i) for k in "lu" for i in range(1, 3001)}
# telldir and seekdir
d = libc.opendir(b"mnt/d")
first = []
while (n := name(d)):
    first.append((n, libc.telldir(d)))
for i in range(10, len(first), 333):
    os.unlink("mnt/d/" + first[i - 5][0]) if first[i - 5][0][0] in "lun" else None
    libc.seekdir(d, first[i][1])
    n = name(d)
    assert n == (first[i + 1][0] if i + 1 < len(first) else None), (i, n)
libc.closedir(d)
END
	ls -U mnt/d > before
	remount
	ls -U mnt/d | diff before -
	rm -r mnt/d
}

t_listing_goes_on_while_entries_come_and_go() {
	need python3
	ns check_readdir
}

check_many_entries() {
	mkdir tree
	mnt
	mkdir mnt/d
	(cd mnt/d && seq 40000 | xargs touch)
	assert_eq "$(ls -U mnt/d | wc -l)" 40000
	remount
	assert_eq "$(ls -U mnt/d | sort -u | wc -l)" 40000
	rm -r mnt/d
	assert_missing mnt/d
}

t_a_directory_of_40000_entries() {
	ns check_many_entries
}

# --- attributes -------------------------------------------------------------------------------------

check_xattrs() {
	small_tree
	setfattr -n user.kept -v 1 tree/etc/motd
	mnt
	setfattr -n user.overlay.opaque -v y mnt/etc	# a client's own, not ours
	assert_eq "$(getfattr --only-values -n user.overlay.opaque mnt/etc)" y
	assert_eq "$(ls mnt/etc)" "conf.d
motd"
	assert_fails any '' setfattr -n user.containers.override_stat -v 0:0:0755 mnt/etc/motd
	assert_fails any '' setfattr -n user.fuseoverlayfs.opaque -v y mnt/etc
	setfattr -x user.kept mnt/etc/motd
	setfattr -n user.empty mnt/etc/motd
	setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' x)" mnt/etc/conf.d/a
	remount
	assert_eq "$(getfattr -m- mnt/etc/motd 2> /dev/null | grep -v '^#' | tr -d '\n')" user.empty
	assert_eq "$(getfattr -m- mnt/etc 2> /dev/null | grep -v '^#' | tr -d '\n')" user.overlay.opaque
	assert_eq "$(getfattr --only-values -n user.big mnt/etc/conf.d/a | wc -c)" 3000
	assert_eq "$(ls mnt/etc)" "conf.d
motd"
}

t_extended_attributes_are_the_clients_own() {
	need setfattr
	ns check_xattrs
}

check_times_and_sizes() {
	small_tree
	mnt
	touch -d '1999-12-31 23:59:59.999999999' mnt/etc/motd
	touch -h -d '1970-01-02 00:00:00.5' mnt/bin/link
	touch -d '2030-01-01 01:02:03.000000004' mnt/etc
	fallocate -l 1M mnt/etc/conf.d/a
	cp --reflink=auto mnt/etc/conf.d/b mnt/copy
	remount
	assert_eq "$(stat -c %.9Y mnt/etc/motd mnt/bin/link mnt/etc)" "946684799.999999999
86400.500000000
1893459723.000000004"
	assert_eq "$(stat -c %s mnt/etc/conf.d/a)" 1048576
	assert_content mnt/copy b
	python3 - << 'END'
import os
f = os.open("mnt/holes", os.O_RDWR | os.O_CREAT)
os.pwrite(f, b"x" * 4096, 1 << 20)
os.fsync(f)
assert os.lseek(f, 0, os.SEEK_DATA) == 1 << 20
assert os.lseek(f, 1 << 20, os.SEEK_HOLE) == (1 << 20) + 4096
a = os.open("mnt/etc/conf.d/a", os.O_RDWR)
assert os.copy_file_range(f, a, 4096, 1 << 20, 4096) == 4096
assert os.pread(a, 4096, 4096) == b"x" * 4096
END
}

t_times_holes_and_copies() {
	need python3
	ns check_times_and_sizes
}

# Ids that the namespace does not have: a map of the image's ids onto root alone.
check_single_id() {
	small_tree
	chown 1000:1000 tree/etc/motd
	chown 5:5 tree/bin/tool
	mnt -m 0:0:1
	assert_eq "$(stat -c '%u %g' mnt/etc/motd mnt/etc/conf.d/a)" "0 0
0 0"
	echo more >> mnt/etc/motd
	chmod 600 mnt/bin/tool
	assert_eq "$(stat -c '%u %a' mnt/bin/tool)" "0 600"
	remount -m 0:0:1
	assert_eq "$(stat -c '%u %a' mnt/bin/tool)" "0 600"
	umount mnt
	gone
	mnt
	assert_eq "$(stat -c '%u %g' mnt/etc/motd)" "1000 1000" "the owner that the image gave"
	assert_eq "$(stat -c '%u %g %a' mnt/bin/tool)" "5 5 600"
}

t_owners_that_cannot_be_expressed_survive() {
	ns check_single_id
}

check_announced_opens() {
	small_tree
	mnt -n
	echo more >> mnt/etc/motd
	assert_content mnt/full/hard "motd
more"
	assert_eq "$(ls mnt/etc)" "conf.d
motd"
	echo new > mnt/new
	remount
	assert_content mnt/new new
}

t_opens_may_be_announced() {
	ns check_announced_opens
}

run_tests
