# SPDX-License-Identifier: Apache-2.0
"""Reload under traffic: what is not touched goes on, what is refused changes nothing (case R10 of the reliability paper)."""
import random
import signal
import socket
import threading

import pytest

from bed import DEADLINE, loop_host, split_addr, udp_config, wait_until
from coapmsg import ACK, CON, Msg
from pair import LOCATION, REGISTER, pair


BUSY = {"quota_units_per_min": 10000000}


class Traffic:
    """Round trips of the device, one after another in a thread, until stopped; each has to be answered."""

    def __init__(self, p):
        self.p, self.trips, self.fault, self._end = p, 0, None, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self._end.is_set():
                asked = self.p.up("POST", "/dp", payload=b"%d" % self.trips)
                self.p.srv.reply(asked, "2.04", b"%d" % self.trips)
                answer = self.p.dev.recv()
                assert answer.code == "2.04" and answer.payload == b"%d" % self.trips
                self.trips += 1
        except BaseException as fault:  # shown by stop()
            self.fault = fault

    def more(self, n=20):
        """Until n more trips are done."""
        goal = self.trips + n
        wait_until(lambda: self.trips >= goal or self.fault)
        if self.fault:
            raise self.fault

    def stop(self):
        self._end.set()
        self.thread.join(DEADLINE)
        if self.fault:
            raise self.fault


def write(p, tree=None):
    p.gw.write(tree or p.tree)


def reload(p, tree=None):
    write(p, tree)
    done = p.gw.reload()
    assert done.returncode == 0, done
    return done.stdout


def refused(p, tree):
    write(p, tree)
    done = p.gw.reload()
    assert done.returncode == 1, done
    return done.stderr


def trip(p, dev=None, path="/x"):
    was, p.dev = p.dev, dev or p.dev
    asked = p.up("GET", path)
    p.srv.reply(asked, "2.05", b"ok")
    answer = p.dev.recv()
    assert answer.code == "2.05"
    p.dev = was
    return asked


def test_traffic_goes_on_over_good_and_refused_reloads(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=BUSY)
    p.register()
    traffic, bad = Traffic(p), [
        "links = (", "nonsense = 1;\n", lambda t: t["servers"][0].update(answer_within_s=0), lambda t: t["devices"][0].update(link="none"),
        lambda t: t["links"][0].update(listen="nowhere"), lambda t: t["links"].append(dict(t["links"][0]))]
    for i in range(5):
        p.tree["servers"][0]["answer_within_s"] = 100 + i
        reload(p)
        traffic.more()
    for change in bad:
        tree = {k: [dict(e) for e in v] for k, v in p.tree.items()}
        if callable(change):
            change(tree)
        said = refused(p, change if isinstance(change, str) else tree)
        assert str(p.gw.file) + ":" in said
        traffic.more()
    p.gw.file.unlink()
    assert p.gw.reload().returncode == 1
    traffic.more()
    for _ in range(20):
        p.gw.signal(signal.SIGHUP)
    traffic.more()
    write(p)
    for _ in range(20):
        p.gw.signal(signal.SIGHUP)
    wait_until(lambda: p.gw.metric('niddgw_config_reloads_total{result="ok"}') >= 6)
    traffic.more()
    traffic.stop()
    results = p.results()
    assert results.pop("answered") == traffic.trips + 1 and not results


