"""Threats 12 and 14: the ways through nginx, and a hostile provider."""

import gzip
import re
import threading
import time

from client import Connection, post, request
from framing import PLAIN, chunked, wire
from meter import Meter
from sweeps import Sweep
from table import threat
from upstream import RESET, Raw, framed

WAYS = ("mirror", "page", "uri", "try", "auth", "ssi", "retry")


# 12

@threat(12, "mirror, error_page, try_files, auth_request, SSI: refused")
def refused_ways(case):
    """A message that does not open brings its body to none of them."""
    world, good = case.world, wire(case)
    for status, body in ((401, good.replace(b"CANARY", b"canary")),
                         (400, PLAIN), (400, b"CANARY")):
        for way in WAYS:
            mark, bad_mark = world.app.mark(), world.bad.mark()
            if way in ("page", "uri"):
                # another place is asked, without the body
                case.reasons += 1
                answer = case.client.one(post("/hook/" + way, body))
                case.check(answer.status == 200, "%s: %d" % (way,
                                                             answer.status))
            else:
                case.refused(status, [post("/hook/" + way, body)])
            got = world.app.since(mark) + world.bad.since(bad_mark)
            # auth_request asks before a body is looked at, without one
            allowed = {"page": 1, "uri": 1, "auth": 1}.get(way, 0)
            case.check(len(got) == allowed and not any(r.body for r in got),
                       "%s: %r" % (way, got), "silence")
            if way == "page":
                case.passed += len(got)     # the same URI, nothing in it


@threat(12, "the same ways: a call is sealed wherever it goes, and once")
def sealed_ways(case):
    world, peer = case.world, Sweep(case, "E", "serve")
    world.app.answers = {"9": Raw(framed(b"{}", "502 Bad Gateway",
                                         "Connection: close"))}
    for way in WAYS:
        for query in ("", "?n=9"):
            mark, bad_mark = world.app.mark(), world.bad.mark()
            case.client.one(post("/call/%s%s" % (way, query), PLAIN))
            time.sleep(0.02)            # for the mirror
            got = world.app.since(mark) + world.bad.since(bad_mark)
            bodies = [r.body for r in got if r.body]
            case.check(bodies, way + ": nothing was sent")
            for body in bodies:
                case.check(peer.open(body).plain == PLAIN,
                           "%s: %r is not sealed" % (way, body))
            case.check(len(set(bodies)) == 1, "%s: not one body" % way)
    world.app.answers = {}


@threat(12, "the same ways: a webhook is opened once, whoever gets it")
def opened_ways(case):
    world, good = case.world, wire(case)
    world.bad.paths = {"/hook/retry": Raw(RESET)}
    for way in WAYS:
        mark = world.app.mark()
        answer = case.client.one(post("/hook/" + way, good))
        time.sleep(0.02)
        got = world.app.since(mark)
        case.passed += sum(r.uri.startswith("/hook/") for r in got)
        case.check(answer.status == 200 and
                   {r.body for r in got if r.body} == {PLAIN},
                   "%s: %d, %r" % (way, answer.status, got))


@threat(12, "X-Accel-Redirect and a provider's header fields")
def accel(case):
    world, peer = case.world, Sweep(case, "E", "serve")
    for to in ("/mirrored", "/call/E", "@other"):
        # once: @other asks with the same URI
        left = [Raw(framed(b"{}", "200 OK", "Connection: close",
                           "X-Accel-Redirect: " + to))]
        world.app.answers = {"5": lambda _, left=left: left.pop() if left
                             else b"{}"}
        mark = world.app.mark()
        case.client.one(post("/call/E?n=5", PLAIN))
        got = world.app.since(mark)
        for r in got:
            if r.body:
                case.check(peer.open(r.body).plain == PLAIN, "%s: %r"
                           % (to, r))
        case.check(len(got) == 2, "%s: %r" % (to, got))
        case.check(not any(r.body == PLAIN for r in got), to, "silence")
    world.app.answers = {}


# 14

