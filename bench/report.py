"""The tables, which targets were reached, and profiles."""

from collections import Counter
from statistics import median

# Of plain requests, milliseconds, while so many answers a second are opened
NEIGHBOUR_P50 = 0.2
NEIGHBOUR_P99 = 10
NEIGHBOUR_RATE = 100

QUANTILES = ("p50", "p99")
MEMORY = 12 * 1048576   # of a worker

TABLE = ("%-30s|%6s %6s %5s %7s %7s |%8s %7s %7s %6s | %-23s %-9s %5s %5s "
         "|%7s %7s |%5s %5s")
GROUPS = "%-30s| %-35s| %s"
BESIDE = "%-30s | %-28s | %6s %-28s | %6s %-28s |%5s"


def column(runs, name):
    return [run[name] for run in runs]


def middle(runs, name):
    return median(column(runs, name))


def spread(values, form):
    return " ".join((form, "(" + form, "..", form + ")")) % (
        median(values), min(values), max(values))


class Report:
    def __init__(self, modules, connections):
        self.modules, self.connections = modules, connections
        self.begun = False
        self.reached = []       # (what, whether)
        self.memory = []        # (bytes, row)
        for number, module in enumerate(modules, 1):
            if len(modules) > 1:
                print("#%d %s" % (number, module))

    def _name(self, result, ours):
        name = result["name"]
        if len(self.modules) > 1:
            name += " #%d" % ours["number"]
        if len({f["threads"] for f in result["module"]}) > 1:
            name += " threads " + ours["threads"]
        self.memory.append((ours["memory"], name))
        return name

    def _verdict(self, name, good):
        self.reached.append((name, good))
        return "ok" if good else "MISS"

    # a line for each nginx that a workload was measured with

    def workload(self, result):
        if not self.begun:
            self.begun = True
            self._head()
        for ours in result["module"]:
            self._line(self._name(result, ours), result, ours)

    def _head(self):
        print(GROUPS % ("", "%d connections" % self.connections,
                        "one request at a time, microseconds of CPU"))
        line = TABLE % ("workload", "req/s", "/plain", "keys", "p50 ms",
                        "p99 ms", "ours", "plain", "bare", "over",
                        "ideal / ours", "target", "floor", "paced", "p50 ms",
                        "p99 ms", "MB", "plain")
        print(line + "\n" + "-" * len(line), flush=True)

    def _line(self, name, result, ours):
        plain, bare = result["plain"], result["bare"]
        us = [1e6 * t for t in (middle(ours["one"], "cpu"),
                                middle(plain["one"], "cpu"), median(bare))]
        ideal = [(p + b) / o for p, b, o in zip(
            column(plain["one"], "cpu"), bare, column(ours["one"], "cpu"))]
        rate = middle(ours["many"], "rate")

        keys = target = floor = paced = ""
        if ours["threads"] in result["floor"]:
            floor = "%.3f" % median(
                (p + b) / f for p, b, f in zip(
                    column(plain["one"], "cpu"), bare,
                    column(result["floor"][ours["threads"]], "cpu")))
        if result["paced"]:
            paced = "%.3f" % median(
                (p + b) / o for p, b, o in zip(
                    result["paced"], bare, column(ours["one"], "cpu")))
        if result["speed"]:
            keys = "%.2f" % (rate * sum(n / speed for n, speed in zip(
                result["operations"], result["speed"])))
        if ours["target"]:
            target = "%.2f %s" % (ours["target"], self._verdict(
                name, median(ideal) >= ours["target"]))

        print(TABLE % (
            name, "%.0f" % rate,
            "%.3f" % (rate / middle(plain["many"], "rate")), keys,
            *("%.2f" % (1e3 * middle(ours["many"], q)) for q in QUANTILES),
            *("%.1f" % t for t in us), "%.1f" % (us[0] - us[1] - us[2]),
            spread(ideal, "%.3f"), target, floor, paced,
            *("%.2f" % (1e3 * middle(ours["one"], q)) for q in QUANTILES),
            *("%.1f" % (f["memory"] / 1048576) for f in (ours, plain))),
            flush=True)

    # plain requests beside busy ones

    def neighbour(self, result):
        line = BESIDE % ("plain requests, one at a time", "RSA-4096 answers/s",
                         "p50 ms", "beside these", "p99 ms", "beside these",
                         "MB")
        print("\n" + line + "\n" + "-" * len(line))
        for ours in result["module"]:
            self._beside(self._name(result, ours), ours)

    def _beside(self, name, ours):
        beside = ours["beside"]
        busy = column(beside, "busy")
        p50, p99 = ([1e3 * t for t in column(beside, q)]
                    for q in ("p50", "p99"))
        cells = [spread(busy, "%.0f"), spread(p50, "%.2f"),
                 spread(p99, "%.2f")]

        if ours["threads"] != "off":    # that is there to compare
            for i, (what, good) in enumerate((
                    ("answers", median(busy) >= NEIGHBOUR_RATE),
                    ("p50", median(p50) <= NEIGHBOUR_P50),
                    ("p99", median(p99) <= NEIGHBOUR_P99))):
                cells[i] += " " + self._verdict(name + " " + what, good)

        print(BESIDE % (
            name, cells[0], "%.2f" % (1e3 * middle(ours["alone"], "p50")),
            cells[1], "%.2f" % (1e3 * middle(ours["alone"], "p99")),
            cells[2], "%.1f" % (ours["memory"] / 1048576)), flush=True)

    # the end of it

    def foot(self):
        if self.memory:
            most, name = max(self.memory)
            print("\npeak resident memory of a worker: %.1f MB (%s), at most "
                  "%d: %s" % (most / 1048576, name, MEMORY / 1048576,
                              self._verdict("memory", most <= MEMORY)))
        missed = [name for name, good in self.reached if not good]
        print("%d of %d targets reached%s" % (
            len(self.reached) - len(missed), len(self.reached),
            missed and "; missed: " + ", ".join(missed) or ""))
        return not missed


# What perf has seen

OURS = "ngx_http_envelope_module.so"
LINES = 40


def profile(samples):
    """By object, by function, and by function with what it calls."""
    objects, alone = Counter(), Counter()
    for _, percent, dso, symbol in samples:
        objects[dso] += percent
        if symbol.startswith("0x"):     # stripped, so every address is one
            symbol = "(no symbol)"
        alone[dso, symbol] += percent

    print("by object")
    for dso, percent in objects.most_common(8):
        print("%7.2f%%  %s" % (percent, dso))

    print("\nby function")
    for (dso, symbol), percent in alone.most_common(LINES):
        print("%7.2f%%  %-28s %s" % (percent, dso, symbol))

    print("\nof the module and libcrypto, with what they call")
    shown = [(percent, dso, symbol) for percent, _, dso, symbol in samples
             if dso == OURS or dso.startswith("libcrypto")
             and not symbol.startswith("0x")]
    for percent, dso, symbol in sorted(shown, reverse=True)[:LINES * 2]:
        print("%7.2f%%  %-28s %s" % (percent, dso, symbol))
