"""Keys, and pieces of messages that are right or wrong in one place.

Made with pycryptodome and Python's integers; nothing of the module's is here.
"""

import hashlib
import hmac
import os
import subprocess
import tempfile

from Cryptodome.Cipher import AES
from Cryptodome.Hash import SHA1, SHA256, SHA384, SHA512
from Cryptodome.PublicKey import ECC, RSA
from Cryptodome.Signature import DSS, pkcs1_15, pss

import formats

# Small keys keep tens of thousands of messages short.  keys.sh leaves files
# alone that are there.
BITS = 1024
PAIRS = ("a-platform", "a-merchant", "b-platform", "b-merchant", "d-platform",
         "d-merchant")
BARE = ("e-platform", "e-merchant")

AES_KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
# of it is what must turn up nowhere
HUSH = "CANARY-secret-7b1d93"


def write(path, data):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def make_keys(directory, keys_sh):
    """What the shipped profiles and those of the table name."""
    os.makedirs(directory)

    def path(name):
        return os.path.join(directory, name)

    for name in PAIRS + BARE + ("rsa", "other"):
        key = RSA.generate(BITS)
        if name in BARE:
            der = key.export_key("DER", pkcs=8)
            write(path(name + ".key"), formats.b64(der))
            write(path(name + ".pub"),
                  formats.b64(key.public_key().export_key("DER")))
        else:
            write(path(name + ".pem"), key.export_key("PEM", pkcs=8))
            write(path(name + ".pub.pem"),
                  key.public_key().export_key("PEM"))

    # three as the public exponent, for signatures by cube roots
    write(path("three.pem"), RSA.generate(BITS, e=3).export_key("PEM"))
    for name, curve in (("p256", "P-256"), ("p384", "P-384")):
        key = ECC.generate(curve=curve)
        write(path(name + ".pem"), key.export_key(format="PEM"))
    # Debian's pycryptodome knows no Ed25519
    write(path("ed.pem"), openssl("genpkey", "-algorithm", "ED25519"))

    write(path("webhook-tls.crt"), "not used")
    for name in ("a-app", "d-app", "f-app"):
        write(path(name + ".secret"), HUSH + name)
    subprocess.run([keys_sh, directory], check=True, capture_output=True)


def openssl(*words, data=b""):
    return subprocess.run(("openssl",) + words, input=data, check=True,
                          capture_output=True).stdout


def read(path):
    with open(path, "rb") as f:
        return f.read()


# RSA

def raise_to(number, exponent, key):
    return pow(number, exponent, key.n).to_bytes(formats.size(key), "big")


def public_op(block, key):
    return raise_to(int.from_bytes(block, "big"), key.e, key)


def private_op(block, key):
    number = formats.Integer.from_bytes(block)
    return int(pow(number, key.d, key.n)).to_bytes(formats.size(key), "big")


def pkcs1(text, key, start=b"\x00\x02", fill=b"\x05", zero=b"\x00"):
    room = formats.size(key) - len(start) - len(zero) - len(text)
    return public_op(start + fill * room + zero + text, key)


