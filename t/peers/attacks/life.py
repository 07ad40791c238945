"""Threats 17, 18 and 19: tokens, killed and reloaded workers, what is left
behind."""

import glob
import json
import os
import random
import signal
import threading
import time

import demo
import forge
import formats
from client import Broken, Client, Connection, post
from framing import PLAIN, wire
from table import LINE, TROUBLE, threat
from world import TOKEN, TOKENS

# 17

@threat(17, "a hostile token endpoint: 503, and the provider hears nothing")
def endpoint(case):
    world = case.world
    mark = world.app.mark()
    for name in TOKENS:
        if name == "good":
            continue
        answer = case.refused(503, [post("/token-call/" + name, b"{}")])[0]
        case.check(b"\r\nRetry-After: " in answer.head, name)
        calls = world.app.since(mark, "/token-call/")
        case.check(not calls, "%s: the provider was called" % name, "silence")
    # each was asked once or, where the connection broke, once more
    asked = [r.uri for r in world.app.since(mark, "/token/")]
    case.check(not any("good" in uri for uri in asked),
               "a redirect was followed")
    case.check(len(asked) <= 2 * len(TOKENS), "%d fetches" % len(asked))
    case.said.append('profile "token-401" token cannot be fetched: ')


@threat(17, "a herd of calls makes one fetch, and each carries the token")
def herd(case):
    world = case.world
    clients = [Client(world.port, 1) for _ in range(40)]
    answers = []
    mark = world.app.mark()
    threads = [threading.Thread(target=lambda c=c: answers.append(
        c.one(post("/token-call/good", b"{}")))) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in clients:
        c.close()
    case.check([a.status for a in answers] == [200] * 40, "%s"
               % [a.status for a in answers])
    case.check(len(world.app.since(mark, "/token/good")) == 1, "fetches")
    calls = world.app.since(mark, "/token-call/good")
    bearer = b"\r\nAuthorization: Bearer %s\r\n" % TOKEN.encode()
    case.check(len(calls) == 40 and all(bearer in r.head for r in calls),
               "%r" % calls[:1])


# 18: an nginx of two workers, under load, whose keys change

ROTATED = """
    envelope_profile rotated {
        secret enc  %(keys)s/rotated-enc hex;
        secret mac  %(keys)s/rotated-mac text;
        request  { body data; field data = json
                   | aes-128-gcm key=enc iv=prefix | hex;
                   sign sign = hs256 key=mac over=<data> | hex; }
        response { body data; field data = json
                   | aes-128-gcm key=enc iv=prefix | hex;
                   sign sign = hs256 key=mac over=<data> | hex; }
    }
"""


class Rotation:
    """Two generations of two keys, and an upstream that tells them apart."""

    def __init__(self, world):
        self.world = world
        self.keys = [(bytes([i]) * 16, "%s-%d" % (forge.HUSH, i))
                     for i in range(8)]
        self.current = 0
        self.seen, self.mixed = [], []

    def write(self):
        key, secret = self.keys[self.current]
        for name, text in (("enc", key.hex()), ("mac", secret)):
            path = os.path.join(self.world.keys, "rotated-" + name)
            forge.write(path + ".new", text)
            os.rename(path + ".new", path)

    def sealed(self, text, generation):
        key, secret = self.keys[generation]
        raw = forge.gcm(text, b"", os.urandom(12), key).hex()
        return json.dumps({"data": raw, "sign": forge.mac(
            raw.encode(), secret).hex()}).encode()

    def answer(self, request):
        """The generation of the MAC has to be that of the ciphertext."""
        message = json.loads(request.body)
        raw = message["data"]
        found = [i for i, (_, secret) in enumerate(self.keys)
                 if forge.mac(raw.encode(), secret).hex() == message["sign"]]
        try:
            blob = bytes.fromhex(raw)
            text = formats.gcm_open(blob[12:], self.keys[found[0]][0],
                                    blob[:12])
        except (formats.Error, IndexError) as e:
            self.mixed.append(str(e))
            return b"{}"
        self.seen.append(found[0])
        return self.sealed(b'{"back":%s}' % text, found[0])


class Load:
    """Callers that note how each of their calls ended."""

    def __init__(self, port, n):
        self.port, self.stop = port, False
        self.good, self.broken, self.wrong = [], [], []
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(n)]
        for t in self.threads:
            t.start()

    def run(self, i):
        n, c = 0, None
        while not self.stop:
            n += 1
            plain = b'{"c":"CANARY","n":"%d-%d"}' % (i, n)
            try:
                c = c or Connection(self.port)
                c.send(post("/call", plain))
                a = c.read()
                if a.status == 200 and a.body == b'{"back":%s}' % plain:
                    self.good.append(time.monotonic())
                else:
                    self.wrong.append("%d %r" % (a.status, a.body[:200]))
            except (OSError, Broken, ValueError):
                self.broken.append(time.monotonic())
                if c:
                    c.close()
                c = None
                time.sleep(0.005)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join()
        return self


