#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oscore.py PYTHON - two aiocoap ends that speak OSCORE, first straight and then through the gateway, over the tunnel and over T8.

Each end is client and server on one context and one port. PYTHON has aiocoap. One line per test and a closing line
`N passed, N failed`.
"""
import itertools
import json
import sys
import tempfile
import threading
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import bed  # noqa: E402  (the path above makes it importable)
from bed import JsonLines, Program, Sim, loop_host  # noqa: E402

DEVICE, SERVER = "0af1", "51"  # their Sender IDs
BODY = bytes(range(256)) * 12


class End(Sim):
    """oscore_end.py; directory: its context, which outlives it."""

    def __init__(self, python, directory, sender, recipient):
        self.python, self.at, self.directory = python, "%s:5683" % loop_host(), Path(directory)
        self.directory.mkdir()
        (self.directory / "settings.json").write_text(json.dumps({
            "secret_hex": "0a" * 16, "salt_hex": "9e7ca92223786340", "sender-id_hex": sender, "recipient-id_hex": recipient}))
        self._ids, self._lock = itertools.count(1), threading.Lock()
        self.start()

    def start(self):
        Program.__init__(self, [self.python, HERE / "oscore_end.py", self.at, self.directory], stdout=JsonLines)
        self.argv = ["aiocoap", self.directory.name]  # what shows in complaints
        try:
            self.info = self.wait("ready")
        except AssertionError as fault:
            self.kill9()
            raise AssertionError("%s\n%s" % (fault, "\n".join(self.err.lines[-30:])))

    def ask(self, method, uri, payload=b""):
        return self.cmd("request", method=method, uri=uri, payload=payload.hex())

    def stop(self):
        """Ends at the end of its input, and keeps what it knows."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        return self.wait_exit()


class Way:
    """The device sends to up; the server sends to down, which it learns from a request of the device."""

    def __init__(self, name, testbed, python):
        self.name, self.gateway, self.down = name, None, None
        self.server = testbed._keep(End(python, Path(testbed.directory) / "server", SERVER, DEVICE))
        self.device = testbed._keep(End(python, Path(testbed.directory) / "device", DEVICE, SERVER))
        record = {"oscore": [{"server": "main", "kid": DEVICE}]}
        uri = "coap://" + self.server.at
        if name == "direct":
            self.up = uri
            return
        if name == "tunnel":
            tree = bed.udp_config(uri, {"m1": self.device.at}, device_keys=record)
            self.up = "coap://" + tree["links"][0]["listen"]
        else:
            users = Path(testbed.directory) / "users"
            users.write_text("m1@iot.example %s\n" % self.device.at)
            scef = testbed.scef("--map", users, radio=True)
            tree = bed.t8_config(scef, uri, {"m1": "m1@iot.example"}, device_keys=record)
            self.up = "coap://%s:%d" % scef.radio
        self.gateway = testbed.gateway(tree).ready(60)
        if name == "t8":
            scef.wait("request", op="create", status=201)


def good(answer, code, payload=None):
    assert answer["ev"] == "answer" and answer["code"] == code and answer["protected"], answer
    assert payload is None or bytes.fromhex(answer["payload"]) == payload, answer
    return answer


def register(way):
    mark = way.server.mark()
    answer = good(way.device.ask("POST", way.up + "/rd?ep=m1&lt=300", b"</1/0>"), "2.01")
    assert answer["location"] == "rd/a1"
    seen = way.server.wait("request", since=mark, path="rd")
    assert seen["query"] == ["ep=m1", "lt=300"] and seen["protected"]
    way.down = "coap://" + seen["remote"]


def read_and_errors(way):
    good(way.server.ask("GET", way.down + "/3/0/0"), "2.05", b"aiocoap")
    good(way.server.ask("GET", way.down + "/9/9"), "4.04")
    good(way.device.ask("GET", way.up + "/nothing"), "4.04")


def both_at_once(way):
    ups = [way.device.post("request", method="POST", uri=way.up + "/dp", payload=(b"up%d" % n).hex())
           for n in range(10)]
    downs = [way.server.post("request", method="GET", uri=way.down + "/3/0/0") for _ in range(10)]
    for n, ident in enumerate(ups):
        good(way.device.answer(ident), "2.04", b"up%d" % n)
    for ident in downs:
        good(way.server.answer(ident), "2.05", b"aiocoap")


