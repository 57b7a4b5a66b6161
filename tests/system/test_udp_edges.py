# SPDX-License-Identifier: Apache-2.0
"""Corners of `link udp` and of associations over UDP: empty tokens, full queues, other address families, exhausted ports, large messages."""
import pytest

from bed import loop_host, split_addr, udp_config, wait_until
from coapmsg import ACK, BLOCK1, CON, NON, OBSERVE, RST, Msg
from pair import LOCATION, QUICK_ACK, REGISTER, pair


def test_an_empty_token_is_kept_and_given_back(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    asked = p.up("GET", "/x", token=b"", mid=5)
    assert len(asked.token) == 8
    p.srv.reply(asked, "2.05", b"a")
    got = p.dev.recv()
    assert (got.mid, got.token, got.payload) == (5, b"", b"a")
    got = p.down("GET", "/3/0", token=b"", mid=6)
    p.dev.reply(got, "2.05", b"b")
    back = p.srv.recv()
    assert (back.mid, back.token, back.payload) == (6, b"", b"b")
    got = p.observe(token=b"")
    p.dev.send(got.reply("2.05", b"c", observe=4, type=NON, mid=9))
    assert p.srv.recv().token == b""


def test_a_duplicate_behind_the_empty_ack_gets_that_again(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=QUICK_ACK)
    asked = p.up("GET", "/x", token=b"q", mid=8)
    empty = p.dev.recv()
    assert (empty.type, empty.code, empty.mid) == (ACK, "0.00", 8)
    p.dev.send(p.asked_up)
    assert p.dev.recv() == empty
    p.srv.reply(asked, "2.05", b"a")
    answer = p.dev.recv()
    assert (answer.type, answer.token) == (CON, b"q")
    p.dev.send(answer.empty_ack())
    p.dev.send(p.asked_up)
    again = p.dev.recv()
    assert again.mid == 8 and again.type == ACK  # whatever is said again, it is not asked again
    p.ping()


def test_a_full_queue_is_4_29_and_what_is_in_it_goes_in_order(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"queue_max": 3})
    p.register()
    for i in range(6):
        p.srv.send(Msg.request("GET", "/3/0/%d" % i, token=b"%d" % i, mid=i))
    for i in (3, 4, 5):
        told = p.srv.recv()
        assert (told.code, told.mid) == ("4.29", i) and told.uint(14) > 0
    for i in range(3):
        got = p.dev.recv()
        assert got.path() == "/3/0/%d" % i
        p.dev.reply(got, "2.05")
        assert p.srv.recv(where=lambda m: not m.is_empty).token == b"%d" % i
    p.ping()


def test_a_request_that_waits_longer_than_the_patience_never_reaches_the_device(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"patience_s": 1})
    p.register()
    first = p.down("GET", "/3/0/1", token=b"1", mid=1)
    p.srv.send(Msg.request("POST", "/3/0/4", token=b"2", mid=2))  # Execute Reboot, behind the first
    told = {}
    while len(told) < 2:
        m = p.srv.recv()
        if not m.is_empty:
            told[m.token] = m.code
            p.srv.send(m.empty_ack())
    assert told == {b"1": "5.04", b"2": "5.04"}
    late = first.reply("2.05")
    p.dev.send(late)
    p.dev.send(Msg(mid=77))
    heard = []
    while True:
        m = p.dev.recv()
        if m.mid == 77 and m.type == RST:
            break
        heard.append(m)
    assert not [m for m in heard if m.is_request and m.code == "0.02"], heard


def test_a_server_over_ipv6(gateway, udp_peer):
    srv = udp_peer(host="::1")
    p = pair(gateway, udp_peer, uri="coap://[::1]:%d" % srv.addr[1])
    p.srv = srv
    _, got = p.register()
    assert got.code == "2.01"
    got = p.down("GET", "/3/0", token=b"x")
    p.dev.reply(got, "2.05")
    assert srv.recv().code == "2.05"


def test_ipv4_devices_behind_a_link_on_every_address(gateway, udp_peer):
    srv, dev, free = udp_peer(port=5683), udp_peer(), udp_peer(host="::")
    port = free.addr[1]
    free.close()
    gateway(udp_config(srv.uri, {"m1": dev.addr[0]}, link={"listen": "[::]:%d" % port})).ready()
    for mid, host in enumerate((loop_host(), loop_host())):
        dev.send(Msg.request("POST", "/rd", ["lt=1"], mid=mid), (host, port))
        srv.reply(srv.recv(), "2.01", options=LOCATION)
        assert dev.recv().code == "2.01"
        assert dev.source == (host, port)  # from where it was sent to


