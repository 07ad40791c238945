"""What messages cost the worker: memory at its peak, and time of the CPU."""

import os

# The kernel counts the pages of a process by CPU, and a peak is taken of a sum
# that is behind by up to a batch for each (lib/percpu_counter.c, since Linux
# 6.2); anonymous and mapped pages are counted apart.  To a message of a few
# hundred bytes that is more than it is to cost.
BATCH = max(32, 2 * os.cpu_count())
UNCOUNTED = 2 * BATCH * min(os.cpu_count(), 8) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    def __init__(self, case):
        self.case, self.world = case, case.world
        self.world.forget_peak()
        self.before = self.world.memory("VmHWM")
        self.began = self.world.cpu()

    def memory(self, name, limit):
        """Bytes, at the peak since; asked to be below a limit."""
        used = self.world.memory("VmHWM") - self.before
        if not self.world.asan:
            self.case.check(used < limit + UNCOUNTED,
                            "%s: %d bytes of memory, not below %d"
                            % (name, used, limit))
        return used

    def time(self, name, limit):
        """Seconds of the CPU since."""
        spent = self.world.cpu() - self.began
        self.case.check(spent < limit, "%s: %.2f s" % (name, spent))
