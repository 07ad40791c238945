#!/usr/bin/python3
"""The second half of conf.example/demo, once the module is built.

Starts a mock provider (provider.py), a tiny application that records the
webhooks it is given, and nginx with the shipped profiles between them; sends
messages of every format both ways and compares, byte by byte, what was sent
with what arrived.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import formats                                                # noqa: E402

NUMBER = "123456789012345678901234567890"

Scene = namedtuple("Scene", "title file profile path headers request webhooks "
                   "reply refuses")

# What the application sends, what the provider sends unasked, and what the
# application answers to that.  "webhooks" are (name, parameters of the mock
# provider's _send, location, body); "refuses" are the messages that must not
# get through with one character changed.
SCENES = {
    "A": Scene(
        "vmcardio, content", "a-vmcardio-content.conf", "vm_content",
        "/applyCard", {},
        ' { "product_code" : "G531993",\t"amount": 1.0, "limit":1e2,\r\n'
        '  "ref":' + NUMBER + ', "name":"Žofie \\u00e9 \\"q\\" \\/ 卡",\n'
        '  "list":[ 1,2 ,-0.50e+7 ], "none":{ }, "x":null,'
        '"remark":"' + "more than one block of RSA; " * 30 + '" }\n',
        [("webhook", "", "/A",
          '{"auth_id":"a_77","card_id":"c_5512" , "amount":1.0,'
          '"ref":' + NUMBER + ',"merchant":"Café \\u4e2d\\/国"}\n'),
         ("webhook*", "&sealed=1", "/A-sealed",
          '{"business_type":"Card3ds", "data" :{ "otp":"012345","e":1e2,'
          '\t"ref":' + NUMBER + ',"shop":"Łódź \\"x\\"" } }')],
        '{"code":0,"msg":"ok"}', []),
    "B": Scene(
        "vmcardio, hybrid", "b-vmcardio-hybrid.conf", "vm_hybrid",
        "/v1/cards", {},
        '{"apiKey":"not mine","timestamp":"1623038312088",'
        '"rsaType":"ECB_OAEP","aesType":"GCM_NOPADDING",'
        '"bizContent":{ "page":1 ,"pageSize":1,"rate":1.0,"e":1e2,'
        '"ref":' + NUMBER + ',\r\n\t"note":"支付 \\u00fc\\/ ü" }}',
        [("webhook", "", "/B",
          '{"code":"200","message":"SUCCESS  two  spaces",'
          '"bizContent":{"type":"TX" ,"amount":1.0,"e":1e2,'
          '"ref":' + NUMBER + ', "who":"Ænima \\u2603"}}'),
         ("webhook*", "&short=1", "/B",
          '{"bizContent": { "type":"TX", "memo":"три\\n" }}')],
        '{"message":"SUCCESS","code":"200"}', ["response", "webhook"]),
    "C": Scene(
        "Merchant card API, dataContent", "c-merchant-datacontent.conf",
        "merchant_card", "/vcc/openCard", {},
        '{ "cardBin" : "531993", "amount":100.00,"e":1e2 ,\r\n "ref":'
        + NUMBER + ', "holder":"Ünal Çelik \\u00e9 \\/", "list":[ ] }\n',
        [("webhook", "", "/C",
          '{"type":"card_transaction","data":{ "orderNo":"o-1","amount":1.0,'
          '"e":1e2, "ref":' + NUMBER + ', "shop":"Kök \\u2603"},'
          '"version":"1.0.0","userNo":10001}')],
        "SUCCESS", ["response", "webhook"]),
    "D": Scene(
        "v2/pay, service + bizContent + sign", "d-v2pay-bizcontent.conf",
        "v2pay", "/api/v2/pay", {},
        '{"service":"createPayer","bizContent":{ "firstName":"Николай",'
        '"amount" : 1.0,"e":1e2,\r\n\t"ref":' + NUMBER
        + ', "note":"\\u041f \\/ \\"x\\"" }}',
        [], "", ["response"]),
    "E": Scene(
        "Unified API, param + sign", "e-unified-param.conf", "unified",
        "/payout/create", {},
        ' {"orderNo":"p_1", "amount":"100.00","rate":1.0,"e":1e2,\r\n'
        '\t"ref":' + NUMBER + ',"payee":"José \\u00d1 \\"x\\" \\\\ \\/ 😀" }\n',
        [("webhook", "", "/E",
          '{ "orderNo":"p_1","status" : 2,"fee":1.0,"e":1e2,"ref":' + NUMBER
          + ', "payee":"Jos\\u00e9 Ñ"\t}')],
        "SUCCESS", ["webhook"]),
    "F": Scene(
        "Virtual card creation, headers", "f-virtual-card-headers.conf",
        "virtual_card", "/open/api/card/create", {},
        '{\r\n    "cardHolder": {\n        "firstName": "Milton",\n'
        '        "lastName": "Schmitt-Łęcki \\u00e9"\n    },\n'
        '    "deposit": "1000", "x":1.0,"e":1e2,"ref":' + NUMBER + ',\n'
        '    "vid": "USD",\n    "orderNo": "v_5bc814",\n'
        '    "callbackUrl": "https:\\/\\/shop.example\\/cb"\n}\n',
        [("webhook", "", "/F",
          '{"orderNo":"v_5bc814","amount":"1000", "e":1e2,"x":1.0,"ref":'
          + NUMBER + ',"msg":"成功 \\u2603"}')],
        "success", ["webhook"]),
}

# What nginx sends with each call; the application knows no token.
TOKENS = {"A": "0b0c3a52-6b0e-4f0e-9f57-demo00000000",
          "D": "Bearer demo-token-of-d"}

# Where the shipped profiles fetch tokens; here it is the mock provider.
ENDPOINTS = {"A": "https://sandbox-api.vmcardio.com/",
             "D": "https://provider-d.example/"}

NGINX = """\
load_module {module};
{user}
daemon off;
worker_processes 2;
pid nginx.pid;
error_log logs/error.log info;
events {{ worker_connections 256; }}

