"""What is run against the servers and beside them: wrk, bench/bare, and
openssl speed."""

import json
import os
import re
import signal
import subprocess
import time
from collections import namedtuple

from servers import Fault

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT = "30s"         # of wrk, for one answer

Load = namedtuple("Load", "rate p50 p99")       # requests/s, seconds


def pinned(core):
    return lambda: os.sched_setaffinity(0, {core})


class Wrk:
    """A run of wrk, begun at once and ended by stop()."""

    def __init__(self, core, url, connections, words=()):
        self.child = subprocess.Popen(
            ["wrk", "-t1", "-c%d" % connections, "-d3600s", "--timeout",
             TIMEOUT, "-s", HERE + "/wrk.lua", url, "--", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, preexec_fn=pinned(core))
        while self.child.poll() is None and not self._ready():
            time.sleep(0.002)

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


def wrk(core, url, connections, seconds, words=()):
    run = Wrk(core, url, connections, words)
    time.sleep(seconds)
    return run.stop()


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
