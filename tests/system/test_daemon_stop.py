# SPDX-License-Identifier: Apache-2.0
"""Ending the daemon, at any moment and with anything open (case R11 of the reliability paper)."""
import random
import signal
import threading
import time

import pytest

from bed import DEADLINE, conf_text, loop_host, split_addr, udp_config, wait_until
from coapmsg import ACK, CON, NON, Msg
from pair import LOCATION, QUICK_ACK, REGISTER, pair

BUSY = {"quota_units_per_min": 10000000}
BIG = 30000  # devices: a start or a reload that takes a moment


def big_fleet(n=BIG):
    return [{"name": "f%d" % i, "link": "sgi", "address": "127.3.%d.%d" % (i // 250, 1 + i % 250)} for i in range(n)]


def ended(p_or_gw, status=0):
    gw = getattr(p_or_gw, "gw", p_or_gw)
    code = gw.program.wait_exit()
    assert code == status, (code, gw.log.lines[-10:])
    gw.exits.append(code)
    gw.down = True
    assert not (gw.dir / "run/ctl").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_daemon(gateway, udp_peer, number):
    p = pair(gateway, udp_peer)
    p.register()
    p.gw.signal(number)
    ended(p)
    assert any("STOPPING=1" in text for text in p.gw.notify.texts) or p.gw.notify.wait("STOPPING=1", lambda: False)


def test_open_exchanges_may_still_end(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    asked = p.up("GET", "/x", token=b"u")
    got = p.down("GET", "/3/0", token=b"d")
    p.gw.signal(signal.SIGTERM)
    p.gw.wait_log("ev=stopping")
    assert p.gw.http("/readyz")[0] == 503
    p.srv.reply(asked, "2.05", b"up")
    assert p.dev.recv().payload == b"up"
    p.dev.reply(got, "2.05", b"down")
    assert p.srv.recv(where=lambda m: not m.is_empty).payload == b"down"
    ended(p)


def test_an_exchange_that_does_not_end_is_waited_for_a_bounded_time(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.up("GET", "/x")
    p.gw.signal(signal.SIGTERM)
    p.gw.wait_log("ev=stopping")
    assert p.gw.program.wait_exit(10) == 0  # the contract's 10 s
    p.gw.exits.append(0)
    p.gw.down = True


def test_a_second_signal_ends_at_once(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.up("GET", "/x")
    p.gw.signal(signal.SIGTERM)
    p.gw.wait_log("ev=stopping")
    assert p.gw.program.running()
    p.gw.signal(signal.SIGTERM)
    begun = time.monotonic()
    ended(p)
    assert time.monotonic() - begun < 3  # the first one alone takes 5 s


def test_a_storm_of_signals(gateway, udp_peer):
    p = pair(gateway, udp_peer, profile=BUSY)
    p.register()
    p.up("GET", "/x")
    rng = random.Random(11)
    for _ in range(200):
        p.gw.signal(signal.SIGHUP)
    for _ in range(50):
        if not p.gw.program.running():
            break
        p.gw.signal(rng.choice((signal.SIGHUP, signal.SIGTERM, signal.SIGINT)))
    ended(p)


def test_sigterm_during_a_reload(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.gw.log_level = "info"
    p.tree["devices"] += big_fleet()
    p.gw.write(p.tree)
    p.gw.signal(signal.SIGHUP)
    p.gw.signal(signal.SIGTERM)
    ended(p)


@pytest.mark.parametrize("delay", [0, 0.005, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start(gateway, udp_peer, number, delay, tmp_path):
    """The delay moves the signal over the phases of a start; whatever it hits, the end is clean."""
    gw = gateway(dict(udp_config("coap://127.0.0.1", {}, host=loop_host()), devices=big_fleet()), log_level="info", start=False)
    gw.start()
    # not before the program is the daemon: python's child between fork and exec is none of ours
    wait_until(lambda: open("/proc/%d/comm" % gw.program.pid).read().strip() == "niddgwd")
    time.sleep(delay)
    gw.signal(number)
    code = gw.program.wait_exit()
    gw.down = True
    gw.exits.append(0)
    assert code == 0 or (code == -number and not gw.log.lines), (code, gw.log.lines)  # before its first act the default holds


def test_sighup_during_the_start_does_not_end_it(gateway):
    gw = gateway(dict(udp_config("coap://127.0.0.1", {}, host=loop_host()), devices=big_fleet()), log_level="info")
    gw.wait_log("ev=starting")
    gw.signal(signal.SIGHUP)
    gw.ready()
    gw.wait_metric("niddgw_config_reloads_total", 1)
    gw.signal(signal.SIGTERM)
    ended(gw)


def test_kill_9_and_a_new_start_go_on_with_the_device(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    port = p.port
    for life in (b"1", b"2", b"3"):
        p.gw.kill9()
        p.gw.start().ready()
        asked = p.up("POST", "/rd/5a3f", token=life, payload=life)
        while asked.payload != life:  # one of the life before comes again: whether its answer had left is not known
            p.srv.reply(asked, "2.04")
            asked = p.srv.recv()
        assert p.port == port
        p.srv.reply(asked, "2.04")
        assert p.dev.recv(where=lambda m: m.token == life).code == "2.04"


def test_what_waits_for_a_server_that_is_away_does_not_hold_the_end_up(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    got = p.observe()
    p.srv.sock.close()
    for v in range(10):
        p.dev.send(got.reply("2.05", b"x", observe=v + 1, type=NON, mid=v))
    p.gw.wait_metric('niddgw_uplink_total{result="forwarded"}', 10)
    p.gw.signal(signal.SIGTERM)
    ended(p)
