#!/usr/bin/python3
"""The six wire formats A..F, seen from the other end.

Written from the providers' documents alone, with pycryptodome and Python's
integers, and with nothing in common with the module's own code: where both
agree, two readings of the documents agree.

Every format is a class with the methods

    seal_request  open_request      application -> provider
    seal_response open_response     the provider's answer
    seal_webhook  open_webhook      provider -> application, unasked

Sealing takes the plain bytes and returns Wire(body, headers).  Opening takes
the wire's bytes (and headers, where the format uses them) and returns
Opened(plain, inner): `plain` is the message as an application sees it, `inner`
the exact bytes that had been sealed or signed.  JSON is cut and spliced as
text and never written anew, so that both are right to the byte.

Whatever is wrong with a message raises Error with the reason.
"""

import base64
import hashlib
import json
import os
import re
import subprocess
import time
from collections import namedtuple

from Cryptodome.Cipher import AES, PKCS1_OAEP, PKCS1_v1_5
from Cryptodome.Hash import SHA1, SHA256
from Cryptodome.Math.Numbers import Integer
from Cryptodome.PublicKey import RSA
from Cryptodome.Signature import pkcs1_15, pss

Wire = namedtuple("Wire", "body headers")
Opened = namedtuple("Opened", "plain inner")

SPACE = " \t\n\r"


class Error(Exception):
    """A message, a key or an option that is not what the format says."""


# JSON as text

class Number(str):
    """A number in its own spelling; a str, so that no digit is lost."""


def _refuse(name):
    raise ValueError("%s is not JSON" % name)


_decoder = json.JSONDecoder(parse_int=Number, parse_float=Number,
                            parse_constant=_refuse)


def _skip(text, at):
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _value(text, at):
    try:
        return _decoder.raw_decode(text, at)
    except (ValueError, RecursionError, StopIteration) as e:
        raise Error("not JSON: %s" % e)


def text_of(data, what="message"):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Error("%s is not UTF-8" % what)


def check_json(data, what):
    """One JSON value with nothing but white space around it."""
    text = text_of(data, what)
    try:
        value, end = _value(text, _skip(text, 0))
    except Error as e:
        raise Error("%s: %s" % (what, e))
    if _skip(text, end) != len(text):
        raise Error("%s: text after the JSON value" % what)
    return value


class Object:
    """The top-level members of a JSON object, by their places in the text."""

    def __init__(self, data):
        self.text = text_of(data) if isinstance(data, bytes) else data
        self.members = []               # (name, start, value start, value end)
        self._scan()

    def _scan(self):
        text = self.text
        at = self._expect(_skip(text, 0), "{")
        if text[at:at + 1] == "}":
            return self._finish(at + 1)

        while True:
            start = at
            if text[at:at + 1] != '"':
                raise Error("not JSON: a member name is missing")
            name, at = _value(text, at)
            at = self._expect(_skip(text, at), ":")
            _, end = _value(text, at)
            if name in self.names():
                raise Error('duplicate member "%s"' % name)
            self.members.append((name, start, at, end))
            at = _skip(text, end)
            if text[at:at + 1] == "}":
                return self._finish(at + 1)
            at = self._expect(at, ",")

    def _expect(self, at, char):
        if self.text[at:at + 1] != char:
            raise Error('not a JSON object: "%s" is missing' % char)
        return _skip(self.text, at + 1)

    def _finish(self, at):
        if _skip(self.text, at) != len(self.text):
            raise Error("not JSON: text after the object")

    def names(self):
        return [m[0] for m in self.members]

    def _find(self, name):
        for i, member in enumerate(self.members):
            if member[0] == name:
                return i
        raise Error('member "%s" is missing' % name)

    def __contains__(self, name):
        return name in self.names()

    def raw(self, name):
        """The value's own text."""
        _, _, start, end = self.members[self._find(name)]
        return self.text[start:end]

    def string(self, name):
        """The value of a member that must be a string."""
        value, _ = _value(self.raw(name), 0)
        if not isinstance(value, str) or isinstance(value, Number):
            raise Error('member "%s" is not a string' % name)
        encode(value, name)
        return value

    def scalar(self, name):
        """A string's characters, or the raw text of anything else."""
        raw = self.raw(name)
        return self.string(name) if raw.startswith('"') else raw

    def is_blank(self, name):
        return name not in self or self.raw(name) in ("null", '""')

    def put(self, name, raw):
        """Replace a member's value in place, or add the member at the end."""
        if name in self:
            _, _, start, end = self.members[self._find(name)]
            return Object(self.text[:start] + raw + self.text[end:])
        at = self.members[-1][3] if self.members else self.text.index("{") + 1
        comma = "," if self.members else ""
        return Object(self.text[:at] + comma + quote(name) + ":" + raw
                      + self.text[at:])

    def drop(self, *names):
        """Without these members; the ones that are not there do not matter."""
        found = self
        for name in names:
            if name in found:
                found = found._drop(found._find(name))
        return found

    def _drop(self, i):
        m = self.members
        if i + 1 < len(m):
            start, end = m[i][1], m[i + 1][1]
        else:
            start, end = (m[i - 1][3] if i else m[i][1]), m[i][3]
        return Object(self.text[:start] + self.text[end:])

    def bytes(self):
        return self.text.encode("utf-8")


