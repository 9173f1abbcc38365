#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What has led out of containers of other runtimes leads nowhere: a test for each class.
. "${0%/*}/lib.sh"
. "${0%/*}/ocilib.sh"

setup_file() {
	setup_oci
}

# CVE-2019-16884, CVE-2019-19921, CVE-2023-27561
t_the_image_leads_no_mount_out() {
	bundle '.mounts += [{destination: "/out/x", type: "tmpfs", source: "t"}]' -- true
	mkdir victim
	ln -s "$PWD/victim" rootfs/out
	"$RT" run c
	assert_missing victim/x
	rm -r rootfs/dev && ln -s "$PWD/victim" rootfs/dev
	"$RT" run c || true
	assert_eq "$(ls victim)" ''
	rm rootfs/dev && rmdir rootfs/proc && ln -s /tmp rootfs/proc
	assert_fails 1 "'/proc': it is a symlink" "$RT" run c
	rm rootfs/proc && mkdir rootfs/proc
	bundle '.mounts |= map(if .destination == "/proc" then {destination: "/proc", type: "tmpfs", source: "t"} else . end)' -- true
	assert_fails 1 'no procfs' "$RT" run c
}

# CVE-2019-5736
t_our_program_cannot_be_overwritten_from_inside() {
	local before

	cp "$RT" ./runtime
	before=$(sha256sum < runtime)
	# The kernel follows the interpreter to what this process runs at that moment: us.
	bundle -- /bin/trap
	printf '#!/proc/self/exe\n' > rootfs/bin/trap
	chmod +x rootfs/bin/trap
	./runtime run c > /dev/null 2>&1 || true
	bundle -- sh -c 'for i in 1 2 3 4 5; do for p in /proc/[0-9]*; do (: >> $p/exe) 2> /dev/null; done; done; sleep 60'
	./runtime run --detach d < /dev/null > /dev/null
	for _ in 1 2 3; do ./runtime exec d true; done
	assert_eq "$(sha256sum < runtime)" "$before"
	./runtime delete --force d
}

# CVE-2024-21626
t_no_fd_of_ours_is_a_working_directory() {
	local n

	for n in 3 4 5 6 7 8 9 10; do
		bundle ".process.cwd = \"/proc/self/fd/$n\"" -- pwd
		assert_fails 1 'working directory' "$RT" run c
	done
	bundle -- sh -c 'ls -l /proc/self/fd | grep -v "^total" | grep -c -e "-> /"'
	# What is open is what was given, and the directory that ls reads.
	assert_eq "$("$RT" run c < /dev/null 2> /dev/null)" 2
}

# CVE-2021-30465: somebody who shares a volume swaps a directory of it and a link, while mounts are made in it
t_a_link_swapped_in_meanwhile_leads_no_mount_out() {
	local i

	mkdir -p vol/a victim
	ln -s "$PWD/victim" vol/b
	bundle ".mounts += [{destination: \"/v\", type: \"bind\", source: \"$PWD/vol\", options: [\"rbind\"]},
		{destination: \"/v/a/new\", type: \"tmpfs\", source: \"t\"},
		{destination: \"/v/a/dir/file\", type: \"bind\", source: \"/bin/sh\", options: [\"bind\"]}]" -- true
	python3 -c '
import ctypes, os
libc = ctypes.CDLL(None)
while os.getppid() > 1 and not os.path.exists("stop"):
    libc.renameat2(-100, b"vol/a", -100, b"vol/b", 2)
' &
	for i in $(seq 40); do
		# Some find no way; whoever does finds one in the image.
		"$RT" run "c$i" > out 2> err < /dev/null || assert_match "$(cat err)" '^lamina-runtime: cannot (mount on|make)'
		assert_eq "$(ls victim)" '' "what is made outside"
	done
	: > stop
	wait
	assert_eq "$("$RT" list -q)" ''
}

# CVE-2025-31133: paths are masked by what the host's /dev/null is, whatever the image has there
t_an_image_cannot_choose_what_hides_paths() {
	bundle '.mounts |= map(select(.destination | startswith("/dev") | not))
		| .linux.maskedPaths = ["/proc/version", "/proc/cpuinfo"]' -- \
		sh -c 'stat -c %t:%T /proc/version /proc/cpuinfo; cat /proc/version /proc/cpuinfo; stat -c %F /proc/uptime'
	ln -s /proc/uptime rootfs/dev/null
	assert_eq "$("$RT" run c | head -2 | tr '\n' ' ')" '1:3 1:3 '
	rm rootfs/dev/null
	echo not null > rootfs/dev/null
	assert_eq "$("$RT" run c)" "$(printf '1:3\n1:3\nregular empty file')"
	assert_content rootfs/dev/null 'not null'
}

# What COMMAND… prints on a terminal
on_terminal() {
	python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' "$@" < /dev/null | tr -d '\r'
}

# CVE-2025-52565: the console's place is a link to a path that is to be hidden or protected
t_a_console_elsewhere_unmasks_nothing() {
	mkdir -p rootfs && cp -a "$FIX_BUNDLE/rootfs/." rootfs
	mkdir rootfs/dev/pts
	ln -s /proc/version rootfs/dev/console
	bundle '.process.terminal = true | .mounts |= map(select(.destination == "/dev" | not))
		| .linux.maskedPaths = ["/proc/version"] | .linux.readonlyPaths = ["/proc/sys"]' -- \
		sh -c 'stat -c %t:%T /proc/version; echo 1 2> /dev/null > /proc/sys/kernel/msgmax || echo refused'
	assert_eq "$(on_terminal "$RT" run c)" "$(printf '1:3\nrefused')"
	ln -sfn /proc/sys/kernel/shm_rmid_forced rootfs/dev/console
	assert_eq "$(on_terminal "$RT" run c)" "$(printf '1:3\nrefused')"
}

# CVE-2025-52881: what we write to procfs is written to procfs
t_kernel_settings_go_to_the_kernel_alone() {
	local entry=/proc/sys/kernel/shm_rmid_forced

	echo untouched > file
	bundle ".linux.sysctl[\"kernel.shm_rmid_forced\"] = \"1\" | .mounts += [{destination: \"$entry\", type: \"bind\",
		source: \"$PWD/file\", options: [\"bind\"]}]" -- true
	assert_fails 1 "cannot set 'kernel.shm_rmid_forced'" "$RT" run c
	assert_content file untouched
	mkdir -p dir && echo untouched > dir/shm_rmid_forced
	bundle ".linux.sysctl[\"kernel.shm_rmid_forced\"] = \"1\" | .mounts += [{destination: \"/proc/sys/kernel\", type: \"bind\",
		source: \"$PWD/dir\", options: [\"bind\"]}]" -- true
	assert_fails 1 "cannot set 'kernel.shm_rmid_forced'" "$RT" run c
	assert_content dir/shm_rmid_forced untouched
	# A security label of a program that joins a container, whose /proc is the container's to change.
	bundle '.mounts |= map(if .destination == "/proc" then ., {destination: "/proc/self/attr", type: "tmpfs", source: "t"} else . end)' -- sh -c "$SLEEPER"
	"$RT" run --detach d < /dev/null > /dev/null 2>&1 || return 0 # the kernel refuses it before us
	assert_fails 255 "cannot set the" "$RT" exec --process-label a_b_c d true
	"$RT" delete --force d
}

run_tests
