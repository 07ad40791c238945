#!/usr/bin/python3
"""Writes t/unit/vectors.h: answers for the engine's tests from another
implementation (PyCryptodome, hashlib, hmac and plain integers).  Run by hand,
from the top of the tree, when a vector is added; paddings that are random
differ with each run."""

import base64
import hashlib
import hmac

from Cryptodome.Cipher import AES, PKCS1_OAEP, PKCS1_v1_5
from Cryptodome.Hash import SHA1, SHA256, SHA384, SHA512
from Cryptodome.PublicKey import ECC, RSA
from Cryptodome.Signature import pkcs1_15, pss

b64 = lambda b: base64.b64encode(b).decode()
KEY = RSA.import_key(base64.b64decode(
    open('t/data/keys/unified-private.b64').read()))
K = KEY.size_in_bytes()
out = []


def define(name, value):
    if isinstance(value, bytes):
        value = value.decode()
    lines = [value[i:i + 60] for i in range(0, len(value), 60)] or ['']
    out.append('#define %s \\\n%s\n' % (
        name, ' \\\n'.join('    "%s"' % l.replace('\\', '\\\\')
                           .replace('"', '\\"') for l in lines)))


def pad(b):
    n = 16 - len(b) % 16
    return b + bytes([n]) * n


def blocks(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def rs(h, text):
    return pkcs1_15.new(KEY).sign(h.new(text))


def private(data):
    c = b''
    for m in blocks(data, K - 11):
        em = b'\0\1' + b'\xff' * (K - 3 - len(m)) + b'\0' + m
        c += pow(int.from_bytes(em, 'big'), KEY.d, KEY.n).to_bytes(K, 'big')
    return c


# the formats A to E; the texts stand in transform.c, too

PLAIN = ('{"card": "4111-1111-1111-1111", "amount": 1.50, "note": "'
         + 'x' * 300 + '"}').encode()
SHORT = b'{"orderNo":"A-1","amount":1.50,"note":"caf\xc3\xa9 <&>"}'

pk = PKCS1_v1_5.new(KEY.publickey())
define('KAT_A', b64(b''.join(pk.encrypt(m)
                             for m in blocks(PLAIN, K - 11))).encode().hex())

session = bytes(range(48))
gcm = AES.new(session[:32], AES.MODE_GCM, nonce=session[32:])
c, t = gcm.encrypt_and_digest(SHORT)
define('KAT_B_CONTENT', b64(c + t))
wrapped = PKCS1_OAEP.new(KEY.publickey(), SHA256).encrypt(session)
define('KAT_B_KEY', b64(wrapped))
define('KAT_B_KEY_MGF1', b64(PKCS1_OAEP.new(
    KEY.publickey(), SHA256, lambda x, y: pss.MGF1(x, y, SHA1),
    b'a label').encrypt(session)))
for h, n in ((SHA1, 1), (SHA384, 384), (SHA512, 512)):
    define('KAT_OAEP_%d' % n, b64(PKCS1_OAEP.new(
        KEY.publickey(), h).encrypt(b'hello')))
define('KAT_B_SIG', b64(rs(SHA256, (
    'bizContent=%s&code=200&key=%s&message=all is well&timestamp=1700000000000'
    % (b64(c + t), b64(wrapped))).encode())))

define('KAT_C', private(base64.b64encode(PLAIN)).hex())

AESKEY = b'0123456789abcdef'
define('KAT_D_CONTENT', b64(AES.new(AESKEY, AES.MODE_ECB)
                            .encrypt(pad(SHORT))))
define('KAT_D_SIGN', b64(rs(SHA256, SHORT)))
define('KAT_F', hashlib.sha1(b'app-1' + b's3cret' + b'1700000000000')
       .hexdigest())

# WeChat Pay v3

gcm = AES.new(b'0123456789abcdef0123456789abcdef', AES.MODE_GCM,
              nonce=b'fdasflkja484')
gcm.update(b'transaction')
c, t = gcm.encrypt_and_digest(SHORT)
define('KAT_WX_CIPHERTEXT', b64(c + t))
body = ('{"id":"EV-1","resource":{"algorithm":"AEAD_AES_256_GCM",'
        '"ciphertext":"%s","nonce":"fdasflkja484",'
        '"associated_data":"transaction"}}' % b64(c + t))
define('KAT_WX_SIGN', b64(rs(SHA256, b'1554208460\nnonce-1\n'
                             + body.encode() + b'\n')))

# the rest of the family

s = b's3cret'
define('KAT_STRIPE', hmac.new(s, b'1492774577.{"id": 1}', 'sha256')
       .hexdigest())
define('KAT_SW', b64(hmac.new(
    base64.b64decode('MfKQ9r8GKYqrwTjUPD8ILPZIo2LaLaSw'),
    b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}',
    'sha256').digest()))
