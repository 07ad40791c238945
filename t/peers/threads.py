#!/usr/bin/python3
"""An upstream that seals and opens with keys of its own, and a driver that
puts an nginx with envelope_threads through a scenario.

    threads.py KEYS

KEYS has 2048.pem and 4096.pem.  Prints "listening on PORT" and ends when its
standard input does.  "POST /_run", with port, root and scenario as lines,
runs one and answers with what was measured; its last line is "ok" or
"not ok - why".
"""

import asyncio
import base64
import glob
import json
import os
import re
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import formats                                                # noqa: E402

KEYS = {bits: formats.load_key(os.path.join(sys.argv[1], "%d.pem" % bits))
        for bits in (2048, 4096)}

PORT, ROOT = 0, ""
CALLS = []                      # (path, body) of what came to the upstream
# everything takes its time under valgrind
SLOW = 20 if os.environ.get("TEST_NGINX_USE_VALGRIND") else 1


class Wrong(Exception):
    pass


def check(true, why):
    if not true:
        raise Wrong(why)


# messages

def encrypted(bits, data):
    """RSAES-OAEP in blocks: what nginx needs the private key for"""
    key = KEYS[bits].public_key()
    cipher = formats.oaep(key, "sha256")
    return b"".join(cipher.encrypt(part)
                    for part in formats.cut(data, formats.size(key) - 66))


def wire(data):
    return b'{"data":"' + base64.b64encode(data) + b'"}'


def unwire(data):
    return base64.b64decode(json.loads(data)["data"], validate=True)


SEALED = {}


def seal(bits, data):
    """once, since that takes a while"""
    if (bits, data) not in SEALED:
        SEALED[bits, data] = wire(encrypted(bits, data))
    return SEALED[bits, data]


def recover(bits, data):
    """what nginx has made with the private key"""
    return formats.type1_recover(unwire(data), KEYS[bits].public_key())


def plain(length):
    """JSON of that length in which every place differs"""
    text = "".join("%d." % i for i in range(length // 2))
    return ('{"a":"%s"}' % text[:length - 8]).encode()


def message(bits, length):
    return seal(bits, plain(length))


def tampered(length):
    """one bit in a block in the middle"""
    data = bytearray(unwire(message(4096, length)))
    data[len(data) // 2] ^= 1
    return wire(bytes(data))


# The upstream: /open/BITS recovers a request and answers with it sealed,
# /answer/BITS/LENGTH with a message of that length, /tampered/LENGTH with one
# that is not right, /reset/LENGTH tears the connection down behind it, and
# /later/SECONDS takes its time; all else answers with what came.

async def upstream(path, body):
    CALLS.append((path, body))
    head, _, rest = path.strip("/").partition("/")
    if head == "open":
        return seal(int(rest), recover(int(rest), body))
    if head == "answer":
        bits, _, length = rest.partition("/")
        return message(int(bits), int(length))
    if head == "reset":
        return message(4096, int(rest))
    if head == "tampered":
        return tampered(int(rest))
    if head == "later":
        await asyncio.sleep(float(rest))
    return body or b'{"none":1}'


async def serve(reader, writer):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.decode("latin-1").split(" ")[1]
        found = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
        body = await reader.readexactly(int(found[1])) if found else b""
        if path == "/_run":
            answer = (await run(body.decode())).encode()
        else:
            answer = await upstream(path, body)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(answer) + answer)
        await writer.drain()
        if path.startswith("/reset"):
            await asyncio.sleep(0.05)
            writer.transport.abort()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


# the client

def unchunked(text):
    body = b""
    while text:
        length, _, text = text.partition(b"\r\n")
        body += text[:int(length, 16)]
        text = text[int(length, 16) + 2:]
    return body


class Answer:
    def __init__(self, text, began):
        self.spent = time.monotonic() - began
        head, _, self.body = text.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0] else 0
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:]
                            if ": " in line)
        if self.headers.get("transfer-encoding") == "chunked":
            self.body = unchunked(self.body)


H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def h2_frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


def h2_field(name, value):
    """a literal of HPACK, not indexed, not compressed"""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


