# SPDX-License-Identifier: Apache-2.0
"""Commands of a plug-in to the gateway and to devices: answers, error words, what is allowed, what comes twice. Answers are held against their schema."""
import json

import pytest

from coapmsg import CON, RST, TEXT, TLV, Msg
from pair import pair
from tap import Tap

pytest.importorskip("jsonschema")
ALL = ["reload", "log-level", "alarm-ack", "drain", "plugin-restart", "wake", "queue-drop", "resync", "read", "write", "execute", "discover",
       "observe", "observe-cancel"]


@pytest.fixture
def tap(tmp_path, monkeypatch):
    return Tap(tmp_path, monkeypatch)


def start(gateway, udp_peer, tap, commands=ALL, **kw):
    def change(tree):
        tree["plugins"] = [tap.conf(commands=commands) if commands else tap.conf()]
    p = pair(gateway, udp_peer, tree_change=change, **kw)
    tap.next("phase")
    return p


@pytest.fixture
def p(gateway, udp_peer, tap):
    return start(gateway, udp_peer, tap)


def error(answer):
    assert answer["status"] == "error" and answer["final"] is True
    return answer["error"]["code"]


def test_what_only_reads_may_always_be_asked(gateway, udp_peer, tap):
    start(gateway, udp_peer, tap, commands=None)
    answer = tap.ask("ping")
    assert (answer["v"], answer["id"], answer["command"], answer["status"], answer["final"]) == (1, "c-1", "ping", "ok", True)
    assert answer["data"]["gateway"] == "test" and "took_ms" in answer
    assert tap.ask("info")["data"]["transports"] == ["udp"]
    assert tap.ask("health")["data"]["status"] == "ok"
    assert tap.ask("stats")["data"]["gauges"]["devices"] == 1
    assert tap.ask("alarms")["data"]["items"] == []
    assert [i["name"] for i in tap.ask("plugins")["data"]["items"]] == ["tap"]
    page = tap.ask("devices", limit=1)["data"]
    assert [i["device"] for i in page["items"]] == ["meter-17"] and page["next"] is None
    assert tap.ask("devices", filter={"state": "registered"})["data"]["items"] == []
    assert tap.ask("show", "meter-17")["data"]["device"] == "meter-17"
    assert tap.ask("queue", "meter-17")["data"]["items"] == []
    for name, device in [("reload", None), ("log-level", None), ("alarm-ack", None), ("drain", None), ("plugin-restart", None), ("read", "meter-17"),
                         ("write", "meter-17"), ("execute", "meter-17"), ("wake", "meter-17"), ("queue-drop", "meter-17"), ("resync", "meter-17"),
                         ("discover", "meter-17"), ("observe", "meter-17"), ("observe-cancel", "meter-17")]:
        assert error(tap.ask(name, device)) == "forbidden", name


def test_error_words_of_what_is_asked_wrongly(p, tap):
    assert error(tap.ask("dance")) == "unsupported"
    assert error(tap.ask("ping", "nobody")) == "not_found"
    assert error(tap.ask("read", "meter-17", path="/3/0")) == "not_found"  # never heard
    assert error(tap.ask("ping", id="")) == "bad_request"
    assert error(tap.ask("ping", raw_args="[1]")) == "bad_request"
    assert error(tap.ask("devices", limit=0)) == "bad_request"
    assert error(tap.ask("devices", cursor="x")) == "bad_request"
    assert error(tap.ask("log-level", level="loud")) == "bad_request"
    assert error(tap.ask("alarm-ack", raw_args='{"id":"x.y:z"}')) == "not_found"
    assert error(tap.ask("plugin-restart", name="x")) == "not_found"
    assert error(tap.ask("drain")) == "unsupported"
    p.register()
    for name, args in [("read", {}), ("read", {"path": "3/x"}), ("read", {"path": "/"}), ("write", {"path": "/3/0", "value": 1}),
                       ("write", {"path": "/1/0/1"}), ("write", {"path": "/1/0/1", "value": "soon"}), ("write", {"path": "/1/0/1", "value": 1, "type": "x"}),
                       ("execute", {"path": "/3/0"}), ("execute", {"path": "/3/0/4", "args": 5}), ("discover", {"path": "/3", "depth": 9})]:
        assert error(tap.ask(name, "meter-17", **args)) == "bad_request", (name, args)
    assert error(tap.ask("read", "meter-17", path="/0/0/5")) == "forbidden"  # never leaves
    assert error(tap.ask("wake", "meter-17")) == "unsupported"
    p.ping()  # nothing of all this went to the device


