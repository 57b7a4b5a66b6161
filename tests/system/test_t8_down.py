# SPDX-License-Identifier: Apache-2.0
"""T8: units on their way down in the running daemon. Numbers are the acceptance cases of the T8 reference."""
import threading
import time

import pytest

from bed import wait_until
from coapmsg import ACK, BLOCK1, CON, Msg, block
from t8scene import t8  # noqa: F401  (a fixture)
from t8fake import Answer, Late, Lost, Silent, failure, when_utc

M1 = "m1@iot.example"
PAIR = {"m1": M1, "m2": "m2@iot.example"}


@pytest.fixture
def s(t8):  # noqa: F811
    return t8().register()


def posts(s, eid=M1, since=0):
    return s.fake.all("deliver", since, lambda r: r.json["externalId"] == eid)


def http_time(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))


def ended(s, asked, code="2.05", payload=b"ok"):
    """The server has its answer."""
    got = s.srv.recv(where=lambda m: m.is_response and m.token == asked.token)
    assert got.code == code and (code != "2.05" or got.payload == payload), got
    if got.type == CON:
        s.srv.send(got.empty_ack())
    return got


def serve(s, asked, name="m1"):
    """The unit is with the device; it answers; the server sees it."""
    down = s.fake.down(s.devices[name])
    assert down.is_request and down.path() == asked.path()
    s.answer(down, name=name)
    return ended(s, asked)


# ---- statuses ----

def test_t8_22_a_finished_delivery_is_not_polled(s):
    before = s.fake.mark()
    asked = s.ask()
    serve(s, asked)
    s.clock.forward(600)
    s.clock.forward(600)
    assert [r.op for r in s.fake.all(since=before)] == ["deliver"]
    assert s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 0
    assert s.gw.ctl("device", "show", "m1")["exchanges"] == 0


def test_t8_23_a_buffered_delivery_is_closed_by_its_status(s):
    s.fake.buffering = True
    asked = s.ask()
    kept = s.fake.wait("deliver", where=lambda r: r.status == 201)
    wait_until(lambda: s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 1)
    s.clock.forward(3)
    assert s.srv.recv().is_empty                       # the server stops to retransmit
    s.clock.forward(60)
    assert len(posts(s)) == 2                          # with the answer to the Register: the network keeps it, never twice
    s.fake.buffering = False
    assert s.fake.delivery_status(kept.answer.body["self"], "SUCCESS", M1).status == 204
    assert s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 0
    serve(s, asked)
    assert len(posts(s)) == 2 and not s.fake.all("lookup") and not s.fake.all("status")


def test_t8_24_a_status_before_the_201_is_matched(s):
    gate = threading.Event()
    s.fake.buffering = True
    s.fake.when("deliver", Late(gate))
    asked = s.ask()
    s.fake.wait("deliver", n=2, answered=False)
    link = next(iter(s.fake.pending))
    assert s.fake.delivery_status(link, "SUCCESS", M1).status == 204
    gate.set()
    s.settle()
    assert s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 0
    serve(s, asked)


KEPT = "configurations/1/downlink-data-deliveries/77"


@pytest.mark.parametrize("body, location", [
    ({"status": "SUCCESS"}, None), ({"status": "BUFFERING", "self": "/3gpp-nidd/v1/gw/" + KEPT}, None),
    ({"deliveryStatus": "BUFFERING"}, KEPT), ({}, None), (None, None),
    ({"deliveryStatus": "BUFFERING"}, "downlink-data-deliveries/77"), ({"deliveryStatus": "BUFFERING"}, "3gpp-nidd/v1/gw/" + KEPT),
    ({"deliveryStatus": "BUFFERING", "self": "downlink-data-deliveries/77"}, "/SCEF/3gpp-nidd/v1/gw/" + KEPT)])
