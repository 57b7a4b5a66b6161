# SPDX-License-Identifier: Apache-2.0
"""T8: the life of NIDD configurations in the running daemon. Numbers are the acceptance cases of the T8 reference."""
import json
import threading

import pytest

from coapmsg import Msg
from t8scene import rss, t8  # noqa: F401  (a fixture)
from t8fake import Answer, Late

M1 = "m1@iot.example"


def fleet(n):
    return {"m%d" % i: "m%d@iot.example" % i for i in range(1, n + 1)}


def where_of(s):
    """notificationDestination of device m1."""
    return s.fake.config(M1)["notificationDestination"]


# ---- making, adopting ----

def test_t8_01_an_empty_scef_gets_one_configuration_per_device(t8):
    s = t8(devices=fleet(3), link={"auth": "oauth2", "client_id": "gw", "client_secret": "file:op.secret",
                                   "config_duration_s": 86400}, fake={"auth": "bearer", "max_packet": 8000}, start=False)
    s.gw.secret("op.secret", "secret")
    s.tree["links"][0]["token_url"] = s.fake.root + "/token"
    s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    assert [r.op for r in s.fake.requests[:2]] == ["token", "list"]
    made = s.fake.all("create")
    assert sorted(r.json["externalId"] for r in made) == sorted(s.devices.values())
    assert len(s.fake.all("token")) == 1 and len(s.fake.all("list")) == 1
    for r in made:
        assert r.headers["Content-Type"] == "application/json"
        assert r.json["notificationDestination"].startswith("http://%s:8444/t8/" % s.host)
    shown = s.gw.ctl("device", "show", "m1")["link"]
    assert (shown["mtu"], shown["mtu_origin"]) == (1000, "maximumPacketSize")
    assert shown["configuration"] == "gw/configurations/" + s.fake.config(M1)["self"].rpartition("/")[2]
    s.register()


def test_t8_01_a_shortened_life_is_renewed_before_it_ends(t8):
    s = t8(link={"config_duration_s": 1000}, ready=False)
    s.gw.ready()
    created = s.fake.wait("create")
    s.active()
    for n in (1, 2):  # 80 % of 1000 s, twice
        s.clock.forward(790)
        s.clock.forward(20)
        patch = s.fake.wait("patch", n=n)
        s.active()
        assert patch.headers["Content-Type"] == "application/merge-patch+json"
        assert set(patch.json) == {"duration"} and patch.json["duration"] > created.json["duration"]
    assert len(s.fake.all("create")) == 1


@pytest.mark.parametrize("status", [400, 403, 409])
def test_t8_02_a_refused_create_leads_to_adoption_without_a_loop(t8, status):
    s = t8(start=False, fake={"exists": status})
    old = s.fake.put(M1)
    s.fake.when("list", Answer(200, []))  # the first list does not show it yet
    s.gw.start()
    s.gw.ready()
    assert s.fake.wait("create").status == status
    s.clock.forward(6)  # the list is looked at again after a while
    assert s.fake.wait("patch").json["notificationDestination"].startswith("http://%s:8444/t8/" % s.host)
    s.active()
    assert where_of(s) != "http://old.example/cb"
    s.clock.forward(3600)
    s.register()
    assert [r.op for r in s.fake.requests if r.op in ("create", "delete")] == ["create"]
    assert list(s.fake.configs.values()) == [old]


def test_t8_02_a_listed_configuration_is_adopted_and_given_our_callback(t8):
    s = t8(start=False)
    s.fake.put(M1, msisdn="491701234567")
    s.fake.put("stranger@iot.example")
    s.gw.start()
    s.ready()
    assert [r.op for r in s.fake.requests[:2]] == ["list", "patch"] and not s.fake.all("create")
    assert s.fake.config("stranger@iot.example")["notificationDestination"] == "http://old.example/cb"
    s.gw.wait_log(r"ev=config.strangers .*count=1")
    s.register()


def test_t8_03_release_15_deletes_and_creates(t8):
    s = t8(start=False, link={"release": 15}, fake={"release": 15})
    old = s.fake.put(M1)["self"]
    s.gw.start()
    s.ready()
    assert [r.op for r in s.fake.requests[:3]] == ["list", "delete", "create"]
    assert s.fake.config(M1)["self"] != old and len(s.fake.configs) == 1
    s.register()


