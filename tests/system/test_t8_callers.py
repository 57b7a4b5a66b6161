# SPDX-License-Identifier: Apache-2.0
"""T8: who may call back, and what callers can do to the running daemon. Numbers are the cases of the reliability reference (s)
and of the T8 reference (t8)."""
import http.client
import json
import socket
import ssl
import time
import urllib.parse

import pytest

from bed import loop_host, wait_until
from certs import Authority
from t8scene import t8  # noqa: F401  (a fixture)
from t8fake import PROMPT_S, T8Fake

M1 = "m1@iot.example"


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "a")


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "b", "another authority")


def where(s, eid=M1):
    return urllib.parse.urlsplit(s.fake.config(eid)["notificationDestination"])


def call(s, headers=None, source=None, path=None, body=None, method="POST", port=None):
    """(status, headers, body) of a notification from that address."""
    url = where(s)
    c = http.client.HTTPConnection(url.hostname, port or url.port, timeout=20, source_address=(source, 0) if source else None)
    lines = {"Content-Type": "application/json"}
    lines.update(headers or {})
    c.putrequest(method, url.path if path is None else path)
    for name, value in lines.items():
        for v in value if isinstance(value, list) else [value]:
            c.putheader(name, v)
    text = json.dumps(s.fake.uplink_body(M1, b"")).encode() if body is None else body
    c.putheader("Content-Length", str(len(text)))
    c.endheaders()
    try:
        c.send(text)
    except OSError:
        pass
    answer = c.getresponse()
    result = answer.status, dict(answer.headers), answer.read()
    c.close()
    return result


def rejected(s, reason):
    return s.gw.metric('niddgw_callback_rejected_total{reason="%s"}' % reason)


def tls_context(ca, cert=None, key=None):
    context = ssl.create_default_context(cafile=str(ca.cert))
    context.check_hostname = False
    if cert:
        context.load_cert_chain(cert, key)
    return context


# ---- certificates ----

def tls_scene(t8, ca, crl=None, **more):
    cert, key = ca.issue("gw", san="DNS:gw.example")
    callback = {"listen": None, "url": None, "cert_file": str(cert), "key_file": str(key), "client_ca_file": str(ca.cert)}
    if crl:
        callback["crl_file"] = str(crl)
    host = loop_host()
    callback.update(listen="%s:8444" % host, url="https://%s:8444/t8" % host)
    s = t8(start=False, callback=callback, **more)
    s.fake.test = "never"
    s.gw.start()
    return s.ready()


def test_t8_58_s11_only_a_good_client_certificate_gets_in(t8, ca, other_ca):  # noqa: F811
    good, late, gone = ca.issue("scef"), ca.issue("late", expired=True), ca.issue("gone")
    ca.revoke("gone")
    s = tls_scene(t8, ca, ca.crl())
    url = s.fake.config(M1)["notificationDestination"]
    body = s.fake.uplink_body(M1, b"")
    for kind in ([], late, gone, other_ca.issue("scef")):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            s.fake.notify(body, url=url, context=tls_context(ca, *kind))
    wait_until(lambda: rejected(s, "tls") == 4, what=lambda: "%s refused" % rejected(s, "tls"))
    assert s.fake.notify(body, url=url, context=tls_context(ca, *good)).status == 204
    s.fake.notify_tls = tls_context(ca, *good)
    s.register()
    lines = [line for line in s.gw.log.lines if "ev=callback.rejected" in line]
    assert 1 <= len(lines) < 4 and "reason=tls" in lines[0] and "from=127." in lines[0]  # with address, and not one line each
    assert "t8.callback_rejected" in s.alarms()
    s.clock.forward(700)
    s.wait_alarm("t8.callback_rejected", False)


def test_s11_plain_text_and_old_tls_are_no_handshake(t8, ca):  # noqa: F811
    s = tls_scene(t8, ca)
    url = where(s)
    c = socket.create_connection((url.hostname, url.port), 20)
    c.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % url.path.encode())
    try:
        assert b"HTTP/1.1" not in c.recv(4096)
    except ConnectionResetError:
        pass
    c.close()
    context = tls_context(ca, *ca.issue("old"))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        s.fake.notify({}, M1, context=context)
    s.fake.notify_tls = tls_context(ca, *ca.issue("new"))
    s.register()


