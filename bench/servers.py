"""nginx instances, what they cost, and an upstream that looks closely."""

import glob
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

START = 20              # seconds that a server has to start, or to fall idle
TICK = os.sysconf("SC_CLK_TCK")


class Fault(Exception):
    """The benchmark cannot go on."""


# Everything is alike in all instances but "load" and "pool", "http" and
# "locations".
NGINX = """\
{load}
{pool}
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 1024; }}

http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
{http}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
{locations}
    }}
}}
"""

# What is not read from a client any more is still asked of the upstream: a
# request that has been counted there has then been done in full.
PROXY = """\
    client_body_buffer_size 256k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_ignore_client_abort on;
    upstream up {{
        server 127.0.0.1:{up};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
"""


class Ports:
    """Free ports from a first one on."""

    def __init__(self, first):
        self.next = first

    def take(self):
        while self.next < 65536:
            port, self.next = self.next, self.next + 1
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise Fault("there is no free port")


def nginx_binary():
    found = shutil.which("nginx", path=os.environ.get("PATH", "")
                         + ":/usr/sbin:/sbin")
    if not found:
        raise Fault("there is no nginx here")
    return found


class Nginx:
    """One nginx with one worker, all of it on one core."""

    def __init__(self, directory, port, core, locations, http="", module=None,
                 threads=0):
        self.directory, self.port, self.core = directory, port, core
        for name in ("", "tmp-body", "tmp-proxy"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        os.chmod(directory, 0o755)
        self.conf = os.path.join(directory, "nginx.conf")
        with open(self.conf, "w") as f:
            f.write(NGINX.format(
                load="load_module %s;" % module if module else "",
                pool="thread_pool default threads=%d;" % threads
                if threads else "",
                user="user www-data;" if os.geteuid() == 0 else "",
                http=http, port=port, locations=locations))
        self.master = self.worker = None
        self.under = ()         # words before the command
        self.peak = 0

    def command(self, *more):
        return (*self.under, nginx_binary(), "-p", self.directory,
                "-c", self.conf, *more)

    def test(self):
        """nginx -t: (whether it is right, what it says)"""
        done = subprocess.run(self.command("-t"), capture_output=True,
                              text=True)
        return done.returncode == 0, done.stderr

    def start(self):
        with open(os.path.join(self.directory, "start.log"), "wb") as log:
            self.master = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {self.core}))
        until = time.monotonic() + START
        while time.monotonic() < until and self.master.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    self.worker = self._worker()
                    if self.worker:
                        return self
            time.sleep(0.05)
        raise Fault("nginx does not start:\n" + self.log("start.log"))

    def _worker(self):
        pid = self.master.pid
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            children = f.read().split()
        return int(children[0]) if children else None

    def again(self):
        """Another process: where in memory its things lie is drawn anew."""
        self.peak = self.peak_memory()
        self.stop()
        self.start()

    def stop(self, how=signal.SIGTERM):
        if self.master and self.master.poll() is None:
            self.master.send_signal(how)
            try:
                self.master.wait(START)
            except subprocess.TimeoutExpired:
                self.master.kill()

    def log(self, name="error.log"):
        try:
            with open(os.path.join(self.directory, name),
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    # what the worker has cost so far

    def cpu(self):
        """Seconds on the processor, all threads, user and system."""
        total = 0
        for task in glob.glob("/proc/%d/task/*" % self.worker):
            try:
                with open(task + "/schedstat") as f:
                    total += int(f.read().split()[0]) / 1e9
            except FileNotFoundError:       # a kernel without CONFIG_SCHED_INFO
                with open(task + "/stat") as f:
                    fields = f.read().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / TICK
        return total

    def idle(self):
        """Waits until all that was asked of it is done; then cpu()."""
        until = time.monotonic() + START
        before = self.cpu()
        while time.monotonic() < until:
            time.sleep(0.03)
            now = self.cpu()
            if now - before < 0.0001:
                return now
            before = now
        raise Fault("nginx does not fall idle")

    def peak_memory(self):
        """Bytes: the most that was ever resident."""
        with open("/proc/%d/status" % self.worker) as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return max(self.peak, int(line.split()[1]) * 1024)
        raise Fault("no VmHWM in /proc")


class Upstream(Nginx):
    """Answers every POST with DONE, every GET with the file of that name."""

    def __init__(self, directory, port, core, done):
        self.files = os.path.join(directory, "files")
        os.makedirs(self.files, exist_ok=True)
        os.chmod(self.files, 0o755)
        super().__init__(directory, port, core, """\
        root files;
        location / {
            if ($request_method = POST) {
                return 200 '%s';
            }
        }
        location = /count {
            stub_status;
        }
""" % done.decode(), "    open_file_cache max=100;")

    def put(self, name, data):
        path = os.path.join(self.files, name)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o644)

    def count(self):
        """Requests so far, without those that ask for the count."""
        with socket.create_connection(("127.0.0.1", self.port), START) as s:
            s.sendall(b"GET /count HTTP/1.0\r\n\r\n")
            text = b""
            while True:
                more = s.recv(4096)
                if not more:
                    break
                text += more
        self.asked = getattr(self, "asked", 0) + 1
        return int(text.split(b"requests")[1].split()[2]) - self.asked


class Witness(ThreadingHTTPServer):
    """An upstream that keeps what it was sent last."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Handler)
        self.port, self.body, self.answer = port, None, b""
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        self.server.body = self.rfile.read(size)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    do_GET = do_POST
