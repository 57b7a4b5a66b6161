# SPDX-License-Identifier: Apache-2.0
"""R9: one peer after the other refuses, hangs, resets, talks nonsense, crawls, or has a name that nobody knows. Everybody else is served as
ever; there is one alarm, and it is cleared when the peer is well again."""
import itertools
import os
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

from bed import REPO, loop_host, split_addr, wait_until
from coapmsg import LOCATION_PATH, Msg
from t8fake import T8Fake
from t8scene import t8  # noqa: F401  (a fixture)

M1 = "m1@iot.example"
HTTP_FAULTS = ["refuses", "hangs", "hangs in its answer", "resets", "talks nonsense", "crawls"]
NAME_FAULTS = ["has no name", "has a slow name"]


class BadPeer:
    """Listens where a good one did, and does what it is named by."""

    def __init__(self, host, port, how):
        self.how, self.ended, self.conns = how, threading.Event(), []
        self.sock = self.thread = None
        if how == "refuses":
            return
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen(64)
        self.sock.settimeout(0.05)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self.ended.is_set():
            try:
                conn = self.sock.accept()[0]
            except OSError:
                continue
            self.conns.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            if self.how == "resets":
                conn.recv(65536)
                conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                conn.close()
            elif self.how == "hangs in its answer":
                conn.recv(65536)
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"deliv")
            elif self.how == "talks nonsense":
                conn.sendall(os.urandom(4096))
                conn.recv(65536)
                conn.close()
            elif self.how == "crawls":
                for octet in itertools.chain(b"HTTP/1.1 200 OK\r\n", itertools.cycle(b"X-A: b\r\n")):
                    conn.sendall(bytes([octet]))
                    if self.ended.wait(1):
                        return
        except OSError:
            pass

    def close(self):
        self.ended.set()
        if self.thread:
            self.thread.join()  # or the port stays taken
        for thing in (self.sock, *self.conns):
            if thing:
                thing.close()


class Names:
    """What *.test is: see tests/tools/names.c, and a name server for those who ask one."""

    def __init__(self, address):
        self.dir = tempfile.TemporaryDirectory(prefix="ngw-names-")
        self.file, resolv, self.library = (os.path.join(self.dir.name, n) for n in ("names", "resolv", "names.so"))
        subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-fPIC", "-shared", "-o", self.library,
                        str(REPO / "tests/tools/names.c"), "-ldl"], check=True)
        self.address, self.sock = address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((loop_host(), 5353))
        with open(resolv, "w") as f:
            f.write("nameserver %s:5353\n" % self.sock.getsockname()[0])
        self.env = {"NIDDGW_NAMES": self.file, "NIDDGW_NAMES_TO": address, "NIDDGW_RESOLV": resolv}
        self.say("o")
        threading.Thread(target=self._serve, daemon=True).start()

    def say(self, what):
        self.what = what
        with open(self.file, "w") as f:
            f.write(what)

    def _serve(self):
        while True:
            try:
                query, addr = self.sock.recvfrom(512)
            except OSError:
                return
            if self.what == "s" or len(query) < 17:
                continue
            question = query[12:]
            is_a = struct.unpack("!H", question[-4:-2])[0] == 1
            good = self.what == "o" and is_a
            head = query[:2] + struct.pack("!HHHHH", 0x8180 if self.what == "o" else 0x8182, 1, good, 0, 0)
            answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(self.address) if good else b""
            self.sock.sendto(head + question + answer, addr)

    def close(self):
        self.say("f")  # who still waits is let go
        self.sock.close()
        self.dir.cleanup()


@pytest.fixture
def names(testbed):
    def make(address):
        return testbed._keep(Names(address))
    return make


