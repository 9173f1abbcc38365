#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: tests/helpers/token_server.py KEY CERT LOG

A token server for docker-registry, on a free port of 127.0.0.1, which it prints. "user" with the
password "secret", or whoever has the refresh token "refresh-me", may do everything; others may pull
from public/. KEY signs, CERT (in the registry's rootcertbundle) proves it. Requests are logged, a
JSON object a line."""
import base64, http.server, json, subprocess, sys, threading, time, urllib.parse

key, cert, log = sys.argv[1], sys.argv[2], open(sys.argv[3], "a", buffering=1)
USER = "Basic " + base64.b64encode(b"user:secret").decode()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims):
    der = subprocess.check_output(["openssl", "x509", "-in", cert, "-outform", "DER"])
    head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    text = ".".join(b64(json.dumps(x).encode()) for x in (head, claims))
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], check=True,
                               input=text.encode(), capture_output=True).stdout
    return text + "." + b64(signature)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a):
        pass

    def answer(self, status, obj):
        data = json.dumps(obj).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def grant(self, query, known):
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",")
                       if known or (a == "pull" and name.startswith("public/"))]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        self.answer(200, {"token": sign({
            "iss": "tests", "sub": "user" if known else "", "aud": query["service"][0],
            "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access})})

    def note(self, query):
        log.write(json.dumps({"method": self.command, "query": query,
                              "authorization": self.headers.get("Authorization")}) + "\n")

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.note(query)
        who = self.headers.get("Authorization")
        if who and who != USER:
            return self.answer(401, {})
        self.grant(query, who == USER)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = urllib.parse.parse_qs(body)
        self.note(query)
        if query.get("refresh_token") != ["refresh-me"]:
            return self.answer(401, {})
        self.grant(query, True)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
threading.Event().wait()
