"""What drivers of nginx share: callers, its processes, its log.

    DRIVER NGINX_PORT API_PORT SERVROOT SCENARIO

/call/ on nginx is a call with a token of tokens.py, /plain is none; X-Pid in
the answer to a call is the worker.  A driver prints what it measured, then
"ok" or "not ok - why" as its last line.
"""

import asyncio
import glob
import json
import os
import re
import sys
import time
import urllib.request

PORT, API = int(sys.argv[1]), int(sys.argv[2])
ROOT, SCENARIO = sys.argv[3], sys.argv[4]


class Wrong(Exception):
    pass


def check(true, why):
    if not true:
        raise Wrong(why)


def tell(what, **values):
    print(what + ": " + ", ".join("%s %s" % (k, v) for k, v in values.items()))


def api(path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (API, path),
                                timeout=10) as answer:
        return json.load(answer)


def fetches():
    return api("/_state")["fetches"]


class Answer:
    def __init__(self, status, headers, body, spent):
        self.status, self.headers = status, headers
        self.body, self.spent = body, spent


async def ask(path="/call/x", body=None, timeout=20):
    """One request on a connection of its own; status 0 when it broke."""
    began = time.monotonic()
    writer = None
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        head = "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % (
            "POST" if body is not None else "GET", path)
        if body is not None:
            head += "Content-Length: %d\r\n" % len(body)
        writer.write(head.encode() + b"\r\n" + (body or b""))
        text = await asyncio.wait_for(reader.read(-1), timeout)
    except (OSError, asyncio.TimeoutError):
        return Answer(0, {}, b"", time.monotonic() - began)
    finally:
        if writer:
            writer.close()
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0]:
        return Answer(0, {}, b"", time.monotonic() - began)
    headers = dict(line.lower().split(": ", 1) for line in lines[1:]
                   if ": " in line)
    return Answer(int(lines[0].split()[1]), headers, body,
                  time.monotonic() - began)


async def many(n, path="/call/x", **kw):
    return await asyncio.gather(*[ask(path, **kw) for _ in range(n)])


def statuses(answers):
    found = {}
    for a in answers:
        found[a.status] = found.get(a.status, 0) + 1
    return found


async def load(seconds, n=6, pause=0.005):
    """n callers, one call after the other."""
    end, answers = time.monotonic() + seconds, []

    async def one():
        while time.monotonic() < end:
            answers.append(await ask())
            await asyncio.sleep(pause)

    await asyncio.gather(*[one() for _ in range(n)])
    return answers


def files():
    return [path for path in glob.glob(os.path.join(ROOT, "**"), recursive=True)
            if os.path.isfile(path)]


def log():
    with open(os.path.join(ROOT, "logs", "error.log")) as f:
        return f.read()


def master():
    with open(os.path.join(ROOT, "logs", "nginx.pid")) as f:
        return int(f.read())


def workers(of=None):
    """Of that master, but for those that are shutting down."""
    of, found = of or master(), []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            with open(path[:-4] + "cmdline") as f:
                title = f.read().rstrip("\0 ")
        except OSError:
            continue
        if int(fields[1]) == of and title.endswith("worker process"):
            found.append(int(path.split("/")[2]))
    return sorted(found)


def owner(port, pids=None):
    """The worker whose socket has that local port; connections to other
    peers, one in TIME_WAIT among them, may have the same."""
    sockets = set()
    with open("/proc/net/tcp") as f:
        for line in f.readlines()[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == port and \
                    fields[2] != "00000000:0000" and fields[9] != "0":
                sockets.add("socket:[%s]" % fields[9])
    for pid in pids or workers():
        for fd in glob.glob("/proc/%d/fd/*" % pid):
            try:
                if os.readlink(fd) in sockets:
                    return pid
            except OSError:
                pass
    return None


def copies(pid):
    """Tokens in a process's memory: its own, shared that core files hold, and
    shared that they leave out."""
    found, dumped, hidden = 0, 0, 0
    with open("/proc/%d/smaps" % pid) as f:
        maps = re.split(r"\n(?=[0-9a-f]+-)", f.read())
    for text in maps:
        fields = text.split()
        start, end = (int(x, 16) for x in fields[0].split("-"))
        if fields[1][0] != "r" or end - start > 1 << 28 or "[v" in text:
            continue
        try:
            with open("/proc/%d/mem" % pid, "rb", buffering=0) as f:
                f.seek(start)
                n = len(re.findall(rb"tok-canary-[0-9a-f]{8}",
                                   f.read(end - start)))
        except OSError:
            continue
        if fields[1][3] == "p":
            found += n
        elif " dd" not in text.partition("VmFlags:")[2]:
            dumped += n
        else:
            hidden += n
    return found, dumped, hidden


def main(scenarios, alerts=()):
    """Those in alerts may leave one in the log."""
    name, _, argument = SCENARIO.partition(" ")
    api("/_reset")
    try:
        run = scenarios[name]
        asyncio.run(run(argument) if run.__code__.co_argcount else run())
        for path in files():
            with open(path, errors="replace") as f:
                check("tok-canary" not in f.read(), path + " has a token")
        with open(os.path.join(ROOT, "logs", "token.log")) as f:
            check(all(line[:3] in ("[-]", "[] ") for line in f),
                  "a token's place")
        check("[alert]" not in log() or name in alerts,
              "there is an alert in the log")
        print("ok")
    except Wrong as e:
        print("not ok - %s: %s" % (SCENARIO, e))
