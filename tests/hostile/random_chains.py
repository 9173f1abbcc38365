#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: random_chains.py IDXDUMP N [SEED]

Make N random chains of layers over a few names, so that members meet, and compare the tree that idxdump gives with
that of a model: the rules of doc/on-disk.md, "How layers merge", written once more in the plainest way."""
import os
import random
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), os.path.dirname(os.path.abspath(__file__)) + '/../tools']
import gen_layers as gen  # noqa: E402
from check_layers import dump  # noqa: E402


class Refused(Exception):
    pass


class Node:
    def __init__(self, kind, number, target=b''):
        self.kind, self.number, self.target, self.entries, self.parent = kind, number, target, {}, None


def walk(root, path, make):
    """The directory of a path, and its last component; None if there is no such directory."""
    *parts, last = path.split(b'/')
    here, links = root, 0
    parts = parts[::-1]
    while parts:
        name = parts.pop()
        if name in (b'', b'.'):
            continue
        if name == b'..':
            here = here.parent or root
            continue
        node = here.entries.get(name)
        if node and node.kind == 'link':
            links += 1
            if links > 40:
                raise Refused('links')
            if node.target.startswith(b'/'):
                here = root
            parts += node.target.split(b'/')[::-1]
            continue
        if not node or node.kind != 'dir':
            if not make:
                return None, last
            node = Node('dir', 0)
            here.entries[name], node.parent = node, here
        here = node
    return here, last


def apply(root, layer):
    for kind, path, _, _ in layer:
        if kind not in ('whiteout', 'opaque'):
            continue
        try:
            here, name = (root.parent, b'') if path == b'' else walk(root, path, False)
        except Refused:
            continue
        if kind == 'whiteout' and here:
            here.entries.pop(name, None)
        elif kind == 'opaque':
            node = root if path == b'' else here and here.entries.get(name)
            if node and node.kind == 'dir':
                node.entries = {}
    for kind, path, target, number in layer:
        if kind in ('whiteout', 'opaque'):
            continue
        found = None
        if kind == 'hard':
            here, name = walk(root, target, False)
            found = here and here.entries.get(name)
            if not found or found.kind == 'dir':
                raise Refused('hard link')
        here, name = walk(root, path, True)
        old = here.entries.get(name)
        if kind == 'dir' and old and old.kind == 'dir':
            old.number = number
            continue
        node = found or Node(kind, number, target)
        if node is not old:
            here.entries[name] = node
            node.parent = here if kind == 'dir' else None


def flatten(root):
    out, groups, todo = {}, {}, [(b'', root)]
    while todo:
        path, node = todo.pop()
        groups.setdefault(id(node), []).append(path)
        out[path] = node
        for name, child in node.entries.items():
            todo.append((path + b'/' + name if path else name, child))
    return {path: (node.kind, node.number, node.target, sorted(groups[id(node)]) if node.kind != 'dir' else None)
            for path, node in out.items()}


def from_dump(tree):
    kinds = {'file': 'file', 'dir': 'dir', 'symlink': 'link'}
    groups = {}
    for path, entry in tree.items():
        groups.setdefault(entry['ino'], []).append(path)
    out = {}
    for path, entry in tree.items():
        names = sorted(groups[entry['ino']])
        kind = kinds[entry['type']]
        assert kind == 'dir' or entry['nlink'] == len(names), f'{path}: nlink'
        assert kind != 'dir' or len(names) == 1, f'{path}: number of another directory'
        target = gen.base64.b64decode(entry['target_b64']) if kind == 'link' else b''
        out[path] = (kind, entry['uid'], target, names if kind != 'dir' else None)
    return out


def random_path(rnd, deep=3):
    return b'/'.join(rnd.choice([b'a', b'b', b'c']) for _ in range(rnd.randint(1, deep)))


def random_target(rnd):
    parts = [rnd.choice([b'a', b'b', b'c', b'..', b'.']) for _ in range(rnd.randint(1, 4))]
    return rnd.choice([b'', b'', b'/']) + b'/'.join(parts)


def random_layer(rnd, first):
    weights = {'file': 6, 'dir': 6, 'link': 2, 'hard': 1, 'whiteout': 0 if first else 3, 'opaque': 0 if first else 2}
    layer = []
    for number in range(1, rnd.randint(2, 14)):
        kind = rnd.choices(list(weights), list(weights.values()))[0]
        path = b'' if kind == 'opaque' and rnd.random() < 0.1 else random_path(rnd)
        target = random_target(rnd) if kind == 'link' else random_path(rnd) if kind == 'hard' else b''
        # A hard link to what the layer itself has is most of what hard links are.
        own = [p for k, p, _, _ in layer if k == 'file']
        if kind == 'hard' and own and rnd.random() < 0.9:
            target = rnd.choice(own)
        layer.append((kind, path, target, number))
    return layer


def as_tar(layer, base):
    make = {'file': lambda p, t, n: gen.f(p, b'x', uid=n), 'dir': lambda p, t, n: gen.d(p, uid=n),
            'link': lambda p, t, n: gen.s(p, t, uid=n), 'hard': lambda p, t, n: gen.h(p, t),
            'whiteout': lambda p, t, n: gen.wh(p), 'opaque': lambda p, t, n: gen.opq(p)}
    return gen.tar(*[make[kind](path, target, base + number) for kind, path, target, number in layer])


def main():
    idxdump, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    refused = 0
    with tempfile.TemporaryDirectory() as work:
        for n in range(seed, seed + count):
            rnd = random.Random(n)
            chain = [random_layer(rnd, i == 0) for i in range(rnd.randint(1, 4))]
            root, want = Node('dir', 0), None
            try:
                for i, layer in enumerate(chain):
                    apply(root, [(k, p, t, 100 * i + m) for k, p, t, m in layer])
                want = flatten(root)
            except Refused:
                refused += 1
            tree, why = dump(idxdump, [as_tar(layer, 100 * i) for i, layer in enumerate(chain)], work)
            got = from_dump(tree) if tree is not None else None
            if got != want:
                print(f'seed {n}: {why or ""}\nchain {chain}\nwant {want}\ngot  {got}')
                return 1
    print(f'{count} chains, {refused} of them refused')
    return 0


if __name__ == '__main__':
    sys.exit(main())
