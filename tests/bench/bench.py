#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the built daemon and holds it against baselines of the same run.

Absolute figures do not travel between machines, so every target is a ratio: to a copier of datagrams, to a ping-pong, to
the daemon itself with fewer devices. The daemon under test has the first core, its ends have the second one. Prints a
table, then one JSON object (also to BUILD/bench.json); exits 1 when a target is missed.

What passes units on without a journal is held against baselines that have none either; what the journal adds is a section of its own.
The prototypes that the design was measured with are more baselines where their sources are at hand (NIDDGW_SHARED, or
../shared beside the tree); else the summary says that they were left out.
"""
import argparse
import contextlib
import json
import math
import os
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import time

import mirrored
import north
import store
from common import DUT, ENDS, ROOT, Bed, Report, background_load, build_prototype, certificate, free_ports, head, lost_of, median_of, rss_kib, t8_run, wait_listening

BARE = "journal = false;"
BURST, BURST_S = 60000, 30  # devices, seconds
LIFETIME_S = 262  # EXCHANGE_LIFETIME of both legs with ack_timeout_s = 1 south, and a little


# ---- sections ----

def pingpong(bed, report):
    head("the bare way there and back (UDP ping-pong)")
    runs = [bed.load("pingpong", "--seconds", 2, "--warmup-ms", 200, "--dut-cpu", DUT)[0] for _ in range(bed.options.repeat)]
    rtt = median_of(runs, "p50_us")
    report.figures["pingpong"] = runs
    report.row("round trip p50", f"{rtt:.0f}", "us", f"p99 {median_of(runs, 'p99_us'):.0f} us")
    return rtt


def udp(bed, report):
    head("link udp to UDP north, window 64, no journal, beside the datagram copier")
    for n in (256, 1000, 10000):
        words = ["--endpoints", n, "--window", 64, "--seconds", bed.options.seconds]
        copies, trips = [], []
        with bed.udp_daemon(n, link_keys=BARE) as p:
            for _ in range(bed.options.repeat):
                copies += bed.load("copy", *words, "--dut-cpu", DUT)
                trips += bed.load("udp", *words, *p.words)
        rate, limit = median_of(trips, "trips_per_s"), median_of(copies, "trips_per_s")
        cpu, copy_cpu = median_of(trips, "cpu_us_per_trip"), median_of(copies, "cpu_us_per_trip")
        report.figures[f"udp_{n}"] = {"udp": trips, "copy": copies}
        report.row(f"{n} endpoints", f"{rate / 1000:.1f} k/s", "",
                   f"{rate / limit:.2f} of the copier's {limit / 1000:.1f} k/s; CPU {cpu:.1f} us, copier {copy_cpu:.1f} us; "
                   f"p50 {median_of(trips, 'p50_us'):.0f} us; lost {lost_of(trips)}")
        report.check(f"udp, {n} endpoints: rate / copier (or 60 k/s)", max(rate / limit, 0.4 if rate >= 60000 else 0), 0.4, at_most=False)
        report.check(f"udp, {n} endpoints: p50 in us", median_of(trips, "p50_us"), 1000)


def unanswered(bed, report):
    head("cost beside requests that nobody answers (link udp, 1 000 endpoints)")
    figures = {}
    for n in (0, 5000):
        runs = []
        for _ in range(bed.options.repeat):
            with bed.udp_daemon(1000 + n) as p:
                runs += bed.load("udp", "--endpoints", 1000, "--unanswered", n, "--seconds", bed.options.seconds, *p.words)
        figures[n] = median_of(runs, "cpu_us_per_trip")
        report.figures[f"unanswered_{n}"] = runs
        report.row(f"{n} unanswered", f"{figures[n]:.2f}", "us CPU")
    report.check("CPU/trip with 5 000 unanswered / with none", figures[5000] / figures[0], 1.2)


def burst(bed, report):
    """R14: a site gets its power back. One gateway has a port for each device, so 65 000 of them are the most for one server by UDP."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = BURST + 1000
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(want, soft), max(want, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        want = hard
    n = min(BURST, want - 1000) if not bed.options.quick else 5000
    head(f"{n} devices register within {BURST_S} s (link udp, with journal)")
    with bed.udp_daemon(n, "ack_timeout_s = 60;", north_keys='ports = "1024-65535";') as p:
        before = rss_kib(p.pid)
        line = bed.load("udp", "--endpoints", n, "--register", "--rate", math.ceil(n / BURST_S * 1.02), "--window", n, "--warmup-ms", 0,
                        "--seconds", BURST_S, "--timeout-ms", 30000, *p.words)[0]
        grown = (rss_kib(p.pid) - before) * 1024 / n
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, want), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    report.figures["burst"] = dict(line, rss_growth=grown)
    report.row("registered", f"{line['trips']}", "", f"p99 {line['p99_us'] / 1000:.1f} ms; lost {line['lost'] + line['errors']}; CPU {line['cpu_us_per_trip']:.1f} us each")
    report.row("memory for each, duplicates remembered", f"{grown:.0f}", "B")
    report.check("burst: registrations without an answer", line["lost"] + line["errors"], 0)
    report.check("burst: p99 in ms", line["p99_us"] / 1000, 250)
    report.check("burst: octets for each device", grown, 4096)


