#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lamina-overlay shows what its layers mean, in every spelling, and changes the upper alone.

. "${0%/*}/lib.sh"
. "$SRC/tests/helpers/dirs.sh"

# --- layers ---------------------------------------------------------------------------------------

check_whiteouts_in_every_spelling_hide() {
	mkdir -p top/d top/x base/d base/x
	touch base/a base/b base/d/c base/d/keep base/x/marked base/x/empty
	whiteout top/a
	touch top/.wh.b top/d/.wh.c
	touch top/x/marked top/x/empty
	mark top/x user.overlay.opaque x
	mark top/x/marked user.overlay.whiteout y
	ro top:base
	# By name first, before anything was listed.
	assert_missing mnt/a mnt/b mnt/d/c mnt/x/marked mnt/.wh.b
	assert_exists mnt/d/keep mnt/x/empty
	assert_eq "$(names mnt)" "d d/keep x x/empty "
}

check_opaque_marks_in_every_spelling_hide() {
	local mark n=0

	for mark in user.overlay.opaque user.fuseoverlayfs.opaque file; do
		n=$((n + 1))
		mkdir -p "top/d$n" "base/d$n"
		touch "top/d$n/new" "base/d$n/old"
		if [ "$mark" = file ]; then
			touch "top/d$n/.wh..wh..opq"
		else
			mark "top/d$n" "$mark" y
		fi
	done
	ro top:base
	assert_missing mnt/d1/old mnt/d2/old mnt/d3/old
	assert_eq "$(names mnt)" "d1 d1/new d2 d2/new d3 d3/new "
}

check_layers_merge_by_name_and_kind() {
	mkdir -p l0/d l1/d l2/d l0/over l1/below l2/below/sub
	echo 0 > l0/d/zero
	echo 1 > l1/d/zero
	echo 1 > l1/d/one
	echo 2 > l2/d/two
	touch l1/over l2/over # a directory above a file hides it, and files above directories, too
	touch l0/below
	touch l1/d/both
	whiteout l0/d/both # above the file: hidden
	touch l2/d/back l0/d/back
	whiteout l1/d/back # between: the upper one counts
	ro l0:l1:l2
	assert_content mnt/d/zero 0
	assert_eq "$(names mnt)" "below d d/back d/one d/two d/zero over "
	[ -d mnt/over ] && [ -f mnt/below ] || fail "wrong kinds"
	assert_eq "$(stat -c %d mnt mnt/d mnt/d/two | sort -u | wc -l)" 1 "devices"
}

check_redirects_and_metadata_only_copies_of_layers_are_followed() {
	mkdir -p top/new top/in/beside mid/moved base/old/sub base/in/here base/a
	echo deep > base/old/sub/file
	echo here > base/in/here/file
	mark top/new user.overlay.redirect /moved
	mark mid/moved user.overlay.redirect /old
	mark top/in/beside user.overlay.redirect here
	echo data > base/a/file
	mkdir top/a
	truncate -s 5 top/a/file top/renamed
	chmod 600 top/a/file
	mark top/a/file user.overlay.metacopy ""
	mark top/renamed user.overlay.metacopy ""
	mark top/renamed user.overlay.redirect /a/file
	ro top:mid:base
	assert_content mnt/new/sub/file deep
	assert_content mnt/in/beside/file here
	assert_content mnt/a/file data
	assert_content mnt/renamed data
	assert_eq "$(stat -c %a mnt/a/file)" 600
	umount mnt
	# Nothing leads out of the layers, and what leads nowhere is an error, not zeros.
	echo secret > outside
	mark top/renamed user.overlay.redirect /../outside
	mark top/new user.overlay.redirect ../../old
	ro top:mid:base
	assert_fails any "Input/output error" cat mnt/renamed
	assert_missing mnt/new/sub
}

check_owners_in_overrides_are_shown() {
	mkdir top
	touch top/file top/dev
	mark top user.containers.override_stat 0:0:755:dir
	mark top/file user.containers.override_stat 12:34:4755:file
	mark top/dev user.containers.override_stat 0:0:0660:char-1-7
	ro top
	assert_eq "$(stat -c '%u:%g:%a' mnt/file)" 12:34:4755
	assert_eq "$(stat -c '%F %t:%T' mnt/dev)" "character special file 1:7"
}

