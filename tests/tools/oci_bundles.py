# SPDX-License-Identifier: Apache-2.0
"""Random bundles for oci_differential.py: what engines write, and what stands next to it.

Only what an unprivileged user can ask for, and nothing that runtimes are free to answer differently.
"""

import os
import shutil
import subprocess

APPLETS = ["cat", "ls", "pwd", "sh", "tail", "true"]
BUSYBOX = shutil.which("busybox")

# The program of most cases: everything about itself, in three processes.
REPORT = """echo REPORT; pwd
set -- $(busybox ls /proc/self/fd); echo "fds $*"
busybox ls -ln /dev 2> /dev/null | busybox awk '{ print "dev", $1, $3, $4, /^[bc]/ ? $5 $6 : "", $NF }'
busybox ls -l /proc/self/ns | busybox awk '{ print "ns", $(NF-2), $(NF-1), $NF }'
for p in @PROBES@; do busybox head -c 100 "$p" > /dev/null 2>&1; echo "read $p $?"; (: >> "$p") 2> /dev/null; echo "write $p $?"; done
exec busybox tail -n +1 @FILES@ 2> /dev/null
"""

FILES = ["/proc/self/mountinfo", "/proc/self/environ", "/proc/self/status", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/limits",
         "/proc/self/setgroups", "/proc/self/oom_score_adj", "/proc/self/personality",
         "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/sys/kernel/shm_rmid_forced",
         "/proc/sys/kernel/msgmax", "/proc/sys/fs/mqueue/msg_max", "/proc/sys/net/ipv4/ip_forward",
         "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv4/ping_group_range"]

CAPS = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "BPF"]

RLIMITS = ["CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RTPRIO",
           "RTTIME", "SIGPENDING", "STACK"]

# Destinations: existing, missing, through links of the image, on files.
DIRS = ["/data", "/data/sub", "/new", "/new/deep/er", "/etc", "/link", "/link/below", "/abs", "/abs/x", "/tmp", "/up/../new2",
        "/rel/y", "//data//", "/opt", "/dev/x"]
PLACES = ["/file", "/newfile", "/etc/motd", "/data/f", "/deep/file", "/flink"]
CWDS = ["/", "/", "/tmp", "/data", "/newcwd", "/link", "/abs"]


def default_mounts(rng, ns):
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] + rng.choice([[], [], ["gid=5"]])},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=%dk" % rng.choice([1024, 65536])]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev"] + rng.choice([["ro"], []])},
    ]
    if rng.random() < .5:
        mounts[0]["options"] = rng.sample(["nosuid", "noexec", "nodev", "ro", "relatime"], rng.randint(1, 3))
    if "ipc" not in ns:
        mounts = [m for m in mounts if m["type"] != "mqueue"]
    if "network" not in ns:
        mounts = [m for m in mounts if m["type"] != "sysfs"]
    if "pid" not in ns:
        mounts[0] = {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}
    return [m for m in mounts if m["destination"] in ("/proc", "/dev") or rng.random() < .85]


