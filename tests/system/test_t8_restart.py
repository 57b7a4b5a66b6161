# SPDX-License-Identifier: Apache-2.0
"""T8 over kill -9: what the link remembers of its peer. Numbers are the acceptance cases of the T8 reference."""
import contextlib
import sqlite3
import threading

import pytest

from bed import wait_until
from coapmsg import CON
from t8scene import t8  # noqa: F401  (a fixture)
from t8fake import Answer, Late, Silent, failure, when_utc

M1 = "m1@iot.example"


def fleet(n):
    return {"m%d" % i: "m%d@iot.example" % i for i in range(1, n + 1)}


def records(s):
    """What the store holds of the link: {device identity: octets}."""
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % (s.gw.dir / "state/state.db"), uri=True, timeout=5)) as db:
        return {bytes(k).partition(b"\0")[2]: bytes(v) for k, v in db.execute("SELECT k, v FROM link")}


def stored(s, test):
    """Returns when the records of the link pass the test."""
    def look():
        with contextlib.suppress(sqlite3.OperationalError):
            return test(records(s))
    wait_until(look, None, lambda: "records %s" % list(records(s).items())[:3])


def crash(s):
    """kill -9 and the next life, ready."""
    s.gw.kill9()
    s.gw.start()
    s.gw.ready()
    return s


def buffered(s, name="m1"):
    return s.gw.ctl("device", "show", name)["link"]["buffered"]


def keep(s, name="m1"):
    """A request of the server that the network keeps; its link, and the request."""
    before = s.fake.mark()
    asked = s.ask(name=name)
    kept = s.fake.wait("deliver", since=before, where=lambda r: r.status == 201 and r.json["externalId"] == s.devices[name])
    return kept.answer.body["self"], asked


# ---- configurations ----

def test_t8_47_configurations_are_adopted_and_not_made_again(t8):  # noqa: F811
    s = t8(devices=fleet(20))
    stored(s, lambda r: sum(b"gw/configurations/" in v for v in r.values()) == 20)
    before = s.fake.mark()
    crash(s)
    s.ready()
    s.settle()
    assert [r.op for r in s.fake.all(since=before)] == ["list"]
    assert len(s.fake.configs) == 20


def test_a_configuration_is_of_use_before_the_peer_has_listed_it(t8):  # noqa: F811
    gate = threading.Event()
    s = t8(fake={"max_packet": 4000}).register()
    stored(s, lambda r: any(b"gw/configurations/" in v for v in r.values()))
    s.fake.when("list", Late(gate))
    crash(s)
    shown = s.gw.ctl("device", "show", "m1")["link"]
    assert shown["configuration_state"] == "active" and shown["mtu"] == 500
    s.round_trip()
    gate.set()
    s.settle()
    assert len(s.fake.all("create")) == 1


def test_a_barred_and_an_unknown_device_are_left_alone(t8):  # noqa: F811
    s = t8(devices=fleet(2), ready=False, start=False)
    s.fake.when("create", Answer(404, {"title": "who"}), times=None, where=lambda r: r.json["externalId"] == "m2@iot.example")
    s.gw.start()
    s.gw.ready()
    s.active(M1)
    s.wait_state("rejected", "m2@iot.example")
    assert s.fake.status(M1, "TERMINATED_UE_NOT_AUTHORIZED").status == 204
    s.wait_state("barred")
    stored(s, lambda r: len(r) == 2 and not any(b"gw/configurations/" in v for v in r.values()))
    s.fake.forget()
    before = s.fake.mark()
    crash(s)
    s.fake.wait("list", since=before)
    s.settle()
    assert s.state(M1) == "barred" and s.state("m2@iot.example") == "rejected"
    assert s.gw.ctl("device", "show", "m1")["state"] == "barred"
    assert not s.fake.all("create", since=before)
    s.clock.forward(3700)                               # the hour of the one, not the day of the other
    s.clock.forward(31)
    assert s.fake.wait("create", since=before).json["externalId"] == "m2@iot.example"
    s.settle()
    assert not s.fake.all("create", since=before, where=lambda r: r.json["externalId"] == M1)


def test_records_are_of_one_peer_only(t8):  # noqa: F811
    s = t8()
    stored(s, lambda r: any(b"gw/configurations/" in v for v in r.values()))
    s.gw.kill9()
    s.tree["links"][0]["scs_as_id"] = "gw2"
    s.gw.write(s.tree)
    s.fake.forget()
    before = s.fake.mark()
    s.gw.start()
    s.ready()
    assert s.fake.all("create", since=before)


# ---- deliveries ----

