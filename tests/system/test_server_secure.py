# SPDX-License-Identifier: Apache-2.0
"""A server over DTLS, TCP and TLS, as it and a device see it: a whole LwM2M exchange, ends in the middle of one, restarts, keys."""
import pytest

from bed import loop_host, split_addr, udp_config, wait_until
from coapmsg import NON, OSCORE, Msg
from pair import Pair
from secpeer import KEY, RELEASE, DtlsPeer, StreamPeer
from t8scene import Clock

SCHEMES = pytest.mark.parametrize("scheme", ["coaps", "coap+tcp", "coaps+tcp"])
STREAMS = pytest.mark.parametrize("scheme", ["coap+tcp", "coaps+tcp"])


class SecurePair(Pair):
    """One device on link udp, one server over anything; .stream: it has no types and no ids."""

    @property
    def stream(self):
        return "tcp" in self.srv.uri

    def restarted(self, kill=True):
        before = len(self.srv.made)
        if kill:
            self.gw.kill9()
        else:
            assert self.gw.stop() == 0
        self.gw.start().ready()
        return self.srv.wait_made(before + 1)


def make_peer(testbed, scheme, keys=None, host=None):
    keys = {"meter-17": KEY} if keys is None else keys
    if scheme == "coaps":
        peer = DtlsPeer(host, keys=keys)
    else:
        peer = StreamPeer(host, tls={"keys": keys} if scheme == "coaps+tcp" else None)
    testbed.items.append(peer)
    return peer


def write_key(gw_dir, name, text=KEY):
    path = gw_dir / name
    path.write_text(text + "\n")
    path.chmod(0o600)


@pytest.fixture
def secure(testbed, udp_peer):
    """secure(scheme, key=, server_keys=, device_keys=, profile=, env=) -> SecurePair, ready, nothing registered"""
    def make(scheme, key=KEY, server_keys=None, device_keys=None, profile=None, **kw):
        srv, dev = make_peer(testbed, scheme), udp_peer()
        tree = udp_config(srv.uri, {"meter-17": "%s:%d" % dev.addr}, server_keys=server_keys, profile=profile,
                          device_keys=dict({"psk_key": "file:m17.key"} if scheme.startswith("coaps") else {}, **(device_keys or {})))
        gw = testbed.gateway(tree, start=False, **kw)
        write_key(gw.dir, "m17.key", key)
        gw.start().ready()
        dev.to = split_addr(tree["links"][0]["listen"])
        return SecurePair(gw, dev, srv, tree)
    return make


def note(p, got, payload, mid, type=0):
    p.dev.send(Msg(type=type, code="2.05", mid=mid, token=got.token, options=[(6, b"\x07")], payload=payload))


# ---- a whole exchange ----

@SCHEMES
def test_register_read_observe_write(secure, scheme):
    p = secure(scheme)
    asked, answer = p.register()
    assert asked.query()[:3] == ["lwm2m=1.1", "ep=meter-17", "b=N"] and answer.code == "2.01"
    got = p.down("GET", "/3/0/0", token=b"T")
    assert (got.type, got.code, got.path()) == (0, "0.01", "/3/0/0")  # CON, however it came
    p.dev.reply(got, "2.05", b"Acme")
    read = p.srv.recv()
    assert (read.token, read.code, read.payload) == (b"T", "2.05", b"Acme")
    seen = p.observe(token=b"O")
    note(p, seen, b"21.5", 900)
    assert p.dev.recv().code == "0.00"
    noted = p.srv.recv()
    assert (noted.token, noted.payload) == (b"O", b"21.5")
    if not p.stream:
        p.srv.send(noted.empty_ack())
    written = p.down("PUT", "/5/0/0", token=b"W", payload=b"x" * 2500)
    assert written.block(27)[:2] == (0, True)
    body = written.payload
    while written.block(27)[1]:
        p.dev.reply(written, "2.31", options=[(27, written.values(27)[0])])
        written = p.dev.recv()
        body += written.payload
    p.dev.reply(written, "2.04", options=[(27, written.values(27)[0])])
    done = p.srv.recv(where=lambda m: not m.is_empty)
    assert (done.token, done.code) == (b"W", "2.04") and body == b"x" * 2500
    assert len(p.srv.made) == 1
    if scheme.startswith("coaps"):
        assert p.srv.made[0][1] == "meter-17"


