#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: manual.py PROGRAM PAGE…

Compares manual pages with --help: every verb has a subsection ".Ss VERB" of COMMANDS in PROGRAM.1, and the options of
each are the same on both sides; global options stand in OPTIONS. The options of a verb that has a page of its own,
PROGRAM-VERB.1, stand there. A verb whose help says "the options of 'PROGRAM VERB'" has those, told once. Options are items ".It Fl q , Fl -quiet"."""
import os, re, subprocess, sys


def help_of(program, *words):
    out = subprocess.run([program, *words, "--help"], capture_output=True, text=True)
    if out.returncode:
        sys.exit("%s %s --help: exit status %d" % (program, " ".join(words), out.returncode))
    return out.stdout


def options(text):
    """ "  -q, --quiet   text" lines -> {"--quiet": "-q"} """
    found = re.findall(r"^  (?:(-\w), |    )(--[a-z0-9-]+)", text, re.M)
    return {long: short for short, long in found}


def from_help(program):
    top = help_of(program)
    known = {"": options(top)}
    for verb in re.findall(r"^  ([a-z][a-z ]*?)  ", top, re.M):
        text = help_of(program, *verb.split())
        known[verb] = options(text)
        same = re.search(r"the options of '[\w-]+ (\w+)'", text)
        if same and known[verb] == options(help_of(program, same[1])):
            known[verb] = {}
    return known


def from_page(program, path, told, known):
    section, verb = "", None
    own = re.match(re.escape(os.path.basename(program)) + r"-(.+)\.\d$", os.path.basename(path))
    own = own and own[1].replace("-", " ")
    if own and own not in told:
        return  # the page of another program
    with open(path) as f:
        for line in f:
            words = line.replace('"', "").split()
            if words[:1] == [".Sh"]:
                section, verb = " ".join(words[1:]), own
            elif words[:1] == [".Ss"] and section == "COMMANDS":
                verb = " ".join(words[1:])
                known.setdefault(verb, {})
            elif words[:2] == [".It", "Fl"] and (verb is not None or section == "OPTIONS"):
                flags = re.findall(r"Fl (\S+)", line)
                long = next(("-" + f for f in flags if f.startswith("-")), None)
                short = next(("-" + f for f in flags if not f.startswith("-")), "")
                known.setdefault(verb or "", {})[long] = short


def main(program, *pages):
    told, written, wrong = from_help(program), {"": {}}, []
    for page in pages:
        from_page(program, page, told, written)
    for verb in sorted(set(told) | set(written)):
        shown = verb or "(global)"
        if verb not in written:
            wrong.append("%s: not in the manual" % shown)
        elif verb not in told:
            wrong.append("%s: not in --help" % shown)
        else:
            a, b = told[verb], written[verb]
            for name in sorted(set(a) | set(b), key=str):
                if a.get(name) != b.get(name):
                    wrong.append("%s %s: --help has %s, the manual %s" % (
                        shown, name, name in a and (a[name] or "no letter") or "nothing",
                        name in b and (b[name] or "no letter") or "nothing"))
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


main(*sys.argv[1:])
