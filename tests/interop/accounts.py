# SPDX-License-Identifier: Apache-2.0
"""accounts.py - clients that learn their server from a bootstrap server, and a device with two servers at once.

Leshan's own bootstrap server is not published; the one here speaks through Californium. Leshan's client has one server only, so
the device with two is played by script.
"""
import secrets
from pathlib import Path

from cases import SENSOR, blockwise, counters, deregister, one_port, update
from coapmsg import ACK, CON, OBSERVE, TEXT, URI_HOST, Msg
from mirrored import Lines
from peers import Peer, Way, bed, loop_host, server_peer, split_addr

LIFETIME, SSID, HOST = 300, 77, "srv-b.example"


class Bootstrap(Way):
    """One device is sent to a server over coap, the other to one over coaps: DTLS from the device on, through the gateway."""
    name = "boot"
    transport, link = "udp", "sgi"
    size = 0

    def open(self):
        self.other = self.main + "-psk"
        self.local[self.other] = "%s:10001" % loop_host()
        self.boot = self.bed._keep(Peer("BootstrapPeer", "%s:5683" % loop_host()))
        self.secure = self.bed._keep(server_peer("coaps", "%s:5684" % loop_host()))
        self.key = secrets.token_hex(16)
        self.secure.do("secure", ep=self.other, identity=self.other, key=self.key)
        self.lines = Lines(Path(self.bed.directory) / "lines.jsonl")
        tree = bed.udp_config(self.server.uri, self.local)
        tree["servers"] += [{"name": "secure", "uri": self.secure.uri},
                            {"name": "boot", "uri": "coap://" + self.boot.info["listen"], "role": "bootstrap"}]
        tree["devices"][1]["servers"] = ["secure"]
        tree["plugins"] = [self.lines.block]
        self.uri = "coap://" + tree["links"][0]["listen"]
        self.start_gateway(tree)
        self.lines.wait_up(self.gateway)

    def client_host(self):
        return self.north


STEPS = [("DELETE /0", "2.02"), ("DELETE /1", "2.02"), ("PUT /0/1", "2.04"), ("PUT /1/0", "2.04"), ("POST /bs", "2.04")]


def equip(run, ep, at_last, **account):
    """Starts the client and leads it to the server; the event of its registration there."""
    way = run.way
    here, there, at = run.clients.mark(), at_last.mark(), way.boot.mark()
    way.boot.do("account", ep=ep, ssid=SSID, lt=LIFETIME, **account)
    run.client("start", **dict(way.fields(ep), bootstrap=True))
    asked = way.boot.wait("bootstrap", since=at)
    assert "ep=" + ep in asked["queries"] and split_addr(asked["addr"])[0] == way.north, asked
    steps = way.boot.wait("step", n=len(STEPS), since=at)
    assert [(s["what"], s["code"].split()[0]) for s in steps] == STEPS, steps
    run.clients.wait("bootstrapped", since=here, ep=ep)
    event = at_last.wait("registered", since=there, ep=ep)
    assert event["lt"] == LIFETIME, event
    run.clients.wait("registered", since=here, ep=ep)
    return event


def bootstrap(run):
    """lwm2m_40: a client asks its bootstrap server, is given an account, and registers there"""
    event = equip(run, run.ep, run.server, server=run.way.uri)
    run.source = event["addr"]
    run.good("read", "2.05", path=SENSOR)


def bootstrap_to_dtls(run):
    """the same with a key: the client registers over its own DTLS"""
    way = run.way
    event = equip(run, way.other, way.secure, server=way.uri.replace("coap", "coaps"), identity=way.other, key=way.key)
    assert split_addr(event["addr"])[0] == way.north
    answer = way.secure.cmd("read", 60, ep=way.other, path=SENSOR)
    assert answer["code"] == "2.05", answer


def nothing_secret(run):
    """nothing of what bootstrap has written is in the log or in the mirror"""
    way = run.way
    paths = {v["path"] for r in way.lines.all() for v in r.get("values", [])}
    assert SENSOR in paths and not any(p.split("/")[1] in ("0", "21") for p in paths), paths
    text = "\n".join(way.gateway.log.lines) + way.lines.path.read_text()
    octets = bytes.fromhex(way.key)
    for secret in (way.key, way.key.upper(), bed.b64(octets)[:20]):
        assert secret not in text
    raw = [r for r in way.lines.all() if r["device"] == way.other and "dtls" in r]
    assert all(r["payload"] is None for r in raw)


BOOTSTRAP_CASES = [bootstrap, update, blockwise, bootstrap_to_dtls, nothing_secret, deregister, one_port, counters]


# ---- two servers -------------------------------------------------------------------------------------------------------


