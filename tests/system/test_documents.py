# SPDX-License-Identifier: Apache-2.0
"""What plug-ins are told beside reports: presence, health, sessions, requests on their way, alarms. Every document is held against its schema."""
import json

import pytest

from bed import split_addr, udp_config
from coapmsg import Msg
from pair import REGISTER, pair
from tap import Tap

pytest.importorskip("jsonschema")


@pytest.fixture
def tap(tmp_path, monkeypatch):
    return Tap(tmp_path, monkeypatch)


@pytest.fixture
def p(gateway, udp_peer, tap):
    def change(tree):
        tree["plugins"] = [tap.conf()]
    return pair(gateway, udp_peer, tree_change=change)


def test_presence_information_and_health(p, tap):
    phase = tap.next("phase")
    assert phase["phase"] == "online" and phase["json"]["state"] == "online" and phase["json"]["node"] == "test"
    info = tap.until("info", lambda i: [(one["name"], one["state"]) for one in i["plugins"]] == [("tap", "running")])
    assert info["gateway"] == "test" and info["transports"] == ["udp"] and info["servers"] == ["main"] and info["os"]
    tap.seen = 0
    health = tap.until("health", lambda h: h["status"] == "ok" and len(h["components"]) == 4 and h["components"][3]["status"] == "ok")
    assert {c["name"]: c["status"] for c in health["components"]} == {"udp/sgi": "ok", "server/main": "ok", "store": "ok", "plugin/tap": "ok"}
    assert health["status"] == "ok" and all("since" in c for c in health["components"])
    p.gw.stop()
    phases = [(one["phase"], one["json"]["state"], one["json"].get("reason")) for one in tap.all("phase")]
    assert phases[-2:] == [("stopping", "stopping", None), ("stopped", "offline", "stopped")]
    assert {one["json"]["boot"] for one in tap.all("phase")} == {phase["json"]["boot"]}
    assert tap.lines()[-1]["kind"] == "close"


def test_sessions_from_registration_to_expiry(p, tap):
    state = tap.next("session", device="meter-17")["state"]
    assert state["state"] == "unknown" and state["transport"] == "udp" and state["queue"] == {"depth": 0}
    p.register()
    told = tap.next("session", event="registered")
    assert told["json"]["server"] == "main" and told["json"]["lifetime_s"] == 86400 and told["json"]["ep"] == "meter-17"
    assert told["state"]["state"] == "registered" and told["state"]["servers"][0]["registered"] is True and told["state"]["since"]
    assert told["state"]["servers"][0]["security"] == "none"
    objects = told["objects"]
    assert objects["server"] == "main" and {"path": "/3303/0", "object": "Temperature"} in objects["objects"]
    p.dev.send(Msg.request("POST", "/rd/5a3f", query=["lt=120"], mid=400, token=b"u"))
    p.srv.reply(p.srv.recv(), "2.04")
    told = tap.next("session", event="updated")
    assert told["json"]["lifetime_s"] == 120 and told["objects"] is None
    p.dev.recv()
    # the same objects over /api/v1
    shown = json.loads(p.gw.http("/api/v1/devices/meter-17")[1])
    assert shown.keys() == told["state"].keys()
    for key in ("device", "ep", "transport", "identity", "record", "state", "reach", "queue"):
        assert shown[key] == told["state"][key]
    p.dev.send(Msg.request("DELETE", "/rd/5a3f", mid=401, token=b"d"))
    p.srv.reply(p.srv.recv(), "2.02")
    assert tap.next("session", event="deregistered")["state"]["state"] == "unregistered"
    mark = tap.seen  # alarms are told at once, sessions a moment later
    # another device's name
    p.dev.send(REGISTER.replace(b"meter-17", b"meter-18")[:2] + b"\x01\x91" + REGISTER.replace(b"meter-17", b"meter-18")[4:])
    told = tap.next("session", event="rejected")
    assert told["json"]["reason"] == "identity_mismatch"
    tap.seen = mark
    alarm = tap.next("alarm", action="raise")
    assert alarm["id"] == "device.identity_mismatch:meter-17" and alarm["state"]["severity"] == "major"
    assert alarm["json"]["event"] == "raise" and alarm["state"]["source"] == {"device": "meter-17"}


def test_a_device_that_is_removed_is_told_as_gone(p, tap):
    tap.next("session", device="meter-17")
    p.tree["devices"] = []
    p.gw.write(p.tree)
    p.gw.ctl("reload")
    gone = tap.next("session", device="meter-17", state=None)
    assert gone["event"] is None


def test_states_of_a_downlink(p, tap):
    p.register()
    got = p.down("GET", "/3/0", token=b"T")
    p.dev.reply(got, "2.05", b"x")
    p.srv.recv()
    first = tap.next("down", state="sent")["json"]
    assert first["device"] == "meter-17" and first["server"] == "main" and first["attempt"] == 1 and first["id"].startswith("q-")
    assert tap.next("down", state="acked")["json"]["id"] == first["id"]
    p.srv.send(Msg.request("GET", "/3/1", token=b"U", mid=77))
    got = p.dev.recv()
    p.dev.send(Msg(type=3, mid=got.mid))  # RST
    failed = tap.next("down", state="failed")["json"]
    assert failed["cause"] == "reset_by_the_device" and failed["id"] != first["id"]


