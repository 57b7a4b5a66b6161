# SPDX-License-Identifier: Apache-2.0
"""T8: two servers by RDS port (lwm2m case 39)."""
from coapmsg import LOCATION_PATH, Msg
from t8scene import t8  # noqa: F401  (a fixture)

M1 = "m1@iot.example"


def sent_on(s, msg):
    """The rdsPort of the delivery that held this message."""
    return s.fake.wait("deliver", where=lambda r: r.data == msg.encode()).json.get("rdsPort")


def pair(ue, scef):
    return {"portUE": ue, "portSCEF": scef}


def test_lwm2m_39_units_go_down_on_the_ports_of_their_server(t8, udp_peer):  # noqa: F811
    other = udp_peer(port=5683)
    s = t8(link={"rds_ports": ["3:1", "4:2"]}, server_keys={"rds_port": 1}, start=False)
    s.tree["servers"].append({"name": "other", "uri": other.uri, "rds_port": 2})
    s.tree["devices"][0]["servers"] = ["main", "other"]
    s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    assert s.fake.config(M1)["rdsPorts"] == [pair(3, 1), pair(4, 2)]
    # the same token and message id at both servers
    for peer, ports, mid in ((other, pair(4, 2), 1), (s.srv, pair(3, 1), 2)):
        msg = s.message(mid=mid, token=b"a")
        s.fake.up(M1, msg, rdsPort=ports)
        asked = peer.recv()
        peer.reply(asked, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"1")])
        answer = s.fake.down(M1)
        assert (answer.code, answer.mid) == ("2.01", mid) and sent_on(s, answer) == ports
    asked = Msg.request("GET", "/3/0", token=b"T", mid=7)
    other.send(asked)
    first = s.fake.down(M1)
    assert sent_on(s, first) == pair(4, 2)
    s.fake.up(M1, first.reply("2.05", b"for other"), rdsPort=pair(4, 2))
    assert other.recv().payload == b"for other"
    s.srv.send(asked)
    second = s.fake.down(M1)
    assert sent_on(s, second) == pair(3, 1) and second.token != first.token
    s.fake.up(M1, second.reply("2.05", b"for main"), rdsPort=pair(3, 1))
    assert s.srv.recv().payload == b"for main"
    # one that comes without ports is answered without
    s.fake.up(M1, s.message("GET", "/x", token=b"n", mid=9, payload=b""))
    s.srv.reply(s.srv.recv(), "2.05")
    answer = s.fake.down(M1)
    assert answer.mid == 9 and sent_on(s, answer) is None
