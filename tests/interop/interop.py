#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a Leshan client against a Leshan server, first straight and then through the gateway, and holds the results against
each other. One line per test and a closing line `N passed, N failed`; --help tells how to run a part.
"""
import argparse
import contextlib
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path

import cases
import peers
import plans


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.began = time.monotonic()

    def tell(self, way, name, fault=None):
        took = time.monotonic() - self.began
        self.began = time.monotonic()
        self.passed += fault is None
        self.failed += fault is not None
        print("%-6s %-6s %s (%.1f s)" % ("FAILED" if fault else "ok", way, name, took), flush=True)
        if fault:
            print("    | " + fault.rstrip()[-8000:].replace("\n", "\n    | "), flush=True)


def difference(name, want, got):
    """The first place where two results differ, or None."""
    if isinstance(want, dict) and isinstance(got, dict) and want.keys() == got.keys():
        pairs = [(key, want[key], got[key]) for key in want]
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        pairs = [(n, want[n], got[n]) for n in range(len(want))]
    else:
        return None if want == got else "%s: straight %s, here %s" % (name, json.dumps(want)[:2000], json.dumps(got)[:2000])
    return next(filter(None, (difference("%s[%s]" % (name, key), a, b) for key, a, b in pairs)), None)


def run_case(case, run, baseline):
    """None, or why it failed. What came out straight is what the other ways are held against."""
    try:
        result = case(run)
    except (AssertionError, LookupError, ValueError, OSError) as fault:
        return "%r\n%s" % (fault, "".join(traceback.format_tb(fault.__traceback__)[-3:]))
    if isinstance(run.way, peers.Direct):
        baseline[case] = result
    return difference("result", baseline[case], result) if case in baseline else None


def run_way(kind, testbed, server, clients, baseline, tally, names):
    try:
        way = kind(testbed, server)
    except (AssertionError, OSError) as fault:
        tally.tell(kind.name, "start", "%s" % fault)
        return
    run = cases.Run(way, clients)
    for case in plans.plan(kind.name, names):
        tally.tell(kind.name, plans.title(case), run_case(case, run, baseline))
        if case in plans.FIRST and run.source is None:
            break


def keep_logs(testbed, name):
    for item in testbed.items:
        if isinstance(item, peers.bed.Gateway):
            Path(name).write_text("\n".join(item.log.lines) + "\n", encoding="utf-8")


@contextlib.contextmanager
def testbed():
    """A Bed with a directory; all that was started there has ended when this is left."""
    with tempfile.TemporaryDirectory(prefix="ngw-interop-") as directory:
        started = peers.bed.Bed()
        started.directory = directory
        try:
            yield started
        finally:
            started.close()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", action="append", choices=[w.name for w in plans.WAYS], help="only these (straight always first)")
    parser.add_argument("--case", action="append", metavar="NAME", choices=sorted({c.__name__ for plan in plans.PLAN.values() for c in plan}),
                        help="only these, after register: %(choices)s")
    parser.add_argument("--log", metavar="FILE", help="keep the daemons' logs as FILE.WAY")
    return parser.parse_args()


def main():
    args = arguments()
    tally, baseline = Tally(), {}
    with contextlib.ExitStack() as ends:
        server = peers.server_peer()
        ends.callback(server.stop)
        clients = peers.client_peer()
        ends.callback(clients.stop)
        for kind in plans.WAYS:
            if not args.way or kind.name in args.way or kind is peers.Direct:
                with testbed() as started:
                    run_way(kind, started, server, clients, baseline, tally, args.case)
                    if args.log:
                        keep_logs(started, "%s.%s" % (args.log, kind.name))
    print("%d passed, %d failed" % (tally.passed, tally.failed))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
