#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the built daemon and holds it against baselines of the same run.

Absolute figures do not travel between machines, so every target is a ratio: to a copier of datagrams, to a ping-pong, to
the daemon itself with fewer devices. The daemon under test has the first core, its ends have the second one. Prints a
table, then one JSON object (also to BUILD/bench.json); exits 1 when a target is missed.

The prototypes that the design was measured with are more baselines where their sources are at hand (NIDDGW_SHARED, or
../shared beside the tree); else the summary says that they were left out.
"""
import argparse
import contextlib
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORES = sorted(os.sched_getaffinity(0))
DUT, ENDS = CORES[0], CORES[-1]
FIRST = ipaddress.ip_address("127.64.0.1")
LIFETIME_S = 262  # EXCHANGE_LIFETIME of both legs with ack_timeout_s = 1 south, and a little


def free_ports(n):
    """Ports on loopback that are free for TCP and UDP now."""
    found, held = [], []
    while len(found) < n:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        held += [tcp, udp]
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        with contextlib.suppress(OSError):
            udp.bind(("127.0.0.1", port))
            found.append(port)
    for s in held:
        s.close()
    return found


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def background_load(seconds=1.0):
    """Share of all cores that others use, in percent."""
    def read():
        t = [int(x) for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return t[3] + t[4], sum(t)
    idle0, all0 = read()
    time.sleep(seconds)
    idle1, all1 = read()
    return round(100 - 100 * (idle1 - idle0) / max(1, all1 - all0))


class Bed:
    """Directory, programs and what was started."""

    def __init__(self, build, options):
        self.daemon_program, self.sim = build / "niddgwd", build / "niddgw-sim"
        for program in (self.daemon_program, self.sim):
            if not os.access(program, os.X_OK):
                sys.exit(f"bench: {program} is not built")
        self.options = options
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="niddgw-bench-"))
        self.running = []
        self.count = 0

    def close(self):
        for p in self.running:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.running:
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def load(self, *words):
        """Runs the load generator; its JSON lines."""
        words = [str(w) for w in words]
        done = subprocess.run([self.sim, "load", *words, "--ends-cpu", str(ENDS)], stdout=subprocess.PIPE, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            raise RuntimeError(f"load {' '.join(words)}: exit status {done.returncode}\n{done.stdout}")
        return lines

    def prepare(self, devices, links, server_port, profile=""):
        """Writes a configuration; devices is a list of lines inside a device record."""
        self.count += 1
        home = self.dir / f"d{self.count}"
        home.mkdir(mode=0o750)
        records = ",\n".join(f'{{ name = "dev-{i}"; profile = "bench"; servers = [ "main" ]; {d} }}' for i, d in enumerate(devices))
        (home / "niddgw.conf").write_text(
            f'gateway = {{ id = "bench"; state_dir = "{home}/state"; run_dir = "{home}/run"; }};\n'
            'admin = { listen = "off"; };\nlog = { level = "warning"; };\n'
            f'north = {{ bind = "127.1.0.{self.count}"; }};\n'  # each has all ports of the range on an address of its own
            f'links = ( {links} );\n'
            f'servers = ( {{ name = "main"; uri = "coap://127.0.0.1:{server_port}"; }} );\n'
            f'profiles = ( {{ name = "bench"; quota_units_per_min = 10000000; {profile} }} );\n'
            f"devices = (\n{records} );\n")
        return home

    def start(self, home, held=False):
        """Starts the daemon on its core and waits until it is ready; held: it waits for release() to begin."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(home / "notify"))
        env = dict(os.environ, NOTIFY_SOCKET=str(home / "notify"))
        command = [str(self.daemon_program), "-c", str(home / "niddgw.conf")]
        p = subprocess.Popen(["sh", "-c", 'read -r go; exec "$0" "$@"', *command], env=env, stdin=subprocess.PIPE,
                             stderr=(home / "log").open("w"), preexec_fn=lambda: os.sched_setaffinity(0, {DUT}))
        p.home, p.notify = home, notify
        self.running.append(p)
        if not held:
            self.release(p)
        return p

    def release(self, p):
        p.stdin.write(b"\n")
        p.stdin.close()
        p.notify.settimeout(60)
        try:
            while b"READY=1" not in p.notify.recv(4096):
                pass
        except TimeoutError:
            raise RuntimeError("the daemon does not get ready:\n" + (p.home / "log").read_text()[-2000:]) from None
        finally:
            p.notify.close()

    def stop(self, p):
        self.running.remove(p)
        p.send_signal(signal.SIGTERM)
        status = p.wait(20)
        if status:
            raise RuntimeError(f"the daemon ended with {status}:\n" + (p.home / "log").read_text()[-2000:])

    @contextlib.contextmanager
    def udp_daemon(self, devices, profile=""):
        link, server = free_ports(2)
        home = self.prepare([f'link = "sgi"; address = "{FIRST + i}";' for i in range(devices)],
                            f'{{ name = "sgi"; type = "udp"; listen = "127.0.0.1:{link}"; }}', server, profile)
        p = self.start(home)
        p.words = ["--to", f"127.0.0.1:{link}", "--server", f"127.0.0.1:{server}", "--pid", p.pid]
        try:
            yield p
        finally:
            if p in self.running:
                self.stop(p)


