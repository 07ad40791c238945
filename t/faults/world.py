"""nginx between its upstreams, in a directory of its own; what is done to it,
and what is seen of it."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import messages

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

WORKERS = 2
DISK = 4 * 1024 * 1024

NGINX = """\
load_module {module};
{user}
daemon off;
worker_processes {workers};
worker_rlimit_core 1g;
working_directory {prefix}/cores;
pid nginx.pid;
error_log logs/error.log info;
events {{ worker_connections 512; }}

http {{
    envelope_zone faults:2m;
    envelope_threads on;
{profiles}
    access_log logs/access.log;
    client_body_temp_path disk/body;
    proxy_temp_path disk/proxy;
    fastcgi_temp_path disk/fastcgi;
    uwsgi_temp_path disk/uwsgi;
    scgi_temp_path disk/scgi;
    client_body_buffer_size {memory};
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    # a server that refuses is passed over, and nothing else is tried again
    upstream provider {{
        server 127.0.0.1:{provider} weight=20 max_fails=0;
        server 127.0.0.1:{nobody} max_fails=0;
        keepalive 8;
        keepalive_timeout 1s;
    }}

    upstream application {{
        server 127.0.0.1:{application} weight=20 max_fails=0;
        server 127.0.0.1:{nobody} max_fails=0;
        keepalive 8;
        keepalive_timeout 1s;
    }}

    server {{
        listen 127.0.0.1:{port};
{locations}    }}
}}
"""

CALL = """\
        location /call/{letter} {{
            envelope_call {letter};
            proxy_pass http://provider/{letter};
        }}
"""

HOOK = """\
        location /hook/{letter} {{
            envelope_webhook {letter};
            proxy_pass http://application/{letter};
        }}
"""

# The formats of conf.example/profiles; "once" is of what every webhook has.
# Nothing dates or signs an id in A and C, so nginx -t warns of it.
PROFILES = {
    "A": """
        request {{ body content; field content = json
            | rsa-pkcs1 key=platform | base64 | hex; }}
        response {{ when code 0; field data optional = json
            | rsa-pkcs1 key=merchant | base64 | hex; }}
        webhook {{ once /data/id within=10m; field data = json
            | rsa-pkcs1 key=merchant | base64 | hex; }}
    """,
    "B": """
        request {{
            random session key:32 iv:16;
            set apiKey 341916e58af445f8aadeb95170000000;
            set timestamp $envelope_time_ms;
            field bizContent = json
                | aes-256-gcm key=session.key iv=session.iv | base64;
            field key = session
                | rsa-oaep key=platform hash=sha256 mgf1=sha256 | base64;
            sign sig = rs256 key=merchant over=<sorted>
                except=rsaType,aesType | base64;
            set rsaType ECB_OAEP;
            set aesType GCM_NOPADDING;
        }}
        response {{ when code 200; {hybrid} }}
        webhook {{ once /bizContent/id within=10m; {hybrid} }}
    """,
    "C": """
        request {{ body dataContent; set version 1.0.0; set dataType JSON;
            set userNo 10001 number; field dataContent = json | base64
            | rsa-private key=merchant | hex; }}
        response {{ when success true; field result = json | base64
            | rsa-private key=platform | hex; }}
        webhook {{ once /data/id within=10m; field data = json | base64
            | rsa-private key=platform | hex; }}
    """,
    "E": """
        request {{ body param; set appId 123456; field param = json;
            sign sign = rs256 key=merchant over=<param> | base64; }}
        webhook {{ once id within=10m; body param; field param = json;
            sign sign = rs256 key=platform over=<param> | base64; }}
    """,
}

HYBRID = """
            random session key:32 iv:16;
            set timestamp $envelope_time_ms;
            fresh timestamp within=5m unit=ms;
            field bizContent = json
                | aes-256-gcm key=session.key iv=session.iv | base64;
            field key = session
                | rsa-oaep key=merchant hash=sha256 mgf1=sha256 | base64;
            sign sig = rs256 key=platform over=<sorted>
                except=rsaType,aesType | base64;
            set rsaType ECB_OAEP optional;
            set aesType GCM_NOPADDING optional;
