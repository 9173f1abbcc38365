#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images come and go between registries, layouts and archives with their digests as they are.
. "${0%/*}/lib.sh"

setup_file() {
	need skopeo docker-registry jq python3 openssl
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
	FIX_DIGEST=$(jq -r '.manifests[0].digest' demo/index.json)
	FIX_REGISTRY=$(start_registry)
	start_guarded_registry
	several_platforms "$PWD/several"
	FIX_SEVERAL=$PWD/several
}

# start_guarded_registry: TLS by a CA of ours, user "user" with the password "secret"
start_guarded_registry() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=IP:127.0.0.1' -keyout key.pem -out cert.pem 2> openssl.log
	# bcrypt of "secret"
	printf '%s\n' 'user:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW' > htpasswd
	cat > guarded.yml << END
version: 0.1
log: { level: info, accesslog: { disabled: false } }
storage: { filesystem: { rootdirectory: $PWD/guarded } }
auth: { htpasswd: { realm: test, path: $PWD/htpasswd } }
http: { addr: "127.0.0.1:0", tls: { certificate: $PWD/cert.pem, key: $PWD/key.pem } }
END
	OTEL_TRACES_EXPORTER=none docker-registry serve guarded.yml > guarded.log 2>&1 < /dev/null &
	wait_for "grep -q 'listening on' guarded.log" 30
	FIX_GUARDED=$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' guarded.log)
	FIX_DIR=$PWD
}

# several_platforms LAYOUT: an index with two platforms as the tag "both"
several_platforms() {
	python3 - "$FIX_LAYOUT" "$1" << 'END'
import hashlib, json, shutil, sys
src, dst = sys.argv[1:]
shutil.copytree(src, dst)
def blob(obj):
    data = json.dumps(obj).encode()
    name = hashlib.sha256(data).hexdigest()
    open(dst + "/blobs/sha256/" + name, "wb").write(data)
    return {"digest": "sha256:" + name, "size": len(data)}
top = json.load(open(dst + "/index.json"))["manifests"][0]
del top["annotations"]
m = json.load(open(dst + "/blobs/" + top["digest"].replace(":", "/")))
c = json.load(open(dst + "/blobs/" + m["config"]["digest"].replace(":", "/")))
c["architecture"] = "s390x"
m["config"].update(blob(c))
kind = "application/vnd.oci.image."
other = dict(blob(m), mediaType=kind + "manifest.v1+json",
             platform={"architecture": "s390x", "os": "linux"})
index = {"schemaVersion": 2, "mediaType": kind + "index.v1+json", "manifests": [top, other]}
entry = dict(blob(index), mediaType=kind + "index.v1+json",
             annotations={"org.opencontainers.image.ref.name": "both"})
json.dump({"schemaVersion": 2, "manifests": [entry]}, open(dst + "/index.json", "w"))
END
}

# digest_of PLACE: of its manifest, by skopeo
digest_of() {
	skopeo inspect --raw --tls-verify=false "$1" | sha256sum | sed 's/^/sha256:/; s/ .*//'
}

with_login() {
	export REGISTRY_AUTH_FILE=$PWD/auth.json SSL_CERT_FILE=$FIX_DIR/cert.pem
	printf secret | "$LAMINA" login -u user --password-stdin "$FIX_GUARDED" > /dev/null
}

t_every_place_gives_what_another_got() {
	local places=(oci:a:x oci-archive:b.tar:x dir:c "docker://$FIX_REGISTRY/copy:1")
	local from="oci:$FIX_LAYOUT:demo"

	for place in "${places[@]}"; do
		assert_eq "$("$LAMINA" copy -q "$from" "$place")" "$FIX_DIGEST" "digest at $place"
		assert_eq "$(digest_of "$place")" "$FIX_DIGEST" "skopeo's digest of $place"
		from=$place
	done
	"$LAMINA" copy -q "$from" oci:a:y
	assert_eq "$(jq -r '[.manifests[].annotations[]] | join(" ")' a/index.json)" 'x y'
}

t_what_skopeo_wrote_is_read() {
	for place in oci:a:x oci-archive:b.tar:x dir:c "docker://$FIX_REGISTRY/theirs:1"; do
		skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$FIX_LAYOUT:demo" "$place"
		assert_eq "$("$LAMINA" copy -q "$place" dir:out)" "$FIX_DIGEST" "digest from $place"
		"$LAMINA" pull -q "$place" > id
		"$LAMINA" rmi -a > /dev/null
	done
	skopeo --insecure-policy copy -q "oci:$FIX_LAYOUT:demo" docker-archive:d.tar:foo/bar:7
	assert_eq "$("$LAMINA" pull -q docker-archive:d.tar)" "$(cat id)" 'the id'
	assert_eq "$("$LAMINA" images --json | jq -r '.[].Names[]')" docker.io/foo/bar:7
}

