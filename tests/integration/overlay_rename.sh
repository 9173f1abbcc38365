#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever is renamed or removed stays so: directories of the image, too.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/ovl.sh"

check_rename() {
	small_tree
	mnt
	mv mnt/etc/motd mnt/etc/moved
	assert_missing mnt/etc/motd
	assert_content mnt/etc/moved motd
	assert_eq "$(ino mnt/etc/moved)" "$(ino mnt/full/hard)"
	mv mnt/bin/link mnt/bin/link2
	mv mnt/bin/fifo mnt/fifo
	assert_eq "$(readlink mnt/bin/link2)" ../etc/motd
	mkdir mnt/new
	echo n > mnt/new/file
	mv mnt/new mnt/etc/new
	mv -T mnt/etc/new mnt/empty	# over an empty directory of the image
	assert_content mnt/empty/file n
	rm -r mnt/full/sub
	mkdir mnt/sub
	echo s > mnt/sub/s
	mv mnt/sub mnt/full/sub	# over a whiteout
	assert_eq "$(ls mnt/full/sub)" s
	python3 - << 'END'
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def renameat2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags):
        raise OSError(ctypes.get_errno(), a)
renameat2("mnt/etc/conf.d/a", "mnt/etc/conf.d/b", 2)
assert open("mnt/etc/conf.d/a").read() == "b\n"
try:
    renameat2("mnt/etc/conf.d/a", "mnt/etc/conf.d/b", 1)
    assert False
except FileExistsError:
    pass
os.unlink("mnt/etc/conf.d/b")
renameat2("mnt/etc/conf.d/a", "mnt/etc/conf.d/b", 1)  # NOREPLACE onto a whiteout
assert open("mnt/etc/conf.d/b").read() == "b\n"
os.rename("mnt/bin", "mnt/bin2")
END
	assert_content mnt/bin2/tool tool
	facts mnt > before
	remount
	diff before <(facts mnt)
}

t_renames_outlive_the_mount() {
	need python3
	ns check_rename
}

# --- directories of the image -----------------------------------------------------------------------

# same: what is seen now is what is seen after a remount
same() {
	facts mnt > before
	remount "$@"
	diff before <(facts mnt)
}

# check_moves FLAGS
check_moves() {
	local before

	mkdir -p tree/a/b/c tree/d tree/e/sub
	echo f > tree/a/b/f
	echo g > tree/a/b/c/g
	echo x > tree/e/sub/x
	ln tree/a/b/f tree/d/hard
	mnt $1
	before=$(ino mnt/a)
	python3 -c 'import os; os.rename("mnt/a", "mnt/moved")'
	assert_missing mnt/a
	assert_eq "$(ino mnt/moved)" "$before" "number of the directory"
	assert_content mnt/moved/b/c/g g
	assert_eq "$(stat -c %h mnt/d/hard)" 2
	same $1
	# The other's name is found again, and the inode is one.
	echo changed > mnt/d/hard
	assert_content mnt/moved/b/f changed
	mkdir mnt/a	# a new one in the old place is empty
	assert_eq "$(ls mnt/a)" ''
	mv mnt/moved/b mnt/a/b2	# out of what was moved
	assert_content mnt/a/b2/c/g g
	same $1
	mv mnt/d mnt/a/b2/c/d	# one of the image below another
	rm mnt/a/b2/f
	assert_eq "$(stat -c %h mnt/a/b2/c/d/hard)" 1
	same $1
	assert_content mnt/a/b2/c/d/hard changed
	rmdir mnt/moved
	mv mnt/a/b2 mnt/moved
	rm -r mnt/moved
	mkdir mnt/moved mnt/d
	assert_eq "$(ls -A mnt/moved)$(ls -A mnt/d)" ''
	mv mnt/e mnt/moved/e
	mv mnt/moved/e mnt/e	# home again
	assert_content mnt/e/sub/x x
	same $1
	assert_content mnt/e/sub/x x
}

t_directories_of_the_image_move_by_redirect() {
	need python3
	ns 'check_moves ""'
}

t_directories_of_the_image_move_without_redirects() {
	need python3
	ns 'check_moves -w'
}

check_no_marks() {
	mkdir -p tree/dir/sub/gone tree/dir/kept
	echo data > tree/dir/sub/file
	echo more > tree/dir/removed
	touch -d 2001-02-03 tree/dir/sub tree/dir/kept
	mnt -w
	rm mnt/dir/removed
	rmdir mnt/dir/sub/gone
	touch -d 2001-02-03 mnt/dir/sub
	python3 -c 'import os; os.rename("mnt/dir", "mnt/new")'
	assert_eq "$(stat -c %Y mnt/new/sub mnt/new/kept | uniq | wc -l)" 1 'times'
	umount mnt
	gone
	# What another program sees that knows whiteouts and opaque directories, but no redirects.
	assert_content state/upper/new/sub/file data
	assert_eq "$(cd state/upper && find . -type c)" ./dir
	assert_eq "$(getfattr -dRm- state/upper | grep -E 'redirect|metacopy')" ''
	getfattr -n user.overlay.opaque state/upper/new > /dev/null
}