def t8(bed, report, rtt):
    cpu = {}
    for name, tls in (("plain", None), ("TLS", certificate(bed))):
        head(f"T8 over HTTP/1.1, {name}, no journal: POST -> CoAP -> answer -> POST")
        for devices in (64, 10000):
            runs = [t8_run(bed, devices, tls, BARE) for _ in range(bed.options.repeat)]
            full, offered = [r[0] for r in runs], [r[1] for r in runs]
            cpu[name, devices] = median_of(full, "cpu_us_per_trip")
            p50, p99 = median_of(offered, "p50_us"), median_of(offered, "p99_us")
            report.figures[f"t8_{name}_{devices}"] = {"saturated": full, "offered": offered, "rss_kib": [r[2] for r in runs]}
            report.row(f"{devices} devices, as fast as it goes", f"{median_of(full, 'trips_per_s') / 1000:.1f} k/s", "",
                       f"CPU {cpu[name, devices]:.1f} us = {1000 / cpu[name, devices]:.1f} k/s per core; lost {lost_of(full)}")
            report.row(f"{devices} devices, 2 000/s: p50 / p99", f"{p50:.0f} / {p99:.0f}", "us",
                       f"p50 is {p50 / rtt:.1f} ping-pongs; CPU {median_of(offered, 'cpu_us_per_trip'):.0f} us; lost {lost_of(offered)}")
            report.check(f"T8 {name}, {devices} devices: p50 at 2 000/s / ping-pong", p50 / rtt, 3)
        report.check(f"T8 {name}: CPU/trip with 10 000 devices / with 64", cpu[name, 10000] / cpu[name, 64], 1.15)
    return cpu


def prototype(bed, report, cpu):
    """pipe: by hand on bare sockets. pipe_lib: the obvious libraries put together."""
    head("the prototypes of the design, HTTP/1.1 plain")
    port, = free_ports(1)
    sink = subprocess.Popen([bed.sim, "load", "sink", "--listen", f"127.0.0.1:{port}", "--status", "201", "--ends-cpu", str(ENDS)])
    bed.running.append(sink)
    wait_listening(port, sink)
    for name, mode, total, limit, libraries in (
            ("pipe", ["h1"], "100000", 2.0, ["-lcjson", "-lnghttp2", "-lcrypto"]),
            ("pipe_lib", [], "40000", 0.6, ["-lcjson", "-lnghttp2", "-lcrypto", "-lcoap-3-openssl", "-lcurl", "-levent"])):
        program, why = build_prototype(bed, name, *libraries)
        if not program:
            report.note(f"{name} left out: {why}")
            continue
        for devices in (64, 10000):
            command = [program, *mode, str(devices), total, str(port)] + (["0"] if mode else [])
            outs = [subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
                    for _ in range(bed.options.repeat)]
            figures = [float(re.search(r"gateway CPU\s+([\d.]+)", out).group(1)) for out in outs]
            bare = statistics.median(figures)
            report.figures[f"{name}_{devices}"] = figures
            report.row(f"{name}, {devices} devices", f"{bare:.1f}", "us CPU", f"daemon {cpu['plain', devices] / bare:.2f} of it")
            report.check(f"T8 plain, {devices} devices: CPU/trip / {name}", cpu["plain", devices] / bare, limit)
    bed.running.remove(sink)
    sink.terminate()
    sink.wait(10)


