# SPDX-License-Identifier: Apache-2.0
"""What is mirrored to a real broker (Debian's mosquitto), seen by its own clients; each message is checked against its schema."""
import base64
import json
import subprocess

import pytest

from bed import loop_host, udp_config, wait_until
from broker import PUB, Broker, check_all, missing
from certs import Authority
from coapmsg import ACK, CON, Msg
from pair import LOCATION, REGISTER

pytestmark = pytest.mark.skipif(missing is not None, reason=str(missing))
BASE = "niddgw/v1/test"
DEV = BASE + "/dev/meter-17"
CONTENT_FORMAT = 12


class Mirrored:
    def __init__(self, testbed, gateway, broker, plugin=None, profile=None, devices=None):
        self.testbed, self.broker = testbed, broker
        self.host = loop_host()
        self.server = testbed.peer(loop_host(), 5683)
        tree = udp_config("coap://%s:5683" % self.server.sock.getsockname()[0], dict({"meter-17": self.host}, **(devices or {})), profile=profile)
        tree["plugins"] = [dict({"name": "mqtt", "broker": broker.uri}, **(plugin or {}))]
        self.tree, self.gw = tree, gateway(tree).ready()
        self.device = testbed.peer(self.host, 0, (tree["links"][0]["listen"].split(":")[0], 20000))
        self.mid = 1000

    def register(self):
        self.device.send(REGISTER)
        self.server.reply(self.server.recv(), "2.01", options=LOCATION)
        assert self.device.recv().code == "2.01"

    def read(self, path, fmt, payload):
        """The server reads; the device answers."""
        self.mid += 1
        ask = Msg(type=CON, code="0.01", mid=self.mid, token=b"r%d" % self.mid, options=[(11, s.encode()) for s in path.split("/")[1:]])
        self.server.send(ask, to=self.server.source)
        got = self.device.recv()
        self.device.send(Msg(type=ACK, code="2.05", mid=got.mid, token=got.token, options=[(CONTENT_FORMAT, fmt.to_bytes(2, "big").lstrip(b"\0"))], payload=payload))
        assert self.server.recv().code == "2.05"


@pytest.fixture
def mirrored(testbed, gateway):
    broker = Broker(testbed)
    watch = broker.watch(BASE + "/#")
    m = Mirrored(testbed, gateway, broker)
    m.watch = watch
    watch.wait(BASE + "/state/conn", where=lambda x: x.json["state"] == "online")
    return m


def test_lwm2m_1_8_a_registration_and_a_reading_arrive(mirrored):
    mirrored.register()
    event = mirrored.watch.wait(DEV + "/event/session").json
    assert event["event"] == "registered" and event["server"] == "main" and event["lifetime_s"] == 86400
    state = mirrored.watch.wait(DEV + "/state/session", where=lambda m: m.json["state"] == "registered")
    assert state.qos == 1
    assert mirrored.watch.wait(DEV + "/state/objects").json["objects"]
    mirrored.read("/3303/0/5700", 0, b"21.5")
    data = mirrored.watch.wait(DEV + "/event/data", where=lambda m: m.json["op"] == "read").json
    assert data["path"] == "/3303/0/5700" and data["format"] == "text/plain" and data["server"] == "main"
    assert data["values"] == [{"path": "/3303/0/5700", "object": "Temperature", "resource": "Sensor Value", "type": "float", "value": 21.5}]
    assert check_all(mirrored.watch, BASE) > 5


def test_state_is_retained_and_the_goodbye_too(mirrored):
    mirrored.register()
    mirrored.watch.wait(DEV + "/state/session", where=lambda m: m.json["state"] == "registered")
    mirrored.gw.stop()
    last = mirrored.watch.wait(BASE + "/state/conn", where=lambda m: m.json["state"] == "offline").json
    assert last["reason"] == "stopped"
    late = mirrored.broker.watch(BASE + "/#")
    assert late.wait(BASE + "/state/conn").json["state"] == "offline"
    assert late.wait(DEV + "/state/session").retained
    assert not late.messages(DEV + "/event/session")


def test_the_will_tells_that_it_is_lost(testbed, gateway):
    broker = Broker(testbed)
    m = Mirrored(testbed, gateway, broker, plugin={"will_delay_s": 0})
    watch = broker.watch(BASE + "/#")
    watch.wait(BASE + "/state/conn")
    boot = watch.messages(BASE + "/state/conn")[-1].json["boot"]
    m.gw.kill9()
    lost = watch.wait(BASE + "/state/conn", where=lambda x: x.json["state"] == "offline").json
    assert lost["reason"] == "lost" and lost["boot"] == boot and "ts" not in lost