def quote(string):
    return json.dumps(string, ensure_ascii=False)


def encode(string, what):
    try:
        return string.encode("utf-8")
    except UnicodeEncodeError:
        raise Error('"%s" holds half of a surrogate pair' % what)


# Codecs, strict

def b64(data):
    return base64.b64encode(data).decode("ascii")


def unb64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Error("%s is not base64" % what)
    if b64(data) != text:
        raise Error("%s is not canonical base64" % what)
    return data


def unhex(text, what):
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", text, re.ASCII):
        raise Error("%s is not hex" % what)
    return bytes.fromhex(text)


# RSA

def size(key):
    return (key.n.bit_length() + 7) // 8


def private(key, name):
    if key is None or not key.has_private():
        raise Error("the private key of the %s is needed" % name)
    return key


def public(key, name):
    if key is None:
        raise Error("the key of the %s is needed" % name)
    return key.public_key()


def cut(data, length):
    return [data[i:i + length] for i in range(0, len(data), length)]


def cipher_blocks(data, key):
    """Whole blocks of the key's size; at least one."""
    if not data or len(data) % size(key):
        raise Error("%d bytes are not whole RSA blocks of %d"
                    % (len(data), size(key)))
    return cut(data, size(key))


def pkcs1_encrypt(data, key):
    cipher = PKCS1_v1_5.new(key)
    parts = cut(data, size(key) - 11) or [b""]
    return b"".join(cipher.encrypt(part) for part in parts)


def pkcs1_decrypt(data, key):
    """Wrong padding shows as the marker; with None, pycryptodome 3.11 would
    give an empty block instead."""
    cipher, out, marker = PKCS1_v1_5.new(key), [], os.urandom(32)
    for block in cipher_blocks(data, key):
        try:
            plain = cipher.decrypt(block, marker)
        except ValueError as e:
            raise Error("RSA block: %s" % e)
        if plain == marker:
            raise Error("RSA block: wrong PKCS#1 padding")
        out.append(plain)
    return b"".join(out)


def type1_encrypt(data, key):
    """00 01 FF .. FF 00 data, to the power of the private exponent."""
    k, out = size(key), []
    for part in cut(data, k - 11) or [b""]:
        block = b"\x00\x01" + b"\xff" * (k - 3 - len(part)) + b"\x00" + part
        number = pow(Integer.from_bytes(block), key.d, key.n)
        out.append(number.to_bytes(k))
    return b"".join(out)


