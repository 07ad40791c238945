"""Raw requests over raw sockets, and what came back, to the byte."""

import re
import socket

WINDOW = 24


class Broken(Exception):
    pass


def request(method, uri, body=b"", *headers, length=True):
    lines = ["%s %s HTTP/1.1" % (method, uri), "Host: x"]
    if length:
        lines.append("Content-Length: %d" % len(body))
    head = "\r\n".join(lines + list(headers)) + "\r\n\r\n"
    return head.encode("latin-1") + body


def post(uri, body=b"", *headers):
    return request("POST", uri, body, *headers)


class Answer:
    """One response.  `same` is all of it but for what the date is."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        self.status = int(head.split(None, 2)[1])
        self.same = re.sub(rb"\r\nDate: [^\r]*", b"", head) + body
        self.ours = b"\r\nContent-Type: application/problem+json" in head


def connected(port, timeout=30):
    sock = socket.create_connection(("127.0.0.1", port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Connection:
    def __init__(self, port):
        self.port, self.sock, self.stream = port, None, None
        self.open()

    def open(self):
        self.close()
        self.sock = connected(self.port)
        self.stream = self.sock.makefile("rb", 1 << 16)

    def close(self):
        if self.sock:
            self.stream.close()
            self.sock.close()
            self.sock = None

    def send(self, data):
        if self.sock is None:
            self.open()
        self.sock.sendall(data)

    def read(self, head_only=False):
        """The next response; 1xx ones in front of it are skipped."""
        while True:
            answer = self._read(head_only)
            if answer.status >= 200:
                return answer

    def _read(self, head_only):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.stream.readline()
            if not line:
                self.close()
                raise Broken("the connection ended: %r" % head)
            head += line
        body = b""
        found = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
        if head_only or head[9:10] == b"1" or head[9:12] in (b"204", b"304"):
            pass
        elif found:
            body = self.stream.read(int(found[1]))
            if len(body) != int(found[1]):
                raise Broken("the body ended: %r" % head)
        elif b"\r\nTransfer-Encoding: chunked\r\n" in head:
            body = self._chunks()
        else:
            body = self.stream.read()
        if b"\r\nConnection: close\r\n" in head:
            self.close()
        return Answer(head, body)

    def _chunks(self):
        body = b""
        while True:
            size = int(self.stream.readline(), 16)
            body += self.stream.read(size)
            self.stream.readline()
            if size == 0:
                return body


class Client:
    """Sends many requests over a few kept connections."""

    def __init__(self, port, connections=4):
        self.port = port
        self.connections = [Connection(port) for _ in range(connections)]

    def one(self, raw, **how):
        connection = self.connections[0]
        connection.send(raw)
        return connection.read(**how)

    def each(self, requests):
        """One by one, for those that may cost their connection."""
        return [self.one(raw) for raw in requests]

    def all(self, requests, work=None, window=WINDOW):
        """The answers in the order of the requests.  They are pipelined, in
        windows; work(first, last) is called while nginx is at one."""
        answers = [None] * len(requests)
        step = window * len(self.connections)
        for at in range(0, len(requests), step):
            spans = [(c, range(at + i, min(at + step, len(requests)),
                               len(self.connections)))
                     for i, c in enumerate(self.connections)]
            for c, span in spans:
                if len(span):
                    c.send(b"".join(requests[i] for i in span))
            if work:
                work(at, min(at + step, len(requests)))
            for c, span in spans:
                for n, i in enumerate(span):
                    answers[i] = c.read()
                    if c.sock is None and n + 1 < len(span):
                        # what is behind was thrown away
                        c.send(b"".join(requests[j] for j in span[n + 1:]))
        return answers

    def close(self):
        for c in self.connections:
            c.close()


def exchange(port, raw, finish=False, timeout=10):
    """All that comes for these bytes on a connection of their own."""
    found = b""
    with connected(port, timeout) as sock:
        try:
            sock.sendall(raw)
            if finish:
                sock.shutdown(socket.SHUT_WR)
            while True:
                data = sock.recv(1 << 16)
                if not data:
                    return found
                found += data
        except ConnectionError:
            return found
