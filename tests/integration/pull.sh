#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is pulled from a registry or a layout is in the store, whole and checked, under its name.
. "${0%/*}/lib.sh"

setup_file() {
	need skopeo docker-registry jq
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
	FIX_REGISTRY=$(start_registry)
	push "$FIX_LAYOUT:demo" demo:1
	FIX_ID=$(jq -r '.manifests[0].digest' demo/index.json | cut -d: -f2)
	FIX_ID=$(jq -r .config.digest "demo/blobs/sha256/$FIX_ID" | cut -d: -f2)
}

# push LAYOUT:REF NAME [OPTION…]
push() {
	local from=$1 to=$2

	shift 2
	skopeo --insecure-policy copy -q --dest-tls-verify=false "$@" "oci:$from" \
		"docker://$FIX_REGISTRY/$to"
}

check_store() {
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept ||
		FAIL_DEPTH=1 fail 'the store is not sound'
}

names() {
	"$LAMINA" images --json | jq -r '.[].Names[]' | sort
}

t_a_registry_image_is_pulled_and_listed() {
	assert_eq "$("$LAMINA" pull "$FIX_REGISTRY/demo:1" 2> err)" "$FIX_ID" 'the id on stdout'
	assert_match "$(cat err)" "^pulling $FIX_REGISTRY/demo:1$"
	assert_eq "$(names)" "$FIX_REGISTRY/demo:1"
	assert_match "$("$LAMINA" images)" "^$FIX_REGISTRY/demo +1 +${FIX_ID:0:12} "
	assert_eq "$("$LAMINA" images -q)" "${FIX_ID:0:12}"
	check_store
}

t_pulling_again_downloads_nothing() {
	local before

	"$LAMINA" pull -q "$FIX_REGISTRY/demo:1"
	before=$(stat -c '%i %Y %n' "$LAMINA_ROOT"/layers/*/*)
	"$LAMINA" pull "docker://$FIX_REGISTRY/demo:1" 2> err
	assert_eq "$(grep -c 'there already' err)" 3
	assert_eq "$(stat -c '%i %Y %n' "$LAMINA_ROOT"/layers/*/*)" "$before"
}

t_quiet_prints_the_id_alone() {
	"$LAMINA" pull -q "$FIX_REGISTRY/demo:1" > out 2> err
	assert_content out "$FIX_ID"
	assert_content err ''
}

t_a_layout_is_named_by_its_reference_or_directory() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo"
	"$LAMINA" pull -q "oci:$FIX_LAYOUT"
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" app
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" quay.io/a/b:c
	skopeo --insecure-policy copy -q "oci:$FIX_LAYOUT:demo" oci:other:team/app:7
	"$LAMINA" pull -q oci:other:team/app:7
	assert_eq "$(names | tr '\n' ' ')" \
		'localhost/app:latest localhost/demo:demo localhost/demo:latest localhost/team/app:7 quay.io/a/b:c '
	check_store
}

t_every_compression_gives_the_same_image() {
	local manifest

	skopeo --insecure-policy copy -q --dest-decompress "oci:$FIX_LAYOUT:demo" dir:plain
	for format in gzip zstd; do
		# A home of its own, for skopeo remembers what it pushed and would not pack it again.
		HOME=$PWD/$format skopeo --insecure-policy copy -q --dest-tls-verify=false \
			--dest-compress-format "$format" dir:plain "docker://$FIX_REGISTRY/demo:$format"
		assert_eq "$("$LAMINA" --root "$PWD/$format-store" pull -q "$FIX_REGISTRY/demo:$format")" \
			"$FIX_ID"
	done
	manifest=$(skopeo inspect --raw --tls-verify=false "docker://$FIX_REGISTRY/demo:zstd")
	assert_match "$manifest" 'tar\+zstd'
	jq '.layers[].mediaType = "application/vnd.oci.image.layer.v1.tar"' plain/manifest.json > m
	mv m plain/manifest.json
	skopeo --insecure-policy copy -q --dest-oci-accept-uncompressed-layers dir:plain \
		oci:plain-oci:demo
	assert_match "$(cat plain-oci/blobs/sha256/*)" 'layer.v1.tar"'
	"$LAMINA" --root "$PWD/plain-store" pull -q oci:plain-oci:demo
	diff -r gzip-store/layers zstd-store/layers
	diff -r gzip-store/layers plain-store/layers
}