@pytest.mark.limit(60)
def test_t8_04_a_hundred_thousand_configurations_are_streamed(t8):
    s = t8(start=False, devices=fleet(20), log_level="info")
    mine = s.fake.put(M1)
    filler = json.dumps({"self": s.fake.root + "/3gpp-nidd/v1/gw/configurations/x", "externalId": "x@other.example",
                         "notificationDestination": "http://other.example/" + 300 * "y", "status": "ACTIVE"}).encode()
    peak = []

    def parts():
        yield b"["
        for i in range(1000):
            yield b",".join([filler] * 100) + b","
            if i % 100 == 99:
                peak.append(rss(s.gw))
        yield json.dumps(mine).encode() + b"]"

    s.fake.when("list", lambda r: Answer(200, parts()))
    s.gw.start()
    s.gw.ready()
    before = rss(s.gw)
    s.fake.wait("list", timeout=60)
    s.gw.wait_log(r"ev=config.listed .*count=100001")
    s.gw.wait_log(r"ev=config.strangers .*count=100000")
    for eid in s.devices.values():
        s.active(eid)
    assert max(peak) - before < 64 << 20
    assert len(s.fake.all("create")) == 19 and len(s.fake.all("patch")) == 1  # m1 was there, at the very end


@pytest.mark.parametrize("link", ["configurations/{}", "/3gpp-nidd/v1/gw/configurations/{}", "3gpp-nidd/v1/gw/configurations/{}",
                                  "http://127.0.0.1:1/SCEF/3gpp-nidd/v1/gw/configurations/{}"])
@pytest.mark.parametrize("where", ["Location", "self"])
def test_t8_25_however_a_configuration_is_named_it_is_found_again(t8, link, where):
    s = t8(start=False)

    def create(r):
        body = s.fake._create(r).body
        name = link.format(body["self"].rpartition("/")[2])
        return Answer(201, dict(body, self=name), {"Location": name} if where == "Location" else None)

    s.fake.when("create", create)
    s.gw.start()
    s.ready()
    assert s.gw.ctl("device", "show", "m1")["link"]["configuration"] == "gw/configurations/1"
    s.register()


# ---- the test notification ----

def test_t8_05_a_test_notification_before_the_201_proves_the_callback(t8):
    s = t8(start=False)
    s.fake.test = "before"
    seen = []
    s.fake.when("create", lambda r: seen.append(r) or None)
    replies = []
    notify = s.fake.notify
    s.fake.notify = lambda *a, **k: replies.append(notify(*a, **k)) or replies[-1]
    s.gw.start()
    s.ready()
    assert replies[0].status == 204 and replies[0].seconds < 1
    link = s.gw.ctl("device", "show", "m1")["link"]
    assert link["callback_proven"] is True and "alias" not in link  # what has no value is left out


def test_t8_06_a_missing_test_notification_warns_and_the_device_stays_usable(t8):
    s = t8(start=False)
    s.fake.test = "never"
    s.gw.start()
    s.ready()
    assert s.gw.ctl("device", "show", "m1")["link"]["callback_proven"] is False
    s.clock.forward(33)
    s.gw.wait_metric("niddgw_t8_test_missing_total", 1)
    s.gw.wait_log(r"level=warning .*ev=callback.unproven")
    s.register()
    assert s.gw.ctl("device", "show", "m1")["link"]["callback_proven"] is True


# ---- sizes ----

@pytest.mark.parametrize("size, unit, mtu, warns", [(10864, "bits", 1358, False), (800, "bits", 100, True), (1358, "bits", 169, True),
                                                    (1358, "octets", 1358, False), (1358, "auto", 1358, False)])
def test_t8_33_packet_sizes(t8, size, unit, mtu, warns):
    s = t8(fake={"max_packet": size}, link={"max_packet_unit": unit}, profile={"block": "pass"})
    assert s.gw.ctl("device", "show", "m1")["link"]["mtu"] == mtu
    assert any("packet_size.suspect" in line for line in s.gw.log.lines) == warns
    s.register()
    room = mtu - 100 if mtu > 150 else 40
    s.ask(Msg.request("PUT", "/3/0/15", token=b"a", mid=1, payload=room * b"x"))
    assert len(s.fake.down(M1).payload) == room
    big = s.ask(Msg.request("PUT", "/3/0/14", token=b"b", mid=2, payload=(mtu + 1) * b"x"))
    refused = s.srv.recv(where=lambda m: m.token == big.token)
    assert refused.code == "4.13"
    hint = refused.block(27)
    assert hint and hint[2] <= mtu and refused.uint(60) == mtu  # Block1 and Size1 say what would fit


