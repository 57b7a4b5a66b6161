# SPDX-License-Identifier: Apache-2.0
"""device.py - a simulated device. How its units travel (a socket, or the SCEF) is given by whoever makes it."""
import asyncio
import random

from coapmsg import CON, NON, OBSERVE, URI_PATH, Msg
from leg import Leg

SEPARATE_SHARE = 0.3  # of requests that are answered by a message of their own
OPEN_MOST = 3         # requests of the device without an answer
AHEAD_MOST = 12       # notifications of one relation that are not at the server yet
FORGET_S = 60         # octets of a message that the link may still tell something about


def later(seconds, call, *args):
    asyncio.get_running_loop().call_later(seconds, call, *args)


class Relation:
    """An observation of this device. waiting: ids of notifications that have not arrived."""

    def __init__(self, name, token):
        self.name, self.token, self.seq, self.waiting = name, token, 0, set()


class Device:
    """transport(data, unit, is_answer): unit is None for what belongs to none (ACK, RST)."""

    def __init__(self, book, name, server, ack_timeout):
        self.book, self.name, self.server, self.transport = book, name, server, None
        self.leg = Leg(book.clock, self._send, self._on_message, self._repeated, self._fault, ack_timeout)
        self.location, self.registered = None, asyncio.Event()
        self.relations, self.asked, self.tokens = [], {}, 0
        self.about = {}  # octets on their way: (unit, whether they answer it)

    def _fault(self, text):
        self.book.faults.append((None, "%s: %s" % (self.name, text)))

    def _send(self, data):
        self.transport(data, *self.about.get(data, (None, False)))

    def _remember(self, m, unit, is_answer):
        data = m.encode()
        self.about[data] = (unit, is_answer)
        unit.mids.add(m.mid)
        later(FORGET_S, self.about.pop, data, None)

    # -- asking -----------------------------------------------------------------------------------------------------------

    def _token(self):
        self.tokens = (self.tokens + 1) & 0xFFFFFF
        return self.tokens.to_bytes(3, "big")

    def can_ask(self):
        return len(self.asked) < OPEN_MOST

    def ask(self, kind):
        con = kind != "P"
        u = self.book.new(kind, self.name, con)
        path, query, fmt, payload = "/dp", [], None, u.id.encode()
        if kind in "RU":
            path, fmt, payload = self.location, 40, b'</1/0>,</3/0>,</5/0>,</3303/0>;id="%s"' % payload
        if kind == "R":
            path, query = "/rd", ["ep=" + self.name, "lt=86400", "lwm2m=1.1", "b=U"]
        m = Msg.request("POST", path, query, type=CON if con else NON, mid=self.leg.next_mid(), token=self._token(),
                        content_format=fmt, payload=payload)
        self.asked[m.token] = (u, m.mid)
        self._remember(m, u, False)
        self.book.note(u, "the device asks, mid %d token %s" % (m.mid, m.token.hex()))
        if con:
            self.leg.confirm(m, lambda what, answer: self._asked_done(u, m, what, answer))
        else:
            self._send(m.encode())
            later(5, self.asked.pop, m.token, None)
        return u

    def _asked_done(self, u, m, what, answer):
        if what in ("timeout", "away"):
            if what == "timeout":
                self.asked.pop(m.token, None)
            self.book.give_up(u)
            return
        self.book.accept(u, what)
        if what == "rst":
            self.asked.pop(m.token, None)
            self.book.tell(u, "RST")
        elif what == "answer":
            self._answered(answer)

    def _answered(self, m):
        u, _ = self.asked.pop(m.token, (None, 0))
        if u is None:
            return
        if m.code.startswith("2.") and u.id.encode() not in m.payload:
            self.book.fault(u, "the answer is another unit's: %s" % m)
        self.book.tell(u, m.code)
        if u.kind == "R" and m.code == "2.01":
            self.location = "/" + m.location()
            self.registered.set()
        elif u.kind in "RU" and m.code in ("4.00", "4.03", "4.04"):
            self.book.fault(u, "the registration is not known any more")

    def garble(self):
        """What is no message: an option that is longer than the rest."""
        self.transport(b"\x50\x01" + random.randbytes(2) + b"\xbd\x01" + random.randbytes(3), None, False)

    # -- notifying ------------------------------------------------------------------------------------------------------------

    def can_notify(self, relation):
        return len(relation.waiting) < AHEAD_MOST

    def notify(self, relation, con):
        u = self.book.new("N" if con else "M", self.name, con, relation)
        relation.seq += 1
        relation.waiting.add(u.id)
        m = Msg(CON if con else NON, "2.05", self.leg.next_mid(), relation.token, [(OBSERVE, relation.seq.to_bytes(3, "big"))],
                u.id.encode())
        self._remember(m, u, False)
        self.book.note(u, "the device notifies, mid %d" % m.mid)
        if con:
            self.leg.confirm(m, lambda what, _: self._notified(u, what))
        else:
            self.leg.follow(m)
            later(10, relation.waiting.discard, u.id)

    def _notified(self, u, what):
        if what in ("timeout", "away"):
            u.relation.waiting.discard(u.id)
            self.book.give_up(u)
        elif what == "rst":
            self.book.fault(u, "LOST: the observation is not known any more")
        else:
            self.book.accept(u, what)

    # -- being asked ------------------------------------------------------------------------------------------------------

    def _repeated(self, m):
        u = self._unit_of(m) if m.is_request else None
        if u:
            self.book.arrive(u, "device", 0, m, False)

    def _unit_of(self, m):
        parts = [v.decode() for v in m.values(URI_PATH)]
        return self.book.find(parts[-1]) if parts else None

    def _on_message(self, m):
        if m.is_response:
            entry = self.asked.get(m.token)
            self.leg.acknowledge(m)
            if entry:
                self.leg.stop(entry[1])
                self._answered(m)
            return
        u = self._unit_of(m)
        if u is None:
            self._fault("a request that nobody sent: %s" % m)
            return
        self.book.arrive(u, "device", 0, m, True)
        if u.kind == "o":
            self.relations.append(Relation(u.id, m.token))
        if m.type == CON and random.random() < SEPARATE_SHARE:
            self.leg.acknowledge(m)
            later(random.uniform(0.02, 0.4), self._separate, u, m)
            return
        answer = self._reply(u, m)
        self._remember(answer, u, True)
        self.leg.answer(m.mid, answer.encode())

    @staticmethod
    def _reply(u, m, **how):
        return m.reply("2.05" if u.kind in "ro" else "2.04", u.id.encode(), observe=0 if u.kind == "o" else None, **how)

    def _separate(self, u, m):
        answer = self._reply(u, m, type=CON, mid=self.leg.next_mid())
        self._remember(answer, u, True)
        self.leg.confirm(answer, lambda what, _: self._replied(u, what))

    def _replied(self, u, what):
        if what == "ack":
            self.book.accept_reply(u, "ACK")
        else:
            self.book.note(u, "the device's answer ended in: " + what)
            u.reply_accepted = None  # it is told that nobody wants it