t_docker_manifests_are_images_too() {
	push "$FIX_LAYOUT:demo" demo:v2s2 --format v2s2
	"$LAMINA" pull -q "$FIX_REGISTRY/demo:v2s2"
	assert_match "$(jq -r '.manifests[0].mediaType' "$LAMINA_ROOT/index.json")" \
		'docker.distribution.manifest.v2'
	check_store
}

# multi_layout DIR: an index in an index: amd64, arm64 and arm/v6, each with a config of its own
multi_layout() {
	python3 - "$FIX_LAYOUT" "$1" << 'END'
import hashlib, json, os, shutil, sys
src, dst = sys.argv[1:]
shutil.copytree(src, dst)
def read(d): return json.load(open("%s/blobs/%s" % (dst, d["digest"].replace(":", "/"))))
def put(doc, kind, **more):
    data = json.dumps(doc).encode()
    name = hashlib.sha256(data).hexdigest()
    open("%s/blobs/sha256/%s" % (dst, name), "wb").write(data)
    return dict(mediaType="application/vnd.oci.image.%s.v1+json" % kind,
                digest="sha256:" + name, size=len(data), **more)
top = read(json.load(open(dst + "/index.json"))["manifests"][0])
config = read(top["config"])
def image(**platform):
    m = dict(top, config=put(dict(config, **platform), "config"))
    return put(m, "manifest", platform=dict(os="linux", **platform))
inner = put(dict(schemaVersion=2, manifests=[
    put({"x": 1}, "manifest", platform=dict(os="unknown", architecture="unknown")),
    image(architecture="arm64", variant="v8"), image(architecture="arm", variant="v6"),
    image(architecture="amd64")]), "index")
outer = put(dict(schemaVersion=2, manifests=[inner]), "index",
            annotations={"org.opencontainers.image.ref.name": "multi"})
json.dump(dict(schemaVersion=2, manifests=[outer]), open(dst + "/index.json", "w"))
END
}

t_the_platform_is_chosen_from_nested_indexes() {
	multi_layout multi
	for want in amd64 arm64 arm64/v8 arm/v7 aarch64; do
		"$LAMINA" pull -q --platform "linux/$want" oci:multi:multi > /dev/null
		case $want in
		amd64) arch=amd64 ;;
		arm/*) arch=arm ;;
		*) arch=arm64 ;;
		esac
		assert_eq "$("$LAMINA" inspect localhost/multi:multi | jq -r '.[0].Architecture')" $arch
	done
	assert_fails 5 'hint: .*linux/arm64' "$LAMINA" pull --platform linux/s390x oci:multi:multi
	assert_fails 5 'no image for linux/arm/v5|linux/arm' \
		"$LAMINA" pull --platform windows/amd64 oci:multi:multi
	check_store
}

t_another_platform_than_asked_for_is_said() {
	"$LAMINA" pull --platform linux/riscv64 "oci:$FIX_LAYOUT:demo" 2> err
	assert_match "$(cat err)" 'warning: the image is for linux/[a-z0-9]*, not for linux/riscv64'
}

t_an_image_is_found_by_digest() {
	local digest

	digest=sha256:$(jq -r '.manifests[0].digest' "$FIX_LAYOUT/index.json" | cut -d: -f2)
	"$LAMINA" pull -q "$FIX_REGISTRY/demo@$digest"
	"$LAMINA" inspect "$FIX_REGISTRY/demo@$digest" > /dev/null
	"$LAMINA" inspect "${FIX_ID:0:10}" > /dev/null
	"$LAMINA" inspect "sha256:$FIX_ID" > /dev/null
	assert_match "$("$LAMINA" images)" "^$FIX_REGISTRY/demo +<none> "
	assert_fails 5 'MANIFEST_UNKNOWN|does not have it' "$LAMINA" pull \
		"$FIX_REGISTRY/demo@sha256:$(printf '0%.0s' {1..64})"
	check_store
}

t_inspect_has_what_podman_shows() {
	local manifest

	manifest=$(jq -r '.manifests[0].digest' "$FIX_LAYOUT/index.json")
	"$LAMINA" pull -q "$FIX_REGISTRY/demo:1"
	"$LAMINA" inspect "$FIX_REGISTRY/demo:1" > i
	assert_eq "$(jq -r '.[0].Id' i)" "$FIX_ID"
	assert_eq "$(jq -r '.[0].Digest' i)" "$manifest"
	assert_eq "$(jq -r '.[0].RepoTags[0]' i)" "$FIX_REGISTRY/demo:1"
	assert_eq "$(jq -r '.[0].RepoDigests[0]' i)" "$FIX_REGISTRY/demo@$manifest"
	assert_eq "$(jq -r '.[0].Os' i)" linux
	assert_eq "$(jq -r '.[0].RootFS.Layers | length' i)" 3
	assert_eq "$(jq -r '.[0].Config.Cmd[0]' i)" /bin/sh
	assert_eq "$(jq -r '.[0].Size' i)" "$(cat "$LAMINA_ROOT"/layers/*/layer.tar | wc -c)"
	# What is missing does not hide what is there.
	assert_fails 125 "'nope': there is no" "$LAMINA" inspect nope "$FIX_REGISTRY/demo:1"
}