# ---- ends ----

def test_t8_35_a_404_on_a_delivery_makes_the_configuration_again_and_sends_once_more(t8):
    s = t8()
    s.register()
    first = s.fake.config(M1)["self"]
    s.fake.forget()
    s.ask()
    down = s.fake.down(M1)
    assert down.path() == "/3/0/0"
    assert s.fake.config(M1)["self"] != first
    posts = s.fake.all("deliver")[-2:]
    assert [r.status for r in posts] == [404, 200] and posts[0].data == posts[1].data
    assert len(s.fake.all("create")) == 2
    s.answer(down)
    assert s.srv.recv(where=lambda m: m.is_response).payload == b"ok"


def test_t8_35_a_second_404_fails_with_an_alarm(t8):
    s = t8()
    s.register()
    s.fake.when("deliver", lambda r: s.fake.forget() or Answer(404, {"title": "gone"}), times=None)
    asked = s.ask()
    s.wait_alarm("t8.config_lost")
    assert len(s.fake.all("deliver", where=lambda r: r.status == 404)) == 2
    assert len(s.fake.all("create")) == 2
    s.clock.forward(111)  # the server's patience
    failed = s.srv.recv(where=lambda m: m.is_response and m.token == asked.token)
    assert failed.code == "5.04"
    s.fake.normal()
    s.clock.forward(4000)
    s.active()
    s.ask()
    s.fake.down(M1)
    s.wait_alarm("t8.config_lost", False)


def test_t8_36_a_device_that_is_not_authorized_is_barred_without_a_storm(t8):
    s = t8(devices=fleet(2))
    s.register()
    s.register("m2")
    gate = threading.Event()
    s.fake.when("deliver", Late(gate), where=lambda r: r.json["externalId"] == M1)
    asked = s.ask()
    s.fake.wait("deliver", where=lambda r: r.json["externalId"] == M1 and r.status is None, answered=False)
    waiting = s.ask()
    assert s.fake.status(M1, "TERMINATED_UE_NOT_AUTHORIZED").status == 204
    told = [s.srv.recv(where=lambda a: a.is_response) for _ in (asked, waiting)]
    assert sorted(a.token for a in told) == sorted([asked.token, waiting.token]) and {a.code for a in told} == {"5.03"}
    gate.set()
    assert s.state() == "barred"
    made = len(s.fake.all("create"))
    for _ in range(6):
        s.clock.forward(3600)
    s.round_trip("m2")
    assert len(s.fake.all("create")) == made
    again = s.ask()
    assert s.srv.recv(where=lambda a: a.token == again.token).code == "5.03"


def test_t8_37_a_terminated_configuration_is_made_again_and_pending_units_go_again_if_wanted(t8):
    s = t8()
    s.register()
    s.fake.buffering = True
    wanted = s.ask()
    first = s.fake.wait("deliver", where=lambda r: r.status == 201)
    s.fake.buffering = False
    s.gw.wait_log(r"ev=answer .*op=deliver status=201")
    config = s.fake.config(M1)
    s.fake.forget()
    body = {"niddConfiguration": config["self"], "externalId": M1, "status": "TERMINATED"}
    assert s.fake.notify(body, url=config["notificationDestination"]).status == 204
    s.fake.wait("create", n=2)
    s.active()
    s.clock.forward(30)  # back-off of the unit
    down = s.fake.down(M1)
    assert down.encode() == first.data
    s.answer(down)
    assert s.srv.recv(where=lambda m: m.token == wanted.token and m.is_response).code == "2.05"
    assert s.fake.notify(body, url=config["notificationDestination"]).status == 204  # the old one once more: not about ours
    s.round_trip()
    assert len(s.fake.all("create")) == 2


