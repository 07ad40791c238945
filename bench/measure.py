"""How a workload is measured: in rounds, each with every nginx in turn."""

import http.client
import os
import signal
import time
from collections import namedtuple
from statistics import median

import counts
import load
from servers import PROXY, Fault, Nginx, Ports, Upstream, Witness
from workloads import DONE, WORKLOADS, Keys

PATIENCE = 10           # times as long as asked for, at most
WARM = 0.3              # seconds before what counts

# Of the seconds of a run: with many connections
MANY = 0.5

# Slices of a round with one request at a time; how long each is, of messages
# that take long (or whose rounds are few) and of short ones, of the seconds;
# bare operations, of a slice
SLICES = 4
LONG_BITS = 4096
LONG_SLICE = 0.25
SHORT_SLICE = 0.1
BARE = 0.5

# Requests whose instructions are counted, and those before: with a private key
# multiples of 32, after which OpenSSL makes its blinding anew
COUNTED = 512
PRIVATE_COUNTED = 32
WARM_COUNTED = 64

# The workload beside plain requests, and its connections
BUSY = "a-response-4096"
BUSY_CONNECTIONS = 20

# Threads of the pool of the one worker on its one core, see README, Threads
POOL = 6

# What is measured: number of the module file, the file, envelope_threads
# ("on", "off", or None with a module that has no such directive).
Variant = namedtuple("Variant", "number module threads")

# Of a run of wrk: seconds of CPU a request, requests a second, seconds
Run = namedtuple("Run", "cpu rate p50 p99")

LOCATIONS = """\
        {directive}
        location / {{
            proxy_pass http://up;
        }}
        location = /witness {{
            proxy_pass http://127.0.0.1:{witness};
        }}
        location = /neighbour {{
            {off}
            proxy_pass http://up/small;
        }}
"""


def turned(servers, turn):
    """So that nobody is always first."""
    turn %= len(servers)
    return servers[turn:] + servers[:turn]


def middle(runs):
    return {name: median(run[name] for run in runs) for name in runs[0]}


