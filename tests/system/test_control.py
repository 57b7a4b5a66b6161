# SPDX-License-Identifier: Apache-2.0
"""The running daemon from its operator's side: niddgwctl, the admin listener, reload, start and stop."""
import http.client
import json
import os
import signal
import socket
import stat
import subprocess

import pytest

from bed import DEADLINE, build_dir, split_addr, udp_config, wait_until
from coapmsg import Msg

IDLE = {}


def ask(gw, method, path, host=None, body=None):
    """(status, headers, text) of a request with that Host."""
    name, port = gw.admin.split(":")
    c = http.client.HTTPConnection(name, int(port), timeout=DEADLINE)
    c.putrequest(method, path, skip_host=True)
    if host != "":
        c.putheader("Host", host or gw.admin)
    if body is not None:
        c.putheader("Content-Length", str(len(body)))
    c.endheaders(body)
    answer = c.getresponse()
    text = answer.read().decode()
    c.close()
    return answer.status, answer.headers, text


@pytest.fixture
def fleet(gateway, udp_peer):
    """A daemon with 1200 devices on a udp link, ready."""
    server = udp_peer()
    devices = {"m%04d" % i: "127.1.%d.%d" % (i // 250, 1 + i % 250) for i in range(1200)}
    return gateway(udp_config(server.uri, devices), log_level="info").ready()


def test_an_unconfigured_daemon_is_ready_and_idle(gateway):
    gw = gateway(IDLE).ready()
    status = gw.ctl("status")
    assert status["state"] == "unconfigured"
    assert status["gateway"] == "test" and status["v"] == 1 and status["devices"]["total"] == 0
    assert gw.http("/readyz")[0] == 200 and gw.http("/healthz")[0] == 200
    for verb in ("links", "servers", "alarms"):
        assert gw.ctl(verb)["items"] == [] and gw.ctl(verb)["next"] is None
    assert gw.ctl("device", "list")["items"] == gw.ctl("queue")["items"] == []
    assert gw.stop() == 0


def test_directories_and_socket_are_closed_to_others(gateway):
    gw = gateway(IDLE).ready()
    for name in ("run", "state"):
        assert stat.S_IMODE((gw.dir / name).stat().st_mode) == 0o750
    assert stat.S_IMODE((gw.dir / "run/ctl").stat().st_mode) == 0o660
    gw.stop()
    assert not (gw.dir / "run/ctl").exists()


def test_every_device_is_listed_once_in_text_and_json(fleet):
    text = fleet.run_ctl("device", "list")
    assert text.returncode == 0
    lines = text.stdout.splitlines()
    assert lines[0].split()[:3] == ["DEVICE", "STATE", "REACH"] and len(lines) == 1201
    names = [d["device"] for d in fleet.ctl("device", "list")["items"]]
    assert names == ["m%04d" % i for i in range(1200)]


def test_the_same_devices_come_in_pages_over_http(fleet):
    names, cursor, pages = [], "", 0
    while cursor is not None:
        status, text = fleet.http("/api/v1/devices?limit=500" + cursor)
        assert status == 200
        page = json.loads(text)
        names += [d["device"] for d in page["items"]]
        cursor = page["next"] and "&cursor=" + page["next"]
        pages += 1
    assert pages == 3
    assert names == ["m%04d" % i for i in range(1200)]


def test_a_device_is_the_same_object_everywhere(fleet):
    shown = fleet.ctl("device", "show", "m0007")
    served = json.loads(fleet.http("/api/v1/devices/m0007")[1])
    listed = json.loads(fleet.http("/api/v1/devices?limit=1&cursor=7")[1])["items"][0]
    for o in (shown, served, listed):
        o.pop("ts")
    assert shown == served == listed
    assert shown["device"] == "m0007" and shown["transport"] == "udp" and shown["state"] == "unknown"
    assert shown["identity"] == {"address": "127.1.0.8"} and shown["ep"] == "m0007"
    text = fleet.run_ctl("device", "show", "m0007").stdout
    assert "identity.address" in text and "127.1.0.8" in text


def test_links_and_servers_are_shown_with_their_state(fleet):
    assert [(l["name"], l["type"], l["state"]) for l in fleet.ctl("links")["items"]] == [("sgi", "udp", "up")]
    assert [s["name"] for s in fleet.ctl("servers")["items"]] == ["main"]
    health = json.loads(fleet.http("/api/v1/health")[1])
    assert {c["name"] for c in health["components"]} == {"udp/sgi", "server/main", "store"}
    assert json.loads(fleet.http("/api/v1/info")[1])["transports"] == ["udp"]


def test_the_control_tool_tells_failures_from_misuse(gateway):
    gw = gateway(IDLE).ready()
    for args, status, word in ((["device", "show", "nobody"], 1, "no such device"), (["device", "import", "/nowhere/x.csv"], 1, "No such file"),
                               (["check"], 1, "not built"), (["nonsense"], 2, "nonsense"), (["device", "show"], 2, "NAME"), ([], 2, "verb"),
                               (["status", "more"], 2, "more"), (["device", "show", "\udcff"], 1, "UTF-8")):
        done = gw.run_ctl(*args)
        assert done.returncode == status and word in done.stderr and not done.stdout, (args, done)
    gw.stop()
    done = gw.run_ctl("status")
    assert done.returncode == 1 and "is niddgwd running?" in done.stderr


def test_metrics_tell_of_the_process(gateway):
    gw = gateway(IDLE).ready()
    assert gw.metric("niddgw_build_info") == 1
    assert gw.metric("niddgw_rss_bytes") > 1 << 20
    assert gw.metric("niddgw_fds") > 3
    assert gw.metric("niddgw_start_time_seconds") > 1e9
    assert gw.metric("niddgw_config_reloads_total") == 0


# ---- S37 ----

HOSTILE = "x\n\x1b]0;owned\x07\x9b2J\x7f"


def looks_harmless(text):
    return not [c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7f <= ord(c) < 0xa0]


def test_s37_a_hostile_endpoint_name_is_escaped_in_log_and_tables(gateway, udp_peer):
    server, device = udp_peer(port=5683), udp_peer()
    tree = udp_config(server.uri, {"m1": "%s:%d" % device.addr})
    del tree["devices"][0]["ep"]
    gw = gateway(tree).ready()
    device.to = split_addr(tree["links"][0]["listen"])
    name = HOSTILE.encode() + b"\xff"

    def register(ep, mid):
        query = [b"ep=" + ep, b"lt=300", b"lwm2m=1.1", b"b=U"]
        options = [(11, b"rd"), (12, b"\x28"), *((15, q) for q in query)]
        device.send(Msg(code="0.02", mid=mid, token=b"a", options=options, payload=b"</1/0>,</3/0>"))

    register(name, 1)
    asked = server.recv()
    assert (15, b"ep=" + name) in asked.options
    server.reply(asked, "2.01", options=[(8, b"rd"), (8, b"1")])
    assert device.recv().code == "2.01"
    shown = gw.run_ctl("device", "list").stdout
    assert len(shown.splitlines()) == 2 and "x\\x0a\\x1b]0;owned" in shown
    shown += gw.run_ctl("device", "show", "m1").stdout + gw.run_ctl("--json", "device", "show", "m1").stdout
    register(60000 // 300 * b"y" + name, 2)  # too long for a name of ours
    assert device.recv().code == "4.00"
    gw.stop()
    assert looks_harmless(shown) and looks_harmless("\n".join(gw.log.lines))
    assert all(len(line) < 4096 for line in gw.log.lines)


def test_s37_the_terminal_is_left_alone_whatever_the_daemon_says(tmp_path):
    """A daemon that lets everything through: names of 64 kB and control characters reach no terminal."""
    device = {"device": "m1" + HOSTILE, "ep": 65000 * "y", "state": HOSTILE, "link": {"name": HOSTILE}, HOSTILE: HOSTILE}
    error = {"status": "error", "error": {"code": "x", "message": HOSTILE}}
    for verb, answer in ((["device", "list"], {"status": "ok", "data": {"ts": HOSTILE, "items": [device]}}),
                         (["events"], {"status": "ok", "data": {"items": [{"event": HOSTILE, "device": HOSTILE, HOSTILE: HOSTILE}]}}),
                         (["device", "show", "m1"], {"status": "ok", "data": device}), (["status"], error),
                         (["reload"], {"status": "ok", "data": {"result": "ok", "report": [HOSTILE]}})):
        for flags in ([], ["--json"]):
            path = str(tmp_path / "ctl")
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(1)
            tool = subprocess.Popen([str(build_dir() / "niddgwctl"), "-s", path, *flags, *verb], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            c = listener.accept()[0]
            assert c.makefile("rb").readline().endswith(b"\n")
            c.sendall(json.dumps(answer).encode() + b"\n")
            out, err = tool.communicate(timeout=DEADLINE)
            assert looks_harmless(out.decode()) and looks_harmless(err.decode()), (verb, flags)
            if not flags:
                assert len(out) < 4096
            c.close()
            listener.close()
            os.unlink(path)


# ---- S44 ----

def test_s44_admin_listener_only_reads(gateway):
    gw = gateway(IDLE).ready()
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, _ = ask(gw, method, "/api/v1/devices", body=b"{}" if method in ("POST", "PUT") else None)
        assert status == 405 and headers["Allow"] == "GET, HEAD"
    assert ask(gw, "HEAD", "/metrics")[::2] == (200, "")


def test_s44_dots_in_a_path_are_not_found(gateway):
    gw = gateway(IDLE).ready()
    for path in ("/../etc/passwd", "/api/v1/../../metrics", "/%2e%2e/metrics", "/api/v1/devices/..", "//metrics"):
        assert ask(gw, "GET", path)[0] == 404, path


def test_s44_dns_rebinding_is_forbidden(gateway):
    gw = gateway(IDLE).ready()
    for host in ("evil.example", "evil.example:9660", "localhost.evil.example", "192.0.2.1:9660"):
        assert ask(gw, "GET", "/api/v1/devices", host)[0] == 403
    for host in ("localhost", "localhost:9660", "127.0.0.1:9660", "[::1]", gw.admin):
        assert ask(gw, "GET", "/api/v1/devices", host)[0] == 200
    assert ask(gw, "GET", "/api/v1/devices", "")[0] == 403


@pytest.mark.parametrize("listen", ["0.0.0.0:9660", "[::]:9660", "192.0.2.1:9660"])
def test_s44_a_remote_admin_address_is_refused_at_start(gateway, listen):
    gw = gateway({"admin": {"listen": listen}}, start=False)
    status, text = gw.check()
    assert status == 1
    assert "%s:" % gw.file in text and "admin.listen: %s can be reached by other hosts" % listen in text
    gw.start()
    assert gw.program.wait_exit() == 1
    gw.down = True


def test_admin_can_be_a_unix_socket_or_off(gateway):
    gw = gateway({"admin": {"listen": "unix:run/admin"}}).ready()
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(DEADLINE)
    s.connect(str(gw.dir / "run/admin"))
    s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    s.close()
    gw.write({"admin": {"listen": "off"}})
    assert gw.reload().returncode == 0
    assert not (gw.dir / "run/admin").exists()


# ---- reload ----

def test_reload_says_what_changed(gateway, udp_peer):
    server = udp_peer()
    tree = udp_config(server.uri, {"m1": "127.1.0.1"})
    gw = gateway(tree).ready()
    tree["devices"].append({"name": "m2", "link": "sgi", "address": "127.1.0.2", "ep": "m2"})
    gw.write(tree)
    done = gw.reload()
    assert done.returncode == 0 and "1" in done.stdout, done
    assert [d["device"] for d in gw.ctl("device", "list")["items"]] == ["m1", "m2"]
    assert gw.metric('niddgw_config_reloads_total{result="ok"}') == 1


def test_a_refused_reload_gives_every_fault_and_changes_nothing(gateway, udp_peer):
    tree = udp_config(udp_peer().uri, {"m1": "127.1.0.1"})
    gw = gateway(tree).ready()
    bad = dict(tree, devices=tree["devices"] + [{"name": "m2", "link": "nowhere", "address": "127.1.0.2"},
                                                {"nam": "m3", "link": "sgi", "address": "127.1.0.3"}])
    gw.write(bad)
    done = gw.reload()
    assert done.returncode == 1 and not done.stdout
    assert "nowhere" in done.stderr and 'did you mean "name"?' in done.stderr and "refused" in done.stderr
    assert [d["device"] for d in gw.ctl("device", "list")["items"]] == ["m1"]
    assert gw.metric('niddgw_config_reloads_total{result="refused"}') == 1
    alarm, = gw.ctl("alarms")["items"]
    assert alarm["type"] == "config.reload_failed" and alarm["count"] == 1 and "nowhere" in alarm["text"]
    assert gw.ctl("status")["reload_error"].startswith(str(gw.file))
    gw.write(tree)
    assert gw.reload().returncode == 0
    assert gw.ctl("alarms")["items"] == []


def test_sighup_is_a_reload_too(gateway, udp_peer):
    tree = udp_config(udp_peer().uri, {"m1": "127.1.0.1"})
    gw = gateway(tree).ready()
    tree["devices"][0]["name"] = "other"
    gw.write(tree)
    gw.signal(signal.SIGHUP)
    gw.wait_metric('niddgw_config_reloads_total{result="ok"}', 1)
    assert [d["device"] for d in gw.ctl("device", "list")["items"]] == ["other"]
    gw.write("nonsense = ;")
    gw.signal(signal.SIGHUP)
    gw.wait_metric('niddgw_config_reloads_total{result="refused"}', 1)
    assert [d["device"] for d in gw.ctl("device", "list")["items"]] == ["other"]


def test_a_reload_can_move_the_admin_listener(gateway):
    gw = gateway(IDLE).ready()
    old = gw.admin
    gw.admin = old.replace(":9660", ":9661")
    gw.write(IDLE)
    assert gw.reload().returncode == 0
    assert gw.http("/readyz")[0] == 200
    host, port = old.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), DEADLINE)


# ---- start and stop ----

def test_a_second_daemon_on_the_same_directory_gives_up(gateway):
    gw = gateway(IDLE).ready()
    second = gateway({"gateway": {"run_dir": str(gw.dir / "run")}})
    assert second.program.wait_exit() == 1
    second.down = True
    assert gw.ctl("status")["gateway"] == "test"


def test_what_kill_leaves_behind_does_not_hinder_the_next_start(gateway):
    gw = gateway(IDLE).ready()
    gw.kill9()
    assert (gw.dir / "run/ctl").exists()
    gw.start().ready()
    assert gw.ctl("status")["gateway"] == "test"


def test_a_run_dir_that_others_can_write_is_refused(gateway):
    gw = gateway(IDLE, start=False)
    os.mkdir(gw.dir / "run")
    os.chmod(gw.dir / "run", 0o777)
    status, text = gw.check()
    assert status == 1 and "gateway.run_dir" in text and "can be written by others" in text


def test_stop_is_announced_and_clean(gateway):
    gw = gateway(IDLE).ready()
    gw.signal(signal.SIGTERM)
    assert gw.program.wait_exit() == 0
    gw.exits.append(0)
    gw.down = True
    assert gw.notify.wait("STOPPING=1", lambda: False) or any("STOPPING=1" in t for t in gw.notify.texts)


def test_clients_that_do_not_read_or_say_nothing_do_not_hinder_others(fleet):
    idle = []
    for _ in range(12):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(fleet.dir / "run/ctl"))
        s.sendall(b'{"verb":"device list","limit":1000}\n' * 4)
        idle.append(s)
    assert wait_until(lambda: fleet.run_ctl("status").returncode == 0)
    for s in idle:
        s.close()
    assert fleet.ctl("status")["devices"]["total"] == 1200
