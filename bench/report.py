"""The table."""

from statistics import median

HEAD = ("%-27s %6s %6s %5s  %8s %8s %8s %7s  %-24s %-10s %5s %7s %7s %5s"
        % ("workload", "req/s", "plain", "ratio", "us ours", "plain", "bare",
           "over", "ideal/ours (spread)", "target", "keys", "p50 ms", "p99 ms",
           "MB"))


def head():
    print(HEAD)
    print("-" * len(HEAD))


def column(figures, name):
    return [run[name] for run in figures["runs"]]


def ratios(result, ours):
    """ideal / ours, round by round."""
    return [(plain + bare) / cpu for plain, bare, cpu in zip(
        column(result["plain"], "cpu"), result["bare"], column(ours, "cpu"))]


def verdict(value, target):
    if target is None:
        return ""
    return "%.2f %s" % (target, "ok" if value >= target else "MISS")


def rows(result):
    """Prints a workload; gives a list of whether each target was reached."""
    reached = []
    for ours in result["module"]:
        name = result["name"]
        if ours["threads"]:
            name += " threads " + ours["threads"] \
                if len(result["module"]) > 1 else ""
        ideal = ratios(result, ours)
        plain, bare = median(column(result["plain"], "cpu")), \
            median(result["bare"])
        cpu = median(column(ours, "cpu"))
        rate, plain_rate = (median(column(f, "rate"))
                            for f in (ours, result["plain"]))
        keys = ""
        if result["speed"]:
            keys = "%.2f" % (rate * sum(
                n / speed for n, speed in zip(result["keys"],
                                              result["speed"])))
        print("%-27s %6.0f %6.0f %5.2f  %8.1f %8.1f %8.1f %7.1f  "
              "%.3f (%.3f .. %.3f)   %-10s %5s %7.2f %7.2f %5.1f" % (
                  name, rate, plain_rate, rate / plain_rate, cpu * 1e6,
                  plain * 1e6, bare * 1e6, (cpu - plain - bare) * 1e6,
                  median(ideal), min(ideal), max(ideal),
                  verdict(median(ideal), ours["target"]), keys,
                  median(column(ours, "p50")) * 1e3,
                  median(column(ours, "p99")) * 1e3,
                  ours["memory"] / 1048576), flush=True)
        if ours["target"]:
            reached.append(median(ideal) >= ours["target"])
    return reached
