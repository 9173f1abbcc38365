#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: runner.py FILE FUNCTION… [-- NAME…]      (called by lib.sh's run_tests)

Runs functions of a test file, each in a shell and a directory of its own, and prints TAP.

It is a child subreaper: whatever a test starts, however it daemonises, stays below this process and
is ended after the test. Mounts below the test's directory and files of any owner are removed too.
"""
import ctypes, glob, os, re, secrets, shutil, signal, subprocess, sys, tempfile, time

PR_SET_CHILD_SUBREAPER = 36
SKIP = 77


def parents():
    """pid -> parent's pid, of every process that can be seen"""
    table = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                table[int(pid)] = int(f.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue  # it ended meanwhile
    return table


def descendants(of):
    """The processes below those of the set."""
    table = parents()
    found, todo = set(), list(of)
    while todo:
        top = todo.pop()
        kids = [pid for pid, parent in table.items() if parent == top]
        found.update(kids)
        todo += kids
    return found


def reap():
    """Collect children that have ended; they are zombies, and stay in the process table, until then."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill_leftovers(kept):
    """End what is below this process, but for the set and what is below that."""
    end = time.monotonic() + 10
    while True:
        reap()
        left = descendants({os.getpid()}) - kept - descendants(kept)
        if not left or time.monotonic() > end:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.01)


def unmount_below(top):
    with open("/proc/self/mounts") as f:
        mounts = [re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), line.split()[1]) for line in f]
    for path in sorted((m for m in mounts if (m + "/").startswith(top + "/")), reverse=True):
        if subprocess.run(["fusermount3", "-u", "-z", path], stderr=subprocess.DEVNULL).returncode:
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)


def remove_tree(path):
    """Also directories without permission and files of subordinate ids."""
    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        subprocess.run(["chmod", "-R", "u+rwX", path], stderr=subprocess.DEVNULL)
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto", "rm", "-rf", "--", path])


class Runner:
    def __init__(self, test_file):
        self.file = test_file
        # Hexadecimal, not mkdtemp's letters: Podman makes image names of paths, and refuses "._" and "__" there.
        self.top = "%s/lt.%s" % (tempfile.gettempdir(), secrets.token_hex(5))
        os.mkdir(self.top, 0o700)
        self.state = self.top + "/state"
        self.seconds = int(os.environ["TEST_TIMEOUT"]) * int(os.environ["TEST_SCALE"])
        os.mkdir(self.state)

    def environment(self, function, where):
        env = dict(os.environ, TEST_FUNCTION=function, TEST_STATE=self.state, T=where,
                   FILE_DIR=self.top + "/file", LAMINA_ROOT=where + "/store",
                   XDG_RUNTIME_DIR=where + "/run", HOME=where, TMPDIR=where)
        if "TEST_SANITIZED" in env:
            for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
                env[name] = env.get(name, "") + ":log_path=" + where + "/sanitizer"
        return env

    def call(self, function, where):
        """Run one function; returns its exit status, or None if its time was over."""
        os.makedirs(where + "/run", mode=0o700)
        for name in glob.glob(self.state + "/skip"):
            os.unlink(name)
        with open(self.state + "/log", "wb") as log:
            shell = subprocess.Popen(["bash", self.file], cwd=where, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, env=self.environment(function, where))
            end = time.monotonic() + self.seconds
            try:
                return shell.wait(max(end - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                shell.kill()
                shell.wait()
                return None

    def log(self):
        with open(self.state + "/log", "rb") as f:
            lines = f.read().replace(b"\0", b"").decode("utf-8", "replace").splitlines()
        if len(lines) > 200:
            print("# (the last 200 lines of %d)" % len(lines))
        for line in lines[-200:]:
            print("# " + line)

    def skip_reason(self):
        try:
            with open(self.state + "/skip") as f:
                return f.read().strip()
        except OSError:
            return None

    def setup(self):
        """Returns True if the tests may run."""
        code = self.call("setup_file", self.top + "/file")
        if code == SKIP and self.skip_reason():
            print("1..0 # SKIP " + self.skip_reason())
            return False
        if code != 0:
            print("not ok 1 - setup_file")
            self.log()
            print("1..1")
            self.failed = True
            return False
        return True

    def reports(self, where):
        """What sanitizers wrote: a daemon's report counts, even if the test did not notice."""
        texts = []
        for name in sorted(glob.glob(where + "/sanitizer.*")):
            with open(name, errors="replace") as f:
                texts += f.read().splitlines()
        return texts

    def run_one(self, n, function):
        where = "%s/%d" % (self.top, n)
        reap()
        kept = descendants({os.getpid()})
        code = self.call(function, where)
        kill_leftovers(kept)
        unmount_below(where)
        reports = self.reports(where)
        if code == SKIP and self.skip_reason() and not reports:
            print("ok %d - %s # SKIP %s" % (n, function, self.skip_reason()))
        elif code == 0 and not reports:
            print("ok %d - %s" % (n, function))
        else:
            self.failed = True
            print("not ok %d - %s" % (n, function))
            if code is None:
                print("# no end within %d s" % self.seconds)
            elif code not in (0, 1):
                print("# exit status %d" % code)
            self.log()
            for line in reports[:200]:
                print("# " + line)
            if os.environ.get("TEST_KEEP"):
                print("# kept: " + where)
                self.keep = True
                return
        remove_tree(where)

    failed = keep = False

    def run(self, functions, names):
        has_setup = "setup_file" in functions
        tests = names or [f for f in functions if f.startswith("t_")]
        if not has_setup:
            os.makedirs(self.top + "/file/run", mode=0o700)
        elif not self.setup():
            return
        sys.stdout.flush()
        for n, function in enumerate(tests, 1):
            self.run_one(n, function)
            sys.stdout.flush()
        print("1..%d" % len(tests))

    def finish(self):
        kill_leftovers(set())
        unmount_below(self.top)
        if not self.keep:
            remove_tree(self.top)


def stop(number, frame):
    raise SystemExit(128 + number)


def main(args):
    at = args.index("--")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    runner = Runner(args[0])
    try:
        runner.run(args[1:at], args[at + 1:])
    finally:
        runner.finish()
    sys.exit(1 if runner.failed else 0)


main(sys.argv[1:])
