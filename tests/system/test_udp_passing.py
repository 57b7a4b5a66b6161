# SPDX-License-Identifier: Apache-2.0
"""Messages through `link udp` in both directions, octet by octet: a scripted device and a scripted LwM2M server."""
import signal

import pytest

from bed import split_addr, udp_config
from coapmsg import (ACK, ACCEPT, CON, ECHO, ETAG, HOP_LIMIT, IF_MATCH, MAX_AGE, NON, NO_RESPONSE, OSCORE, PROXY_URI, REQUEST_TAG, RST,
                     URI_HOST, URI_PATH, Msg, uint)
from pair import LOCATION, QUICK_ACK, REGISTER, Pair, pair, rest

# Requests as LwM2M stacks of the field send them.
UP = {
    "register": REGISTER,
    "update": "42020002a1a2b272640435613366",
    "send": "41020003b1b264701170ff82a321682f333330332f302f00643537303002f94d60a2006435373031036343656c",
    "register_without_list": "42020009a1a2b272641128396c776d326d3d312e310b65703d6d657465722d313703623d4e086c743d3836343030",
    "de_register": "4204000aa1a3b272640435613366",
}
DOWN = {
    "read": "4101100111b13301306170",
    "observe": "4101100212605433333033013004353730306170",
    "execute": "4102100313b13101300138",
    "execute_argument_in_payload": "4102100414b13101300138ff303d275527",
    "execute_argument_in_query": "4102100515b1310130013843303d55",
    "composite_read": "4105100616c1705170ff82a100662f332f302f39a100662f342f302f32",
    "firmware_block": "4103100717b13501300130112ad1020a" + "ff" + "ab" * 64,
}


def octets(v):
    return v if isinstance(v, bytes) else bytes.fromhex(v)