@STREAMS
def test_lwm2m_36_a_server_cancels_by_observe_1(secure, scheme):
    p = secure(scheme)
    p.register()
    seen = p.observe(token=b"O")
    cancel = p.down("GET", "/3303/0/5700", token=b"O", observe=1)
    assert cancel.token == seen.token and cancel.uint(6) == 1
    p.dev.reply(cancel, "2.05", b"last")
    assert p.srv.recv().payload == b"last"
    note(p, seen, b"22", 901)
    assert p.dev.recv().type == 3  # RST: nobody wants it


# ---- restarts ----

@SCHEMES
def test_after_a_restart_the_session_resumes_and_all_goes_on(secure, scheme):
    p = secure(scheme)
    p.register()
    wait_until(lambda: p.gw.metric("niddgw_store_queued_bytes") == 0)
    port = p.port
    source, _, resumed = p.restarted()
    if scheme.startswith("coaps"):
        assert resumed
    if scheme == "coaps":
        assert source[1] == port
    p.srv.source = source
    got = p.down("GET", "/3/0", token=b"T1")
    while got.code == "2.01":  # the answer to the Register once more: whether it had left is not known after a kill
        got = p.dev.recv()
    p.dev.reply(got, "2.05", b"x")
    answer = p.srv.recv(where=lambda m: not m.is_empty)
    assert (answer.token, answer.payload) == (b"T1", b"x")
    assert p.gw.ctl("device", "show", "meter-17")["state"] == "registered"
    # an Update on the location that the server gave
    asked = p.up("POST", "/rd/5a3f", token=b"u")
    assert asked.path() == "/rd/5a3f"
    p.srv.reply(asked, "2.04")
    assert p.dev.recv(where=lambda m: m.token == b"u").code == "2.04"


def test_an_observation_over_dtls_outlives_a_restart(secure):
    p = secure("coaps")
    p.register()
    got = p.observe(token=b"obs")
    wait_until(lambda: p.gw.metric("niddgw_store_queued_bytes") == 0)
    p.restarted()
    note(p, got, b"21.5", 900, NON)
    noted = p.srv.recv(where=lambda m: m.payload != b"start")
    assert (noted.token, noted.payload) == (b"obs", b"21.5")


@SCHEMES
def test_what_was_unanswered_at_a_kill(secure, scheme):
    p = secure(scheme)
    p.register()
    asked = p.up("POST", "/dp", token=b"s", mid=77, payload=b"reading")
    p.restarted()
    again = p.srv.recv()
    assert (again.token, again.payload) == (asked.token, b"reading")
    if p.stream:
        assert p.gw.metric("niddgw_in_doubt_total") == 1
    else:
        assert again.mid == asked.mid and p.gw.metric("niddgw_in_doubt_total") == 0
    p.srv.reply(again, "2.04")
    assert p.dev.recv(where=lambda m: m.token == b"s").code == "2.04"


@SCHEMES
def test_oscore_that_was_unanswered_at_a_kill_is_not_written_again(secure, scheme):
    p = secure(scheme)
    p.register()
    p.up("POST", token=b"o", mid=78, options=[(OSCORE, b"\x09\x01\x01")], payload=b"cipher-one")
    p.restarted()
    assert p.dev.recv(where=lambda m: m.token == b"o").code == "5.04"
    nxt = p.up("POST", token=b"p", mid=79, options=[(OSCORE, b"\x09\x02\x01")], payload=b"cipher-two")
    assert nxt.payload == b"cipher-two"  # and nothing before it
    p.srv.reply(nxt, "2.04", options=[(OSCORE, b"")], payload=b"fine")
    assert p.dev.recv(where=lambda m: m.token == b"p").payload == b"fine"


# ---- ends in the middle ----

@pytest.fixture(params=["coaps", "coap+tcp", "coaps+tcp"])
def lost(request, secure):
    """A registered pair with a server that can end its association: p.end()"""
    p = secure(request.param)
    p.register()
    p.end = p.srv.bye if request.param == "coaps" else p.srv.drop
    return p


def test_coap_14_a_plain_request_goes_once_more_and_no_third_time(lost):
    p = lost
    asked = p.up("POST", "/dp", token=b"s", payload=b"reading")
    p.end()
    again = p.srv.recv()
    assert (again.token, again.payload) == (asked.token, b"reading")
    assert p.stream or again.mid == asked.mid
    assert p.gw.metric("niddgw_in_doubt_total") == 1
    p.end()
    assert p.dev.recv().code == "5.04"
    nxt = p.up("GET", "/x", token=b"n")
    assert nxt.path() == "/x"  # nothing came before it
    p.srv.reply(nxt, "2.05")
    assert p.dev.recv().code == "2.05"
    assert p.gw.metric("niddgw_in_doubt_total") == 1