def type1_recover(data, key):
    """The public-key inverse; the padding must be exactly what it may be."""
    k, out = size(key), []
    for block in cipher_blocks(data, key):
        number = int.from_bytes(block, "big")
        if number >= key.n:
            raise Error("RSA block: not below the modulus")
        block = pow(number, key.e, key.n).to_bytes(k, "big")
        end = block.find(b"\x00", 2)
        if (block[:2] != b"\x00\x01" or end < 10
                or block[2:end] != b"\xff" * (end - 2)):
            raise Error("RSA block: wrong type-1 padding")
        out.append(block[end + 1:])
    return b"".join(out)


def oaep(key, mgf1):
    hashes = {"sha1": SHA1, "sha256": SHA256}
    if mgf1 not in hashes:
        raise Error("mgf1 is sha1 or sha256")
    return PKCS1_OAEP.new(
        key, SHA256, lambda seed, length: pss.MGF1(seed, length,
                                                   hashes[mgf1]))


def rs256(data, key):
    return b64(pkcs1_15.new(key).sign(SHA256.new(data)))


def check_rs256(data, signature, key, what):
    raw = unb64(signature, what)
    try:
        pkcs1_15.new(key).verify(SHA256.new(data), raw)
    except (ValueError, TypeError):
        raise Error("%s: the signature does not match" % what)


# AES

def pad(data):
    n = 16 - len(data) % 16
    return data + bytes([n]) * n


def unpad(data):
    n = data[-1] if data else 0
    if not 1 <= n <= 16 or data[-n:] != bytes([n]) * n:
        raise Error("AES: wrong padding")
    return data[:-n]


def whole_blocks(data):
    if not data or len(data) % 16:
        raise Error("AES: %d bytes are not whole blocks" % len(data))
    return data


def gcm_seal(data, key, iv):
    text, tag = AES.new(key, AES.MODE_GCM, nonce=iv,
                        mac_len=16).encrypt_and_digest(data)
    return text + tag


def gcm_open(data, key, iv):
    if len(data) < 16:
        raise Error("AES-GCM: shorter than its tag")
    try:
        return AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16) \
            .decrypt_and_verify(data[:-16], data[-16:])
    except ValueError:
        raise Error("AES-GCM: the tag does not match")


# Keys

def load_key(path, password=None):
    """PEM, DER, a certificate, PKCS#12, or base64 DER without PEM lines."""
    with open(path, "rb") as f:
        data = f.read()
    if path.endswith((".pfx", ".p12")):
        data = _from_pkcs12(path, password)
    elif b"-----BEGIN" not in data:
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except ValueError:
            pass                        # DER as it is
    try:
        return RSA.import_key(data)
    except (ValueError, IndexError, TypeError) as e:
        raise Error("%s: %s" % (path, e))


def _from_pkcs12(path, password):
    """pycryptodome reads no PKCS#12: openssl takes the key out."""
    done = subprocess.run(
        ["openssl", "pkcs12", "-in", path, "-nodes", "-nocerts", "-passin",
         "file:" + password if password else "pass:"], capture_output=True)
    if done.returncode:
        raise Error("%s: openssl cannot open it" % path)
    start = done.stdout.find(b"-----BEGIN")
    return done.stdout[start:]


# conf.example/keys.sh makes these: (private half, public half)
FILES = {
    "A": {"platform": ("a-platform.pem", "a-platform.pub.pem"),
          "merchant": ("a-merchant.pem", "a-merchant.pub.pem")},
    "B": {"platform": ("b-platform.pem", "b-platform.pub.pem"),
          "merchant": ("b-merchant.pem", "b-merchant.pub.pem")},
    "C": {"platform": ("c-platform.pem", "c-platform.cer"),
          "merchant": ("c-merchant.pem", "c-merchant.cer")},
    "D": {"platform": ("d-platform.pem", "d-platform.pub.pem"),
          "merchant": ("d-merchant.pem", "d-merchant.pub.pem"),
          "secret": "d-aes.b64"},
    "E": {"platform": ("e-platform.key", "e-platform.pub"),
          "merchant": ("e-merchant.key", "e-merchant.pub")},
    "F": {"secret": "f-app.secret"},
}


