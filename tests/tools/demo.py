#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""demo.py - the whole way on one screen: 20 simulated meters behind a simulated SCEF, the gateway, an LwM2M server, an MQTT broker

    meter (CoAP in NIDD) -> SCEF -> T8 notification -> niddgwd -> CoAP over UDP -> LwM2M server, and back
                                                          `-> plug-in mqtt -> mosquitto -> mosquitto_sub

Ends by itself after a minute, on a slow machine after two: status 0 when every meter has registered and its readings have come to the server
and to the topics of the broker, 1 when not. KEEP=1 goes on until Ctrl-C, for a longer look at the page of the gateway. DEMO_SECONDS shortens
the minute.
"""
import os
import socket
import sys
import time

import bed
import broker

METERS = 20
EXPECTED_READINGS = 2
SECONDS = float(os.environ.get("DEMO_SECONDS", "60"))
KEEP = os.environ.get("KEEP", "") not in ("", "0")


class Screen:
    """One readable line per event, with colours on a terminal."""

    def __init__(self):
        self.start, self.colour = time.monotonic(), sys.stdout.isatty()

    def say(self, who, text, colour=0):
        paint = "\033[%dm%s\033[0m" % (colour, text) if self.colour and colour else text
        print("%6.1f s  %-9s %s" % (time.monotonic() - self.start, who, paint), flush=True)


def addresses():
    """One loopback address for each end, so that no port in use elsewhere is in the way."""
    return bed.loop_host(), bed.loop_host(), bed.loop_host()


def page_address():
    """Where a browser on this machine finds the gateway: the usual port, or another one when that is taken."""
    for port in (9660, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return "127.0.0.1:%d" % s.getsockname()[1]
    raise AssertionError("no port is free on 127.0.0.1")


def tree(scef, server, host, mosquitto):
    meters = {"meter-%d" % (i + 1): "dev-%d@iot.example" % (40000 + i) for i in range(METERS)}
    config = bed.t8_config(scef, server, meters, host=host, profile={"ack_timeout_s": 15})
    config["gateway"], config["admin"] = {"id": "demo"}, {"listen": page_address()}
    config["plugins"] = [{"name": "mqtt", "broker": mosquitto.uri}]
    return config


class Progress:
    """Who has registered, who has reported how often; fed by the server's events and by what is on the topics."""

    def __init__(self, screen):
        self.screen, self.seen, self.heard, self.registered, self.readings, self.mirrored = screen, 0, 0, {}, {}, {}

    def look(self, server, watch):
        for line in server.events(since=self.seen):
            self.seen += 1
            self.take(line)
        lines = watch.out.lines
        for line in lines[self.heard:len(lines)]:
            self.heard += 1
            if isinstance(line, broker.Message):
                self.hear(line.topic, line.json)

    def take(self, line):
        ep = line.get("ep")
        if line["ev"] == "registered":
            self.registered[ep] = line["location"]
            self.screen.say(ep, "registered as %s, binding %s, lifetime %s s, from %s" % (
                line["location"], line.get("b"), line.get("lt"), line["from"]), 32)
        elif line["ev"] == "response" and line.get("cmd") == "observe":
            self.screen.say(ep, "is observed: %s now reads %s C" % (line["path"], line.get("text")))
        elif line["ev"] == "notify":
            self.readings[ep] = self.readings.get(ep, 0) + 1
        elif line["ev"] in ("failed", "expired", "refused"):
            self.screen.say(ep or "server", "%s %s" % (line["ev"], line.get("why", "")), 31)

    def hear(self, topic, report):
        """A report on MQTT; those that are notifications are the readings."""
        if report["op"] != "notify":
            return
        ep, value = report["ep"], report["values"][0]
        self.mirrored[ep] = self.mirrored.get(ep, 0) + 1
        self.screen.say("mqtt", "%s  %s, %s: %s" % (topic, value["object"], value["resource"], value["value"]), 36)

    def is_over(self):
        """The time has passed; a machine that is busy, or whose disk is slow, gets a minute more."""
        passed = time.monotonic() - self.screen.start
        return passed >= SECONDS and (self.complete() or passed >= SECONDS + 60)

    def complete(self):
        return len(self.registered) == METERS and all(
            sum(n >= EXPECTED_READINGS for n in way.values()) == METERS for way in (self.readings, self.mirrored))


def show_both_ways(server, screen):
    """A read and a write from the server, so that the way down is seen as well."""
    answer = server.cmd("read", ep="meter-3", path="/3/0/9", accept="text")
    screen.say("server", "reads the battery level of meter-3: %s %%   (%s)" % (answer.get("text"), answer.get("code", answer["ev"])), 33)
    answer = server.cmd("write", ep="meter-3", path="/3/0/15", value="Europe/Berlin")
    screen.say("server", "writes the time zone of meter-3: %s" % answer.get("code", answer["ev"]), 33)
    return answer.get("code") == "2.04"


def run(stand, screen):
    here, north, api = addresses()
    server = stand.server("--observe", "/3303/0/5700", "--accept", "text", host=north)
    scef = stand.scef(radio=True, host=api)
    mosquitto = broker.Broker(stand)
    config = tree(scef, server, here, mosquitto)
    watch = mosquitto.watch("niddgw/v1/demo/dev/+/event/data")
    gateway = stand.gateway(config, log_level="warning")
    gateway.admin = config["admin"]["listen"]
    gateway.ready()
    gateway.wait_metric("niddgw_mqtt_connected", 1)
    scef.wait("request", n=METERS, op="create", status=201)
    screen.say("scef", "serves T8 at %s and has a configuration for each of %d meters" % (scef.root, METERS))
    screen.say("server", "is an LwM2M server at %s" % server.uri)
    screen.say("broker", "is mosquitto; all readings: mosquitto_sub -h %s -t 'niddgw/v1/+/dev/+/event/data'" % mosquitto.host)
    screen.say("gateway", "is ready; or: %s -s %s status" % (bed.build_dir() / "niddgwctl", gateway.dir / "run" / "ctl"))
    screen.say("gateway", "shows itself at http://%s/ while this runs" % gateway.admin, 33)
    stand.devices(scef.radio, "--count", METERS, "--prefix", "meter-", "--rate", "10", "--lifetime", "300",
                  "--notify", int(min(8000, SECONDS * 120)))
    progress, shown, well = Progress(screen), False, False
    while KEEP or not progress.is_over():
        progress.look(server, watch)
        if not shown and len(progress.registered) == METERS:
            shown, well = True, show_both_ways(server, screen)
        time.sleep(0.1)
    progress.look(server, watch)
    return report(progress, gateway, screen) and well


def report(progress, gateway, screen):
    screen.say("", "%d of %d meters registered" % (len(progress.registered), METERS))
    for who, readings in (("server", progress.readings), ("mqtt", progress.mirrored)):
        screen.say(who, "has had %d readings, at least %d of each meter" % (
            sum(readings.values()), min([readings.get(m, 0) for m in progress.registered] or [0])))
    screen.say("gateway", "carried %d units up: %d requests answered, %d passed on, %d dropped" % (
        gateway.metric("niddgw_uplink_total"), gateway.metric('niddgw_uplink_total{result="answered"}'),
        gateway.metric('niddgw_uplink_total{result="forwarded"}'), gateway.metric('niddgw_uplink_total{result="dropped"}')))
    return progress.complete()


def main():
    if broker.missing:
        print("demo: %s" % broker.missing, file=sys.stderr)
        return 1
    for name in ("niddgwd", "niddgwctl", "niddgw-sim", "niddgw-plugin-host"):
        if not (bed.build_dir() / name).exists():
            print("demo: %s is not built; run make first" % (bed.build_dir() / name), file=sys.stderr)
            return 1
    stand, screen, well = bed.Bed(), Screen(), False
    try:
        well = run(stand, screen)
    except KeyboardInterrupt:
        well = True
    except AssertionError as fault:
        screen.say("demo", str(fault), 31)
    finally:
        stand.close()
    screen.say("demo", "success" if well else "FAILED", 32 if well else 31)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