@pytest.mark.limit(90)
def test_t8_47_fifty_pending_deliveries_are_looked_up_and_late_statuses_are_taken(t8):  # noqa: F811
    s = t8(devices=fleet(50), log_level="info")
    for name in s.devices:
        s.register(name)
    s.fake.buffering = True
    kept = {name: keep(s, name) for name in s.devices}
    stored(s, lambda r: sum(b"downlink-data-deliveries" in v for v in r.values()) == 50)
    before = s.fake.mark()
    crash(s)
    s.fake.wait("lookup", n=50, since=before)
    s.settle()
    assert len(s.fake.all("lookup", since=before)) == 50 and not s.fake.all("deliver", since=before)
    assert sum(buffered(s, name) for name in s.devices) == 50
    s.fake.buffering = False
    for name, (link, asked) in kept.items():
        assert s.fake.delivery_status(link, "SUCCESS", s.devices[name]).status == 204
        down = s.fake.down(s.devices[name])
        assert down.is_request and down.path() == asked.path()
    s.settle()
    assert sum(buffered(s, name) for name in s.devices) == 0
    assert not s.fake.all("deliver", since=before, where=lambda r: r.handed)
    stored(s, lambda r: not any(b"downlink-data-deliveries" in v for v in r.values()))


def test_t8_47_the_answer_to_a_delivery_of_the_life_before_reaches_the_server(t8):  # noqa: F811
    s = t8().register()
    s.fake.buffering = True
    link, asked = keep(s)
    stored(s, lambda r: any(b"downlink-data-deliveries" in v for v in r.values()))
    before = s.fake.mark()
    crash(s)
    s.fake.wait("lookup", since=before)
    s.settle()
    s.fake.buffering = False
    s.fake.delivery_status(link, "SUCCESS", M1)
    s.answer(s.fake.down(M1))
    got = s.srv.recv(where=lambda m: m.is_response and m.token == asked.token)
    assert got.code == "2.05" and got.payload == b"ok"
    if got.type == CON:
        s.srv.send(got.empty_ack())


def test_t8_47_a_delivery_that_was_handed_over_meanwhile_is_not_sent_again(t8):  # noqa: F811
    s = t8().register()
    s.fake.buffering = True
    link, asked = keep(s)
    stored(s, lambda r: any(b"downlink-data-deliveries" in v for v in r.values()))
    s.gw.kill9()
    s.fake.buffering = False
    with s.fake.cond:
        s.fake.pending.clear()                          # the device has it; nobody was there to be told
    before = s.fake.mark()
    s.gw.start()
    s.gw.ready()
    s.fake.wait("lookup", since=before)
    s.settle()
    assert not s.fake.all("deliver", since=before)
    assert s.fake.notify({"niddDownlinkDataTransfer": link, "deliveryStatus": "SUCCESS_ACKNOWLEDGED"}, M1).status == 204
    assert buffered(s) == 0


def test_a_status_of_a_device_that_is_no_longer_configured_does_no_harm(t8):  # noqa: F811
    s = t8(devices=fleet(2)).register()
    s.fake.buffering = True
    link, _ = keep(s)
    where = s.fake.config(M1)["notificationDestination"]
    stored(s, lambda r: any(b"downlink-data-deliveries" in v for v in r.values()))
    s.gw.kill9()
    s.tree["devices"] = s.tree["devices"][1:]
    s.gw.write(s.tree)
    s.gw.start()
    s.gw.ready()
    assert s.fake.notify({"niddDownlinkDataTransfer": link, "deliveryStatus": "SUCCESS"}, url=where).status == 204
    s.clock.forward(61)
    stored(s, lambda r: list(r) == [b"em2@iot.example"])


def test_t8_26_the_time_that_was_given_for_a_sleeper_holds_over_a_restart(t8):  # noqa: F811
    s = t8().register()
    stored(s, lambda r: any(b"gw/configurations/" in v for v in r.values()))
    s.settle()
    known = records(s)
    s.fake.when("deliver", failure("TEMPORARILY_NOT_REACHABLE", when_utc(90)))
    before = s.fake.mark()
    asked = s.ask()
    s.fake.wait("deliver", since=before)
    stored(s, lambda r: r != known)
    s.clock.forward(5)
    s.settle()
    before = s.fake.mark()
    crash(s)
    s.settle()
    s.clock.forward(60)
    assert not s.fake.all("deliver", since=before)
    s.clock.forward(30)
    down = s.fake.down(M1, where=lambda m: m.is_request)
    assert down.path() == asked.path()
    assert len(s.fake.all("deliver", since=before)) == 1


# ---- a link that is withdrawn ----

@pytest.mark.limit(60)
def test_a_link_that_is_withdrawn_deletes_its_configurations(t8):  # noqa: F811
    s = t8(devices=fleet(200), warp=False, log_level="info")
    assert len(s.fake.configs) == 200
    links, devices = s.tree["links"], s.tree["devices"]
    s.tree["links"], s.tree["devices"] = [], []
    s.gw.write(s.tree)
    assert s.gw.reload().returncode == 0
    s.fake.wait("delete", n=200)
    assert not s.fake.configs
    stored(s, lambda r: not r)
    s.tree["links"], s.tree["devices"] = links, devices
    s.gw.write(s.tree)
    assert s.gw.reload().returncode == 0
    s.ready()
    assert len(s.fake.configs) == 200


