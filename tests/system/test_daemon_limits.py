# SPDX-License-Identifier: Apache-2.0
"""Many devices, few descriptors, slow clients, and what the admin listener says while all goes on."""
import json
import re
import resource
import signal
import socket
import time
from urllib.parse import quote

import pytest

from bed import DEADLINE, loop_host, split_addr, udp_config, wait_until
from coapmsg import ACK, CON, Msg
from pair import LOCATION, REGISTER, pair

BASE = ["lt=300", "lwm2m=1.1", "b=N"]


class Fleet:
    """n devices, each a socket of its own, on one link; the server answers what it is asked."""

    def __init__(self, gateway, udp_peer, n, **kw):
        self.srv = udp_peer(port=5683)
        self.devs = [udp_peer(port=5683) for _ in range(n)]
        self.srv.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        tree = udp_config(self.srv.uri, {"d%04d" % i: d.addr[0] for i, d in enumerate(self.devs)}, **kw)
        self.tree = tree
        self.gw = gateway(tree, log_level="info").ready()
        self.link = split_addr(tree["links"][0]["listen"])
        self.ports = {}

    def register(self, which, batch=100):
        """Registers these devices; True for each that was answered 2.01, False for 5.03."""
        told = []
        for at in range(0, len(which), batch):
            part = which[at:at + batch]
            for i in part:
                self.devs[i].send(Msg.request("POST", "/rd", BASE, token=b"r", mid=self.devs[i].next_mid()), self.link)
            self.serve(part)
            told += [self.devs[i].recv().code for i in part]
        return told

    def serve(self, part):
        """Answers at the server until each of these devices has something to read or the gateway has nothing for us."""
        self.srv.sock.settimeout(0.3)
        seen = 0
        while seen < len(part):
            try:
                asked = Msg.parse(self.srv.recv_bytes(0.3))
            except AssertionError:
                return
            seen += 1
            name = [q for q in asked.query() if q.startswith("ep=")][0][3:]
            self.ports[name] = self.srv.source[1]
            self.srv.reply(asked, "2.01", options=[(8, b"rd"), (8, name.encode())])


