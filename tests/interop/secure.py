# SPDX-License-Identifier: Apache-2.0
"""secure.py - DTLS: a Leshan server that the gateway reaches over coaps, with keys and with certificates, and a Leshan client that
speaks DTLS itself, through the gateway, to such a server.

The daemon runs by a clock that a case can move: what takes a minute of silence is over in a moment.
"""
import secrets
from pathlib import Path

from cases import (SENML_CBOR, SENSOR, active_cancel, at_once, attributes, blockwise, burst, composite, composite_observe, create_delete,
                   deregister, errors, execute, observe, observe_again, observe_instance, one_port, passive_cancel, queue_mode, read_formats,
                   register, register_again, send, update, write_formats, write_instances)
from certs import Authority
from peers import Tunnel, bed, loop_host, server_peer
from t8scene import Clock

STEP_S = 5  # of the moved clock, with a moment in between in which a handshake can go on


class Secured(Tunnel):
    """link udp, and a server that is reached over coaps. Subclasses say what devices show there."""
    size = 0
    others = ()      # short names of devices beside the main one
    security = None  # of the server entry
    edits = {"answer_within_s": 60, "dead_after": 1}

    def open(self):
        self.clock = self.bed._keep(Clock())
        self.env = self.clock.env
        for n, name in enumerate(self.others):
            self.local[self.ep(name)] = "%s:%d" % (loop_host(), 10000 + n)
        self.dir = Path(self.bed.directory)
        self.at = "%s:5684" % loop_host()
        self.prepare()
        self.start_server()
        tree = bed.udp_config(self.server.uri, self.local, server_keys={"security": self.security})
        for device in tree["devices"]:
            device.update(self.device_keys(device["name"]))
        self.change(tree)
        self.uri = "coap://" + tree["links"][0]["listen"]
        self.start_gateway(tree)
        self.clock.wake = lambda: self.gateway.down or self.gateway.http("/healthz")

    def ep(self, name):
        return "%s-%s" % (self.main, name)

    def prepare(self):
        """Keys and certificates."""

    def device_keys(self, name):
        return {}

    def change(self, tree):
        """Of the configuration, beyond what all have."""

    def start_server(self, *pem, suites=None):
        self.server = self.bed._keep(server_peer("coaps", self.at, *pem, suites=suites))

    def until(self, test, what, steps=60):
        """Lets time pass for the daemon until test() holds; None is no answer yet."""
        for _ in range(steps):
            found = test()
            if found:
                return found
            self.clock.forward(STEP_S)
            try:
                bed.wait_until(test, 0.3)
            except AssertionError:
                pass
        raise AssertionError("not after %d s of its time: %s" % (steps * STEP_S, what))

    def handshakes(self, result):
        return self.gateway.metric('niddgw_server_handshakes_total{server="main",result="%s"}' % result)


class Psk(Secured):
    """Identity = ep; one device has another key than the server knows."""
    name, security, others = "psk", "psk", ("wrong",)
    suite = "TLS_PSK_WITH_AES_128_CCM_8"

    def prepare(self):
        self.keys = {ep: secrets.token_hex(16) for ep in self.local}
        for ep, key in self.keys.items():
            bad = ep == self.ep("wrong")
            path = self.dir / (ep + ".key")
            path.write_text((secrets.token_hex(16) if bad else key) + "\n")
            path.chmod(0o600)

    def device_keys(self, name):
        return {"psk_identity": name, "psk_key": "file:%s" % (self.dir / (name + ".key"))}

    def start_server(self, **kw):
        super().start_server(**kw)
        for ep, key in self.keys.items():
            self.server.do("secure", ep=ep, identity=ep, key=key)


