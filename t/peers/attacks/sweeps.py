"""Every truncation and every single bit of one message of each shipped
profile, in each role that opens it.

The judge is formats.py, which has nothing in common with the module: whatever
it refuses must be refused, what it opens must be opened to the same bytes.
"""

import json

import demo
import forge
import formats
from client import Connection, exchange, post
from table import threat

# the message that a role opens
KINDS = {"serve": "request", "webhook": "webhook", "call": "response"}

PLAIN = {
    ("A", "request"): b'{"c":"CANARY"}',
    ("A", "webhook"): b'{"t":7,"data":{"c":"CANARY"}}',
    ("A", "response"): b'{"code":0,"data":{"c":"CANARY"}}',
    ("B", "request"): b'{"bizContent":{"c":"CANARY"}}',
    ("B", "webhook"): b'{"bizContent":{"c":"CANARY"},"m":7}',
    ("B", "response"): b'{"code":200,"bizContent":{"c":"CANARY"}}',
    ("C", "request"): b'{"c":"CANARY"}',
    ("C", "webhook"): b'{"type":"t","data":{"c":"CANARY"},"userNo":10001}',
    ("C", "response"): b'{"success":true,"result":{"c":"CANARY"}}',
    ("D", "request"): b'{"service":"s","bizContent":{"c":"CANARY"}}',
    ("D", "response"): b'{"statusCode":0,"bizContent":{"c":"CANARY"}}',
    ("E", "request"): b'{"c":"CANARY"}',
    ("E", "webhook"): b'{"c":"CANARY"}',
    ("F", "request"): b'{"c":"plain"}',
    ("F", "webhook"): b'{"c":"plain"}',
}

# What a stranger can see of the outer message: members that must be strings,
# those that must be there, and constants.  Failing one is 400.
SHAPE = {
    ("A", "request"): (["content"], {}),
    ("A", "webhook"): (["data?"], {}),
    ("B", "request"): (["bizContent", "key", "sig"],
                       {"apiKey": '"341916e58af445f8aadeb95170000000"',
                        "rsaType": '"ECB_OAEP"',
                        "aesType": '"GCM_NOPADDING"', "timestamp": None}),
    ("B", "webhook"): (["bizContent", "key", "sig"],
                       {"rsaType?": '"ECB_OAEP"',
                        "aesType?": '"GCM_NOPADDING"', "timestamp": None}),
    ("C", "request"): (["dataContent"], {"version": '"1.0.0"',
                                         "dataType": '"JSON"',
                                         "userNo": "10001"}),
    ("C", "webhook"): (["data"], {}),
    ("D", "request"): (["bizContent", "sign"], {}),
    ("E", "request"): (["param", "sign"], {"appId": '"123456"'}),
    ("E", "webhook"): (["param", "sign"], {}),
}


def is_shaped(letter, kind, wire):
    strings, constants = SHAPE[letter, kind]
    try:
        o = formats.Object(wire)
        for name in strings:
            if name[-1] == "?" and o.is_blank(name[:-1]):
                continue
            if not o.string(name.rstrip("?")):
                return False
        for name, raw in constants.items():
            if name[-1] == "?" and name[:-1] not in o:
                continue
            got = o.raw(name.rstrip("?"))
            if raw is not None and json.loads(got) != json.loads(raw):
                return False
    except formats.Error:
        return False
    return True