class Others:
    """A second T8 peer, a second server and a device on the tunnel: they must not notice anything."""

    def __init__(self, s, testbed):
        self.s, self.fake = s, testbed._keep(T8Fake(loop_host()))
        self.srv, self.dev = testbed.peer(port=5683), testbed.peer()
        host, gw = loop_host(), loop_host()
        tree = s.tree
        tree["links"] += [
            {"name": "other", "type": "t8", "api_root": self.fake.root, "scs_as_id": "gw",
             "callback": {"listen": host + ":8445", "url": "http://%s:8445/t8" % host}},
            {"name": "sgi", "type": "udp", "listen": gw + ":20000"}]
        tree["servers"].append({"name": "second", "uri": self.srv.uri})
        tree["devices"] += [{"name": "o1", "link": "other", "external_id": "o1@iot.example", "ep": "o1", "servers": ["second"]},
                            {"name": "u1", "link": "sgi", "address": "%s:%d" % self.dev.addr, "ep": "u1", "servers": ["second"]}]
        self.dev.to = split_addr(tree["links"][-1]["listen"])
        self.ids = itertools.count(1)
        s.gw.write(tree)

    def are_served(self):
        """A round trip each, both ways over T8."""
        n = next(self.ids)
        msg = Msg.request("POST", "/o", token=b"%d" % n, mid=n, payload=b"o%d" % n)
        self.fake.up("o1@iot.example", msg)
        self.srv.reply(self.srv.recv(where=lambda m: m.payload == msg.payload), "2.04")
        assert self.fake.down("o1@iot.example", where=lambda m: m.mid == n).code == "2.04"
        msg.payload = b"u%d" % n
        self.dev.send(msg)
        self.srv.reply(self.srv.recv(where=lambda m: m.payload == msg.payload), "2.04")
        assert self.dev.recv(where=lambda m: m.mid == n).code == "2.04"
        assert self.s.gw.http("/healthz")[0] == 200


def told(s, word, kind):
    return len(s.gw.log.all(lambda line: "ev=alarm." + word in line and "type=" + kind in line))


def one_alarm(s, kind):
    """Raised once, cleared once."""
    s.wait_alarm(kind, False)
    wait_until(lambda: told(s, "cleared", kind))  # its line may still be on its way to here
    assert (told(s, "raised", kind), told(s, "cleared", kind)) == (1, 1)


def recovers(s, kind):
    """Time goes on until the peer is found again. What is under way when time moves ends by that, and is begun anew."""
    s.clock.before = s.settle
    for _ in range(40):
        s.clock.forward(35)
        try:
            wait_until(lambda: kind not in s.alarms(), timeout=0.5)  # what was begun by this comes to its end
            return
        except AssertionError:
            pass
    s.wait_alarm(kind, False)


def bad_while(s, others, trouble, kind, seconds=200):
    """trouble() is made again and again until the alarm is there, and a while longer; the others are served all the time."""
    for n in range(30):
        trouble(n)
        others.are_served()
        s.clock.forward(seconds / 30)
        if kind in s.alarms() and n > 8:
            break
    s.wait_alarm(kind)
    others.are_served()


# ---- the SCEF ----

@pytest.mark.limit(120)
@pytest.mark.parametrize("how", HTTP_FAULTS + NAME_FAULTS)
def test_r9_an_scef_that(t8, testbed, names, how):  # noqa: F811
    s = t8(start=False, link={"delivery_timeout_s": 5}, profile={"ack_timeout_s": 30})
    others = Others(s, testbed)
    named = names(s.fake.host) if how in NAME_FAULTS else None
    if named:
        s.gw.env.update(named.env, LD_PRELOAD="%s %s" % (s.gw.env["LD_PRELOAD"], named.library))
        s.tree["links"][0].update(api_root=s.fake.root.replace(s.fake.host, "scef.test"), allow_cleartext=True)
        s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    s.register()
    others.are_served()
    s.fake.shut()
    bad = BadPeer(s.fake.host, s.fake.port, "refuses" if named else how)
    if named:
        named.say("f" if how == "has no name" else "s")
    s.clock.before = lambda: None                            # it never gets quiet
    bad_while(s, others, lambda n: s.ask(), "t8.unreachable", 600)
    bad.close()
    s.fake.open()
    if named:
        named.say("o")
    recovers(s, "t8.unreachable")
    s.round_trip()
    one_alarm(s, "t8.unreachable")


# ---- the token server ----

