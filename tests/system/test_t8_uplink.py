# SPDX-License-Identifier: Apache-2.0
"""T8: notifications in the running daemon. Numbers are the acceptance cases of the T8 reference (t8) and of the reliability
reference (s)."""
import base64
import http.client
import json
import socket
import threading
import time
import urllib.parse

import pytest

from bed import b64, loop_host, wait_until
from coapmsg import Msg
from t8scene import in_parallel, rss, t8  # noqa: F401  (a fixture)
from t8fake import PROMPT_S, Late

M1 = "m1@iot.example"


@pytest.fixture
def s(t8):  # noqa: F811
    """The usual scene, registered."""
    return t8().register()


def callback(s, external_id=M1):
    """(host, port, path) of the callback."""
    url = urllib.parse.urlsplit(s.fake.config(external_id)["notificationDestination"])
    return url.hostname, url.port, url.path


def raw_post(s, body, headers=(), keep=None, timeout=20):
    """(status, reply body, seconds) of a POST of these octets; keep: an open connection to go on with."""
    host, port, path = callback(s)
    c = keep or socket.create_connection((host, port), timeout)
    begun = time.monotonic()
    lines = ["POST %s HTTP/1.1" % path, "Host: gw", "Content-Type: application/json", *headers]
    if not any(h.lower().startswith(("content-length", "transfer-encoding")) for h in headers):
        lines.append("Content-Length: %d" % len(body))
    try:
        c.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    except OSError:
        pass  # answered and closed before all was written
    answer = http.client.HTTPResponse(c)
    answer.begin()
    text = answer.read()
    if keep is None:
        c.close()
    return answer.status, text, time.monotonic() - begun


def next_is(s, msg, eid=M1):
    """Proof that nothing else went north: this message is the next that the server sees."""
    s.fake.up(eid, msg)
    seen = s.srv.recv()
    assert seen.path() == msg.path() and seen.payload == msg.payload, seen
    s.srv.reply(seen, "2.04")
    assert s.fake.down(eid, where=lambda m: m.mid == msg.mid).code == "2.04"


def mark(s, text=b"next"):
    return s.message("POST", "/mark", payload=text)


# ---- one uplink, one message ----

def test_t8_07_an_uplink_is_answered_at_once_and_becomes_one_message(s):
    # elective, unknown and safe to forward: passes byte for byte
    msg = s.message("PUT", "/dp/a/b", payload=bytes(range(256)), options=[(2048, b"\x00\xff"), (65000, b"keep me")])
    reply = s.fake.up(M1, msg)
    assert reply.status == 204 and reply.body == b""
    seen = s.srv.recv()
    assert (seen.code, seen.type, seen.payload) == (msg.code, msg.type, msg.payload)
    assert seen.options == msg.options and seen.token != msg.token
    s.srv.reply(seen, "2.04")
    assert s.fake.down(M1).token == msg.token
    assert s.uplinks("answered") == 2  # with the Register
    next_is(s, mark(s))


@pytest.mark.parametrize("server", ["silent", "dead"])
def test_t8_07_an_uplink_is_answered_within_a_second_whatever_the_server_does(t8, server):  # noqa: F811
    s = t8(devices={"m%d" % i: "m%d@iot.example" % i for i in range(10)})
    if server == "dead":
        s.srv.close()
    else:
        s.srv.sock.setblocking(False)
    for i in range(10):
        for _ in range(3):
            s.fake.up("m%d@iot.example" % i, s.message(name="m%d" % i))
    assert s.fake.all("deliver") == []
    s.clock.forward(10)  # 0.6 of 15 s: the empty ACK
    for i in range(10):
        for _ in range(3):
            assert s.fake.down("m%d@iot.example" % i).code == "0.00"
    s.fake.up("m1@iot.example", s.message(name="m1"))
    s.clock.forward(250)  # answer_within_s: now each of them is told
    for i in range(10):
        told = s.fake.down("m%d@iot.example" % i, where=lambda m: m.code != "0.00")
        assert told.code == "5.04" and told.type == 0, told


