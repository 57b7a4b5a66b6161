#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ledger.py - does every unit arrive exactly once, whatever happens to the daemon?

Devices on two links and servers of four tempers exchange about --rate units a second through one daemon. Both ends write down every unit
(book.py). Meanwhile the daemon is killed and started again, in rounds; at the end each unit is judged. Exit status 0: nothing lost, nothing
doubled, order kept. Otherwise the history of the first offending units is printed.
"""
import argparse
import asyncio
import pathlib
import random
import shutil
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "tools")]

from book import Fault  # noqa: E402
from load import Scene  # noqa: E402

SETTLE_S = 120


async def round_quiet(scene, seconds):
    """Load and nothing else."""
    await asyncio.sleep(seconds)  # the length of the load


async def round_kill(scene):
    """kill -9 at a random moment."""
    await asyncio.sleep(random.uniform(0.05, 1.2))  # the moment
    scene.daemon.kill()
    await scene.daemon.start()


async def run(args, directory):
    scene = Scene(directory, args.devices, args.rate)
    await scene.open()
    if not await scene.daemon.start():
        raise Fault("the daemon ended:\n" + scene.daemon.tail())
    try:
        await scene.register()
        scene.start_load()
        await round_quiet(scene, args.quiet)
        for n in range(args.kills):
            await round_kill(scene)
        await scene.settle(SETTLE_S)
        status = scene.daemon.stop()
        if status != 0:
            scene.book.faults.append((None, "the daemon ended with %s" % status))
    except Fault as fault:
        scene.book.faults += [(None, str(fault))] + [(u, "is open") for u in list(scene.book.open.values())[:3]]
    finally:
        if not scene.daemon.died():
            scene.daemon.kill()
        scene.close()
    return report(scene, args)


def report(scene, args):
    book = scene.book
    book.judge()
    for u, what in book.faults[:args.show]:
        print(book.history(u, what, scene.daemon.log_lines) if u else what)
    print(book.summary())
    return 1 if book.faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=24)
    parser.add_argument("--rate", type=int, default=200, help="units a second")
    parser.add_argument("--quiet", type=float, default=3, help="seconds of load before the first round")
    parser.add_argument("--kills", type=int, default=0, help="rounds of kill -9")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--show", type=int, default=5, help="faults whose history is printed")
    parser.add_argument("--keep", type=pathlib.Path, help="directory that is kept; otherwise one is made, and kept after a fault")
    args = parser.parse_args()
    seed = random.randrange(1 << 32) if args.seed is None else args.seed
    random.seed(seed)
    directory = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="ngw-ledger-"))
    directory.mkdir(parents=True, exist_ok=True)
    print("seed %d, directory %s" % (seed, directory), flush=True)
    try:
        status = asyncio.run(run(args, directory))
    except Fault as fault:
        print(fault)
        status = 1
    if status == 0 and not args.keep:
        shutil.rmtree(directory, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
