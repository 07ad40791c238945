"""What may have come of a run, and what did."""

import collections
import json
import os
import re
import statistics

import messages
from world import WORKERS, descriptors, memory

RECOVERY = 2.0                          # seconds
LEAVING = 2.0                           # .. in which a worker goes, at most
MEMORY_GROWTH = 2048                    # kilobytes, of one worker

# by (kind, fate): the statuses of an attempt that nothing interferes with
EXPECTED = {
    "call": {"": {200}, "slow": {200}, "error": {500}, "early": {502},
             "reset": {502}, "truncated": {502}, "garbled": {502}},
    "hook": {"": {200}, "slow": {200}, "error": {500}, "early": {502}},
    "twin": {"": {200, 409}},
    "tampered": {"": {400, 401}},
}


def load(path):
    try:
        with open(path) as f:
            return [json.loads(line) for line in f]
    except FileNotFoundError:
        return []


class Verdict:

    def __init__(self, world):
        self.world = world
        self.wrong = []
        self.sent = load(world.path("sent"))
        self.got = load(world.path("provider")) \
            + load(world.path("application"))
        self.attempts = collections.defaultdict(list)
        for entry in self.sent:
            self.attempts[entry["id"]].append(entry)
        self.delivered = collections.defaultdict(list)
        for entry in self.got:
            self.delivered[entry["id"]].append(entry)
        self.times = {what: [t for t, w in world.events if w == what]
                      for what in ("kill", "reload", "full", "emptied")}

    def say(self, text, *args):
        self.wrong.append(text % args)

    # what was delivered

    def check_deliveries(self):
        for entry in self.delivered.pop(None, []):
            self.say("something arrived that does not open: %s: %s",
                     entry["why"], entry["wire"][:80])
        for number, entries in self.delivered.items():
            self._check_delivery(number, entries)
        for number, entries in self.attempts.items():
            answered = [e for e in entries if e.get("status") == 200]
            if len(answered) > 1:
                self.say("%s: 200 twice", number)
            if answered and len(self.delivered.get(number, ())) != 1:
                self.say("%s: 200, and was delivered %d times", number,
                         len(self.delivered.get(number, ())))

    def _check_delivery(self, number, entries):
        sent = self.attempts.get(number)
        if not sent:
            return self.say("%s: nobody has sent it", number)
        if len(entries) > 1:
            self.say("%s: delivered %d times", number, len(entries))
        if sent[0]["kind"] == "tampered":
            self.say("%s: a tampered message was delivered", number)
        for entry in entries:
            if entry["digest"] != sent[0]["digest"] \
                    or entry["letter"] != sent[0]["letter"]:
                self.say("%s: other bytes were delivered", number)

    # what was answered

    def check_answers(self):
        for entry in self.sent:
            if entry["kind"] == "abort":
                continue
            if not self._excused(entry):
                self.say("%s: %s %s %s: %s", entry["id"], entry["kind"],
                         entry["letter"], entry["fate"],
                         entry.get("error") or entry.get("status"))
            if "status" in entry and "error" not in entry \
                    and not entry["good"]:
                self.say("%s: the answer %s is not its own", entry["id"],
                         entry["status"])

    def _excused(self, entry):
        status, fate = entry.get("status", 0), entry["fate"]
        if "error" in entry:
            # a plain answer that was cut is cut; else a worker has gone
            if status == 200:
                return entry["letter"] == "E" \
                    and (fate in ("reset", "truncated")
                         or self._killed(entry))
            return self._killed(entry)
        if status == 500 and entry["length"] > messages.MEMORY \
                and self._full(entry):
            return True
        return status in EXPECTED[entry["kind"]][fate]

    def _killed(self, entry):
        """A connection may end with its worker, which ends at a reload."""
        born, end = entry.get("born", entry["start"]), entry["end"]
        lost = self.world.pulse.within(born - LEAVING, end)
        return any(born - LEAVING - lost <= t <= end
                   for t in self.times["kill"] + self.times["reload"])

    def _full(self, entry):
        return any(start <= entry["end"] and entry["start"] <= end + 0.1
                   for start, end in zip(self.times["full"],
                                         self.times["emptied"]))

    # nothing is proved by what has not happened

    def check_coverage(self):
        done = collections.Counter(
            (e["kind"], e["letter"]) for e in self.sent
            if e.get("status") == 200)
        for letter in messages.LETTERS:
            for kind in ("call", "hook", "twin"):
                if not done[kind, letter]:
                    self.say("no %s of %s had a 200", kind, letter)
        for what, times in self.times.items():
            if not times and (what in ("kill", "reload")
                              or self.world.mounted):
                self.say("no %s in this run", what)
        used = {e.get("generation") for e in self.got}
        if len(used - {None}) < 2:
            self.say("one generation of keys was in use")

    # recovery, logs

    def recoveries(self):
        """After each kill, the time to the end of the first 200 that was
        asked for later, without that in which the machine was busy."""
        found = []
        good = [e for e in self.sent if e.get("status") == 200]
        for t in self.times["kill"]:
            ends = [e["end"] for e in good if e["start"] >= t]
            end = min(ends) if ends else float("inf")
            found.append(end - t - self.world.pulse.within(t, end))
        return found

    def check_recovery(self):
        for seconds in self.recoveries():
            if seconds > RECOVERY:
                self.say("no 200 for %.1f s after a kill", seconds)

    def check_log(self):
        killed = re.compile(r"worker process \d+ exited on signal 9\b")
        for line in self.world.read("error.log").splitlines():
            if re.search(r"\[(alert|emerg)\]", line) \
                    and not killed.search(line):
                self.say("error.log: %s", line)

    def check_canaries(self):
        """(bytes looked at); in all that is left in the directory."""
        secrets = [messages.CANARY.encode()] + self._key_lines()
        size = 0
        for place in ("logs", "disk", "cores"):
            for at, _, names in os.walk(self.world.path(place)):
                for name in names:
                    path = os.path.join(at, name)
                    with open(path, "rb") as f:
                        data = f.read()
                    size += len(data)
                    if place != "logs":
                        self.say("left behind: %s", path)
                    if any(secret in data for secret in secrets):
                        self.say("a canary is in %s", path)
        return size

    def _key_lines(self):
        found = []
        for name in os.listdir(self.world.path("keys")):
            with open(self.world.path("keys", name), "rb") as f:
                found += f.read().split(b"\n")[2:-3]
        return found


