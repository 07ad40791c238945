#!/usr/bin/python3
"""Traffic, from a process of its own:

    clients.py PORT KEYS RECORD SEED SECONDS PREFIX

Applications that call and providers that send webhooks, several of them in
threads.  Each attempt becomes a line of RECORD: what was sent, what came of
it, and between which times.
"""

import http.client
import json
import os
import random
import socket
import sys
import threading
import time

import messages
from messages import formats

THREADS = 5
TIMEOUT = 30

# out of a hundred
KINDS = [("call", 50), ("hook", 33), ("twin", 8), ("tampered", 5),
         ("abort", 4)]
FATES = [("", 82), ("slow", 5), ("reset", 3), ("truncated", 3), ("early", 2),
         ("garbled", 3), ("error", 2)]
HOOK_FATES = [("", 90), ("slow", 4), ("early", 3), ("error", 3)]


def pick(rng, table):
    at = rng.randrange(sum(weight for _, weight in table))
    for name, weight in table:
        at -= weight
        if at < 0:
            return name


class Client(threading.Thread):

    def __init__(self, port, generations, out, seed, until, prefix):
        super().__init__()
        self.port, self.generations, self.out = port, generations, out
        self.rng, self.until, self.prefix = random.Random(seed), until, prefix
        self.count, self.connection, self.born = 0, None, 0

    def run(self):
        try:
            while time.time() < self.until:
                self.one()
        finally:
            self.drop()

    def one(self):
        self.count += 1
        kind = pick(self.rng, KINDS)
        letter = self.rng.choice(messages.LETTERS)
        number = "%s-%d" % (self.prefix, self.count)
        # blocks of RSA take their time, here more than there
        size = self.rng.randrange(100, 2500)
        if letter in "BE" and self.rng.random() < 0.1:
            size = self.rng.randrange(20000, 80000)
        entry = {"id": number, "kind": kind, "letter": letter, "fate": ""}
        if kind in ("call", "abort"):
            path, wire = self._call(entry, letter, number, size)
        else:
            path, wire = self._hook(entry, letter, number, size)
        entry["length"] = len(wire.body)
        if kind == "abort":
            self._abort(entry, path, wire)
        elif kind == "twin":
            self._twin(entry, path, wire)
        else:
            self._send(entry, path, wire)
        if self.rng.random() < 0.1:
            self.drop()

    def _call(self, entry, letter, number, size):
        if entry["kind"] == "call":
            entry["fate"] = pick(self.rng, FATES)
        if letter == "E" and entry["fate"] == "garbled":
            entry["fate"] = ""          # its answers are not sealed
        plain = messages.call(letter, number, entry["fate"], size)
        entry["digest"] = messages.digest(plain)
        return "/call/" + letter, formats.Wire(plain, {})

    def _hook(self, entry, letter, number, size):
        if entry["kind"] == "hook":
            entry["fate"] = pick(self.rng, HOOK_FATES)
        plain = messages.hook(letter, number, entry["fate"], size)
        entry["digest"] = messages.digest(plain)
        peer = self.generations.peer(
            letter, self.rng.randrange(messages.GENERATIONS))
        wire = peer.seal_webhook(plain)
        if entry["kind"] == "tampered":
            wire = formats.tamper(letter, wire)
        return "/hook/" + letter, wire

    # sending

    def connect(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port,
                                       timeout=TIMEOUT)
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return c

    def drop(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def _request(self, c, path, wire, pause=False):
        c.putrequest("POST", path)
        c.putheader("Content-Type", "application/json")
        c.putheader("Content-Length", str(len(wire.body)))
        c.endheaders()
        half = len(wire.body) // 2 if pause else 0
        if half:
            c.send(wire.body[:half])
            time.sleep(0.05)
        c.send(wire.body[half:])

    def _answer(self, c, entry):
        got = c.getresponse()
        entry["status"] = got.status
        body = got.read()
        entry["good"] = self._is_good(entry, got.status, body)
        if got.will_close and c is self.connection:
            self.drop()

    @staticmethod
    def _is_good(entry, status, body):
        """Whether it is the answer to this very message."""
        if status == 200:
            return body == (messages.answer(entry["letter"], entry["id"])
                            if entry["kind"] == "call"
                            else messages.reply(entry["id"]))
        if entry["fate"] == "error" and body == messages.FAILURE:
            return True
        return messages.CANARY.encode() not in body

    def _send(self, entry, path, wire):
        entry["start"] = time.time()
        try:
            if not self.connection:
                self.connection, self.born = self.connect(), time.time()
            entry["born"] = self.born
            self._request(self.connection, path, wire,
                          self.rng.random() < 0.05)
            self._answer(self.connection, entry)
        except (OSError, http.client.HTTPException) as e:
            entry["error"] = "%s: %s" % (type(e).__name__, e)
            self.drop()
        self._record(entry)

    def _twin(self, entry, path, wire):
        """The same webhook twice at the same time, by two connections."""
        both = [dict(entry, start=time.time()) for _ in range(2)]
        connections = []
        for one in both:
            one["born"] = one["start"]
            try:
                c = self.connect()
                connections.append(c)
                self._request(c, path, wire)
            except (OSError, http.client.HTTPException) as e:
                one["error"] = "%s: %s" % (type(e).__name__, e)
        for one, c in zip(both, connections):
            if "error" not in one:
                try:
                    self._answer(c, one)
                except (OSError, http.client.HTTPException) as e:
                    one["error"] = "%s: %s" % (type(e).__name__, e)
            c.close()
        for one in both:
            self._record(one)

    def _abort(self, entry, path, wire):
        """A client that goes away, in the middle or when all is sent."""
        entry["start"] = entry["born"] = time.time()
        part = self.rng.choice((0.5, 1))
        try:
            c = self.connect()
            c.putrequest("POST", path)
            c.putheader("Content-Length", str(len(wire.body)))
            c.endheaders()
            c.send(wire.body[:int(len(wire.body) * part)])
            time.sleep(self.rng.random() * 0.02)
            c.close()
        except (OSError, http.client.HTTPException) as e:
            entry["error"] = "%s: %s" % (type(e).__name__, e)
        self._record(entry)

    def _record(self, entry):
        entry["end"] = time.time()
        os.write(self.out, (json.dumps(entry) + "\n").encode())


def main():
    port, keys, record, seed, seconds, prefix = sys.argv[1:]
    out = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    generations, until = messages.Generations(keys), \
        time.time() + float(seconds)
    threads = [Client(int(port), generations, out, "%s-%d" % (seed, i), until,
                      "%s-%d" % (prefix, i)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
