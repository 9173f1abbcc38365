#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What images are there, how they were made, and how they come of a tar and go all at once.
. "${0%/*}/lib.sh"

setup_file() {
	need jq
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
}

pull() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" > /dev/null
}

t_a_root_tar_becomes_an_image() {
	local id

	mkdir -p root/etc
	echo hello > root/etc/motd
	tar cf root.tar --owner=7 --group=8 --mtime=@1600000000 --sort=name -C root .
	gzip -k root.tar
	export SOURCE_DATE_EPOCH=1600000000
	id=$("$LAMINA" import -q -m why -c 'CMD ["/bin/sh"]' -c 'ENV A=b' root.tar.gz new:1)
	assert_eq "$("$LAMINA" import -q -m why -c 'CMD ["/bin/sh"]' -c 'ENV A=b' - again < root.tar)" "$id"
	"$LAMINA" inspect new:1 > json
	assert_eq "$(jq -c '.[0] | [.Config.Cmd, .Config.Env, .Created, .History[0].comment]' json)" \
		'[["/bin/sh"],["A=b"],"2020-09-13T12:26:40Z","why"]'
	assert_eq "$(jq -r '.[0].RootFS.Layers[0]' json)" "sha256:$(sha256sum < root.tar | cut -c1-64)"
	"$LAMINA" unpack --ownership squash new:1 tree
	assert_content tree/etc/motd hello
	"$LAMINA" import -q --platform linux/arm64 root.tar > other
	assert_eq "$("$LAMINA" inspect "$(cat other)" | jq -r '.[0].Architecture')" arm64
	echo garbage > garbage.tar
	assert_fails 125 "cannot import 'garbage.tar'" "$LAMINA" import garbage.tar x
	"$LAMINA" fsck -q
}

t_images_are_listed_as_wanted() {
	local id

	pull
	"$LAMINA" tag demo:demo docker.io/library/alpine:3 > /dev/null
	echo x > x
	tar cf x.tar x
	"$LAMINA" import -q -c LABEL=team=red -c LABEL=plain= x.tar > id
	id=$(cut -c1-12 id)
	list() {
		"$LAMINA" images --format '{{.Repository}}:{{.Tag}}' "$@" | sort | tr '\n' ' '
	}
	assert_eq "$(list)" '<none>:<none> docker.io/library/alpine:3 localhost/demo:demo '
	assert_eq "$(list alpine)" 'docker.io/library/alpine:3 '
	assert_eq "$(list -f 'reference=*:demo')" 'localhost/demo:demo '
	assert_eq "$(list -f reference=alpine:3 -f reference=demo)" \
		'docker.io/library/alpine:3 localhost/demo:demo '
	assert_eq "$(list -f dangling=true)" '<none>:<none> '
	assert_eq "$(list -f dangling=false -f reference=demo)" 'localhost/demo:demo '
	assert_eq "$(list -f "before=$id")" 'docker.io/library/alpine:3 localhost/demo:demo '
	assert_eq "$(list -f since=demo)" '<none>:<none> '
	assert_eq "$(list -f after=demo)" '<none>:<none> '
	assert_eq "$(list -f label=team)$(list -f label=team=red)$(list -f label=plain=)" \
		'<none>:<none> <none>:<none> <none>:<none> '
	assert_eq "$(list -f label=team=blue)$(list -f label=none)" ''
	assert_eq "$(list -f label!=team -f reference=demo)" 'localhost/demo:demo '
	assert_eq "$(list -f "id=$id")" '<none>:<none> '
	assert_eq "$(list -f "digest=$("$LAMINA" inspect demo:demo | jq -r '.[0].Digest')")" \
		'docker.io/library/alpine:3 localhost/demo:demo '
	assert_eq "$("$LAMINA" images -an demo | wc -l)" 1
	assert_fails 125 "'id!=x' is not a filter" "$LAMINA" images -f id!=x
	assert_fails 125 "'size=1' is not a filter" "$LAMINA" images -f size=1
	assert_fails 125 "takes true or false, not 'x'" "$LAMINA" images -f dangling=x
	assert_eq "$("$LAMINA" images -q -f dangling=1)" "$id"
	assert_match "$("$LAMINA" images --digests demo)" \
		'^localhost/demo +demo +sha256:[0-9a-f]{64}  [0-9a-f]{12}  '
	assert_match "$("$LAMINA" images --format 'table {{.ID}}\t{{.Size}}' demo | head -n 1)" 'ID +SIZE'
	assert_eq "$("$LAMINA" images --format json demo | jq -r 'if type == "array" then .[0] else . end | .Tag')" demo
}

t_history_tells_steps_and_sizes() {
	pull
	"$LAMINA" history demo:demo > out
	assert_match "$(head -n 1 out)" '^ID +CREATED ?SINCE +CREATED ?BY +SIZE +COMMENT'
	assert_match "$(sed -n 2p out)" "^$("$LAMINA" images -q) .*scripts/demo-image, layer 3"
	assert_eq "$(grep -c '^<missing>' out)" 2
	assert_eq "$("$LAMINA" history --format '{{.Bytes}}' demo:demo | tail -n 1)" \
		"$("$LAMINA" inspect demo:demo | jq -r '.[0].RootFS.Layers[0]' | sed 's/:/-/' |
			xargs -I@ stat -c %s "$LAMINA_ROOT/layers/@/layer.tar")"
}

t_the_tree_shows_what_layers_do() {
	pull
	"$LAMINA" tree demo:demo > out
	assert_match "$(head -n 1 out)" '^localhost/demo:demo  [0-9.]+ MB$'
	assert_eq "$(wc -l < out)" 4
	assert_match "$(sed -n 2p out)" '├─ [0-9a-f]{12} .* 2 deletions$'
	assert_match "$(tail -n 1 out)" '└─ .* 0 deletions$'
}

t_a_reset_removes_everything_after_asking() {
	pull
	assert_fails 1 "Remove all images and containers, everything in '$LAMINA_ROOT'" "$LAMINA" reset
	assert_eq "$("$LAMINA" images -q | wc -l)" 1
	if have_subids; then
		"$LAMINA" run --name kept demo:demo chown 5:6 /tmp > /dev/null 2>&1 || :
	fi
	echo y | "$LAMINA" reset 2> /dev/null
	assert_eq "$(ls -A "$LAMINA_ROOT")" ''
	assert_eq "$("$LAMINA" images -q)" ''
	pull
	"$LAMINA" reset --force
	assert_eq "$(ls -A "$LAMINA_ROOT")" ''
}

run_tests
