"""What stands behind nginx: an application and a provider that keep whatever
they are sent, and answer what they are told.

Framing is read strictly: one request, with one Content-Length or without a
body, is all that may come.  Anything else is kept as a fault.
"""

import re
import socket
import struct
import threading
import time
from collections import namedtuple
from urllib.parse import parse_qs, urlsplit

Request = namedtuple("Request", "method uri head body")

OK = b'{"ok":true}'


class Raw:
    """An answer of bytes as they are; strings are sent, numbers are seconds to
    wait, RESET tears the connection down.  It is closed behind them."""

    def __init__(self, *parts):
        self.parts = parts


RESET = object()


def framed(body, status="200 OK", *headers):
    lines = ["HTTP/1.1 " + status, "Content-Type: application/json",
             "Content-Length: %d" % len(body)] + list(headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Fault(Exception):
    pass


class Upstream:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests, self.faults = [], []
        self.answers = {}               # of the n in ?n=
        self.paths = {}                 # by path
        self.held = threading.Event()   # /hold waits for it
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(256)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def mark(self):
        with self.lock:
            return len(self.requests)

    def since(self, mark, prefix="/"):
        with self.lock:
            return [r for r in self.requests[mark:]
                    if r.uri.startswith(prefix)]

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock, sock.makefile("rb", 1 << 16) as stream:
            try:
                while self._one(sock, stream):
                    pass
            except OSError:
                pass
            except (Fault, ValueError) as e:
                with self.lock:
                    self.faults.append(str(e))

    def _one(self, sock, stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline(1 << 16)
            if not line:
                if head:
                    raise Fault("half a head: %r" % head)
                return False
            head += line
        request = self._request(head, stream)
        with self.lock:
            self.requests.append(request)
        return self._answer(sock, request)

    @staticmethod
    def _request(head, stream):
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        found = re.fullmatch(r"([A-Z]+) (/\S*) HTTP/1\.1", first)
        if not found:
            raise Fault("no request line: %r" % first)
        names = [line.split(":")[0].lower() for line in lines]
        if "transfer-encoding" in names or "expect" in names:
            raise Fault("transfer-encoding or expect: %r" % head)
        if names.count("content-length") > 1:
            raise Fault("content-length twice: %r" % head)
        body = b""
        if "content-length" in names:
            text = lines[names.index("content-length")].split(":")[1].strip()
            if not re.fullmatch("[0-9]+", text):
                raise Fault("content-length: %r" % text)
            body = stream.read(int(text))
            if len(body) != int(text):
                raise Fault("a body is cut: %r" % head)
        return Request(found[1], found[2], head, body)

    def _answer(self, sock, request):
        url = urlsplit(request.uri)
        n = parse_qs(url.query).get("n", [None])[0]
        answer = self.answers.get(n, self.paths.get(url.path, OK))
        if callable(answer):
            answer = answer(request)
        if url.path == "/hold":
            self.held.wait(10)
        if not isinstance(answer, Raw):
            whole = framed(answer)
            sock.sendall(whole[:-len(answer)] if request.method == "HEAD"
                         else whole)
            return True
        for part in answer.parts:
            if part is RESET:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
            elif isinstance(part, (int, float)):
                time.sleep(part)
            else:
                sock.sendall(part)
        return False