check_many_layers() {
	local i lowers=""

	for i in $(seq 1100); do
		mkdir -p "l/$i/common"
		echo "$i" > "l/$i/common/f$i"
		echo "$i" > "l/$i/common/same"
		lowers=$lowers${lowers:+:}l/$i
	done
	ovl "$lowers"
	assert_content mnt/common/f1100 1100
	assert_content mnt/common/same 1
	assert_missing mnt/common/nothing
	assert_eq "$(ls mnt/common | wc -l)" 1101
	touch mnt/common/new
	assert_eq "$(ls mnt/common | wc -l)" 1102
}

check_few_file_descriptors() {
	local i lowers=""

	for i in $(seq 240); do
		mkdir -p "l/$i/d/e/f"
		echo "$i" > "l/$i/d/e/f/$i"
		lowers=$lowers${lowers:+:}l/$i
		[ "$i" != 150 ] || some=$lowers
	done
	ulimit -n 256
	assert_fails 1 "240 layers need 288 file descriptors, the limit is 256" ovl "$lowers"
	ovl "$some"
	cat mnt/d/e/f/* > all
	assert_eq "$(wc -l < all)" 150
	for i in $(seq 300); do
		mkdir "mnt/d/$i"
		echo x > "mnt/d/$i/f"
	done
	assert_eq "$(cat mnt/d/*/f | wc -l)" 300
}

check_below_its_own_layer() {
	mkdir -p all/dir all/work all/upper all/mnt
	echo x > all/dir/file
	"$LAMINA_OVERLAY" -o lowerdir=all,upperdir=all/upper,workdir=all/work all/mnt
	assert_content all/mnt/dir/file x
	find all/mnt > list
	# Its own place in itself is the directory below the mount.
	assert_exists all/mnt/mnt
	assert_eq "$(ls all/mnt/mnt)" ""
	echo y > all/mnt/dir/file
	assert_content all/upper/dir/file y
	umount all/mnt
}

# --- system calls and memory ----------------------------------------------------------------------

daemon_pid() {
	pgrep -f "lamina-overlay.*$PWD/mnt\$" || pgrep -n lamina-overlay
}

check_a_directory_is_not_read_because_it_is_looked_up() {
	local pid

	mkdir -p base/big/sub
	(cd base/big && seq 1000 | xargs touch)
	mkdir -p upper work mnt
	strace -f -o trace -e trace=getdents64,newfstatat \
		"$LAMINA_OVERLAY" -f -o lowerdir=base,upperdir=upper,workdir=work mnt &
	pid=$!
	wait_for "mountpoint -q mnt"
	stat mnt/big mnt/big/500 mnt/big/sub > /dev/null
	assert_missing mnt/big/none
	[ "$(grep -c 'newfstatat(.*"[0-9][0-9]*"' trace)" -le 1 ] || fail "$(cat trace)"
	! grep 'getdents64(.*, [1-9][0-9]*, [0-9]*) = [0-9][0-9][0-9][0-9]' trace || fail "it was read"
	# A listing looks at each entry once.
	ls -l mnt/big > /dev/null
	umount mnt
	wait "$pid" || true
	[ "$(grep -c 'newfstatat(.*"[0-9][0-9]*"' trace)" -le 1000 ] || fail "more than one look an entry"
	[ "$(grep -c 'getdents64(.*) = [0-9][0-9][0-9][0-9]' trace)" -le 2 ] || fail "more than one pass"
}

check_memory_of_what_the_kernel_forgot_is_free() {
	local i pid before after

	for i in $(seq 20); do
		mkdir -p "base/$i"
		(cd "base/$i" && seq 1000 | xargs touch)
	done
	mkdir -p upper work mnt
	"$LAMINA_OVERLAY" -f -o lowerdir=base,upperdir=upper,workdir=work mnt &
	pid=$!
	wait_for "mountpoint -q mnt"
	for i in 1 2 3 4; do
		find mnt -ls > /dev/null
		[ "$i" != 1 ] || before=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
		mount -o remount mnt 2> /dev/null || true
	done
	after=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
	umount mnt
	wait "$pid" || true
	[ "$after" -lt $((before + 4000)) ] || fail "grew from $before to $after KiB"
	[ "$before" -lt 60000 ] || [ "$TEST_SCALE" != 1 ] || fail "$before KiB for 20,000 files"
}

