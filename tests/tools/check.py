#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what `make check` has built and sums it up.

Stages, in this order: includes, unit, fuzz (corpora), replay, system. A test that crashes or hangs counts as failed, and
so does a stage that ran nothing: a build that lost its tests must not look green. The last line of the output is
`N passed, N failed`, with `, N skipped` behind it when there is something to say about that.

What tests find in their environment: NIDDGW_BUILD (directory of the programs, absolute), NIDDGW_SHARED (papers that are
not in the tree, such as the OpenAPI files of 3GPP; may be absent), NIDDGW_SLOW (factor for patience under sanitizers).
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT_LIMIT_S = 120
FUZZ_LIMIT_S = 120
REPLAY_LIMIT_S = 300
SYSTEM_TEST_LIMIT_S = 120
SYSTEM_LIMIT_S = 3600
OUTPUT_SHOWN = 12000


class Tally:
    """What came out so far; failed tests are shown at once, with the end of their output."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def ok(self, count=1):
        self.passed += count

    def skip(self, name, why):
        self.skipped += 1
        print(f"  skipped: {name}: {why}", flush=True)

    def fail(self, name, output=""):
        self.failed += 1
        self.failures.append(name)
        print(f"  FAILED: {name}", flush=True)
        if output:
            print("    | " + output[-OUTPUT_SHOWN:].rstrip().replace("\n", "\n    | "), flush=True)


def run(command, limit_s, env=None, **kwargs):
    """Runs a command in a session of its own; all of it is killed at the limit. Returns (status, output)."""
    with tempfile.TemporaryFile() as out:
        try:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=ROOT,
                                       env={**os.environ, **(env or {})}, start_new_session=True, **kwargs)
        except OSError as fault:
            return 127, f"{command[0]}: {fault.strerror}"
        try:
            status = process.wait(limit_s)
            why = f"\n[ended by {signal.Signals(-status).name}]" if status < 0 else ""
        except subprocess.TimeoutExpired:
            status, why = -signal.SIGKILL, f"\n[still running after {limit_s} s: killed]"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # also what a test left behind
            except ProcessLookupError:
                pass
            process.wait()
        out.seek(0)
        return status, out.read().decode("utf-8", "replace") + why


def stage_includes(tally, args):
    status, output = run([sys.executable, "tests/tools/check_includes.py"], 60)
    if status == 0:
        tally.ok()
    else:
        tally.fail("includes", output)


TAP = re.compile(r"^(not )?ok \d+ (?:- )?(.*)$")
TAP_SKIP = re.compile(r"# SKIP\s*(.*)$")
TAP_PLAN = re.compile(r"^1\.\.(\d+)$", re.MULTILINE)


def count_tap(tally, name, status, output):
    """One unit program: each of its tests counts; those that a crash kept from running are one failure."""
    planned = sum(int(n) for n in TAP_PLAN.findall(output))
    seen = failed = 0
    for line in output.splitlines():
        m = TAP.match(line)
        if not m:
            continue
        seen += 1
        skipped = TAP_SKIP.search(m.group(2))
        if skipped:
            tally.skip(f"{name}: {skipped.group(1)}", "by the test itself")
        elif m.group(1):
            failed += 1
            tally.fail(f"{name}: {m.group(2)}", output)
        else:
            tally.ok()
    if seen == 0:
        tally.fail(f"{name}: ran no test", output)
    elif seen < planned or (status != 0 and failed == 0):
        tally.fail(f"{name}: ended early or with status {status}", output)


def each(command_of, names, limit_s, env=None):
    """Runs command_of(name) for every name, as many at once as there are processors; results in the order of names."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from zip(names, pool.map(lambda n: run(command_of(n), limit_s, env), names))


def stage_unit(tally, args):
    sources = sorted((ROOT / "tests/unit").glob("*/test_*.c"))
    names = [f"{s.parent.name}/{s.stem}" for s in sources]
    env = {"CMOCKA_MESSAGE_OUTPUT": "TAP"}
    for name, (status, output) in each(lambda n: [str(args.build / "unit" / n)], names, UNIT_LIMIT_S * args.slow, env):
        count_tap(tally, f"unit {name}", status, output)


