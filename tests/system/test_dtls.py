# SPDX-License-Identifier: Apache-2.0
"""Servers over DTLS: keys, certificates, what goes wrong with them, restarts of either side (coap 44, 54, 55, lwm2m 33, 34, 37)."""
import os

import pytest

from bed import loop_host, wait_until
from certs import Authority
from coapmsg import OSCORE, Msg
from dtlspeer import OTHER_KEY, DtlsPeer, dtls_pair
from pair import LOCATION, QUICK_ACK, REGISTER
from secpeer import KEY
from t8scene import Clock


def handshakes(gw, result):
    return gw.metric('niddgw_server_handshakes_total{server="main",result="%s"}' % result)


def alarms(gw):
    return {a["id"]: a for a in gw.ctl("alarms")["items"]}


def update(p):
    asked = p.up("POST", "/rd/5a3f", token=b"up")
    p.srv.reply(asked, "2.04")
    assert p.dev.recv(where=lambda m: m.code != "0.00").code == "2.04"
    return asked


def two_devices(testbed, second_key=KEY):
    """tree_change for dtls_pair: a second device, meter-18, and the socket that plays it."""
    dev = testbed.peer()

    def change(gw, tree):
        tree["devices"].append(dict(tree["devices"][0], name="meter-18", ep="meter-18", address="%s:%d" % dev.addr,
                                    psk_key=gw.secret("meter-18.key", second_key)))
    return dev, change


# ---- up and down ---------------------------------------------------------------------------------------------------------

def test_device_registers_is_read_and_keeps_its_port(gateway, testbed):
    p = dtls_pair(gateway, testbed)
    asked, answer = p.register()
    assert "ep=meter-17" in asked.query() and answer.location() == "rd/5a3f"
    got = p.down("GET", "/3/0/0", token=b"R1")
    p.dev.reply(got, "2.05", b"maker")
    assert p.srv.recv().payload == b"maker"
    port = p.port
    assert p.gw.ctl("device", "show", "meter-17")["servers"][0]["port"] == port
    p.srv.end()
    p.gw.wait_log(r"ev=assoc.ended .*server=main")
    asked = update(p)  # the next message makes another association
    assert p.port == port and asked.path() == "/rd/5a3f"
    assert p.srv.handshakes == 2 and handshakes(p.gw, "ok") + handshakes(p.gw, "resumed") == 2


def test_coap_44_an_oscore_request_that_comes_in_a_handshake_leaves_once(gateway, testbed):
    p = dtls_pair(gateway, testbed)
    p.srv.deaf = True
    asked = Msg.request("POST", "", token=b"os", mid=7, options=[(OSCORE, bytes.fromhex("0914"))], payload=b"sealed")
    p.dev.send(asked)
    p.dev.send(asked)  # and its duplicate
    wait_until(lambda: p.srv.thrown)
    p.srv.deaf = False  # the ClientHello comes again
    got = p.srv.recv()
    assert (got.payload, got.values(OSCORE)) == (b"sealed", [bytes.fromhex("0914")])
    p.srv.reply(got, "2.04", b"sealed too")
    assert p.dev.recv().payload == b"sealed too"
    p.ping()
    assert not p.srv.waiting


def test_lwm2m_34_a_server_that_lost_its_sessions_gets_a_new_handshake(gateway, testbed):
    clock = testbed._keep(Clock())
    p = dtls_pair(gateway, testbed, server_keys={"dead_after": 1, "answer_within_s": 3000}, env=clock.env)
    p.register()
    port = p.port
    p.srv.forget()
    p.dev.send(Msg.request("POST", "/rd/5a3f", token=b"up", mid=50))
    wait_until(lambda: p.srv.dropped)  # it is on the disk and has left
    for _ in range(40):  # the span of all retransmissions
        if p.gw.log.all(lambda text: "ev=assoc.ended" in text):
            break
        clock.forward(5)
        p.gw.http("/healthz")
    got = p.srv.recv()
    assert got.path() == "/rd/5a3f" and p.port == port
    p.srv.reply(got, "4.04")
    answer = p.dev.recv(where=lambda m: m.code != "0.00")
    assert answer.code == "4.04"
    p.gw.wait_log("ev=assoc.ended .*not answered any more")


# ---- keys ----------------------------------------------------------------------------------------------------------------