def test_coap_43_an_oscore_request_is_never_written_twice(lost):
    p = lost
    p.up("POST", token=b"o", options=[(OSCORE, b"\x09\x01\x01")], payload=b"cipher-one")
    p.end()
    assert p.dev.recv().code == "5.04"
    nxt = p.up("POST", token=b"p", options=[(OSCORE, b"\x09\x02\x01")], payload=b"cipher-two")
    assert nxt.payload == b"cipher-two"
    p.srv.reply(nxt, "2.04", options=[(OSCORE, b"")], payload=b"fine")
    assert p.dev.recv().payload == b"fine"
    assert p.gw.metric("niddgw_in_doubt_total") == 0


def test_a_notification_that_was_not_confirmed_goes_again(lost):
    p = lost
    seen = p.observe(token=b"O")
    p.srv.pongs = False
    note(p, seen, b"21.5", 900)
    assert p.srv.recv().payload == b"21.5"
    assert p.dev.recv().is_empty  # ours now
    p.srv.pongs = True
    p.end()
    again = p.srv.recv()
    assert (again.token, again.payload) == (b"O", b"21.5")
    if not p.stream:
        p.srv.send(again.empty_ack())
    wait_until(lambda: p.gw.metric("niddgw_store_open_entries") == 0)
    if p.stream:
        note(p, seen, b"22", 901)
        assert p.dev.recv().type == 3  # its observation went with the connection


@STREAMS
def test_requests_wait_while_the_server_holds_connections_off(secure, scheme):
    p = secure(scheme, profile={"ack_timeout_s": 1})
    p.register()
    asked = p.up("GET", "/a", token=b"a")
    p.srv.signal(RELEASE, options=b"\x41\x01")  # Hold-Off: a second
    p.dev.send(Msg.request("GET", "/b", token=b"b", mid=501))
    p.srv.reply(asked, "2.05", b"first")  # what runs is finished on the old one
    assert p.dev.recv(where=lambda m: not m.is_empty).payload == b"first"
    held = p.srv.recv()
    assert held.path() == "/b" and len(p.srv.made) == 2 and p.gw.metric("niddgw_in_doubt_total") == 0
    p.srv.reply(held, "2.05", b"second")
    assert p.dev.recv(where=lambda m: not m.is_empty).payload == b"second"


@STREAMS
def test_the_answer_to_a_lost_request_goes_nowhere(secure, scheme):
    p = secure(scheme)
    p.register()
    got = p.down("GET", "/3/0/0", token=b"T")
    p.srv.drop()
    p.srv.source = p.srv.wait_made(2)[0]  # a registered device is there again for its server
    p.dev.reply(got, "2.05", b"late")
    got = p.down("GET", "/3/0/1", token=b"T")
    p.dev.reply(got, "2.05", b"new")
    assert p.srv.recv().payload == b"new"


@SCHEMES
def test_an_idle_association_is_kept_alive(secure, scheme):
    p = secure(scheme, server_keys={"keepalive_s": 1})
    p.register()
    if p.stream:
        wait_until(lambda: p.srv.pings >= 2)
    else:
        for _ in range(2):
            ping = p.srv.recv()
            assert (ping.type, ping.code) == (0, "0.00")
            p.srv.send(ping.rst())
    asked = p.up("GET", "/x", token=b"x")
    p.srv.reply(asked, "4.04")
    assert p.dev.recv().code == "4.04"
    assert p.gw.metric("niddgw_north_rejected_total") == 0 and len(p.srv.made) == 1


# ---- keys and trust ----

