# SPDX-License-Identifier: Apache-2.0
"""oscore.py - an OSCORE endpoint (RFC 8613) for scripted devices and servers, so that tests need no network.

AES-CCM-16-64-128 and HKDF-SHA-256 only. An End is client and server on one security context, as an LwM2M device and its
server are. It turns plain messages into protected ones and back; who sends them is the test's business.

    ctx = Context(b"\\x01" * 16, sender=b"\\x0a", recipient=b"\\x0b", salt=b"salt")
    dev, srv = End(ctx), End(ctx.mirrored())
    outer = dev.request(Msg.request("POST", "/rd", token=b"t", mid=1))
    inner = srv.open_request(outer)                   # raises Refused where an endpoint would answer 4.00, 4.01, 4.02
    answer = srv.answer(outer, inner.reply("2.01"))
    dev.open_answer(answer).code
"""
import os

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coapmsg import ECHO, MAX_AGE, OBSERVE, OSCORE, URI_HOST, URI_PORT, Msg

ALGORITHM, KEY_SIZE, NONCE_SIZE, TAG_SIZE = 10, 16, 13, 8
WINDOW = 32
OUTSIDE = {URI_HOST, URI_PORT, 35, 39}  # class U beside OSCORE itself


def cbor(value):
    """Deterministic CBOR of None, small integers, bytes, text and lists."""
    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        return bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + n.to_bytes(2, "big")

    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(4, len(value)) + b"".join(cbor(v) for v in value)


class Refused(Exception):
    """What the endpoint answers instead, without protection (8613 8.2)."""

    def __init__(self, code, text):
        super().__init__("%s %s" % (code, text))
        self.code, self.text = code, text

    def answer(self, outer):
        return outer.reply(self.code, self.text.encode(), options=[(MAX_AGE, b"")])


class Context:
    """What both ends share, seen from one of them."""

    def __init__(self, secret, sender, recipient, salt=b"", id_context=None):
        self.secret, self.salt, self.id_context = secret, salt, id_context
        self.sender, self.recipient = sender, recipient
        self.sender_key, self.recipient_key = self._derive(sender, "Key", KEY_SIZE), self._derive(recipient, "Key", KEY_SIZE)
        self.iv = self._derive(b"", "IV", NONCE_SIZE)

    def mirrored(self):
        return Context(self.secret, self.recipient, self.sender, self.salt, self.id_context)

    def _derive(self, ident, kind, size):
        info = cbor([ident, self.id_context, ALGORITHM, kind, size])
        return HKDF(SHA256(), size, self.salt, info).derive(self.secret)

    def nonce(self, ident, piv):
        plain = bytes([len(ident)]) + ident.rjust(NONCE_SIZE - 6, b"\0") + piv.rjust(5, b"\0")
        return bytes(a ^ b for a, b in zip(plain, self.iv))


def aad(kid, piv):
    external = cbor([1, [ALGORITHM], kid, piv, b""])
    return cbor(["Encrypt0", b"", external])


def read_option(value):
    """(piv, kid, kid_context) of an option value; None: not there."""
    if not value:
        return None, None, None
    flags, at, piv, kid, context = value[0], 1, None, None, None
    if flags & 7:
        piv, at = value[at:at + (flags & 7)], at + (flags & 7)
    if flags & 0x10:
        size = value[at]
        context, at = value[at + 1:at + 1 + size], at + 1 + size
    if flags & 8:
        kid = value[at:]
    return piv, kid, context


def write_option(piv=None, kid=None, context=None):
    flags = (len(piv) if piv is not None else 0) | (8 if kid is not None else 0) | (0x10 if context is not None else 0)
    out = bytes([flags]) + (piv or b"")
    if context is not None:
        out += bytes([len(context)]) + context
    out += kid or b""
    return b"" if out == b"\0" else out