def test_a_reload_takes_another_certificate_without_cutting_calls(t8, ca):  # noqa: F811
    s = tls_scene(t8, ca)
    s.fake.notify_tls = tls_context(ca, *ca.issue("scef"))
    url = where(s)
    kept = http.client.HTTPSConnection(url.hostname, url.port, timeout=20, context=s.fake.notify_tls)

    def over_kept():
        kept.request("POST", url.path, json.dumps(s.fake.uplink_body(M1, b"")), {"Content-Type": "application/json"})
        answer = kept.getresponse()
        answer.read()
        return answer.status

    assert over_kept() == 204
    cert, key = ca.issue("gw2", san="DNS:gw2.example")
    s.tree["links"][0]["callback"].update(cert_file=str(cert), key_file=str(key))
    s.gw.write(s.tree)
    assert s.gw.reload().returncode == 0
    assert over_kept() == 204
    kept.close()
    fresh = s.fake.notify_tls.wrap_socket(socket.create_connection((url.hostname, url.port), 20))
    assert ("commonName", "gw2") in fresh.getpeercert()["subject"][0]
    fresh.close()
    s.register()


# ---- tokens, addresses, paths ----

def test_t8_58_s12_the_bearer_has_to_be_right_and_alone(t8):  # noqa: F811
    s = t8(start=False, callback={"bearer": "file:cb.token"})
    s.gw.secret("cb.token", "Correct-Horse-Battery")
    s.fake.test = "never"
    s.gw.start()
    s.ready()
    right = "Bearer Correct-Horse-Battery"
    wrong = [None, "", "Bearer", "Bearer ", "Bearer x", right[:-1], right + "x", right.lower(), "Basic Q29ycmVjdA==", "Correct-Horse-Battery",
             [right, right], [right, "Bearer x"], "Bearer " + 12000 * "x"]
    for value in wrong:
        status, headers, body = call(s, {"Authorization": value} if value is not None else {})
        assert status == 401, value
    assert call(s, {"Authorization": "Bearer " + 65000 * "x"})[0] == 431
    assert rejected(s, "bearer") == len(wrong)
    assert "t8.callback_rejected" in s.alarms()
    assert call(s, {"Authorization": right})[0] == 204
    assert len([line for line in s.gw.log.lines if "ev=callback.rejected" in line]) == 1
    assert not any("Correct-Horse" in line for line in s.gw.log.lines)
    s.fake.notify_headers = {"Authorization": right}
    s.register()


def test_t8_58_nothing_of_a_refused_body_is_read(t8):  # noqa: F811
    """The answer comes when the header is there, before the body is."""
    s = t8(start=False, callback={"bearer": "file:cb.token"})
    s.gw.secret("cb.token", "right")
    s.fake.test = "never"
    s.gw.start()
    s.ready()
    url = where(s)
    c = socket.create_connection((url.hostname, url.port), 20)
    c.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n" % url.path.encode())
    answer = http.client.HTTPResponse(c)
    answer.begin()
    assert answer.status == 401 and answer.getheader("Connection") == "close"
    c.close()


def test_t8_58_s13_addresses_and_forwarded_headers(t8):  # noqa: F811
    s = t8(start=False, callback={"allow": ["127.77.1.0/24"], "trusted_proxies": ["127.77.2.0/24"]})
    s.fake.test = "never"
    s.gw.start()
    s.ready()
    good, proxy, stranger = "127.77.1.9", "127.77.2.5", "127.77.3.1"
    for source, forwarded, status in ((good, None, 204), (stranger, None, 403), (stranger, good, 403), (good, stranger, 204),
                                      (proxy, good, 204), (proxy, stranger, 403), (proxy, None, 403), (proxy, "nonsense", 403),
                                      (proxy, good + ", " + stranger, 403), (proxy, stranger + ", " + good, 204),
                                      (proxy, "%s, %s" % (good, "127.77.2.6"), 204), (proxy, [good, good], 403)):
        got = call(s, {"X-Forwarded-For": forwarded} if forwarded else {}, source)[0]
        assert got == status, (source, forwarded, got)
    for name in ("Forwarded", "X-Real-IP", "Client-IP", "True-Client-IP"):
        assert call(s, {name: "for=" + good if name == "Forwarded" else good}, proxy)[0] == 403
    assert rejected(s, "address") == 11
    assert "t8.callback_rejected" in s.alarms()


