# SPDX-License-Identifier: Apache-2.0
"""mirrored.py - what a Leshan client reports, as a plug-in of the gateway sees it: the same in every format it can be asked for."""
import base64
import json
from pathlib import Path

from cases import (BODY, BODY_PATH, CBOR, COMPOSITE, JSON, OPAQUE, READ, SENML_CBOR, SENML_JSON, SENSOR, TEXT, TLV, VALUES, blockwise, counters,
                   deregister, register)
from peers import Tunnel, wait_until


class Lines:
    """An instance of the jsonl plug-in that writes to a file, and what it has written."""

    def __init__(self, path, name="lines"):
        self.path, self.name = path, name
        self.block = {"name": name, "plugin": "jsonl", "file": str(path)}

    def wait_up(self, gateway):
        gateway.wait_metric('niddgw_plugin_up{plugin="%s"}' % self.name, 1)

    def all(self, since=0):
        """A line that is still being written has no end."""
        text = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()[since:]]

    def mark(self):
        return len(self.all())

    def wait(self, test, n=1, since=0):
        """The first n records that test() likes."""
        def found():
            some = [r for r in self.all(since) if test(r)]
            return some[:n] if len(some) >= n else None
        return wait_until(found, what=lambda: "%d records; there are %s" % (n, self.all(since)))


SAMPLER = """<LWM2M><Object ObjectType="MODefinition"><Name>Sampler</Name><ObjectID>32770</ObjectID>
<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>%s</Resources></Object></LWM2M>"""
ITEM = """<Item ID="%d"><Name>%s</Name><Operations>%s</Operations><MultipleInstances>%s</MultipleInstances><Mandatory>Optional</Mandatory>
<Type>%s</Type><RangeEnumeration></RangeEnumeration><Units>%s</Units><Description></Description></Item>"""
ITEMS = [(0, "Opaque", "RW", "Single", "Opaque", ""), (1, "Integer", "RW", "Single", "Integer", "s"), (2, "String", "RW", "Single", "String", ""),
         (3, "Boolean", "RW", "Single", "Boolean", ""), (4, "Float", "RW", "Single", "Float", "m"), (5, "Time", "RW", "Single", "Time", ""),
         (6, "Link", "RW", "Single", "Objlnk", ""), (7, "Many", "RW", "Multiple", "Integer", ""), (8, "Run", "E", "Single", "", ""),
         (9, "Unsigned", "RW", "Single", "Unsigned Integer", "")]


class Mirrored(Tunnel):
    """link udp, the plug-in jsonl, and a site file for the object that has a resource of each type."""
    name = "mirror"
    size = 0

    def start_gateway(self, tree):
        self.lines = Lines(Path(self.bed.directory) / "lines.jsonl")
        tree["plugins"] = [self.lines.block]
        super().start_gateway(tree)
        self.lines.wait_up(self.gateway)

    def before_start(self):
        objects = self.gateway.dir / "objects.d"
        objects.mkdir()
        (objects / "32770.xml").write_text(SAMPLER % "".join(ITEM % item for item in ITEMS))


def record(run, since, **want):
    return run.way.lines.wait(lambda r: all(r.get(k) == v for k, v in want.items()), since=since)[0]


def values(rec):
    """What a record tells, by path: without it two records are of the same report."""
    return {v.pop("path"): v for v in (dict(v) for v in rec["values"])}


# Above what is signed. Leshan leaves out leading octets of TLV by the sign, so that its 2^64-1 cannot be told from 255: not this.
BIG = 2**63 + 1

# What the client has, as the monitoring reference wants it to be shown.
OWN = {
    "/32770/0/0": {"type": "opaque", "value": "AAH/bgo="},
    "/32770/0/1": {"type": "integer", "value": -123456789012345, "unit": "s"},
    "/32770/0/2": {"type": "string", "value": "gr\u00fc\u00df dich \"\\ \u20ac"},
    "/32770/0/3": {"type": "boolean", "value": True},
    "/32770/0/4": {"type": "float", "value": 3.25, "unit": "m"},
    "/32770/0/5": {"type": "time", "value": "2013-05-01T00:00:15Z", "epoch": 1367366415},
    "/32770/0/6": {"type": "objlnk", "value": "3303:0"},
    "/32770/0/7/0": {"type": "integer", "value": 1}, "/32770/0/7/1": {"type": "integer", "value": 300},
    "/32770/0/7/7": {"type": "integer", "value": -70000},
    "/32770/0/9": {"type": "uint64", "value": str(BIG)},
}