def load_keys(directory, letter, side):
    """What one side ("merchant" or "platform") has of a directory of keys.

    Its own key is the private half, the other side's the public one.
    """
    found = {}
    for name, files in FILES[letter].items():
        if name == "secret":
            found[name] = load_secret(os.path.join(directory, files), letter)
        else:
            half = files[0] if name == side else files[1]
            found[name] = load_key(os.path.join(directory, half))
    return found


def load_secret(path, letter):
    with open(path, "rb") as f:
        data = f.read().strip()
    return unb64(text_of(data, path), path) if letter == "D" else data


# The formats

class Format:
    """What all have in common; `identity` is the merchant's id on the wire."""

    letter = None
    identity = None

    def __init__(self, platform=None, merchant=None, secret=None,
                 identity=None, timestamp=None, within=300, now=None):
        self._platform, self._merchant = platform, merchant
        self._secret = secret
        if identity is not None:
            self.identity = identity
        self._timestamp, self._now, self.within = timestamp, now, within

    def platform_private(self):
        return private(self._platform, "platform")

    def platform_public(self):
        return public(self._platform, "platform")

    def merchant_private(self):
        return private(self._merchant, "merchant")

    def merchant_public(self):
        return public(self._merchant, "merchant")

    def secret(self):
        if not self._secret:
            raise Error("the shared secret is needed")
        return self._secret

    def now_ms(self):
        return int(time.time() * 1000) if self._now is None else self._now

    def timestamp(self):
        return str(self.now_ms()) if self._timestamp is None \
            else self._timestamp

    # a message that the provider does not seal travels as it is

    def seal_response(self, plain):
        return Wire(plain, {})

    def open_response(self, wire, headers=None):
        return Opened(wire, wire)

    def seal_webhook(self, plain):
        raise Error("the provider of %s documents no webhook" % self.letter)

    def open_webhook(self, wire, headers=None):
        raise Error("the provider of %s documents no webhook" % self.letter)

    def is_success(self, envelope):
        return True


class A(Format):
    """content: hex(base64(RSA PKCS#1 v1.5 in blocks))."""

    letter = "A"

    @staticmethod
    def _text(data):
        return b64(data).encode("ascii").hex()

    @staticmethod
    def _data(text, what):
        inner = unhex(text, what)
        return unb64(text_of(inner, what), what)

    def seal_request(self, plain):
        check_json(plain, "the request")
        text = self._text(pkcs1_encrypt(plain, self.platform_public()))
        return Wire(b'{"content":"%s"}' % text.encode(), {})

    def open_request(self, wire, headers=None):
        data = self._data(Object(wire).string("content"), "content")
        plain = pkcs1_decrypt(data, self.platform_private())
        check_json(plain, "content")
        return Opened(plain, plain)

    def is_success(self, envelope):
        return "code" in envelope and envelope.scalar("code") == "0"

    def seal_response(self, plain):
        o = Object(plain)
        if not self.is_success(o) or o.is_blank("data"):
            return Wire(plain, {})
        return self.seal_webhook(plain)

    def open_response(self, wire, headers=None):
        o = Object(wire)
        if not self.is_success(o) or o.is_blank("data"):
            return Opened(wire, wire)
        return self.open_webhook(wire)

    # a webhook is plain by default; these are for accounts that encrypt it

    def seal_webhook(self, plain):
        o = Object(plain)
        data = pkcs1_encrypt(o.raw("data").encode(), self.merchant_public())
        return Wire(o.put("data", quote(self._text(data))).bytes(), {})

    def open_webhook(self, wire, headers=None):
        o = Object(wire)
        data = self._data(o.string("data"), "data")
        inner = pkcs1_decrypt(data, self.merchant_private())
        check_json(inner, "data")
        return Opened(o.put("data", inner.decode()).bytes(), inner)