def test_t8_25_deviating_answers_are_understood(s, body, location):
    pends = bool(body) and "BUFFERING" in body.values()
    s.fake.when("deliver", lambda r: s.fake.hand_over(M1, r.data) or Answer(201 if pends else 200, body,
                                                                           {"Location": location} if location else None))
    asked = s.ask()
    down = s.fake.down(M1)
    s.settle()
    assert s.gw.ctl("device", "show", "m1")["link"]["buffered"] == int(pends)
    if pends:
        link = "http://proxy.example/3gpp-nidd/v1/gw/" + KEPT
        assert s.fake.notify({"niddDownlinkDataTransfer": link, "status": "SUCCESS"}, M1).status == 204  # the alias here too
        assert s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 0
    s.answer(down)
    ended(s, asked)


@pytest.mark.parametrize("answer", [
    lambda: failure("TEMPORARILY_NOT_REACHABLE", when_utc(90)),
    lambda: Answer(200, {"data": "AA==", "deliveryStatus": "FAILURE_TEMPORARILY_NOT_REACHABLE",
                         "requestedRetransmissionTime": when_utc(90)})], ids=["500", "200"])
@pytest.mark.parametrize("wakes", [False, True])
def test_t8_26_a_failure_with_a_time_is_sent_again_then_or_at_the_next_uplink(s, answer, wakes):
    s.fake.when("deliver", answer())
    asked = s.ask()
    s.fake.wait("deliver", where=lambda r: r.status != 201, n=2)
    s.clock.forward(80)
    assert s.srv.recv().is_empty
    assert len(posts(s)) == 2
    assert s.gw.ctl("device", "show", "m1")["reach"] == "sleeping"
    if wakes:
        s.fake.up(M1, b"")
    else:
        s.clock.forward(12)
    s.fake.wait("deliver", n=3)
    serve(s, asked)
    assert posts(s)[1].data == posts(s)[2].data


def test_t8_27_a_failure_without_a_time_backs_off_and_ends(s):
    s.fake.when("deliver", failure("NEXT_HOP"), times=None)
    asked = s.ask()
    s.fake.wait("deliver", n=2)
    waits = []
    while len(posts(s)) < 5:                            # three more after the first
        n, waited = len(posts(s)), 0
        s.clock.forward(0.4)
        while len(posts(s)) == n:
            s.clock.forward(0.5)
            waited += 0.5
            s.settle()
            assert waited < 60
        waits.append(waited)
    s.fake.wait("deliver", n=5)
    s.settle()
    assert waits == sorted(waits), waits
    s.clock.forward(111)
    got = s.srv.recv(where=lambda m: m.is_response)
    assert got.code == "5.04" and got.token == asked.token
    s.clock.forward(300)
    assert len(posts(s)) == 5
    assert s.gw.ctl("links")["items"][0]["state"] == "up"   # a typed failure is about the device, not about the peer
    s.fake.normal()
    serve(s, s.ask())


def test_t8_28_a_server_fault_with_html_is_tried_again(s):
    page = Answer(500, "<html><body>Internal Server Error</body></html>", content_type="text/html")
    s.fake.when("deliver", page, times=2)
    asked = s.ask()
    s.fake.wait("deliver", n=2)
    s.clock.forward(2)
    s.fake.wait("deliver", n=3)
    s.clock.forward(3)
    s.fake.wait("deliver", n=4)
    serve(s, asked)
    assert len({p.data for p in posts(s)[1:]}) == 1


def test_t8_31_an_unacknowledged_success_may_be_lost_and_goes_again_with_its_message_id(t8):  # noqa: F811
    s = t8(profile={"ack_timeout_s": 2}).register()
    s.fake.when("deliver", Answer(200, {"deliveryStatus": "SUCCESS_UNACKNOWLEDGED"}))
    asked = s.ask()
    s.fake.wait("deliver", n=2)
    s.clock.forward(3)
    s.fake.wait("deliver", n=3)
    assert posts(s)[1].data == posts(s)[2].data         # the same message id and token
    serve(s, asked)