define('KAT_SHOPIFY', b64(hmac.new(s, b'{"id": 1}', 'sha256').digest()))
define('KAT_MD5', hashlib.md5('amount=1.50&body={"a": [1, 2]}&flag=true&'
                              'name=caf\u00e9&key=s3cret'.encode())
       .hexdigest())
cbc = AES.new(session[:16], AES.MODE_CBC, session[16:32])
define('KAT_MC_DATA', cbc.encrypt(pad(SHORT)).hex())
define('KAT_MC_IV', session[16:32].hex())
define('KAT_MC_KEY', PKCS1_OAEP.new(KEY.publickey(), SHA256)
       .encrypt(session[:16]).hex())

# every algorithm over "a text"

T = b'a text'
for n, h in (('RS1', SHA1), ('RS256', SHA256), ('RS384', SHA384),
             ('RS512', SHA512)):
    define('KAT_' + n, b64(rs(h, T)))
for n, h in (('PS256', SHA256), ('PS384', SHA384), ('PS512', SHA512)):
    define('KAT_' + n, b64(pss.new(KEY).sign(h.new(T))))
for n, h in (('HS1', 'sha1'), ('HS256', 'sha256'), ('HS384', 'sha384'),
             ('HS512', 'sha512')):
    define('KAT_' + n, b64(hmac.new(s, T, h).digest()))
for n in ('md5', 'sha1', 'sha256', 'sha512'):
    define('KAT_' + n.upper() + '_TEXT' * (n == 'md5'),
           b64(hashlib.new(n, T).digest()))

# every cipher over "a text", with the key and the iv of counting bytes

for bits in (128, 192, 256):
    k = bytes(range(bits // 8))
    iv = bytes(range(16))
    define('KAT_ECB_%d' % bits, b64(AES.new(k, AES.MODE_ECB)
                                    .encrypt(pad(T))))
    define('KAT_CBC_%d' % bits, b64(AES.new(k, AES.MODE_CBC, iv)
                                    .encrypt(pad(T))))
    for n in (1, 12, 16):
        g = AES.new(k, AES.MODE_GCM, nonce=iv[:n])
        g.update(b'V<x>"c')
        c, t = g.encrypt_and_digest(T)
        define('KAT_GCM_%d_%d' % (bits, n), b64(c + t))

# public test keys: RFC 7515 A.3, RFC 6979 A.2.6, RFC 8032 7.1

b64u = lambda t: int.from_bytes(base64.urlsafe_b64decode(t + '=='), 'big')
ec = ECC.construct(curve='P-256',
                   d=b64u('jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI'))
define('KEY_P256', b64(ec.export_key(format='DER', use_pkcs8=True)))
ec = ECC.construct(curve='P-384', d=int(
    '6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D8'
    '96D5724E4C70A825F872C9EA60D2EDF5', 16))
define('KEY_P384', b64(ec.export_key(format='DER', use_pkcs8=True)))
define('KAT_ES384', b64(bytes.fromhex(
    '94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C'
    '81A648152E44ACF96E36DD1E80FABE46'
    '99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94F'
    'A329C145786E679E7B82C71A38628AC8')))
define('KEY_ED25519', b64(bytes.fromhex(
    '302e020100300506032b657004220420'
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')))

open('t/unit/vectors.h', 'w').write(
    '/* Written by t/unit/vectors.py, which says what each of these is. */\n\n'
    + '\n'.join(out))
