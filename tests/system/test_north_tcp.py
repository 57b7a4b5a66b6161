# SPDX-License-Identifier: Apache-2.0
"""Servers over TCP, played by a script for what no foreign program does by itself (RFC 8323; coap 10-15, 29, 36, 37, lwm2m 36)."""
import pytest

from bed import DEADLINE, wait_until
from coapmsg import ACK, BLOCK1, BLOCK2, CON, LOCATION_PATH, NON, OBSERVE, OSCORE, PROXY_URI, SIZE1, Msg, block, uint
from pair import LOCATION, QUICK_ACK, REGISTER
from tcpcoap import (ABORT, ALTERNATIVE, BAD_CSM_OPTION, BLOCK_WISE, CSM, CUSTODY, HOLD_OFF, MAX_MESSAGE_SIZE, OUR_CSM, PING, PONG, RELEASE,
                     StreamServer, encode, stream_pair)


@pytest.fixture
def p(gateway, testbed):
    p = stream_pair(gateway, testbed)
    p.register()
    return p


def test_lwm2m_36_register_read_write_observe_and_cancel_without_a_reset(gateway, testbed):
    p = stream_pair(gateway, testbed, server_keys={"binding": "T"})
    asked, answer = p.register()
    assert p.srv.csm.uint(MAX_MESSAGE_SIZE) >= 32768 and p.srv.csm.values(BLOCK_WISE) == [b""]
    assert "b=T" in asked.query() and answer.location() == "rd/5a3f" and len(asked.token) == 8
    got = p.down("GET", "/3/0/0", token=b"R1")
    assert (got.type, got.path()) == (CON, "/3/0/0")
    p.dev.reply(got, "2.05", b"maker", content_format=0)
    back = p.srv.recv()
    assert (back.code, back.token, back.payload) == ("2.05", b"R1", b"maker")
    got = p.down("PUT", "/3303/0/5601", token=b"W1", payload=b"21.5")
    p.dev.reply(got, "2.04")
    assert p.srv.recv().code == "2.04"
    seen = p.observe(token=b"O1", value=3)
    for value in (4, 9):
        p.dev.send(seen.reply("2.05", b"%d" % value, observe=value, type=CON, mid=500 + value))
        note = p.srv.recv()
        assert (note.token, note.payload) == (b"O1", b"%d" % value)
        assert p.dev.recv().type == ACK
    got = p.down("GET", "/3303/0/5700", token=b"O1", observe=1)  # coap 29, where there is no reset
    assert (got.uint(OBSERVE), got.token) == (1, seen.token)
    p.dev.reply(got, "2.05", b"9")
    assert not p.srv.recv().has(OBSERVE)
    p.ping()
    assert p.gw.ctl("device", "show", "meter-17")["servers"][0]["observations"] == 0


def test_one_connection_per_device(gateway, testbed):
    second = testbed.peer()

    def two(tree):
        tree["devices"].append(dict(tree["devices"][0], name="meter-18", ep="meter-18", address="%s:%d" % second.addr))
    p = stream_pair(gateway, testbed, tree_change=two)
    p.dev.send(REGISTER)
    second.to = p.dev.to
    second.send(REGISTER.replace(b"meter-17", b"meter-18"))
    eps = set()
    for _ in range(2):
        c = p.listener.accept()
        asked = c.recv()
        eps.add([q for q in asked.query() if q.startswith("ep=")][0])
        c.reply(asked, "2.01", options=LOCATION)
    assert eps == {"ep=meter-17", "ep=meter-18"}
    assert p.dev.recv().code == second.recv().code == "2.01"
    assert p.gw.metric('niddgw_north_connections{server="main"}') == 2


def test_coap_10_types_and_ids_are_made_on_the_south_leg(p):
    got = p.down("GET", "/3/0", token=b"T")
    p.dev.send(got.empty_ack())
    answer = got.reply("2.05", b"late", type=CON, mid=777)
    p.dev.send(answer)
    back = p.srv.recv()
    assert (back.code, back.token, back.payload) == ("2.05", b"T", b"late")
    assert p.dev.recv() == answer.empty_ack()
    p.dev.send(answer)  # its repetition is acknowledged and goes nowhere
    assert p.dev.recv() == answer.empty_ack()
    p.ping()


