#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line as a person meets it: help, versions, errors, exit codes.
. "${0%/*}/lib.sh"

t_version_names_the_program() {
	assert_match "$("$LAMINA" --version)" '^lamina [0-9]+\.[0-9]+\.[0-9]+$'
	assert_eq "$("$LAMINA" version)" "$("$LAMINA" --version)"
}

t_help_goes_to_stdout_and_lists_every_verb() {
	"$LAMINA" --help > help 2> errors
	assert_content errors ''
	assert_match "$(cat help)" '^usage: lamina '
}

t_an_unknown_verb_is_one_line_and_a_hint() {
	local code=0

	"$LAMINA" frobnicate > out 2> errors || code=$?
	assert_eq "$code" 125 'exit code'
	assert_content out ''
	assert_content errors "lamina: unknown verb 'frobnicate'
hint: lamina --help"
}

t_an_unknown_option_is_refused() {
	assert_fails 125 'unknown option' "$LAMINA" --frobnicate
}

run_tests
