# SPDX-License-Identifier: Apache-2.0
"""Debian's coap-client and coap-server (libcoap 4.3.1) on both sides of the gateway, with a relay on each leg that keeps the octets.

Up: coap-client is the device, coap-server the server. Down: the server asks, so coap-client stands at the server's address and coap-server
is the device, which a script has registered before from the same address.
"""
import re
import shutil
import subprocess

import pytest

from bed import DEADLINE, Program, answers_ping, loop_host, split_addr, udp_config, wait_until
from coapmsg import ACK, BLOCK1, BLOCK2, CON, OBSERVE, URI_HOST, URI_PORT, Msg
from pair import LOCATION, REGISTER, Sniffer

CLIENT, SERVER = shutil.which("coap-client-notls"), shutil.which("coap-server-notls")
pytestmark = pytest.mark.skipif(not (CLIENT and SERVER), reason="libcoap3-bin is not installed")


class Foreign:
    """The gateway between two relays. Leg south: the device is `device` to the gateway; leg north: the server is `server`."""

    def __init__(self, testbed, gateway, profile=None):
        self.testbed, hosts = testbed, [loop_host() for _ in range(6)]
        self.device, self.server = (hosts[0], 5683), (hosts[1], 5683)      # where the foreign programs are
        self.south = self.north = None
        self.hosts = hosts
        tree = udp_config("coap://%s:5683" % hosts[2], {"meter-17": "%s:5683" % hosts[3]}, host=hosts[4], profile=profile)
        tree["links"][0]["listen"] = "%s:5683" % hosts[4]
        self.link = (hosts[4], 5683)
        self.gw = gateway(tree).ready()

    def up(self):
        """coap-client at device -> south relay -> gateway -> north relay -> coap-server at server."""
        self.south = Sniffer(self.link, (self.hosts[5], 5683), (self.hosts[3], 5683))
        self.north = Sniffer(self.server, (self.hosts[2], 5683), (self.hosts[5], 5684))
        self.testbed.items += [self.south, self.north]
        self.start_server(self.server)
        return self

    def down(self):
        """Registers by script, then coap-server at the device's address behind a relay; coap-client asks through one."""
        srv, dev = self.testbed.peer(self.hosts[2], 5683), self.testbed.peer(self.hosts[3], 5683, self.link)
        dev.send(REGISTER)
        srv.reply(srv.recv(), "2.01", options=LOCATION)
        assert dev.recv().code == "2.01"
        port = srv.source[1]
        srv.sock.close()
        dev.sock.close()
        self.south = Sniffer(self.device, (self.hosts[3], 5683), (self.hosts[5], 5684))  # gateway -> device
        self.north = Sniffer(("127.0.0.1", port), (self.hosts[5], 5683), (self.hosts[2], 5683))  # server -> gateway
        self.testbed.items += [self.south, self.north]
        self.start_server(self.device)
        return self

    def start_server(self, addr):
        self.foreign = Program([SERVER, "-A", addr[0], "-p", str(addr[1]), "-d", "10", "-N", "-v", "7"])
        self.testbed.items.append(self.foreign)

        wait_until(lambda: answers_ping(addr))

    def client(self, path, *args, body=None):
        """Runs coap-client; the payload that it printed."""
        done = subprocess.run([CLIENT, "-U", "-B", "10", *args, "coap://%s:5683/%s" % (self.hosts[5], path)], input=body,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        assert done.returncode == 0, done
        return done.stdout[:-1] if done.stdout.endswith(b"\n") else done.stdout  # the line end is the program's own


def same_on_both_legs(asking, answering):
    """Requests and responses by their order: options and payload are equal, ids and tokens are not."""
    for outward in (True, False):
        a = [m for m in asking.messages(outward) if not m.is_empty]
        b = [m for m in answering.messages(outward) if not m.is_empty]
        assert len(a) == len(b) and a
        for x, y in zip(a, b):
            assert (x.code, x.options, x.payload) == (y.code, y.options, y.payload)
    mine, theirs = [[(m.mid, m.token) for m in leg.messages(True)] for leg in (asking, answering)]
    assert not set(mine) & set(theirs)


@pytest.fixture(params=["up", "down"])
def way(request, testbed, gateway):
    f = Foreign(testbed, gateway)
    getattr(f, request.param)()
    f.asking, f.answering = (f.south, f.north) if request.param == "up" else (f.north, f.south)
    return f


def test_get_put_post_delete(way):
    assert b"libcoap" in way.client("")
    assert way.client("x", "-m", "put", "-e", "first") == b""
    assert way.client("x") == b"first"
    assert way.client("x", "-m", "put", "-e", "second", "-t", "text/plain") == b""
    assert way.client("x") == b"second"
    way.client("x", "-m", "post", "-e", "third")
    way.client("x", "-m", "delete")
    assert not way.client("x").startswith(b"second")
    codes = [m.code for m in way.asking.messages(False)]
    assert "2.01" in codes and "2.04" in codes and "2.02" in codes and codes[-1] in ("4.04", "4.00")
    same_on_both_legs(way.asking, way.answering)


def test_well_known_core_is_the_far_ends(way):
    links = way.client(".well-known/core")
    assert b"</time>" in links and b"</async>" in links
    same_on_both_legs(way.asking, way.answering)


def test_options_known_and_unknown_pass_both_ways(way):
    way.client("x", "-m", "put", "-e", "v", "-O", "65000,0x0102", "-O", "2048,kept", "-O", "12,0x2a")
    asked = [m for m in way.answering.messages(True) if m.code == "0.03"][0]
    assert asked.values(65000) == [b"\x01\x02"] and asked.values(2048) == [b"kept"] and asked.uint(12) == 42
    way.client("x", "-O", "65002,0x01")  # unsafe: refused by the gateway, nothing gets through
    assert way.asking.messages(False)[-1].code == "4.02"
    assert len([m for m in way.answering.messages(True) if m.is_request]) == 1


def test_a_separate_answer_of_the_far_end(way):
    assert way.client("async?1").strip() == b"done"
    assert [m for m in way.answering.messages(False) if m.is_empty and m.type == ACK]
    assert way.asking.messages(False)[-1].code == "2.05"


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_blocks_pass_both_ways(way, size, tmp_path):
    body = bytes(i * 7 + i // 251 & 0xFF for i in range(5000))
    (tmp_path / "body").write_bytes(body)
    way.client("example_data", "-m", "put", "-b", str(size), "-f", str(tmp_path / "body"), "-t", "42")
    assert way.client("example_data", "-b", str(size)) == body
    blocks = [m.block(BLOCK1) for m in way.answering.messages(True) if m.has(BLOCK1)]
    assert [b[0] for b in blocks if b[2] == size][-1] == (len(body) - 1) // size and blocks[-1][1] is False
    fetched = [m.block(BLOCK2) for m in way.answering.messages(False) if m.has(BLOCK2)]
    assert fetched[-1] == ((len(body) - 1) // size, False, size)
    same_on_both_legs(way.asking, way.answering)


def test_non_requests_are_answered_by_non(way):
    assert b"libcoap" in way.client("", "-N")
    assert {m.type for m in way.answering.messages(True) if m.is_request} == {1}


def test_the_server_observes_and_cancels(testbed, gateway):
    f = Foreign(testbed, gateway).down()
    out = f.client("time", "-s", "3", "-w", "-B", "5")
    wait_until(lambda: f.gw.ctl("device", "show", "meter-17")["servers"][0]["observations"] == 0)  # the client does not wait for it
    notes = [m for m in f.north.messages(False) if m.has(OBSERVE)]
    assert len(notes) >= 3 and len(out.split(b"\n")) >= 3
    values = [m.uint(OBSERVE) for m in notes]
    assert values == sorted(set(values))
    assert values == [m.uint(OBSERVE) for m in f.south.messages(False) if m.has(OBSERVE)]
    asked = [m for m in f.south.messages(True) if m.has(OBSERVE)]
    assert [m.uint(OBSERVE) for m in asked] == [0, 1] and asked[0].token == asked[1].token
    at = len(f.south.seen)
    f.client("time")
    assert len([m for m in f.south.messages(False)[at:] if m.has(OBSERVE)]) == 0


def test_uri_host_and_port_of_a_client_go_to_the_server(testbed, gateway):
    f = Foreign(testbed, gateway).up()
    f.client("", "-O", "3,lwm2m.example", "-O", "7,0x1633")
    asked = f.north.messages(True)[0]
    assert asked.values(URI_HOST) == [b"lwm2m.example"] and asked.uint(URI_PORT) == 0x1633


def test_lost_datagrams_are_made_good_on_each_leg(testbed, gateway):
    f = Foreign(testbed, gateway).up()
    out = f.client("", "-l", "1")  # the client fails to send its first datagram
    assert b"libcoap" in out
    assert len([m for m in f.north.messages(True) if m.is_request]) == 1