def test_coap_11_a_request_cut_at_any_octet_arrives_once(p):
    asked = Msg.request("GET", "/3303/0/5700", token=b"cutcutcu", query=["a=b"], payload=b"p" * 20)
    data = encode(asked)
    for cut in range(1, len(data)):
        p.srv.signal(PING, token=b"s")
        p.srv.send(data[:cut])
        assert p.srv.recv_signal(PONG).token == b"s"  # what stood before the cut has been read
        p.srv.send(data[cut:])
        got = p.dev.recv()
        assert (got.code, got.options, got.payload) == (asked.code, asked.options, asked.payload)
        p.dev.reply(got, "2.05", b"%d" % cut)
        assert p.srv.recv().payload == b"%d" % cut
    p.ping()


@pytest.mark.parametrize("size", [0, 5, 12, 13, 100, 268, 269, 1000])
def test_300_requests_in_one_write_are_each_answered_in_order(p, size):
    """libcoap 4.3.1 loses some of these where its buffer ends within a header."""
    asked = [Msg.request("PUT", "", token=b"%03d" % i, options=[(PROXY_URI, b"coap://x")], payload=bytes(size)) for i in range(300)]
    p.srv.send(*asked)
    answers = [p.srv.recv() for _ in asked]
    assert [a.token for a in answers] == [a.token for a in asked] and {a.code for a in answers} == {"5.05"}
    p.ping()


def test_coap_11_a_thousand_requests_in_one_write_are_each_answered(p):
    p.srv.send(*[Msg.request("GET", "/3303/0/5700", token=b"%04d" % i) for i in range(1000)])
    p.srv.signal(PING, token=b"end")
    codes, served = {}, []
    while True:  # those above the limit of the queue are answered at once, before the Pong
        m = p.srv.next()
        if m.code == PONG:
            break
        assert m.token not in codes
        codes[m.token] = m.code
    assert set(codes.values()) == {"4.29"}
    while len(codes) < 1000:
        got = p.dev.recv()
        p.dev.reply(got, "2.05", b"%d" % len(served))
        back = p.srv.recv()
        assert back.code == "2.05" and back.token not in codes and back.payload == b"%d" % len(served)
        codes[back.token] = back.code
        served.append(back.token)
    assert served == sorted(served) and len(served) >= 16
    p.ping()


def test_coap_11_answers_of_a_device_that_is_faster_than_the_disk_are_all_taken(gateway, testbed):
    """More than 48 units of it are on their way to the disk: nothing new is taken then, but what was asked for is."""
    p = stream_pair(gateway, testbed, tree_change=lambda tree: tree.update(store={"sync": "batch", "commit_ms": 1000}))
    p.register()
    p.srv.send(*[Msg.request("GET", "/3303/0/5700", token=b"%02d" % i) for i in range(60)])
    seen = set()
    for i in range(60):
        got = p.dev.recv()
        assert got.mid not in seen  # a repetition: its answer would have been dropped
        seen.add(got.mid)
        p.dev.reply(got, "2.05", b"%d" % i)
    assert [p.srv.recv().payload for _ in range(60)] == [b"%d" % i for i in range(60)]
    assert "dropped" not in p.results()


def test_coap_12_without_a_csm_requests_wait_and_nobody_else_does(gateway, testbed):
    other_dev, other = testbed.peer(), testbed._keep(StreamServer())

    def two(tree):
        tree["servers"].append({"name": "other", "uri": other.uri})
        tree["devices"].append(dict(tree["devices"][0], name="meter-18", ep="meter-18", servers=["other"], address="%s:%d" % other_dev.addr))
        tree["devices"][0]["servers"] = ["main"]
    p = stream_pair(gateway, testbed, tree_change=two, profile=QUICK_ACK,
                    server_keys={"handshake_timeout_s": 1, "answer_within_s": 3})
    p.dev.send(Msg.request("GET", "/x", token=b"w", mid=5))
    c = p.listener.accept(csm=None)
    assert c.first_csm().code == CSM
    assert p.dev.recv().is_empty
    other_dev.to, good = p.dev.to, None
    for i in range(20):  # while that one waits
        other_dev.send(Msg.request("GET", "/y", token=b"y", mid=10 + i))
        good = good or other.accept()
        good.reply(good.recv(), "2.05", b"%d" % i)
        assert other_dev.recv().payload == b"%d" % i
    assert c.wait_closed() == []
    told = p.dev.recv()
    assert (told.code, told.token) == ("5.04", b"w")
    p.dev.send(told.empty_ack())
    p.gw.wait_log(r'dev=meter-17 ev=connect\.failed server=main result=no_csm')
    assert p.gw.metric('niddgw_north_connects_total{server="main",result="no_csm"}') >= 1
    assert [a["type"] for a in p.gw.ctl("alarms")["items"]] == ["server.unreachable"]
    c = p.listener.accept()  # tried again by itself, and the alarm goes
    p.dev.send(Msg.request("GET", "/x", token=b"x", mid=6))
    asked = c.recv()
    assert asked.path() == "/x"
    c.reply(asked, "2.05")
    wait_until(lambda: p.dev.recv().token == b"x")
    assert p.gw.ctl("alarms")["items"] == []


