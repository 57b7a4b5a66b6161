# SPDX-License-Identifier: Apache-2.0
"""OSCORE through the running daemon, over link udp and over T8: two ends of ours that know the keys, and a gateway between them
that does not. Every message is compared on both hops. Numbers are the acceptance cases of the CoAP (coap), LwM2M (lwm2m) and
reliability (S) references."""
import itertools

import pytest

from bed import wait_until
from coapmsg import BLOCK1, ECHO, LOCATION_PATH, OBSERVE, OSCORE, Msg, block
from oscore import Context, End, Refused
from pair import pair
from t8scene import t8  # noqa: F401  (a fixture)

SECRET, KID, FAR = b"\x0a" * 16, b"\x0a\xf1", b"\x51"
RECORD = {"oscore": [{"server": "main", "kid": KID.hex()}]}


class Wire:
    """One device and one server; what goes in at one end has to come out at the other with the same protection."""

    def __init__(self):
        ctx = Context(SECRET, KID, FAR, b"salt", b"\x37\xcb")
        self.dev, self.srv = End(ctx, kid_context=True), End(ctx.mirrored())
        self._mid, self.seen = itertools.count(1), []

    def _same(self, out, came):
        assert (came.code, came.payload) == (out.code, out.payload), (out, came)
        assert [o for o in came.options if o[0] != OBSERVE] == [o for o in out.options if o[0] != OBSERVE], (out, came)
        assert came.has(OBSERVE) == out.has(OBSERVE)
        self.seen.append(out)
        return came

    def message(self, method, path="", type=0, **kw):
        mid = next(self._mid)
        return Msg.request(method, path, mid=mid, type=type, **dict({"token": b"\xd0%c" % mid}, **kw))

    # -- the four ways ---------------------------------------------------------------------------------------------

    def up(self, outer):
        """A request of the device, as the server got it."""
        self.put_up(outer)
        return self._same(outer, self.take_north())

    def back(self, asked, answer):
        """The server's answer to what it got; as the device got it."""
        self.put_north(answer)
        return self._same(answer, self.take_down())

    def down(self, outer):
        self.put_north(outer)
        return self._same(outer, self.take_down())

    def forth(self, answer):
        self.put_up(answer)
        return self._same(answer, self.take_north())

    # -- whole exchanges: what was inside at the one who was asked, and what was inside of the answer -------------------

    def ask_server(self, msg, code="2.04", **reply):
        asked = self.up(self.dev.request(msg))
        inner = self.srv.open_request(asked)
        answer = self.srv.wants_echo(inner) or inner.reply(code, **reply)
        return inner, self.dev.open_answer(self.back(asked, self.srv.answer(asked, answer)))

    def ask_device(self, msg, code="2.05", **reply):
        asked = self.down(self.srv.request(msg))
        inner = self.dev.open_request(asked)
        answer = self.dev.wants_echo(inner) or inner.reply(code, **reply)
        return inner, self.srv.open_answer(self.forth(self.dev.answer(asked, answer)))

    def hello(self):
        """The server hears of the device."""
        assert self.ask_server(self.message("POST", "rd"))[1].code == "2.04"


class UdpWire(Wire):
    def __init__(self, p):
        super().__init__()
        self.gw = p.gw
        self.put_up, self.take_down, self.settle = p.dev.send, p.dev.recv, lambda: None
        self.put_north, self.take_north = p.srv.send, p.srv.recv


class T8Wire(Wire):
    EID = "m1@iot.example"

    def __init__(self, s):
        super().__init__()
        self.gw = s.gw
        self.put_up, self.take_down, self.settle = lambda m: s.fake.up(self.EID, m), lambda: s.fake.down(self.EID), s.settle
        self.put_north, self.take_north = s.srv.send, s.srv.recv


@pytest.fixture(params=["udp", "t8"])
def wire(request, gateway, udp_peer, t8):  # noqa: F811
    """make(record=..): a wire; record: keys of the device."""
    def make(record=RECORD, **kw):
        if request.param == "udp":
            return UdpWire(pair(gateway, udp_peer, device_keys=record, **kw))
        return T8Wire(t8(device_keys=record, **kw))
    return make


def echo_of(answer):
    return [(ECHO, answer.values(ECHO)[0])]


def test_lwm2m_28_register_with_echo_and_more(wire):
    w = wire()
    w.srv = End(w.srv.ctx, fresh=True)
    register = dict(query=["ep=x", "lt=300", "b=N"], content_format=40, payload=b"</1/0>")
    inner, answer = w.ask_server(w.message("POST", "rd", **register))
    assert (inner.path(), inner.query()) == ("/rd", ["ep=x", "lt=300", "b=N"])
    assert answer.code == "4.01" and w.seen[-1].code == "2.04"
    inner, answer = w.ask_server(w.message("POST", "rd", options=echo_of(answer), **register), "2.01",
                                 options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"7")])
    assert answer.code == "2.01" and answer.location() == "rd/7"
    _, read = w.ask_device(w.message("GET", "/3/0/0"), payload=b"Open Mobile")
    assert (read.code, read.payload) == ("2.05", b"Open Mobile")
    # metadata only in the log, and no registration that nobody could see
    w.gw.wait_log("ev=oscore .*kid=%s kid_context=37cb" % KID.hex())
    text = "\n".join(w.gw.log.lines)
    assert not [m for m in w.seen if m.payload[:6].hex() in text]
    assert {d["state"] for d in w.gw.ctl("device", "list")["items"]} == {"unregistered"}


