# SPDX-License-Identifier: Apache-2.0
"""store.py - what the store costs: the journal on each trip, and what is stored at a restart.

The journal is switched by `journal` of the link; both daemons run side by side and are loaded in turn. A restart is timed
from the start of the process to READY=1, with nothing stored, with device records, with their sessions, so that differences
tell what each costs. Its baseline is the bare reading of the same table by SQLite into an array and an index.
"""
import contextlib
import pathlib
import shutil
import time

from common import free_ports, head, lost_of, median_of, t8_run

GROUP, WINDOW = 100, 256  # records per sync of a bare log, and units in flight that let the journal have about as many
OPEN = 10000  # registered devices with a socket each: fewer than north.ports has


# ---- journal ----

def bare_log(bed, report):
    """What the machine asks for a durable record: (p50 of a write that is synced, us; CPU of one among GROUP, us)."""
    runs = {group: [bed.state("sync", bed.dir, group) for _ in range(bed.options.repeat)] for group in (1, GROUP)}
    p50, cpu = median_of(runs[1], "p50_us"), median_of(runs[GROUP], "cpu_us_per_record")
    report.figures["bare_log"] = runs
    report.row("a bare log: append and fdatasync, p50", f"{p50:.0f}", "us",
               f"CPU {median_of(runs[1], 'cpu_us_per_record'):.0f} us a record, {cpu:.2f} us with {GROUP} at once")
    return p50, cpu


def tell(report, bare, name, on, off):
    """Rows and checks of one link. on, off: pairs of runs, as fast as it goes and at a rate that leaves the daemon idle mostly."""
    (full, slow), (full_off, slow_off) = ([r[0] for r in on], [r[1] for r in on]), ([r[0] for r in off], [r[1] for r in off])
    cpu, cpu_off = median_of(full, "cpu_us_per_trip"), median_of(full_off, "cpu_us_per_trip")
    added = median_of(slow, "p50_us") - median_of(slow_off, "p50_us")
    report.figures[f"journal_{name}"] = {"on": full, "off": full_off, "offered_on": slow, "offered_off": slow_off}
    report.row(f"{name}, as fast as it goes: CPU with / without", f"{cpu:.1f} / {cpu_off:.1f}", "us",
               f"{cpu - cpu_off:+.1f} us, {cpu / cpu_off:.2f} of it; {median_of(full, 'trips_per_s') / 1000:.1f} k/s and "
               f"{median_of(full_off, 'trips_per_s') / 1000:.1f} k/s; lost {lost_of(full + full_off)}")
    report.row(f"{name}, 2 000/s: p50 with / without", f"{median_of(slow, 'p50_us'):.0f} / {median_of(slow_off, 'p50_us'):.0f}", "us",
               f"{added / bare[0]:+.1f} bare syncs; p99 {median_of(slow, 'p99_us'):.0f} and {median_of(slow_off, 'p99_us'):.0f} us; "
               f"lost {lost_of(slow + slow_off)}")
    report.check(f"journal, {name}: p50 added at 2 000/s / bare fdatasync", added / bare[0], 3)
    return cpu - cpu_off


def udp_pair(bed, p):
    words = ["udp", "--endpoints", 1000, "--seconds", bed.options.seconds, *p.words]
    return bed.load(*words, "--window", WINDOW)[0], bed.load(*words, "--rate", 2000)[0]


def journal(bed, report):
    """The targets are 3 us and 1 ms where a bare log takes 1.0 to 1.4 us and 0.3 ms: three times as much.

    So many at once are in flight on link udp only: an SCEF has 64 connections, which wait for the disk, so its daemon is not
    saturated with a journal, and what an idle core costs counts as well.
    """
    head("the journal, on and off (1 000 devices)")
    bare = bare_log(bed, report)
    keys = {on: f"journal = {str(on).lower()};" for on in (True, False)}
    runs = {on: [] for on in keys}
    with contextlib.ExitStack() as stack:
        daemons = {on: stack.enter_context(bed.udp_daemon(1000, link_keys=text)) for on, text in keys.items()}
        for _ in range(bed.options.repeat):
            for on, results in runs.items():
                results.append(udp_pair(bed, daemons[on]))
    added = tell(report, bare, "link udp", runs[True], runs[False])
    report.check("journal, link udp: CPU per trip added / bare log's", added / bare[1], 3)
    runs = {on: [] for on in keys}
    for _ in range(bed.options.repeat):
        for on, results in runs.items():
            results.append(t8_run(bed, 1000, None, keys[on]))
    tell(report, bare, "T8 plain", runs[True], runs[False])