class Bench:
    """with Bench(..) as bench: bench.measure(NAME)"""

    def __init__(self, directory, port, cores, bare, modules, floor, rounds,
                 seconds, connections):
        self.directory, self.bare, self.floor = directory, bare, floor
        self.core, self.load_core = cores
        self.modules, self.connections = modules, connections
        self.rounds, self.seconds = rounds, seconds
        self.ports, self.keys = Ports(port), Keys(self._path("keys"))
        self.servers, self.speeds = [], {}

    def __enter__(self):
        self.awake = self._keep_awake()
        try:
            self.threads = [self._knows_threads(m) for m in self.modules]
            self.upstream = Upstream(self._path("upstream"),
                                     self.ports.take(), self.load_core, DONE)
            self._start(self.upstream)
            self.upstream.put("small", DONE)
            self.witness = Witness(self.ports.take())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.stop()
        if self.awake is not None:
            os.close(self.awake)

    def _keep_awake(self):
        """While this is open idle cores wait in a loop rather than halted:
        whoever sends to a process on a halted core pays for waking that up,
        on a virtual machine several times what a request costs.
        """
        try:
            file = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
        except OSError:
            return None
        os.write(file, bytes(4))
        return file

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _url(self, server, name):
        return "http://127.0.0.1:%d/%s" % (server.port, name)

    # the servers

    def _start(self, server):
        self.servers.append(server)
        return server.start()

    def _stop(self, servers):
        """What went wrong in them and was not seen outside shows here."""
        for server in servers:
            server.stop()
            self.servers.remove(server)
            said = server.log()
            if any(level in said for level in ("[error]", "[crit]", "[alert]",
                                               "[emerg]")):
                raise Fault("nginx said:\n" + said[:4000])

    def _knows_threads(self, module):
        nginx = Nginx(self._path("test"), self.ports.take(), self.core, "",
                      "    envelope_threads on;", module)
        right, said = nginx.test()
        if not right and 'unknown directive "envelope_threads"' not in said:
            raise Fault(said)
        return right

    def variants(self, both):
        found = []
        for number, module in enumerate(self.modules, 1):
            ways = [None]
            if self.threads[number - 1]:
                ways = ["on", "off"] if both else ["on"]
            found += [Variant(number, module, way) for way in ways]
        return found

    def _plain(self):
        """Without the module, and otherwise the same."""
        port = self.ports.take()
        return self._start(Nginx(
            self._path("plain-%d" % port), port, self.core,
            LOCATIONS.format(directive="", off="", witness=self.witness.port),
            PROXY.format(up=self.upstream.port)))

    def _module(self, w, variant):
        port = self.ports.take()
        http = PROXY.format(up=self.upstream.port)
        if w.profile:
            http += "    envelope_profile p {\n    %s    }\n" % w.profile
        if variant.threads:
            http += "    envelope_threads %s;\n" % variant.threads
        return self._start(Nginx(
            self._path("module-%d" % port), port, self.core,
            LOCATIONS.format(directive=w.directive, off="envelope_call off;",
                             witness=self.witness.port), http, variant.module,
            POOL if variant.threads == "on" else 0))

    def _floor(self, w, threads):
        """Nothing but the bare operations.  Where none needs a private key
        the envelope module does without a thread, too."""
        port = self.ports.take()
        threaded = threads == "on" and w.private
        directive = "floor %s %s;" % ("on" if threaded else "off",
                                      " ".join(w.bare))
        return self._start(Nginx(
            self._path("floor-%d" % port), port, self.core,
            LOCATIONS.format(directive=directive, off="",
                             witness=self.witness.port),
            PROXY.format(up=self.upstream.port), self.floor,
            POOL if threaded else 0))

    # one message, looked at closely

    def _check(self, w, server, arrives, returned):
        self.witness.answer, self.witness.body = w.answer, None
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        c.request("POST" if w.body else "GET", "/witness", w.body,
                  dict([w.header] if w.header else [],
                       **{"Content-Type": "application/json"}))
        answer = c.getresponse()
        body = answer.read()
        c.close()
        if answer.status != 200 or body != returned:
            raise Fault("status %d: %r\n%s" % (answer.status, body[:200],
                                               server.log()))
        if not arrives(self.witness.body):
            raise Fault("the upstream was sent %r" % self.witness.body[:200])

    def check(self, w, plain, modules):
        sent = w.body or b""
        if plain:
            self._check(w, plain, lambda body: body == sent, w.answer)
        for server in modules:
            self._check(w, server, w.arrives, w.returned)

    # many messages

    def words(self, w, name):
        """wrk's words for this workload; the files they name are written."""
        if w.body is None:
            self.upstream.put(name, w.answer)
            return ()
        path = self._path(name + ".body")
        with open(path, "wb") as f:
            f.write(w.body)
        return (path, *w.header)

    def run(self, server, name, words, seconds, connections):
        before, done = server.idle(), self.upstream.count()
        with load.Wrk(self.load_core, self._url(server, name), connections,
                      words) as wrk:
            self._wait(seconds, done + connections)
            got = wrk.stop()
        cpu = server.idle() - before
        return Run(cpu / (self.upstream.count() - done), *got)._asdict()

    def _client(self, w, server, name):
        return load.Client(server.port, name, w.body,
                           [w.header] if w.header else [])

    def _paced(self, w, server, name, pause, seconds):
        """Seconds of CPU a request, with pauses between them."""
        before, done = server.idle(), self.upstream.count()
        with self._client(w, server, name) as client:
            load.paced(self.load_core, client, pause, seconds)
        cpu = server.idle() - before
        return cpu / (self.upstream.count() - done)

    def _wait(self, seconds, count):
        """And on, until that many are done, on a machine that has no time."""
        for _ in range(PATIENCE):
            time.sleep(seconds)
            if self.upstream.count() > count:
                break

    def _anew(self, servers, name, words):
        for server in servers:
            server.again()
            self.run(server, name, words, WARM, 1)

    def _round(self, w, plain, servers, name, words):
        """One request at a time: {server: Run}, the bare operations, and
        plain proxying at a pace that leaves time for them.

        Everyone has some tenths of a second, over and over: a processor that
        others use as well is faster in one second than in the next.
        """
        short = w.rounds > 1 and w.bits < LONG_BITS
        seconds = self.seconds * (SHORT_SLICE if short else LONG_SLICE)
        runs, bare, paced = {server: [] for server in servers}, [], []
        for i in range(SLICES):
            for server in turned(servers, i):
                runs[server].append(self.run(server, name, words, seconds, 1))
            bare.append(load.bare(self.bare, self.core, seconds * BARE,
                                  w.bare))
            if w.private:
                paced.append(self._paced(w, plain, name, bare[-1],
                                         seconds * BARE))
        return {server: middle(runs[server]) for server in servers}, \
            median(bare), paced and median(paced)

    def measure(self, name):
        """The figures of a workload: a dictionary for report and --json.

        CPU time is taken with one request at a time.  With more of them
        nginx handles several at each turn, and what that saves depends on how
        long each takes: plain proxying would be measured at another pace than
        the module.  How long it is since the last request makes a
        difference, too: what nginx and the kernel need for one is not in the
        processor's caches any more.  Where an operation with a private key
        comes in between, that costs more than the module does.

        Each round has processes of its own: where a process's things lie in
        memory makes one of them some percent slower than the next, however
        long either runs.
        """
        w = WORKLOADS[name](self.keys)
        words = self.words(w, name)
        variants = self.variants(w.both)
        plain = self._plain()
        modules = [self._module(w, v) for v in variants]
        floors = {}
        if self.floor and w.bare:
            floors = {threads: self._floor(w, threads)
                      for threads in {v.threads for v in variants}}
        servers = [plain] + modules + list(floors.values())

        self.check(w, plain, modules)

        one, many = ({server: [] for server in servers} for _ in "12")
        bare, paced = [], []
        for i in range(self.rounds * w.rounds):
            self._anew(servers, name, words)
            runs, alone, slow = self._round(w, plain, turned(servers, i),
                                            name, words)
            bare.append(alone)
            if slow:
                paced.append(slow)
            for server in servers:
                one[server].append(runs[server])
            if i % w.rounds:
                continue
            for server in [plain] + modules:    # a floor has one context
                many[server].append(self.run(server, name, words,
                                             self.seconds * MANY,
                                             self.connections))

        def figures(server, **more):
            return dict(more, one=one[server], many=many[server],
                        memory=server.peak_memory())

        result = {
            "name": name, "bare": bare, "paced": paced,
            "speed": self._speed(w.bits),
            "operations": (w.private, w.public), "plain": figures(plain),
            "floor": {threads: one[server]
                      for threads, server in floors.items()},
            "module": [figures(server, number=v.number, threads=v.threads,
                               target=w.target(v.threads))
                       for v, server in zip(variants, modules)]}
        self._stop(servers)
        return result

    def _speed(self, bits):
        if bits and bits not in self.speeds:
            self.speeds[bits] = load.speed(self.core, bits)
        return self.speeds.get(bits)

    # what is executed

    def counts(self, name):
        """Yields who and what counts.summary() says, of each nginx."""
        w = WORKLOADS[name](self.keys)
        self.words(w, name)
        variants = self.variants(both=False)
        plain = self._plain()
        modules = [self._module(w, v) for v in variants]
        self.check(w, plain, modules)

        everybody = [("plain", plain)]
        if self.floor and w.bare:
            everybody.append(("floor", self._floor(w, variants[0].threads)))
        everybody += [("#%d" % v.number if len(variants) > 1 else "ours", m)
                      for v, m in zip(variants, modules)]

        for who, server in everybody:
            yield who, self._counted(w, server, name)
        self._stop([server for _, server in everybody])

    def _counted(self, w, server, name):
        """A run with more requests than another has no more of all else."""
        server.stop()
        os.chmod(server.directory, 0o777)       # a worker writes there
        server.under = counts.under(server.directory)
        found = []
        more = PRIVATE_COUNTED if w.private else COUNTED
        for requests in (WARM_COUNTED, WARM_COUNTED + more):
            server.start()
            with self._client(w, server, name) as client:
                for _ in range(requests):
                    client.ask()
            server.stop(signal.SIGQUIT)         # callgrind has time to write
            found.append(counts.read(server.directory, server.worker))
        return counts.summary(*found, more)

    # plain requests through a worker that is busy with others

    def _alone(self, server):
        """Plain requests, one at a time."""
        with load.Wrk(self.load_core, self._url(server, "neighbour"),
                      1) as wrk:
            time.sleep(self.seconds)
            return wrk.stop()._asdict()

    def neighbour(self):
        w = WORKLOADS[BUSY](self.keys)
        self.words(w, BUSY)
        variants = self.variants(both=True)
        servers = [self._module(w, v) for v in variants]
        self.check(w, None, servers)
        alone, beside = ({server: [] for server in servers} for _ in "12")

        for _ in range(self.rounds):
            for server in servers:
                alone[server].append(self._alone(server))
                with load.Wrk(self.load_core, self._url(server, BUSY),
                              BUSY_CONNECTIONS) as wrk:
                    time.sleep(WARM)
                    got = self._alone(server)
                    beside[server].append(dict(got, busy=wrk.stop().rate))
                server.idle()

        result = [{"number": v.number, "threads": v.threads,
                   "alone": alone[server], "beside": beside[server],
                   "memory": server.peak_memory()}
                  for v, server in zip(variants, servers)]
        self._stop(servers)
        return {"name": "neighbour", "module": result}

    # where the time goes

    def profile(self, name, file):
        """perf's samples of the worker during one run, in a file."""
        w = WORKLOADS[BUSY if name == "neighbour" else name](self.keys)
        words = self.words(w, name)
        server = self._module(w, self.variants(both=False)[0])
        self.check(w, None, [server])
        with load.Wrk(self.load_core, self._url(server, name),
                      self.connections, words) as wrk:
            time.sleep(WARM)
            load.record(server.worker, file, self.seconds)
            wrk.stop()
        self._stop([server])
