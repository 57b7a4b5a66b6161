# SPDX-License-Identifier: Apache-2.0
"""The plug-in sparkplug against mosquitto, read by Debian's protobuf with a description of its own (tests/tools/spb.py)."""
import os
import signal
import subprocess

import pytest

import broker as mosquitto
from bed import DEADLINE
from coapmsg import CBOR, NON, SENML_JSON, TEXT, Msg
from pair import pair

pytest.importorskip("google.protobuf")
pytestmark = pytest.mark.skipif(bool(mosquitto.missing), reason=str(mosquitto.missing))
from spb import Host, command  # noqa: E402

NODE, DEVICE = "test", "meter-17"
SENML = b'[{"bn":"/3303/0/","n":"5700","v":21.5,"u":"Cel"},{"n":"5601","v":-10},{"n":"5750","vs":"roof"}]'


@pytest.fixture
def broker(testbed):
    return mosquitto.Broker(testbed)


@pytest.fixture
def start(gateway, udp_peer, broker):
    def one(**keys):
        def change(tree):
            tree["plugins"] = [dict({"name": "spb", "plugin": "sparkplug", "broker": broker.uri, "group": "plant"}, **keys)]
        host = Host(broker)  # before the first birth
        p = pair(gateway, udp_peer, tree_change=change, profile={"quota_units_per_min": 100000})
        p.host = host
        p.gw.wait_metric("niddgw_sparkplug_connected", 1)
        return p
    return one


def send_command(broker, kind, octets):
    topic = "spBv1.0/plant/%s/%s%s" % (kind, NODE, "/" + DEVICE if kind == "DCMD" else "")
    subprocess.run([mosquitto.PUB, "-h", broker.host, "-p", str(broker.port), "-t", topic, "-q", "1", "-s"], input=octets, check=True, timeout=DEADLINE)


def read(p, payload=SENML, path="/3303/0", content_format=SENML_JSON):
    """The server reads, and the device answers so."""
    got = p.down("GET", path, token=b"R")
    p.dev.reply(got, "2.05", payload, content_format=content_format)
    p.srv.recv(where=lambda m: m.is_response)


def born(p):
    """Registered, read once, and all births seen."""
    p.register()
    p.host.wait("DBIRTH", device=DEVICE)
    since = p.host.mark()
    read(p)
    return p.host.wait("DBIRTH", since=since, device=DEVICE)


def test_births_data_and_a_death(start):
    p = start()
    birth = born(p)
    assert (birth.group, birth.node) == ("plant", NODE)
    value = birth["3303/0/5700"]
    assert (value.type, value.value, value.properties) == ("Double", 21.5, {"engUnit": "Cel"})
    assert birth["3303/0/5750"].type == "String" and birth["3303/0/5750"].value == "roof"
    got = p.observe()
    for n in range(3):
        p.dev.send(got.reply("2.05", b"%d.25" % n, observe=2 + n, type=NON, mid=p.dev.next_mid(), content_format=TEXT))
        p.srv.recv()
        data = p.host.wait("DDATA", device=DEVICE, where=lambda m: m["3303/0/5700"].value == n + 0.25)
    assert len(data.metrics) == 1
    p.dev.send(Msg.request("DELETE", "/rd/5a3f", token=b"d", mid=900))
    p.srv.reply(p.srv.recv(where=lambda m: m.is_request), "2.02")
    p.host.wait("DDEATH", device=DEVICE)
    p.host.check()


def test_a_new_metric_is_a_new_birth_with_all_of_them(start):
    p = start()
    first = born(p)
    since = p.host.mark()
    read(p, b"95", "/3/0/9", TEXT)
    second = p.host.wait("DBIRTH", since=since, device=DEVICE)
    assert second.names() == ["3/0/9", *first.names()] and (second["3/0/9"].type, second["3/0/9"].value) == ("Int64", 95)
    assert [m.alias for m in second.metrics[1:]] == [m.alias for m in first.metrics]
    since = p.host.mark()
    read(p, b"94", "/3/0/9", TEXT)
    assert p.host.wait("DDATA", since=since)["3/0/9"].value == 94
    p.host.check()