def test_t8_31_an_acknowledged_success_is_not_sent_again(t8):  # noqa: F811
    s = t8(profile={"ack_timeout_s": 2}).register()
    s.fake.when("deliver", lambda r: s.fake.hand_over(M1, r.data) or Answer(200, {"deliveryStatus": "SUCCESS_ACKNOWLEDGED"}))
    asked = s.ask()
    s.fake.wait("deliver", n=2)
    s.clock.forward(50)
    serve(s, asked)
    assert len(posts(s)) == 2


def test_t8_32_data_too_large_rereads_the_configuration_and_never_sends_the_same_again(t8):  # noqa: F811
    s = t8(profile={"block": "pass"}).register()
    s.fake.when("deliver", lambda r: s.fake.config(M1).update(maximumPacketSize=4000) or Answer(
        403, {"cause": "DATA_TOO_LARGE", "status": 403}, content_type="application/problem+json"))
    asked = s.ask(Msg.request("PUT", "/5/0/0", token=b"a", mid=1, payload=900 * b"x"))
    assert ended(s, asked, "4.13").uint(60) == 500
    assert len(s.fake.all("read")) == 1
    assert s.gw.ctl("device", "show", "m1")["link"]["mtu"] == 500
    refused = s.ask(Msg.request("PUT", "/5/0/0", token=b"b", mid=2, payload=600 * b"x"))
    hint = ended(s, refused, "4.13").block(27)
    assert hint[2] <= 500
    asked = s.ask(Msg.request("PUT", "/5/0/0", token=b"c", mid=3, payload=256 * b"x"))
    serve(s, asked)
    assert len([p for p in posts(s) if len(p.data) > 500]) == 1
    s.clock.forward(300)
    assert len([p for p in posts(s) if len(p.data) > 500]) == 1


def test_t8_32_413_lowers_the_size_too(t8):  # noqa: F811
    s = t8(profile={"block": "pass"}).register()
    s.fake.when("deliver", Answer(413))
    asked = s.ask(Msg.request("PUT", "/5/0/0", token=b"a", mid=1, payload=900 * b"x"))
    ended(s, asked, "4.13")
    assert s.gw.ctl("device", "show", "m1")["link"]["mtu"] < 920


def test_t8_34_a_large_write_is_refused_or_runs_block_by_block_and_never_exceeds_the_limit(t8):  # noqa: F811
    s = t8(profile={"block": "pass"}).register()
    whole = 4096 * b"x"
    asked = s.ask(Msg.request("PUT", "/5/0/0", token=b"a", mid=1, payload=whole))
    hint = ended(s, asked, "4.13")
    size = hint.block(27)[2]
    assert hint.uint(60) == 1358 and size == 1024
    for n in range(4):                                  # what the server does then
        m = Msg.request("PUT", "/5/0/0", token=b"b%d" % n, mid=10 + n, payload=whole[n * size:(n + 1) * size],
                        options=[(BLOCK1, block(n, n < 3, size))])
        s.ask(m)
        down = s.fake.down(M1)
        assert down.payload == m.payload and down.block(BLOCK1) == (n, n < 3, size)
        s.answer(down, "2.31" if n < 3 else "2.04", b"", options=[(BLOCK1, block(n, n < 3, size))])
        assert s.srv.recv(where=lambda a: a.token == m.token and a.is_response).block(BLOCK1) == (n, n < 3, size)
    assert max(len(p.data) for p in posts(s)) <= 1358


def test_t8_32_and_34_a_large_write_is_cut_and_cut_smaller_when_the_link_takes_less(s):
    whole = bytes(i & 0xFF for i in range(4096))
    asked = s.ask(Msg.request("PUT", "/5/0/0", token=b"a", mid=1, payload=whole))
    taken = b""
    while len(taken) < len(whole):
        down = s.fake.down(M1)
        n, more, size = down.block(BLOCK1)
        assert n * size == len(taken) and size == (1024 if len(taken) < 2048 else 256)
        taken += down.payload
        if len(taken) == 2048:
            s.fake.when("deliver", lambda r: s.fake.config(M1).update(maximumPacketSize=4000) or Answer(
                403, {"cause": "DATA_TOO_LARGE", "status": 403}, content_type="application/problem+json"))
        s.answer(down, "2.31" if more else "2.04", b"", options=[(BLOCK1, block(n, more, size))])
    assert taken == whole
    ended(s, asked, "2.04")
    sizes = [len(p.data) for p in posts(s)]
    assert max(sizes) <= 1358 and max(sizes[-8:]) <= 500