def test_t8_07_data_ack_200_has_a_body(t8):  # noqa: F811
    s = t8(link={"data_ack": "200"})
    reply = s.fake.uplink(M1, s.message())
    assert (reply.status, reply.json) == (200, {"details": "ok"})
    assert s.srv.recv().is_request


def test_t8_08_the_same_uplink_twice_is_one_message(s):
    msg = mark(s)
    s.fake.up(M1, msg)
    seen = s.srv.recv()
    s.fake.up(M1, msg)  # before the answer
    s.srv.reply(seen, "2.04")
    first = s.fake.down(M1)
    s.clock.forward(240)
    s.fake.up(M1, msg)  # after it, near the end of the window
    assert s.fake.down(M1) == first  # the stored answer once more
    next_is(s, mark(s, b"other"))
    assert s.uplinks("duplicate") == 2


def test_t8_09_copies_at_the_same_time_are_one_message(s):
    msg = mark(s)
    replies = in_parallel(*[lambda: s.fake.uplink(M1, msg)] * 8)
    assert {r.status for r in replies} == {204} and all(r.seconds < PROMPT_S for r in replies)
    s.srv.reply(s.srv.recv(), "2.04")
    assert s.fake.down(M1).code == "2.04"
    next_is(s, mark(s, b"other"))
    assert s.uplinks("duplicate") == 7


def test_s17_an_uplink_replayed_a_thousand_times_is_one_message(s):
    msg = mark(s)
    host, port, path = callback(s)
    body = json.dumps(s.fake.uplink_body(M1, msg))
    c = http.client.HTTPConnection(host, port, timeout=20)
    first = None
    for i in range(500):  # below the quota of 600 a minute
        c.request("POST", path, body, {"Content-Type": "application/json"})
        answer = c.getresponse()
        answer.read()
        assert answer.status == 204
        if first is None:
            first = s.srv.recv()
            s.srv.reply(first, "2.04")
            s.fake.down(M1)
    s.clock.forward(61)
    c.close()  # idle for too long
    for i in range(500):
        c.request("POST", path, body, {"Content-Type": "application/json"})
        answer = c.getresponse()
        answer.read()
        assert answer.status == 204
    c.close()
    assert s.uplinks("duplicate") == 999
    s.settle()
    s.fake.downs.clear()  # the answer once more, as often as it could be sent
    next_is(s, mark(s, b"other"))
    s.clock.forward(800)  # the device's window is over: by CoAP's rules it is a new message
    s.fake.up(M1, msg)
    assert s.srv.recv().payload == msg.payload


# ---- whose it is ----

def test_t8_10_an_uplink_before_the_201_is_taken(t8):  # noqa: F811
    s = t8(start=False)
    gate = threading.Event()
    s.fake.when("create", Late(gate))
    s.gw.start()
    s.gw.ready()
    dest = s.fake.wait("create", answered=False).json["notificationDestination"]
    known = s.fake.notify(s.fake.uplink_body(M1, s.message(), niddConfiguration=s.fake.config(M1)["self"]), url=dest)
    assert known.status == 204 and known.seconds < PROMPT_S  # by its externalId
    s.srv.reply(s.srv.recv(), "2.01")
    # Only the link tells whose this is, and that is known with the 201.
    body = {"niddConfiguration": s.fake.config(M1)["self"], "msisdn": "491701234567", "data": b64(mark(s).encode())}
    held = []
    other = threading.Thread(target=lambda: held.append(s.fake.notify(body, url=dest)))
    other.start()
    s.gw.wait_log(r"ev=notification .*kind=uplink", n=2)
    gate.set()
    other.join(20)
    assert held[0].status == 204
    assert s.srv.recv(where=lambda m: m.path() == "/mark")


