#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""demo.py - the whole way on one screen: 20 simulated meters behind a simulated SCEF, the gateway, an LwM2M server

    meter (CoAP in NIDD) -> SCEF -> T8 notification -> niddgwd -> CoAP over UDP -> LwM2M server, and back

Ends by itself after a minute, on a slow machine after two: status 0 when every meter has registered and delivered readings, 1 when not. KEEP=1 goes on
until Ctrl-C and tells where the gateway can be looked at. DEMO_SECONDS shortens the minute.
"""
import os
import sys
import time

import bed

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


def tree(scef, server, host):
    meters = {"meter-%d" % (i + 1): "dev-%d@iot.example" % (40000 + i) for i in range(METERS)}
    return bed.t8_config(scef, server, meters, host=host, profile={"ack_timeout_s": 15})


class Progress:
    """Who has registered, who has reported how often; fed by the server's events."""

    def __init__(self, screen):
        self.screen, self.seen, self.registered, self.readings = screen, 0, {}, {}

    def look(self, server):
        for line in server.events(since=self.seen):
            self.seen += 1
            self.take(line)

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
            self.screen.say(ep, "reading %s C   (%d of this meter)" % (line.get("text"), self.readings[ep]), 36)
        elif line["ev"] in ("failed", "expired", "refused"):
            self.screen.say(ep or "server", "%s %s" % (line["ev"], line.get("why", "")), 31)

    def is_over(self):
        """The time has passed; a machine that is busy, or whose disk is slow, gets a minute more."""
        passed = time.monotonic() - self.screen.start
        return passed >= SECONDS and (self.complete() or passed >= SECONDS + 60)

    def complete(self):
        return len(self.registered) == METERS and sum(n >= EXPECTED_READINGS for n in self.readings.values()) == METERS


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
    gateway = stand.gateway(tree(scef, server, here), log_level="warning")
    gateway.ready()
    scef.wait("request", n=METERS, op="create", status=201)
    screen.say("scef", "serves T8 at %s and has a configuration for each of %d meters" % (scef.root, METERS))
    screen.say("server", "is an LwM2M server at %s" % server.uri)
    screen.say("gateway", "is ready; look at http://%s/metrics, or: %s -s %s status" % (
        gateway.admin, bed.build_dir() / "niddgwctl", gateway.dir / "run" / "ctl"))
    stand.devices(scef.radio, "--count", METERS, "--prefix", "meter-", "--rate", "10", "--lifetime", "300",
                  "--notify", int(min(8000, SECONDS * 120)))
    progress, shown, well = Progress(screen), False, False
    while KEEP or not progress.is_over():
        progress.look(server)
        if not shown and len(progress.registered) == METERS:
            shown, well = True, show_both_ways(server, screen)
        time.sleep(0.1)
    progress.look(server)
    return report(progress, gateway, screen) and well


def report(progress, gateway, screen):
    readings = sum(progress.readings.values())
    screen.say("", "%d of %d meters registered; %d readings arrived, at least %d of each meter" % (
        len(progress.registered), METERS, readings, min([progress.readings.get(m, 0) for m in progress.registered] or [0])))
    screen.say("gateway", "carried %d units up: %d requests answered, %d passed on, %d dropped" % (
        gateway.metric("niddgw_uplink_total"), gateway.metric('niddgw_uplink_total{result="answered"}'),
        gateway.metric('niddgw_uplink_total{result="forwarded"}'), gateway.metric('niddgw_uplink_total{result="dropped"}')))
    return progress.complete()


def main():
    for name in ("niddgwd", "niddgwctl", "niddgw-sim"):
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