http {{
{includes}
    access_log logs/access.log;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    client_body_buffer_size 256k;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    # for the application
    server {{
        listen 127.0.0.1:{call};
{calls}
    }}

    # for the providers
    server {{
        listen 127.0.0.1:{hook};
        location = /A {{
            proxy_pass http://127.0.0.1:{app};
        }}
{hooks}    }}
}}
"""

CALL = """\
        location /{letter}/ {{
            envelope_call {profile};
            proxy_pass http://127.0.0.1:{provider};
        }}
"""

HOOK = """\
        location = {path} {{
            envelope_webhook {profile};
            proxy_pass http://127.0.0.1:{app};
        }}
"""


class Fault(Exception):
    """The demo itself cannot go on."""


# The application's end

class Application(ThreadingHTTPServer):
    """Records what it is given and answers as each provider expects."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Recorder)
        self.got = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.got.append(body)
        scene = SCENES.get(self.path[1:2])
        reply = (scene.reply if scene else "ok").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain" if reply[:1] != b"{"
                         else "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


def ask(port, method, path, body=None, headers=None):
    """(status, body) of one request."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request(method, path, body, headers or {})
        answer = c.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError) as e:
        return 0, ("%s: %s" % (type(e).__name__, e)).encode()
    finally:
        c.close()


# Starting and stopping

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    """The processes, their ports and their directory."""

    def __init__(self):
        self.children, self.prefix = [], None

    def __enter__(self):
        self.prefix = tempfile.mkdtemp(prefix="envelope-demo.")
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
        shutil.rmtree(self.prefix, ignore_errors=True)

    def _start(self):
        os.chmod(self.prefix, 0o755)    # nginx's workers are another user
        for name in ("logs", "tmp"):
            os.mkdir(self.path(name))
        say("making keys ... ", end="")
        subprocess.run([TOP + "/conf.example/keys.sh", self.path("keys")],
                       check=True)
        say("done")
        self.app = Application()
        self.provider = self._start_provider()
        self.call, self.hook = free_port(), free_port()
        self._configure()
        self.start_nginx()

    def path(self, *names):
        return os.path.join(self.prefix, *names)

    def _start_provider(self):
        child = subprocess.Popen(
            ["/usr/bin/python3", HERE + "/provider.py", "--keys",
             self.path("keys")], stdout=subprocess.PIPE,
            start_new_session=True)
        self.children.append(child)
        line = child.stdout.readline().decode()
        if not line.startswith("listening on "):
            raise Fault("the mock provider does not start")
        return int(line.rsplit(":", 1)[1])

    def _configure(self):
        """The shipped profiles, unchanged but for the address that tokens are
        fetched from; keys/ is beside nginx.conf."""
        os.makedirs(self.path("profiles"), exist_ok=True)
        ports = {"call": self.call, "hook": self.hook, "app": self.app.port,
                 "provider": self.provider}
        includes, calls, hooks = "", "", ""
        for letter, scene in SCENES.items():
            with open(TOP + "/conf.example/profiles/" + scene.file) as f:
                text = f.read()
            if letter in ENDPOINTS:
                text = text.replace(" " + ENDPOINTS[letter],
                                    " http://127.0.0.1:%d/%s/"
                                    % (self.provider, letter))
            with open(self.path("profiles", scene.file), "w") as f:
                f.write(text)
            includes += '    include profiles/%s;\n' % scene.file
            calls += CALL.format(letter=letter, profile=scene.profile, **ports)
            for path in dict.fromkeys(w[2] for w in scene.webhooks):
                if path != "/A":        # A's webhooks are plain by default
                    hooks += HOOK.format(path=path, profile=scene.profile,
                                         **ports)
        text = NGINX.format(
            module=TOP + "/build/ngx_http_envelope_module.so",
            user="user www-data;" if os.geteuid() == 0 else "",
            includes=includes, calls=calls, hooks=hooks, **ports)
        with open(self.path("nginx.conf"), "w") as f:
            f.write(text)

    def start_nginx(self):
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "")
                             + ":/usr/sbin:/sbin")
        if not nginx:
            raise Fault("there is no nginx here")
        with open(self.path("logs", "start.log"), "wb") as log:
            child = subprocess.Popen(
                [nginx, "-p", self.prefix, "-c", self.path("nginx.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.children.append(child)
        until = time.monotonic() + 20
        while time.monotonic() < until and child.poll() is None:
            if all(is_open(p) for p in (self.call, self.hook)):
                return
            time.sleep(0.05)
        raise Fault("nginx does not start:\n" + self.log("start.log"))

    def log(self, name):
        try:
            with open(self.path("logs", name), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    # the mock provider's own paths

    def last(self, letter):
        status, body = ask(self.provider, "GET", "/_last?format=" + letter)
        if status != 200:
            raise Fault("the mock provider: " + body.decode())
        return json.loads(body) or {"error": "nothing arrived", "headers": {}}

    def send(self, letter, path, body, more=""):
        to = quote("http://127.0.0.1:%d%s" % (self.hook, path), safe="")
        status, got = ask(self.provider, "POST", "/_send?format=%s&to=%s%s"
                          % (letter, to, more), body)
        if status != 200:
            return {"status": 0, "body": got.decode(), "wire": "",
                    "wire_headers": {}}
        return json.loads(got)


def is_open(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


# Showing

TTY = sys.stdout.isatty()
brief = False
verdicts = []


def color(text, code):
    return "\033[%sm%s\033[0m" % (code, text) if TTY else text


def say(text="", end="\n"):
    print(text, end=end, flush=True)


def visible(data, most):
    """One line: control characters as pictures, the middle of long ones cut."""
    if data is None:
        return "(nothing)"
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    text = "".join(chr(0x2400 + ord(c)) if ord(c) < 32 else c for c in text)
    if len(text) > most:
        text = text[:most - 50] + " ... " + text[-45:]
    return text


def length(data):
    return len(data if isinstance(data, bytes) else (data or "").encode())


def line(label, data, most=200, headers=None):
    if brief:
        return
    for name in ("appId", "timestamp", "sign"):
        if headers and name.lower() in headers:
            say("    %-22s %s: %s" % (label, name, headers[name.lower()]))
            label = ""
    say("    %-22s %5d bytes  %s" % (label, length(data),
                                     color(visible(data, most), "2")))


def verdict(letter, what, good, why=""):
    verdicts.append(good)
    mark = color("ok", "32") if good else color("FAIL", "31")
    say("%s %-14s %s%s" % (letter, what, mark,
                           "" if good or not why else "   " + why))


def same(sent, got):
    """The reason why two are not the same bytes, or nothing."""
    sent = sent.encode() if isinstance(sent, str) else sent
    got = got.encode() if isinstance(got, str) else got
    if got is None:
        return "nothing arrived"
    if sent == got:
        return ""
    at = next((i for i, (x, y) in enumerate(zip(sent, got)) if x != y),
              min(len(sent), len(got)))
    return "differs from byte %d: %s / %s" % (
        at, visible(sent[at:at + 30], 30), visible(got[at:at + 30], 30))


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


# The acts

def call(world, letter, kind=""):
    """The application posts its request; what it gets, what the provider saw."""
    scene = SCENES[letter]
    path = "/%s%s%s" % (letter, "/" + kind if kind else "", scene.path)
    ask(world.provider, "POST", "/_reset")
    status, body = ask(world.call, "POST", path, scene.request.encode(),
                       dict({"Content-Type": "application/json"},
                            **scene.headers))
    return status, body, world.last(letter)


def act_call(world, letter):
    scene = SCENES[letter]
    status, body, last = call(world, letter)
    headers = lower(last["headers"])

    line("application sent", scene.request)
    line("on the wire", last.get("wire"), headers=headers)
    line("provider read", last.get("plain"))
    if letter == "B":                   # the other members are the profile's
        why = same(formats.Object(scene.request).raw("bizContent"),
                   last.get("inner"))
    else:
        why = same(scene.request, last.get("plain"))
    for name, value in scene.headers.items():
        if headers.get(name.lower()) != value:
            why = why or "the header %s did not arrive" % name
    if letter in TOKENS:
        line("with its token", "Authorization: "
             + headers.get("authorization", "none"))
        if headers.get("authorization") != TOKENS[letter]:
            why = why or "the token did not arrive"
    verdict(letter, "request", not why, last.get("error") or why)

    line("provider answered", last.get("answer"))
    line("on the wire", last.get("answer_wire"))
    line("application received", body)
    why = same(last.get("answer") or "", body)
    if status != 200:
        why = "status %d: %s" % (status, visible(body, 100))
    verdict(letter, "response", not why, why)


def act_failures(world, letter):
    status, body, last = call(world, letter, "error")
    line("provider's error", last.get("answer_wire"))
    line("application received", body)
    why = same(last.get("answer_wire") or "", body)
    verdict(letter, "error", status == 200 and last.get("answer_wire")
            and not why, why or "status %d" % status)

    if "response" in SCENES[letter].refuses:
        status, body, last = call(world, letter, "tampered")
        line("tampered answer", last.get("answer_wire"))
        line("application received", body)
        verdict(letter, "bad answer", status == 502
                and last.get("answer_wire") is not None,
                "status %d instead of 502" % status)


def act_webhook(world, letter, name, more, path, body):
    scene, before = SCENES[letter], len(world.app.got)
    sent = world.send(letter, path, body.encode(), more)
    got = world.app.got[before:]

    line("provider sent", body)
    line("on the wire", sent["wire"], headers=lower(sent["wire_headers"]))
    line("application received", got[0] if got else None)
    line("and answered", sent["body"])
    why = same(body, got[0] if got else None)
    if sent["status"] != 200:
        why = "status %d: %s" % (sent["status"], visible(sent["body"], 100))
    elif len(got) != 1:
        why = why or "%d arrived" % len(got)
    verdict(letter, name, not why and sent["body"] == scene.reply,
            why or "the answer: " + visible(sent["body"], 100))


def act_bad_webhook(world, letter, _, more, path, body):
    before = len(world.app.got)
    sent = world.send(letter, path, body.encode(), more + "&tamper=1")
    line("tampered webhook", sent["wire"],
         headers=lower(sent["wire_headers"]))
    line("answered %d" % sent["status"], sent["body"])
    line("application received", None if len(world.app.got) == before
         else world.app.got[-1])
    why = "status %d instead of 401" % sent["status"]
    if len(world.app.got) != before:
        why = "the application got it"
    verdict(letter, "bad webhook", sent["status"] == 401
            and len(world.app.got) == before, why)


def act_more(world):
    """What a provider's HTTP server may do, shown once, with A."""
    status, body, last = call(world, "A", "gzip")
    line("gzip on the wire", last.get("answer_wire"))
    line("application received", body)
    why = same(last.get("answer") or "", body)
    verdict("A", "gzip", status == 200 and not why,
            why or "status %d" % status)

    status, body, last = call(world, "A", "500")
    line("HTTP 500, plain", last.get("answer_wire"))
    line("application received", body)
    why = same(last.get("answer_wire") or "", body)
    verdict("A", "HTTP 500", status == 500 and not why,
            why or "status %d" % status)


def act_token(world, letter):
    """However many calls there were, over two workers."""
    status, body = ask(world.provider, "GET", "/_tokens")
    line("tokens fetched", body)
    verdict(letter, "token", status == 200 and json.loads(body)[letter] == 1)


def play(world):
    for letter, scene in SCENES.items():
        say()
        say(color("%s  %s" % (letter, scene.title), "1")
            + "   conf.example/profiles/" + scene.file)
        act_call(world, letter)
        act_failures(world, letter)
        for webhook in scene.webhooks:
            act_webhook(world, letter, *webhook)
        if "webhook" in scene.refuses:
            act_bad_webhook(world, letter, *scene.webhooks[0])
        if not scene.webhooks:
            say("%s %-14s none is documented" % (letter, "webhook"))
        if letter == "A":
            act_more(world)
        if letter in TOKENS:
            act_token(world, letter)
    say()
    say("* A: with encrypted data (by default A's webhooks are plain);"
        " B: the short form")
    if not all(verdicts):
        say()
        say("nginx said:")
        for text in world.log("error.log").splitlines():
            if any(level in text for level in ("[error]", "[alert]", "[warn]",
                                               "[emerg]", "[crit]")):
                say("    " + text)
    say()
    say("%d passed, %d failed" % (sum(verdicts), len(verdicts)
                                  - sum(verdicts)))


def serve(world):
    base = "http://127.0.0.1:%d" % world.call
    provider = "http://127.0.0.1:%d" % world.provider
    say("nginx for applications   " + base)
    say("nginx for providers      http://127.0.0.1:%d" % world.hook)
    say("mock provider            " + provider)
    say("application              http://127.0.0.1:%d" % world.app.port)
    say("configuration and logs   " + world.prefix)
    say()
    say("A call: the application's request, and what the provider received")
    for letter, scene in SCENES.items():
        body = {"B": '{"bizContent":{"a":1.0}}',
                "D": '{"service":"createPayer","bizContent":{"a":1.0}}'}
        say("  curl %s/%s%s -d '%s'" % (base, letter, scene.path,
                                        body.get(letter, '{"a":1.0}')))
    say("  curl '%s/_last?format=A'" % provider)
    say()
    say("A webhook: the mock provider seals it and posts it to nginx")
    for letter, scene in SCENES.items():
        for _, more, path, body in scene.webhooks[:1]:
            say("  curl '%s/_send?format=%s%s&to=http://127.0.0.1:%d%s' -d '%s'"
                % (provider, letter, more, world.hook, path,
                   {"B": '{"bizContent":{"a":1.0}}',
                    "C": '{"type":"card_operate","data":{"a":1.0},'
                         '"version":"1.0.0","userNo":10001}'}
                   .get(letter, '{"a":1.0}')))
    say("  (with &tamper=1: one character changed on the way)")
    say()
    say("Ctrl-C ends it.")
    seen = 0
    while all(child.poll() is None for child in world.children):
        time.sleep(0.2)
        for body in world.app.got[seen:]:
            say("the application received: " + visible(body, 400))
            seen += 1
    raise Fault("something has ended by itself:\n" + world.log("error.log"))


def stop(*_):
    raise KeyboardInterrupt


def main():
    global brief
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--serve", action="store_true")
    p.add_argument("--brief", action="store_true")
    p.add_argument("--ready", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    brief = a.brief
    sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        with World() as world:
            if a.serve:
                serve(world)
            play(world)
    except KeyboardInterrupt:
        say()
        return 0 if a.serve else 130
    except (Fault, OSError, subprocess.CalledProcessError) as e:
        say("demo: %s" % e)
        return 1
    return 0 if verdicts and all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
