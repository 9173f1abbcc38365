#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Layers of every dialect give the tree that tar extracts; malformed ones are refused.
# shellcheck source=tests/integration/lib.sh
. "${0%/*}/lib.sh"
TEST_TIMEOUT=600

setup_file() {
	FIX_DUMP=$LAMINA_BUILD/idxdump
	[ -x "$FIX_DUMP" ] || skip "'$FIX_DUMP' is not built"
}

# verdict DIRECTORY: all cases of a set must hold
verdict() {
	python3 "$SRC/tests/tools/check_layers.py" "$FIX_DUMP" "$1" > verdict || {
		grep -v '^ok' verdict
		fail "layers of '$1'"
	}
	tail -n 1 verdict
}

# same_as_tar TAR: what lamina makes of it is what tar extracts, byte for byte
same_as_tar() {
	rm -rf out store && mkdir out store
	tar --delay-directory-restore -xf "$1" -C out
	"$FIX_DUMP" store "$1" > dump || fail "'$1' is refused"
	python3 - out dump << 'END' || fail "'$1' gives another tree than tar"
import base64, hashlib, json, os, stat, sys
got = {}
for line in open(sys.argv[2]):
    e = json.loads(line)
    got[base64.b64decode(e['path_b64'])] = e
want = {b''}
for up, dirs, files in os.walk(os.fsencode(sys.argv[1])):
    for name in dirs + files:
        full = os.path.join(up, name)
        path = os.path.relpath(full, os.fsencode(sys.argv[1]))
        want.add(path)
        st, e = os.lstat(full), got[path]
        assert e['mode'] == '%04o' % stat.S_IMODE(st.st_mode) or stat.S_ISLNK(st.st_mode), path
        assert e['mtime'][0] == st.st_mtime_ns // 10**9, path
        if stat.S_ISREG(st.st_mode):
            with open(full, 'rb') as f:
                assert e['sha256'] == hashlib.sha256(f.read()).hexdigest(), path
            assert e['nlink'] == st.st_nlink, path
        if stat.S_ISLNK(st.st_mode):
            assert base64.b64decode(e['target_b64']) == os.readlink(full), path
assert want == set(got), want ^ set(got)
END
}

# A tree with holes of all kinds, long names, links, odd times
make_tree() {
	mkdir -p tree/dir
	printf 'front' > tree/front && truncate -s 1M tree/front
	truncate -s 3M tree/tail && printf 'tail' >> tree/tail
	truncate -s 500K tree/hole
	python3 - << 'END'
with open('tree/many', 'wb') as f:
    for i in range(200):
        f.seek(i * 65536 + i)
        f.write(b'%d' % i * 1000)
END
	head -c 100000 /dev/urandom > tree/dense
	: > tree/empty
	ln tree/dense tree/dir/second-name
	ln -s ../dense tree/dir/link
	touch -d '1969-12-31 23:59:58.25 UTC' tree/dir
	touch -d '2100-01-01 00:00:00.123456789 UTC' tree/empty
}

t_generated_layers() {
	python3 "$SRC/tests/hostile/gen_layers.py" gen
	verdict gen
}

t_random_chains_give_the_tree_of_a_model() {
	python3 "$SRC/tests/hostile/random_chains.py" "$FIX_DUMP" 300 > chains || {
		cat chains
		fail "the trees differ"
	}
}

t_sparse_files_of_gnu_tar_in_all_formats() {
	local version

	make_tree
	for version in 0.0 0.1 1.0; do
		tar --format=posix --sparse --sparse-version="$version" -cf "$version.tar" -C tree .
		same_as_tar "$version.tar"
		# The holes are not stored, or nothing was tested.
		[ "$(stat -c %s "$version.tar")" -lt 1500000 ] || fail "tar stored the holes"
	done
	tar --format=gnu --sparse -cf gnu.tar -C tree .
	same_as_tar gnu.tar
	tar --format=oldgnu --sparse -cf oldgnu.tar -C tree .
	same_as_tar oldgnu.tar
}

t_all_formats_of_gnu_tar() {
	local format long

	make_tree
	long=tree/$(printf 'n%.0s' {1..250})
	echo x > "$long"
	ln -sf "$(printf 't%.0s' {1..1000})" tree/longlink
	for format in gnu oldgnu posix; do
		tar --format="$format" -cf "$format.tar" -C tree .
		same_as_tar "$format.tar"
	done
	# These hold neither such names nor times before 1970.
	rm "$long" tree/longlink
	touch -d '2001-01-01 UTC' tree/dir tree/empty tree
	for format in ustar v7; do
		tar --format="$format" -cf "$format.tar" -C tree .
		same_as_tar "$format.tar"
	done
	tar --format=gnu --label=LABEL -cf label.tar -C tree .
	same_as_tar label.tar
	tar --format=gnu --listed-incremental=snapshot -cf incremental.tar -C tree .
	same_as_tar incremental.tar
}

t_archives_of_python() {
	make_tree
	python3 - << 'END'
import tarfile
for name, fmt in (('pax', tarfile.PAX_FORMAT), ('gnu', tarfile.GNU_FORMAT)):
    with tarfile.open(f'python-{name}.tar', 'w', format=fmt) as t:
        t.add('tree', arcname='.')
END
	same_as_tar python-pax.tar
	same_as_tar python-gnu.tar
}

t_archives_of_bsdtar() {
	local format

	need bsdtar
	make_tree
	for format in pax gnutar; do
		bsdtar --format="$format" -cf "bsd-$format.tar" -C tree .
		same_as_tar "bsd-$format.tar"
	done
}

t_the_same_layers_give_the_same_index() {
	make_tree
	tar --sort=name -cf a.tar -C tree .
	mkdir one two
	"$FIX_DUMP" one a.tar a.tar > one.dump
	"$FIX_DUMP" two a.tar a.tar > two.dump
	cmp one/image.idx two/image.idx
	cmp one/0/layer.idx two/1/layer.idx
	cmp one/0/layer.tar a.tar
}

# Other projects' cases, where they lie beside the checkout
t_a_corpus_of_layers() {
	local corpus=${LAMINA_CORPUS:-$SRC/../shared/corpus}

	[ -e "$corpus/good/manifest.json" ] || skip "there is no corpus at '$corpus'"
	verdict "$corpus/good"
	verdict "$corpus/bad"
}

run_tests