def test_t8_37_a_delivery_that_is_answered_after_the_end_of_its_configuration_goes_again(t8):
    s = t8()
    s.register()
    gate = threading.Event()
    s.fake.buffering = True
    s.fake.when("deliver", Late(gate))
    s.ask()
    first = s.fake.wait("deliver", where=lambda r: r.status is None, answered=False)
    config = s.fake.config(M1)
    s.fake.forget()
    s.fake.buffering = False
    body = {"niddConfiguration": config["self"], "externalId": M1, "status": "TERMINATED"}
    assert s.fake.notify(body, url=config["notificationDestination"]).status == 204
    s.active()
    gate.set()
    s.gw.wait_log(r"ev=answer .*op=deliver status=201")  # kept in the old configuration, where nothing is kept any more
    s.clock.forward(30)
    assert s.fake.down(M1).encode() == first.data


def test_t8_45_a_restart_that_lost_all_configurations_is_repaired_at_a_limited_rate(t8):
    s = t8(devices=fleet(40), log_level="info")
    s.register("m30")
    s.clock.forward(700)
    s.fake.forget()
    most, gate, now = [0], threading.Lock(), [0]

    def watch(r):
        with gate:
            now[0] = len(s.fake.all("create", where=lambda r: r.status is None))
            most[0] = max(most[0], now[0])

    s.fake.when("create", watch, times=None)
    before = s.fake.mark()
    s.ask(name="m30")  # traffic finds it out
    assert s.fake.down("m30@iot.example").path() == "/3/0/0"
    s.clock.forward(61)  # then the list is read
    s.fake.wait("create", n=40, since=before)
    for eid in s.devices.values():
        s.active(eid)
    made = s.fake.all("create", since=before)
    assert made[0].json["externalId"] == "m30@iot.example"
    assert sorted(r.json["externalId"] for r in made) == sorted(s.devices.values())
    assert most[0] <= 8


def test_t8_45_without_traffic_the_audit_finds_it_out(t8):
    s = t8(devices=fleet(3))
    s.fake.forget()
    before = s.fake.mark()
    s.clock.forward(6 * 3600)
    s.fake.wait("create", n=3, since=before)
    assert len(s.fake.all("list", since=before)) == 1


# ---- the process ends and comes back ----

@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_a_restart_finds_its_configurations_and_its_callback_path_again(t8, end):
    s = t8(devices=fleet(5), log_level="info")
    places = {c["externalId"]: c["notificationDestination"] for c in s.fake.configs.values()}
    selves = sorted(c["self"] for c in s.fake.configs.values())
    assert len(set(places.values())) == 1 and len(where_of(s).rpartition("/")[2]) == 64
    getattr(s.gw, end)()
    before = s.fake.mark()
    s.gw.start()
    s.ready()
    assert {r.op for r in s.fake.all(since=before)} == {"list"}
    assert sorted(c["self"] for c in s.fake.configs.values()) == selves
    assert {c["externalId"]: c["notificationDestination"] for c in s.fake.configs.values()} == places
    s.register("m3")
    s.round_trip("m3")


def test_another_state_dir_has_another_path(t8):
    a, b = t8(), t8()
    assert where_of(a).rpartition("/")[2] != where_of(b).rpartition("/")[2]


def test_a_device_that_is_taken_out_by_reload_takes_its_configuration_along(t8):
    s = t8(devices=fleet(2))
    s.tree["devices"].pop()
    s.gw.write(s.tree)
    assert s.gw.reload().returncode == 0
    s.fake.wait("delete")
    assert [c["externalId"] for c in s.fake.configs.values()] == [M1]
    s.register()


# ---- modes ----

def test_config_mode_none_learns_from_what_arrives(t8):
    s = t8(start=False, link={"config_mode": "none"}, callback={"path": "/operator/cb"})
    s.tree["links"][0]["callback"].pop("url")
    s.gw.write(s.tree)
    s.fake.put(M1, destination="http://%s:8444/operator/cb" % s.host)
    s.gw.start()
    s.gw.ready()
    s.register()
    assert {r.op for r in s.fake.requests} == {"deliver"}


def test_config_mode_adopt_uses_what_is_there_and_makes_nothing(t8):
    s = t8(start=False, devices=fleet(2), link={"config_mode": "adopt"}, callback={"path": "/operator/cb"})
    s.fake.put(M1, destination="http://%s:8444/t8/operator/cb" % s.host)
    s.gw.start()
    s.gw.ready()
    s.active()
    s.register()
    assert {r.op for r in s.fake.requests} == {"list", "deliver"}