def stage_fuzz(tally, args):
    names = [s.stem for s in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c"))]

    def command(name):
        return [str(args.build / "fuzz" / name), str(ROOT / "tests/fuzz/corpus" / name.removeprefix("fuzz_"))]

    for name, (status, output) in each(command, names, FUZZ_LIMIT_S * args.slow):
        if status == 0 and not output.rstrip().endswith("\n0 files") and output.strip() != "0 files":
            tally.ok()
        else:
            tally.fail(f"fuzz {name}", output)


def stage_replay(tally, args):
    scenarios = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests/replay/scenarios").glob("**/*.txt"))
    if not scenarios:
        return
    status, output = run([str(args.build / "replay/runner"), *scenarios], REPLAY_LIMIT_S * args.slow)
    verdicts = re.findall(r"^(ok|not ok) (.*)$", output, re.MULTILINE)
    failed = [name for verdict, name in verdicts if verdict != "ok"]
    tally.ok(len(verdicts) - len(failed))
    for i, name in enumerate(failed):
        tally.fail(f"replay {name}", output if i == 0 else "")
    if len(verdicts) < len(scenarios) or (status != 0 and not failed):
        tally.fail(f"replay: {len(verdicts)} of {len(scenarios)} scenarios, status {status}", output)


def count_junit(tally, path):
    seen = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        seen += 1
        name = f"system {case.get('classname', '')}.{case.get('name', '')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None:
            tally.fail(name)
        elif skipped is not None:
            tally.skip(name, skipped.get("message", ""))
        else:
            tally.ok()
    return seen


def stage_system(tally, args):
    if not list((ROOT / "tests/system").glob("test_*.py")):
        return
    with tempfile.TemporaryDirectory(prefix="niddgw-check-") as scratch:
        report = pathlib.Path(scratch) / "report.xml"
        env = {"PYTHONPATH": str(ROOT / "tests/tools"), "PYTHONDONTWRITEBYTECODE": "1",
               "NIDDGW_TEST_LIMIT_S": str(SYSTEM_TEST_LIMIT_S * args.slow)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "limit", "-p", "no:cacheprovider", f"--junit-xml={report}",
                   f"--basetemp={scratch}/tmp", "tests/system", *(["-k", args.keyword] if args.keyword else [])]
        status, output = run(command, SYSTEM_LIMIT_S * args.slow, env)
        seen = count_junit(tally, report) if report.exists() else 0
    if status not in (0, 5):
        print("    | " + output[-4 * OUTPUT_SHOWN:].rstrip().replace("\n", "\n    | "), flush=True)
    if status not in (0, 1, 5) or (status == 1 and tally.failed == 0) or not seen:
        tally.fail(f"system: pytest ended with {status}")


STAGES = {"includes": stage_includes, "unit": stage_unit, "fuzz": stage_fuzz, "replay": stage_replay, "system": stage_system}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="directory of the built programs")
    parser.add_argument("--only", action="append", choices=STAGES, help="run this stage (may be given more than once)")
    parser.add_argument("-k", dest="keyword", help="system tests: only those that match, as pytest has it")
    parser.add_argument("--slow", type=int, default=1, help="factor for every time limit")
    args = parser.parse_args()
    args.build = args.build.resolve()
    os.environ["NIDDGW_BUILD"] = str(args.build)
    os.environ["NIDDGW_SLOW"] = str(args.slow)
    os.environ.setdefault("NIDDGW_TEST_DEADLINE", str(20 * args.slow))
    os.environ.setdefault("NIDDGW_SHARED", str(ROOT.parent / "shared"))
    # What is left in memory at the end is a finding too; a sanitizer's exit status must not look like a test's.
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:abort_on_error=1")

    tally = Tally()
    for name in args.only or STAGES:
        before = (tally.passed, tally.failed, tally.skipped)
        print(f"{name} ..", flush=True)
        STAGES[name](tally, args)
        done = [now - then for now, then in zip((tally.passed, tally.failed, tally.skipped), before)]
        if sum(done) == 0:
            tally.fail(f"{name}: ran nothing")
        print(f"{name}: {done[0]} passed, {done[1]} failed" + (f", {done[2]} skipped" if done[2] else ""), flush=True)
    if tally.failures:
        print("failed:\n  " + "\n  ".join(tally.failures))
    print(f"{tally.passed} passed, {tally.failed} failed" + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
