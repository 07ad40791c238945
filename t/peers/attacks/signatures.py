"""Threat 8: signatures that nobody with the key has made."""

import random

import formats
import forge
from client import post
from table import threat

TEXT = b"CANARY-signed"
SEED = 20260401
EACH = 3000

# the order of the base point, and of the field, of P-256 and P-384
ORDERS = {
    "es256": (
        0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551,
        0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff),
    "es384": (
        0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf
        << 128 | 0x581a0db248b0a77aecec196accc52973,
        0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe
        << 128 | 0xffffffff0000000000000000ffffffff),
}
# that of Ed25519
ED_ORDER = (1 << 252) + 27742317777372353535851937790883648493


def message(signature, text=TEXT):
    return b'{"a":"%s","sign":"%s"}' % (text, signature.hex().encode())


def mutated(good, rng, n):
    """Seeded, so that what is found once is found again."""
    found = set()
    while len(found) < n:
        how = rng.randrange(6)
        data = bytearray(good)
        if how == 0:
            for _ in range(rng.randrange(1, 9)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif how == 2:
            at = rng.randrange(len(data))
            data[at:at + rng.randrange(1, 9)] = bytes(rng.randrange(9))
        elif how == 3:
            at = rng.randrange(len(data))
            data = data[at:] + data[:at]
        elif how == 4:
            data = bytearray(rng.randbytes(len(data)))
        else:
            data = data[:rng.randrange(1, len(data))] if rng.randrange(2) \
                else data + rng.randbytes(rng.randrange(1, 20))
        if bytes(data) != good:
            found.add(bytes(data))
    return sorted(found)


def around(good):
    """What is wrong for any algorithm."""
    n = len(good)
    return [bytes(n), b"\xff" * n, bytes(n - 1) + b"\x01", good + b"\x00",
            b"\x00" + good, good[:-1], good[1:], good[::-1], good * 2,
            b"\x00", b"\x30", good[:n // 2], good + good[:n // 2]]


def der(r, s):
    def number(n):
        raw = n.to_bytes(n.bit_length() // 8 + 1, "big")
        return b"\x02" + bytes([len(raw)]) + raw
    both = number(r) + number(s)
    return b"\x30" + bytes([len(both)]) + both


def special_rsa(signer, good):
    key, k = signer.key, len(good)
    number = int.from_bytes(good, "big")
    found = [n.to_bytes(k, "big") for n in
             (key.n, key.n - 1, key.n + 1, key.n - number, 1, 2, key.e)]
    found += [(number + i * key.n).to_bytes(k + 1, "big") for i in (1, 2)]
    if number + key.n < 1 << 8 * k:
        found.append((number + key.n).to_bytes(k, "big"))
    if signer.alg[:2] == "ps":
        found += [signer.other_salt(TEXT, n) for n in (0, 8, 20, 31, 33, 62)]
        found.append(forge.Signer("rs256", signer.path).sign(TEXT))
    else:
        found += [signer.other_digest(TEXT, md) for md in
                  (forge.SHA1, forge.SHA384, forge.SHA512)]
        found.append(forge.Signer("ps256", signer.path).sign(TEXT))
        found += bad_encodings(signer)
    return found


def bad_encodings(signer):
    """EMSA-PKCS1-v1_5 that is not right to the byte, signed with the key."""
    key, k = signer.key, formats.size(signer.key)
    digest = forge.hashlib.sha256(TEXT).digest()
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    texts = [info + b"\x00", info[:-1], digest, b"\x00" + info,
             bytes.fromhex("3021300906052b0e03021a05000414") + digest[:20],
             info[:15] + b"\x04\x82\x00\x20" + digest]
    blocks = [b"\x00\x01" + b"\xff" * (k - 3 - len(t)) + b"\x00" + t
              for t in texts]
    room = k - 3 - len(info)
    blocks += [b"\x00\x01" + b"\xff" * 8 + b"\x00" + info
               + b"\x00" * (room - 8),
               b"\x00\x01" + b"\xff" * (room - 1) + b"\xfe\x00" + info,
               b"\x00\x01" + b"\x00" * room + b"\x00" + info,
               b"\x00\x02" + b"\xff" * room + b"\x00" + info,
               b"\x00\x00" + b"\xff" * room + b"\x00" + info]
    return [forge.private_op(b, key) for b in blocks]


def special_ec(signer, good):
    n, p = ORDERS[signer.alg]
    half = len(good) // 2
    r = int.from_bytes(good[:half], "big")
    s = int.from_bytes(good[half:], "big")
    values = (0, 1, n - 1, n, n + 1, p, p - 1, (1 << 8 * half) - 1)
    found = [(a, b) for a in values for b in values]
    found += [(r, b) for b in values] + [(a, s) for a in values]
    found += [(s, r), (r, r), (s, s), (n - r, s)]
    raw = [a.to_bytes(half, "big") + b.to_bytes(half, "big")
           for a, b in found]
    return raw + [der(r, s), der(0, 0), der(1, 1),
                  b"\x00" + good[:half] + b"\x00" + good[half:]]


def special_ed(signer, good):
    r, s = good[:32], int.from_bytes(good[32:], "little")
    found = [r + (s + i * ED_ORDER).to_bytes(32, "little")
             for i in range(1, 8)]
    found += [r + n.to_bytes(32, "little") for n in
              (0, 1, ED_ORDER, ED_ORDER - s)]
    # points of small order, which some take for any message
    for point in ("00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f",
                  "ed" + "ff" * 30 + "7f", "01" + "00" * 30 + "80"):
        found += [bytes.fromhex(point) + x for x in (bytes(32), good[32:])]
    return found


def special_mac(signer, good):
    return [good[:16], good[:20], forge.mac(b""), forge.mac(TEXT + b"\x00"),
            forge.mac(TEXT, ""), forge.mac(TEXT, forge.HUSH + "\x01"),
            forge.hashlib.sha256(TEXT).digest(),
            forge.hashlib.sha256(forge.HUSH.encode() + TEXT).digest()]


KINDS = {"rs": special_rsa, "ps": special_rsa, "es": special_ec,
         "ed": special_ed, "hs": special_mac}
FILES = {"rs256": "rsa", "ps256": "rsa", "es256": "p256", "es384": "p384",
         "eddsa": "ed", "hs256": "hush"}


def test(alg):
    def run(case):
        signer = forge.Signer(alg, "%s/%s.pem" % (case.world.keys, FILES[alg]))
        good = signer.sign(TEXT)
        case.opened([post("/webhook/" + alg, message(good))],
                    [b'{"a":"%s"}' % TEXT])
        bad = mutated(good, random.Random(SEED), EACH) + around(good) \
            + KINDS[alg[:2]](signer, good)
        bad = [b for b in dict.fromkeys(bad) if b != good]
        case.note("%d signatures" % len(bad))
        case.refused(401, [post("/webhook/" + alg, message(b)) for b in bad])
        # right ones, of another text
        case.refused(401, [post("/serve/" + alg, message(good, text))
                           for text in (b"CANARY-signeD", TEXT + b" ", b"x")])
        case.refused(401, [post("/serve/" + alg, message(b""))])
        case.refused(400, [post("/serve/" + alg, m) for m in (
            b'{"a":"x"}', b'{"a":"x","sign":null}',
            b'{"sign":"%s"}' % good.hex().encode())])
        case.said.append("sign sign: the signature does not match")
    return run


for _alg in FILES:
    threat(8, "thousands of mutated signatures, " + _alg)(test(_alg))


@threat(8, "an ECDSA signature has a second form, of the same text")
def malleable(case):
    for alg in ORDERS:
        signer = forge.Signer(alg, "%s/%s.pem" % (case.world.keys, FILES[alg]))
        good = signer.sign(TEXT)
        half = len(good) // 2
        s = ORDERS[alg][0] - int.from_bytes(good[half:], "big")
        # which is why "once" must not look at a signature; the README says so
        case.opened([post("/webhook/" + alg, message(
            good[:half] + s.to_bytes(half, "big")))], [b'{"a":"%s"}' % TEXT])


@threat(8, "a public exponent of three: signatures by cube roots")
def cube_roots(case):
    key = case.world.key("three.pem")
    good = forge.Signer("rs256", case.world.keys + "/three.pem").sign(TEXT)
    case.opened([post("/webhook/three", message(good))],
                [b'{"a":"%s"}' % TEXT])
    texts = [b"x%d" % i for i in range(20)]
    forged = [forge.by_cube_root(text, key) for text in texts]
    case.check(all(forge.public_op(f, key)[:11] == b"\x00\x01" + b"\xff" * 8
                   + b"\x00" for f in forged), "they are not what they are")
    case.refused(401, [post("/webhook/three", message(f, t))
                       for f, t in zip(forged, texts)])


# the spelling of signatures, and where they stand

@threat(8, "signatures missing, empty, spelled otherwise")
def spelled(case):
    good = forge.mac(TEXT).hex()
    start = b'{"a":"%s"' % TEXT

    def signed(raw):
        return post("/webhook/hs256", start + b',"sign":' + raw + b"}")

    def text(s):
        return signed(formats.quote(s).encode())

    case.refused(400, [post("/webhook/hs256", start + b"}")] + [
        signed(raw) for raw in (b"null", b"0", b"true", b"{}", b"[]",
                                b'["%s"]' % good.encode(),
                                b'{"sign":"%s"}' % good.encode())])
    bad = ["", " " + good, good + " ", good + "\n", "\t" + good, good + "\0",
           good + "0", "0" + good, good + "00", good[:-1], good[:-2],
           "0x" + good, "\u00a0" + good, good + "\u200b", "\ufeff" + good,
           good[:10] + "\u2009" + good[10:], good[:-1] + "\uff10",
           "=" + good, "v1=" + good, good * 2, good + ":" + good,
           forge.formats.b64(forge.mac(TEXT)), good[:-1] + "g", " ",
           good[:32] + " " + good[32:], good + ",", good + "=EVIL"]
    case.refused(401, [text(s) for s in bad])
    case.opened([text(good.upper()), signed(b'"' + b"".join(
        b"\\u%04x" % ord(c) for c in good) + b'"')],
        [b'{"a":"%s"}' % TEXT] * 2)


@threat(8, "signatures in header fields: missing, twice, folded, listed")
def headers(case):
    body = b'{"c":"CANARY"}'
    good = forge.mac(body).hex()

    def sent(*values, body=body):
        return post("/webhook/body", body,
                    *["X-Sign: " + v for v in values])

    case.opened([sent(good), sent(" " + good + "  ")], [body] * 2)
    case.refused(400, [sent(), sent(good, good), sent(good, "00"),
                       sent("00", good), sent(good, ""), sent("", good),
                       post("/webhook/body", body, "X_Sign: " + good)])
    case.refused(401, [sent(v) for v in (
        "", good + "," + good, good + ", 00", '"%s"' % good, good + "0",
        good[:-1], "sha256=" + good, good + ";", "\xa0" + good,
        good + "\x01", good[:32] + " " + good[32:], "0" * 64)])
    case.refused(401, [sent(good, body=b) for b in (
        b'{"c":"CANARx"}', body + b" ", b" " + body, body + b"\x00", b"",
        body[:-1])])
