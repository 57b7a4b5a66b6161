# SPDX-License-Identifier: Apache-2.0
"""Observations through `link udp`: order, both kinds of cancel, what ends a relation."""
import pytest

from coapmsg import ACK, CON, NON, OBSERVE, RST, Msg
from pair import LOCATION, REGISTER, pair


@pytest.fixture
def p(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    return p


def notify(p, got, value, kind=NON, mid=None, code="2.05"):
    note = got.reply(code, b"v%d" % value, observe=value, type=kind, mid=p.dev.next_mid() if mid is None else mid)
    p.dev.send(note)
    return note


def test_coap_28_lwm2m_17_twenty_non_notifications_in_order(p):
    got = p.observe(value=2)
    values = [3 + 2 * i for i in range(19)] + [16777215]
    for v in values:
        notify(p, got, v)
    for v in values:
        note = p.srv.recv()
        assert (note.type, note.code, note.token, note.uint(OBSERVE), note.payload) == (NON, "2.05", b"ob", v, b"v%d" % v)
    notify(p, got, 0)  # 24 bits are over
    assert p.srv.recv().values(OBSERVE) == [b""]
    p.ping()  # nothing came down for any of them
    assert p.results()["forwarded"] == 21 + 2 and p.gw.ctl("device", "show", "meter-17")["servers"][0]["observations"] == 1


def test_twenty_con_notifications_in_order_each_acknowledged_once(p):
    got = p.observe()
    notes = [notify(p, got, v, CON) for v in range(1, 21)]
    for note in notes:
        assert p.dev.recv() == note.empty_ack()
    for v in range(1, 21):
        note = p.srv.recv()
        assert (note.type, note.token, note.uint(OBSERVE), note.payload) == (CON, b"ob", v, b"v%d" % v)
        p.srv.send(note.empty_ack())
    p.dev.send(notes[-1])
    assert p.dev.recv() == notes[-1].empty_ack()
    p.ping()
    assert p.gw.metric("niddgw_in_doubt_total") == 0


def test_an_unconfirmed_con_notification_keeps_those_behind_it_in_order(p):
    got = p.observe()
    for v in range(1, 5):
        notify(p, got, v, CON)
    first = p.srv.recv()
    assert first.uint(OBSERVE) == 1
    assert p.srv.recv() == first  # again: nothing overtakes it
    p.srv.send(first.empty_ack())
    for v in (2, 3, 4):
        note = p.srv.recv()
        assert note.uint(OBSERVE) == v and note.mid != first.mid
        p.srv.send(note.empty_ack())
    for _ in range(4):
        p.dev.recv()
    p.ping()


def test_coap_28_active_cancel_carries_the_token_of_the_observation(p):
    got = p.observe(accept=112)
    assert got.uint(OBSERVE) == 0
    cancel = p.down("GET", "/3303/0/5700", token=b"ob", observe=1, accept=112)
    assert cancel.token == got.token and cancel.uint(OBSERVE) == 1
    assert [o for o in cancel.options if o[0] != OBSERVE] == [o for o in got.options if o[0] != OBSERVE]
    p.dev.reply(cancel, "2.05", b"last")
    back = p.srv.recv()
    assert back.code == "2.05" and not back.has(OBSERVE)
    note = notify(p, got, 9)
    assert p.dev.recv() == Msg(RST, "0.00", note.mid)
    p.ping()


@pytest.mark.parametrize("kind", [NON, CON])
def test_coap_29_lwm2m_18_passive_cancel_reaches_the_device_with_its_next_value(p, kind):
    got = p.observe()
    note = notify(p, got, 1, kind)
    if kind == CON:
        assert p.dev.recv() == note.empty_ack()
    p.srv.send(p.srv.recv().rst())
    p.ping()
    note = notify(p, got, 2, kind)
    assert p.dev.recv() == Msg(RST, "0.00", note.mid)
    p.ping()
    assert p.gw.metric("niddgw_observe_reset_total") == 1


def test_coap_30_an_unknown_token_is_reset_and_changes_nothing(p):
    got = p.observe()
    for kind in (CON, NON):
        stranger = Msg(kind, "2.05", p.dev.next_mid(), b"zz", [(OBSERVE, b"\x05")], b"x")
        p.dev.send(stranger)
        assert p.dev.recv() == stranger.rst()
    notify(p, got, 7)
    assert p.srv.recv().uint(OBSERVE) == 7
    p.ping()


def test_coap_31_an_error_notification_is_the_last(p):
    got = p.observe()
    notify(p, got, 3, CON, code="4.04")
    note = p.srv.recv()
    assert note.code == "4.04" and note.token == b"ob"
    p.srv.send(note.empty_ack())
    assert p.dev.recv().type == ACK
    late = notify(p, got, 4)
    assert p.dev.recv() == late.rst()
    p.ping()


def test_coap_33_observing_again_with_the_same_token_is_a_refresh(p):
    got = p.observe()
    again = p.down("GET", "/3303/0/5700", token=b"ob", observe=0)
    assert again.token == got.token
    p.dev.reply(again, "2.05", b"again", observe=5)
    assert p.srv.recv().uint(OBSERVE) == 5
    notify(p, got, 6)
    assert p.srv.recv().uint(OBSERVE) == 6
    p.ping()


def test_lwm2m_19_a_new_register_voids_the_observations(p):
    got = p.observe()
    again = Msg.parse(REGISTER)
    again.mid = 2
    p.register(again.encode(), LOCATION)
    note = notify(p, got, 2)
    assert p.dev.recv() == note.rst()
    p.ping()
    assert p.gw.ctl("device", "show", "meter-17")["servers"][0]["observations"] == 0


def test_observations_of_equal_paths_do_not_mix(p):
    first, second = p.observe(token=b"\x00\x00\x00\x01"), p.observe(token=b"\x00\x00\x00\x02")
    assert first.token != second.token
    notify(p, second, 8)
    assert p.srv.recv().token == b"\x00\x00\x00\x02"
    notify(p, first, 9)
    assert p.srv.recv().token == b"\x00\x00\x00\x01"


def test_an_observation_of_several_paths_is_a_fetch(p):
    got = p.down("FETCH", "/", token=b"oc", observe=0, content_format=112, payload=b"\x81\xa1\x00\x64/3/0")
    assert got.code == "0.05" and got.payload == b"\x81\xa1\x00\x64/3/0"
    p.dev.reply(got, "2.05", b"s", observe=1)
    p.srv.recv()
    notify(p, got, 2)
    assert p.srv.recv().token == b"oc"
    cancel = p.down("FETCH", "/", token=b"oc", observe=1, content_format=112, payload=b"\x81\xa1\x00\x64/3/0")
    assert cancel.token == got.token and cancel.payload == got.payload
    p.dev.reply(cancel, "2.05", b"e")
    p.srv.recv()
    note = notify(p, got, 3)
    assert p.dev.recv() == note.rst()


def test_an_observation_survives_an_update_and_a_reload(p):
    got = p.observe()
    asked = p.up("POST", "/rd/5a3f", query=["lt=100"])
    p.srv.reply(asked, "2.04")
    p.dev.recv()
    p.tree["servers"][0]["patience_s"] = 60
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    notify(p, got, 2)
    assert p.srv.recv().uint(OBSERVE) == 2
    p.ping()
