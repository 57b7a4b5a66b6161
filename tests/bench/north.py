# SPDX-License-Identifier: Apache-2.0
"""north.py - the transports towards servers beside each other: exchanges, CPU, what an idle association costs, handshakes."""
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import time

from common import DUT, ENDS, build_prototype, free_ports, head, lost_of, median_of, rss_kib

BARE = "journal = false;"
KEY = "00112233445566778899aabbccddeeff"
ENDPOINTS, FEW, MANY = 500, 200, 1200
# Resident octets of an idle association beyond one over UDP. OpenSSL's objects are 11 (TLS 1.2), 30 (TLS 1.3) and 34 kB (DTLS, which keeps the
# buffer of the handshake) of it with its other buffers given back; the rest is our own state and what is kept for resumption.
IDLE_MOST = {"dtls": 40000, "tcp": 640, "tls1.2": 18000, "tls1.3": 33000}
CPU_MOST = {"dtls": 1.6, "tcp": 1.6, "tls1.2": 2.5, "tls1.3": 2.5}


def start_far(bed, kind, port):
    words = {"tcp": [bed.far_program, kind], "dtls": [bed.far_dtls_program]}.get(kind, [bed.far_program, kind])
    keys = {"tcp": [], "dtls": [KEY]}.get(kind, ["psk", KEY])
    p = subprocess.Popen([*words, f"127.0.0.1:{port}", *keys], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         preexec_fn=lambda: os.sched_setaffinity(0, {ENDS}))
    bed.running.append(p)
    p.stdout.readline()
    return p


def end_far(bed, p):
    bed.running.remove(p)
    p.stdin.close()
    p.wait(10)


@contextlib.contextmanager
def far_end(bed, kind):
    """A server of that kind: the keys of Bed.udp_daemon() that lead there."""
    if kind == "udp":
        yield {}
        return
    port, = free_ports(1)
    p = start_far(bed, kind, port)
    secret = bed.dir / "bench.key"
    secret.write_text(KEY + "\n")
    secret.chmod(0o600)
    yield {"server": port, "scheme": {"tcp": "coap+tcp", "dtls": "coaps"}.get(kind, "coaps+tcp"),
           "server_keys": "handshakes_per_s = 5000;",
           "device_keys": f'psk_identity = "dev-{{i}}"; psk_key = "file:{secret}";' if kind != "tcp" else ""}
    end_far(bed, p)