t_errors_are_one_line_and_leave_the_store_alone() {
	"$LAMINA" images > /dev/null
	assert_fails 5 "^lamina: cannot pull '$FIX_REGISTRY/nope': .* does not have it" \
		"$LAMINA" pull -q "$FIX_REGISTRY/nope"
	assert_fails 3 'could not connect|failed to connect' "$LAMINA" pull -q 127.0.0.1:1/x
	assert_fails 125 "'A' is not the name of a repository" "$LAMINA" pull -q A
	assert_fails 125 'not an OCI layout' "$LAMINA" pull -q "oci:$PWD"
	assert_fails 5 'cannot open' "$LAMINA" pull -q oci:/nonexistent
	assert_fails 5 "it has: demo" "$LAMINA" pull -q "oci:$FIX_LAYOUT:nope"
	assert_fails 125 'not a platform' "$LAMINA" pull -q --platform x/y/z/w "oci:$FIX_LAYOUT"
	assert_eq "$("$LAMINA" images -q)" ''
	check_store
}

t_short_names_are_docker_hub_and_said_in_full() {
	# No network here: the name is what counts.
	assert_fails 3 '^pulling docker.io/library/alpine:3$' env https_proxy=http://127.0.0.1:1 \
		"$LAMINA" pull --timeout 5 alpine:3
	assert_fails 3 'a proxy is set' env https_proxy=http://127.0.0.1:1 \
		"$LAMINA" pull --timeout 5 alpine:3
}

t_two_pulls_at_once_download_a_layer_once() {
	"$LAMINA" images > /dev/null
	for i in 1 2 3 4; do
		"$LAMINA" --debug pull "$FIX_REGISTRY/demo:1" 2> "err$i" > "out$i" &
	done
	wait
	for i in 1 2 3 4; do
		assert_content "out$i" "$FIX_ID"
	done
	assert_eq "$(cat err? | grep -c 'debug image: layer number=')" 3 'layers that were written'
	check_store
}

t_a_link_or_a_pipe_is_no_blob() {
	local blob

	cp -r "$FIX_LAYOUT" l
	blob=$(jq -r '.manifests[0].digest' l/index.json | tr : /)
	mv "l/blobs/$blob" manifest
	ln -s "$PWD/manifest" "l/blobs/$blob"
	assert_fails 6 'cannot open' "$LAMINA" pull -q oci:l:demo
	rm "l/blobs/$blob"
	mkfifo "l/blobs/$blob"
	assert_fails 6 'not a regular file' timeout 10 "$LAMINA" pull -q oci:l:demo
}

