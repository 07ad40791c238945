"""Threats 1 to 5: paddings, tags, blocks."""

import formats
import forge
from client import post
from table import threat

JSON = b'{"a":1}'
ROLES = ("webhook", "serve")


def data(raw, **members):
    text = '{"id":"1","data":"%s"' % raw.hex()
    for name, value in members.items():
        text += ',"%s":"%s"' % (name, value)
    return text.encode() + b"}"


def both(name, bodies):
    return [post("/%s/%s" % (role, name), body)
            for role in ROLES for body in bodies]


def plain(text):
    return b'{"id":"1","data":%s}' % text


# 1

def by_chance(data, key):
    """Whether OpenSSL makes JSON up of it, from 3.2 on: what nothing protects
    goes through then, as what anybody has sealed would."""
    try:
        formats.check_json(forge.pkcs1_anyhow(data, key), "by chance")
    except formats.Error:
        return False
    return True


def bad_blocks(key, text=JSON, junk=b"\xfe"):
    """Blocks that are no RSAES-PKCS1-v1_5 of any JSON, in every way there is:
    all types, all places of the separator, none, all that is no number below
    the modulus."""
    k = formats.size(key)
    filled = b"\x05" * (k - 3 - len(text))
    blocks = [b"\x00" + bytes([t]) + filled + b"\x00" + text
              for t in range(256) if t != 2]
    blocks += [bytes([t]) + b"\x02" + filled + b"\x00" + text
               for t in range(1, key.n >> (8 * k - 8))]
    blocks += [b"\x00\x02" + b"\x05" * (at - 2) + b"\x00" + junk * (k - at - 1)
               for at in range(2, k)]
    # too short a padding before what would be right
    blocks += [b"\x00\x02" + b"\x05" * n + b"\x00"
               + b" " * (k - 3 - n - len(text)) + text for n in range(8)]
    blocks += [b"\x00\x02" + b"\x05" * (k - 2), bytes(k),
               bytes(k - 1) + b"\x01", bytes(k - 1) + b"\x02",
               b"\x00\x02" + filled[:-6] + b"\x00CANARY" + text,
               b"\x00\x02" + filled + b"\x01" + text]
    found = [forge.public_op(b, key) for b in blocks]
    over = [key.n, key.n + 1, key.n + 2, (1 << 8 * k) - 1]
    over += [(key.n | 0xff) + (i << 8) for i in range(8)]
    return found + [n.to_bytes(k, "big") for n in over if n < 1 << 8 * k]


@threat(1, "RSA PKCS#1 v1.5, every type, separator and range")
def pkcs1_sweep(case):
    key = case.world.key("rsa.pem")
    case.opened(both("pkcs1", [data(forge.pkcs1(JSON, key))]),
                [plain(JSON)] * 2)
    blocks = [b for b in bad_blocks(key) if not by_chance(b, key)]
    case.refused(401, both("pkcs1", [data(b) for b in blocks]))
    good = [forge.pkcs1(text, key) for text in (b'{"a"', b":", b"1}")]
    case.opened(both("pkcs1", [data(b"".join(good))]), [plain(JSON)] * 2)
    several = []
    for i, block in enumerate(blocks[::7]):
        parts = list(good)
        parts[i % 3] = block
        several.append(b"".join(parts))
    several = [s for s in several if not by_chance(s, key)]
    case.refused(401, both("pkcs1", [data(s) for s in several]))
    case.said.append("field data: what was recovered is not JSON")


@threat(1, "RSA PKCS#1 v1.5 around a session key")
def pkcs1_key(case):
    key = case.world.key("rsa.pem")
    session = bytes(range(32, 48))
    text = forge.cbc(JSON, session)

    def message(block):
        return data(text, key=block.hex())

    case.opened(both("wrap", [message(forge.pkcs1(session, key))]),
                [plain(JSON)] * 2)
    blocks = bad_blocks(key, session)
    blocks += [forge.pkcs1(session[:n], key) for n in range(16)]
    blocks += [forge.pkcs1(session + b"\x00", key),
               forge.pkcs1(session * 2, key),
               forge.pkcs1(b"\x00" + session[1:], key)]
    case.refused(401, both("wrap", [message(b) for b in blocks]))


@threat(1, "RSA PKCS#1 v1.5 in the answer to a call")
def pkcs1_call(case):
    key = case.world.key("rsa.pem")
    blocks = [b for b in bad_blocks(key)[::3] if not by_chance(b, key)]
    answered(case, "pkcs1", [data(b) for b in blocks])
    case.said.append('"pkcs1-call" call response: field data: what was')