class B(Format):
    """AES under a fresh key, the key under RSA, a signature over both."""

    letter = "B"
    identity = "341916e58af445f8aadeb95170000000"
    UNSIGNED = ("sig", "rsaType", "aesType")

    def __init__(self, mgf1="sha256", aes="GCM", rsa="OAEP", types=True,
                 **more):
        super().__init__(**more)
        if aes not in ("GCM", "CBC") or rsa not in ("OAEP", "PKCS1"):
            raise Error("aes is GCM or CBC, rsa is OAEP or PKCS1")
        self.mgf1, self.aes, self.rsa, self.types = mgf1, aes, rsa, types

    def _types(self):
        """The two members that name the algorithms, as sent."""
        found = {}
        if self.rsa == "OAEP":
            found["rsaType"] = "ECB_OAEP"
        found["aesType"] = {"GCM": "GCM_NOPADDING",
                            "CBC": "CBC_PKCS7PADDING"}[self.aes]
        return found

    def _sorted(self, o):
        names = sorted(n for n in o.names() if n not in self.UNSIGNED)
        return "&".join("%s=%s" % (n, o.scalar(n)) for n in names).encode()

    def _seal(self, o, wrap, sign):
        key, iv = os.urandom(32), os.urandom(16)
        inner = o.raw("bizContent").encode()
        if self.aes == "GCM":
            text = gcm_seal(inner, key, iv)
        else:
            text = AES.new(key, AES.MODE_CBC, iv=iv).encrypt(pad(inner))
        if self.rsa == "OAEP":
            wrapped = oaep(wrap, self.mgf1).encrypt(key + iv)
        else:
            wrapped = pkcs1_encrypt(key + iv, wrap)
        o = o.drop("key", "timestamp", *self.UNSIGNED)
        o = o.put("bizContent", quote(b64(text)))
        o = o.put("key", quote(b64(wrapped)))
        o = o.put("timestamp", quote(self.timestamp()))
        o = o.put("sig", quote(rs256(self._sorted(o), sign)))
        for name, value in self._types().items() if self.types else ():
            o = o.put(name, quote(value))
        return Wire(o.bytes(), {})

    def _open(self, o, verify, unwrap):
        for name, value in self._types().items():
            if name in o and o.string(name) != value:
                raise Error("%s is not %s" % (name, value))
        for name in ("bizContent", "key", "timestamp"):
            o.string(name)
        check_rs256(self._sorted(o), o.string("sig"), verify, "sig")
        wrapped = unb64(o.string("key"), "key")
        try:
            both = (oaep(unwrap, self.mgf1).decrypt(wrapped)
                    if self.rsa == "OAEP" else pkcs1_decrypt(wrapped, unwrap))
        except (ValueError, TypeError) as e:
            raise Error("key: %s" % e)
        if len(both) != 48:
            raise Error("key: %d bytes instead of 48" % len(both))
        text, key, iv = unb64(o.string("bizContent"), "bizContent"), \
            both[:32], both[32:]
        if self.aes == "GCM":
            inner = gcm_open(text, key, iv)
        else:
            inner = unpad(AES.new(key, AES.MODE_CBC, iv=iv)
                          .decrypt(whole_blocks(text)))
        check_json(inner, "bizContent")
        o = o.put("bizContent", inner.decode())
        return o.drop("key", "timestamp", *self.UNSIGNED), inner

    def seal_request(self, plain):
        o = Object(plain).drop("apiKey")
        o = o.put("apiKey", quote(self.identity))
        return self._seal(o, self.platform_public(), self.merchant_private())

    def open_request(self, wire, headers=None):
        o = Object(wire)
        if o.string("apiKey") != self.identity:
            raise Error("apiKey is not %s" % self.identity)
        o, inner = self._open(o, self.merchant_public(),
                              self.platform_private())
        return Opened(o.drop("apiKey").bytes(), inner)

    def is_success(self, envelope):
        return "code" in envelope and envelope.scalar("code") == "200"

    def seal_response(self, plain):
        if not self.is_success(Object(plain)):
            return Wire(plain, {})
        return self.seal_webhook(plain)

    def open_response(self, wire, headers=None):
        if not self.is_success(Object(wire)):
            return Opened(wire, wire)
        return self.open_webhook(wire)

    def seal_webhook(self, plain):
        return self._seal(Object(plain), self.merchant_public(),
                          self.platform_private())

    def open_webhook(self, wire, headers=None):
        o, inner = self._open(Object(wire), self.platform_public(),
                              self.merchant_private())
        return Opened(o.bytes(), inner)


