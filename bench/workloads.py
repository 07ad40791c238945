"""What is measured: a Workload is a row of the table.

WORKLOADS has, by name, the functions that make them: keys and messages are
made for the rows that are asked for.  Sealed messages come from the peers in
t/peers, which share nothing with the module.
"""

import hashlib
import hmac
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "t", "peers"))

import formats                                                # noqa: E402

DONE = b'{"code":0}'

# Workload.rounds, where a percent is a third of a microsecond, and with one
# private operation of RSA, in which one process is by two percent faster than
# the next
SHORT = 12
MIDDLE = 6


class Workload:
    directive = ""          # what holds in the location
    profile = ""            # the configuration of the profile "p"
    body = None             # what the client posts; without one it gets
    header = ()             # a header that it sends, (name, value)
    answer = DONE           # what the upstream answers
    returned = DONE         # what the client must be given then
    bare = ()               # operations of bench/bare that it cannot do without
    bits = 0                # of its RSA keys
    private = public = 0    # operations with them
    both = False            # measured with threads on and off
    rounds = 1              # so many times as many as it is asked for
    targets = {}            # ideal / ours: {"on": with threads, "off": without}

    def __init__(self, **more):
        for name, value in more.items():
            if not hasattr(Workload, name):
                raise AttributeError(name)
            setattr(self, name, value)

    def target(self, threads):
        """A module that has no threads (None) works as one with them off."""
        return self.targets.get(threads or "off", None if threads else
                                self.targets.get("on"))

    def arrives(self, body):
        """Whether this is what the upstream has to be sent."""
        return body == (self.body or b"")


class Keys:
    """Keys and secrets in a directory, made when first asked for."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)

    def file(self, name, bits, half=".pem"):
        path = os.path.join(self.directory, "%s-%d" % (name, bits))
        if not os.path.exists(path + ".pub.pem"):
            run = lambda *words: subprocess.run(              # noqa: E731
                ("openssl",) + words, check=True, stderr=subprocess.DEVNULL)
            run("genpkey", "-algorithm", "RSA", "-out", path + ".pem",
                "-pkeyopt", "rsa_keygen_bits:%d" % bits)
            run("pkey", "-in", path + ".pem", "-pubout",
                "-out", path + ".pub.pem")
        return path + half

    def secret(self, name, length):
        """(file, bytes)"""
        path = os.path.join(self.directory, name)
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(os.urandom(length))
        with open(path, "rb") as f:
            return path, f.read()

    def merchant(self, bits):
        """The lines of a merchant's profile."""
        return ("key platform %s;\n    key merchant %s;\n"
                % (self.file("platform", bits, ".pub.pem"),
                   self.file("merchant", bits)))

    def peer(self, letter, bits, **more):
        """An independent peer that can be either side."""
        return formats.make(letter, **{
            name: formats.load_key(self.file(name, bits))
            for name in ("platform", "merchant")}, **more)


# Messages: JSON as it is seen in APIs, of an exact size

def card(size):
    start = '{"card_id":"c_5512","amount":"100.00","memo":"'
    return (start + "x" * (size - len(start) - 2) + '"}').encode()


def orders(size):
    def text(count, memo):
        return json.dumps(
            {"orderNo": "p_5bc814f2", "status": 2, "memo": memo, "items": [
                {"id": "tx_%07d" % i, "amount": "%d.50" % (10 + i % 90),
                 "shop": "Shop No. %d" % (i % 50), "settled": i % 3 == 0}
                for i in range(count)]}, separators=(",", ":"))

    count = 0
    while len(text(count + 1, "")) <= size:
        count += 1
    return text(count, "x" * (size - len(text(count, "")))).encode()


# The profiles, as in conf.example

def off(keys):
    w = Workload(directive="envelope_call off;", body=card(200), rounds=SHORT,
                 targets={"on": 0.98})
    return w