def test_a_peer_that_does_not_answer_the_deletes_does_not_hold_up_the_end(t8):  # noqa: F811
    gate = threading.Event()
    s = t8(devices=fleet(3), warp=False)
    s.fake.when("delete", Late(gate), times=None)
    s.tree["links"], s.tree["devices"] = [], []
    s.gw.write(s.tree)
    assert s.gw.reload().returncode == 0
    s.fake.wait("delete", n=3, answered=False)
    assert s.gw.stop() == 0
    gate.set()


# ---- uplinks ----

@pytest.mark.parametrize("times", [1, 3])
def test_t8_46_what_was_answered_204_reaches_its_server_once_after_the_kill(t8, times):  # noqa: F811
    s = t8().register()
    addr = s.srv.addr
    s.srv.close()                                        # nobody is there: it is taken, and not forwarded
    units = [s.message("POST", "/dp", payload=b"unit %d" % i) for i in range(5)]
    for msg in units:
        assert s.fake.uplink(M1, msg).status == 204
    for _ in range(times):
        crash(s)
    s.srv = s.bed.peer(host=addr[0], port=addr[1])
    s.clock.forward(20)                                  # a server that is away is tried again
    seen = {}
    while len(seen) < 5:
        m = s.srv.recv(where=lambda m: m.is_request or m.is_empty)
        if m.is_empty:                                   # a ping, to see whether it is there
            s.srv.send(m.rst())
            continue
        seen.setdefault(m.payload, set()).add((m.mid, m.token))
        s.srv.reply(m, "2.04", m.payload)
    assert list(seen) == [m.payload for m in units]      # in order, each as one message however often it was repeated
    assert all(len(ids) == 1 for ids in seen.values())
    for msg in units:
        assert s.fake.down(M1, where=lambda m: m.token == msg.token and m.is_response).payload == msg.payload
    crash(s)
    s.settle()
    s.srv.silent(0.1)


# ---- answers that are on their way down: open in the journal until the network has them ----

def asked_and_answered(s, token, held):
    """The device asks, the server answers; held: the rule for the request that takes the answer down. Its message."""
    msg = s.message("POST", "/dp", token=token, payload=token)
    s.fake.up(M1, msg)
    asked = s.srv.recv(where=lambda m: m.is_request and m.payload == token)
    before = s.fake.mark()
    if held:
        s.fake.when("deliver", held)
    s.srv.reply(asked, "2.04", b"took " + token)
    if held:
        s.fake.wait("deliver", since=before, answered=False)
    return msg


def nothing_north(s):
    """The server is asked for nothing that it has answered already."""
    s.settle()
    with pytest.raises(AssertionError):
        s.srv.recv(timeout=0.1, where=lambda m: m.payload in (b"one", b"two"))


@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_answers_on_their_way_to_the_network_go_down_after_the_restart(t8, end):  # noqa: F811
    s = t8(warp=False).register()
    first = asked_and_answered(s, b"one", Silent())      # its request is under way
    second = asked_and_answered(s, b"two", None)         # behind it, in the queue of the link
    wait_until(lambda: s.uplinks("answered") == 3)
    if end == "kill9":
        s.fake.up(M1, s.message("POST", "/dp", payload=b"three"))  # taken: what stands before it in the journal is on disk
    getattr(s.gw, end)()
    before = s.fake.mark()
    s.gw.start()
    s.ready()
    for msg in (first, second):
        got = s.fake.down(M1, where=lambda m: m.is_response)
        assert (got.token, got.mid, got.code, got.payload) == (msg.token, msg.mid, "2.04", b"took " + msg.token)
    if end == "kill9":
        s.srv.reply(s.srv.recv(where=lambda m: m.payload == b"three"), "2.04")  # the only one that the server is asked again
        s.fake.down(M1)
    nothing_north(s)
    sent = len(s.fake.all("deliver", since=before))
    assert sent == 2 + (end == "kill9")
    crash(s)
    s.settle()
    assert len(s.fake.all("deliver", since=before)) == sent
    s.fake.up(M1, first)                                 # a duplicate: its answer again, and nothing to the server
    assert s.fake.down(M1, where=lambda m: m.mid == first.mid).payload == b"took one"
    nothing_north(s)


def test_t8_47_an_answer_that_the_network_keeps_since_before_is_not_sent_again(t8):  # noqa: F811
    gate = threading.Event()
    s = t8().register()
    s.settle()
    known = records(s)
    s.fake.buffering = True
    asked_and_answered(s, b"one", Late(gate))            # taken, and the answer to the request never comes
    stored(s, lambda r: r != known)
    before = s.fake.mark()
    crash(s)
    gate.set()
    s.fake.wait("lookup", since=before)
    nothing_north(s)
    assert not s.fake.all("deliver", since=before)
