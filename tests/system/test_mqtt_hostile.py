# SPDX-License-Identifier: Apache-2.0
"""S31: a broker that says whatever it likes. Devices and servers notice nothing, the plug-in comes back, memory stays bounded."""
import socket
import struct
import threading

import pytest

from bed import loop_host, udp_config, wait_until
from coapmsg import CON, Msg
from pair import LOCATION, REGISTER

CONNACK = b"\x20\x03\x00\x00\x00"


class Hostile:
    """Accepts connections and plays one trick on each."""

    def __init__(self, trick):
        self.trick, self.connections, self.packets, self.ended = trick, 0, [], False
        self.host = loop_host()
        self.sock = socket.create_server((self.host, 1883))
        self.uri = "mqtt://%s:1883" % self.host
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            if self.ended:
                return
            self.connections += 1
            threading.Thread(target=self.play, args=(peer,), daemon=True).start()

    def play(self, peer):
        try:
            peer.settimeout(20)
            self.packets.append(self.packet(peer))  # CONNECT
            self.trick(self, peer)
        except OSError:
            pass
        finally:
            peer.close()

    @staticmethod
    def packet(peer):
        head = peer.recv(1)
        length, shift = 0, 0
        while head:
            octet = peer.recv(1)
            if not octet:
                return b""
            length |= (octet[0] & 127) << shift
            shift += 7
            if octet[0] < 128:
                break
        body = b""
        while len(body) < length:
            part = peer.recv(length - len(body))
            if not part:
                return b""
            body += part
        return head + body

    def drain(self, peer):
        while self.packet(peer):
            pass

    def close(self):
        self.ended = True
        self.sock.close()


def publish(topic, payload, length=None, props=b"\x00"):
    body = struct.pack(">H", len(topic)) + topic + props + payload
    n, out = len(body) if length is None else length, b""
    while True:
        out += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if not n:
            return b"\x30" + out + body


def subacks(broker, peer, codes):
    """Answers each SUBSCRIBE with these reason codes."""
    for _ in range(2):
        packet = broker.packet(peer)
        if packet[:1] == b"\x82":
            peer.sendall(bytes([0x90, 3 + len(codes)]) + packet[1:3] + b"\x00" + codes)


def nothing(broker, peer):
    broker.drain(peer)


def garbage(broker, peer):
    peer.sendall(bytes(range(256)) * 16)


def connack_of_no_length(broker, peer):
    peer.sendall(b"\x20\x00")
    broker.drain(peer)


def connack_with_unknown_property(broker, peer):
    peer.sendall(b"\x20\x06\x00\x00\x03\x7e\x01\x02")
    broker.drain(peer)


def refused(broker, peer):
    peer.sendall(b"\x20\x03\x00\x87\x00")
    broker.drain(peer)


def hangs_up(broker, peer):
    peer.sendall(CONNACK)


def suback_without_codes(broker, peer):
    peer.sendall(CONNACK)
    subacks(broker, peer, b"")
    broker.drain(peer)


def announces_a_quarter_of_a_gigabyte(broker, peer):
    peer.sendall(CONNACK)
    subacks(broker, peer, b"\x01")
    peer.sendall(publish(b"niddgw/v1/test/command/ping", b"x" * 1000, length=268435455))
    broker.drain(peer)


def floods_topics_that_nobody_asked_for(broker, peer):
    peer.sendall(CONNACK)
    subacks(broker, peer, b"\x01")
    for i in range(2000):
        peer.sendall(publish(b"a/%d" % i, b"{}") + publish(b"niddgw/v1/test/command/", b"{}") + publish(b"niddgw/v1/test/dev/%ff/command/show", b"{"))
    broker.drain(peer)


def connack_to_the_client_of_a_broker(broker, peer):
    peer.sendall(CONNACK * 50)
    broker.drain(peer)


TRICKS = [nothing, garbage, connack_of_no_length, connack_with_unknown_property, refused, hangs_up, suback_without_codes,
          announces_a_quarter_of_a_gigabyte, floods_topics_that_nobody_asked_for, connack_to_the_client_of_a_broker]


@pytest.mark.parametrize("trick", TRICKS, ids=lambda t: t.__name__)
def test_S31_a_hostile_broker_harms_nobody(testbed, gateway, trick):
    broker = Hostile(trick)
    testbed.items.append(broker)
    host, server = loop_host(), testbed.peer(loop_host(), 5683)
    tree = udp_config("coap://%s:5683" % server.sock.getsockname()[0], {"meter-17": host})
    tree["plugins"] = [{"name": "mqtt", "broker": broker.uri}]
    gw = gateway(tree).ready()
    wait_until(lambda: broker.connections >= (2 if trick in (garbage, refused, hangs_up) else 1))
    device = testbed.peer(host, 0, (tree["links"][0]["listen"].split(":")[0], 20000))
    device.send(REGISTER)
    server.reply(server.recv(), "2.01", options=LOCATION)
    assert device.recv().code == "2.01"
    for i in range(20):
        device.send(Msg(type=CON, code="0.02", mid=100 + i, token=b"s%d" % i, options=[(11, b"dp")], payload=b"{}"))
        server.reply(server.recv(), "2.04")
        assert device.recv().code == "2.04"
    assert broker.packets[0][:1] == b"\x10"
    assert gw.metric("niddgw_rss_bytes") < 200e6
    assert gw.metric('niddgw_uplink_total{result="answered"}') == 21
    state = gw.ctl("plugins")
    assert "mqtt" in str(state)