# --- the upper ------------------------------------------------------------------------------------

small_layers() {
	mkdir -p top/etc base/etc/conf.d base/bin base/full/sub
	echo motd > base/etc/motd
	echo top > top/etc/top
	echo a > base/etc/conf.d/a
	echo tool > base/bin/tool
	ln -s ../etc/motd base/bin/link
	ln base/etc/motd base/full/hard
	echo x > base/full/sub/x
}

check_the_upper_is_what_kernel_overlayfs_writes() {
	small_layers
	ovl top:base
	echo more >> mnt/etc/motd
	chmod 700 mnt/bin/tool
	rm mnt/etc/top
	rm -r mnt/full
	mkdir mnt/full mnt/new
	touch mnt/new/file mnt/full/file
	rm mnt/new/file
	mv mnt/etc/conf.d mnt/etc/conf.e
	umount mnt
	assert_eq "$(cd upper && find . -mindepth 1 -printf '%P:%y ' | tr ' ' '\n' | sort | tr '\n' ' ')" \
		"bin/tool:f bin:d etc/conf.d:c etc/conf.e/a:f etc/conf.e:d etc/motd:f etc/top:c etc:d full/file:f full:d new:d "
	assert_eq "$(getfattr -R -d -m 'user.overlay.(redirect|metacopy)' upper)" "" "redirects"
	# Kernel overlayfs shows the same.
	mount -t overlay overlay -o userxattr,lowerdir=top:base,upperdir=upper,workdir=work mnt
	(cd mnt && find . -type f -exec grep -H . {} + | sort) > kernel
	umount mnt
	ovl top:base
	(cd mnt && find . -type f -exec grep -H . {} + | sort) > ours
	diff kernel ours || fail "kernel overlayfs sees something else"
	assert_content mnt/etc/conf.e/a a
}

check_an_upper_of_kernel_overlayfs_goes_on() {
	small_layers
	mkdir -p upper work mnt
	mount -t overlay overlay -o userxattr,lowerdir=top:base,upperdir=upper,workdir=work mnt
	echo more >> mnt/etc/motd
	rm mnt/etc/top
	rm -r mnt/full
	mkdir mnt/full
	umount mnt
	ovl top:base
	assert_content mnt/etc/motd "$(printf 'motd\nmore')"
	assert_missing mnt/etc/top
	assert_eq "$(ls mnt/full)" ""
	echo again > mnt/etc/top
	assert_content mnt/etc/top again
}

check_an_upper_of_fuse_overlayfs_goes_on() {
	small_layers
	command -v fuse-overlayfs > /dev/null || exit 0
	mkdir -p upper work mnt
	fuse-overlayfs -o lowerdir=top:base,upperdir=upper,workdir=work mnt
	echo more >> mnt/etc/motd
	rm mnt/etc/top
	rm -r mnt/full
	mkdir mnt/full mnt/fresh
	touch mnt/full/own
	umount mnt
	mkdir -p upper/named
	touch upper/.wh.bin
	echo mine > upper/named/.wh.mine
	ovl top:base
	assert_missing mnt/bin
	assert_content mnt/named/.wh.mine mine
	assert_content mnt/etc/motd "$(printf 'motd\nmore')"
	assert_missing mnt/etc/top
	assert_eq "$(ls -A mnt/full)" own
	assert_eq "$(ls -A mnt/fresh)" ""
	rm -r mnt/full mnt/fresh
	assert_missing mnt/full
	umount mnt
	# Fuse-overlayfs and kernel overlayfs see what we see.
	mount -t overlay overlay -o userxattr,lowerdir=top:base,upperdir=upper,workdir=work mnt
	assert_eq "$(cd mnt && echo *)" "etc named"
	umount mnt
}

check_numbers_stay() {
	local before

	small_layers
	ovl top:base
	before=$(cd mnt && find . -printf '%P %i\n' | sort)
	chmod u+x mnt/etc/motd mnt/bin/tool mnt/etc
	touch mnt/full
	assert_eq "$(cd mnt && find . -printf '%P %i\n' | sort)" "$before"
	assert_eq "$(stat -c %i mnt/full/hard)" "$(stat -c %i mnt/etc/motd)"
	assert_eq "$(stat -c %h mnt/full/hard mnt/etc/motd | tr '\n' ' ')" "2 2 "
	umount mnt
	ovl top:base
	assert_eq "$(cd mnt && find . -printf '%P %i\n' | sort)" "$before"
	echo changed > mnt/etc/motd
	assert_content mnt/full/hard changed
	umount mnt
	ovl top:base
	assert_content mnt/full/hard changed
	[ "$(stat -c %i mnt/full/hard)" = "$(stat -c %i mnt/etc/motd)" ] || fail "two inodes"
}

