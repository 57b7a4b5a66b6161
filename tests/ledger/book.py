# SPDX-License-Identifier: Apache-2.0
"""book.py - the ledger: every unit, what either end saw of it, and the judgement at the end.

A unit is known by the id that travels in it: KIND.DEVICE.NUMBER. Kinds:

    R register   S Send (CON POST)   U Update (CON POST)   P report (NON POST)   from the device, asking
    N notification (CON)             M notification (NON)                        from the device
    r read       w write             e execute             o observe             from the server, asking (CON)

"Accepted" is what the sender may rely on: 204 over T8, an ACK over UDP. The rules are those of the design's promises; what
they let pass for good reasons (a NON that a kill took along, a message in doubt) is counted apart and shown.
"""
import collections
import itertools
import re
import time

LIFETIME_S = 247  # EXCHANGE_LIFETIME with the defaults of RFC 7252 4.8.2: how long servers and devices remember messages
MARGIN_S = 0.5    # two ends of one moment
LAG_S = 5         # what has come to a socket here is read after this at most
PATIENCE_S = 15   # of the servers

ASKS_UP, NOTES, ASKS_DOWN = "RSUP", "NM", "rweo"
NAMES = {"R": "Register", "S": "Send, CON", "U": "Update, CON", "P": "POST, NON", "N": "notification, CON", "M": "notification, NON",
         "r": "Read", "w": "Write", "e": "Execute", "o": "Observe"}


class Clock:
    """Seconds since the start; forward() lets time pass for the simulated ends (the daemon's own is moved beside it)."""

    def __init__(self):
        self._start, self.ahead = time.monotonic(), 0.0

    def now(self):
        return time.monotonic() - self._start + self.ahead

    def forward(self, seconds):
        self.ahead += seconds


class Unit:
    __slots__ = ("id", "kind", "dev", "con", "events", "accepted", "reply_accepted", "final", "seen", "doubts", "gave_up", "relation",
                 "number", "mids", "missed")

    def __init__(self, ident, kind, dev, con, number, relation=None):
        self.id, self.kind, self.dev, self.con, self.number, self.relation = ident, kind, dev, con, number, relation
        self.events = []            # (time, life, text)
        self.accepted = None        # time
        self.reply_accepted = None  # of a request of a server: the device's answer was
        self.final = None           # (time, code): what the asker was told in the end
        self.seen = []              # (time, life, port, mid, token) at the far end; each is a message that was new there
        self.doubts = 0
        self.gave_up = False
        self.missed = False         # it was sent to somebody who did not hear
        self.mids = set()           # of all its messages, for a look into the daemon's log

    @property
    def told_error(self):
        return self.final is not None and not self.final[1].startswith("2.")

    @property
    def settled(self):
        if self.kind in ASKS_DOWN:
            return self.final is not None or self.gave_up
        if self.kind == "N":
            return bool(self.seen) and (self.accepted is not None or self.gave_up) or self.gave_up and self.accepted is None
        if not self.con:
            return bool(self.seen) or self.told_error or self.accepted is None or self.missed and not self.con
        return self.final is not None or self.gave_up


class Fault(Exception):
    pass