def answered(case, name, wires, status=502):
    """Answers of a provider, which are refused."""
    app = case.world.app
    app.answers = {str(i): wire for i, wire in enumerate(wires)}
    try:
        return case.refused(status, [post("/call/%s?n=%d" % (name, i), b"{}")
                                     for i in range(len(wires))])
    finally:
        app.answers = {}


# 2

@threat(2, "AES-CBC, 256 values at each of 16 places")
def cbc_sweep(case):
    sweep(case, "cbc", lambda wire: data(wire))


@threat(2, "AES-CBC behind a MAC, which is looked at first")
def cbc_mac(case):
    text = b"true"
    good = forge.cbc(text)
    tag = forge.mac(good.hex().encode()).hex()
    wires = [good[:at] + bytes([good[at] ^ x]) + good[at + 1:]
             for at in range(16) for x in range(1, 256)]
    case.opened(both("cbc-mac", [data(good, sign=tag)]), [plain(text)] * 2)
    case.refused(401, [post("/webhook/cbc-mac", data(wire, sign=tag))
                       for wire in wires])
    case.said.append("sign sign: the signature does not match")


def sweep(case, name, message):
    """Each byte of the IV, which is the plain text of the first block, and of
    the last but one block, which is that of the padding."""
    requests, expected = [], []
    for text in (b"true", b'"' + b"x" * 20 + b'"'):
        good = forge.cbc(text)
        at = len(good) - 32
        for place in range(at, at + 16):
            for x in range(256):
                wire = good[:place] + bytes([x]) + good[place + 1:]
                requests.append(post("/webhook/" + name, message(wire)))
                try:
                    inner = forge.cbc_open(wire)
                    formats.check_json(inner, "data")
                    expected.append(plain(inner))
                except formats.Error:
                    expected.append(None)
    compared(case, requests, expected)


def compared(case, requests, expected, status=401):
    """Each one is opened to what is expected, or refused where it is None."""
    mark = case.world.app.mark()
    answers = case.client.all(requests)
    good = []
    for i, (answer, body) in enumerate(zip(answers, expected)):
        if body is None:
            case.one_refused(status, answer, "request %d" % i)
        elif case.check(answer.status == 200, "request %d: %d for %r"
                        % (i, answer.status, body)):
            good.append(body)
    case.passed += len(good)
    got = sorted(r.body for r in case.world.app.since(mark))
    case.check(got == sorted(good), "the application got %r" % got[:5])


@threat(2, "AES-CBC and AES-ECB, every length and value of padding")
def paddings(case):
    ends = [b" " * 15 + bytes([n]) for n in range(256)]
    ends += [b" " * (16 - n) + bytes([n]) * n for n in range(1, 17)]
    ends += [b" " * (16 - n) + b"\x00" * (n - 1) + bytes([n])
             for n in range(1, 17)]
    cases = {"cbc": lambda t: forge.cbc(t, padded=False),
             "ecb": lambda t: forge.AES.new(
                 forge.AES_KEY, forge.AES.MODE_ECB).encrypt(t)}
    for name, sealed in cases.items():
        requests, expected = [], []
        for start in (b"", b"true" + b" " * 12, b"CANARY" + b" " * 10):
            for end in ends:
                text = start + end
                requests.append(post("/serve/" + name, data(sealed(text))))
                try:
                    inner = formats.unpad(text)
                    formats.check_json(inner, "data")
                    expected.append(plain(inner))
                except formats.Error:
                    expected.append(None)
        compared(case, requests, expected)


@threat(2, "AES-CBC in the answer to a call")
def cbc_call(case):
    good = forge.cbc(b"true")
    answered(case, "cbc", [data(good[:15] + bytes([x]) + good[16:])
                           for x in range(256)
                           if x not in (good[15],)])


# 3

@threat(3, "RSA-OAEP (Manger), first byte, label, mask, separator, range")
def manger(case):
    key = case.world.key("rsa.pem")
    k = formats.size(key)
    right = forge.hashlib.sha256(b"L").digest()
    case.opened(both("oaep", [data(forge.oaep(JSON, key))]),
                [plain(JSON)] * 2)
    bad = [forge.oaep(JSON, key, first=n)
           for n in range(1, key.n >> (8 * k - 8))]
    bad += [forge.oaep(JSON, key, lhash=right[:i] + bytes([right[i] ^ 1])
                       + right[i + 1:]) for i in range(32)]
    bad += [forge.oaep(JSON, key, label=b""),
            forge.oaep(JSON, key, lhash=bytes(32)),
            forge.oaep(JSON, key, mask=forge.hashlib.sha1)]
    bad += [forge.oaep(JSON, key, mark=bytes([n]))
            for n in range(256) if n != 1]
    bad += [forge.oaep(JSON, key, pad=bytes([n])) for n in range(2, 256)]
    bad += [forge.oaep(JSON, key, first=n, mark=b"\x02") for n in (1, 2)]
    bad += [forge.oaep(text, key) for text in (b"", b"CANARY", b'{"a":1')]
    bad += [forge.pkcs1(JSON, key), bytes(k), bytes(k - 1) + b"\x01"]
    bad += [n.to_bytes(k, "big") for n in (key.n, key.n + 1, (1 << 8 * k) - 1)]
    case.refused(401, both("oaep", [data(b) for b in bad]))
    answered(case, "oaep", [data(b) for b in bad[::9]])
    case.said.append("field data: rsa-oaep does not open with this key")