def test_t8_10_an_uplink_that_nobody_claims_is_404_after_the_grace_time(t8):  # noqa: F811
    s = t8(start=False)
    s.fake.when("create", Late(threading.Event()))
    s.gw.start()
    s.gw.ready()
    dest = s.fake.wait("create", answered=False).json["notificationDestination"]
    body = {"niddConfiguration": s.fake.root + "/3gpp-nidd/v1/gw/configurations/99", "msisdn": "495555555", "data": "QAEAAQ=="}
    replies = []
    caller = threading.Thread(target=lambda: replies.append(s.fake.notify(body, url=dest)))
    caller.start()
    s.gw.wait_log(r"ev=notification .*kind=uplink")
    s.clock.forward(6)
    caller.join(20)
    assert replies[0].status == 404


LINKS = ["/3gpp-nidd/v1/gw/configurations/{id}", "3gpp-nidd/v1/gw/configurations/{id}", "configurations/{id}",
         "https://other.example:9/SCEF/3gpp-nidd/v1/gw/configurations/{id}", "http://127.0.0.1/3gpp-nidd/v1/g%77/configurations/%3{id}",
         "http://[::1]/3gpp-nidd/v1/gw/configurations/{id}/"]


def test_t8_11_the_configuration_is_matched_by_the_tail_of_its_link(s):
    cid = s.fake.config(M1)["self"].rpartition("/")[2]
    for n, link in enumerate(LINKS):
        msg = mark(s, b"%d" % n)
        # an unknown msisdn: only the link can tell whose it is
        s.fake.up(M1, msg, externalId=None, msisdn="4917%08d" % n, niddConfiguration=link.replace("{id}", cid))
        seen = s.srv.recv()
        assert seen.payload == b"%d" % n, link
        s.srv.reply(seen, "2.04")
        s.fake.down(M1)
    elsewhere = s.fake.uplink(M1, mark(s), externalId=None, msisdn="491800000", niddConfiguration="configurations/777")
    assert elsewhere.status == 404


def test_t8_12_both_ids_or_the_other_one(s):
    s.fake.up(M1, mark(s, b"both"), msisdn="491701234567")
    s.srv.reply(s.srv.recv(where=lambda m: m.payload == b"both"), "2.04")
    s.fake.up(M1, mark(s, b"alias"), externalId=None, msisdn="+49 170 1234567", niddConfiguration="x")
    s.srv.reply(s.srv.recv(where=lambda m: m.payload == b"alias"), "2.04")
    assert s.gw.ctl("device", "show", "m1")["link"]["alias"] == "491701234567"


def test_t8_13_a_user_never_provisioned_leaves_no_trace(s):
    before = s.gw.ctl("device", "list")["items"]
    for n in range(20):
        reply = s.fake.uplink(M1, mark(s), externalId="nobody%d@iot.example" % n, niddConfiguration="x")
        assert reply.status == 404 and reply.headers["Content-Type"] == "application/problem+json" and reply.json["status"] == 404
    assert s.uplinks("unknown_device") == 20
    assert len(s.gw.ctl("device", "list")["items"]) == len(before) == 1
    next_is(s, mark(s))


# ---- data ----

def forms(data):
    text = b64(data)
    return {"escaped": '"%s"' % text.replace("=", "\\u003d"), "unpadded": '"%s"' % text.rstrip("="),
            "urlsafe": '"%s"' % base64.urlsafe_b64encode(data).decode(), "urlsafe, unpadded": '"%s"' % base64.urlsafe_b64encode(
                data).decode().rstrip("="), "lines": '"%s"' % "\\r\\n".join(text[i:i + 16] for i in range(0, len(text), 16)),
            "slashes": '"%s"' % text.replace("/", "\\/")}


def test_t8_14_every_way_to_write_base64_is_read(s):
    for n, form in enumerate(forms(b"x")):
        payload = bytes([0xfb, 0xff, 0xfe, 0x3e, 0x3f] * 11) + bytes([n])  # has + and / in it, and wants padding
        msg = mark(s, payload)
        assert set("+/=") <= set(b64(msg.encode()))
        body = json.dumps(s.fake.uplink_body(M1, "DATA")).replace('"DATA"', forms(msg.encode())[form])
        status, text, seconds = raw_post(s, body.encode())
        assert status == 204 and seconds < PROMPT_S, (form, text)
        seen = s.srv.recv()
        assert seen.payload == payload, form
        s.srv.reply(seen, "2.04")
        s.fake.down(M1)


