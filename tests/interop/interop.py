#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a Leshan client against a Leshan server, first straight and then through the gateway, and holds the results against
each other. One line per test and a closing line `N passed, N failed`; --help tells how to run a part.
"""
import argparse
import json
import sys
import tempfile
import time
import traceback

import cases
import peers


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
    """None, or why it failed. The first way leaves its result for the others."""
    try:
        result = case(run)
    except AssertionError as fault:
        return "%s\n%s" % (fault, "".join(traceback.format_tb(fault.__traceback__)[-3:]))
    if case in baseline:
        return difference("result", baseline[case], result)
    baseline[case] = result
    return None


def end_way(way):
    """Stops what the way started; why its end is not clean, or None."""
    faults = []
    if way.gateway:
        status = way.gateway.stop()
        errors = [line for line in way.gateway.log.lines if any(w in line for w in ("Sanitizer", "runtime error:"))]
        if status != 0 or errors:
            faults.append("the daemon ended with %s\n%s" % (status, "\n".join(errors or way.gateway.log.lines[-20:])))
    return "\n".join(faults) or None


def run_way(kind, server, clients, baseline, tally, chosen, keep_log):
    with tempfile.TemporaryDirectory(prefix="ngw-interop-") as directory:
        testbed = peers.bed.Bed()
        testbed.directory = directory
        try:
            way = kind(testbed, server)
        except (AssertionError, OSError) as fault:
            tally.tell(kind.name, "start", "%s" % fault)
            return
        run = cases.Run(way, server, clients)
        for case in chosen:
            tally.tell(kind.name, cases.title(case), run_case(case, run, baseline))
            if case is cases.register and run.source is None:
                break  # nothing can follow
        if way.gateway:
            tally.tell(kind.name, "the daemon ends well", end_way(way))
            if keep_log:
                with open(keep_log + "." + kind.name, "w", encoding="utf-8") as out:
                    out.write("\n".join(way.gateway.log.lines) + "\n")
        testbed.close()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", action="append", choices=[w.name for w in peers.WAYS], help="only these (straight always first)")
    parser.add_argument("--case", action="append", metavar="NAME", choices=[c.__name__ for c in cases.CASES],
                        help="only these, with register before them: %(choices)s")
    parser.add_argument("--log", metavar="FILE", help="keep the daemons' logs as FILE.WAY")
    return parser.parse_args()


def main():
    args = arguments()
    tally, baseline = Tally(), {}
    chosen = [c for c in cases.CASES if not args.case or c is cases.register or c.__name__ in args.case]
    server, clients = peers.server_peer(), peers.client_peer()
    try:
        for kind in peers.WAYS:
            if not args.way or kind.name in args.way or kind is peers.Direct:
                run_way(kind, server, clients, baseline, tally, chosen, args.log)
    finally:
        clients.stop()
        server.stop()
    print("%d passed, %d failed" % (tally.passed, tally.failed))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
