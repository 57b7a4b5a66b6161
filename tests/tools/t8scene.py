# SPDX-License-Identifier: Apache-2.0
"""t8scene.py - the daemon between a fake SCEF and a scripted LwM2M server, with clocks that a test can move.

    from t8scene import t8  # the fixture

    def test_x(t8):
        s = t8()                              # device m1 (m1@iot.example), ready and with its configuration
        s.register()                          # the server on s.srv knows it from now on
        s.srv.send(Msg.request("GET", "/3/0/0", token=b"a", mid=1), s.at["m1"])
        asked = s.fake.down("m1@iot.example")
        s.clock.forward(90)                   # the daemon believes that 90 s have passed

After the test the fake must have seen no request that the OpenAPI files do not allow.
"""
import functools
import itertools
import mmap
import os
import signal
import struct
import subprocess
import tempfile
import threading

import pytest

from bed import REPO, build_dir, loop_host, t8_config, wait_until
from coapmsg import LOCATION_PATH, Msg
from t8fake import Radio, T8Fake


@functools.lru_cache(maxsize=None)
def is_sanitized():
    return b"__asan_init" in (build_dir() / "niddgwd").read_bytes()


def rss(gw):
    """Octets of memory in use; always the same under a sanitizer, which keeps what is freed."""
    return 0 if is_sanitized() else gw.metric("niddgw_rss_bytes")


class Clock:
    """Moves the clocks of the programs that are started with .env. before: called first, so that what is under way ends in
    the old time; wake: makes the sleeping daemon look."""

    _library = None

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="ngw-warp-")
        self.file.write(bytes(16))
        self.file.flush()
        self.map = mmap.mmap(self.file.fileno(), 16)
        self.before = self.wake = lambda: None
        asan = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        self.env = {"LD_PRELOAD": self.library(), "NIDDGW_WARP": self.file.name,
                    "ASAN_OPTIONS": asan + ":verify_asan_link_order=0"}

    @classmethod
    def library(cls):
        if cls._library is None:
            cls._dir = tempfile.TemporaryDirectory(prefix="ngw-warp-")
            cls._library = cls._dir.name + "/warp.so"
            subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-o", cls._library, str(REPO / "tests/tools/warp.c")],
                           check=True)
        return cls._library

    def _add(self, forward, wall):
        self.before()
        a, b = struct.unpack("qq", self.map[:16])
        self.map[:16] = struct.pack("qq", a + int(forward * 1000), b + int(wall * 1000))
        self.wake()

    def forward(self, seconds):
        """Time passes."""
        self._add(seconds, seconds)

    def jump(self, seconds):
        """The wall clock is set; no time passes."""
        self._add(0, seconds)

    def close(self):
        self.map.close()
        self.file.close()


