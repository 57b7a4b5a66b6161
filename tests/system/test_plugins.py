# SPDX-License-Identifier: Apache-2.0
"""Plug-ins beside forwarding: those that misbehave take nothing with them (lwm2m 47, S41, S42), those that behave get their copy."""
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from bed import DEADLINE, REPO, build_dir, split_addr, udp_config, wait_until
from coapmsg import NON, SENML_JSON, Msg
from pair import Pair, pair

ROUNDS = 30
REPORT = b'[{"bn":"/3303/0/","n":"5700","u":"Cel","v":%d}]'


@pytest.fixture
def programs(tmp_path):
    """A directory with copies of the programs and of all plug-ins, those of the tests too."""
    tmp_path.chmod(0o755)
    there = tmp_path / "bin"
    (there / "plugins").mkdir(parents=True)
    for name in ("niddgwd", "niddgw-plugin-host", "objects.tbl"):
        shutil.copy2(build_dir() / name, there / name)
    for source in (build_dir() / "plugins", build_dir() / "tests/plugins"):
        for library in source.glob("*.so"):
            shutil.copy2(library, there / "plugins" / library.name)
    return there


def start(gateway, udp_peer, programs, plugins, **kw):
    """As pair(), with these plug-ins."""
    srv, dev = udp_peer(port=5683), udp_peer()
    tree = udp_config(srv.uri, {"meter-17": "%s:%d" % dev.addr}, **kw)
    tree["plugins"] = plugins
    gw = gateway(tree, programs=programs).ready()
    dev.to = split_addr(tree["links"][0]["listen"])
    return Pair(gw, dev, srv, tree)


def state(gw, name):
    return next(p for p in gw.ctl("plugins")["items"] if p["name"] == name)


def wait_state(gw, name, word):
    wait_until(lambda: state(gw, name)["state"] == word, what=lambda: "%s %s: %s" % (name, word, state(gw, name)))
    return state(gw, name)


def traffic(p, rounds=ROUNDS):
    """Requests of the device that are answered; what the gateway counts of it."""
    before = p.results()
    for i in range(rounds):
        asked = p.up("POST", "/dp", token=bytes([i + 1]), content_format=SENML_JSON, payload=REPORT % i)
        p.srv.reply(asked, "2.04")
        assert p.dev.recv().code == "2.04"
    return {k: n - before.get(k, 0) for k, n in p.results().items() if n != before.get(k, 0)}


def lines(path):
    text = path.read_text() if path.exists() else ""
    return text.splitlines()


def whole(path):
    """Its lines but one that is just being written."""
    text = path.read_text() if path.exists() else ""
    return text[:text.rfind("\n") + 1].splitlines()


# ---- misbehaving ----

def test_lwm2m_47_s41_forwarding_counts_are_the_same_beside_plugins_that_misbehave(gateway, udp_peer, programs):
    alone = pair(gateway, udp_peer)
    alone.register()
    expected = traffic(alone)
    assert expected == {"answered": ROUNDS}
    deeds = ["crash", "loop", "sleep", "bomb", "leak", "programs", "processes", "sockets", "flood", "garbage", "beyond", "quit"]
    p = start(gateway, udp_peer, programs, [{"name": d, "plugin": "bad", "what": d} for d in deeds]
              + [{"name": "good", "file": "out"}])
    p.register()
    assert traffic(p) == expected
    for name in ("crash", "garbage", "beyond", "quit"):  # gone, with its alarm, and started again
        wait_until(lambda: state(p.gw, name)["restarts"] >= 1, what=lambda: "restart of " + name)
    for name in ("loop", "sleep"):  # found out by their silence
        p.gw.wait_log('ev=plugin.ended plugin=%s reason="does not answer' % name)
    assert traffic(p) == expected
    raised = [line for line in p.gw.log.lines if "ev=alarm.raised type=plugin.down" in line]
    for name in ("crash", "loop", "sleep", "garbage", "beyond", "quit"):
        assert sum("source=%s " % name in line for line in raised) >= 1, name
    for what in ("execve", "fork", "kill", "ptrace", "io_uring", "inet", "unix"):
        p.gw.wait_log('ev=bad.did .*"%s: Operation not permitted"' % what)
    for name in ("programs", "processes", "sockets", "flood", "leak", "good"):
        assert state(p.gw, name)["state"] == "running", name
    want = 1 + 2 * ROUNDS  # the good one got all of it: the links of the Register, and each report
    wait_until(lambda: sum(line.startswith("record ") for line in lines(p.gw.dir / "out")) >= want)
    assert sum(line.startswith("record ") for line in lines(p.gw.dir / "out")) == want
    assert p.gw.metric('niddgw_plugin_dropped_total{plugin="good"}') == 0


