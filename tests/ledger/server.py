# SPDX-License-Identifier: Apache-2.0
"""server.py - simulated LwM2M servers, each with a temper of its own

    quick     answers at once
    slow      answers after half a second to five, piggybacked: the gateway retransmits meanwhile
    separate  acknowledges at once, answers later by a message of its own
    deaf      now and then hears nothing for a while, or cannot be heard
"""
import asyncio
import random
import re
import socket

from coapmsg import CON, LOCATION_PATH, NON, Msg
from device import later
from leg import Leg

TEMPERS = ("quick", "slow", "separate", "deaf")
OPEN_MOST = 3     # requests to one device without an answer
ID = re.compile(rb"[A-Za-z]\.[\w-]+\.\d+")


class Contact:
    """The server's side of one device: where it is, and what is open with it."""

    def __init__(self, server, addr):
        self.server, self.addr, self.dev = server, addr, None
        self.leg = Leg(server.book.clock, self._send, self._on_message, self._repeated, self._fault)
        self.asked, self.tokens, self.observing = {}, 0, {}

    def _fault(self, text):
        self.server.book.faults.append((None, "%s, from %s: %s" % (self.server.name, self.dev, text)))

    def _send(self, data):
        self.server.send(data, self.addr)

    # -- asking -----------------------------------------------------------------------------------------------------------

    def can_ask(self):
        return len(self.asked) < OPEN_MOST

    def ask(self, kind):
        book = self.server.book
        u = book.new(kind, self.dev, True)
        method, path = {"r": ("GET", "/3/0/"), "w": ("PUT", "/1/0/"), "e": ("POST", "/5/0/"), "o": ("GET", "/3303/0/")}[kind]
        self.tokens = (self.tokens + 1) & 0xFFFFFFFF
        m = Msg.request(method, path + u.id, mid=self.leg.next_mid(), token=self.tokens.to_bytes(4, "big"),
                        observe=0 if kind == "o" else None, payload=u.id.encode() if kind in "we" else b"")
        self.asked[m.token] = (u, m.mid)
        if kind == "o":
            self.observing[u.id] = m.token
        u.mids.add(m.mid)
        book.note(u, "%s asks, mid %d token %s" % (self.server.name, m.mid, m.token.hex()))
        self.leg.confirm(m, lambda what, answer: self._asked_done(u, m, what, answer))
        return u

    def _asked_done(self, u, m, what, answer):
        book = self.server.book
        if what in ("timeout", "away"):
            if what == "timeout":
                self.asked.pop(m.token, None)
            book.give_up(u)
            return
        book.accept(u, what)
        if what == "rst":
            self.asked.pop(m.token, None)
            book.tell(u, "RST")
        elif what == "answer":
            self._answered(answer)

    def _answered(self, m):
        u, _ = self.asked.pop(m.token, (None, 0))
        if u is None:
            return False
        if m.code.startswith("2.") and m.payload != u.id.encode():
            self.server.book.fault(u, "the answer is another unit's: %s" % m)
        self.server.book.tell(u, m.code)
        return True

    # -- being asked ------------------------------------------------------------------------------------------------------

    def _unit_of(self, m):
        found = ID.search(m.payload)
        return self.server.book.find(found.group().decode()) if found else None

    def _repeated(self, m):
        u = self._unit_of(m)
        if u and not (m.is_response and u.kind not in "NM"):
            self.server.book.arrive(u, "server", self.addr[1], m, False)

    def _on_message(self, m):
        u = self._unit_of(m)
        if m.is_response and (u is None or u.kind not in "NM"):
            self._on_response(m)
            return
        if u is None:
            self._fault("a message that nobody sent: %s" % m)
            return
        if self.dev is None:
            self.dev = u.dev
        self.server.book.port(self.server.name, u.dev, self.addr[1])
        if self.dev != u.dev:
            self._fault("a unit of another device: %s" % m)
        self.server.book.arrive(u, "server", self.addr[1], m, True)
        if u.kind in "NM":
            if self.observing.get(u.relation.name) != m.token:
                self.server.book.fault(u, "its token is not that of the observation")
            u.relation.waiting.discard(u.id)
            if m.type == CON and self.server.temper == "slow":
                later(random.uniform(0, 0.5), self.leg.acknowledge, m)
            else:
                self.leg.acknowledge(m)
        else:
            self._serve(u, m)

    def _on_response(self, m):
        """A separate answer to one of the server's own requests."""
        entry = self.asked.get(m.token)
        self.leg.acknowledge(m)
        if entry:
            self.leg.stop(entry[1])
            self._answered(m)

    def _serve(self, u, m):
        temper = self.server.temper
        if m.type == NON:
            self._send(self._reply(u, m, mid=self.leg.next_mid()).encode())
        elif temper == "separate":
            self.leg.acknowledge(m)
            later(random.uniform(0.05, 1), self._separate, u, m)
        elif temper == "slow":
            later(random.uniform(0.5, 5), self._piggyback, u, m)
        else:
            self._piggyback(u, m)

    def _reply(self, u, m, **how):
        code = {"R": "2.01", "U": "2.04"}.get(u.kind, "2.04")
        options = [(LOCATION_PATH, b"rd"), (LOCATION_PATH, u.dev.encode())] if u.kind == "R" else []
        return m.reply(code, u.id.encode(), options=options, **how)

    def _piggyback(self, u, m):
        self.leg.answer(m.mid, self._reply(u, m).encode())

    def _separate(self, u, m):
        answer = self._reply(u, m, type=CON, mid=self.leg.next_mid())
        u.mids.add(answer.mid)
        self.leg.confirm(answer, lambda what, _: self.server.book.note(u, "the server's answer ended in: " + what))


