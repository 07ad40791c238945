"""What is run against the servers and beside them: wrk, bench/bare, openssl
speed, and perf."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import namedtuple

from servers import Fault

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT = "30s"         # of wrk, for one answer
FREQUENCY = 1999        # of perf's samples

Load = namedtuple("Load", "rate p50 p99")       # requests/s, seconds


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


class Wrk:
    """with Wrk(..) as wrk: a run of wrk, begun at once; wrk.stop() tells."""

    def __init__(self, core, url, connections, words=()):
        self.child = subprocess.Popen(
            ["wrk", "-t1", "-c%d" % connections, "-d3600s", "--timeout",
             TIMEOUT, "-s", HERE + "/wrk.lua", url, "--", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, preexec_fn=pinned(core))
        while self.child.poll() is None and not self._ready():
            time.sleep(0.002)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()

    def _ready(self):
        """Whether SIGINT would be caught: set up just before it starts."""
        with open("/proc/%d/status" % self.child.pid) as f:
            caught = re.search(r"^SigCgt:\s*(\w+)", f.read(), re.M)
        return caught and int(caught[1], 16) >> (signal.SIGINT - 1) & 1

    def stop(self):
        """Has it sum up and exit.  One signal may be too early to be seen."""
        for _ in range(100):
            self.child.send_signal(signal.SIGINT)
            try:
                out, _ = self.child.communicate(timeout=1)
                return self._load(out)
            except subprocess.TimeoutExpired:
                continue
        self.child.kill()
        raise Fault("wrk does not end")

    def _load(self, out):
        try:
            got = json.loads(out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Fault("wrk:\n" + out)
        if got["failed"] or not got["requests"]:
            raise Fault("wrk: %d requests, %d failed\n%s"
                        % (got["requests"], got["failed"], out))
        return Load(got["requests"] * 1e6 / got["us"], got["p50"] / 1e6,
                    got["p99"] / 1e6)


class Client:
    """with Client(..) as client: one connection; client.ask() has one request
    answered, with 200."""

    def __init__(self, port, path, body, headers):
        request = "%s /%s HTTP/1.1\r\nHost: localhost\r\n" % (
            "GET" if body is None else "POST", path)
        if body is not None:
            request += "Content-Type: application/json\r\n"
            request += "Content-Length: %d\r\n" % len(body)
        request += "".join("%s: %s\r\n" % header for header in headers)
        self.request = request.encode() + b"\r\n" + (body or b"")
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self):
        self.socket.sendall(self.request)
        _answer(self.socket)


def paced(core, client, pause, seconds):
    """Requests one at a time, each so many seconds after the answer to the
    one before.  It waits in a loop: who sleeps is woken too late."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            client.ask()
            ready = time.perf_counter() + pause
            while time.perf_counter() < ready:
                pass
    finally:
        os.sched_setaffinity(0, everywhere)


def _answer(s):
    got = b""
    while b"\r\n\r\n" not in got:
        got += _more(s)
    head, _, rest = got.partition(b"\r\n\r\n")
    length = re.search(rb"^Content-Length: (\d+)\r?$", head, re.M | re.I)
    if not head.startswith(b"HTTP/1.1 200 ") or not length:
        raise Fault("a request was answered:\n" + head.decode())
    left = int(length[1]) - len(rest)
    while left > 0:
        left -= len(_more(s))


def _more(s):
    got = s.recv(65536)
    if not got:
        raise Fault("a connection was closed")
    return got


def bare(program, core, seconds, operations):
    """Seconds of CPU time that these operations take together."""
    if not operations:
        return 0
    done = subprocess.run([program, str(seconds), *operations],
                          capture_output=True, text=True,
                          preexec_fn=pinned(core))
    if done.returncode:
        raise Fault(done.stderr)
    return int(done.stdout) / 1e9


def speed(core, bits):
    """Private and public RSA operations a second."""
    done = subprocess.run(["openssl", "speed", "-mr", "-seconds", "1",
                           "rsa%d" % bits], capture_output=True, text=True,
                          preexec_fn=pinned(core))
    found = re.search(r"^\+F2:\d+:%d:([\d.]+):([\d.]+)" % bits, done.stdout,
                      re.M)
    if not found:
        raise Fault("openssl speed:\n" + done.stdout + done.stderr)
    return float(found[1]), float(found[2])


# perf

def record(pid, file, seconds):
    """Without a counter of cycles, as on many virtual machines, perf takes
    the clock by itself."""
    if not shutil.which("perf"):
        raise Fault("there is no perf here: apt-get install linux-perf")
    done = subprocess.run(
        ["perf", "record", "-o", file, "-F", str(FREQUENCY), "--call-graph",
         "dwarf,16384", "-p", str(pid), "--", "sleep", str(seconds)],
        capture_output=True, text=True)
    if done.returncode:
        raise Fault("perf record:\n" + done.stderr)


def samples(file):
    """[(percent with what it calls, by itself, object, symbol), ..]"""
    done = subprocess.run(
        ["perf", "report", "-i", file, "--stdio", "-g", "none", "--children",
         "--no-inline", "-s", "dso,symbol", "-t", "\t"],
        capture_output=True, text=True)
    if done.returncode:
        raise Fault("perf report:\n" + done.stderr)
    found = []
    for line in done.stdout.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) >= 4 and fields[0].endswith("%"):
            found.append((float(fields[0][:-1]), float(fields[1][:-1]),
                          fields[2], fields[3].partition("] ")[2]))
    return found
