# SPDX-License-Identifier: Apache-2.0
"""mirrored.py - what it costs to mirror a report of ten values to MQTT

Devices send reports (Send, SenML CBOR) through two daemons, one of them with the mqtt plug-in and a broker: as fast as they
go, and then at a rate that leaves the core idle mostly. What the busy daemon uses more, and what the plug-in's process uses, is
the cost of a record. Its baseline are the prototypes of the design: reading the same pack by hand, printing ten values, and
publishing 200 octets with libmosquitto, in QoS 1 as the tree of topics asks for it.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import time

from common import DUT, ENDS, build_prototype, free_ports, head, lost_of, median_of, wait_listening

DEVICES, RATE = 256, 2000


@contextlib.contextmanager
def broker(bed):
    port, = free_ports(1)
    conf = bed.dir / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_type error\n")
    p = subprocess.Popen(["/usr/sbin/mosquitto", "-c", conf], preexec_fn=lambda: os.sched_setaffinity(0, {ENDS}))
    bed.running.append(p)
    wait_listening(port, p)
    try:
        yield p, port
    finally:
        bed.running.remove(p)
        p.terminate()
        p.wait(10)


def host_of(daemon):
    """The process of the only plug-in."""
    pid, = pathlib.Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    return int(pid)


def cpu_ns(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def ask(bed, daemon, *words):
    out = subprocess.run([bed.ctl, "-s", daemon.home / "run" / "ctl", "--json", *words], stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(out)


def wait_until_running(bed, daemon):
    until = time.monotonic() + 20
    while ask(bed, daemon, "plugins")["items"][0]["state"] != "running":
        if time.monotonic() > until:
            raise RuntimeError("the plug-in does not run:\n" + (daemon.home / "log").read_text()[-2000:])
        time.sleep(0.05)


def records(bed, daemon):
    return ask(bed, daemon, "command", "stats")["data"]["counters"]["mirror_records_total"]


def dropped(bed, daemon):
    return ask(bed, daemon, "plugins")["items"][0]["dropped"]


def offer(bed, daemon, host):
    """Two lines of the load; the first has the plug-in's CPU for each report, and how many it did not get."""
    before = host and (cpu_ns(host), records(bed, daemon), dropped(bed, daemon))
    words = ["udp", "--report", "--endpoints", DEVICES, "--seconds", bed.options.seconds, *daemon.words]
    full = bed.load(*words, "--window", 64)[0]
    if host:
        full["dropped"] = dropped(bed, daemon) - before[2]
        full["host_us"] = (cpu_ns(host) - before[0]) / 1000 / max(1, records(bed, daemon) - before[1] - full["dropped"])
    return full, bed.load(*words, "--rate", RATE)[0]