def test_a_stopped_plugin_loses_the_oldest_reports_and_each_is_counted(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [{"name": "jsonl", "file": "out"}], profile={"quota_units_per_min": 1000000})
    p.register()
    pid = wait_state(p.gw, "jsonl", "running")["pid"]
    wait_until(lambda: lines(p.gw.dir / "out"))  # the Register
    os.kill(pid, signal.SIGSTOP)
    sent = 2500
    for i in range(sent):  # faster than a stopped process is found out
        p.dev.send(Msg.request("POST", "/dp", type=NON, mid=1000 + i, token=i.to_bytes(2, "big"), content_format=SENML_JSON, payload=REPORT % i))
        p.srv.reply(p.srv.recv(), "2.04")
    wait_until(lambda: state(p.gw, "jsonl")["queued"] == 1024, what=lambda: "a full ring: %s" % state(p.gw, "jsonl"))
    dropped = p.gw.metric('niddgw_plugin_dropped_total{plugin="jsonl"}')
    os.kill(pid, signal.SIGCONT)
    values = []

    def last_is_there():
        values[:] = [r["values"][0]["value"] for r in map(json.loads, whole(p.gw.dir / "out")) if r["values"]]
        return values and values[-1] == sent - 1
    wait_until(last_is_there)
    assert state(p.gw, "jsonl")["pid"] == pid and dropped > 0
    assert len(values) + dropped == sent
    first = len(values) - 1024
    assert values == list(range(first)) + list(range(sent - 1024, sent))  # what its socket had, a gap, and the latest
    assert p.results()["answered"] == sent + 1


def test_s42_a_refused_plugin_is_a_fault_of_the_check_and_not_of_a_daemon_that_runs(gateway, udp_peer, programs):
    (programs / "plugins/older.so").chmod(0o666)
    plugins = [{"name": "newer"}, {"name": "nosymbol"}, {"name": "writable", "plugin": "older"}, {"name": "path", "plugin": "../good"},
               {"name": "absent"}, {"name": "refusing"}]
    p = start(gateway, udp_peer, programs, plugins)
    p.register()
    assert traffic(p, 3) == {"answered": 3}
    status, text = p.gw.check()
    assert status == 1
    for i, why in enumerate(["plug-in ABI 2, this gateway has 1", "no symbol niddgw_plugin", "can be written by others (mode 0666)",
                             '"../good" is not the name of a plug-in', "there is no absent.so in"]):
        found = [line for line in text.splitlines() if ": plugins[%d]." % i in line]
        assert len(found) == 1 and found[0].startswith(str(p.gw.file) + ":") and why in found[0], (why, text)
    assert "plugins[5]" not in text  # it can be loaded; that it refuses to open is found out when it runs
    for name in ("newer", "nosymbol", "writable", "path", "absent"):
        assert wait_state(p.gw, name, "refused")["reason"]
    alarms = {(a["type"], a["source"]["plugin"]): a for a in p.gw.ctl("alarms")["items"]}
    assert set(alarms) == {("plugin.down", q["name"]) for q in plugins}
    assert "its open() failed: No such device or address: not today" in alarms["plugin.down", "refusing"]["text"]


# ---- behaving ----