class Scene:
    """One fake, one daemon, one server by script."""

    def __init__(self, bed, devices=None, fake=None, start=True, ready=True, warp=True, log_level="debug", **config):
        self.bed, self.devices = bed, devices or {"m1": "m1@iot.example"}
        self.host, self.fake_keys = loop_host(), fake or {}
        self.fake = bed._keep(fake) if isinstance(fake, T8Fake) else bed._keep(T8Fake(loop_host(), **self.fake_keys))
        self.srv = bed.peer(port=5683)
        self.at, self._mid, self._location = {}, itertools.count(100), itertools.count(1)
        self.tree = t8_config(self.fake.root, self.srv.uri, self.devices, host=self.host, **config)
        self.clock = bed._keep(Clock()) if warp else None
        self.gw = bed.gateway(self.tree, env=self.clock.env if warp else None, start=False, log_level=log_level)
        if warp:
            self.clock.before, self.clock.wake = self.settle, self._wake
        if start:
            self.gw.start()
            if ready:
                self.ready()

    def _wake(self):
        if not self.gw.down and self.gw.program.running():
            self.gw.http("/healthz")

    def settle(self):
        """Returns when the daemon has seen every answer of the fake, and has no request of its own to make for it."""
        seen = None
        while seen != self.fake.mark() and not self.gw.down and self.gw.program.running():
            seen = self.fake.mark()
            self.fake.quiet()
            self._wake()  # its pass may have begun before the answer came
            self._wake()

    def ready(self):
        self.gw.ready()
        for eid in self.devices.values():
            self.active(eid)
        return self

    def stop(self):
        """Ends the daemon without waiting for what the test has left open."""
        if self.clock and not self.gw.down and self.gw.program.running():
            self.gw.signal(signal.SIGTERM)
            self.gw.wait_log("ev=stopping")
            self.clock.before = self.clock.wake = lambda: None
            while self.gw.program.running():  # how long it waits is counted from a moment that cannot be seen
                self.clock.forward(10)
                try:
                    self.gw.program.process.wait(0.1)
                except subprocess.TimeoutExpired:
                    pass
            self.gw.exits.append(self.gw.program.wait_exit())
            self.gw.notify.close()
            self.gw.down = True
            assert self.gw.exits[-1] == 0, self.gw.log.lines[-20:]

    def name_of(self, eid):
        return next(n for n, e in self.devices.items() if e == eid)

    def state(self, eid="m1@iot.example"):
        return self.gw.ctl("device", "show", self.name_of(eid))["link"].get("configuration_state")

    def wait_state(self, state, eid="m1@iot.example", timeout=None):
        wait_until(lambda: self.state(eid) == state, timeout, lambda: "%s is %s, not %s" % (eid, self.state(eid), state))

    def active(self, eid="m1@iot.example"):
        self.wait_state("active", eid)

    def mid(self):
        return next(self._mid)

    def uplinks(self, result):
        return self.gw.metric('niddgw_uplink_total{result="%s"}' % result)

    def alarms(self):
        return [a["type"] for a in self.gw.ctl("alarms")["items"]]

    def wait_alarm(self, kind, there=True):
        wait_until(lambda: (kind in self.alarms()) == there, None, lambda: "alarm %s; there are %s" % (kind, self.alarms()))

    def message(self, method="POST", path="/rd", name="m1", token=None, mid=None, query=None, payload=b"</1/0>,</3/0>", **more):
        """A Register unless told otherwise."""
        if query is None:
            query = ["ep=" + name, "lt=3000", "lwm2m=1.1", "b=N"] if path == "/rd" else []
        mid = self.mid() if mid is None else mid
        return Msg.request(method, path, query, token=mid.to_bytes(2, "big") if token is None else token, mid=mid,
                           content_format=40 if path == "/rd" else None, payload=payload, **more)

    def register(self, name="m1"):
        """The device registers; the server's side of its association is in self.at[name]."""
        eid, msg = self.devices[name], self.message(name=name)
        self.fake.up(eid, msg)
        asked = self.srv.recv(where=lambda m: m.is_request and "ep=" + name in m.query())
        self.at[name] = self.srv.source
        where = b"r%d" % next(self._location)
        self.srv.reply(asked, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, where)])
        answer = self.fake.down(eid, where=lambda m: m.mid == msg.mid)
        assert answer.code == "2.01" and answer.token == msg.token and answer.location() == "rd/" + where.decode(), answer
        return self

    def ask(self, msg=None, name="m1"):
        """The server sends a request to the device; returns it."""
        msg = msg or Msg.request("GET", "/3/0/0", token=self.mid().to_bytes(2, "big"), mid=self.mid())
        self.srv.send(msg, self.at[name])
        return msg

    def answer(self, asked, code="2.05", payload=b"ok", name="m1", **more):
        """What the device says to a request that came down to it."""
        self.fake.up(self.devices[name], asked.reply(code, payload, **more))

    def radio(self, users=None):
        return self.bed._keep(Radio(self.fake, loop_host(), users or list(self.devices.values())))

    def round_trip(self, name="m1"):
        """Proof that the way up and down is in order."""
        eid, msg = self.devices[name], self.message("GET", "/time", name)
        msg.payload = b""
        self.fake.up(eid, msg)
        asked = self.srv.recv(where=lambda m: m.path() == "/time")
        self.srv.reply(asked, "2.05", b"now")
        assert self.fake.down(eid, where=lambda m: m.mid == msg.mid).payload == b"now"


@pytest.fixture
def t8(testbed):
    scenes = []

    def make(**keys):
        scenes.append(Scene(testbed, **keys))
        return scenes[-1]

    yield make
    for s in scenes:
        s.stop()
    faults = [f for s in scenes for f in s.fake.faults]
    assert not faults, "requests that the API does not know:\n  " + "\n  ".join(faults[:20])


def in_parallel(*calls):
    """Runs them at the same time; their results in order."""
    results = [None] * len(calls)

    def run(i, call):
        try:
            results[i] = call()
        except Exception as fault:  # handed to whoever looks at the result
            results[i] = fault

    threads = [threading.Thread(target=run, args=(i, c)) for i, c in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in results:
        if isinstance(r, Exception):
            raise r
    return results