def test_s14_every_other_path_is_the_same_404(t8):  # noqa: F811
    s = t8()
    right = where(s).path
    prefix, _, secret = right.rpartition("/")
    wrong = ["/", "/t8", "/t8/", right[:-1], right + "x", right + "/", right + "?x=1", "//" + right[1:], right.replace("/t8/", "/t8//"),
             "/t8/../t8/" + secret, "/%74%38/" + secret, "/t8/%2e%2e/t8/" + secret, right.upper(), prefix + "/" + 64 * "0",
             "http://%s/" % s.host, "/metrics", "/3gpp-nidd/v1/gw/configurations"]
    seen = set()
    for path in wrong:
        status, headers, body = call(s, path=path)
        headers.pop("Date")
        seen.add((status, tuple(sorted(headers.items())), body))
    assert len(seen) == 1 and next(iter(seen))[0] == 404, seen
    assert call(s)[0] == 204
    assert call(s, path=right + "#x")[0] == 400
    assert call(s, path="/" + secret)[0] == 204  # a proxy may have taken the prefix off
    assert not any(secret in line for line in s.gw.log.lines)
    shown = json.dumps([s.gw.ctl("links"), s.gw.ctl("status"), s.gw.ctl("device", "show", "m1")]) + s.gw.http("/metrics")[1]
    assert secret not in shown


def two_links(t8):
    """Two peers at one listener, with a device each."""
    s = t8(start=False)
    other = s.bed._keep(T8Fake(loop_host(), scs="gwb"))
    callback = dict(s.tree["links"][0]["callback"])
    s.tree["links"].append({"name": "op-b", "type": "t8", "api_root": other.root, "scs_as_id": "gwb", "callback": callback})
    s.tree["devices"].append({"name": "b1", "link": "op-b", "external_id": "b1@iot.example", "ep": "b1"})
    s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    wait_until(lambda: s.gw.ctl("device", "show", "b1")["link"]["configuration_state"] == "active")
    return s, other


def test_s14_the_path_of_another_peer_is_that_peers(t8):  # noqa: F811
    s, other = two_links(t8)
    mine, others = where(s).path, urllib.parse.urlsplit(other.config("b1@iot.example")["notificationDestination"]).path
    assert mine != others
    assert call(s, path=others)[0] == 404  # its own device it may not speak for there
    assert call(s, path=mine)[0] == 204


def test_s15_a_peer_speaks_for_its_own_devices_only(t8):  # noqa: F811
    s, other = two_links(t8)
    msg = s.message(name="b1")
    reply = s.fake.uplink("b1@iot.example", msg, url=s.fake.config(M1)["notificationDestination"])
    assert reply.status == 404
    assert "device.identity_mismatch" in s.alarms()
    # nor under the name of its own device's configuration
    assert s.fake.notify(s.fake.uplink_body("b1@iot.example", msg, niddConfiguration=s.fake.config(M1)["self"]), M1).status == 404
    assert s.fake.notify({"niddConfiguration": s.fake.config(M1)["self"], "externalId": "b1@iot.example",
                          "status": "TERMINATED_UE_NOT_AUTHORIZED"}, M1).status == 404
    assert s.gw.ctl("device", "show", "b1")["link"]["configuration_state"] == "active" == s.state()
    s.register()  # nothing of b1 went north before
    assert s.uplinks("unknown_device") == 2
    assert other.up("b1@iot.example", msg)
    assert "ep=b1" in s.srv.recv().query()


