# SPDX-License-Identifier: Apache-2.0
"""test_decode_formats.py - the decoders against implementations that are not ours.

Reports are made here, with cbor2 and json, from values that this file chooses at random but always alike; what they mean is
worked out here as well, from what cbor2 reads back. build/tools/decode says what our decoders make of the same octets.
"""
import base64
import io
import json
import math
import os
import random
import struct
import subprocess
from pathlib import Path

import pytest

cbor2 = pytest.importorskip("cbor2")

TOOL = Path(os.environ.get("NIDDGW_BUILD", "build")) / "tools/decode"
ARRIVAL = 1767225600
TEXT, CBOR, SENML_JSON, SENML_CBOR, TLV, OMA_JSON, LWM2M_CBOR = 0, 60, 110, 112, 11542, 11543, 11544
LABELS = {"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6,
          "ut": 7, "vd": 8}
# Resources of object 33001 in the helper's registry, by type.
STRING, INTEGER, UNSIGNED, FLOAT, BOOLEAN, OPAQUE, TIME, OBJLNK, CORELNK = range(9)


def decode(reports):
    """What our decoders say of (format, path, octets) each: a list of lines, or a text that begins with "!"."""
    lines = "".join("%d %s %s\n" % (fmt, path or "-", data.hex()) for fmt, path, data in reports)
    done = subprocess.run([TOOL], input=lines, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("\n.\n")[:-1]
    assert len(answers) == len(reports)
    return [a if a.startswith("!") else a.splitlines() for a in answers]


# ---- how values are written by the helper ----

def real(d):
    d = float(d)
    if math.isnan(d):
        return "nan"
    if math.isinf(d):
        return "inf" if d > 0 else "-inf"
    return next(t for t in ("%.*g" % (n, d) for n in range(6, 18)) if float(t) == d)


def quoted(text):
    return '"%s"' % "".join(c if ord(c) >= 0x20 and c != '"' else "\\x%02x" % ord(c) for c in text)


def written(kind, value):
    return {STRING: lambda: "string " + quoted(value), CORELNK: lambda: "corelnk " + quoted(value),
            INTEGER: lambda: "integer %d" % value, UNSIGNED: lambda: "integer %d" % value, FLOAT: lambda: "float " + real(value),
            BOOLEAN: lambda: "boolean " + ("true" if value else "false"), OPAQUE: lambda: "opaque h'%s'" % value.hex(),
            TIME: lambda: "time %d" % value, OBJLNK: lambda: "objlnk %d:%d" % value}[kind]()


# ---- random values ----

def any_text(rng):
    alphabet = 'abc XYZ019/;<>"\\\n\t\u00e4\u20ac\U0001f600'
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(20)))


def any_value(rng, kind):
    if kind in (STRING, CORELNK):
        return any_text(rng)
    if kind == INTEGER:
        return rng.choice([0, 1, -1, rng.randrange(-2**63, 2**63), rng.randrange(-300, 300), 2**53 + 1, -2**63, 2**63 - 1])
    if kind == UNSIGNED:
        return rng.choice([0, 255, 256, rng.randrange(2**64), 2**64 - 1, 2**63, 2**53 + 1])
    if kind == FLOAT:
        return rng.choice([0.0, 21.5, -0.1, 1e300, 5e-324, rng.uniform(-1e6, 1e6), struct.unpack(">f", rng.randbytes(2) + b"\x10\x01")[0]])
    if kind == BOOLEAN:
        return rng.random() < 0.5
    if kind == OPAQUE:
        return rng.randbytes(rng.randrange(40))
    if kind == TIME:
        return rng.randrange(-2**31, 2**40)
    return rng.randrange(65536), rng.randrange(65536)


# ---- our values in every format, by encoders of this file ----

def as_tlv(values):
    def octets(kind, v):
        if kind in (STRING, CORELNK):
            return v.encode()
        if kind in (INTEGER, TIME):
            return next(struct.pack(f, v) for f, top in ((">b", 7), (">h", 15), (">i", 31), (">q", 63)) if -2**top <= v < 2**top)
        if kind == UNSIGNED:
            return next(struct.pack(f, v) for f, top in ((">B", 8), (">H", 16), (">I", 32), (">Q", 64)) if v < 2**top)
        return {FLOAT: lambda: struct.pack(">d", v), BOOLEAN: lambda: bytes([v]), OPAQUE: lambda: v,
                OBJLNK: lambda: struct.pack(">HH", *v)}[kind]()

    out = b""
    for kind, v in values:
        data = octets(kind, v)
        length = b"" if len(data) < 8 else bytes([len(data)]) if len(data) < 256 else struct.pack(">H", len(data))
        out += bytes([0xc0 | len(length) << 3 | (0 if length else len(data)), kind]) + length + data
    return out