def test_a_thousand_devices_register_and_are_read(gateway, udp_peer):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        fleet = Fleet(gateway, udp_peer, 1000)
        everyone = list(range(1000))
        assert fleet.register(everyone) == ["2.01"] * 1000
        assert len(set(fleet.ports.values())) == 1000
        before = dict(fleet.ports)
        for i in everyone:
            fleet.srv.send(Msg.request("GET", "/3/0", token=b"T", mid=i), ("127.0.0.1", fleet.ports["d%04d" % i]))
            got = fleet.devs[i].recv()
            fleet.devs[i].reply(got, "2.05", b"d%04d" % i)
            assert fleet.srv.recv().payload == b"d%04d" % i and fleet.srv.source[1] == fleet.ports["d%04d" % i]
        status = fleet.gw.ctl("status")
        assert status["devices"]["total"] == 1000
        assert fleet.gw.metric('niddgw_devices{state="registered"}') == 1000
        assert fleet.gw.metric('niddgw_uplink_total{result="answered"}') == 1000
        assert fleet.gw.metric('niddgw_uplink_total{result="forwarded"}') == 1000
        fleet.gw.restart()
        assert fleet.register(everyone[:50]) == ["2.01"] * 50
        assert all(fleet.ports["d%04d" % i] == before["d%04d" % i] for i in everyone[:50])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_lwm2m_35_a_thousand_devices_are_read_at_their_next_wake_up_after_a_kill(gateway, udp_peer):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        fleet = Fleet(gateway, udp_peer, 1000, profile={"awake_window_s": 1, "ack_timeout_s": 60})
        assert fleet.register(list(range(1000))) == ["2.01"] * 1000
        wait_until(lambda: fleet.gw.metric("niddgw_store_queued_bytes") == 0)
        fleet.gw.kill9()
        fleet.gw.start().ready()
        assert fleet.gw.metric('niddgw_devices{state="registered"}') == 1000
        wait_until(lambda: fleet.gw.ctl("device", "show", "d0000")["reach"] == "sleeping")
        for at in range(0, 1000, 100):
            part = range(at, at + 100)
            for i in part:
                fleet.srv.send(Msg.request("GET", "/3/0", token=b"T%d" % i, mid=i), ("127.0.0.1", fleet.ports["d%04d" % i]))
            for i in part:  # each wakes up: the answer to its Update goes first
                fleet.devs[i].send(Msg.request("POST", "/rd/d%04d" % i, token=b"u", mid=fleet.devs[i].next_mid()), fleet.link)
            read = set()
            while len(read) < 100:
                m = fleet.srv.recv()
                if m.is_request:
                    fleet.srv.reply(m, "2.04")
                    i = int(m.path()[-4:])
                    assert fleet.devs[i].recv().code == "2.04"
                    fleet.devs[i].reply(fleet.devs[i].recv(), "2.05", b"d%04d" % i)
                elif m.is_response:
                    assert fleet.srv.source[1] == fleet.ports[m.payload.decode()]
                    read.add(m.payload)
                    if m.type == CON:
                        fleet.srv.send(m.empty_ack())
            assert len(read) == 100
        assert fleet.gw.metric('niddgw_uplink_total{result="answered"}') == 1000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cpu_ticks(pid):
    fields = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_r7_without_descriptors_new_work_is_refused_and_old_goes_on(gateway, udp_peer):
    fleet = Fleet(gateway, udp_peer, 100)
    gw, pid = fleet.gw, fleet.gw.program.pid
    assert fleet.register(list(range(20))) == ["2.01"] * 20
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 1024))
    told = fleet.register(list(range(20, 100)))
    assert set(told) == {"2.01", "5.03"} and 10 < told.count("2.01") < 64
    assert fleet.register(list(range(20))) == ["2.01"] * 20  # those that have a socket go on
    # connections wait at the listeners and cost nothing meanwhile
    waiting = []
    for _ in range(5):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(gw.dir / "run/ctl"))
        waiting.append(s)
        t = socket.create_connection(split_addr(gw.admin), DEADLINE)
        waiting.append(t)
    before, begun = cpu_ticks(pid), time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 1)
    assert cpu_ticks(pid) - before < 30  # of about 100: it does not spin on accept
    for s in waiting:
        s.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, 1024))
    assert wait_until(lambda: gw.run_ctl("status").returncode == 0)
    assert fleet.register(list(range(20, 100))) == ["2.01"] * 80


def test_r10_a_reload_without_descriptors_is_refused_and_the_next_one_is_good(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    pid = p.gw.program.pid
    used = int(p.gw.metric("niddgw_fds"))
    p.tree["links"].append({"name": "more", "type": "udp", "listen": "%s:20000" % loop_host()})
    p.gw.write(p.tree)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used - 2, 1024))
    p.gw.signal(signal.SIGHUP)
    p.gw.wait_log("ev=reload.refused")
    asked = p.up("GET", "/x")
    p.srv.reply(asked, "2.05")
    assert p.dev.recv().code == "2.05"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, 1024))
    wait_until(lambda: p.gw.reload().returncode == 0)
    assert [l["name"] for l in p.gw.ctl("links")["items"]] == ["sgi", "more"]


def test_started_with_few_descriptors(gateway, udp_peer):
    gw = gateway(udp_config("coap://127.0.0.1", {"m": "127.0.0.9"}, host=loop_host()), start=False)
    for limit in (4, 6, 8, 10, 12, 16, 24, 32, 64):
        gw.write(udp_config("coap://127.0.0.1", {"m": "127.0.0.9"}, host=gw.host))
        gw.start()
        resource.prlimit(gw.program.pid, resource.RLIMIT_NOFILE, (limit, limit))
        if gw.notify.wait("READY=1", gw.program.running):
            assert gw.stop() == 0
        else:
            assert gw.program.wait_exit() == 1 and gw.log.lines
            gw.notify.close()
            gw.down = True
            gw.exits.append(0)


# ---- the admin listener ----

