# SPDX-License-Identifier: Apache-2.0
"""niddgw_uplink_total counts each unit exactly once, when its fate is known, under the right result (INTERFACE 3)."""
import json

import pytest

from bed import wait_until
from coapmsg import ACK, CON, NON, NO_RESPONSE, RST, Msg
from pair import LOCATION, QUICK_ACK, REGISTER, pair

GET = dict(token=b"g")


def answered(p):
    asked = p.up("GET", "/a", **GET)
    assert p.results() == {}  # not before it is known
    p.srv.reply(asked, "2.05")
    p.dev.recv()


def answered_with_an_error(p):
    p.srv.reply(p.up("GET", "/a", **GET), "4.04")
    p.dev.recv()


def answered_non(p):
    p.srv.reply(p.up("GET", "/a", type=NON, **GET), "2.05", mid=1)
    p.dev.recv()


def forwarded_without_an_answer_wanted(p):
    p.srv.reply(p.up("POST", "/dp", options=[(NO_RESPONSE, b"\x1a")], **GET), "2.04")
    p.dev.recv()


def forwarded_ping(p):
    p.dev.send(Msg(mid=5))
    p.dev.recv()


def forwarded_empty_unit(p):
    p.dev.send(b"")


def duplicate(p):
    answered(p)
    p.dev.send(p.asked_up)
    p.dev.recv()
    return {"answered": 1, "duplicate": 1}


def duplicate_of_an_open_request(p):
    asked = p.up("GET", "/a", **GET)
    p.dev.send(p.asked_up)
    p.gw.wait_metric('niddgw_uplink_total{result="duplicate"}', 1)
    p.srv.reply(asked, "2.05")
    p.dev.recv()
    return {"answered": 1, "duplicate": 1}


def malformed_con(p):
    p.dev.send(b"\x49\x01\x00\x01")
    assert p.dev.recv() == Msg(RST, "0.00", 1)


def malformed_non(p):
    p.dev.send(b"\x50\x01\x00\x01\xd1")


def malformed_of_no_protocol(p):
    p.dev.send(b"\xff\x00\x01\x02\x03")


def malformed_version(p):
    p.dev.send(b"\x80\x01\x00\x01")


def refused_option(p):
    p.dev.send(Msg.request("GET", "/a", mid=3, options=[(65003, b"")]))
    p.dev.recv()


def refused_identity(p):
    p.dev.send(Msg.request("POST", "/rd", ["ep=other", "lt=1", "lwm2m=1.1"], mid=3))
    p.dev.recv()


def refused_method(p):
    p.dev.send(Msg.request("0.09", "/a", mid=3))
    p.dev.recv()


def unknown_device(p):
    p.stranger.send(REGISTER)


def too_big(p):
    p.dev.send(Msg.request("POST", "/dp", mid=3, payload=bytes(1601)))


def dropped_answer_to_nothing(p):
    p.dev.send(Msg(ACK, "2.05", 77, b"zz"))


def dropped_reset_of_nothing(p):
    p.dev.send(Msg(RST, "0.00", 77))


def dropped_notification_of_nothing(p):
    p.dev.send(Msg(NON, "2.05", 77, b"zz", [(6, b"\x01")]))
    assert p.dev.recv().type == RST


def refused_dtls_without_a_server_for_it(p):
    p.dev.send(b"\x16\xfe\xfd" + bytes(8) + b"\x00\x02ab")


def malformed_dtls(p):
    p.dev.send(b"\x16\xfe\xfd" + bytes(40))


def failed_silent_server(p):
    p.up("GET", "/a", **GET)
    assert p.dev.recv().code == "5.04"


def failed_reset(p):
    p.srv.send(p.up("GET", "/a", **GET).rst())
    assert p.dev.recv().code == "5.02"