class Sweep:
    """One profile in one role."""

    def __init__(self, case, letter, role):
        self.case, self.letter, self.role = case, letter, role
        self.kind = KINDS[role]
        keys = {}
        directory = case.world.keys
        for side in ("platform", "merchant"):
            if "platform" in formats.FILES[letter]:
                names = formats.FILES[letter][side]
                keys[side] = case.world.key(names[0])
        if "secret" in formats.FILES[letter]:
            keys["secret"] = formats.load_secret(
                "%s/%s" % (directory, formats.FILES[letter]["secret"]),
                letter)
        self.peer = formats.make(letter, **keys)
        self.open = getattr(self.peer, "open_" + self.kind)
        seal = getattr(self.peer, "seal_" + self.kind)
        self.wire = seal(PLAIN[letter, self.kind])
        self.inner = self.open(self.wire.body, self.wire.headers).inner

    def uri(self, n=None):
        return "/%s/%s" % (self.role, self.letter) \
            + ("" if n is None else "?n=%d" % n)

    def judged(self, wire):
        """What an application may get of it, or None."""
        try:
            if (self.letter, self.role) == ("A", "webhook") \
                    and formats.Object(wire).is_blank("data"):
                return wire             # the profile says "optional"
            opened = self.open(wire)
        except formats.Error:
            return None
        if opened.inner not in (self.inner, wire):
            self.case.fail("answers", "%s: other content was opened: %r"
                           % (self.uri(), wire))
        return opened.plain

    def by_chance(self, wire):
        """What OpenSSL may have made up, from 3.2 on, where nothing but RSA's
        padding would tell."""
        if self.letter != "A":
            return None
        right = formats.pkcs1_decrypt
        formats.pkcs1_decrypt = forge.pkcs1_anyhow
        try:
            return self.open(wire).plain
        except formats.Error:
            return None
        finally:
            formats.pkcs1_decrypt = right

    def run(self, wires):
        """Sends them all; the judge is at work while nginx is."""
        expected = [None] * len(wires)
        made_up = [None] * len(wires)

        def work(first, last):
            for i in range(first, last):
                expected[i] = self.judged(wires[i])
                if expected[i] is None:
                    made_up[i] = self.by_chance(wires[i])

        case = self.case
        app = case.world.app
        mark = app.mark()
        if self.role == "call":
            app.answers = {str(i): wire for i, wire in enumerate(wires)}
            requests = [post(self.uri(i), self.asks()) for i in
                        range(len(wires))]
        else:
            requests = [post(self.uri(), wire) for wire in wires]
        shaped = [self.role == "call" or is_shaped(self.letter, self.kind, w)
                  for w in wires]
        answers = self.answers(requests, shaped, work)
        app.answers = {}
        opened = 0
        good = []
        for wire, answer, plain, chance, right in zip(
                wires, answers, expected, made_up, shaped):
            if chance is not None and answer.status == 200:
                plain = chance
                opened -= 1
            if plain is None:
                status = 502 if self.role == "call" else 401 if right else 400
                case.one_refused(status, answer, "%s %r" % (self.uri(), wire))
            elif case.check(answer.status == 200, "%s: %d for %r"
                            % (self.uri(), answer.status, wire)):
                opened += 1
                good.append(plain)
                if self.role == "call":
                    case.check(answer.body == plain, "%s: %r for %r"
                               % (self.uri(), answer.body, wire))
        if self.role != "call":
            case.passed += len(good)
            got = sorted(r.body for r in app.since(mark))
            case.check(got == sorted(good), "%s: the application got other "
                       "bytes" % self.uri())
        return opened

    def answers(self, requests, shaped, work):
        """nginx closes behind a 400: these one by one."""
        found = [None] * len(requests)
        many = [i for i, right in enumerate(shaped) if right]

        def work_on(first, last):
            for i in many[first:last]:
                work(i, i + 1)

        answers = self.case.client.all([requests[i] for i in many], work_on)
        for i, answer in zip(many, answers):
            found[i] = answer
        for i, right in enumerate(shaped):
            if not right:
                found[i] = self.case.client.one(requests[i])
                work(i, i + 1)
        return found

    def asks(self):
        return {"B": b'{"bizContent":1}', "D": b'{"bizContent":1}'} \
            .get(self.letter, b"{}")