t_archives_stream() {
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" oci-archive:- > one.tar
	"$LAMINA" copy -q oci-archive:- oci-archive:two.tar < one.tar > digest
	assert_content digest "$FIX_DIGEST"
	cmp one.tar two.tar
	gzip -c one.tar | "$LAMINA" load -q > out
	assert_match "$(cat out)" '^Loaded image: localhost/'
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" docker-archive:-:foo:1 > d.tar
	tar tf d.tar > list
	assert_eq "$(grep -c 'tar$' list)" 3
	"$LAMINA" load -q < d.tar > out
	assert_content out 'Loaded image: localhost/foo:1'
}

t_a_platform_can_be_asked_for_in_parts() {
	local id

	id=$("$LAMINA" pull -q --arch s390x "oci:$FIX_SEVERAL:both")
	assert_eq "$("$LAMINA" inspect "$id" | jq -r '.[0].Architecture')" s390x
	assert_fails 5 's390x' "$LAMINA" pull -q --os plan9 --arch mips "oci:$FIX_SEVERAL:both"
	assert_fails 125 'excludes' "$LAMINA" pull -q --platform linux/arm --arch mips "oci:$FIX_SEVERAL:both"
	assert_eq "$("$LAMINA" tag "$id" one:1 two:2 | tr '\n' ' ')" 'localhost/one:1 localhost/two:2 '
}

t_all_platforms_fit_into_one_archive() {
	"$LAMINA" copy -q --all "oci:$FIX_SEVERAL:both" "docker://$FIX_REGISTRY/both:1" > one
	"$LAMINA" copy -q --all "docker://$FIX_REGISTRY/both:1" oci-archive:both.tar:both > two
	cmp one two
	assert_eq "$(digest_of "docker://$FIX_REGISTRY/both:1")" "$(cat one)"
	"$LAMINA" load -q -i both.tar
	"$LAMINA" load -q -i both.tar --platform linux/s390x
	"$LAMINA" pull -q --platform s390x oci-archive:both.tar other
	assert_eq "$("$LAMINA" inspect other | jq -r '.[].Architecture')" s390x
	assert_eq "$("$LAMINA" copy -q --platform amd64 oci-archive:both.tar dir:single)" "$FIX_DIGEST"
	assert_fails 125 'one platform' "$LAMINA" copy -q --all oci-archive:both.tar docker-archive:x.tar
	assert_missing x.tar
}

t_save_and_load_preserve_names_and_kept_digests() {
	"$LAMINA" pull -q --keep-blobs "oci:$FIX_LAYOUT:demo" quay.io/a/b:c > id
	"$LAMINA" tag quay.io/a/b:c app:2 > /dev/null
	"$LAMINA" save -o all.tar quay.io/a/b:c app:2 2> err
	assert_eq "$(grep -c warning err || :)" 0
	assert_eq "$(digest_of oci-archive:all.tar:quay.io/a/b:c)" "$FIX_DIGEST"
	"$LAMINA" --root "$PWD/other" load -q < all.tar > out
	assert_eq "$(sort out | tr '\n' ' ')" \
		'Loaded image: localhost/app:2 Loaded image: quay.io/a/b:c '
	# What is kept is no garbage while the image lives.
	"$LAMINA" rmi app:2 > /dev/null
	"$LAMINA" save quay.io/a/b:c | "$LAMINA" --root "$PWD/third" load -q > /dev/null
	"$LAMINA" rmi quay.io/a/b:c > /dev/null
	assert_eq "$(find "$LAMINA_ROOT/blobs" -type f | wc -l)" 0 'blobs that are left'
}

t_layers_that_were_not_kept_are_packed_alike() {
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" app > id
	"$LAMINA" save -o one.tar app 2> err
	assert_match "$(cat err)" 'warning: 3 of 3 layers .* digest of the manifest changes .*--keep-blobs'
	"$LAMINA" save -q -o two.tar app 2> /dev/null
	cmp one.tar two.tar
	"$LAMINA" --root "$PWD/other" load -q < one.tar > /dev/null
	assert_eq "$("$LAMINA" --root "$PWD/other" images -q --no-trunc)" "$(cat id)" 'the id'
	"$LAMINA" save --format docker-archive -o three.tar app
	skopeo --insecure-policy copy -q docker-archive:three.tar dir:three
	assert_eq "$(sha256sum < "three/$(cat id)" | cut -d' ' -f1)" "$(cat id)"
}

