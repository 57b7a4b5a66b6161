# SPDX-License-Identifier: Apache-2.0
"""What an observer sees of a restart on `link udp`: the same ports and tokens, nothing lost, nothing twice (DESIGN 6)."""
import pytest

from bed import wait_until
from coapmsg import NON, Msg
from pair import REGISTER, pair

HOST_ONLY = pytest.mark.parametrize("host_only", [False, True], ids=["host_and_port", "host_alone"])


def restarted(p, kill):
    if kill:
        p.gw.kill9()
    else:
        assert p.gw.stop() == 0
    p.gw.start().ready()


def name_host_alone(tree):
    for device in tree["devices"]:
        device["address"] = device["address"].rpartition(":")[0]


@HOST_ONLY
@pytest.mark.parametrize("kill", [True, False], ids=["kill9", "sigterm"])
def test_server_asks_first_after_a_restart(gateway, udp_peer, kill, host_only):
    p = pair(gateway, udp_peer, tree_change=name_host_alone if host_only else None)
    p.register()
    port = p.port
    restarted(p, kill)
    got = p.down("GET", "/3/0", token=b"T1")
    while got.code == "2.01":  # the answer to the Register once more: whether it had left is not known after a kill
        got = p.dev.recv()
    assert got.code == "0.01"
    p.dev.reply(got, "2.05", b"x")
    answer = p.srv.recv()
    assert (answer.token, answer.payload, p.port) == (b"T1", b"x", port)


def test_observation_goes_on_after_a_restart(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    got = p.observe(token=b"obs")
    port = p.port
    restarted(p, kill=True)
    p.dev.send(Msg(type=NON, code="2.05", mid=900, token=got.token, options=[(6, b"\x07")], payload=b"21.5"))
    note = p.srv.recv()
    while note.payload == b"start":  # the first answer once more: whether it had left is not known after a kill
        note = p.srv.recv()
    assert (note.token, note.payload, p.port) == (b"obs", b"21.5", port)


def test_unanswered_request_is_the_same_message_after_kill9(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    asked = p.up("POST", "/dp", token=b"s", mid=77, payload=b"reading")
    p.gw.kill9()
    p.gw.start().ready()
    again = p.srv.recv()
    assert (again.mid, again.token, again.payload) == (asked.mid, asked.token, b"reading")
    p.srv.reply(again, "2.04")
    answer = p.dev.recv()
    assert answer.code == "2.04" and answer.token == b"s"


def test_duplicate_after_kill9_gets_the_stored_answer(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    asked = p.up("POST", "/dp", token=b"s", mid=78, payload=b"reading")
    p.srv.reply(asked, "2.04")
    first = p.dev.recv()
    p.ping()
    wait_until(lambda: p.gw.metric("niddgw_store_open_entries") == 0 and p.gw.metric("niddgw_store_queued_bytes") == 0)
    restarted(p, kill=True)
    p.dev.send(p.asked_up)
    assert p.dev.recv().encode() == first.encode()
    p.ping()  # and nothing went north before it
    assert p.results()["duplicate"] == 1


def test_register_again_is_not_needed(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"binding": "U"})
    p.register(REGISTER)
    restarted(p, kill=True)
    update = p.up("POST", "/rd/5a3f", token=b"u", query=("b=N",))
    assert "b=U" in update.query()
    p.srv.reply(update, "2.04")
    got = p.dev.recv()
    while got.code == "2.01":
        got = p.dev.recv()
    assert got.code == "2.04"
    shown = p.gw.ctl("device", "show", "meter-17")
    assert shown["state"] == "registered"