def flipped(data):
    return [data[:i // 8] + bytes([data[i // 8] ^ 1 << i % 8])
            + data[i // 8 + 1:] for i in range(8 * len(data))]


def test(letter, role):
    def run(case):
        sweep = Sweep(case, letter, role)
        body = sweep.wire.body
        n = sweep.run([body])
        case.check(n == 1, "the good one does not open")
        n = sweep.run([body[:i] for i in range(len(body))])
        case.check(n == 0, "%d truncated ones were opened" % n)
        n = sweep.run(flipped(body))
        case.note("%d of %d bits are harmless" % (n, 8 * len(body)))
        harmless(case, sweep, n)
    return run


def harmless(case, sweep, n):
    """A format without freedom has none: what may differ is the case of hex
    digits, and what no statement protects."""
    if (sweep.letter, sweep.role) in (("B", "serve"), ("B", "webhook"),
                                      ("E", "serve"), ("E", "webhook")):
        case.check(n == 0, "%d flips were opened" % n)
    if (sweep.letter, sweep.role) in (("A", "serve"), ("C", "serve")):
        o = formats.Object(sweep.wire.body)
        name = "content" if sweep.letter == "A" else "dataContent"
        letters = sum(c.isalpha() for c in o.string(name))
        case.check(n == letters, "%d flips were opened, there are %d letters"
                   % (n, letters))


for _letter, _kind in PLAIN:
    if _letter != "F":
        _role = {v: k for k, v in KINDS.items()}[_kind]
        threat(8, "every truncation and bit, %s, %s (%s)"
               % (_letter, demo.SCENES[_letter].profile, _role))(
            test(_letter, _role))


# F: what is signed stands in three header fields

def fields_of(raw):
    """As HTTP has them, or None where it is no header."""
    head, _, body = raw.partition(b"\r\n\r\n")
    found = {}
    for line in head.split(b"\n")[1:]:
        line = line[:-1] if line[-1:] == b"\r" else line
        name, colon, value = line.partition(b":")
        if not colon or not name:
            return None
        name = name.decode("latin-1").lower()
        found.setdefault(name, []).append(value.strip(b" ").decode("latin-1"))
    return found


@threat(8, "every bit of the fields and truncation, F, virtual_card")
def fields(case):
    for role in ("serve", "webhook"):
        sweep = Sweep(case, "F", role)
        names = ("appId", "timestamp", "sign")
        lines = ["%s: %s" % (n, sweep.wire.headers[n]) for n in names]
        good = post(sweep.uri(), sweep.wire.body, *lines)
        case.opened([good], [sweep.wire.body])
        start = good.index(b"appId:")
        end = good.index(b"\r\n\r\n")
        letters = sum(c.isalpha() for c in "".join(names)) \
            + sum(c.isalpha() for c in sweep.wire.headers["sign"])
        opened = 0
        for i in range(8 * start, 8 * end):
            at = i // 8
            raw = good[:at] + bytes([good[at] ^ 1 << i % 8]) + good[at + 1:]
            opened += field_bit(case, sweep, raw, names)
        case.check(opened == letters, "%s: %d flips were opened, there are "
                   "%d letters" % (role, opened, letters))
        # the body is not signed, and goes as it came
        bodies = flipped(sweep.wire.body) + [sweep.wire.body[:n] for n in
                                             range(len(sweep.wire.body))]
        case.opened([post(sweep.uri(), b, *lines) for b in bodies], bodies)
        cut(case, good)


def field_bit(case, sweep, raw, names):
    mark = case.world.app.mark()
    answer = case.client.one(raw)
    got = case.world.app.since(mark)
    found = fields_of(raw) or {}
    right = all(len(found.get(n.lower(), [])) == 1 for n in names)
    if right:
        try:
            sweep.open(sweep.wire.body, {n: found[n.lower()][0]
                                         for n in names})
        except formats.Error:
            right = False
    if right:
        case.check(answer.status == 200 and len(got) == 1,
                   "%d for %r" % (answer.status, raw))
        case.passed += len(got)
        return 1
    case.check(not got, "%r got through" % raw)
    if answer.ours:
        # missing, twice or not the constant is 400; the rest is 401
        case.one_refused(answer.status, answer, "%r" % raw)
        whole = all(len(found.get(n.lower(), [])) == 1 and
                    found[n.lower()][0] for n in names) \
            and found["appid"][0] == sweep.peer.identity
        case.check(answer.status == (401 if whole else 400),
                   "%d for %r" % (answer.status, raw))
    else:
        case.check(answer.status == 400, "%d for %r" % (answer.status, raw))
        same = case.table.same.setdefault("nginx", answer.same)
        case.check(answer.same == same, "another 400 of nginx: %r"
                   % answer.same)
    return 0


def cut(case, raw):
    """The bytes on the wire end somewhere, and so does the connection."""
    for n in range(0, len(raw), 3):
        got = exchange(case.world.port, raw[:n], finish=True)
        case.check(got[:12] in (b"", b"HTTP/1.1 400"), "%r for %r"
                   % (got[:40], raw[:n]))


@threat(8, "a connection that ends anywhere in a message")
def cut_messages(case):
    for letter in "BE":
        sweep = Sweep(case, letter, "webhook")
        cut(case, post(sweep.uri(), sweep.wire.body))
    # .. and one that stays open with half of it: nothing leaves early
    held = []
    raw = post("/webhook/E", Sweep(case, "E", "webhook").wire.body)
    for n in (10, 60, len(raw) // 2, len(raw) - 1):
        c = Connection(case.world.port)
        c.send(raw[:n])
        held.append((c, n))
    mark = case.world.app.mark()
    case.refused(400, [post("/webhook/E", b"{}")])
    case.check(not case.world.app.since(mark), "half a message got through")
    for c, n in held:
        c.send(raw[n:])
        case.check(c.read().status == 200, "the rest of it does no good")
        case.passed += 1
        c.close()