class Two(Way):
    """One device, two Leshan servers: the device asks for the second one by Uri-Host."""
    name = "two"
    transport, link = "udp", "sgi"
    size = 0

    def open(self):
        self.second = self.bed._keep(server_peer())
        self.device = self.bed.peer()
        tree = bed.udp_config(self.server.uri, {self.main: "%s:%d" % self.device.addr})
        tree["servers"].append({"name": "second", "uri": self.second.uri, "aliases": [HOST]})
        tree["devices"][0]["servers"] = ["main", "second"]
        self.start_gateway(tree)
        self.device.to = split_addr(tree["links"][0]["listen"])
        self.hosts = {self.server: (), self.second: [(URI_HOST, HOST.encode())]}
        self.locations, self.addresses = {}, {}

    def client_host(self):
        return self.north

    def up(self, server, method, path, **kw):
        """A request of the device to one of them: the answer."""
        asked = Msg.request(method, path, mid=self.device.next_mid(), token=b"up", options=self.hosts[server], **kw)
        self.device.send(asked)
        return self.device.recv(where=lambda m: m.is_response)

    def serve(self, n, value):
        """The device answers so many requests: value(request)."""
        asked = []
        for _ in range(n):
            m = self.device.recv(where=lambda m: m.is_request)
            asked.append(m)
            self.device.reply(m, "2.05", b"%.1f" % value(m), content_format=TEXT, observe=1 if m.has(OBSERVE) else None)
        return asked


def two_register(run):
    """lwm2m_38: a device registers at two servers, at the second one by Uri-Host"""
    way = run.way
    for server in way.hosts:
        mark = server.mark()
        answer = way.up(server, "POST", "/rd", query=["ep=" + run.ep, "lt=300", "lwm2m=1.1", "b=U"], content_format=40,
                        payload=b"</1/0>,</3/0>,</3303/0>,</3303/1>")
        event = server.wait("registered", since=mark, ep=run.ep)
        assert answer.code == "2.01" and answer.location() == "rd/" + event["location"], answer
        way.locations[server], way.addresses[server] = answer.location(), event["addr"]
    run.source = way.addresses[way.server]
    assert len(set(way.addresses.values())) == 2 and not way.server.events("replaced", ep=run.ep)


def two_update(run):
    """each Update goes to the server that gave its location"""
    for server, location in run.way.locations.items():
        mark = server.mark()
        assert run.way.up(server, "POST", "/" + location).code == "2.04"
        assert server.wait("updated", since=mark, ep=run.ep)["addr"] == run.way.addresses[server]


def two_reads(run):
    """both servers read at once: each gets its own answers, and no token of one is a token of the other"""
    way, paths = run.way, {run.way.server: SENSOR, run.way.second: "/3303/1/5700"}
    ids = [(server, server.post("read", ep=run.ep, path=path, format=TEXT)) for _ in range(20) for server, path in paths.items()]
    asked = way.serve(len(ids), lambda m: 10.5 if m.path() == SENSOR else 20.5)
    for server, ident in ids:
        answer = server.answer(ident, 60)
        assert answer["values"] == {paths[server]: 10.5 if server is way.server else 20.5}, answer
    assert len({m.token for m in asked}) == len(asked)


def two_observe(run):
    """both observe the same resource: each gets the notifications of its own observation, and cancelling one leaves the other"""
    way, relations = run.way, {}
    for server in way.hosts:
        ident = server.post("observe", ep=run.ep, path=SENSOR, format=TEXT)
        relations[server] = way.serve(1, lambda m: 1.5)[0]
        assert server.answer(ident, 60)["code"] == "2.05"
    assert len({m.token for m in relations.values()}) == 2
    marks = {server: server.mark() for server in way.hosts}

    def notify(server, value, number):
        way.device.send(relations[server].reply("2.05", b"%.1f" % value, observe=number, type=CON, mid=way.device.next_mid(), content_format=TEXT))
        return way.device.recv(where=lambda m: m.is_empty)
    for n in range(5):
        for k, server in enumerate(way.hosts):
            assert notify(server, 100 * (k + 1) + n, 2 + n).type == ACK
    for k, server in enumerate(way.hosts):
        events = server.wait("notify", n=5, since=marks[server], ep=run.ep)
        assert [e["values"][SENSOR] for e in events] == [100.0 * (k + 1) + n for n in range(5)], events
    way.second.do("cancel", ep=run.ep, path=SENSOR)
    notify(way.second, 300, 9)
    mark = way.server.mark()
    assert notify(way.server, 301, 9).type == ACK
    way.server.wait("notify", since=mark, ep=run.ep, where=lambda e: e["values"][SENSOR] == 301.0)
    assert not way.second.events("notify", since=marks[way.second], ep=run.ep, where=lambda e: e["values"][SENSOR] >= 300)


def two_deregister(run):
    """the device leaves one server, the other still reads, and then that one"""
    way = run.way
    mark = way.second.mark()
    assert way.up(way.second, "DELETE", "/" + way.locations[way.second]).code == "2.02"
    way.second.wait("deregistered", since=mark, ep=run.ep)
    ident = way.server.post("read", ep=run.ep, path=SENSOR, format=TEXT)
    way.serve(1, lambda m: 33.5)
    assert way.server.answer(ident, 60)["values"] == {SENSOR: 33.5}
    assert way.up(way.server, "DELETE", "/" + way.locations[way.server]).code == "2.02"
    way.server.wait("deregistered", ep=run.ep)


def two_ports(run):
    """neither server has had a message of the device from a second port"""
    for server, address in run.way.addresses.items():
        seen = [a for a in server.do("peers")["peers"] if split_addr(a)[0] == run.way.north]
        assert seen == [address], (seen, address)


TWO_CASES = [two_register, two_update, two_reads, two_observe, two_deregister, two_ports, counters]
WAYS = [Bootstrap, Two]
