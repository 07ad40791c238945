#!/usr/bin/python3
"""The table of attacks, over raw sockets, against an nginx of its own.

    attack.py [--only PATTERN] [-v]     TAP; t/032-attack-table.t runs it
    attack.py --timing [-n N]           what good and bad padding take

Of the environment: TEST_NGINX_BINARY, TEST_NGINX_LOAD_MODULES,
TEST_NGINX_SERVER_PORT, TEST_NGINX_SERVROOT, TEST_NGINX_LD_PRELOAD; without
them Debian's nginx, build/ngx_http_envelope_module.so, and free ones.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + "/attacks"]

from table import TESTS, Table                                     # noqa: E402
from world import World                                       # noqa: E402

# in the order of the table, but for 18, which has an nginx of its own
import ciphers                                         # noqa: E402, F401
import structure                                       # noqa: E402, F401
import signatures                                      # noqa: E402, F401
import sweeps                                          # noqa: E402, F401
import framing                                         # noqa: E402, F401
import paths                                           # noqa: E402, F401
import life                                            # noqa: E402, F401



def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--only", default="")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("--timing", action="store_true")
    p.add_argument("-n", type=int, default=20000)
    a = p.parse_args()
    world = World()
    try:
        world.configure()
        world.start()
        if a.timing:
            import timing
            return timing.run(world, a.n)
        table = Table(world)
        table.pids = world.workers()
        TESTS.sort(key=lambda test: (test[0] == 18, test[0]))
        return 0 if table.run(a.only, a.verbose) else 1
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