def test_lwm2m_33_coap_55_one_wrong_key_is_one_failed_device(gateway, testbed):
    """Registered within `answer_within_s` or told 5.04; one warning; an alarm that goes when the key is right."""
    dev, change = two_devices(testbed)
    srv = testbed._keep(DtlsPeer(keys={"meter-17": KEY, "meter-18": KEY}))
    p = dtls_pair(gateway, testbed, srv, key=OTHER_KEY, tree_change=change, profile=QUICK_ACK,
                  server_keys={"handshake_timeout_s": 1, "answer_within_s": 3})
    dev.to = p.dev.to
    p.dev.send(REGISTER)
    dev.send(REGISTER.replace(b"meter-17", b"meter-18"))
    asked = srv.recv()
    srv.reply(asked, "2.01", options=LOCATION)
    assert dev.recv(where=lambda m: m.code != "0.00").code == "2.01"
    line = p.gw.wait_log("ev=handshake.failed")
    assert "level=warning" in line and "dev=meter-17" in line and "server=main" in line and "are they the same on both sides" in line
    answer = p.dev.recv(where=lambda m: m.code != "0.00")
    p.dev.send(answer.empty_ack())
    assert answer.code == "5.04"
    assert handshakes(p.gw, "timeout") >= 1 and handshakes(p.gw, "ok") == 1
    assert alarms(p.gw)["server.auth_failed:main"]["count"] == 1
    p.gw.secret("meter-17.key", KEY)
    p.gw.wait_log("ev=alarm.cleared .*server.auth_failed")
    assert len(p.gw.log.all(lambda text: "ev=handshake.failed" in text and "level=warning" in text)) == 1
    asked, answer = p.register(REGISTER[:2] + b"\0\2" + REGISTER[4:])
    assert answer.code == "2.01"


def test_unknown_identity_is_told_by_the_alert_of_the_server(gateway, testbed):
    p = dtls_pair(gateway, testbed, testbed._keep(DtlsPeer(keys={"somebody": KEY})))
    p.dev.send(REGISTER)
    line = p.gw.wait_log("ev=handshake.failed")
    assert "unknown PSK identity" in line and "result=alert" in line
    p.srv.keys["meter-17"] = KEY
    p.srv.reply(p.srv.recv(), "2.01")  # with the next try


def test_rotated_key_is_used_by_the_next_handshake(gateway, testbed):
    """INTERFACE 2: rotated on reload without restart; what stands is not disturbed."""
    p = dtls_pair(gateway, testbed)
    p.register()
    p.srv.keys["meter-17"] = OTHER_KEY
    p.gw.secret("meter-17.key", OTHER_KEY)
    assert p.gw.reload().returncode == 0
    got = p.down("GET", "/3/0", token=b"a")
    p.dev.reply(got, "2.05", b"still here")
    assert p.srv.recv().payload == b"still here" and p.srv.handshakes == 1
    p.srv.end()
    p.gw.wait_log("ev=assoc.ended")
    update(p)
    assert p.srv.handshakes == 2 and p.srv.resumed == 0 and handshakes(p.gw, "ok") == 2


def test_identity_is_that_of_the_device_record(gateway, testbed):
    srv = testbed._keep(DtlsPeer(keys={"urn:imei:490154203237518": "aa"}))
    p = dtls_pair(gateway, testbed, srv, key="aa", device_keys={"psk_identity": "urn:imei:490154203237518"})
    p.register()
    assert handshakes(p.gw, "ok") == 1


# ---- a restart of the gateway --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how", ["stop", "kill"])
def test_session_is_resumed_over_a_restart_and_the_server_asks_first(gateway, testbed, how):
    p = dtls_pair(gateway, testbed)
    p.register()
    port = p.port
    wait_until(lambda: p.gw.ctl("device", "show", "meter-17")["servers"])
    if how == "kill":
        update(p)
        p.gw.kill9()
    else:
        p.gw.stop()
    p.gw.start().ready()
    wait_until(lambda: p.srv.resumed)  # nobody has said anything
    assert list(p.srv.sessions) and {source[1] for source in p.srv.sessions} == {port}
    p.srv.to = list(p.srv.sessions)[0]
    got = p.down("GET", "/3/0", token=b"b")
    p.dev.reply(got, "2.05", b"again")
    assert p.srv.recv(where=lambda m: m.code == "2.05").payload == b"again"
    assert handshakes(p.gw, "resumed") == 1 and handshakes(p.gw, "ok") == 0


# ---- certificates --------------------------------------------------------------------------------------------------------

@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "ca")