class C(Format):
    """dataContent: hex(RSA private-key operation(base64(JSON)))."""

    letter = "C"
    identity = "10001"

    @staticmethod
    def _hide(raw, key):
        return quote(type1_encrypt(b64(raw).encode(), key).hex())

    @staticmethod
    def _show(text, key, what):
        inner = type1_recover(unhex(text, what), key)
        inner = unb64(text_of(inner, what), what)
        check_json(inner, what)
        return inner

    def seal_request(self, plain):
        check_json(plain, "the request")
        text = self._hide(plain, self.merchant_private())
        return Wire(('{"version":"1.0.0","userNo":%s,"dataType":"JSON",'
                     '"dataContent":%s}' % (self.identity, text)).encode(), {})

    def open_request(self, wire, headers=None):
        o = Object(wire)
        fixed = {"version": '"1.0.0"', "dataType": '"JSON"',
                 "userNo": self.identity}
        for name, raw in fixed.items():
            if o.raw(name) != raw:
                raise Error("%s is not %s" % (name, raw))
        plain = self._show(o.string("dataContent"), self.merchant_public(),
                           "dataContent")
        return Opened(plain, plain)

    def is_success(self, envelope):
        return "success" in envelope and envelope.raw("success") == "true"

    def _seal_member(self, plain, name):
        o = Object(plain)
        text = self._hide(o.raw(name).encode(), self.platform_private())
        return Wire(o.put(name, text).bytes(), {})

    def _open_member(self, wire, name):
        o = Object(wire)
        inner = self._show(o.string(name), self.platform_public(), name)
        return Opened(o.put(name, inner.decode()).bytes(), inner)

    def seal_response(self, plain):
        if not self.is_success(Object(plain)):
            return Wire(plain, {})
        return self._seal_member(plain, "result")

    def open_response(self, wire, headers=None):
        if not self.is_success(Object(wire)):
            return Opened(wire, wire)
        return self._open_member(wire, "result")

    def seal_webhook(self, plain):
        return self._seal_member(plain, "data")

    def open_webhook(self, wire, headers=None):
        return self._open_member(wire, "data")


class D(Format):
    """bizContent under a shared AES key, signed before it is encrypted."""

    letter = "D"

    def _aes(self):
        if len(self.secret()) != 16:
            raise Error("the shared key is not 16 bytes long")
        return AES.new(self.secret(), AES.MODE_ECB)

    def _seal(self, plain, key):
        o = Object(plain).drop("sign")
        inner = o.raw("bizContent").encode()
        o = o.put("bizContent", quote(b64(self._aes().encrypt(pad(inner)))))
        return Wire(o.put("sign", quote(rs256(inner, key))).bytes(), {})

    def _open(self, wire, key):
        o = Object(wire)
        text = whole_blocks(unb64(o.string("bizContent"), "bizContent"))
        inner = unpad(self._aes().decrypt(text))
        check_rs256(inner, o.string("sign"), key, "sign")
        check_json(inner, "bizContent")
        o = o.put("bizContent", inner.decode()).drop("sign")
        return Opened(o.bytes(), inner)

    def seal_request(self, plain):
        return self._seal(plain, self.merchant_private())

    def open_request(self, wire, headers=None):
        return self._open(wire, self.merchant_public())

    def is_success(self, envelope):
        return "statusCode" in envelope \
            and envelope.scalar("statusCode") == "0"

    def seal_response(self, plain):
        if not self.is_success(Object(plain)):
            return Wire(plain, {})
        return self._seal(plain, self.platform_private())

    def open_response(self, wire, headers=None):
        if not self.is_success(Object(wire)):
            return Opened(wire, wire)
        return self._open(wire, self.platform_public())