class Resources:
    """Memory and descriptors of the workers that live through a phase."""

    def __init__(self, world):
        self.world = world
        self.pids = world.workers()
        self.before = {pid: descriptors(pid) for pid in self.pids}
        self.samples = {pid: [] for pid in self.pids}
        self.after = {}

    def sample(self):
        for pid in self.pids:
            self.samples[pid].append(memory(pid))

    def end(self):
        self.after = {pid: descriptors(pid) for pid in self.pids}

    def growth(self):
        """Kilobytes by worker: from the second third of the samples, when
        all is warm, to the last one."""
        found = {}
        for pid, samples in self.samples.items():
            third = len(samples) // 3
            found[pid] = int(statistics.median(samples[-third:])
                             - statistics.median(samples[third:2 * third]))
        return found

    def check(self, verdict):
        if len(self.pids) != WORKERS:
            verdict.say("%d workers", len(self.pids))
        if sorted(self.world.workers()) != sorted(self.pids):
            verdict.say("workers came or went when nothing was done to them")
        for pid, kilobytes in self.growth().items():
            if kilobytes > MEMORY_GROWTH:
                verdict.say("a worker has grown by %d kB", kilobytes)
        for pid in self.pids:
            if len(self.after[pid]) > len(self.before[pid]):
                verdict.say("a worker has %d descriptors, and had %d: %s",
                            len(self.after[pid]), len(self.before[pid]),
                            " ".join(self.after[pid]))


# what is printed

def share(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def figures(verdict):
    sent = verdict.sent
    count = collections.Counter(outcome(e) for e in sent)
    yield "%d requests: %s" % (len(sent), ", ".join(
        "%d %s" % (n, name) for name, n in sorted(count.items())))
    yield "%d messages delivered; calls opened by generation: %s" % (
        len(verdict.got), ", ".join(
            "%s %d" % pair for pair in sorted(collections.Counter(
                e["generation"] for e in verdict.got
                if "generation" in e).items())))
    yield "%d kills, %d reloads, %d times a full disk" % (
        len(verdict.times["kill"]), len(verdict.times["reload"]),
        len(verdict.times["full"]))
    recoveries = verdict.recoveries()
    if recoveries:
        yield "first 200 after a kill: %.2f s at worst, %.2f s in the middle" \
            % (max(recoveries), statistics.median(recoveries))
    lost = verdict.world.pulse.stalls
    if lost:
        yield "the machine had no time for us during %.1f s" \
            % sum(b - a for a, b in lost)
    taken = [e["end"] - e["start"] for e in sent
             if e.get("status") == 200 and "error" not in e]
    if taken:
        yield "time to a 200: %.0f ms in the middle, 99%% within %.0f ms, " \
            "at most %.0f ms" % tuple(1000 * x for x in (
                share(taken, 0.5), share(taken, 0.99), max(taken)))


def outcome(entry):
    if entry["kind"] == "abort":
        return "given up by the client"
    if "error" in entry:
        return "cut off or reset"
    return str(entry["status"])
