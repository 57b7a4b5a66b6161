# SPDX-License-Identifier: Apache-2.0
"""A device asks to be proxied to hosts of an allow-list (coap 23, lwm2m 27, S20, S21): Debian's coap-server is the host."""
import shutil

import pytest

from bed import Program, answers_ping, loop_host, udp_config, wait_until
from coapmsg import BLOCK2, CON, Msg

SERVER = shutil.which("coap-server-notls")
PROXY_URI = 35


class Proxying:
    def __init__(self, testbed, gateway, allow):
        self.host, server, link = loop_host(), loop_host(), loop_host()
        tree = udp_config("coap://%s:5683" % server, {"meter-17": loop_host()}, host=link,
                          profile={"proxy_allow": [a % {"host": self.host} for a in allow]})
        self.gw = gateway(tree).ready()
        self.dev = testbed.peer(tree["devices"][0]["address"], 0, ("127.0.0.1", 0))
        self.link, self.mid = (link, 20000), 100

    def ask(self, uri, **options):
        self.mid += 1
        opts = [(PROXY_URI, (uri % {"host": self.host}).encode())] + [(n, v) for n, v in options.get("more", [])]
        self.dev.send(Msg(type=CON, code="0.01", mid=self.mid, token=b"t%d" % self.mid, options=sorted(opts)), to=self.link)
        return self.dev.recv()


@pytest.mark.skipif(not SERVER, reason="libcoap3-bin is not installed")
def test_lwm2m_27_fetches_block_by_block_from_an_allowed_host(testbed, gateway):
    p = Proxying(testbed, gateway, ["coap://%(host)s:5683"])
    testbed.items.append(Program([SERVER, "-A", p.host, "-p", "5683", "-d", "10"]))
    wait_until(lambda: answers_ping((p.host, 5683)))
    body, num = b"", 0
    answer = p.ask("coap://%(host)s/.well-known/core", more=[(BLOCK2, b"\x02")])
    assert answer.code == "2.05"
    while True:
        body += answer.payload
        if not dict(answer.options)[BLOCK2][-1] & 8:
            break
        num += 1
        answer = p.ask("coap://%(host)s/.well-known/core", more=[(BLOCK2, bytes([num << 4 | 2]))])
        assert answer.code == "2.05"
    assert body.startswith(b"<") and b"</time>" in body and num > 1


def test_S20_S21_nothing_leaves_for_what_is_not_allowed(testbed, gateway):
    p = Proxying(testbed, gateway, ["coap://%(host)s:5683", "coap://localhost:5699"])
    inside = testbed.peer("127.0.0.1", 5699)
    other_port = testbed.peer(p.host, 5690)
    assert p.ask("coap://localhost:5699/x").code == "4.03"  # its name leads to this machine
    for uri in ("coap://127.0.0.1:5699/", "coap://[::1]/", "coap://[::ffff:127.0.0.1]/", "coap://0.0.0.0/", "coap://2130706433:5699/",
                "coap://169.254.169.254/", "coap://224.0.1.187/", "coap://%(host)s:5690/"):
        assert p.ask(uri).code == "4.03", uri
    for uri in ("http://%(host)s/", "coaps://%(host)s/"):
        assert p.ask(uri).code == "5.05", uri
    assert p.ask("coap://a@%(host)s/").code == "4.00"
    inside.silent(0.2)
    other_port.silent(0.2)


def test_without_a_list_nobody_is_proxied(testbed, gateway):
    p = Proxying(testbed, gateway, [])
    assert p.ask("coap://%(host)s/x").code == "5.05"


def test_faults_of_the_list_name_their_line(testbed, gateway):
    gw = gateway({"profiles": [{"name": "p", "proxy_allow": ["coaps://h", "coap://h/path", "coap://h:0"]}]}, start=False)
    status, text = gw.check()
    assert status == 1 and text.count("proxy_allow") == 3