class X509(Secured):
    """Each device with a certificate of its own, CN = ep. Beside the main one there is one whose certificate has another CN, one
    with a certificate of a stranger, and one that asks for a server whose name is not in its certificate."""
    name, security, others = "x509", "x509", ("cn", "stranger", "name")
    suite = "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"

    def prepare(self):
        self.ca, stranger = Authority(self.dir / "ca"), Authority(self.dir / "stranger")
        self.pem = [*self.ca.issue("server", san="DNS:lwm2m.example"), self.ca.cert]
        self.own = {self.main: self.ca.issue(self.main), self.ep("cn"): self.ca.issue("lw-somebody"),
                    self.ep("stranger"): stranger.issue(self.ep("stranger")), self.ep("name"): self.ca.issue(self.ep("name"))}

    def device_keys(self, name):
        return dict(zip(("cert_file", "key_file"), map(str, self.own[name])), servers=["named" if name == self.ep("name") else "main"])

    def change(self, tree):
        entry = tree["servers"][0]
        entry["ca_file"] = str(self.ca.cert)
        tree["servers"].append(dict(entry, name="named", server_name="other.example"))
        entry["server_name"] = "lwm2m.example"

    def start_server(self, **kw):
        super().start_server(*self.pem, **kw)
        for ep in self.local:
            self.server.do("secure", ep=ep)


class Relay(Secured):
    """The device speaks DTLS with the server; the gateway has no key of either."""
    name, security = "relay", "psk"

    def prepare(self):
        self.key = secrets.token_hex(16)

    def change(self, tree):
        self.mtu = 1500  # Leshan's flights are cut for Ethernet
        self.edits = {}

    def start_server(self):
        super().start_server()
        self.server.do("secure", ep=self.main, identity=self.main, key=self.key)

    def fields(self, ep):
        return dict(super().fields(ep), server=self.uri.replace("coap", "coaps"), identity=self.main, key=self.key)


# ---- the cases ---------------------------------------------------------------------------------------------------------


def fails(run, name):
    """Starts that client, and looks at the main one: it is served meanwhile."""
    ep, mark = run.way.ep(name), run.clients.mark()
    run.client("start", **run.way.fields(ep))
    run.good("read", "2.05", path=SENSOR)
    return ep, mark


def complaint(run, ep, server="main"):
    """The one warning about its association."""
    line = run.way.gateway.wait_log(r"dev=%s ev=handshake\.failed server=%s " % (ep, server))
    assert "level=warning" in line, line
    return line


def answer_of(run, ep, mark):
    return run.way.until(lambda: run.clients.events("registered_failed", since=mark, ep=ep), "no answer for %s" % ep)[0]


def one_warning(run, ep):
    lines = [s for s in run.way.gateway.log.lines if "level=warning" in s and "dev=%s " % ep in s and "handshake" in s]
    assert len(lines) == 1, lines


def wrong_key(run):
    """lwm2m_33: a device with another key fails alone, with 5.04 and one warning"""
    ep, mark = fails(run, "wrong")
    event = answer_of(run, ep, mark)
    assert event["code"] == "5.04", event
    complaint(run, ep)
    one_warning(run, ep)
    assert not run.server.events("registered", ep=ep)
    run.client("stop", ep=ep, deregister=False)
    run.good("read", "2.05", path=SENSOR)


def wrong_name(run):
    """lwm2m_37: a server whose certificate has another name gets nothing, the device 5.02"""
    ep, mark = fails(run, "name")
    event = run.clients.wait("registered_failed", since=mark, ep=ep)
    assert event["code"] == "5.02", event
    assert "name" in complaint(run, ep, "named")
    assert not run.server.events("registered", ep=ep)
    alarms = [a for a in run.way.gateway.ctl("alarms")["items"] if a["type"] == "server.auth_failed"]
    assert alarms, run.way.gateway.ctl("alarms")
    run.client("stop", ep=ep, deregister=False)


def wrong_authority(run):
    """a device with a certificate of another authority is refused by the server, alone"""
    ep, mark = fails(run, "stranger")
    assert answer_of(run, ep, mark)["code"] in ("5.02", "5.04")
    complaint(run, ep)
    one_warning(run, ep)
    assert not run.server.events("registered", ep=ep)
    run.client("stop", ep=ep, deregister=False)
    run.good("read", "2.05", path=SENSOR)


