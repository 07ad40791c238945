"""Threats 10, 11, 13 and 16: where messages begin and end, and other ways to
send them."""

import glob
import os
import time

import forge
import h2
from client import Connection, exchange, post, request
from sweeps import Sweep
from table import STRANGER, TITLES, threat
from upstream import RESET, Raw

PLAIN = b'{"c":"CANARY"}'


def wire(case, letter="E", role="webhook"):
    return Sweep(case, letter, role).wire.body


def chunked(body, *ends, size=7):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(p), b"".join(ends[:1]), p)
                    for p in parts) + b"0\r\n" + b"".join(ends[1:]) + b"\r\n"


def in_chunks(uri, body, *ends, **how):
    return request("POST", uri, b"", "Transfer-Encoding: chunked",
                   length=False) + chunked(body, *ends, **how)


# 10

@threat(10, "smuggling: two lengths, a length and chunks, chunks that lie")
def smuggling(case):
    good, port = wire(case), case.world.port
    n = len(good)

    def raw(head, body):
        return ("POST /webhook/E HTTP/1.1\r\nHost: x\r\n%s\r\n" % head) \
            .encode() + body

    chunks = chunked(good)
    forged = [
        raw("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % n,
            chunks),
        raw("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % n, good),
        raw("Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n), good),
        raw("Content-Length: %d\r\nContent-Length: 0\r\n" % n, good),
        raw("Content-Length: %d, %d\r\n" % (n, n), good),
        raw("Content-Length: +%d\r\n" % n, good),
        raw("Content-Length: 0x%x\r\n" % n, good),
        raw("Content-Length: -1\r\n", good),
        raw("Content-Length: %d\r\n" % (1 << 64), good),
        raw("Content-Length : %d\r\n" % n, good),
        raw("Transfer-Encoding: xchunked\r\n", chunks),
        raw("Transfer-Encoding: chunked, chunked\r\n", chunks),
        raw("Transfer-Encoding: gzip, chunked\r\n", chunks),
        raw("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            chunks),
        raw("Transfer-Encoding:\x0bchunked\r\n", chunks),
        raw("Transfer-Encoding: chunked\r\n", b"x\r\n" + chunks),
        raw("Transfer-Encoding: chunked\r\n", b"-1\r\n" + chunks),
        raw("Transfer-Encoding: chunked\r\n", b"ffffffffffffffff1\r\n"),
        raw("Transfer-Encoding: chunked\r\n", b"5\r\n{\"a\":1}\r\n0\r\n\r\n"),
    ]
    for i, one in enumerate(forged):
        mark = case.world.app.mark()
        got = exchange(port, one, finish=True)
        first = got[:12]
        case.check(first in (b"HTTP/1.1 400", b"HTTP/1.1 501", b""),
                   "%d: %r for %r" % (i, got[:60], one[:120]))
        case.check(not case.world.app.since(mark), "%d got through" % i)
        case.reasons += b"problem+json" in got


@threat(10, "pipelining: behind a refusal comes the next request, whole")
def pipelined(case):
    good = wire(case)
    bad = good.replace(b"CANARY", b"canary")
    ok = post("/webhook/E", good)
    case.opened([ok], [PLAIN])
    mark = case.world.app.mark()
    c = Connection(case.world.port)
    # a refused body that is itself a request, and good
    trap = b'{"param":"' + b"x" * 20 + b'","sign":"AAAA"}' + b" " * 10
    c.send(post("/webhook/E", bad) + ok + post("/serve/E", trap) + ok
           + post("/webhook/E", bad) + ok)
    case.one_refused(401, c.read(), "first")
    case.check(c.read().status == 200, "the second")
    answer = c.read()                   # appId is missing: 400, and the end
    case.one_refused(400, answer, "third")
    case.check(c.sock is None, "nginx goes on behind a 400")
    c.close()
    got = case.world.app.since(mark)
    case.check([r.body for r in got] == [PLAIN], "%r" % got)
    case.passed += 1
    # hidden in the body of a refused one, by its length
    for hide in (401, 400):
        c = Connection(case.world.port)
        body = b'{"param":"\\n","sign":"AAAA"}' if hide == 401 else b"{}"
        c.send(post("/webhook/E", body + b" " * 20 + b"\r\n\r\n"))
        case.one_refused(hide, c.read(), "%d" % hide)
        c.close()
        c = Connection(case.world.port)
        c.send(post("/webhook/E", body[:-1] + ok))
        case.one_refused(400, c.read(), "a request inside")
        c.close()


@threat(10, "chunked, with extensions and trailers; what leaves is framed")
def chunks(case):
    good = wire(case)
    sent = [in_chunks("/webhook/E", good), in_chunks("/webhook/E", good,
                                                     size=1),
            in_chunks("/webhook/E", good, b";x=\"y\"", b""),
            in_chunks("/webhook/E", good, size=10000)]
    mark = case.world.app.mark()
    case.opened(sent, [PLAIN] * len(sent))
    for r in case.world.app.since(mark):
        case.check(b"\r\nContent-Length: %d\r\n" % len(PLAIN) in r.head
                   and b"ransfer-" not in r.head, "%r" % r.head)
    # trailers: nginx of some versions refuses them; none passes one on
    for trailer in (b"X-T: CANARY\r\n", b"Content-Length: 5\r\n",
                    b"X-Sign: 00\r\n"):
        mark = case.world.app.mark()
        answer = exchange(case.world.port,
                          in_chunks("/webhook/E", good, b"", trailer)
                          .replace(b"Host: x", b"Host: x\r\n"
                                   b"Connection: close"))
        got = case.world.app.since(mark)
        case.check(answer[9:12] in (b"200", b"400"), "%r" % answer[:50])
        case.check(all(b"X-T" not in r.head and b"X-Sign" not in r.head
                       and r.body == PLAIN for r in got), "%r" % got)
        case.passed += len(got)
    case.refused(401, [in_chunks("/webhook/E", b'{"param":"","sign":"AA=="}'
                                 .replace(b'""', b'"x"'), size=n)
                       for n in (1, 2, 100)])
    # a signature in a trailer is none
    body = PLAIN
    tag = forge.mac(body).hex().encode()
    answer = exchange(case.world.port,
                      in_chunks("/webhook/body", body, b"",
                                b"X-Sign: %s\r\n" % tag)
                      .replace(b"Host: x", b"Host: x\r\nConnection: close"))
    case.check(answer[9:12] == b"400", "%r" % answer[:40])
    case.reasons += b"problem+json" in answer


@threat(10, "Expect: 100-continue, HEAD, HTTP/1.0, HTTP/0.9")
def old_ways(case):
    good, world = wire(case), case.world
    mark = world.app.mark()
    c = Connection(world.port)
    raw = post("/webhook/E", good, "Expect: 100-continue")
    at = raw.index(b"\r\n\r\n") + 4
    c.send(raw[:at])
    case.check(c._read(True).status == 100, "no 100")
    case.check(not world.app.since(mark), "too early")
    c.send(raw[at:])
    case.check(c.read().status == 200, "not opened")
    c.send(post("/webhook/E", good.replace(b"CANARY", b"canary"),
                "Expect: 100-continue"))
    case.one_refused(401, c.read(), "with Expect")
    c.send(post("/webhook/E", b"{}", "Expect: 100-continue"))
    case.one_refused(400, c.read(), "with Expect")
    c.close()
    got = world.app.since(mark)
    case.check([r.body for r in got] == [PLAIN], "%r" % got)
    case.passed += 1

    c = Connection(world.port)
    c.send(request("HEAD", "/webhook/E", good))
    answer = c.read(head_only=True)
    case.check(answer.status == 200, "HEAD: %d" % answer.status)
    case.passed += 1
    c.send(request("HEAD", "/webhook/E", good.replace(b"CANARY", b"canary"))
           + post("/webhook/E", good))
    answer = c.read(head_only=True)
    case.refusals += 1
    case.check(answer.status == 401, "HEAD: %d" % answer.status)
    case.check(c.read().status == 200, "behind HEAD")
    case.passed += 1
    c.close()

    old = b"POST /webhook/E HTTP/1.0\r\nContent-Length: %d\r\n\r\n"
    case.check(exchange(world.port, old % len(good) + good)[9:12] == b"200",
               "HTTP/1.0")
    case.passed += 1
    bad = good.replace(b"CANARY", b"canary")
    answer = exchange(world.port, old % len(bad) + bad)
    case.refusals += 1
    case.check(answer[9:12] == b"401" and answer.endswith(
        STRANGER % (TITLES[401], 401)), "%r" % answer)
    for raw in (b"GET /webhook/E\r\n", b"POST /webhook/E\r\n" + good):
        mark = world.app.mark()
        answer = exchange(world.port, raw, finish=True)
        case.check(b"CANARY" not in answer and not world.app.since(mark),
                   "HTTP/0.9: %r" % answer)
        # without a head there is only the body of our answer
        case.reasons += b"about:blank" in answer


@threat(10, "responses: one well-framed answer to each call")
def answers_framed(case):
    """What a provider sends behind its answer is nobody's answer."""
    world = case.world
    plain = b'{"code":200,"bizContent":{"c":"CANARY"}}'
    body = Sweep(case, "B", "call").wire.body
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    world.app.answers = {
        "0": Raw(head % len(body) + body + evil),
        "1": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 + chunked(body) + evil),
    }
    for n in range(2):
        c = Connection(world.port)
        c.send(post("/call/B?n=%d" % n, b'{"bizContent":1}')
               + post("/webhook/E", wire(case)))
        answer = c.read()
        case.check(answer.status == 200 and answer.body == plain,
                   "%d: %d %r" % (n, answer.status, answer.body))
        case.check(c.read().body == b'{"ok":true}', "%d: the next" % n)
        case.passed += 1
        c.close()
    world.app.answers = {}


# 11

@threat(11, "methods, types, no body: refused or opened, never past it")
def shapes(case):
    good, uri = wire(case), "/webhook/E"
    mark = case.world.app.mark()
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")
    case.opened([request(m, uri, good) for m in methods],
                [PLAIN] * len(methods))
    for role in ("webhook", "serve"):
        uri = "/%s/E" % role
        plain = [request(m, uri, PLAIN) for m in methods]
        plain += [request(m, uri, b"", length=False) for m in methods
                  if m not in ("POST", "PUT")] + [post(uri, b"")]
        plain += [post(uri, PLAIN, "Content-Type: " + t) for t in (
            "text/plain", "application/json", "multipart/form-data",
            "application/x-www-form-urlencoded", "*", "")]
        plain.append(post(uri + "?a=/call/E", PLAIN))
        plain += [in_chunks(uri, PLAIN), in_chunks(uri, b"")]
        case.refused(400, plain)
    case.refused(400, [post("//webhook/E", PLAIN),
                       post("/webhook/./E", PLAIN),
                       post("/webhook/x/../E", PLAIN),
                       post("/%77ebhook/%45", PLAIN),
                       post("http://x/webhook/E", PLAIN)])
    got = case.world.app.since(mark)
    case.check(all(r.body == PLAIN for r in got), "%r" % got)
    # headers that would choose something else choose nothing
    case.opened([post("/webhook/E", good, *h) for h in (
        ("X-HTTP-Method-Override: GET",), ("X-Original-URL: /call/E",),
        ("Upgrade: websocket", "Connection: upgrade"), ("Range: bytes=0-1",),
        ("Connection: Content-Length",))], [PLAIN] * 5)


@threat(11, "HTTP/2: with a length, without one, in many frames, and lies")
def over_h2(case):
    good, port, world = wire(case), case.world.h2_port, case.world
    bad = good.replace(b"CANARY", b"canary")
    many = [good[i:i + 1] for i in range(len(good))]

    def asked(*parts, method=b"POST", uri=b"/webhook/E", **how):
        return h2.ask(port, method, uri, *parts, **how)

    mark = world.app.mark()
    rows = [asked(good, length=len(good)), asked(good), asked(*many),
            asked(*many, b"", length=len(good)), asked(good, b""),
            asked(good, method=b"GET")]
    for i, (status, body) in enumerate(rows):
        case.check(status == 200, "%d: %s" % (i, status))
    got = world.app.since(mark)
    case.check([r.body for r in got] == [PLAIN] * len(rows), "%r" % got)
    case.passed += len(rows)
    refused = [(401, asked(bad)), (401, asked(bad, length=len(bad))),
               (401, asked(*[bad[i:i + 9] for i in range(0, len(bad), 9)])),
               (400, asked(PLAIN)), (400, asked()), (400, asked(b"")),
               (400, asked(method=b"GET")), (400, asked(b"", length=0)),
               (400, asked(PLAIN, uri=b"/serve/E"))]
    for i, (status, (got, body)) in enumerate(refused):
        case.refusals += 1
        case.check(got == status and body == STRANGER % (TITLES[status],
                                                         status),
                   "%d: %s %r" % (i, got, body))
    mark = world.app.mark()
    # more or less than was said, and a stream that never ends
    for lie in ([good, len(good) - 1], [good, len(good) + 1], [good, 0]):
        status, body = asked(lie[0], length=lie[1])
        case.check(status in (None, 400), "%s for a lie" % status)
        case.reasons += b"about:blank" in body
    case.check(not world.app.since(mark), "a lie got through")


# 13

@threat(13, "a retry sends the same sealed body, whole and once")
def retried(case):
    world = case.world
    for part in (b"", b"HTTP/1.1 200"):
        for role, body in (("call", PLAIN), ("hook", wire(case))):
            mark, bad_mark = world.app.mark(), world.bad.mark()
            world.bad.paths = {"/%s/retry" % role: Raw(part, RESET)}
            answer = case.client.one(post("/%s/retry" % role, body))
            case.check(answer.status == 200, "%d" % answer.status)
            first, second = world.bad.since(bad_mark), world.app.since(mark)
            case.check(len(first) == len(second) == 1, "%d and %d requests"
                       % (len(first), len(second)))
            case.check(first and second and first[0] == second[0],
                       "not the same:\n%r\n%r" % (first, second))
            if role == "call":
                opened = Sweep(case, "E", "serve").open(second[0].body)
                case.check(opened.plain == PLAIN, "%r" % opened.plain)
            else:
                case.check(second[0].body == PLAIN, "%r" % second)
                case.passed += 1
    # refused: neither sees anything
    mark = world.bad.mark()
    case.refused(401, [post("/hook/retry", wire(case).replace(
        b"CANARY", b"canary"))])
    case.check(not world.bad.since(mark), "it was sent", "silence")


@threat(13, "a kept connection that has died")
def dead_connections(case):
    """The upstream closes behind each answer without a word of it."""
    world = case.world
    world.app.paths = dict(world.app.paths)
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    world.app.paths["/call/E"] = Raw(ok)
    mark = world.app.mark()
    peer = Sweep(case, "E", "serve")
    bodies = [b'{"c":"CANARY","n":%d}' % i for i in range(60)]
    answers = []
    for i, body in enumerate(bodies):
        answers.append(case.client.one(post("/call/E", body)))
        if i % 3 == 0:
            time.sleep(0.002)
    del world.app.paths["/call/E"]
    got = [peer.open(r.body).plain for r in world.app.since(mark)]
    case.check(got == sorted(set(got), key=bodies.index), "%r" % got)
    case.check(all(a.status in (200, 502) for a in answers), "statuses")
    case.check(sum(a.status == 200 for a in answers) <= len(got), "answers "
               "to nothing")


# 16

@threat(16, "bodies in files, unbuffered, with other sizes: no difference")
def in_files(case):
    world, peer = case.world, Sweep(case, "E", "webhook")
    serve = Sweep(case, "E", "serve")
    for size in (10, 1000, 5000, 200000):
        plain = b'{"c":"%s"}' % (b"CANARY" * (size // 6))
        good = peer.peer.seal_webhook(plain).body
        bad = good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]
        for way in ("file", "small", "stream"):
            uri = "/hook/" + way
            case.opened([post(uri, good), in_chunks(uri, good, size=999)],
                        [plain] * 2)
            case.refused(401, [post(uri, good.replace(b"CANARY", b"canary")),
                               in_chunks(uri, good.replace(b"CANARY",
                                                           b"canary"))])
            case.refused(400, [post(uri, b"x" * size),
                               post(uri, bad[:-1])])
            mark = world.app.mark()
            answer = case.client.one(post("/call/" + way, plain))
            got = world.app.since(mark)
            case.check(answer.status == 200 and len(got) == 1
                       and serve.open(got[0].body).plain == plain,
                       "%s: a call of %d bytes" % (way, size))
            case.refused(400, [post("/call/" + way, plain[:-1])], told=True)
    left = [name for name in glob.glob(world.path("*_temp", "**", "*"),
                                       recursive=True)
            if os.path.isfile(name)]
    case.check(not left, "left behind: %s" % left[:3])