def x509_pair(gateway, testbed, ca, name, server_keys=None, **issue):
    host = loop_host()
    cert, key = ca.issue(name, **dict({"san": "IP:" + host}, **issue))
    srv = testbed._keep(DtlsPeer(cert=cert, key=key, host=host))
    keys = dict({"security": "x509", "ca_file": str(ca.cert)}, **(server_keys or {}))
    return dtls_pair(gateway, testbed, srv, key=None, server_keys=keys, profile=QUICK_ACK)


def test_certificates_of_both_sides(gateway, testbed, ca):
    cert, key = ca.issue("gateway", days=10)
    p = x509_pair(gateway, testbed, ca, "srv", {"cert_file": str(cert), "key_file": str(key)})
    p.register()
    got = p.down("GET", "/3/0", token=b"a")
    p.dev.reply(got, "2.05", b"x")
    assert p.srv.recv().payload == b"x"
    assert "cert.expiring:main" in alarms(p.gw)
    left = 'niddgw_cert_expiry_seconds{cert="server/main/%s"}'
    assert 9 * 86400 < p.gw.metric(left % "own") <= 10 * 86400 and p.gw.metric(left % "peer") > 0


@pytest.mark.parametrize("case, why", [
    ({"san": "DNS:other.example"}, "IP address mismatch"),
    ({"expired": True}, "certificate has expired"),
])
def test_lwm2m_37_coap_54_refused_certificate_is_5_02_and_an_alarm(gateway, testbed, ca, case, why):
    p = x509_pair(gateway, testbed, ca, "srv", **case)
    p.dev.send(REGISTER)
    assert p.dev.recv(where=lambda m: m.code != "0.00").code == "5.02"
    line = p.gw.wait_log("ev=handshake.failed")
    assert "level=warning" in line and "dev=meter-17" in line and "server=main" in line and why in line and "result=denied" in line
    assert why in alarms(p.gw)["server.auth_failed:main"]["text"]
    p.dev.send(REGISTER[:2] + b"\0\2" + REGISTER[4:])  # until it is tried again: at once
    assert p.dev.recv(where=lambda m: m.code != "0.00").code == "5.02"
    assert not p.srv.waiting


def test_name_in_the_certificate_is_that_of_server_name(gateway, testbed, ca):
    p = x509_pair(gateway, testbed, ca, "srv", {"server_name": "lwm2m.example"}, san="DNS:lwm2m.example")
    p.register()
    assert p.srv.handshakes == 1


def test_revoked_certificate_after_a_reload(gateway, testbed, ca, tmp_path):
    p = x509_pair(gateway, testbed, ca, "srv")
    p.register()
    ca.revoke("srv")
    p.tree["servers"][0]["crl_file"] = str(ca.crl())
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    p.srv.end()
    p.gw.wait_log("ev=assoc.ended")
    p.dev.send(Msg.request("POST", "/rd/5a3f", token=b"u", mid=9))
    assert p.dev.recv(where=lambda m: m.code != "0.00").code == "5.02"
    p.gw.wait_log("ev=handshake.failed .*certificate revoked")


# ---- servers that misbehave: R9 ------------------------------------------------------------------------------------------

def closed_port(p):
    p.srv.close()


def hang(p):
    p.srv.deaf = True