# Not nosymfollow, which crun 1.8 leaves out for bind mounts and refuses for others.
FLAGS = ["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "sync"]
# One of these, and of new file systems alone: where the host has locked it, crun 1.8 drops "ro" along with it.
ATIME = ["noatime", "nodiratime", "relatime", "strictatime"]
RECURSIVE = ["rro", "rnosuid", "rnodev", "rnoexec", "rrw"]
# Not shared and unbindable: crun makes all mounts private at the end, we leave them as they were asked for.
PROPAGATION = ["private", "rprivate", "slave", "rslave"]


def flags(rng):
    """Without both of a pair: later words win here, those that set something do in crun."""
    out = rng.sample(FLAGS, rng.choice([0, 0, 1, 1, 2, 3]))
    return [f for f in out if not {"rw": "ro", "suid": "nosuid", "dev": "nodev", "exec": "noexec"}.get(f) in out]


def extra_mount(rng):
    kind = rng.choice(["tmpfs", "tmpfs", "bind", "bind", "rbind", "file", "copyup"])
    options = flags(rng)
    if rng.random() < .15:
        options.append(rng.choice(RECURSIVE))
    if rng.random() < .25:
        options.append(rng.choice(PROPAGATION))
    m = {"destination": rng.choice(DIRS), "options": options}
    if kind in ("tmpfs", "copyup"):
        m.update(type="tmpfs", source="tmpfs")
        options += [rng.choice(ATIME)] if rng.random() < .2 else []
        # The mode always: without one, crun before 1.9 does not take that of the directory below.
        options += ["mode=" + rng.choice(["1777", "0700", "0755"])]
        options += rng.choice([[], ["size=1m"], ["size=4096k"], ["nr_inodes=100"]])
        if kind == "copyup":
            m["destination"] = rng.choice(["/etc", "/data"])
            options.append("tmpcopyup")
    elif kind == "file":
        m.update(destination=rng.choice(PLACES), type="bind", source="@BUNDLE@/volumes/source")
        options.append("bind")
    else:
        m.update(type=rng.choice(["bind", "none"]), source=rng.choice(["@BUNDLE@/volumes/a", "@BUNDLE@/volumes/b", "volumes/link"]))
        options.append(kind)
    rng.shuffle(options)
    return m


def process(rng, userns_ids):
    uid, gid = rng.choice([(0, 0), (0, 0), (0, 0), (1000, 1000), (1, 7), (0, 5)]) if userns_ids > 1 else (0, 0)
    user = {"uid": uid, "gid": gid}
    if userns_ids > 1 and rng.random() < .4:
        user["additionalGids"] = rng.sample([0, 3, 10, 2000, 60000], rng.randint(1, 3))
    if rng.random() < .3:
        user["umask"] = rng.choice([0, 0o22, 0o77, 0o7])
    caps = {}
    if rng.random() < .9:
        bounding = ["CAP_" + c for c in rng.sample(CAPS, rng.randint(0, len(CAPS)))]
        some = lambda of: [c for c in of if rng.random() < .8]
        permitted = some(bounding)
        inheritable = some(permitted) if rng.random() < .5 else []
        caps = {"bounding": bounding, "permitted": permitted, "effective": some(permitted), "inheritable": inheritable,
                "ambient": some(inheritable)}
    env = [["PATH=/bin"], ["PATH=/nowhere:/bin", "TERM=xterm"], ["A=", "PATH=/bin", "B=a b=c", "A=2"], ["HOME=/h", "PATH=/bin"]]
    out = {"terminal": False, "user": user, "cwd": rng.choice(CWDS), "env": rng.choice(env),
           "args": ["sh", "-c", REPORT]}
    if caps or rng.random() < .5:
        out["capabilities"] = caps
    if rng.random() < .5:
        out["noNewPrivileges"] = rng.random() < .6
    if rng.random() < .3:
        out["oomScoreAdj"] = rng.choice([100, 500, 1000])
    if rng.random() < .4:
        out["rlimits"] = [{"type": "RLIMIT_" + l, "soft": v, "hard": v + (v and rng.choice([0, 5]))}
                          for l in rng.sample(RLIMITS, rng.randint(1, 4))
                          for v in [{"NICE": 0, "RTPRIO": 0, "NPROC": 3000, "STACK": 8 << 20, "DATA": 1 << 30}.get(l, 1000)]]
    if rng.random() < .1:
        out["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": rng.randint(0, 7)}
    return out


def special_args(rng, config):
    """Programs that do not report."""
    config["process"]["args"] = rng.choice([
        ["sh", "-c", "exit %d" % rng.choice([1, 42, 255])], ["sh", "-c", "kill -9 $$"], ["/missing"], ["missing"], ["/data"],
        ["/file"], ["../bin/sh", "-c", "pwd"], ["./missing"], ["/flink"], ["true", "x" * 5000], [""]])
    config["process"]["cwd"] = rng.choice(["/", "/tmp"])


SYSCTLS = {"network": [("net.ipv4.ip_forward", "1"), ("net.ipv4.ip_unprivileged_port_start", "80"),
                       ("net.ipv4.ping_group_range", "0 0")],
           "ipc": [("kernel.shm_rmid_forced", "1"), ("kernel.msgmax", "9000"), ("fs.mqueue.msg_max", "11")]}


def seccomp(rng):
    out = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ["mkdir", "mkdirat", "chmod"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["getcwd"], "action": "SCMP_ACT_ERRNO", "errnoRet": rng.choice([1, 38])}]}
    if rng.random() < .5:
        out["syscalls"][1] = {"names": ["personality"], "action": "SCMP_ACT_ERRNO",
                              "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}
    return out


# No path of one list leads to one of the other: what of both comes last is up to the runtime.
MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware", "/proc/missing", "/data/sub", "/flink",
          "/rel", "/data/f", "/opt"]
READONLY = ["/proc/bus", "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/missing", "/file", "/tmp"]


def subordinate_ids():
    """First id and number for uids and gids, if the user has some."""
    if os.getuid() == 0:  # of a user namespace: all others in it
        return {"uid": (1, 65535), "gid": (1, 65535)}
    user = subprocess.run(["id", "-un"], capture_output=True, check=False).stdout.decode().strip()
    out = {}
    for kind in ("uid", "gid"):
        with open(f"/etc/sub{kind}", encoding="ascii") as f:
            for who, first, n in (line.strip().split(":") for line in f if line.count(":") == 2):
                if who in (user, str(os.getuid())):
                    out.setdefault(kind, (int(first), min(int(n), 65535)))
    return out if len(out) == 2 else None


