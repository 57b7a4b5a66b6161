# SPDX-License-Identifier: Apache-2.0
"""What devices report, as the jsonl plug-in writes it down: the daemon, its host process and the registry of the build."""
import json
import time

import pytest

from bed import DEADLINE
from coapmsg import NON, SENML_CBOR, TEXT, TLV, Msg
from pair import REGISTER, pair

SEND = bytes.fromhex("82a321682f333330332f302f00643537303002f94d60a2006435373031036343656c")


class Lines:
    """What a jsonl instance has written, line by line."""

    def __init__(self, path):
        self.path, self.seen = path, 0

    def next(self, **want):
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            lines = self.path.read_text().splitlines() if self.path.exists() else []
            for at in range(self.seen, len(lines)):
                record = json.loads(lines[at])
                if all(record.get(k) == v for k, v in want.items()):
                    self.seen = at + 1
                    return record
            time.sleep(0.02)
        raise AssertionError("no record with %s among %s" % (want, lines[self.seen:]))

    def all(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def p(gateway, udp_peer, tmp_path):
    path = tmp_path / "lines"
    path.mkdir(mode=0o755)

    def change(tree):
        tree["plugins"] = [{"name": "lines", "plugin": "jsonl", "file": str(path / "out.jsonl")}]
    p = pair(gateway, udp_peer, tree_change=change)
    p.lines = Lines(path / "out.jsonl")
    p.gw.wait_metric('niddgw_plugin_up{plugin="lines"}', 1)
    return p


def test_lwm2m_8_register_and_read_with_names_and_types(p):
    p.register()
    record = p.lines.next(op="register")
    assert record["v"] == 1 and record["device"] == "meter-17" and record["server"] == "main" and record["path"] == "/rd"
    assert record["unit_bytes"] == len(REGISTER) and record["confirmed"] is True
    assert {"path": "/3303/0", "object": "Temperature"} in [{k: o[k] for k in ("path", "object")} for o in record["links"]]
    got = p.down("GET", "/3/0", token=b"T")
    p.dev.reply(got, "2.05", b"\xc8\x00\x0aNordic Sem" + b"\xc1\x09\x5f", content_format=TLV)
    p.srv.recv()
    record = p.lines.next(op="read")
    assert record["path"] == "/3/0" and record["format"] == "application/vnd.oma.lwm2m+tlv" and record["confirmed"] is None
    values = {v["path"]: v for v in record["values"]}
    assert values["/3/0/0"]["resource"] == "Manufacturer" and values["/3/0/0"]["type"] == "string"
    battery = {k: values["/3/0/9"][k] for k in ("object", "resource", "type", "value", "unit")}
    assert battery == {"object": "Device", "resource": "Battery Level", "type": "integer", "value": 95, "unit": "/100"}


def test_lwm2m_17_twenty_notifications_twenty_records(p):
    p.register()
    got = p.observe()
    for i in range(20):
        p.dev.send(got.reply("2.05", b"%d.5" % (20 + i), observe=3 + i, type=NON, mid=p.dev.next_mid(), content_format=TEXT))
        p.srv.recv()
    for i in range(20):
        record = p.lines.next(op="notify")
        assert [v["value"] for v in record["values"]] == [20.5 + i] and record["confirmed"] is None
    p.ping()
    ids = [r["id"] for r in p.lines.all()]
    assert ids == sorted(ids) and len(set(ids)) == len(ids) and all(len(i) == 26 for i in ids)


def test_lwm2m_20_21_send_confirmed_and_not(p):
    p.register()
    asked = Msg.request("POST", "/dp", token=b"s1", mid=900, content_format=SENML_CBOR, payload=SEND)
    p.dev.send(asked)
    p.dev.send(asked)  # and again: one record
    p.srv.reply(p.srv.recv(), "2.04")
    record = p.lines.next(op="send")
    assert record["confirmed"] is True and record["path"] == "/"
    assert [(v["path"], v["value"], v.get("unit")) for v in record["values"]] == [
        ("/3303/0/5700", 21.5, "Cel"), ("/3303/0/5701", "Cel", None)]
    assert p.dev.recv().code == "2.04"
    # the server does not answer: told all the same, and soon
    p.dev.send(Msg.request("POST", "/dp", token=b"s2", mid=901, content_format=SENML_CBOR, payload=SEND))
    p.srv.recv()
    assert p.lines.next(op="send")["confirmed"] is False
    assert len([r for r in p.lines.all() if r.get("op") == "send"]) == 2


def test_lwm2m_23_unknown_object_and_broken_payloads(p):
    p.register()
    got = p.down("GET", "/33000/0", token=b"U")
    p.dev.reply(got, "2.05", bytes.fromhex("c20102ab"), content_format=TLV)
    p.srv.recv()
    record = p.lines.next(path="/33000/0")
    assert record["values"][0]["type"] == "opaque" and "object" not in record["values"][0]
    p.dev.send(Msg.request("POST", "/dp", token=b"b", mid=910, type=NON, content_format=SENML_CBOR, payload=SEND[:-1]))
    p.srv.recv()
    p.ping()
    assert p.gw.metric('niddgw_mirror_decode_failed_total{format="application/senml+cbor"}') == 1


def test_records_survive_a_reload_of_the_registry(p):
    p.register()
    p.lines.next(op="register")
    (p.gw.dir / "objects.d").mkdir(exist_ok=True)
    (p.gw.dir / "objects.d" / "33001.xml").write_text("""<LWM2M><Object ObjectType="MODefinition"><Name>Pump</Name>
<ObjectID>33001</ObjectID><MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>
<Item ID="1"><Name>Speed</Name><Operations>R</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>
<Type>Integer</Type><RangeEnumeration></RangeEnumeration><Units>1/min</Units><Description></Description></Item>
<Item ID="2" Mirror="never"><Name>Code</Name><Operations>R</Operations><MultipleInstances>Single</MultipleInstances>
<Mandatory>Optional</Mandatory><Type>String</Type><RangeEnumeration></RangeEnumeration><Units></Units><Description></Description></Item>
</Resources></Object></LWM2M>""")
    assert p.gw.ctl("reload")["result"] == "ok"
    got = p.down("GET", "/33001/0", token=b"T")
    p.dev.reply(got, "2.05", bytes.fromhex("c20104b0" "c302333434"), content_format=TLV)
    p.srv.recv()
    record = p.lines.next(path="/33001/0")
    assert [(v["object"], v["resource"], v["value"], v["unit"]) for v in record["values"]] == [("Pump", "Speed", 1200, "1/min")]