async def h2_begin(path, bodies):
    """one connection with a stream for each body"""
    reader, writer = await asyncio.open_unix_connection(
        os.path.join(ROOT, "h2.sock"))
    out = H2_PREFACE + h2_frame(4, 0, 0, b"")
    for i, body in enumerate(bodies):
        head = b"".join(h2_field(n, v) for n, v in (
            (b":method", b"POST"), (b":scheme", b"http"),
            (b":path", path.encode()), (b":authority", b"x")))
        out += h2_frame(1, 4, 2 * i + 1, head)
        for at in range(0, len(body), 16384):
            part = body[at:at + 16384]
            out += h2_frame(0, at + len(part) == len(body), 2 * i + 1, part)
    writer.write(out)
    await writer.drain()
    return reader, writer


def request(path, body=None, headers=""):
    head = "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s" % (
        "GET" if body is None else "POST", path, headers)
    if body is not None:
        head += "Content-Length: %d\r\n" % len(body)
    return head.encode() + b"\r\n" + (body or b"")


async def begin(path, body=None, headers=""):
    """a request that has been sent"""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(request(path, body, headers))
    await writer.drain()
    return reader, writer


async def ask(path, body=None, headers="", timeout=20):
    """status 0 when the connection broke"""
    began, text, writer = time.monotonic(), b"", None
    try:
        reader, writer = await begin(path, body, headers)
        text = await asyncio.wait_for(reader.read(-1), SLOW * timeout)
    except (OSError, asyncio.TimeoutError):
        pass
    if writer:
        writer.close()
    return Answer(text, began)


def start(path, body=None, **kw):
    return asyncio.ensure_future(ask(path, body, **kw))


def statuses(answers):
    found = {}
    for a in answers:
        found[a.status] = found.get(a.status, 0) + 1
    return found


def log():
    with open(os.path.join(ROOT, "logs", "error.log"), errors="replace") as f:
        return f.read()


def master():
    with open(os.path.join(ROOT, "logs", "nginx.pid")) as f:
        return int(f.read())


def workers(of):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == of and fields[0] != "Z":
            found.append(int(path.split("/")[2]))
    return sorted(found)


def gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


async def until(true, why, seconds=10):
    end = time.monotonic() + seconds
    while not true():
        check(time.monotonic() < end, why)
        await asyncio.sleep(0.01)


async def quiet():
    """no request is left behind: the one that asks is the only one"""
    for _ in range(500 * SLOW):
        active = re.search(rb"Active connections: (\d+)",
                           (await ask("/status")).body)
        if active and int(active[1]) == 1:
            return
        await asyncio.sleep(0.02)
    raise Wrong("%s connections are left" % (active and active[1].decode()))


def tell(lines, what, **values):
    lines.append(what + ": "
                 + ", ".join("%s %s" % (k, v) for k, v in values.items()))


def refused(answer, status, detail):
    check(answer.status == status, "status %d" % answer.status)
    check(answer.headers.get("content-type") == "application/problem+json",
          "no problem+json")
    check((b"detail" in answer.body) == detail, "detail: %s" % answer.body)
    if status == 503:
        check("retry-after" in answer.headers, "no Retry-After")


SCENARIOS = {}


def scenario(f):
    SCENARIOS[f.__name__] = f
    return f


async def run(text):
    global PORT, ROOT
    port, ROOT, line = text.split("\n")[:3]
    PORT = int(port)
    name, _, argument = line.partition(" ")
    CALLS.clear()
    lines, began = [], time.monotonic()
    try:
        f = SCENARIOS[name]
        await (f(lines, argument) if argument else f(lines))
        check("[alert]" not in log() or name == "kill", "there is an alert")
        tell(lines, "took", seconds="%.1f" % (time.monotonic() - began))
        lines.append("ok")
    except Wrong as e:
        lines.append("not ok - %s: %s" % (line, e))
    except Exception as e:              # what a scenario did not think of
        lines.append("not ok - %s: %r" % (line, e))
    return "\n".join(lines) + "\n"


# scenarios