t_push_sends_what_is_missing() {
	local posts

	with_login
	"$LAMINA" pull -q --keep-blobs "oci:$FIX_LAYOUT:demo" "$FIX_GUARDED/push:1" > id
	assert_eq "$("$LAMINA" push -q "$FIX_GUARDED/push:1")" "$FIX_DIGEST"
	posts=$(grep -c '"POST /v2/push/blobs' "$FIX_DIR/guarded.log")
	"$LAMINA" push -q "$FIX_GUARDED/push:1" "$FIX_GUARDED/push:2" > /dev/null
	assert_eq "$(grep -c '"POST /v2/push/blobs' "$FIX_DIR/guarded.log")" "$posts" 'uploads'
	# Another repository of the registry takes the layers over.
	"$LAMINA" push -q "$FIX_GUARDED/push:1" "$FIX_GUARDED/mounted:1" > /dev/null
	assert_eq "$(grep -c '"PUT /v2/mounted/blobs' "$FIX_DIR/guarded.log" || :)" 0 'blobs sent'
	assert_match "$(grep '"POST /v2/mounted' "$FIX_DIR/guarded.log")" 'mount=.*from=push.* 201 '
	skopeo --insecure-policy copy -q --src-tls-verify=false --src-creds user:secret \
		"docker://$FIX_GUARDED/mounted:1" dir:back
	assert_eq "sha256:$(sha256sum < back/manifest.json | cut -d' ' -f1)" "$FIX_DIGEST"
	# Without blobs of its own the store still knows that the registry has them.
	"$LAMINA" rmi -a > /dev/null
	"$LAMINA" pull -q "$FIX_GUARDED/push:1"
	assert_eq "$("$LAMINA" push -q "$FIX_GUARDED/push:1" "$FIX_GUARDED/push:3")" "$FIX_DIGEST"
}

t_podman_pulls_what_was_pushed() {
	need podman
	"$LAMINA" pull -q "oci:$FIX_LAYOUT:demo" app > id
	"$LAMINA" push -q app "$FIX_REGISTRY/for-podman:1" > digest
	podman --root "$PWD/p" --runroot "$PWD/pr" --storage-driver vfs pull -q --tls-verify=false \
		"$FIX_REGISTRY/for-podman:1" > theirs 2> err || skip "podman cannot pull here: $(tail -1 err)"
	cmp id theirs
	assert_eq "$(podman --root "$PWD/p" --runroot "$PWD/pr" --storage-driver vfs image inspect \
		"$FIX_REGISTRY/for-podman:1" | jq -r '.[0].Digest')" "$(cat digest)"
	podman unshare rm -rf p pr
}

t_large_layers_go_in_pieces() {
	"$SRC/tests/helpers/add_layer.py" "$FIX_LAYOUT" layout 20 > layer
	"$LAMINA" copy -q oci:layout:demo "docker://$FIX_REGISTRY/big:1" > digest
	assert_eq "$(grep -c '"PATCH /v2/big/' "$FIX_DIR/registry-1.log")" 3 'pieces'
	"$LAMINA" copy -q "docker://$FIX_REGISTRY/big:1" dir:back > again
	cmp digest again
}

t_a_login_is_checked_and_kept() {
	local file=$PWD/kept.json

	export SSL_CERT_FILE=$FIX_DIR/cert.pem
	printf secret > password
	assert_fails 4 'denies access' "$LAMINA" login --authfile "$file" -u user -p wrong "$FIX_GUARDED"
	assert_missing "$file"
	"$LAMINA" login --authfile "$file" -u user --password-stdin "$FIX_GUARDED" < password
	assert_eq "$(stat -c %a "$file")" 600
	assert_eq "$("$LAMINA" login --authfile "$file" --get-login "$FIX_GUARDED")" user
	assert_eq "$(jq -r '.auths[].auth' "$file" | base64 -d)" user:secret
	skopeo login --authfile "$file" --get-login "$FIX_GUARDED"
	"$LAMINA" logout --authfile "$file" "$FIX_GUARDED"
	assert_eq "$(jq -c .auths "$file")" '{}'
	assert_fails 5 'nobody is logged in' "$LAMINA" login --authfile "$file" --get-login "$FIX_GUARDED"
	assert_fails 4 'log in' env "REGISTRY_AUTH_FILE=$file" "$LAMINA" copy -q "docker://$FIX_GUARDED/push:1" dir:x
}

