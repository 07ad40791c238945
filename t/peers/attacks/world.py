"""nginx with the shipped profiles, and more, before an upstream that keeps
what it gets."""

import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import demo
import forge
import formats
from upstream import RESET, Raw, Upstream, framed

TOP = demo.TOP

# The algorithms that no shipped profile uses, or not alone.  The same text
# is a profile's request (serve), webhook and, as NAME-call, response (call).
MORE = {
    "pkcs1": "field data = json | rsa-pkcs1 key=rsa | hex;",
    "wrap": "random s 16; field data = json | aes-128-cbc key=s iv=prefix"
            " | hex; field key = s | rsa-pkcs1 key=rsa | hex;",
    "oaep": "field data = json | rsa-oaep key=rsa hash=sha256 mgf1=sha256"
            " label=L | hex;",
    "type1": "field data = json | rsa-private key=rsa | hex;",
    "cbc": "field data = json | aes-128-cbc key=aes iv=prefix | hex;",
    "cbc-mac": "field data = json | aes-128-cbc key=aes iv=prefix | hex;"
               " sign sign = hs256 key=hush over=<data> | hex;",
    "ecb": "field data = json | aes-128-ecb key=aes | hex;",
    "gcm": "field data = json | aes-128-gcm key=aes iv=prefix aad=<id>"
           " | hex;",
    "once": "once id within=1h; fresh t within=5m;"
            " sign sign = hs256 key=hush over=<id>.<t> | hex;",
    "once-key": "once id within=1h; sign sign = hs256 key=hush over=<id>"
                " kid=kid | hex;",
    "body": "sign header:X-Sign = hs256 key=hush over=<body> | hex;",
    "three": "sign sign = rs256 key=three over=<a> | hex;",
}
for _alg, _key in (("rs256", "rsa"), ("ps256", "rsa"), ("es256", "p256"),
                   ("es384", "p384"), ("eddsa", "ed"), ("hs256", "hush")):
    MORE[_alg] = "sign sign = %s key=%s over=<a> | hex;" % (_alg, _key)

KEYS = "".join("key %s keys/%s.pem;\n" % (name, name)
               for name in ("rsa", "three", "p256", "p384", "ed")) \
    + "secret aes data:%s hex;\nsecret hush data:%s text;\n" \
    % (forge.AES_KEY.hex(), forge.HUSH)

# ways a token's endpoint may fail: /token/NAME of the upstream
TOKENS = ("good", "401", "500", "reset", "large", "redirect", "crlf",
          "no-time", "zero-time", "huge-time")

TOKEN = "CANARY-token-3f81"


def token_answers():
    good = '{"data":{"token":"%s","life":%s}}'
    far = int(time.time()) + 7200
    return {
        "/token/A/getAccessToken":
            ('{"data":{"token":"%s","expired_time":%d}}' % (TOKEN, far))
            .encode(),
        "/token/D/token": ('{"access_token":"%s","expires_in":7200}' % TOKEN)
            .encode(),
        "/token/good": (good % (TOKEN, 7200)).encode(),
        "/token/401": Raw(framed(b"{}", "401 Unauthorized")),
        "/token/500": Raw(framed(b"{}", "500 Internal Server Error")),
        "/token/reset": Raw(b"HTTP/1.1 200 OK\r\n", RESET),
        "/token/large": Raw(framed(b'"' + b"x" * 10000000 + b'"')),
        "/token/redirect": Raw(framed(b"", "302 Found",
                                      "Location: /token/good")),
        "/token/crlf": (good % (TOKEN + "\\r\\nX: y", 7200)).encode(),
        "/token/no-time": (good % (TOKEN, -1)).encode(),
        "/token/zero-time": (good % (TOKEN, 0)).encode(),
        "/token/huge-time": (good % (TOKEN, 1 << 63)).encode(),
    }


NGINX = """\
{load}
{user}
daemon off;
worker_processes {workers};
pid {root}/logs/nginx.pid;
error_log {root}/logs/error.log info;
events {{ worker_connections 2048; }}

http {{
    client_body_temp_path {root}/client_body_temp;
    proxy_temp_path {root}/proxy_temp;
    fastcgi_temp_path {root}/fastcgi_temp;
    uwsgi_temp_path {root}/uwsgi_temp;
    scgi_temp_path {root}/scgi_temp;
    keepalive_requests 10000000;
    keepalive_timeout 300s;
    client_max_body_size 16m;
    client_body_buffer_size 16m;
    proxy_buffers 16 64k;
    proxy_max_temp_file_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_read_timeout 5s;
    envelope_zone attack:1m;

    log_format all '$request_method $uri $status $envelope_profile '
        '$envelope_role $envelope_result "$envelope_reason" $envelope_kid '
        '$envelope_seal_time $envelope_open_time $envelope_time '
        '$envelope_time_ms $envelope_nonce $envelope_uuid "$envelope_token"';
    access_log {root}/logs/access.log all;

    upstream app {{
        server 127.0.0.1:{app};
        keepalive 32;
    }}
{http}
    server {{
        listen 127.0.0.1:{port};
{server}
    }}
}}
"""


