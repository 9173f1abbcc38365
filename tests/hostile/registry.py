#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tests/hostile/registry.py LAYOUT [--log FILE] [--tls CERT KEY] [--name NAME]

A registry that lies, for tests of clients. It serves the OCI layout LAYOUT on a free port of
127.0.0.1, prints HOST:PORT, and misbehaves by the name of the repository: pull HOST:PORT/CASE:demo.
Requests are logged, a JSON object a line, with the Authorization header that came.

A second port ("other", printed behind the first) plays the foreign host.
"""
import argparse, base64, hashlib, http.server, json, os, re, ssl, sys, threading, time

ap = argparse.ArgumentParser()
ap.add_argument("layout")
ap.add_argument("--log", default="/dev/null")
ap.add_argument("--tls", nargs=2)
args = ap.parse_args()

INDEX = json.load(open(args.layout + "/index.json"))
TOP = INDEX["manifests"][0]
USER = "Basic " + base64.b64encode(b"user:secret").decode()
counts, lock = {}, threading.Lock()
uploads = []
log = open(args.log, "a", buffering=1)


def blob(digest):
    with open(args.layout + "/blobs/" + digest.replace(":", "/"), "rb") as f:
        return f.read()


MANIFEST = blob(TOP["digest"])
LAYERS = [l["digest"] for l in json.loads(MANIFEST)["layers"]]


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def nth(key):
    """How often this was asked for, from 1."""
    with lock:
        counts[key] = counts.get(key, 0) + 1
        return counts[key]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def note(self):
        log.write(json.dumps({
            "port": self.server.server_address[1], "path": self.path, "method": self.command,
            "authorization": self.headers.get("Authorization"),
            "range": self.headers.get("Range")}) + "\n")

    def send(self, status, data=b"", **headers):
        self.send_response(status)
        headers.setdefault("Content_Length", str(len(data)))
        for k, v in headers.items():
            if v is not None:
                self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        try:
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def cut(self):
        """End the connection here and now."""
        self.wfile.flush()
        self.close_connection = True
        try:
            self.connection.shutdown(2)
        except OSError:
            pass

    def stream(self, piece, limit):
        """An endless body, up to a limit that no client should reach."""
        self.close_connection = True
        try:
            for _ in range(limit):
                self.wfile.write(piece)
        except OSError:
            pass

    # --- uploads: kept in memory, and misbehaving by the repository as well

    def do_POST(self):
        self.note()
        m = re.match(r"/v2/([a-z0-9-]+)/blobs/uploads/", self.path)
        if not m:
            return self.send(404)
        self.read_body()
        case = m[1]
        if case == "push-guarded" and not self.guarded():
            return
        with lock:
            number = len(uploads)
            uploads.append(bytearray())
        base = self.other() if case == "push-elsewhere" else ""
        if case == "push-nowhere":
            base = "http://example.org"
        self.send(202, Location="%s/upload/%s/%d" % (base, case, number), Range="0-0")

    def read_body(self, limit=None):
        left = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(left if limit is None else min(left, limit))

    def do_PATCH(self):
        self.note()
        _, _, case, number = self.path.split("/", 3)
        upload = uploads[int(number)]
        if case == "push-breaks" and nth("patch") in (1, 3):
            upload += self.read_body(3 << 20)
            return self.cut()
        if case == "push-forgets" and nth("forget") == 2:
            upload.clear()
            return self.cut()
        if case == "push-busy" and nth("patch-busy") == 1:
            self.read_body()
            return self.send(503, b"", Retry_After="0")
        upload += self.read_body()
        self.send(202, Location=self.path, Range="0-%d" % (len(upload) - 1))

    def do_PUT(self):
        self.note()
        body = self.read_body()
        m = re.match(r"/upload/([a-z0-9-]+)/(\d+)\?digest=(.*)$", self.path)
        if m:
            data = bytes(uploads[int(m[2])]) + body
            if digest_of(data) != m[3].replace("%3A", ":"):
                return self.send(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        self.send(201)

    def do_HEAD(self):
        self.note()
        self.send(404)

    def upload_status(self):
        upload = uploads[int(self.path.rsplit("/", 1)[1])]
        self.send(204, Location=self.path, Range="0-%d" % max(len(upload) - 1, 0))

    def do_GET(self):
        self.note()
        # As a proxy it answers for every host.
        self.path = re.sub("^http://[^/]*", "", self.path)
        m = re.match(r"/v2/([a-z0-9-]+)/(manifests|blobs)/([^?]+)", self.path)
        if self.path.startswith("/token"):
            return self.token()
        if self.path == "/v2/":
            return self.send(200, b"{}")
        if self.path.startswith("/moved/"):
            return self.moved()
        if self.path.startswith("/upload/"):
            return self.upload_status()
        if not m:
            return self.send(404)
        case, kind, what = m.groups()
        f = getattr(self, "case_" + case.replace("-", "_"), None)
        if not (f and f(kind, what)):
            self.honest(kind, what)

    def honest(self, kind, what):
        if kind == "manifests" and not what.startswith("sha"):
            what = TOP["digest"]
        try:
            data = blob(what)
        except OSError:
            return self.send(404)
        self.send(200, data, Content_Type=TOP["mediaType"] if kind == "manifests"
                  else "application/octet-stream")

    def other(self):
        return "http%s://127.0.0.1:%d" % ("s" if args.tls else "", OTHER)

    def here(self):
        return "http%s://127.0.0.1:%d" % ("s" if args.tls else "", MAIN)

    # --- what comes back from a redirect or is asked of a token server

    def moved(self):
        _, _, case, kind, what = self.path.split("/", 4)
        self.honest(kind, what)

    def token(self):
        case = re.search(r"repository(?:%3A|:)([a-z0-9-]+)", self.path).group(1)
        if case == "token-huge":
            return self.send(200, b'{"token":"' + b"a" * (1 << 20) + b'"}')
        if case == "token-newline":
            return self.send(200, b'{"token":"a\\r\\nX-Evil: 1"}')
        if case == "token-array":
            return self.send(200, b'[]')
        if case == "token-denied":
            return self.send(401, b"{}")
        self.send(200, b'{"token":"good","expires_in":60}')

    # --- cases: True if the answer was given

    def last_layer(self, kind, what):
        return kind == "blobs" and what == LAYERS[-1]

    def case_wrong_digest(self, kind, what):
        if self.last_layer(kind, what):
            data = bytearray(blob(what))
            data[len(data) // 2] ^= 1
            self.send(200, bytes(data))
            return True

    def case_truncated(self, kind, what):
        if self.last_layer(kind, what):
            self.send(200, blob(what)[:-10])
            return True

    def case_blob_missing(self, kind, what):
        if self.last_layer(kind, what):
            self.send(404)
            return True

    def case_half_broken(self, kind, what):
        """Half of the last layer, and nothing more however often it is asked."""
        if not self.last_layer(kind, what):
            return False
        if self.headers.get("Range"):
            self.send(500, b"", Retry_After="0")
            return True
        return self.first_half(what)

    def case_too_long(self, kind, what):
        if self.last_layer(kind, what):
            self.send(200, blob(what) + b"x")
            return True

    def case_endless(self, kind, what):
        if self.last_layer(kind, what):
            self.send(200, blob(what), Content_Length=None, Connection="close")
            self.stream(b"\0" * 65536, 100000)
            return True

    def case_length_lie(self, kind, what):
        """Promises more than it sends, each time."""
        if self.last_layer(kind, what):
            self.send(200, blob(what), Content_Length=str(len(blob(what)) + 1000))
            self.cut()
            return True

    def case_short_length(self, kind, what):
        """Says less than it sends."""
        if self.last_layer(kind, what):
            self.send(200, blob(what), Content_Length=str(len(blob(what)) - 5))
            self.cut()
            return True

    def case_encoded(self, kind, what):
        """An encoding that was not asked for changes no byte."""
        if self.last_layer(kind, what):
            self.send(200, blob(what), Content_Encoding="gzip")
            return True

    def case_many_layers(self, kind, what):
        """10,000 times the same, with a config that agrees."""
        if kind == "manifests":
            m = json.loads(MANIFEST)
            m["layers"] = [m["layers"][0]] * 10000
            self.send(200, json.dumps(m).encode(), Content_Type=TOP["mediaType"])
            return True

    def case_moving_tag(self, kind, what):
        """The tag names something else each time it is asked for."""
        if kind == "manifests" and not what.startswith("sha"):
            data = MANIFEST if nth("moving") == 1 else b"{}"
            self.send(200, data, Content_Type=TOP["mediaType"])
            return True

    def case_manifest_huge(self, kind, what):
        if kind == "manifests":
            self.send(200, b"", Content_Length=str(1 << 30), Content_Type=TOP["mediaType"])
            self.stream(b" " * 65536, 1 << 14)
            return True

    def case_manifest_endless(self, kind, what):
        if kind == "manifests":
            self.send(200, b"", Content_Length=None, Connection="close",
                      Content_Type=TOP["mediaType"])
            self.stream(b" " * 65536, 1 << 14)
            return True

    def case_manifest_deep(self, kind, what):
        if kind == "manifests":
            self.send(200, b"[" * 10000 + b"]" * 10000, Content_Type=TOP["mediaType"])
            return True

    def case_manifest_type(self, kind, what):
        """An index by its header, a manifest by its content."""
        if kind == "manifests":
            self.send(200, MANIFEST, Content_Type="application/vnd.oci.image.index.v1+json")
            return True

    def case_manifest_digest_lie(self, kind, what):
        if kind == "manifests":
            self.send(200, MANIFEST, Content_Type=TOP["mediaType"],
                      Docker_Content_Digest="sha256:" + "0" * 64)
            return True

    def case_manifest_swapped(self, kind, what):
        if kind == "manifests":
            self.send(200, MANIFEST + b" ", Content_Type=TOP["mediaType"])
            return True

    def case_header_flood(self, kind, what):
        if kind == "manifests":
            self.send_response(200)
            try:
                for i in range(100000):
                    self.wfile.write(b"X-%d: %s\r\n" % (i, b"a" * 1000))
            except OSError:
                pass
            self.cut()
            return True

    def case_error_terminal(self, kind, what):
        self.send(404, b'{"errors":[{"code":"X","message":"\\u001b[31mred\\nline"}]}')
        return True

    def case_foreign_urls(self, kind, what):
        if kind == "manifests":
            m = json.loads(MANIFEST)
            for l in m["layers"]:
                l["urls"] = [self.other() + "/foreign"]
            self.send(200, json.dumps(m).encode(), Content_Type=TOP["mediaType"])
            return True

    # redirects

    def redirect(self, to, status=307):
        self.send(status, b"", Location=to)
        return True

    def guarded(self):
        """True if the request may pass; else the challenge was sent."""
        if self.headers.get("Authorization") == USER:
            return True
        self.send(401, b"{}", WWW_Authenticate='Basic realm="x"')
        return False

    def case_redirect_other(self, kind, what):
        if not self.guarded():
            return True
        if kind == "blobs":
            return self.redirect(self.other() + "/moved/x/blobs/" + what)

    def case_redirect_same(self, kind, what):
        if not self.guarded():
            return True
        if kind == "blobs":
            return self.redirect("/moved/x/blobs/" + what, 302)

    def case_redirect_loop(self, kind, what):
        if kind == "blobs":
            return self.redirect("%s?n=%d" % (self.path.split("?")[0], nth("loop")))

    def case_redirect_plain(self, kind, what):
        if kind == "blobs":
            return self.redirect("http://example.org/blob")

    def case_redirect_user(self, kind, what):
        if kind == "blobs":
            return self.redirect("https://user:pw@127.0.0.1/blob")

    def case_redirect_nowhere(self, kind, what):
        if kind == "blobs":
            self.send(302, b"")
            return True

    def case_redirect_file(self, kind, what):
        if kind == "blobs":
            return self.redirect("file:///etc/passwd")

    def case_redirect_metadata(self, kind, what):
        if kind == "blobs":
            return self.redirect("https://169.254.169.254/latest/meta-data/")

    # logins

    def case_basic(self, kind, what):
        return not self.guarded()

    def bearer(self, realm, extra=""):
        if self.headers.get("Authorization") == "Bearer good":
            return False
        self.send(401, b"{}", WWW_Authenticate='Bearer realm="%s",service="s"%s' % (realm, extra))
        return True

    def case_bearer(self, kind, what):
        return self.bearer(self.here() + "/token", ',scope="repository:bearer:pull,push,delete"')

    case_token_huge = case_token_newline = case_token_array = case_token_denied = case_bearer

    def case_bearer_localhost(self, kind, what):
        """The same machine under another name is another host."""
        return self.bearer("http%s://localhost:%d/token" % ("s" if args.tls else "", OTHER))

    def case_bearer_plain(self, kind, what):
        return self.bearer("http://example.org/token")

    def case_bearer_file(self, kind, what):
        return self.bearer("file:///etc/passwd")

    def case_never_satisfied(self, kind, what):
        self.send(401, b"{}", WWW_Authenticate='Bearer realm="%s/token"' % self.here())
        return True

    # busy servers

    def case_busy_twice(self, kind, what):
        if nth("busy" + kind + what) <= 2:
            self.send(429, b"{}", Retry_After="0")
            return True

    def case_busy_always(self, kind, what):
        self.send(429, b'{"errors":[{"code":"TOOMANYREQUESTS"}]}', Retry_After="0")
        return True

    def case_broken_always(self, kind, what):
        self.send(500, b"", Retry_After="0")
        return True

    # ranges

    def part(self, what, first, content_range=None, status=206):
        data = blob(what)
        self.send(status, data[first:], Content_Range=content_range or "bytes %d-%d/%d" % (
            first, len(data) - 1, len(data)))
        return True

    def first_half(self, what):
        data = blob(what)
        self.send(200, data[:len(data) // 2], Content_Length=str(len(data)))
        self.cut()
        return True

    def range_start(self):
        m = re.match(r"bytes=(\d+)-$", self.headers.get("Range") or "")
        return int(m.group(1)) if m else 0

    def resume(self, kind, what, answer):
        if kind != "blobs" or what != LAYERS[0]:
            return False
        return answer(self.range_start()) if self.headers.get("Range") else self.first_half(what)

    def case_resume(self, kind, what):
        return self.resume(kind, what, lambda start: self.part(what, start))

    def case_resume_ignored(self, kind, what):
        return self.resume(kind, what, lambda start: bool(self.honest(kind, what)) or True)

    def case_resume_other_range(self, kind, what):
        return self.resume(kind, what, lambda start: self.part(what, start - 1))

    def case_resume_lying_range(self, kind, what):
        """The right header on the wrong bytes: the digest finds it."""
        size = len(blob(LAYERS[0]))
        return self.resume(kind, what, lambda start: self.part(
            what, start - 1, "bytes %d-%d/%d" % (start, size - 1, size)))

    def case_part_unasked(self, kind, what):
        if self.last_layer(kind, what):
            return self.part(what, 0)

    def case_stall(self, kind, what):
        if self.last_layer(kind, what):
            self.send(200, blob(what)[:10], Content_Length=str(len(blob(what))))
            self.wfile.flush()
            time.sleep(60)
            return True

    def case_loris(self, kind, what):
        """A byte now and then, for ever."""
        if kind == "blobs" and what == LAYERS[0]:
            data = blob(what)[self.range_start():]
            self.send(206 if self.headers.get("Range") else 200, data[:10],
                      Content_Length=str(len(data)), Content_Range="bytes %d-%d/*" % (
                          self.range_start(), len(blob(what)) - 1))
            try:
                for i in range(10, 2000):
                    self.wfile.write(data[i:i + 1])
                    time.sleep(0.05)
            except OSError:
                pass
            self.close_connection = True
            return True

    def case_drip(self, kind, what):
        """The last layer comes in small pieces; the log says how many bytes went out."""
        if not self.last_layer(kind, what):
            return False
        data, at = blob(what), self.range_start()
        first = at
        try:
            self.send_response(206 if at else 200)
            if at:
                self.send_header("Content-Range", "bytes %d-%d/%d" % (at, len(data) - 1, len(data)))
            self.send_header("Content-Length", str(len(data) - at))
            self.end_headers()
            while at < len(data):
                at += self.wfile.write(data[at:at + 65536])
                time.sleep(0.002)
        except OSError:
            self.close_connection = True
        log.write(json.dumps({"path": self.path, "first": first, "sent": at - first}) + "\n")
        return True

    def case_slow(self, kind, what):
        """The last layer comes when the file "go" stands beside the log."""
        if self.last_layer(kind, what):
            while not os.path.exists(os.path.dirname(args.log) + "/go"):
                time.sleep(0.02)
        return False


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *a):
        pass


def serve():
    s = Server(("127.0.0.1", 0), Handler)
    if args.tls:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*args.tls)
        s.socket = ctx.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s.server_address[1]


MAIN, OTHER = serve(), serve()
print("127.0.0.1:%d 127.0.0.1:%d" % (MAIN, OTHER), flush=True)
threading.Event().wait()
