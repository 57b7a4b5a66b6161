# SPDX-License-Identifier: Apache-2.0
"""test_sim_ends.py - the simulated server and devices do what tests of the gateway rely on.

First each against a script, then both against each other without a gateway between them.
"""
import json

import pytest

from bed import DEADLINE, Program, build_dir, wait_until
from coapmsg import (BLOCK1, BLOCK2, CON, LOCATION_PATH, NON, OBSERVE, RST, SIZE1, Msg, block, uint)

LINKS = b"</1/0>,</3/0>"


def register(peer, ep="m1", mid=7, token=b"\x01\x02", query=("lt=300", "lwm2m=1.1", "b=N"), type=CON):
    return Msg.request("POST", "/rd", ["ep=" + ep, *query], type=type, token=token, mid=mid, content_format=40, payload=LINKS)


@pytest.fixture
def server(start_server):
    return start_server()


@pytest.fixture
def device(server, udp_peer):
    """A script that is registered at the server as m1."""
    peer = udp_peer(to=server.addr)
    peer.send(register(peer))
    peer.location = peer.recv().location()
    return peer


# -- the server ----------------------------------------------------------------------------------------------------------


def test_register_is_told_with_its_parameters(server, device):
    event = server.wait("registered", ep="m1")
    assert event["location"] == "/" + device.location and event["from"] == "%s:%d" % device.addr
    assert event["query"] == ["ep=m1", "lt=300", "lwm2m=1.1", "b=N"] and event["text"] == LINKS.decode()


def test_duplicate_register_gets_the_same_answer_and_no_second_registration(server, device):
    device.send(register(device))
    assert device.recv().location() == device.location
    server.wait("duplicate")
    assert len(server.events("registered")) == 1


def test_registering_again_gives_a_new_location_and_the_old_one_is_gone(server, device):
    device.send(register(device, mid=8))
    assert device.recv().location() != device.location
    device.send(Msg.request("POST", device.location, token=b"u", mid=9))
    assert device.recv().code == "4.04"


def test_update_from_another_port_moves_the_registration(server, device, udp_peer):
    other = udp_peer(to=server.addr)
    other.send(Msg.request("POST", device.location, ["lt=60"], token=b"u", mid=1))
    assert other.recv().code == "2.04"
    assert server.wait("updated")["moved"] is True
    ident = server.post("read", ep="m1", path="/3/0/0")
    other.reply(other.recv(), "2.05", b"here")
    assert server.answer(ident)["text"] == "here"


def test_deregister_and_lifetime_end_a_registration(server, device):
    device.send(Msg.request("DELETE", device.location, token=b"d", mid=9))
    assert device.recv().code == "2.02"
    device.send(register(device, mid=10, query=("lt=1", "lwm2m=1.1")))
    device.recv()
    server.wait("expired", ep="m1")
    assert server.do("count")["registrations"] == 0


def test_answers_by_command_apply_as_often_as_told(server, device):
    server.do("answer", on="update", code="4.04", times=1)
    for mid, code in ((20, "4.04"), (21, "2.04")):
        device.send(Msg.request("POST", device.location, token=b"u", mid=mid))
        assert device.recv().code == code


def test_delayed_answer_is_an_empty_ack_and_a_separate_response(server, device):
    server.do("set", **{"delay-ms": 50})
    device.send(Msg.request("POST", device.location, token=b"u", mid=30))
    assert device.recv().is_empty
    late = device.recv()
    assert (late.type, late.code, late.token) == (CON, "2.04", b"u")
    device.send(late.empty_ack())


def test_deaf_server_hears_nothing(server, device):
    server.do("deaf", on=True)
    device.send(Msg.request("POST", device.location, token=b"1", mid=40))
    server.do("deaf", on=False)
    device.send(Msg.request("POST", device.location, token=b"2", mid=41))
    assert device.recv().token == b"2"
    wait_until(lambda: server.events("updated"), what=lambda: "an update")  # told after the answer has left
    assert len(server.events("updated")) == 1


