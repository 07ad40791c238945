"""How a workload is measured: rounds, each with every nginx in turn."""

import http.client
import os
import time
from collections import namedtuple

import load
from servers import PROXY, Fault, Nginx, Ports, Upstream, Witness
from workloads import DONE, WORKLOADS, Keys

CONNECTIONS = 16
WARM = 0.3              # seconds before the first round
BARE = 0.2              # the part of a run's time that bare operations get

# One nginx under test; threads is "on", "off" or None (has no such directive)
Variant = namedtuple("Variant", "label module threads")

# A run of one nginx: seconds of CPU a request, and what wrk saw
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


class Bench:
    def __init__(self, directory, port, cores, bare, modules, rounds, seconds):
        self.directory, self.program = directory, bare
        self.core, self.load_core = cores
        self.rounds, self.seconds = rounds, seconds
        self.ports = Ports(port)
        self.keys = Keys(os.path.join(directory, "keys"))
        self.modules = modules
        self.servers = []
        self.threads = {m: self._knows_threads(m) for m in modules}
        self.upstream = Upstream(self._path("upstream"), self.ports.take(),
                                 self.load_core, DONE)
        self.servers.append(self.upstream.start())
        self.upstream.put("small", DONE)
        self.witness = Witness(self.ports.take())

    def _path(self, name):
        return os.path.join(self.directory, name)

    def close(self):
        for server in self.servers:
            server.stop()

    def _knows_threads(self, module):
        nginx = Nginx(self._path("test"), 1, self.core, "",
                      "    envelope_threads on;", module)
        right, said = nginx.test()
        if not right and 'unknown directive "envelope_threads"' not in said:
            raise Fault(said)
        return right

    def variants(self, both):
        """What a workload is measured with."""
        found = []
        for module in self.modules:
            name = "" if len(self.modules) == 1 else os.path.relpath(module)
            if not self.threads[module]:
                found.append(Variant(name, module, None))
                continue
            for threads in ("on", "off") if both else ("on",):
                found.append(Variant(name, module, threads))
        return found

    def start(self, w, variant=None):
        """An nginx for this workload, without a variant a plain one."""
        port = self.ports.take()
        http = PROXY.format(up=self.upstream.port)
        if variant:
            if w.profile:
                http += "    envelope_profile p {\n    %s    }\n" % w.profile
            if variant.threads:
                http += "    envelope_threads %s;\n" % variant.threads
        server = Nginx(
            self._path("nginx-%d" % port), port, self.core,
            LOCATIONS.format(
                directive=w.directive if variant else "",
                witness=self.witness.port,
                off="envelope_call off;" if variant else ""),
            http, variant and variant.module)
        self.servers.append(server)
        return server.start()

    def check(self, w, server):
        """One message: the right bytes there, the right bytes back."""
        self.witness.answer, self.witness.body = w.answer, None
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        c.request("POST" if w.body else "GET", "/witness", w.body,
                  dict([w.header] if w.header else [],
                       **{"Content-Type": "application/json"}))
        answer = c.getresponse()
        body = answer.read()
        c.close()
        if answer.status != 200 or body != w.returned:
            raise Fault("status %d: %r\n%s" % (answer.status, body[:200],
                                               server.log()))
        if not w.arrives(self.witness.body):
            raise Fault("the upstream was sent %r" % self.witness.body[:200])

    def wrk(self, w, name):
        """wrk's words for this workload; what they need is made here."""
        if w.body is None:
            self.upstream.put(name, w.answer)
            return ()
        path = self._path(name + ".body")
        with open(path, "wb") as f:
            f.write(w.body)
        return (path, *w.header)

    def run(self, server, name, words, seconds):
        before, done = server.idle(), self.upstream.count()
        got = load.wrk(self.load_core, "http://127.0.0.1:%d/%s"
                       % (server.port, name), CONNECTIONS, seconds, words)
        cpu = server.idle() - before
        return Run(cpu / (self.upstream.count() - done), *got)

    def measure(self, name):
        """The figures of a workload: a dictionary for report and --json."""
        w = WORKLOADS[name](self.keys)
        words = self.wrk(w, name)
        variants = self.variants(w.both)
        plain = self.start(w)
        servers = [self.start(w, v) for v in variants]

        for server in servers:
            self.check(w, server)
        for server in (plain, *servers):
            self.run(server, name, words, WARM)

        runs = {server: [] for server in (plain, *servers)}
        bare = []
        for i in range(self.rounds):
            turn = list(runs)
            for server in turn[i % len(turn):] + turn[:i % len(turn)]:
                runs[server].append(self.run(server, name, words,
                                             self.seconds))
            bare.append(load.bare(self.program, self.core,
                                  self.seconds * BARE, w.bare))

        speed = load.speed(self.core, w.bits) if w.bits else None
        result = {
            "name": name, "bare": bare, "speed": speed,
            "keys": (w.private, w.public),
            "plain": self._figures(plain, runs[plain]),
            "module": [dict(self._figures(server, runs[server]),
                            label=v.label, threads=v.threads,
                            target=self._target(w, v, variants))
                       for server, v in zip(servers, variants)]}
        for server in (plain, *servers):
            server.stop()
        return result

    def _figures(self, server, runs):
        return {"runs": [r._asdict() for r in runs],
                "memory": server.peak_memory()}

    def _target(self, w, variant, variants):
        """A module without threads is held to what holds with them."""
        return w.targets.get(variant.threads or "on")