@pytest.mark.parametrize("listen", ["0.0.0.0:8444", "[::]:8444", "192.0.2.1:8444"])
def test_s16_an_open_listener_needs_authentication(t8, listen):  # noqa: F811
    s = t8(start=False, callback={"listen": listen, "url": "http://gw.example:8444/"})
    status, text = s.gw.check()
    assert status == 1
    line = next(line for line in text.splitlines() if "others than loopback can reach this listener" in line)
    number = int(line[len(str(s.gw.file)) + 1:].split(":")[0])
    assert "listen" in s.gw.file.read_text().splitlines()[number - 1]
    s.gw.start()
    assert s.gw.program.wait_exit() == 1
    s.gw.down = True
    for more in ({"allow": ["10.0.0.0/8"]}, {"allow_unauthenticated": True}):
        s.tree["links"][0]["callback"] = dict({"listen": listen, "url": "http://gw.example:8444/"}, **more)
        s.gw.write(s.tree)
        assert s.gw.check() == (0, s.gw.check()[1])
    s.tree["links"][0]["callback"] = {"listen": listen, "url": "http://gw.example:8444/", "allow": ["10.0.0.0/8"], "path": "/known"}
    s.gw.write(s.tree)
    assert s.gw.check()[0] == 1  # the address and a path that can be guessed


def test_s16_allow_unauthenticated_is_a_standing_alarm(t8):  # noqa: F811
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))
        port = free.getsockname()[1]
    host = loop_host()
    s = t8(callback={"listen": "0.0.0.0:%d" % port, "url": "http://%s:%d/" % (host, port), "allow_unauthenticated": True})
    assert "t8.callback_open" in s.alarms()
    s.clock.forward(4000)
    assert "t8.callback_open" in s.alarms()
    s.register()


def test_s18_a_link_in_a_notification_is_never_followed(t8):  # noqa: F811
    s = t8().register()
    trap = socket.socket()
    trap.bind((loop_host(), 80))
    trap.listen(16)
    trap.settimeout(0)
    base = "http://%s" % trap.getsockname()[0]
    link, delivery = base + "/3gpp-nidd/v1/x/configurations/1", base + "/3gpp-nidd/v1/gw/configurations/1/downlink-data-deliveries/7"
    before = s.fake.mark()
    for body in (s.fake.uplink_body(M1, b"", niddConfiguration=link), dict(s.fake.uplink_body(M1, b"", websocketUri=base), self=link),
                 {"subscription": link}, {"subscription": base, "websockNotifConfig": {"websocketUri": base}},
                 {"niddDownlinkDataTransfer": delivery, "deliveryStatus": "SUCCESS"},
                 {"niddDownlinkDataTransfer": delivery, "deliveryStatus": "FAILURE_TEMPORARILY_NOT_REACHABLE"},
                 {"niddConfiguration": link, "externalId": M1, "status": "TERMINATED", "self": link},
                 {"niddConfiguration": link, "externalId": M1, "managedPorts": [{"self": link, "appId": "a"}]}):
        assert s.fake.notify(body, M1).status == 204, body
    s.clock.forward(5)
    s.clock.forward(60)
    s.register("m1")
    s.settle()
    with pytest.raises(BlockingIOError):
        trap.accept()
    trap.close()
    assert {r.op for r in s.fake.all(since=before)} <= {"deliver", "list"}


# ---- connections ----

def talk(s, octets):
    """What comes back on a connection of its own until the daemon closes it, or has answered what was sent."""
    url = where(s)
    c = socket.create_connection((url.hostname, url.port), 20)
    try:
        c.sendall(octets)
        c.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    got = b""
    try:
        while True:
            part = c.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    c.close()
    return got


