# SPDX-License-Identifier: Apache-2.0
"""Debian's coap-client and coap-server on both sides of a T8 link: once behind the fake SCEF, once behind niddgw-sim scef.

Up: coap-client sends to the radio, coap-server is the server. Down: coap-server is behind the radio, as a device that a script has
registered; coap-client asks from the server's address.
"""
import shutil
import socket
import subprocess

import pytest

from bed import DEADLINE, Program, loop_host, t8_config, wait_until
from coapmsg import LOCATION_PATH, Msg
from openapi_check import Api, folder
from t8fake import Radio, T8Fake

CLIENT, SERVER = shutil.which("coap-client-notls"), shutil.which("coap-server-notls")
pytestmark = pytest.mark.skipif(not (CLIENT and SERVER), reason="libcoap3-bin is not installed")
EID = "dev-1@iot.example"


class Foreign:
    """The gateway between an SCEF of this kind and a server at self.server."""

    def __init__(self, testbed, gateway, kind, direction, config=None):
        self.testbed, self.kind = testbed, kind
        self.device, self.server, self.radio_host = loop_host(), loop_host(), loop_host()
        if kind == "sim":
            self.scef = testbed.scef("--id", EID, radio=True)
            self.radio = self.scef.radio
        else:
            self.scef = testbed._keep(T8Fake(loop_host()))
            self.radio_end = testbed._keep(Radio(self.scef, self.radio_host, [EID]))
            self.radio = self.radio_end.addr
        # A loaded host may lose a datagram between these programs: what is lost goes again before coap-client gives up.
        config = dict({"profile": {"ack_timeout_s": 2}}, **(config or {}))
        self.gw = gateway(t8_config(self.scef, "coap://%s:5683" % self.server, {"dev-1": EID}, **config)).ready()
        wait_until(lambda: self.gw.ctl("device", "show", "dev-1")["link"]["configuration_state"] == "active")
        if direction == "up":
            self.start_server(self.server)
        else:
            self.register()
            self.start_server(self.device)

    def register(self):
        """By script, from where coap-server is started afterwards."""
        srv, dev = self.testbed.peer(self.server, 5683), self.testbed.peer(self.device, 5683, self.radio)
        request = Msg.request("POST", "/rd", ["ep=dev-1", "lt=3000", "lwm2m=1.1", "b=N"], token=b"a", mid=1, content_format=40, payload=b"</1/0>")
        while True:
            dev.send(request)
            try:
                asked = srv.recv(3)
                break
            except AssertionError:
                continue  # the limit of the test ends it
        srv.reply(asked, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"1")])
        assert dev.recv().location() == "rd/1"
        self.port = srv.source[1]
        srv.sock.close()
        dev.sock.close()

    def start_server(self, host):
        self.far = Program([SERVER, "-A", host, "-p", "5683", "-d", "10", "-v", "7"])
        self.testbed.items.append(self.far)

        def is_there():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.05)
                s.connect((host, 5683))
                try:
                    s.send(Msg(mid=1).encode())
                    return s.recv(64)[0] == 0x70
                except OSError:
                    return False
        wait_until(is_there)

    def ask(self, path, *args, body=None):
        """coap-client; what it printed."""
        if hasattr(self, "port"):
            to, own = ("127.0.0.1", self.port), ["-a", self.server, "-p", "5683"]
        else:
            to, own = self.radio, ["-a", self.device, "-p", "5683"]
        done = subprocess.run([CLIENT, "-U", "-B", "10", *own, *args, "coap://%s:%d/%s" % (*to, path)], input=body, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=DEADLINE)
        assert done.returncode == 0, done
        return done.stdout[:-1] if done.stdout.endswith(b"\n") else done.stdout

    def faults(self):
        """Requests of the gateway that the API does not know."""
        if self.kind == "fake":
            return self.scef.faults + self.radio_end.faults
        if folder() is None:
            return []
        return [f for release in ("rel15", "rel19") for api in [Api(release)] for e in self.scef.events("request")
                for f in api.event(e, answers=False)]


@pytest.fixture(params=["fake", "sim"])
def kind(request):
    return request.param


@pytest.fixture(params=["up", "down"])
def way(request, testbed, gateway, kind):
    f = Foreign(testbed, gateway, kind, request.param)
    yield f
    assert not f.faults()


def test_get_put_post_delete(way):
    assert b"libcoap" in way.ask("")
    way.ask("x", "-m", "put", "-e", "first")
    assert way.ask("x") == b"first"
    way.ask("x", "-m", "put", "-e", "second", "-t", "text/plain")
    assert way.ask("x") == b"second"
    way.ask("x", "-m", "post", "-e", "third")
    way.ask("x", "-m", "delete")
    assert not way.ask("x").startswith(b"second")
    assert b"</time>" in way.ask(".well-known/core")
    assert b"libcoap" in way.ask("", "-N")


def test_a_separate_answer(way):
    assert way.ask("async?1").strip() == b"done"


@pytest.mark.parametrize("size", [64, 1024])
def test_blocks_pass(way, size, tmp_path):
    body = bytes(i * 7 + i // 251 & 0xFF for i in range(2500))
    (tmp_path / "body").write_bytes(body)
    way.ask("example_data", "-m", "put", "-b", str(size), "-f", str(tmp_path / "body"), "-t", "42")
    assert way.ask("example_data", "-b", str(size)) == body


def test_a_server_observes_a_device(testbed, gateway, kind):
    f = Foreign(testbed, gateway, kind, "down")
    out = f.ask("time", "-s", "2", "-w", "-B", "4")
    assert len([line for line in out.split(b"\n") if line.strip()]) >= 2
    wait_until(lambda: f.gw.ctl("device", "show", "dev-1")["servers"][0]["observations"] == 0)
    assert not f.faults()


def test_every_message_was_one_delivery_or_one_notification(way):
    """No unit is sent twice over a bearer that loses none."""
    for _ in range(5):
        assert b"libcoap" in way.ask("")
    units = way.gw.ctl("device", "show", "dev-1")
    posts = len(way.scef.all("deliver")) if way.kind == "fake" else len(way.scef.events("request", where=lambda e: e["op"] == "delivery"))
    assert units["units_down"] == posts
    assert way.gw.metric('niddgw_uplink_total{result="duplicate"}') == 0
