# SPDX-License-Identifier: Apache-2.0
"""What hostile ends can send over UDP: cases S1, S2, S4 and S22 of the reliability paper, against the running daemon."""
import random

import pytest

from bed import loop_host, split_addr, udp_config, wait_until
from coapmsg import ACK, CON, NON, RST, Msg
from pair import LOCATION, REGISTER, pair
from test_udp_passing import DOWN, UP, octets

OPEN = {"quota_units_per_min": 10000000}


def valid_messages():
    rows = [octets(v) for v in (*UP.values(), *DOWN.values())]
    rows += [Msg(t, code, 7, b"tok", [(6, b"\x01"), (12, b"\x70")], b"payload").encode() for t in (CON, NON, ACK) for code in ("2.05", "4.04")]
    rows += [Msg(t, mid=9).encode() for t in (CON, ACK, RST)]
    rows += [Msg.request("PUT", "/" + "a" * n, mid=n, token=b"12345678", payload=bytes(n)).encode() for n in (1, 13, 14, 255, 268)]
    rows += [Msg.request("GET", "/x", mid=1, options=[(n, b"v")]).encode() for n in (65000, 65001, 2049, 9)]
    return rows


def hostile():
    rows = valid_messages()
    assert len(rows) >= 30
    for row in rows:  # S1
        for n in range(len(row)):
            yield row[:n]
    for first in range(0x40, 0x80):
        for n in range(4, 14):
            yield bytes([first, 1, 0, first]) + b"t" * (n - 4)
    for first in (0x4d, 0x5e, 0x4e):  # extended tokens, RFC 8974
        for n in range(0, 4):
            yield bytes([first, 1, 0, 1]) + b"\xff" * n
    for delta in (65535 - 269, 65536 - 269, 65804 - 269):  # S2
        for head in (b"\x40", b"\x50"):
            yield head + b"\x01\x00\x09\xe1" + delta.to_bytes(2, "big") + b"v"
            yield head + b"\x01\x00\x0a\x11a\xe0" + (delta - 1).to_bytes(2, "big")
    yield b"\x40\x01\x00\x0b\x1e\xff\xff" + bytes(40)  # length 65804
    yield b"\x40\x01\x00\x0c\xb0" + b"\x00" * 1000  # 1001 empty Uri-Path
    yield b"\x40\x01\x00\x0d" + b"\x10" * 1200  # one of each number
    yield b"\x40\x01\x00\x0e" + b"\xd0\xff" * 400


def is_sound(m):
    """What may come back for such a message: an empty one, or an error of ours."""
    return m.is_empty or m.code[0] in "45" or m.code == "2.05"


def test_s1_s2_hostile_messages_of_a_device(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=OPEN, server_keys={"answer_within_s": 1})
    rows = list(hostile())
    random.Random(1).shuffle(rows)
    for i, row in enumerate(rows):
        p.dev.send(row)
        if i % 64 == 63:
            p.gw.ctl("status")  # the daemon has been round its loop
    wait_until(lambda: sum(p.results().values()) == len(rows), what=lambda: "%s of %d" % (p.results(), len(rows)))
    assert p.results()["malformed"] > 500
    p.dev.sock.settimeout(0.05)
    try:
        while True:
            assert is_sound(Msg.parse(p.dev.sock.recv(2048)))
    except OSError:
        pass
    assert p.gw.ctl("status")["devices"]["total"] == 1
    wait_until(lambda: p.gw.metric('niddgw_exchanges{leg="up"}') == 0)
    assert len(p.gw.log.lines) < 3 * len(rows)


def test_s1_s2_hostile_messages_of_a_server(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=dict(OPEN, max_retransmit=0, ack_timeout_s=1), server_keys={"patience_s": 1})
    p.register()
    rows = list(hostile())
    for i, row in enumerate(rows):
        p.srv.send(row)
        if i % 64 == 63:
            p.gw.ctl("status")
    wait_until(lambda: p.gw.metric("niddgw_exchanges") == 0)
    asked = p.up("POST", "/rd/5a3f")
    while asked.code != "0.02":  # what else came is errors of ours
        assert is_sound(asked)
        asked = p.srv.recv()
    p.srv.reply(asked, "2.04")
    assert p.dev.recv(where=lambda m: m.type == ACK).code == "2.04"
    assert p.gw.metric("niddgw_north_rejected_total") > 500


