#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Unusual layers give the right tree; hostile ones are refused or stay harmless.
#
# The corpora lie outside of the source tree: LAMINA_CORPUS, or ../shared/corpus beside the checkout.
# Each has a check.py, which runs a command for every case and compares or attacks the result.
. "${0%/*}/lib.sh"
TEST_TIMEOUT=900

setup_file() {
	FIX_CORPUS=${LAMINA_CORPUS:-$SRC/../shared/corpus}
	[ -e "$FIX_CORPUS/check.py" ] || skip "there is no corpus at '$FIX_CORPUS'"
	have_subids || skip "no subordinate ids for $(id -un)"
}

# check KIND: pull and mount every case of the corpus in the user namespace of the containers
check() {
	cat > mount-case << 'END'
#!/bin/sh
image=$("$LAMINA" pull -q "oci:$1:$2") && mkdir -p "$3" && exec "$LAMINA" mount "$image" "$3"
END
	cat > unmount-case << 'END'
#!/bin/sh
"$LAMINA" umount "$1"
rm -rf "$LAMINA_ROOT"
END
	chmod +x mount-case unmount-case
	# A directory that check.py makes, and that no layer may touch
	[ ! -e /tmp/lamina-sentinel ] || [ -O /tmp/lamina-sentinel ] ||
		skip 'another user is checking a corpus (/tmp/lamina-sentinel)'
	"$LAMINA" unshare python3 "$FIX_CORPUS/check.py" "$1" "$FIX_CORPUS/$1" \
		"$PWD/mount-case {layout} {tag} {dest}" --cleanup "$PWD/unmount-case {dest}" \
		--work "$PWD/work" > verdict || :
	rm -rf /tmp/lamina-sentinel
	cat verdict
	assert_match "$(tail -n 1 verdict)" '^[0-9]+ passed, 0 failed$' "the corpus's verdict"
}

# check_unpacked KIND: the same with every case unpacked, on a tmpfs, which can hold any time
check_unpacked() {
	cat > unpack-case << 'END'
#!/bin/sh
"$LAMINA" unpack "oci:$1:$2" "$3"
code=$?
rm -rf "$LAMINA_ROOT"
exit "$code"
END
	cat > on-tmpfs << 'END'
set -eu
mount -t tmpfs tmpfs work
python3 "$FIX_CORPUS/check.py" "$1" "$FIX_CORPUS/$1" "$PWD/unpack-case {layout} {tag} {dest}" \
	--work "$PWD/work" > verdict || :
END
	chmod +x unpack-case
	mkdir work
	[ ! -e /tmp/lamina-sentinel ] || [ -O /tmp/lamina-sentinel ] ||
		skip 'another user is checking a corpus (/tmp/lamina-sentinel)'
	FIX_CORPUS=$FIX_CORPUS "$LAMINA" unshare sh on-tmpfs "$1"
	rm -rf /tmp/lamina-sentinel
	cat verdict
	assert_match "$(tail -n 1 verdict)" '^[0-9]+ passed, 0 failed$' "the corpus's verdict"
}

t_unusual_layers() {
	check good
}

t_hostile_layers() {
	check bad
}

t_unusual_layers_unpacked() {
	check_unpacked good
}

t_hostile_layers_unpacked() {
	check_unpacked bad
}

run_tests