def test_t8_15_bad_base64_is_400_and_the_connection_is_kept(s):
    host, port, _ = callback(s)
    c = socket.create_connection((host, port), 20)
    for data in ("@@@", "QAEAA", "Q", "QAEA=A==", "QAEAAQ=\u00e4", "====", "QAEAAQ==QAEAAQ==", "Q A E A"):
        body = json.dumps(s.fake.uplink_body(M1, data)).encode()
        status, text, _ = raw_post(s, body, keep=c)
        assert status == 400, data
        assert json.loads(text)["invalidParams"][0]["param"] == "/data"
    for data in (7, None, ["QAEAAQ=="], {"a": 1}, True):
        body = json.dumps(dict(s.fake.uplink_body(M1, "x"), data=data)).encode()
        assert raw_post(s, body, keep=c)[0] == 400, data
    assert raw_post(s, json.dumps(s.fake.uplink_body(M1, mark(s, b"good"))).encode(), keep=c)[0] == 204
    c.close()
    assert s.srv.recv().payload == b"good"


def test_t8_16_an_empty_unit_says_that_the_device_is_awake(s):
    s.fake.up(M1, b"")
    next_is(s, mark(s))


def test_malformed_coap_is_taken_and_counted(s):
    for unit in (b"\x00", b"\xff\xff", b"\x4f\x01\x00\x01", b"\x40\x01\x00\x01\xff", b"\x40\x01\x00\x02\xf0"):
        s.fake.up(M1, unit)
    assert s.uplinks("malformed") == 5
    next_is(s, mark(s))


# ---- what is no notification ----

def test_t8_17_bodies_without_end_are_refused_in_bounded_memory(s):
    before = rss(s.gw)
    big = b" " * (5 << 20)
    assert raw_post(s, big)[0] == 413                                             # announced
    host, port, path = callback(s)
    head = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path
    c = socket.create_connection((host, port), 20)                                # chunked without end
    c.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while sent < 5 << 20:
            c.sendall(b"1000\r\n" + 4096 * b" " + b"\r\n")
            sent += 4096
    except OSError:
        pass
    answer = http.client.HTTPResponse(c)
    try:
        answer.begin()
        assert answer.status == 413
    except ConnectionResetError:
        assert sent < 2 << 20
    c.close()
    assert rss(s.gw) - before < 4 << 20
    liar = socket.create_connection((host, port), 20)                             # says more than it sends
    liar.sendall(head.encode() + b"Content-Length: 1000\r\n\r\n{}")
    next_is(s, mark(s))
    s.clock.forward(11)
    answer = http.client.HTTPResponse(liar)
    answer.begin()
    assert answer.status == 408
    assert answer.getheader("Connection") == "close"
    liar.close()