def test_coap_13_a_critical_option_aborts_and_an_elective_one_is_ignored(gateway, testbed):
    p = stream_pair(gateway, testbed)
    p.dev.send(REGISTER)
    c = p.listener.accept(csm=[(5, b"x")])
    abort = c.recv_signal(ABORT)
    assert abort.uint(BAD_CSM_OPTION) == 5 and abort.payload
    assert c.wait_closed() == []
    p.gw.wait_log(r'ev=connect\.failed .*critical option')
    p.accept(csm=[(MAX_MESSAGE_SIZE, uint(4000)), (BLOCK_WISE, b""), (6, uint(20)), (1000, b"later")])
    asked = p.srv.recv()  # it has waited for a connection
    assert asked.path() == "/rd"
    p.srv.reply(asked, "2.01", options=LOCATION)
    assert p.dev.recv(where=lambda m: not m.is_empty).code == "2.01"
    p.ping()


def test_coap_13_a_second_csm_lowers_the_size_of_what_follows(p):
    got = p.down("GET", "/big", token=b"B")
    p.dev.reply(got, "2.05", b"v" * 900)
    assert len(p.srv.recv().payload) == 900
    p.srv.signal(CSM, [(MAX_MESSAGE_SIZE, uint(200))])
    got = p.down("GET", "/big", token=b"C")
    p.dev.reply(got, "2.05", b"v" * 900)
    back = p.srv.recv()
    assert len(encode(back)) <= 200 and (back.block(BLOCK2) or back.code in ("5.02", "4.13"))
    p.srv.signal(CSM, [(MAX_MESSAGE_SIZE, uint(2000))])
    got = p.down("GET", "/big2", token=b"D")
    p.dev.reply(got, "2.05", b"v" * 900)
    assert len(p.srv.recv().payload) == 900


def test_no_block_option_goes_to_a_server_that_does_not_know_it(gateway, testbed):
    p = stream_pair(gateway, testbed)
    p.register(csm=[])
    got = p.down("GET", "/big", token=b"B")
    p.dev.reply(got, "2.05", b"v" * 1300)
    back = p.srv.recv()
    assert back.token == b"B" and not back.has(BLOCK2) and len(encode(back)) <= 1152 and back.code in ("5.02", "4.13")
    p.ping()


def test_coap_14_pings_are_answered_at_once_with_their_token_and_custody(p):
    p.srv.signal(PING)
    pong = p.srv.recv_signal(PONG)
    assert pong.token == b"" and not pong.has(CUSTODY)
    p.srv.send(Msg.request("GET", "/x", token=b"t"))
    p.srv.signal(PING, [(CUSTODY, b"")], b"12345678")
    pong = p.srv.recv_signal(PONG)  # though the device has not answered
    assert pong.token == b"12345678" and pong.has(CUSTODY)
    p.dev.reply(p.dev.recv(), "2.05")
    assert p.srv.recv().token == b"t"


