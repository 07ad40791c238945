"""Threats 6, 7, 9 and 15: members, wrapping, time, depth and size."""

import threading
import time

import forge
import formats
from ciphers import JSON, both, data, plain
from client import Client, post
from meter import Meter
from sweeps import Sweep
from table import threat


def unified(case):
    """(param, sign) of a good message of E, as raw JSON."""
    o = formats.Object(Sweep(case, "E", "webhook").wire.body)
    return o.raw("param").encode(), o.raw("sign").encode()


E_PLAIN = b'{"c":"CANARY"}'


@threat(6, "members twice, plain and escaped, first and last")
def twice(case):
    param, sign = unified(case)
    good = b'"param":%s,"sign":%s' % (param, sign)
    evil = [b'"param":"{}"', b'"p\\u0061ram":"{}"', b'"\\u0070aram":null',
            b'"sign":""', b'"sig\\u006e":"x"', b'"s\\u0069gn":%s' % sign,
            b'"param":' + param]
    found = [b"{%s,%s}" % pair for e in evil for pair in ((e, good),
                                                          (good, e))]
    case.opened([post("/webhook/E", b"{%s}" % good)], [E_PLAIN])
    case.refused(400, [post("/webhook/E", m) for m in found])
    # of what B signs, unsigned beside it, and of what is authenticated
    body = Sweep(case, "B", "webhook").wire.body
    names = [b"bizContent", b"key", b"sig", b"timestamp", b"rsaType", b"m"]
    for name in names:
        for extra in (b'"%s":"x"' % name,
                      b'"\\u%04x%s":"x"' % (name[0], name[1:])):
            # "m" is of no statement but of <sorted>
            case.refused(400, [post("/webhook/B", m) for m in (
                b"{" + extra + b"," + body[1:],
                body[:-1] + b"," + extra + b"}")])
    gcm = data(forge.gcm(JSON))
    case.refused(400, both("gcm", [
        b'{"d\\u0061ta":"00",' + gcm[1:], gcm[:-1] + b',"\\u0069d":"2"}',
        gcm[:-1] + b',"id":"1"}', gcm[:-1] + b',"data":""}']))
    case.said.append("stands twice")


@threat(6, "members whose names differ in a NUL, case, or place")
def other_names(case):
    param, sign = unified(case)
    with_sign = b',"sign":%s}' % sign
    wrong = [b"{%s:%s" % (name, param) + with_sign for name in (
        b'"param\\u0000"', b'"\\u0000param"', b'"Param"', b'"PARAM"',
        b'"param "', b'"par\\u200bam"', b'"/param"', b'"params"', b'""',
        b'"param\\u0000x"', b'"par\xc3\xa0m"', b'"header:param"')]
    inside = b'{"param":%s,"sign":%s}' % (param, sign)
    wrong += [b'{"x":%s}' % inside, b"[%s]" % inside,
              b'{"x":{"param":%s}' % param + with_sign,
              b'{"param":[%s]' % param + with_sign,
              b'{"param":%s' % inside + with_sign,
              b'{"param":%s,"x":{"sign":%s}}' % (param, sign),
              b'{"param":%s,"sign\\u0000":%s}' % (param, sign),
              b'"%s"' % inside.replace(b'"', b'\\"').replace(b'\\\\', b'')]
    case.refused(400, [post("/webhook/E", m) for m in wrong])
    # no duplicates, and dropped with the envelope
    right = [b"{%s,%s" % (extra, inside[1:]) for extra in (
        b'"param\\u0000":"{}"', b'"Param":"{}"', b'"sign\\u0000":1',
        b'"x":{"param":"{}","sign":"y"}', b'"x":[{"param":1},{"param":2}]')]
    case.opened([post("/webhook/E", m) for m in right],
                [E_PLAIN] * len(right))


