#!/usr/bin/python3
"""A mock provider that speaks the formats A..F, for tests and for the demo.

    provider.py --keys DIR [--port 0] [--host 127.0.0.1] [--verbose]

DIR holds what conf.example/keys.sh makes.  The first line of output is
"listening on 127.0.0.1:PORT".  Ends on TERM or INT.

POST /A/any/path       opens the request, answers as the documents say
POST /A/KIND/any/path  the same with a difference:
     error      the provider's own error envelope (code != 0 and the like)
     500        HTTP 500 with a plain JSON body
     gzip       the answer with Content-Encoding: gzip
     chunked    the answer without Content-Length
     slow       the answer in small pieces
     tampered   the answer with one protected character changed
     truncated  the connection closed in the middle of the answer
     empty      HTTP 204
GET  /A/getAccessToken, POST /D/token answer a token; GET /_tokens says how
often: {"A":1,"D":1}

A request that does not open is answered 400 and {"error":"the reason"}.
What is answered: the documented example, or, where the opened request has a
member "_answer", that member's exact text (as data, bizContent or result;
for E and F as the whole body).  B takes ?mgf1=sha1, ?aes=CBC, ?rsa=PKCS1.

GET  /_last?format=A   the last exchange of A: method, path, headers, wire,
                       wire_b64 (the same in base64), plain (the message after
                       opening), inner (the exact bytes that were sealed),
                       error (why it did not open), status, answer (before
                       sealing), answer_wire; all null where there is none
GET  /_count[?format=A]  requests received: {"total":3,"A":1,..} or {"A":1}
POST /_reset           forgets them
POST /_send?format=E&to=http://127.0.0.1:8081/path
     seals the body as a webhook and posts it; answers {"status":..,
     "headers":..,"body":..,"wire":..,"wire_headers":..}.  More parameters:
     tamper=1     one protected character changed
     sealed=1     A: with "data" encrypted (default: plain)
     short=1      B: without rsaType and aesType
     timestamp=T  B, F: this one instead of the time now
     repeat=N     the same bytes N times; the last answer is told
"""

import argparse
import gzip
import http.client
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import formats                                                # noqa: E402

KINDS = ("error", "500", "gzip", "chunked", "slow", "tampered", "truncated",
         "empty")

# What is inside: numbers in many spellings, white space, escapes, text that
# is not ASCII.  None of it may change on the way.
CONTENT = {
    "A": '{ "card_id" : "c_5512",\t"balance": 1.0, "limit":1e2,\r\n'
         '  "ledger":123456789012345678901234567890, "name":"Žofie \\u00e9'
         ' \\"q\\" \\/ 卡",  "list":[ 1,2 ,-0.50e+7 ], "none":{ }, "x":null }',
    "B": '{"pageNumber":1 ,"total":123456789012345678901234567890,'
         '"content":[{"amount":"0.10","rate":1e2,"note":"支付\\n\\u4e2d"} ,'
         ' {"amount":1.0}]}',
    "C": '{"cardNo":"4288 0100 0000 0017","cvv":"\\u0030\\u0031\\u0032",'
         ' "balance" : 100.00,"ref":987654321098765432109876543210,'
         '"holder":"Ünal Çelik","e":1e2}',
    "D": '{"status":0,"errorCode":null,"errorMessage":null, "data" : {'
         '"payerId":"p-1","amount":1.0,"big":111111111122222222223333333333,'
         '"sci":1e2,"name":"Николай \\/ \\t"} }',
    "E": '{"code":"0","msg":"ok","data":{"balance":"100.00","rate":1.0,'
         ' "n":1e2,"who":"José"}}\n',
    "F": '{\n    "code":"0",\n    "msg":"成功",\n    "model":{\n'
         '        "activeLink":"https://login.example/?wallet=1\\u0026token=t"'
         '\n    },\n    "traceId":"665597457b9b37cb000187a035002030",\n'
         '    "success":true,\n    "error":false\n}',
}

