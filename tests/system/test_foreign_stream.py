# SPDX-License-Identifier: Apache-2.0
"""Debian's coap-server (libcoap 4.3.1) behind coap+tcp and coaps+tcp, with keys and with certificates; coap-client is the device."""
import shutil
import socket
import subprocess

import pytest

from bed import DEADLINE, Program, loop_host, split_addr, udp_config, wait_until
from certs import Authority

CLIENT, SERVER = shutil.which("coap-client-notls"), shutil.which("coap-server-openssl")
pytestmark = pytest.mark.skipif(not (CLIENT and SERVER), reason="libcoap3-bin is not installed")
KEY = "secretPSK"  # libcoap takes the text itself as the key


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


class Foreign:
    """coap-client on the device's address -> gateway -> coap-server."""

    def __init__(self, testbed, gateway, scheme, server_args=(), server_keys=None, device_keys=None):
        self.host, self.device = loop_host(), loop_host()
        self.secured = scheme == "coaps+tcp"
        self.server = Program([SERVER, "-A", self.host, "-p", "5683", "-d", "10", "-v", "7", *map(str, server_args)])
        testbed.items.append(self.server)
        wait_until(self._is_there)
        port = 5684 if self.secured else 5683
        tree = udp_config("%s://%s:%d" % (scheme, self.host, port), {"meter-17": self.device}, server_keys=server_keys, device_keys=device_keys)
        self.link = split_addr(tree["links"][0]["listen"])
        self.gw = gateway(tree).ready()

    def _is_there(self):
        try:
            socket.create_connection((self.host, 5683), 0.1).close()
            return True
        except OSError:
            return False

    def client(self, path, *args):
        """Runs coap-client; the payload that it printed."""
        done = subprocess.run([CLIENT, "-U", "-a", self.device, "-B", "10", *args, "coap://%s:%d/%s" % (*self.link, path)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        assert done.returncode == 0, done
        return done.stdout[:-1] if done.stdout.endswith(b"\n") else done.stdout


@pytest.fixture(params=["tcp", "tls-psk", "tls-x509"])
def way(request, testbed, gateway, ca, tmp_path):
    if request.param == "tcp":
        return Foreign(testbed, gateway, "coap+tcp")
    if request.param == "tls-psk":
        (tmp_path / "key").write_text(KEY.encode().hex() + "\n")
        (tmp_path / "key").chmod(0o600)
        return Foreign(testbed, gateway, "coaps+tcp", ["-k", KEY, "-h", "gw"],
                       device_keys={"psk_identity": "meter-17", "psk_key": "file:%s" % (tmp_path / "key")})
    cert, key = ca.issue("coap-server", san="DNS:coap.example")
    own, own_key = ca.issue("meter-17", san="DNS:meter-17")
    return Foreign(testbed, gateway, "coaps+tcp", ["-c", cert, "-j", key, "-C", ca.cert, "-R", ca.cert],
                   server_keys={"security": "x509", "ca_file": str(ca.cert), "server_name": "coap.example"},
                   device_keys={"cert_file": str(own), "key_file": "%s" % own_key})


def test_get_put_delete_and_a_separate_answer(way):
    assert b"libcoap" in way.client("")
    assert way.client("x", "-m", "put", "-e", "first") == b""
    assert way.client("x") == b"first"
    assert way.client("x", "-m", "put", "-e", "second", "-t", "text/plain") == b""
    assert way.client("x") == b"second"
    assert way.client("async?1").strip() == b"done"
    way.client("x", "-m", "delete")
    assert not way.client("x").startswith(b"second")
    assert way.gw.metric('niddgw_north_connects_total{result="ok"}') == 1  # all of it on one connection
    assert way.gw.metric("niddgw_in_doubt_total") == 0


@pytest.mark.parametrize("size", [64, 1024])
def test_blocks_pass_both_ways(way, size, tmp_path):
    body = bytes(i * 7 + i // 251 & 0xFF for i in range(5000))
    (tmp_path / "body").write_bytes(body)
    way.client("example_data", "-m", "put", "-b", str(size), "-f", str(tmp_path / "body"), "-t", "42")
    assert way.client("example_data", "-b", str(size)) == body