@threat(7, "wrapping: what is read is what was verified")
def wrapping(case):
    param, sign = unified(case)
    evil = b'"{\\"c\\":\\"evil\\"}"'
    good = b'{"param":%s,"sign":%s}' % (param, sign)
    case.refused(401, [post("/webhook/E", m) for m in (
        b'{"param":%s,"sign":%s}' % (evil, sign),
        b'{"param":%s,"sign":%s,"signed":%s}' % (evil, sign, good),
        b'{"signed":%s,"param":%s,"sign":%s}' % (good, evil, sign),
        b'{"param":%s,"sign":%s,"alg":"none"}' % (evil, sign),
        good.replace(b'"param":"', b'"param":" '),
        good.replace(b'}","', b'}\\n","'),
        good.replace(b"CANARY", b"CAN\\u0410RY"))])
    # the algorithm is the profile's, whatever the message names
    body = Sweep(case, "B", "webhook").wire.body
    case.refused(400, [post("/webhook/B", m) for m in (
        body.replace(b"ECB_OAEP", b"ECB_PKCS1"),
        body.replace(b"GCM_NOPADDING", b"CBC_PKCS7PADDING"),
        body.replace(b'"ECB_OAEP"', b"null"),
        body.replace(b'"GCM_NOPADDING"', b'["GCM_NOPADDING"]'))])
    peer = Sweep(case, "B", "webhook").peer
    for change in ({"aes": "CBC"}, {"rsa": "PKCS1"}, {"mgf1": "sha1"}):
        other = formats.make("B", platform=peer.platform_private(),
                             merchant=peer.merchant_private(), types=False,
                             **change)
        case.refused(401, [post("/webhook/B", other.seal_webhook(
            b'{"bizContent":{"c":"CANARY"}}').body)])
    # one part of one message with the other of another, both right
    a, b = (formats.Object(Sweep(case, "B", "webhook").wire.body)
            for _ in range(2))
    for name in ("bizContent", "key", "timestamp", "sig"):
        mixed = a.put(name, b.raw(name)).bytes()
        if mixed != a.bytes():
            case.refused(401, [post("/webhook/B", mixed)])


@threat(7, "a key's id selects within the profile's ring, and nothing else")
def key_ids(case):
    text = b"CANARY-1"

    def message(kid, secret=forge.HUSH):
        tag = forge.mac(text, secret).hex().encode()
        return post("/webhook/once-key",
                    b'{"id":"%s","sign":"%s","kid":%s}' % (text, tag, kid))

    case.refused(401, [message(kid) for kid in (
        b'"two"', b'"ONE"', b'"one "', b'"../one"', b'"one\\u0000"',
        b'"aes"', b'"hush"', b"null", b"1", b'["one"]', b'""')])
    case.refused(401, [message(kid, "") for kid in (b'"one"', b'"two"')])
    case.opened([message(b'"one"')], [b'{"id":"%s"}' % text])


# 9

def timed(stamp, id_=b'"CANARY-x"', good=True):
    raw = id_[1:-1] if id_[:1] == b'"' else id_
    text = raw + b"." + (stamp[1:-1] if stamp[:1] == b'"' else stamp)
    tag = forge.mac(text).hex() if good else "00" * 32
    return post("/webhook/once", b'{"id":%s,"t":%s,"sign":"%s"}'
                % (id_, stamp, tag.encode()))


@threat(9, "stale by a second, past and future; what is no time")
def stale(case):
    peer = Sweep(case, "F", "webhook").peer
    body = b'{"c":"CANARY"}'

    def sent(stamp):
        stamp = str(stamp)
        return post("/webhook/F", body, "appId: " + peer.identity,
                    "timestamp: " + stamp,
                    "sign: " + peer._sign(peer.identity, stamp))

    now = int(time.time() * 1000)
    case.opened([sent(now - 299000), sent(now), sent(now + 299000)],
                [body] * 3)
    now = int(time.time() * 1000)
    case.refused(401, [sent(t) for t in (
        now - 301000, now + 302000, now // 1000, now * 1000, 0, 1, -now,
        "-%d" % now, "+%d" % now, "%d.0" % now, "%de0" % now, hex(now),
        1 << 63, (1 << 64) + now, "9" * 18, "9" * 19, "9" * 400,
        "%d " % now + "0", "%d,%d" % (now, now), "now", "NaN", "inf")])
    case.refused(400, [post("/webhook/F", body, "appId: " + peer.identity,
                            "sign: " + peer._sign(peer.identity, ""))])
    seconds = int(time.time())
    wrong = [b"%d" % (seconds - 301), b"%d" % (seconds + 302), b"-1", b"0",
             b"%d.0" % seconds, b"%de0" % seconds, b'"%x"' % seconds,
             b'" %d"' % seconds, b"%d" % (1 << 63), b"true", b'""', b"null",
             b"[]"]
    for stamp in wrong:
        shape = stamp in (b"true", b"null", b"[]")
        answer = case.client.one(timed(stamp, b'"stale"'))
        case.one_refused(400 if shape else 401, answer, "t %r" % stamp)
    case.said += ["is 301 s old, more than 300", "ahead, more than 300"]