CASES = [answered, answered_with_an_error, answered_non, forwarded_without_an_answer_wanted, forwarded_ping, forwarded_empty_unit, duplicate,
         duplicate_of_an_open_request, malformed_con, malformed_non, malformed_of_no_protocol, malformed_version, refused_option,
         refused_identity, refused_method, unknown_device, too_big, dropped_answer_to_nothing, dropped_reset_of_nothing,
         dropped_notification_of_nothing, refused_dtls_without_a_server_for_it, malformed_dtls, failed_silent_server, failed_reset]


@pytest.mark.parametrize("case", CASES, ids=[c.__name__ for c in CASES])
def test_a_unit_is_counted_once_under_its_result(gateway, udp_peer, case):
    p = pair(gateway, udp_peer, server_keys={"answer_within_s": 1})
    p.stranger = udp_peer(to=p.dev.to)
    expected = case(p)
    if expected is None:
        word = next(r for r in ("answered", "forwarded", "malformed", "refused", "unknown_device", "too_big", "dropped", "failed")
                    if case.__name__.startswith(r))
        expected = {word: 1}
    wait_until(lambda: sum(p.results().values()) >= sum(expected.values()), what=lambda: "%s counted" % p.results())
    p.ping()
    expected = dict(expected, forwarded=expected.get("forwarded", 0) + 1)  # the ping
    assert p.results() == expected
    text = p.gw.http("/metrics")[1]
    assert 'niddgw_uplink_total{transport="udp",peer="sgi",result="answered"}' in text


def test_units_beyond_the_quota_are_counted_as_such(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"quota_units_per_min": 5})
    for i in range(5):
        p.srv.reply(p.up("GET", "/a", mid=i), "2.05")
        p.dev.recv()
    p.dev.send(Msg.request("GET", "/a", mid=6))
    told = p.dev.recv()
    assert told.code == "4.29" and told.uint(14) > 0
    p.dev.send(Msg.request("GET", "/a", mid=7, type=NON))
    p.dev.send(b"\xff")
    p.gw.wait_metric('niddgw_uplink_total{result="quota"}', 3)
    assert p.results() == {"answered": 5, "quota": 3}


def test_notifications_answers_and_their_acks_are_forwarded(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=QUICK_ACK)
    p.register()
    got = p.observe()                                                    # an answer
    p.dev.send(got.reply("2.05", b"x", observe=3, type=NON, mid=1))      # a notification
    p.srv.recv()
    asked = p.up("GET", "/a")
    assert p.dev.recv().code == "0.00"
    p.srv.reply(asked, "2.05")
    separate = p.dev.recv()
    p.dev.send(separate.empty_ack())                                     # an ACK
    wait_until(lambda: p.results() == {"answered": 2, "forwarded": 3}, what=p.results)


def test_the_sum_over_results_is_the_number_of_units(gateway, udp_peer):
    """A storm of everything at once: whatever comes of a unit, it is counted, and once."""
    p = pair(gateway, udp_peer, server_keys={"answer_within_s": 1}, profile={"quota_units_per_min": 10000000})
    sent = 0
    for mid in range(300):
        for data in (Msg.request("GET", "/a", mid=mid, token=bytes([mid & 7])), Msg.request("POST", "/b", mid=mid & 31, type=NON),
                     Msg(ACK, "2.04", mid, b"q"), Msg(RST, mid=mid), Msg(CON, mid=mid), b"\x4f\x01" + mid.to_bytes(2, "big")):
            p.dev.send(data)
            sent += 1
        if mid % 50 == 49:  # no faster than it is taken: the kernel's buffer is not what is tested
            p.gw.wait_metric("niddgw_uplink_total", 1)
    wait_until(lambda: sum(p.results().values()) == sent, what=lambda: "%s of %d" % (p.results(), sent))
    assert p.gw.metric('niddgw_exchanges{leg="up"}') == 0
    assert json.loads(p.gw.http("/api/v1/devices/meter-17")[1])["device"] == "meter-17"