class Book:
    def __init__(self, clock):
        self.clock, self.units, self.faults = clock, {}, []
        self.life, self.lives = 0, []     # lives: (from, to) of the daemon
        self.lonely = []                  # (from, to) without any server
        self.open = {}                    # units that are not settled
        self.orders = collections.defaultdict(list)  # (what, from, to): numbers in order of first arrival
        self.counts = collections.Counter()
        self.ports = {}                   # (server, device): source port
        self.taken, self.doubts, self.happened = 0, 0, 0  # happened: arrivals of new messages
        self._next = itertools.count(1)

    # -- what the ends report -----------------------------------------------------------------------------------------

    def new(self, kind, dev, con, relation=None):
        number = next(self._next)
        u = Unit("%s.%s.%d" % (kind, dev, number), kind, dev, con, number, relation)
        self.units[u.id] = u
        self._look(u)
        return u

    def find(self, ident):
        return self.units.get(ident)

    def note(self, u, text):
        u.events.append((self.clock.now(), self.life, text))

    def accept(self, u, how):
        self.note(u, "accepted: " + how)
        if u.accepted is None:
            u.accepted = self.clock.now()
            self.taken += 1
        self._look(u)

    def accept_reply(self, u, how):
        self.note(u, "answer accepted: " + how)
        if u.reply_accepted is None:
            u.reply_accepted = self.clock.now()

    def tell(self, u, code):
        """The asker has its answer."""
        if u.final is not None:
            self.note(u, "told again: " + code)
            if u.told_error and code.startswith("2."):
                self.fault(u, "an error was told, then the answer")
            return
        u.final = (self.clock.now(), code)
        self.note(u, "told: " + code)
        self._look(u)

    def give_up(self, u):
        u.gave_up = True
        self.note(u, "the sender gave up: no acknowledgement")
        self._look(u)

    def arrive(self, u, end, port, m, new):
        """A message with this unit in it; new: the end has not seen it before, so it acts on it."""
        u.mids.add(m.mid)
        self.note(u, "%s at the %s, port %d mid %d token %s" % ("arrives" if new else "repeated", end, port, m.mid, m.token.hex()))
        if not new:
            if u.kind in ASKS_DOWN and u.seen and u.seen[0][1] != self.life:
                self.fault(u, "sent to the device again after a restart")
            return
        self.happened += 1
        now = self.clock.now()
        if u.seen and self._is_doubt(u, now):
            u.doubts += 1
            self.doubts += 1
        elif u.seen and not (not u.con and self._link_repeated(u)):
            self.fault(u, "twice at the %s" % end)
        u.seen.append((now, self.life, port, m.mid, m.token))
        if u.told_error and now > u.final[0] + MARGIN_S:
            self.fault(u, "at the %s after an error was told" % end)
        if len(u.seen) == 1:
            self._in_order(u)
        self._look(u)

    def missed(self, u):
        """It came to an end that is deaf."""
        u.missed = True
        self.note(u, "not heard by the server")
        self._look(u)

    def _is_doubt(self, u, now):
        return u.con and u.kind not in ASKS_DOWN and now - u.seen[0][0] >= LIFETIME_S - 2

    def _link_repeated(self, u):
        """A NON is journalled only while it is held: one that is posted again because a kill took the answer is a new one."""
        return any(t.startswith("posted") and life != u.seen[0][1] for _, life, t in u.events)

    def _in_order(self, u):
        key = (u.relation.name if u.relation else u.kind in ASKS_DOWN and "requests", u.dev)
        if not key[0]:
            return
        line = self.orders[key]
        if line and line[-1].number > u.number:
            self.fault(u, "behind %s, which was sent later" % line[-1].id)
            self.note(line[-1], "this is the one that %s came behind" % u.id)
            self.faults.append((line[-1], "and its history"))
        line.append(u)

    def port(self, server, dev, port):
        known = self.ports.setdefault((server, dev), port)
        if known != port:
            self.faults.append((None, "%s talks to %s from port %d, it was %d" % (dev, server, port, known)))

    def fault(self, u, what):
        self.note(u, "FAULT: " + what)
        self.faults.append((u, what))

    def _look(self, u):
        if u.settled:
            self.open.pop(u.id, None)
        else:
            self.open[u.id] = u

    def waiting(self, since):
        """Units that may still come to an end; a NON that is missing so long after the load has ended does not."""
        late = self.clock.now() - since > 30
        return [u for u in self.open.values() if u.con or not (late or u.accepted and self._nobody_there(u))]

    # -- the daemon's lives -----------------------------------------------------------------------------------------------

    def begin_life(self):
        self.life += 1
        self.lives.append([self.clock.now(), None])

    def end_life(self):
        self.lives[-1][1] = self.clock.now()

    def _nobody_there(self, u):
        """It was on its way while a server was gone, or lay unread in its socket when that was closed."""
        return any(since - LAG_S <= u.accepted and u.events[0][0] <= (until or u.accepted) + MARGIN_S for since, until in self.lonely)

    def _killed_since(self, t):
        return any(end is not None and end >= t - MARGIN_S for _, end in self.lives[:-1])

    # -- judgement ----------------------------------------------------------------------------------------------------------

    def judge(self):
        for u in list(self.units.values()):
            (self._judge_note if u.kind in NOTES else self._judge_down if u.kind in ASKS_DOWN else self._judge_up)(u)
        self.counts["in doubt"] = self.doubts

    def _missing_non(self, u):
        """At most once: a kill may take along what was being sent."""
        if u.missed:
            self.counts["NON that the server did not hear"] += 1
        elif self._nobody_there(u):
            self.counts["NON sent while no server was there"] += 1
        elif self._killed_since(u.accepted):
            self.counts["NON lost with a kill"] += 1
            self.note(u, "NON lost with a kill")
        else:
            self.fault(u, "LOST: accepted, and never at the server")

    def _judge_note(self, u):
        if len(u.seen) > 1 and not u.con:
            self.counts["NON repeated by the link"] += 1
        if u.accepted is None:
            self.counts["not accepted"] += 1
        elif not u.seen:
            if u.con:
                self.fault(u, "LOST: accepted, and never at the server")
            else:
                self._missing_non(u)

    def _judge_up(self, u):
        if len(u.seen) > 1 and not u.con:
            self.counts["NON repeated by the link"] += 1
        if u.told_error:
            self.counts["error to a device: " + u.final[1]] += 1
            if u.seen and u.final[1] != "5.04":
                self.fault(u, "an error was told, and it was delivered")
            elif u.seen:
                self.counts["5.04 after it was delivered"] += 1
        elif u.accepted is None:
            self.counts["not accepted"] += 1
        elif not u.con:
            if not u.seen:
                self._missing_non(u)
        elif u.final is None and u.gave_up and u.seen:
            self.counts["delivered, the device was gone"] += 1  # it would have got the answer by asking again
        elif u.final is None:
            self.fault(u, "LOST: accepted, then neither delivered nor an error" if not u.seen else "accepted and delivered, never answered")

    def _judge_down(self, u):
        if u.final and not u.told_error and len(u.seen) != 1:
            self.fault(u, "the server has %s, and it was %d times at the device" % (u.final[1], len(u.seen)))
        elif u.told_error:
            self.counts["error to a server: " + u.final[1]] += 1
            late = u.events[0][0] + PATIENCE_S - MARGIN_S  # from here on the error may be on its way already
            if u.reply_accepted and u.reply_accepted < late and u.reply_accepted + MARGIN_S < u.final[0]:
                self.fault(u, "LOST: the device's answer was accepted, then the server was told an error")
        elif u.final is None and u.accepted is not None:
            self.fault(u, "LOST: acknowledged to the server, never answered")
        elif u.final is None:
            self.counts["server requests given up"] += 1

    # -- telling --------------------------------------------------------------------------------------------------------------

    def summary(self):
        kinds = collections.Counter(u.kind for u in self.units.values())
        taken = collections.Counter(u.kind for u in self.units.values() if u.accepted is not None)
        there = collections.Counter(u.kind for u in self.units.values() if u.seen)
        lines = ["%-20s %7s %9s %9s" % ("unit", "sent", "accepted", "arrived")]
        for k, name in NAMES.items():
            if kinds[k]:
                lines.append("%-20s %7d %9d %9d" % (name, kinds[k], taken[k], there[k]))
        lines.append("%-20s %7d %9d %9d" % ("all", sum(kinds.values()), sum(taken.values()), sum(there.values())))
        lines += ["%-34s %d" % item for item in sorted(self.counts.items()) if item[1]]
        texts = [what for _, what in self.faults]
        lost = sum("LOST" in t for t in texts)
        doubled = sum("twice" in t or "again" in t or "times at" in t for t in texts)
        order = sum("behind" in t for t in texts)
        lines.append("lives %d, %d lost, %d doubled, order %s, %d other faults" % (
            self.life, lost, doubled, "kept" if not order else "broken %d times" % order, len(texts) - lost - doubled - order))
        return "\n".join(lines)

    def history(self, u, what, log_lines):
        lines = ["%s: %s" % (u.id, what)]
        lines += ["  %9.3f life %-3d %s" % e for e in u.events]
        lines += ["  log: " + line for line in log_lines(u)]
        return "\n".join(lines)


def log_filter(u):
    """What of the daemon's debug lines is about a unit: its device and one of its message ids."""
    mids = "|".join(str(m) for m in sorted(u.mids)) or "none"
    return re.compile(r"dev=%s\b.*mid=(?:%s)\b" % (re.escape(u.dev), mids))