def test_lwm2m_33_a_wrong_key_hurts_its_device_alone(testbed, udp_peer):
    names = ["m1", "m2", "m3"]
    srv = make_peer(testbed, "coaps", {n: KEY for n in names})
    devs = [udp_peer() for _ in names]
    tree = udp_config(srv.uri, {n: "%s:%d" % d.addr for n, d in zip(names, devs)},
                      server_keys={"handshake_timeout_s": 1, "answer_within_s": 3}, profile={"ack_timeout_s": 1})
    for device in tree["devices"]:
        device["psk_key"] = "file:%s.key" % device["name"]
    gw = testbed.gateway(tree, start=False)
    for n in names:
        write_key(gw.dir, n + ".key", KEY if n != "m2" else "ff" * 16)
    gw.start().ready()
    for i, dev in enumerate(devs):
        dev.to = split_addr(tree["links"][0]["listen"])
        dev.send(Msg.request("POST", "/rd", ["lt=300", "lwm2m=1.1"], token=b"r%d" % i, mid=i, payload=b"</1/0>"))
    for _ in range(2):
        srv.reply(srv.recv(), "2.01")
    for i in (0, 2):
        assert devs[i].recv(where=lambda m: not m.is_empty).code == "2.01"
    failed = devs[1].recv(where=lambda m: not m.is_empty)
    assert (failed.code, failed.token) == ("5.04", b"r1")
    assert {identity for _, identity, _ in srv.made} == {"m1", "m3"}
    line = gw.wait_log(r"dev=m2 ev=handshake.failed")
    assert "level=warning" in line and "server=main" in line
    assert [a["type"] for a in gw.ctl("alarms")["items"]] == ["server.auth_failed"]
    # the right key counts from the next handshake on, without a restart
    write_key(gw.dir, "m2.key")
    gw.wait_log(r"dev=m2 ev=handshake server")
    devs[1].send(Msg.request("POST", "/rd", ["lt=300", "lwm2m=1.1"], token=b"again", mid=9, payload=b"</1/0>"))
    srv.reply(srv.recv(), "2.01")
    assert devs[1].recv(where=lambda m: m.token == b"again").code == "2.01"
    assert KEY not in "\n".join(gw.log.lines)


def test_lwm2m_34_a_server_that_has_lost_its_sessions(secure, testbed):
    clock = testbed._keep(Clock())
    p = secure("coaps", server_keys={"dead_after": 1}, env=clock.env)
    p.register()
    p.srv.forget()
    p.dev.send(Msg.request("POST", "/rd/5a3f", token=b"u", mid=300))
    wait_until(lambda: p.srv.dropped)  # it has left
    for _ in range(40):  # every retransmission goes to nobody; an empty ACK on the way
        if p.gw.log.all(lambda line: "ev=assoc.down" in line):
            break
        clock.forward(5)
        p.dev.send(Msg(mid=p.dev.next_mid()))  # something wakes the daemon
        p.dev.recv(where=lambda m: m.type == 3)
    p.srv.wait_made(2)
    asked = p.srv.recv()
    assert asked.path() == "/rd/5a3f" and p.srv.dropped >= 4
    p.srv.reply(asked, "4.04")
    assert p.dev.recv(where=lambda m: m.token == b"u").code == "4.04"  # as the server said it
    assert p.gw.ctl("device", "show", "meter-17")["state"] != "registered"


def test_lwm2m_37_a_certificate_for_another_name_is_refused_and_then_trusted(testbed, udp_peer, tmp_path):
    from certs import Authority
    ca, host = Authority(tmp_path / "ca"), loop_host()
    cert, key = ca.issue("other", san="DNS:other.example")
    srv = StreamPeer(host, 5684, tls={"cert": cert, "key": key})
    testbed.items.append(srv)
    dev = udp_peer()
    tree = udp_config(srv.uri, {"meter-17": "%s:%d" % dev.addr}, profile={"ack_timeout_s": 2},
                      server_keys={"security": "x509", "ca_file": str(ca.cert), "server_name": "main.example"})
    gw = testbed.gateway(tree).ready()
    dev.to = split_addr(tree["links"][0]["listen"])
    p = SecurePair(gw, dev, srv, tree)
    dev.send(Msg.request("POST", "/rd", ["lt=300", "lwm2m=1.1"], token=b"r", mid=1, payload=b"</1/0>"))
    assert dev.recv(where=lambda m: not m.is_empty).code == "5.02"
    assert [a["type"] for a in gw.ctl("alarms")["items"]] == ["server.auth_failed"]
    # by its right name it is trusted: a reload makes the next attempt
    tree["servers"][0]["server_name"] = "other.example"
    gw.write(tree)
    assert gw.reload().returncode == 0
    srv.wait_made(1)
    asked, answer = p.register()
    assert answer.code == "2.01" and asked.query()[1] == "ep=meter-17"
