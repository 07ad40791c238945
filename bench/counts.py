"""What a request executes, counted by callgrind: the same on every machine,
and whatever else that does meanwhile."""

import os
import re
import shutil
from collections import Counter

from servers import Fault

# The caches of a core are those of most servers.  Of these only the first
# level is asked for.
CALLGRIND = ("valgrind", "--quiet", "--tool=callgrind", "--dump-line=no",
             "--cache-sim=yes", "--branch-sim=yes", "--I1=32768,8,64",
             "--D1=32768,8,64", "--LL=1048576,16,64")

# Events by the name they have here
EVENTS = {"instructions": ("Ir",), "I1": ("I1mr",), "D1": ("D1mr", "D1mw"),
          "branches": ("Bcm", "Bim")}

OBJECTS = ("nginx", "libcrypto", "module", "others")

OTHERS = re.compile(r"^$|^\?\?\?$|^lib.*\.so|^ld-|^vgpreload|floor")

LINE = "%-30s %-6s |%8s %7s %9s %9s %9s |%7s %7s %9s"


def under(directory):
    """The words before a command whose processes are counted."""
    if not shutil.which("valgrind"):
        raise Fault("there is no valgrind here: apt-get install valgrind")
    return CALLGRIND + ("--callgrind-out-file=%s/counts.%%p" % directory,)


def _object(path):
    """Which of OBJECTS it is.  A module may have any name, see --module."""
    name = os.path.basename(path)
    if name == "nginx":
        return "nginx"
    if name.startswith("libcrypto.so"):
        return "libcrypto"
    if "envelope" in name or not OTHERS.search(name):
        return "module"
    return "others"     # libc, most of all


def read(directory, pid):
    """{(object, event): count} of a process that has ended.

    Cost lines belong to the object named last; the one after a "calls=" is
    what the called have taken, and counted there already.
    """
    events, names, found = [], {}, Counter()
    where, called = "", False
    try:
        with open("%s/counts.%d" % (directory, pid)) as f:
            lines = f.read().splitlines()
    except FileNotFoundError:
        raise Fault("callgrind has left nothing of process %d" % pid)

    for line in lines:
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith(("ob=", "cob=")):
            number, _, path = line.partition("=")[2].partition(" ")
            if path:
                names[number] = _object(path)
            if line.startswith("ob="):
                where = names[number]
        elif line.startswith("calls="):
            called = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if not called:
                for event, cost in zip(events, line.split()[1:]):
                    found[where, event] += int(cost)
            called = False
    return found


def summary(few, many, requests):
    """What a request of those takes that the longer run has had more."""
    def each(objects, events):
        return sum(many[o, e] - few[o, e] for o in objects
                   for e in events) / requests

    figures = {o: each([o], EVENTS["instructions"]) for o in OBJECTS}
    figures.update({name: each(OBJECTS, events)
                    for name, events in EVENTS.items()})
    return figures


def head():
    print("a request, without the kernel: instructions; misses of first-level "
          "caches; mispredicted branches")
    line = LINE % ("workload", "", *OBJECTS, "together", "I1", "D1",
                   "branches")
    print(line + "\n" + "-" * len(line), flush=True)


def line(workload, who, f):
    print(LINE % (workload, who, *("%.0f" % f[o] for o in OBJECTS),
                  *("%.0f" % f[name] for name in EVENTS)), flush=True)