check_directories_of_layers_move() {
	local how

	for how in off on; do
		rm -rf upper work
		small_layers 2> /dev/null || true
		ovl top:base "redirect_dir=$how,metacopy=$how"
		mv mnt/etc mnt/full/etc
		assert_content mnt/full/etc/conf.d/a a
		chmod 600 mnt/bin/tool
		mv mnt/bin/tool mnt/full/etc/tool
		mkdir mnt/etc
		umount mnt
		ovl top:base "redirect_dir=$how,metacopy=$how"
		assert_eq "$(names mnt)" "bin bin/link etc full full/etc full/etc/conf.d full/etc/conf.d/a full/etc/motd full/etc/tool full/etc/top full/hard full/sub full/sub/x "
		assert_content mnt/full/etc/conf.d/a a
		assert_content mnt/full/etc/tool tool
		umount mnt
		# The upper as a layer of the next mount.
		"$LAMINA_OVERLAY" -o lowerdir=upper:top:base mnt
		assert_content mnt/full/etc/conf.d/a a
		assert_content mnt/full/etc/tool tool
		assert_eq "$(ls mnt/etc)" ""
		umount mnt
	done
}

# --- check and finish -----------------------------------------------------------------------------

# says PATTERN: the check of the upper finds just one thing, and says so
says() {
	local out code=0

	out=$("$LAMINA_OVERLAY" --check upper -o lowerdir=base,workdir=work) || code=$?
	[ "$code" = 3 ] || fail "the check exits with $code, and not because $1"
	[ "$(wc -l <<< "$out")" = 1 ] || fail "not one finding, $1: $out"
	grep -Eq "$1" <<< "$out" || fail "says '$out', not '$1'"
}

clean() {
	local out

	out=$("$LAMINA_OVERLAY" --check upper -o "lowerdir=base,workdir=work") || fail "finds: $out"
}

check_every_inconsistency_is_found() {
	mkdir -p base/dir base/other upper work mnt
	echo data > base/file
	touch base/gone
	ovl base redirect_dir=on,metacopy=on
	mv mnt/other mnt/moved
	chmod 600 mnt/file
	rm mnt/gone
	assert_fails 1 "the upper is mounted" "$LAMINA_OVERLAY" --check upper -o workdir=work
	umount mnt
	wait_for '"$LAMINA_OVERLAY" --check upper -o lowerdir=base,workdir=work'

	mark upper/moved user.overlay.redirect ../x
	says '^moved: the redirect makes no sense'
	mark upper/moved user.overlay.redirect /nowhere
	says '^moved: the redirect leads nowhere'
	mark upper/moved user.overlay.redirect /file
	says '^moved: the redirect leads nowhere'
	mark upper/moved user.overlay.redirect /other
	mark upper/moved user.overlay.opaque y
	says '^moved: a directory is opaque and has a redirect'
	setfattr -x user.overlay.opaque upper/moved
	mark upper/moved user.overlay.opaque z
	says "^moved: 'user.overlay.opaque' is neither y nor x"
	setfattr -x user.overlay.opaque upper/moved
	mark upper/moved user.overlay.metacopy ""
	says '^moved: a directory is marked as a metadata-only copy'
	setfattr -x user.overlay.metacopy upper/moved
	mark upper/file user.overlay.opaque y
	says '^file: a file is marked opaque'
	setfattr -x user.overlay.opaque upper/file
	mv base/file base/elsewhere
	says '^file: the data of a metadata-only copy is nowhere'
	mv base/elsewhere base/file
	mark upper/file user.overlay.lamina.origin rubbish
	says '^file: the origin is not a number'
	mark upper/file user.overlay.lamina.origin 00000000000000ab
	clean
	touch upper/twin
	mark upper/twin user.overlay.lamina.origin 00000000000000ab
	says '^\.: two files are copies of the origin 00000000000000ab'
	rm upper/twin
	mark upper/file user.containers.override_stat no:thing
	says '^file: the owner in .* cannot be read'
	setfattr -x user.containers.override_stat upper/file
	whiteout upper/nothing
	says '^nothing: a whiteout hides nothing'
	rm upper/nothing
	mkdir upper/fresh
	mark upper/fresh user.overlay.opaque y
	whiteout upper/fresh/ghost
	says '^fresh/ghost: a whiteout in an opaque directory'
	rm -r upper/fresh
	touch upper/.wh.dir
	says '^\.wh\.dir: a whiteout in another dialect'
	rm upper/.wh.dir
	touch upper/plain
	mark upper/plain user.overlay.redirect /file
	says '^plain: a file with data has a redirect'
	rm upper/plain
	touch work/lamina/index/rubbish
	says '^index/rubbish: not an origin'
	rm work/lamina/index/rubbish
	ln upper/file work/lamina/index/0000000000000001
	says '^index/0000000000000001: it is the copy of another origin'
	rm work/lamina/index/0000000000000001
	clean
}