class E(Format):
    """param: the JSON as a string, signed as that string's characters."""

    letter = "E"
    identity = "123456"

    @staticmethod
    def _members(plain, key):
        check_json(plain, "the message")
        return '"sign":%s,"param":%s' % (quote(rs256(plain, key)),
                                         quote(plain.decode()))

    @staticmethod
    def _open(o, key):
        inner = o.string("param").encode()
        check_rs256(inner, o.string("sign"), key, "sign")
        check_json(inner, "param")
        return Opened(inner, inner)

    def seal_request(self, plain):
        text = self._members(plain, self.merchant_private())
        return Wire(('{"appId":%s,%s}' % (quote(self.identity), text))
                    .encode(), {})

    def open_request(self, wire, headers=None):
        o = Object(wire)
        if o.string("appId") != self.identity:
            raise Error("appId is not %s" % self.identity)
        return self._open(o, self.merchant_public())

    def seal_webhook(self, plain):
        return Wire(("{%s}" % self._members(plain, self.platform_private()))
                    .encode(), {})

    def open_webhook(self, wire, headers=None):
        return self._open(Object(wire), self.platform_public())


class F(Format):
    """Plain bodies; three headers: appId, timestamp, sign."""

    letter = "F"
    identity = "demo-app-0001"

    def _sign(self, identity, timestamp):
        text = identity.encode() + self.secret() + timestamp.encode()
        return hashlib.sha1(text).hexdigest()

    def seal_request(self, plain):
        stamp = self.timestamp()
        return Wire(plain, {"appId": self.identity, "timestamp": stamp,
                            "sign": self._sign(self.identity, stamp)})

    def open_request(self, wire, headers=None):
        got = {}
        for name, value in (headers or {}).items():
            got[name.lower()] = value
        for name in ("appid", "timestamp", "sign"):
            if not got.get(name):
                raise Error("header %s is missing" % name)
        if got["appid"] != self.identity:
            raise Error("appId is not %s" % self.identity)
        if got["sign"].lower() != self._sign(got["appid"], got["timestamp"]):
            raise Error("sign: the signature does not match")
        if not re.fullmatch("[0-9]{1,15}", got["timestamp"], re.ASCII):
            raise Error("timestamp is not a number of milliseconds")
        if abs(int(got["timestamp"]) - self.now_ms()) > self.within * 1000:
            raise Error("timestamp is not within %d s" % self.within)
        return Opened(wire, wire)

    seal_webhook = seal_request
    open_webhook = open_request


FORMATS = {f.letter: f for f in (A, B, C, D, E, F)}


def make(letter, **options):
    if letter not in FORMATS:
        raise Error("no format %s" % letter)
    known = dict(options)
    if letter != "B":
        for name in ("mgf1", "aes", "rsa", "types"):
            known.pop(name, None)
    return FORMATS[letter](**known)


# Damage, for the tests of refusal

PROTECTED = {"A": ("content", "data"), "B": ("bizContent",),
             "C": ("dataContent", "result", "data"), "D": ("bizContent",),
             "E": ("param",)}


def tamper(letter, wire):
    """The same message with one character changed where it is protected."""
    if letter == "F":
        headers = dict(wire.headers)
        headers["timestamp"] = str(int(headers["timestamp"]) + 1)
        return Wire(wire.body, headers)
    o = Object(wire.body)
    for name in PROTECTED[letter]:
        if name in o:
            raw = o.raw(name)
            if letter == "E":           # still the same JSON: one more space
                raw = raw[:-1] + ' "'
            else:                       # another digit, of hex or base64
                raw = raw[:9] + ("1" if raw[9] != "1" else "2") + raw[10:]
            return Wire(o.put(name, raw).bytes(), wire.headers)
    raise Error("nothing protected in the message")