def test_s27_ambiguous_lengths_are_refused_and_never_two_requests(t8):  # noqa: F811
    s = t8().register()
    path = where(s).path.encode()
    inner = json.dumps(s.fake.uplink_body(M1, s.message("POST", "/smuggled", payload=b"x"))).encode()
    hidden = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (path, len(inner), inner)
    start = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path
    n = len(hidden)
    cases = [
        start + b"Content-Length: 9223372036854775808\r\n\r\n{}", start + b"Content-Length: 18446744073709551618\r\n\r\n{}",
        start + b"Content-Length: -2\r\n\r\n{}", start + b"Content-Length: +2\r\n\r\n{}", start + b"Content-Length: 0x2\r\n\r\n{}",
        start + b"Content-Length: 2,2\r\n\r\n{}" + hidden,
        start + b"Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}" % (n + 2) + hidden, start + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + hidden,
        start + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        start + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + hidden,
        start + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + hidden, start + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
        start + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden, start + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
        start + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n{}\r\n0\r\n\r\n", start + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        start + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden, start + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}X\r\n0\r\n\r\n" + hidden,
        start + b"Transfer-Encoding: chunked\r\n\r\n2;ext=\n\r\n{}\r\n0\r\n\r\n" + hidden, start + b"Content-Length: 2\n\n{}" + hidden,
        start + b" Content-Length: 2\r\n\r\n{}" + hidden, start + b"X: a\r\n\tContent-Length: %d\r\nContent-Length: 2\r\n\r\n{}" % n + hidden,
        start + b"Content-Length: 2\r\rX: y\r\n\r\n{}" + hidden, start + b"X\x00: y\r\nContent-Length: 2\r\n\r\n{}" + hidden,
        b"POST %s HTTP/1.1 \r\nHost: x\r\n\r\n" % path + hidden, b"POST  %s HTTP/1.1\r\nHost: x\r\n\r\n" % path + hidden,
        b"POST %s HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" % path + hidden, b"POST %s HTTP/2.0\r\nHost: x\r\n\r\n" % path + hidden,
        b"POST %s\r\nHost: x\r\n\r\n" % path + hidden, start + b"Content-Length: \r\n\r\n" + hidden,
    ]
    for case in cases:
        got = talk(s, case)
        assert got.count(b"HTTP/1.1 ") <= 1, (case[:200], got)
        status = int(got.split()[1]) if got else 0
        assert status in (0, 400, 411, 413, 501, 505), (case[:200], got[:200])
    s.round_trip()                                             # and nothing smuggled went north before it
    assert rejected(s, "malformed") >= len(cases) // 2


def test_s27_pipelined_requests_are_answered_in_order(t8):  # noqa: F811
    s = t8()
    path = where(s).path.encode()
    good, bad = json.dumps(s.fake.uplink_body(M1, b"")).encode(), b"{}"
    text = b"".join(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (path, len(b), b)
                    for b in (good, bad, good))
    got = talk(s, text)
    assert [int(p.split()[0]) for p in got.split(b"HTTP/1.1 ")[1:]] == [204, 400, 204]


def fds(s):
    return int(s.gw.metric("niddgw_fds"))


