"""Single operations for the tests of algorithms and of attacks.

run([operation, argument, ..], data) returns bytes.  Keys are files, other
bytes are given in hex.  Here, as in formats.py, is nothing of the module's.
"""

from Cryptodome.Cipher import AES, PKCS1_OAEP
from Cryptodome.Hash import SHA1, SHA256, SHA384, SHA512
from Cryptodome.PublicKey import ECC, RSA
from Cryptodome.Signature import DSS, pkcs1_15, pss

import formats
from formats import Error

HASHES = {"1": SHA1, "256": SHA256, "384": SHA384, "512": SHA512}


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def _scheme(alg, path):
    """What signs and verifies, and the digest: rs256, ps384, es256, .."""
    family, md = alg[:2], HASHES[alg[2:]]
    if family == "rs":
        return pkcs1_15.new(RSA.import_key(_read(path))), md
    if family == "ps":
        return pss.new(RSA.import_key(_read(path)),
                       salt_bytes=md.digest_size), md
    if family == "es":
        return DSS.new(ECC.import_key(_read(path).decode()), "fips-186-3",
                       encoding="binary"), md
    raise Error("no algorithm " + alg)


def sign(data, alg, path):
    scheme, md = _scheme(alg, path)
    return scheme.sign(md.new(data))


def verify(data, alg, path, signature):
    scheme, md = _scheme(alg, path)
    try:
        scheme.verify(md.new(data), bytes.fromhex(signature))
    except ValueError as e:
        raise Error(str(e))
    return b"verified"


def _aes(mode, key, iv):
    if mode == "ecb":
        return AES.new(key, AES.MODE_ECB)
    if mode == "cbc":
        return AES.new(key, AES.MODE_CBC, iv=iv)
    raise Error("no mode " + mode)


def aes_seal(data, mode, key, iv="", aad=""):
    key, iv, aad = map(bytes.fromhex, (key, iv, aad))
    if mode != "gcm":
        return _aes(mode, key, iv).encrypt(formats.pad(data))
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    return b"".join(cipher.encrypt_and_digest(data))


def aes_raw(data, mode, key, iv=""):
    """ECB or CBC of whole blocks, without padding."""
    key, iv = map(bytes.fromhex, (key, iv))
    return _aes(mode, key, iv).encrypt(data)


def aes_open(data, mode, key, iv="", aad=""):
    key, iv, aad = map(bytes.fromhex, (key, iv, aad))
    if mode != "gcm":
        return formats.unpad(_aes(mode, key, iv)
                             .decrypt(formats.whole_blocks(data)))
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    try:
        return cipher.decrypt_and_verify(data[:-16], data[-16:])
    except ValueError as e:
        raise Error(str(e))


def _oaep(path, md, mgf1, label):
    return PKCS1_OAEP.new(
        RSA.import_key(_read(path)), HASHES[md[3:]],
        lambda seed, length: pss.MGF1(seed, length, HASHES[mgf1[3:]]),
        bytes.fromhex(label))


def oaep_seal(data, path, md, mgf1, label=""):
    cipher = _oaep(path, md, mgf1, label)
    size = formats.size(RSA.import_key(_read(path))) \
        - 2 * HASHES[md[3:]].digest_size - 2
    return b"".join(cipher.encrypt(part) for part in formats.cut(data, size))


def oaep_open(data, path, md, mgf1, label=""):
    cipher = _oaep(path, md, mgf1, label)
    size = formats.size(RSA.import_key(_read(path)))
    try:
        return b"".join(cipher.decrypt(b) for b in formats.cut(data, size))
    except (ValueError, TypeError) as e:
        raise Error(str(e))


def rsa_public(data, path):
    """A whole block to the power of the public exponent: no padding."""
    key = RSA.import_key(_read(path))
    number = pow(int.from_bytes(data, "big"), key.e, key.n)
    return number.to_bytes(formats.size(key), "big")


def rsa_private(data, path):
    key = RSA.import_key(_read(path))
    number = pow(int.from_bytes(data, "big"), key.d, key.n)
    return number.to_bytes(formats.size(key), "big")


def rsa_modulus(data, path):
    key = RSA.import_key(_read(path))
    return key.n.to_bytes(formats.size(key), "big")


OPERATIONS = {f.__name__.replace("_", "-"): f for f in (
    sign, verify, aes_seal, aes_raw, aes_open, oaep_seal, oaep_open,
    rsa_public, rsa_private, rsa_modulus)}


def run(words, data):
    try:
        return OPERATIONS[words[0]](data, *words[1:])
    except (ValueError, TypeError, KeyError, IndexError) as e:
        raise Error("%s: %s: %s" % (words[0], type(e).__name__, e))
