# SPDX-License-Identifier: Apache-2.0
"""rounds.py - what is done to the daemon while units go through it. Each round begins and ends with a daemon that runs."""
import asyncio
import random
import re

from bed import REPO
from book import LIFETIME_S

AWAY_S = LIFETIME_S + 13  # longer than any window in which messages are remembered
ANSWERS_S = 600           # the longest answer_within_s
FAILPOINT_S, HASTY_S = 5, 1
SEGMENTS = 66  # of the journal: from 64 on the oldest is cleaned
SMALL_DISK = 96 << 20
FILL_S = 120  # a segment that was begun has its room already
DRAIN_S = 60


async def moment(most=1.2):
    """A random one."""
    await asyncio.sleep(random.uniform(0.02, most))


async def lonely(scene):
    """All servers are gone, and there is something for them."""
    scene.book.lonely.append([scene.clock.now(), None])
    for s in scene.servers:
        s.close()
    await scene.more(150)


async def company(scene):
    for s in scene.servers:
        await s.open()
        s.be_moody()
    scene.book.lonely[-1][1] = scene.clock.now()


async def killed(scene, most=1.2):
    """kill -9; now and then a second time while it starts."""
    await moment(most)
    scene.daemon.kill()
    if random.random() < 0.2:
        scene.daemon.spawn()
        await moment(0.08)
        scene.daemon.kill()
    await scene.daemon.start()


def failpoints():
    """The names in the source."""
    names = set()
    for path in (REPO / "src").rglob("*.c"):
        names |= set(re.findall(r'store_failpoint\("([^"]+)"\)', path.read_text()))
    return sorted(names)


# How a failpoint is come by: after how many passes, how long nobody is there before, how many segments there have to be, and whether the
# servers are gone all that time, so that notifications stay open.
WAYS = ((None, 0, 0, False), (1, 0, 0, False), (1, AWAY_S, 0, False), (1, 0, SEGMENTS, False), (1, AWAY_S, SEGMENTS, True))


async def failpoint(scene, name):
    """It ends itself at a named place: after some passes, else at the first; some are reached only when old units have been
    forgotten, when there are many segments, or when the oldest holds what is still open. scene.hasty: only what is reached at once."""
    for way in WAYS[:1] if scene.hasty else WAYS:
        passes, away, segments, alone = way
        if alone:
            await lonely(scene)
        goal = segments and segments + (scene.daemon.segments() if alone else 0)  # behind the one that holds what is open
        for _ in range(3 * segments):  # a life begins one when it has something to write
            if scene.daemon.segments() < goal:
                await killed(scene, 0.1)
        scene.daemon.kill()
        if away:
            await scene.pass_time(away)
        if alone:  # requests have come to their end by now, which is remembered for as long
            await scene.daemon.start()
            await asyncio.sleep(FAILPOINT_S)
            scene.daemon.kill()
            await scene.pass_time(away)
        scene.daemon.spawn(fail="%s:%d" % (name, 1 if scene.hasty else passes or random.choice((1, 2, 5, 20))))
        there = scene.daemon.segments()
        patience = HASTY_S if scene.hasty else (3 if alone else 1) * FAILPOINT_S
        reached = not await scene.daemon.ready() or await scene.daemon.ended(patience)
        if alone:
            await company(scene)
        if reached:
            scene.daemon.gone()
            scene.reached[name] = True
            await scene.daemon.start()
            return
        if alone:  # the next round may need room for more
            await asyncio.sleep(FAILPOINT_S)
    scene.reached.setdefault(name, False)
    if not scene.hasty:
        scene.skipped.append("%s: not reached with %d segments, of which %d are left" % (name, there, scene.daemon.segments()))


async def power_cut(scene):
    """What was not synced is gone, or there in part."""
    scene.daemon.kill()
    power = scene.daemon.power_cut()
    await scene.daemon.start(trace=power)
    await moment()
    scene.daemon.kill()
    power.cut()
    await scene.daemon.start()


