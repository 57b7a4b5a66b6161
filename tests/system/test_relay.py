# SPDX-License-Identifier: Apache-2.0
"""Devices that are clients of DTLS themselves: Debian's coap-client and openssl s_client on one side, coap-server and s_server on
the other, and the same octets on both legs. The gateway has no key."""
import shutil
import subprocess

import pytest

from bed import DEADLINE, Program, loop_host, udp_config, wait_until
from pair import Sniffer

CLIENT, SERVER, OPENSSL = shutil.which("coap-client-openssl"), shutil.which("coap-server-openssl"), shutil.which("openssl")
pytestmark = pytest.mark.skipif(not (CLIENT and SERVER and OPENSSL), reason="libcoap3-bin or openssl is not installed")
KEY, IDENTITY = "c0ffee00c0ffee00c0ffee00c0ffee00", "meter-17"


class Ends:
    def __init__(self, testbed, gateway, profile=None, store=False):
        self.testbed, hosts = testbed, [loop_host() for _ in range(6)]
        self.hosts, self.server, self.door = hosts, (hosts[1], 5684), (hosts[5], 5684)
        tree = udp_config("coaps://%s:5684" % hosts[2], {"meter-17": "%s:5683" % hosts[3]}, host=hosts[4], profile=profile)
        tree["links"][0]["listen"] = "%s:5683" % hosts[4]
        self.gw = gateway(tree).ready()
        self.south = Sniffer((hosts[4], 5683), self.door, (hosts[3], 5683))
        self.north = Sniffer(self.server, (hosts[2], 5684), (hosts[5], 5685))
        testbed.items += [self.south, self.north]

    def start(self, *argv):
        program = Program(list(argv))
        self.testbed.items.append(program)
        return program

    def coap(self, path, *args):
        done = subprocess.run([CLIENT, "-B", "10", "-u", IDENTITY, "-k", KEY, *args, "coaps://%s:5684/%s" % (self.door[0], path)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        assert done.returncode == 0, done
        return done.stdout.rstrip(b"\n")

    def same_octets(self):
        """What went up arrived, in order; of what came down a repeated flight may be left out, and nothing else is in it."""
        def went_up(leg):
            return [d for o, d in leg.seen if o]
        wait_until(lambda: went_up(self.south) == went_up(self.north))  # the last one may be on its way
        up = went_up(self.south)
        assert up
        sent, got = [d for o, d in self.north.seen if not o], [d for o, d in self.south.seen if not o]
        assert got
        at = iter(sent)
        assert all(d in at for d in got)
        return up, got


@pytest.fixture
def ends(testbed, gateway):
    return Ends(testbed, gateway)


def test_lwm2m_31_coap_client_and_coap_server(ends):
    ends.start(SERVER, "-A", ends.server[0], "-p", "5683", "-k", KEY, "-h", "hint", "-N")
    assert b"libcoap" in ends.coap("")
    up, down = ends.same_octets()
    assert {d[0] for d in up} <= {20, 21, 22, 23} and b"libcoap" not in b"".join(up + down)
    assert ends.gw.metric('niddgw_uplink_total{transport="udp",peer="sgi",result="forwarded"}') == len(up)
    device = ends.gw.ctl("device", "show", "meter-17")
    assert device["relay"]["server"] == "main" and device["relay"]["port"]


def test_lwm2m_31_openssl_with_a_certificate(ends, tmp_path):
    subprocess.run([OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=s",
                    "-keyout", tmp_path / "k", "-out", tmp_path / "c"], check=True, capture_output=True)
    server = ends.start(OPENSSL, "s_server", "-dtls1_2", "-accept", "%s:5684" % ends.server[0], "-cert", tmp_path / "c", "-key", tmp_path / "k",
                        "-mtu", "500", "-quiet")
    client = ends.start(OPENSSL, "s_client", "-dtls1_2", "-connect", "%s:5684" % ends.door[0], "-mtu", "500", "-quiet", "-verify_quiet")
    client.process.stdin.write(b"up\n")
    client.process.stdin.flush()
    server.out.wait(lambda line: line == "up")
    server.process.stdin.write(b"down\n")
    server.process.stdin.flush()
    client.out.wait(lambda line: line == "down")
    ends.same_octets()


def test_lwm2m_31_a_flight_above_the_mtu_raises_an_alarm(testbed, gateway, tmp_path):
    ends = Ends(testbed, gateway, profile={"mtu": 128})
    subprocess.run([OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=s",
                    "-keyout", tmp_path / "k", "-out", tmp_path / "c"], check=True, capture_output=True)
    ends.start(OPENSSL, "s_server", "-dtls1_2", "-accept", "%s:5684" % ends.server[0], "-cert", tmp_path / "c", "-key", tmp_path / "k", "-quiet")
    ends.start(OPENSSL, "s_client", "-dtls1_2", "-connect", "%s:5684" % ends.door[0], "-quiet")
    ends.gw.wait_log("device.too_big")
    assert "device.too_big" in str(ends.gw.ctl("alarms"))


def test_dtls_relay_goes_on_over_a_restart(ends):
    server = ends.start(OPENSSL, "s_server", "-dtls1_2", "-accept", "%s:5684" % ends.server[0], "-nocert", "-psk", KEY, "-quiet")
    client = ends.start(OPENSSL, "s_client", "-dtls1_2", "-connect", "%s:5684" % ends.door[0], "-psk", KEY, "-psk_identity", IDENTITY, "-quiet")
    client.process.stdin.write(b"before\n")
    client.process.stdin.flush()
    server.out.wait(lambda line: line == "before")
    port = ends.gw.ctl("device", "show", "meter-17")["relay"]["port"]
    ends.gw.restart()
    server.process.stdin.write(b"after\n")  # the server speaks first
    server.process.stdin.flush()
    client.out.wait(lambda line: line == "after")
    assert ends.gw.ctl("device", "show", "meter-17")["relay"]["port"] == port