def test_each_payload_says_what_it_is_the_will_too(testbed, gateway):
    broker = Broker(testbed)
    m = Mirrored(testbed, gateway, broker, plugin={"will_delay_s": 0})
    watch = broker.watch(BASE + "/#", "-F", "%r %q %t %F %C\t%p")  # payload format and content type behind the topic
    m.register()
    said = " 1 application/json"
    watch.wait(DEV + "/event/session" + said)
    watch.wait(DEV + "/event/data" + said)
    m.gw.kill9()
    watch.wait(BASE + "/state/conn" + said, where=lambda x: x.json["state"] == "offline")
    assert not [x for x in watch.messages() if not x.topic.endswith(said)]


def test_a_forgetful_broker_is_told_everything_again(mirrored):
    mirrored.register()
    mirrored.watch.wait(DEV + "/state/session", where=lambda m: m.json["state"] == "registered")
    mirrored.broker.stop()
    mirrored.broker.start()
    fresh = mirrored.broker.watch(BASE + "/#")
    fresh.wait(DEV + "/state/session", where=lambda m: m.json["state"] == "registered")
    fresh.wait(BASE + "/state/info")
    fresh.wait(BASE + "/state/conn", where=lambda m: m.json["state"] == "online")
    assert check_all(fresh, BASE)


def test_R13_lwm2m_48_events_wait_on_disk_while_the_broker_is_away(mirrored):
    mirrored.register()
    mirrored.watch.wait(DEV + "/event/session")
    mirrored.broker.stop()
    mirrored.gw.wait_log("broker.down")
    for i in range(20):
        mirrored.read("/3303/0/5700", 0, b"%d" % i)
    wait_until(lambda: mirrored.gw.metric("niddgw_mqtt_spool_bytes") > 0)
    mirrored.broker.start()
    back = mirrored.broker.watch(BASE + "/#")
    got = back.wait(DEV + "/event/data", n=20)
    assert [m.json["values"][0]["value"] for m in got] == [float(i) for i in range(20)]
    assert mirrored.gw.metric("niddgw_mqtt_dropped_total") == 0
    came = [line.split("'")[1] for line in mirrored.broker.program.err.lines if "Received PUBLISH from niddgw" in line]  # in this order
    for state in (BASE + "/state/info", BASE + "/state/health", DEV + "/state/session", DEV + "/state/objects"):
        assert came.index(state) < came.index(DEV + "/event/data"), came
    assert mirrored.gw.metric('niddgw_uplink_total{result="answered"}') == 1


def test_the_spool_is_bounded_and_what_had_to_go_is_counted(testbed, gateway):
    broker = Broker(testbed)
    m = Mirrored(testbed, gateway, broker, plugin={"spool_max_bytes": 1 << 20}, profile={"quota_units_per_min": 100000})
    m.register()
    m.gw.wait_log("broker.up")
    broker.stop()
    m.gw.wait_log("broker.down")
    for i in range(800):
        m.read("/19/0/0", 42, b"%03d" % i + b"x" * 1200)
    dropped = 'niddgw_mqtt_dropped_total{reason="spool"}'
    wait_until(lambda: 0 < m.gw.metric("niddgw_mqtt_spool_bytes") <= 1 << 20 and m.gw.metric(dropped) > 0)
    assert [a["type"] for a in m.gw.ctl("alarms")["items"]] == ["mqtt.dropped"]
    broker.start()
    watch = broker.watch(BASE + "/#")

    def number(message):
        return message.json["op"] == "read" and int(base64.b64decode(message.json["values"][0]["value"])[:3])
    watch.wait(DEV + "/event/data", where=lambda x: number(x) == 799)
    kept = [number(x) for x in watch.messages(DEV + "/event/data") if x.json["op"] == "read"]
    assert kept == list(range(800 - len(kept), 800)) and len(kept) < 800  # the oldest had to go
    assert m.gw.metric('niddgw_uplink_total{result="answered"}') == 1