def test_s28_slow_and_idle_callers_hold_nobody_up(t8):  # noqa: F811
    s = t8().register()
    url = where(s)
    before = fds(s)
    dawdlers = []

    def open_some(n, what=b"P"):
        for i in range(n):
            c = socket.socket()
            c.bind(("127.88.%d.%d" % (len(dawdlers) // 2500, 1 + len(dawdlers) // 50 % 200), 0))
            c.settimeout(20)
            c.connect((url.hostname, url.port))
            try:
                c.sendall(what)
            except OSError:
                pass
            dawdlers.append(c)

    def good():
        s.clock.forward(1)                                    # whoever was quick has shown it by now
        begun = time.monotonic()
        assert s.fake.uplink(M1, b"").status == 204
        assert time.monotonic() - begun < PROMPT_S

    for round in range(4):
        open_some(250)
        assert fds(s) - before <= 256 + 72                    # and those that one pass of the loop has taken in and closes
        good()
    for c in dawdlers:                                        # a byte more from each
        try:
            c.sendall(b"O")
        except OSError:
            pass
    good()
    s.clock.forward(11)                                       # a request may take 10 s
    wait_until(lambda: fds(s) <= before + 4, what=lambda: "%d descriptors, %d before" % (fds(s), before))
    assert rejected(s, "slow") > 200
    for c in dawdlers:
        c.close()
    s.round_trip()


def test_s28_idle_handshakes_hold_nobody_up(t8, ca):  # noqa: F811
    s = tls_scene(t8, ca)
    s.fake.notify_tls = tls_context(ca, *ca.issue("patient"))
    s.register()
    url, before, idle = where(s), fds(s), []
    for i in range(1000):
        c = socket.socket()
        c.bind(("127.89.%d.%d" % (i // 200, 1 + i % 200), 0))
        c.settimeout(20)
        c.connect((url.hostname, url.port))
        idle.append(c)
    assert fds(s) - before <= 256 + 72                        # and those that one pass of the loop has taken in and closes
    s.clock.forward(1)
    assert s.fake.uplink(M1, b"").status == 204
    s.clock.forward(11)
    wait_until(lambda: fds(s) <= before + 4, what=lambda: "%d descriptors, %d before" % (fds(s), before))
    for c in idle:
        c.close()
    s.round_trip()


def test_s28_one_address_cannot_take_all_places(t8):  # noqa: F811
    s = t8().register()
    url, kept = where(s), []
    body = json.dumps(s.fake.uplink_body(M1, b"")).encode()
    for i in range(224):                                      # good callers of one address, whose connections are kept
        c = http.client.HTTPConnection(url.hostname, url.port, timeout=20, source_address=("127.90.0.1", 0))
        c.request("POST", url.path, body, {"Content-Type": "application/json"})
        answer = c.getresponse()
        answer.read()
        assert answer.status == 204
        kept.append(c)
    assert call(s, source="127.90.0.2")[0] == 204
    for c in kept:
        c.close()


def test_lwm2m_43_two_hundred_notifications_of_one_address_at_once(t8):  # noqa: F811
    s = t8().register()
    url = where(s)
    body = json.dumps(s.fake.uplink_body(M1, b"")).encode()
    head = "POST %s HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (url.path, len(body))
    open_ones = [socket.create_connection((url.hostname, url.port), 20) for _ in range(200)]
    begun = time.monotonic()
    for c in open_ones:
        c.sendall(head.encode() + body)
    assert {c.recv(1000).split(b"\r\n")[0].split()[1] for c in open_ones} == {b"204"}
    assert time.monotonic() - begun < PROMPT_S
    for c in open_ones:
        c.close()


def test_t8_21_uplinks_that_overtake_each_other_on_two_connections_are_kept_apart(t8):  # noqa: F811
    """The newer one comes first, while the older one's request is still on its way in."""
    s = t8().register()
    older, newer = s.message("POST", "/dp", payload=b"older"), s.message("POST", "/dp", payload=b"newer")
    where = s.fake.config("m1@iot.example")["notificationDestination"]
    target = urllib.parse.urlsplit(where)
    body = json.dumps(s.fake.uplink_body("m1@iot.example", older)).encode()
    first = socket.create_connection((target.hostname, target.port))
    first.settimeout(10)
    first.sendall(b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
        target.path.encode(), target.netloc.encode(), len(body)) + body[:20])
    s.fake.up("m1@iot.example", newer)
    asked = [s.srv.recv(where=lambda m: m.is_request)]
    assert asked[0].payload == b"newer"
    first.sendall(body[20:])
    assert first.recv(4096).startswith(b"HTTP/1.1 204")
    first.close()
    s.srv.reply(asked[0], "2.04", b"to newer")          # NSTART 1: then the older one leaves
    asked.append(s.srv.recv(where=lambda m: m.is_request and m.payload == b"older"))
    s.srv.reply(asked[1], "2.04", b"to older")
    assert asked[0].token != asked[1].token and asked[0].mid != asked[1].mid
    for msg in (newer, older):
        got = s.fake.down("m1@iot.example", where=lambda m: m.token == msg.token)
        assert (got.mid, got.payload) == (msg.mid, b"to " + msg.payload)


def test_s28_half_closed_connections_go(t8):  # noqa: F811
    s = t8().register()
    url, before, half = where(s), fds(s), []
    for i in range(100):
        c = socket.socket()
        c.bind(("127.91.0.%d" % (1 + i % 5), 0))
        c.connect((url.hostname, url.port))
        c.sendall(b"POST / HT")
        c.shutdown(socket.SHUT_WR)
        half.append(c)
    wait_until(lambda: fds(s) <= before + 4, what=lambda: "%d descriptors, %d before" % (fds(s), before))
    for c in half:
        c.close()
    s.round_trip()


@pytest.mark.parametrize("head, status", [
    (b"X: " + 16384 * b"y" + b"\r\n", 431), (b"".join(b"X%d: y\r\n" % i for i in range(65)), 431),
    (b"".join(b"X%d: y\r\n" % i for i in range(60)), 204), (b"X: " + 15000 * b"y" + b"\r\n", 204)])
def test_s29_header_limits(t8, head, status):  # noqa: F811
    s = t8()
    body = json.dumps(s.fake.uplink_body(M1, b"")).encode()
    got = talk(s, b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s" % (
        where(s).path.encode(), len(body), head, body))
    assert int(got.split()[1]) == status
