# SPDX-License-Identifier: Apache-2.0
"""coapmsg.py - CoAP datagrams as Python objects, for scripted devices and servers.

Small and literal on purpose: a test says which octets travel, so nothing is corrected here. What cannot be said with a
Msg is sent as bytes.

    m = Msg.request("POST", "/rd", query=["ep=meter-17", "lt=300", "lwm2m=1.1", "b=N"], token=b"\\x01", mid=7,
                    content_format=40, payload=b"</1/0>,</3/0>")
    m = Msg.parse(datagram);  m.code == "2.01";  m.location() == "rd/abc";  m.uint(OBSERVE)
    ack = m.reply("2.04");  rst = m.rst();  empty = m.empty_ack()
"""

CON, NON, ACK, RST = 0, 1, 2, 3
TYPES = ["CON", "NON", "ACK", "RST"]
METHODS = {"GET": "0.01", "POST": "0.02", "PUT": "0.03", "DELETE": "0.04", "FETCH": "0.05", "PATCH": "0.06", "IPATCH": "0.07"}

IF_MATCH, URI_HOST, ETAG, IF_NONE_MATCH, OBSERVE, URI_PORT, LOCATION_PATH, OSCORE = 1, 3, 4, 5, 6, 7, 8, 9
URI_PATH, CONTENT_FORMAT, MAX_AGE, URI_QUERY, HOP_LIMIT, ACCEPT, LOCATION_QUERY = 11, 12, 14, 15, 16, 17, 20
BLOCK2, BLOCK1, SIZE2, PROXY_URI, PROXY_SCHEME, SIZE1, ECHO, NO_RESPONSE, REQUEST_TAG = 23, 27, 28, 35, 39, 60, 252, 258, 292

TEXT, LINK, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV = 0, 40, 42, 60, 110, 112, 11542


def uint(value):
    """The shortest form of an unsigned option value; 0 is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def block(num, more, size):
    """Value of a Block1 or Block2 option; size in octets, 16 to 1024."""
    return uint(num << 4 | (8 if more else 0) | (size.bit_length() - 5))


def _nibble(n):
    if n < 13:
        return n, b""
    if n < 269:
        return 13, bytes([n - 13])
    return 14, (n - 269).to_bytes(2, "big")


def _extended(nibble, data, at):
    if nibble == 13:
        return data[at] + 13, at + 1
    if nibble == 14:
        return int.from_bytes(data[at:at + 2], "big") + 269, at + 2
    if nibble == 15:
        raise ValueError("option nibble 15")
    return nibble, at


class Msg:
    """One message. code is text ("2.05"); options is a list of (number, bytes) in the order of the wire."""

    def __init__(self, type=CON, code="0.00", mid=0, token=b"", options=(), payload=b""):
        self.type, self.code, self.mid, self.token = type, code, mid, bytes(token)
        self.options, self.payload = [(n, bytes(v)) for n, v in options], bytes(payload)

    @classmethod
    def request(cls, method, path="", query=(), type=CON, mid=0, token=b"", observe=None, accept=None, content_format=None,
                options=(), payload=b""):
        opts = list(options)
        opts += [(URI_PATH, p.encode()) for p in path.strip("/").split("/") if p]
        opts += [(URI_QUERY, q.encode()) for q in query]
        for number, value in ((OBSERVE, observe), (ACCEPT, accept), (CONTENT_FORMAT, content_format)):
            if value is not None:
                opts.append((number, uint(value)))
        opts.sort(key=lambda o: o[0])
        return cls(type, METHODS.get(method, method), mid, token, opts, payload)

    @classmethod
    def parse(cls, data):
        if len(data) < 4 or data[0] >> 6 != 1:
            raise ValueError("not CoAP version 1: %s" % data[:8].hex())
        tkl, code = data[0] & 15, data[1]
        if tkl > 8:
            raise ValueError("token length %d" % tkl)
        m = cls(data[0] >> 4 & 3, "%d.%02d" % (code >> 5, code & 31), int.from_bytes(data[2:4], "big"), data[4:4 + tkl])
        at, number = 4 + tkl, 0
        while at < len(data):
            if data[at] == 0xFF:
                m.payload = data[at + 1:]
                if not m.payload:
                    raise ValueError("payload marker without payload")
                break
            head = data[at]
            delta, at = _extended(head >> 4, data, at + 1)
            size, at = _extended(head & 15, data, at)
            if at + size > len(data):
                raise ValueError("option is cut")
            number += delta
            m.options.append((number, data[at:at + size]))
            at += size
        return m

    def encode(self):
        cls_, _, detail = self.code.partition(".")
        out = bytearray([0x40 | self.type << 4 | len(self.token), int(cls_) << 5 | int(detail)])
        out += self.mid.to_bytes(2, "big") + self.token
        number = 0
        for n, value in sorted(self.options, key=lambda o: o[0]):
            delta, more_d = _nibble(n - number)
            size, more_s = _nibble(len(value))
            out += bytes([delta << 4 | size]) + more_d + more_s + value
            number = n
        if self.payload:
            out += b"\xff" + self.payload
        return bytes(out)

    # -- answers ---------------------------------------------------------------------------------------------------

    def reply(self, code, payload=b"", options=(), content_format=None, observe=None, type=None, mid=None):
        """Piggybacked on a CON, a NON for a NON. Give type=CON and mid for a separate response."""
        opts = list(options)
        if content_format is not None:
            opts.append((CONTENT_FORMAT, uint(content_format)))
        if observe is not None:
            opts.append((OBSERVE, uint(observe)))
        if type is None:
            type = ACK if self.type == CON else NON
        return Msg(type, code, self.mid if mid is None else mid, self.token, opts, payload)

    def empty_ack(self):
        return Msg(ACK, "0.00", self.mid)

    def rst(self):
        return Msg(RST, "0.00", self.mid)

    # -- questions -------------------------------------------------------------------------------------------------

    def values(self, number):
        return [v for n, v in self.options if n == number]

    def has(self, number):
        return any(n == number for n, _ in self.options)

    def uint(self, number, default=None):
        found = self.values(number)
        return int.from_bytes(found[0], "big") if found else default

    def path(self):
        return "/" + "/".join(v.decode("utf-8", "replace") for v in self.values(URI_PATH))

    def query(self):
        return [v.decode("utf-8", "replace") for v in self.values(URI_QUERY)]

    def location(self):
        return "/".join(v.decode("utf-8", "replace") for v in self.values(LOCATION_PATH))

    def block(self, number):
        """(num, more, size) of Block1 or Block2, or None."""
        value = self.uint(number)
        return None if value is None else (value >> 4, bool(value & 8), 16 << (value & 7))

    @property
    def is_request(self):
        return self.code.startswith("0.") and self.code != "0.00"

    @property
    def is_response(self):
        return self.code[0] in "245"

    @property
    def is_empty(self):
        return self.code == "0.00"

    def __eq__(self, other):
        return isinstance(other, Msg) and self.encode() == other.encode()

    __hash__ = None

    def __repr__(self):
        opts = " ".join("%d=%s" % (n, v.hex()) for n, v in self.options)
        return "<%s %s mid=%d token=%s %s payload=%s>" % (
            TYPES[self.type], self.code, self.mid, self.token.hex() or "-", opts, self.payload.hex() or "-")
