# SPDX-License-Identifier: Apache-2.0
"""peers.py - the two Leshan programs of src/main/java as processes, and the ways between them.

A way is how a client's messages get to the server: straight (the baseline everything else is held against), through a
daemon by the tunnel link, or through a daemon and a simulated SCEF by T8.
"""
import itertools
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import bed  # noqa: E402  (the path above makes it importable)
from bed import JsonLines, Program, Sim, loop_host, split_addr, wait_until  # noqa: E402, F401

# Two programs with room for fifty clients beside two small cores: little heap, one collector thread, no second compiler.
JAVA = ["java", "-Xmx128m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
CLASSPATH = "%s:%s/*" % (HERE / "target" / "classes", HERE / "target" / "lib")
CROWD = 50
CLIENT_PORT = 10000  # and up; outside the ephemeral range and of what the gateway uses
PORTS = (20000, 32767)  # what north.ports is when nobody sets it


class Peer(Sim):
    """A program of ours around the Leshan libraries; commands and events are those of class Console."""

    def __init__(self, main, *args, properties=()):
        Program.__init__(self, [*JAVA, *("-D" + p for p in properties), "-cp", CLASSPATH, "niddgw.interop." + main, *args], stdout=JsonLines)
        self.argv = ["java", main, *args]  # what shows in complaints
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        try:
            self.info = self.wait("ready", timeout=60)
        except AssertionError as fault:
            self.kill9()
            raise AssertionError("%s\n%s" % (fault, "\n".join(self.err.lines[-30:])))

    def stop(self):
        """Ends at the end of its input; 0 when it does so by itself."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        return super().stop()


def server_peer(scheme="coap", listen=None, *pem, suites=None):
    """pem: files of the certificate, its key and the authority of clients; absent: no certificates. suites: the only ones, with commas."""
    peer = Peer("ServerPeer", scheme, listen or "%s:0" % loop_host(), *map(str, pem), properties=["suites=" + suites] if suites else ())
    peer.uri = "%s://%s" % (scheme, peer.info["listen"])
    return peer


def client_peer():
    return Peer("ClientPeer")


class Way:
    """What all ways have: clients to start (endpoint name -> local address) and where they send."""
    name = None
    edits = {}                # keys of the server entry
    binding = ["U"]           # what the server gets to see of the clients' b=U
    mtu = 1358                # of the profile
    transport, link = "", ""  # labels of the link's counters
    size = CROWD              # devices beside the main one
    env = None                # of the daemon

    def __init__(self, testbed, server):
        self.bed, self.server, self.gateway, self.scef = testbed, server, None, None
        self.main = "lw-%s" % self.name
        self.crowd = ["lw-%s-%02d" % (self.name, n) for n in range(self.size)]
        host = loop_host()
        self.local = {self.main: "%s:%d" % (host, CLIENT_PORT)}
        self.local.update({ep: "%s:%d" % (host, CLIENT_PORT + 1 + n) for n, ep in enumerate(self.crowd)})
        self.open()

    def client_host(self):
        """The address under which the server knows the devices of this way."""
        return split_addr(self.local[self.main])[0]

    def fields(self, ep):
        """Of the command that starts a client."""
        return {"ep": ep, "server": self.uri, "local": self.local[ep]}

    def start_gateway(self, tree):
        """The daemon, with an address of its own towards the server, so that this way's messages can be told there."""
        self.north = loop_host()
        tree["north"] = {"bind": self.north}
        tree["servers"][0].update(self.edits)
        tree["profiles"] = [{"name": "p", "block": "pass", "mtu": self.mtu, "quota_units_per_min": 100000}]
        for device in tree["devices"]:
            device["profile"] = "p"
        self.gateway = self.bed.gateway(tree, env=self.env, start=False)
        self.before_start()
        self.gateway.start().ready(60)

    def before_start(self):
        """Files beside the configuration."""

    def units(self, result):
        """How many units from devices the gateway has counted under this result."""
        return int(self.gateway.metric('niddgw_uplink_total{transport="%s",peer="%s",result="%s"}' % (
            self.transport, self.link, result)))


class Direct(Way):
    name = "direct"

    def open(self):
        self.uri = self.server.uri


class Tunnel(Way):
    """link udp. The first device is known by its host alone, the others by host and port."""
    name = "tunnel"
    transport, link = "udp", "sgi"

    def open(self):
        self.local[self.main] = "%s:%d" % (loop_host(), CLIENT_PORT)
        addresses = {ep: split_addr(at)[0] if ep == self.main else at for ep, at in self.local.items()}
        tree = bed.udp_config(self.server.uri, addresses)
        self.uri = "coap://" + tree["links"][0]["listen"]
        self.start_gateway(tree)

    def client_host(self):
        return self.north


class Narrow(Tunnel):
    """A link whose units are smaller than the blocks that the server cuts."""
    name = "narrow"
    mtu = 300


class T8(Way):
    """link t8 and an SCEF whose radio carries datagrams. The gateway tells the server another binding than the devices do."""
    name = "t8"
    edits = {"binding": "UN"}
    binding = ["U", "N"]
    transport, link = "t8", "op"
    scef_arguments = []

    def open(self):
        who = {ep: "%s@iot.example" % ep for ep in self.local}
        users = Path(self.bed.directory) / "users"
        users.write_text("".join("%s %s\n" % (who[ep], at) for ep, at in self.local.items()))
        self.scef = self.bed.scef("--map", users, *self.scef_arguments, radio=True)
        self.uri = "coap://%s:%d" % self.scef.radio
        self.start_gateway(bed.t8_config(self.scef, self.server, who))
        self.scef.wait("request", n=len(who), op="create", status=201, timeout=60)

    def client_host(self):
        return self.north


class Rough(T8):
    """The same with time in the air, uplinks that are notified twice, and what platforms do to links, ids and base64."""
    name = "rough"
    scef_arguments = ["--radio-delay-ms", "3", "--duplicate-percent", "30", "--links", "relative", "--base64", "unpadded", "--ids", "both",
                      "--seed", "1"]


WAYS = [Direct, Tunnel, Narrow, T8, Rough]