def location(uri, *lines, to="http://app"):
    return "        location = %s {\n            %s\n            %s\n" \
        "        }\n" % (uri, "\n            ".join(lines),
                         "proxy_pass %s;" % to if to else "")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    """One directory, its keys, an upstream, and an nginx that can be started
    with one configuration after the other."""

    def __init__(self):
        self.own = None
        self.root = os.environ.get("TEST_NGINX_SERVROOT")
        if not self.root:
            self.root = self.own = tempfile.mkdtemp(prefix="attack.")
            os.chmod(self.root, 0o755)
        self.port = int(os.environ.get("TEST_NGINX_SERVER_PORT") or
                        free_port())
        self.asan = "asan" in os.environ.get("TEST_NGINX_LD_PRELOAD", "")
        self.clean()
        for name in ("conf", "logs"):
            os.makedirs(self.path(name))
        self.keys = self.path("conf", "keys")
        forge.make_keys(self.keys, TOP + "/conf.example/keys.sh")
        self.app, self.bad = Upstream(), Upstream()
        self.app.paths = token_answers()
        self.child, self.said = None, ""
        self.log_at = 0

    def clean(self):
        for path in [self.path("conf"), self.path("logs")] \
                + glob.glob(self.path("*_temp")):
            shutil.rmtree(path, ignore_errors=True)

    def close(self):
        self.stop()
        self.clean()
        if self.own:
            shutil.rmtree(self.own, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def key(self, name):
        return formats.load_key(os.path.join(self.keys, name))

    def read(self, *names):
        with open(self.path(*names), "rb") as f:
            return f.read()

    # what is in the configuration

    def shipped(self, letter, side):
        """A profile as it is shipped; of the platform's side for "serve"."""
        scene = demo.SCENES[letter]
        with open(TOP + "/conf.example/profiles/" + scene.file) as f:
            text = f.read()
        if letter in demo.ENDPOINTS:
            text = text.replace(" " + demo.ENDPOINTS[letter],
                                " http://127.0.0.1:%d/token/%s/"
                                % (self.app.port, letter))
        if side == "serve":
            name = "%s-platform." % letter.lower()
            text = re.sub(re.escape(name) + r"(pub\.pem|cer)", name + "pem",
                          text)
            text = text.replace(name + "pub;", name + "key;")
            text = text.replace("envelope_profile ", "envelope_profile s_")
        return text

    def profiles(self):
        text = ""
        for letter in demo.SCENES:
            text += self.shipped(letter, "call")
            text += self.shipped(letter, "serve")
        for name, format_ in MORE.items():
            keys = KEYS
            if name == "once-key":
                keys = "secret hush data:%s text id=one;\n" % forge.HUSH
            text += "envelope_profile %s {\n%s request { %s }\n" \
                "webhook { %s }\n}\n" % (name, keys, format_, format_)
            text += "envelope_profile %s-call {\n%s response { %s }\n}\n" % (
                name, keys, format_)
        for name in TOKENS:
            text += """envelope_profile token-%s {
                secret app data:%s text;
                token {
                    url "http://127.0.0.1:%d/token/%s?s=<secret:app>";
                    value /data/token;
                    expires_in /data/life;
                    timeout 2s;
                }
            }\n""" % (name, forge.HUSH, self.app.port, name)
        return text

    def locations(self):
        text = ""
        for letter, scene in demo.SCENES.items():
            name = scene.profile
            text += location("/call/" + letter, "envelope_call %s;" % name)
            text += location("/serve/" + letter, "envelope_serve s_%s;" % name)
            if letter != "D":
                text += location("/webhook/" + letter,
                                 "envelope_webhook %s;" % name)
        for name in MORE:
            for role in ("webhook", "serve"):
                text += location("/%s/%s" % (role, name),
                                 "envelope_%s %s;" % (role, name))
            text += location("/call/" + name, "envelope_call %s-call;" % name)
        for name in TOKENS:
            text += location("/token-call/" + name,
                             "envelope_call token-%s;" % name)
        return text + self.paths()

    def paths(self):
        """The same message on its ways through nginx."""
        hook, call = "envelope_webhook unified;", "envelope_call unified;"
        once = "http://127.0.0.1:%d" % self.app.port
        text = ""
        for role, line in (("hook", hook), ("call", call)):
            ways = {"mirror": ["mirror /mirrored;"],
                    "page": ["error_page 400 401 502 = @other;",
                             "proxy_intercept_errors on;"],
                    "uri": ["error_page 400 401 502 = /mirrored;",
                            "proxy_intercept_errors on;"],
                    "auth": ["auth_request /checked;"],
                    "ssi": ["ssi on;", "ssi_types *;"]}
            for way, lines in ways.items():
                text += location("/%s/%s" % (role, way), line, *lines,
                                 to=once)
            text += location("/%s/try" % role, line,
                             "try_files /none @other;", to=None)
            text += location("/%s/file" % role, line,
                             "client_body_buffer_size 1k;",
                             "client_body_in_file_only clean;")
            text += location("/%s/small" % role, line,
                             "client_body_buffer_size 1k;")
            text += location("/%s/stream" % role, line,
                             "client_body_buffer_size 1k;",
                             "proxy_request_buffering off;")
            text += location("/%s/retry" % role, line,
                             "proxy_next_upstream error timeout"
                             " non_idempotent;", to="http://two")
        text += location("/mirrored", "internal;")
        text += location("/checked", "internal;",
                         "proxy_pass_request_body off;",
                         'proxy_set_header Content-Length "";')
        # no kept connections: what is sent breaks them
        text += location("/hostile", "envelope_call vm_hybrid;", to=once)
        text += location("/hold", "envelope_webhook unified;")
        text += location("/held", "envelope_call unified;",
                         to="http://app/hold")
        return text + "        location @other { proxy_pass http://app; }\n"

    def http(self):
        return """
    upstream two {
        server 127.0.0.1:%d max_fails=0;
        server 127.0.0.1:%d max_fails=0 backup;
    }
    server {
        listen 127.0.0.1:%d http2;
%s
    }
""" % (self.bad.port, self.app.port, self.h2_port, self.locations())

    def configure(self):
        self.h2_port = free_port()
        text = self.profiles() + self.http()
        if self.version() >= (1, 25, 1):
            text = text.replace(" http2;", "; http2 on;")
        self.write_conf(1, text, self.locations())

    def write_conf(self, workers, http, server):
        modules = os.environ.get("TEST_NGINX_LOAD_MODULES",
                                 TOP + "/build/ngx_http_envelope_module.so")
        text = NGINX.format(
            load="\n".join("load_module %s;" % m for m in modules.split()),
            user="user root;" if os.geteuid() == 0 else "",
            workers=workers, root=self.root, port=self.port,
            app=self.app.port, http=http, server=server)
        forge.write(self.path("conf", "nginx.conf"), text)

    # its life

    @staticmethod
    def binary():
        found = os.environ.get("TEST_NGINX_BINARY") or shutil.which(
            "nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not found:
            raise SystemExit("there is no nginx here")
        return found

    def version(self):
        out = subprocess.run([self.binary(), "-v"], capture_output=True)
        found = re.search(rb"/(\d+)\.(\d+)\.(\d+)", out.stderr)
        return tuple(int(n) for n in found.groups())

    def start(self):
        env = dict(os.environ)
        preload = env.pop("TEST_NGINX_LD_PRELOAD", "")
        if preload:
            env["LD_PRELOAD"] = preload
        if os.path.exists(self.path("logs", "error.log")):
            self.log_at = os.path.getsize(self.path("logs", "error.log"))
        out = open(self.path("logs", "start.log"), "wb")
        self.child = subprocess.Popen(
            [self.binary(), "-p", self.root + "/",
             "-c", self.path("conf", "nginx.conf"),
             "-e", self.path("logs", "error.log")],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        out.close()
        until = time.monotonic() + 90
        while not demo.is_open(self.port) or not self.workers():
            if self.child.poll() is not None or time.monotonic() > until:
                raise SystemExit("nginx does not start:\n"
                                 + self.read("logs", "start.log").decode())
            time.sleep(0.02)
        self.said = self.read("logs", "start.log").decode(errors="replace")

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.child = None

    def reload(self):
        self.child.send_signal(signal.SIGHUP)

    def workers(self):
        """The pids, those that are about to exit included."""
        with open("/proc/%d/task/%d/children" % (self.child.pid,
                                                 self.child.pid)) as f:
            return sorted(int(pid) for pid in f.read().split())

    def log(self):
        """What the error log has got since the last time."""
        with open(self.path("logs", "error.log"), "rb") as f:
            f.seek(self.log_at)
            text = f.read()
        end = text.rfind(b"\n") + 1
        self.log_at += end
        return text[:end].decode("utf-8", "replace")

    # what a process has used

    def cpu(self):
        """Seconds; a sanitizer's are worth less."""
        with open("/proc/%d/stat" % self.workers()[0]) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return spent / 10 if self.asan else spent

    def memory(self, what):
        """"VmRSS" or "VmHWM" of the worker, in bytes."""
        with open("/proc/%d/status" % self.workers()[0]) as f:
            return 1024 * int(re.search(what + r":\s+(\d+)", f.read())[1])

    def forget_peak(self):
        with open("/proc/%d/clear_refs" % self.workers()[0], "w") as f:
            f.write("5")