def test_every_type_and_what_has_no_value(start):
    p = start()
    born(p)
    since = p.host.mark()
    read(p, b'[{"bn":"/33000/0/","n":"1","v":-5},{"n":"2","vb":true},{"n":"3","vd":"AAH_"},{"n":"4","v":18446744073709551615},'
            b'{"n":"5","vlo":"65:7"},{"n":"6","vs":""}]', "/33000/0")
    birth = p.host.wait("DBIRTH", since=since)
    seen = {m.name: (m.type, m.value) for m in birth.metrics if m.name.startswith("33000")}
    assert seen == {"33000/0/1": ("Int64", -5), "33000/0/2": ("Boolean", True), "33000/0/3": ("Bytes", b"\0\1\xff"),
                    "33000/0/4": ("UInt64", 2**64 - 1), "33000/0/5": ("String", "65:7"), "33000/0/6": ("String", "")}
    since = p.host.mark()
    read(p, b"\xf9\x7e\x00", "/3303/0/5700", CBOR)  # NaN
    assert p.host.wait("DDATA", since=since)["3303/0/5700"].value is None
    read(p, b"x" * 900, "/3303/0/5750", TEXT)
    assert p.host.wait("DDATA", since=since, where=lambda m: m.names() == ["3303/0/5750"]).metrics[0].value == "x" * 900
    p.host.check()


def test_each_value_of_a_series(start):
    p = start()
    born(p)
    since = p.host.mark()
    p.dev.send(Msg.request("POST", "/dp", token=b"s", mid=901, content_format=SENML_JSON, payload=b'[{"bn":"/3303/0/5700","bt":1700000000,"v":1},'
               b'{"t":10,"v":2},{"n":"","t":20,"v":3}]'))
    p.srv.reply(p.srv.recv(where=lambda m: m.is_request), "2.04")
    data = p.host.wait("DDATA", n=3, since=since)
    assert [(m["3303/0/5700"].value, m["3303/0/5700"].timestamp) for m in data] == [(1.0, 1700000000000), (2.0, 1700000010000), (3.0, 1700000020000)]
    p.host.check()


def test_numbers_go_round_without_a_gap(start):
    p = start()
    born(p)
    got = p.observe()
    since = p.host.mark()
    for n in range(300):
        p.dev.send(got.reply("2.05", b"%d.5" % n, observe=2 + n, type=NON, mid=p.dev.next_mid(), content_format=TEXT))
        p.srv.recv()
    last = p.host.wait("DDATA", since=since, where=lambda m: m["3303/0/5700"].value == 299.5)
    values = [m["3303/0/5700"].value for m in p.host.messages[since:] if m.device == DEVICE]
    assert values == sorted(values) and last.seq is not None
    p.host.check()


def test_rebirth_on_request(start, broker):
    p = start()
    born(p)
    first, since = p.host.wait("NBIRTH"), p.host.mark()
    send_command(broker, "NCMD", command(("Node Control/Rebirth", "Boolean", "boolean_value", True)))
    again = p.host.wait("NBIRTH", since=since)
    assert again.seq == 0 and again["bdSeq"].value == first["bdSeq"].value
    assert p.host.wait("DBIRTH", since=since)["3303/0/5700"].value == 21.5
    p.host.check()
    # what is no request for one: false, another metric, no payload of this kind
    since = p.host.mark()
    for octets in (command(("Node Control/Rebirth", "Boolean", "boolean_value", False)),
                   command(("Node Control/Reboot", "Boolean", "boolean_value", True)), b"\xff\xff\xff", b"\n"):
        send_command(broker, "NCMD", octets)
    p.gw.wait_metric("niddgw_sparkplug_commands_total", 5)
    read(p, b"22.5", "/3303/0/5700", TEXT)
    p.host.wait("DDATA", since=since)
    assert not [m for m in p.host.messages[since:] if "BIRTH" in m.kind]
    p.host.check()


