# SPDX-License-Identifier: Apache-2.0
"""niddgwctl queue and events, /api/v1/queue and /api/v1/events: what waits, and what has happened."""
import json

from bed import split_addr, udp_config, wait_until
from coapmsg import CON, OBSERVE, Msg
from pair import REGISTER, pair
from t8fake import Silent
from t8scene import t8  # noqa: F401  (a fixture)


def waiting(gw, n, *name):
    """The queue, when so many things are in it."""
    wait_until(lambda: len(gw.ctl("queue", *name)["items"]) == n, None,
               lambda: "%d in the queue: %s" % (n, gw.ctl("queue", *name)["items"]))
    return gw.ctl("queue", *name)["items"]


def events(gw, word):
    return [e for e in gw.ctl("events")["items"] if e["event"] == word]


# ---- what waits ----

def test_requests_of_both_sides_are_told_with_their_age_and_state(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"ack_timeout_s": 100})
    p.register()
    p.down("GET", "/3/0/1", token=b"r")                      # sent, and not answered
    p.srv.send(Msg.request("PUT", "/1/0/1", token=b"w", mid=p.srv.next_mid(), payload=b"300"))
    read, write = waiting(p.gw, 2)
    assert (read["device"], read["server"], read["dir"], read["kind"]) == ("meter-17", "main", "down", "request")
    assert (read["op"], read["code"], read["path"], read["type"], read["state"]) == ("read", "0.01", "/3/0/1", "CON", "sent")
    assert (write["op"], write["code"], write["path"], write["state"]) == ("write", "0.03", "/1/0/1", "queued")  # NSTART 1
    assert 0 < read["bytes"] < 30 and read["age_s"] < 60 and 40 < read["left_s"] <= 110
    p.up("POST", "/dp", token=b"s", payload=b"x")            # the server has it, and does not answer
    send = waiting(p.gw, 3)[2]
    assert (send["dir"], send["op"], send["code"], send["path"], send["state"]) == ("up", "send", "0.02", "/dp", "sent")
    wait_until(lambda: p.gw.metric('niddgw_queue_depth{transport="udp"}') == 2)  # what servers ask for; counted once a second
    assert p.gw.metric('niddgw_queue_depth{transport="t8"}') == 0 and 0 < p.gw.metric("niddgw_queue_oldest_seconds") < 60
    sent = 'niddgw_downlink_total{transport="udp",peer="%s",result="%s"}'
    assert p.gw.metric(sent % ("sgi", "sent")) == 2 and p.gw.metric(sent % ("sgi", "failed")) == 0  # the 2.01, the read
    text = p.gw.run_ctl("queue", "meter-17").stdout.splitlines()
    assert text[0].split()[:5] == ["DEVICE", "SERVER", "DIR", "KIND", "STATE"] and len(text) == 4
    shown = json.loads(p.gw.http("/api/v1/queue?device=meter-17")[1])
    assert [o["path"] for o in shown["items"]] == ["/3/0/1", "/1/0/1", "/dp"] and shown["next"] is None
    assert p.gw.run_ctl("queue", "nobody").returncode == 1 and p.gw.http("/api/v1/queue?device=nobody")[0] == 404


def test_pages_of_the_queue_have_each_item_once(gateway, udp_peer):
    srv, devs = udp_peer(port=5683), [udp_peer() for _ in range(7)]
    tree = udp_config(srv.uri, {"m%d" % i: "%s:%d" % d.addr for i, d in enumerate(devs)})
    gw = gateway(tree).ready()
    for dev in devs:
        for k in range(3):
            dev.send(Msg.request("POST", "/dp", token=bytes([k]), mid=k, payload=b"x"), split_addr(tree["links"][0]["listen"]))
    waiting(gw, 21)
    seen, cursor = [], ""
    while cursor is not None:
        page = json.loads(gw.http("/api/v1/queue?limit=2" + cursor)[1])
        assert len(page["items"]) <= 2
        seen += [o["device"] for o in page["items"]]
        cursor = page["next"] and "&cursor=" + page["next"]
    assert seen == ["m%d" % i for i in range(7) for _ in range(3)]
    assert len(waiting(gw, 3, "m4")) == 3