def test_t8_66_oversized_empty_and_dtls_units(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    sizes = [1601, 1700, 4000, 65000]
    for n in sizes:
        p.dev.send(REGISTER + b"x" * (n - len(REGISTER)))
    for _ in range(3):
        p.dev.send(b"")
    for first in range(0x14, 0x40):
        p.dev.send(bytes([first]) + b"\xfe\xfd" + bytes(30))
    p.ping()
    # records with a header that can be read end where they say; the others have nowhere to go, since no server here speaks DTLS
    assert p.results() == {"too_big": len(sizes), "forwarded": 3 + 1, "malformed": 11, "refused": 0x40 - 0x14 - 11}
    p.srv.silent(0.001)
    p.register()


def test_s4_names_at_their_longest(gateway, udp_peer):
    """The unit grows north (inserted ep, longer token) and the size is checked in both directions."""
    ep = "e" * 128
    p = pair(gateway, udp_peer, device_keys={"ep": ep}, profile={"mtu": 1600, "ack_timeout_s": 15, "block": "pass"})
    m = Msg.request("POST", "/rd", ["x=" + "y" * 250] * 4, mid=1, payload=b"z")
    m.payload = b"z" * (1600 - len(m.encode()) + 1)
    assert len(m.encode()) == 1600
    p.dev.send(m)
    asked = p.srv.recv()
    assert asked.payload == m.payload and asked.query()[-1] == "ep=" + ep and len(asked.encode()) > 1730
    p.srv.reply(asked, "2.01", options=[(8, b"l" * 255)] * 5)
    assert p.dev.recv().values(8) == [b"l" * 255] * 5
    asked = p.up("GET", "/x", token=b"big")
    p.srv.reply(asked, "2.05", b"b" * 1700)
    assert p.dev.recv().code == "5.02"
    p.srv.send(Msg.request("PUT", "/3/0", mid=9, token=b"t", payload=b"p" * 1700))
    told = p.srv.recv()
    assert told.code == "4.13" and told.uint(60) == 1600
    p.ping()
    assert p.gw.metric("niddgw_too_big_total") >= 2


def test_the_mtu_of_a_profile_is_kept_to_the_octet(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"mtu": 128, "block": "pass"})
    p.register()
    m = Msg.request("PUT", "/3/0", mid=1, payload=b"x")
    m.payload = b"x" * (128 - len(m.encode()))  # with a token of one octet south: 128 exactly
    m.token = b"12345678"
    p.srv.send(m)
    got = p.dev.recv()
    assert len(got.encode()) <= 128
    p.dev.reply(got, "2.04")
    assert p.srv.recv().code == "2.04"
    m.payload, m.mid = m.payload + b"xx", 2
    p.srv.send(m)
    told = p.srv.recv()
    assert told.code == "4.13" and told.block(27)[2] <= 128 and told.uint(60) == 128
    p.ping()


def test_s22_datagrams_from_elsewhere_reach_nobody_and_get_no_answer(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    forger = udp_peer(host=loop_host())
    asked = p.up("GET", "/x", token=b"a")
    before = p.gw.metric("niddgw_north_rejected_total")
    for data in (asked.reply("2.05", b"forged"), asked.reply("2.05", b"forged", type=CON, mid=1), asked.rst(), asked.empty_ack(),
                 Msg.request("GET", "/3/0", mid=1), Msg(mid=3)):
        forger.send(data, ("127.0.0.1", port))
    forger.silent(0.02)
    # right address, wrong token; right token, wrong id or type
    wrong = [Msg(ACK, "2.05", asked.mid, bytes(8)), Msg(CON, "2.05", 70, bytes(8)), Msg(NON, "2.05", 71, bytes(8)), Msg(CON, "2.05", 72, b""),
             Msg(ACK, "2.05", asked.mid ^ 1, asked.token), Msg(ACK, "0.00", asked.mid ^ 1), Msg(RST, "0.00", asked.mid ^ 1),
             Msg(RST, "2.05", asked.mid, asked.token), Msg(ACK, "0.01", asked.mid, asked.token)]
    for m in wrong:
        p.srv.send(m)
    p.ping()
    assert p.gw.metric("niddgw_north_rejected_total") == before + len(wrong)
    p.srv.reply(asked, "2.05", b"true")
    assert p.dev.recv().payload == b"true"
    p.ping()


def test_s26_tokens_and_ids_north_cannot_be_guessed(gateway, udp_peer):
    tokens, mids, ports = set(), set(), set()
    for _ in range(3):
        p = pair(gateway, udp_peer)
        for i in range(20):
            asked = p.up("GET", "/x", mid=i)
            p.srv.reply(asked, "2.05")
            p.dev.recv()
            tokens.add(asked.token)
            if i == 0:
                mids.add(asked.mid)
        ports.add(p.port)
        p.gw.stop()
    assert len(tokens) == 60 and all(len(t) == 8 for t in tokens)
    assert len(mids) == 3 and len(ports) == 3  # each gateway has a key of its own
    assert all(len({t[i] for t in tokens}) > 20 for i in range(8))


def test_a_reset_flood_to_a_north_port_changes_nothing(gateway, udp_peer):
    """coap 53."""
    p = pair(gateway, udp_peer)
    p.register()
    got = p.observe()
    for mid in range(20000):
        p.srv.send(Msg(RST, mid=mid))
        if mid % 128 == 127:
            p.gw.ctl("status")
    p.ping()
    p.dev.send(got.reply("2.05", b"x", observe=9, type=NON, mid=7))
    note = p.srv.recv()
    assert note.uint(6) == 9