# 4

@threat(4, "AES-GCM, length of the tag, IV, AAD, every bit")
def gcm_tags(case):
    good = forge.gcm(JSON)
    body, tag = good[:-16], good[-16:]
    case.opened(both("gcm", [data(good)]), [plain(JSON)] * 2)
    bad = [body + tag[:n] for n in range(16)]
    bad += [good + tag[:n] for n in (1, 4, 15, 16)] + [body, body + bytes(16)]
    bad += [good[:i // 8] + bytes([good[i // 8] ^ 1 << i % 8])
            + good[i // 8 + 1:] for i in range(8 * len(good))]
    bad += [good[:n] for n in range(1, len(good))] + [good[1:], b"\x00" + good]
    bad += [forge.gcm(JSON, b"2"), forge.gcm(JSON, b""),
            forge.gcm(JSON, b"1\x00"), forge.gcm(JSON, key=bytes(16))]
    bad += [forge.gcm(text) for text in (b"", b"CANARY", b'{"a":1')]
    case.refused(401, both("gcm", [data(b) for b in bad]))
    case.refused(401, [post("/webhook/gcm", data(good).replace(b'"1"', b'"2"'))
                       ])


@threat(4, "AES-GCM, not a byte of a large body with its last bit wrong")
def gcm_large(case):
    for size in (100000, 3000000):
        text = b'"' + b"CANARY" * (size // 6) + b'"'
        good = forge.gcm(text)
        case.refused(401, both("gcm", [
            data(good[:-1] + bytes([good[-1] ^ 1])),
            data(good[:-17] + bytes([good[-17] ^ 0x80]) + good[-16:])]),
            window=1)
        answered(case, "gcm", [data(good[:100000] + bytes(16))])


# 5

@threat(5, "RSA blocks: order, loss, doubling, splices, lengths")
def blocks(case):
    key = case.world.key("rsa.pem")
    k = formats.size(key)
    parts = [b'{"to":"me"', b',"sum":', b"1}", b"9}"]
    schemes = {"pkcs1": lambda t: forge.pkcs1(t, key),
               "oaep": lambda t: forge.oaep(t, key),
               "type1": lambda t: formats.type1_encrypt(t, key)}
    for name, sealed in schemes.items():
        a, b, c, d = (sealed(part) for part in parts)
        case.opened(both(name, [data(a + b + c)]),
                    [plain(b"".join(parts[:3]))] * 2)
        # what is JSON all the same passes where nothing ties the blocks: the
        # README says so, and nginx -t warns
        case.opened(both(name, [data(a + b + d)]),
                    [plain(parts[0] + parts[1] + parts[3])] * 2)
        bad = [b + a + c, a + c + b, a + b, b + c, a + c, c + b + a,
               a + b + b + c, a + b + c + c, a + a + b + c]
        bad += [(a + b + c)[:n] for n in (1, k - 1, k + 1, 2 * k + k // 2,
                                          3 * k - 1)]
        bad += [a + b + c + b"\x00", b"\x00" + a + b + c, a + bytes(k) + b + c]
        case.refused(401, both(name, [data(x) for x in bad]))
        case.refused(400, both(name, [data(b"")]))
        case.check('envelope_profile "%s": webhooks are not authenticated'
                   % name in case.world.said,
                   "nginx -t does not warn of " + name)


@threat(5, "RSA blocks: as many as a request may carry, cheaply refused")
def block_bomb(case):
    key = case.world.key("rsa.pem")
    block = forge.pkcs1(b" ", key)
    began = case.world.cpu()
    case.refused(401, both("pkcs1", [data(block * 2049)]), window=1)
    spent = case.world.cpu() - began
    case.check(spent < 1, "%.2f s of the worker's time" % spent)
    case.said.append("more than 262144 bytes of RSA ciphertext")