check_an_upper_is_finished_for_others() {
	mkdir -p base/dir/sub base/stay
	echo deep > base/dir/sub/deep
	echo data > base/file
	echo one > base/dir/one
	ovl base redirect_dir=on,metacopy=on
	chmod 600 mnt/file mnt/dir/one
	mv mnt/dir mnt/stay/moved
	rm mnt/stay/moved/sub/deep
	echo new > mnt/stay/moved/sub/new
	facts mnt > before
	umount mnt
	assert_match "$("$LAMINA_OVERLAY" --finish upper -o lowerdir=base,workdir=work)" \
		'^2 files and 1 directories completed$'
	assert_eq "$(getfattr -R -d -m 'user.overlay.(redirect|metacopy)' upper)" ""
	"$LAMINA_OVERLAY" --check upper -o lowerdir=base,workdir=work
	ovl base
	facts mnt > after
	diff before after || fail "it shows something else now"
	umount mnt
	mount -t overlay overlay -o userxattr,lowerdir=base,upperdir=upper,workdir=work mnt
	assert_content mnt/file data
	assert_content mnt/stay/moved/one one
	assert_eq "$(names mnt)" "file stay stay/moved stay/moved/one stay/moved/sub stay/moved/sub/new "
}

# facts DIR: what a client sees, but for times of directories
facts() {
	(cd "$1" && find . ! -type d -printf '%P %y %m %i %n %s %T@\n' -o -printf '%P %m %i\n' | sort)
}

# --- options --------------------------------------------------------------------------------------

check_ids_are_mapped_both_ways() {
	mkdir base
	touch base/zero base/five
	chown 5:6 base/five
	ovl base uidmapping=0:1000:1:5:7:1,gidmapping=0:0:1:6:8:1
	assert_eq "$(stat -c %u:%g mnt/zero)" 1000:0
	assert_eq "$(stat -c %u:%g mnt/five)" 7:8
	touch mnt/new
	chown 7:8 mnt/new
	assert_eq "$(stat -c %u:%g mnt/new)" 7:8
	assert_eq "$(stat -c %u:%g upper/new)" 5:6
	chmod 600 mnt/five
	assert_eq "$(stat -c %u:%g upper/five)" 5:6
	assert_eq "$(stat -c %u:%g mnt/five)" 7:8
}

check_squashed_owners() {
	mkdir base
	touch base/file
	chown 5:6 base/file
	ovl base squash_to_uid=3,squash_to_gid=4
	assert_eq "$(stat -c %u:%g mnt/file)" 3:4
	chown 9:9 mnt/file
	assert_eq "$(stat -c %u:%g mnt/file)" 3:4
	assert_missing upper/file
}

check_layers_that_change_underneath() {
	mkdir base
	echo one > base/file
	ro base timeout=0
	assert_content mnt/file one
	assert_missing mnt/later
	echo two > base/file
	touch base/later
	assert_content mnt/file two
	assert_exists mnt/later
	assert_eq "$(ls mnt | tr '\n' ' ')" "file later "
	rm base/file
	assert_missing mnt/file
	assert_eq "$(ls mnt | tr '\n' ' ')" "later "
}

