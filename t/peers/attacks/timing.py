"""How long the answer takes to good and to bad padding: what an attacker of
threat 1 would measure.  Tells, and judges nothing: machines differ.

Padding that is right, around what is no JSON, against padding that is wrong,
one by one over one connection, in random order, so that what drifts drifts
for all of them.
"""

import math
import random
import statistics
import time

import forge
import formats
from ciphers import data
from client import Connection, post

JUNK = b"\xfe" * 20


def blocks(key):
    k = formats.size(key)
    fill = b"\x05" * (k - 3 - len(JUNK))
    return {
        "right padding, no JSON": forge.public_op(
            b"\x00\x02" + fill + b"\x00" + JUNK, key),
        "wrong type": forge.public_op(
            b"\x00\x01" + fill + b"\x00" + JUNK, key),
        "no separator": forge.public_op(b"\x00\x02" + b"\x05" * (k - 2), key),
        "short padding": forge.public_op(
            b"\x00\x02\x05\x00" + b"\x07" * (k - 4), key),
        # against itself: what this method sees where nothing is
        "right padding, again": forge.public_op(
            b"\x00\x02" + b"\x06" * len(fill) + b"\x00" + JUNK, key),
    }


def cbc():
    good = forge.cbc(JUNK)
    bad = good[:15] + bytes([good[15] ^ 0x40]) + good[16:]
    last = good[:31] + bytes([good[31] ^ 0x40]) + good[32:]
    again = forge.cbc(JUNK, iv=bytes(range(1, 17)))
    return {"right padding, no JSON": good, "wrong padding": last,
            "right padding, other IV": bad, "right padding, again": again}


def measure(world, uri, wires, n):
    c = Connection(world.port)
    requests = {name: post(uri, data(raw)) for name, raw in wires.items()}
    spent = {name: [] for name in wires}
    rng = random.Random(1)
    order = [name for name in wires for _ in range(n)]
    rng.shuffle(order)
    for name in order[:200] + order:
        began = time.perf_counter_ns()
        c.send(requests[name])
        answer = c.read()
        spent[name].append(time.perf_counter_ns() - began)
        if answer.status != 401:
            raise SystemExit("%s: %d" % (name, answer.status))
    c.close()
    return spent


def compare(a, b):
    """Mann and Whitney: z, and how often one of b takes longer than one of
    a; 0.5 is no difference."""
    rows = sorted([(x, 0) for x in a] + [(x, 1) for x in b])
    ranks, i = 0.0, 0
    while i < len(rows):
        j = i
        while j < len(rows) and rows[j][0] == rows[i][0]:
            j += 1
        ranks += sum(r[1] for r in rows[i:j]) * (i + j + 1) / 2
        i = j
    u = ranks - len(b) * (len(b) + 1) / 2
    mean = len(a) * len(b) / 2
    sigma = math.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
    return (u - mean) / sigma, u / (len(a) * len(b))


def run(world, n):
    key = world.key("rsa.pem")
    rows = (("RSA PKCS#1 v1.5, %d bits" % key.size_in_bits(),
             "/webhook/pkcs1", blocks(key)),
            ("AES-CBC", "/webhook/cbc", cbc()))
    for title, uri, wires in rows:
        spent = measure(world, uri, wires, n)
        first, *others = spent
        print("%s, %d requests each" % (title, n))
        print("  %-26s median %8.2f us" % (
            first, statistics.median(spent[first]) / 1000))
        for name in others:
            z, p = compare(spent[first], spent[name])
            print("  %-26s median %8.2f us  z %+6.2f  P(longer) %.4f" % (
                name, statistics.median(spent[name]) / 1000, z, p))
    print("|z| below 3 is no difference that this number of requests shows")
    return 0
