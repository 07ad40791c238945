#!/usr/bin/python3
"""Binary upgrades of nginx: what two binaries share; see drive.py."""

import asyncio
import fcntl
import glob
import hashlib
import hmac
import json
import os
import re
import signal
import stat
import struct
import subprocess
import time

from drive import (API, PORT, ROOT, Answer, api, ask, check, copies, fetches,
                   load, log, main, many, master, owner, statuses, tell,
                   workers)

CONF = os.path.join(ROOT, "conf", "nginx.conf")
PID = os.path.join(ROOT, "logs", "nginx.pid")

ZONE = 1024 * 1024                      # of the default zone

masters = set()


def gone(pid):
    """A daemon's zombie may wait for init for long."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def current():
    """Of the pid file, which nginx renames as binaries come and go."""
    try:
        return master()
    except (OSError, ValueError):
        return None


async def until(true, why, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        check(time.monotonic() < end, why)
        await asyncio.sleep(0.02)


def configure(old, new):
    with open(CONF) as f:
        text = f.read()
    check(old in text, "the configuration has no " + old)
    with open(CONF, "w") as f:
        f.write(text.replace(old, new))


async def upgrade():
    """The old master and the new one, whose workers serve."""
    old = master()
    check(not os.path.exists(PID + ".oldbin"), "there is one under way")
    os.kill(old, signal.SIGUSR2)

    masters.add(old)
    await until(lambda: current() not in (old, None),
                "there is no new binary")
    masters.add(master())
    await until(lambda: len(workers()) == 2, "it has no workers")
    await asyncio.sleep(0.2)
    return old, master()


async def leave(pid):
    """QUIT, and it is gone."""
    os.kill(pid, signal.SIGQUIT)
    await until(lambda: gone(pid), "%d does not quit" % pid)


async def hup(pid):
    before = set(workers(pid))
    os.kill(pid, signal.SIGHUP)
    await until(lambda: len(set(workers(pid)) - before) == 2
                and not before & set(workers(pid)), "no new workers")
    await asyncio.sleep(0.1)


def count(text):
    return log().count(text)


TAKEN, NOT_TAKEN = "is taken over", "is not taken over"


class Kept:
    """A connection that is kept, to one worker hence."""

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", PORT)
        return self

    async def ask(self, path="/call/x"):
        self.writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
                          % path.encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:]
                       if ": " in line)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(lines[0].split()[1]), headers, body, 0)


def memory_of(pid):
    """Descriptors of memory without a name."""
    found = []
    for path in glob.glob("/proc/%d/fd/*" % pid):
        try:
            if "/memfd:envelope_zone" in os.readlink(path):
                found.append(path)
        except OSError:
            pass
    return found


# scenarios

async def keep():
    """no other fetch, whatever the old binary does; renewals go on"""
    check(statuses(await many(20)) == {200: 20}, "no token")
    running = asyncio.ensure_future(load(4, 4, 0.01))
    old, new = await upgrade()
    both = set(workers(old)) | set(workers(new))
    os.kill(old, signal.SIGWINCH)
    await until(lambda: not workers(old), "the old workers stay")
    await leave(old)
    answers = await running
    pids = {int(a.headers.get("x-pid", 0)) for a in answers}
    tell("keep", statuses=statuses(answers), fetches=fetches(),
         workers=len(pids))
    check(set(statuses(answers)) == {200}, "a call failed")
    check(pids & set(workers(new)) and pids <= both, "whose workers served")
    check(fetches() == 1, "the token was not kept")
    check(count(TAKEN) == 1 and count(NOT_TAKEN) == 0, "what the log says")
    await hup(new)
    check((await ask()).status == 200 and fetches() == 1, "reload lost it")

    api("/_set?life=2&unit=in")
    api("/_revoke")
    got = [(await ask()).status, (await ask()).status]
    check(got == [401, 200] and fetches() == 2, "revoked: %s" % got)
    answers = await load(3.5)
    tell("renewed", statuses=statuses(answers), fetches=fetches())
    check(set(statuses(answers)) == {200}, "a call failed")
    check(fetches() >= 4, "it is not renewed")

    before = fetches()
    api("/_set?life=3600")
    await asyncio.sleep(1.2)
    check((await ask()).status == 200, "no token")
    before = fetches()
    old, new = await upgrade()
    await leave(old)
    check(statuses(await many(20)) == {200: 20}, "not after a second one")
    check(fetches() == before, "a second upgrade lost it")


async def both():
    """both binaries serve, the provider invalidates old tokens: one fetch an
    expiry, as within one"""
    api("/_set?life=2&unit=in&delay=0.05&api_delay=0.01&rotate=1")
    kept = [await Kept().open() for _ in range(4)]
    check((await ask()).status == 200, "no token")
    old, new = await upgrade()
    theirs = set(workers(old))
    before = fetches()
    end, answers, old_pids = time.monotonic() + 4.5, [], set()

    async def on(k):
        while time.monotonic() < end:
            a = await k.ask()
            answers.append(a)
            old_pids.add(int(a.headers["x-pid"]))
            await asyncio.sleep(0.005)

    more, *_ = await asyncio.gather(load(4.5, 4), *[on(k) for k in kept])
    n = fetches() - before
    new_pids = {int(a.headers.get("x-pid", 0)) for a in more}
    tell("both", statuses=statuses(answers + more), fetches=n,
         old=len(answers), new=len(more))
    check(set(statuses(answers + more)) == {200}, "a call failed")
    check(old_pids <= theirs, "not the old workers")
    check(new_pids & set(workers(new)), "not the new workers")
    check(3 <= n <= 5, "not one fetch an expiry")
    await leave(old)
    check((await ask()).status == 200, "not as before")


async def changed():
    """another configuration of the token has another token"""
    check((await ask()).status == 200, "no token")
    configure("X-Version one", "X-Version two")
    old, new = await upgrade()
    check(count(TAKEN) == 1, "the zone was not taken over")
    theirs = set(workers(old))
    os.kill(old, signal.SIGWINCH)
    await until(lambda: not workers(old), "the old workers stay")
    for version in ("two", "three", "four", "five"):
        if version != "two":
            configure("X-Version " + before, "X-Version " + version)
            await hup(new)
        before, n = version, fetches()
        answers = await many(10)
        pids = {int(a.headers.get("x-pid", 0)) for a in answers}
        last = api("/_state")["last"]["headers"].get("X-Version")
        check(statuses(answers) == {200: 10}, version + ": a call failed")
        check(not pids & theirs, version + ": an old worker")
        check(fetches() == n + 1, version + ": the token was kept")
        check(last == version, version + ": by another configuration")
    tell("changed", fetches=fetches())
    await leave(old)


async def slots():
    """reloads of the new binary leave the old one its token"""
    kept = await Kept().open()
    a = await kept.ask()
    check(a.status == 200, "no token")
    configure("X-Version one", "X-Version two")
    old, new = await upgrade()
    theirs = set(workers(old))
    version = "two"
    for following in ("three", "four", "five"):
        check((await ask()).status == 200, version)
        configure("X-Version " + version, "X-Version " + following)
        version = following
        await hup(new)
    n = fetches()
    answers = [await kept.ask() for _ in range(5)]
    tell("slots", statuses=statuses(answers), fetches=fetches())
    check({int(a.headers["x-pid"]) for a in answers} <= theirs,
          "not an old worker")
    check(statuses(answers) == {200: 5}, "an old worker has no token")
    check(fetches() == n, "an old worker had to fetch another")
    await leave(old)
    check((await ask()).status == 200, "not as before")


async def rollback():
    """the new binary goes, the old one goes on; and another try"""
    check((await ask()).status == 200, "no token")
    old, new = await upgrade()
    os.kill(old, signal.SIGWINCH)
    await until(lambda: not workers(old), "the old workers stay")
    check(statuses(await many(10)) == {200: 10}, "not by the new one")
    os.kill(old, signal.SIGHUP)
    await until(lambda: len(workers(old)) == 2, "the old workers do not return")
    await leave(new)
    await until(lambda: current() == old, "the old one is not back")
    check(statuses(await many(10)) == {200: 10}, "not by the old one")
    await hup(old)
    check(statuses(await many(10)) == {200: 10}, "not after a reload")
    check(fetches() == 1, "the token was not kept")
    old, new = await upgrade()
    await leave(old)
    answers = await many(10)
    tell("rollback", statuses=statuses(answers), fetches=fetches())
    check(statuses(answers) == {200: 10}, "not at the second try")
    check(fetches() == 1 and count(TAKEN) == 2, "the token was not kept")
    check(len(memory_of(master())) == 1, "descriptors")


async def killed():
    """an old worker is killed in its fetch, then its master and all"""
    kept = await Kept().open()
    check((await kept.ask()).status == 200, "no token")
    old, new = await upgrade()
    theirs = workers(old)
    api("/_set?delay=1")
    api("/_revoke")
    check((await kept.ask()).status == 401, "what is revoked")
    n = fetches()
    call = asyncio.ensure_future(kept.ask())
    pid = None
    for _ in range(200):
        await asyncio.sleep(0.01)
        ports = api("/_state")["ports"]
        pid = owner(ports[0], theirs) if ports else None
        if pid:
            break
    check(pid, "no old worker fetches")
    api("/_set?delay=0.1")
    began = time.monotonic()
    os.kill(old, signal.SIGSTOP)        # so that it has no time to clean up
    os.kill(pid, signal.SIGKILL)
    os.kill(old, signal.SIGKILL)
    for p in theirs:
        if not gone(p):
            os.kill(p, signal.SIGKILL)
    answers = await many(20)
    spent = time.monotonic() - began
    try:
        await call
    except (OSError, EOFError):
        pass
    tell("killed", statuses=statuses(answers), after="%.2f s" % spent,
         fetches=fetches() - n)
    check(statuses(answers) == {200: 20}, "nobody takes over")
    check(fetches() == n + 2, "not one more fetch")
    check(spent < 4, "too late")

    os.kill(workers(new)[0], signal.SIGKILL)
    await until(lambda: len(workers(new)) == 2, "no other worker")
    await hup(new)
    check(statuses(await many(20)) == {200: 20}, "not after a reload")
    check(fetches() == n + 2, "the token was not kept")
    os.unlink(PID + ".oldbin")
    old, new = await upgrade()
    await leave(old)
    check(statuses(await many(20)) == {200: 20}, "not after an upgrade")
    check(fetches() == n + 2, "an upgrade lost it")


async def size():
    """a zone of another size, or name, is another zone"""
    check((await ask()).status == 200, "no token")
    n = 1
    for before, after in (("envelope:1m", "envelope:2m"),
                          ("envelope:2m", "tokens:2m")):
        configure("envelope_zone " + before, "envelope_zone " + after)
        old, new = await upgrade()
        check(len(memory_of(new)) == 1, after + ": descriptors")
        await leave(old)
        check(statuses(await many(10)) == {200: 10}, after + ": a call failed")
        n += 1
        check(fetches() == n, after + ": not one fetch")
        check(count("not taken over: its name, size or layout") == n - 1,
              after + ": the log")
    configure("envelope_zone tokens:2m", "envelope_zone tokens:3m")
    await hup(master())
    check(statuses(await many(10)) == {200: 10} and fetches() == n + 1,
          "a reload with another size")
    check(len(memory_of(master())) == 1, "descriptors after a reload")
    old, new = await upgrade()
    await leave(old)
    check(statuses(await many(10)) == {200: 10} and fetches() == n + 1,
          "an upgrade after a reload with another size")
    tell("size", fetches=fetches())


async def damaged():
    """what the new binary does not like, it leaves to the old one"""
    zone = "/proc/%d/fd/%s"
    check((await ask()).status == 200, "no token")

    async def attempt(offset, data, why):
        """Changed for the new binary, and back for the old one."""
        path, n = memory_of(master())[0], fetches()
        with open(path, "r+b", buffering=0) as f:
            was = os.pread(f.fileno(), len(data), offset)
            os.pwrite(f.fileno(), data, offset)
            old, new = await upgrade()
            os.pwrite(f.fileno(), was, offset)
        check(count(NOT_TAKEN + ": " + why) == 1, why + ": the log")
        os.kill(old, signal.SIGWINCH)
        await until(lambda: not workers(old), "the old workers stay")
        check(statuses(await many(10)) == {200: 10}, why + ": a call failed")
        check(fetches() == n + 1, why + ": not one fetch")
        check(len(memory_of(new)) == 1, why + ": descriptors")
        os.kill(old, signal.SIGHUP)
        await until(lambda: len(workers(old)) == 2, "no workers")
        await leave(new)
        await until(lambda: current() == old, "the old one is not back")
        check(statuses(await many(10)) == {200: 10}, why + ": a call failed")
        check(fetches() == n + 1, why + ": the old binary lost its token")

    label = os.pread(os.open(memory_of(master())[0], os.O_RDONLY), 512, ZONE)
    check(label.startswith(b"envelope_zone "), "no label")
    tell("label", is_=label.rstrip(b"\0").decode())
    await attempt(ZONE, b"X", "its name, size or layout is another")
    await attempt(ZONE + 512, struct.pack("P", 1 << 62),
                  "its address is not free")
    await attempt(ZONE + 512, struct.pack("P", 1 << 45), "it is damaged")
    await attempt(0, struct.pack("L", os.getpid()), "it is locked")

    # the lock of one that is no more

    child = subprocess.Popen(["true"])
    child.wait()
    n = fetches()
    with open(memory_of(master())[0], "r+b", buffering=0) as f:
        os.pwrite(f.fileno(), struct.pack("L", child.pid), 0)
    old, new = await upgrade()
    await leave(old)
    check(statuses(await many(10)) == {200: 10}, "a call failed")
    check(fetches() == n and count(TAKEN) == 1, "it was not unlocked")
    tell("damaged", fetches=fetches())


async def descriptors():
    """one in the master, none in the workers, whatever is done to it"""
    check((await ask()).status == 200, "no token")

    def look(when):
        found = memory_of(master())
        check(len(found) == 1, "%s: the master has %d" % (when, len(found)))
        for pid in workers():
            check(not memory_of(pid), when + ": a worker has one")
        st = os.stat(found[0])
        check(stat.S_IMODE(st.st_mode) == 0o600, when + ": anybody's")
        fd = os.open(found[0], os.O_RDONLY)
        seals = fcntl.fcntl(fd, 1034)   # F_GET_SEALS
        os.close(fd)
        check(seals & 7 == 7, when + ": not sealed")
        # of the memory that is mapped there is no other
        with open("/proc/%d/maps" % master()) as f:
            check(f.read().count("memfd:envelope_zone") == 1, when + ": maps")

    look("at first")
    for _ in range(3):
        await hup(master())
    look("after reloads")

    # fails after the zone is set up: somebody listens there

    with open(CONF) as f:
        listen = re.search(r"listen +%d" % PORT, f.read())[0]
    configure(listen, "%s; listen %d" % (listen, API))
    os.kill(master(), signal.SIGHUP)
    await until(lambda: count("still could not bind()") == 1,
                "the reload does not fail")
    await asyncio.sleep(0.2)
    look("after a reload that failed")
    configure("%s; listen %d" % (listen, API), listen)
    check((await ask()).status == 200, "a call failed")

    # nobody else's doing: "nginx -t" and "nginx -s", even with this environment

    binary = os.readlink("/proc/%d/exe" % master())
    command = [binary, "-p", ROOT + "/", "-c", CONF]
    fd = os.open(memory_of(master())[0], os.O_RDWR)
    for more in (["-t"], ["-s", "reload"]):
        done = subprocess.run(command + more, stderr=subprocess.PIPE,
                              pass_fds=[fd], env=dict(
                                  os.environ, NGINX="",
                                  NGX_ENVELOPE_ZONE=str(fd),
                                  LD_PRELOAD=os.environ.get(
                                      "TEST_NGINX_LD_PRELOAD", "")))
        check(done.returncode == 0, "nginx %s: %s" % (more, done.stderr))
        await asyncio.sleep(0.5)
    os.close(fd)
    look("after nginx -t, -s")
    check(count(TAKEN) + count(NOT_TAKEN) == 0, "nginx -t took it")

    old, new = await upgrade()
    check(len(memory_of(old)) == 1, "the old one has another")
    look("of the new one")
    await leave(old)
    await hup(new)
    look("after all")
    answers = await many(10)
    tell("descriptors", statuses=statuses(answers), fetches=fetches())
    check(statuses(answers) == {200: 10} and fetches() == 1, "not kept")


def hook(id, key=b"h00k"):
    mac = hmac.new(key, id.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"id": id, "mac": mac}).encode()


async def deliver(id, n=1, **more):
    """Statuses of that many copies at a time, and whose workers they were."""
    answers = await many(n, "/hook", body=hook(id, **more))
    return statuses(answers), {int(a.headers.get("x-pid", 0))
                               for a in answers}


async def marks():
    """a message that one binary has delivered is a replay for the other"""
    check((await deliver("a"))[0] == {200: 1}, "the first one")
    check((await deliver("a"))[0] == {409: 1}, "its replay")
    old, new = await upgrade()
    theirs, ours = set(workers(old)), set(workers(new))

    check((await deliver("forged", key=b"other"))[0] == {401: 1}, "forged")
    check((await deliver("forged"))[0] == {200: 1}, "a mark of a forged one")
    pids = set()
    for i in range(50):
        got, more = await deliver("b%d" % i, 8)
        check(got == {200: 1, 409: 7}, "copies at a time: %s" % got)
        got, again = await deliver("a")
        check(got == {409: 1}, "what the old one delivered: %s" % got)
        pids |= more | again
        if pids & theirs and pids & ours:
            break
    tell("marks", messages=i + 1, old=len(pids & theirs),
         new=len(pids & ours))
    check(pids & theirs and pids & ours, "not by both")

    await leave(old)
    for id in ("a", "b0", "b%d" % i, "forged"):
        check((await deliver(id))[0] == {409: 1}, "afterwards: " + id)
    check((await deliver("c"))[0] == {200: 1}, "another one")
    await hup(new)
    check((await deliver("c"))[0] == {409: 1}, "after a reload")


async def hidden():
    """the token is in no core file of either binary, nor of a master"""
    check((await ask()).status == 200, "no token")
    old, new = await upgrade()
    check(statuses(await many(20)) == {200: 20}, "a call failed")
    await asyncio.sleep(0.1)
    for pid in [old, new] + workers(old) + workers(new):
        found = copies(pid)
        check(found == (0, 0, 1), "%d: %s" % (pid, found))
    await leave(old)
    tell("hidden", fetches=fetches())


try:
    main(globals(), alerts=("killed",))
finally:
    for pid in masters:                 # what a failure has left
        if not gone(pid) and pid != current():
            for p in [pid] + workers(pid):
                os.kill(p, signal.SIGKILL)
