# SPDX-License-Identifier: Apache-2.0
"""Case 66 of the T8 reference, the tunnel's edges: what is too large, and what is empty. (test_udp_identity.py has strangers and IPv6.)"""
from bed import split_addr, udp_config
from coapmsg import Msg


def test_t8_66_an_oversized_datagram_is_dropped_and_an_empty_one_says_awake(gateway, udp_peer):
    srv, dev = udp_peer(port=5683), udp_peer()
    tree = udp_config(srv.uri, {"m1": "%s:%d" % dev.addr})
    gw = gateway(tree).ready()
    dev.to = split_addr(tree["links"][0]["listen"])
    whole = Msg.request("POST", "/x", token=b"a", mid=1, payload=30000 * b"x")
    for size in (2100, 9000, 30000):
        dev.send(whole.encode()[:size])
    gw.wait_metric('niddgw_uplink_total{transport="udp",result="too_big"}', 3)
    dev.send(b"")
    dev.send(Msg.request("GET", "/next", token=b"b", mid=2))
    asked = srv.recv()
    assert asked.path() == "/next"  # nothing of the others went north
    srv.reply(asked, "2.05", b"here")
    assert dev.recv().payload == b"here"
    assert gw.metric('niddgw_uplink_total{result="forwarded"}') == 1  # the empty one
    assert gw.ctl("device", "show", "m1")["reach"] == "awake"
