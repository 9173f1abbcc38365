#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs random bundles under two OCI runtimes and compares what the program in them finds.

usage: oci_differential.py [--seed N] [--case N | --first N --count N] [--seconds N] [--keep] OURS THEIRS

Each case is a config.json made from SEED and the number of the case alone, a fresh root file system for
each runtime, and one `run`.  Compared are: mounts, ids, capabilities, limits, environment, namespaces,
devices, kernel settings, open files, the exit code, and what was made in the root file system.  Where
both fail, how they say it is not compared.  The last line is the number of cases.
"""

import argparse
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import time

from oci_bundles import make_config, make_root

TIMEOUT_S = 60  # of one run, on a slow machine


def run(runtime, bundle, state, number):
    """The program's output, the exit code."""
    command = [*runtime.split(), "--root", state, "run", "--bundle", bundle, f"c{number}"]
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=env,
                          timeout=TIMEOUT_S, check=False)
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode


# ---- what is compared ----

# Where the other runtime refuses and we do not: a failure in which it says one of these is no difference.
STRICTER = re.compile("|".join([
    "unshare `CLONE_NEWNS`: Operation not permitted",  # crun 1.8: one id, and a user that is not root
    "mount `devpts` to `dev/pts`: Invalid argument",  # gid=5 where no group has that number: we leave it out
    "openat2 `rel`: No such file or directory",  # the directory of the mount is a link to what does not exist
    "failed to set io priority: Operation not permitted",  # crun 1.21
    "open mount target `.*`: Not a directory",  # crun 1.8: a file to be hidden, in a directory covered by a mount
]))


def without_own_strictness(line, protected):
    """A line of the mount table as crun has it."""
    # As root, crun 1.8 does not set these for what is mounted from the host; 1.21 does.
    if "root=BUNDLE/volumes" in line and os.getuid() == 0:
        return re.sub(",(nosuid|nodev|noexec)", "", line)
    # What we mask and protect paths with is stricter: no programs, no devices, no inodes.
    if line.split(" ")[0] not in protected:
        return line
    line = re.sub(r"( ro)((,nosuid|,nodev|,noexec)*)", r"\1", line)
    return re.sub(r",nr_inodes=2", "", line)

def depth(number, parents):
    n = 0
    while number in parents and n < len(parents):
        number = parents[number]
        n += 1
    return n


