# SPDX-License-Identifier: Apache-2.0
"""Bodies that are larger than a unit, through the running daemon: coap-client and coap-server of libcoap, and the simulated server and
devices, on both sides of a link of 128 octets. No unit towards the device is longer, and the bodies arrive whole."""
import pytest

from bed import loop_host, split_addr, udp_config
from coapmsg import ACK, BLOCK1, BLOCK2, ETAG, REQUEST_TAG, SIZE1, Msg, block
from pair import pair
from test_foreign_libcoap import Foreign, pytestmark  # noqa: F401

MTU = 128
BODY = bytes(i * 7 + i // 251 & 0xFF for i in range(3000))


@pytest.fixture
def narrow(testbed, gateway):
    return Foreign(testbed, gateway, profile={"mtu": MTU})


def units(f, outward):
    """What went down to the device: by its relay, in which the gateway is the asking or the answering end."""
    return [d for o, d in f.south.seen if o == outward]


def test_a_client_behind_the_gateway_uploads_and_fetches_through_128_octets(narrow, tmp_path):
    f = narrow.up()
    (tmp_path / "body").write_bytes(BODY)
    f.client("example_data", "-m", "put", "-b", "64", "-f", str(tmp_path / "body"), "-t", "42")
    assert f.client("example_data") == BODY  # asked for without a size: the server's blocks are kept and cut
    assert f.client("example_data", "-b", "1024") == BODY
    assert max(map(len, units(f, False))) <= MTU
    fetched = [m for m in f.south.messages(False) if m.has(BLOCK2) and m.payload]
    assert {m.block(BLOCK2)[2] for m in fetched} == {64}
    assert f.gw.metric("niddgw_block_held_total") > 0


def test_a_server_uploads_and_fetches_through_128_octets(narrow, tmp_path):
    f = narrow.down()
    (tmp_path / "body").write_bytes(BODY)
    f.client("example_data", "-m", "put", "-b", "1024", "-f", str(tmp_path / "body"), "-t", "42")
    north = [m.block(BLOCK1) for m in f.north.messages(True) if m.has(BLOCK1)]
    assert north[0] == (0, True, 1024) and {b[2] for b in north[1:]} == {64}  # it went on with the size that fits
    south = [m.block(BLOCK1) for m in f.south.messages(True) if m.has(BLOCK1)]
    assert [b[0] for b in south] == list(range((len(BODY) + 63) // 64)) and {b[2] for b in south} == {64}
    assert f.client("example_data", "-b", "1024") == BODY
    assert max(map(len, units(f, True))) <= MTU
    assert f.gw.metric("niddgw_block_cut_total") == 1


def test_a_body_that_its_server_sends_in_one_piece(narrow, tmp_path):
    f = narrow.down()
    (tmp_path / "body").write_bytes(BODY[:900])
    f.client("example_data", "-m", "put", "-f", str(tmp_path / "body"), "-t", "42")
    assert not [m for m in f.north.messages(True) if m.has(BLOCK1)]
    assert not [m for m in f.north.messages(False) if m.has(BLOCK1)]
    south = [m for m in f.south.messages(True) if m.has(BLOCK1)]
    assert len(south) == 15 and max(map(len, units(f, True))) <= MTU
    assert len({m.values(REQUEST_TAG)[0] for m in south}) == 1 and south[0].uint(SIZE1) == 900
    assert f.client("example_data", "-b", "64") == BODY[:900]


def test_the_simulated_server_writes_in_blocks(testbed, start_server, start_devices, gateway):
    host = loop_host()
    server = start_server()
    tree = udp_config("coap://%s:%d" % tuple(server.addr), {"dev-1": host}, profile={"mtu": MTU})
    gw = gateway(tree).ready()
    start_devices(split_addr(tree["links"][0]["listen"]), "--count", 1, "--lifetime", 3600, bind="%s:40000" % host)
    server.wait("registered", ep="dev-1")
    text = b"z" * 1000 + b"y" * 1000
    for size in (0, 1024, 256, 64):  # 0: in one message
        ident = server.post("write", ep="dev-1", path="/3/0/15", payload=text.hex(), **({"block": size} if size else {}))
        assert server.answer(ident)["code"] == "2.04"
        ident = server.post("read", ep="dev-1", path="/3/0/15", accept="text")
        assert server.answer(ident)["text"] == text.decode()
    assert gw.metric("niddgw_too_big_total") == 0


def test_a_firmware_push_goes_on_where_the_device_fell_silent(gateway, udp_peer):
    """The device takes half of a block of the server and is gone; the server gives up, comes back, and only the rest is sent."""
    p = pair(gateway, udp_peer, profile={"mtu": MTU, "ack_timeout_s": 1, "max_retransmit": 0}, server_keys={"patience_s": 2})
    p.register()
    sent = Msg.request("PUT", "/5/0/0", token=b"fw", mid=1, payload=BODY[:512], options=[(BLOCK1, block(0, True, 512))])
    p.srv.send(sent)
    for n in range(3):
        got = p.dev.recv()
        assert got.block(BLOCK1) == (n, True, 64) and got.payload == BODY[n * 64:][:64]
        p.dev.reply(got, "2.31", options=[(BLOCK1, block(n, True, 64))])
    p.dev.recv()
    told = p.srv.recv(where=lambda m: m.is_response)
    assert told.code == "5.04"
    p.srv.send(Msg(type=ACK, mid=told.mid))
    sent.mid, sent.token = 2, b"again"
    p.srv.send(sent)
    for n in range(3, 8):
        got = p.dev.recv()
        assert got.block(BLOCK1) == (n, True, 64) and got.payload == BODY[n * 64:][:64]
        p.dev.reply(got, "2.31", options=[(BLOCK1, block(n, True, 64))])
    assert p.srv.recv(where=lambda m: m.is_response and m.token == b"again").block(BLOCK1) == (0, True, 64)


@pytest.mark.parametrize("size", [1700, 4100, 9000, 16384])
def test_bodies_of_every_size_pass_whole_in_both_directions(gateway, udp_peer, size):
    p = pair(gateway, udp_peer)
    p.register()
    body = (BODY * 6)[:size]
    p.srv.send(Msg.request("PUT", "/5/0/0", token=b"big", mid=3, payload=body))
    taken = b""
    while len(taken) < size:
        got = p.dev.recv()
        n, more, size1 = got.block(BLOCK1)
        assert n * size1 == len(taken)
        taken += got.payload
        assert more == (len(taken) < size)
        p.dev.reply(got, "2.31" if more else "2.04", options=[(BLOCK1, block(n, more, size1))])
    told = p.srv.recv(where=lambda m: m.is_response)
    assert taken == body and told.code == "2.04" and told.token == b"big" and not told.has(BLOCK1)
    asked = p.up("GET", "/x", token=b"a", mid=4)
    p.srv.reply(asked, "2.05", body)
    got, fetched = p.dev.recv(), b""
    while True:
        assert got.values(ETAG) and got.block(BLOCK2)[0] * got.block(BLOCK2)[2] == len(fetched)
        fetched += got.payload
        if not got.block(BLOCK2)[1]:
            break
        n, _, size2 = got.block(BLOCK2)
        p.dev.send(Msg.request("GET", "/x", token=b"a", mid=5 + n, options=[(BLOCK2, block(n + 1, False, size2))]))
        got = p.dev.recv()
    assert fetched == body
    p.ping()


def test_above_the_limit_of_a_body_the_size_is_told(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    for mid, size in ((3, 16385), (4, 60000)):
        p.srv.send(Msg.request("PUT", "/5/0/0", token=b"big", mid=mid, payload=bytes(size)))
        told = p.srv.recv()
        assert told.code == "4.13" and told.uint(SIZE1) == 1358 and told.block(BLOCK1)[2] == 1024
    p.ping()