async def disk_full(scene):
    """The disk fills up, is freed again; the same daemon goes on, or one that was started meanwhile."""
    scene.daemon.kill()
    small = scene.daemon.mount_small(SMALL_DISK)
    await scene.daemon.start()
    if not small:
        scene.skipped.append("disk full: no small file system can be mounted here")
        return
    await scene.more(100)
    before = scene.scef.refusals
    scene.daemon.fill_disk()
    if random.random() < 0.5:
        await killed(scene)
        scene.daemon.fill_disk()  # it has given back what the one before had taken ahead
    await scene.until(lambda: scene.scef.refusals > before + 5, FILL_S, lambda: "nothing was refused while the disk is full")
    scene.daemon.free_disk()
    taken = scene.book.taken
    await scene.until(lambda: scene.book.taken > taken + 100, 30, lambda: "nothing is taken although the disk has room again")
    scene.daemon.kill()
    scene.daemon.unmount()
    await scene.daemon.start()


async def outage(scene):
    """All servers are gone for a while, the daemon is killed meanwhile."""
    await lonely(scene)
    await killed(scene)
    await scene.more(150)
    await company(scene)


async def flapping(scene):
    """Servers and the SCEF go and come back, one at a time, until this is cancelled."""
    while True:
        await moment()
        if random.random() < 0.2:
            await scene.scef.flap(0 if scene.hasty else random.uniform(0.05, 0.5))  # that would open its circuit for half a minute
            continue
        s = random.choice(scene.servers)
        scene.book.lonely.append([scene.clock.now(), None])
        s.close()
        await moment(0.5)
        await s.open()
        scene.book.lonely[-1][1] = scene.clock.now()


async def soak(scene, units):
    """R1: one stretch of mixed load with peers that flap and units that are none. Afterwards nothing is left of it."""
    flaps = asyncio.get_running_loop().create_task(flapping(scene))
    scene.start_load(moody=False)
    for s in scene.servers:
        if s.name != "deaf":  # that one comes and goes enough
            s.be_moody()
    await scene.more(units)
    flaps.cancel()
    for s in scene.servers:
        if s.transport is None:
            await s.open()
    if scene.book.lonely and scene.book.lonely[-1][1] is None:
        scene.book.lonely[-1][1] = scene.clock.now()
    if not scene.scef.server.is_serving():
        await scene.scef.open()
    await scene.settle(DRAIN_S)
    await scene.pass_time(ANSWERS_S + AWAY_S)
    await scene.until_idle(DRAIN_S)
    m = await scene.daemon.metrics()
    if m["niddgw_uplink_total{malformed}"] != scene.garbled:
        scene.book.faults.append((None, "%d units were no messages, the daemon counts %d" % (scene.garbled, m["niddgw_uplink_total{malformed}"])))
    return m["niddgw_rss_bytes"], m["niddgw_fds"] - scene.scef.connections()


async def doubt(scene):
    """Servers hear, and cannot be heard, until they have forgotten: what was unanswered is sent once more, and counted."""
    await scene.settle(DRAIN_S)
    for s in scene.servers:
        s.be_mute()
    scene.start_load(moody=False)
    await scene.more(100)
    scene.stop_load()
    await scene.quiet()
    before, counted = scene.book.doubts, await scene.daemon.metrics()
    counted = counted.get("niddgw_in_doubt_total", 0)
    if random.random() < 0.5:
        scene.daemon.kill()
        await scene.pass_time(AWAY_S)
        await scene.daemon.start()
        counted = 0
    else:
        await scene.pass_time(AWAY_S)
    await scene.settle(DRAIN_S)
    counted = (await scene.daemon.metrics()).get("niddgw_in_doubt_total", 0) - counted
    seen = scene.book.doubts - before
    if counted != seen:
        scene.book.faults.append((None, "the daemon counts %d messages in doubt, the servers %d" % (counted, seen)))
    scene.start_load()
