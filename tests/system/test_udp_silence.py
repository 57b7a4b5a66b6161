# SPDX-License-Identifier: Apache-2.0
"""A server that is silent or away, and one that comes back (INTERFACE 4)."""
from bed import loop_host, wait_until
from coapmsg import ACK, CON, NON, OBSERVE, Msg
from pair import LOCATION, QUICK_ACK, REGISTER, pair


def test_a_server_that_says_nothing_is_5_04_in_time_and_the_request_is_never_delivered_later(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=QUICK_ACK, server_keys={"answer_within_s": 3})
    asked = p.up("POST", "/dp", token=b"s", mid=8, payload=b"value")
    empty = p.dev.recv()
    assert (empty.type, empty.code, empty.mid) == (ACK, "0.00", 8)
    told = p.dev.recv()
    assert (told.type, told.code, told.token) == (CON, "5.04", b"s")
    p.dev.send(told.empty_ack())
    before = []
    p.srv.sock.settimeout(0.01)
    try:
        while True:
            before.append(p.srv.sock.recv(2048))
    except OSError:
        pass
    assert set(before) <= {asked.encode()}  # retransmissions of the one message
    assert p.results() == {"failed": 1, "forwarded": 1}
    # the server is back: a new request gets through, the old one does not come
    asked = p.up("POST", "/dp", token=b"t", payload=b"next")
    assert asked.payload == b"next"
    p.srv.reply(asked, "2.04")
    assert p.dev.recv(where=lambda m: m.token == b"t").code == "2.04"
    p.ping()


def test_a_late_answer_is_recognised_and_not_passed(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"answer_within_s": 1})
    asked = p.up("GET", "/x", token=b"l", mid=3)
    p.srv.send(asked.empty_ack())
    got = p.dev.recv()
    assert (got.type, got.code, got.mid, got.token) == (ACK, "5.04", 3, b"l")
    late = asked.reply("2.05", b"late", type=CON, mid=90)
    p.srv.send(late)
    assert p.srv.recv().mid == 90
    p.ping()
    assert p.gw.metric("niddgw_late_answers_total") == 1
    p.dev.send(p.asked_up)  # its duplicate is told the same
    assert p.dev.recv() == got


def test_a_server_that_comes_back_in_time_answers_the_request(gateway, udp_peer):
    host = loop_host()
    p = pair(gateway, udp_peer, uri="coap://%s:5683" % host, profile=QUICK_ACK, server_keys={"answer_within_s": 60})
    m = Msg.request("POST", "/dp", token=b"w", mid=9, payload=b"v")
    p.dev.send(m)
    assert p.dev.recv().code == "0.00"  # nobody listens there, and ICMP says so: the request is kept
    assert p.gw.metric('niddgw_north_refused_total{server="main"}') >= 1
    p.srv = udp_peer(host=host, port=5683)
    asked = p.srv.recv()
    assert asked.payload == b"v"
    p.srv.reply(asked, "2.04")
    got = p.dev.recv()
    assert (got.type, got.code, got.token) == (CON, "2.04", b"w")
    p.dev.send(got.empty_ack())
    p.ping()
    assert p.gw.metric("niddgw_in_doubt_total") == 0


def test_a_device_that_never_answers_is_5_04_for_the_server(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"patience_s": 2})
    p.register()
    got = p.down("GET", "/3/0", token=b"d", mid=4)
    p.dev.send(got.empty_ack())  # lwm2m 45
    assert p.srv.recv() == p.asked_down.empty_ack()
    back = p.srv.recv()
    assert (back.type, back.code, back.token) == (CON, "5.04", b"d")
    p.srv.send(back.empty_ack())
    late = got.reply("2.05", type=CON, mid=5)
    p.dev.send(late)
    assert p.dev.recv().mid == 5
    p.ping()
    wait_until(lambda: p.gw.metric('niddgw_exchanges{leg="down"}') == 0)


def test_notifications_wait_in_order_for_a_server_that_is_away(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    got = p.observe()
    where = p.srv.addr
    p.srv.sock.close()
    notes = [got.reply("2.05", b"%d" % v, observe=v, type=CON, mid=200 + v) for v in range(1, 21)]
    for note in notes:
        p.dev.send(note)
    for note in notes:
        assert p.dev.recv() == note.empty_ack()
    p.srv = udp_peer(host=where[0], port=where[1])
    for v in range(1, 21):
        note = p.srv.recv()
        assert (note.type, note.uint(OBSERVE), note.payload) == (CON, v, b"%d" % v)
        p.srv.send(note.empty_ack())
    p.ping()


def test_hold_max_keeps_the_latest(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"hold_max": 5})
    p.register()
    got = p.observe()
    where = p.srv.addr
    p.srv.sock.close()
    for v in range(1, 21):
        note = got.reply("2.05", b"%d" % v, observe=v, type=CON, mid=200 + v)
        p.dev.send(note)
        assert p.dev.recv() == note.empty_ack()
    p.srv = udp_peer(host=where[0], port=where[1])
    seen = []
    for _ in range(5):
        note = p.srv.recv()
        seen.append(note.uint(OBSERVE))
        p.srv.send(note.empty_ack())
    assert seen == [1, 17, 18, 19, 20]  # the first was on its way already
    assert p.gw.metric('niddgw_queue_dropped_total{reason="hold"}') == 15


def test_a_server_is_found_by_its_name(gateway, udp_peer):
    srv = udp_peer(host="127.0.0.1", port=0)
    p = pair(gateway, udp_peer, uri="coap://localhost:%d" % srv.addr[1])
    p.srv = srv
    asked, got = p.register()
    assert got.code == "2.01"
    assert p.gw.ctl("servers")["items"][0]["name"] == "main"
    p.ping()