t_credentials_may_be_given_and_stay_with_the_registry() {
	echo "{}" > none.json
	export SSL_CERT_FILE=$FIX_DIR/cert.pem REGISTRY_AUTH_FILE=$PWD/none.json
	assert_fails 4 '' "$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/given:1"
	assert_fails 4 '' "$LAMINA" copy -q --creds user:wrong "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/given:1"
	assert_fails 125 "'--creds' takes USER:PASSWORD\$" "$LAMINA" pull -q --creds secret "$FIX_GUARDED/given:1"
	"$LAMINA" copy -q --dest-creds user:secret "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/given:1" > /dev/null
	assert_fails 4 '' "$LAMINA" pull -q "$FIX_GUARDED/given:1"
	"$LAMINA" pull -q --creds user:secret "$FIX_GUARDED/given:1" > /dev/null
	"$LAMINA" copy -q --src-creds user:secret "docker://$FIX_GUARDED/given:1" dir:out > /dev/null
	"$LAMINA" push -q --creds user:secret "$FIX_GUARDED/given:1" > /dev/null
	# The guarded registry as a mirror of the open one is asked without them.
	printf '[[registry]]\nlocation = "%s"\n[[registry.mirror]]\nlocation = "%s"\n' \
		"$FIX_REGISTRY" "$FIX_GUARDED" > registries.conf
	export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
	assert_fails 5 '' "$LAMINA" pull -q --creds user:secret "$FIX_REGISTRY/given:1"
}

t_credential_programs_are_asked() {
	mkdir bin
	cat > bin/docker-credential-test << 'END'
#!/bin/sh
read -r server
echo "$1 $server" >> "$HELPER_LOG"
[ "$1" != get ] || echo '{"ServerURL":"x","Username":"user","Secret":"secret"}'
END
	chmod +x bin/docker-credential-test
	export PATH=$PWD/bin:$PATH HELPER_LOG=$PWD/helper.log SSL_CERT_FILE=$FIX_DIR/cert.pem
	make_file helpers.json "{\"credHelpers\":{\"$FIX_GUARDED\":\"test\"}}"
	export REGISTRY_AUTH_FILE=$PWD/helpers.json
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/helped:1"
	assert_match "$(cat helper.log)" "^get $FIX_GUARDED$"
	"$LAMINA" login -u user -p secret "$FIX_GUARDED" > /dev/null
	assert_match "$(cat helper.log)" '^store .*"Secret":"secret"'
	make_file helpers.json '{"credsStore":"test"}'
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/helped:2"
	make_file helpers.json '{"credsStore":"../../x"}'
	assert_fails any 'no name of a credential program' \
		"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/helped:3"
}

t_certificates_of_a_registry_are_found() {
	with_login
	unset SSL_CERT_FILE
	assert_fails 3 'certificate' "$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/tls:1"
	mkdir -p "config/containers/certs.d/$FIX_GUARDED" certs
	cp "$FIX_DIR/cert.pem" "config/containers/certs.d/$FIX_GUARDED/ca.crt"
	XDG_CONFIG_HOME=$PWD/config "$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/tls:1"
	"$LAMINA" copy -q --tls-verify=false "oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/tls:2"
	cp "$FIX_DIR/cert.pem" certs/x.cert
	assert_fails any "'x.cert' has no 'x.key' beside it" "$LAMINA" copy -q --cert-dir certs \
		"oci:$FIX_LAYOUT:demo" "docker://$FIX_GUARDED/tls:3"
}

