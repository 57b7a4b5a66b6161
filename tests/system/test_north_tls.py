# SPDX-License-Identifier: Apache-2.0
"""Servers over TLS: certificates by Python's ssl, keys by openssl s_server, both versions (coap 43, 54, 55, lwm2m 33, 37, R9)."""
import socket
import ssl

import pytest

from bed import loop_host, wait_until
from certs import Authority
from coapmsg import CON, OSCORE, Msg
from pair import LOCATION, QUICK_ACK, REGISTER
from tcpcoap import CSM, Closed, OpensslServer, StreamServer, stream_pair

KEY, OTHER_KEY = "00112233445566778899aabbccddeeff", "ff112233445566778899aabbccddeeff"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


def context(ca, name="lwm2m", host=None, clients=None, version=None, **kw):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*ca.issue(name, san="IP:%s" % host if host else "DNS:another.example", **kw))
    if clients:
        c.verify_mode = ssl.CERT_REQUIRED
        c.load_verify_locations(str(clients.cert))
    if version:
        c.minimum_version = c.maximum_version = VERSIONS[version]
    return c


def x509(ca, **kw):
    return dict({"security": "x509", "ca_file": str(ca.cert)}, **kw)


def tls_pair(gateway, testbed, ca, version=None, server_keys=None, clients=None, **kw):
    host = loop_host()
    listener = testbed._keep(StreamServer(host=host, port=5684, context=context(ca, "s%s" % version, host, clients, version)))
    return stream_pair(gateway, testbed, listener=listener, server_keys=x509(ca, **(server_keys or {})), **kw)


def psk_pair(gateway, testbed, directory, *args, key=KEY, **kw):
    listener = testbed._keep(OpensslServer("-nocert", "-psk", KEY, "-psk_identity", "meter-17", *args))
    (directory / "device.key").write_text(key + "\n")
    (directory / "device.key").chmod(0o600)

    def keys(tree):
        tree["devices"][0].update(psk_identity="meter-17", psk_key="file:%s" % (directory / "device.key"))
    return stream_pair(gateway, testbed, listener=listener, tree_change=keys, **kw)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_certificates_both_ways_and_a_session_that_is_resumed(gateway, testbed, ca, version):
    cert, key = ca.issue("gw", san="DNS:gw")
    p = tls_pair(gateway, testbed, ca, version, clients=ca, server_keys={"cert_file": str(cert), "key_file": str(key)})
    p.register()
    assert p.srv.source.version() == "TLSv" + version and not p.srv.source.session_reused
    assert dict(x[0] for x in p.srv.source.getpeercert()["subject"])["commonName"] == "gw"
    got = p.down("GET", "/3/0", token=b"T")
    p.dev.reply(got, "2.05", b"v" * 1200)
    assert len(p.srv.recv().payload) == 1200
    p.srv.close()
    p.accept()  # a registered device is there again
    assert p.srv.source.session_reused
    p.ping()
    assert p.gw.metric('niddgw_server_handshakes_total{server="main",result="ok"}') == 1
    assert p.gw.metric('niddgw_server_handshakes_total{server="main",result="resumed"}') == 1
    p.gw.stop()
    p.gw.start()
    p.accept()
    p.gw.ready()
    assert p.srv.source.session_reused  # over a restart of ours, too
    p.ping()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_device_certificate_that_the_server_asks_for_and_does_not_get(gateway, testbed, ca, version):
    p = tls_pair(gateway, testbed, ca, version, clients=ca, server_keys={"answer_within_s": 2}, profile=QUICK_ACK)
    p.dev.send(REGISTER)
    with pytest.raises((ssl.SSLError, Closed, OSError)):
        p.accept()
    p.gw.wait_log(r"dev=meter-17 ev=handshake\.failed server=main result=alert")
    wait_until(lambda: p.gw.ctl("alarms")["items"])
    assert [a["type"] for a in p.gw.ctl("alarms")["items"]] == ["server.auth_failed"]
    assert p.dev.recv(where=lambda m: not m.is_empty).code == "5.04"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_lwm2m_37_a_certificate_of_another_name_is_refused_and_the_device_told_at_once(gateway, testbed, ca, version):
    listener = testbed._keep(StreamServer(port=5684, context=context(ca, "other", None, None, version)))  # coap 54
    p = stream_pair(gateway, testbed, listener=listener, server_keys=x509(ca))
    p.dev.send(REGISTER)
    with pytest.raises((ssl.SSLError, OSError, Closed)):
        p.accept()
    answer = p.dev.recv(where=lambda m: not m.is_empty)
    assert (answer.code, answer.token) == ("5.02", b"\xa1\xa2\xb2"[:len(answer.token)])
    p.gw.wait_log(r"dev=meter-17 ev=handshake\.failed server=main result=denied")
    assert "server.auth_failed" in [a["type"] for a in p.gw.ctl("alarms")["items"]]
    assert p.gw.metric('niddgw_uplink_total{result="failed"}') + p.gw.metric('niddgw_uplink_total{result="answered"}') == 1


