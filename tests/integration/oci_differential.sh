#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same bundle looks the same under lamina-runtime as under crun.
# OCI_DIFFERENTIAL_SEED and OCI_DIFFERENTIAL_SECONDS choose another run; a case that differs is printed with
# its number, for tests/tools/oci_differential.py --seed SEED --case NUMBER.
. "${0%/*}/lib.sh"

SEED=${OCI_DIFFERENTIAL_SEED:-20250} SECONDS_EACH=${OCI_DIFFERENTIAL_SECONDS:-8}
TEST_TIMEOUT=$((SECONDS_EACH + 120))

# Where cgroup v1 and v2 share the controllers, crun does nothing, not even without cgroups: there as root
# of a user namespace, and the place of v2 covered.
without_v2() {
	if grep -qs . /sys/fs/cgroup/unified/cgroup.controllers; then
		in_userns sh -c 'mount -t tmpfs none /sys/fs/cgroup/unified && exec "$@"' sh "$@"
	else
		"$@"
	fi
}

t_random_bundles_look_as_under_crun() {
	need crun busybox python3
	without_v2 "$SRC/tests/tools/oci_differential.py" --seed "$SEED" --seconds "$SECONDS_EACH" \
		"$LAMINA_BUILD/lamina-runtime --cgroup-manager disabled" 'crun --cgroup-manager disabled' > result ||
		fail "$(cat result)"
	tail -1 result >&2
}

run_tests
