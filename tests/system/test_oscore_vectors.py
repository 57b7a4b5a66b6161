# SPDX-License-Identifier: Apache-2.0
"""The OSCORE endpoint of the tests against RFC 8613 Appendix C: what it says of the gateway rests on that."""
import pytest

from coapmsg import OSCORE, Msg
from oscore import Context, End, Refused, read_option, write_option

SECRET = bytes(range(1, 17))
SALT = bytes.fromhex("9e7ca92223786340")
ID_CONTEXT = bytes.fromhex("37cbf3210017a2d3")
C1 = Context(SECRET, b"", b"\x01", SALT)
C2 = Context(SECRET, b"\x00", b"\x01")
C3 = Context(SECRET, b"", b"\x01", SALT, ID_CONTEXT)


def message(text):
    return Msg.parse(bytes.fromhex(text))


@pytest.mark.parametrize("ctx, sender, recipient, iv", [
    (C1, "f0910ed7295e6ad4b54fc793154302ff", "ffb14e093c94c9cac9471648b4f98710", "4622d4dd6d944168eefb54987c"),
    (C2, "321b26943253c7ffb6003b0b64d74041", "e57b5635815177cd679ab4bcec9d7dda", "be35ae297d2dace910c52e99f9"),
    (C3, "af2a1300a5e95788b356336eeecd2b92", "e39a0c7c77b43f03b4b39ab9a268699f", "2ca58fb85ff1b81c0b7181b85e"),
])
def test_keys(ctx, sender, recipient, iv):
    assert (ctx.sender_key.hex(), ctx.recipient_key.hex(), ctx.iv.hex()) == (sender, recipient, iv)
    other = ctx.mirrored()
    assert (other.sender_key, other.recipient_key, other.iv) == (ctx.recipient_key, ctx.sender_key, ctx.iv)


@pytest.mark.parametrize("ctx, plain, outer", [
    (C1, "44015d1f00003974396c6f63616c686f737483747631",
     "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e"),
    (C2, "440171c30000b932396c6f63616c686f737483747631",
     "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0"),
    (C3, "44012f8eef9bbf7a396c6f63616c686f737483747631",
     "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55c3"),
])
def test_requests(ctx, plain, outer):
    client = End(ctx, first=20, kid_context=ctx is C3)
    assert client.request(message(plain)).encode().hex() == outer
    inner = End(ctx.mirrored()).open_request(message(outer))
    assert (inner.code, inner.path()) == ("0.01", message(plain).path())


@pytest.mark.parametrize("own, outer", [
    (False, "64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106"),
    (True, "64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e"),
])
def test_answers(own, outer):
    client, server = End(C1, first=20), End(C1.mirrored())
    asked = client.request(message("44015d1f00003974396c6f63616c686f737483747631"))
    inner = server.open_request(asked)
    answer = server.answer(asked, inner.reply("2.05", b"Hello World!"), own=own)
    assert answer.encode().hex() == outer
    assert client.open_answer(answer).payload == b"Hello World!"


def test_what_an_endpoint_refuses():
    client, server = End(C1), End(C1.mirrored())
    asked = client.request(Msg.request("GET", "/1", token=b"a"))
    server.open_request(asked)
    with pytest.raises(Refused, match="Replay"):
        server.open_request(asked)
    changed = Msg.parse(asked.encode())
    changed.payload = bytes([changed.payload[0] ^ 1]) + changed.payload[1:]
    with pytest.raises(Refused, match="Decryption"):
        End(C1.mirrored()).open_request(changed)
    with pytest.raises(Refused, match="not found"):
        End(C2.mirrored()).open_request(asked)
    far = End(C1, first=40)
    server.open_request(far.request(Msg.request("GET", "/1", token=b"b")))
    with pytest.raises(Refused, match="Replay"):
        server.open_request(End(C1, first=8).request(Msg.request("GET", "/1", token=b"c")))
    server.open_request(End(C1, first=9).request(Msg.request("GET", "/1", token=b"d")))


def test_option_values():
    for value in ("", "0914", "091400", "19140837cbf3210017a2d3", "0100", "08", "190101c1aa"):
        assert write_option(*read_option(bytes.fromhex(value))).hex() == value
    assert OSCORE == 9