# ---- restart ----

def cpu_seconds(pid):
    """Of all threads so far, in nanoseconds where others count ticks of ten milliseconds."""
    return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def start_once(bed, home):
    """Seconds to READY=1, and of these on the processor."""
    (home / "notify").unlink(missing_ok=True)
    p = bed.start(home, held=True)
    before, began = cpu_seconds(p.pid), time.monotonic()
    bed.release(p)
    result = {"seconds": time.monotonic() - began, "cpu_seconds": cpu_seconds(p.pid) - before}
    bed.kill(p)
    return result


class Fleet:
    """A state directory that is filled anew for each question."""

    def __init__(self, bed):
        link, server = free_ports(2)
        self.bed = bed
        self.home = bed.prepare([], f'{{ name = "sgi"; type = "udp"; listen = "127.0.0.1:{link}"; }}', server)
        self.dir = self.home / "state"

    def fill(self, count, what):
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(mode=0o750)
        if count:
            self.bed.state("fill", self.dir, count, what)

    def starts(self, count, what):
        """Of restarts after kill -9; the first one of a life is not counted: it brings the file into memory."""
        self.fill(count, what)
        start_once(self.bed, self.home)
        return [start_once(self.bed, self.home) for _ in range(self.bed.options.repeat)]

    def bare(self, table, count):
        return [self.bed.state("read", self.dir, table, count) for _ in range(self.bed.options.repeat)]


def both(runs):
    """Of the shortest one: whatever else the machine does can only add, and differences are taken."""
    return min(r["seconds"] for r in runs), min(r["cpu_seconds"] for r in runs)


def part(report, what, count, more, less, bare):
    """What the runs of more took longer than those of less, beside the bare reading."""
    (wall, cpu), (wall0, cpu0), (bare_wall, bare_cpu) = both(more), both(less), both(bare)
    report.row(what, f"{wall - wall0:.3f}", "s", f"{(wall - wall0) * 1e6 / count:.2f} us each; SQLite alone {bare_wall:.3f} s; "
                     f"CPU {cpu - cpu0:.2f} s, {(cpu - cpu0) / bare_cpu:.1f} of SQLite's {bare_cpu:.2f} s")
    return wall - wall0, (cpu - cpu0) / bare_cpu


def restart_at(fleet, report, empty, count):
    records = fleet.starts(count, "record")
    sessions = fleet.starts(count, "session")
    bare = {table: fleet.bare(table, count) for table in ("device", "session")}
    report.figures[f"restart_{count}"] = {"records": records, "sessions": sessions, "bare": bare}
    name = f"{count:,}".replace(",", " ")
    part(report, f"{name} device records", count, records, empty, bare["device"])
    wall, ratio = part(report, f"{name} sessions, state only", count, sessions, records, bare["session"])
    report.row(f"{name} devices: from the start to READY", f"{both(sessions)[0]:.2f}", "s", f"CPU {both(sessions)[1]:.2f} s")
    return wall, ratio, both(sessions)[0]


def restart_sockets(fleet, report):
    """What stands in the way of READY beside state: a server may ask first, so its devices' ports have to be open."""
    runs = {what: fleet.starts(OPEN, what) for what in ("session", "open")}
    (wall, cpu), (wall0, cpu0) = both(runs["open"]), both(runs["session"])
    report.figures["restart_sockets"] = runs
    report.row(f"{OPEN} registered devices: sockets before READY", f"{wall - wall0:.3f}", "s",
               f"{(wall - wall0) * 1e6 / OPEN:.1f} us each, CPU {(cpu - cpu0) * 1e6 / OPEN:.1f} us")
    report.check("restart: a registered device's socket, CPU us", (cpu - cpu0) * 1e6 / OPEN, 10)


def restart(bed, report):
    head("restart after kill -9")
    fleet = Fleet(bed)
    empty = fleet.starts(0, "record")
    report.figures["restart_empty"] = empty
    report.row("nothing stored: from the start to READY", f"{both(empty)[0]:.3f}", "s")
    for count in (10000, 100000) if bed.options.quick else (100000, 1000000):
        wall, ratio, whole = restart_at(fleet, report, empty, count)
    report.check(f"restart, {count} sessions: CPU / SQLite alone", ratio, 3)
    report.check(f"restart, {count} sessions: seconds, state only", wall, 1)
    report.check(f"restart, {count} devices: seconds to READY", whole, 5)
    restart_sockets(fleet, report)
