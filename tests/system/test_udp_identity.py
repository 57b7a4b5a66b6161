# SPDX-License-Identifier: Apache-2.0
"""Who a device is on `link udp`: its source address, its endpoint name, and what a server entry may change in a Register."""
import pytest

from bed import split_addr, udp_config
from coapmsg import URI_HOST, URI_PORT, URI_QUERY, Msg, uint
from pair import LOCATION, REGISTER, pair, rest

BASE = ["lt=300", "lwm2m=1.1", "b=N"]


def register(p, query, mid=None, options=()):
    """Sends a Register; what the server got, or None and the device's answer."""
    m = Msg.request("POST", "/rd", query, token=b"r", mid=p.dev.next_mid() if mid is None else mid, content_format=40, options=options,
                    payload=b"</1/0>,</3/0>")
    p.dev.send(m)
    return m


def passes(p, query, **kw):
    register(p, query, **kw)
    asked = p.srv.recv()
    p.srv.reply(asked, "2.01", options=LOCATION)
    assert p.dev.recv().code == "2.01"
    return asked


def refused(p, query, code="4.00"):
    register(p, query)
    assert p.dev.recv().code == code
    p.ping()  # and nothing went north


# ---- endpoint names ----

def test_lwm2m_4_a_foreign_ep_is_refused_and_an_event(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    for ep in ("meter-18", "meter-1", "meter-17x", "METER-17", "", "meter-17%00", "meter-17 "):
        refused(p, ["ep=" + ep] + BASE)
    refused(p, BASE + ["ep=meter-17", "ep=meter-18"])
    refused(p, BASE + ["ep=meter-17", "ep=meter-17"])
    refused(p, ["ep"] + BASE)
    assert p.gw.metric("niddgw_identity_rejected_total") >= 7
    assert [(a["type"], a["source"]) for a in p.gw.ctl("alarms")["items"]] == [("device.identity_mismatch", {"device": "meter-17"})]
    assert passes(p, ["ep=meter-17"] + BASE).query() == ["ep=meter-17"] + BASE


def test_lwm2m_4_the_name_of_another_device_of_the_fleet_is_refused(gateway, udp_peer):
    """Neither device has a configured ep: the first user of a name has it."""
    srv, one, two = udp_peer(port=5683), udp_peer(), udp_peer()
    tree = udp_config(srv.uri, {"a": "%s:%d" % one.addr, "b": "%s:%d" % two.addr})
    for d in tree["devices"]:
        del d["ep"]
    gateway(tree).ready()
    reg = Msg.request("POST", "/rd", ["ep=same"] + BASE, token=b"r", mid=1)
    for dev in (one, two):
        dev.to = split_addr(tree["links"][0]["listen"])
        dev.send(reg)
        if dev is one:
            srv.reply(srv.recv(), "2.01", options=LOCATION)
        assert dev.recv().code == ("2.01" if dev is one else "4.00")


def test_two_records_with_one_ep_are_a_fault(gateway, udp_peer):
    tree = udp_config("coap://127.0.0.1", {"a": "127.0.0.1:1", "b": "127.0.0.1:2"}, device_keys={"ep": "same"})
    gw = gateway(tree, start=False)
    status, text = gw.check()
    assert status == 1 and text.count("\n") == 1 and 'devices[1].ep: "same" is the endpoint name of "a"' in text


def test_lwm2m_3_an_absent_ep_is_inserted_behind_the_last_query(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    assert passes(p, BASE).query() == BASE + ["ep=meter-17"]
    assert passes(p, []).query() == ["ep=meter-17"]
    assert passes(p, BASE, options=[(65000, b"x")]).options[-2:] == [(URI_QUERY, b"ep=meter-17"), (65000, b"x")]


def test_lwm2m_3_an_absent_ep_without_a_configured_one_is_refused(gateway, udp_peer):
    p = pair(gateway, udp_peer, tree_change=lambda t: t["devices"][0].pop("ep"))
    refused(p, BASE)
    assert passes(p, ["ep=own"] + BASE).query() == ["ep=own"] + BASE
    assert passes(p, BASE).query() == BASE + ["ep=own"]  # learnt
    assert p.gw.ctl("device", "show", "meter-17")["ep"] == "own"


def test_insert_ep_false_leaves_an_absent_ep_absent(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"insert_ep": False})
    assert passes(p, BASE).query() == BASE
    refused(p, ["ep=meter-18"] + BASE)


# ---- edits ----

EDITS = [
    # keys of the server entry, query of the Register, query north
    ({}, ["ep=meter-17", "lt=9", "lwm2m=1.1", "b=N", "Q", "sms=491"], ["ep=meter-17", "lt=9", "lwm2m=1.1", "b=N", "Q", "sms=491"]),
    ({"binding": "U"}, ["b=N", "ep=meter-17", "lwm2m=1.1"], ["b=U", "ep=meter-17", "lwm2m=1.1"]),
    ({"binding": "U"}, ["ep=meter-17", "lwm2m=1.1"], ["ep=meter-17", "lwm2m=1.1"]),
    ({"binding": "U"}, ["b=NQ", "ep=meter-17", "lwm2m=1.0"], ["b=UQ", "ep=meter-17", "lwm2m=1.0"]),
    ({"binding": "U"}, ["b=N", "Q", "ep=meter-17", "lwm2m=1.1"], ["b=U", "Q", "ep=meter-17", "lwm2m=1.1"]),
    ({"queue_flag": "add"}, ["b=N", "ep=meter-17", "lwm2m=1.1"], ["b=N", "ep=meter-17", "lwm2m=1.1", "Q"]),
    ({"queue_flag": "add"}, ["b=U", "ep=meter-17", "lwm2m=1.0"], ["b=UQ", "ep=meter-17", "lwm2m=1.0"]),
    ({"queue_flag": "add"}, ["b=N", "Q", "ep=meter-17", "lwm2m=1.1"], ["b=N", "Q", "ep=meter-17", "lwm2m=1.1"]),
    ({"queue_flag": "remove"}, ["Q", "b=N", "ep=meter-17", "lwm2m=1.2"], ["b=N", "ep=meter-17", "lwm2m=1.2"]),
    ({"queue_flag": "remove"}, ["b=UQ", "ep=meter-17", "lwm2m=1.0"], ["b=U", "ep=meter-17", "lwm2m=1.0"]),
    ({"sms": "remove"}, ["sms=491", "ep=meter-17", "lwm2m=1.1"], ["ep=meter-17", "lwm2m=1.1"]),
    ({"sms": "remove", "binding": "UT", "queue_flag": "add"}, ["x=y", "sms=4", "b=N", "lwm2m=1.1"],
     ["x=y", "b=UT", "lwm2m=1.1", "Q", "ep=meter-17"]),
]


@pytest.mark.parametrize("keys, sent, north", EDITS, ids=[str(i) for i in range(len(EDITS))])
def test_lwm2m_2_a_register_is_edited_as_the_server_entry_says(gateway, udp_peer, keys, sent, north):
    p = pair(gateway, udp_peer, server_keys=keys)
    asked = passes(p, sent)
    assert sorted(asked.query()) == sorted(north) and [q for q in asked.query() if q in sent] == [q for q in north if q in sent]
    if "ep=meter-17" not in sent:
        assert asked.query()[-1] == "ep=meter-17"
    expected = Msg.request("POST", "/rd", asked.query(), mid=1, content_format=40, payload=b"</1/0>,</3/0>")
    assert rest(asked.encode()) == rest(expected.encode())


def test_an_update_is_edited_only_where_it_names_the_parameter(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"binding": "U", "queue_flag": "add"})
    passes(p, ["ep=meter-17"] + BASE)
    for sent, north in ((["lt=5"], ["lt=5"]), ([], []), (["b=N"], ["b=U"])):
        asked = p.up("POST", "/rd/5a3f", query=sent)
        p.srv.reply(asked, "2.04")
        p.dev.recv()
        assert [q for q in asked.query() if q != "Q"] == north