def longest_gap(times, first, last):
    marks = [first] + sorted(t for t in times if first <= t <= last) + [last]
    return max(b - a for a, b in zip(marks, marks[1:]))


@threat(18, "kill -9 and new keys under load", own=True)
def under_load(table, name):
    world = table.world
    world.stop()
    rotation = Rotation(world)
    rotation.write()
    world.app.paths["/call"] = rotation.answer
    world.write_conf(2, ROTATED % {"keys": world.keys},
                     "        location = /call {\n envelope_call rotated;\n"
                     " proxy_pass http://app;\n }\n")
    world.start()
    killed = kill(world, table, name)
    reload(world, table, name, rotation)
    log = world.log()
    table.log.append(log)
    trouble = [line for line in log.split("\n") if TROUBLE.search(line)
               and "exited on signal 9" not in line]
    table.ok(not trouble and log.count("exited on signal 9") == killed,
             name + ": no other worker has died", trouble)
    table.ok("CANARY" not in log and not LINE.search(log),
             name + ": nothing was refused, and no canary is in the log",
             [line for line in log.split("\n") if "envelope" in line])
    table.ok(not world.app.faults, name + ": all that left was well framed",
             world.app.faults)
    world.app.faults.clear()
    del world.app.paths["/call"]


def kill(world, table, name):
    rng, killed = random.Random(18), set()
    load = Load(world.port, 6)
    began = time.monotonic()
    while time.monotonic() < began + 2.5:
        time.sleep(0.05 + rng.random() * 0.2)
        pids = [pid for pid in world.workers() if pid not in killed]
        if pids:
            pid = rng.choice(pids)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    time.sleep(0.3)
    load.end()
    gap = longest_gap(load.good, began, time.monotonic() - 0.1)
    table.ok(len(killed) > 5 and len(load.good) > 50 and not load.wrong, "%s: %d "
             "killed, %d calls were answered right, %d broke, none was wrong"
             % (name, len(killed), len(load.good), len(load.broken)),
             load.wrong)
    table.ok(gap < 2, name + ": recovery within 2 s (%.2f s)" % gap)
    until = time.monotonic() + 5
    while len(set(world.workers()) - killed) != 2 \
            and time.monotonic() < until:
        time.sleep(0.05)
    table.ok(len(set(world.workers()) - killed) == 2,
             name + ": both workers are there")
    return len(killed)


def reload(world, table, name, rotation):
    old = world.workers()
    rotation.seen.clear()
    load = Load(world.port, 6)
    late = []
    for i in range(1, 4):
        time.sleep(0.4)
        rotation.current = i
        rotation.write()
        world.reload()
        began = time.monotonic()
        while not (set(world.workers()) - set(old)) \
                and time.monotonic() < began + 5:
            time.sleep(0.01)
        old = world.workers()
        # a new connection is a new worker's, and its keys are the new ones
        while time.monotonic() < began + 5:
            n = len(rotation.seen)
            c = Client(world.port, 1)
            c.one(post("/call", PLAIN))
            c.close()
            if i in rotation.seen[n:]:
                break
        late.append(time.monotonic() - began)
    time.sleep(0.2)
    load.end()
    table.ok(not rotation.mixed and len(rotation.seen) > 100,
             "%s: each of %d requests is wholly of one generation of keys"
             % (name, len(rotation.seen)), rotation.mixed)
    table.ok(set(rotation.seen) == {0, 1, 2, 3} and max(late) < 2,
             "%s: new keys within 2 s of a reload (%.2f s)"
             % (name, max(late)), ["%s" % sorted(set(rotation.seen))])
    # a kept connection of the old workers ends between two requests
    table.ok(not load.wrong and len(load.good) > 100,
             "%s: %d answers, none wrong" % (name, len(load.good)),
             load.wrong)


