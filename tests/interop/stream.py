#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""stream.py PYTHON - an LwM2M exchange between a device on the tunnel link and its server on TCP and on TLS.

The device is aiocoap's, which PYTHON has; the server once aiocoap's and once java-coap's, where run.sh has built that. One line per test
and a closing line `N passed, N failed`.
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
from bed import JsonLines, Program, Sim, loop_host  # noqa: E402
import peers  # noqa: E402
from certs import Authority, openssl  # noqa: E402

BODY = bytes(i * 7 + i // 251 & 0xFF for i in range(12000))


def java_is_there():
    return (HERE / "target" / "classes" / "niddgw" / "interop" / "StreamPeer.class").exists()


class End(Sim):
    """stream_end.py, or the class StreamPeer: they take the same commands."""
    name, releases = "aiocoap", True  # says Release when it ends

    def __init__(self, python, scheme, port, *pair):
        self.python, self.scheme, self.at, self.pair = python, scheme, "%s:%d" % (loop_host(), port), [str(p) for p in pair]
        self._ids, self._lock = itertools.count(1), threading.Lock()
        self.start()

    def command(self):
        return [self.python, HERE / "stream_end.py", self.scheme, self.at, *self.pair]

    def start(self):
        Program.__init__(self, self.command(), stdout=JsonLines)
        self.argv = [self.name, self.scheme]  # what shows in complaints
        try:
            self.info = self.wait("ready", timeout=60)
        except AssertionError as fault:
            self.kill9()
            raise AssertionError("%s\n%s" % (fault, "\n".join(self.err.lines[-30:])))

    def ask(self, method, target, payload=b""):
        return self.cmd("request", timeout=60, method=method, target=target, payload=payload.hex())

    def stop(self):
        """Ends at the end of its input, on a stream with a Release."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        return self.wait_exit()


class JavaEnd(End):
    name, releases = "java-coap", False

    def command(self):
        store = []
        if self.pair:
            store = [str(Path(self.pair[0]).with_suffix(".p12"))]
            openssl("pkcs12", "-export", "-in", self.pair[0], "-inkey", self.pair[1], "-out", store[0], "-passout", "pass:niddgw")
        return [*peers.JAVA, "-cp", peers.CLASSPATH, "niddgw.interop.StreamPeer", self.at, *store]


class Way:
    def __init__(self, kind, scheme, testbed, python):
        keys, pair = None, ()
        if scheme == "coaps+tcp":
            ca = Authority(Path(testbed.directory) / "ca")
            pair = ca.issue("server", san="DNS:lwm2m.example")
            keys = {"security": "x509", "ca_file": str(ca.cert), "server_name": "lwm2m.example"}
        self.server = testbed._keep(kind(python, scheme, 5684 if pair else 5683, *pair))
        self.device = testbed._keep(End(python, "coap", 5683))
        tree = bed.udp_config("%s://%s" % (scheme, self.server.at), {"m1": self.device.at}, server_keys=keys)
        self.up = "coap://" + tree["links"][0]["listen"]
        self.gateway = testbed.gateway(tree).ready(60)


def good(answer, code, payload=None):
    assert answer["ev"] == "answer" and answer["code"] == code, answer
    assert payload is None or bytes.fromhex(answer["payload"]) == payload, answer
    return answer


def register(way):
    mark = way.server.mark()
    answer = good(way.device.ask("POST", way.up + "/rd?ep=m1&lt=300&lwm2m=1.1&b=U", b"</1/0>"), "2.01")
    assert answer["location"] == "rd/a1"
    assert way.server.wait("request", since=mark, path="rd")["query"] == ["ep=m1", "lt=300", "lwm2m=1.1", "b=U"]


def read_and_errors(way):
    good(way.server.ask("GET", "/3/0/0"), "2.05", b"aiocoap")
    good(way.server.ask("GET", "/9/9"), "4.04")
    good(way.device.ask("GET", way.up + "/nothing"), "4.04")


def both_at_once(way):
    ups = [way.device.post("request", method="POST", target=way.up + "/dp", payload=(b"up%d" % n).hex()) for n in range(10)]
    downs = [way.server.post("request", method="GET", target="/3/0/0") for _ in range(10)]
    for n, ident in enumerate(ups):
        good(way.device.answer(ident), "2.04", b"up%d" % n)
    for ident in downs:
        good(way.server.answer(ident), "2.05", b"aiocoap")


def observe(way):
    """Its end cannot be shown here: on a stream aiocoap tells nobody that it has lost interest."""
    way.device.do("set", payload=b"20".hex())
    ident = way.server.post("observe", target="/3303/0/5700")
    good(way.server.answer(ident), "2.05", b"20")
    for n in range(5):
        mark = way.server.mark()
        way.device.do("set", payload=(b"2%d" % (n + 1)).hex())
        note = way.server.wait("notify", since=mark, observation=ident)
        assert bytes.fromhex(note["payload"]) == b"2%d" % (n + 1), note
    way.server.do("cancel", observation=ident)


def large_bodies_down(way):
    """12 kB in one message or a BERT block; the device sees blocks of a kilobyte."""
    good(way.server.ask("PUT", "/19/0/0", BODY), "2.04")
    assert bytes.fromhex(way.device.wait("request", method="PUT", path="19/0/0")["payload"]) == BODY
    good(way.server.ask("GET", "/19/0/0"), "2.05", BODY)


def large_bodies_up(way):
    good(way.device.ask("PUT", way.up + "/body", BODY[:5000]), "2.04")
    good(way.device.ask("GET", way.up + "/body"), "2.05", BODY[:5000])


def server_ends_and_comes_back(way):
    way.server.stop()
    way.gateway.wait_log(r"ev=released" if way.server.releases else r"ev=connection\.lost")
    way.server.start()
    good(way.device.ask("POST", way.up + "/rd/a1"), "2.04")  # so it knows the device's connection
    good(way.server.ask("GET", "/3/0/0"), "2.05", b"aiocoap")


def server_is_killed_and_comes_back(way):
    way.server.kill9()
    way.gateway.wait_log(r"ev=connection\.lost .*result=(closed|refused)")
    way.server.start()
    good(way.device.ask("POST", way.up + "/rd/a1"), "2.04")
    good(way.server.ask("GET", "/3/0/0"), "2.05", b"aiocoap")


def nothing_was_refused(way):
    for result in ("refused", "malformed", "failed", "too_big"):
        assert way.gateway.metric('niddgw_uplink_total{result="%s"}' % result) == 0, result
    alarms = [a["type"] for a in way.gateway.ctl("alarms")["items"]]
    assert [a for a in alarms if a != "cert.expiring"] == [], alarms  # the throw-away certificate is for thirty days
    assert way.gateway.metric("niddgw_north_connections") == 1


CASES = [register, read_and_errors, both_at_once, observe, large_bodies_down, large_bodies_up, server_ends_and_comes_back,
         server_is_killed_and_comes_back, nothing_was_refused]


def run_way(kind, scheme, python):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="ngw-interop-") as directory:
        testbed = bed.Bed()
        testbed.directory = directory
        try:
            way = Way(kind, scheme, testbed, python)
            for case in CASES:
                try:
                    case(way)
                    passed += 1
                    print("ok     %-9s %-9s %s" % (scheme, kind.name, case.__name__.replace("_", " ")), flush=True)
                except (AssertionError, LookupError, ValueError, OSError) as fault:
                    failed += 1
                    print("FAILED %-9s %-9s %s\n    | %s" % (scheme, kind.name, case.__name__, fault), flush=True)
                    traceback.print_tb(fault.__traceback__)
                    if case is register:
                        break
        finally:
            testbed.close()
    return passed, failed


def main():
    kinds = [End, JavaEnd] if java_is_there() else [End]
    results = [run_way(kind, scheme, sys.argv[1]) for kind in kinds for scheme in ("coap+tcp", "coaps+tcp")]
    passed, failed = (sum(column) for column in zip(*results))
    if len(kinds) == 1:
        print("interop: SKIPPED, java-coap as a server: its program is not built")
    print("%d passed, %d failed%s" % (passed, failed, "" if len(kinds) == 2 else ", 1 skipped"))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