def test_associations_leave_from_the_address_of_north_bind(gateway, udp_peer):
    host = loop_host()
    p = pair(gateway, udp_peer, tree_change=lambda t: t.update(north={"bind": host, "ports": "21000-21010"}))
    p.register()
    assert p.srv.source[0] == host and 21000 <= p.srv.source[1] <= 21010
    got = p.down("GET", "/3/0", token=b"x")
    p.dev.reply(got, "2.05")
    assert p.srv.recv().code == "2.05"


def test_exhausted_ports_are_5_03_and_an_alarm(gateway, udp_peer):
    srv, devs = udp_peer(port=5683), [udp_peer() for _ in range(3)]
    tree = udp_config(srv.uri, {"m%d" % i: d.addr[0] for i, d in enumerate(devs)})
    tree["north"] = {"bind": loop_host(), "ports": "21000-21001"}
    gw = gateway(tree).ready()
    link = split_addr(tree["links"][0]["listen"])
    for i, d in enumerate(devs):
        d.send(Msg.request("POST", "/rd", ["lt=1"], mid=1), link)
        if i < 2:
            srv.reply(srv.recv(), "2.01", options=LOCATION)
            assert d.recv().code == "2.01"
    told = devs[2].recv()
    assert told.code == "5.03" and told.uint(14) > 0
    assert [a["type"] for a in gw.ctl("alarms")["items"]] == ["north.ports"]
    tree["devices"].pop(0)
    gw.write(tree)
    assert gw.reload().returncode == 0
    devs[2].send(Msg.request("POST", "/rd", ["lt=1"], mid=2), link)
    srv.reply(srv.recv(), "2.01", options=LOCATION)
    assert devs[2].recv().code == "2.01"
    assert gw.ctl("alarms")["items"] == []


@pytest.mark.parametrize("size", [1700, 4000, 4100, 5000, 9000, 30000, 60000])
def test_s4_messages_of_a_server_of_every_size_are_answered(gateway, udp_peer, size):
    p = pair(gateway, udp_peer, profile={"block": "pass"})
    p.register()
    p.srv.send(Msg.request("PUT", "/5/0/0", token=b"big", mid=3, payload=bytes(size)))
    told = p.srv.recv()
    assert (told.type, told.code, told.mid, told.token) == (ACK, "4.13", 3, b"big")
    assert told.uint(60) == 1358 and told.block(BLOCK1)[2] == 1024
    asked = p.up("GET", "/x", token=b"a", mid=4)
    p.srv.reply(asked, "2.05", bytes(size))
    got = p.dev.recv()
    assert (got.type, got.code, got.mid, got.token) == (ACK, "5.02", 4, b"a")
    p.ping()


def test_octets_of_units_are_counted_once(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    assert len(REGISTER) == 98
    assert p.gw.metric('niddgw_uplink_bytes_total{transport="udp",peer="sgi"}') == 98


def test_sixty_four_requests_of_a_device_at_once_and_no_more(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"quota_units_per_min": 10000000}, server_keys={"nstart": 64})
    asked = []
    for first, last in ((0, 40), (40, 70)):  # one device may have 48 units on their way into the journal at once
        for i in range(first, last):
            p.dev.send(Msg.request("GET", "/x/%d" % i, token=b"%d" % i, mid=i))
        while len(asked) < min(last, 64):  # a slow disk may give the gateway time to repeat itself
            m = p.srv.recv()
            if m.mid not in [known.mid for known in asked]:
                asked.append(m)
    assert [m.path() for m in asked] == ["/x/%d" % i for i in range(64)]
    for i in range(64, 70):
        told = p.dev.recv()
        assert (told.code, told.mid) == ("4.29", i) and told.uint(14) > 0
    for m in reversed(asked):
        p.srv.reply(m, "2.05", m.path().encode())
    for i in reversed(range(64)):
        got = p.dev.recv()
        assert (got.mid, got.payload) == (i, b"/x/%d" % i)
    p.ping()


def test_what_a_device_would_observe_is_answered_once(gateway, udp_peer):
    """Notifications of servers do not come through, so the server is not asked for them and the device sees that (RFC 7641 2)."""
    p = pair(gateway, udp_peer)
    asked = p.up("GET", "/time", token=b"o", observe=0, accept=0)
    assert not asked.has(OBSERVE) and asked.uint(17) == 0
    p.srv.reply(asked, "2.05", b"1")
    got = p.dev.recv()
    assert got.code == "2.05" and not got.has(OBSERVE)