# ---- the peer asks for time, moves, or loses answers ----

@pytest.mark.parametrize("answer", [lambda: Answer(429, headers={"Retry-After": "20"}),
                                    lambda: Answer(503, headers={"Retry-After": http_time(21)})], ids=["seconds", "date"])
def test_t8_41_nothing_is_asked_before_the_time_that_the_peer_gives(t8, answer):  # noqa: F811
    s = t8(devices=PAIR)
    s.register()
    s.register("m2")
    s.fake.when("any", answer())
    before = s.fake.mark()
    first = s.ask()
    s.fake.wait("deliver", since=before)
    s.settle()
    other = s.ask(name="m2")
    s.fake.up(M1, mark := s.message("POST", "/note", payload=b"up"))  # uplinks go on
    s.srv.reply(s.srv.recv(where=lambda m: m.path() == "/note"), "2.04")
    s.clock.forward(17)
    assert len(s.fake.all(since=before)) == 1
    s.clock.forward(5)
    got = [s.fake.down(M1) for _ in range(2)]
    assert {m.mid for m in got if m.type == ACK} == {mark.mid}
    request = next(m for m in got if m.is_request)
    assert request.path() == first.path()
    s.answer(request)
    ended(s, first)
    serve(s, other, "m2")
    assert s.gw.ctl("links")["items"][0]["state"] == "up"


def test_t8_42_redirects_are_followed_with_the_body_and_308_is_remembered(s):
    def moved(status):
        return lambda r: Answer(status, headers={"Location": r.path.replace("/3gpp-nidd", "/new/3gpp-nidd")}) if not r.path.startswith(
            "/new/") else None

    for status in (307, 308):
        s.fake.when("deliver", moved(status))
        before = s.fake.mark()
        serve(s, s.ask())
        a, b = posts(s, since=before)
        assert a.body == b.body and a.headers["Content-Type"] == b.headers["Content-Type"] and b.path == "/new" + a.path
        s.fake.normal()
        before = s.fake.mark()
        serve(s, s.ask())
        assert [p.path.startswith("/new/") for p in posts(s, since=before)] == [status == 308]


def test_t8_42_s19_a_loop_of_redirects_stops(s):
    s.fake.when("deliver", lambda r: Answer(307, headers={"Location": r.path}), times=None)
    before = s.fake.mark()
    s.ask()
    s.fake.wait("deliver", n=4, since=before)
    s.settle()
    assert len(posts(s, since=before)) == 4             # the request and three hops
    s.fake.normal()


@pytest.mark.parametrize("there", [True, False])
def test_t8_43_a_lost_answer_is_looked_up_before_anything_is_repeated(s, there):
    s.fake.buffering = there
    s.fake.when("deliver", Lost(taken=there))
    asked = s.ask()
    s.fake.wait("lookup")
    s.settle()
    if there:                                           # it is in the list: kept, not sent again
        link = next(iter(s.fake.pending))
        s.clock.forward(60)
        assert len(posts(s)) == 2
        s.fake.delivery_status(link, "SUCCESS", M1)
    else:                                               # it is not: once more, octet by octet
        s.fake.wait("deliver", n=3)
        assert posts(s)[1].data == posts(s)[2].data
    serve(s, asked)
    assert len(posts(s)) == (2 if there else 3)


def test_t8_43_what_is_lost_twice_is_not_sent_a_third_time_by_the_link(s):
    s.fake.when("deliver", Lost(taken=False), times=2)
    s.ask()
    s.fake.wait("lookup", n=2)
    s.settle()
    assert len(posts(s)) == 3
    down = s.fake.wait("deliver", n=3).data
    s.clock.forward(30)                                 # CoAP sends it again: same message id, which the device knows
    assert s.fake.down(M1).encode() == down


