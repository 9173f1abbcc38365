#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: gen_layers.py DIRECTORY

Make image layers that are right but unusual, and ones that are hostile or malformed, with what must
come of each: DIRECTORY/CASE-N.tar, lowest layer first, and cases.json for tests/tools/check_layers.py.

The tars are written header by header, since no library writes most of them."""
import base64
import hashlib
import json
import os
import struct
import sys

MTIME = 1600000000


# ---- tars ----

def octal(value, width):
    return b'%0*o\0' % (width - 1, value)


def base256(value, width):
    return (value & ((1 << (8 * width)) - 1) | 1 << (8 * width - 1)).to_bytes(width, 'big')


def header(name, kind=b'0', size=0, mode=0o644, uid=0, gid=0, mtime=MTIME, link=b'', magic=b'ustar\x0000',
           prefix=b'', dev=None, tail=None, checksum=None):
    """One block. Numbers may be given as bytes, for what no program writes."""
    def field(value, width):
        return value if isinstance(value, bytes) else octal(value, width)
    block = name[:100].ljust(100, b'\0') + field(mode, 8) + field(uid, 8) + field(gid, 8) + field(size, 12) + \
        field(mtime, 12) + b' ' * 8 + kind + link[:100].ljust(100, b'\0') + magic + b'\0' * 64
    block += (field(dev[0], 8) + field(dev[1], 8)) if dev else b'\0' * 16
    block += prefix
    block = block.ljust(512, b'\0') if tail is None else block[:345] + tail
    assert len(block) == 512
    total = sum(block) if checksum is None else checksum
    return block[:148] + b'%06o\0 ' % total + block[156:]


def padded(data):
    return data + b'\0' * (-len(data) % 512)


def record(key, value):
    body = b' ' + key + b'=' + value + b'\n'
    size = len(body)
    while size != len(body) + len(str(size)):
        size = len(body) + len(str(size))
    return str(size).encode() + body


def extended(body, kind=b'x', **over):
    return header(b'PaxHeaders/x', kind, **{'size': len(body), **over}) + padded(body)


def pax(records, kind=b'x'):
    return extended(b''.join(record(k, v) for k, v in records), kind)


def f(name, data=b'', **over):
    return header(name, **{'size': len(data), **over}) + padded(data)


def d(name, mode=0o755, **over):
    return header(name, b'5', mode=mode, **over)


def s(name, target, **over):
    return header(name, b'2', mode=0o777, link=target, **over)


def h(name, target, **over):
    return header(name, b'1', link=target, **over)


def wh(path):
    up, _, name = path.rpartition(b'/')
    return f((up + b'/' if up else b'') + b'.wh.' + name)


def opq(path):
    return f((path + b'/' if path else b'') + b'.wh..wh..opq')


END = b'\0' * 1024


def tar(*members):
    return b''.join(members) + END


def long_name(name, kind=b'L'):
    return header(b'././@LongLink', kind, size=len(name) + 1, magic=b'ustar  \0') + padded(name + b'\0')


# ---- trees ----

def b64(data):
    return base64.b64encode(data).decode()


def entry(kind, mode, mtime, more):
    out = {'type': kind, 'mode': '%04o' % mode, 'uid': 0, 'gid': 0, 'xattrs': {}}
    if mtime is not None:
        out['mtime_ns'] = mtime * 10**9 if mtime == MTIME else mtime
    out.update(more)
    return out


def tf(data=b'', mode=0o644, mtime=MTIME, **more):
    return entry('file', mode, mtime, {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest(), **more})


def td(mode=0o755, mtime=MTIME, **more):
    return entry('dir', mode, mtime, more)


def ts(target, mtime=MTIME, **more):
    return entry('symlink', 0o777, mtime, {'target_b64': b64(target), **more})


def xattr(**values):
    return {k.replace('__', '.'): b64(v) for k, v in values.items()}


ROOT = td(mtime=None, implicit=True)
CASES = []


def good(case, layers, tree):
    tree = {b'': ROOT, **tree}
    CASES.append((case, layers, {'outcome': 'tree', 'tree': [{'path_b64': b64(p), **e} for p, e in tree.items()]}))


def bad(case, why, *layers):
    CASES.append((case, layers, {'outcome': 'refuse', 'why': why}))


def safe(case, *layers, **must):
    CASES.append((case, layers, {'outcome': 'safe', 'must': must}))


# ---- right but unusual: members ----

def good_dialects():
    long = b'dir/' + b'n' * 150
    good('v7', [tar(header(b'd/', b'\0', magic=b'\0' * 8, mode=0o755), f(b'd/f', b'x', kind=b'\0', magic=b'\0' * 8),
                    s(b'd/s', b'f', magic=b'\0' * 8), h(b'd/h', b'd/f', magic=b'\0' * 8))],
         {b'd': td(), b'd/f': tf(b'x', nlink=2), b'd/h': tf(b'x', nlink=2, same_as=b64(b'd/f')), b'd/s': ts(b'f')})
    good('gnu-long-names', [tar(long_name(long), f(b'cut', b'x', magic=b'ustar  \0'),
                                long_name(b't' * 300, b'K'), s(b's', b't', magic=b'ustar  \0'),
                                long_name(long + b'2'), long_name(long, b'K'), h(b'cut', b'cut', magic=b'ustar  \0'))],
         {b'dir': td(), long: tf(b'x'), long + b'2': tf(b'x', nlink=2, same_as=b64(long)), b's': ts(b't' * 300)})
    good('ustar-prefix', [tar(f(b'n' * 100, b'x', prefix=b'p' * 155))],
         {b'p' * 155: td(), b'p' * 155 + b'/' + b'n' * 100: tf(b'x')})
    good('star-prefix', [tar(f(b'n', b'x', tail=(b'p' * 131 + b'%011o\0' % 5 * 2).ljust(163, b'\0') + b'tar\0'))],
         {b'p' * 131: td(), b'p' * 131 + b'/n': tf(b'x')})
    good('pax-names', [tar(pax([(b'path', long), (b'uid', b'7')]), f(b'cut', b'x', uid=1),
                           pax([(b'linkpath', b't' * 300)]), s(b's', b'cut'))],
         {b'dir': td(), long: tf(b'x', uid=7), b's': ts(b't' * 300)})
    good('pax-empty-path-takes-back', [tar(pax([(b'path', b'')]), f(b'name', b'x'))], {b'name': tf(b'x')})
    good('pax-size-wins', [tar(pax([(b'size', b'3')]), header(b'a', size=512) + padded(b'abc'), f(b'b'))],
         {b'a': tf(b'abc'), b'b': tf()})
    good('pax-unknown-keys', [tar(pax([(b'VENDOR.key', b'v\nw=\0'), (b'comment', b'x'), (b'atime', b'NaN')]),
                                  f(b'f'))], {b'f': tf()})
    good('global-header', [tar(pax([(b'comment', b'c' * 40)], b'g'), f(b'a'),
                               pax([(b'mtime', b'1234567890.5'), (b'gid', b'9')], b'g'), f(b'b'),
                               pax([(b'mtime', b'77'), (b'gid', b'')]), f(b'c', gid=3),
                               pax([(b'mtime', b'')], b'g'), f(b'e'), pax([(b'comment', b'the end')], b'g'))],
         {b'a': tf(), b'b': tf(mtime=1234567890500000000, gid=9), b'c': tf(mtime=77 * 10**9, gid=9), b'e': tf(gid=9)})
    good('contiguous-and-nul-types', [tar(f(b'a', b'a', kind=b'7'), f(b'b', b'b', kind=b'\0'))],
         {b'a': tf(b'a'), b'b': tf(b'b')})
    good('volume-label', [tar(header(b'LABEL', b'V', magic=b'ustar  \0'), f(b'a', b'a'))], {b'a': tf(b'a')})
    good('incremental-directory', [tar(header(b'd/', b'D', size=5, mode=0o750, magic=b'ustar  \0') + padded(b'Yx\0\0\0'),
                                       f(b'a', b'a'))], {b'd': td(mode=0o750), b'a': tf(b'a')})
    good('sizes-of-links-and-directories', [tar(d(b'd', size=4096), s(b's', b'x', size=99), f(b'f', b'x'),
                                                h(b'h', b'f', size=7), header(b'p', b'6', size=1))],
         {b'd': td(), b's': ts(b'x'), b'f': tf(b'x', nlink=2), b'h': tf(b'x', same_as=b64(b'f')),
          b'p': entry('fifo', 0o644, MTIME, {})})


def good_numbers():
    good('base-256', [tar(f(b'a', b'x', uid=base256(3000000, 8), gid=base256(2**31 - 1, 8), size=base256(1, 12),
                            mtime=base256(-1000, 12), magic=b'ustar  \0'),
                          f(b'b', mtime=base256(2**33, 12)))],
         {b'a': tf(b'x', uid=3000000, gid=2**31 - 1, mtime=-1000 * 10**9), b'b': tf(mtime=2**33 * 10**9)})
    good('spaces-and-short-numbers', [tar(f(b'a', b'x', mode=b'   644 \0', uid=b'7\0\0\0\0\0\0\0', gid=b'        ',
                                            size=b'          1 '))], {b'a': tf(b'x', uid=7)})
    good('times', [tar(*[m for i, t in enumerate([b'1.5', b'-1.5', b'-0.000000001', b'0.9999999999', b'1.', b'-3'])
                         for m in (pax([(b'mtime', t)]), f(b'%d' % i))])],
         {b'0': tf(mtime=1500000000), b'1': tf(mtime=-1500000000), b'2': tf(mtime=-1), b'3': tf(mtime=999999999),
          b'4': tf(mtime=10**9), b'5': tf(mtime=-3 * 10**9)})
    good('times-are-clamped', [tar(pax([(b'mtime', b'9' * 30)]), f(b'a'), f(b'b', mtime=base256(-2**62, 12)),
                                   pax([(b'mtime', b'%d.5' % 2**53)]), f(b'c'))],
         {b'a': tf(mtime=2**53 * 10**9), b'b': tf(mtime=-2**53 * 10**9), b'c': tf(mtime=2**53 * 10**9)})
    good('signed-checksum', [tar(header(b'\xe4', checksum=sum(header(b'\xe4', checksum=0)[:148]) + 8 * 32 +
                                        sum(header(b'\xe4', checksum=0)[156:]) - 256))], {b'\xe4': tf()})
    good('modes', [tar(f(b'a', mode=0o7777), f(b'b', mode=0o100644), f(b'c', mode=0), d(b'e', mode=0o1777))],
         {b'a': tf(mode=0o7777), b'b': tf(), b'c': tf(mode=0), b'e': td(mode=0o1777)})


def good_names():
    names = {b'e\xcc\x81': b'nfd', b'\xc3\xa9': b'nfc', b'\xff\xfe': b'not utf-8', b'new\nline': b'', b'\x1b[31m': b'',
             b'back\\slash': b'', b' ': b'', b'..a': b'', b'...': b'', b'n' * 255: b'', b'.wh': b'', b'.whx': b'',
             b'a.wh.b': b'', b'-rf': b'', b'con:': b''}
    good('odd-names', [tar(*[m for n, v in names.items() for m in (pax([(b'path', n)]), f(b'cut', v))])],
         {n: tf(v) for n, v in names.items()})
    good('odd-names-in-headers', [tar(*[f(n[:100], v) for n, v in names.items()])],
         {n[:100]: tf(v) for n, v in names.items()})
    good('slashes-and-dots', [tar(d(b'./'), d(b'.//a//'), f(b'/a/./b', b'x'), s(b'./a/s', b'//x/../y/'),
                                  h(b'/h', b'./a//b'))],
         {b'': td(), b'a': td(), b'a/b': tf(b'x', nlink=2), b'a/s': ts(b'//x/../y/'),
          b'h': tf(b'x', nlink=2, same_as=b64(b'a/b'))})
    deep = b'/'.join([b'd' * 200] * 19)
    good('path-3800', [tar(pax([(b'path', deep + b'/f')]), f(b'x', b'x'))],
         {**{b'/'.join([b'd' * 200] * i): td() for i in range(1, 20)}, deep + b'/f': tf(b'x')})
    deep = b'/'.join([b'd'] * 4094)
    good('depth-4095', [tar(pax([(b'path', deep + b'/f')]), f(b'x', b'x'))],
         {**{b'/'.join([b'd'] * i): td() for i in range(1, 4095)}, deep + b'/f': tf(b'x')})
    good('root-metadata', [tar(d(b'./', mode=0o700, uid=5)), tar(pax([(b'SCHILY.xattr.user.r', b'1')]),
                                                                 d(b'/', mode=0o711, mtime=7)), tar(f(b'x'))],
         {b'': td(mode=0o711, mtime=7 * 10**9, xattrs=xattr(user__r=b'1')), b'x': tf()})


def good_types():
    good('devices-and-fifos', [tar(header(b'null', b'3', mode=0o666, dev=(1, 3)), header(b'sda', b'4', dev=(8, 0)),
                                   header(b'p', b'6'), header(b'zero', b'3', dev=(0, 0)),
                                   pax([(b'SCHILY.devmajor', b'300'), (b'SCHILY.devminor', b'70000')]),
                                   header(b'big', b'3', dev=(0, 0)))],
         {b'null': entry('char', 0o666, MTIME, {'dev': [1, 3]}), b'sda': entry('block', 0o644, MTIME, {'dev': [8, 0]}),
          b'p': entry('fifo', 0o644, MTIME, {}), b'zero': entry('char', 0o644, MTIME, {'dev': [0, 0]}),
          b'big': entry('char', 0o644, MTIME, {'dev': [300, 70000]})})
    good('xattrs', [tar(pax([(b'SCHILY.xattr.user.a', b'1'), (b'SCHILY.xattr.user.bin', b'\0\n=\xff'),
                             (b'SCHILY.xattr.user.empty', b''), (b'LIBARCHIVE.xattr.user.l%C3%A9', b'AAEC/w=='),
                             (b'LIBARCHIVE.xattr.user.a', b'Mg'), (b'RHT.security.selinux', b'label\0'),
                             (b'SCHILY.xattr.security.capability', struct.pack('<5I', 0x2000001, 0x400, 0, 0, 0)),
                             (b'SCHILY.xattr.trusted.x', b't'), (b'SCHILY.acl.access', b'user::rwx')]), f(b'f'),
                        pax([(b'SCHILY.xattr.user.d', b'd')]), d(b'd'),
                        pax([(b'SCHILY.xattr.trusted.s', b's')]), s(b's', b'f'))],
         {b'f': tf(xattrs={'user.a': b64(b'2'), 'user.bin': b64(b'\0\n=\xff'), 'user.empty': '',
                           'user.l\xe9': b64(b'\0\1\2\xff'), 'security.selinux': b64(b'label\0'),
                           'security.capability': b64(struct.pack('<5I', 0x2000001, 0x400, 0, 0, 0)),
                           'trusted.x': b64(b't')}),
          b'd': td(xattrs=xattr(user__d=b'd')), b's': ts(b'f', xattrs=xattr(trusted__s=b's'))})
    private = [b'user.overlay.opaque', b'user.overlay.overlay.x', b'trusted.overlay.redirect',
               b'user.fuseoverlayfs.opaque', b'user.containers.override_stat', b'user.rootlesscontainers']
    good('private-xattrs-are-dropped', [tar(pax([(b'SCHILY.xattr.' + p, b'y') for p in private] +
                                                [(b'SCHILY.xattr.user.overlayx', b'kept')]), d(b'd'), f(b'd/f'))],
         {b'd': td(xattrs=xattr(user__overlayx=b'kept')), b'd/f': tf()})


def gnu_sparse(name, pieces, size, data, end=True):
    pieces = list(pieces) + ([(size, 0)] if end else [])
    first, rest = pieces[:4], pieces[4:]
    encoded = b''.join(octal(o, 12) + octal(n, 12) for o, n in first).ljust(96, b'\0')
    tail = (b'\0' * 41 + encoded + (b'\1' if rest else b'\0') + octal(size, 12)).ljust(167, b'\0')
    out = header(name, b'S', size=len(data), magic=b'ustar  \0', tail=tail)
    while rest:
        now, rest = rest[:21], rest[21:]
        out += (b''.join(octal(o, 12) + octal(n, 12) for o, n in now).ljust(504, b'\0') +
                (b'\1' if rest else b'\0')).ljust(512, b'\0')
    return out + padded(data)


def pax_sparse(name, pieces, size, data, version):
    numbers = [(b'GNU.sparse.name', name)]
    if version == 1:
        numbers += [(b'GNU.sparse.major', b'1'), (b'GNU.sparse.minor', b'0'), (b'GNU.sparse.realsize', b'%d' % size)]
        data = padded(b'%d\n' % len(pieces) + b''.join(b'%d\n%d\n' % p for p in pieces)) + data
    elif version == 0.1:
        numbers += [(b'GNU.sparse.size', b'%d' % size), (b'GNU.sparse.numblocks', b'%d' % len(pieces)),
                    (b'GNU.sparse.map', b','.join(b'%d,%d' % p for p in pieces))]
    else:
        numbers += [(b'GNU.sparse.size', b'%d' % size), (b'GNU.sparse.numblocks', b'%d' % len(pieces))]
        for off, length in pieces:
            numbers += [(b'GNU.sparse.offset', b'%d' % off), (b'GNU.sparse.numbytes', b'%d' % length)]
    return pax(numbers) + f(b'GNUSparseFile.0/x', data)


def sparse(name, pieces, size, data, version):
    if version == 'gnu':
        return gnu_sparse(name, pieces, size, data)
    return pax_sparse(name, pieces, size, data, version)


def sparse_content(pieces, size, data):
    out, at = bytearray(size), 0
    for off, length in pieces:
        out[off:off + length] = data[at:at + length]
        at += length
    return bytes(out)


def good_sparse():
    few, many = [(0, 512), (4096, 100), (9000, 1000)], [(i * 1000, 700) for i in range(60)]
    for version in ('gnu', 0.0, 0.1, 1):
        members, tree = [], {}
        for name, pieces, size in ((b'few', few, 10000), (b'many', many, 60000), (b'tail', [(0, 5)], 70000),
                                   (b'hole', [], 5000), (b'full', [(0, 700)], 700), (b'touch', [(0, 600), (600, 100)], 800),
                                   (b'empties', [(0, 0), (10, 3), (13, 0), (100, 0)], 100)):
            data = bytes(i * 7 % 251 for i in range(sum(n for _, n in pieces)))
            if version == 0.1 and not pieces:
                continue
            members += [sparse(name, pieces, size, data, version), f(b'after-' + name, name)]
            tree[name] = tf(sparse_content(pieces, size, data))
            tree[b'after-' + name] = tf(name)
        good(f'sparse-{version}', [tar(*members)], tree)
    good('sparse-solaris', [tar(header(b'x', b'X', size=len(record(b'SUN.holesdata', b' 0 512 4096 4608'))) +
                                padded(record(b'SUN.holesdata', b' 0 512 4096 4608')),
                                f(b'f', b'A' * 512 + b'\0' * 3584 + b'B' * 512), f(b'g'))],
         {b'f': tf(b'A' * 512 + b'\0' * 3584 + b'B' * 512), b'g': tf()})
    good('sparse-16TiB', [tar(sparse(b'f', [(2**44 - 3, 3)], 2**44, b'abc', 1), f(b'g'))],
         {b'f': entry('file', 0o644, MTIME, {'size': 2**44}), b'g': tf()})
    good('sparse-hardlink', [tar(sparse(b'f', [(4096, 3)], 8192, b'abc', 'gnu'), h(b'l', b'f'))],
         {b'f': tf(sparse_content([(4096, 3)], 8192, b'abc'), nlink=2),
          b'l': tf(sparse_content([(4096, 3)], 8192, b'abc'), same_as=b64(b'f'))})


def good_ends():
    good('zero-bytes', [b''], {})
    good('only-zeros', [END], {})
    good('no-end', [f(b'a', b'x')], {b'a': tf(b'x')})
    good('one-zero-block', [f(b'a', b'x') + b'\0' * 512], {b'a': tf(b'x')})
    good('rubbish-behind-the-end', [tar(f(b'a', b'x')) + b'rubbish' * 99], {b'a': tf(b'x')})
    good('archive-behind-the-end', [tar(f(b'a', b'x')) + tar(f(b'hidden', b'x'))], {b'a': tf(b'x')})
    good('archive-behind-one-zero-block', [f(b'a', b'x') + b'\0' * 512 + tar(f(b'hidden', b'x'))], {b'a': tf(b'x')})
    good('no-layers', [], {})
    good('archive-in-a-file', [tar(f(b'a.tar', tar(f(b'inner', b'y'))), f(b'b'))],
         {b'a.tar': tf(tar(f(b'inner', b'y'))), b'b': tf()})


# ---- right but unusual: chains ----

def good_merges():
    low = tar(d(b'd', mode=0o700, uid=11, gid=12), f(b'd/a', b'a'), f(b'd/b', b'b'), d(b'd/s'), f(b'd/s/x', b'x'),
              d(b'e'), f(b'e/f', b'f'), s(b'l', b'd'), f(b'top', b't'))
    lower = {b'd': td(mode=0o700, uid=11, gid=12, mtime=None), b'd/a': tf(b'a'), b'd/b': tf(b'b'),
             b'd/s': td(mtime=None), b'd/s/x': tf(b'x'), b'e': td(mtime=None), b'e/f': tf(b'f'), b'l': ts(b'd'),
             b'top': tf(b't')}

    def without(*paths):
        return {p: e for p, e in lower.items() if not any(p == q or p.startswith(q + b'/') for q in paths)}

    def chain(name, layers, tree):
        good('merge-' + name, [low] + layers, tree)

    chain('nothing', [tar()], lower)
    chain('whiteout-file', [tar(wh(b'd/a'))], without(b'd/a'))
    chain('whiteout-directory', [tar(wh(b'd'))], without(b'd'))
    chain('whiteout-with-dot-prefix', [tar(f(b'./d/.wh.s'))], without(b'd/s'))
    chain('whiteout-of-nothing', [tar(wh(b'no'), wh(b'no/such'), wh(b'd/no'), wh(b'top/x'), wh(b'd/a/x'))], lower)
    chain('whiteout-of-a-link', [tar(wh(b'l'))], without(b'l'))
    chain('whiteout-through-a-link', [tar(wh(b'l/a'))], without(b'd/a'))
    chain('whiteout-as-a-directory', [tar(d(b'd/.wh.a'))], without(b'd/a'))
    chain('whiteout-as-a-hard-link', [tar(h(b'd/.wh.a', b'.wh..wh.aufs'))], without(b'd/a'))
    chain('whiteout-as-a-device', [tar(header(b'd/.wh.a', b'3', dev=(0, 0)))], without(b'd/a'))
    chain('whiteout-with-content', [tar(f(b'd/.wh.a', b'x' * 600), f(b'new', b'n'))],
          {**without(b'd/a'), b'new': tf(b'n')})
    for name, order in (('before', 1), ('after', -1)):
        chain('whiteout-%s-readded-directory' % name, [tar(*[wh(b'd'), d(b'd', mode=0o750) + f(b'd/new', b'n')][::order])],
              {**without(b'd'), b'd': td(mode=0o750), b'd/new': tf(b'n')})
        chain('whiteout-%s-readded-file' % name, [tar(*[wh(b'd/a'), f(b'd/a', b'new')][::order])],
              {**lower, b'd/a': tf(b'new')})
        chain('whiteout-%s-implied-directory' % name, [tar(*[wh(b'd'), f(b'd/new', b'n')][::order])],
              {**without(b'd'), b'd': td(), b'd/new': tf(b'n')})
        chain('opaque-%s-content' % name, [tar(*[opq(b'd'), f(b'd/new', b'n') + d(b'd/s') + f(b'd/s/y', b'y')][::order])],
              {**without(b'd'), b'd': td(mode=0o700, uid=11, gid=12, mtime=None), b'd/new': tf(b'n'), b'd/s': td(),
               b'd/s/y': tf(b'y')})
        chain('opaque-root-%s-content' % name, [tar(*[opq(b''), f(b'only', b'o')][::order])], {b'only': tf(b'o')})
    chain('whiteout-in-its-own-layer', [tar(f(b'new', b'n'), wh(b'new'), d(b'nd'), f(b'nd/x', b'x'), wh(b'nd'), wh(b'nd/x'))],
          {**lower, b'new': tf(b'n'), b'nd': td(), b'nd/x': tf(b'x')})
    chain('opaque-of-nothing', [tar(opq(b'no'), opq(b'top'), opq(b'no/such'))], lower)
    chain('opaque-link-does-nothing', [tar(opq(b'l'))], lower)
    chain('opaque-empty', [tar(opq(b'd'))], {**without(b'd'), b'd': lower[b'd']})
    chain('three-layers', [tar(wh(b'd'), wh(b'top')), tar(f(b'd/c', b'c'), f(b'top', b'again')), tar(opq(b'd'))],
          {**without(b'd', b'top'), b'd': td(mtime=None), b'top': tf(b'again')})
    chain('aufs-bookkeeping', [tar(f(b'.wh..wh.aufs'), d(b'.wh..wh.plnk'), f(b'.wh..wh.plnk/1.2', b'x'),
                                   d(b'.wh..wh.orph'), f(b'd/.wh..wh.foo', b'x'))], lower)
    chain('implied-parent-keeps-metadata', [tar(f(b'd/new', b'n'))], {**lower, b'd/new': tf(b'n')})
    chain('directory-updates-metadata', [tar(pax([(b'SCHILY.xattr.user.x', b'1')]), d(b'd', mode=0o711, mtime=5))],
          {**lower, b'd': td(mode=0o711, mtime=5 * 10**9, xattrs=xattr(user__x=b'1'))})
    chain('directory-becomes-file', [tar(f(b'd', b'now a file'))], {**without(b'd'), b'd': tf(b'now a file')})
    chain('directory-becomes-link', [tar(s(b'd', b'e'))], {**without(b'd'), b'd': ts(b'e')})
    chain('file-becomes-directory', [tar(d(b'top'), f(b'top/x', b'x'))],
          {**lower, b'top': td(), b'top/x': tf(b'x')})
    chain('file-in-the-way-of-a-path', [tar(f(b'top/x', b'x'))], {**lower, b'top': td(), b'top/x': tf(b'x')})
    chain('link-becomes-directory', [tar(d(b'l'), f(b'l/x', b'x'))], {**lower, b'l': td(), b'l/x': tf(b'x')})
    chain('link-becomes-file', [tar(f(b'l', b'x'))], {**lower, b'l': tf(b'x')})
    chain('written-through-a-link', [tar(f(b'l/new', b'n'))], {**lower, b'd/new': tf(b'n')})
    chain('last-one-counts', [tar(f(b'x', b'1'), s(b'x', b'y'), d(b'x'), f(b'x/y', b'2'), f(b'x', b'3'))],
          {**lower, b'x': tf(b'3')})
    chain('parent-after-child', [tar(f(b'p/c', b'c'), d(b'p', mode=0o701))], {**lower, b'p': td(mode=0o701), b'p/c': tf(b'c')})
    chain('hard-link-to-lower', [tar(h(b'hl', b'd/a'))],
          {**lower, b'd/a': tf(b'a', nlink=2), b'hl': tf(b'a', same_as=b64(b'd/a'))})
    chain('hard-link-with-other-metadata', [tar(h(b'hl', b'd/a', mode=0o4777, uid=9, mtime=1))],
          {**lower, b'd/a': tf(b'a', nlink=2), b'hl': tf(b'a', same_as=b64(b'd/a'))})
    chain('hard-link-through-a-link', [tar(h(b'hl', b'l/a'))],
          {**lower, b'd/a': tf(b'a', nlink=2), b'hl': tf(b'a', same_as=b64(b'd/a'))})
    chain('hard-link-to-a-symlink', [tar(h(b'hl', b'l'), wh(b'top'))],
          {**without(b'top'), b'l': ts(b'd', nlink=2), b'hl': ts(b'd', same_as=b64(b'l'))})
    chain('hard-link-to-itself', [tar(h(b'd/a', b'd/a'))], {**lower, b'd/a': tf(b'a', nlink=1)})
    chain('one-of-two-names-replaced', [tar(h(b'hl', b'd/a')), tar(f(b'd/a', b'new'))],
          {**lower, b'd/a': tf(b'new', nlink=1), b'hl': tf(b'a', nlink=1)})
    chain('one-of-two-names-hidden', [tar(h(b'hl', b'd/a')), tar(wh(b'd/a'))], {**without(b'd/a'), b'hl': tf(b'a', nlink=1)})
    chain('hard-link-to-device-and-fifo', [tar(header(b'p', b'6'), h(b'q', b'p'))],
          {**lower, b'p': entry('fifo', 0o644, MTIME, {'nlink': 2}), b'q': entry('fifo', 0o644, MTIME, {'same_as': b64(b'p')})})
    good('usrmerge', [tar(d(b'usr'), d(b'usr/lib'), s(b'lib', b'usr/lib'), s(b'abs', b'/usr/lib'), s(b'up', b'../../usr'),
                          s(b'chain', b'lib')),
                      tar(f(b'lib/a', b'a'), f(b'abs/b', b'b'), f(b'up/lib/c', b'c'), f(b'chain/d', b'd'), wh(b'lib/no'))],
         {b'usr': td(mtime=None), b'usr/lib': td(mtime=None), b'lib': ts(b'usr/lib'), b'abs': ts(b'/usr/lib'),
          b'up': ts(b'../../usr'), b'chain': ts(b'lib'),
          **{b'usr/lib/' + n: tf(n) for n in (b'a', b'b', b'c', b'd')}})
    good('same-layer-twice', [low, low], lower)
    good('opaque-then-lower-stays-hidden', [tar(f(b'd/a')), tar(opq(b'd'), f(b'd/b')), tar(f(b'd/c'))],
         {b'd': td(), b'd/b': tf(), b'd/c': tf()})


# ---- hostile ----

def bad_members():
    one = f(b'before')
    bad('checksum', 'checksum', tar(one, header(b'f', checksum=1)))
    bad('checksum-of-extended', 'checksum', tar(extended(record(b'path', b'x'), checksum=1), f(b'f')))
    bad('rubbish-between-members', 'checksum', tar(one, b'rubbish'.ljust(512, b'r'), f(b'after')))
    for name, size in (('negative', base256(-1, 12)), ('negative-octal', b'-0000000001\0'), ('overflow', b'\x80' + b'\xff' * 11),
                       ('round-up-overflow', base256(2**63 - 1, 12)), ('no-number', b'0000000000x\0'), ('eights', b'00000000008\0'),
                       ('two-numbers', b'00000 000001')):
        bad('size-' + name, 'size', tar(header(b'f', size=size)))
    bad('size-beyond-the-end', 'ends inside', tar(one, header(b'f', size=base256(2**40, 12))))
    bad('size-of-16-TiB', 'ends inside|too large', tar(one, header(b'f', size=base256(2**44 + 1, 12))))
    bad('mode-no-number', 'mode', tar(header(b'f', mode=b'rw-r--r-')))
    bad('uid-negative', 'owner', tar(header(b'f', uid=base256(-1, 8))))
    bad('uid-2-31', 'owner', tar(header(b'f', uid=base256(2**31, 8))))
    bad('uid-pax-4294967295', 'owner', tar(pax([(b'uid', b'4294967295')]), f(b'f')))
    bad('gid-pax-negative', 'number', tar(pax([(b'gid', b'-1')]), f(b'f')))
    bad('gid-global-2-31', 'owner', tar(pax([(b'gid', b'2147483648')], b'g'), f(b'f')))
    bad('mtime-no-number', 'time', tar(pax([(b'mtime', b'NaN')]), f(b'f')))
    bad('mtime-exponent', 'time', tar(pax([(b'mtime', b'1e9')]), f(b'f')))
    bad('device-no-number', 'device', tar(header(b'f', b'3', dev=(b'000000x\0', 3))))
    bad('device-too-large', 'device', tar(pax([(b'SCHILY.devmajor', b'4294967296')]), header(b'f', b'3', dev=(1, 3))))
    bad('type-multivolume', 'unknown type', tar(header(b'f', b'M')))
    bad('type-unknown', 'unknown type', tar(header(b'f', b'q')))
    bad('type-old-long-name', 'unknown type', tar(header(b'f', b'N')))
    bad('file-with-a-slash-and-data', 'slash', tar(f(b'd/', b'x')))
    bad('label-with-content', 'label', tar(header(b'L', b'V', size=512) + b'x' * 512, f(b'f')))


def bad_extended():
    for name, body in (('length-0', b'0 path=x\n'), ('length-short', b'3 path=x\n'), ('length-long', b'999 path=x\n'),
                       ('length-huge', b'99999999999999999999 path=x\n'), ('length-negative', b'-9 path=x\n'),
                       ('length-missing', b'path=x\n'), ('no-line-feed', b'9 path=xy'), ('no-equals', b'9 pathxx\n'),
                       ('no-key', b'6 =xx\n'), ('nul-in-key', b'11 pa\0th=x\n'), ('rest', b'9 path=x\n\0\0'),
                       ('length-octal-looking', b'0x9 path=x\n'), ('only-a-number', b'12')):
        bad('pax-' + name, 'pax record', tar(extended(body), f(b'f')))
    bad('pax-nul-in-path', 'NUL', tar(pax([(b'path', b'a\0b')]), f(b'f')))
    bad('pax-nul-in-linkpath', 'NUL', tar(pax([(b'linkpath', b'a\0b')]), s(b'f', b'x')))
    bad('pax-size-empty', 'size', tar(pax([(b'size', b'')]), f(b'f')))
    bad('pax-size-negative', 'number', tar(pax([(b'size', b'-1')]), f(b'f')))
    bad('pax-size-overflow', 'number', tar(pax([(b'size', b'9' * 19)]), f(b'f')))
    bad('pax-twice', 'two extended', tar(pax([(b'uid', b'1')]), pax([(b'uid', b'2')]), f(b'f')))
    bad('pax-chain', 'two extended', tar(pax([(b'a', b'b')]) * 20000, f(b'f')))
    bad('global-chain', 'too many', tar(pax([(b'a', b'b')], b'g') * 20000, f(b'f')))
    bad('pax-and-gnu-name', 'two long', tar(pax([(b'path', b'a')]), long_name(b'b'), f(b'f')))
    bad('gnu-name-twice', 'two', tar(long_name(b'a'), long_name(b'b'), f(b'f')))
    bad('gnu-name-with-nul', 'NUL', tar(long_name(b'a\0b'), f(b'f')))
    bad('gnu-name-empty', 'empty', tar(long_name(b''), f(b'f')))
    bad('global-path', 'global', tar(pax([(b'path', b'x')], b'g'), f(b'f')))
    bad('global-size', 'global', tar(pax([(b'size', b'0')], b'g'), f(b'f', b'x')))
    bad('global-inside', 'inside', tar(pax([(b'uid', b'1')]), pax([(b'uid', b'2')], b'g'), f(b'f')))
    bad('pax-1MiB', 'too large', tar(extended(record(b'comment', b'c' * (1 << 20))), f(b'f')))
    bad('pax-claims-1TiB', 'too large', tar(extended(record(b'path', b'x'), size=base256(2**40, 12)), f(b'f')))
    bad('long-name-64MiB', 'too large', tar(header(b'L', b'L', size=64 << 20) + b'n' * (2 << 20), f(b'f')))
    good('pax-60000-records', [tar(pax([(b'k%d' % i, b'v') for i in range(60000)]), f(b'f'))], {b'f': tf()})
    bad('pax-60000-xattrs', 'attributes', tar(pax([(b'SCHILY.xattr.user.%d' % i, b'v') for i in range(30000)]), f(b'f')))
    bad('extended-at-the-end', 'cut short', f(b'a') + pax([(b'path', b'x')]))
    bad('extended-before-the-end-mark', 'checksum', tar(f(b'a'), pax([(b'path', b'x')])))
    whole = f(b'a', b'x' * 1000) + pax([(b'path', b'y')]) + f(b'b', b'x')
    for cut in (1, 511, 513, 1000, 1535, 1537, 2049, 2560, 2570, 3072, 3073):
        bad(f'cut-at-{cut}', 'cut short|ends inside', whole[:cut])


def bad_names():
    for name, path in (('dotdot', b'..'), ('dotdot-front', b'../x'), ('dotdot-middle', b'a/../b'), ('dotdot-end', b'a/..'),
                       ('dotdot-absolute', b'/../x'), ('dotdot-slashes', b'a//..//b')):
        bad('name-' + name, r"'\.\.'", tar(f(path)))
        bad('link-' + name, 'hard link', tar(f(b'f'), h(b'h', path)))
    bad('name-prefix-dotdot', r"'\.\.'", tar(f(b'x', prefix=b'..')))
    bad('name-pax-dotdot', r"'\.\.'", tar(pax([(b'path', b'a/../../b')]), f(b'f')))
    bad('name-sparse-dotdot', r"'\.\.'", tar(sparse(b'../x', [(0, 1)], 9, b'x', 1)))
    bad('name-empty', 'empty', tar(f(b'')))
    bad('name-256', '255', tar(pax([(b'path', b'n' * 256)]), f(b'f')))
    bad('name-65536', 'long', tar(pax([(b'path', b'/'.join([b'n' * 200] * 330))]), f(b'f')))
    bad('name-4096-deep', 'deep', tar(pax([(b'path', b'/'.join([b'd'] * 4096))]), f(b'f')))
    bad('root-is-a-file', 'root', tar(f(b'.')))
    bad('root-is-a-link', 'root', tar(s(b'/', b'etc')))
    bad('root-is-a-dot-link', 'root', tar(s(b'./', b'etc')))
    bad('root-is-a-device', 'root', tar(header(b'./', b'3', dev=(1, 3))))
    bad('root-is-a-hard-link', 'root', tar(f(b'a'), h(b'/', b'a')))
    bad('hard-link-to-root', 'root', tar(h(b'a', b'/')))
    bad('hard-link-to-nothing', 'hard link', tar(h(b'a', b'')))
    bad('symlink-to-nothing', 'symlink', tar(s(b'a', b'')))
    bad('symlink-4096', 'symlink', tar(pax([(b'linkpath', b'l' * 4096)]), s(b'a', b'x')))
    good('symlink-4095', [tar(pax([(b'linkpath', b'l' * 4095)]), s(b'a', b'x'))], {b'a': ts(b'l' * 4095)})
    for name, path in (('nothing', b'.wh.'), ('dot', b'.wh..'), ('dotdot', b'.wh...'), ('dotdot-below', b'd/.wh...'),
                       ('nothing-below', b'd/.wh./')):
        bad('whiteout-of-' + name, 'whiteout', tar(f(path)))
    bad('whiteout-with-dotdot', r"'\.\.'", tar(f(b'd/../.wh.x')))
    bad('below-a-whiteout', 'whiteout', tar(f(b'd/.wh.sub/file', b'x')))
    bad('below-an-opaque-mark', 'whiteout', tar(d(b'd/.wh..wh..opq'), f(b'd/.wh..wh..opq/x', b'x')))
    bad('control-characters-in-the-message', r'\\x1b\[31m', tar(f(b'\x1b[31m\r\n/..')))
    bad('xattr-value-too-long', 'attributes', tar(pax([(b'SCHILY.xattr.user.a', b'v' * 65537)]), f(b'f')))
    bad('xattr-name-too-long', 'attributes', tar(pax([(b'SCHILY.xattr.user.' + b'n' * 251, b'v')]), f(b'f')))
    bad('xattr-name-with-nul', 'attribute', tar(pax([(b'LIBARCHIVE.xattr.user.%00a', b'dg==')]), f(b'f')))
    bad('xattr-513', 'attributes', tar(pax([(b'SCHILY.xattr.user.%d' % i, b'') for i in range(513)]), f(b'f')))
    good('xattr-limits', [tar(pax([(b'SCHILY.xattr.user.%d' % i, b'') for i in range(512)]), f(b'f'),
                              pax([(b'SCHILY.xattr.user.' + b'n' * 250, b'v' * 65536)]), f(b'g'))],
         {b'f': tf(xattrs={'user.%d' % i: '' for i in range(512)}),
          b'g': tf(xattrs={'user.' + 'n' * 250: b64(b'v' * 65536)})})


def bad_sparse():
    for version in ('gnu', 0.0, 0.1, 1):
        def refuse(name, why, pieces, size, data):
            bad(f'sparse-{version}-{name}', why, tar(sparse(b'f', pieces, size, data, version), f(b'after')))
        refuse('overlap', 'overlap', [(0, 600), (512, 512)], 2000, b'x' * 1112)
        refuse('order', 'order', [(1024, 512), (0, 512)], 2000, b'x' * 1024)
        refuse('beyond', 'leaves|order', [(0, 512), (1900, 200)], 2000, b'x' * 712)
        refuse('too-little-data', 'add up', [(0, 512), (1024, 512)], 2000, b'x' * 512)
        refuse('smuggled', 'add up', [(0, 512)], 2000, b'x' * 512 + f(b'smuggled', b'y'))
        refuse('8EiB', 'range|numbers|too large|leaves|size', [(0, 512), (2**62, 512)], 2**63 - 1 if version != 'gnu' else 2**35,
               b'x' * 1024) if version != 'gnu' else None
        refuse('1PiB', 'too large', [(0, 512), (2**50 - 512, 512)], 2**50, b'x' * 1024) if version != 'gnu' else None
    bad('sparse-gnu-1PiB', 'too large', tar(header(b'f', b'S', size=3, magic=b'ustar  \0', tail=(
        b'\0' * 41 + base256(0, 12) + octal(3, 12) + b'\0' * 72 + b'\0' + base256(2**50, 12)).ljust(167, b'\0')) + padded(b'abc')))
    bad('sparse-gnu-negative', 'numbers', tar(header(b'f', b'S', size=3, magic=b'ustar  \0', tail=(
        b'\0' * 41 + base256(-1, 12) + octal(3, 12) + b'\0' * 72 + b'\0' + octal(9, 12)).ljust(167, b'\0')) + padded(b'abc')))
    bad('sparse-gnu-gap', 'gap', tar(header(b'f', b'S', size=3, magic=b'ustar  \0', tail=(
        b'\0' * 41 + b'\0' * 24 + octal(0, 12) + octal(3, 12) + b'\0' * 48 + b'\0' + octal(9, 12)).ljust(167, b'\0')) + padded(b'abc')))
    bad('sparse-gnu-endless', 'gap|cut short', tar(header(b'f', b'S', size=0, magic=b'ustar  \0', tail=(
        b'\0' * 41 + b'\0' * 96 + b'\1' + octal(9, 12)).ljust(167, b'\0'))))
    bad('sparse-posix-S', 'sparse', tar(header(b'f', b'S')))
    bad('sparse-1-cut', 'cut short|number', tar(pax([(b'GNU.sparse.major', b'1'), (b'GNU.sparse.minor', b'0'), (b'GNU.sparse.realsize', b'9')]),
                                                f(b'f', b'3\n0\n')))
    bad('sparse-1-count', 'too many', tar(pax([(b'GNU.sparse.major', b'1'), (b'GNU.sparse.minor', b'0'), (b'GNU.sparse.realsize', b'9')]),
                                          f(b'f', padded(b'999999999\n0\n'))))
    bad('sparse-1-number', 'numbers', tar(pax([(b'GNU.sparse.major', b'1'), (b'GNU.sparse.minor', b'0'), (b'GNU.sparse.realsize', b'9')]),
                                          f(b'f', padded(b'1\nx\ny\n'))))
    bad('sparse-2.0', 'sparse', tar(pax([(b'GNU.sparse.major', b'2'), (b'GNU.sparse.minor', b'0'), (b'GNU.sparse.realsize', b'9')]), f(b'f')))
    bad('sparse-half', 'sparse', tar(pax([(b'GNU.sparse.name', b'x')]), f(b'f')))
    bad('sparse-two-formats', 'sparse', tar(pax([(b'GNU.sparse.major', b'1'), (b'GNU.sparse.minor', b'0'), (b'GNU.sparse.size', b'9'),
                                                 (b'GNU.sparse.numblocks', b'1'), (b'GNU.sparse.map', b'0,3')]), f(b'f', b'abc')))
    bad('sparse-directory', 'sparse', tar(pax([(b'GNU.sparse.size', b'9'), (b'GNU.sparse.numblocks', b'0')]), d(b'd')))
    pieces = [(i * 2, 1) for i in range(1048577)]
    bad('sparse-1048577-pieces', 'too many', tar(sparse(b'f', pieces, 1 << 22, b'x' * len(pieces), 1)))


def bad_chains():
    low = tar(d(b'd'), f(b'd/a', b'a'), f(b'f', b'f'))
    bad('hard-link-missing', 'hard link', tar(h(b'h', b'keep')))
    bad('hard-link-missing-through', 'hard link', tar(h(b'h', b'no/such/file')))
    bad('hard-link-before-its-target', 'hard link', tar(h(b'h', b'a'), f(b'a')))
    bad('hard-link-to-directory', 'hard link', low, tar(h(b'h', b'd')))
    bad('hard-link-to-itself-alone', 'hard link', tar(h(b'h', b'h')))
    bad('hard-link-to-hidden', 'hard link', low, tar(wh(b'd'), h(b'h', b'd/a')))
    bad('hard-link-to-hidden-later', 'hard link', low, tar(wh(b'd')), tar(h(b'h', b'd/a')))
    bad('hard-link-through-a-file', 'hard link', low, tar(h(b'h', b'f/x')))
    bad('link-loop', 'symbolic links', tar(s(b'a', b'b'), s(b'b', b'a'), f(b'a/x')))
    bad('link-to-itself', 'symbolic links', tar(s(b'a', b'a'), f(b'a/x')))
    bad('41-links', 'symbolic links', tar(*[s(b'l%d' % i, b'l%d' % (i + 1)) for i in range(41)], d(b'l41'), f(b'l0/x')))
    good('40-links', [tar(*[s(b'l%d' % i, b'l%d' % (i + 1)) for i in range(40)], d(b'l40'), f(b'l0/x'))],
         {**{b'l%d' % i: ts(b'l%d' % (i + 1)) for i in range(40)}, b'l40': td(), b'l40/x': tf()})
    good('links-stay-inside', [tar(s(b'out', b'/tmp/t'), s(b'up', b'../../../..'), f(b'out/x', b'1'), f(b'up/y', b'2'))],
         {b'out': ts(b'/tmp/t'), b'up': ts(b'../../../..'), b'tmp': td(), b'tmp/t': td(), b'tmp/t/x': tf(b'1'), b'y': tf(b'2')})
    good('link-is-replaced-not-followed', [tar(s(b'f', b'/etc/passwd'), f(b'f', b'x'), s(b'g', b'd'), d(b'd'), d(b'g', mode=0o777))],
         {b'f': tf(b'x'), b'g': td(mode=0o777), b'd': td()})
    safe('magic-link', tar(s(b'proc', b'/proc/self/fd/3'), f(b'proc/x', b'x')))
    target = b'd/../' * 800
    bad('links-that-cost', 'too much to follow', tar(d(b'd'), d(b'end'),
        *[m for i in range(39) for m in (pax([(b'linkpath', target + b'l%d' % (i + 1))]), s(b'l%d' % i, b'x'))],
        s(b'l39', b'end'), *[m for i in range(2000) for m in (f(b'l0/%d' % i), f(b'end/x%d' % i))]))


def good_scale():
    good('100000-missing-whiteouts', [tar(*[wh(b'no/such/%d' % i) for i in range(100000)])], {})
    good('20000-whiteouts-of-one', [tar(d(b'd'), *[f(b'd/%d' % i) for i in range(1000)]),
                                     tar(d(b'd'), *[f(b'd/n%d' % i) for i in range(1000)], wh(b'd') * 10000, opq(b'd') * 10000)],
         {b'd': td(), **{b'd/n%d' % i: tf() for i in range(1000)}})
    good('500-links', [tar(*[s(b'l%d' % i, b'l%d' % (i + 1)) for i in range(500)], f(b'l490', b'x'))],
         {**{b'l%d' % i: ts(b'l%d' % (i + 1)) for i in range(500)}, b'l490': tf(b'x')})
    good('1000-layers', [tar(f(b'f%d' % i, b'%d' % i), wh(b'f%d' % (i - 1))) for i in range(1000)], {b'f999': tf(b'999')})
    good('replaced-10000-times', [tar(*[m for i in range(10000) for m in (d(b'x'), f(b'x/y'), f(b'x', b'%d' % i))])],
         {b'x': tf(b'9999')})
    deep = b'/'.join([b'd'] * 2000)
    good('deep-and-wide', [tar(*[m for i in range(100) for m in (pax([(b'path', deep + b'/%d' % i)]), f(b'f', b'x'))]), tar(wh(b'd'))], {})


def write(directory):
    out = []
    os.makedirs(directory, exist_ok=True)
    for case, layers, expected in CASES:
        names = []
        for i, layer in enumerate(layers):
            names.append(f'{case}-{i}.tar')
            with open(f'{directory}/{names[-1]}', 'wb') as stream:
                stream.write(layer)
        out.append({'case': case, 'layers': names, **expected})
    assert len({c['case'] for c in out}) == len(out), 'two cases have one name'
    with open(f'{directory}/cases.json', 'w', encoding='utf-8') as stream:
        json.dump({'cases': out}, stream)



if __name__ == '__main__':
    for make in (good_dialects, good_numbers, good_names, good_types, good_sparse, good_ends, good_merges, bad_members,
                 bad_extended, bad_names, bad_sparse, bad_chains, good_scale):
        make()
    write(sys.argv[1])
