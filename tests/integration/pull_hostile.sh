#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A registry that lies gets one clear line and nothing else: no file, no secret, no endless wait.
#
#	KILL_MIB=1024	the layer of a pull that is killed ten times has this size, not 64
#	KILL_SEED=N	it is killed where it was
. "${0%/*}/lib.sh"

setup_file() {
	need python3 jq
	demo_image "$PWD/demo"
	FIX_LAYOUT=$PWD/demo
	FIX_DIR=$PWD
	read -r FIX_HOST FIX_OTHER <<< "$(start_hostile log)"
}

# start_hostile LOG [OPTION…]: prints both addresses
start_hostile() {
	local log=$1

	shift
	python3 "$SRC/tests/hostile/registry.py" "$FIX_LAYOUT" --log "$PWD/$log" "$@" \
		> "$log.addr" 2> "$log.err" < /dev/null &
	wait_for "grep -q : '$log.addr'"
	cat "$log.addr"
}

pull() {
	timeout 60 "$LAMINA" pull -q "$FIX_HOST/$1:demo"
}

# refused CASE PATTERN: exits with a code of its own and one line on stderr, and the store is as it was
refused() {
	local code=0

	# Layers that are there already would not be asked for.
	rm -rf "$LAMINA_ROOT"
	"$LAMINA" images > /dev/null
	find "$LAMINA_ROOT" -type f ! -name lock -exec md5sum {} + | grep -vE '/(layers|partial)/' | sort > before
	pull "$1" > out 2> err || code=$?
	[[ $code == [3-7] ]] || FAIL_DEPTH=1 fail "'$1' exited with $code: $(cat err)"
	[ "$(grep -vc '^hint: ' err)" = 1 ] || FAIL_DEPTH=1 fail "'$1' says more than a line: $(cat err)"
	grep -Eq -- "$2" err || FAIL_DEPTH=1 fail "'$1' says '$(cat err)', which does not match /$2/"
	find "$LAMINA_ROOT" -type f ! -name lock -exec md5sum {} + | grep -vE '/(layers|partial)/' | sort > after
	cmp -s before after || FAIL_DEPTH=1 fail "'$1' changed the store: $(diff before after)"
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept ||
		FAIL_DEPTH=1 fail "'$1' left an unsound store"
}

# seen CASE: the requests that came for it, "METHOD PORT PATH AUTHORIZATION"
seen() {
	jq -r --arg c "$1" 'select(.path | test("(/|:|%3A)" + $c + "(/|:|%3A)"))
		| "\(.method) \(.port) \(.path) \(.authorization)"' "$FIX_DIR/log"
}

with_password() {
	make_file auth.json "{\"auths\":{\"$FIX_HOST\":{\"auth\":\"$(printf user:secret | base64)\"}}}"
	export REGISTRY_AUTH_FILE=$PWD/auth.json
}

t_an_honest_answer_is_pulled() {
	pull honest
	"$LAMINA" inspect "$FIX_HOST/honest:demo" > /dev/null
}

t_blobs_that_lie_are_refused() {
	refused wrong-digest 'layer 3 of 3: digest is sha256:.*, not sha256:'
	refused truncated 'layer 3 of 3: the blob ends after'
	refused too-long 'layer 3 of 3: the blob has more than the'
	refused endless 'layer 3 of 3: the blob has more than the'
}

# What a mirror does not give, be it a manifest or a blob or the rest of one, the registry gives.
t_a_mirror_may_fail_at_any_blob() {
	local case

	export CONTAINERS_REGISTRIES_CONF=$PWD/registries.conf
	for case in blob-missing half-broken truncated broken-always; do
		rm -rf "$LAMINA_ROOT"
		cat > registries.conf << END
[[registry]]
prefix = "mirrored.example/app"
location = "$FIX_HOST/honest"
insecure = true
[[registry.mirror]]
location = "$FIX_HOST/$case"
insecure = true
END
		: > "$FIX_DIR/log"
		timeout 60 "$LAMINA" pull -q mirrored.example/app:demo > /dev/null || fail "$case"
		assert_match "$(seen "$case")" "/v2/$case/" "requests to $case"
		[ "$case" = broken-always ] || assert_eq "$(seen honest | grep -c /blobs/)" 1 "blobs from elsewhere"
	done
	sed -i 's|/honest"|/truncated"|' registries.conf
	rm -rf "$LAMINA_ROOT"
	assert_fails 6 'layer 3 of 3: the blob ends after|answers with status 500' \
		timeout 60 "$LAMINA" pull -q mirrored.example/app:demo
}