def test_t8_44_an_answer_that_is_held_back_stops_only_its_own_device(t8):  # noqa: F811
    s = t8(devices=PAIR)
    s.register()
    s.register("m2")
    gate = threading.Event()
    s.fake.when("deliver", Late(gate), where=lambda r: r.json["externalId"] == M1)
    asked = s.ask()
    s.fake.wait("deliver", where=lambda r: r.json["externalId"] == M1, n=2, answered=False)
    for _ in range(5):
        serve(s, s.ask(name="m2"), "m2")
    s.clock.forward(45)                                 # of the 60 s that it may take
    gate.set()
    serve(s, asked)
    assert len(posts(s)) == 2 and not s.fake.all("lookup")


def test_the_same_answer_does_not_wait_twice_for_a_device_that_asks_again(s):
    gate = threading.Event()
    s.fake.when("deliver", Late(gate))
    s.fake.up(M1, msg := s.message("POST", "/note", payload=b"x"))
    s.srv.reply(s.srv.recv(), "2.04")
    s.fake.wait("deliver", n=2, answered=False)
    for _ in range(30):                                 # more than what may wait for one device
        s.fake.up(M1, msg)
    asked = s.ask()
    s.gw.wait_log("ev=down.request")
    gate.set()
    assert s.fake.down(M1).mid == msg.mid
    serve(s, asked)
    assert len(posts(s)) == 3


def test_t8_44_a_held_answer_ends_at_the_time_that_is_configured(t8):  # noqa: F811
    s = t8(link={"delivery_timeout_s": 3}).register()
    s.fake.when("deliver", Silent())
    asked = s.ask()
    s.fake.wait("deliver", n=2)
    s.clock.forward(3.1)
    s.fake.wait("lookup")
    serve(s, asked)                                     # it was not in the list


# ---- clocks ----

@pytest.mark.parametrize("jump", [3600, -3600])
def test_t8_63_r8_a_jump_of_the_wall_clock_moves_no_interval(t8, jump):  # noqa: F811
    s = t8(start=False, link={"auth": "oauth2", "client_id": "gw", "client_secret": "file:op.secret", "config_duration_s": 86400},
           fake={"auth": "bearer", "token_s": 3600}, profile={"ack_timeout_s": 4})
    s.gw.secret("op.secret", "secret")
    s.tree["links"][0]["token_url"] = s.fake.root + "/token"
    s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    s.register()
    s.ask()
    s.fake.down(M1)
    s.clock.jump(jump)
    s.settle()
    s.clock.forward(3)
    assert len(posts(s)) == 2
    s.clock.forward(3.1)                                # 4 to 6 s: the retransmission
    s.fake.wait("deliver", n=3)
    assert len(posts(s)) == 3 and len(s.fake.all("token")) == 1 and not s.fake.all("patch")
    s.clock.forward(3000)                               # 80 % of the token's life
    s.ask(name="m1")
    s.fake.wait("token", n=2)


@pytest.mark.parametrize("ahead, again_by", [(-60, 1), (10 * 365 * 86400, 86400)])
def test_t8_64_a_retry_time_in_the_past_is_now_and_one_far_ahead_is_capped(s, ahead, again_by):
    s.tree["servers"][0]["patience_s"] = 604800
    s.gw.write(s.tree)
    assert s.gw.reload().returncode == 0
    s.fake.when("deliver", failure("TEMPORARILY_NOT_REACHABLE", when_utc(ahead)))
    asked = s.ask()
    s.fake.wait("deliver", n=2)
    s.gw.wait_log(r"ev=downlink.failed .*retry_time_out_of_range=true")
    s.settle()
    if again_by > 1:
        s.clock.forward(again_by - 10)
        assert len(posts(s)) == 2
        s.clock.forward(11)
    s.fake.wait("deliver", n=3)
    serve(s, asked)