@pytest.mark.parametrize("fault", ["expired", "stranger"])
def test_coap_54_an_expired_certificate_and_one_of_a_stranger_are_refused(gateway, testbed, ca, tmp_path, fault):
    host, authority = loop_host(), Authority(tmp_path / "stranger") if fault == "stranger" else ca
    c = context(authority, fault, host, expired=fault == "expired")
    p = stream_pair(gateway, testbed, listener=testbed._keep(StreamServer(host=host, port=5684, context=c)), server_keys=x509(ca))
    p.dev.send(REGISTER)
    with pytest.raises((ssl.SSLError, OSError, Closed)):
        p.accept()
    assert p.dev.recv(where=lambda m: not m.is_empty).code == "5.02"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_key_of_the_device(gateway, testbed, tmp_path, version):
    p = psk_pair(gateway, testbed, tmp_path, version)
    asked, answer = p.register()
    assert "ep=meter-17" in asked.query() and answer.code == "2.01"
    got = p.down("GET", "/3/0", token=b"T")
    p.dev.reply(got, "2.05", b"v" * 1200)
    assert len(p.srv.recv().payload) == 1200
    p.ping()
    p.listener.close()  # it is ended, and starts again without its sessions
    p.gw.wait_log(r"dev=meter-17 ev=connection\.lost server=main")
    p.listener.start()
    p.accept()
    p.dev.send(Msg.request("POST", "/rd/5a3f", token=b"u", mid=40))
    asked = p.srv.recv()
    p.srv.reply(asked, "2.04")
    assert p.dev.recv(where=lambda m: not m.is_empty).code == "2.04"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_lwm2m_33_coap_55_a_wrong_key_fails_alone_and_in_time(gateway, testbed, tmp_path, version):
    p = psk_pair(gateway, testbed, tmp_path, version, key=OTHER_KEY, profile=QUICK_ACK, server_keys={"answer_within_s": 2})
    p.dev.send(REGISTER)
    p.gw.wait_log(r"dev=meter-17 ev=handshake\.failed server=main result=alert")
    told = p.dev.recv(where=lambda m: not m.is_empty)
    assert told.code == "5.04"
    p.dev.send(told.empty_ack())
    assert [a["type"] for a in p.gw.ctl("alarms")["items"]] == ["server.auth_failed"]
    assert p.gw.metric('niddgw_server_up{server="main"}') == 1  # it is there, and says so


def test_coap_43_an_oscore_request_is_not_written_again_after_tls_has_died(gateway, testbed, ca):
    p = tls_pair(gateway, testbed, ca)
    p.register()
    p.dev.send(Msg(CON, "0.02", 30, b"o", [(OSCORE, bytes.fromhex("0914"))], b"ciphertext"))
    assert p.srv.recv().payload == b"ciphertext"
    p.srv.close(reset=True)
    told = p.dev.recv(where=lambda m: not m.is_empty)
    assert (told.code, told.token) == ("5.04", b"o")
    p.accept()
    p.dev.send(Msg(CON, "0.02", 31, b"p", [(OSCORE, bytes.fromhex("0915"))], b"next"))
    asked = p.srv.recv()
    assert asked.payload == b"next"
    p.srv.reply(asked, "2.04", options=[(OSCORE, b"")])
    assert p.dev.recv(where=lambda m: m.token == b"p").code == "2.04"
    assert p.srv.sync() == []


@pytest.mark.parametrize("answer", [b"", b"\x40\xe1\x22\x10\x00\x20", b"HTTP/1.1 400 no\r\n\r\n"])
def test_r9_what_speaks_no_tls_fails_in_time_and_harms_nobody(gateway, testbed, ca, answer):
    good_dev = testbed.peer()
    host = loop_host()
    good = testbed._keep(StreamServer(host=host, port=5684, context=context(ca, "good", host)))
    bad = testbed._keep(StreamServer(port=5684))
    bad.uri = bad.uri.replace("coap+tcp", "coaps+tcp")

    def two(tree):
        tree["servers"].append(dict(x509(ca), name="good", uri=good.uri))
        tree["devices"].append(dict(tree["devices"][0], name="meter-18", ep="meter-18", servers=["good"], address="%s:%d" % good_dev.addr))
        tree["devices"][0]["servers"] = ["main"]
    p = stream_pair(gateway, testbed, listener=bad, tree_change=two, profile=QUICK_ACK,
                    server_keys=x509(ca, handshake_timeout_s=1, answer_within_s=2))
    p.dev.send(Msg.request("GET", "/x", token=b"w", mid=5))
    sock = bad.accept_raw()
    sock.sendall(answer)
    good_dev.to = p.dev.to
    conn = None
    for i in range(5):
        good_dev.send(Msg.request("GET", "/y", token=b"y", mid=10 + i))
        conn = conn or good.accept()
        conn.reply(conn.recv(), "2.05", b"%d" % i)
        assert good_dev.recv(where=lambda m: not m.is_empty).payload == b"%d" % i
    p.gw.wait_log(r"dev=meter-17 ev=handshake\.failed server=main result=%s" % ("failed" if answer else "timeout"))
    told = p.dev.recv(where=lambda m: not m.is_empty)
    assert told.code == "5.04"
    p.dev.send(told.empty_ack())
    sock.close()


def test_a_client_hello_names_the_server_and_the_protocol(gateway, testbed, ca):
    """SNI, and the name in the certificate."""
    names = []
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(*ca.issue("named", san="DNS:localhost"))
    c.set_alpn_protocols(["coap"])
    c.sni_callback = lambda sock, name, ctx: names.append(name)
    listener = testbed._keep(StreamServer(host="127.0.0.1", port=0, context=c))
    listener.uri = "coaps+tcp://localhost:%d" % listener.addr[1]
    p = stream_pair(gateway, testbed, listener=listener, server_keys=x509(ca))
    assert p.register()[1].code == "2.01"
    assert names == ["localhost"] and p.srv.source.selected_alpn_protocol() == "coap"  # RFC 8323 8.2