def senml_records(values, octets):
    name = {STRING: "vs", CORELNK: "vs", BOOLEAN: "vb", OPAQUE: "vd", OBJLNK: "vlo"}
    for i, (kind, v) in enumerate(values):
        v = "%d:%d" % v if kind == OBJLNK else octets(v) if kind == OPAQUE else v
        yield {**({"bn": "/33001/0/"} if i == 0 else {}), "n": str(kind), name.get(kind, "v"): v}


def as_senml_json(values):
    return json.dumps(list(senml_records(values, lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")))).encode()


def as_senml_cbor(values):
    return cbor2.dumps([{LABELS.get(k, k): v for k, v in r.items()} for r in senml_records(values, bytes)])


def as_oma_json(values):
    name = {STRING: "sv", CORELNK: "sv", BOOLEAN: "bv", OPAQUE: "sv", OBJLNK: "ov"}
    entries = [{"n": str(kind), name.get(kind, "v"): "%d:%d" % v if kind == OBJLNK else
                base64.b64encode(v).decode() if kind == OPAQUE else v} for kind, v in values]
    return json.dumps({"bn": "/33001/0/", "e": entries}, ensure_ascii=False).encode()


def as_lwm2m_cbor(values):
    inner = {kind: "%d:%d" % v if kind == OBJLNK else cbor2.CBORTag(1, v) if kind == TIME else v for kind, v in values}
    return cbor2.dumps({33001: {0: inner}})


def as_text(kind, v):
    if kind == OPAQUE:
        return base64.b64encode(v)
    if kind == OBJLNK:
        return b"%d:%d" % v
    return (v if isinstance(v, str) else str(int(v)) if kind == BOOLEAN else repr(v)).encode()


def test_lwm2m_22_random_values_are_the_same_in_every_format():
    rng = random.Random(22)
    reports, want = [], []
    for _ in range(200):
        values = [(kind, any_value(rng, kind)) for kind in rng.sample(range(9), rng.randrange(1, 10))]
        lines = ["/33001/0/%d %s" % (kind, written(kind, v)) for kind, v in values]
        for fmt, data in ((TLV, as_tlv(values)), (SENML_JSON, as_senml_json(values)), (SENML_CBOR, as_senml_cbor(values)),
                          (OMA_JSON, as_oma_json(values)), (LWM2M_CBOR, as_lwm2m_cbor(values))):
            reports.append((fmt, "/33001/0", data))
            want.append(lines)
        kind, v = values[0]
        for fmt, data in ((TEXT, as_text(kind, v)), (CBOR, cbor2.dumps("%d:%d" % v if kind == OBJLNK else v))):
            reports.append((fmt, "/33001/0/%d" % kind, data))
            want.append(lines[:1])
    for report, got, lines in zip(reports, decode(reports), want):
        assert got == lines, report


# ---- SenML CBOR as cbor2 reads it ----

class Refused(Exception):
    pass


def number(x):
    if isinstance(x, cbor2.CBORTag) or isinstance(x, bool) or not isinstance(x, (int, float)):
        raise Refused
    if isinstance(x, int) and not -2**63 <= x < 2**64:
        raise Refused
    return x


def moment(seconds):
    if math.isnan(seconds):
        raise Refused
    if seconds < 2**28:
        seconds += ARRIVAL
    us = min(max(round(min(max(seconds, -1e12), 1e12) * 1e6), 0), 253402300799999999)
    return "@%d.%06d" % divmod(us, 1000000)


def value_of(record, base):
    present = [k for k in (2, 3, 4, 8, "vlo") if k in record]
    if len(present) != 1:
        raise Refused
    label, v = present[0], record[present[0]]
    if label == 2:
        v = number(v)
        if -5 in base:
            v = v + base[-5]
        return "integer %d" % v if isinstance(number(v), int) else "float " + real(v)
    if label == "vlo":
        if not isinstance(v, str):
            raise Refused
        a, _, b = v.partition(":")
        if not (a.isascii() and a.isdigit() and b.isascii() and b.isdigit() and int(a) < 65536 and int(b) < 65536 and len(v) < 12):
            raise Refused
        return "objlnk %d:%d" % (int(a), int(b))
    if type(v) is not {3: str, 4: bool, 8: bytes}[label]:
        raise Refused
    return written({3: STRING, 4: BOOLEAN, 8: OPAQUE}[label], v)


def resolve(record, base):
    for k in (-5, -3):
        if k in record:
            base[k] = number(record[k])
    for k in (-2, -4):
        if k in record:
            base[k] = record[k]
    line = "%s%s %s" % (base.get(-2, ""), record.get(0, ""), value_of(record, base))
    unit = record.get(1, base.get(-4, ""))
    times = [record[6]] if 6 in record else []
    times += [base[-3]] if -3 in base else []
    return line + (" " + unit if unit else "") + (" " + moment(sum(number(t) for t in times)) if times else "")


def expected(pack):
    base = {}
    return [resolve(record, base) for record in pack]


def any_record(rng, first):
    r = {0: "%d/%d" % (rng.randrange(3), rng.randrange(65536))}
    if first or rng.random() < 0.1:
        r[-2] = "/%d/" % rng.randrange(40000, 65536)  # no object of the registry: nothing is retyped
    for label, chance, make in ((-3, 0.1, lambda: rng.choice([1700000000, -100, 1.7e9 + 0.25])), (-4, 0.1, lambda: "W"),
                                (-5, 0.1, lambda: rng.choice([1, -7, 0.5, 2**40])), (1, 0.3, lambda: rng.choice(["Cel", "%RH", "\u00b5V"])),
                                (6, 0.4, lambda: rng.choice([0, -60, -0.5, 30, 1767225500, float("inf"), -1e18])), (7, 0.1, lambda: 5),
                                ("x", 0.1, lambda: [1, {"y": b""}]), (99, 0.05, lambda: None)):
        if rng.random() < chance:
            r[label] = make()
    label = rng.choice([2, 2, 2, 3, 4, 8, "vlo"])
    r[label] = {2: lambda: rng.choice([any_value(rng, INTEGER) // 2, any_value(rng, FLOAT), float("nan"), float("-inf"), 1.5]),
                3: lambda: any_text(rng), 4: lambda: rng.random() < 0.5, 8: lambda: rng.randbytes(5),
                "vlo": lambda: "%d:%d" % (rng.randrange(65536), rng.randrange(65536))}[label]()
    items = list(r.items())
    rng.shuffle(items)
    return dict(items)


def dumps(rng, pack):
    """Canonical or not: shortest floats or long ones, and maps and arrays of indefinite length."""
    if rng.random() < 0.5:
        return cbor2.dumps(pack, canonical=False)
    out = b"\x9f"
    for record in pack:
        out += b"\xbf" + b"".join(cbor2.dumps(k) + cbor2.dumps(v, canonical=True) for k, v in record.items()) + b"\xff"
    return out + b"\xff"


def test_senml_cbor_against_cbor2():
    rng = random.Random(112)
    packs = [[any_record(rng, i == 0) for i in range(rng.randrange(1, 12))] for _ in range(600)]
    octets = [dumps(rng, p) for p in packs]
    for data, got in zip(octets, decode([(SENML_CBOR, None, o) for o in octets])):
        read = cbor2.loads(data)
        try:
            want = expected(read)
        except Refused:
            want = "!type"
        assert got == want, data.hex()


def loads_whole(data):
    """What cbor2 reads; None where it only dislikes what stands behind a tag, which in a label that means nothing we pass over."""
    stream = io.BytesIO(data)
    try:
        value = cbor2.CBORDecoder(stream).decode()
    except cbor2.CBORDecodeValueError as fault:
        assert "unicode" not in str(fault), data.hex()
        return None
    assert not stream.read(1), data.hex()
    return value


def test_what_is_taken_of_damaged_senml_cbor_is_what_cbor2_reads():
    """A changed, lost or added octet: what our decoder still takes is CBOR to cbor2 too, with as many records."""
    rng = random.Random(8949)
    octets = []
    for _ in range(3000):
        data = bytearray(dumps(rng, [any_record(rng, i == 0) for i in range(3)]))
        at = rng.randrange(len(data))
        data[at:at + rng.randrange(2)] = rng.randbytes(rng.randrange(3))
        octets.append(bytes(data))
    taken = 0
    for data, got in zip(octets, decode([(SENML_CBOR, None, o) for o in octets])):
        if isinstance(got, str):
            continue
        read = loads_whole(data)
        taken += read is not None
        assert read is None or len(read) == len(got), data.hex()
    assert 100 < taken < len(octets) - 100
