# SPDX-License-Identifier: Apache-2.0
"""scef.py - a T8 end for the ledger: small, fast, and as stubborn as an SCEF that retries

A unit of a device is posted again, in order, until it is answered 204; what is neither answered nor refused for good is posted
again as well. A delivery is handed to the device when the request has come in whole, whatever becomes of the answer. With
buffer set for a device, some are kept for a moment first and told by a status notification.
"""
import asyncio
import base64
import collections
import json
import random
import socket
import urllib.parse

from device import later

KEPT_SHARE = 0.3


async def read_message(reader):
    """(first line, headers, body) of one HTTP message with Content-Length; None at the end."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return first, headers, body


class User:
    """One device at the SCEF: what it has sent and waits to be posted, one after the other."""

    def __init__(self, scef, device, external_id, buffer):
        self.scef, self.device, self.external_id, self.buffer = scef, device, external_id, buffer
        self.kept = collections.deque()  # deliveries that have to wait, in order
        self.queue, self.wake, self.conn = collections.deque(), asyncio.Event(), None
        self.task = asyncio.get_running_loop().create_task(self._run())

    def send(self, data, unit, is_answer):
        """transport of the device"""
        if any(q[0] == data for q in self.queue):
            return  # the same is waiting already
        self._enqueue({"externalId": self.external_id, "data": base64.b64encode(data).decode()}, data, unit, is_answer)

    def _enqueue(self, body, data=None, unit=None, is_answer=False):
        self.queue.append((data, body, unit, is_answer))
        self.wake.set()

    def give_up(self):
        """What could not be posted for so long is forgotten."""
        self.queue.clear()

    def tell_status(self, delivery, status):
        self._enqueue({"niddDownlinkDataTransfer": delivery, "deliveryStatus": status})

    async def _run(self):
        while True:
            await self.wake.wait()
            if not self.queue:
                self.wake.clear()
                continue
            item = data, body, unit, is_answer = self.queue[0]
            status = await self._post(body, unit)
            if status is None or status >= 500 or status == 429:
                self.scef.book.counts["posts again over T8"] += 1
                self.scef.refusals += status is not None
                await asyncio.sleep(random.uniform(0.02, 0.1))  # the retry of the peer, not a way to wait for anything
                continue
            if self.queue and self.queue[0] is item:
                self.queue.popleft()
            if status == 204 and unit:
                (self.scef.book.accept_reply if is_answer else self.scef.book.accept)(unit, "204")
            elif status != 204 and data is not None:
                self.scef.book.faults.append((unit, "LOST: %s answered %d to a unit of %s" % ("the gateway", status, self.external_id)))

    async def _post(self, body, unit):
        config = self.scef.config_of(self.external_id)
        if config is None:
            return None
        if unit:
            self.scef.book.note(unit, "posted")
        url = urllib.parse.urlsplit(config["notificationDestination"])
        if "data" in body:
            body = dict(body, niddConfiguration=config["self"])
        text = json.dumps(body).encode()
        head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            url.path, url.netloc, len(text))
        try:
            if self.conn is None:
                self.conn = await asyncio.open_connection(url.hostname, url.port)
            self.conn[1].write(head.encode() + text)
            first, headers, _ = await asyncio.wait_for(read_message(self.conn[0]), 30)
            if headers.get("connection", "").lower() == "close":
                self._hang_up()
            return int(first.split()[1])
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            self._hang_up()
            return None

    def _hang_up(self):
        if self.conn:
            self.conn[1].close()
        self.conn = None


class Scef:
    def __init__(self, book, host, port=8080, scs="gw"):
        self.book, self.host, self.port, self.scs = book, host, port, scs
        self.root = "http://%s:%d" % (host, port)
        self.users, self.configs, self.pending, self.next_id = {}, {}, {}, 1
        self.server, self.refusals = None, 0  # refusals: answers like 503
        self.writers = set()  # of the gateway's connections

    async def open(self):
        self.server = await asyncio.start_server(self._serve, self.host, self.port, backlog=256)

    async def flap(self, seconds):
        """All connections are lost; seconds: and for so long nobody is there."""
        if seconds:
            self.server.close()
        for writer in list(self.writers):
            writer.transport.abort()
        if seconds:
            await asyncio.sleep(seconds)
            await self.open()

    def add(self, device, external_id, buffer):
        user = self.users[external_id] = User(self, device, external_id, buffer)
        device.transport = user.send
        return user

    def close(self):
        for user in self.users.values():
            user.task.cancel()
        self.server.close()

    def config_of(self, external_id):
        return next((c for c in self.configs.values() if c["externalId"] == external_id), None)

    def connections(self):
        """How many sockets the gateway has towards us; it keeps them for the next requests."""
        here = "%08X:%04X" % (int.from_bytes(socket.inet_aton(self.host), "little"), self.port)
        with open("/proc/net/tcp", encoding="ascii") as f:
            lines = [line.split() for line in f][1:]
        return sum(line[2] == here and line[9] != "0" for line in lines)

    # -- the API ------------------------------------------------------------------------------------------------------------

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                first, _, body = await read_message(reader)
                method, path, _ = first.split(" ")
                status, answer, location = self._answer(method, path, json.loads(body) if body else None)
                text = b"" if answer is None else json.dumps(answer).encode()
                head = "HTTP/1.1 %d X\r\n%s%sContent-Length: %d\r\n\r\n" % (
                    status, "Content-Type: application/json\r\n" if text else "", "Location: %s\r\n" % location if location else "",
                    len(text))
                if status == 204:
                    head = "HTTP/1.1 204 X\r\n\r\n"
                writer.write(head.encode() + text)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    def _answer(self, method, path, body):
        parts = urllib.parse.urlsplit(path).path.split("/")
        rest = parts[parts.index("configurations") + 1:]
        config = self.configs.get(rest[0]) if rest else None
        if not rest:
            return self._create(body) if method == "POST" else (200, list(self.configs.values()), None)
        if config is None:
            return 404, {"status": 404}, None
        if len(rest) == 1:
            return self._config(method, rest[0], config, body)
        if len(rest) == 2:
            return self._deliver(config, body) if method == "POST" else (200, self._pending_of(config), None)
        found = self.pending.pop("%s/%s/%s" % (config["self"], rest[1], rest[2]), None)
        return (204, None, None) if found else (404, {"status": 404}, None)

    def _id(self):
        self.next_id += 1
        return self.next_id - 1

    def _create(self, body):
        if self.config_of(body["externalId"]):
            return 409, {"status": 409}, None
        cid = str(self._id())
        config = dict(body, self="%s/3gpp-nidd/v1/%s/configurations/%s" % (self.root, self.scs, cid), status="ACTIVE",
                      maximumPacketSize=10864)
        config.pop("requestTestNotification", None)
        self.configs[cid] = config
        return 201, config, config["self"]

    def _config(self, method, cid, config, body):
        if method == "DELETE":
            del self.configs[cid]
            return 204, None, None
        if method == "PATCH":
            config.update({k: v for k, v in body.items() if v is not None})
        return 200, config, None

    def _pending_of(self, config):
        return [d for link, d in self.pending.items() if link.startswith(config["self"] + "/")]

    def _deliver(self, config, body):
        user, data = self.users[config["externalId"]], base64.b64decode(body["data"])
        if user.buffer and (user.kept or random.random() < KEPT_SHARE):
            link = "%s/downlink-data-deliveries/%d" % (config["self"], self._id())
            self.pending[link] = dict(body, self=link, deliveryStatus="BUFFERING")
            user.kept.append((link, data, self.book.clock.now() + body.get("maximumLatency", 0)))
            if len(user.kept) == 1:
                self._soon(user)
            return 201, self.pending[link], link
        user.device.leg.receive(data)
        return 200, {"externalId": config["externalId"], "data": body["data"], "deliveryStatus": "SUCCESS"}, None

    def _soon(self, user):
        later(random.uniform(0.05, 0.6), self._hand_over, user)

    def _hand_over(self, user):
        """The oldest that is kept for the user, if it was not taken back."""
        link, data, until = user.kept.popleft()
        wanted = self.pending.pop(link, None) is not None
        if wanted and until < self.book.clock.now():
            user.tell_status(link, "FAILURE_TEMPORARY")
        elif wanted:
            user.device.leg.receive(data)
            user.tell_status(link, "SUCCESS")
        if user.kept:
            self._soon(user)