def test_other_requests_are_never_edited(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"binding": "U", "queue_flag": "add", "sms": "remove"})
    for path, query in (("/dp", ["b=N", "ep=x"]), ("/x", ["ep=someone", "sms=1"]), ("/rd/a/b", ["b=N"])):
        asked = p.up("POST", path, query=query, content_format=112, payload=b"x")
        assert asked.query() == query
        p.srv.reply(asked, "2.04")
        p.dev.recv()


def test_uri_host_and_port_are_kept_or_stripped(gateway, udp_peer):
    host = [(URI_HOST, b"lwm2m.example"), (URI_PORT, uint(5683))]
    p = pair(gateway, udp_peer)
    assert passes(p, ["ep=meter-17"], options=host).options[:2] == [host[0], host[1]]
    got = p.down("GET", "/3/0", token=b"x", options=host)
    assert not got.has(URI_HOST) and not got.has(URI_PORT)
    p.dev.reply(got, "2.05")
    p.srv.recv()
    p.tree["servers"][0]["strip_uri_host"] = True
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    asked = passes(p, ["ep=meter-17"], options=host)
    assert not asked.has(URI_HOST) and not asked.has(URI_PORT) and asked.path() == "/rd"


# ---- source addresses ----

def test_t8_66_a_datagram_from_an_unknown_source_is_dropped_and_counted(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    stranger, same_host = udp_peer(to=p.dev.to), udp_peer(host=p.dev.addr[0], to=p.dev.to)
    for peer in (stranger, same_host):
        peer.send(REGISTER)
        peer.send(Msg(mid=1))  # not even a ping is answered
    p.gw.wait_metric('niddgw_uplink_total{peer="sgi",result="unknown_device"}', 4)
    p.ping()
    for peer in (stranger, same_host):
        peer.silent(0.01)
    assert len([line for line in p.gw.log.lines if "unknown_device" in line]) == 1  # not a line per datagram


def test_a_host_means_whatever_port_it_last_sent_from(gateway, udp_peer):
    p = pair(gateway, udp_peer, tree_change=lambda t: t["devices"][0].update(address=t["devices"][0]["address"].split(":")[0]))
    p.register()
    moved = udp_peer(host=p.dev.addr[0], to=p.dev.to)
    old, p.dev = p.dev, moved
    asked = p.up("POST", "/rd/5a3f")
    p.srv.reply(asked, "2.04")
    assert moved.recv().code == "2.04"
    got = p.down("GET", "/3/0", token=b"x")
    moved.reply(got, "2.05")
    p.srv.recv()
    old.silent(0.01)


def test_devices_of_one_host_are_told_apart_by_their_ports(gateway, udp_peer):
    srv, a = udp_peer(port=5683), udp_peer()
    b, c = udp_peer(host=a.addr[0]), udp_peer(host=a.addr[0])
    tree = udp_config(srv.uri, {"a": "%s:%d" % a.addr, "b": "%s:%d" % b.addr, "rest": a.addr[0]})
    gateway(tree).ready()
    for dev, name in ((a, "a"), (b, "b"), (c, "rest")):
        dev.to = split_addr(tree["links"][0]["listen"])
        dev.send(Msg.request("POST", "/rd", BASE, mid=1))
        asked = srv.recv()
        assert asked.query()[-1] == "ep=" + name
        srv.reply(asked, "2.01", options=LOCATION)
        assert dev.recv().code == "2.01"


def test_t8_66_an_ipv6_tunnel(gateway, udp_peer):
    srv, dev = udp_peer(port=5683), udp_peer(host="::1")
    free = udp_peer(host="::")
    port = free.addr[1]
    free.close()
    tree = udp_config(srv.uri, {"six": "[::1]:%d" % dev.addr[1]}, link={"listen": "[::]:%d" % port})
    gw = gateway(tree).ready()
    dev.to = ("::1", port)
    dev.send(Msg.request("POST", "/rd", BASE, mid=1))
    srv.reply(srv.recv(), "2.01", options=LOCATION)
    assert dev.recv().code == "2.01" and dev.source[1] == port
    assert gw.ctl("device", "show", "six")["identity"] == {"address": "[::1]:%d" % dev.addr[1]}
