# SPDX-License-Identifier: Apache-2.0
"""test_sim_openapi.py - what the simulated SCEF answers and notifies is what TS 29.122 declares, in Rel-15 and Rel-19.

A gateway that is tested against a simulator is only as right as the simulator: so each resource is driven with plain
HTTP here and every answer and notification held against the files of 3GPP. They are not part of this tree; without them
the tests are skipped and say so.
"""
import http.client
import http.server
import json
import threading

import pytest

import openapi_check
from bed import b64, split_addr

needs_files = pytest.mark.skipif(openapi_check.folder() is None,
                                 reason="the OpenAPI files of 3GPP are not there: NIDDGW_SHARED or ../shared")
BASE = "/3gpp-nidd/v1/gw/configurations"


class Callback:
    """An application server that takes every notification."""

    def __init__(self):
        outer = self
        self.bodies, self.status = [], 204

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/t8" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def callback():
    c = Callback()
    yield c
    c.close()


class Caller:
    """Plain HTTP towards the simulator; what comes back is checked at once in each release that has the operation."""

    def __init__(self, scef, releases=("rel15", "rel19")):
        self.host = split_addr(scef.root.split("//")[1])
        self.root, self.token = scef.root, None
        self.apis = [openapi_check.Api(r) for r in releases]
        self.checked = 0

    def __call__(self, method, path, body=None, media="application/json", expect=None, check=True):
        path = path[len(self.root):] if path.startswith("http") else path
        headers = {"Content-Type": media} if body is not None else {}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        connection = http.client.HTTPConnection(*self.host, timeout=20)
        connection.request(method, path, json.dumps(body) if isinstance(body, (dict, list)) else body, headers)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        self.media, self.headers = answer.headers.get_content_type(), answer.headers
        parsed = json.loads(raw) if raw else None
        if expect is not None:
            assert answer.status == expect, raw
        for api in self.apis if check else []:
            if api.has(method, path):
                assert api.answer(method, path, answer.status, parsed, self.media, dict(answer.headers)) == []
                self.checked += 1
        return parsed


def configuration(callback, **more):
    return dict({"externalId": "m1@iot.example", "notificationDestination": callback.url, "supportedFeatures": "6",
                 "requestTestNotification": True, "pdnEstablishmentOption": "WAIT_FOR_UE",
                 "duration": "2031-01-01T00:00:00Z"}, **more)


def sound_notifications(scef, n, **fields):
    lines = scef.wait("notify", n=n, **fields)
    for line in lines if isinstance(lines, list) else [lines]:
        for release in ("rel15", "rel19"):
            assert openapi_check.Api(release).event(line) == []
    return lines


