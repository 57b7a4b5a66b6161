# SPDX-License-Identifier: Apache-2.0
"""DTLS servers that are not ours: Debian's coap-server (libcoap on OpenSSL) and openssl s_server, with keys and with certificates."""
import shutil
import subprocess
import threading

import pytest

from bed import DEADLINE, Lines, Program, loop_host, wait_until
from certs import Authority
from coapmsg import BLOCK1, BLOCK2, Msg, block
from dtlspeer import dtls_pair
from pair import QUICK_ACK
from secpeer import KEY

COAP_SERVER = shutil.which("coap-server-openssl")


class Named:
    """Stands for a server in dtls_pair(): only its address is ours to know."""

    def __init__(self, addr):
        self.addr, self.uri = addr, "coaps://%s:%d" % addr

    def close(self):
        pass


def ask(p, method, path, mid, **kw):
    p.dev.send(Msg.request(method, path, token=b"t%d" % (mid % 10), mid=mid, **kw))
    answer = p.dev.recv(where=lambda m: m.code != "0.00")
    if answer.type == 0:
        p.dev.send(answer.empty_ack())
    return answer


# ---- coap-server ---------------------------------------------------------------------------------------------------------

def coap_server(testbed, host, *args):
    """DTLS is on the port behind the one it is given."""
    program = Program([COAP_SERVER, "-A", host, "-p", "5683", "-d", "10", "-v", "7", *args])
    testbed.items.append(program)
    return Named((host, 5684))


def exchanges(p):
    """As a device would use them: put, get, a body in blocks both ways."""
    assert "libcoap" in ask(p, "GET", "", 1).payload.decode()
    assert ask(p, "PUT", "/made", 2, payload=b"here").code in ("2.01", "2.04")
    assert ask(p, "GET", "/made", 3).payload == b"here"
    assert ask(p, "GET", "/nothing", 4).code == "4.04"
    body = bytes(range(256)) * 5
    for num in range(5):  # in blocks of 256 octets
        assert ask(p, "PUT", "/made", 10 + num, payload=body[256 * num:256 * num + 256],
                   options=[(BLOCK1, block(num, num < 4, 256))]).code in ("2.31", "2.04")
    assert ask(p, "GET", "/made", 20).payload == body[:1024]
    assert ask(p, "GET", "/made", 21, options=[(BLOCK2, block(1, False, 1024))]).payload == body[1024:]


@pytest.mark.skipif(not COAP_SERVER, reason="libcoap3-bin is not installed")
@pytest.mark.parametrize("key", ["sesame", "k" * 16])
def test_coap_server_with_a_key(gateway, testbed, key):
    srv = coap_server(testbed, loop_host(), "-k", key)
    p = dtls_pair(gateway, testbed, srv, key=key.encode().hex())
    exchanges(p)
    assert p.gw.metric('niddgw_server_handshakes_total{server="main",result="ok"}') == 1


@pytest.mark.skipif(not COAP_SERVER, reason="libcoap3-bin is not installed")
def test_coap_server_with_certificates_of_both_sides(gateway, testbed, tmp_path):
    ca, host = Authority(tmp_path / "ca"), loop_host()
    cert, key = ca.issue("srv", san="IP:" + host)
    mine, mine_key = ca.issue("gateway")
    srv = coap_server(testbed, host, "-c", str(cert), "-j", str(key), "-C", str(ca.cert))
    p = dtls_pair(gateway, testbed, srv, key=None, server_keys={"security": "x509", "ca_file": str(ca.cert), "cert_file": str(mine),
                                                                "key_file": str(mine_key)})
    exchanges(p)


@pytest.mark.skipif(not COAP_SERVER, reason="libcoap3-bin is not installed")
def test_coap_server_whose_key_is_another(gateway, testbed):
    srv = coap_server(testbed, loop_host(), "-k", "sesame")
    p = dtls_pair(gateway, testbed, srv, key=b"open".hex(), profile=QUICK_ACK, server_keys={"handshake_timeout_s": 1, "answer_within_s": 2})
    assert ask(p, "GET", "", 1).code == "5.04"
    line = p.gw.wait_log("ev=handshake.failed")
    assert "dev=meter-17" in line and "server=main" in line