check_attributes_that_overlays_use_stay_the_clients_own() {
	mkdir base
	touch base/file
	ovl base
	setfattr -n user.overlay.opaque -v y mnt/file
	setfattr -n user.mine -v 1 mnt/file
	assert_eq "$(getfattr -d mnt/file 2> /dev/null | grep -c '^user')" 2
	umount mnt
	ro upper:base
	assert_eq "$(getfattr --only-values -n user.overlay.opaque mnt/file)" y
	assert_eq "$(getfattr -d mnt/file 2> /dev/null | grep -c '^user')" 2
}

# --- each in a namespace of its own ---------------------------------------------------------------

t_whiteouts_in_every_spelling_hide() { ns check_whiteouts_in_every_spelling_hide; }
t_opaque_marks_in_every_spelling_hide() { ns check_opaque_marks_in_every_spelling_hide; }
t_layers_merge_by_name_and_kind() { ns check_layers_merge_by_name_and_kind; }
t_redirects_and_metadata_only_copies_of_layers_are_followed() {
	ns check_redirects_and_metadata_only_copies_of_layers_are_followed
}
t_owners_in_overrides_are_shown() { ns check_owners_in_overrides_are_shown; }
t_many_layers() { ns check_many_layers; }
t_few_file_descriptors() { ns check_few_file_descriptors; }
t_below_its_own_layer() { ns check_below_its_own_layer; }
t_a_directory_is_not_read_because_it_is_looked_up() {
	need strace
	ns check_a_directory_is_not_read_because_it_is_looked_up
}
t_memory_of_what_the_kernel_forgot_is_free() { ns check_memory_of_what_the_kernel_forgot_is_free; }
t_the_upper_is_what_kernel_overlayfs_writes() { ns check_the_upper_is_what_kernel_overlayfs_writes; }
t_an_upper_of_kernel_overlayfs_goes_on() { ns check_an_upper_of_kernel_overlayfs_goes_on; }
t_an_upper_of_fuse_overlayfs_goes_on() { ns check_an_upper_of_fuse_overlayfs_goes_on; }
t_numbers_stay() { ns check_numbers_stay; }
t_directories_of_layers_move() { ns check_directories_of_layers_move; }
t_every_inconsistency_is_found() { ns check_every_inconsistency_is_found; }
t_an_upper_is_finished_for_others() { ns check_an_upper_is_finished_for_others; }
t_ids_are_mapped_both_ways() { ns check_ids_are_mapped_both_ways; }
t_squashed_owners() { ns check_squashed_owners; }
t_layers_that_change_underneath() { ns check_layers_that_change_underneath; }
t_attributes_that_overlays_use_stay_the_clients_own() {
	ns check_attributes_that_overlays_use_stay_the_clients_own
}

t_without_proc_in_a_chroot() {
	need busybox
	mkdir -p root/base root/upper root/work root/mnt root/dev
	echo x > root/base/file
	cp "$(command -v busybox)" root/busybox
	ldd "$LAMINA_OVERLAY" | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "root${lib%/*}"
		cp "$lib" "root$lib"
	done
	cp "$LAMINA_OVERLAY" root/lamina-overlay
	touch root/dev/fuse root/dev/null
	in_userns bash -euc 'mount --bind /dev/fuse root/dev/fuse
		mount --bind /dev/null root/dev/null
		/usr/sbin/chroot root /lamina-overlay -o lowerdir=/base,upperdir=/upper,workdir=/work /mnt
		/usr/sbin/chroot root /busybox sh -c "b=/busybox; \$b cat /mnt/file; echo y > /mnt/new; \$b chmod 600 /mnt/file; \$b ls /mnt"' > out
	assert_eq "$(tr '\n' ' ' < out)" "x file new "
}

t_words_and_versions() {
	assert_match "$("$LAMINA_OVERLAY" --version)" '^fuse-overlayfs: version [0-9.]+$'
	assert_match "$("$LAMINA_OVERLAY" --help)" '^Usage: lamina-overlay '
	assert_fails 2 "unknown option 'rubbish'" "$LAMINA_OVERLAY" -o lowerdir=a,rubbish mnt
	assert_fails 1 "cannot mount on 'nowhere'" "$LAMINA_OVERLAY" -o lowerdir=/ nowhere
	mkdir mnt a
	assert_fails 1 "cannot open layer 'nothing'" "$LAMINA_OVERLAY" -o lowerdir=a:nothing mnt
}

run_tests