@scenario
async def roles(lines):
    """what comes out is what went in, in one block and in many; tampered
    with it is refused, on threads as without"""
    for off in ("", "/off"):
        for bits, length in ((2048, 40), (4096, 40), (4096, 20000)):
            text, where = plain(length), "%s %d %d" % (off, bits, length)
            for role in ("call", "notify"):
                a = await ask("%s/%s/%d" % (off, role, bits), text)
                check(a.status == 200 and a.body == text, role + where)
            for role in ("serve", "webhook"):
                CALLS.clear()
                a = await ask("%s/%s/%d" % (off, role, bits),
                              message(bits, length))
                check(a.status == 200, role + where)
                check(recover(bits, a.body) == text, role + where)
                check(CALLS[-1][1] == text, "not what the peer sealed")
    CALLS.clear()
    bad = tampered(20000)
    for role in ("serve", "webhook"):
        on = await ask("/%s/4096" % role, bad)
        off = await ask("/off/%s/4096" % role, bad)
        refused(on, 401, False)
        check(on.body == off.body, "the answers differ")
    check(not CALLS, "a tampered message was passed on")
    on = await ask("/tampered")
    off = await ask("/off/tampered")
    refused(on, 502, True)
    check(on.body == off.body, "the answers differ")
    check(log().count("does not open with this key") == 6, "not logged")


@scenario
async def pools(lines):
    """which pool does the work, by nginx's debug log"""
    for path in ("/inherited", "/second", "/second/inner", "/on", "/off"):
        before = len(log())
        a = await ask(path, b'{"a":1}')
        check(recover(4096, a.body) == b'{"a":1}', path)
        pool = re.findall(r'added to thread pool "(\w+)"', log()[before:])
        lines.append("%s %s" % (path, pool))
    check(lines == ["/inherited ['first']", "/second ['second']",
                    "/second/inner ['second']", "/on ['default']",
                    "/off []"], "other pools")


@scenario
async def schedule(lines):
    """what the system is told of the threads that compute, and of no others"""
    worker, = workers(master())
    for _ in range(4):          # each has two threads, one after the other
        a = await ask("/serve/4096", message(4096, 40))
        check(a.status == 200, "status %d" % a.status)
    policies, nice = {}, set()
    for tid in map(int, os.listdir("/proc/%d/task" % worker)):
        policies.setdefault(os.sched_getscheduler(tid), []).append(tid)
        nice.add(os.getpriority(os.PRIO_PROCESS, tid))
    tell(lines, "threads", **{"policy %d:" % policy: len(tids)
                              for policy, tids in policies.items()})
    check(worker in policies[os.SCHED_OTHER], "the event loop is another")
    check(1 <= len(policies.get(os.SCHED_BATCH, [])) <= 8,
          "none computes in a batch, or more than have computed")
    check(set(policies) == {os.SCHED_OTHER, os.SCHED_BATCH}, "there are more")
    check(nice == {3}, "they are as nice as %s" % nice)


@scenario
async def busy(lines, side):
    """a pool with a thread and one place in its queue"""
    if side == "request":
        calls = [start("/tiny/request", message(4096, 5000))
                 for _ in range(12)]
    else:
        calls = [start("/tiny/response", b'{"a":1}') for _ in range(12)]
    answers = await asyncio.gather(*calls)
    found = statuses(answers)
    tell(lines, side, statuses=found, calls=len(CALLS))
    check(set(found) == {200, 503}, "what")
    for a in answers:
        if a.status == 503:
            refused(a, 503, side == "response")
        elif side == "response":
            check(a.body == plain(5000), "not what was sealed")
    if side == "request":
        check(len(CALLS) == found[200], "a refused one was passed on")
        check({b for p, b in CALLS} == {plain(5000)}, "not what was sealed")
    check(log().count(side + ": no thread is free for it") == found[503],
          "not logged")
    check('thread pool "tiny" queue overflow' in log(), "not logged")
    await quiet()