def a_request(keys, bits, target=None):
    peer = keys.peer("A", bits)
    w = Workload(
        directive="envelope_call p;", bits=bits, public=1, body=card(200),
        rounds=SHORT if target else 1,
        profile=keys.merchant(bits) + """
    request {
        body  content;
        field content = json | rsa-pkcs1 key=platform | base64 | hex;
    }
""",
        bare=["pkcs1-encrypt:200:" + keys.file("platform", bits, ".pub.pem")],
        targets={"on": target} if target else {})
    w.arrives = lambda body: peer.open_request(body).plain == w.body
    return w


def a_response(keys, bits, size, targets):
    peer = keys.peer("A", bits)
    plain = b'{"code":0,"msg":"ok","data":%s}' % card(size)
    block = bits // 8 - 11
    parts = [min(block, size - at) for at in range(0, size, block)]
    return Workload(
        directive="envelope_call p;", bits=bits, private=len(parts),
        rounds=MIDDLE if targets else 1,
        answer=peer.seal_response(plain).body, returned=plain, both=True,
        profile=keys.merchant(bits) + """
    response {
        when  code 0;
        field data optional = json | rsa-pkcs1 key=merchant | base64 | hex;
    }
""",
        bare=["pkcs1-decrypt:%d:%s" % (n, keys.file("merchant", bits))
              for n in parts],
        targets=targets)


B = """
    {message} {{
        {when}
        random session key:32 iv:16;
        {own}
        set    timestamp $envelope_time_ms;
        field  bizContent = json
               | aes-256-gcm key=session.key iv=session.iv | base64;
        field  key = session
               | rsa-oaep key={to} hash=sha256 mgf1=sha256 | base64;
        sign   sig = rs256 key={by} over=<sorted> except=rsaType,aesType
               | base64;
        set    rsaType ECB_OAEP;
        set    aesType GCM_NOPADDING;
    }}
"""


def b_signed(peer, wire):
    """How many bytes of this message the signature covers."""
    return len(peer._sorted(formats.Object(wire)))


def b_request(keys):
    peer, inner = keys.peer("B", 2048), card(200)
    w = Workload(
        directive="envelope_call p;", bits=2048, private=1, public=1,
        body=b'{"bizContent":%s}' % inner, both=True, rounds=MIDDLE,
        profile=keys.merchant(2048) + B.format(
            message="request", when="", to="platform", by="merchant",
            own="set apiKey %s;" % peer.identity),
        targets={"on": 0.97})
    w.bare = ["random:48", "aes-256-gcm-encrypt:200",
              "oaep-encrypt:48:" + keys.file("platform", 2048, ".pub.pem"),
              "rs256-sign:%d:%s" % (
                  b_signed(peer, peer.seal_request(w.body).body),
                  keys.file("merchant", 2048))]
    w.arrives = lambda body: peer.open_request(body).plain == w.body
    return w


def b_response(keys):
    peer = keys.peer("B", 2048)
    plain = b'{"code":200,"message":"SUCCESS","bizContent":%s}' % card(200)
    wire = peer.seal_response(plain).body
    return Workload(
        directive="envelope_call p;", bits=2048, private=1, public=1,
        answer=wire, returned=plain, both=True,
        profile=keys.merchant(2048) + B.format(
            message="response", when="when code 200;", to="merchant",
            by="platform", own=""),
        bare=["rs256-verify:%d:%s" % (b_signed(peer, wire),
                                      keys.file("platform", 2048)),
              "oaep-decrypt:48:" + keys.file("merchant", 2048),
              "aes-256-gcm-decrypt:200"])


def c_request(keys):
    peer = keys.peer("C", 2048)
    w = Workload(
        directive="envelope_call p;", bits=2048, private=1, body=card(180),
        profile=keys.merchant(2048) + """
    request {
        body  dataContent;
        set   version 1.0.0;
        set   dataType JSON;
        set   userNo 10001 number;
        field dataContent = json | base64 | rsa-private key=merchant | hex;
    }
""",
        bare=["private:240:" + keys.file("merchant", 2048)], both=True)
    w.arrives = lambda body: peer.open_request(body).plain == w.body
    return w


