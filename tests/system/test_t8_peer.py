# SPDX-License-Identifier: Apache-2.0
"""T8: credentials, redirects and a peer in trouble, in the running daemon. Numbers are the acceptance cases of the T8 reference
(t8) and of the reliability reference (s)."""
import base64
import re
import socket
import ssl
import time

import pytest

from bed import loop_host, wait_until
from certs import Authority
from t8scene import rss, t8  # noqa: F401  (a fixture)
from t8fake import Answer, Lost, Silent, T8Fake

M1 = "m1@iot.example"
FLEET = {"m%d" % i: "m%d@iot.example" % i for i in range(1, 13)}


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "a")


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "b", "another authority")


def with_token(t8, start=True, secret="secret", fake=None, link=None, ready=True, **more):  # noqa: F811
    """A scene whose fake wants a bearer."""
    s = t8(start=False, fake=dict({"auth": "bearer"}, **(fake or {})),
           link=dict({"auth": "oauth2", "client_id": "gw", "client_secret": "file:op.secret"}, **(link or {})), **more)
    s.gw.secret("op.secret", secret)
    s.tree["links"][0].setdefault("token_url", s.fake.root + "/token")
    s.gw.write(s.tree)
    if start:
        s.gw.start()
        s.gw.ready()
        if ready:
            s.ready()
    return s


def tokens(s):
    return s.fake.all("token")


# ---- credentials ----