def baseline(bed, report, pid, port):
    """us; None: a prototype is missing"""
    reader, why = build_prototype(bed, "cborb", "-lcbor", "-lm")
    publisher, why_not = build_prototype(bed, "mqtt", "-lmosquitto")
    if not reader or not publisher:
        report.note(f"the prototypes are left out: {why or why_not}")
        return None
    out = subprocess.run([reader], stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
    hand, printed = (float(re.search(words + r"\s+(\d+)", out).group(1)) for words in ("hand CBOR reader", "sprintf 10-record SenML-JSON"))
    runs = [float(subprocess.run([publisher, "q1", str(port), "100000", str(pid)], stdout=subprocess.PIPE, text=True, timeout=120, check=True)
                  .stdout.split()[1]) for _ in range(bed.options.repeat)]
    publish = statistics.median(runs)
    report.figures["mirror_prototypes"] = {"hand_ns": hand, "printed_ns": printed, "mqtt_q1_ns": runs}
    report.row("prototypes: read / print / publish", f"{hand / 1000:.1f} / {printed / 1000:.1f} / {publish / 1000:.1f}", "us CPU")
    return (hand + printed + publish) / 1000


def mirror(bed, report):
    head(f"mirror of a report of ten values to MQTT, QoS 1 (link udp, no journal)")
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/bin"):
        report.note("left out: no mosquitto here")
        return
    keys = {True: 'plugins = ( {{ name = "up"; plugin = "mqtt"; broker = "mqtt://127.0.0.1:{0}"; }} );', False: ""}
    runs = {True: [], False: []}
    with contextlib.ExitStack() as stack:
        at, port = stack.enter_context(broker(bed))
        daemons = {on: stack.enter_context(bed.udp_daemon(DEVICES, link_keys="journal = false;", more=text.format(port)))
                   for on, text in keys.items()}
        wait_until_running(bed, daemons[True])
        for _ in range(bed.options.repeat):
            for on, results in runs.items():
                results.append(offer(bed, daemons[on], host_of(daemons[on]) if on else 0))
        bare = baseline(bed, report, at.pid, port)
    report.figures["mirror"] = {"on": runs[True], "off": runs[False]}
    (full, slow), (full_off, slow_off) = ([[r[i] for r in runs[on]] for i in range(2)] for on in (True, False))
    forwarding, host = median_of(full_off, "cpu_us_per_trip"), median_of(full, "host_us")
    daemon = median_of(full, "cpu_us_per_trip") - forwarding
    report.row("beside passing it on", f"{daemon + host:.1f}", "us CPU",
               f"{daemon:.1f} in the daemon (passing on {forwarding:.1f}), {host:.1f} in the plug-in; {median_of(full, 'trips_per_s') / 1000:.1f} k/s "
               f"with both on one core; lost {lost_of(full + full_off)}, not mirrored {sum(r['dropped'] for r in full)}")
    report.row(f"{RATE}/s: p99 without / with", f"{median_of(slow_off, 'p99_us'):.0f} / {median_of(slow, 'p99_us'):.0f}", "us",
               f"p50 {median_of(slow_off, 'p50_us'):.0f} / {median_of(slow, 'p50_us'):.0f} us; lost {lost_of(slow + slow_off)}")
    if bare:
        report.check("mirror: CPU / reading by hand, printing and libmosquitto", (daemon + host) / bare, 1.5)


# ---- plug-ins that do what they must not ----

def copy_with_bad(bed):
    """The daemon with the plug-in of the tests that does one harmful thing; a path."""
    build, tree = bed.daemon_program.parent, bed.dir / "bad"
    (tree / "plugins").mkdir(parents=True)
    for name in ("niddgwd", "niddgw-plugin-host", "objects.tbl"):
        shutil.copy2(build / name, tree / name)
    shutil.copy2(build / "tests/plugins/bad.so", tree / "plugins/bad.so")
    return tree / "niddgwd"


def harmful(bed, report):
    """S41: the plug-in's process has the daemon's core, too, so that it is in its way as much as it can be."""
    head(f"plug-ins that crash, loop, sleep, leak and flood (link udp, no journal, {RATE} reports a second)")
    program, p50, lost = copy_with_bad(bed), {}, 0
    for what in ("none", "crash", "loop", "sleep", "bomb", "flood"):
        more = "" if what == "none" else f'plugins = ( {{ name = "bad"; plugin = "bad"; what = "{what}"; }} );'
        with bed.udp_daemon(DEVICES, link_keys="journal = false;", program=program, more=more) as p:
            runs = [bed.load("udp", "--report", "--endpoints", DEVICES, "--rate", RATE, "--seconds", bed.options.seconds, *p.words)[0]
                    for _ in range(bed.options.repeat)]
        p50[what], lost = median_of(runs, "p50_us"), lost + lost_of(runs)
        report.figures[f"bad_{what}"] = runs
        report.row(what, f"{median_of(runs, 'p99_us'):.0f}", "us p99", f"p50 {p50[what]:.0f} us; lost {lost_of(runs)}")
    report.check("bad plug-ins: units lost", lost, 0)
    report.check("bad plug-ins: p50 beside the worst of them / without", max(p50.values()) / p50["none"], 1.5)
