# SPDX-License-Identifier: Apache-2.0
"""north.py - the transports towards servers beside each other: exchanges, CPU, and what an idle association costs."""
import contextlib
import os
import subprocess

from common import ENDS, free_ports, head, lost_of, median_of, rss_kib

BARE = "journal = false;"
KEY = "00112233445566778899aabbccddeeff"
ENDPOINTS, FEW, MANY = 500, 200, 1200
# Resident octets of an idle association beyond one over UDP. OpenSSL's objects are 11 and 30 kB of it (its buffers given back), the rest is
# our own state and what is kept for resumption.
IDLE_MOST = {"tcp": 640, "tls1.2": 18000, "tls1.3": 33000}
CPU_MOST = {"tcp": 1.6, "tls1.2": 2.5, "tls1.3": 2.5}


@contextlib.contextmanager
def far_end(bed, kind):
    """A server of that kind: the keys of Bed.udp_daemon() that lead there."""
    if kind == "udp":
        yield {}
        return
    port, = free_ports(1)
    words = ["psk", KEY] if kind != "tcp" else []
    p = subprocess.Popen([bed.far_program, kind, f"127.0.0.1:{port}", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         preexec_fn=lambda: os.sched_setaffinity(0, {ENDS}))
    bed.running.append(p)
    p.stdout.readline()
    secret = bed.dir / "bench.key"
    secret.write_text(KEY + "\n")
    secret.chmod(0o600)
    yield {"server": port, "scheme": "coap+tcp" if kind == "tcp" else "coaps+tcp",
           "server_keys": "handshakes_per_s = 5000;",
           "device_keys": f'psk_identity = "dev-{{i}}"; psk_key = "file:{secret}";' if kind != "tcp" else ""}
    bed.running.remove(p)
    p.stdin.close()
    p.wait(10)


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
    for kind in ("udp", "tcp", "tls1.2", "tls1.3"):
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
