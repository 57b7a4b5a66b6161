# SPDX-License-Identifier: Apache-2.0
"""T8: the running daemon against niddgw-sim scef and its switches. Numbers are the acceptance cases of the T8 reference; the
same cases stand against another SCEF in test_t8_config.py, test_t8_uplink.py, test_t8_down.py and test_t8_peer.py."""
import itertools

import pytest

from bed import t8_config, wait_until
from coapmsg import LOCATION_PATH, Msg
from openapi_check import Api, folder

M1 = "m1@iot.example"


class Line:
    """niddgw-sim scef with these options, the daemon, and a server by script."""

    def __init__(self, testbed, *options, link=None, devices=None, profile=None, start=True, prepare=None):
        self.devices = devices or {"m1": M1}
        self.scef, self.srv = testbed.scef(*options), testbed.peer(port=5683)
        if prepare:
            prepare(self.scef)
        self.gw = testbed.gateway(t8_config(self.scef, self.srv.uri, self.devices, link=link, profile=profile), start=False)
        self.mids, self.at, self.mark = itertools.count(1), None, 0
        if start:
            self.gw.start().ready()

    def active(self, name="m1"):
        wait_until(lambda: self.gw.ctl("device", "show", name)["link"]["configuration_state"] == "active")

    def down(self, eid=M1):
        """The next unit for the device; each is given once."""
        line = self.scef.wait("downlink", since=self.mark, external_id=eid)
        self.mark = self.scef.out.lines.index(line, self.mark) + 1
        return Msg.parse(bytes.fromhex(line["data"]))

    def up(self, msg, eid=M1):
        line = self.scef.uplink(eid, msg)
        assert line["status"] == 204 and line["ms"] < 1000, line

    def register(self, name="m1"):
        mid = next(self.mids)
        self.up(Msg.request("POST", "/rd", ["ep=" + name, "lt=3000", "lwm2m=1.1", "b=N"], token=b"r", mid=mid, content_format=40,
                            payload=b"</1/0>,</3/0>"), self.devices[name])
        asked = self.srv.recv()
        self.at = self.srv.source
        self.srv.reply(asked, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"1")])
        assert self.down(self.devices[name]).location() == "rd/1"
        return self

    def ask(self):
        m = Msg.request("GET", "/3/0/0", token=b"q%d" % next(self.mids), mid=next(self.mids))
        self.srv.send(m, self.at)
        return m

    def serve(self, asked):
        down = self.down()
        assert down.path() == asked.path()
        self.up(down.reply("2.05", b"ok"))
        got = self.srv.recv(where=lambda m: m.is_response)
        assert got.token == asked.token and got.payload == b"ok"

    def requests(self, op, **fields):
        return self.scef.requests(op, **fields)


@pytest.fixture
def line(testbed):
    """line(*options of the simulator, **keys) -> Line; its requests are held against the API at the end."""
    made = []

    def make(*options, **keys):
        made.append(Line(testbed, *options, **keys))
        return made[-1]

    yield make
    if folder() is None:
        return
    apis = [Api("rel15"), Api("rel19")]
    for one in made:
        faults = [f for e in one.scef.events("request") for api in apis if not (api.release == "rel15" and e["op"] == "patch")
                  for f in api.event(e, answers=False)]
        assert not faults, "\n".join(faults[:10])


DEVIATIONS = ["--links relative", "--links foreign", "--links encoded", "--base64 urlsafe", "--base64 unpadded", "--base64 lines", "--escape-equals",
              "--ids both", "--ids other", "--status-alias", "--omit-data", "--omit-status", "--omit-location --buffering", "--prefix /SCEF",
              "--test before", "--test never", "--status-before-answer --buffering", "--max-packet 0", "--max-duration 3600", "--parallel",
              "--links relative --ids both --status-alias --omit-data --escape-equals --prefix /SCEF"]


@pytest.mark.parametrize("options", DEVIATIONS)
def test_t8_11_12_14_25_a_platform_that_deviates_works(line, options):
    s = line("--radio-delay-ms", "0", *options.split())
    if "--buffering" in options:  # the network keeps everything until it is told
        s.active()
        s.scef.do("buffering", on=False)
        s.register()
        s.scef.do("buffering", on=True)
        asked = s.ask()
        if "before" not in options:
            s.scef.wait("request", op="delivery", status=201)
            s.scef.do("flush", external_id=M1)
        s.scef.do("buffering", on=False)
        s.serve(asked)
    else:
        s.register()
    for _ in range(2):
        s.serve(s.ask())
    assert len(s.requests("create")) == 1