def test_commands_are_answered_where_they_asked(mirrored):
    mirrored.register()
    answer = mirrored.broker.ask(BASE + "/command/ping", {"v": 1, "id": "c-1"}, BASE + "/response/mine")
    assert answer["id"] == "c-1" and answer["status"] == "ok" and answer["final"] and answer["command"] == "ping"
    shown = mirrored.broker.ask(DEV + "/command/show", {"v": 1, "id": "c-2"}, BASE + "/response/mine")
    assert shown["status"] == "ok" and shown["device"] == "meter-17" and shown["data"]["state"] == "registered"
    assert check_all(mirrored.watch, BASE)


@pytest.mark.parametrize("name, request_, code", [
    ("nonsense", {"v": 1, "id": "x"}, "unsupported"), ("reload", {"v": 1, "id": "x"}, "forbidden"), ("ping", {"v": 2, "id": "x"}, "bad_request"),
    ("ping", {"v": 1}, "bad_request"), ("ping", {"v": 1, "id": 7}, "bad_request")])
def test_S38_what_is_wrong_is_told(mirrored, name, request_, code):
    answer = mirrored.broker.ask(BASE + "/command/" + name, request_, BASE + "/response/mine")
    assert answer["status"] == "error" and answer["error"]["code"] == code
    mirrored.broker.publish(DEV + "/command/read", json.dumps({"v": 1, "id": "r", "args": {"path": "/3/0"}}))
    assert mirrored.watch.wait(BASE + "/response/read").json["error"]["code"] == "forbidden"
    check_all(mirrored.watch, BASE)


def test_S38_a_command_of_a_megabyte_is_told_that_it_is_too_big(mirrored):
    ask = subprocess.Popen([PUB, "-h", mirrored.broker.host, "-p", str(mirrored.broker.port), "-t", BASE + "/command/ping", "-s", "-q", "1", "-V", "5"],
                           stdin=subprocess.PIPE)
    ask.communicate(json.dumps({"v": 1, "id": "m", "x": "y" * (1 << 20)}).encode())
    answer = mirrored.watch.wait(BASE + "/response/ping").json
    assert answer["status"] == "error" and answer["error"]["code"] == "too_big" and ask.returncode == 0


def test_S38_a_response_topic_elsewhere_is_not_used(mirrored):
    for topic in ("elsewhere", BASE + "/command/ping", BASE + "/response/", "niddgw/v1/other/response/x"):
        mirrored.broker.publish(BASE + "/command/ping", json.dumps({"v": 1, "id": topic}), "-D", "publish", "response-topic", topic)
        assert mirrored.watch.wait(BASE + "/response/ping", where=lambda m, t=topic: m.json["id"] == t).json["status"] == "ok"


def test_S38_a_retained_command_is_ignored(mirrored):
    mirrored.broker.publish(BASE + "/command/ping", json.dumps({"v": 1, "id": "stale"}), "-r")
    mirrored.broker.publish(BASE + "/command/ping", json.dumps({"v": 1, "id": "fresh"}))
    mirrored.watch.wait(BASE + "/response/ping", where=lambda m: m.json["id"] == "fresh")
    assert not [m for m in mirrored.watch.messages(BASE + "/response/ping") if m.json["id"] == "stale"]


def test_commands_that_are_allowed_reach_the_device(testbed, gateway):
    broker = Broker(testbed)
    m = Mirrored(testbed, gateway, broker, plugin={"commands": ["read", "write", "execute"]})
    watch = broker.watch(BASE + "/#")
    m.register()
    broker.publish(DEV + "/command/read", json.dumps({"v": 1, "id": "r1", "args": {"path": "/3303/0/5700"}}))
    got = m.device.recv()
    assert got.code == "0.01" and [v for n, v in got.options if n == 11] == [b"3303", b"0", b"5700"]
    m.device.send(Msg(type=ACK, code="2.05", mid=got.mid, token=got.token, options=[(CONTENT_FORMAT, b"")], payload=b"19.25"))
    answer = watch.wait(BASE + "/response/read", where=lambda x: x.json["final"]).json
    assert answer["code"] == "2.05" and answer["data"]["values"][0]["value"] == 19.25
    data = watch.wait(DEV + "/event/data", where=lambda x: x.json["op"] == "read").json
    assert data["server"] == "gateway"
    check_all(watch, BASE)