@pytest.mark.limit(120)
@pytest.mark.parametrize("how", HTTP_FAULTS + NAME_FAULTS)
def test_r9_a_token_server_that(t8, testbed, names, how):  # noqa: F811
    tokens = testbed._keep(T8Fake(loop_host(), port=8081, token_s=120))
    s = t8(start=False, link={"auth": "oauth2", "client_id": "gw", "client_secret": "file:op.secret", "token_url": tokens.root + "/token"},
           profile={"ack_timeout_s": 30})
    s.gw.secret("op.secret", "secret")
    others = Others(s, testbed)
    named = names(tokens.host) if how in NAME_FAULTS else None
    if named:
        s.gw.env.update(named.env, LD_PRELOAD="%s %s" % (s.gw.env["LD_PRELOAD"], named.library))
        s.tree["links"][0].update(token_url="http://tokens.test:8081/token", allow_cleartext=True)
        s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    s.register()
    others.are_served()
    tokens.shut()
    bad = BadPeer(tokens.host, tokens.port, "refuses" if named else how)
    if named:
        named.say("f" if how == "has no name" else "s")
    s.clock.before = lambda: None
    s.clock.forward(130)                                     # the token is old now
    delivered = len(s.fake.all("deliver"))
    bad_while(s, others, lambda n: s.ask(), "t8.unreachable", 600)
    assert len(s.fake.all("deliver")) == delivered          # nothing is sent without one
    s.fake.up(M1, s.message("POST", "/note", payload=b"up")) # while units are taken and passed on
    asked = s.srv.recv(where=lambda m: m.payload == b"up")
    bad.close()
    tokens.open()
    if named:
        named.say("o")
    s.srv.reply(asked, "2.04")
    recovers(s, "t8.unreachable")
    s.round_trip()
    one_alarm(s, "t8.unreachable")


# ---- an LwM2M server over UDP ----

@pytest.mark.limit(120)
@pytest.mark.parametrize("how", ["refuses", "hangs", "resets", "talks nonsense", "crawls"] + NAME_FAULTS)
def test_r9_a_server_over_udp_that(t8, testbed, names, how):  # noqa: F811
    s = t8(start=False, profile={"ack_timeout_s": 30})
    others = Others(s, testbed)
    named = names(s.srv.addr[0]) if how in NAME_FAULTS else None
    if named:
        s.gw.env.update(named.env, LD_PRELOAD="%s %s" % (s.gw.env["LD_PRELOAD"], named.library))
        s.tree["servers"][0]["uri"] = "coap://srv.test"
        s.gw.write(s.tree)
        named.say("f" if how == "has no name" else "s")
    s.gw.start()
    s.ready()
    others.are_served()
    addr = s.srv.addr
    if how == "refuses":
        s.srv.close()

    def trouble(n):
        """The device speaks; what its server says to that is no answer."""
        if n < 8:
            s.fake.up(M1, s.message("POST", "/t", payload=b"t%d" % n))
        while how not in ("refuses", *NAME_FAULTS):
            try:
                m = s.srv.recv(timeout=0.02)
            except AssertionError:
                break
            for data in {"hangs": [], "resets": [], "talks nonsense": [os.urandom(40), m.reply("2.04", mid=m.mid ^ 1).encode()],
                         "crawls": [bytes([o]) for o in m.reply("2.04").encode()]}[how]:
                s.srv.send(data)
            if how == "resets":
                s.srv.send(m.rst())
    if how == "resets":  # which is an answer: the device is told, and there is nothing to raise an alarm for
        for n in range(4):
            trouble(n)
            trouble(9)
            wait_until(lambda: s.fake.all("deliver", where=lambda r: Msg.parse(r.data).code == "5.02")[n:])
            others.are_served()
        assert not s.alarms()
    else:
        bad_while(s, others, trouble, "server.unreachable", 300)
    if how == "refuses":
        s.srv = testbed.peer(host=addr[0], port=addr[1])
    if named:
        named.say("o")
    s.clock.forward(130)
    told_then = s.message("POST", "/rd")
    s.fake.up(M1, told_then)
    while True:                                              # what waited, and the Register behind it
        asked = s.srv.recv(where=lambda m: m.is_request or m.is_empty)
        if asked.is_empty:
            s.srv.send(asked.rst())
            continue
        s.srv.reply(asked, "2.01" if asked.path() == "/rd" else "2.04", options=[(LOCATION_PATH, b"rd")] if asked.path() == "/rd" else [])
        if asked.path() == "/rd":
            break
    assert s.fake.down(M1, where=lambda m: m.token == told_then.token).code == "2.01"
    if how != "resets":
        one_alarm(s, "server.unreachable")