SUBIDS = subordinate_ids()


def id_maps(rng, config):
    """Returns how many ids the container has."""
    kind = rng.choice(["range", "range", "range", "single", "none"])
    linux = config["linux"]
    if kind == "none":
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "user"]
        return 65536 if SUBIDS else 1
    for key, own in (("uid", os.getuid()), ("gid", os.getgid())):
        linux[key + "Mappings"] = [{"containerID": 0, "hostID": own, "size": 1}]
        if SUBIDS and kind == "range":
            linux[key + "Mappings"].append({"containerID": 1, "hostID": SUBIDS[key][0], "size": SUBIDS[key][1]})
    return 65536 if SUBIDS and kind == "range" else 1


def make_config(rng):
    ns = ["user", "mount"] + [n for n in ["pid", "ipc", "uts", "network", "cgroup"] if rng.random() < .9]
    config = {"ociVersion": "1.0.0", "root": {"path": "rootfs", "readonly": rng.random() < .3},
              "linux": {"namespaces": [{"type": n} for n in ns]}}
    linux = config["linux"]
    config["process"] = process(rng, id_maps(rng, config))
    config["mounts"] = default_mounts(rng, ns)
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3, 5])):
        config["mounts"].append(extra_mount(rng))
    if "uts" in ns and rng.random() < .6:
        config["hostname"] = rng.choice(["h", "a.b.c", "x" * 64])
    if "uts" in ns and rng.random() < .2:
        config["domainname"] = "example.org"
    if rng.random() < .6:
        linux["maskedPaths"] = rng.sample(MASKED, rng.randint(0, 5))
        linux["readonlyPaths"] = rng.sample(READONLY, rng.randint(0, 5))
    if rng.random() < .3:
        linux["rootfsPropagation"] = rng.choice(PROPAGATION + ["shared", "rshared", "unbindable"])
    if rng.random() < .3:
        linux["sysctl"] = dict(rng.sample([s for n, all_ in SYSCTLS.items() if n in ns for s in all_] or [("net.x", "1")], 1))
    if rng.random() < .3:
        linux["seccomp"] = seccomp(rng)
    if rng.random() < .2:
        linux["devices"] = [{"path": rng.choice(["/dev/fuse", "/dev/other/fuse"]), "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}]
        linux["devices"] = [d for d in linux["devices"] if d["path"] == "/dev/fuse"]
    if rng.random() < .1:
        linux["personality"] = {"domain": rng.choice(["LINUX", "LINUX32"])}
    if rng.random() < .15:
        special_args(rng, config)
    finish_report(rng, config)
    return config


def finish_report(rng, config):
    args = config["process"]["args"]
    if args[-1] != REPORT:
        return
    linux = config["linux"]
    probes = linux.get("maskedPaths", []) + linux.get("readonlyPaths", [])
    probes = [p for p in probes if not p.startswith(("/proc/sysrq", "/proc/kcore"))]
    args[-1] = REPORT.replace("@FILES@", " ".join(FILES)).replace("@PROBES@", " ".join(probes) or "/bin/sh")


def make_root(rng, root):
    """A tree that is hard on runtimes: links in and out, files where directories are expected."""
    for d in ["bin", "data/sub", "etc", "proc", "tmp", "opt"] + [d for d in ["dev", "sys", "dev/pts", "dev/shm"] if rng.random() < .5]:
        os.makedirs(os.path.join(root, d), exist_ok=True)
    shutil.copy(BUSYBOX, os.path.join(root, "bin/busybox"))
    for a in APPLETS:
        os.symlink("busybox", os.path.join(root, "bin", a))
    for name, text in {"file": "file\n", "etc/motd": "motd\n", "data/f": "f\n", "data/sub/g": "g\n",
                       "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n", "etc/group": "root:x:0:\n"}.items():
        with open(os.path.join(root, name), "w", encoding="ascii") as f:
            f.write(text)
    volumes = os.path.join(os.path.dirname(root), "volumes")
    for d in ["a/sub", "b"]:
        os.makedirs(os.path.join(volumes, d))
    for name in ["source", "a/f", "a/sub/g"]:
        with open(os.path.join(volumes, name), "w", encoding="ascii") as f:
            f.write(name)
    os.symlink("a", os.path.join(volumes, "link"))
    for name, target in {"link": "data", "abs": "/opt", "rel": "tmp/../data/sub", "flink": "/etc/motd", "up": "../../../tmp",
                         "out": "../../../../../etc"}.items():
        os.symlink(target, os.path.join(root, name))