@scenario
async def heavy(lines):
    """the longest messages there may be, and short ones meanwhile"""
    text = plain(512 * 501 // 4 * 3 - 100)
    writers = [(await begin("/heavy", text))[1] for _ in range(4)]
    await asyncio.sleep(0.2)
    short, none = [], []
    for _ in range(15):
        a = await ask("/serve/2048", message(2048, 40))
        check(a.status == 200, "status %d" % a.status)
        short.append(a.spent)
        none.append((await ask("/plain")).spent)
    check(not CALLS or CALLS[0][0] != "/heavy", "they were through before")
    for w in writers:
        w.close()
    short.sort()
    none.sort()
    tell(lines, "heavy", short="%.0f ms" % (1000 * short[7]),
         longest="%.0f ms" % (1000 * short[-1]),
         without="%.0f ms" % (1000 * none[7]))
    check(short[7] < 0.5 and none[7] < 0.1, "they wait")
    await quiet()


@scenario
async def crowd(lines):
    """more heavy ones than may wait; those that wait go when clients do"""
    text = plain(9000)
    reader, writer, refusals = [], [], 0
    for _ in range(320):
        r, w = await begin("/heavy", text)
        reader.append(r)
        writer.append(w)
    await asyncio.sleep(0.1)
    for r in reader:
        try:
            line = await asyncio.wait_for(r.readline(), 0.001)
            refusals += line.startswith(b"HTTP/1.1 503")
        except asyncio.TimeoutError:
            pass
    for w in writer:
        w.close()
    await quiet()
    done = len([p for p, b in CALLS if p == "/heavy"])
    tell(lines, "crowd", refused=refusals, done=done)
    check(0 < refusals < 64, "%d were refused" % refusals)
    check(done < 200, "the others were not removed")
    check("no thread is free for it" in log(), "not logged")
    check((await ask("/heavy", text)).status == 200, "not as before")


@scenario
async def abort(lines, how):
    """clients that go away while their message is on a thread, or waits"""
    path, body = "/serve/4096", message(4096, 20000)
    if how == "request":
        path = "/deaf/4096"
    elif how == "response":
        path, body = "/deaf/4096", b'{"a":1}'
    elif how == "subrequest":
        path, body = "/ssi", None
    if how.startswith("h2"):
        # what is open when a connection begins is 65535 bytes
        _, writer = await h2_begin(path, [body])
        await asyncio.sleep(0.05)
        if how == "h2-reset":
            writer.write(h2_frame(3, 0, 1, struct.pack(">I", 8)))
            await until(lambda: "client prematurely closed" in log(),
                        "it did not notice", 0.3 * SLOW)
        writer.close()
    else:
        writers = [(await begin(path, body))[1] for _ in range(6)]
        await asyncio.sleep(0.05)
        for w in writers:
            w.close()
    await quiet()
    calls = [p for p, b in CALLS if p == "/echo"]
    check(len(calls) <= 1, "the upstream was asked for nobody")
    text = plain(2000)
    a = await ask("/call/4096", text)
    check(a.body == text, "not as before")


@scenario
async def timeout(lines):
    """send_timeout while a response is on a thread"""
    answers = await asyncio.gather(*[ask("/impatient", b'{"a":1}')
                                     for _ in range(4)])
    tell(lines, "timeout", statuses=statuses(answers))
    check("client timed out" in log(), "none did")
    await quiet()


@scenario
async def reset(lines):
    """the upstream goes away when it has said it all"""
    a = await ask("/reset", b'{"a":1}')
    check(a.status == 200 and a.body == plain(20000), "status %d" % a.status)


@scenario
async def h2(lines):
    text = plain(20000)
    curl = await asyncio.create_subprocess_exec(
        "curl", "-s", "--http2-prior-knowledge", "--unix-socket",
        os.path.join(ROOT, "h2.sock"), "--data-binary", "@-",
        "http://x/call/4096", stdin=-1, stdout=-1)
    out, _ = await curl.communicate(text)
    check(out == text, "not what was sealed: %d bytes" % len(out))
    # many at a time on one connection
    reader, writer = await h2_begin("/serve/4096", [message(4096, 2000)] * 8)
    await until(lambda: len([p for p, b in CALLS if p == "/echo"]) == 8,
                "not all came")
    check(CALLS[-1][1] == plain(2000), "not what was sealed")
    writer.close()
    await quiet()


@scenario
async def subrequests(lines):
    text = plain(20000)
    a = await ask("/ssi")
    check(a.body == text + b"|" + text, "SSI")
    a = await ask("/allowed")
    check(a.status == 200, "auth_request: %d" % a.status)
    a = await ask("/denied")
    check(a.status == 500, "auth_request, tampered: %d" % a.status)
    bad = tampered(20000)
    a = await ask("/page", bad)
    check(a.body == b"page\n" and a.status == 401, "error_page, a request")
    a = await ask("/fallback")
    check(a.body == b"fallback\n", "error_page, a response")
    CALLS.clear()
    a = await ask("/mirrored", text)
    await quiet()
    sealed = [b for p, b in CALLS if p in ("/echo", "/copy")]
    check(len(sealed) == 2 and sealed[0] == sealed[1], "mirror")
    check(recover(4096, sealed[0]) == text, "mirror")


@scenario
async def reload(lines):
    text, pid = plain(9000), master()
    old = workers(pid)
    calls = [start("/call/4096", text) for _ in range(4)]
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGHUP)
    await until(lambda: set(workers(pid)) - set(old), "no new worker")
    calls += [start("/call/4096", text) for _ in range(4)]
    answers = await asyncio.gather(*calls)
    check(all(a.body == text for a in answers), "%s" % statuses(answers))
    await until(lambda: not set(workers(pid)) & set(old), "the old one stays")
    await quiet()