# A registry that talks to those alone who show a certificate of our CA, and in HTTP/2 where libcurl can.
t_a_client_certificate_is_shown_where_one_is_asked_for() {
	local at dir

	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=client -keyout client.key -out client.cert 2> log
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other.key -out other.cert 2> log
	sed "s|^http: .*|http: { addr: \"127.0.0.1:0\", tls: { certificate: $FIX_DIR/cert.pem, key: $FIX_DIR/key.pem, clientcas: [ $PWD/client.cert ] } }|; /^auth:/d; s|rootdirectory: .*|rootdirectory: $PWD/registry } }|" \
		"$FIX_DIR/guarded.yml" > registry.yml
	OTEL_TRACES_EXPORTER=none docker-registry serve registry.yml > registry.log 2>&1 < /dev/null &
	wait_for "grep -q 'listening on' registry.log" 30
	at=$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' registry.log)
	dir=config/containers/certs.d/$at
	mkdir -p "$dir"
	export XDG_CONFIG_HOME=$PWD/config
	cp "$FIX_DIR/cert.pem" "$dir/ca.crt"
	assert_fails 3 '' "$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$at/x:1"
	cp client.cert client.key "$dir"
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$at/x:1" > digest
	assert_content digest "$FIX_DIGEST"
	"$LAMINA" pull -q "$at/x:1" > /dev/null
	rm "$dir"/client.*
	cp other.cert other.key "$dir"
	assert_fails 3 '' "$LAMINA" copy -q "docker://$at/x:1" dir:out
	curl -V 2> /dev/null | grep -q HTTP2 || return 0
	assert_match "$(cat registry.log)" '"GET /v2/x/manifests/1 HTTP/2.0"'
}

t_copies_into_one_layout_at_once_lose_nothing() {
	local i pid

	mkdir all
	# It must live while it holds the lock: /proc/locks of a pid namespace shows no others.
	flock all sh -c ': > held; until [ -e go ]; do sleep 0.05; done' &
	wait_for '[ -e held ]'
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "oci:all:waits" > /dev/null &
	pid=$!
	wait_for "grep -q -- '-> FLOCK .*:$(stat -c %i all) ' /proc/locks"
	assert_missing all/index.json
	touch go
	wait "$pid"
	rm -r all/index.json
	for i in 1 2 3 4 5 6 7 8; do
		"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "oci:all:t$i" > /dev/null &
	done
	wait
	assert_eq "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' all/index.json |
		sort | tr '\n' ' ')" 't1 t2 t3 t4 t5 t6 t7 t8 '
}

t_registries_conf_is_honoured() {
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$FIX_REGISTRY/mirror/team/app:1" > digest
	cat > registries.conf << END
unqualified-search-registries = ["first.example", "second.example"]
[aliases]
"app" = "$FIX_REGISTRY/mirror/team/app"
[[registry]]
prefix = "images.example/x"
location = "$FIX_REGISTRY/mirror"
[[registry]]
prefix = "mirrored.example"
[[registry.mirror]]
location = "127.0.0.1:1/gone"
[[registry.mirror]]
location = "$FIX_REGISTRY/mirror"
[[registry]]
prefix = "bad.example"
blocked = true
END
	export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
	for name in images.example/x/team/app:1 mirrored.example/team/app:1 app:1; do
		assert_eq "$("$LAMINA" copy -q "docker://$name" dir:out 2>&1 || "$LAMINA" copy -q "$name" dir:out)" \
			"$(cat digest)" "digest of $name"
	done
	"$LAMINA" pull -q app:1
	assert_eq "$("$LAMINA" images --json | jq -r '.[].Names[]')" "$FIX_REGISTRY/mirror/team/app:1"
	# The short name finds it in the store, too, as long as it is the only one.
	"$LAMINA" inspect --type image app:1 > /dev/null
	"$LAMINA" pull -q "oci:$FIX_SEVERAL:both" --platform s390x quay.io/other/app:1
	assert_fails any "full name: .*team/app:1, quay.io/other/app:1" "$LAMINA" rmi app:1
	assert_fails 4 "blocks 'bad.example'" "$LAMINA" pull -q bad.example/x
	assert_fails any 'give the full name: first.example/unknown, second.example/unknown' \
		"$LAMINA" pull -q unknown
	echo 'x = [' >> registries.conf
	assert_fails any "registries.conf': line" "$LAMINA" pull -q app:1
}

t_a_policy_is_honoured() {
	export XDG_CONFIG_HOME=$PWD/config
	make_file config/containers/policy.json '{"default":[{"type":"reject"}],"transports":
		{"oci":{"":[{"type":"insecureAcceptAnything"}]},"dir":{"":[{"type":"signedBy"}]}}}'
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" dir:d
	assert_fails 4 "signedBy" "$LAMINA" pull -q dir:d
	assert_fails 4 'rejects' "$LAMINA" pull -q "$FIX_REGISTRY/copy:1"
}

