# SPDX-License-Identifier: Apache-2.0
"""Strangers who send to the ports of the gateway: nobody answers them (S24), and what they send in a flood harms nobody (S23)."""
import os
import socket

from bed import loop_host, udp_config
from coapmsg import CON, Msg
from pair import LOCATION, REGISTER

CLIENT_HELLO = bytes.fromhex("16feff0000000000000000003a010000" "2e000000000000002efefd" + "00" * 32 + "00000002" "c0a80100")


def running(testbed, gateway, scheme="coap"):
    host, server = loop_host(), testbed.peer(loop_host(), 5683)
    tree = udp_config("coap://%s:5683" % server.sock.getsockname()[0], {"meter-17": host}, host=loop_host())
    gw = gateway(tree).ready()
    link = (tree["links"][0]["listen"].split(":")[0], 20000)
    device = testbed.peer(host, 0, link)
    device.send(REGISTER)
    server.reply(server.recv(), "2.01", options=LOCATION)
    assert device.recv().code == "2.01"
    return gw, server, device, link, server.source


def udp_ports(pid):
    """Local addresses of the daemon's UDP sockets."""
    mine = {os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
    out = set()
    for line in open("/proc/%d/net/udp" % pid).read().splitlines()[1:]:
        words = line.split()
        if "socket:[%s]" % words[9] in mine:
            addr, port = words[1].split(":")
            out.add((socket.inet_ntoa(bytes.fromhex(addr)[::-1]), int(port, 16)))
    return out


def test_S24_no_socket_answers_a_stranger(testbed, gateway):
    gw, server, device, link, north = running(testbed, gateway)
    ports = udp_ports(gw.program.pid)
    assert any(p == north[1] for _, p in ports) and any(p == link[1] for _, p in ports)
    stranger = testbed.peer(loop_host(), 0)
    for host, port in ports:
        for data in (CLIENT_HELLO, Msg(mid=1).encode(), Msg(type=CON, code="0.01", mid=2, token=b"x", options=[(11, b"rd")]).encode(), b"\xff" * 64):
            stranger.sock.sendto(data, ("127.0.0.1" if host == "0.0.0.0" else host, port))
    device.send(Msg(type=CON, code="0.02", mid=50, token=b"z", options=[(11, b"dp")], payload=b"{}"))  # behind what the stranger sent
    server.reply(server.recv(), "2.04")
    assert device.recv().code == "2.04"
    stranger.silent(0.3)


def test_S22_S23_a_flood_to_a_north_port_is_counted_and_delays_nobody(testbed, gateway):
    gw, server, device, link, north = running(testbed, gateway)
    target = ("127.0.0.1", north[1])
    lines, flood = len(gw.log.lines), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.bind((loop_host(), 0))
    sent = 0
    for i in range(40):
        for _ in range(500):
            sent += flood.sendto(b"\x44\x45\x00\x01" + os.urandom(60), target) > 0
        device.send(Msg(type=CON, code="0.02", mid=200 + i, token=b"f%d" % i, options=[(11, b"dp")], payload=b"{}"))
        server.reply(server.recv(), "2.04")
        assert device.recv().code == "2.04"
    flood.close()
    assert sent == 20000
    assert gw.metric('niddgw_uplink_total{result="answered"}') == 41
    assert len([line for line in gw.log.lines[lines:] if "foreign" in line]) <= 3
    assert gw.metric("niddgw_retransmissions") == 0
