#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tests/run.py [--build DIR] [--tally FILE] [--scale N] [SELECT…]

Runs test programs one after the other and counts their TAP cases. The programs are the tests that
meson.build knows (suites unit, fuzz, lint) and the scripts tests/integration/*.sh; as root only
tests/root/*.sh. SELECT is a suite, a file, or a program's name.

A program that crashes, runs out of time, or ends without its plan is one more failure. Prints a line
for each program, the output of failures, the reason of each skip, and "N passed, N failed,
N skipped" at the end; with --tally the three numbers are appended to FILE instead. --scale
multiplies time limits (sanitizers are slow).
"""
import argparse, json, os, re, signal, subprocess, sys, time

SRC = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULT = re.compile(r"(not )?ok\b *(\d+)?(?: *-)? *(.*?)(?: # (SKIP)\b *(.*))?$", re.I)
SHELL_SECONDS = 1800


class Program:
    def __init__(self, suite, name, argv, env, seconds, tap=True):
        self.suite, self.name, self.argv, self.env = suite, name, argv, env
        self.seconds, self.tap = seconds, tap

    def selected(self, selects):
        names = {self.suite, self.name, self.suite + "/" + self.name, self.argv[0]}
        return not selects or any(s in names or os.path.abspath(s) in names for s in selects)


class Outcome:
    """What one program's output says."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.failures, self.skips = [], []  # (name, [lines]); (name, reason)
        self.plan = None
        self.loose = []  # lines that belong to no failure

    def fail(self, name, lines=()):
        self.failed += 1
        self.failures.append((name, list(lines)))

    def skip(self, name, reason):
        self.skipped += 1
        self.skips.append((name, reason or "no reason given"))


def meson_programs(build):
    out = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True)
    for t in json.loads(out.stdout):
        suite = t["suite"][0].split(":")[-1] if t["suite"] else "unit"
        if suite != "integration":
            yield Program(suite, t["name"], t["cmd"], t["env"], t["timeout"], t["protocol"] == "tap")


def shell_programs(suite, build):
    folder = os.path.join(SRC, "tests", suite)
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        if name.endswith(".sh") and not name.endswith("lib.sh"):
            env = {"LAMINA_BUILD": os.path.abspath(build)}
            yield Program(suite, name[:-3], [os.path.join(folder, name)], env, SHELL_SECONDS)


def execute(p, scale):
    """Returns (output, exit status or the word "time")."""
    child = subprocess.Popen(p.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env={**os.environ, **p.env},
                             cwd=SRC, start_new_session=True)
    try:
        out = child.communicate(timeout=p.seconds * scale)[0]
        return out, child.returncode
    except subprocess.TimeoutExpired:
        pass
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sig)
            return child.communicate(timeout=30)[0], "time"
        except (subprocess.TimeoutExpired, ProcessLookupError):
            continue
    return b"", "time"


def read_line(o, line, after_failure):
    """One line of TAP; returns the list that comments go to from now on."""
    plan = re.match(r"1\.\.(\d+)(?: *# *SKIP *(.*))?", line, re.I)
    m = RESULT.match(line)
    if plan:
        o.plan = int(plan[1])
        if o.plan == 0:
            o.skip("", plan[2])
        return o.loose
    if not m:
        after_failure.append(line)
        return after_failure
    if m[1]:
        o.fail(m[3])
        return o.failures[-1][1]
    if m[4]:
        o.skip(m[3], m[5])
    else:
        o.passed += 1
    return o.loose


def judge(p, out, status):
    o = Outcome()
    text = out.decode("utf-8", "replace")
    if p.tap:
        comments = o.loose
        for line in text.splitlines():
            comments = read_line(o, line, comments)
        seen = o.passed + o.failed + o.skipped
        if status == "time":
            o.fail("ended by its time limit", o.loose[-40:])
        elif o.plan is None:
            o.fail("ended without its plan (exit status %s)" % status, o.loose[-80:])
        elif seen != (o.plan or 1):
            o.fail("ran %d of %d planned cases" % (seen, o.plan), o.loose[-40:])
        elif status != 0 and not o.failed:
            o.fail("exit status %s" % status, o.loose[-80:])
    elif status == 77:
        o.skip("", text.strip().splitlines()[-1] if text.strip() else "")
    elif status == 0:
        o.passed = 1
    else:
        o.fail("exit status %s" % status, text.splitlines()[-80:])
    return o


def show(p, o, seconds):
    words = ["%d passed" % o.passed] if o.passed else []
    words += ["%d FAILED" % o.failed] if o.failed else []
    words += ["%d skipped" % o.skipped] if o.skipped else []
    print("%-12s %-24s %s  (%.1f s)" % (p.suite, p.name, ", ".join(words) or "nothing", seconds))
    for name, lines in o.failures:
        print("  FAILED %s: %s" % (p.name, name))
        for line in lines[:400]:
            print("    " + line)
    for name, reason in o.skips:
        print("  skipped %s%s" % (name + ": " if name else "", reason))
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("--build", default=os.path.join(SRC, "build"))
    ap.add_argument("--tally")
    ap.add_argument("--scale", type=int, default=1)
    ap.add_argument("select", nargs="*")
    a = ap.parse_args()
    if os.geteuid() == 0:
        programs = list(shell_programs("root", a.build))
    else:
        programs = list(meson_programs(a.build)) + list(shell_programs("integration", a.build))
    chosen = [p for p in programs if p.selected(a.select)]
    if not chosen and a.select and not a.tally:
        sys.exit("no test is called %s" % " or ".join(a.select))
    total = [0, 0, 0]
    for p in chosen:
        start = time.monotonic()
        o = judge(p, *execute(p, a.scale))
        show(p, o, time.monotonic() - start)
        total = [x + y for x, y in zip(total, (o.passed, o.failed, o.skipped))]
    if a.tally:
        with open(a.tally, "a") as f:
            f.write("%d %d %d\n" % tuple(total))
    else:
        print("%d passed, %d failed, %d skipped" % tuple(total))
    sys.exit(1 if total[1] else 0)


main()