def test_coap_14_release_lets_running_exchanges_finish_and_holds_new_ones(p):
    p.dev.send(Msg.request("POST", "/dp", token=b"1", mid=20, payload=b"runs"))
    runs = p.srv.recv()
    p.srv.send(Msg.request("GET", "/3/0", token=b"d1"))
    got = p.dev.recv()
    p.srv.signal(RELEASE, [(ALTERNATIVE, b"elsewhere.example:1"), (HOLD_OFF, uint(1))], payload=b"maintenance")
    p.gw.wait_log(r'dev=meter-17 ev=released server=main hold_off_s=1 alternative_ignored="?elsewhere\.example:1"? text="?maintenance')
    p.dev.send(Msg.request("POST", "/dp", token=b"2", mid=21, payload=b"waits"))
    p.srv.reply(runs, "2.04")
    assert p.dev.recv(where=lambda m: m.token == b"1").code == "2.04"
    p.dev.reply(got, "2.05", b"device")
    assert p.srv.recv().payload == b"device"
    assert p.srv.wait_closed() == []  # nothing runs any more; the new request did not come here
    c = p.accept()
    waits = c.recv()
    assert waits.payload == b"waits"
    c.reply(waits, "2.04")
    assert p.dev.recv(where=lambda m: m.token == b"2").code == "2.04"
    assert p.gw.metric("niddgw_in_doubt_total") == 0
    p.ping()


@pytest.mark.parametrize("how", ["abort", "close", "reset"])
def test_coap_14_what_was_written_when_a_connection_ends_goes_once_more(p, how):
    p.dev.send(Msg.request("POST", "/dp", token=b"1", mid=20, payload=b"plain"))
    assert p.srv.recv().payload == b"plain"
    if how == "abort":
        p.srv.signal(ABORT, payload=b"\x1b[31mout of order\x00")
        assert p.srv.wait_closed() == []
        p.gw.wait_log(r'ev=connection\.lost .*result=aborted reason="aborted by the server: \\x1b\[31mout of order')
    else:
        p.srv.close(reset=how == "reset")
    c = p.accept()
    again = c.recv()
    assert (again.code, again.path(), again.payload) == ("0.02", "/dp", b"plain")
    c.reply(again, "2.04")
    assert p.dev.recv(where=lambda m: not m.is_empty).code == "2.04"
    assert p.gw.metric("niddgw_in_doubt_total") == 1
    p.ping()


def test_coap_43_an_oscore_request_is_never_written_twice(p):
    p.dev.send(Msg(CON, "0.02", 30, b"o", [(OSCORE, bytes.fromhex("0914"))], b"ciphertext"))
    first = p.srv.recv()
    assert first.values(OSCORE) == [bytes.fromhex("0914")] and first.payload == b"ciphertext"
    p.srv.close(reset=True)
    told = p.dev.recv(where=lambda m: not m.is_empty)
    assert (told.code, told.token) == ("5.04", b"o")
    if told.type == CON:
        p.dev.send(told.empty_ack())
    p.dev.send(Msg(CON, "0.02", 31, b"p", [(OSCORE, bytes.fromhex("0915"))], b"next"))
    c = p.accept()
    asked = c.recv()
    assert asked.payload == b"next"  # and nothing before it
    assert c.sync() == []
    c.reply(asked, "2.04", options=[(OSCORE, b"")])
    assert p.dev.recv(where=lambda m: not m.is_empty).token == b"p"


def test_a_confirmable_notification_goes_again_until_the_server_has_answered_a_ping_behind_it(p):
    seen = p.observe(token=b"O")
    p.srv.pong = False
    note = seen.reply("2.05", b"kept", observe=5, type=CON, mid=300)
    p.dev.send(note)
    assert p.dev.recv() == note.empty_ack()
    assert p.srv.recv().payload == b"kept"
    assert p.srv.recv_signal(PING).has(CUSTODY)
    p.srv.close()
    c = p.accept()
    again = c.recv()
    assert (again.code, again.token, again.payload) == ("2.05", b"O", b"kept")
    assert c.recv_signal(PING)
    assert c.sync() == []