def wrong_subject(run):
    """a device whose certificate names another endpoint gets the server's 4.03"""
    ep, mark = fails(run, "cn")
    event = run.clients.wait("registered_failed", since=mark, ep=ep)
    assert event["code"] == "4.03", event
    assert not run.server.events("registered", ep=ep)
    run.client("stop", ep=ep, deregister=False)


def gateway_killed(run):
    """kill -9 of the gateway: the server reads at once, the observation goes on, from the same port"""
    run.good("observe", "2.05", path=SENSOR, format=SENML_CBOR)
    there = run.server.mark()
    run.way.gateway.kill9()
    run.way.gateway.start().ready(60)
    out = run.good("read", "2.05", path=SENSOR)
    run.set(1100.5)
    run.notified(there, 1100.5)
    for kind in ("registered", "replaced", "updated"):
        assert not run.server.events(kind, since=there, ep=run.ep), kind
    assert run.way.handshakes("ok") + run.way.handshakes("resumed") >= 1
    run.ask("cancel", path=SENSOR, active=True)
    return out


def server_killed(run):
    """kill -9 of the server: the association is found dead and made anew, and the device registers again, from the same port"""
    way, mark = run.way, run.clients.mark()
    way.server.kill9()
    way.start_server()
    before = way.handshakes("ok") + way.handshakes("resumed")
    run.client("update")
    event = way.until(lambda: way.server.events("registered", ep=run.ep), "not registered at the new server")[0]
    assert event["addr"] == run.source, (event, run.source)
    assert way.handshakes("ok") + way.handshakes("resumed") > before
    run.clients.wait("registered", since=mark, ep=run.ep)
    return run.good("read", "2.05", path=SENSOR)


def server_restarted(run):
    """the server ends, and starts with the suite of LwM2M 1.0 alone: the device registers again, and the server reads at once"""
    way = run.way
    way.server.stop()
    way.start_server(suites=way.suite)
    mark = run.clients.mark()
    run.client("update")
    event = way.until(lambda: way.server.events("registered", ep=run.ep), "not registered at the new server")[0]
    assert event["addr"] == run.source, (event, run.source)
    run.clients.wait("registered", since=mark, ep=run.ep)
    way.gateway.wait_log(r"dev=%s ev=handshake .*suite=[A-Z0-9-]*AES128-CCM8" % run.ep)
    return run.good("read", "2.05", path=SENSOR)


def relay_killed(run):
    """kill -9 of the gateway: the device's own session with the server goes on, from the same port"""
    run.good("observe", "2.05", path=SENSOR, format=SENML_CBOR)
    there = run.server.mark()
    run.way.gateway.kill9()
    run.way.gateway.start().ready(60)
    out = run.good("read", "2.05", path=SENSOR)
    run.set(1200.5)
    run.notified(there, 1200.5)
    assert not run.server.events("registered", since=there, ep=run.ep)
    run.ask("cancel", path=SENSOR, active=True)
    return out


def relay_counters(run):
    """the gateway has seen nothing but records, and has lost none"""
    way = run.way
    assert way.units("forwarded") > 0 and way.units("answered") == 0
    bad = {r: way.units(r) for r in ("malformed", "refused", "unknown_device", "too_big", "quota", "failed", "dropped")}
    assert not any(bad.values()), bad
    assert way.gateway.ctl("device", "show", run.ep)["relay"]["server"] == "main"


EXCHANGES = [register, update, read_formats, errors, write_formats, write_instances, attributes, execute, at_once, create_delete, observe,
             burst, active_cancel, passive_cancel, observe_again, observe_instance, send, composite, composite_observe, blockwise]
RESTARTS = [register_again, gateway_killed, server_killed, server_restarted]
ENDS = [deregister, queue_mode, one_port]
PSK_CASES = [*EXCHANGES, wrong_key, *RESTARTS, *ENDS]
X509_CASES = [*EXCHANGES, wrong_name, wrong_authority, wrong_subject, *RESTARTS, *ENDS]
RELAY_CASES = [*EXCHANGES, register_again, relay_killed, *ENDS, relay_counters]
WAYS = [Psk, X509, Relay]