def test_plugins_are_shown_by_niddgwctl_the_api_and_the_metrics(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [{"name": "good", "file": "out"}, {"name": "lines", "plugin": "jsonl", "file": "lines", "isolation": "inline"}])
    good = wait_state(p.gw, "good", "running")
    assert {k: good[k] for k in good if k != "pid"} == {
        "name": "good", "plugin": "good", "version": "7.1", "state": "running", "isolation": "process", "queued": 0, "dropped": 0, "restarts": 0}
    inline = wait_state(p.gw, "lines", "running")
    assert inline["isolation"] == "inline" and "pid" not in inline
    text = p.gw.run_ctl("plugins").stdout.splitlines()
    assert text[0].split() == ["PLUGIN", "LIBRARY", "VERSION", "STATE", "PID", "QUEUED", "DROPPED", "RESTARTS", "REASON"]
    assert text[1].split()[:5] == ["good", "good", "7.1", "running", str(good["pid"])]
    info = json.loads(p.gw.http("/api/v1/info")[1])
    assert [(q["name"], q["state"]) for q in info["plugins"]] == [("good", "running"), ("lines", "running")]
    assert p.gw.metric('niddgw_plugin_up{plugin="good"}') == 1
    assert p.gw.metric('niddgw_plugin_restarts_total{plugin="good"}') == 0
    status = Path("/proc/%d/status" % good["pid"]).read_text()
    assert "\nSeccomp:\t2\n" in status and "\nNoNewPrivs:\t1\n" in status and "\nCapEff:\t0000000000000000\n" in status


def test_a_stop_closes_plugins_in_order_and_a_kill_takes_them_along(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [{"name": "good", "file": "out"}, {"name": "loop", "plugin": "bad", "what": "loop"}])
    p.register()
    wait_state(p.gw, "good", "running")
    assert traffic(p, 3) == {"answered": 3}
    assert p.gw.stop() == 0
    assert lines(p.gw.dir / "out")[-1] == "close" and sum(x.startswith("record ") for x in lines(p.gw.dir / "out")) == 4
    p.gw.start().ready()
    pids = [wait_state(p.gw, name, "running")["pid"] for name in ("good", "loop")]
    p.gw.kill9()
    wait_until(lambda: not any(Path("/proc/%d" % n).exists() for n in pids), what=lambda: "end of %s" % pids)
    assert lines(p.gw.dir / "out")[-1] != "close"
    p.gw.start().ready()


def test_a_reload_starts_changes_and_ends_plugins(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [])
    p.register()
    assert p.gw.ctl("plugins")["items"] == []
    p.tree["plugins"] = [{"name": "good", "file": "out"}]
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    pid = wait_state(p.gw, "good", "running")["pid"]
    traffic(p, 2)
    wait_until(lambda: sum(x.startswith("record ") for x in lines(p.gw.dir / "out")) == 2)
    p.tree["plugins"] = [{"name": "good", "file": "out", "number": 9}]
    p.gw.write(p.tree)
    done = p.gw.reload()
    assert done.returncode == 1 and "plugins[0].number: 9 is above the greatest value 5" in done.stderr
    assert state(p.gw, "good")["pid"] == pid  # a refused configuration has touched nothing
    p.tree["plugins"] = [{"name": "good", "file": "out", "number": 3}]
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    wait_until(lambda: any(" 3 1 0 " in x for x in lines(p.gw.dir / "out")))
    p.tree["plugins"] = []
    p.gw.write(p.tree)
    assert p.gw.reload().returncode == 0
    assert p.gw.ctl("plugins")["items"] == [] and p.gw.ctl("alarms")["items"] == []
    wait_until(lambda: lines(p.gw.dir / "out")[-1] == "close")
    assert traffic(p, 2) == {"answered": 2}


# ---- jsonl ----

def test_jsonl_writes_a_line_for_each_report_and_rotates(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [{"name": "jsonl", "file": "lines", "rotate_bytes": 2000, "keep": 2}])
    p.register()
    traffic(p)
    file = p.gw.dir / "lines"
    series = 'niddgw_jsonl_lines_total{plugin="jsonl"}'
    p.gw.wait_metric(series, ROUNDS + 1)
    kept = [json.loads(x) for n in ("lines.2", "lines.1", "lines") for x in lines(p.gw.dir / n)]
    values = [x["values"][0]["value"] for x in kept if x["values"]]
    assert values == list(range(ROUNDS - len(values), ROUNDS)) and len(values) > 4
    assert not (p.gw.dir / "lines.3").exists()
    for name in ("lines.2", "lines.1", "lines"):
        assert 0 < (p.gw.dir / name).stat().st_size <= 2000
    assert kept[-1]["device"] == "meter-17" and kept[-1]["op"] == "send" and kept[-1]["v"] == 1
    os.rename(file, p.gw.dir / "moved")  # as logrotate does; the next line goes to a new file once that is seen
    wait_until(lambda: traffic(p, 1) and file.exists())