def test_coap_36_a_bert_block_reaches_the_device_in_blocks(p):
    body = bytes(i * 7 + i // 251 & 0xFF for i in range(8192))
    p.srv.send(Msg.request("PUT", "/5/0/0", token=b"F", options=[(BLOCK1, uint(7))], payload=body))
    received = b""
    while True:
        got = p.dev.recv()
        num, more, size = got.block(BLOCK1)
        assert size <= 1024 and num * size == len(received)
        received += got.payload
        p.dev.reply(got, "2.31" if more else "2.04", options=[(BLOCK1, block(num, more, size))])
        if not more:
            break
    assert received == body
    back = p.srv.recv()
    assert (back.code, back.token) == ("2.04", b"F")
    p.ping()


def test_coap_37_a_body_above_the_limit_of_a_device_is_refused_with_its_size(gateway, testbed):
    p = stream_pair(gateway, testbed, profile={"block": "refuse"})
    p.register()
    p.srv.send(Msg.request("PUT", "/5/0/0", token=b"F", payload=bytes(20000)))
    back = p.srv.recv()
    assert (back.code, back.token) == ("4.13", b"F") and back.has(SIZE1)
    p.ping()  # nothing went south


@pytest.mark.parametrize("data,why", [
    (b"\x0f\x01", "malformed"), (b"\x10\x01\xff", "malformed"), (b"\xf0\x00\x01\x00\x00\x01", "Max-Message-Size"),
    (b"\x10\xe2\x10", "critical option"), (b"GET / HTTP/1.1\r\n\r\n", ""),
])
def test_coap_15_what_is_no_coap_is_aborted_and_what_is_empty_ignored(p, data, why):
    p.srv.send(b"\x00\x00", b"\x20\x00\xff\x01", data)
    assert p.srv.recv_signal(ABORT).payload
    assert p.srv.wait_closed() == []
    p.gw.wait_log(r"ev=connection\.lost .*result=protocol .*%s" % why)
    p.accept()  # a registered device is there again at once
    p.ping()


def test_r9_a_server_that_sends_one_octet_at_a_time_or_garbage_harms_nobody(gateway, testbed):
    p = stream_pair(gateway, testbed)
    p.register()
    for _ in range(3):
        for octet in encode(Msg.request("GET", "/3/0", token=b"slow")):
            p.srv.send(bytes([octet]))
        p.dev.reply(p.dev.recv(), "2.05", b"v")
        assert p.srv.recv().payload == b"v"
    p.ping()


def test_r9_a_server_that_refuses_is_tried_again_with_pauses_and_one_alarm(gateway, testbed):
    listener = StreamServer()
    addr = listener.addr
    listener.close()
    p = stream_pair(gateway, testbed, listener=listener)
    p.dev.send(Msg.request("GET", "/x", token=b"w", mid=5))
    p.gw.wait_log(r"dev=meter-17 ev=connect\.failed server=main result=refused .*again_ms=\d+")
    p.gw.wait_metric('niddgw_north_connects_total{server="main",result="refused"}', 2)
    assert len(p.gw.log.all(lambda line: "level=warning" in line and "connect.failed" in line)) == 1
    assert len(p.gw.log.all(lambda line: "alarm.raised" in line and "server.unreachable" in line)) == 1
    p.listener = testbed._keep(StreamServer(host=addr[0], port=addr[1]))
    p.accept()
    asked = p.srv.recv()
    assert asked.path() == "/x"
    p.srv.reply(asked, "2.05")
    assert p.dev.recv(where=lambda m: not m.is_empty).code == "2.05"
    assert len(p.gw.log.all(lambda line: "alarm.cleared" in line and "server.unreachable" in line)) == 1


def test_a_server_is_found_by_its_name_and_pinged_when_idle(gateway, testbed):
    listener = testbed._keep(StreamServer(host="127.0.0.1", port=0))
    listener.uri = "coap+tcp://localhost:%d" % listener.addr[1]
    p = stream_pair(gateway, testbed, listener=listener, server_keys={"keepalive_s": 1, "handshake_timeout_s": 1})
    p.register()
    assert not p.srv.recv_signal(PING).has(CUSTODY)
    p.srv.pong = False
    assert p.srv.recv_signal(PING)
    assert p.srv.wait_closed() == []
    p.gw.wait_log(r"ev=connection\.lost .*result=silent")


def test_a_restart_connects_again_and_registrations_stay(p):
    p.gw.stop()
    p.gw.start()
    p.accept()
    p.gw.ready()
    got = p.down("GET", "/3/0", token=b"R")
    p.dev.reply(got, "2.05", b"v")
    assert p.srv.recv().payload == b"v"
    p.dev.send(Msg.request("POST", "/rd/5a3f", token=b"u", mid=40))
    asked = p.srv.recv()
    assert asked.path() == "/rd/5a3f"
    p.srv.reply(asked, "2.04")
    assert p.dev.recv().code == "2.04"