# ---- openssl s_server ----------------------------------------------------------------------------------------------------

class SServer:
    """One client at a time; what it sends stands in out, what is given to send() it gets as one record."""

    def __init__(self, host, *args):
        self.addr = (host, 5684)
        self.uri = "coaps://%s:%d" % self.addr
        self.process = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", "%s:%d" % self.addr, *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.err = Lines(self.process.stderr)
        self.got, self._cond = b"", threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        wait_until(self._is_listening)

    def _is_listening(self):
        want = "%02X%02X%02X%02X:%04X" % (*reversed([int(x) for x in self.addr[0].split(".")]), self.addr[1])
        with open("/proc/net/udp") as table:
            return any(want in line for line in table)

    def _read(self):
        while True:
            part = self.process.stdout.read1(65536)
            if not part:
                return
            with self._cond:
                self.got += part
                self._cond.notify_all()

    def recv(self):
        with self._cond:
            assert self._cond.wait_for(lambda: self.got, DEADLINE), self.err.lines[-5:]
            m, self.got = Msg.parse(self.got), b""
        return m

    def send(self, what):
        self.process.stdin.write(what.encode())
        self.process.stdin.flush()

    def reply(self, request, code, payload=b"", **kw):
        self.send(request.reply(code, payload, **kw))

    def close(self):
        self.process.kill()
        self.process.wait()


def psk_server(testbed, *args):
    return testbed._keep(SServer(loop_host(), "-nocert", "-psk", KEY, "-psk_identity", "meter-17", *args))


@pytest.mark.parametrize("suite", ["PSK-AES128-CCM8", "PSK-AES128-GCM-SHA256"])
def test_s_server_with_a_key(gateway, testbed, suite):
    srv = psk_server(testbed, "-dtls1_2", "-cipher", suite)
    p = dtls_pair(gateway, testbed, srv)
    asked, answer = p.register()
    assert "ep=meter-17" in asked.query() and answer.code == "2.01"
    assert "suite=%s" % suite in p.gw.wait_log("ev=handshake ")
    srv.send(Msg.request("GET", "/3/0", token=b"r", mid=77))
    got = p.dev.recv()
    p.dev.reply(got, "2.05", b"x")
    assert srv.recv().payload == b"x"


def test_s_server_with_certificates(gateway, testbed, tmp_path):
    ca, host = Authority(tmp_path / "ca"), loop_host()
    cert, key = ca.issue("srv", san="IP:" + host)
    mine, mine_key = ca.issue("device")
    srv = testbed._keep(SServer(host, "-dtls1_2", "-cert", str(cert), "-key", str(key), "-CAfile", str(ca.cert), "-Verify", "2",
                                "-verify_return_error", "-cipher", "ECDHE-ECDSA-AES128-CCM8"))
    p = dtls_pair(gateway, testbed, srv, key=None, server_keys={"security": "x509", "ca_file": str(ca.cert)},
                  device_keys={"cert_file": str(mine), "key_file": str(mine_key)})
    p.register()
    assert "suite=ECDHE-ECDSA-AES128-CCM8" in p.gw.wait_log("ev=handshake ")


@pytest.mark.parametrize("args, why", [
    (["-dtls1", "-cipher", "PSK-AES128-CBC-SHA:@SECLEVEL=0"], "handshake failure"),
    (["-dtls1_2", "-cipher", "PSK-AES128-CBC-SHA256"], "handshake failure"),
    (["-dtls1_2", "-cipher", "PSK-NULL-SHA256:@SECLEVEL=0"], "handshake failure"),
])
def test_S47_old_protocols_and_weak_suites_are_refused_with_the_reason(gateway, testbed, args, why):
    p = dtls_pair(gateway, testbed, psk_server(testbed, *args), server_keys={"answer_within_s": 1}, profile=QUICK_ACK)
    assert ask(p, "GET", "", 1).code == "5.04"
    assert why in p.gw.wait_log("ev=handshake.failed")
    assert why in [a for a in p.gw.ctl("alarms")["items"] if a["id"] == "server.auth_failed:main"][0]["text"]