def test_gateway_commands_that_change_something(p, tap):
    assert tap.ask("reload")["data"]["result"] == "ok"
    assert tap.ask("log-level", level="warning", for_s=60)["data"] == {"level": "warning"}
    p.register()
    assert tap.ask("log-level", level="debug")["status"] == "ok"
    p.gw.file.write_text(p.gw.file.read_text().replace("servers", "serverz"))
    assert error(tap.ask("reload")) == "bad_request"
    alarm = tap.next("alarm", action="raise")
    assert alarm["id"] == "config.reload_failed:config" and alarm["state"]["acked"] is None
    assert tap.ask("alarm-ack", raw_args=json.dumps({"id": alarm["id"]}))["status"] == "ok"
    while tap.next("alarm", action="change")["state"]["acked"] is None:
        pass  # its text has changed before
    assert tap.ask("plugin-restart", name="tap")["status"] == "ok"  # of itself: the answer comes first
    tap.next("close")
    tap.next("phase")


def test_read_write_execute_discover(p, tap):
    p.register()
    cookie = tap.command("read", "meter-17", path="/3/0")
    got = p.dev.recv()
    assert (got.code, got.path()) == ("0.01", "/3/0") and got.type == CON
    p.dev.send(got.reply("2.05", b"\xc1\x09\x5f", content_format=TLV))
    answer = tap.answer(cookie)
    assert answer["status"] == "ok" and answer["code"] == "2.05" and answer["device"] == "meter-17"
    assert [(v["path"], v["value"], v["resource"]) for v in answer["data"]["values"]] == [("/3/0/9", 95, "Battery Level")]
    record = tap.next("data", where={"op": "read"})["json"]
    assert record["server"] == "gateway" and record["values"] == answer["data"]["values"]
    for value, want in [(300, b"300"), ("9007199254740993", b"9007199254740993")]:
        tap.command("write", "meter-17", path="/1/0/1", value=value)
        got = p.dev.recv()
        assert (got.code, got.path(), got.payload) == ("0.03", "/1/0/1", want)
        p.dev.send(got.reply("2.04"))
        assert tap.answer()["code"] == "2.04"
    tap.command("write", "meter-17", path="/19/0/0/0", value="AAH/", type="opaque")
    got = p.dev.recv()
    assert got.payload == b"\x00\x01\xff" and got.uint(12) == 42
    p.dev.send(got.reply("4.04"))
    answer = tap.answer()
    assert error(answer) == "upstream" and answer["code"] == "4.04"
    tap.command("execute", "meter-17", path="/3/0/4", args="0='x'")
    got = p.dev.recv()
    assert (got.code, got.path(), got.payload) == ("0.02", "/3/0/4", b"0='x'")
    p.dev.send(got.reply("2.04"))
    assert tap.answer()["status"] == "ok"
    tap.command("discover", "meter-17", path="/3", depth=1)
    got = p.dev.recv()
    assert got.uint(17) == 40 and got.values(15) == [b"depth=1"]
    p.dev.send(got.reply("2.05", b'</3>;ver=1.1,</3/0>;pmin=10', content_format=40))
    assert tap.answer()["data"]["links"] == [{"path": "/3", "attributes": {"ver": "1.1"}}, {"path": "/3/0", "attributes": {"pmin": "10"}}]
    assert p.srv.silent(0.2) is None  # the server saw nothing of it


def test_observe_and_cancel(p, tap):
    p.register()
    assert error(tap.ask("observe-cancel", "meter-17", path="/3303/0/5700")) == "not_found"
    tap.command("observe", "meter-17", path="/3303/0/5700")
    got = p.dev.recv()
    p.dev.send(got.reply("2.05", b"21.5", observe=1, content_format=TEXT))
    assert tap.answer()["data"]["values"][0]["value"] == 21.5
    note = got.reply("2.05", b"22.5", observe=2, type=CON, mid=p.dev.next_mid(), content_format=TEXT)
    p.dev.send(note)
    assert p.dev.recv() == note.empty_ack()
    record = tap.next("data", where={"op": "notify"})["json"]
    assert record["server"] == "gateway" and record["values"][0]["value"] == 22.5
    tap.command("observe-cancel", "meter-17", path="/3303/0/5700")
    cancel = p.dev.recv()
    assert cancel.token == got.token and cancel.values(6) == [b"\x01"]
    p.dev.send(cancel.reply("2.05", b"23", content_format=TEXT))
    assert tap.answer()["status"] == "ok"


def test_ping_and_silence(p, tap):
    p.register()
    tap.command("ping", "meter-17")
    got = p.dev.recv()
    assert (got.type, got.code) == (CON, "0.00")
    p.dev.send(Msg(type=RST, mid=got.mid))
    assert tap.answer()["status"] == "ok"
    cookie = tap.command("read", "meter-17", path="/3/0/9", timeout_ms=1500)
    got = p.dev.recv()
    assert error(tap.answer(cookie)) == "timeout"
    p.dev.send(got.reply("2.05", b"95", content_format=TEXT))  # too late: for nobody
    p.ping()


