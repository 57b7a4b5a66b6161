# SPDX-License-Identifier: Apache-2.0
"""pair.py - a daemon with one scripted device on `link udp` and one scripted LwM2M server, both played by the test.

    p = pair(gateway, udp_peer)                     # device "meter-17", server "main"
    p.register()                                    # the 98 octets of REGISTER, answered with /rd/5a3f
    p.up("GET", "/x", token=b"a", mid=9)            # the device asks; returns what the server got
    p.down("GET", "/3/0", token=b"T")               # the server asks; returns what the device got
"""
import itertools
import socket
import threading

from bed import split_addr, udp_config
from coapmsg import LOCATION_PATH, Msg

# A Register as an NB-IoT client sends it: CON, token a1a2b2, MID 1, ep=meter-17, b=N, list of objects.
REGISTER = bytes.fromhex(
    "42020001a1a2b272641128396c776d326d3d312e310b65703d6d657465722d313703623d4e0151086c743d3836343030ff3c2f3e3b72743d226f6d"
    "612e6c776d326d223b63743d3131322c3c2f312f303e2c3c2f332f303e2c3c2f333330332f303e")
LOCATION = [(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"5a3f")]
QUICK_ACK = {"ack_timeout_s": 1, "empty_ack_at": 0.05}  # an empty ACK after 50 ms


def rest(data):
    """Type, code, options and payload of a datagram: what has to be equal on both legs."""
    return data[0] & 0xF0, data[1], data[4 + (data[0] & 15):]


class Pair:
    def __init__(self, gw, dev, srv, tree):
        self.gw, self.dev, self.srv, self.tree = gw, dev, srv, tree
        self._mid = itertools.count(100)

    def register(self, data=REGISTER, options=LOCATION):
        """Registers the device; the server's request and the device's answer."""
        self.dev.send(data)
        asked = self.srv.recv()
        self.srv.reply(asked, "2.01", options=options)
        return asked, self.dev.recv()

    @property
    def port(self):
        """Our port towards the server, as the server saw it last."""
        return self.srv.source[1]

    def up(self, method, path="", **kw):
        kw.setdefault("mid", next(self._mid))
        self.asked_up = Msg.request(method, path, **kw)
        self.dev.send(self.asked_up)
        return self.srv.recv()

    def down(self, method, path="", **kw):
        kw.setdefault("mid", self.srv.next_mid())
        self.asked_down = Msg.request(method, path, **kw)
        self.srv.send(self.asked_down)
        return self.dev.recv()

    def observe(self, path="/3303/0/5700", token=b"ob", value=0, **kw):
        """The server observes, the device agrees with its value; returns the request that the device got."""
        got = self.down("GET", path, token=token, observe=0, **kw)
        self.dev.reply(got, "2.05", b"start", observe=value)
        answer = self.srv.recv()
        assert answer.token == token and answer.code == "2.05"
        return got

    def ping(self):
        """A round trip of empty messages on both legs: all that was on its way before has arrived."""
        for peer in (self.dev, self.srv):
            if not (peer.to or peer.source):
                peer.silent(0.001)  # a server that was never asked
                continue
            mid = peer.next_mid()
            peer.send(Msg(mid=mid))
            answer = peer.recv()
            assert (answer.type, answer.code, answer.mid) == (3, "0.00", mid), answer

    def results(self):
        """niddgw_uplink_total by result, without zeros."""
        found = {}
        for line in self.gw.http("/metrics")[1].splitlines():
            if line.startswith("niddgw_uplink_total{"):
                labels, _, value = line[len("niddgw_uplink_total{"):].partition("} ")
                result = labels.partition('result="')[2].partition('"')[0]
                if float(value):
                    found[result] = found.get(result, 0) + int(float(value))
        return found


def pair(gateway, udp_peer, name="meter-17", address=None, tree_change=None, dev_host=None, uri=None, **kw):
    """kw goes to udp_config: profile, server_keys, device_keys, link, host."""
    srv, dev = udp_peer(port=5683), udp_peer(host=dev_host)
    tree = udp_config(uri or srv.uri, {name: address or "%s:%d" % dev.addr}, **kw)
    if tree_change:
        tree_change(tree)
    gw = gateway(tree).ready()
    dev.to = split_addr(tree["links"][0]["listen"])
    return Pair(gw, dev, srv, tree)


class Sniffer:
    """A relay of datagrams that keeps them: [(outward, octets)]. Whoever sends to addr speaks with target and appears there as
    outer, an address that only one sender can have: for one device, or for one association."""

    def __init__(self, target, inner, outer):
        self.target, self.seen, self._ended = target, [], False
        self.inner, self.outer = self._socket(inner), self._socket(outer)
        self.addr, self.client = self.inner.getsockname(), None
        self._threads = [threading.Thread(target=f, daemon=True) for f in (self._outward, self._inward)]
        for t in self._threads:
            t.start()

    @staticmethod
    def _socket(addr):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(addr)
        return s

    def _outward(self):
        while True:
            data, self.client = self.inner.recvfrom(65535)
            if self._ended:
                return
            self.seen.append((True, data))
            self.outer.sendto(data, self.target)

    def _inward(self):
        while True:
            data, _ = self.outer.recvfrom(65535)
            if self._ended:
                return
            self.seen.append((False, data))
            if self.client:
                self.inner.sendto(data, self.client)

    def messages(self, outward):
        return [Msg.parse(d) for o, d in self.seen if o == outward]

    def close(self):
        """Ends both threads with a datagram to themselves."""
        self._ended = True
        for s in (self.inner, self.outer):
            s.sendto(b"", s.getsockname())
        for t in self._threads:
            t.join(5)
        self.inner.close()
        self.outer.close()