t_exit_codes_tell_what_happened() {
	assert_fails 3 '' "$LAMINA" pull -q 127.0.0.1:1/x
	assert_fails 5 '' "$LAMINA" pull -q "$FIX_REGISTRY/nothing:here"
	assert_fails 125 "'docker-daemon:' is not supported" "$LAMINA" pull docker-daemon:x
	cp -r "$FIX_LAYOUT" broken
	truncate -s -1 "broken/blobs/sha256/$(jq -r '.layers[0].digest' \
		"broken/blobs/${FIX_DIGEST/://}" | cut -d: -f2)"
	assert_fails 6 'ends after' "$LAMINA" pull -q oci:broken:demo
}

# start_token_registry: docker-registry behind a token server; prints HOST:PORT
start_token_registry() {
	"$SRC/tests/helpers/token_server.py" "$FIX_DIR/key.pem" "$FIX_DIR/cert.pem" tokens \
		> token.port 2> token.err < /dev/null &
	wait_for '[ -s token.port ]'
	cat > token.yml << END
version: 0.1
log: { level: info, accesslog: { disabled: false } }
storage: { filesystem: { rootdirectory: $PWD/token } }
auth: { token: { realm: "http://127.0.0.1:$(cat token.port)/token", service: tests, issuer: tests,
  rootcertbundle: $FIX_DIR/cert.pem } }
http: { addr: "127.0.0.1:0" }
END
	OTEL_TRACES_EXPORTER=none docker-registry serve token.yml > token.log 2>&1 < /dev/null &
	wait_for "grep -q 'listening on' token.log" 30
	sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' token.log
}

t_tokens_are_asked_for_what_is_done() {
	local addr

	addr=$(start_token_registry)
	assert_fails 4 'denies access' "$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://$addr/public/a:1"
	printf secret | REGISTRY_AUTH_FILE=$PWD/auth.json "$LAMINA" login -u user --password-stdin "$addr"
	REGISTRY_AUTH_FILE=$PWD/auth.json "$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" \
		"docker://$addr/public/a:1" > one
	assert_match "$(jq -r '.query.scope[]?' tokens)" '^repository:public/a:pull,push$'
	# Another repository takes the blobs over: the token is for both.
	REGISTRY_AUTH_FILE=$PWD/auth.json "$LAMINA" copy -q "docker://$addr/public/a:1" \
		"docker://$addr/private/b:1" > two
	assert_eq "$(grep -c '"PUT /v2/private/b/blobs' token.log || :)" 0 'blobs sent'
	assert_match "$(jq -c '.query.scope' tokens)" \
		'"repository:private/b:pull,push","repository:public/a:pull"'
	"$LAMINA" copy -q "docker://$addr/public/a:1" dir:a > three
	cat one two three | sort -u > all
	assert_content all "$FIX_DIGEST"
	assert_fails 4 'denies access' "$LAMINA" copy -q "docker://$addr/private/b:1" dir:b
	assert_eq "$(skopeo inspect --raw --tls-verify=false --creds user:secret \
		"docker://$addr/private/b:1" | sha256sum | cut -d' ' -f1)" "${FIX_DIGEST#sha256:}"
	make_file identity.json "{\"auths\":{\"$addr\":{\"identitytoken\":\"refresh-me\"}}}"
	"$LAMINA" copy -q --authfile identity.json "docker://$addr/private/b:1" dir:b > /dev/null
	assert_eq "$(jq -r 'select(.method == "POST") | .query.grant_type[]' tokens)" refresh_token
}

t_a_registry_may_have_an_ipv6_address() {
	local port

	[ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6 || skip 'loopback has no IPv6'
	port=$(free_port)
	cat > six.yml << END
version: 0.1
storage: { filesystem: { rootdirectory: $PWD/six } }
http: { addr: "[::1]:$port" }
END
	OTEL_TRACES_EXPORTER=none docker-registry serve six.yml > six.log 2>&1 < /dev/null &
	wait_for "curl -sf 'http://[::1]:$port/v2/'" 30
	"$LAMINA" copy -q "oci:$FIX_LAYOUT:demo" "docker://[::1]:$port/six:1"
	assert_eq "$("$LAMINA" copy -q "docker://[::1]:$port/six:1" dir:six-out)" "$FIX_DIGEST"
}

t_progress_can_be_json() {
	"$LAMINA" pull --progress json "oci:$FIX_LAYOUT:demo" app > /dev/null 2> err
	jq -es 'map(select(.state == "done")) | length == 3' err > /dev/null
	jq -es '.[0].text | startswith("pulling localhost/app:latest")' err > /dev/null
}

run_tests
