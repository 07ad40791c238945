#!/usr/bin/python3
"""What the module costs, beside plain proxying and beside OpenSSL alone.

Starts nginx with one worker on one core, wrk and the upstream on another.  On a
machine that has nothing else to do, please.

Each workload is measured in rounds.  A round is plain proxying (an nginx
without the module, otherwise configured alike, which is sent the same bytes
by the client and by the upstream), the module, and the bare OpenSSL
operations of a message (bench/operations.c), in slices of some tenths of a
second, in turn and on the same core, with processes of its own.  Figures are
medians of the rounds; in brackets the lowest and the highest.

With many connections, all of them busy:

  req/s, /plain   requests a second, and in proportion to plain proxying
  keys            RSA operations achieved, as a part of what "openssl speed"
                  says that one core can do
  p50, p99        latency, most of it waiting for the others

One request at a time:

  ours            CPU time a request, all threads, user and system
  plain, bare     of plain proxying, and of the bare operations
  over            what the module takes beyond these two
  ideal / ours    (plain + bare) / ours, and what it has to be at least
  floor           with --floor: (plain + bare) / floor, where the floor is an
                  nginx with a module that reads the body, does these bare
                  operations (on a thread where the envelope module has one do
                  them) and proxies the request as it came.  No module that
                  handles messages gets nearer to 1 on that machine.
  paced           of messages with a private key: ideal / ours, if plain
                  proxying has requests as seldom, each so long after an answer
                  as the bare operations take.  That takes more, for what nginx
                  and the kernel need has left the processor's caches.
  p50, p99        latency

  MB              the most memory that the worker ever had, and a plain one

"neighbour" is plain requests, one at a time, through a worker that has nothing
else to do, and through one with 20 connections of RSA-4096 answers to open.

  bench/run --only a-request-2048 --rounds 1                 half a minute
  bench/run --module old.so --module build/new.so            side by side
  bench/run --only e-webhook-200 --perf                      where time goes
  bench/run --only e-webhook-200 --counts                    instructions
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, HERE)

import counts                                                 # noqa: E402
import load                                                   # noqa: E402
import report                                                 # noqa: E402
from measure import Bench                                     # noqa: E402
from servers import Fault, nginx_binary                       # noqa: E402
from workloads import MIDDLE, SHORT, WORKLOADS                # noqa: E402

BUILD = os.path.join(TOP, "build")
KNOWN = list(WORKLOADS) + ["neighbour"]
BUSY = 0.5              # load of a machine that has something else to do


def rows(text):
    names = text.split(",")
    for name in names:
        if name not in KNOWN:
            raise argparse.ArgumentTypeError("no workload %s, see --list"
                                             % name)
    return names


def options():
    p = argparse.ArgumentParser(
        prog="bench/run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", metavar="ROW[,ROW]",
                   type=rows, default=KNOWN,
                   help="these workloads and no others")
    p.add_argument("--list", action="store_true", help="their names")
    p.add_argument("--rounds", type=int, default=5, metavar="N",
                   help="default %%(default)s; of shorter messages %d times "
                   "as many, of short ones %d times" % (MIDDLE, SHORT))
    p.add_argument("--seconds", type=float, default=1, metavar="S",
                   help="of each nginx in a round, default %(default)s; "
                   "0.4 of it with short messages")
    p.add_argument("--connections", type=int, default=16, metavar="N",
                   help="many of them, default %(default)s")
    p.add_argument("--module", action="append", default=[], metavar="FILE",
                   help="this .so instead of building one; several are "
                   "measured in the same rounds")
    p.add_argument("--floor", action="store_true",
                   help="measure what the bare operations cost inside nginx")
    p.add_argument("--perf", action="store_true",
                   help="no table: perf's samples of the worker")
    p.add_argument("--counts", action="store_true",
                   help="no table of times: what valgrind counts in the "
                   "worker, the kernel and AVX-512 left out")
    p.add_argument("--json", metavar="FILE", help="all rounds' figures")
    p.add_argument("--strict", action="store_true",
                   help="exit status 1 if a target is missed")
    p.add_argument("--no-setup", action="store_true",
                   help="install nothing (t/setup)")
    p.add_argument("--port", type=int, default=22000, metavar="N",
                   help="use free ports from here on, default %(default)s")
    return p.parse_args()


def warn(text):
    print("bench/run: " + text, file=sys.stderr)


def quietly(*words):
    done = subprocess.run(words, cwd=TOP, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
        sys.exit("bench/run: failed: " + " ".join(words))


def make(target):
    quietly("make", "-s", "-j%d" % os.cpu_count(), "BUILD=" + BUILD, target)


def build(modules, floor):
    """(bare, modules, floor); without any, the module is built."""
    if not modules:
        make("module")
        modules = [BUILD + "/ngx_http_envelope_module.so"]
    if floor:
        make("floor")
    os.makedirs(BUILD, exist_ok=True)
    bare = BUILD + "/bare"
    quietly("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", bare,
            HERE + "/bare.c", HERE + "/operations.c", "-lcrypto")
    return (bare, [os.path.abspath(m) for m in modules],
            floor and BUILD + "/ngx_http_floor_module.so")


def cores():
    """(nginx's, the load's)"""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        warn("there is one core only, the figures are worth little")
    return found[-1], found[0]


def says(*words):
    """What a command says in its first line, wherever it says it."""
    done = subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.stdout.splitlines()[0]


def context(a):
    """A line on what is measured where."""
    with open("/proc/cpuinfo") as f:
        model = [line.split(":")[1].strip() for line in f
                 if line.startswith("model name")]
    return "%s, %s, %s; %d rounds of %g s, %d or %d of shorter messages" % (
        says(nginx_binary(), "-v").replace("nginx version: ", ""),
        " ".join(says("openssl", "version").split()[:2]),
        model[0] if model else "unknown processor",
        a.rounds, a.seconds, a.rounds * MIDDLE, a.rounds * SHORT)


def profile(bench, names):
    for name in names:
        file = os.path.join(BUILD, "perf-%s.data" % name)
        bench.profile(name, file)
        print("%s  (more with perf report -i %s)\n" % (name, file))
        report.profile(load.samples(file))
        print()


def count(bench, names):
    counts.head()
    for name in names:
        for who, figures in bench.counts(name):
            counts.line(name, who, figures)


def table(bench, names, a):
    """Prints as it goes.  Whether all worked, whether all targets were
    reached."""
    print(context(a))
    r = report.Report(bench.modules, bench.connections)
    results, failed = [], []
    for name in names:
        try:
            if name == "neighbour":
                results.append(bench.neighbour())
                r.neighbour(results[-1])
            else:
                results.append(bench.measure(name))
                r.workload(results[-1])
        except Fault as e:
            failed.append("%s: %s" % (name, e))

    good = r.foot()
    for text in failed:
        warn(text)
    if a.json:
        with open(a.json, "w") as f:
            json.dump(results, f, indent=1)
    return not failed, good


def main():
    a = options()
    if a.list:
        print("\n".join(KNOWN))
        return 0
    if os.getloadavg()[0] > BUSY:
        warn("the machine is busy, the figures are rough")

    bare, modules, floor = build(a.module, a.floor)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix="bench-")
    os.chmod(directory, 0o755)      # www-data reads there
    try:
        with Bench(directory, a.port, cores(), bare, modules, floor, a.rounds,
                   a.seconds, a.connections) as bench:
            if a.perf:
                profile(bench, a.only)
                return 0
            if a.counts:
                count(bench, [n for n in a.only if n != "neighbour"])
                return 0
            worked, good = table(bench, a.only, a)
    except Fault as e:
        sys.exit("bench/run: %s" % e)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)

    return 0 if worked and (good or not a.strict) else 1


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:     # as in "bench/run | head"
        os._exit(1)
    sys.exit(status)
