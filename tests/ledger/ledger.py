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
import resource
import shutil
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1] / "tools")]

import rounds  # noqa: E402
from book import Fault  # noqa: E402
from load import Scene  # noqa: E402

SETTLE_S = 120


def plan(args):
    """The rounds, mixed."""
    todo = [rounds.killed] * args.kills + [rounds.power_cut] * args.cuts + [rounds.disk_full] * args.full
    todo += [rounds.outage] * args.outages + [rounds.doubt] * args.doubts
    if args.failpoints:
        names = rounds.failpoints()
        todo += [lambda scene, name=name: rounds.failpoint(scene, name) for name in names for _ in range(args.failpoints)]
    random.shuffle(todo)
    return todo


async def run(args, directory):
    scene = Scene(directory, args.devices, args.rate)
    scene.hasty = args.hasty
    await scene.open()
    try:
        await scene.daemon.start()
        await scene.register()
        if args.soak:
            await soak(scene, args)
        scene.start_load()
        await scene.more(200)
        todo = plan(args)
        for n, one in enumerate(todo):
            if n and n % 25 == 0:
                print("%d of %d rounds, %d units" % (n, len(todo), len(scene.book.units)), flush=True)
            await one(scene)
            if scene.book.faults:
                break  # what comes later only makes it harder to see
        await scene.settle(SETTLE_S)
        status = scene.daemon.stop()
        if status != 0:
            scene.book.faults.append((None, "the daemon ended with %s" % status))
        scene.book.judge()
    except Fault as fault:
        scene.book.faults += [(None, str(fault))] + [(u, "is open") for u in list(scene.book.open.values())[:3]]
    finally:
        if not scene.daemon.died():
            scene.daemon.kill()
        if scene.daemon.disk_mounted:
            scene.daemon.unmount()
        scene.close()
    return report(scene, args)


async def soak(scene, args):
    """Stretches of the same load: the first ones find the memory that the daemon needs, the last one must need no more."""
    scene.malformed = 0.01
    sizes = []
    for _ in range(args.soak):
        sizes.append(await rounds.soak(scene, args.units))
    scene.malformed = 0
    print("soak: RSS %s MiB, descriptors %s" % (" ".join("%.1f" % (rss / 2**20) for rss, _ in sizes), " ".join("%d" % fds for _, fds in sizes)))
    (rss, fds), (last_rss, last_fds) = sizes[-2:]
    if last_fds > fds + 4:
        scene.book.faults.append((None, "descriptors grew from %d to %d" % (fds, last_fds)))
    if last_rss > rss + args.growth * 2**20:
        scene.book.faults.append((None, "memory grew from %d to %d octets in one stretch" % (rss, last_rss)))


def report(scene, args):
    book = scene.book
    missing = sorted(name for name, hit in scene.reached.items() if not hit)
    if missing and args.reach:
        book.faults.append((None, "failpoints that were not reached: " + " ".join(missing)))
    for u, what in book.faults[:args.show]:
        print(book.history(u, what, scene.daemon.log_lines) if u else what)
    print(book.summary())
    if scene.reached:
        print("failpoints: %d of %d reached%s" % (sum(scene.reached.values()), len(scene.reached), missing and ", not " + " ".join(missing) or ""))
    for text in scene.skipped:
        print("skipped: " + text)
    return 1 if book.faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=24)
    parser.add_argument("--rate", type=int, default=200, help="units a second")
    parser.add_argument("--kills", type=int, default=0, help="rounds of kill -9")
    parser.add_argument("--failpoints", type=int, default=0, help="rounds of each failpoint")
    parser.add_argument("--cuts", type=int, default=0, help="power cuts")
    parser.add_argument("--full", type=int, default=0, help="rounds of a full disk")
    parser.add_argument("--outages", type=int, default=0, help="rounds in which all servers are gone")
    parser.add_argument("--doubts", type=int, default=0, help="rounds in which servers forget what they have not answered")
    parser.add_argument("--soak", type=int, default=0, help="stretches of load with peers that flap and 1 %% malformed units, two at least")
    parser.add_argument("--units", type=int, default=3000, help="of one stretch")
    parser.add_argument("--growth", type=float, default=4, help="MiB that the memory may grow in the last stretch")
    parser.add_argument("--hasty", action="store_true", help="nothing that takes long: a failpoint that is not reached at once, a circuit that opens")
    parser.add_argument("--reach", action="store_true", help="a failpoint that is not reached is a fault")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--show", type=int, default=5, help="faults whose history is printed")
    parser.add_argument("--keep", type=pathlib.Path, help="directory that is kept; otherwise one is made, and kept after a fault")
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a socket for each device, here and there
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