def test_an_open_request_survives_reloads_that_do_not_touch_it(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    asked = p.up("GET", "/x", token=b"up", mid=7)
    got = p.down("GET", "/3/0", token=b"down")
    p.tree["devices"].append({"name": "m2", "link": "sgi", "address": "127.0.0.99"})
    p.tree["servers"].append({"name": "more", "uri": "coap://127.0.0.98"})
    p.tree["profiles"] = [{"name": "p", "mtu": 500}]
    p.tree["devices"][0]["profile"] = "p"
    reload(p)
    p.srv.reply(asked, "2.05", b"late")
    answer = p.dev.recv()
    assert (answer.type, answer.mid, answer.token, answer.payload) == (ACK, 7, b"up", b"late")
    p.dev.reply(got, "2.05", b"x")
    assert p.srv.recv(where=lambda m: not m.is_empty).token == b"down"


def test_devices_come_and_go(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    second = udp_peer(to=p.dev.to)
    second.send(REGISTER)
    p.ping()
    p.tree["devices"].append({"name": "m2", "link": "sgi", "address": "%s:%d" % second.addr, "ep": "m2"})
    assert "1 added" in reload(p)
    trip(p, second)
    port = p.port
    trip(p)
    got = p.down("GET", "/3/0", token=b"gone")
    assert got.token
    gone = p.tree["devices"].pop(0)
    assert "1 removed" in reload(p)
    told = p.srv.recv()
    assert (told.code, told.token) == ("5.03", b"gone") and told.uint(14) > 0
    before = p.gw.metric('niddgw_uplink_total{result="unknown_device"}')
    p.dev.send(REGISTER)
    p.gw.wait_metric('niddgw_uplink_total{result="unknown_device"}', before + 1)
    trip(p, second)
    assert p.port == port
    assert [d["device"] for d in p.gw.ctl("device", "list")["items"]] == ["m2"]
    p.tree["devices"].append(gone)
    reload(p)
    trip(p)


def test_a_device_may_change_its_address_and_keeps_its_port(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    moved = udp_peer(to=p.dev.to)
    p.tree["devices"][0]["address"] = "%s:%d" % moved.addr
    assert "1 changed" in reload(p)
    p.dev.send(REGISTER)
    trip(p, moved)
    assert p.port == port
    p.dev.silent(0.001)


def test_two_devices_may_swap_their_addresses(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    second = udp_peer(to=p.dev.to)
    p.tree["devices"].append({"name": "m2", "link": "sgi", "address": "%s:%d" % second.addr, "ep": "m2"})
    reload(p)
    trip(p)
    first_port = p.port
    trip(p, second)
    second_port = p.port
    a, b = p.tree["devices"]
    a["address"], b["address"] = b["address"], a["address"]
    reload(p)
    trip(p)
    assert p.port == second_port
    trip(p, second)
    assert p.port == first_port


def test_the_edits_of_a_server_are_live(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    for binding, expected in (("U", "b=U"), ("keep", "b=N"), ("UT", "b=UT")):
        p.tree["servers"][0]["binding"] = binding
        reload(p)
        again = Msg.parse(REGISTER)
        again.mid = p.dev.next_mid()
        asked, _ = p.register(again.encode())
        assert expected in asked.query()


def test_a_larger_mtu_is_live(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile={"mtu": 128, "block": "pass"})
    p.register()
    p.srv.send(Msg.request("PUT", "/x", mid=1, payload=bytes(300)))
    assert p.srv.recv().code == "4.13"
    for mtu, size in ((1000, 700), (1600, 1400), (256, 100)):
        p.tree["profiles"][0]["mtu"] = mtu
        reload(p)
        got = p.down("PUT", "/x", payload=bytes(size))
        p.dev.reply(got, "2.04")
        assert p.srv.recv().code == "2.04"
    p.srv.send(Msg.request("PUT", "/x", mid=2, payload=bytes(300)))
    assert p.srv.recv().code == "4.13"


def test_another_uri_moves_the_devices_to_the_other_server(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    p.up("GET", "/x", token=b"w", mid=3)
    other, old = udp_peer(port=5683), p.srv
    p.tree["servers"][0]["uri"] = other.uri
    reload(p)
    told = p.dev.recv()
    assert (told.type, told.code, told.mid, told.token) == (ACK, "5.03", 3, b"w")
    p.srv = other
    trip(p)
    assert p.port == port
    assert p.gw.metric('niddgw_server_up{server="main"}') == 1
    assert [s["name"] for s in p.gw.ctl("servers")["items"]] == ["main"]
    old.silent(0.001)


def test_a_server_that_is_removed_while_devices_use_it(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    other = udp_peer(port=5683)
    p.tree["servers"] = [{"name": "second", "uri": other.uri}]
    reload(p)
    p.srv = other
    trip(p)


def test_a_link_listens_elsewhere_after_a_reload(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port, old = p.port, p.dev.to
    p.dev.to = (loop_host(), 20000)
    p.tree["links"][0]["listen"] = "%s:%d" % p.dev.to
    reload(p)
    trip(p)
    assert p.port == port
    got = p.down("GET", "/3/0", token=b"x")
    p.dev.reply(got, "2.05")
    assert p.srv.recv().code == "2.05"
    free = udp_peer(host=old[0], port=old[1])  # the address before is free again
    free.close()


def test_a_link_that_cannot_be_opened_leaves_everything_as_it_was(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=BUSY)
    p.register()
    taken = udp_peer()
    good = p.tree["links"][0]["listen"]
    traffic = Traffic(p)
    p.tree["links"][0]["listen"] = "%s:%d" % taken.addr
    said = refused(p, p.tree)
    assert "sgi" in said and "Address already in use" in said
    traffic.more()
    p.tree["links"][0]["listen"] = good
    p.tree["links"].append({"name": "more", "type": "udp", "listen": "%s:%d" % taken.addr})
    said = refused(p, p.tree)
    assert "more" in said
    traffic.more()
    assert [l["name"] for l in p.gw.ctl("links")["items"]] == ["sgi"]
    taken.close()
    reload(p)
    traffic.more()
    traffic.stop()
    assert [l["name"] for l in p.gw.ctl("links")["items"]] == ["sgi", "more"]


def test_two_links_may_swap_their_addresses(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    other = (loop_host(), 20000)
    p.tree["links"].append({"name": "more", "type": "udp", "listen": "%s:%d" % other})
    reload(p)
    a, b = p.tree["links"]
    a["listen"], b["listen"] = b["listen"], a["listen"]
    reload(p)
    p.dev.to = other
    trip(p)


def test_a_link_that_is_switched_off_and_on_again(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    got = p.down("GET", "/3/0", token=b"q", mid=70)
    p.tree["links"][0]["enabled"] = False
    reload(p)
    p.srv.send(Msg.request("GET", "/3/0", token=b"n", mid=71))
    told = p.srv.recv(where=lambda m: m.token == b"n")
    assert told.code == "5.03"
    p.tree["links"][0]["enabled"] = True
    reload(p)
    trip(p)
    assert p.port == port
    p.dev.reply(got, "2.05")


def test_a_device_moves_to_another_link(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    second = (loop_host(), 20000)
    p.tree["links"].append({"name": "other", "type": "udp", "listen": "%s:%d" % second})
    p.tree["devices"][0]["link"] = "other"
    reload(p)
    p.dev.send(REGISTER)  # to the link it had before
    p.gw.wait_metric('niddgw_uplink_total{peer="sgi",result="unknown_device"}', 1)
    p.dev.to = second
    trip(p)
    assert p.port == port
    assert p.gw.metric('niddgw_uplink_total{peer="other",result="answered"}') == 1


def test_the_log_level_is_live_and_what_needs_a_restart_is_said(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.tree["log"] = {"level": "error"}
    p.tree["gateway"] = {"id": "another"}
    p.tree["north"] = {"ports": "20000-20100"}
    said = reload(p)
    assert "gateway.id" in said and "north.ports" in said and said.count("next start") == 2
    assert p.gw.ctl("status")["gateway"] == "test"
    mark = p.gw.log.mark()
    p.register()
    p.tree["log"] = {"level": "debug"}
    reload(p)
    trip(p)
    p.gw.wait_log("ev=up ", since=mark)
    assert not [line for line in p.gw.log.lines[mark:] if "mid=1 " in line]


def test_r10_a_large_fleet_is_reloaded_and_only_what_differs_is_touched(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.gw.log_level = "info"
    fleet = [{"name": "f%d" % i, "link": "sgi", "address": "127.3.%d.%d" % (i // 250, 1 + i % 250)} for i in range(20000)]
    p.tree["devices"] += fleet
    assert "20000 added, 0 removed, 0 changed" in reload(p)
    trip(p)
    p.tree["devices"].pop()
    p.tree["devices"][-1]["ep"] = "x"
    assert "0 added, 1 removed, 1 changed" in reload(p)
    trip(p)
    del p.tree["devices"][1:]
    assert "0 added, 19999 removed, 0 changed" in reload(p)
    trip(p)


def test_an_admin_listener_that_cannot_be_bound_leaves_everything_as_it_was(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    host = loop_host()
    taken = socket.create_server((host, 9660))
    good, uri = p.gw.admin, p.tree["servers"][0]["uri"]
    p.tree["admin"], p.tree["servers"][0]["uri"] = {"listen": host + ":9660"}, "coap://127.0.0.1:9"
    said = refused(p, p.tree)
    assert "admin.listen" in said and "Address already in use" in said
    taken.close()
    trip(p)
    assert p.gw.http("/readyz")[0] == 200
    assert p.gw.metric('niddgw_server_up{server="main"}') == 1
    p.tree["servers"][0]["uri"] = uri
    reload(p)
    p.gw.admin = host + ":9660"
    assert p.gw.http("/readyz")[0] == 200
    with pytest.raises(OSError):
        socket.create_connection(split_addr(good), 1)
    trip(p)


def test_a_storm_of_traffic_from_both_ends_and_reloads(gateway, udp_peer):
    """Seeded. The device and both of its servers send what they like while records, links and servers change under them."""
    rng = random.Random(20)
    p = pair(gateway, udp_peer, profile=dict(BUSY, ack_timeout_s=1, max_retransmit=1), server_keys={"answer_within_s": 1, "patience_s": 1})
    other = udp_peer(port=5683)
    p.gw.log_level = "info"
    listens = [p.tree["links"][0]["listen"], "%s:20000" % loop_host()]
    sent = 0
    p.register()
    relations = []
    for step in range(1500):
        what = rng.random()
        if what < 0.4:
            p.dev.send(Msg.request(rng.choice(("GET", "POST")), "/x", type=rng.choice((0, 1)), token=bytes([rng.randrange(8)]),
                                   mid=rng.randrange(64)))
        elif what < 0.6 and p.srv.source:
            p.srv.send(Msg.request("GET", "/3/0", type=rng.choice((0, 1)), token=bytes([rng.randrange(8)]), mid=rng.randrange(64),
                                   observe=rng.choice((None, 0, 1))))
        elif what < 0.97:
            for peer in (p.dev, p.srv, other):
                peer.sock.settimeout(0)
                try:
                    m = Msg.parse(peer.recv_bytes(0.0001))
                except AssertionError:
                    continue
                if m.is_request:
                    relations = (relations + [m])[-8:] if peer is p.dev and m.has(6) else relations
                    rng.choice((lambda: peer.reply(m, "2.05", b"x", observe=step if m.has(6) else None), lambda: peer.send(m.rst()),
                                lambda: peer.send(m.empty_ack()), lambda: None))()
                elif m.is_response:
                    rng.choice((lambda: peer.send(m.empty_ack()), lambda: peer.send(m.rst()), lambda: None))()
            if relations and rng.random() < 0.5:
                p.dev.send(rng.choice(relations).reply("2.05", b"n", observe=step, type=rng.choice((0, 1)), mid=1000 + step))
        else:
            change = rng.randrange(6)
            if change == 0:
                p.tree["servers"][0]["uri"] = rng.choice((p.srv.uri, other.uri))
            elif change == 1:
                p.tree["links"][0]["listen"] = rng.choice(listens)
            elif change == 2:
                p.tree["links"][0]["enabled"] = rng.random() < 0.7
            elif change == 3:
                p.tree["devices"][0]["name"] = rng.choice(("meter-17", "meter-18"))
            elif change == 4:
                p.tree["profiles"][0]["nstart"] = rng.randrange(1, 5)
            else:
                p.tree["servers"][0]["nstart"] = rng.randrange(1, 5)
            reload(p)
            p.dev.to = split_addr(p.tree["links"][0]["listen"])
        sent += 1
    p.tree["links"][0].update(enabled=True, listen=listens[0])
    p.tree["servers"][0]["uri"] = p.srv.uri
    reload(p)
    wait_until(lambda: p.gw.metric("niddgw_exchanges") == 0)
    p.dev.to = split_addr(listens[0])
    fresh = Msg.request("GET", "/fresh", token=b"fresh", mid=40000)
    p.dev.send(fresh)
    p.srv.reply(p.srv.recv(where=lambda m: m.path() == "/fresh"), "2.05", b"still here")
    assert p.dev.recv(where=lambda m: m.token == b"fresh").payload == b"still here"