def test_coap_40_both_directions_and_sizes(wire):
    w = wire()
    for size in (0, 1, 255, 700):
        inner, answer = w.ask_server(w.message("POST", "/dp", content_format=112, payload=b"r" * size), payload=b"a" * size)
        assert (inner.payload, answer.payload) == (b"r" * size, b"a" * size)
        inner, answer = w.ask_device(w.message("PUT", "/19/0/0", payload=b"w" * size), "2.04", payload=b"b" * size)
        assert (inner.payload, answer.payload) == (b"w" * size, b"b" * size)
    assert {m.code for m in w.seen} == {"0.02", "2.04"}
    assert {n for m in w.seen for n, _ in m.options} == {OSCORE}


def test_coap_41_observe_and_cancel(wire):
    w = wire()
    w.hello()
    asked, first = w.ask_device(w.message("GET", "/3303/0/5700", observe=0, token=b"T"), payload=b"20", observe=1)
    assert first.payload == b"20" and w.seen[-2].code == "0.05" and w.seen[-1].code == "2.05"
    for value in (2, 3, 4):
        inner = Msg(1, "2.05", 500 + value, asked.token, [(OBSERVE, bytes([value]))], b"%d" % (20 + value))
        note = w.srv.open_answer(w.forth(w.dev.answer(asked, inner)))
        assert (note.payload, note.uint(OBSERVE)) == (b"%d" % (20 + value), 0)
    again, cancel = w.ask_device(w.message("GET", "/3303/0/5700", observe=1, token=b"T"), payload=b"25")
    assert again.token == asked.token and cancel.payload == b"25" and not w.seen[-1].has(OBSERVE)
    # the device that goes on is told to stop
    w.put_up(w.dev.answer(asked, Msg(1, "2.05", 600, asked.token, [(OBSERVE, b"\x05")], b"26")))
    rst = w.take_down()
    assert (rst.type, rst.code, rst.mid) == (3, "0.00", 600)