def test_the_page_of_metrics_is_sound(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    p.register()
    status, page = p.gw.http("/metrics")
    assert status == 200
    kinds, seen, series = {}, set(), set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds and kind in ("counter", "gauge", "histogram")
            kinds[name] = kind
            assert name not in seen
        elif line.startswith("# HELP "):
            assert len(line.split(" ", 3)) == 4
        else:
            found = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? (-?[0-9.e+-]+|\+Inf|NaN)', line)
            assert found, line
            name, key = found.group(1), found.group(1) + (found.group(2) or "")
            assert name.startswith("niddgw_") and key not in series
            series.add(key)
            seen.add(name)
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in kinds or kinds.get(base) == "histogram", line
            assert name.endswith("_total") == (kinds.get(name) == "counter"), line
    for result in ("answered", "forwarded", "duplicate", "malformed", "refused", "unknown_device", "too_big", "quota", "dropped", "failed"):
        assert 'niddgw_uplink_total{transport="udp",peer="sgi",result="%s"}' % result in series
    assert "niddgw_in_doubt_total" in series


def without_times(objects):
    return [{k: v for k, v in o.items() if not str(v).startswith("20")} for o in objects]


@pytest.mark.parametrize("what", ["info", "health", "devices", "links", "servers", "alarms", "queue", "events"])
def test_every_page_of_the_api_is_a_json_document_and_that_of_niddgwctl(gateway, udp_peer, what):
    p = pair(gateway, udp_peer)
    p.register()
    status, text = p.gw.http("/api/v1/" + what)
    assert status == 200
    page = json.loads(text)
    assert page["v"] == 1 and page["ts"]
    if what not in ("info", "health"):
        assert page["next"] is None
        shown = p.gw.ctl(*(("device", "list") if what == "devices" else (what,)))
        assert shown["next"] is None and len(page["items"]) == len(shown["items"])
        if what != "devices":  # whose times stand deeper
            assert without_times(page["items"]) == without_times(shown["items"])


def test_what_is_not_there_is_404_and_does_not_disturb(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    for path in ("/page", "/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/devices/none", "/metrics/", "/healthz/x", "/api/v2/info",
                 "/%00", "/api/v1/devices/" + "x" * 3000):
        assert p.gw.http(path)[0] in (400, 404, 414), path
    for path in ("/api/v1/devices?limit=0", "/api/v1/devices?limit=x", "/api/v1/devices?cursor=zz", "/api/v1/devices?limit=99999999999999999999",
                 "/api/v1/queue?device=none", "/api/v1/links?limit=1001", "/api/v1/events?cursor=-1"):
        assert p.gw.http(path)[0] in (200, 400, 404), path
    p.register()


def test_healthz_and_readyz_follow_the_daemon(gateway, udp_peer):
    p = pair(gateway, udp_peer, server_keys={"answer_within_s": 1})
    assert p.gw.http("/healthz")[0] == 200 and p.gw.http("/readyz")[0] == 200
    p.register()
    assert p.gw.http("/healthz")[0] == 200


def test_slow_and_endless_admin_clients_hinder_nobody(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    held = []
    for text in (b"", b"GET", b"GET /metrics HTTP/1.1\r\n", b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 4000) * 8:
        s = socket.create_connection(split_addr(p.gw.admin), DEADLINE)
        s.sendall(text)
        held.append(s)
    s = socket.create_connection(split_addr(p.gw.admin), DEADLINE)
    try:
        for _ in range(300):
            s.sendall(b"X-Y: " + b"z" * 1000 + b"\r\n")
    except OSError:
        pass  # thrown out for it
    held.append(s)
    asked = p.up("GET", "/x")
    p.srv.reply(asked, "2.05")
    assert p.dev.recv().code == "2.05"
    assert p.gw.ctl("status")["gateway"] == "test"
    for s in held:
        s.close()
    wait_until(lambda: p.gw.http("/readyz")[0] == 200)


def test_names_of_devices_are_escaped_everywhere(gateway, udp_peer):
    name = 'a "b"\\ c{d}=e,\u00e9\u4e2d%41'
    p = pair(gateway, udp_peer, name=name, device_keys={"ep": "plain"})
    p.register(Msg.request("POST", "/rd", ["ep=plain"], mid=1).encode())
    assert p.gw.ctl("device", "list")["items"][0]["device"] == name
    assert json.loads(p.gw.http("/api/v1/devices/" + quote(name, safe=""))[1])["device"] == name
    assert p.gw.ctl("device", "show", name)["device"] == name