def test_replay_tells_all_states_and_no_events(p, tap):
    p.register()
    tap.next("session", event="registered")
    before = len(tap.lines())
    tap.replay()
    tap.seen = before
    tap.next("phase"), tap.next("info"), tap.next("health")
    told = tap.next("session", device="meter-17")
    assert told["event"] is None and told["json"] is None and told["state"]["state"] == "registered" and told["objects"]
    assert tap.next("replayed")["json"] == {}


def test_health_follows_a_server_that_falls_silent(gateway, udp_peer, tap):
    def change(tree):
        tree["plugins"] = [tap.conf()]
    p = pair(gateway, udp_peer, tree_change=change, profile={"ack_timeout_s": 1, "empty_ack_at": 0.05})
    p.register()
    tap.next("health", where={"status": "ok"})
    p.tree["servers"].append({"name": "other", "uri": "coap://does-not-exist.invalid"})
    p.gw.write(p.tree)
    p.gw.ctl("reload")
    assert tap.next("phase", phase="degraded")
    health = tap.next("health", where={"status": "degraded"})["json"]
    assert {c["name"]: c["status"] for c in health["components"]}["server/other"] == "fail"
    p.tree["servers"].pop()
    p.gw.write(p.tree)
    p.gw.ctl("reload")
    assert tap.next("phase", phase="online")


def test_many_devices_are_told_in_portions(gateway, udp_peer, tap):
    srv, dev = udp_peer(port=5683), udp_peer()
    n = 300
    tree = {"links": [{"name": "sgi", "type": "udp", "listen": "%s:20000" % dev.addr[0]}], "servers": [{"name": "main", "uri": srv.uri}],
            "devices": [{"name": "d%d" % i, "link": "sgi", "external": i} for i in range(0)], "plugins": [tap.conf()]}
    tree["devices"] = [{"name": "d%d" % i, "link": "sgi", "address": "127.250.%d.%d" % (i // 250, 1 + i % 250), "ep": "d%d" % i} for i in range(n)]
    gateway(tree).ready()
    deadline = 0
    while len({one["device"] for one in tap.all("session")}) < n and deadline < 500:
        deadline += 1
        tap.next("session")
    assert len({one["device"] for one in tap.all("session")}) == n


HOSTILE = "x\n\x1b]0;owned\x07\x9b2J\x7f"


def test_s37_hostile_names_are_escaped_in_every_document_and_line(gateway, udp_peer, tap):
    """An endpoint name, object links and values with control characters and octets that are no UTF-8."""
    server, device = udp_peer(port=5683), udp_peer()
    tree = udp_config(server.uri, {"m1": "%s:%d" % device.addr})
    del tree["devices"][0]["ep"]
    tree["plugins"] = [tap.conf()]
    gw = gateway(tree).ready()
    gw.wait_metric('niddgw_plugin_up{plugin="tap"}', 1)
    device.to = split_addr(tree["links"][0]["listen"])
    name = HOSTILE.encode() + b"\xff"
    query = [(15, q) for q in (b"ep=" + name, b"lt=300", b"lwm2m=1.1", b"b=U")]
    links = b'</3/0>,</3303/0>;title="' + name.replace(b"\n", b"\\n") + b'"'
    device.send(Msg(code="0.02", mid=1, token=b"a", options=[(11, b"rd"), (12, b"\x28"), *query], payload=links))
    server.reply(server.recv(), "2.01", options=[(8, b"rd"), (8, b"1")])
    assert device.recv().code == "2.01"
    told = tap.next("session", event="registered")  # each line and document is read and held against its schema
    tap.seen = 0
    assert told["json"]["ep"] == told["state"]["ep"] == tap.next("data")["json"]["ep"]
    assert told["json"]["ep"].startswith("x\\x0a\\x1b]0;owned") and "\\xff" in told["json"]["ep"]
    for mid, value in ((2, name), (3, HOSTILE.encode()), (4, 1000 * b"y")):
        server.send(Msg.request("GET", "/3/0/0", mid=mid, token=b"r%d" % mid))
        device.reply(device.recv(), "2.05", value, content_format=0)
        assert server.recv().payload == value
    assert tap.next("raw")["json"]["reason"] == "bad_utf8"
    values = [one["json"]["values"][0]["value"] for one in tap.all("data") if one["json"]["op"] == "read"]
    assert values == [HOSTILE, 1000 * "y"]
    answer = tap.ask("read", HOSTILE.replace("\n", " "), path="/3/0/0")
    assert answer["error"]["code"] == "forbidden"
    gw.stop()
    assert not [c for line in gw.log.lines for c in line if ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0]
    assert all(len(line) < 4096 for line in gw.log.lines)