def associate(bed, p, n):
    """Each of n devices registers once, so each has its association; the daemon's resident KiB then."""
    bed.load("udp", "--endpoints", n, "--register", "--rate", 1000, "--warmup-ms", 0, "--seconds", n // 1000 + 2, "--timeout-ms", 10000, *p.words)
    return rss_kib(p.pid)


def exchanges(bed, report, kind, far):
    words = ["--endpoints", ENDPOINTS, "--window", 64, "--seconds", bed.options.seconds]
    with bed.udp_daemon(ENDPOINTS, link_keys=BARE, **far) as p:
        associate(bed, p, ENDPOINTS)
        runs = [bed.load("udp", *words, *p.words)[0] for _ in range(bed.options.repeat)]
    report.figures[f"north_{kind}"] = runs
    report.row(f"{kind}, {ENDPOINTS} devices, window 64", f"{median_of(runs, 'trips_per_s') / 1000:.1f} k/s", "",
               f"CPU {median_of(runs, 'cpu_us_per_trip'):.1f} us; p50 {median_of(runs, 'p50_us'):.0f} us; lost {lost_of(runs)}")
    return median_of(runs, "cpu_us_per_trip")


def idle(bed, far):
    """Octets per association, from two daemons that differ in their number."""
    grown = {}
    for n in (FEW, MANY):
        with bed.udp_daemon(MANY, link_keys=BARE, **far) as p:
            grown[n] = associate(bed, p, n)
    return (grown[MANY] - grown[FEW]) * 1024 / (MANY - FEW)


def transports(bed, report):
    head("transports towards the server, no journal (a trip is a device's request and its answer)")
    cpu, octets = {}, {}
    for kind in ("udp", "dtls", "tcp", "tls1.2", "tls1.3"):
        with far_end(bed, kind) as far:
            cpu[kind] = exchanges(bed, report, kind, far)
            octets[kind] = idle(bed, far)
    for kind in cpu:
        report.row(f"{kind}: resident per device and association", f"{octets[kind]:.0f}", "B",
                   "" if kind == "udp" else f"{octets[kind] - octets['udp']:.0f} more than over UDP")
        if kind in CPU_MOST:
            report.check(f"{kind}: CPU/trip / over UDP", cpu[kind] / cpu["udp"], CPU_MOST[kind])
            report.check(f"{kind}: RSS per association beyond UDP, B", octets[kind] - octets["udp"], IDLE_MOST[kind])
    report.figures["north_idle"] = octets


# ---- handshakes ----

def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shaken(far):
    far.stdin.write(b"?")
    far.stdin.flush()
    return int(far.stdout.readline())


def storm(bed, port, home, devices):
    """A start with registered devices at a server that has lost its sessions: (handshakes a second, CPU us of each)."""
    far = start_far(bed, "dtls", port)
    p = bed.start(home)
    first, began, cpu = shaken(far), time.monotonic(), cpu_s(p.pid)
    while shaken(far) < devices:
        time.sleep(0.01)
        if time.monotonic() - began > 60:
            raise RuntimeError("handshakes do not come to an end")
    took, spent, n = time.monotonic() - began, cpu_s(p.pid) - cpu, devices - first
    (home / "notify").unlink()
    bed.stop(p)
    end_far(bed, far)
    return n / took, spent * 1e6 / n


def bare_us(bed, devices):
    """CPU of a handshake of bare OpenSSL with as many sockets and sessions, which it keeps as the daemon does."""
    port, = free_ports(1)
    far = start_far(bed, "dtls", port)
    out = subprocess.run([bed.far_dtls_program, f"127.0.0.1:{port}", KEY, str(devices)], stdout=subprocess.PIPE, text=True, timeout=60, check=True,
                         preexec_fn=lambda: os.sched_setaffinity(0, {DUT})).stdout
    end_far(bed, far)
    return float(out)


def handshakes(bed, report):
    """PSK-AES128-CCM8. The prototype of the design has no sockets and gives each session back at once, so it stands here as a floor."""
    head("DTLS handshakes after a restart of both ends (PSK-AES128-CCM8)")
    devices = 1000 if bed.options.quick else 4000
    port, = free_ports(1)
    far = start_far(bed, "dtls", port)
    secret = bed.dir / "bench.key"
    secret.write_text(KEY + "\n")
    secret.chmod(0o600)
    with bed.udp_daemon(devices, server=port, scheme="coaps", server_keys="handshakes_per_s = 100000;",
                        device_keys=f'psk_identity = "dev-{{i}}"; psk_key = "file:{secret}";') as p:
        associate(bed, p, devices)
    (p.home / "notify").unlink()
    end_far(bed, far)
    runs, bare = [], []
    for _ in range(bed.options.repeat):
        runs.append(storm(bed, port, p.home, devices))
        bare.append(bare_us(bed, devices))
    rate, cpu, client = statistics.median(r for r, _ in runs), statistics.median(c for _, c in runs), statistics.median(bare)
    report.figures["handshakes"] = {"daemon": runs, "bare_us": bare}
    report.row(f"{devices} associations, not resumed", f"{rate / 1000:.1f} k/s", "", f"CPU {cpu:.0f} us each = {1000 / cpu:.1f} k/s per core")
    report.row("bare OpenSSL, as many sockets and sessions", f"{client:.0f}", "us CPU")
    report.check("DTLS handshakes: bare OpenSSL's CPU / daemon's", client / cpu, 0.5, at_most=False)
    report.check("DTLS handshakes: k/s per core", 1000 / cpu, 5, at_most=False)
    floor, why = build_prototype(bed, "dtls", "-lssl", "-lcrypto")
    if not floor:
        report.note(f"dtls left out: {why}")
        return
    out = subprocess.run([floor], stdout=subprocess.PIPE, text=True, timeout=300, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {DUT})).stdout
    alone = float(re.search(r"PSK CCM8 \(LwM2M mandatory\).*?client\s+([\d.]+) us", out).group(1))
    report.row("dtls: OpenSSL's client alone, nothing kept, no sockets", f"{alone:.0f}", "us CPU", f"{alone / cpu:.2f} of the daemon's")