t_layouts_that_lie_are_refused() {
	local name pattern

	mkdir lies
	"$SRC/tests/helpers/lying_layouts.py" "$FIX_LAYOUT" lies > list
	[ "$(grep -c . list)" -gt 20 ] || fail 'the list is too short'
	while IFS=$'\t' read -r name pattern; do
		# Layers that are there already would not be looked at.
		rm -rf "$LAMINA_ROOT"
		assert_fails 6 "^lamina: cannot pull 'oci:lies/$name:demo': .*$pattern" \
			timeout 20 "$LAMINA" pull -q "oci:lies/$name:demo"
		assert_eq "$(names)" ''
		check_store
	done < list
}

t_a_terminal_shows_bars_and_a_file_shows_lines() {
	need script
	script -qec "stty cols 80 rows 24; TERM=xterm $LAMINA pull $FIX_REGISTRY/demo:1" typescript \
		< /dev/null > /dev/null
	assert_match "$(cat typescript)" $'\033\\[3A'
	"$LAMINA" --root "$PWD/s" pull "$FIX_REGISTRY/demo:1" 2> err
	assert_eq "$(grep -c $'\033' err)" 0
	assert_eq "$(grep -c 'downloading' err)" 3
}

t_tls_and_a_password() {
	local addr

	need openssl python3
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout key.pem -out cert.pem \
		2> /dev/null
	# htpasswd of user:secret with bcrypt, as the registry wants it; Python 3.13 cannot make one
	make_file htpasswd 'user:$2y$04$O3VagvZukZC5cPesEPs79eRwqtlUloIInFlTLUNijN9hQfeqRCyGC'
	cat > tls.yml << END
version: 0.1
log: { level: info }
storage: { filesystem: { rootdirectory: $PWD/tls } }
auth: { htpasswd: { realm: test, path: $PWD/htpasswd } }
http: { addr: "127.0.0.1:0", tls: { certificate: $PWD/cert.pem, key: $PWD/key.pem } }
END
	OTEL_TRACES_EXPORTER=none docker-registry serve tls.yml > tls.log 2>&1 < /dev/null &
	wait_for "grep -q 'listening on' tls.log"
	addr=localhost:$(sed -n 's/.*listening on [0-9.]*:\([0-9]*\).*/\1/p' tls.log)
	skopeo --insecure-policy copy -q --dest-tls-verify=false --dest-creds user:secret \
		"oci:$FIX_LAYOUT:demo" "docker://$addr/a/demo:1"
	make_file auth.json "{\"auths\":{\"$addr\":{\"auth\":\"$(printf user:secret | base64)\"}}}"
	make_file wrong.json "{\"auths\":{\"$addr/a\":{\"auth\":\"$(printf user:x | base64)\"}}}"
	assert_fails 3 'certificate' "$LAMINA" pull -q "$addr/a/demo:1"
	export SSL_CERT_FILE=$PWD/cert.pem
	assert_fails 4 'asks for a user and password' "$LAMINA" pull -q "$addr/a/demo:1"
	assert_fails 4 'denies access' "$LAMINA" pull -q --authfile wrong.json "$addr/a/demo:1"
	assert_eq "$("$LAMINA" pull -q --authfile auth.json "$addr/a/demo:1")" "$FIX_ID"
	unset SSL_CERT_FILE
	REGISTRY_AUTH_FILE=auth.json "$LAMINA" pull -q --tls-verify=false "$addr/a/demo:1"
	mkdir -p "$XDG_RUNTIME_DIR/containers"
	cp auth.json "$XDG_RUNTIME_DIR/containers/auth.json"
	"$LAMINA" pull -q --tls-verify=false "$addr/a/demo:1"
	assert_fails 5 'No such file' "$LAMINA" pull -q --authfile nope.json --tls-verify=false \
		"$addr/a/demo:1"
}

run_tests