def test_S39_a_command_that_comes_again_is_carried_out_once(testbed, gateway):
    broker = Broker(testbed)
    m = Mirrored(testbed, gateway, broker, plugin={"commands": ["read"]})
    watch = broker.watch(BASE + "/#")
    m.register()
    request = json.dumps({"v": 1, "id": "r1", "args": {"path": "/3303/0/5700"}})
    for _ in range(5):
        broker.publish(DEV + "/command/read", request)
    got = m.device.recv()
    m.device.send(Msg(type=ACK, code="2.05", mid=got.mid, token=got.token, options=[(CONTENT_FORMAT, b"")], payload=b"1"))
    watch.wait(BASE + "/response/read", where=lambda x: x.json["final"])
    for _ in range(5):
        broker.publish(DEV + "/command/read", request)
    answers = watch.wait(BASE + "/response/read", n=5, where=lambda x: x.json["final"])
    assert len({json.dumps(x.json["data"]) for x in answers}) == 1
    m.device.silent(0.3)  # not asked again


def test_options_that_cannot_work_are_faults_of_the_configuration(gateway):
    tree = udp_config("coap://127.0.0.1:5683", {})
    gw = gateway(tree).ready()
    tree["plugins"] = [{"name": "a", "plugin": "mqtt", "broker": "http://localhost:1883"}, {"name": "b", "plugin": "mqtt", "broker": "mqtt://"},
                       {"name": "c", "plugin": "mqtt", "broker": "mqtts://[::1]:8883", "commands": ["read", "raed"]}]
    gw.write(tree)
    status, text = gw.check()
    assert status == 1
    for fault in ('plugins[0].broker: "http://localhost:1883" is no mqtt://HOST[:PORT]', 'plugins[1].broker: "mqtt://" is no mqtt://HOST[:PORT]',
                  'plugins[2].commands[1]: there is no command "raed"'):
        assert fault in text, text
    assert "plugins[2].broker" not in text


def test_what_a_plugin_says_of_its_options_is_told(testbed, gateway):
    tree = udp_config("coap://127.0.0.1:5683", {})
    tree["plugins"] = [{"name": "mqtt", "broker": "mqtt://127.0.0.1:1", "prefix": "a/#"}]
    gw = gateway(tree).ready()
    wait_until(lambda: "prefix cannot begin a topic" in (gw.ctl("plugins")["items"][0].get("reason") or ""))
    assert "prefix cannot begin a topic" in gw.ctl("alarms")["items"][0]["text"]


def test_S32_odd_names_have_topics_of_their_own(testbed, gateway):
    names = ["a+b", "#", "$SYS", "..", "%2F", "a%2Fb", "\U0001f321", "x" * 128, "\u00e9" * 60]
    broker = Broker(testbed)
    watch = broker.watch("#")
    m = Mirrored(testbed, gateway, broker, devices={n: loop_host() for n in names})
    states = watch.wait(BASE + "/dev/meter-17/state/session") and None
    wait_until(lambda: len({x.topic for x in watch.messages() if x.topic.endswith("/state/session")}) == len(names) + 1)
    topics = {x.topic: x.json["device"] for x in watch.messages() if x.topic.endswith("/state/session")}
    assert sorted(topics.values()) == sorted(names + ["meter-17"]) and states is None
    for t in topics:
        level = t.split("/")[4]
        assert len(t.split("/")) == 7 and len(level) <= 128 and not set(level) & set("+#$/ ")
    assert all(x.topic.startswith(BASE + "/") for x in watch.messages())
    check_all(watch, BASE)


def test_two_brokers_get_the_same(testbed, gateway):
    first, second = Broker(testbed), Broker(testbed)
    server, host = testbed.peer(loop_host(), 5683), loop_host()
    tree = udp_config("coap://%s:5683" % server.sock.getsockname()[0], {"meter-17": host})
    tree["plugins"] = [{"name": "mqtt", "broker": first.uri}, {"name": "second", "plugin": "mqtt", "broker": second.uri, "prefix": "site/b"}]
    watches = first.watch(BASE + "/#"), second.watch("site/b/v1/test/#")
    gateway(tree).ready()
    device = testbed.peer(host, 0, (tree["links"][0]["listen"].split(":")[0], 20000))
    device.send(REGISTER)
    server.reply(server.recv(), "2.01", options=LOCATION)
    assert device.recv().code == "2.01"
    one = watches[0].wait(DEV + "/event/session").json
    other = watches[1].wait("site/b/v1/test/dev/meter-17/event/session").json
    assert one == other
    check_all(watches[1], "site/b/v1/test")