@needs_files
def test_configuration_resources_answer_as_declared(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    assert call("GET", BASE, expect=200) == []
    made = call("POST", BASE, configuration(callback), expect=201)
    assert call.headers["Location"] == made["self"]
    assert made["maximumPacketSize"] == 10864 and made["status"] == "ACTIVE"
    assert [c["self"] for c in call("GET", BASE, expect=200)] == [made["self"]]
    assert call("GET", made["self"], expect=200)["externalId"] == "m1@iot.example"
    patched = call("PATCH", made["self"], {"duration": "2032-01-01T00:00:00Z", "pdnEstablishmentOption": None},
                   media="application/merge-patch+json", expect=200)
    assert patched["duration"] == "2032-01-01T00:00:00Z" and "pdnEstablishmentOption" not in patched
    call("DELETE", made["self"], expect=204)
    call("GET", made["self"], expect=404)
    assert call.checked == 14


@needs_files
def test_bad_configurations_are_refused_with_problem_details(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    call("POST", BASE, {"externalId": "m1@iot.example"}, expect=400)
    call("POST", BASE, configuration(callback, msisdn="123456"), expect=400)
    call("POST", BASE, configuration(callback, externalId="no-domain"), expect=400)
    call("POST", BASE, configuration(callback), media="text/plain", expect=415)
    call("POST", BASE, b"[1", expect=400)
    call("POST", BASE, configuration(callback), expect=201)
    call("POST", BASE, configuration(callback), expect=409)


@needs_files
def test_test_uplink_and_status_notifications_are_as_declared(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    made = call("POST", BASE, configuration(callback), expect=201)
    assert sound_notifications(scef, 1, kind="test")["body"] == {"subscription": made["self"]}
    assert scef.uplink("m1@iot.example", b"\x40\x01\x00\x01")["status"] == 204
    assert sound_notifications(scef, 1, kind="uplink")["body"]["data"] == "QAEAAQ=="
    scef.do("status", external_id="m1@iot.example", status="TERMINATED")
    assert sound_notifications(scef, 1, kind="status")["body"]["status"] == "TERMINATED"
    call("GET", made["self"], expect=404)


@needs_files
def test_msisdn_is_an_identity_of_its_own(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    body = configuration(callback, msisdn="883510001")
    del body["externalId"]
    assert call("POST", BASE, body, expect=201)["msisdn"] == "883510001"
    scef.uplink("883510001", b"x")
    assert sound_notifications(scef, 1, kind="uplink")["body"]["msisdn"] == "883510001"


@needs_files
def test_deliveries_at_once_leave_nothing_behind(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    made = call("POST", BASE, configuration(callback), expect=201)
    path = made["self"] + "/downlink-data-deliveries"
    done = call("POST", path, {"externalId": "m1@iot.example", "data": b64(b"down"), "maximumLatency": 0}, expect=200)
    assert done["deliveryStatus"] == "SUCCESS" and "self" not in done
    assert scef.downlinks("m1@iot.example") == [b"down"]
    assert call("GET", path, expect=200) == []
    call("POST", path, {"externalId": "m1@iot.example", "data": "@@@"}, expect=400)
    call("POST", path, {"externalId": "m1@iot.example", "data": b64(bytes(1359))}, expect=403)
    call("POST", BASE + "/77/downlink-data-deliveries", {"externalId": "m1@iot.example", "data": ""}, expect=404)


@needs_files
def test_buffered_deliveries_are_resources_until_they_are_flushed(start_scef, callback):
    scef = start_scef("--buffering")
    call = Caller(scef)
    made = call("POST", BASE, configuration(callback), expect=201)
    path = made["self"] + "/downlink-data-deliveries"
    kept = call("POST", path, {"externalId": "m1@iot.example", "data": b64(b"one")}, expect=201)
    assert kept["deliveryStatus"] == "BUFFERING" and call.headers["Location"] == kept["self"]
    assert [d["self"] for d in call("GET", path, expect=200)] == [kept["self"]]
    assert call("GET", made["self"], expect=200)["niddDownlinkDataTransfers"][0]["self"] == kept["self"]
    call("PUT", kept["self"], {"externalId": "m1@iot.example", "data": b64(b"two")}, expect=200)
    call("PATCH", kept["self"], {"priority": 1}, expect=200)
    assert call("GET", kept["self"], expect=200)["priority"] == 1
    gone = call("POST", path, {"externalId": "m1@iot.example", "data": b64(b"three")}, expect=201)
    call("DELETE", gone["self"], expect=204)
    call("DELETE", gone["self"], expect=404)
    assert scef.do("flush")["flushed"] == 1
    told = sound_notifications(scef, 1, kind="delivery-status")
    assert told["body"] == {"niddDownlinkDataTransfer": kept["self"], "deliveryStatus": "SUCCESS"}
    assert scef.downlinks() == [b"two"]
    call("GET", kept["self"], expect=404)


@needs_files
def test_a_sleeping_device_gives_the_typed_failure_or_waits(start_scef, callback):
    scef = start_scef("--retry-after", "90")
    call = Caller(scef)
    made = call("POST", BASE, configuration(callback), expect=201)
    path = made["self"] + "/downlink-data-deliveries"
    scef.do("sleep", external_id="m1@iot.example")
    failure = call("POST", path, {"externalId": "m1@iot.example", "data": b64(b"x"), "maximumLatency": 0}, expect=500)
    assert failure["problemDetail"]["cause"] == "TEMPORARILY_NOT_REACHABLE" and "requestedRetransmissionTime" in failure
    kept = call("POST", path, {"externalId": "m1@iot.example", "data": b64(b"y"), "maximumLatency": 60}, expect=201)
    assert kept["deliveryStatus"] == "BUFFERING_TEMPORARILY_NOT_REACHABLE"
    scef.uplink("m1@iot.example", b"awake")
    sound_notifications(scef, 1, kind="delivery-status", where=lambda e: e["body"]["deliveryStatus"] == "SUCCESS")
    assert scef.downlinks() == [b"y"]


@needs_files
def test_rds_ports_answer_as_declared_from_rel_16_on(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    made = call("POST", BASE, configuration(callback), expect=201)
    path = made["self"] + "/rds-ports"
    before = call.checked
    assert call("GET", path, expect=200) == []
    reserved = call("PUT", path + "/ue1-ef2", {"appId": "lwm2m"}, expect=201)
    assert call("GET", path, expect=200)[0]["self"] == reserved["self"]
    call("GET", path + "/ue1-ef2", expect=200)
    call("PUT", path + "/ue1-ef2", {"appId": "lwm2m"}, expect=409)
    call("DELETE", path + "/ue1-ef2", expect=204)
    call("GET", path + "/ue1-ef2", expect=404)
    assert call.checked == before + 7  # one release only


@needs_files
def test_tokens_are_wanted_and_end(start_scef, callback):
    scef = start_scef("--auth", "bearer")
    call = Caller(scef)
    call("GET", BASE, expect=401)
    form = "grant_type=client_credentials&client_id=gw&client_secret=%s"
    call("POST", "/token", form % "wrong", media="application/x-www-form-urlencoded", expect=401)
    call.token = call("POST", "/token", form % "secret", media="application/x-www-form-urlencoded",
                      expect=200)["access_token"]
    call("GET", BASE, expect=200)
    scef.do("expire")
    call("GET", BASE, expect=401)


@needs_files
def test_each_line_printed_validates_as_well(start_scef, callback):
    scef = start_scef()
    call = Caller(scef)
    made = call("POST", BASE, configuration(callback), expect=201)
    call("POST", made["self"] + "/downlink-data-deliveries", {"externalId": "m1@iot.example", "data": b64(b"d")}, expect=200)
    scef.uplink("m1@iot.example", b"u")
    lines = scef.wait("request", n=2) + scef.wait("notify", n=2)
    for release in ("rel15", "rel19"):
        api = openapi_check.Api(release)
        assert [fault for line in lines for fault in api.event(line)] == []


@needs_files
def test_the_check_finds_what_is_wrong():
    api = openapi_check.Api("rel19")
    assert api.request("POST", BASE, {"externalId": "m1@iot.example"}) != []
    assert api.request("POST", BASE, {"externalId": "a@b", "notificationDestination": "http://x/", "status": "ACTIVE"}) != []
    assert api.request("POST", BASE, {"externalId": "a@b", "notificationDestination": "http://x/", "colour": 1}) != []
    assert api.answer("POST", BASE, 201, {"notificationDestination": "http://x/", "externalId": "a@b"}, "application/json") != []
    assert api.notification({"niddConfiguration": "/x", "data": "@@@", "externalId": "a@b"}) != []
    assert api.notification({"niddConfiguration": "/x", "data": "QQ=="}) != []
    assert api.notification({"niddConfiguration": "/x", "data": "QQ==", "externalId": "a@b"}) == []


def test_deviations_can_be_switched_on(start_scef, callback):
    """The other way round: each deviation of real platforms is really played."""
    scef = start_scef("--links", "relative", "--status-alias", "--omit-data", "--ids", "both", "--base64", "unpadded")
    connection = http.client.HTTPConnection(*split_addr(scef.root.split("//")[1]), timeout=20)

    def post(path, body):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())

    status, headers, made = post(BASE, configuration(callback))
    assert status == 201 and headers["Location"].startswith("/3gpp-nidd/v1/") and "msisdn" not in made
    scef.do("preload", external_id="m2@iot.example", destination=callback.url)
    status, _, done = post(made["self"] + "/downlink-data-deliveries", {"externalId": "m1@iot.example", "data": "QQ=="})
    assert status == 200 and done["status"] == "SUCCESS" and "data" not in done and "deliveryStatus" not in done
    scef.do("set", **{"escape-equals": True, "base64": "standard"})
    scef.uplink("m1@iot.example", b"A")
    assert b'"data":"QQ\\u003d\\u003d"' in callback.bodies[-1]
    scef.do("fault", on="delivery", status=500, body="<html>no</html>", times=1)
    connection.request("POST", made["self"] + "/downlink-data-deliveries", b'{"externalId":"m1@iot.example","data":"QQ=="}',
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 500 and answer.read() == b"<html>no</html>"
    scef.do("fault", on="delivery", lost=True, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        post(made["self"] + "/downlink-data-deliveries", {"externalId": "m1@iot.example", "data": "Qg=="})
    assert scef.wait("request", where=lambda e: e.get("lost"))["status"] == 200
    connection.close()
