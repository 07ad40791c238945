"""As much of HTTP/2 as a request needs: raw frames, no Huffman, no table."""

import struct

from client import connected

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) \
        + struct.pack(">I", stream) + payload


def literal(name, value):
    """Never indexed, with a name of its own."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def headers(method, path, *fields):
    rows = [(b":method", method), (b":scheme", b"http"), (b":path", path),
            (b":authority", b"x")] + list(fields)
    return b"".join(literal(n, v) for n, v in rows)


def status_of(block):
    """Of nginx's own way to write it, in front of the others."""
    while block[0] & 0xe0 == 0x20:      # a change of the table's size
        block = block[1:]
    if block[0] & 0x80:
        return {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404,
                14: 500}[block[0] & 0x7f]
    return int(block[2:5])


def ask(port, method, path, *parts, length=None, end=True):
    """(status, body); the status is None for a stream that was reset."""
    fields = []
    if length is not None:
        fields.append((b"content-length", b"%d" % length))
    out = PREFACE + frame(SETTINGS, 0, 0)
    out += frame(HEADERS, END_HEADERS | (0 if parts or not end
                                         else END_STREAM), 1,
                 headers(method, path, *fields))
    for i, part in enumerate(parts):
        last = end and i == len(parts) - 1
        out += frame(DATA, END_STREAM if last else 0, 1, part)
    with connected(port, 5) as sock, sock.makefile("rb") as stream:
        sock.sendall(out)
        return answer(sock, stream)


def answer(sock, stream):
    status, body = None, b""
    while True:
        head = stream.read(9)
        if len(head) < 9:
            return status, body
        payload = stream.read(int.from_bytes(head[:3], "big"))
        kind, flags = head[3], head[4]
        if kind == SETTINGS and not flags & 1:
            sock.sendall(frame(SETTINGS, 1, 0))
        elif kind == HEADERS:
            status = status_of(payload)
        elif kind == DATA:
            body += payload
        elif kind in (RST, GOAWAY):
            return status, body
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            return status, body