def test_an_older_mqtt_and_senml(testbed, gateway):
    broker = Broker(testbed)
    watch = broker.watch(BASE + "/#")
    m = Mirrored(testbed, gateway, broker, plugin={"protocol": "3.1.1", "data_format": "senml", "last_value": True})
    m.register()
    m.read("/3303/0/5700", 0, b"21.5")
    pack = watch.wait(DEV + "/event/data", where=lambda x: x.payload.startswith("[")).json
    flat = {}
    for r in pack:
        flat.update(r)
    assert flat["v"] == 21.5 and (flat.get("bn", "") + flat.get("n", "")).endswith("/3303/0/5700")
    last = watch.wait(DEV + "/state/value/3303/0/5700")
    assert last.json["value"] == 21.5


def test_the_last_value_of_each_resource_is_retained(testbed, gateway):
    broker = Broker(testbed)
    m = Mirrored(testbed, gateway, broker, plugin={"last_value": True})
    m.register()
    for v in (b"21.5", b"22.5"):
        m.read("/3303/0/5700", 0, v)
    m.read("/3303/0/5701", 0, b"Cel")
    topic = DEV + "/state/value/3303/0/"
    broker.watch(BASE + "/#").wait(topic + "5700", where=lambda x: x.json["value"] == 22.5)
    broker.stop()
    broker.start()  # it has forgotten
    watch = broker.watch(BASE + "/#")
    assert watch.wait(topic + "5701").json["value"] == "Cel"
    assert watch.wait(topic + "5700").json["value"] == 22.5
    check_all(watch, BASE)
    m.gw.write({k: v for k, v in m.tree.items() if k != "devices"})
    m.gw.reload()
    watch.wait(topic + "5700", where=lambda x: not x.payload)
    watch.wait(DEV + "/state/session", where=lambda x: not x.payload)


def test_a_wrong_password_is_told_and_tried_again(testbed, gateway, tmp_path):
    import subprocess
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "gw", "right"], check=True)
    passwords.chmod(0o644)
    tmp_path.chmod(0o755)
    broker = Broker(testbed, config="user root\nallow_anonymous false\npassword_file %s\n" % passwords)
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    m = Mirrored(testbed, gateway, broker, plugin={"user": "gw", "password": "file:%s" % secret})
    m.gw.wait_log("broker.down")
    m.register()
    assert not any("wrong" in line for line in m.gw.log.lines)
    secret.write_text("right\n")
    assert m.gw.metric("niddgw_mqtt_connected") == 0


@pytest.fixture
def secured(testbed, tmp_path):
    """A broker that wants a certificate of its clients and has one for broker.example itself."""
    ca = Authority(tmp_path / "ca")
    cert, key = ca.issue("broker", san="DNS:broker.example")
    broker = Broker(testbed, config="user root\nallow_anonymous true\nrequire_certificate true\ncafile %s\ncertfile %s\nkeyfile %s\n"
                    "listener 1884 127.0.0.1\nallow_anonymous true\n" % (ca.cert, cert, key), tls=True, port=8883)
    broker.ca = ca
    broker.client = ca.issue("gateway")
    return broker


def test_tls_with_certificates_of_both_sides(testbed, gateway, secured):
    m = Mirrored(testbed, gateway, secured, plugin={"ca_file": str(secured.ca.cert), "server_name": "broker.example", "cert_file": str(secured.client[0]),
                                                    "key_file": str(secured.client[1])})
    wait_until(lambda: m.gw.metric("niddgw_mqtt_connected") == 1)
    m.register()
    wait_until(lambda: m.gw.metric('niddgw_mqtt_published_total{kind="session"}') >= 1)


@pytest.mark.parametrize("wrong", ["name", "authority", "no certificate"])
def test_S47_tls_that_is_not_right_is_refused(testbed, gateway, secured, tmp_path, wrong):
    keys = {"ca_file": str(secured.ca.cert), "server_name": "broker.example", "cert_file": str(secured.client[0]), "key_file": str(secured.client[1])}
    if wrong == "name":
        keys["server_name"] = "other.example"
    elif wrong == "authority":
        keys["ca_file"] = str(Authority(tmp_path / "other").cert)
    else:
        del keys["cert_file"], keys["key_file"]
    m = Mirrored(testbed, gateway, secured, plugin=keys)
    m.gw.wait_log("broker.down")
    m.register()
    assert m.gw.metric("niddgw_mqtt_connected") == 0 and m.gw.metric("niddgw_mqtt_published_total") == 0