def test_strict_server_refuses_what_leshan_refuses(start_server, udp_peer):
    server = start_server("--strict")
    peer = udp_peer(to=server.addr)
    for mid, query, type, code in ((1, ("lt=1", "lwm2m=1.2"), CON, "4.12"), (2, ("lt=1", "lwm2m=1.0", "b=N"), CON, "4.00"),
                                   (3, ("lt=1", "lwm2m=1.1", "b=UQ"), CON, "4.00"), (4, ("lt=1",), CON, "4.00"),
                                   (5, ("lt=1", "lwm2m=1.1", "b=N"), NON, "4.00"), (6, ("lt=1", "lwm2m=1.1", "b=N", "Q"), CON, "2.01")):
        peer.send(register(peer, mid=mid, token=bytes([mid]), query=query, type=type))
        assert peer.recv(where=lambda m, t=bytes([mid]): m.token == t).code == code


def test_reset_and_silence_fail_a_request(start_server, udp_peer):
    server = start_server("--timeout-ms", "300")
    peer = udp_peer(to=server.addr)
    peer.send(register(peer))
    peer.recv()
    ident = server.post("read", ep="m1", path="/3")
    peer.send(peer.recv().rst())
    assert server.answer(ident)["why"] == "rst"
    assert server.cmd("read", ep="m1", path="/3")["why"] == "timeout"
    assert server.cmd("read", ep="nobody", path="/3")["ev"] == "error"


def observe(server, device, path="/3303/0/5700"):
    ident = server.post("observe", ep="m1", path=path)
    request = device.recv()
    device.reply(request, "2.05", b"20", observe=1)
    assert server.answer(ident)["code"] == "2.05"
    return request


def test_observation_and_both_ways_to_cancel_it(server, device):
    request = observe(server, device)
    device.send(Msg(NON, "2.05", 100, request.token, [(OBSERVE, uint(2))], b"21"))
    assert server.wait("notify")["text"] == "21"
    server.do("cancel", ep="m1", path="/3303/0/5700", mode="passive")
    device.send(Msg(NON, "2.05", 101, request.token, [(OBSERVE, uint(3))], b"22"))
    reset = device.recv()
    assert (reset.type, reset.mid) == (RST, 101)
    request = observe(server, device)
    ident = server.post("cancel", ep="m1", path="/3303/0/5700")
    cancel = device.recv()
    assert cancel.token == request.token and cancel.uint(OBSERVE) == 1
    device.reply(cancel, "2.05", b"23")
    assert server.answer(ident)["cmd"] == "cancel"


def test_notification_from_another_address_is_refused(server, device, udp_peer):
    request = observe(server, device)
    other = udp_peer(to=server.addr)
    other.send(Msg(CON, "2.05", 5, request.token, [(OBSERVE, uint(9))], b"forged"))
    assert other.recv().type == RST
    assert server.wait("refused")["why"] == "address"


def test_write_in_blocks_and_answer_in_blocks(server, device):
    ident = server.post("write", ep="m1", path="/3/0/15", payload=(b"y" * 2500).hex(), block=1024)
    body = b""
    for last in (False, False, True):
        part = device.recv()
        number, more, size = part.block(BLOCK1)
        assert more is not last and number * size == len(body)
        assert (part.uint(SIZE1) == 2500) is (number == 0)
        body += part.payload
        device.reply(part, "2.04" if last else "2.31", options=[(BLOCK1, part.values(BLOCK1)[0])])
    assert server.answer(ident)["code"] == "2.04" and body == b"y" * 2500
    ident = server.post("read", ep="m1", path="/3")
    device.reply(device.recv(), "2.05", b"a" * 64, options=[(BLOCK2, block(0, True, 64))])
    second = device.recv()
    assert second.block(BLOCK2) == (1, False, 64)
    device.reply(second, "2.05", b"b", options=[(BLOCK2, block(1, False, 64))])
    assert server.answer(ident)["text"] == "a" * 64 + "b"


def test_body_of_4_kib_can_be_sent_in_one_piece(server, device):
    ident = server.post("write", ep="m1", path="/3/0/15", payload=bytes(4096).hex(), format="opaque")
    request = device.recv()
    assert len(request.payload) == 4096
    device.reply(request, "4.13")
    assert server.answer(ident)["code"] == "4.13"