ANSWER = {
    "A": '{"code" : 0,"msg":"ok \u2603", "data":%s}\n',
    "B": '{"code":200,"message":"SUCCESS  two  spaces","bizContent":%s}',
    "C": '{"success":true,"errorCode":null,"errorMsg":null,"result":%s,'
         ' "userNo":"10001","async":false}',
    "D": '{ "statusCode" : 0,"bizContent":%s}',
    "E": "%s",
    "F": "%s",
}

FAILURE = {
    "A": '{"code":10021,"msg":"card not found – 卡不存在","data":null}',
    "B": '{"code":1012,"message":"Invalid parameter  (page)"}',
    "C": '{"success":false,"errorCode":"100001","errorMsg":"Balance'
         ' insufficient – 余额不足","result":"","userNo":"10001",'
         '"async":false}',
    "D": '{"status":-1,"errorCode":"-1","errorMessage":"Payer exists",'
         '"data":null}',
    "E": '{"code":"40004","msg":"Order does not exist"}',
    "F": '{"code":"10004","msg":"余额不足","model":null,'
         '"traceId":"665597457b9b37cb000187a035002031",'
         '"success":false,"error":true}',
}

TOKEN = {
    "A": '{"code":0,"msg":"ok","data":{"token":'
         '"0b0c3a52-6b0e-4f0e-9f57-demo00000000","expired_time":%d}}',
    "D": '{"access_token":"demo-token-of-d","token_type":"Bearer",'
         '"expires_in":7200}',
}


class Log:
    """What was received, by format; shared by the connections' threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.reset()

    def reset(self):
        with self._lock:
            self._last = {}
            self._count = {letter: 0 for letter in formats.FORMATS}

    def add(self, letter, entry):
        with self._lock:
            self._count[letter] += 1
            self._last[letter] = entry

    def last(self, letter):
        with self._lock:
            return self._last.get(letter)

    def count(self, letter=None):
        with self._lock:
            if letter:
                return {letter: self._count.get(letter, 0)}
            return dict(self._count, total=sum(self._count.values()))


def show(data):
    """Bytes for a JSON report; what is not UTF-8 shows as escapes."""
    return None if data is None else data.decode("utf-8", "backslashreplace")


def options_of(letter, query):
    names = ("mgf1", "aes", "rsa") if letter == "B" else ()
    found = {n: query[n] for n in names if n in query}
    if letter == "B" and query.get("short"):
        found["types"] = False
    if query.get("timestamp"):
        found["timestamp"] = query["timestamp"]
    return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "mock-provider"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True

    def log_message(self, *args):
        if self.server.verbose:
            super().log_message(*args)

    # reading

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self):
        parts = []
        while True:
            length = int(self.rfile.readline().split(b";")[0], 16)
            if length == 0:
                while self.rfile.readline().strip():
                    pass
                return b"".join(parts)
            parts.append(self.rfile.read(length))
            self.rfile.readline()

    # answering

    def _send(self, status, body, how="", content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if how == "gzip":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        if how == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD" or status == 204:
            return
        if how == "chunked":
            for part in formats.cut(body, 100):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif how == "slow":
            for part in formats.cut(body, max(1, len(body) // 10)):
                self.wfile.write(part)
                time.sleep(0.05)
        elif how == "truncated":
            self.wfile.write(body[:len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _json(self, status, value):
        self._send(status, (json.dumps(value, ensure_ascii=False) + "\n")
                   .encode("utf-8", "backslashreplace"))

    # routes

    def _route(self):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        parts = url.path.lstrip("/").split("/")
        body = self._body()
        try:
            if parts[0] in formats.FORMATS:
                self._provide(parts[0], parts[1:], query, body)
            elif parts[0] in ("_last", "_count", "_tokens", "_reset", "_send"):
                getattr(self, "_do" + parts[0])(query, body)
            else:
                self._json(404, {"error": "no such path"})
        except (formats.Error, KeyError, ValueError, OSError) as e:
            self._json(500, {"error": "%s: %s" % (type(e).__name__, e)})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _route

    def _provide(self, letter, rest, query, body):
        if rest and rest[-1] in ("getAccessToken", "token"):
            if letter not in TOKEN:
                return self._json(404, {"error": "no token in " + letter})
            self.server.tokens[letter] += 1
            text = TOKEN[letter].replace("%d", str(int(time.time() + 7200)))
            return self._send(200, text.encode())

        kind = rest[0] if rest and rest[0] in KINDS else ""
        peer = self.server.peer(letter, options_of(letter, query))
        entry = {"method": self.command, "path": self.path,
                 "headers": dict(self.headers.items()), "wire": show(body),
                 "wire_b64": formats.b64(body), "plain": None, "inner": None,
                 "error": None, "answer": None}
        try:
            opened = peer.open_request(body, self.headers)
            entry.update(plain=show(opened.plain), inner=show(opened.inner))
            status, plain, wire = self._answer(letter, peer, kind, opened)
            entry["answer"] = show(plain)
        except formats.Error as e:
            entry["error"] = str(e)
            status, wire = 400, (json.dumps({"error": str(e)}) + "\n").encode()
        entry.update(status=status, answer_wire=show(wire))
        self.server.log.add(letter, entry)
        self._send(status, wire, kind)

    def _answer(self, letter, peer, kind, opened):
        """The status, the plain answer, and the answer's wire bytes."""
        if kind == "empty":
            return 204, b"", b""
        if kind == "500":
            plain = b'{"error":"internal \xe2\x80\x93 try later", "n": 1.0}'
            return 500, plain, plain
        if kind == "error":
            plain = FAILURE[letter].encode()
        else:
            plain = (ANSWER[letter] % self._content(letter, opened)).encode()
        wire = peer.seal_response(plain)
        if kind == "tampered":
            wire = formats.tamper(letter, wire)
        return 200, plain, wire.body

    @staticmethod
    def _content(letter, opened):
        try:
            asked = formats.Object(opened.inner)
            if "_answer" in asked:
                return asked.raw("_answer")
        except formats.Error:
            pass                        # not an object: the default will do
        return CONTENT[letter]

    def _do_last(self, query, body):
        self._json(200, self.server.log.last(query["format"]))

    def _do_count(self, query, body):
        self._json(200, self.server.log.count(query.get("format")))

    def _do_tokens(self, query, body):
        self._json(200, self.server.tokens)

    def _do_reset(self, query, body):
        self.server.log.reset()
        self._json(200, {})

    def _do_send(self, query, body):
        letter = query["format"]
        peer = self.server.peer(letter, options_of(letter, query))
        if letter == "A" and not query.get("sealed"):
            wire = formats.Wire(body, {})
        else:
            wire = peer.seal_webhook(body)
        if query.get("tamper"):
            wire = formats.tamper(letter, wire)
        headers = dict({"Content-Type": "application/json"}, **wire.headers)
        for _ in range(int(query.get("repeat", 1))):
            answer = post(query["to"], wire.body, headers)
        answer.update(wire=show(wire.body), wire_headers=wire.headers)
        self._json(200, answer)


