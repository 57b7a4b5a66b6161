# SPDX-License-Identifier: Apache-2.0
"""R4 with real file systems: the state directory is full or read-only when the daemon starts, or becomes so. Needs to mount a small tmpfs."""
import os
import subprocess

import pytest

from bed import wait_until
from t8scene import t8  # noqa: F401  (a fixture)

M1 = "m1@iot.example"
SIZE = 40 << 20  # a segment of the journal takes 16 MiB ahead


class Disk:
    """A file system of its own for the state of a gateway that has not been started yet."""

    def __init__(self, gw):
        self.at = gw.dir / "state"
        self.at.mkdir(mode=0o750)
        if self._mount("mode=0750,size=%d" % SIZE):
            pytest.skip("no file system can be mounted here")

    def _mount(self, options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "test", str(self.at)], stderr=subprocess.DEVNULL, check=False).returncode

    def read_only(self, on):
        assert self._mount("remount,%s,size=%d" % ("ro" if on else "rw", SIZE)) == 0

    def fill(self):
        with open(self.at / "ballast", "wb", buffering=0) as f:
            for size in (1 << 20, 4096, 512, 1):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass

    def give_back(self):
        """What a killed life took ahead of what it wrote, which the next one gives back first thing: nobody else has room then."""
        for path in self.at.rglob("*"):
            if path.is_file():
                os.truncate(path, path.stat().st_size)

    def empty(self):
        os.unlink(self.at / "ballast")

    def close(self):
        subprocess.run(["umount", "-l", str(self.at)], check=True)


@pytest.fixture
def scene(t8):  # noqa: F811
    disks = []

    def make():
        s = t8(start=False, warp=False)
        disks.append(Disk(s.gw))
        s.disk = disks[-1]
        s.gw.start()
        s.ready()
        return s.register()

    yield make
    for disk in disks:
        disk.close()


def refused(s, payload):
    """A unit is posted, and not taken."""
    msg = s.message("POST", "/dp", payload=payload)
    answer = s.fake.uplink(M1, msg)
    assert answer.status == 503 and "Retry-After" in answer.headers, answer
    return msg


def taken(s, msg):
    """What was refused comes again, and arrives once."""
    wait_until(lambda: s.fake.uplink(M1, msg).status == 204)
    asked = None
    while asked is None or asked.payload != msg.payload:     # before it what a kill has left without an answer
        asked = s.srv.recv(where=lambda m: m.is_request)
        s.srv.reply(asked, "2.04", b"ok")
    assert s.fake.down(M1, where=lambda m: m.mid == msg.mid).payload == b"ok"


@pytest.mark.parametrize("end", ["kill9", "stop"])
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_r4_a_start_where_nothing_can_be_written_restores_refuses_and_recovers(scene, how, end):
    s = scene()
    getattr(s.gw, end)()
    s.disk.give_back()
    (s.disk.fill if how == "full" else lambda: s.disk.read_only(True))()
    s.gw.start()
    s.ready()
    shown = s.gw.ctl("device", "show", "m1")
    assert shown["state"] == "registered" and shown["servers"][0]["registered"] and shown["link"]["configuration_state"] == "active"
    assert ("store.unavailable" if how == "full" else "store.readonly") in s.alarms()
    msg = refused(s, b"one")
    asked = s.ask()                                          # nothing that must not get lost is taken from the server either
    answer = s.srv.recv(where=lambda m: m.token == asked.token)
    assert answer.code == "5.03"
    s.wait_alarm("disk.low")
    (s.disk.empty if how == "full" else lambda: s.disk.read_only(False))()
    s.wait_alarm("store.unavailable", False)
    s.wait_alarm("store.readonly", False)
    taken(s, msg)
    s.round_trip()
    s.gw.kill9()
    s.gw.start()
    s.ready()
    assert s.gw.ctl("device", "show", "m1")["state"] == "registered"


def test_r4_a_disk_that_fills_up_while_units_come(scene):
    s = scene()
    s.disk.fill()
    n = 0
    while s.fake.uplink(M1, s.message("POST", "/fill", payload=b"%d" % n + bytes(1000))).status == 204:  # the segment has its room already
        s.srv.reply(s.srv.recv(where=lambda m: m.path() == "/fill"), "2.04")
        n += 1
        if n == 60:                                          # enough of that: another life has to begin a segment
            s.gw.kill9()
            s.disk.give_back()
            s.disk.fill()
            s.gw.start()
            s.ready()
    msg = refused(s, b"two")
    assert "store.unavailable" in s.alarms()
    s.disk.empty()
    taken(s, msg)
    s.wait_alarm("store.unavailable", False)
