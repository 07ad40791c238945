"""What is sent, and what has to arrive: all of it follows from an id.

A message carries its id, what is to become of it ("fate") and a canary, which
may show up nowhere but in messages.  Keys come in generations, so that they
can be rotated; a message is of one generation, wholly.
"""

import hashlib
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "peers"))

import formats                                                # noqa: E402

LETTERS = "ABCE"
GENERATIONS = 3
CANARY = "canary-4f1d-"

# bodies up to this length are in nginx's memory, longer ones on the disk
MEMORY = 1024

# with some that JSON could spell in another way
CONTENT = ('{ "id":"%s","fate":"%s" , "secret":"%s","n":1.0,"e":1e2,\r\n\t'
           '"big":123456789012345678901234567890,'
           '"who":"Žofie \\u00e9 \\"q\\" \\/ 卡", "none":{ },"pad":"%s" }')

CALL = {"A": "%s", "B": '{"bizContent":%s}', "C": "%s", "E": "%s"}

ANSWER = {
    "A": '{"code" : 0,"msg":"ok \u2603", "data":%s}\n',
    "B": '{"code":200,"message":"two  spaces","bizContent":%s}',
    "C": '{"success":true,"errorCode":null,"result":%s, "async":false}',
    "E": "%s",
}

HOOK = {
    "A": '{"type":"card", "data":%s}',
    "B": '{"code":"200","message":"two  spaces","bizContent":%s}',
    "C": '{"type":"card_transaction","data":%s,"userNo":10001}',
    "E": "%s",
}

FAILURE = b'{"error":"try later"}'


def _content(number, fate, size):
    mark = CANARY + hashlib.sha256(number.encode()).hexdigest()[:16]
    return CONTENT % (number, fate, mark, "pad, \\u00fc; " * (size // 12))


def call(letter, number, fate, size):
    """What an application sends."""
    return (CALL[letter] % _content(number, fate, size)).encode()


def answer(letter, number):
    """What the provider answers to it, before it seals that."""
    return (ANSWER[letter] % _content(number, "", 300)).encode()


def hook(letter, number, fate, size):
    """What the application has to get of a webhook."""
    return (HOOK[letter] % _content(number, fate, size)).encode()


def reply(number):
    """What the application answers to it; not sealed."""
    return b'{"got":"%s"}' % number.encode()


def read(plain):
    """The id and the fate of a plain message."""
    found = re.search(rb'"id":"([^"]*)","fate":"([^"]*)"', plain)
    if not found:
        raise formats.Error("no id in it")
    return found[1].decode(), found[2].decode()


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Generations:
    """All the keys, by format and generation: both halves of both sides."""

    def __init__(self, directory):
        self._peers = {letter: [] for letter in LETTERS}
        for n in range(GENERATIONS):
            keys = {name: formats.load_key(os.path.join(
                        directory, "%s-%d.pem" % (name, n)))
                    for name in ("platform", "merchant")}
            for letter in LETTERS:
                self._peers[letter].append(formats.make(letter, **keys))

    def peer(self, letter, n):
        return self._peers[letter][n]

    def open(self, letter, wire, kind="request"):
        """(generation, what was opened)"""
        reasons = []
        for n, peer in enumerate(self._peers[letter]):
            try:
                return n, getattr(peer, "open_" + kind)(wire)
            except formats.Error as e:
                reasons.append(str(e))
        raise formats.Error("; ".join(reasons))
