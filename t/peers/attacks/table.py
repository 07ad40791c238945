"""The table of threats: what a test is, what is asked of all of them, and how
it is told (TAP).

Of each test four things are told: the answers to what is refused are the same
bytes, the application got nothing of it, the log has a reason for each of
them and no canary, and the worker is the one that it was.
"""

import re
import sys
import time
import traceback

from client import Client

TESTS = []

STRANGER = (b'{"type":"about:blank","title":"%s","status":%d}')
TITLES = {400: b"Bad Request", 401: b"Unauthorized", 409: b"Conflict"}

LINE = re.compile(r'\[error\] .*? envelope: profile "')
TROUBLE = re.compile(r"\[(alert|emerg)\]|exited on signal|Sanitizer"
                     r"|runtime error:")


def threat(number, name, **more):
    def add(run):
        TESTS.append((number, "threat %d: %s" % (number, name), run, more))
        return run
    return add


class Wrong(Exception):
    pass


class Case:
    """One test: sends, compares, and gathers what is wrong."""

    def __init__(self, table, world):
        self.table, self.world = table, world
        self.wrong = {"answers": [], "silence": [], "log": [], "worker": []}
        self.refusals = self.reasons = 0
        self.passed = 0                 # of the strangers' messages
        self.said = []                  # more of the log, by patterns
        self.notes = []
        self.client = Client(world.port)
        self.mark = world.app.mark()

    def fail(self, bucket, text):
        self.wrong[bucket].append(text)

    def check(self, true, text, bucket="answers"):
        if not true:
            self.fail(bucket, text)
        return true

    def note(self, text):
        self.notes.append(text)

    # what is to happen to requests

    def refused(self, status, requests, told=False, **how):
        """Each of them by us, with the one answer that there is for it, or
        with one that says why."""
        if status == 400:               # after which nginx closes
            answers = self.client.each(requests)
        else:
            answers = self.client.all(requests, **how)
        for i, answer in enumerate(answers):
            self.one_refused(status, answer, "request %d" % i, told)
        return answers

    def one_refused(self, status, answer, name, told=False):
        self.refusals += 1
        if not self.check(answer.status == status and answer.ours,
                          "%s: %d instead of %d: %r"
                          % (name, answer.status, status, answer.body[:80])):
            return
        self.check(b"CANARY" not in answer.same, "%s: %r"
                   % (name, answer.body))
        if told or status >= 500:
            self.check(b'"detail":"' in answer.body, "%s: %r"
                       % (name, answer.body))
        else:
            same = self.table.same.setdefault(status, answer.same)
            self.check(answer.body == STRANGER % (TITLES[status], status),
                       "%s: %r" % (name, answer.body))
            self.check(answer.same == same, "%s: another answer:\n%r\n%r"
                       % (name, answer.same, same))

    def opened(self, requests, bodies, **how):
        """Each of them goes through, and the application gets these."""
        mark = self.world.app.mark()
        answers = self.client.all(requests, **how)
        for i, answer in enumerate(answers):
            self.check(answer.status == 200, "good one %d: %d %r"
                       % (i, answer.status, answer.body[:80]))
        got = sorted(r.body for r in self.world.app.since(mark))
        self.check(got == sorted(bodies), "the application got %r instead of "
                   "%r" % (got[:3], bodies[:3]))
        self.passed += len(requests)
        return answers

    # the end

    def finish(self):
        self.client.close()
        world = self.world
        got = [r for r in world.app.since(self.mark)
               if re.match("/(webhook|serve|hook)/", r.uri)]
        self.check(len(got) == self.passed, "the application got %d messages "
                   "instead of %d" % (len(got), self.passed), "silence")
        faults = world.app.faults + world.bad.faults
        self.check(not faults, "badly framed: %s" % faults[:3], "silence")
        world.app.faults.clear()
        world.bad.faults.clear()

        log = self.settled_log()
        lines = len(LINE.findall(log))
        self.check(lines == self.refusals + self.reasons,
                   "%d reasons in the log for %d refusals"
                   % (lines, self.refusals + self.reasons), "log")
        for pattern in self.said:
            self.check(re.search(pattern, log), "the log does not say %r"
                       % pattern, "log")
        self.check("CANARY" not in log, "a canary: %s" % "\n".join(
            re.findall(".*CANARY.*", log)[:3]), "log")
        self.table.log.append(log)

        trouble = [line for line in log.split("\n") if TROUBLE.search(line)]
        self.check(not trouble, "\n".join(trouble[:5]), "worker")
        self.check(world.workers() == self.table.pids, "workers %s are now %s"
                   % (self.table.pids, world.workers()), "worker")

    def settled_log(self):
        """nginx writes a line before it answers, but may be behind with the
        last one of a connection that was closed."""
        log = self.world.log()
        until = time.monotonic() + 2
        while len(LINE.findall(log)) < self.refusals + self.reasons \
                and time.monotonic() < until:
            time.sleep(0.02)
            log += self.world.log()
        return log


class Table:
    def __init__(self, world, out=sys.stdout):
        self.world, self.out = world, out
        self.n = self.failed = 0
        self.same = {}                  # the answer of each status
        self.log = []
        self.pids = []
        self.whole = True

    def ok(self, true, name, why=()):
        """The reasons go where Test::More's go: a harness shows them."""
        self.n += 1
        self.failed += not true
        print("%sok %d - %s" % ("" if true else "not ", self.n, name),
              file=self.out, flush=True)
        for text in () if true else list(why)[:6]:
            for line in text.split("\n")[:12]:
                print("# " + line[:300], file=sys.stderr)

    def run(self, only="", verbose=False):
        self.whole = not only
        for number, name, test, more in TESTS:
            if not re.search(only, name):
                continue
            if more.get("own"):
                test(self, name)
                continue
            began = time.monotonic()
            case = Case(self, self.world)
            try:
                test(case)
            except Exception:
                case.fail("answers", traceback.format_exc())
            try:
                case.finish()
            except Exception:
                case.fail("worker", traceback.format_exc())
            self.tell(name, case)
            if verbose:
                print("# %.2f s %s" % (time.monotonic() - began,
                                       ", ".join(case.notes)), file=self.out)
        print("1..%d" % self.n, file=self.out)
        return self.failed == 0

    def tell(self, name, case):
        wrong = case.wrong
        self.ok(not wrong["answers"], "%s: answers (%d refused, %d opened)"
                % (name, case.refusals, case.passed), wrong["answers"])
        self.ok(not wrong["silence"], name + ": silence", wrong["silence"])
        self.ok(not wrong["log"], name + ": the log has the reasons, and no "
                "canary", wrong["log"])
        self.ok(not wrong["worker"], name + ": the same worker",
                wrong["worker"])
