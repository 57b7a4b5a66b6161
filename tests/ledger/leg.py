# SPDX-License-Identifier: Apache-2.0
"""leg.py - the message layer of a simulated end (RFC 7252 4): retransmission of the same octets until they are acknowledged,
NSTART 1, and what was received before, kept for EXCHANGE_LIFETIME. Devices and servers both stand on it."""
import asyncio
import collections
import random

from book import LIFETIME_S
from coapmsg import ACK, CON, RST, Msg

MAX_RETRANSMIT = 4


class Tx:
    __slots__ = ("data", "mid", "con", "done", "retries", "timeout", "handle")


class Leg:
    """send(octets) hands to the network; on_message(msg) gets each new CON or NON with a code and may call answer();
    repeated(msg) sees duplicates; fault(text) is told what no sound peer does."""

    def __init__(self, clock, send, on_message, repeated, fault, ack_timeout=2.0, nstart=1):
        self.clock, self.send, self.on_message, self.repeated, self.fault = clock, send, on_message, repeated, fault
        self.ack_timeout, self.nstart = ack_timeout, nstart
        self.mid = random.randrange(65536)
        self.flight, self.queue, self.seen = {}, collections.deque(), {}

    def next_mid(self):
        self.mid = (self.mid + 1) & 0xFFFF
        return self.mid

    # -- sending --------------------------------------------------------------------------------------------------------

    def confirm(self, msg, done):
        """msg has its id; done(what, msg): "ack", "answer", "rst", "timeout" or "away", once."""
        self._queue(msg, done)

    def follow(self, msg, done=lambda: None):
        """A NON that leaves when every CON before it is acknowledged, so that a retransmission cannot end behind it."""
        self._queue(msg, done)

    def _queue(self, msg, done):
        tx = Tx()
        tx.data, tx.mid, tx.done, tx.retries, tx.handle = msg.encode(), msg.mid, done, 0, None
        tx.con = msg.type == CON
        self.queue.append(tx)
        self._pump()

    def _pump(self):
        while self.queue and len(self.flight) < self.nstart:
            tx = self.queue.popleft()
            if not tx.con:
                self.send(tx.data)
                tx.done()
                continue
            tx.timeout = self.ack_timeout * random.uniform(1, 1.5)
            self.flight[tx.mid] = tx
            self._transmit(tx)

    def _transmit(self, tx):
        tx.handle = asyncio.get_running_loop().call_later(tx.timeout, self._on_timeout, tx)
        self.send(tx.data)

    def _on_timeout(self, tx):
        if tx.retries >= MAX_RETRANSMIT:
            self._end(tx, "timeout", None)
            return
        tx.retries += 1
        tx.timeout *= 2
        self._transmit(tx)

    def _end(self, tx, what, msg):
        tx.handle.cancel()
        self.flight.pop(tx.mid, None)
        self._pump()
        tx.done(what, msg)

    def stop(self, mid):
        """An answer came otherwise: nothing has to be repeated."""
        tx = self.flight.get(mid)
        if tx:
            self._end(tx, "ack", None)

    def give_up(self):
        """More time has passed than any message is repeated for."""
        for tx in list(self.flight.values()):
            tx.handle.cancel()
        given_up = [tx for tx in (*self.flight.values(), *self.queue) if tx.con]
        self.flight.clear()
        self.queue.clear()
        for tx in given_up:
            tx.done("away", None)

    # -- receiving --------------------------------------------------------------------------------------------------------

    def receive(self, data):
        m = Msg.parse(data)
        if m.type in (ACK, RST):
            tx = self.flight.get(m.mid)
            if tx:
                self._end(tx, "rst" if m.type == RST else "ack" if m.is_empty else "answer", m)
            return
        if m.is_empty:
            self.send(m.rst().encode())
            return
        old = self.seen.get(m.mid)
        if old and self.clock.now() - old[0] < LIFETIME_S:
            if old[1] != data:
                self.fault("message id %d was used again: %s, it was %s" % (m.mid, m, Msg.parse(old[1])))
            self.repeated(m)
            if old[2]:
                self.send(old[2])
            return
        self.seen[m.mid] = [self.clock.now(), data, None]
        self.on_message(m)

    def answer(self, mid, data):
        """What the sender of mid gets, and gets again for duplicates."""
        self.seen[mid][2] = data
        self.send(data)

    def acknowledge(self, m):
        if m.type == CON:
            self.answer(m.mid, m.empty_ack().encode())
