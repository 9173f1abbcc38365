#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is wrong with an image's documents, digests or packing is found when it is pulled.
#
# The corpora lie outside of the source tree: LAMINA_CORPUS, or ../shared/corpus beside the checkout.
. "${0%/*}/lib.sh"
TEST_TIMEOUT=300

setup_file() {
	need jq
	FIX_CORPUS=${LAMINA_CORPUS:-$SRC/../shared/corpus}
	[ -e "$FIX_CORPUS/good/manifest.json" ] || skip "there is no corpus at '$FIX_CORPUS'"
}

cases() {
	jq -r ".cases[] | $2 | \"\(.layout) \(.tag)\"" "$FIX_CORPUS/$1/manifest.json"
}

t_unusual_images_are_pulled() {
	local layout tag

	cases good 'select(true)' > list
	while read -r layout tag; do
		"$LAMINA" pull -q "oci:$FIX_CORPUS/good/$layout:$tag" > /dev/null
	done < list
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

t_images_that_lie_are_refused() {
	local layout tag

	cases bad 'select(.outcome == "reject" or .prefer == "reject") | select(.cls
		| test("^(digest|json|manifest|mediatype|compression|layout)$"))' > list
	cases bad 'select(.case | startswith("zstd-window"))' >> list
	[ "$(grep -c . list)" -ge 15 ] || fail "the list is too short: $(cat list)"
	while read -r layout tag; do
		# A layer that is there already would not be looked at.
		rm -rf "$LAMINA_ROOT"
		assert_fails any '^lamina: cannot pull' timeout 10 \
			"$LAMINA" pull -q "oci:$FIX_CORPUS/bad/$layout:$tag"
		assert_eq "$("$LAMINA" images -q)" ''
		"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
	done < list
}

t_nothing_hangs_or_crashes() {
	local layout tag code

	cases bad 'select(true)' > list
	while read -r layout tag; do
		code=0
		timeout 60 "$LAMINA" pull -q "oci:$FIX_CORPUS/bad/$layout:$tag" > out 2> err || code=$?
		[[ $code =~ ^([03-7]|125)$ ]] || fail "$layout: exit code $code: $(cat err)"
		[ "$(grep -vc '^hint: ' err)" -le 1 ] || fail "$layout says more than a line: $(cat err)"
		"$LAMINA" rmi --all > /dev/null
	done < list
	"$SRC/tests/helpers/check_store.py" "$LAMINA_ROOT" --swept
}

run_tests
