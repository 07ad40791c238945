#!/usr/bin/python3
"""A token endpoint and the provider that wants its tokens, for tests.

    tokens.py [--tokens PORT] [--api PORT]

The first line of output is "listening on TOKENS API", two ports on 127.0.0.1.
Ends on TERM or INT, or when standard input is closed.

TOKENS: any path answers a token as A's documents have it, in ways that
        POST /_set on the other port can change.
API:    /api/..   the provider: 200 with a token that is good, else 401; what
                  it says of the request comes back as JSON
        /_state   counts: {"fetches":1,"calls":200,"refused":0,"redirected":0,
                  "last":{the last fetch: method, path, headers, body},
                  "ports":[of the connections of fetches under way]}
        /_set?..  how to behave:
             mode=ok|hang|reset|big|json|text|status|redirect|empty|number
             status=500  delay=SECONDS  life=SECONDS (anything)  unit=s|ms|in
             suffix=TEXT at the end of each token
             rotate=1    a new token makes all others invalid
             refuse=1    no token is good
             api_delay=SECONDS
        /_revoke  no token that was given out is good any more
        /_reset   all as it was at first
        /_down, /_up   the token endpoint refuses connections, or not
"""

import argparse
import json
import signal
import socket
import struct
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

DEFAULTS = {"mode": "ok", "status": "500", "delay": "0", "life": "3600",
            "unit": "s", "suffix": "", "rotate": "", "refuse": "",
            "api_delay": "0"}


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.how = dict(DEFAULTS)
            self.counts = {"fetches": 0, "calls": 0, "refused": 0,
                           "redirected": 0}
            self.good, self.ports, self.last = set(), [], None
            self.times = []

    def issue(self):
        token = "tok-canary-%s%s" % (uuid.uuid4().hex, self.how["suffix"])
        with self.lock:
            if self.how["rotate"]:
                self.good.clear()
            self.good.add(token)
        return token

    def report(self):
        with self.lock:
            return dict(self.counts, last=self.last, ports=list(self.ports),
                        times=list(self.times))


class Base(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *args):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status, body, headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def route(self):
        state = self.server.state
        try:
            self.answer(state, self.body())
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = route


class Tokens(Base):
    def answer(self, state, body):
        how = dict(state.how)
        with state.lock:
            if self.path == "/redirected":
                state.counts["redirected"] += 1
            state.counts["fetches"] += 1
            state.times.append(time.time())
            state.last = {"method": self.command, "path": self.path,
                          "headers": dict(self.headers.items()),
                          "body": body.decode("latin-1")}
            state.ports.append(self.client_address[1])
        try:
            time.sleep(float(how["delay"]))
            getattr(self, "mode_" + how["mode"])(state, how)
        finally:
            with state.lock:
                if self.client_address[1] in state.ports:
                    state.ports.remove(self.client_address[1])

    def give(self, state, how, token):
        life = how["life"]
        try:
            at = float(life) if "." in life else int(life)
            if how["unit"] == "s" and abs(at) < 1e12:
                life = str(int(time.time() + at))
            elif how["unit"] == "ms" and abs(at) < 1e12:
                life = str(int((time.time() + at) * 1000))
        except ValueError:
            pass
        self.send(200, '{"code":0,"msg":"ok","data":{"token":%s,'
                       '"expired_time":%s}}' % (token, life))

    def mode_ok(self, state, how):
        self.give(state, how, json.dumps(state.issue()))

    def mode_number(self, state, how):
        self.give(state, how, "{}")

    def mode_empty(self, state, how):
        self.give(state, how, '""')

    def mode_hang(self, state, how):
        while state.how["mode"] == "hang":
            time.sleep(0.05)
        self.close_connection = True

    def mode_reset(self, state, how):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        self.close_connection = True

    def mode_big(self, state, how):
        self.send(200, b'{"data":{"token":"' + b"x" * 10_000_000 + b'"}}')

    def mode_json(self, state, how):
        self.send(200, '{"data":{"token":"tok-canary-half')

    def mode_text(self, state, how):
        self.send(200, "<html>tok-canary-html</html>")

    def mode_status(self, state, how):
        self.send(int(how["status"]), '{"code":1,"msg":"tok-canary-msg"}')

    def mode_redirect(self, state, how):
        self.send(302, "", [("Location", "/redirected")])


class Api(Base):
    def answer(self, state, body):
        url = urlsplit(self.path)
        if url.path.startswith("/api/"):
            return self.call(state, body)
        if url.path == "/_set":
            with state.lock:
                state.how.update(parse_qsl(url.query, keep_blank_values=True))
        elif url.path == "/_revoke":
            with state.lock:
                state.good.clear()
        elif url.path == "/_reset":
            state.reset()
            self.server.up()
        elif url.path == "/_down":
            self.server.down()
        elif url.path == "/_up":
            self.server.up()
        self.send(200, json.dumps(state.report()))

    def call(self, state, body):
        sent = self.headers.get("Authorization", "")
        token = sent.rsplit(" ", 1)[-1]
        time.sleep(float(state.how["api_delay"]))
        with state.lock:
            state.counts["calls"] += 1
            good = token in state.good and not state.how["refuse"]
            if not good:
                state.counts["refused"] += 1
        self.send(200 if good else 401, json.dumps({
            "good": good, "authorization": sent and sent.replace(token, "T"),
            "headers": {k: "T" if v == token else v
                        for k, v in self.headers.items()
                        if token not in v or v == token},
            "body": body.decode("latin-1").replace(token or "\0", "T")}))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port, handler, state):
        super().__init__(("127.0.0.1", port), handler)
        self.state = state

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def run(self):
        threading.Thread(target=self.serve_forever, args=(0.02,),
                         daemon=True).start()
        return self


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tokens", type=int, default=0)
    p.add_argument("--api", type=int, default=0)
    a = p.parse_args()

    state, lock = State(), threading.Lock()
    running = [Server(a.tokens, Tokens, state).run()]
    port = running[0].server_address[1]

    def down():
        with lock:
            while running:
                server = running.pop()
                server.shutdown()
                server.server_close()

    def up():
        with lock:
            if not running:
                running.append(Server(port, Tokens, state).run())

    api = Server(a.api, Api, state)
    api.down, api.up = down, up
    api.run()

    print("listening on %d %d" % (port, api.server_address[1]), flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    while sys.stdin.read(1):
        pass


if __name__ == "__main__":
    main()