def test_three_thousand_octets_in_inner_blocks(wire):
    """Each inner block is a request of its own outside: nothing is put together, and their order is kept."""
    w, body, got = wire(), bytes(range(256)) * 12, b""
    w.hello()
    for at in range(0, len(body), 512):
        more = at + 512 < len(body)
        number = [(BLOCK1, block(at // 512, more, 512))]
        msg = w.message("PUT", "/5/0/0", options=number, content_format=42, payload=body[at:at + 512])
        inner, answer = w.ask_device(msg, "2.31" if more else "2.04", options=number)
        assert answer.code == ("2.31" if more else "2.04")
        got += inner.payload
    assert got == body
    assert {n for m in w.seen for n, _ in m.options} == {OSCORE}
    numbers = [m.values(OSCORE)[0][1] for m in w.seen if m.code == "0.02"][1:]
    assert numbers == list(range(6))


def test_coap_46_a_restarted_end_asks_for_echo(wire):
    w = wire()
    w.hello()
    w.srv = End(w.srv.ctx, first=100, fresh=True)
    _, answer = w.ask_server(w.message("POST", "/dp", payload=b"x"))
    assert answer.code == "4.01" and w.seen[-1].code == "2.04"
    inner, answer = w.ask_server(w.message("POST", "/dp", options=echo_of(answer), payload=b"x"))
    assert answer.code == "2.04" and inner.payload == b"x"
    w.dev = End(w.dev.ctx, first=200, fresh=True, kid_context=True)
    _, answer = w.ask_device(w.message("GET", "/3/0"))
    assert answer.code == "4.01"
    _, answer = w.ask_device(w.message("GET", "/3/0", options=echo_of(answer)), payload=b"fresh")
    assert answer.payload == b"fresh"


def test_coap_48_restarted_client_is_told_until_its_number_passes(wire):
    w = wire()
    for _ in range(3):
        w.ask_server(w.message("POST", "/dp"))
    w.dev = End(w.dev.ctx, kid_context=True)
    told = []
    for _ in range(4):
        asked = w.up(w.dev.request(w.message("POST", "/dp")))
        try:
            answer = w.srv.answer(asked, w.srv.open_request(asked).reply("2.04"))
        except Refused as r:
            answer = r.answer(asked)
        came = w.back(asked, answer)
        told.append((w.dev.open_answer(came).code, came.has(OSCORE), came.payload if not came.has(OSCORE) else b""))
    assert told == [("4.01", False, b"Replay detected")] * 3 + [("2.04", True, b"")]


def test_coap_42_a_duplicated_unit_is_no_replay(wire):
    w = wire()
    outer = w.dev.request(w.message("POST", "/dp"))
    asked = w.up(outer)
    w.put_up(outer)
    inner = w.srv.open_request(asked)
    first = w.back(asked, w.srv.answer(asked, inner.reply("2.04")))
    w.settle()  # until then the answer is still on its way: a repetition gets no second one
    w.put_up(outer)
    assert w.take_down().encode() == first.encode()
    # the next thing that the server gets is the next request: it has seen no repetition
    _, answer = w.ask_server(w.message("POST", "/dp"))
    assert answer.code == "2.04"
    w.gw.wait_metric('niddgw_uplink_total{result="duplicate"}', 2)
    # the same of the server: one unit goes down
    outer = w.srv.request(w.message("GET", "/3/0", token=b"T"))
    asked = w.down(outer)
    w.put_north(outer)
    inner = w.dev.open_request(asked)
    answer = w.forth(w.dev.answer(asked, inner.reply("2.05", b"once")))
    w.put_north(outer)
    assert w.take_north().encode() == answer.encode()
    _, answer = w.ask_device(w.message("GET", "/3/0", token=b"U"), payload=b"next")
    assert answer.payload == b"next"


def test_s6_and_lwm2m_29_a_kid_of_another_is_refused(wire):
    w = wire()
    stranger = End(Context(SECRET, b"\x0b", FAR, b"salt"))
    w.put_up(stranger.request(w.message("POST", "/rd")))
    refused = w.take_down()
    assert refused.code == "4.03" and not refused.has(OSCORE) and not refused.payload
    wait_until(lambda: "device.identity_mismatch" in [a["type"] for a in w.gw.ctl("alarms")["items"]])
    w.gw.wait_log("ev=device.identity_mismatch .*kid=0b")
    _, answer = w.ask_server(w.message("POST", "/rd"))  # the next that the server gets is its own
    assert answer.code == "2.04"
    assert "device.identity_mismatch" not in [a["type"] for a in w.gw.ctl("alarms")["items"]]


def test_coap_52_a_message_above_the_mtu_is_told_the_size(wire):
    w = wire(profile={"mtu": 200})
    w.hello()
    w.put_north(w.srv.request(w.message("PUT", "/19/0/0", payload=b"x" * 300, token=b"T")))
    answer = w.take_north()
    assert answer.code == "4.13" and answer.uint(60) == 200 and not answer.has(OSCORE)
    assert "device.too_big" in [a["type"] for a in w.gw.ctl("alarms")["items"]]
    _, answer = w.ask_device(w.message("GET", "/3/0", token=b"U"), payload=b"ok")
    assert answer.payload == b"ok"


def test_coap_52_outer_blocks_all_have_the_same_option(wire):
    """A device that is marked able puts outer blocks together before it decrypts; what it answers fits."""
    w, body = wire(profile={"mtu": 200, "oscore_reblock": True}), bytes(range(250)) * 3
    w.hello()
    outer = w.srv.request(w.message("PUT", "/19/0/0", payload=body, token=b"T"))
    w.put_north(outer)
    whole, more = b"", True
    while more:
        part = w.take_down()
        assert part.code == "0.02" and part.values(OSCORE) == outer.values(OSCORE) and len(part.encode()) <= 200
        number, more, _ = part.block(BLOCK1)
        whole += part.payload
        if more:
            w.put_up(part.reply("2.31", options=[(BLOCK1, part.values(BLOCK1)[0])]))
    assert number > 3 and whole == outer.payload
    asked = Msg(part.type, outer.code, part.mid, part.token, [(OSCORE, outer.values(OSCORE)[0])], whole)
    inner = w.dev.open_request(asked)
    assert (inner.path(), inner.payload) == ("/19/0/0", body)
    answer = w.dev.answer(asked, inner.reply("2.04"))
    answer.options.append((BLOCK1, part.values(BLOCK1)[0]))
    w.put_up(answer)
    came = w.take_north()
    if not came.token:  # an empty ACK, when the blocks took longer than it waits
        came = w.take_north()
    assert w.srv.open_answer(came).code == "2.04"


def test_a_kill_between_the_hops_is_no_replay(wire):
    """The same message again with its message id, as a retransmission: the server's message layer knows it."""
    w = wire()
    outer = w.dev.request(w.message("POST", "/dp"))
    w.put_up(outer)
    asked = w.take_north()
    w.gw.kill9()
    w.gw.start().ready()
    again = w.take_north()
    assert again.encode() == asked.encode()
    inner = w.srv.open_request(asked)
    assert w.dev.open_answer(w.back(asked, w.srv.answer(asked, inner.reply("2.04")))).code == "2.04"