def mount_lines(text, bundle):
    """Mounts by place, and on one place from below to above; without numbers."""
    out, parents = [], {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if len(fields) < 6 or len(rest) < 3:
            continue
        parents[fields[0]] = fields[1]
        # Of a file system that need not be mounted on /, nor with all of its tree.
        root = re.sub("^.*/" + re.escape("/".join(bundle.split("/")[-3:])), "BUNDLE", fields[3])
        optional = sorted(re.sub(r":\d+", "", f) for f in fields[6:] if f)
        # The source of a file system without a device is any word.
        source = rest[1] if rest[0] not in ("tmpfs", "proc", "sysfs", "mqueue", "devpts") else "-"
        # Newer versions of crun write the mode of the directory below into a tmpfs's options, we set it.
        data = re.sub(",mode=755", "", rest[2])
        out.append((fields[4], fields[0], "%s root=%s %s %s %s source=%s %s" %
                    (fields[4], root, fields[5], optional, rest[0], source, data)))
    return [line for _, _, line in sorted(out, key=lambda m: (m[0], depth(m[1], parents)))]


def own_namespaces():
    return {os.readlink(f"/proc/self/ns/{n}") for n in os.listdir("/proc/self/ns")}


def sections(text):
    """The report's parts: `tail` puts ==> NAME <== before each file."""
    parts, name = {}, "start"
    for line in text.splitlines():
        found = re.fullmatch(r"==> (.*) <==", line)
        if found:
            name = found[1]
        else:
            parts.setdefault(name, []).append(line)
    return parts


def protected_places(linux):
    """Where masked and read-only paths lead to, through the links of the image."""
    links = {"/flink": "/etc/motd", "/rel": "/data/sub"}
    return {links.get(p, p) for p in linux.get("maskedPaths", []) + linux.get("readonlyPaths", [])}


def facts(text, bundle, host_namespaces, config):
    parts = sections(text)
    mounts = parts.get("/proc/self/mountinfo")
    if mounts:
        protected = protected_places(config["linux"])
        parts["/proc/self/mountinfo"] = [without_own_strictness(l, protected) for l in mount_lines("\n".join(mounts), bundle)]
    # For a user without an entry, crun 1.8 sets no HOME, newer versions and we "/".
    parts["/proc/self/environ"] = [l.replace("HOME=/\0", "") for l in parts.get("/proc/self/environ", [])]
    # crun takes the first of a user's ranges of subordinate ids, we all of them.
    for name in ("/proc/self/uid_map", "/proc/self/gid_map"):
        parts[name] = parts.get(name, [])[:2]
    start = []
    for line in parts.get("start", []):
        line = re.sub(r"\S+ -> (\w+:\[\d+\])",
                      lambda m: m[1].split(":")[0] + (" host" if m[1] in host_namespaces else " own"), line)
        if line.startswith("dev ") and line.endswith(" mqueue"):
            line = "dev mqueue"  # owned by who made the namespace: we as the user, crun as root
        start.append(line.replace(bundle, "BUNDLE"))
    parts["start"] = start
    status = [l for l in parts.get("/proc/self/status", [])
              if re.match(r"(Umask|Uid|Gid|Groups|Sig\w+|Cap\w+|NoNewPrivs|Seccomp|Cpus_allowed)\w*:", l)]
    if status:
        parts["/proc/self/status"] = status
    return parts


def tree(root):
    """Names that are there afterwards: runtimes make the places that they mount on."""
    out = []
    for path, dirs, files in os.walk(root):
        for name in dirs + files:
            full = os.path.join(path, name)
            st = os.lstat(full)
            kind = stat.S_IFMT(st.st_mode)
            # crun makes directories with the sticky bit, and files that only their owner can run.
            mode = st.st_mode & ~stat.S_ISVTX if kind == stat.S_IFDIR else kind
            out.append("%s %o %s" % (full[len(root):], mode,
                                     os.readlink(full) if kind == stat.S_IFLNK else st.st_size if kind == stat.S_IFREG else ""))
    return sorted(out)


def differences(a, b):
    out = []
    for key in sorted(set(a) | set(b)):
        left, right = a.get(key, ["(none)"]), b.get(key, ["(none)"])
        if left == right:
            continue
        out.append(f"  {key}")
        out += [f"    ours:   {l}" for l in left if l not in right]
        out += [f"    theirs: {l}" for l in right if l not in left]
        if sorted(left) == sorted(right):
            out.append(f"    another order: {left} {right}")
    return out


def remove(path):
    """Also what belongs to ids of a container."""
    shutil.rmtree(path, ignore_errors=True)
    if os.path.exists(path):
        subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto", "rm", "-rf", path], check=True)


# ---- cases ----

class Session:
    def __init__(self, args):
        self.args = args
        self.runtimes = {"ours": args.ours, "theirs": args.theirs}
        self.host_namespaces = own_namespaces()
        self.both_failed = self.stricter = 0

    def case(self, number):
        """The differences of one case, as lines."""
        rng = random.Random(f"{self.args.seed} {number}")
        config = make_config(rng)
        shape = rng.getrandbits(64)
        seen, errors = {}, {}
        for who, runtime in self.runtimes.items():
            bundle = os.path.join(os.getcwd(), who)
            os.makedirs(bundle)
            make_root(random.Random(shape), os.path.join(bundle, "rootfs"))
            with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as f:
                f.write(json.dumps(config).replace("@BUNDLE@", bundle))
            out, errors[who], code = run(runtime, bundle, os.path.join(os.getcwd(), f"state-{who}"), number)
            seen[who] = facts(out, bundle, self.host_namespaces, config)
            seen[who]["exit code"] = [str(code)]
            if "REPORT" in out:
                seen[who]["tree"] = tree(os.path.join(bundle, "rootfs"))
        out = []
        started = ["REPORT" in "".join(seen[who].get("start", [])) for who in seen]
        if STRICTER.search(errors["theirs"]):
            self.stricter += 1
        elif not any(started) and all(seen[who]["exit code"] != ["0"] for who in seen):
            # Neither came to the program: codes of the runtimes themselves.
            self.both_failed += bool(errors["ours"])
            if self.args.verbose and errors["ours"]:
                print(f"case {number}: both:", *errors.values())
        elif started[0] != started[1]:
            out = [f"  {who}: exit code {seen[who]['exit code'][0]}" for who in seen]
        else:
            out = differences(seen["ours"], seen["theirs"])
        if out:
            out += [f"  {who} says: {errors[who].strip()}" for who in errors if errors[who].strip()]
            if self.args.case is not None or self.args.verbose:
                out.append("  " + json.dumps(config))
        if not self.args.keep:
            for who in self.runtimes:
                remove(who)
        return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1 << 30)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("ours")
    parser.add_argument("theirs")
    args = parser.parse_args()
    session, bad, n = Session(args), 0, 0
    end = time.monotonic() + args.seconds
    numbers = range(args.first, args.first + args.count) if args.case is None else [args.case]
    print(f"seed {args.seed}")
    for number in numbers:
        if n and time.monotonic() > end:
            break
        lines = session.case(number)
        n += 1
        if lines:
            bad += 1
            print(f"case {number} of seed {args.seed}:", *lines, sep="\n", flush=True)
    print(f"{n} cases, {session.both_failed} refused by both, {session.stricter} by the other alone, {bad} different")
    sys.exit(bad > 0)


main()