def test_coap_1_lwm2m_1_a_register_passes_and_its_location_comes_back_untouched(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    assert len(REGISTER) == 98
    p.dev.send(REGISTER)
    raw = p.srv.recv_bytes()
    assert rest(raw) == rest(REGISTER)
    asked = Msg.parse(raw)
    assert asked.token != Msg.parse(REGISTER).token and len(asked.token) == 8
    long_one = [(8, b"rd"), (8, "gerät/1 %".encode()), (8, bytes(range(1, 200))), (8, b""), (20, b"a=b")]
    p.srv.reply(asked, "2.01", options=long_one)
    got = p.dev.recv()
    assert (got.type, got.code, got.mid, got.token) == (ACK, "2.01", 1, Msg.parse(REGISTER).token)
    assert got.options == long_one
    p.ping()  # nothing else came down: one unit for one


def test_rows_of_requests_cross_octet_by_octet_both_ways(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    ports = set()
    for name, row in UP.items():
        row = octets(row)
        p.dev.send(row)
        raw = p.srv.recv_bytes()
        ports.add(p.port)
        assert rest(raw) == rest(row), name
        p.srv.reply(Msg.parse(raw), "2.01" if name.startswith("register") else "2.04", options=LOCATION)
        got = p.dev.recv()
        assert (got.type, got.mid, got.token) == (ACK, Msg.parse(row).mid, Msg.parse(row).token), name
    for name, row in DOWN.items():
        row = octets(row)
        p.srv.send(row)
        raw = p.dev.recv_bytes()
        assert rest(raw) == rest(row), name
        p.dev.reply(Msg.parse(raw), "2.05", b"\x00" + name.encode(), options=[(ETAG, b"12345678"), (65000, b"kept")], content_format=112)
        back = p.srv.recv_bytes()
        assert rest(back) == rest(Msg.parse(raw).reply("2.05", b"\x00" + name.encode(), content_format=112,
                                                        options=[(ETAG, b"12345678"), (65000, b"kept")]).encode()), name
        m = Msg.parse(back)
        assert (m.mid, m.token) == (Msg.parse(row).mid, Msg.parse(row).token), name
    assert len(ports) == 1
    p.ping()


def test_coap_6_separate_answers_in_both_directions(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=QUICK_ACK)
    p.register()
    asked = p.up("POST", "/rd/5a3f", token=b"tk", mid=77)
    p.srv.send(asked.empty_ack())
    empty = p.dev.recv()
    assert (empty.type, empty.code, empty.mid) == (ACK, "0.00", 77)
    separate = asked.reply("2.04", b"late", type=CON, mid=4711)
    p.srv.send(separate)
    assert p.srv.recv() == separate.empty_ack()
    got = p.dev.recv()
    assert (got.type, got.code, got.token, got.payload) == (CON, "2.04", b"tk", b"late") and got.mid != 77
    assert p.dev.recv() == got  # it is repeated until the device confirms it
    p.dev.send(got.empty_ack())
    p.srv.send(separate)
    assert p.srv.recv() == separate.empty_ack()
    p.ping()

    got = p.down("GET", "/3/0", token=b"12345678", mid=5)
    p.dev.send(got.empty_ack())
    assert p.srv.recv() == p.asked_down.empty_ack()  # one second after the request
    answer = got.reply("2.05", b"x", type=CON, mid=9)
    p.dev.send(answer)
    assert p.dev.recv() == answer.empty_ack()
    back = p.srv.recv()
    assert (back.type, back.code, back.token, back.payload) == (CON, "2.05", b"12345678", b"x") and back.mid != 5
    p.srv.send(back.empty_ack())
    p.dev.send(answer)
    assert p.dev.recv() == answer.empty_ack()
    p.ping()


def test_an_answer_without_the_empty_ack_before_it_confirms_the_request(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    asked = p.up("GET", "/x", token=b"a", mid=5)
    separate = asked.reply("2.05", b"x", type=NON, mid=4711)
    p.srv.send(separate)
    got = p.dev.recv()
    assert (got.type, got.code, got.mid, got.token) == (ACK, "2.05", 5, b"a")
    p.ping()


def test_coap_2_a_duplicate_gets_the_stored_answer_and_never_reaches_the_server(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.dev.send(REGISTER)
    asked = p.srv.recv()
    p.dev.send(REGISTER)
    p.dev.send(REGISTER)
    p.ping()
    p.srv.reply(asked, "2.01", options=LOCATION)
    first = p.dev.recv_bytes()
    for _ in range(3):
        p.dev.send(REGISTER)
        assert p.dev.recv_bytes() == first
    p.ping()
    assert p.results() == {"answered": 1, "duplicate": 5, "forwarded": 2}  # the last are the pings
    # another token under the same id: the device has begun anew
    again = Msg.parse(REGISTER)
    again.token = b"\x77"
    p.dev.send(again)
    p.srv.reply(p.srv.recv(), "2.01", options=LOCATION)
    assert p.dev.recv().token == b"\x77"


def test_coap_7_a_duplicate_of_the_server_gets_the_stored_answer(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    got = p.down("POST", "/1/0/8", token=b"x", mid=30)
    p.srv.send(p.asked_down)
    p.ping()
    p.dev.reply(got, "2.04")
    first = p.srv.recv_bytes()
    p.srv.send(p.asked_down)
    assert p.srv.recv_bytes() == first
    p.dev.reply(got, "2.04")  # the device repeats its answer: it is taken once
    p.ping()


def test_coap_8_a_reset_becomes_5_02(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    got = p.down("GET", "/3/0", token=b"r", mid=31)
    p.dev.send(Msg(RST, "0.00", (got.mid + 1) & 0xFFFF))
    p.dev.send(got.rst())
    back = p.srv.recv()
    assert (back.type, back.code, back.mid, back.token) == (ACK, "5.02", 31, b"r")
    asked = p.up("GET", "/x", token=b"u", mid=32)
    p.srv.send(asked.rst())
    got = p.dev.recv()
    assert (got.type, got.code, got.mid, got.token) == (ACK, "5.02", 32, b"u")
    p.ping()


def test_coap_9_one_request_at_a_time_reaches_the_device_in_order(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    for i in range(5):
        p.srv.send(Msg.request("GET", "/3/0/%d" % i, token=b"%d" % i, mid=40 + i))
    for i in range(5):
        got = p.dev.recv()
        assert got.path() == "/3/0/%d" % i
        p.dev.send(Msg(mid=900 + i))  # the answer to this shows that no other request has left
        assert p.dev.recv().mid == 900 + i
        p.dev.reply(got, "2.05", b"%d" % i)
        back = p.srv.recv()
        assert (back.mid, back.token, back.payload) == (40 + i, b"%d" % i, b"%d" % i)


def test_coap_5_non_requests_are_answered_once_with_non(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    asked = p.up("POST", "/dp", type=NON, token=b"n", mid=50, payload=b"v")
    assert asked.type == NON
    p.dev.send(p.asked_up)
    p.srv.reply(asked, "2.04", mid=1)
    got = p.dev.recv()
    assert (got.type, got.code, got.token) == (NON, "2.04", b"n")
    p.dev.send(p.asked_up)
    p.ping()
    got = p.down("GET", "/3/0", type=NON, token=b"m", mid=51)
    assert got.type == NON
    p.srv.send(p.asked_down)
    p.dev.reply(got, "2.05", b"x", mid=7)
    back = p.srv.recv()
    assert (back.type, back.code, back.token) == (NON, "2.05", b"m")
    p.ping()


def test_coap_25_every_method_passes_and_unknown_ones_get_4_05(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    for i, method in enumerate(("GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "IPATCH")):
        asked = p.up(method, "/a/b", token=b"%d" % i, content_format=112, payload=b"\x82\x01")
        assert rest(asked.encode()) == rest(p.asked_up.encode())
        p.srv.reply(asked, "2.05", b"\xff\x00")
        assert p.dev.recv().payload == b"\xff\x00"
        got = p.down(method, "/a/b", token=b"%d" % i, content_format=112, payload=b"\x82\x01")
        assert rest(got.encode()) == rest(p.asked_down.encode())
        p.dev.reply(got, "2.04", b"\x01")
        assert p.srv.recv().payload == b"\x01"
    for code in ("0.08", "0.31"):
        p.dev.send(Msg.request(code, "/x", token=b"q", mid=60))
        assert p.dev.recv().code == "4.05"
        p.srv.send(Msg.request(code, "/x", token=b"q", mid=60 + int(code[3:])))
        assert p.srv.recv().code == "4.05"
        p.dev.send(Msg.request(code, "/x", token=b"r", mid=62))
        assert p.dev.recv().code == "4.05"
    p.ping()


def test_lwm2m_16_what_the_server_says_of_an_update_passes_unchanged(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    for i, code in enumerate(("4.04", "4.00", "4.03", "4.12", "5.00", "2.04")):
        asked = p.up("POST", "/rd/5a3f", query=["lt=60"], token=b"%d" % i)
        assert p.port == port and asked.path() == "/rd/5a3f"
        p.srv.reply(asked, code, b"as I say", options=[(MAX_AGE, b"\x07")])
        got = p.dev.recv()
        assert (got.code, got.payload, got.uint(MAX_AGE)) == (code, b"as I say", 7)
    asked = p.up("DELETE", "/rd/5a3f", token=b"d")
    p.srv.reply(asked, "2.02")
    assert p.dev.recv().code == "2.02"
    assert p.gw.ctl("device", "show", "meter-17")["state"] == "unregistered"


def test_coap_17_18_options_pass_or_are_refused_by_their_number(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    safe = [(IF_MATCH, b"12345678"), (IF_MATCH, b""), (ETAG, b"x"), (13, b"\x01"), (ACCEPT, b""), (21, b""), (25, b"ab"), (29, b""),
            (41, b"c"), (45, b"d" * 300), (ECHO, b"e" * 40), (REQUEST_TAG, b"r"), (2049, b"\x08\x00"), (65000, b""), (65001, b"z" * 20)]
    for ask, other, send in ((p.up, p.srv, p.dev), (p.down, p.dev, p.srv)):
        options = safe + [(URI_PATH, b"a"), (URI_PATH, b"")]
        asked = ask("POST", token=b"o", options=options)
        sent = p.asked_up if ask == p.up else p.asked_down
        assert rest(asked.encode()) == rest(sent.encode())
        other.reply(asked, "2.05", b"p", options=safe[2:])
        assert send.recv().options == safe[2:]
        for number in (65002, 65003, 19, 31):
            m = Msg.request("GET", "/a", token=b"u", mid=p.srv.next_mid(), options=[(number, b"v")])
            send.send(m)
            assert send.recv().code == "4.02", number
        asked = ask("GET", "/a", token=b"w")
        other.reply(asked, "2.05", b"p", options=[(65003, b"v")])
        assert send.recv().code == "5.02"
    for send in (p.dev, p.srv):
        for options, code in (([(HOP_LIMIT, b"")], "4.00"), ([(HOP_LIMIT, b"\x01")], "5.08"), ([(PROXY_URI, b"coap://x/y")], "5.05"),
                              ([(URI_HOST, b"a"), (URI_HOST, b"b")], "4.02"), ([(IF_MATCH, b"123456789")], "4.02")):
            send.send(Msg.request("GET", "/a", token=b"h", mid=p.srv.next_mid(), options=options))
            got = send.recv()
            assert got.code == code, options
            assert code != "5.08" or got.payload == b"test"
    asked = p.up("GET", "/a", options=[(HOP_LIMIT, b"\x05")])
    assert asked.uint(HOP_LIMIT) == 4
    p.srv.reply(asked, "2.05")
    assert p.dev.recv().code == "2.05"
    p.ping()


def test_an_oscore_message_passes_octet_by_octet(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    options = [(OSCORE, b"\x09\x14\x01")]
    for ask, other, asker in ((p.up, p.srv, p.dev), (p.down, p.dev, p.srv)):
        asked = ask("POST", token=b"s", options=options, payload=bytes(range(256)))
        assert asked.options == options and asked.payload == bytes(range(256))
        other.reply(asked, "2.04", b"\x00\xff" * 20, options=[(OSCORE, b"")])
        got = asker.recv()
        assert got.options == [(OSCORE, b"")] and got.payload == b"\x00\xff" * 20


def test_coap_26_no_response_is_obeyed_and_sent_on(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    asked = p.up("POST", "/dp", token=b"n", mid=70, options=[(NO_RESPONSE, b"\x02")])
    assert asked.uint(NO_RESPONSE) == 2
    p.srv.reply(asked, "2.04")
    got = p.dev.recv()
    assert (got.type, got.code, got.mid) == (ACK, "0.00", 70)
    asked = p.up("POST", "/dp", token=b"n", mid=71, options=[(NO_RESPONSE, b"\x02")])
    p.srv.reply(asked, "4.04")
    assert p.dev.recv().code == "4.04"
    p.ping()


def test_the_source_port_stays_over_traffic_reload_stop_and_kill(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port

    def same():
        asked = p.up("POST", "/rd/5a3f", token=b"t")
        assert p.port == port
        p.srv.reply(asked, "2.04")
        assert p.dev.recv().code == "2.04"

    for _ in range(3):
        same()
    assert p.gw.reload().returncode == 0
    same()
    p.tree["profiles"] = [{"name": "other", "mtu": 512}]
    p.tree["devices"][0]["profile"] = "other"
    p.tree["servers"][0]["answer_within_s"] = 30
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    same()
    p.gw.signal(signal.SIGHUP)
    p.gw.wait_metric('niddgw_config_reloads_total{result="ok"}', 3)
    same()
    p.gw.restart()
    same()
    p.gw.kill9()
    p.gw.start().ready()
    same()


def test_fifty_devices_and_two_servers_without_cross_talk(gateway, udp_peer):
    first, second = udp_peer(port=5683), udp_peer(port=5683)
    devs = [udp_peer() for _ in range(50)]
    tree = udp_config(first.uri, {"d%02d" % i: "%s:%d" % d.addr for i, d in enumerate(devs)}, device_keys={"servers": ["main", "second"]})
    tree["servers"].append({"name": "second", "uri": second.uri, "aliases": ["other.example"]})
    gw = gateway(tree).ready()
    ports = {}
    for i, d in enumerate(devs):
        d.to = split_addr(tree["links"][0]["listen"])
        for host, mid in ((b"main", 1), (b"OTHER.example", 2)):
            d.send(Msg.request("POST", "/rd", ["ep=d%02d" % i, "lt=300", "lwm2m=1.1"], token=b"same", mid=mid, options=[(URI_HOST, host)]))
    for srv in (first, second):
        for _ in devs:
            asked = srv.recv()
            name = asked.query()[0][3:]
            assert asked.values(URI_HOST) == [b"main" if srv is first else b"OTHER.example"]
            assert ports.setdefault((srv, srv.source[1]), name) == name
            srv.reply(asked, "2.01", options=[(8, b"rd"), (8, name.encode() + srv.addr[0].encode())])
    assert len(ports) == 100
    for i, d in enumerate(devs):
        got = {m.mid: m.location() for m in (d.recv(), d.recv())}
        assert got == {1: "rd/d%02d%s" % (i, first.addr[0]), 2: "rd/d%02d%s" % (i, second.addr[0])}
    # both servers use one token for all of their requests at once
    for (srv, port), name in ports.items():
        srv.send(Msg.request("GET", "/3/0", token=b"T", mid=9), ("127.0.0.1", port))
    answered = 0
    for i, d in enumerate(devs):
        for _ in range(2):
            got = d.recv()
            d.reply(got, "2.05", b"d%02d" % i)
            answered += 1
    for srv in (first, second):
        for _ in devs:
            m = srv.recv()
            assert m.token == b"T" and m.payload.decode() == ports[(srv, srv.source[1])]
    assert answered == 100