def test_raw_request_is_sent_as_given(server, device):
    ident = server.post("raw", ep="m1", code="GET", type="non", path="/x", token="00ff", mid=77, options=[[258, "1a"]])
    request = device.recv()
    assert (request.type, request.mid, request.token, request.path()) == (NON, 77, b"\x00\xff", "/x")
    assert request.values(258) == [b"\x1a"]
    device.reply(request, "2.05")
    assert server.answer(ident)["code"] == "2.05"


def test_commands_as_words_and_bad_commands(server, device):
    server.process.stdin.write(b"count\nnonsense\n{broken\nanswer register 9.99\n")
    server.process.stdin.flush()
    assert server.wait("ok", cmd="count")["registrations"] == 1
    assert len(server.wait("error", n=3)) == 3


# -- devices -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fleet(server, start_devices):
    devices = start_devices(server.addr, "--count", 3, "--seed", 7)
    server.wait("registered", n=3)
    return devices


def ask(server, cmd, ep="dev-1", **fields):
    return server.cmd(cmd, ep=ep, **fields)


def test_each_device_has_a_source_of_its_own(server, fleet):
    events = server.events("registered")
    assert sorted(e["ep"] for e in events) == ["dev-1", "dev-2", "dev-3"]
    assert len({e["from"] for e in events}) == 3 and all("b=N" in e["query"] for e in events)


def test_values_are_the_same_in_every_format(server, fleet):
    assert ask(server, "read", path="/3/0/0", accept="text")["text"] == "niddgw"
    records = json.loads(ask(server, "read", path="/3/0", accept="senml-json")["text"])
    assert {"n": "3/0/6/1", "v": 5} in records and records[0] == {"bn": "/", "n": "3/0/0", "vs": "niddgw"}
    assert ask(server, "read", path="/3/0/6", accept="tlv")["payload"] == "8606410001410105"
    assert ask(server, "read", path="/3/0/0", accept="senml-cbor")["payload"] == "81a321612f0065332f302f3003666e6964646777"
    assert ask(server, "read", path="/3/0", accept="11544")["code"] == "4.06"
    assert ask(server, "read", path="/5/0")["code"] == "4.04"


def test_writes_in_every_format_are_read_back(server, fleet):
    assert ask(server, "write", path="/3/0/15", value="Europe/Berlin")["code"] == "2.04"
    assert ask(server, "read", path="/3/0/15", accept="text")["text"] == "Europe/Berlin"
    for format, payload, value in (("tlv", "c20203f2", "1010"), ("senml-json", b'[{"bn":"/1/0/","n":"2","v":5}]'.hex(), "5"),
                                   ("senml-cbor", "81a321652f312f302f0061320207", "7")):
        assert ask(server, "write", path="/1/0", method="POST", payload=payload, format=format)["code"] == "2.04"
        assert ask(server, "read", path="/1/0/2", accept="text")["text"] == value
    assert ask(server, "write", path="/3/0/0", value="mine")["code"] == "4.05"


def test_execute_create_delete_discover_and_attributes(server, fleet):
    assert ask(server, "execute", path="/3/0/4", value="0='1'")["code"] == "2.04"
    assert fleet.wait("request", op="execute", ep="dev-1")["arguments"] == "0='1'"
    assert ask(server, "execute", path="/1/0/8")["code"] == "2.04"
    server.wait("updated", ep="dev-1")
    assert ask(server, "create", path="/3303")["code"] == "2.01"
    assert "</3303/1>" in ask(server, "discover", path="/3303")["text"]
    assert ask(server, "delete", path="/3303/1")["code"] == "2.02"
    assert ask(server, "delete", path="/3/0")["code"] == "4.05"
    assert ask(server, "attributes", path="/3303/0/5700", query="pmin=1&pmax=5")["code"] == "2.04"


def test_composite_requests(server, fleet):
    records = json.loads(ask(server, "fetch", paths=["/3/0/0", "/1/0/0"])["text"])
    assert [r["n"] for r in records] == ["3/0/0", "1/0/0"]
    assert ask(server, "ipatch", text='[{"n":"/3/0/14","vs":"+02:00"},{"n":"/1/0/2","v":3}]')["code"] == "2.04"
    assert ask(server, "read", path="/3/0/14", accept="text")["text"] == "+02:00"
    assert ask(server, "fetch", paths=["/3/0/0"], observe=True)["code"] == "2.05"
    fleet.do("notify", ep="dev-1")
    assert server.wait("notify", cmd="observe-composite")["text"]