def test_a_command_writes_to_the_device(start, broker):
    p = start(commands=["write"])
    birth = born(p)
    send_command(broker, "DCMD", command((birth["3303/0/5750"].alias, "String", "string_value", "cellar")))
    got = p.dev.recv(where=lambda m: m.is_request)
    assert (got.code, got.path(), got.payload) == ("0.03", "/3303/0/5750", b"cellar")
    p.dev.reply(got, "2.04")
    data = p.host.wait("DDATA", where=lambda m: m.names() == ["3303/0/5750"])
    assert data.metrics[0].value == "cellar"  # written and confirmed: so it has it
    send_command(broker, "DCMD", command(("3303/0/5601", "Double", "double_value", -12.5)))
    got = p.dev.recv(where=lambda m: m.is_request)
    assert (got.path(), got.payload) == ("/3303/0/5601", b"-12.5")
    p.dev.reply(got, "4.05")
    p.gw.wait_log("ev=command.failed")
    # a metric that nobody knows, another type, another device
    send_command(broker, "DCMD", command(("3303/0/1", "Double", "double_value", 1.0)))
    send_command(broker, "DCMD", command(("3303/0/5700", "String", "string_value", "1")))
    p.gw.wait_metric("niddgw_sparkplug_commands_total", 4)
    read(p)
    p.host.check()


def test_a_command_that_is_not_allowed_writes_nothing(start, broker):
    p = start()
    born(p)
    send_command(broker, "DCMD", command(("3303/0/5750", "String", "string_value", "cellar")))
    p.gw.wait_log("ev=command.failed .*forbidden")
    read(p)  # the next thing that the device gets


def test_a_broker_that_comes_back_gets_births_with_what_is_known(start, broker):
    p = start()
    born(p)
    first = p.host.wait("NBIRTH")
    broker.stop()
    p.gw.wait_log("ev=broker.down")
    read(p, b"23.5", "/3303/0/5700", TEXT)
    broker.start()
    p.host = Host(broker)
    again = p.host.wait("NBIRTH")
    assert again["bdSeq"].value > first["bdSeq"].value
    assert p.host.wait("DBIRTH")["3303/0/5700"].value == 23.5
    p.host.check()


def test_the_will_and_the_goodbye(start):
    p = start()
    born(p)
    pid = p.gw.ctl("plugins")["items"][0]["pid"]
    first, since = p.host.wait("NBIRTH"), p.host.mark()
    os.kill(pid, signal.SIGKILL)
    assert p.host.wait("NDEATH", since=since)["bdSeq"].value == first["bdSeq"].value  # the broker says it
    second = p.host.wait("NBIRTH", since=since)
    assert second["bdSeq"].value == first["bdSeq"].value + 1
    p.host.wait("DBIRTH", since=since)  # it is registered; what it has reported died with the process
    read(p)
    p.host.wait("DBIRTH", since=since, where=lambda m: len(m.metrics) > 2)
    since = p.host.mark()
    p.gw.restart()
    death = p.host.wait("NDEATH", since=since)
    assert death["bdSeq"].value == second["bdSeq"].value and death.seq is None
    third = p.host.wait("NBIRTH", since=since)
    assert third["bdSeq"].value == second["bdSeq"].value + 1
    p.host.wait("DBIRTH", since=since)
    p.host.check()


def test_a_broker_that_stalls_gets_what_is_true_when_it_goes_on(start, broker):
    """More is reported than connection and window hold: what was left out is in a birth, and numbers have no gap."""
    p = start()
    p.register()
    got, size = p.observe("/3303/0/5750"), 1200
    broker.program.signal(signal.SIGSTOP)
    for n in range(3000):
        p.dev.send(got.reply("2.05", b"%05d" % n + b"x" * size, observe=n + 2, type=NON, mid=p.dev.next_mid(), content_format=TEXT))
        p.srv.recv()
    broker.program.signal(signal.SIGCONT)
    p.host.wait(None, where=lambda m: m.metrics and str(m.metrics[0].value).startswith("02999"))
    p.host.check()
