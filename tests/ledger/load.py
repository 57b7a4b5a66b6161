# SPDX-License-Identifier: Apache-2.0
"""load.py - the scene (devices on both links, servers of each temper, the daemon between) and what makes units in it"""
import asyncio
import random
import socket

from bed import loop_host
from book import PATIENCE_S, Book, Clock, Fault
from daemon import Daemon
from device import Device
from scef import Scef
from server import TEMPERS, Server

ACK_TIMEOUT_S = 1
RELATIONS = 2  # observations of each device
MIX = {"S": 20, "U": 3, "P": 10, "N": 22, "M": 22, "r": 9, "w": 8, "e": 6}  # shares of the kinds of units
TICK_S = 0.02
START_S = 60
T8_MOST = 200  # devices behind the SCEF: each has a connection, of which one address may have so many


class DeviceSocket(asyncio.DatagramProtocol):
    """A device on the tunnel."""

    def __init__(self, device, to):
        self.device, self.to, self.transport = device, to, None

    async def open(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((loop_host(), 40000))
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        self.device.transport = self.send
        return "%s:%d" % sock.getsockname()

    def send(self, data, unit, is_answer):
        self.transport.sendto(data, self.to)

    def datagram_received(self, data, addr):
        self.device.leg.receive(data)

    def error_received(self, exc):
        pass  # the daemon is down


class Scene:
    def __init__(self, directory, devices, rate):
        self.clock = Clock()
        self.book = Book(self.clock)
        self.dir, self.count, self.rate = directory, devices, rate
        self.servers, self.devices, self.sockets = [], [], []
        self.scef = Scef(self.book, loop_host())
        self.loading, self.task, self.made = False, None, 0
        self.malformed, self.garbled = 0, 0  # share of units that are none; how many there were in this life of the daemon
        self.reached, self.skipped = {}, []  # failpoints; rounds that cannot be done here
        self.hasty = False

    async def open(self):
        await self.scef.open()
        gw, t8 = loop_host(), loop_host()
        for temper in TEMPERS:
            server = Server(self.book, temper, loop_host())
            await server.open()
            self.servers.append(server)
        records = [await self._device(i, gw) for i in range(self.count)]
        tree = {
            "north": {"bind": loop_host()},
            "links": [{"name": "op", "type": "t8", "api_root": self.scef.root, "scs_as_id": "gw", "test_notification": False,
                       "callback": {"listen": "%s:8444" % t8, "url": "http://%s:8444/t8" % t8}},
                      {"name": "sgi", "type": "udp", "listen": "%s:20000" % gw}],
            "servers": [{"name": s.name, "uri": "coap://%s:%d" % (s.host, s.port), "patience_s": PATIENCE_S,
                         "answer_within_s": 600 if s.name == "quick" else 60}
                        for s in self.servers],
            "profiles": [{"name": "own", "ack_timeout_s": ACK_TIMEOUT_S, "quota_units_per_min": 100000},
                         {"name": "theirs", "ack_timeout_s": ACK_TIMEOUT_S, "quota_units_per_min": 100000, "queue": "scef"}],
            "devices": records,
        }
        self.daemon = Daemon(self.book, self.dir, tree, "%s:9660" % loop_host())

    async def _device(self, i, gw):
        name, server = "d%02d" % i, self.servers[i // 2 % len(self.servers)]
        device = Device(self.book, name, server, ACK_TIMEOUT_S)
        self.devices.append(device)
        record = {"name": name, "ep": name, "servers": [server.name], "profile": "own"}
        if i % 2 or i >= 2 * T8_MOST:
            sock = DeviceSocket(device, (gw, 20000))
            self.sockets.append(sock)
            return dict(record, link="sgi", address=await sock.open())
        buffer = i // 8 % 2 == 1
        self.scef.add(device, name + "@iot.example", buffer)
        return dict(record, link="op", external_id=name + "@iot.example", profile="theirs" if buffer else "own")

    async def until(self, test, seconds, what):
        """For what is changed by many: looks at every tick; seconds of real time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not test():
            if loop.time() > deadline:
                raise Fault("not in time: " + what())
            await asyncio.sleep(TICK_S)

    async def register(self):
        """Once, for the whole run."""
        for d in self.devices:
            d.ask("R")
        await self.until(lambda: all(d.registered.is_set() for d in self.devices), START_S,
                         lambda: "registered are %s" % [d.name for d in self.devices if d.registered.is_set()])
        for d in self.devices:
            for _ in range(RELATIONS):
                d.server.by_dev[d.name].ask("o")
        await self.until(lambda: all(len(d.relations) == RELATIONS for d in self.devices) and not self.book.open, START_S,
                         lambda: "open are %s" % list(self.book.open)[:10])

    async def pass_time(self, seconds):
        """More than any message is repeated for, for everybody. What is in the sockets has come before."""
        for _ in range(200):
            await asyncio.sleep(0)
        self.daemon.forward(seconds)
        for d in self.devices:
            d.leg.give_up()
        for user in self.scef.users.values():
            user.give_up()
        for s in self.servers:
            for contact in s.contacts.values():
                contact.leg.give_up()

    # -- load -------------------------------------------------------------------------------------------------------------

    def start_load(self, moody=True):
        self.loading = True
        for s in self.servers if moody else ():
            s.be_moody()
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._load())

    def stop_load(self):
        self.loading = False

    async def more(self, units):
        """Until so many more units are under way."""
        goal = self.made + units
        await self.until(lambda: self.made >= goal, 60, lambda: "the load has come to a stand at %d of %d" % (self.made, goal))

    async def _load(self):
        loop, kinds, shares = asyncio.get_running_loop(), list(MIX), list(MIX.values())
        due, before = 0.0, loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            due, before = min(due + (now - before) * self.rate, self.rate), now
            while self.loading and due >= 1:
                due -= 1
                if random.random() < self.malformed:
                    random.choice(self.devices).garble()
                    self.garbled += 1
                kind = random.choices(kinds, shares)[0]
                for _ in range(8):  # whoever is busy is passed over
                    if self._make(random.choice(self.devices), kind):
                        self.made += 1
                        break

    @staticmethod
    def _make(d, kind):
        if kind in "SUP":
            return d.can_ask() and d.ask(kind)
        if kind in "NM":
            r = random.choice(d.relations)
            return d.can_notify(r) and (d.notify(r, kind == "N") or True)
        contact = d.server.by_dev[d.name]
        return contact.can_ask() and contact.ask(kind)

    async def settle(self, seconds):
        """Nothing new, nobody deaf: everything comes to its end, or is left open when the time is over."""
        self.stop_load()
        for s in self.servers:
            s.be_well()
        await self.drain(seconds)

    async def quiet(self):
        """Until nothing new has come to any end for a second."""
        loop = asyncio.get_running_loop()
        since, events = loop.time(), -1

        def still():
            nonlocal since, events
            if events != self.book.happened:
                since, events = loop.time(), self.book.happened
            return loop.time() - since > 1
        await self.until(still, 60, lambda: "a moment without anything new")

    async def drain(self, seconds):
        since = self.clock.now()
        try:
            await self.until(lambda: not self.book.waiting(since), seconds, lambda: "")
        except Fault:
            pass

    async def until_idle(self, seconds):
        """The daemon has nothing open any more, in memory or on disk."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            left, m = await self.daemon.waiting(), await self.daemon.metrics()
            if not left and m["niddgw_store_open_entries"] == m["niddgw_store_queued_bytes"] == 0:
                return
            if loop.time() > deadline:
                raise Fault("still there: %d open entries, %s" % (m["niddgw_store_open_entries"], left[:5]))
            await asyncio.sleep(0.2)

    def close(self):
        if self.task:
            self.task.cancel()
        for s in self.servers:
            s.close()
        for s in self.sockets:
            s.transport.close()
        self.scef.close()
