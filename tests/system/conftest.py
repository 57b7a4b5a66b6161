# SPDX-License-Identifier: Apache-2.0
"""conftest.py - what every system test may ask for. The classes behind it are in tests/tools/bed.py and coapmsg.py.

    def test_register_over_t8(gateway, start_scef, start_server):
        scef, lwm2m = start_scef(), start_server()
        gw = gateway(t8_config(scef, lwm2m, {"m1": "m1@iot.example"})).ready()
        scef.wait("request", op="create", status=201)                        # the configuration is made
        reg = Msg.request("POST", "/rd", ["ep=m1", "lt=300", "lwm2m=1.1", "b=N"], token=b"\\x01\\x02", mid=7,
                          content_format=40, payload=b"</1/0>,</3/0>")
        assert scef.uplink("m1@iot.example", reg)["status"] == 204
        assert lwm2m.wait("registered")["ep"] == "m1"
        assert scef.downlink("m1@iot.example").code == "2.01"
        assert gw.metric('niddgw_uplink_total{transport="t8",peer="op",result="answered"}') == 1

    def test_over_udp_with_scripts(gateway, udp_peer):
        srv, dev = udp_peer(port=5683), udp_peer()
        tree = udp_config(srv.uri, {"m1": "%s:%d" % dev.addr})
        gw = gateway(tree).ready()
        dev.to = split_addr(tree["links"][0]["listen"])
        dev.send(Msg.request("GET", "/x", token=b"a", mid=1)); asked = srv.recv(); srv.reply(asked, "2.05", b"hi")
        assert dev.recv().payload == b"hi"

Programs come from $NIDDGW_BUILD or build/. After each test every program is stopped; a daemon that then does not exit with
0, or a sanitizer report on anybody's stderr, fails the test.
"""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import bed as _bed  # noqa: E402  (the path above makes it importable)
from bed import Gateway, Sim  # noqa: E402

SANITIZER = ("AddressSanitizer", "UndefinedBehaviorSanitizer", "runtime error:", "LeakSanitizer")


def sanitizer_lines(program):
    return [line for line in program.err.lines if any(word in line for word in SANITIZER)]


@pytest.fixture
def testbed():
    """A Bed that is closed behind the test and looked at for dirty ends."""
    b = _bed.Bed()
    yield b
    faults, items = [], list(b.items)
    for item in reversed(items):
        program = item.program if isinstance(item, Gateway) else item if isinstance(item, Sim) else None
        if isinstance(item, (Gateway, Sim)):
            by_us = isinstance(item, Gateway) and not item.down
            status = item.stop()
            if by_us and status != 0:
                faults.append("the daemon ended with %s:\n  %s" % (status, "\n  ".join(program.err.lines[-20:])))
            if program is not None and sanitizer_lines(program):
                faults.append("%s:\n  %s" % (program.argv[0], "\n  ".join(program.err.lines[-60:])))
    b.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def start_scef(testbed):
    """start_scef(*arguments, radio=False) -> bed.Scef"""
    return testbed.scef


@pytest.fixture
def start_server(testbed):
    """start_server(*arguments) -> bed.Server"""
    return testbed.server


@pytest.fixture
def start_devices(testbed):
    """start_devices(to, *arguments) -> bed.Devices"""
    return testbed.devices


@pytest.fixture
def gateway(testbed):
    """gateway(text or tree, *daemon arguments) -> bed.Gateway, started; call .ready()"""
    return testbed.gateway


@pytest.fixture
def udp_peer(testbed):
    """udp_peer(host=None, port=0, to=None) -> bed.UdpPeer"""
    return testbed.peer


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    b = item.funcargs.get("testbed") if hasattr(item, "funcargs") else None
    if report.when in ("setup", "call") and report.failed and b is not None:
        for thing in b.items:
            program = thing.program if isinstance(thing, Gateway) else thing if isinstance(thing, Sim) else None
            if program is not None:
                report.sections.append(("%s (last lines)" % " ".join(program.argv)[:120], "\n".join(
                    [str(x)[:1000] for x in program.out.lines[-25:]] + program.err.lines[-40:])))