def c_response(keys):
    plain = b'{"success":true,"result":%s}' % card(180)
    return Workload(
        directive="envelope_call p;", bits=2048, public=1, returned=plain,
        answer=keys.peer("C", 2048).seal_response(plain).body,
        profile=keys.merchant(2048) + """
    response {
        when  success true;
        field result = json | base64 | rsa-private key=platform | hex;
    }
""",
        bare=["recover:240:" + keys.file("platform", 2048)])


D = """
    {message} {{
        {when}
        sign  sign = rs256 key={by} over=<bizContent> | base64;
        field bizContent = json | aes-128-ecb key=aes | base64;
    }}
"""


def d_request(keys):
    path, secret = keys.secret("aes", 16)
    peer = keys.peer("D", 2048, secret=secret)
    w = Workload(
        directive="envelope_call p;", bits=2048, private=1, both=True,
        body=b'{"service":"createPayer","bizContent":%s}' % card(200),
        profile=keys.merchant(2048) + "    secret aes %s raw;" % path
        + D.format(message="request", when="", by="merchant"),
        bare=["rs256-sign:200:" + keys.file("merchant", 2048),
              "aes-128-ecb-encrypt:200"])
    w.arrives = lambda body: peer.open_request(body).plain == w.body
    return w


def d_response(keys):
    path, secret = keys.secret("aes", 16)
    plain = b'{"statusCode":"0","bizContent":%s}' % card(200)
    return Workload(
        directive="envelope_call p;", bits=2048, public=1, returned=plain,
        answer=keys.peer("D", 2048, secret=secret).seal_response(plain).body,
        profile=keys.merchant(2048) + "    secret aes %s raw;" % path
        + D.format(message="response", when="when statusCode 0;",
                   by="platform"),
        bare=["aes-128-ecb-decrypt:200",
              "rs256-verify:200:" + keys.file("platform", 2048)])


def e_webhook(keys, size, target, message=orders):
    plain = message(size)
    w = Workload(
        directive="envelope_webhook p;", bits=2048, public=1,
        rounds=SHORT if size < 1024 else 1,
        body=keys.peer("E", 2048).seal_webhook(plain).body,
        profile=keys.merchant(2048) + """
    webhook {
        body  param;
        field param = json;
        sign  sign = rs256 key=platform over=<param> | base64;
    }
""",
        bare=["rs256-verify:%d:%s" % (size, keys.file("platform", 2048))],
        targets={"on": target})
    w.arrives = lambda body: body == plain
    return w


def hmac_webhook(keys):
    path, secret = keys.secret("hook", 32)
    body = orders(10240)
    mac = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return Workload(
        directive="envelope_webhook p;", body=body, rounds=SHORT,
        header=("X-Hub-Signature-256", "sha256=" + mac),
        profile="secret hook %s raw;\n" % path + """
    webhook {
        sign header:X-Hub-Signature-256 = hs256 key=hook over=<body>
             | hex | prefix sha256=;
    }
""",
        bare=["hmac-sha256:10240"], targets={"on": 0.94})


WORKLOADS = {
    "off": off,
    "a-request-2048": lambda k: a_request(k, 2048, 0.92),
    "a-request-4096": lambda k: a_request(k, 4096),
    "a-response-2048": lambda k: a_response(k, 2048, 200, {"on": 0.97}),
    "a-response-4096": lambda k: a_response(k, 4096, 400, {"on": 0.97,
                                                           "off": 0.99}),
    "a-response-4096-2k": lambda k: a_response(k, 4096, 2048, {}),
    "b-request": b_request,
    "b-response": b_response,
    "c-request": c_request,
    "c-response": c_response,
    "d-request": d_request,
    "d-response": d_response,
    "e-webhook-200": lambda k: e_webhook(k, 200, 0.92),
    "e-webhook-100k": lambda k: e_webhook(k, 102400, 0.75),
    "e-webhook-100k-text": lambda k: e_webhook(k, 102400, 0.75, card),
    "hmac-webhook-10k": hmac_webhook,
}