def made_up(block, key):
    """What OpenSSL gives from 3.2 on for a block with wrong padding: bytes
    that follow from block and key ("implicit rejection")."""
    k = formats.size(key)
    secret = hmac.digest(hashlib.sha256(int(key.d).to_bytes(k, "big"))
                         .digest(), block, "sha256")

    def stream(label, length):
        parts = [hmac.digest(secret, i.to_bytes(2, "big") + label
                             + (8 * length).to_bytes(2, "big"), "sha256")
                 for i in range(length // 32 + 1)]
        return b"".join(parts)[:length]

    mask = (1 << (k - 10).bit_length()) - 1
    lengths = [int.from_bytes(x, "big") & mask
               for x in formats.cut(stream(b"length", 256), 2)]
    length = [0] + [n for n in lengths if n < k - 10]
    return stream(b"message", k)[k - length[-1]:] if length[-1] else b""


def pkcs1_anyhow(data, key):
    """formats.pkcs1_decrypt(), but that wrong padding is no error: by rare
    chance JSON comes of it, most likely a digit."""
    out = []
    for block in formats.cipher_blocks(data, key):
        if int.from_bytes(block, "big") >= key.n:
            raise formats.Error("RSA block: not below the modulus")
        raw = private_op(block, key)
        end = raw.find(b"\x00", 2)
        right = raw[:2] == b"\x00\x02" and end >= 10
        text = raw[end + 1:] if right else made_up(block, key)
        if not text:
            raise formats.Error("RSA block: empty")
        out.append(text)
    return b"".join(out)


def mgf1(seed, length, md=hashlib.sha256):
    out = b"".join(md(seed + i.to_bytes(4, "big")).digest()
                   for i in range(length // 20 + 1))
    return out[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def oaep(text, key, first=0, label=b"L", mark=b"\x01", pad=b"\x00", lhash=None,
         mask=hashlib.sha256):
    """EME-OAEP with SHA-256, to be wrong in one place."""
    k = formats.size(key)
    head = hashlib.sha256(label).digest() if lhash is None else lhash
    block = head + pad * (k - 66 - len(text)) + mark + text
    seed = os.urandom(32)
    masked = xor(block, mgf1(seed, len(block), mask))
    seed = xor(seed, mgf1(masked, 32, mask))
    return public_op(bytes([first]) + seed + masked, key)


# AES

def cbc(text, key=AES_KEY, iv=bytes(range(16)), padded=True):
    text = formats.pad(text) if padded else text
    return iv + AES.new(key, AES.MODE_CBC, iv=iv).encrypt(text)


def cbc_open(data, key=AES_KEY):
    if len(data) < 32 or len(data) % 16:
        raise formats.Error("not whole blocks")
    return formats.unpad(AES.new(key, AES.MODE_CBC, iv=data[:16])
                         .decrypt(data[16:]))


def gcm(text, aad=b"1", iv=bytes(range(12)), key=AES_KEY):
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    return iv + b"".join(cipher.encrypt_and_digest(text))


# signatures

DIGESTS = {"256": SHA256, "384": SHA384, "512": SHA512, "1": SHA1}


def mac(text, secret=HUSH):
    return hmac.new(secret.encode(), text, hashlib.sha256).digest()


class Signer:
    """One algorithm under one key: signing, and what others make of it."""

    def __init__(self, alg, path):
        self.alg = alg
        self.md, self.path = DIGESTS.get(alg[2:]), path
        if alg[:2] in ("rs", "ps"):
            self.key = RSA.import_key(read(path))
        elif alg[:2] == "es":
            self.key = ECC.import_key(read(path).decode())

    def sign(self, text):
        alg = self.alg
        if alg[:2] == "rs":
            return pkcs1_15.new(self.key).sign(self.md.new(text))
        if alg[:2] == "ps":
            return pss.new(self.key).sign(self.md.new(text))
        if alg[:2] == "es":
            return DSS.new(self.key, "fips-186-3").sign(self.md.new(text))
        if alg == "eddsa":
            with tempfile.NamedTemporaryFile() as f:
                f.write(text)
                f.flush()
                return openssl("pkeyutl", "-sign", "-rawin", "-inkey",
                               self.path, "-in", f.name)
        return mac(text)

    def other_salt(self, text, length):
        return pss.new(self.key, salt_bytes=length).sign(self.md.new(text))

    def other_digest(self, text, md):
        return pkcs1_15.new(self.key).sign(md.new(text))


def cube_root(number):
    low, high = 0, 1 << (number.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high) // 2
        if middle ** 3 < number:
            low = middle + 1
        else:
            high = middle
    return low


def by_cube_root(text, key):
    """A block that begins as the right one does and ends in junk: its cube
    root is no secret where the exponent is three."""
    info = bytes.fromhex("3031300d060960864801650304020105000420")
    start = b"\x00\x01" + b"\xff" * 8 + b"\x00" + info \
        + hashlib.sha256(text).digest()
    k = formats.size(key)
    number = int.from_bytes(start + b"\xff" * (k - len(start)), "big")
    root = cube_root(number)
    if root ** 3 > number:
        root -= 1
    return root.to_bytes(k, "big")