BROKEN = {
    "nothing": b"", "no JSON": b"{", "half": b'{"data":"QAEAAQ==","externalId":', "an array": b"[]", "a string": b'"x"', "a number": b"7",
    "null": b"null", "deep": b"[" * 10000 + b"]" * 10000, "deep inside": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "nobody's": b'{"foo":1}', "NUL in a string": b'{"niddConfiguration":"x","externalId":"m1@iot.example\\u0000","data":"QAEAAQ=="}',
    "a real NUL": b'{"niddConfiguration":"x","externalId":"m1@iot.example\x00","data":"QAEAAQ=="}',
    "bad UTF-8": b'{"niddConfiguration":"\xff\xfe","externalId":"m1@iot.example","data":"QAEAAQ=="}',
    "a lone surrogate": b'{"niddConfiguration":"\\ud800","externalId":"m1@iot.example","data":"QAEAAQ=="}',
    "two data": b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ==","data":"QAIAAQ=="}',
    "two ids": b'{"niddConfiguration":"x","externalId":"m1@iot.example","externalId":"m2@iot.example","data":"QAEAAQ=="}',
    "two deep inside": b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ==","rdsPort":{"portUE":1,"portUE":2}}',
    "a huge number": b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ==","x":1e400}',
    "something behind": b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ=="}x',
    "a second object": b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ=="}{}',
    "a byte order mark": b'\xef\xbb\xbf{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ=="}',
    "UTF-16": '{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ=="}'.encode("utf-16"),
    "ids of a wrong kind": b'{"niddConfiguration":"x","externalId":7,"data":"QAEAAQ=="}',
    "port 16": b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ==","rdsPort":{"portUE":16,"portSCEF":1}}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_t8_18_s10_what_is_no_notification_is_400(t8, name):  # noqa: F811
    s = t8()
    status, text, seconds = raw_post(s, BROKEN[name])
    assert status == 400 and seconds < PROMPT_S
    assert not text or json.loads(text)["status"] == 400
    s.register()  # nothing of it went north before


def test_s10_large_json_is_refused_fast_and_duplicates_never_win(s):
    deep = b"[" * 200000 + b"]" * 200000
    many = b'{"data":"QAEAAQ==",' + b",".join(b'"k%d":%d' % (i, i) for i in range(1000000)) + b"}"
    wide = b"[" + b",".join([b"1"] * 30000) + b"]"
    many_small = b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"QAEAAQ==",' + b",".join(
        b'"k%d":1' % i for i in range(4000)) + b"}"
    for body, wanted in ((deep, 413), (many, 413), (wide, 400), (many_small, 400)):
        status, _, seconds = raw_post(s, body)
        assert status == wanted and seconds < PROMPT_S, (len(body), status)
    next_is(s, mark(s))


def test_t8_19_another_media_type_is_415_unless_lenient(t8):  # noqa: F811
    s = t8()
    for kind in ("text/plain", "application/x-www-form-urlencoded", None, "application/jsonp", "application/json-patch+json"):
        assert s.fake.notify(s.fake.uplink_body(M1, s.message()), M1, content_type=kind).status == 415, kind
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"):
        assert s.fake.notify(s.fake.uplink_body(M1, b""), M1, content_type=kind).status == 204, kind
    s.register()
    easy = t8(link={"lenient": True})
    for kind in ("text/plain", None):
        assert easy.fake.notify(easy.fake.uplink_body(M1, b""), M1, content_type=kind).status == 204
    assert easy.fake.uplink(M1, "/w=").status == 204  # a padding fault; the unit is no CoAP
    easy.register()


def test_t8_20_unknown_members_and_values_are_accepted_and_logged_once(s):
    msg = mark(s, b"more")
    s.fake.up(M1, msg, vendorThing={"a": [1, {"b": None}]}, reliableDataService=False, timestamp="2026-01-01T00:00:00Z")
    s.srv.reply(s.srv.recv(where=lambda m: m.payload == b"more"), "2.04")
    s.fake.down(M1)
    for _ in range(5):
        assert s.fake.notify({"niddConfiguration": s.fake.config(M1)["self"], "externalId": M1, "status": "BUSY_WITH_SOMETHING"},
                             M1).status == 204
    assert s.state() == "active"
    assert len([line for line in s.gw.log.lines if "ev=status.unknown" in line]) == 1
    s.fake.buffering = True
    for n, status in enumerate(["SUCCESS_OF_A_NEW_KIND", "DELAYED_SOMEHOW", "FAILURE_OF_A_NEW_KIND"], 1):
        s.ask()
        item = s.fake.wait("deliver", where=lambda r: r.status == 201, n=n)
        s.settle()
        assert s.fake.delivery_status(item.answer.body["self"], status, M1).status == 204
        s.gw.wait_log(r"ev=status.unknown .*%s|ev=down mid" % status, n=n)
        s.clock.forward(111)  # whatever it was: the server is told in the end
        s.srv.recv(where=lambda m: m.is_response and m.code == "5.04")