def test_notifications_rise_and_stop_when_cancelled(server, fleet):
    assert ask(server, "observe", path="/3/0/9", accept="text")["code"] == "2.05"
    for level in (80, 79, 78):
        fleet.do("set", ep="dev-1", path="/3/0/9", value=level)
    events = server.wait("notify", n=3)
    assert [e["text"] for e in events] == ["80", "79", "78"]
    assert [e["observe"] for e in events] == sorted(e["observe"] for e in events)
    assert ask(server, "cancel", path="/3/0/9")["code"] == "2.05"
    assert fleet.do("list")["list"][0]["observations"] == 0
    ask(server, "observe", path="/3/0/9")
    server.do("cancel", ep="dev-1", path="/3/0/9", mode="passive")
    fleet.do("notify", ep="dev-1", type="con")
    assert fleet.wait("cancelled")["why"] == "rst"


def test_long_bodies_go_in_blocks_both_ways(server, fleet):
    assert ask(server, "write", path="/3/0/15", payload=(b"z" * 3000).hex(), block=512)["code"] == "2.04"
    answer = ask(server, "read", path="/3/0/15", accept="text")
    assert answer["text"] == "z" * 3000 and answer["blocks"] == 3


def test_send_update_deregister_and_registering_after_4_04(server, fleet):
    assert fleet.do("send", ep="dev-2", paths="/3/0/9,/3303/0/5700")["ev"] == "sent"
    assert len(json.loads(server.wait("send", ep="dev-2")["text"])) == 2
    fleet.do("update", ep="dev-3", query="lt=100")
    assert server.wait("updated", ep="dev-3")["lt"] == "100"
    assert fleet.do("deregister", ep="dev-3")["code"] == "2.02"
    server.do("forget", ep="dev-2")
    assert fleet.cmd("update", ep="dev-2")["code"] == "4.04"
    assert server.wait("registered", n=2, ep="dev-2")[1]["location"] != "/rd/2"


def test_answers_of_a_device_can_be_turned(server, fleet):
    fleet.do("answer", ep="dev-1", path="/3/0/0", code="5.03", times=1)
    assert ask(server, "read", path="/3/0/0")["code"] == "5.03"
    fleet.do("answer", ep="dev-1", path="/3/0/0", delay_ms=20, times=1)
    late = ask(server, "read", path="/3/0/0")
    assert (late["type"], late["text"]) == ("CON", "niddgw")


def test_duplicate_request_is_answered_again_and_not_executed_again(start_devices, udp_peer):
    server = udp_peer()
    devices = start_devices(server.addr, "--count", 1)
    server.reply(server.recv(), "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"1")])
    devices.wait("registered")
    execute = Msg.request("POST", "/3/0/4", token=b"e", mid=99)
    server.send(execute)
    first = server.recv()
    server.send(execute)
    assert server.recv() == first and first.code == "2.04"
    devices.wait("duplicate")
    assert len(devices.events("request", op="execute")) == 1


# -- the program ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, status", [(["--help"], 0), (["--version"], 0), ([], 2), (["nothing"], 2), (["scef", "--help"], 0),
                                               (["device", "--help"], 0), (["server", "--help"], 0), (["server", "--colour"], 2),
                                               (["device", "--count", "0"], 2), (["scef", "--listen", "nowhere"], 2),
                                               (["server", "--listen", "192.0.2.1:5683"], 1)])
def test_exit_status(arguments, status):
    assert Program([build_dir() / "niddgw-sim", *arguments]).wait_exit(DEADLINE) == status


def test_demo_ends_with_success():
    demo = Program([__file__.replace("system/test_sim_ends.py", "tools/demo.sh")],
                   env={"DEMO_SECONDS": "8", "NIDDGW_BUILD": str(build_dir())})
    assert demo.wait_exit(6 * DEADLINE) == 0, "\n".join(demo.out.lines[-30:])
    assert "20 of 20 meters registered" in "\n".join(demo.out.lines)
