#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sparkplug.py PYTHON - the plug-in sparkplug, mosquitto, and a host application on pysparkplug, which PYTHON has.

One line per test and a closing line `N passed, N failed`.
"""
import itertools
import sys
import tempfile
import threading
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import bed  # noqa: E402  (the path above makes it importable)
from bed import JsonLines, Program, Sim  # noqa: E402
from broker import Broker  # noqa: E402
from coapmsg import NON, SENML_JSON, TEXT, Msg  # noqa: E402
from pair import pair  # noqa: E402

GROUP, NODE, DEVICE = "plant", "test", "meter-17"
VALUES = b'[{"bn":"/3303/0/","n":"5700","v":21.5,"u":"Cel"},{"n":"5601","v":-10},{"n":"5750","vs":"roof"},' \
         b'{"bn":"/33000/0/","n":"1","v":-9007199254740993},{"n":"2","vb":true},{"n":"3","vd":"AAH_"},{"n":"4","v":18446744073709551615}]'
SHOWN = {"3303/0/5601": ("DOUBLE", -10.0), "3303/0/5700": ("DOUBLE", 21.5), "3303/0/5750": ("STRING", "roof"),
         "33000/0/1": ("INT64", -9007199254740993), "33000/0/2": ("BOOLEAN", True), "33000/0/3": ("BYTES", "0001ff"),
         "33000/0/4": ("UINT64", 2**64 - 1)}


class Host(Sim):
    """sparkplug_end.py"""

    def __init__(self, python, broker):
        self._ids, self._lock = itertools.count(1), threading.Lock()
        Program.__init__(self, [python, HERE / "sparkplug_end.py", broker.host, broker.port, GROUP], stdout=JsonLines)
        self.argv = ["pysparkplug", GROUP]  # what shows in complaints
        try:
            self.info = self.wait("ready")
        except AssertionError as fault:
            self.kill9()
            raise AssertionError("%s\n%s" % (fault, "\n".join(self.err.lines[-30:])))

    def stop(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        return self.wait_exit()


def metrics(line):
    return {m["name"]: (m["type"], m["value"]) for m in line["metrics"]}


class Way:
    def __init__(self, testbed, python):
        self.broker = Broker(testbed)
        self.host = testbed._keep(Host(python, self.broker))

        def change(tree):
            tree["plugins"] = [{"name": "spb", "plugin": "sparkplug", "broker": self.broker.uri, "group": GROUP, "commands": ["write"]}]
        self.p = pair(testbed.gateway, testbed.peer, tree_change=change)
        self.host.wait("NBIRTH", node=NODE)

    def read(self, payload, path, content_format=TEXT):
        got = self.p.down("GET", path, token=b"R")
        self.p.dev.reply(got, "2.05", payload, content_format=content_format)
        self.p.srv.recv(where=lambda m: m.is_response)

    def bd_seq(self, kind="NBIRTH", since=0):
        return metrics(self.host.wait(kind, since=since))["bdSeq"][1]


def births(way):
    assert way.host.wait("NBIRTH")["seq"] == 0 and metrics(way.host.wait("NBIRTH"))["Node Control/Rebirth"] == ("BOOLEAN", False)
    way.p.register()
    way.host.wait("DBIRTH", device=DEVICE)
    mark = way.host.mark()
    way.p.dev.send(Msg.request("POST", "/dp", token=b"s", mid=901, content_format=SENML_JSON, payload=VALUES))
    way.p.srv.reply(way.p.srv.recv(where=lambda m: m.is_request), "2.04")
    assert metrics(way.host.wait("DBIRTH", since=mark, device=DEVICE)) == SHOWN
    way.p.dev.recv(where=lambda m: m.is_response)


def three_hundred_values(way):
    """More than there are numbers."""
    got, mark = way.p.observe(), way.host.mark()
    for n in range(300):
        way.p.dev.send(got.reply("2.05", b"%d.5" % n, observe=2 + n, type=NON, mid=way.p.dev.next_mid(), content_format=TEXT))
        way.p.srv.recv()
    way.host.wait("DDATA", since=mark, where=lambda m: metrics(m) == {"3303/0/5700": ("DOUBLE", 299.5)})
    values = [metrics(m)["3303/0/5700"][1] for m in way.host.events(since=mark, device=DEVICE)]
    assert values == sorted(values) and len(values) > 100, len(values)


def a_new_metric(way):
    mark = way.host.mark()
    way.read(b"95", "/3/0/9")
    birth = metrics(way.host.wait("DBIRTH", since=mark, device=DEVICE))
    assert birth["3/0/9"] == ("INT64", 95) and set(birth) == {*SHOWN, "3/0/9"}
    way.read(b"94", "/3/0/9")
    assert metrics(way.host.wait("DDATA", since=mark)) == {"3/0/9": ("INT64", 94)}


def rebirth(way):
    before, mark = way.bd_seq(), way.host.mark()
    way.host.do("ncmd", node=NODE, name="Node Control/Rebirth", type="BOOLEAN", value=True)
    assert way.host.wait("NBIRTH", since=mark)["seq"] == 0 and way.bd_seq(since=mark) == before
    assert metrics(way.host.wait("DBIRTH", since=mark))["3/0/9"] == ("INT64", 94)


def a_command_writes(way):
    for name, kind, value, payload in [("3303/0/5750", "STRING", "cellar", b"cellar"), ("3303/0/5601", "DOUBLE", -12.5, b"-12.5"),
                                       ("33000/0/2", "BOOLEAN", False, b"0"), ("33000/0/1", "INT64", -3, b"-3")]:
        mark = way.host.mark()
        way.host.do("dcmd", node=NODE, device=DEVICE, name=name, type=kind, value=value)
        got = way.p.dev.recv(where=lambda m: m.is_request)
        assert (got.code, got.path(), got.payload) == ("0.03", "/" + name, payload), got
        way.p.dev.reply(got, "2.04")
        if name.startswith("3303"):  # what was written to others is a text, since nobody knows better
            assert metrics(way.host.wait("DDATA", since=mark))[name] == (kind, value)


def deregister(way):
    mark = way.host.mark()
    way.p.dev.send(Msg.request("DELETE", "/rd/5a3f", token=b"d", mid=902))
    way.p.srv.reply(way.p.srv.recv(where=lambda m: m.is_request), "2.02")
    way.host.wait("DDEATH", since=mark, device=DEVICE)
    mark = way.host.mark()
    way.p.dev.recv(where=lambda m: m.is_response)
    way.p.register()
    way.host.wait("DBIRTH", since=mark, device=DEVICE)


def plugin_dies(way):
    """The broker publishes the will; bdSeq is that of the birth, and the next birth has another."""
    before, mark = way.bd_seq(since=0), way.host.mark()
    bed.os.kill(way.p.gw.ctl("plugins")["items"][0]["pid"], bed.signal.SIGKILL)
    assert way.bd_seq("NDEATH", mark) == before and way.bd_seq(since=mark) == before + 1
    way.host.wait("DBIRTH", since=mark, device=DEVICE)


def broker_restarts(way):
    """The host application connects again as well; when it comes later, it asks for a birth."""
    before, mark = metrics(way.host.events("NBIRTH")[-1])["bdSeq"][1], way.host.mark()
    way.broker.stop()
    way.p.gw.wait_log("ev=broker.down")
    way.broker.start()
    way.host.wait("subscribed", since=mark)
    way.p.gw.wait_metric("niddgw_sparkplug_connected", 1)
    way.host.do("ncmd", node=NODE, name="Node Control/Rebirth", type="BOOLEAN", value=True)
    assert way.bd_seq(since=mark) > before
    way.host.wait("DBIRTH", since=mark, device=DEVICE)


def gateway_stops(way):
    last, mark = metrics(way.host.events("NBIRTH")[-1])["bdSeq"][1], way.host.mark()
    assert way.p.gw.stop() == 0
    assert way.bd_seq("NDEATH", mark) == last


def numbers(way):
    """From each NBIRTH on every message has the next number; nothing is retained; data comes behind a birth."""
    seq, born, late = None, set(), True
    for m in way.host.events(where=lambda e: e["ev"] in ("NBIRTH", "NDEATH", "DBIRTH", "DDATA", "DDEATH", "subscribed")):
        late = m["ev"] == "subscribed" or (late and m["ev"] != "NBIRTH")
        if late:  # what comes before the birth that is asked for then
            continue
        assert not m["retain"], m
        if m["ev"] == "NDEATH":
            seq, born = None, set()
            continue
        assert m["seq"] == (0 if m["ev"] == "NBIRTH" else (seq + 1) & 255), (m, seq)
        seq = m["seq"]
        born = set() if m["ev"] == "NBIRTH" else born | {m["device"]} if m["ev"] == "DBIRTH" else born
        assert m["device"] is None or m["device"] in born, m


CASES = [births, three_hundred_values, a_new_metric, rebirth, a_command_writes, deregister, plugin_dies, broker_restarts, gateway_stops, numbers]


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="ngw-interop-") as directory:
        testbed = bed.Bed()
        testbed.directory = directory
        try:
            way = Way(testbed, sys.argv[1])
            for case in CASES:
                try:
                    case(way)
                    passed += 1
                    print("ok     sparkplug %s" % case.__name__.replace("_", " "), flush=True)
                except (AssertionError, LookupError, ValueError, OSError) as fault:
                    failed += 1
                    print("FAILED sparkplug %s\n    | %s" % (case.__name__, fault), flush=True)
                    traceback.print_tb(fault.__traceback__)
        finally:
            testbed.close()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