def expected():
    names = {item[0]: item[1] for item in ITEMS}
    return {p: dict(v, object="Sampler", resource=names[int(p.split("/")[3])]) for p, v in OWN.items()}


def mirrored_formats(run):
    """lwm2m_22: what is read is the same in the mirror, in whatever format it was read"""
    run.set(str(BIG), path="/32770/0/9")
    seen = {}
    for path in READ:
        for fmt in run.server.info["formats"]:
            since = run.way.lines.mark()
            answer = run.ask("read", path=path, format=fmt)
            if answer.get("code") != "2.05":
                continue
            got = values(record(run, since, op="read", path=path))
            want = seen.setdefault(path, (fmt, got))
            assert got == want[1], "%s in %d: %s; in %d: %s" % (path, fmt, got, *want)
    assert seen["/32770/0"][1] == expected(), seen["/32770/0"][1]
    for path, (_, got) in seen.items():
        assert all((p + "/").startswith(path + "/") for p in got), (path, got)


def mirrored_notifications(run):
    """what is observed is the same in the mirror, the first answer and each notification, in whatever format"""
    for fmt in (TEXT, CBOR, SENML_JSON, SENML_CBOR, TLV, JSON):
        since = run.way.lines.mark()
        run.good("observe", "2.05", path=SENSOR, format=fmt)
        record(run, since, op="observe", path=SENSOR)
        for value in (20.5, -0.125, 1e9):
            since, mark = run.way.lines.mark(), run.server.mark()
            run.set(value)
            run.notified(mark, value)
            got = values(record(run, since, op="notify", path=SENSOR))
            assert got == {SENSOR: {"object": "Temperature", "resource": "Sensor Value", "type": "float", "value": value, "unit": "Cel"}}, (fmt, got)
        run.ask("cancel", path=SENSOR, active=True)


PATHS = [SENSOR, "/32770/0/1", "/32770/0/2", "/32770/0/7/1"]


def mirrored_composite(run):
    """Send, Read-Composite and Observe-Composite tell the same in both of their formats"""
    run.set(7.5)
    seen = []
    for fmt in COMPOSITE:
        for op, ask in (("send", lambda: run.client_answer("send", paths=PATHS, format=fmt)),
                        ("read-composite", lambda: run.ask("read-composite", paths=PATHS, format=fmt)),
                        ("observe", lambda: run.ask("observe-composite", paths=PATHS, format=fmt))):
            since = run.way.lines.mark()
            answer = ask()
            assert answer.get("code") in ("2.04", "2.05"), (op, fmt, answer)
            rec = record(run, since, op=op)
            assert rec["path"] == "/", rec
            seen.append(values(rec))
        since, mark = run.way.lines.mark(), run.server.mark()
        run.set(8.5)
        run.notified(mark, 8.5)
        got = values(record(run, since, op="notify"))
        assert got.pop(SENSOR)["value"] == 8.5 and got.items() <= seen[-1].items(), got
        run.ask("cancel", active=True)
        run.set(7.5)
    assert all(one == seen[0] for one in seen), seen
    assert sorted(seen[0]) == sorted(PATHS), seen[0]


def mirrored_writes(run):
    """what is written is in the mirror when it was confirmed, the same in whatever format"""
    for number, value in VALUES.items():
        path, seen = "/32770/0/%d" % number, []
        for fmt in (TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, JSON):
            since = run.way.lines.mark()
            if (fmt == OPAQUE) <= (number == 0) and run.ask("write", path=path, values={path: value}, format=fmt).get("code") == "2.04":
                seen.append(values(record(run, since, op="write", path=path)))
        assert len(seen) >= 4 and all(one == seen[0] for one in seen), (path, seen)


def mirrored_body(run):
    """20 kB that were written and read in blocks are one value"""
    since = run.way.lines.mark()
    blockwise(run)
    for op in ("write", "read"):
        got = values(record(run, since, op=op, path=BODY_PATH))[BODY_PATH]
        assert base64.b64decode(got["value"]) == BODY, got


def nothing_failed(run):
    """no report was left out"""
    way = run.way
    assert way.gateway.metric("niddgw_mirror_decode_failed_total") == 0
    plugin = way.gateway.ctl("plugins")["items"][0]
    assert (plugin["dropped"], plugin["restarts"]) == (0, 0), plugin
    ids = [r["id"] for r in way.lines.all()]
    assert ids == sorted(set(ids))


CASES = [register, mirrored_formats, mirrored_notifications, mirrored_composite, mirrored_writes, mirrored_body, deregister, nothing_failed,
         counters]
