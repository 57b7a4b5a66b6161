# SPDX-License-Identifier: Apache-2.0
"""common.py - what the sections of the bench stand on: programs, configurations, the load generator, rows and checks."""
import contextlib
import ipaddress
import json
import os
import pathlib
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
        self.daemon_program, self.sim, self.state_program = build / "niddgwd", build / "niddgw-sim", build / "bench" / "state"
        self.ctl = build / "niddgwctl"
        self.decode_program, self.far_program = build / "bench" / "decode", build / "bench" / "far"
        self.far_dtls_program = build / "bench" / "far_dtls"
        for program in (self.daemon_program, self.sim, self.ctl, self.state_program, self.decode_program, self.far_program,
                        self.far_dtls_program):
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

    def state(self, *words):
        """Runs tests/bench/state.c on the core of the daemon; the object it prints, if any."""
        done = subprocess.run([self.state_program, *map(str, words)], stdout=subprocess.PIPE, text=True, check=False,
                              preexec_fn=lambda: os.sched_setaffinity(0, {DUT}))
        if done.returncode:
            raise RuntimeError(f"state {' '.join(map(str, words))}: exit status {done.returncode}")
        return json.loads(done.stdout) if done.stdout else None

    def load(self, *words):
        """Runs the load generator; its JSON lines."""
        words = [str(w) for w in words]
        done = subprocess.run([self.sim, "load", *words, "--ends-cpu", str(ENDS)], stdout=subprocess.PIPE, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            raise RuntimeError(f"load {' '.join(words)}: exit status {done.returncode}\n{done.stdout}")
        return lines

    def prepare(self, devices, links, server_port, profile="", scheme="coap", server_keys="", north_keys="", more=""):
        """Writes a configuration; devices is a list of lines inside a device record."""
        self.count += 1
        home = self.dir / f"d{self.count}"
        home.mkdir(mode=0o750)
        records = ",\n".join(f'{{ name = "dev-{i}"; ep = "dev-{i}"; profile = "bench"; servers = [ "main" ]; {d} }}' for i, d in enumerate(devices))
        (home / "niddgw.conf").write_text(
            f'gateway = {{ id = "bench"; state_dir = "{home}/state"; run_dir = "{home}/run"; }};\n'
            'admin = { listen = "off"; };\nlog = { level = "warning"; };\n'
            f'north = {{ bind = "127.1.0.{self.count}"; {north_keys} }};\n'  # each has all ports of the range on an address of its own
            f'links = ( {links} );\n'
            f'servers = ( {{ name = "main"; uri = "{scheme}://127.0.0.1:{server_port}"; {server_keys} }} );\n'
            f'profiles = ( {{ name = "bench"; quota_units_per_min = 10000000; {profile} }} );\n'
            f"devices = (\n{records} );\n{more}\n")
        return home

    def start(self, home, held=False, program=None):
        """Starts the daemon on its core and waits until it is ready; held: it waits for release() to begin; program: another copy of it."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(home / "notify"))
        env = dict(os.environ, NOTIFY_SOCKET=str(home / "notify"))
        command = [str(program or self.daemon_program), "-c", str(home / "niddgw.conf")]
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

    def kill(self, p):
        self.running.remove(p)
        p.kill()
        p.wait()

    def stop(self, p):
        self.running.remove(p)
        p.send_signal(signal.SIGTERM)
        status = p.wait(20)
        if status:
            raise RuntimeError(f"the daemon ended with {status}:\n" + (p.home / "log").read_text()[-2000:])

    @contextlib.contextmanager
    def udp_daemon(self, devices, profile="", link_keys="", server=None, device_keys="", program=None, **north):
        """server: port of one that runs already; north: scheme, server_keys and more of prepare(); {i} in device_keys is the device's number."""
        link, own = free_ports(2)
        home = self.prepare([f'link = "sgi"; address = "{FIRST + i}"; {device_keys.replace("{i}", str(i))}' for i in range(devices)],
                            f'{{ name = "sgi"; type = "udp"; listen = "127.0.0.1:{link}"; {link_keys} }}', server or own, profile, **north)
        p = self.start(home, program=program)
        p.words = ["--to", f"127.0.0.1:{link}", "--server", "none" if server else f"127.0.0.1:{own}", "--pid", p.pid]
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


def t8_run(bed, devices, tls, link_keys=""):
    """One daemon through saturation and then 2 000/s; both results, and its size when it is idle."""
    api, callback, server = free_ports(3)
    scheme = "https" if tls else "http"
    files = f'cert_file = "{tls[0]}"; key_file = "{tls[1]}";' if tls else ""
    authority = f'ca_file = "{tls[0]}";' if tls else ""
    home = bed.prepare(
        [f'link = "op"; external_id = "dev-{i:012d}@iot.example.net";' for i in range(devices)],
        f'{{ name = "op"; type = "t8"; api_root = "{scheme}://127.0.0.1:{api}"; scs_as_id = "gw01"; http = "1.1"; '
        f'test_notification = false; {authority} {link_keys} '
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


def build_prototype(bed, name, *libraries):
    """A prototype of the design; a path, or None and why."""
    shared = pathlib.Path(os.environ.get("NIDDGW_SHARED") or ROOT.parent / "shared")
    source = shared / "perf-src" / f"{name}.c"
    if not source.exists():
        return None, "its sources are not here"
    program = bed.dir / name
    done = subprocess.run(["gcc", "-O2", "-w", "-o", program, source, *libraries], stderr=subprocess.DEVNULL, check=False)
    return (None, "it does not build: a library is missing") if done.returncode else (program, None)
