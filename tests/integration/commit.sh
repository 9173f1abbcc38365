#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an upper changes becomes a layer, and the image with that layer is what the mount showed.
. "${0%/*}/lib.sh"

setup_file() {
	need jq getfattr setfattr
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
}

# changed COMMANDS: pull, mount image on mnt with the upper "up" in the containers' user namespace, run
# the commands there, keep a listing of the result
changed() {
	have_subids || skip "no subordinate ids for $(id -un)"
	[ -e "$LAMINA_ROOT/oci-layout" ] || "$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" image > /dev/null
	mkdir -p mnt
	export -f listing
	"$LAMINA" unshare bash -euc '"$LAMINA" mount --upper up image mnt > /dev/null
		(cd mnt; eval "$1")
		"$LAMINA" umount mnt
		"$LAMINA" mount --upper up image mnt > /dev/null
		listing mnt > want; "$LAMINA" umount mnt' bash "$1"
}

# listing DIR: all that can be seen, with the content's checksum and attributes
listing() {
	(
		cd "$1"
		find . -printf '%p %y %m %U:%G %T@ %n %l ' \( -type f -printf %s \) , -printf '\n' | sort
		find . -type f -exec cksum {} + | sort
		find . -print0 | sort -z | xargs -0 getfattr -d -m- -h 2> /dev/null
	)
}

same_when_mounted() {
	"$LAMINA" unshare bash -euc '"$LAMINA" mount "$1" mnt > /dev/null; listing mnt > got
		"$LAMINA" umount mnt' bash "$1"
	diff want got > difference || FAIL_DEPTH=1 fail "the image is not what was there: $(cat difference)"
}

t_the_image_is_what_the_mount_showed() {
	changed 'echo new > new; chown 5:6 new; touch -d @1600000000.123456789 new
		chmod 4711 etc/motd; chown 7:8 etc/motd
		rm etc/passwd; rm -r usr/share; mv home moved; mv moved/demo/.profile moved/p
		rm -r var/cache/demo; mkdir var/cache/demo; echo inside > var/cache/demo/inside
		rm -r srv; echo "a file now" > srv
		mkdir -m 1777 empty; mkdir -m 0 closed; echo x > closed/x
		ln new linked; ln -s /no/where symlink; chown -h 9:9 symlink
		mkfifo -m 600 pipe; truncate -s 5M sparse; echo end >> sparse
		printf "%05000000d" 0 > dense; setfattr -n user.note -v value new
		name=$(printf "n%.0s" $(seq 200)); mkdir -p "$name/$name"; echo deep > "$name/$name/ä ö"
		printf "odd" > "$(printf "odd\nname\001")"; touch -d @-1.5 old; touch -d @99999999999 late
		ln -s "$(printf "t%.0s" $(seq 300))" long-target'
	"$LAMINA" commit -q up committed > id
	same_when_mounted committed
	assert_match "$("$LAMINA" images)" "^localhost/committed +latest +$(cut -c1-12 id)"
	"$LAMINA" layer verify > /dev/null
	# Zeros are not stored.
	[ "$("$LAMINA" layer diff up | wc -c)" -lt 6000000 ] || fail 'holes are in the tar'
}

t_nothing_changed_is_an_empty_layer() {
	changed 'cat etc/motd > /dev/null; ls -R > /dev/null'
	assert_eq "$("$LAMINA" diff up)" ''
	assert_eq "$("$LAMINA" layer diff up | wc -c)" 1024
}

t_changes_are_listed() {
	changed 'echo x > new; chmod 600 etc/motd; rm etc/passwd; rm -r var/cache/demo; mkdir var/cache/demo
		touch -d @1700000000 . etc var/cache'
	"$LAMINA" diff up > out
	cat > wanted << 'END'
C /
C /etc/motd
D /etc/passwd
A /new
A /var/cache/demo
END
	diff wanted out || fail 'see above'
	assert_eq "$("$LAMINA" diff --json up | jq -c '[.added, .changed, .deleted | length]')" '[2,2,1]'
	"$LAMINA" layer diff up | tar t > names
	cat > wanted << 'END'
./
etc/motd
etc/.wh.passwd
new
var/cache/demo/
var/cache/demo/.wh..wh..opq
END
	diff wanted names || fail 'see above'
}