def test_t8_02_a_configuration_that_is_there_is_adopted(line):
    s = line(start=False, prepare=lambda scef: scef.do("preload", external_id=M1, destination="http://127.0.0.1:1/old"))
    s.gw.start().ready()
    s.active()
    s.register()
    assert [e["op"] for e in s.scef.events("request")][:2] == ["list", "patch"] and not s.requests("create")


@pytest.mark.limit(90)
def test_t8_04_a_large_list_is_read_to_its_end(line):
    s = line(start=False, prepare=lambda scef: scef.do("preload", external_id="x{n}@other.example", destination="http://other.example/", count=20000))
    s.gw.start().ready()
    s.register()
    s.gw.wait_log(r"ev=config.strangers .*count=20000")


def test_t8_08_a_notification_that_comes_twice_is_one_message(line):
    s = line()
    s.register()
    m = Msg.request("POST", "/note", token=b"n", mid=next(s.mids), payload=b"1")
    s.up(m)
    s.srv.reply(s.srv.recv(), "2.04")
    first = s.down()
    s.gw.wait_log(r"ev=answer .*op=deliver status=200", n=2)  # it is no longer on its way
    s.up(m)
    assert s.down() == first
    s.serve(s.ask())


def test_t8_09_the_radio_doubles_every_unit(line):
    s = line("--duplicate-percent", "100", "--parallel")
    s.register()
    for _ in range(5):
        asked = s.ask()
        down = s.down()
        while not down.is_request:  # an answer once more, to the copy
            down = s.down()
        s.up(down.reply("2.05", b"ok"))
        assert s.srv.recv(where=lambda m: m.is_response).token == asked.token
    assert len([m for m in s.scef.downlinks(M1) if Msg.parse(m).is_request]) == 5


def test_t8_23_buffered_then_delivered(line):
    s = line()
    s.register()
    s.scef.do("buffering", on=True)
    asked = s.ask()
    s.scef.wait("request", op="delivery", status=201)
    wait_until(lambda: s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 1)
    s.scef.do("flush", external_id=M1)
    s.serve(asked)
    assert s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 0


def test_t8_26_a_sleeper_gets_its_unit_when_it_is_heard(line):
    s = line("--retry-after", "90")
    s.register()
    s.scef.fault("delivery", status=500, cause="TEMPORARILY_NOT_REACHABLE", retry_s=90, times=1)
    asked = s.ask()
    s.scef.wait("request", op="delivery", status=500)
    wait_until(lambda: s.gw.ctl("device", "show", "m1")["reach"] == "sleeping")
    s.up(b"")
    s.serve(asked)


@pytest.mark.parametrize("process", [True, False])
def test_t8_43_a_lost_answer(line, process):
    s = line()
    s.register()
    s.scef.do("buffering", on=process)
    s.scef.fault("delivery", lost=True, process=process, times=1)
    asked = s.ask()
    s.scef.wait("request", op="delivery-list")
    if process:
        wait_until(lambda: s.gw.ctl("device", "show", "m1")["link"]["buffered"] == 1)
        s.scef.do("flush", external_id=M1)
    s.serve(asked)
    assert len([m for m in s.scef.downlinks(M1) if Msg.parse(m).is_request]) == 1


def test_t8_45_a_restart_that_forgets_all(line):
    s = line(devices={"m%d" % i: "m%d@iot.example" % i for i in range(1, 9)})
    for name in s.devices:
        s.active(name)
    s.register()
    s.scef.do("restart")
    s.serve(s.ask())
    assert s.scef.requests("delivery", status=404)
    made = len(s.requests("create"))
    assert made == 9


def test_t8_38_expired_tokens_are_renewed_once(line):
    s = line("--auth", "bearer", start=False)
    s.gw.secret("op.secret", "secret")
    tree = t8_config(s.scef, s.srv.uri, s.devices, link={"auth": "oauth2", "client_id": "gw", "client_secret": "file:op.secret",
                                                         "token_url": s.scef.root + "/token"})
    s.gw.write(tree)
    s.gw.start().ready()
    s.register()
    s.scef.do("expire")
    s.serve(s.ask())
    assert len(s.requests("token")) == 2


def test_t8_39_the_port_of_the_peer_is_closed_for_a_while(line):
    s = line(profile={"ack_timeout_s": 2})  # what is lost with a dying connection goes again by CoAP's rules
    s.register()
    s.scef.do("away", on=True)
    asked = s.ask()
    s.up(Msg.request("POST", "/note", token=b"n", mid=next(s.mids), payload=b"1"))
    s.srv.reply(s.srv.recv(where=lambda m: m.path() == "/note"), "2.04")
    s.scef.do("away", on=False)
    units = []
    while not any(m.is_request for m in units):
        units.append(s.down())
    request = units[-1]
    s.up(request.reply("2.05", b"ok"))
    assert s.srv.recv(where=lambda m: m.is_response).token == asked.token