t_lengths_and_encodings_are_hints() {
	refused short-length 'layer 3 of 3: the blob ends after'
	pull encoded
}

t_a_proxy_is_used_unless_it_must_not() {
	export http_proxy=http://$FIX_HOST
	timeout 60 "$LAMINA" pull -q localhost:1/honest:demo
	assert_match "$(jq -r .path "$FIX_DIR/log")" '^http://localhost:1/v2/honest/manifests/demo$'
	assert_fails 3 'onnect' env no_proxy=localhost timeout 60 "$LAMINA" pull -q localhost:1/honest:demo
}

t_a_manifest_has_a_limit_of_layers() {
	refused many-layers '10000 layers are more than the limit'
}

t_a_tag_is_asked_for_once() {
	pull moving-tag
	assert_eq "$(seen moving-tag | grep -c /manifests/demo)" 1 'requests for the tag'
}

t_manifests_that_lie_are_refused() {
	refused manifest-huge 'the manifest has 1073741824 bytes, the limit is 4194304'
	refused manifest-endless 'the manifest: there are more than 4194304 bytes'
	refused manifest-deep 'nested more than 64 levels'
	refused manifest-type 'was declared as .*index.*, but it is a manifest'
	refused header-flood .
}

t_a_digest_is_what_counts_not_a_header() {
	local digest

	digest=$(jq -r '.manifests[0].digest' "$FIX_LAYOUT/index.json")
	pull manifest-digest-lie
	timeout 60 "$LAMINA" pull -q "$FIX_HOST/manifest-digest-lie@$digest"
	assert_fails 6 'the manifest: digest is sha256:.*, not sha256:' \
		timeout 60 "$LAMINA" pull -q "$FIX_HOST/manifest-swapped@$digest"
}

t_a_message_cannot_move_the_cursor() {
	refused error-terminal 'red'
	assert_eq "$(grep -c $'\033' err)" 0
}

t_urls_in_manifests_are_never_fetched() {
	pull foreign-urls
	assert_eq "$(jq -r .path "$FIX_DIR/log" | grep -c '^/foreign' || :)" 0
}

t_credentials_stay_with_their_host_when_redirected() {
	with_password
	pull redirect-other
	seen redirect-other > requests
	# The registry saw them, the other port never did.
	assert_match "$(cat requests)" "^GET ${FIX_HOST#*:} .* Basic "
	assert_match "$(jq -r 'select(.path | startswith("/moved/")) | "\(.port) \(.authorization)"' \
		"$FIX_DIR/log")" "^${FIX_OTHER#*:} null"
	assert_eq "$(jq -r --argjson p "${FIX_OTHER#*:}" \
		'select(.port == $p) | .authorization' "$FIX_DIR/log" | grep -vc null || :)" 0
}

t_credentials_go_on_within_the_host() {
	with_password
	pull redirect-same
	assert_match "$(jq -r --argjson p "${FIX_HOST#*:}" \
		'select(.path | startswith("/moved/")) | select(.port == $p) | .authorization' \
		"$FIX_DIR/log")" '^Basic '
}

t_redirects_are_few_and_never_elsewhere_in_plain() {
	refused redirect-loop 'more than 5 redirects'
	refused redirect-plain "a redirect to 'http://example.org' is not followed"
	refused redirect-file "a redirect to 'file:.*' is not followed"
	refused redirect-user 'not followed'
	refused redirect-nowhere 'no location'
	refused redirect-metadata "redirected to '169.254.169.254'"
}

t_a_password_is_used_only_if_asked_for() {
	with_password
	pull honest
	assert_eq "$(seen honest | grep -c Basic || :)" 0
	pull basic
	assert_match "$(seen basic)" 'Basic '
	unset REGISTRY_AUTH_FILE
	rm -rf "$LAMINA_ROOT"
	refused basic 'asks for a user and password'
}