@pytest.mark.parametrize("where", ["body", "basic"])
def test_t8_01_token_credentials_go_where_the_peer_wants_them(t8, where):  # noqa: F811
    s = with_token(t8, secret="p&w=%+ :\u00e4", fake={"token_auth": where, "client": ("gw", "p&w=%+ :\u00e4")},
                   link={"token_auth": where, "scope": "nidd read"})
    form = tokens(s)[0].form
    assert form["grant_type"] == "client_credentials" and form["scope"] == "nidd read"
    assert tokens(s)[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert ("client_secret" in form) == (where == "body") == ("Authorization" not in tokens(s)[0].headers)
    s.register()
    assert len(tokens(s)) == 1


def test_basic_credentials_are_sent_with_every_request(t8):  # noqa: F811
    s = t8(start=False, fake={"auth": "basic", "client": ("gw", "p:w")}, link={"auth": "basic", "user": "gw", "password": "file:pw"})
    s.gw.secret("pw", "p:w")
    s.gw.start()
    s.ready()
    s.register()
    wanted = "Basic " + base64.b64encode(b"gw:p:w").decode()
    assert {r.headers["Authorization"] for r in s.fake.requests} == {wanted}


def test_t8_38_a_401_renews_the_token_once_for_all_that_wait(t8):  # noqa: F811
    s = with_token(t8, devices=FLEET)
    for name in FLEET:
        s.register(name)
    before = s.fake.mark()
    s.fake.tokens.clear()
    asked = {name: s.ask(name=name) for name in FLEET}
    for name, eid in FLEET.items():
        down = s.fake.down(eid)
        s.answer(down, name=name)
    assert sorted(s.srv.recv(where=lambda m: m.is_response).token for _ in asked) == sorted(m.token for m in asked.values())
    s.settle()
    assert len(s.fake.all("token", since=before)) == 1
    refused = s.fake.all("deliver", since=before, where=lambda r: r.status == 401)
    for eid in {r.json["externalId"] for r in refused}:
        mine = s.fake.all("deliver", since=before, where=lambda r: r.json["externalId"] == eid)
        assert [r.status for r in mine] == [401, 200] and mine[0].body == mine[1].body
    assert refused


def test_t8_38_a_second_401_is_about_the_request_and_two_are_about_us(t8):  # noqa: F811
    s = with_token(t8, devices={k: FLEET[k] for k in ("m1", "m2")})
    s.register()
    s.register("m2")
    s.fake.when("deliver", Answer(401), times=None, where=lambda r: r.json["externalId"] == M1)
    asked = s.ask()
    assert s.srv.recv(where=lambda m: m.token == asked.token and m.is_response).code == "5.02"
    s.round_trip("m2")
    assert "t8.auth_failed" not in s.alarms()
    s.fake.when("deliver", Answer(401), times=None)
    s.clock.forward(40)
    for _ in range(2):
        asked = s.ask()
        s.srv.recv(where=lambda m: m.token == asked.token and m.is_response)
    s.wait_alarm("t8.auth_failed")
    n = s.fake.mark()
    s.ask(name="m2")
    s.settle()
    assert s.fake.mark() == n                                   # nothing is asked of it for a while
    s.fake.normal()
    s.clock.forward(31)
    assert s.fake.down(FLEET["m2"]).is_request
    s.wait_alarm("t8.auth_failed", False)


def test_t8_39_uplinks_go_on_while_no_token_is_to_be_had_and_it_recovers_alone(t8):  # noqa: F811
    s = with_token(t8, fake={"token_s": 100}, server_keys={"patience_s": 3600})
    s.register()
    s.fake.when("token", Answer(503), times=None)
    s.clock.forward(101)
    s.fake.tokens.clear()
    asked = s.ask()
    tries = len(tokens(s))
    for minute in range(10):
        msg = s.message("POST", "/note", payload=b"%d" % minute)
        s.fake.up(M1, msg)
        s.srv.reply(s.srv.recv(where=lambda m: m.is_request), "2.04")
        s.clock.forward(10 if minute < 9 else 5)
    assert 4 <= len(tokens(s)) - tries <= 11                    # it backs off
    s.wait_alarm("t8.unreachable")
    alarm = next(a for a in s.gw.ctl("alarms")["items"] if a["type"] == "t8.unreachable")
    assert "token" in alarm["text"] and "503" in alarm["text"]
    s.fake.normal()
    s.clock.forward(61)
    units = [s.fake.down(M1) for _ in range(11)]
    assert sum(m.is_request for m in units) == 1
    request = next(m for m in units if m.is_request)
    s.answer(request)
    answers = [s.srv.recv(where=lambda m: m.is_response)]
    assert answers[0].token == asked.token
    s.wait_alarm("t8.unreachable", False)
    assert s.gw.metric('niddgw_t8_token_refresh_total{result="ok"}') == 2


def test_t8_40_a_wrong_secret_is_tried_twice_and_no_more(t8):  # noqa: F811
    s = with_token(t8, secret="wrong", ready=False)
    s.fake.wait("token")
    for _ in range(20):
        s.clock.forward(120)
    assert len(tokens(s)) == 2 and {r.op for r in s.fake.requests} == {"token"}
    s.wait_alarm("t8.auth_failed")
    assert s.gw.ctl("links")["items"][0]["state"] == "down"
    assert not any("wrong" in line for line in s.gw.log.lines)
    s.gw.secret("op.secret", "secret")                          # the operator acts
    assert s.gw.reload().returncode == 0
    s.clock.forward(61)
    s.active()
    s.wait_alarm("t8.auth_failed", False)
    s.register()


@pytest.mark.parametrize("answer", [
    {"access_token": "a", "token_type": "Bearer", "expires_in": 0}, {"access_token": "a", "token_type": "Bearer", "expires_in": -5},
    {"access_token": "a", "token_type": "bearer"}, {"access_token": "a", "expires_in": 10 ** 12}, {"access_token": "a", "expires_in": "3600"}])
def test_s48_odd_lives_of_tokens_are_clamped_without_a_storm(t8, answer):  # noqa: F811
    s = with_token(t8, start=False, fake={"auth": None})
    s.fake.when("token", Answer(200, answer), times=None)
    s.gw.start()
    s.ready()
    s.register()
    for _ in range(20):
        s.round_trip()
    assert len(tokens(s)) == 1
    s.clock.forward(86401)
    s.round_trip()
    assert len(tokens(s)) == 2
    assert {r.headers["Authorization"] for r in s.fake.all("deliver")} == {"Bearer a"}


@pytest.mark.parametrize("answer", [
    Answer(200, {"access_token": (1 << 20) * "x", "token_type": "Bearer"}), Answer(200, "<html>log in, please</html>", content_type="text/html"),
    Answer(200, {}), Answer(200, {"access_token": ""}), Answer(200, {"access_token": "a\r\nX: y"}), Answer(200, b"{"), Answer(200, (5 << 20) * b" "),
    Answer(302, headers={"Location": "http://127.0.0.1:1/login"}), Answer(200, {"access_token": "a", "token_type": "mac"}), Lost(), Answer(500)],
    ids=["large", "html", "nothing", "empty", "with a line in it", "half", "endless", "a login page", "another kind", "lost", "500"])
def test_s48_what_is_no_token_is_backed_off(t8, answer):  # noqa: F811
    s = with_token(t8, start=False)
    s.fake.when("token", answer, times=None)
    s.gw.start()
    s.gw.ready()
    s.fake.wait("token")
    before = rss(s.gw)
    for _ in range(30):
        s.clock.forward(2)
    assert 3 <= len(tokens(s)) <= 8
    assert {r.op for r in s.fake.requests} == {"token"}
    assert rss(s.gw) - before < 4 << 20
    s.fake.normal()
    s.clock.forward(61)
    s.active()
    s.register()


# ---- TLS ----

def tls_server(ca, name="scef", san=None, host=None, client_ca=None, expired=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.issue(name, san=san if san is not None else "IP:" + host, expired=expired))
    if client_ca:
        context.load_verify_locations(str(client_ca.cert))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def secure(t8, ca, server=None, link=None, start=True, fake=None, **tls):  # noqa: F811
    """Everything at once: TLS both ways, client certificates both ways, OAuth2."""
    host, cb_host = loop_host(), loop_host()
    fake = T8Fake(host, port=8443, tls=server or tls_server(ca, host=host, **tls), auth="bearer", **(fake or {}))
    cert, key = ca.issue("gw-client")
    mine, mine_key = ca.issue("gw-server", san="IP:" + cb_host)
    s = t8(start=False, fake=fake,
           link=dict({"auth": "oauth2", "client_id": "gw", "client_secret": "file:op.secret", "token_url": fake.root + "/token",
                      "ca_file": str(ca.cert), "cert_file": str(cert), "key_file": str(key)}, **(link or {})),
           callback={"listen": cb_host + ":8444", "url": "https://%s:8444/cb" % cb_host, "cert_file": str(mine), "key_file": str(mine_key),
                     "client_ca_file": str(ca.cert)})
    s.gw.secret("op.secret", "secret")
    context = ssl.create_default_context(cafile=str(ca.cert))
    context.load_cert_chain(*ca.issue("scef-client"))
    fake.notify_tls = context
    if start:
        s.gw.start()
        s.ready()
    return s


def test_everything_over_tls_with_client_certificates_and_tokens(t8, ca):  # noqa: F811
    s = secure(t8, ca, client_ca=ca)
    s.register()
    for _ in range(3):
        s.round_trip()
    asked = s.ask()
    down = s.fake.down(M1)
    s.answer(down)
    assert s.srv.recv(where=lambda m: m.is_response).token == asked.token
    assert {r.subject["subject"][0][0][1] for r in s.fake.requests} == {"gw-client"}
    assert len(tokens(s)) == 1
    assert s.gw.ctl("device", "show", "m1")["link"]["callback_proven"] is True
    assert len({r.port for r in s.fake.requests if r.op != "token"}) <= 2   # connections are kept


def test_r8_in_1970_no_certificate_is_valid_and_the_alarm_says_so_until_the_clock_is_set(t8, ca):  # noqa: F811
    s = secure(t8, ca, client_ca=ca, start=False)
    decades = int(time.time()) - 3600
    s.clock.jump(-decades)
    s.gw.start()
    s.gw.ready()
    wait_until(lambda: any("not yet valid" in a["text"] for a in s.gw.ctl("alarms")["items"]), None,
               lambda: "an alarm that tells of the certificate: %s" % s.gw.ctl("alarms")["items"])
    assert s.gw.ctl("status")["started"].startswith("1970-01-01T0")
    s.clock.jump(decades)                                # no time passes: the back-off of the link is what it was
    s.clock.forward(61)
    s.ready()
    s.register()
    s.round_trip()
    wait_until(lambda: not s.alarms(), None, lambda: "no alarm: %s" % s.alarms())


@pytest.mark.parametrize("fault", ["expired", "name", "authority", "old"])
def test_s47_a_peer_that_is_not_trusted_gets_nothing_of_us(t8, ca, other_ca, fault):  # noqa: F811
    if fault == "old":
        context = tls_server(ca, host="127.0.0.1")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        s = secure(t8, ca, server=context, start=False)
    else:
        s = secure(t8, other_ca if fault == "authority" else ca, start=False, expired=fault == "expired",
                   san="DNS:else.example" if fault == "name" else None)
        s.tree["links"][0]["ca_file"] = str(ca.cert)
        s.gw.write(s.tree)
    s.gw.start()
    s.gw.ready()
    s.gw.wait_log(r"ev=token.failed .*why=.*(certificate|SSL|alert|version|subject name|protocol)")
    for _ in range(8):
        s.clock.forward(40)
    assert s.fake.requests == []
    s.wait_alarm("t8.unreachable")
    text = next(a for a in s.gw.ctl("alarms")["items"] if a["type"] == "t8.unreachable")["text"]
    assert re.search({"expired": "expired", "name": "name", "authority": "issuer certificate", "old": "protocol version"}[fault], text), text


# ---- redirects ----

@pytest.mark.parametrize("target", ["http://{trap}/3gpp-nidd/v1/gw/configurations", "https://{trap}/3gpp-nidd/v1/gw/configurations", "//{trap}/x",
                                    "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "gopher://{trap}/", "http://{trap}:8080@{fake}/x",
                                    "http://{fake}@{trap}/x", "http://[::1]/x", "http://{fakehost}:8081/3gpp-nidd/v1/gw/configurations"])
@pytest.mark.parametrize("status", [307, 308])
def test_s19_a_redirect_to_elsewhere_is_not_followed(t8, target, status):  # noqa: F811
    s = t8().register()
    trap = socket.socket()
    trap.bind((loop_host(), 80))
    trap.listen(16)
    trap.settimeout(0)
    side = socket.socket()
    side.bind((s.fake.host, 8081))
    side.listen(16)
    side.settimeout(0)
    where = target.format(trap=trap.getsockname()[0], fake="%s:%d" % (s.fake.host, s.fake.port), fakehost=s.fake.host)
    s.fake.when("deliver", Answer(status, headers={"Location": where}), times=None)
    s.ask()
    s.fake.wait("deliver", n=2)
    for _ in range(3):
        s.clock.forward(5)
    s.wait_alarm("t8.unreachable")
    for t in (trap, side):
        with pytest.raises(BlockingIOError):
            t.accept()
        t.close()
    s.fake.normal()
    s.clock.forward(31)
    s.round_trip()
    s.wait_alarm("t8.unreachable", False)


@pytest.mark.parametrize("answer", [
    lambda trap: Answer(201, {"self": trap + "/3gpp-nidd/v1/gw/configurations/1", "externalId": M1, "notificationDestination": trap,
                              "websockNotifConfig": {"websocketUri": trap}}, {"Location": trap + "/3gpp-nidd/v1/gw/configurations/1"})])
def test_s19_a_location_of_another_host_is_a_name_and_no_address(t8, answer):  # noqa: F811
    s = t8(start=False)
    trap = socket.socket()
    trap.bind((loop_host(), 80))
    trap.listen(16)
    trap.settimeout(0)
    s.fake.when("create", lambda r: s.fake._create(r) and answer("http://%s" % trap.getsockname()[0]))
    s.gw.start()
    s.ready()
    s.register()
    with pytest.raises(BlockingIOError):
        trap.accept()
    trap.close()
    assert s.fake.all("deliver")


def test_s19_https_never_becomes_http(t8, ca):  # noqa: F811
    s = secure(t8, ca)
    s.register()
    trap = socket.socket()
    trap.bind((s.fake.host, 8080))
    trap.listen(16)
    trap.settimeout(0)
    s.fake.when("deliver", lambda r: Answer(307, headers={"Location": "http://%s:8080%s" % (s.fake.host, r.path)}), times=None)
    s.ask()
    s.fake.wait("deliver", n=2)
    s.clock.forward(5)
    with pytest.raises(BlockingIOError):
        trap.accept()
    trap.close()


# ---- a peer in trouble ----

def test_five_faults_open_the_circuit_and_a_probe_closes_it(t8):  # noqa: F811
    s = t8(devices={k: FLEET[k] for k in ("m1", "m2")})
    s.register()
    s.register("m2")
    s.fake.when("any", Answer(500, "<html>", content_type="text/html"), times=None)
    before = s.fake.mark()
    s.ask()
    s.ask(name="m2")
    for _ in range(8):
        s.clock.forward(3)
    s.wait_alarm("t8.unreachable")
    assert s.gw.ctl("links")["items"][0]["state"] == "down"
    n = s.fake.mark()
    assert 5 <= n - before <= 8
    s.ask()
    s.clock.forward(1)
    assert s.fake.mark() == n                                   # nothing more is asked
    s.fake.up(M1, msg := s.message("POST", "/note", payload=b"x"))   # while uplinks go on
    s.srv.reply(s.srv.recv(where=lambda m: m.path() == "/note"), "2.04")
    s.clock.forward(31)
    s.settle()
    assert s.fake.mark() == n + 1                               # one probe
    s.fake.normal()
    s.clock.forward(31)
    assert s.fake.down(M1, where=lambda m: m.mid == msg.mid).code == "2.04"
    s.wait_alarm("t8.unreachable", False)
    assert s.gw.ctl("links")["items"][0]["state"] == "up"


@pytest.mark.parametrize("how", ["refuses", "is silent", "resets", "hangs in its answer", "talks nonsense"])
def test_uplinks_are_answered_whatever_becomes_of_the_peer(t8, how):  # noqa: F811
    s = t8(link={"delivery_timeout_s": 2}).register()
    if how == "refuses":
        s.fake.shut()
    else:
        def slow():
            yield b"{"
            s.fake.hold(s.fake.closing)
        answer = {"is silent": Silent(), "resets": Lost(taken=False), "talks nonsense": Answer(200, b"\x00\xff" * 300, content_type="image/png"),
                  "hangs in its answer": lambda r: Answer(200, slow())}[how]
        s.fake.when("any", answer, times=None)
    config = s.fake.config(M1)["notificationDestination"]
    for n in range(4):
        s.ask()
        msg = s.message("POST", "/note", payload=b"%d" % n)
        reply = s.fake.notify(s.fake.uplink_body(M1, msg), url=config)
        assert reply.status == 204 and reply.seconds < 1
        s.srv.reply(s.srv.recv(where=lambda m: m.is_request), "2.04")
        s.clock.forward(3)
    s.fake.normal()
    if how == "refuses":
        s.fake.open()
    s.clock.forward(130)
    s.round_trip()


def test_a_restarted_peer_gets_no_request_twice_over_its_dead_connections(t8):  # noqa: F811
    s = t8().register()
    for _ in range(5):
        s.fake.shut()
        s.fake.open()
        n = len(s.fake.all("deliver"))
        s.round_trip()
        assert len(s.fake.all("deliver")) == n + 1