# 19

def canaries(world):
    """Texts that must be nowhere: of messages, keys, secrets, tokens, and
    what they are in base64 and hex."""
    found = {"CANARY"}
    for path in glob.glob(world.keys + "/*"):
        with open(path, "rb") as f:
            data = f.read()
        if path.endswith((".pub.pem", ".pub", ".cer", ".crt")):
            continue
        if b"-----BEGIN" in data:
            lines = data.decode().strip().split("\n")[1:-1]
            found |= {line for line in lines if len(line) > 40}
        elif path.endswith((".key", ".b64", ".pass", ".secret")):
            found.add(data.decode().strip()[:64])
    plain = [forge.HUSH, TOKEN, PLAIN.decode(), forge.AES_KEY]
    for text in plain:
        raw = text if isinstance(text, bytes) else text.encode()
        found |= {raw.hex(), formats.b64(raw).rstrip("=")[:-1]}
    return sorted(text.encode() for text in found)


def hits(data, texts):
    return [text for text in texts if text in data]


@threat(19, "canaries: what can be seen while a message is on its way")
def in_flight(case):
    """Held at the upstream: titles, arguments, environments, files, also
    those that are unlinked already."""
    world = case.world
    texts = canaries(world)
    peer = wire(case)
    world.app.held.clear()
    held = []
    for uri, body in (("/hold", peer), ("/held", PLAIN)):
        c = Connection(world.port)
        c.send(post(uri, body))
        held.append(c)
    until = time.monotonic() + 5
    while len(world.app.since(case.mark, "/hold")) < 2 \
            and time.monotonic() < until:
        time.sleep(0.01)
    looked = 0
    for pid in [world.child.pid] + world.workers():
        for name in ("cmdline", "environ", "comm"):
            with open("/proc/%d/%s" % (pid, name), "rb") as f:
                bad = hits(f.read(), texts)
            case.check(not bad, "%s of %d: %s" % (name, pid, bad))
            looked += 1
        for fd in glob.glob("/proc/%d/fd/*" % pid):
            try:
                to = os.readlink(fd)
            except OSError:
                continue
            case.check("_temp/" not in to, "a temporary file: " + to)
    case.check(looked >= 6, "nothing was looked at")
    files = [p for p in glob.glob(world.path("*_temp", "**", "*"),
                                  recursive=True) if os.path.isfile(p)]
    case.check(not files, "%s" % files)
    world.app.held.set()
    for c in held:
        case.check(c.read().status == 200, "it was not held")
        c.close()


@threat(19, "canaries: logs, answers, directories, after all of it", own=True)
def left_behind(table, name):
    world = table.world
    texts = canaries(world)
    table.ok(len(texts) > 60, "%s: %d texts are looked for" % (name,
                                                               len(texts)))
    log = "".join(table.log).encode()
    for what, data in (("the error log", world.read("logs", "error.log")),
                       ("what the tests have read of it", log),
                       ("the access log", world.read("logs", "access.log")),
                       ("what nginx has said", world.read("logs",
                                                          "start.log")),
                       ("the answers to strangers",
                        b"".join(table.same.values()))):
        bad = hits(data, texts)
        table.ok(not bad and (data or not table.whole), "%s: %s (%d bytes)"
                 % (name, what, len(data)), ["%r" % b for b in bad])
    lines = world.read("logs", "access.log").split(b"\n")[:-1]
    # the token is gone by the time a log is written
    table.ok(all(line.endswith((b'"-"', b'""')) for line in lines)
             and len(lines) > (50000 if table.whole else 0),
             "%s: $envelope_token in %d lines of the access log"
             % (name, len(lines)))
    files = [p for p in glob.glob(world.path("**", "*"), recursive=True)
             if os.path.isfile(p)
             and not {"conf", "logs", "html"} & set(p.split(os.sep))]
    table.ok(not files, name + ": nothing is left in temporary directories",
             files)
    table.ok(demo.is_open(world.port), name + ": nginx still serves")
