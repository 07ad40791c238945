#!/usr/bin/python3
"""What is behind nginx, in a process of its own:

    upstreams.py provider|application KEYS RECORD PORT

Each message that arrives becomes a line of RECORD before it is answered; the
provider opens it first, with the independent implementation.
"""

import json
import os
import socket
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import messages
from messages import formats

HALF = ("reset", "truncated")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, handler, keys, record, port):
        super().__init__(("127.0.0.1", port), handler)
        self.generations = messages.Generations(keys)
        self._out = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def record(self, **entry):
        """One write, so that lines of threads are not mixed."""
        entry["time"] = time.time()
        os.write(self._out, (json.dumps(entry) + "\n").encode())

    def handle_error(self, request, client_address):
        """A worker that was killed is not worth a trace."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def log_message(self, *args):
        pass

    def do_POST(self):
        letter = self.path[1:2]
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:          # nginx was killed on its way
            self.close_connection = True
            return
        try:
            number, fate, status, wire = self.take(letter, body)
        except formats.Error as e:
            self.server.record(letter=letter, id=None, why=str(e),
                               wire=body.decode("latin-1")[:2000])
            number, fate, status, wire = "", "error", 500, messages.FAILURE
        self.answer(fate, status, wire)

    def answer(self, fate, status, wire):
        if fate == "early":
            return self._reset()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(wire)))
        self.end_headers()
        if fate in HALF:
            self.wfile.write(wire[:len(wire) // 2])
            time.sleep(0.01)
            return self._reset() if fate == "reset" else self._close()
        for part in ([wire] if fate != "slow" else
                     formats.cut(wire, max(1, len(wire) // 5))):
            self.wfile.write(part)
            if fate == "slow":
                time.sleep(0.1)

    def _close(self):
        self.close_connection = True

    def _reset(self):
        """No FIN but an RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()              # it holds the descriptor too
        self.connection.close()


class Provider(Handler):

    def take(self, letter, body):
        n, opened = self.server.generations.open(letter, body)
        number, fate = messages.read(opened.plain)
        self.server.record(letter=letter, id=number, generation=n,
                           digest=messages.digest(opened.plain))
        if fate == "error":
            return number, fate, 500, messages.FAILURE
        wire = self.server.generations.peer(letter, n).seal_response(
            messages.answer(letter, number))
        if fate == "garbled":
            wire = formats.tamper(letter, wire)
        return number, fate, 200, wire.body


class Application(Handler):

    def take(self, letter, body):
        number, fate = messages.read(body)
        self.server.record(letter=letter, id=number,
                           digest=messages.digest(body))
        if fate == "error":
            return number, fate, 500, messages.FAILURE
        return number, fate, 200, messages.reply(number)


def main():
    handler = {"provider": Provider, "application": Application}[sys.argv[1]]
    Server(handler, sys.argv[2], sys.argv[3],
           int(sys.argv[4])).serve_forever()


if __name__ == "__main__":
    main()