@threat(14, "a provider without a status line: HEAD, and the next request")
def no_status(case):
    """The bytes of such an answer must not be in front of the next one."""
    world = case.world
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    for method in ("HEAD", "POST", "GET"):
        world.app.answers = {"1": Raw(b"x\r\n" + evil * 3)}
        c = Connection(world.port)
        c.send(request(method, "/hostile?n=1", b'{"bizContent":1}')
               + post("/webhook/E", wire(case)))
        answer = c.read(head_only=method == "HEAD")
        case.check(answer.status == 502, "%s: %d" % (method, answer.status))
        case.refusals += 1
        case.check(c.read().body == b'{"ok":true}', method + ": the next one")
        case.passed += 1
        c.close()
    # an application that answers so: what should be sealed stays inside
    world.app.answers = {"1": Raw(b'{"code":200,"bizContent":"CANARY"}')}
    c = Connection(world.port)
    c.send(post("/serve/B?n=1", wire(case, "B", "serve")))
    answer = c.read()
    case.check(answer.status == 500 and b"CANARY" not in answer.body,
               "%d %r" % (answer.status, answer.body))
    case.reasons += 1
    case.passed += 1
    c.close()
    world.app.answers = {}


def hostile(case):
    """(name, what is sent, what becomes of it): "refused", "passed"."""
    body = Sweep(case, "B", "call").wire.body
    n = len(body)
    ok = b"HTTP/1.1 200 OK\r\n"
    length = b"Content-Length: %d\r\n"
    bomb = gzip.compress(bytes(100 << 20), 9)
    zipped = b"Content-Encoding: gzip\r\n"

    def whole(data, head=b"", start=ok):
        return Raw(start + head + length % len(data) + b"\r\n" + data)

    unsigned = re.sub(rb',"sig":"[^"]*"', b"", body)
    yield "refused", "signature missing", whole(unsigned)
    yield "refused", "plain", whole(b'{"code":200,"bizContent":{"a":1}}')
    yield "refused", "plain, no object", whole(b"[1]")
    yield "refused", "not JSON", whole(b"<html>CANARY</html>")
    yield "refused", "empty", whole(b"")
    yield "refused", "no length, empty", Raw(ok + b"\r\n")
    yield "refused", "truncated", Raw(ok + length % n + b"\r\n" + body[:-1])
    yield "refused", "truncated at once", Raw(ok + length % n + b"\r\n")
    yield "refused", "reset", Raw(ok + length % n + b"\r\n" + body[:n // 2],
                                  0.02, RESET)
    yield "refused", "chunks without an end", Raw(
        ok + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body)[:-5])
    yield "refused", "chunks that are none", Raw(
        ok + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body)
    yield "refused", "half, to the end of the connection", Raw(
        ok + b"\r\n" + body[:n // 2])
    yield "refused", "206", whole(body, b"Content-Range: bytes 0-%d/%d\r\n"
                                  % (n - 1, n), b"HTTP/1.1 206 P\r\n")
    yield "refused", "gzip bomb", whole(bomb, zipped)
    yield "refused", "gzip in gzip", whole(gzip.compress(bomb), zipped)
    yield "refused", "gzip, cut", whole(gzip.compress(body)[:-9], zipped)
    yield "refused", "gzip, junk behind", whole(gzip.compress(body) + b"x",
                                                zipped)
    yield "refused", "no gzip", whole(body, zipped)
    yield "refused", "br", whole(body, b"Content-Encoding: br\r\n")
    yield "refused", "100 MB", Raw(ok + length % (100 << 20) + b"\r\n"
                                   + bytes(1 << 20))
    yield "refused", "100 MB of chunks", Raw(
        ok + b"Transfer-Encoding: chunked\r\n\r\n",
        *[b"100000\r\n" + bytes(1 << 20) + b"\r\n"] * 100)
    yield "refused", "201", whole(body[:-1], start=b"HTTP/1.1 201 C\r\n")
    yield "refused", "299", whole(body[1:], start=b"HTTP/1.1 299 X\r\n")
    yield "passed", "204", Raw(b"HTTP/1.1 204 N\r\n\r\n")
    yield "passed", "304", Raw(b"HTTP/1.1 304 N\r\n\r\n")
    yield "passed", "500", whole(b"EVIL", start=b"HTTP/1.1 500 X\r\n")
    yield "passed", "301", whole(b"", b"Location: http://evil/\r\n",
                                 b"HTTP/1.1 301 M\r\n")
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    yield "passed", "204", Raw(b"HTTP/1.1 204 N\r\nContent-Length: 42\r\n\r\n"
                               + evil)
    yield "passed", "304", Raw(b"HTTP/1.1 304 N\r\n\r\n" + evil)
    # what has no status is HTTP/0.9 to nginx, which would answer likewise
    yield "refused", "no HTTP", Raw(b"SSH-2.0-x\r\n")
    yield "refused", "no header", Raw(body)
    yield "refused", "a line in front", Raw(b"\r\n" + evil)
    yield "refused", "status 000", whole(b"EVIL", start=b"HTTP/1.1 000 X\r\n")
    yield "refused", "status 099", whole(b"EVIL", start=b"HTTP/1.1 099 X\r\n")
    for n in (100, 101, 102, 103, 199):
        yield "interim", str(n), Raw(b"HTTP/1.1 %d X\r\n\r\n" % n + evil)
        yield "interim", str(n), whole(evil,
                                       start=b"HTTP/1.1 %d X\r\n" % n)
    yield "nginx", "nothing", Raw(b"")
    yield "nginx", "two lengths", Raw(ok + length % n * 2 + b"\r\n" + body)
    yield "nginx", "a length that is none", Raw(
        ok + b"Content-Length: -1\r\n\r\n" + body)
    yield "nginx", "a megabyte of header", Raw(ok + b"X: " + b"y" * (1 << 20))


@threat(14, "a hostile provider: never a 200 with less than all of it")
def provider(case):
    world = case.world
    rows = list(hostile(case))
    plain = b'{"code":200,"bizContent":{"c":"CANARY"}}'
    meter = Meter(case)
    for i, (what, name, raw) in enumerate(rows):
        world.app.answers = {"1": raw}
        c = Connection(world.port)
        close = ["Connection: close"] if what == "interim" else []
        c.send(post("/hostile?n=1", b'{"bizContent":1}', *close))
        if what == "interim":
            # nobody must take what follows for the answer, but nginx does
            # since 1.29, of early hints: it is refused like any other
            got = c.stream.read()
            refused = name == "103" and got[9:12] == b"502"
            case.reasons += refused
            case.check((got[9:12] == name.encode() or refused)
                       and b"EVIL" not in got, "%s: %r" % (name, got))
            continue
        answer = c.read()
        c.close()
        case.check(answer.status != 200 or answer.body == plain,
                   "%s: %d %r" % (name, answer.status, answer.body))
        if what == "refused":
            case.one_refused(502, answer, name)
        elif what == "passed":
            case.check(name == str(answer.status), "%s: %d"
                       % (name, answer.status))
        else:
            # nginx's own to refuse, if it does
            case.reasons += answer.ours
            case.check(answer.status == 502 or answer.body == plain,
                       "%s: %d %r" % (name, answer.status, answer.body))
    world.app.answers = {}
    used = meter.memory("all of them", 24 << 20)
    case.note("%.1f MB" % (used / 1e6))
    meter.time("all of them", 3)


@threat(14, "a byte at a time: others are served meanwhile")
def slow(case):
    world = case.world
    body = Sweep(case, "B", "call").wire.body
    plain = b'{"code":200,"bizContent":{"c":"CANARY"}}'
    parts = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
             b"Connection: close\r\n\r\n" % len(body)]
    for i in range(0, len(body), 4):
        parts += [body[i:i + 4], 0.01]
    world.app.answers = {"1": Raw(*parts), "2": Raw(*parts[:-20])}
    answers = {}

    def ask(n):
        c = Connection(world.port)
        c.send(post("/call/B?n=%s" % n, b'{"bizContent":1}'))
        answers[n] = c.read()
        c.close()

    mark = world.app.mark()
    threads = [threading.Thread(target=ask, args=(n,)) for n in "12"]
    for t in threads:
        t.start()
    good, spent = wire(case), []
    # what follows counts what the application gets
    until = time.monotonic() + 5
    while len(world.app.since(mark)) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    while any(t.is_alive() for t in threads):
        began = time.monotonic()
        case.opened([post("/webhook/E", good)], [PLAIN])
        spent.append(time.monotonic() - began)
        time.sleep(0.02)
    world.app.answers = {}
    case.check(answers["1"].body == plain, "%r" % answers["1"].body)
    case.one_refused(502, answers["2"], "the one that ends early")
    case.check(sorted(spent)[len(spent) // 2] < 0.1, "others wait")