@threat(9, "one value once, however many at a time; none for the unverified")
def once(case):
    now = b"%d" % time.time()
    case.refused(401, [timed(now, b'"CANARY-v"', good=False)] * 5)
    case.refused(401, [timed(b"%d" % (time.time() - 400), b'"CANARY-v"')])
    clients = [Client(case.world.port, 1) for _ in range(20)]
    answers = []

    def send(client):
        answers.append(client.one(timed(now, b'"CANARY-v"')))

    mark = case.world.app.mark()
    threads = [threading.Thread(target=send, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in clients:
        c.close()
    good = [a for a in answers if a.status == 200]
    case.check(len(good) == 1 and len(answers) == 20, "%s"
               % [a.status for a in answers])
    case.passed += len(good)
    for a in answers:
        if a.status != 200:
            case.one_refused(409, a, "a repetition")
    case.check(len(case.world.app.since(mark)) == 1, "not delivered once")
    # spelled in another way, and a second time after a while
    case.refused(409, [timed(now, b'"CANARY-v"'), timed(now, b'"CANARY-v"')])
    case.opened([timed(now, b"17")], [b'{"id":17,"t":%s}' % now])
    case.refused(409, [timed(now, b"17"), timed(now, b'"17"')])


# 15

MANY = 1000000


def deep(n, a=b"[", b=b"]"):
    return a * n + b * n


def shapes():
    """Of what is outside, unverified: 400 if it is no JSON as it may be."""
    yield "depth of 10^6", 400, deep(MANY)
    yield "depth of 10^6, objects", 400, deep(MANY, b'{"a":', b"}")
    yield "depth of 10^6, never closed", 400, b"[" * MANY
    yield "depth of 10^6, mixed", 400, deep(MANY // 2, b'[{"a":', b"}]")
    yield "129 levels", 400, deep(128)
    yield "127 levels", 200, deep(127)
    yield "10^5 members", 200, b"{%s}" % b",".join(
        b'"m%d":%d' % (i, i) for i in range(100000))
    yield "10^5 members of one name", 200, b"{%s}" % b",".join(
        [b'"m":1'] * 100000)
    yield "10^6 elements", 200, b"[%s]" % b",".join([b"0"] * MANY)
    yield "10^6 empty objects", 200, b"[%s]" % b",".join([b"{}"] * MANY)
    yield "a number of a megabyte", 200, b"7" * MANY
    yield "an exponent of a megabyte", 200, b"1e" + b"9" * MANY
    yield "a string of a megabyte", 200, b'"%s"' % (b"x" * MANY)
    yield "a megabyte of escapes", 200, b'"%s"' % (b"\\u0041" * (MANY // 6))
    yield "a name of a megabyte", 200, b'{"%s":1}' % (b"x" * MANY)
    yield "a name of a megabyte of escapes", 200, b'{"%s":1}' % (
        b"\\u0041" * (MANY // 6))
    yield "a megabyte of white space", 200, b" \t\r\n" * (MANY // 4) + b"1"
    yield "a megabyte of backslashes", 400, b'"%s' % (b"\\" * MANY)
    yield "a megabyte of quotes", 400, b'"' * (MANY + 1)


@threat(15, "depth of 10^6, 10^5 members, megabytes: 100 times the input")
def large(case):
    tag = forge.mac(b"x").hex().encode()
    peak = 0
    for name, status, value in shapes():
        text = b'{"a":"x","v":%s}' % value
        body = text[:-1] + b',"sign":"%s"}' % tag
        meter = Meter(case)
        if status == 200:
            case.opened([post("/webhook/hs256", body)], [text])
        else:
            case.refused(status, [post("/webhook/hs256", body)])
        used = meter.memory(name, 100 * len(body))
        if len(body) >= MANY:
            peak = max(peak, used / len(body))
        # a megabyte of anything is read in some milliseconds
        meter.time(name, 0.5)
    case.note("at most %.1f bytes a byte" % peak)


@threat(15, "the same inside of what is sealed")
def large_inside(case):
    for name, status, value in shapes():
        if name == "129 levels":        # it is one level less deep here
            value = deep(129)
        wire = data(forge.gcm(value))
        meter = Meter(case)
        if status == 200:
            case.opened([post("/webhook/gcm", wire)], [plain(value)])
        else:
            case.refused(401, [post("/webhook/gcm", wire)])
        meter.memory(name, 100 * len(wire))
        meter.time(name, 0.5)


@threat(15, "what is addressed is large: signatures, values, <sorted>")
def large_values(case):
    big = b"7" * MANY
    rows = {
        "/webhook/hs256": b'{"a":"x","sign":"%s"}' % big,
        "/webhook/es256": b'{"a":"%s","sign":"00"}' % big,
        "/webhook/E": b'{"param":"%s","sign":"%s"}' % (big, big[:344]),
        "/webhook/C": b'{"data":"%s"}' % big,
        "/webhook/A": b'{"data":"%s"}' % big,
        "/webhook/cbc": data(forge.cbc(b"x" * MANY)),
    }
    b = Sweep(case, "B", "webhook").wire.body
    rows["/webhook/B"] = b[:-1] + b",%s}" % b",".join(
        b'"m%d":%d' % (i * 7919 % 100003, i) for i in range(100000))
    for uri, body in rows.items():
        meter = Meter(case)
        case.refused(401, [post(uri, body)])
        meter.memory(uri, 100 * len(body))
        meter.time(uri, 1)