def decoding(bed, report):
    """The same pack through the bare streaming decoder of libcbor, which keeps names and numbers and knows no rule of SenML."""
    head("decoding a report of ten values, names, types and units looked up")
    program = bed.decode_program
    runs = [json.loads(subprocess.run([program, program.parents[1] / "objects.tbl"], stdout=subprocess.PIPE, text=True, check=True).stdout)
            for _ in range(bed.options.repeat)]
    report.figures["decode"] = runs
    senml, tlv = median_of(runs, "senml_cbor_ns"), median_of(runs, "tlv_ns")
    report.row("SenML CBOR", f"{senml / 1000:.2f}", "us CPU", f"{senml / 10:.0f} ns a value")
    report.row("TLV", f"{tlv / 1000:.2f}", "us CPU", f"{tlv / 10:.0f} ns a value")
    bare, why = build_prototype(bed, "cborb", "-lcbor", "-lm")
    if not bare:
        report.note(f"cborb left out: {why}")
        return
    out = subprocess.run([bare], stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
    streaming = float(re.search(r"streaming callbacks\s+(\d+)", out).group(1))
    report.row("cborb: libcbor's streaming decoder alone", f"{streaming / 1000:.2f}", "us CPU")
    report.check("decode, SenML CBOR: CPU / bare streaming decoder", senml / streaming, 7)


class Idle:
    """Two daemons whose devices have registered once and are left alone while other sections run."""

    SIZES = (1000, 10000)

    def __init__(self, bed, stack):
        self.configured, self.registered, self.daemons = {}, {}, {}
        for n in self.SIZES:
            p = stack.enter_context(bed.udp_daemon(n, "ack_timeout_s = 1;"))
            self.daemons[n] = p
            self.configured[n] = rss_kib(p.pid)
            bed.load("udp", "--endpoints", n, "--register", "--rate", 4000, "--warmup-ms", 0, "--seconds", n // 4000 + 1, *p.words)
            self.registered[n] = rss_kib(p.pid)
        self.since = time.monotonic()

    @staticmethod
    def slope(of):
        return (of[10000] - of[1000]) * 1024 / 9000

    def report(self, bed, report):
        head("memory per device beside its socket (link udp; slope between 1 000 and 10 000)")
        report.figures["rss_kib"] = {"configured": self.configured, "registered": self.registered}
        report.row("configured, never heard", f"{self.slope(self.configured):.0f}", "B", f"{self.configured[1000]} and {self.configured[10000]} KiB in all")
        report.row("registered just now, duplicates remembered", f"{self.slope(self.registered):.0f}", "B")
        wait = self.since + LIFETIME_S - time.monotonic()
        if wait > 0 and bed.options.quick:
            report.note("idle: left out in a quick run (duplicates are remembered for four minutes)")
            return
        if wait > 0:
            print(f"  .. {wait:.0f} s until duplicates are forgotten", flush=True)
            time.sleep(wait)
        idle = {n: rss_kib(p.pid) for n, p in self.daemons.items()}
        report.figures["rss_kib"]["idle"] = idle
        report.row("registered and idle", f"{self.slope(idle):.0f}", "B", f"{idle[1000]} and {idle[10000]} KiB in all")
        growth = {n: idle[n] - self.configured[n] for n in idle}
        report.row("of this the session (beyond the configured record)", f"{self.slope(growth):.0f}", "B")
        report.check("RSS per idle session beyond its record, B", self.slope(growth), 512)


def run(bed, report):
    only = bed.options.only.split(",") if bed.options.only else ["udp", "north", "handshakes", "unanswered", "burst", "t8", "pipe", "decode", "mirror", "journal", "restart", "rss"]
    with contextlib.ExitStack() as stack:
        idle = Idle(bed, stack) if "rss" in only else None
        rtt = pingpong(bed, report)
        if "udp" in only:
            udp(bed, report)
        if "north" in only:
            north.transports(bed, report)
        if "handshakes" in only:
            north.handshakes(bed, report)
        if "unanswered" in only:
            unanswered(bed, report)
        if "burst" in only:
            burst(bed, report)
        if "t8" in only:
            cpu = t8(bed, report, rtt)
            if "pipe" in only:
                prototype(bed, report, cpu)
        if "decode" in only:
            decoding(bed, report)
        if "mirror" in only:
            mirrored.mirror(bed, report)
            mirrored.harmful(bed, report)
        if "journal" in only:
            store.journal(bed, report)
        if "restart" in only:
            store.restart(bed, report)
        if idle:
            idle.report(bed, report)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("NIDDGW_BUILD", ROOT / "build")))
    parser.add_argument("--seconds", type=int, default=3, help="measured part of each run (3)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median counts (3)")
    parser.add_argument("--only", default="", help="sections, separated by commas: udp,north,handshakes,unanswered,burst,t8,pipe,decode,mirror,journal,restart,rss")
    parser.add_argument("--quick", action="store_true", help="one short run each, and no waiting: to see that it works")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.repeat = 1, 1
    report = Report()
    bed = Bed(options.build.resolve(), options)
    before = background_load()
    print(f"niddgw bench: daemon on core {DUT}, its ends on core {ENDS}; others use {before} % of the machine")
    try:
        run(bed, report)
    except RuntimeError as e:
        sys.exit(f"bench: {e}")
    finally:
        bed.close()
    head("targets")
    for c in report.checks:
        sign = "<=" if c["at_most"] else ">="
        print(f"  {'ok    ' if c['ok'] else 'MISSED'} {c['check']:<62} {c['value']:>9} {sign} {c['limit']}")
    result = {"background_percent": before, "seconds": options.seconds, "repeat": options.repeat, "checks": report.checks,
              "rows": report.rows, "notes": report.notes, "figures": report.figures}
    (options.build / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    print("\n" + json.dumps({k: result[k] for k in ("background_percent", "checks", "rows", "notes")}))
    return 0 if all(c["ok"] for c in report.checks) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