def number(n):
    """A Partial IV: the shortest form, 0 in one octet."""
    return n.to_bytes(max(1, (n.bit_length() + 7) // 8), "big")


class End:
    """Client and server on one context. fresh: a new start without its old replay window, so it asks for Echo first (8613 B.1.2)."""

    def __init__(self, context, first=0, fresh=False, kid_context=False):
        self.ctx, self.next, self.kid_context = context, first, kid_context
        self.highest, self.seen = -1, set()  # of the peer's requests
        self.echo = os.urandom(8) if fresh else None
        self.asked, self.answering = {}, {}  # by token: (kid, piv) of a request

    # -- what is inside ----------------------------------------------------------------------------------------------

    @staticmethod
    def _inside(msg, observe=None):
        options = [(n, v) for n, v in msg.options if n not in OUTSIDE and n != OBSERVE]
        if observe is not None:
            options.append((OBSERVE, observe))
        whole = Msg(0, msg.code, 0, b"", sorted(options, key=lambda o: o[0]), msg.payload).encode()
        return whole[1:2] + whole[4:]

    @staticmethod
    def _message(outer, plain):
        inner = Msg.parse(bytes([0x40]) + plain[:1] + b"\0\0" + plain[1:])
        inner.type, inner.mid, inner.token = outer.type, outer.mid, outer.token
        return inner

    def _seal(self, key, nonce, kid, piv, plain):
        return AESCCM(key, TAG_SIZE).encrypt(nonce, plain, aad(kid, piv))

    def _unseal(self, nonce, kid, piv, data):
        try:
            return AESCCM(self.ctx.recipient_key, TAG_SIZE).decrypt(nonce, data, aad(kid, piv))
        except Exception:
            raise Refused("4.00", "Decryption failed") from None

    # -- as a client -------------------------------------------------------------------------------------------------

    def request(self, msg):
        """The protected form; its answers are opened by its token."""
        piv, observes = number(self.next), msg.has(OBSERVE)
        self.next += 1
        context = self.ctx.id_context if self.kid_context else None
        plain = self._inside(msg, msg.values(OBSERVE)[0] if observes else None)
        outside = [(n, v) for n, v in msg.options if n in OUTSIDE or n == OBSERVE]
        outside.append((OSCORE, write_option(piv, self.ctx.sender, context)))
        self.asked[msg.token] = (self.ctx.sender, piv)
        data = self._seal(self.ctx.sender_key, self.ctx.nonce(self.ctx.sender, piv), self.ctx.sender, piv, plain)
        return Msg(msg.type, "0.05" if observes else "0.02", msg.mid, msg.token, sorted(outside, key=lambda o: o[0]), data)

    def open_answer(self, outer):
        """An answer, or a notification; one that is not protected comes back as it is."""
        if not outer.has(OSCORE):
            return outer
        kid, piv = self.asked[outer.token]
        own, _, _ = read_option(outer.values(OSCORE)[0])
        nonce = self.ctx.nonce(self.ctx.recipient, own) if own is not None else self.ctx.nonce(kid, piv)
        return self._message(outer, self._unseal(nonce, kid, piv, outer.payload))

    # -- as a server -------------------------------------------------------------------------------------------------

    def _check_replay(self, piv):
        n = int.from_bytes(piv, "big")
        if n in self.seen or n <= self.highest - WINDOW:
            raise Refused("4.01", "Replay detected")
        self.seen.add(n)
        self.highest = max(self.highest, n)

    def open_request(self, outer):
        piv, kid, context = read_option(outer.values(OSCORE)[0])
        if piv is None or kid != self.ctx.recipient or (context is not None and context != self.ctx.id_context):
            raise Refused("4.01", "Security context not found")
        plain = self._unseal(self.ctx.nonce(kid, piv), kid, piv, outer.payload)
        if self.echo is None:
            self._check_replay(piv)
        self.answering[outer.token] = (kid, piv)
        return self._message(outer, plain)

    def wants_echo(self, inner):
        """The answer that asks for it, or None: it may go on."""
        if self.echo is None:
            return None
        if self.echo in inner.values(ECHO):
            self.highest, self.seen, self.echo = int.from_bytes(self.answering[inner.token][1], "big"), set(), None
            self.seen.add(self.highest)
            return None
        return inner.reply("4.01", options=[(ECHO, self.echo)])

    def answer(self, outer, inner, own=False):
        """The protected form of an answer to outer. own: with a Partial IV of its own, as notifications need it."""
        kid, piv = self.answering[outer.token]
        observes = inner.has(OBSERVE)
        new = number(self.next) if own or observes else None
        self.next += new is not None
        nonce = self.ctx.nonce(self.ctx.sender, new) if new is not None else self.ctx.nonce(kid, piv)
        plain = self._inside(inner, b"" if observes else None)
        outside = [(OBSERVE, v) for v in inner.values(OBSERVE)] + [(OSCORE, write_option(new))]
        data = self._seal(self.ctx.sender_key, nonce, kid, piv, plain)
        return Msg(inner.type, "2.05" if observes else "2.04", inner.mid, inner.token, outside, data)