def test_sleeper_is_accepted_at_once_and_answered_once(gateway, udp_peer, tap):
    p = start(gateway, udp_peer, tap, profile={"awake_window_s": 1, "ack_timeout_s": 1, "empty_ack_at": 0.05})
    p.register()
    state = tap.next("session", event="registered")["state"]
    assert state["reach"] == "awake" and state["link"]["awake_until"]
    assert tap.next("session", device="meter-17", event=None)["state"]["reach"] == "sleeping"  # by itself
    cookie = tap.command("read", "meter-17", path="/3/0/9", timeout_ms=60000)
    assert tap.answer(cookie, final=False)["status"] == "accepted"
    tap.next("down", state="queued")
    assert tap.ask("queue", "meter-17")["data"]["items"][0]["server"] == "gateway"
    p.gw.kill9()
    p.gw.start()
    p.gw.ready()
    p.dev.send(Msg.request("POST", "/rd/5a3f", mid=700, token=b"w"))
    p.srv.reply(p.srv.recv(), "2.04")
    assert p.dev.recv().code == "2.04"
    got = p.dev.recv()
    assert got.path() == "/3/0/9"
    p.dev.send(got.reply("2.05", b"95", content_format=TEXT))
    answer = tap.answer(0)  # of the life before: by its id
    assert answer["id"] == "c-%d" % cookie and answer["status"] == "ok" and answer["data"]["values"][0]["value"] == 95
    # asked and dropped: the queue is empty then
    tap.next("phase")
    p.gw.wait_metric("niddgw_devices", 1)
    finals = [one for one in tap.all("answer") if one["json"]["id"] == "c-%d" % cookie and one["final"]]
    assert len(finals) == 1


def test_the_same_command_again_is_not_carried_out_again(p, tap):
    p.register()
    first = tap.command("read", "meter-17", id="same", path="/3/0/9")
    again = tap.command("read", "meter-17", id="same", path="/3/0/9")
    got = p.dev.recv()
    p.dev.send(got.reply("2.05", b"95", content_format=TEXT))
    answer = tap.answer(first)
    assert tap.answer(again) == answer
    assert tap.answer(tap.command("read", "meter-17", id="same", path="/3/0/9")) == answer
    p.ping()  # nothing more came
    # another command with that id is another one
    tap.command("write", "meter-17", id="same", path="/1/0/1", value=5)
    p.dev.send(p.dev.recv().reply("2.04"))
    assert tap.answer()["command"] == "write"


def test_a_device_is_not_asked_too_often(p, tap):
    p.register()
    for _ in range(10):
        tap.command("read", "meter-17", path="/3/0/9")
    for _ in range(10):
        p.dev.send(p.dev.recv().reply("2.05", b"95", content_format=TEXT))
    assert error(tap.ask("read", "meter-17", path="/3/0/9")) == "rate_limited"
    assert tap.ask("show", "meter-17")["status"] == "ok"


def test_s40_opaque_devices_are_not_asked(gateway, udp_peer, tap):
    key = tap.dir / "key"
    key.write_text("c0ffee00c0ffee00c0ffee00c0ffee00\n")
    key.chmod(0o600)
    p = start(gateway, udp_peer, tap, uri="coaps://127.0.0.1:5684", device_keys={"psk_key": "file:%s" % key})
    p.dev.send(bytes.fromhex("16fefd0000000000000000000401020304"))
    tap.next("raw", where={"kind": "dtls"})
    for name in ("read", "write", "execute", "observe", "discover", "ping"):
        assert error(tap.ask(name, "meter-17", path="/3/0/9", value=1)) in ("opaque", "bad_request"), name
    assert error(tap.ask("read", "meter-17", path="/3/0/9")) == "opaque"


def test_the_control_tool_sends_them_too(gateway, udp_peer, tap):
    p = start(gateway, udp_peer, tap, commands=None)
    p.register()
    assert p.gw.ctl("command", "ping")["data"]["gateway"] == "test"
    asking = p.gw.start_ctl("device", "ask", "meter-17", "read", "path=/3/0/9")
    got = p.dev.recv()
    p.dev.send(got.reply("2.05", b"95", content_format=TEXT))
    out, _ = asking.communicate(timeout=20)
    answer = json.loads(out)
    assert asking.returncode == 0 and answer["status"] == "ok" and answer["data"]["values"][0]["value"] == 95
    done = p.gw.run_ctl("device", "ask", "meter-17", "read", "path=x")
    assert done.returncode == 1 and "bad_request" in done.stderr
    assert p.gw.run_ctl("device", "ask", "meter-17").returncode == 1
    assert p.gw.ctl("command", "log-level", "level=info")["status"] == "ok"