def garbage(p):
    p.srv.deaf = True

    def answer(data, source):
        p.srv.raw(os.urandom(200), source)
        p.srv.raw(b"\x16\xfe\xfd" + bytes(8) + b"\xff\xff", source)
        p.srv.raw(b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28", source)
    p.srv.on_deaf = answer


@pytest.mark.parametrize("fault", [closed_port, hang, garbage])
def test_R9_a_server_that_fails_harms_no_other(gateway, testbed, fault):
    """One alarm, no line per packet, back-off; the neighbour goes on; the alarm goes with the first handshake that is good."""
    dev = testbed.peer()
    good = testbed._keep(DtlsPeer(keys={"meter-18": KEY}))

    def change(gw, tree):
        tree["servers"].append({"name": "good", "uri": good.uri})
        tree["devices"][0]["servers"] = ["main"]
        tree["devices"].append(dict(tree["devices"][0], name="meter-18", ep="meter-18", servers=["good"], address="%s:%d" % dev.addr))
    p = dtls_pair(gateway, testbed, tree_change=change, server_keys={"handshake_timeout_s": 1, "answer_within_s": 20}, profile=QUICK_ACK)
    dev.to = p.dev.to
    addr = p.srv.addr
    fault(p)
    p.dev.send(REGISTER)
    for i in range(20):
        dev.send(Msg.request("GET", "/%d" % i, token=b"g", mid=i))
        asked = good.recv()
        good.reply(asked, "2.05", b"%d" % i)
        assert dev.recv(where=lambda m: m.code != "0.00").payload == b"%d" % i
    raised = p.gw.wait_log("ev=alarm.raised .*source=main")
    assert "server.unreachable" in raised or fault is garbage
    wait_until(lambda: handshakes(p.gw, "timeout") + handshakes(p.gw, "alert") >= 2)
    if fault is closed_port:
        testbed._keep(DtlsPeer(keys={"meter-17": KEY}, host=addr[0], port=addr[1]))
        p.srv = testbed.items[-1]
    p.srv.deaf = False
    asked = p.srv.recv()
    p.srv.reply(asked, "2.01", options=LOCATION)
    assert p.dev.recv(where=lambda m: m.code != "0.00").code == "2.01"
    assert not [key for key in alarms(p.gw) if key.endswith(":main")]
    raised = p.gw.log.all(lambda text: "ev=alarm.raised" in text and "source=main" in text)
    cleared = p.gw.log.all(lambda text: "ev=alarm.cleared" in text and "source=main" in text)
    assert len(raised) == len(cleared) <= 2
    assert len(p.gw.log.all(lambda text: "level=warning" in text and "room=north" in text)) <= 2


def test_a_flood_on_a_north_port_changes_nothing(gateway, testbed):
    """coap 53: resets and garbage from the address of the server itself."""
    p = dtls_pair(gateway, testbed)
    p.register()
    lines = len(p.gw.log.lines)
    for i in range(300):
        p.srv.raw(b"\x70\0" + i.to_bytes(2, "big"))
        p.srv.raw(os.urandom(64))
        if i % 50 == 0:
            got = p.down("GET", "/3/0", token=b"a")
            p.dev.reply(got, "2.05", b"x")
            assert p.srv.recv().payload == b"x"
    assert p.gw.wait_metric('niddgw_north_dropped_total{server="main"}', 300)
    assert p.srv.handshakes == 1
    assert not [line for line in p.gw.log.lines[lines:] if "room=north" in line]


# ---- configurations that are refused: S33, S36 ---------------------------------------------------------------------------

@pytest.mark.parametrize("text, mode, why", [
    ("", 0o600, "exactly one line"),
    (" \r\n", 0o600, "exactly one line"),
    ("\r\n", 0o600, "exactly one line"),
    ("00\n11\n", 0o600, "exactly one line"),
    ("not hexadecimal\n", 0o600, "hexadecimal"),
    ("abc\n", 0o600, "hexadecimal"),
    (KEY + "\n", 0o644, "0640 is the most"),
    (KEY + "\n", 0o660, "0640 is the most"),
])
def test_S33_S36_key_files_that_cannot_be_used(gateway, testbed, text, mode, why):
    p = dtls_pair(gateway, testbed, start=False)
    path = p.gw.dir / "meter-17.key"
    path.write_text(text)
    path.chmod(mode)
    code, said = p.gw.check()
    assert code == 1 and why in said and "psk_key" in said, said


def test_S33_S36_no_file_at_all_or_none_that_is_one(gateway, testbed):
    p = dtls_pair(gateway, testbed, start=False)
    path = p.gw.dir / "meter-17.key"
    path.unlink()
    assert "psk_key" in p.gw.check()[1]
    path.mkdir()
    assert "not a regular file" in p.gw.check()[1]
    path.rmdir()
    os.mkfifo(path, 0o600)
    assert "not a regular file" in p.gw.check()[1]
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert "not a regular file" in p.gw.check()[1]
    del p.tree["devices"][0]["psk_key"]
    p.tree["devices"][0]["psk_identity"] = "meter-17"  # without it the device may have its key itself
    p.gw.write(p.tree)
    code, said = p.gw.check()
    assert code == 1 and "psk_key" in said


def test_reload_with_a_broken_authority_keeps_what_is_in_force(gateway, testbed, ca):
    p = x509_pair(gateway, testbed, ca, "srv")
    p.register()
    ca.cert.write_text(ca.cert.read_text()[:-60])
    done = p.gw.reload()
    assert done.returncode == 1 and "is damaged" in done.stdout + done.stderr
    got = p.down("GET", "/3/0", token=b"a")
    p.dev.reply(got, "2.05", b"x")
    assert p.srv.recv().payload == b"x"
    p.srv.end()
    p.gw.wait_log("ev=assoc.ended")
    update(p)