def post(url, body, headers):
    to = urlsplit(url)
    connection = http.client.HTTPConnection(to.hostname, to.port or 80,
                                            timeout=30)
    try:
        path = (to.path or "/") + ("?" + to.query if to.query else "")
        connection.request("POST", path, body, headers)
        got = connection.getresponse()
        answer = got.read()
        return {"status": got.status, "headers": dict(got.getheaders()),
                "body": show(answer), "body_b64": formats.b64(answer)}
    finally:
        connection.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, keys, verbose=False):
        super().__init__(address, Handler)
        self.log, self.verbose = Log(), verbose
        self.tokens = {letter: 0 for letter in TOKEN}
        self._keys = {letter: formats.load_keys(keys, letter, "platform")
                      for letter in formats.FORMATS}

    def peer(self, letter, options):
        return formats.make(letter, **self._keys[letter], **options)

    def handle_error(self, request, client_address):
        """A client that went away is not worth a trace."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--keys", required=True, metavar="DIR")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--verbose", action="store_true")
    a = p.parse_args()

    try:
        server = Server((a.host, a.port), a.keys, a.verbose)
    except (formats.Error, OSError) as e:
        print("provider.py: %s" % e, file=sys.stderr)
        return 1

    def stop(*_):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("listening on %s:%d" % server.server_address[:2], flush=True)
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
