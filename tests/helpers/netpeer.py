#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: netpeer.py serve ADDR PORT                    TCP and UDP server until killed
       netpeer.py peer ADDR PORT                     who the server sees, over TCP
       netpeer.py send|recv ADDR PORT BYTES          a checked transfer over TCP
       netpeer.py hold ADDR PORT N                   N connections, then "held", until stdin ends
       netpeer.py talk ADDR PORT N                   the same, and a few bytes go each way
       netpeer.py udp ADDR PORT BYTES [COUNT]        who the server sees; each datagram must come back
       netpeer.py udpburst ADDR PORT SIZE COUNT      datagrams that the kernel may join
       netpeer.py udpflood ADDR PORT N               a datagram from each of N ports
       netpeer.py dns ADDR NAME=IP…                  a resolver on port 53 until killed
       netpeer.py lookup SERVER NAME [tcp|edns]      an address, or the end with 1; of "big.NUMBER",
                                                     the bytes of an answer that this resolver makes
       netpeer.py rawsyn DEV DST PORT                one SYN with that address past all routing

Both ends of the tests of networks. A server prints "ready" first."""
import hashlib, os, random, select, socket, struct, sys, threading

TIMEOUT = float(os.environ.get("NETPEER_TIMEOUT", "20"))
BLOCK = random.Random(7).randbytes(1 << 20)


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def connect(addr, port):
    s = socket.create_connection((addr, port), timeout=TIMEOUT)
    s.settimeout(60)
    return s


def pump_out(s, total):
    digest, left = hashlib.sha256(), total
    while left:
        part = BLOCK[: min(left, len(BLOCK))]
        s.sendall(part)
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def pump_in(s, total):
    digest, left, buf = hashlib.sha256(), total, bytearray(1 << 18)
    while left:
        n = s.recv_into(buf, min(left, len(buf)))
        if n == 0:
            raise OSError("ended %d bytes early" % left)
        digest.update(memoryview(buf)[:n])
        left -= n
    return digest.hexdigest()


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        c = s.recv(1)
        if not c:
            return None
        line += c
    return line.decode().split()


def serve_one(s, peer):
    with s:
        s.settimeout(60)
        while True:
            words = read_line(s)
            if not words:
                return
            if words[0] == "peer":
                s.sendall((peer[0] + "\n").encode())
            elif words[0] == "send":
                s.sendall((pump_in(s, int(words[1])) + "\n").encode())
            elif words[0] == "recv":
                s.sendall((pump_out(s, int(words[1])) + "\n").encode())


def serve_udp(u):
    while True:
        data, peer = u.recvfrom(65535)
        answer = peer[0].encode().ljust(64) + data
        try:
            u.sendto(answer[: max(64, min(len(data), 65507))], peer)
        except OSError:
            pass


def serve(addr, port):
    listener = socket.create_server((addr, port), family=family(addr), backlog=1024)
    u = socket.socket(family(addr), socket.SOCK_DGRAM)
    u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    u.bind((addr, port))
    threading.Thread(target=serve_udp, args=(u,), daemon=True).start()
    print("ready", flush=True)
    while True:
        s, peer = listener.accept()
        print("accepted", flush=True)
        threading.Thread(target=serve_one, args=(s, peer), daemon=True).start()


def transfer(verb, addr, port, total):
    with connect(addr, port) as s:
        s.sendall(("%s %d\n" % (verb, total)).encode())
        ours = pump_out(s, total) if verb == "send" else pump_in(s, total)
        theirs = read_line(s)[0]
    if ours != theirs:
        sys.exit("checksums differ")
    print("ok")


def hold(addr, port, n, talk=False):
    conns = []
    for _ in range(n):
        s = socket.socket(family(addr))
        s.settimeout(TIMEOUT)
        s.connect((addr, port))
        if talk:
            s.sendall(b"peer\n")
            read_line(s)
        conns.append(s)
    print("held", flush=True)
    sys.stdin.read()


def udp(addr, port, size, count):
    """Each datagram must come back as it was; who the server saw is printed."""
    with socket.socket(family(addr), socket.SOCK_DGRAM) as s:
        s.settimeout(TIMEOUT / 10)
        s.connect((addr, port))
        for i in range(count):
            data = (struct.pack("!I", i) + BLOCK)[:size]
            want = max(64, size)
            for _ in range(10):
                s.send(data)
                try:
                    answer = s.recv(65535)
                except TimeoutError:
                    continue
                if answer[64:] == data[: want - 64]:
                    break
            else:
                sys.exit("no answer")
    print(answer[:64].decode().strip())


def udpburst(addr, port, size, count):
    """One sendmsg with UDP_SEGMENT, so that a kernel with offload hands it over as one frame."""
    UDP_SEGMENT = 103
    with socket.socket(family(addr), socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.settimeout(TIMEOUT / 10)
        s.connect((addr, port))
        parts = [struct.pack("!I", i) + BLOCK[: size - 4] for i in range(count)]
        for _ in range(10):
            s.sendmsg([b"".join(parts)],
                      [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", size))])
            seen = set()
            try:
                while len(seen) < count:
                    answer = s.recv(65535)
                    if len(answer) != max(64, size):
                        sys.exit("a datagram of %d bytes" % len(answer))
                    seen.add(answer[64:])
            except TimeoutError:
                continue
            if seen == {p[: size - 64] for p in parts}:
                print("ok")
                return
    sys.exit("datagrams are missing or changed")


def udpflood(addr, port, n):
    for _ in range(n):
        with socket.socket(family(addr), socket.SOCK_DGRAM) as s:
            s.sendto(b"x", (addr, port))


def dns_answer(query, names):
    """Answer one question of type A; nothing else is known."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += query[at] + 1
    question = query[12 : at + 5]
    if labels[0] == "big":
        texts = b"".join(b"\xff" + b"t" * 255 for _ in range(int(labels[1]) // 256))
        return (query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question +
                b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 1, len(texts)) + texts)
    ip = names.get(".".join(labels))
    head = query[:2] + struct.pack("!HHHHH", 0x8180 if ip else 0x8183, 1, 1 if ip else 0, 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(ip) if ip else b""
    return head + question + record


def dns(addr, names):
    u = socket.socket(family(addr), socket.SOCK_DGRAM)
    u.bind((addr, 53))
    t = socket.create_server((addr, 53), family=family(addr))
    print("ready", flush=True)
    while True:
        for s in select.select([u, t], [], [])[0]:
            if s is u:
                query, peer = u.recvfrom(4096)
                u.sendto(dns_answer(query, names), peer)
            else:
                with t.accept()[0] as c:
                    c.settimeout(5)
                    n = struct.unpack("!H", c.recv(2, socket.MSG_WAITALL))[0]
                    answer = dns_answer(c.recv(n, socket.MSG_WAITALL), names)
                    c.sendall(struct.pack("!H", len(answer)) + answer)


def lookup(server, name, over):
    qname = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
    query = struct.pack("!HHHHHH", 4711, 0x100, 1, 0, 0, over == "edns") + qname
    query += struct.pack("!HH", 1, 1)
    if over == "edns":  # an OPT record: answers of 32,000 bytes are welcome
        query += b"\0" + struct.pack("!HHIH", 41, 32000, 0, 0)
    if over == "tcp":
        with connect(server, 53) as s:
            s.sendall(struct.pack("!H", len(query)) + query)
            stream = s.makefile("rb")
            answer = stream.read(struct.unpack("!H", stream.read(2))[0])
    else:
        with socket.socket(family(server), socket.SOCK_DGRAM) as s:
            s.settimeout(TIMEOUT / 10)
            s.connect((server, 53))
            s.send(query)
            answer = s.recv(65535)
    if answer[:2] != query[:2] or answer[6:8] == b"\0\0":
        sys.exit("no such name")
    if name.startswith("big."):
        print(len(answer))
        return
    print(socket.inet_ntoa(answer[-4:]))


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def rawsyn(dev, dst, port):
    src, gateway = socket.inet_aton("10.0.2.100"), b"\x52\x55\x0a\x00\x02\x02"
    to = socket.inet_aton(dst)
    tcp = struct.pack("!HHIIBBHHH", 33333, port, 1, 0, 5 << 4, 2, 65535, 0, 0)
    pseudo = src + to + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + src + to
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((dev, 0))
        mac = s.getsockname()[4]
        s.send(gateway + mac + b"\x08\x00" + ip + tcp)


def main(argv):
    verb, args = argv[1], argv[2:]
    if verb == "serve":
        serve(args[0], int(args[1]))
    elif verb == "peer":
        with connect(args[0], int(args[1])) as s:
            s.sendall(b"peer\n")
            print(read_line(s)[0])
    elif verb in ("send", "recv"):
        transfer(verb, args[0], int(args[1]), int(args[2]))
    elif verb in ("hold", "talk"):
        hold(args[0], int(args[1]), int(args[2]), verb == "talk")
    elif verb == "udp":
        udp(args[0], int(args[1]), int(args[2]), int(args[3]) if len(args) > 3 else 1)
    elif verb == "udpburst":
        udpburst(args[0], int(args[1]), int(args[2]), int(args[3]))
    elif verb == "udpflood":
        udpflood(args[0], int(args[1]), int(args[2]))
    elif verb == "dns":
        dns(args[0], dict(a.split("=") for a in args[1:]))
    elif verb == "lookup":
        lookup(args[0], args[1], args[2] if len(args) > 2 else "udp")
    elif verb == "rawsyn":
        rawsyn(args[0], args[1], int(args[2]))
    else:
        sys.exit(__doc__)


try:
    main(sys.argv)
except OSError as e:
    sys.exit("%s: %s" % (sys.argv[1], e))