@scenario
async def kill(lines):
    text, pid = plain(9000), master()
    old = workers(pid)
    calls = [start("/call/4096", text) for _ in range(4)]
    await asyncio.sleep(0.1)
    os.kill(old[0], signal.SIGKILL)
    answers = await asyncio.gather(*calls)
    check(set(statuses(answers)) <= {0, 200}, "what")
    await until(lambda: set(workers(pid)) - set(old), "no new worker")
    a = await ask("/call/4096", text)
    check(a.status == 200 and a.body == text, "not as before")


@scenario
async def quit(lines, path):
    """those under way are answered, those that wait too"""
    text, pid = plain(9000), master()
    calls = [start(path, text) for _ in range(4)]
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGQUIT)
    answers = await asyncio.gather(*calls)
    tell(lines, "quit", statuses=statuses(answers))
    check(statuses(answers) == {200: 4}, "an answer is missing")
    await until(lambda: gone(pid), "it stays")


@scenario
async def stop(lines, how):
    """what is on threads, or in a pool's queue, does not hold a worker"""
    path, length, n = how.split()
    text, pid = plain(int(length)), master()
    calls = [start(path, text) for _ in range(int(n))]
    await asyncio.sleep(0.4)
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    answers = await asyncio.gather(*calls)
    await until(lambda: gone(pid), "it stays")
    tell(lines, "stop", statuses=statuses(answers), seconds="%.2f"
         % (time.monotonic() - began))
    check(statuses(answers).get(0, 0) > 0, "it was through before")
    check(all(b[:9] == b'{"data":"' for p, b in CALLS), "one went as it was")


@scenario
async def post_action(lines):
    """nginx redirects the request whose client has gone away"""
    message(4096, 20000)
    for _ in range(3):
        _, w = await begin("/post/answer/4096/20000", b'{"a":1}')
        await until(lambda: [p for p, b in CALLS if p[:7] == "/answer"], "?")
        await asyncio.sleep(0.04)
        w.close()
        CALLS.clear()
    await asyncio.sleep(0.5)
    await quiet()


@scenario
async def post_token(lines):
    """.. or has not got its token yet"""
    for _ in range(3):
        _, w = await begin("/token/echo", b'{"a":1}')
        await asyncio.sleep(0.05)
        w.close()
    await quiet()
    check(not [p for p, b in CALLS if p == "/echo"], "a call went on")


@scenario
async def elements(lines):
    """a message of many short texts does not keep others waiting"""
    one = base64.b64encode(encrypted(4096, b"1")).decode()
    long = json.dumps({"cards": [{"pan": one}] * 100}).encode()
    alone = await ask("/cards", long)
    check(alone.status == 200 and b'"pan":1' in alone.body.replace(b" ", b""),
          "status %d" % alone.status)
    calls = [start("/cards", long) for _ in range(3)]
    await asyncio.sleep(0.1)
    short = []
    while sum(c.done() for c in calls) < 2:
        a = await ask("/serve/2048", message(2048, 40))
        check(a.status == 200, "status %d" % a.status)
        short.append(a.spent)
    answers = await asyncio.gather(*calls)
    tell(lines, "elements", alone="%.2f s" % alone.spent,
         statuses=statuses(answers), short=len(short),
         longest="%.0f ms" % (1000 * max(short)))
    check(statuses(answers) == {200: 3}, "not all were answered")
    check(len(short) >= 10, "they wait for whole messages")


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024,
                                        limit=1 << 22)
    print("listening on %d" % server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