def test_notifications_that_are_kept_for_a_server_wait(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    token = p.observe().token
    p.srv.close()                                            # nobody is there
    for i in range(3):
        p.dev.send(Msg(CON, "2.05", 500 + i, token, [(OBSERVE, bytes([i + 1]))], b"21"))
    items = waiting(p.gw, 3)
    assert {(o["dir"], o["kind"], o["op"], o["code"]) for o in items} == {("up", "notification", "notify", "2.05")}
    assert all(o["left_s"] > 80000 for o in items)


def test_what_the_network_keeps_and_an_answer_on_its_way_are_told_apart(t8):  # noqa: F811
    s = t8().register()
    s.fake.buffering = True
    s.ask()
    s.fake.wait("deliver", where=lambda r: r.status == 201)
    assert [(o["dir"], o["kind"], o["state"]) for o in waiting(s.gw, 1)] == [("down", "request", "buffered")]
    s.fake.when("deliver", Silent())
    s.fake.up("m1@iot.example", s.message("POST", "/dp", payload=b"one"))
    s.srv.reply(s.srv.recv(where=lambda m: m.payload == b"one"), "2.04")
    s.fake.wait("deliver", where=lambda r: r.status is None or isinstance(r.answer, Silent), answered=False)
    wait_until(lambda: [o["kind"] for o in s.gw.ctl("queue")["items"]] == ["request", "answer"])
    answer = s.gw.ctl("queue")["items"][1]
    assert (answer["dir"], answer["state"], answer["op"], answer["path"]) == ("down", "sent", "send", "/dp")


# ---- what has happened ----

def test_events_tell_who_registered_and_what_was_refused_or_dropped_and_why(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"quota_units_per_min": 8})
    p.register()
    assert events(p.gw, "registered")[0]["device"] == "meter-17" and events(p.gw, "registered")[0]["server"] == "main"
    asked = p.up("POST", "/rd/5a3f", token=b"u", query=["lt=600"])
    p.srv.reply(asked, "2.04")
    p.dev.recv()
    assert events(p.gw, "updated")[0]["lifetime_s"] == 600
    p.dev.send(Msg.request("GET", "/x", token=b"p", mid=77, options=[(35, b"coap://elsewhere/x")]))
    assert p.dev.recv().code == "5.05"
    refused = events(p.gw, "uplink.refused")[0]
    assert (refused["device"], refused["code"]) == ("meter-17", "5.05") and refused["reason"]
    for _ in range(3):
        p.dev.send(b"\xff\xff")
    wait_until(lambda: events(p.gw, "uplink.dropped"))
    dropped = events(p.gw, "uplink.dropped")
    assert {(e["device"], e["reason"]) for e in dropped} <= {("meter-17", "malformed"), ("meter-17", "dropped")}
    for i in range(20):
        p.dev.send(Msg.request("POST", "/dp", token=b"n", mid=900 + i, type=1))
    wait_until(lambda: any(e["reason"] == "quota" for e in events(p.gw, "uplink.dropped")))
    ids = [e["id"] for e in p.gw.ctl("events")["items"]]
    assert ids == sorted(ids, reverse=True)
    text = p.gw.run_ctl("events").stdout
    assert text.splitlines()[0].split()[:4] == ["TIME", "LEVEL", "ROOM", "EVENT"] and "uplink.refused" in text


def test_events_are_kept_whatever_level_is_logged_and_tell_alarms_and_servers(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"ack_timeout_s": 1}, tree_change=lambda t: t.update(log={"level": "error"}))
    p.register()
    p.dev.send(Msg.request("POST", "/rd", ["ep=another", "lt=60", "lwm2m=1.1", "b=U"], token=b"r", mid=9))
    assert p.dev.recv().code == "4.00"
    raised = events(p.gw, "alarm.raised")[0]
    assert (raised["type"], raised["source"]) == ("device.identity_mismatch", "meter-17")
    p.register(REGISTER[:2] + b"\x00\x02" + REGISTER[4:])
    assert events(p.gw, "alarm.cleared")[0]["type"] == "device.identity_mismatch"
    assert not [line for line in p.gw.log.lines if "registered" in line]


def test_events_come_in_pages(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    everything = p.gw.ctl("events")["items"]
    seen, cursor = [], ""
    while cursor is not None:
        page = json.loads(p.gw.http("/api/v1/events?limit=1" + cursor)[1])
        seen += page["items"]
        cursor = page["next"] and "&cursor=" + page["next"]
    assert seen == everything and len(seen) >= 3
