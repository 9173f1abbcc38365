#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The command line as a person meets it: help, versions, errors, exit codes.
. "${0%/*}/lib.sh"

t_version_names_the_program() {
	assert_match "$("$LAMINA" --version)" '^lamina [0-9]+\.[0-9]+\.[0-9]+$'
	assert_eq "$("$LAMINA" version | head -n 1)" "$("$LAMINA" --version)"
	assert_match "$("$LAMINA" version)" '^libslirp: [0-9]'
	assert_eq "lamina $("$LAMINA" version --format '{{.Client.Version}}')" "$("$LAMINA" --version)"
	assert_match "$("$LAMINA" version --json)" '"Libfuse": "3'
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

t_build_prints_the_line_of_another_program() {
	assert_fails 125 '^hint: buildah build -f x -t a dir && .* && lamina load -i' "$LAMINA" build -t a -f x dir
}

t_nouns_of_other_engines_stand_for_verbs() {
	assert_eq "$("$LAMINA" container ls -a)" "$("$LAMINA" ps -a)"
	assert_eq "$("$LAMINA" image ls)" "$("$LAMINA" images)"
	assert_fails 125 "unknown verb 'container frob'" "$LAMINA" container frob
	assert_fails 125 "no container 'x'" "$LAMINA" container inspect x
	assert_fails 125 "cannot inspect 'x'" "$LAMINA" image inspect x
	assert_fails 1 '' "$LAMINA" container exists x
	assert_fails 1 '' "$LAMINA" image exists x
}

# complete WORD…: what bash offers for the words of a command line, of which the last is being typed
complete_words() {
	bash -c 'source <("$LAMINA" completion bash)
		lamina() { :; }
		PATH=${LAMINA%/*}:$PATH
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_lamina
		[ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$LAMINA" "$@" | sort
}

t_bash_completes_verbs_options_and_names() {
	assert_match "$(complete_words com | tr '\n' ' ')" '^commit completion $'
	assert_match "$(complete_words image l | tr '\n' ' ')" '^list load ls $'
	assert_match "$(complete_words run --ne | tr '\n' ' ')" '^--network '
	assert_match "$(complete_words --debug run --rm --network sl)" '^slirp$'
	assert_eq "$(complete_words run --rm x --net)" ''
	assert_eq "$(complete_words --root)" '--root'
	"$LAMINA" volume create vol1 > /dev/null
	assert_eq "$(complete_words volume rm v)" vol1
	# The program's own words are not offered in a container's command.
	assert_match "$("$LAMINA" completion zsh)" '^compdef _lamina lamina$'
	assert_match "$("$LAMINA" completion fish)" '^complete -c lamina'
	assert_fails 125 'bash, zsh or fish' "$LAMINA" completion tcsh
}

t_names_with_colons_are_completed() {
	demo_image "$PWD/layout"
	"$LAMINA" pull -q oci:layout:demo > /dev/null
	assert_eq "$(complete_words run localhost/lay)" 'localhost/layout:demo'
	# As bash splits them.
	assert_eq "$(complete_words run localhost/layout : d)" demo
	assert_eq "$(complete_words rmi lay)" 'layout:demo'
}

run_tests