class Server(asyncio.DatagramProtocol):
    """Named by its temper, which it shows from be_moody() on until be_well()."""

    def __init__(self, book, name, host, port=5683):
        self.book, self.name, self.temper, self.host, self.port = book, name, "quick", host, port
        self.contacts, self.by_dev = {}, {}
        self.transport, self.hears, self.heard, self._mood = None, True, True, None

    async def open(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind((self.host, self.port))
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def be_moody(self):
        """From now on it behaves as its temper has it."""
        if self._mood:
            self._mood.cancel()
        self.temper, self.hears, self.heard = self.name, True, True
        if self.temper == "deaf":
            self._turn()

    def close(self):
        """Nobody is there: whoever sends is told by the kernel."""
        if self._mood:
            self._mood.cancel()
        if self.transport:
            self.transport.close()
        self.transport = None

    def be_well(self):
        """No tempers any more, so that everything comes to its end."""
        if self._mood:
            self._mood.cancel()
        self.temper, self.hears, self.heard = "quick", True, True

    def be_mute(self):
        """It does everything, and nobody hears of it."""
        self.be_well()
        self.heard = False

    def _turn(self):
        well = self.hears and self.heard
        self.hears, self.heard = True, True
        if well:
            self.hears = random.random() < 0.5
            self.heard = not self.hears
        self._mood = asyncio.get_running_loop().call_later(random.uniform(2, 5) if well else random.uniform(4, 9), self._turn)

    def send(self, data, addr):
        if self.transport and self.heard:
            self.transport.sendto(data, addr)

    def datagram_received(self, data, addr):
        if not self.hears:
            self._miss(data)
            return
        contact = self.contacts.get(addr)
        if contact is None:
            contact = self.contacts[addr] = Contact(self, addr)
        contact.leg.receive(data)
        if contact.dev and contact.dev not in self.by_dev:
            self.by_dev[contact.dev] = contact

    def _miss(self, data):
        found = ID.search(data)
        u = self.book.find(found.group().decode()) if found else None
        if u:
            self.book.missed(u)

    def error_received(self, exc):
        pass  # the daemon is down
