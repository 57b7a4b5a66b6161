# SPDX-License-Identifier: Apache-2.0
"""broker.py - Debian's mosquitto and its clients, for tests of what is mirrored.

    broker = Broker(testbed)                       # loopback, anonymous; keeps retained messages in memory
    watch = broker.watch()                         # everything below niddgw/, from now on and what is retained
    watch.wait("niddgw/v1/test/dev/meter-17/event/data")
"""
import json
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import jsonschema

from bed import DEADLINE, Lines, Program, loop_host

MOSQUITTO, SUB, PUB, RR = (shutil.which(n) or shutil.which(n, path="/usr/sbin") for n in ("mosquitto", "mosquitto_sub", "mosquitto_pub", "mosquitto_rr"))
SCHEMAS = Path(__file__).resolve().parents[2] / "plugins" / "mqtt" / "schema"
missing = None if MOSQUITTO and SUB and RR else "mosquitto and mosquitto-clients are not installed"


class Broker:
    def __init__(self, testbed, config="allow_anonymous true\n", host=None, port=1883, tls=False):
        self.testbed, self.host, self.port = testbed, host or loop_host(), port
        self.dir = tempfile.TemporaryDirectory(prefix="ngw-broker-")
        self.file = Path(self.dir.name) / "mosquitto.conf"
        self.text = "listener %d %s\n%slog_type all\nmax_queued_messages 20000\n" % (port, self.host, config)
        self.tls = tls
        self.uri = "%s://%s:%d" % ("mqtts" if tls else "mqtt", self.host, port)
        self.file.write_text(self.text)
        self.start()

    def start(self):
        self.program = Program([MOSQUITTO, "-c", self.file])
        self.testbed.items.append(self.program)
        self.program.err.wait(lambda line: "running" in line)
        return self

    def stop(self):
        self.program.stop()

    def watch(self, topic="#", *args):
        watch = Watch(self, topic, *args)
        self.testbed.items.append(watch)
        return watch

    def publish(self, topic, payload, *args):
        subprocess.run([PUB, "-h", self.host, "-p", str(self.port), "-t", topic, "-m", payload, "-V", "5", *args], check=True, timeout=DEADLINE)

    def ask(self, topic, request, answer_topic, *args):
        """A request by mosquitto_rr; the answer's payload."""
        done = subprocess.run([RR, "-h", self.host, "-p", str(self.port), "-V", "5", "-t", topic, "-e", answer_topic, "-m", json.dumps(request),
                               "-W", "15", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=2 * DEADLINE)
        assert done.returncode == 0, done
        return json.loads(done.stdout)


class Message:
    def __init__(self, retained, qos, topic, payload):
        self.retained, self.qos, self.topic, self.payload = retained, qos, topic, payload

    @property
    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return "%s %s%s" % (self.topic, "(retained) " if self.retained else "", self.payload[:300])




class Watch(Program):
    """mosquitto_sub on a topic: messages in the order they came."""

    def __init__(self, broker, topic, *args):
        super().__init__(["stdbuf", "-oL", SUB, "-h", broker.host, "-p", broker.port, "-t", topic, "-q", "1", "-V", "5", "-d", "-F", "%r %q %t\t%p", *args], stdout=WatchLines)
        assert self.out.subscribed.wait(DEADLINE), "the subscription was not confirmed"

    def wait(self, topic, n=1, since=0, timeout=None, where=lambda m: True):
        return self.out.wait(lambda m: isinstance(m, Message) and m.topic == topic and where(m), n, since, timeout, topic)

    def messages(self, topic=None):
        return [m for m in self.out.lines if isinstance(m, Message) and (topic is None or m.topic == topic)]


class WatchLines(Lines):
    def __init__(self, stream, echo=None):
        self.subscribed = threading.Event()
        super().__init__(stream, echo)

    def parse(self, line):
        head, tab, payload = line.partition("\t")
        words = head.split(" ", 2)
        if tab and len(words) == 3 and words[0] in "01":
            return Message(words[0] == "1", int(words[1]), words[2], payload)
        if line.startswith("Subscribed"):
            self.subscribed.set()
        return line


def schema_of(topic, base):
    """The file that describes what is on a topic below base; None: the topic is not ours."""
    if not topic.startswith(base + "/"):
        return None
    words = topic[len(base) + 1:].split("/")
    if words[0] == "dev" and len(words) > 2:
        words = ["dev"] + words[2:]
    if words[:2] == ["state", "alarm"]:
        words = words[:2]
    if words[:3] == ["dev", "state", "value"]:
        words = words[:3]
    if words[0] == "response":
        words = words[:1]
    if "command" in words[:2]:
        words = ["command"]
    return SCHEMAS / ("-".join(words) + ".schema.json")


def check_all(watch, base):
    """Every message against its schema; a topic without one is a fault. How many were checked."""
    known, n = {}, 0
    for m in watch.messages():
        file = schema_of(m.topic, base)
        assert file and file.exists(), m
        if file.name.startswith("command."):  # a test's own
            continue
        if not m.payload:
            assert "/state/" in m.topic, m
            continue
        if file not in known:
            known[file] = jsonschema.Draft7Validator(json.loads(file.read_text()))
        faults = [e.message for e in known[file].iter_errors(m.json)]
        assert not faults, (m, faults)
        n += 1
    return n