t_equal_changes_are_equal_layers() {
	local make='for i in $(seq 50); do echo $i > f$i; done; ln f1 a; ln f1 z; rm -r etc'

	export SOURCE_DATE_EPOCH=1500000000
	changed "$make"
	"$LAMINA" layer diff -o first up
	"$LAMINA" commit -q up one > id1
	mv up up1
	changed "$(sed 's/seq 50/seq 50 -1 1/' <<< "$make")"
	"$LAMINA" layer diff up > second
	cmp first second
	"$LAMINA" commit -q up two > id2
	cmp id1 id2
	assert_eq "$("$LAMINA" inspect one | jq -r '.[0].Created')" 2017-07-14T02:40:00Z
	assert_eq "$("$LAMINA" images -q | sort -u | wc -l)" 2
}

t_hard_links_of_a_lower_file_stay_together() {
	python3 - base.tar << 'END'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as t:
    d = tarfile.TarInfo("d"); d.type = tarfile.DIRTYPE; d.mode = 0o755; t.addfile(d)
    f = tarfile.TarInfo("d/one"); f.size = 3; t.addfile(f, io.BytesIO(b"old"))
    l = tarfile.TarInfo("two"); l.type = tarfile.LNKTYPE; l.linkname = "d/one"; t.addfile(l)
END
	"$SRC/tests/helpers/make_layout.py" links one "$PWD/base.tar"
	"$LAMINA" pull -q oci:links:one image > /dev/null
	changed 'echo new > two'
	assert_eq "$("$LAMINA" diff up | tr '\n' ,)" 'C /d/one,C /two,'
	"$LAMINA" commit -q up new > /dev/null
	same_when_mounted new
}

t_the_config_changes_as_told() {
	changed 'echo x > x'
	"$LAMINA" commit -q -a me -m why -c 'CMD ["run", "it"]' -c 'ENV A=1 "B=two words"' \
		-c 'EXPOSE 80 53/udp' -c 'LABEL k v w' -c 'USER=app:grp' -c 'VOLUME ["/a", "/b c"]' \
		-c 'WORKDIR /srv' -c 'STOPSIGNAL SIGINT' -c 'ENTRYPOINT exec /bin/init' up changed > /dev/null
	"$LAMINA" inspect changed > json
	jq -cS '.[0].Config' json > config
	assert_content config "$(jq -cS . << 'END'
{"Cmd":["run","it"],"Entrypoint":["/bin/sh","-c","exec /bin/init"],"Env":["PATH=/bin","A=1","B=two words"],
"ExposedPorts":{"80/tcp":{},"53/udp":{}},"Labels":{"k":"v w"},"StopSignal":"SIGINT","User":"app:grp",
"Volumes":{"/a":{},"/b c":{}},"WorkingDir":"/srv"}
END
	)"
	assert_eq "$(jq -r '.[0].History[-1] | .author + " " + .comment' json)" 'me why'
	assert_fails 125 "'FROM' is not a change" "$LAMINA" commit -c 'FROM scratch' up no
	assert_fails 125 'is malformed' "$LAMINA" commit -c 'WORKDIR here' up no
	assert_fails 125 'is malformed' "$LAMINA" commit -c 'CMD ["x", 1]' up no
}

t_what_cannot_be_a_layer_is_refused() {
	changed 'echo x > .wh.x'
	assert_fails 125 "'/.wh.x': a layer cannot hold it" "$LAMINA" commit up no
	assert_fails 125 'it is no upper' "$LAMINA" commit "$PWD/mnt" no
	"$LAMINA" rmi image > /dev/null
	assert_fails 125 'no image with the layers' "$LAMINA" diff up
	# Nothing is left behind.
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

t_one_users_upper_is_roots() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" image > /dev/null
	mkdir mnt
	"$LAMINA" mount --upper up image mnt > /dev/null
	echo x > mnt/mine
	assert_fails 125 'it is mounted' "$LAMINA" commit up no
	"$LAMINA" umount mnt
	"$LAMINA" layer diff up | tar tv --numeric-owner mine > line
	assert_match "$(cat line)" '^-rw-r--r-- 0/0 +2 '
}

run_tests
