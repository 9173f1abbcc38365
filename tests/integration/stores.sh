#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where stores are, what they share with other users and hosts, and what filesystems may lack.
. "${0%/*}/lib.sh"

setup_file() {
	need jq
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
}

pull() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null
}

t_a_file_says_where_the_store_is() {
	unset LAMINA_ROOT
	export XDG_CONFIG_HOME=$PWD/config
	make_file config/lamina/lamina.conf "# here
  root = $PWD/\${KIND}/of-\$UID"
	assert_fails 125 "lamina.conf, line 2: the variable 'KIND' is not set" "$LAMINA" images
	export KIND=store
	mkdir store
	"$LAMINA" images > /dev/null
	assert_exists "store/of-$(id -u)/oci-layout"
	LAMINA_ROOT=$PWD/a "$LAMINA" images > /dev/null
	LAMINA_ROOT=$PWD/a "$LAMINA" --root b images > /dev/null
	make_file other.conf "root=$PWD/c"
	LAMINA_CONF=other.conf "$LAMINA" images > /dev/null
	assert_exists a/oci-layout b/oci-layout c/oci-layout
	make_file other.conf 'rot = /x'
	LAMINA_CONF=other.conf assert_fails 125 "other.conf, line 1: 'rot' is not known" "$LAMINA" images
	LAMINA_CONF=none.conf assert_fails 125 "cannot read 'none.conf'" "$LAMINA" images
}

# shared: a store that others filled and nobody can write, and a configuration that names it
shared() {
	LAMINA_ROOT=$PWD/shared pull
	chmod -R a-w shared
	make_file lamina.conf "additional-store = $PWD/shared"
	export LAMINA_CONF=$PWD/lamina.conf
	find shared -printf '%p %T@ %C@ %s\n' | sort > before
}

untouched() {
	find shared -printf '%p %T@ %C@ %s\n' | sort > after
	diff before after || FAIL_DEPTH=1 fail 'the shared store was written to'
	chmod -R u+w shared
}

t_images_of_an_additional_store_are_used_and_never_written() {
	local demo

	shared
	assert_match "$("$LAMINA" images)" 'localhost/demo'
	assert_match "$("$LAMINA" info)" "^additional store: $PWD/shared"
	"$LAMINA" unpack --ownership squash demo:demo tree 2> /dev/null
	assert_content tree/srv/www/index.html "$(cat tree/srv/www/index.html)"
	assert_eq "$(ls "$LAMINA_ROOT/verified" | wc -l) $(ls "$LAMINA_ROOT/layers" | wc -l)" '3 0'
	mkdir mnt
	"$LAMINA" mount demo:demo mnt > /dev/null
	demo=$(ls mnt/srv/www)
	"$LAMINA" umount mnt
	assert_eq "$demo" index.html
	# Its layers are not fetched again.
	pull
	assert_eq "$(ls "$LAMINA_ROOT/layers" | wc -l)" 0
	"$LAMINA" rmi demo:demo > /dev/null
	assert_fails 125 'there is no image' "$LAMINA" rmi demo:demo
	"$LAMINA" rmi --all
	"$LAMINA" fsck --repair -q
	"$LAMINA" prune > /dev/null
	untouched
}

t_a_damaged_layer_of_an_additional_store_is_not_used() {
	local tar

	shared
	tar=$(find shared/layers -name layer.tar | head -n 1)
	chmod u+w "$tar" "${tar%/*}"
	printf x | dd of="$tar" bs=1 seek=600 conv=notrunc status=none
	chmod a-w "$tar" "${tar%/*}"
	find shared -printf '%p %T@ %C@ %s\n' | sort > before
	assert_fails 125 "its tar is damaged" "$LAMINA" unpack --ownership squash demo:demo tree
	# A pull into the own store heals it.
	pull
	"$LAMINA" unpack --ownership squash demo:demo tree 2> /dev/null
	assert_eq "$(ls "$LAMINA_ROOT/layers" | wc -l)" 1
	untouched
}

t_an_additional_store_that_is_away_stands_in_nobodys_way() {
	make_file lamina.conf "additional-store = $PWD/nowhere"
	LAMINA_CONF=lamina.conf "$LAMINA" images > out 2> err
	assert_match "$(cat err)" 'additional store is left out'
	pull
	"$LAMINA" images -q > /dev/null
}

# on_host NAME COMMAND: with a machine id of its own, in a mount namespace of its own
on_host() {
	printf '%s\n' "$1" | md5sum | cut -c1-32 > "machine-id-$1"
	in_userns sh -euc 'mount --bind "machine-id-$1" /etc/machine-id; eval "$2"' sh "$1" "$2"
}

t_hosts_share_a_store() {
	[ -e /etc/machine-id ] || skip 'there is no /etc/machine-id'
	export FIX_LAYOUT
	# A host dies in the middle of a pull; another one does not take its staging for dead.
	on_host one '"$LAMINA" images > /dev/null'
	if strace -V > /dev/null 2>&1; then
		on_host one 'strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when=2 \
			"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null 2>&1' || :
		ls -d "$LAMINA_ROOT"/tmp/stage-* > /dev/null || fail 'nothing was left behind'
	fi
	on_host two '"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null'
	if strace -V > /dev/null 2>&1; then
		ls -d "$LAMINA_ROOT"/tmp/stage-* > /dev/null || fail 'another host swept it'
	fi
	# What one uses the other does not remove.
	exec 8< "$(grep -l config.v1 "$LAMINA_ROOT"/blobs/sha256/* | head -n 1)"
	flock -s 8
	on_host two '! "$LAMINA" rmi demo:demo 2> err'
	assert_match "$(cat err)" 'in use'
	exec 8<&-
	on_host one '"$LAMINA" rmi demo:demo > /dev/null'
	# Its own staging goes with the next one that the first host makes.
	on_host one '"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null'
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

# without CALLS ERROR: a filesystem that does not know them
without() {
	rm -rf "$LAMINA_ROOT" tree
	lacking() {
		strace -f -qq -o /dev/null -e "trace=$calls" -e "inject=$calls:error=$error" "$@"
	}
	local calls=$1 error=$2

	lacking "$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null || FAIL_DEPTH=1 fail "pull without $1"
	lacking "$LAMINA" unpack --ownership squash demo:demo tree 2> /dev/null ||
		FAIL_DEPTH=1 fail "unpack without $1"
	assert_exists tree/srv/www/index.html
	lacking "$LAMINA" info > info
	lacking "$LAMINA" rmi demo:demo > /dev/null || FAIL_DEPTH=1 fail "rmi without $1"
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

t_filesystems_may_lack_much() {
	need strace
	without flock ENOLCK
	assert_match "$(cat info)" '^  locks: yes'
	without flock ENOSYS
	without renameat2 EINVAL
	assert_match "$(cat info)" '^  rename without replacing: no '
	without setxattr,fsetxattr,lsetxattr EOPNOTSUPP
	assert_match "$(cat info)" '^  user xattrs: no \(Operation not supported\): containers and'
	without mknodat EPERM
	assert_match "$(cat info)" '^  whiteout devices: no '
}

run_tests