t_tokens_are_asked_for_pulling_alone() {
	pull bearer
	jq -r .path "$FIX_DIR/log" | grep '^/token.*bearer' > tokens
	assert_match "$(cat tokens)" 'scope=repository%3Abearer%3Apull$'
	# One token serves all layers.
	assert_eq "$(grep -c . tokens)" 1
}

t_malformed_tokens_are_refused() {
	refused token-huge 'more than|no valid token'
	refused token-newline 'no valid token'
	refused token-array 'no valid token'
	refused token-denied 'refuses with status 401'
	refused never-satisfied 'denies access'
}

t_passwords_do_not_go_to_a_token_server_elsewhere() {
	with_password
	# Anonymous tokens are fine, but the password stays here.
	pull bearer-localhost
	assert_eq "$(jq -r --argjson p "${FIX_OTHER#*:}" 'select(.path | startswith("/token"))
		| select(.port == $p) | .authorization' "$FIX_DIR/log" | sort -u)" null
	refused bearer-plain "'http://example.org' is not asked without TLS"
	refused bearer-file 'is not a URL'
}

t_a_busy_server_is_asked_again_but_not_for_ever() {
	pull busy-twice
	refused busy-always 'limits the number of requests'
	assert_eq "$(seen busy-always | grep -c manifests)" 5 'requests'
	refused broken-always 'answers with status 500'
}

t_a_broken_transfer_goes_on_where_it_stopped() {
	local digest size

	digest=$(jq -r '.manifests[0].digest' "$FIX_LAYOUT/index.json" | cut -d: -f2)
	digest=$(jq -r '.layers[0].digest' "$FIX_LAYOUT/blobs/sha256/$digest")
	size=$(stat -c %s "$FIX_LAYOUT/blobs/sha256/${digest#sha256:}")
	pull resume
	assert_eq "$(jq -r 'select(.path | startswith("/v2/resume/")) | .range // empty' \
		"$FIX_DIR/log")" "bytes=$((size / 2))-"
	rm -rf "$LAMINA_ROOT"
	pull resume-ignored
}

t_a_wrong_range_is_refused() {
	refused part-unasked 'a part was sent, but none was asked for'
	refused length-lie 'layer 3 of 3'
	refused resume-other-range "asked for bytes from [0-9]* on, got 'bytes"
	refused resume-lying-range 'layer 1 of 3: .*(more than the|digest|damaged|checksum)'
}

t_a_server_that_stalls_is_given_up() {
	local code=0 from=$SECONDS

	timeout 90 "$LAMINA" pull --timeout 1 -q "$FIX_HOST/stall:demo" 2> err || code=$?
	assert_eq "$code" 3 "exit code ($(cat err))"
	[ $((SECONDS - from)) -lt 60 ] || fail 'it took a minute'
}

t_a_server_that_dribbles_is_given_up() {
	local code=0 from=$SECONDS

	timeout 90 "$LAMINA" pull --timeout 1 -q "$FIX_HOST/loris:demo" 2> err || code=$?
	assert_eq "$code" 3 "exit code ($(cat err))"
	[ $((SECONDS - from)) -lt 60 ] || fail 'it took a minute'
}

t_a_certificate_for_another_name_is_refused() {
	local addr

	need openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=example.org \
		-addext 'subjectAltName=DNS:example.org' -keyout key.pem -out cert.pem 2> openssl.log
	read -r addr _ <<< "$(start_hostile name-log --tls cert.pem key.pem)"
	export SSL_CERT_FILE=$PWD/cert.pem
	with_password
	assert_fails 3 'name' timeout 60 "$LAMINA" pull -q "$addr/basic:demo"
	assert_content name-log ''
}

# Killed ten times at random: at most 5 % is downloaded twice.
t_a_killed_pull_goes_on_where_it_stopped() {
	local addr size part sent pid at

	echo "# KILL_SEED=${KILL_SEED:=$RANDOM}"
	"$SRC/tests/helpers/add_layer.py" "$FIX_LAYOUT" big "${KILL_MIB:-64}" > layer
	addr=$(FIX_LAYOUT=$PWD/big start_hostile drip-log | cut -d' ' -f1)
	part=$LAMINA_ROOT/partial/$(tr : - < layer)
	size=$(stat -c %s "big/blobs/$(tr : / < layer)")
	for at in $(python3 -c 'import random, sys
random.seed(sys.argv[1])
print(*(int(int(sys.argv[2]) * (i + random.random() / 3) / 12) for i in range(1, 11)))' "$KILL_SEED" "$size"); do
		"$LAMINA" pull -q "$addr/drip:demo" > out 2>&1 &
		pid=$!
		wait_for "[ \$(stat -c %s '$part' 2> /dev/null || echo 0) -gt $at ]" 60
		kill -9 "$pid"
		wait "$pid" 2> /dev/null || :
	done
	"$LAMINA" pull -q "$addr/drip:demo"
	wait_for '[ "$(grep -c sent drip-log)" = 11 ]'
	sent=$(jq -s 'map(.sent // 0) | add' drip-log)
	echo "# $sent bytes were sent of $size"
	[ "$sent" -le $((size * 105 / 100)) ] || fail "$sent bytes were sent of $size"
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
	assert_missing "$part"
}

t_what_was_held_and_is_damaged_is_fetched_anew() {
	local part

	"$LAMINA" images > /dev/null
	mkdir "$LAMINA_ROOT/partial"
	part=$(jq -r '.layers[0].digest' "$FIX_LAYOUT/blobs/$(jq -r '.manifests[0].digest' \
		"$FIX_LAYOUT/index.json" | tr : /)")
	head -c 100000 "$FIX_LAYOUT/blobs/${part/://}" | tr '\0' '\1' > "$LAMINA_ROOT/partial/${part/:/-}"
	pull honest
	assert_eq "$(jq -r 'select(.path | test("/honest/blobs/'"$part"'")) | .range' \
		"$FIX_DIR/log" | tail -2 | tr '\n' ' ')" 'bytes=100000- null '
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

push() {
	timeout 60 "$LAMINA" copy -q "oci:$1:demo" "docker://$FIX_HOST/$2:x"
}

t_an_upload_that_breaks_goes_on() {
	"$SRC/tests/helpers/add_layer.py" "$FIX_LAYOUT" big 18 > layer
	for case in push-breaks push-busy push-forgets; do
		push "$PWD/big" "$case"
	done
}

t_an_upload_takes_no_password_elsewhere() {
	with_password
	push "$FIX_LAYOUT" push-guarded
	push "$FIX_LAYOUT" push-elsewhere
	assert_match "$(jq -r 'select(.path | startswith("/v2/push-guarded/")) | .authorization' \
		"$FIX_DIR/log")" '^Basic '
	assert_eq "$(jq -r --argjson p "${FIX_OTHER#*:}" 'select(.port == $p) |
		select(.path | startswith("/upload/")) | .authorization' "$FIX_DIR/log" | sort -u)" null
	assert_fails 4 "an upload to 'http://example.org' is not done without TLS" \
		push "$FIX_LAYOUT" push-nowhere
}

t_with_tls_nothing_goes_plain() {
	local addr

	need openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
		-addext 'subjectAltName=IP:127.0.0.1' -keyout key.pem -out cert.pem 2> /dev/null
	read -r addr _ <<< "$(start_hostile tls-log --tls cert.pem key.pem)"
	export SSL_CERT_FILE=$PWD/cert.pem
	timeout 60 "$LAMINA" pull -q "$addr/honest:demo"
	"$LAMINA" rmi --all > /dev/null
	assert_fails 4 'is not followed' timeout 60 "$LAMINA" pull -q "$addr/redirect-plain:demo"
	assert_fails 4 'not asked without TLS' timeout 60 "$LAMINA" pull -q "$addr/bearer-plain:demo"
	# Not even if certificates do not matter.
	assert_fails 4 'is not followed' timeout 60 "$LAMINA" pull -q --tls-verify=false \
		"$addr/redirect-plain:demo"
}

run_tests
