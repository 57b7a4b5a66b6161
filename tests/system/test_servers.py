# SPDX-License-Identifier: Apache-2.0
"""Several servers, bootstrap and the way to another bearer in the running daemon; the exact rules are in the replay scenarios.
Numbers are the acceptance cases of the LwM2M reference (lwm2m)."""
import pytest

from bed import split_addr, udp_config
from coapmsg import LOCATION_PATH, URI_HOST, Msg


@pytest.fixture
def scene(gateway, udp_peer):
    """make(others): a daemon with these servers beside main, {name: keys}; .dev, .srv[name], .gw"""
    class Scene:
        def __init__(self, others, **device):
            self.srv = {name: udp_peer(port=5683) for name in ["main", *others]}
            self.dev, self.mid = udp_peer(), 0
            tree = udp_config(self.srv["main"].uri, {"m1": "%s:%d" % self.dev.addr}, device_keys=device)
            tree["servers"] += [dict({"name": n, "uri": self.srv[n].uri}, **keys) for n, keys in others.items()]
            self.gw = gateway(tree).ready()
            self.dev.to = split_addr(tree["links"][0]["listen"])

        def up(self, where, method, path="", **kw):
            """A request of the device, which has to come out at this server."""
            self.mid += 1
            self.dev.send(Msg.request(method, path, mid=self.mid, token=b"t%d" % self.mid, **kw))
            return self.srv[where].recv(where=lambda m: m.is_request)  # an answer may come twice after a kill

        def answer(self, where, asked, code, **kw):
            self.srv[where].reply(asked, code, **kw)
            came = self.dev.recv()
            assert (came.mid, came.token, came.code) == (self.mid, b"t%d" % self.mid, code), came
            return came

        def down(self, where, method, path="", code="2.04", **kw):
            """A request of this server, answered by the device."""
            srv = self.srv[where]
            asked = Msg.request(method, path, mid=srv.next_mid(), token=b"T", **kw)
            srv.send(asked)
            got = self.dev.recv()
            self.dev.reply(got, code)
            came = srv.recv()
            assert (came.mid, came.token, came.code) == (asked.mid, b"T", code), came
            return got

        def shown(self):
            return {s["name"]: s for s in self.gw.ctl("device", "show", "m1")["servers"]}
    return Scene


def location(*segments):
    return [(LOCATION_PATH, s.encode()) for s in segments]


def test_lwm2m_40_bootstrap_then_register(scene):
    s = scene({"boot": {"role": "bootstrap"}})
    s.answer("boot", s.up("boot", "POST", "/bs", query=["ep=m1"]), "2.04")
    for path, secret in (("/0/0", b"5ecret-0"), ("/21/0", b"5ecret-21"), ("/2/0", b"5ecret-2")):
        got = s.down("boot", "PUT", path, content_format=11542, payload=secret)
        assert (got.path(), got.payload) == (path, secret)
    assert s.down("boot", "DELETE", "/", code="2.02").path() in ("", "/")
    assert s.down("boot", "POST", "/bs").path() == "/bs"
    s.answer("main", s.up("main", "POST", "/rd", query=["ep=m1", "lt=300"]), "2.01", options=location("rd", "1"))
    servers = s.gw.ctl("servers")["items"]
    assert {x["name"]: x["role"] for x in servers} == {"main": "management", "boot": "bootstrap"}
    assert s.shown()["main"]["registered"] and not s.shown()["boot"]["registered"]
    assert not [line for line in s.gw.log.lines if "5ecret" in line or b"5ecret".hex() in line]


def test_lwm2m_38_two_servers_by_host_and_one_by_prefix(scene):
    s = scene({"srv-b": {"strip_uri_host": True, "aliases": ["b.example"]}, "third": {"path_prefix": "t3"}},
              servers=["main", "srv-b", "third"])
    asked = s.up("srv-b", "POST", "/rd", query=["ep=m1"], options=[(URI_HOST, b"B.example")])
    assert not asked.has(URI_HOST)
    assert s.answer("srv-b", asked, "2.01", options=location("rd", "b")).location() == "rd/b"
    asked = s.up("third", "POST", "/t3/rd", query=["ep=m1"])
    assert asked.path() == "/rd"
    assert s.answer("third", asked, "2.01", options=location("rd", "c")).location() == "t3/rd/c"
    s.answer("main", s.up("main", "POST", "/rd", query=["ep=m1"]), "2.01", options=location("rd", "a"))
    for name in ("third", "main", "srv-b"):
        s.down(name, "GET", "/3/0", code="2.05")
    s.gw.kill9()
    s.gw.start().ready()
    asked = s.up("third", "POST", "/t3/rd/c")
    assert asked.path() == "/rd/c"
    s.answer("third", asked, "2.04")
    s.answer("srv-b", s.up("srv-b", "DELETE", "/rd/b", options=[(URI_HOST, b"srv-b")]), "2.02")
    shown = s.shown()
    assert [shown[n]["registered"] for n in ("main", "srv-b", "third")] == [True, False, True]


def test_lwm2m_15_and_16_a_switch_and_the_return(scene):
    s = scene({})
    s.answer("main", s.up("main", "POST", "/rd", query=["ep=m1"]), "2.01", options=location("rd", "1"))
    assert "switch_expected" not in s.shown()["main"] and s.shown()["main"]["security"] == "none"
    assert s.down("main", "POST", "/1/0/8", query=["0=U"]).query() == ["0=U"]
    assert s.shown()["main"]["switch_expected"] is True
    s.gw.restart()
    assert s.shown()["main"]["switch_expected"] is True
    s.answer("main", s.up("main", "POST", "/rd/1"), "4.04")
    s.answer("main", s.up("main", "POST", "/rd", query=["ep=m1"]), "2.01", options=location("rd", "2"))
    assert "switch_expected" not in s.shown()["main"] and s.gw.ctl("alarms")["items"] == []