def observe(way):
    """Its end cannot be shown here: aiocoap tells nobody that it has lost interest in what is protected, straight neither."""
    way.device.do("set", payload=b"20".hex())
    ident = way.server.post("observe", uri=way.down + "/3303/0/5700")
    good(way.server.answer(ident), "2.05", b"20")
    for n in range(5):
        mark = way.server.mark()
        way.device.do("set", payload=(b"2%d" % (n + 1)).hex())
        note = way.server.wait("notify", since=mark, observation=ident)
        assert bytes.fromhex(note["payload"]) == b"2%d" % (n + 1) and note["protected"], note
    way.server.do("cancel", observation=ident)
    way.device.do("set", payload=b"30".hex())
    good(way.server.ask("GET", way.down + "/3303/0/5700"), "2.05", b"30")


def blocks_inside(way):
    good(way.server.ask("PUT", way.down + "/19/0/0", BODY), "2.04")
    good(way.server.ask("GET", way.down + "/19/0/0"), "2.05", BODY)
    good(way.device.ask("PUT", way.up + "/body", BODY), "2.04")
    good(way.device.ask("GET", way.up + "/body"), "2.05", BODY)


def server_restarts(way):
    """Killed, it knows no window any more and asks for Echo; the client answers that by itself."""
    way.server.kill9()
    way.server.start()
    good(way.device.ask("POST", way.up + "/dp", b"again"), "2.04", b"again")
    good(way.server.ask("GET", way.down + "/3/0/0"), "2.05", b"aiocoap")


def device_restarts(way):
    way.device.kill9()
    way.device.start()
    good(way.server.ask("GET", way.down + "/3/0/0"), "2.05", b"aiocoap")
    good(way.device.ask("POST", way.up + "/dp", b"back"), "2.04", b"back")


def device_lost_its_numbers(way):
    """Told 4.01 without protection until its number is beyond all that the server has seen."""
    way.device.stop()
    (way.device.directory / "sequence.json").unlink()
    way.device.start()
    first = way.device.ask("POST", way.up + "/dp", b"x")
    assert first["ev"] == "failed" or not first["protected"], first
    for _ in range(400):
        answer = way.device.ask("POST", way.up + "/dp", b"x")
        if answer["ev"] == "answer" and answer["protected"]:
            break
    good(answer, "2.04", b"x")


def gateway_is_killed(way):
    way.gateway.kill9()
    way.gateway.start().ready(60)
    good(way.server.ask("GET", way.down + "/3/0/0"), "2.05", b"aiocoap")  # the same port: the server need not be told
    good(way.device.ask("POST", way.up + "/dp", b"y"), "2.04", b"y")


def nothing_was_refused(way):
    for result in ("refused", "malformed", "failed", "too_big"):
        assert way.gateway.metric('niddgw_uplink_total{result="%s"}' % result) == 0, result
    assert way.gateway.ctl("alarms")["items"] == []
    way.gateway.wait_log("ev=oscore .*kid=" + DEVICE)


CASES = [register, read_and_errors, both_at_once, observe, blocks_inside, server_restarts, device_restarts, gateway_is_killed,
         device_lost_its_numbers, nothing_was_refused]
OF_GATEWAYS = [gateway_is_killed, nothing_was_refused]


def run_way(name, python):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="ngw-interop-") as directory:
        testbed = bed.Bed()
        testbed.directory = directory
        try:
            way = Way(name, testbed, python)
            for case in [c for c in CASES if way.gateway or c not in OF_GATEWAYS]:
                try:
                    case(way)
                    passed += 1
                    print("ok     %-6s oscore %s" % (name, case.__name__.replace("_", " ")), flush=True)
                except (AssertionError, LookupError, ValueError, OSError) as fault:
                    failed += 1
                    print("FAILED %-6s oscore %s\n    | %s" % (name, case.__name__, fault), flush=True)
                    traceback.print_tb(fault.__traceback__)
                    if not way.down:
                        break
        finally:
            testbed.close()
    return passed, failed


def main():
    results = [run_way(name, sys.argv[1]) for name in ("direct", "tunnel", "t8")]
    passed, failed = (sum(column) for column in zip(*results))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
