#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: check_layers.py IDXDUMP DIRECTORY [REGEX]

Run idxdump on cases of layers and compare its tree with what is expected; print TAP.
DIRECTORY is what tests/hostile/gen_layers.py made (cases.json), or a corpus of OCI layouts (manifest.json:
"tree" of a case is its right result; "outcome" is reject or safe). Cases whose layers cannot be had
(broken JSON, digests, compression: other tests' business) are skipped."""
import base64
import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

SECONDS = 20 * int(os.environ.get('TEST_SCALE', '1'))
MEGABYTES = 256
SANITIZED = 'TEST_SANITIZED' in os.environ  # shadow memory counts as memory


class Skip(Exception):
    pass


def unpacked(data):
    if data[:2] == b'\x1f\x8b':
        return gzip.decompress(data)
    if data[:4] == b'\x28\xb5\x2f\xfd' or data[1:4] == b'\x2a\x4d\x18':
        return subprocess.run(['zstd', '-dcq'], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def layout_layers(layout):
    """The tars of a layout, lowest first, as bytes."""
    def blob(digest):
        with open(f"{layout}/blobs/{digest.replace(':', '/')}", 'rb') as f:
            return f.read()
    try:
        with open(f'{layout}/index.json', encoding='utf-8') as f:
            doc = json.load(f)
        while 'manifests' in doc:
            best = [m for m in doc['manifests'] if m.get('platform', {}).get('architecture', 'amd64') == 'amd64']
            doc = json.loads(blob(best[0]['digest']))
        return [unpacked(blob(layer['digest'])) for layer in doc['layers']]
    except Exception as error:
        raise Skip(f'{type(error).__name__}: {error}') from error


def dump(idxdump, layers, work):
    """(tree, None) or (None, why it was refused)"""
    store = tempfile.mkdtemp(dir=work)
    paths = []
    for layer in layers:
        if isinstance(layer, bytes):
            paths.append(f'{store}/{len(paths)}.tar')
            with open(paths[-1], 'wb') as f:
                f.write(layer)
        else:
            paths.append(layer)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        run = subprocess.run([idxdump, store] + paths, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise AssertionError(f'takes more than {SECONDS} s') from None
    finally:
        shutil.rmtree(store)
    said = run.stderr.decode('utf-8', 'backslashreplace').strip()
    rss = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert rss == before or rss <= MEGABYTES * 1024 or SANITIZED, f'takes {rss // 1024} MB'
    assert run.returncode in (0, 1), f'exits with {run.returncode}: {said}'
    assert not re.search(r'[\x00-\x09\x0b-\x1f\x7f]', said), f'writes control characters: {said!r}'
    if run.returncode:
        assert said.startswith('idxdump: ') and said.count('\n') <= 1, f'says {said!r}'
        return None, said
    tree = {}
    for line in run.stdout.splitlines():
        entry = json.loads(line)
        entry['mtime_ns'] = entry['mtime'][0] * 10**9 + entry['mtime'][1]
        entry['xattrs'] = {base64.b64decode(k).decode('utf-8', 'surrogateescape'): v
                           for k, v in entry['xattrs'].items()}
        path = base64.b64decode(entry['path_b64'])
        assert path not in tree, f'{path!r} is listed twice'
        tree[path] = entry
    return tree, None


KEYS = ('type', 'mode', 'uid', 'gid', 'size', 'sha256', 'mtime_ns', 'target_b64', 'nlink', 'dev', 'xattrs', 'same_as')


def differences(want, got):
    for path in sorted(set(want) | set(got)):
        name = path.decode('utf-8', 'backslashreplace')[-60:] or '.'
        if path not in got:
            yield f'{name} is missing'
        elif path not in want:
            yield f'{name} is too much'
        elif not (path == b'' and want[path].get('implicit')):
            for key in KEYS:
                value = want[path].get(key)
                if key == 'same_as' and value is not None:
                    if got[base64.b64decode(value)]['ino'] != got[path]['ino']:
                        yield f'{name}: is not one inode with {value}'
                elif value is not None and value != got[path].get(key):
                    yield f'{name}: {key} is {got[path].get(key)}, not {value}'


def check(case, idxdump, layers, work):
    tree, why = dump(idxdump, layers, work)
    if case.get('outcome') in ('reject', 'refuse'):
        assert tree is None, 'is accepted'
        pattern = case.get('why', '')
        assert re.search(pattern, why), f'is refused for {why!r}, not for {pattern!r}'
    elif case.get('outcome') == 'safe':
        must = case.get('must', {})
        for path in must.get('exists', []) if tree else []:
            assert path.encode() in tree, f'{path} is missing'
        for path in must.get('absent', []) if tree else []:
            assert path.encode() not in tree, f'{path} exists'
        for prefix in must.get('noxattr', []) if tree else []:
            for path, entry in tree.items():
                assert not any(k.startswith(prefix) for k in entry['xattrs']), f'{path} has {prefix}'
    else:
        assert tree is not None, f'is refused: {why}'
        want = {base64.b64decode(e['path_b64']): e for e in case['tree']}
        diff = list(differences(want, tree))
        assert not diff, '; '.join(diff[:6]) + (f'; {len(diff) - 6} more' if len(diff) > 6 else '')


def main():
    idxdump, directory = sys.argv[1], sys.argv[2]
    only = sys.argv[3] if len(sys.argv) > 3 else ''
    generated = os.path.exists(f'{directory}/cases.json')
    with open(f"{directory}/{'cases.json' if generated else 'manifest.json'}", encoding='utf-8') as f:
        cases = [c for c in json.load(f)['cases'] if re.search(only, c['case'])]
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        for n, case in enumerate(cases, 1):
            verdict, note = 'ok', ''
            try:
                if generated:
                    layers = [f'{directory}/{name}' for name in case['layers']]
                else:
                    layers = layout_layers(f"{directory}/{case['layout']}")
                    if case.get('cls') in ('digest', 'manifest', 'json', 'config', 'layout', 'mediatype', 'compression'):
                        raise Skip('not about layers')
                    if any(len(layer) > 1 << 28 for layer in layers):
                        raise Skip('a bomb')
                check(case, idxdump, layers, work)
            except Skip as reason:
                note = f' # SKIP {reason}'
            except AssertionError as why:
                verdict, failed = 'not ok', failed + 1
                print(f"# {case['case']} {why}")
            print(f"{verdict} {n} - {case['case']}{note}", flush=True)
    print(f'1..{len(cases)}')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