class Report:
    """Rows of the table, and the checks."""

    def __init__(self):
        self.rows, self.checks, self.notes, self.figures = [], [], [], {}

    def row(self, what, value, unit, beside=""):
        self.rows.append((what, value, unit, beside))
        print(f"  {what:<58} {value:>12} {unit:<8} {beside}", flush=True)

    def check(self, what, value, limit, at_most=True):
        ok = value <= limit if at_most else value >= limit
        self.checks.append({"check": what, "value": round(value, 3), "limit": limit, "at_most": at_most, "ok": ok})

    def note(self, text):
        self.notes.append(text)
        print(f"  {text}", flush=True)


def head(text):
    print(f"\n{text}", flush=True)


def median_of(runs, key):
    return statistics.median(r[key] for r in runs)


def lost_of(runs):
    return sum(r["lost"] + r["errors"] for r in runs)


# ---- sections ----

def pingpong(bed, report):
    head("the bare way there and back (UDP ping-pong)")
    runs = [bed.load("pingpong", "--seconds", 2, "--warmup-ms", 200, "--dut-cpu", DUT)[0] for _ in range(bed.options.repeat)]
    rtt = median_of(runs, "p50_us")
    report.figures["pingpong"] = runs
    report.row("round trip p50", f"{rtt:.0f}", "us", f"p99 {median_of(runs, 'p99_us'):.0f} us")
    return rtt


def udp(bed, report):
    head("link udp to UDP north, window 64, beside the datagram copier")
    for n in (256, 1000, 10000):
        words = ["--endpoints", n, "--window", 64, "--seconds", bed.options.seconds]
        copies, trips = [], []
        with bed.udp_daemon(n) as p:
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


def certificate(bed):
    cert, key = bed.dir / "cert.pem", bed.dir / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    key.chmod(0o600)
    return cert, key


def wait_listening(port, process):
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as s:
            if not s.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.02)
    raise RuntimeError("the load generator does not listen")


def t8_run(bed, devices, tls):
    """One daemon through saturation and then 2 000/s; both results, and its size when it is idle."""
    api, callback, server = free_ports(3)
    scheme = "https" if tls else "http"
    files = f'cert_file = "{tls[0]}"; key_file = "{tls[1]}";' if tls else ""
    authority = f'ca_file = "{tls[0]}";' if tls else ""
    home = bed.prepare(
        [f'link = "op"; external_id = "dev-{i:012d}@iot.example.net";' for i in range(devices)],
        f'{{ name = "op"; type = "t8"; api_root = "{scheme}://127.0.0.1:{api}"; scs_as_id = "gw01"; http = "1.1"; '
        f'test_notification = false; {authority} '
        f'callback = {{ listen = "127.0.0.1:{callback}"; url = "{scheme}://127.0.0.1:{callback}"; {files} }}; }}', server)
    p = bed.start(home, held=True)
    words = ["t8", "--endpoints", devices, "--window", 64, "--connections", 64, "--seconds", bed.options.seconds + 2, "--warmup-ms", 2000,
             "--then-rate", 2000, "--pid", p.pid, "--listen", f"127.0.0.1:{api}", "--server", f"127.0.0.1:{server}", "--ends-cpu", ENDS]
    if tls:
        words += ["--cert", tls[0], "--key", tls[1], "--ca", tls[0]]
    load = subprocess.Popen([bed.sim, "load", *map(str, words)], stdout=subprocess.PIPE, text=True)
    bed.running.append(load)
    wait_listening(api, load)
    bed.release(p)
    out, _ = load.communicate(timeout=600)
    bed.running.remove(load)
    lines = [json.loads(line) for line in out.splitlines()]
    rss = rss_kib(p.pid)
    bed.stop(p)
    if load.returncode or len(lines) != 2:
        raise RuntimeError(f"load t8: exit status {load.returncode}:\n" + (home / "log").read_text()[-2000:])
    return lines[0], lines[1], rss


def t8(bed, report, rtt):
    cpu = {}
    for name, tls in (("plain", None), ("TLS", certificate(bed))):
        head(f"T8 over HTTP/1.1, {name}: POST -> CoAP -> answer -> POST")
        for devices in (64, 10000):
            runs = [t8_run(bed, devices, tls) for _ in range(bed.options.repeat)]
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


def build_prototype(bed, name, *libraries):
    """A prototype of the design; a path, or None and why."""
    shared = pathlib.Path(os.environ.get("NIDDGW_SHARED") or ROOT.parent / "shared")
    source = shared / "perf-src" / f"{name}.c"
    if not source.exists():
        return None, "its sources are not here"
    program = bed.dir / name
    done = subprocess.run(["gcc", "-O2", "-w", "-o", program, source, *libraries], stderr=subprocess.DEVNULL, check=False)
    return (None, "it does not build: a library is missing") if done.returncode else (program, None)


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
    only = bed.options.only.split(",") if bed.options.only else ["udp", "unanswered", "t8", "pipe", "rss"]
    with contextlib.ExitStack() as stack:
        idle = Idle(bed, stack) if "rss" in only else None
        rtt = pingpong(bed, report)
        if "udp" in only:
            udp(bed, report)
        if "unanswered" in only:
            unanswered(bed, report)
        if "t8" in only:
            cpu = t8(bed, report, rtt)
            if "pipe" in only:
                prototype(bed, report, cpu)
        if idle:
            idle.report(bed, report)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("NIDDGW_BUILD", ROOT / "build")))
    parser.add_argument("--seconds", type=int, default=3, help="measured part of each run (3)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the median counts (3)")
    parser.add_argument("--only", default="", help="sections, separated by commas: udp,unanswered,t8,pipe,rss")
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