t_without_redirects_the_upper_is_complete() {
	need python3 getfattr
	ns check_no_marks
}

check_deep() {
	local long

	long=$(printf "$(printf 'n%.0s' {1..200})/%.0s" {1..15})
	mkdir -p "tree/$long/last/sub"
	echo x > "tree/$long/last/sub/x"
	mnt
	python3 -c 'import os, sys; os.rename("mnt/" + sys.argv[1] + "last", "mnt/last")' "$long"
	assert_content mnt/last/sub/x x
	same
}

t_directories_move_whose_path_fits_into_no_redirect() {
	need python3
	ns check_deep
}

check_flags() {
	mkdir -p tree/a tree/b tree/c
	echo a > tree/a/f
	echo b > tree/b/f
	echo file > tree/file
	mnt
	python3 - << 'END'
import ctypes, os, stat
libc = ctypes.CDLL(None, use_errno=True)
def renameat2(a, b, flags):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), flags):
        raise OSError(ctypes.get_errno(), a)
renameat2("mnt/a", "mnt/b", 2)
assert open("mnt/a/f").read() == "b\n" and open("mnt/b/f").read() == "a\n"
renameat2("mnt/a", "mnt/file", 2)
assert open("mnt/file/f").read() == "b\n" and open("mnt/a").read() == "file\n"
try:
    renameat2("mnt/file", "mnt/c", 1)
    assert False
except FileExistsError:
    pass
renameat2("mnt/file", "mnt/c", 0)
assert open("mnt/c/f").read() == "b\n"
renameat2("mnt/c", "mnt/d", 4)
s = os.lstat("mnt/c")
assert stat.S_ISCHR(s.st_mode) and s.st_rdev == 0, s
assert sorted(os.listdir("mnt")) == ["a", "b", "c", "d"], os.listdir("mnt")
END
	same
}

t_rename_flags_on_directories_of_the_image() {
	need python3
	ns check_flags
}

check_no_data() {
	mkdir -p tree/dir
	head -c 8M /dev/urandom > tree/dir/big
	head -c 8M /dev/urandom > tree/big
	head -c 8M /dev/urandom > tree/big2
	mnt
	mv mnt/dir mnt/dir2
	mv mnt/dir2/big mnt/moved
	mv mnt/big mnt/big1
	ln mnt/big2 mnt/big3
	rm mnt/big1 mnt/big2
	rm -r mnt/dir2
	cmp tree/dir/big mnt/moved
	[ "$(du -sk state | cut -f1)" -lt 200 ] || fail "data was copied: $(du -ak state)"
	same
	cmp tree/dir/big mnt/moved
	cmp tree/big2 mnt/big3
}

t_renaming_and_removing_copy_no_data() {
	ns check_no_data
}

# --- removed and open -------------------------------------------------------------------------------

check_removed_dirs() {
	mkdir tree
	wait_for "(ulimit -n 256; exec '$OVLMOUNT' tree state mnt) > pid 2> mount.err"
	python3 - << 'END'
import os
fds = []
for i in range(200):
    os.mkdir(f"mnt/d{i}")
    fds.append(os.open(f"mnt/d{i}", os.O_RDONLY))
    if i % 2:
        os.mkdir("mnt/new")
        os.rename("mnt/new", f"mnt/d{i}")
    os.rmdir(f"mnt/d{i}")
for i in range(400):
    os.mkdir(f"mnt/n{i}")
    open(f"mnt/n{i}/f", "w").write("f")
for fd in fds:
    os.fchmod(fd, 0o700)
    assert os.listdir(fd) == [] and os.fstat(fd).st_nlink == 0
END
	wait_for '[ -z "$(ls state/work/orphans)" ]'
}

t_removed_directories_that_are_open_keep_their_number() {
	need python3
	mkdir state mnt
	ns check_removed_dirs
}

check_removed_image_dirs() {
	mkdir -p tree/{a,b,c} tree/full/sub
	mnt
	python3 - << 'END'
import os
full = os.open("mnt/full", os.O_RDONLY)
os.chmod("mnt/full", 0o751)
os.rmdir("mnt/full/sub")
os.rmdir("mnt/full")  # with a whiteout in it
assert os.fstat(full).st_mode & 0o777 == 0o751
fds = [os.open("mnt/" + n, os.O_RDONLY) for n in "abc"]
os.rmdir("mnt/a")
os.mkdir("mnt/new")
os.rename("mnt/new", "mnt/b")
for fd in fds[:2]:
    number = os.fstat(fd).st_ino
    os.fchmod(fd, 0o711)
    os.utime(fd, (1, 1))
    os.setxattr(fd, "user.x", b"y")
    s = os.fstat(fd)
    assert (s.st_mode & 0o777, s.st_nlink, s.st_ino, s.st_mtime) == (0o711, 0, number, 1), s
    assert os.listdir(fd) == [] and os.getxattr(fd, "user.x") == b"y"
    try:
        os.mkdir("sub", dir_fd=fd)
        assert False
    except FileNotFoundError:
        pass
END
	assert_eq "$(ls mnt)" "b
c"
	same
}

t_removed_directories_of_the_image_take_changes() {
	need python3
	ns check_removed_image_dirs
}

run_tests