def test_t8_20_a_group_or_port_notification_is_taken_and_does_nothing(s):
    link = s.fake.config(M1)["self"]
    for body in ({"niddDownlinkDataTransfer": link + "/downlink-data-deliveries/1", "gmdResults": [
            {"externalId": M1, "deliveryStatus": "SUCCESS"}]}, {"niddConfiguration": link, "externalId": M1, "managedPorts": []},
                 {"subscription": link}, {"niddDownlinkDataTransfer": link + "/downlink-data-deliveries/9", "deliveryStatus": "FAILURE"}):
        assert s.fake.notify(body, M1).status == 204
    next_is(s, mark(s))


@pytest.mark.limit(60)
def test_t8_49_a_full_gateway_says_503_and_keeps_nothing(t8, udp_peer):  # noqa: F811
    """All the room for open exchanges is taken by devices of another link, to whom the server is silent."""
    s = t8(start=False, log_level="notice")
    base = loop_host().rpartition(".")[0].split(".")
    hosts = ["127.%s.%d.%d" % (base[1], 100 + i // 250, 1 + i % 250) for i in range(1600)]
    s.tree["links"].append({"name": "sgi", "type": "udp", "listen": "%s:20000" % s.host, "journal": False})
    s.tree["devices"] += [{"name": "u%d" % i, "link": "sgi", "address": h} for i, h in enumerate(hosts)]
    s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    socks, mid = [], 0
    for h in hosts:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.bind((h, 5683))
        sock.connect((s.host, 20000))
        socks.append(sock)

    def is_open():
        return s.gw.metric("niddgw_exchanges")

    while is_open() < 100000:
        mid += 1
        assert mid < 200
        unit = b"\x41\x01" + mid.to_bytes(2, "big") + b"t"
        for n, sock in enumerate(socks):
            sock.send(unit)
            if n % 200 == 199:
                s.gw.http("/healthz")  # so that the daemon keeps up
    msg = mark(s)
    for _ in range(3):
        reply = s.fake.uplink(M1, msg)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5") and reply.seconds < PROMPT_S
    assert s.fake.uplink(M1, b"").status == 204                    # what opens no exchange is taken
    for sock in socks:
        sock.close()
    s.clock.forward(250)
    wait_until(lambda: is_open() == 0, what=lambda: "%s exchanges are open" % is_open())
    s.srv.sock.setblocking(False)
    try:
        while True:
            s.srv.sock.recv(65536)
    except BlockingIOError:
        pass
    s.fake.up(M1, msg)
    seen = s.srv.recv(where=lambda m: m.path() == "/mark")
    s.srv.reply(seen, "2.04")
    assert s.fake.down(M1).code == "2.04"


# ---- S45, S46 ----

def test_s45_base64_of_ten_megabytes_is_refused_before_it_is_decoded(s):
    before = rss(s.gw)
    body = b'{"niddConfiguration":"x","externalId":"m1@iot.example","data":"' + 10000000 * b"A" + b'"}'
    assert raw_post(s, body)[0] == 413
    for data, wanted in (("A" * 60000, 413), ("=" * 60000, 400), (" " * 60000, 400), ("\r\n" * 20000, None), ("QAEAAQ-_+/", 400),
                         ("A" * 2800, 413)):
        body = json.dumps(s.fake.uplink_body(M1, data)).encode()
        status = raw_post(s, body)[0]
        assert status in ((400, 413) if wanted is None else (wanted,)), (data[:10], status)
    assert rss(s.gw) - before < 4 << 20
    next_is(s, mark(s))


def test_s46_coded_bodies_are_not_decoded(s):
    import gzip
    bomb = gzip.compress(bytes(10 << 20))
    assert len(bomb) < 65536
    for coding in ("gzip", "deflate", "br", "identity, gzip", "x"):
        assert raw_post(s, bomb, ["Content-Encoding: " + coding])[0] == 415, coding
    assert raw_post(s, json.dumps(s.fake.uplink_body(M1, b"")).encode(), ["Content-Encoding: identity"])[0] == 204
    assert raw_post(s, json.dumps(s.fake.uplink_body(M1, b"")).encode(), ["Transfer-Encoding: gzip, chunked"])[0] in (400, 501)
    next_is(s, mark(s))