def test_jsonl_survives_a_full_disk_and_goes_on_when_there_is_room(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [{"name": "jsonl", "file": "lines"}])
    (p.gw.dir / "lines").unlink(missing_ok=True)
    (p.gw.dir / "lines").symlink_to("/dev/full")
    p.gw.stop()
    p.gw.start().ready()
    p.register()
    assert traffic(p, 5) == {"answered": 5}
    p.gw.wait_metric('niddgw_plugin_not_kept_total{plugin="jsonl"}', 6)
    wait_until(lambda: any(a["type"] == "jsonl.failed" for a in p.gw.ctl("alarms")["items"]))
    (p.gw.dir / "lines").unlink()
    wait_until(lambda: traffic(p, 1) and lines(p.gw.dir / "lines"))
    wait_until(lambda: not p.gw.ctl("alarms")["items"])
    assert wait_state(p.gw, "jsonl", "running")["restarts"] == 0


def test_jsonl_without_a_file_writes_to_the_standard_output_of_the_daemon(gateway, udp_peer, programs):
    p = start(gateway, udp_peer, programs, [{"name": "jsonl"}])
    p.register()
    traffic(p, 3)
    found = p.gw.program.out.wait(lambda x: '"op":"send"' in x, 3)
    assert [json.loads(x)["values"][0]["value"] for x in found] == [0, 1, 2]


# ---- for authors of plug-ins ----

def installed(tmp_path):
    """What make install puts there, without building anything again."""
    root = tmp_path / "root"
    done = subprocess.run(["make", "-s", "-C", str(REPO), "-o", "all", "install", "BUILD=%s" % build_dir(), "DESTDIR=%s" % root],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    assert done.returncode == 0, done.stdout
    return root


@pytest.mark.parametrize("compiler", [["gcc", "-std=c11"], ["g++", "-std=c++17", "-x", "c++"]], ids=["c11", "cxx17"])
def test_the_sample_is_built_from_what_is_installed_alone_and_runs(gateway, udp_peer, programs, tmp_path, compiler):
    if not shutil.which(compiler[0]):
        pytest.skip("no " + compiler[0])
    root = installed(tmp_path)
    assert len((REPO / "plugins/sample/sample.c").read_text().splitlines()) < 100
    env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=str(root), PKG_CONFIG_LIBDIR=str(root / "usr/lib/pkgconfig"))
    flags = subprocess.run(["pkg-config", "--cflags", "niddgw-plugin"], env=env, stdout=subprocess.PIPE, universal_newlines=True, check=True)
    where = subprocess.run(["pkg-config", "--variable=plugindir", "niddgw-plugin"], env=env, stdout=subprocess.PIPE, universal_newlines=True, check=True)
    there = Path(where.stdout.strip())
    assert ((there if str(there).startswith(str(root)) else root / str(there)[1:]) / "jsonl.so").exists()
    shutil.copy(REPO / "plugins/sample/sample.c", tmp_path / "sample.c")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC", *flags.stdout.split(),
                    "-o", str(programs / "plugins/sample.so"), str(tmp_path / "sample.c")], check=True, timeout=DEADLINE)
    p = start(gateway, udp_peer, programs, [{"name": "sample", "file": "out"}])
    p.register()
    traffic(p, 2)
    p.gw.wait_metric('niddgw_plugin_reports_total{plugin="sample"}', 3)
    assert lines(p.gw.dir / "out") == ["meter-17 Sensor Value 0 Cel", "meter-17 Sensor Value 1 Cel"]


def test_the_host_offers_the_functions_of_the_header_and_nothing_else():
    header = (REPO / "include/niddgw/plugin.h").read_text()
    functions = set(re.findall(r"\b(niddgw_[a-z_]+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    for program in ("niddgw-plugin-host", "niddgwd"):
        done = subprocess.run(["nm", "-D", "--defined-only", str(build_dir() / program)], stdout=subprocess.PIPE, universal_newlines=True, check=True)
        shown = {line.split()[-1] for line in done.stdout.splitlines() if line.split()[-2] == "T"}
        assert {n for n in shown if n.startswith("niddgw_")} == functions, program
        if "asan" not in str(build_dir()):
            assert shown == functions, program