"""


class Fault(Exception):
    """The run itself cannot go on."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, code, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if code():
            return
        time.sleep(0.02)
    raise Fault(what + ": not in time")


class World:

    def __init__(self, module, binary):
        self.module, self.binary = module, binary
        self.children, self.nginx, self.mounted = [], None, False
        self.events = []                # (time, what)
        self.pulse = Pulse()
        self.first = 0                  # the generation that seals

    def __enter__(self):
        self.prefix = tempfile.mkdtemp(prefix="envelope-faults.")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self.mounted:
            subprocess.run(["umount", "-l", self.path("disk")])
        shutil.rmtree(self.prefix, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.prefix, *names)

    def spawn(self, *words):
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                 start_new_session=True)
        self.children.append(child)
        return child

    def _start(self):
        self.pulse.start()
        os.chmod(self.prefix, 0o755)    # nginx's workers are another user
        for name in ("logs", "keys", "disk", "cores"):
            os.mkdir(self.path(name))
        os.chmod(self.path("cores"), 0o777)
        self._mount()
        self._make_keys()
        self.ports = {name: free_port() for name in
                      ("port", "provider", "application", "nobody")}
        for name in ("provider", "application"):
            self.spawn("/usr/bin/python3", HERE + "/upstreams.py", name,
                       self.path("keys"), self.path(name),
                       str(self.ports[name]))
        for name in ("provider", "application"):
            wait_for(name, lambda: is_open(self.ports[name]))
        self._start_nginx()

    def _mount(self):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % DISK,
                               "tmpfs", self.path("disk")],
                              capture_output=True)
        self.mounted = done.returncode == 0
        os.chmod(self.path("disk"), 0o755)

    def _make_keys(self):
        for n in range(messages.GENERATIONS):
            for name in ("platform", "merchant"):
                subprocess.run(
                    ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                     "rsa_keygen_bits:2048", "-out",
                     self.path("keys", "%s-%d.pem" % (name, n))],
                    check=True, capture_output=True)

    # nginx

    def configure(self):
        """The generation that seals is the first of each ring; all open."""
        order = [(self.first + i) % messages.GENERATIONS
                 for i in range(messages.GENERATIONS)]
        profiles = locations = ""
        for letter in messages.LETTERS:
            ring = "".join("        key %s keys/%s-%d.pem;\n"
                           % (name, name, n)
                           for name in ("platform", "merchant")
                           for n in order)
            profiles += "    envelope_profile %s {\n%s%s    }\n" % (
                letter, ring, PROFILES[letter].format(hybrid=HYBRID))
            locations += (CALL + HOOK).format(letter=letter)
        text = NGINX.format(
            module=self.module, prefix=self.prefix, workers=WORKERS,
            user="user www-data;" if os.geteuid() == 0 else "",
            memory=messages.MEMORY, profiles=profiles, locations=locations,
            **self.ports)
        with open(self.path("nginx.conf.new"), "w") as f:
            f.write(text)
        os.rename(self.path("nginx.conf.new"), self.path("nginx.conf"))

    def _start_nginx(self):
        """With one arena of memory for all threads: the C library lets each
        keep a megabyte or two of what it has ever needed, and that is reached
        later by each, which looks as if something were never freed."""
        self.configure()
        with open(self.path("logs", "start.log"), "wb") as log:
            self.nginx = subprocess.Popen(
                [self.binary, "-p", self.prefix, "-e",
                 self.path("logs", "error.log"), "-c",
                 self.path("nginx.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                env=dict(os.environ, MALLOC_ARENA_MAX="1"))
        self.children.append(self.nginx)
        wait_for("nginx:\n" + self.read("start.log"),
                 lambda: self.nginx.poll() is not None
                 or is_open(self.ports["port"]))
        if self.nginx.poll() is not None:
            raise Fault("nginx does not start:\n" + self.read("start.log"))

    def read(self, name):
        try:
            with open(self.path("logs", name), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def workers(self, leaving=False):
        """Pids of the workers; or of those that only finish what they do."""
        found = []
        for pid in children_of(self.nginx.pid):
            title = proc(pid, "cmdline")
            if "worker process" in title:
                if ("shutting down" in title) == leaving:
                    found.append(pid)
        return found

    def note(self, what):
        self.events.append((time.time(), what))

    def disk_files(self):
        return [os.path.join(at, name)
                for at, _, names in os.walk(self.path("disk"))
                for name in names]

    # traffic

    def traffic(self, seed, seconds, prefix, processes=2):
        return [self.spawn("/usr/bin/python3", HERE + "/clients.py",
                           str(self.ports["port"]), self.path("keys"),
                           self.path("sent"), "%s-%d" % (seed, i),
                           str(seconds), "%s%d" % (prefix, i))
                for i in range(processes)]


class Chaos(threading.Thread):
    """Workers killed, reloads with rotated keys, a disk that is full."""

    def __init__(self, world, seed, seconds):
        super().__init__()
        self.world, self.rng = world, random.Random(seed)
        self.until = time.monotonic() + seconds
        self.failed = None

    def run(self):
        try:
            self._run()
        except Exception as e:          # told by the verdict
            self.failed = "%s: %s" % (type(e).__name__, e)

    def _run(self):
        plan = [self.kill, self.reload, self.fill, self.kill_all,
                self.kill_in_reload]
        todo = []
        while True:
            time.sleep(self.rng.uniform(0.8, 2.0))
            if time.monotonic() > self.until - 2:
                return
            if not todo:
                todo = plan[:]
                self.rng.shuffle(todo)
            todo.pop()()

    def kill(self):
        pids = self.world.workers()
        if pids:
            self._kill([self.rng.choice(pids)])

    def kill_all(self):
        self._kill(self.world.workers())

    def _kill(self, pids):
        self.world.note("kill")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def reload(self):
        world = self.world
        world.first = (world.first + 1) % messages.GENERATIONS
        world.configure()
        world.note("reload")
        world.nginx.send_signal(signal.SIGHUP)

    def kill_in_reload(self):
        self.reload()
        time.sleep(self.rng.uniform(0, 0.1))
        self.kill()

    def fill(self):
        world = self.world
        if not world.mounted:
            return
        name = world.path("disk", "full")
        world.note("full")
        try:
            with open(name, "wb", buffering=0) as f:
                while True:
                    f.write(b"\0" * 65536)
        except OSError:
            pass
        time.sleep(self.rng.uniform(0.5, 1.5))
        os.unlink(name)
        world.note("emptied")


class Pulse(threading.Thread):
    """Times at which this machine had no time for us: neither for nginx."""

    BEAT, MISSED = 0.05, 0.1            # seconds

    def __init__(self):
        super().__init__(daemon=True)
        self.stalls = []                # (from, to)

    def run(self):
        while True:
            start = time.time()
            time.sleep(self.BEAT)
            if time.time() - start > self.MISSED:
                self.stalls.append((start + self.BEAT, time.time()))

    def within(self, start, end):
        """Seconds of that time that were lost so."""
        return sum(max(0, min(end, b) - max(start, a))
                   for a, b in self.stalls)


# /proc

def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def proc(pid, name):
    try:
        with open("/proc/%d/%s" % (pid, name), errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def children_of(parent):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            m = re.match(r"\d+ \(.*\) (\S) (\d+)", proc(int(name), "stat"),
                         re.S)
            if m and int(m[2]) == parent and m[1] != "Z":
                found.append(int(name))
    return found


def memory(pid):
    """Kilobytes that are the process's own: no library, no zone."""
    m = re.search(r"RssAnon:\s*(\d+)", proc(pid, "status"))
    return int(m[1]) if m else 0


def descriptors(pid):
    found = []
    try:
        for name in os.listdir("/proc/%d/fd" % pid):
            try:
                found.append(os.readlink("/proc/%d/fd/%s" % (pid, name)))
            except OSError:
                pass
    except OSError:
        pass
    return found
