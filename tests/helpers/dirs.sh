#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What tests of lamina-overlay on directories share; source it behind lib.sh.

# ns FUNCTION: in a user and mount namespace of its own, as its root
ns() {
	in_userns bash -euc "$(declare -f); $1"
}

# ovl LOWERDIRS [OPTION,…]: upper/ and work/ above the layers, on mnt/
ovl() {
	mkdir -p upper work mnt
	"$LAMINA_OVERLAY" -o "lowerdir=$1,upperdir=upper,workdir=work${2:+,$2}" mnt
}

# ro LOWERDIRS [OPTION,…]: a read-only mount on mnt/
ro() {
	mkdir -p mnt
	"$LAMINA_OVERLAY" -o "lowerdir=$1${2:+,$2}" mnt
}

whiteout() {
	mknod "$1" c 0 0
}

mark() {
	setfattr -n "$2" -v "$3" "$1"
}

# names DIR: what a listing shows, on one line
names() {
	(cd "$1" && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}
