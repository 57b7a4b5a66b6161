# SPDX-License-Identifier: Apache-2.0
"""Starting the daemon: arguments and exit codes, what -t finds, merging, printing, directories, log formats, odd surroundings."""
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time

import pytest

from bed import DEADLINE, REPO, Gateway, NotifySocket, build_dir, conf_text, loop_host, split_addr, udp_config, wait_until
from coapmsg import Msg
from pair import LOCATION, REGISTER, pair

DAEMON = str(build_dir() / "niddgwd")


def run(*args, **kw):
    kw.setdefault("timeout", DEADLINE)
    return subprocess.run([DAEMON, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, **kw)


def write(tmp_path, name, text, mode=0o640):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def own_dirs(tmp_path):
    return 'gateway = { id = "t"; state_dir = "%s/state"; run_dir = "%s/run"; };\n' % (tmp_path, tmp_path)


# ---- arguments ----

def test_exit_codes_of_arguments(tmp_path):
    good = write(tmp_path, "niddgw.conf", own_dirs(tmp_path))
    assert run("-c", good, "-t").returncode == 0
    assert run("--config", good, "--test").returncode == 0
    for args in (["-x"], ["--nonsense"], ["-c"], ["-c", good, "more"], ["-t", "-c", good, ""]):
        done = run(*args)
        assert done.returncode == 2 and done.stderr and not done.stdout, args
    for name in ("absent.conf", ".", "x" * 5000):
        for args in (["-t"], []):
            done = run("-c", tmp_path / name, *args)
            assert done.returncode == 1 and done.stderr, name
    for args in (["--help"], ["--version"], ["--print-defaults"], ["--print-config", "-c", good]):
        done = run(*args)
        assert done.returncode == 0 and done.stdout and not done.stderr
    assert not (tmp_path / "run").exists() and not (tmp_path / "state").exists()  # checking makes nothing


def test_the_shipped_file_starts_idle_and_ready(gateway, tmp_path):
    """Unedited but for its directories, which a test must not put into the machine's."""
    text = (REPO / "etc/niddgw.conf").read_text()
    done = run("-c", write(tmp_path, "niddgw.conf", text), "-t")
    assert done.returncode == 0 and not done.stderr, done.stderr
    gw = gateway(text, start=False)
    conf_d = gw.dir / "conf.d"
    conf_d.mkdir()
    (conf_d / "10-test.conf").write_text('gateway = { state_dir = "state"; run_dir = "run"; };\nadmin = { listen = "%s"; };\n' % gw.admin)
    gw.start().ready()
    assert gw.ctl("status")["state"] == "unconfigured"
    assert len([l for l in gw.log.lines if "level=notice" in l and "ev=ready" in l]) == 1
    assert (gw.dir / "state/key").exists()  # relative to the file


# ---- what -t finds ----

PLANTED = """\
gateway = { id = "t"; state_dir = "STATE"; run_dir = "RUN"; idd = 1; };
admin = { listen = "0.0.0.0:9660"; };
log = { level = "loud"; };
links = (
  { name = "a"; type = "udp"; listen = "127.0.0.1"; },
  { name = "a"; type = "udp"; listen = "127.0.0.1:20001"; },
  { name = "b"; type = "modem"; device = "/dev/null"; },
  { name = "c"; type = "upd"; listen = "127.0.0.1:20002"; },
  { name = "d"; type = "udp"; },
  { name = "e"; type = "udp"; listen = "127.0.0.1:20003"; enabled = 1; },
  { type = "udp"; listen = "127.0.0.1:20004"; }
);
servers = (
  { name = "main"; uri = "coap//lwm2m.example"; },
  { name = "two"; uri = "http://lwm2m.example"; },
  { name = "three"; uri = "coap://x"; answer_within_s = 0; },
  { name = "four"; uri = "coap://x"; patience_s = 9999999999L; binding = "UQ"; },
  { name = "five"; uri = "coap://x"; block_size = 1000; }
);
profiles = ( { name = "p"; mtu = 63; quueue = "gateway"; empty_ack_at = 1.5; }, { name = "q"; queue = "scef"; } );
devices = (
  { name = "m1"; link = "nowhere"; address = "127.0.0.1"; },
  { name = "m2"; link = "a"; external_id = "x@y"; },
  { name = "m3"; link = "a"; address = "127.0.0.2"; servers = ["main", "none"]; },
  { name = "m4"; link = "a"; address = "127.0.0.2"; ep = ""; },
  { name = "m/5"; link = "a"; address = "not-an-address"; profile = "gone"; },
  { name = "m6"; link = "a"; }
);
plugins = ( { name = "jsonl"; rotate_byts = 1; } );
"""
EXPECTED = {  # line: what is said of it
    1: ["idd"], 2: ["admin.listen"], 3: ["log.level"], 5: ["links[0].listen"], 6: ["links[1]"], 7: ["links[2].type"], 8: ["links[3].type"],
    9: ["links[4]"], 10: ["links[5].enabled"], 11: ["links[6]"], 14: ["servers[0].uri"], 15: ["servers[1].uri"],
    16: ["servers[2].answer_within_s"], 17: ["servers[3].patience_s", "servers[3].binding"], 18: ["servers[4].block_size"],
    20: ["profiles[0].mtu", "profiles[0].quueue", "profiles[0].empty_ack_at"], 22: ["devices[0].link"],
    23: ["devices[1].external_id"], 24: ["devices[2].servers[1]"], 25: ["devices[3].address", "devices[3].ep"],
    26: ["devices[4].name", "devices[4].address", "devices[4].profile"], 27: ["devices[5]"], 29: ["plugins[0].rotate_byts"],
}


def test_t_names_every_planted_fault_with_file_line_and_path(tmp_path):
    text = PLANTED.replace("STATE", str(tmp_path / "s")).replace("RUN", str(tmp_path / "r"))
    file = write(tmp_path, "niddgw.conf", text)
    write(tmp_path, "devices.d/x.conf", '\n\ndevices = ( { name = "m1"; link = "a"; address = "127.0.0.9"; } );\n')
    write(tmp_path, "conf.d/broken.conf", "log = {\n")
    done = run("-c", file, "-t")
    assert done.returncode == 1 and not done.stdout
    said = {}
    for line in done.stderr.splitlines():
        found = re.fullmatch(r"(/[^:]+):(\d+): (.+)", line)
        assert found, line
        said.setdefault((found.group(1), int(found.group(2))), []).append(found.group(3))
    for line, paths in EXPECTED.items():
        for path in paths:
            assert any(path in text for text in said.get((str(file), line), [])), (line, path, said.get((str(file), line)))
    assert any("devices" in t and "m1" in t for t in said[(str(tmp_path / "devices.d/x.conf"), 3)])  # the later place
    assert any(f == str(tmp_path / "conf.d/broken.conf") for f, _ in said)
    assert 'did you mean "queue"?' in done.stderr and 'did you mean "id"?' in done.stderr
    assert not [k for k in said if k[0] == str(file) and k[1] not in EXPECTED], said
    # the daemon says the same and gives up
    assert run("-c", file).returncode == 1


@pytest.mark.parametrize("text, line", [
    ("links = (\n  { name = \"a\" type = \"udp\"; }\n);\n", 2), ("x = \"open\n", 1), ("a = 1;\nb = ;\n", 2), ("/* open\n", 1),
    ("log = { level = \"info\"; level = \"debug\"; };\n", 1), ("@include \"x\"\n", 1), ("a = 1;\n\0\n", 2), ("\xff\xfe", 1)])
def test_a_syntax_error_has_its_line(tmp_path, text, line):
    file = tmp_path / "niddgw.conf"
    file.write_bytes(text.encode("latin-1"))
    done = run("-c", file, "-t")
    assert done.returncode == 1 and done.stderr.startswith("%s:%d: " % (file, line)), done.stderr


def secret_config(tmp_path):
    tree = {"links": [{"name": "op", "type": "t8", "api_root": "http://127.0.0.1:1", "scs_as_id": "gw", "auth": "basic", "user": "u",
                       "password": "file:pw", "callback": {"listen": "127.0.0.1:8444", "url": "http://127.0.0.1:8444"}}]}
    return own_dirs(tmp_path) + conf_text(tree)


@pytest.mark.parametrize("spoil, word", [
    (lambda p: p.chmod(0o644), "0640"), (lambda p: p.chmod(0o660), "0640"), (lambda p: p.unlink(), "No such file"),
    (lambda p: p.write_text(""), "line"), (lambda p: p.write_text("a\nb\n"), "line"), (lambda p: (p.unlink(), p.mkdir()), "regular"),
    (lambda p: (p.unlink(), p.symlink_to("/etc/hostname")), "regular"), (lambda p: (p.unlink(), os.mkfifo(p, 0o600)), "regular"),
    (lambda p: p.write_bytes(b"x" * 5000), "long")])
def test_s36_a_secret_file_that_is_open_or_unfit_is_a_fault(tmp_path, spoil, word):
    file = write(tmp_path, "niddgw.conf", secret_config(tmp_path))
    secret = write(tmp_path, "pw", "canary-5521\n", 0o600)
    assert run("-c", file, "-t").returncode == 0
    spoil(secret)
    done = run("-c", file, "-t")
    assert done.returncode == 1 and word in done.stderr and "links[0].password" in done.stderr, done.stderr
    assert "canary" not in done.stderr


def test_s35_no_secret_is_printed(tmp_path):
    file = write(tmp_path, "niddgw.conf", secret_config(tmp_path))
    write(tmp_path, "pw", "canary-5521\n", 0o640)
    done = run("-c", file, "--print-config")
    assert done.returncode == 0 and "canary" not in done.stdout + done.stderr
    assert "password" in done.stdout and "scs_as_id" in done.stdout
    inline = write(tmp_path, "inline.conf", secret_config(tmp_path).replace("file:pw", "canary-5521"))
    for args in (["-t"], ["--print-config"], []):
        done = run("-c", inline, *args)
        assert done.returncode == 1 and "canary" not in done.stdout + done.stderr, done


def test_what_is_printed_is_a_configuration_again(tmp_path):
    tree = udp_config("coap://127.0.0.1:5683", {"m%d" % i: "127.0.0.%d" % i for i in range(1, 5)}, profile={"mtu": 200, "empty_ack_at": 0.25},
                      server_keys={"aliases": ["a.example", 'q"uo\\te'], "hold_s": 31536000})
    file = write(tmp_path, "niddgw.conf", own_dirs(tmp_path) + conf_text(tree))
    first = run("-c", file, "--print-config")
    assert first.returncode == 0
    again = write(tmp_path, "again.conf", first.stdout)
    second = run("-c", again, "--print-config")
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout


def test_files_are_merged_in_byte_order_and_later_scalars_win(tmp_path):
    file = write(tmp_path, "niddgw.conf", own_dirs(tmp_path) + 'log = { level = "error"; format = "json"; };\n' + conf_text(
        {"links": [{"name": "l0", "type": "udp", "listen": "127.0.0.1:20000"}], "servers": [{"name": "main", "uri": "coap://127.0.0.1"}]}))
    for name, level in (("B", "debug"), ("a", "notice"), ("10", "info"), ("9", "warning"), ("\u00e9", "info")):
        write(tmp_path, "conf.d/%s.conf" % name, 'log = { level = "%s"; };\nlinks = ( { name = "l%s"; type = "udp"; listen = "127.0.0.1:%d"; } );\n' % (
            level, name, 20001 + ord(name[0]) % 200))
    write(tmp_path, "conf.d/ignored.txt", "nonsense")
    write(tmp_path, "conf.d/.hidden.conf~", "nonsense")
    for i in (2, 10, 1):
        write(tmp_path, "devices.d/%d.conf" % i, 'devices = ( { name = "m%d"; link = "l0"; address = "127.0.0.%d"; } );\n' % (i, i))
    done = run("-c", file, "--print-config")
    assert done.returncode == 0, done.stderr
    assert re.findall(r'name = "(l[^"]+)"', done.stdout) == ["l0", "l10", "l9", "lB", "la", "l\u00e9"]
    assert re.findall(r'name = "(m\d+)"', done.stdout) == ["m1", "m10", "m2"]
    assert 'level = "info"' in done.stdout and 'format = "json"' in done.stdout


def test_one_address_in_two_forms_and_listeners_that_exclude_each_other_are_faults(tmp_path):
    tree = {"links": [{"name": n, "type": "udp", "listen": at} for n, at in
                      (("a", "[::]:20000"), ("b", "127.0.0.1:20000"), ("c", "127.0.0.1:20001"), ("d", "0.0.0.0:20001"), ("e", "[::1]:20001"))],
            "servers": [{"name": "main", "uri": "coap://127.0.0.1"}],
            "devices": [{"name": "m%d" % i, "link": "a", "address": at} for i, at in
                        enumerate(("127.0.0.1", "::ffff:127.0.0.1", "[::1]:5", "[0:0::1]:5", "127.0.0.2:05", "127.0.0.2:5", "[::1]:6"))]}
    done = run("-c", write(tmp_path, "niddgw.conf", own_dirs(tmp_path) + conf_text(tree)), "-t")
    assert done.returncode == 1
    assert re.findall(r": ((?:links|devices)\[\d\]\.\w+):", done.stderr) == [
        "links[1].listen", "links[3].listen", "devices[1].address", "devices[3].address", "devices[5].address"]


def test_a_relative_file_is_read_again_where_it_is(gateway, tmp_path):
    host = loop_host()
    write(tmp_path, "niddgw.conf", 'gateway = { state_dir = "s"; run_dir = "r"; };\nadmin = { listen = "%s:9660"; };\n' % host)
    notify = NotifySocket(tmp_path / "n")
    daemon = subprocess.Popen([DAEMON, "-c", "niddgw.conf"], cwd=tmp_path, stderr=subprocess.PIPE, env=dict(os.environ, NOTIFY_SOCKET=notify.path))
    assert notify.wait("READY=1", lambda: daemon.poll() is None)
    ctl = [str(build_dir() / "niddgwctl"), "-s", str(tmp_path / "r/ctl"), "reload"]
    assert subprocess.run(ctl, stdout=subprocess.PIPE, timeout=DEADLINE).returncode == 0
    write(tmp_path, "conf.d/x.conf", "log = { level = 7; };\n")
    done = subprocess.run(ctl, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
    assert done.returncode == 1 and b"conf.d/x.conf:1: log.level: " in done.stderr
    daemon.terminate()
    daemon.communicate(timeout=DEADLINE)
    assert daemon.returncode == 0
    notify.close()


# ---- directories and files of its own ----

@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_directories_are_made_0750_and_the_key_0600_whatever_the_umask(gateway, umask):
    before = os.umask(umask)
    try:
        gw = gateway({}).ready()
    finally:
        os.umask(before)
    for name in ("run", "state"):
        assert stat.S_IMODE((gw.dir / name).stat().st_mode) == 0o750, name
    assert stat.S_IMODE((gw.dir / "state/key").stat().st_mode) == 0o600
    assert (gw.dir / "state/key").stat().st_size == 32
    assert stat.S_IMODE((gw.dir / "run/ctl").stat().st_mode) == 0o660


@pytest.mark.parametrize("name", ["state", "run"])
def test_a_directory_that_others_can_write_is_refused(gateway, name):
    gw = gateway({}, start=False)
    (gw.dir / name).mkdir()
    (gw.dir / name).chmod(0o757)
    status, text = gw.check()
    assert status == 1 and "gateway.%s_dir" % name in text and text.startswith(str(gw.file))
    gw.start()
    assert gw.program.wait_exit() == 1
    gw.down = True


@pytest.mark.parametrize("spoil", [lambda k: k.chmod(0o640), lambda k: k.write_bytes(b"short"), lambda k: (k.unlink(), k.mkdir()),
                                   lambda k: (k.unlink(), k.symlink_to("/dev/zero"))])
def test_a_key_file_that_is_open_or_broken_stops_the_start(gateway, spoil):
    gw = gateway({}).ready()
    gw.stop()
    spoil(gw.dir / "state/key")
    gw.start()
    assert gw.program.wait_exit() == 1
    assert any("ev=key.failed" in line for line in gw.log.lines)
    gw.down = True


def test_the_key_stays_and_a_cut_off_start_leaves_no_half_one(gateway):
    gw = gateway({}).ready()
    key = (gw.dir / "state/key").read_bytes()
    (gw.dir / "state/key.new").write_bytes(b"half")
    gw.restart()
    assert (gw.dir / "state/key").read_bytes() == key


def test_what_cannot_be_bound_is_said_and_ends_with_1(gateway, udp_peer):
    taken = udp_peer()
    gw = gateway(udp_config("coap://127.0.0.1", {"m": "127.0.0.9"}, link={"listen": "%s:%d" % taken.addr}))
    assert gw.program.wait_exit() == 1
    assert any("Address already in use" in line and "sgi" in line for line in gw.log.lines)
    assert not any("ev=ready" in line for line in gw.log.lines) and not gw.notify.wait("READY=1", lambda: False)
    gw.down = True
    listener = socket.create_server((gw.host, 9660))
    gw = gateway({"admin": {"listen": "%s:9660" % gw.host}})
    assert gw.program.wait_exit() == 1
    assert any("Address already in use" in line for line in gw.log.lines)
    gw.down = True
    listener.close()


# ---- log ----

def test_log_lines_are_json_when_asked(gateway, udp_peer):
    p = pair(gateway, udp_peer, tree_change=lambda t: t.update(log={"format": "json"}))
    p.register()
    p.dev.send(b"\xff\xff")
    p.dev.send(Msg.request("POST", "/rd", ['ep="\\\u00e9\x01\n'], mid=2))
    p.dev.recv()
    p.gw.stop()
    assert len(p.gw.log.lines) > 5
    for line in p.gw.log.lines:
        entry = json.loads(line)
        assert list(entry)[:3] == ["ts", "level", "room"] and entry["ev"], entry
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["ts"])
    assert {"starting", "ready", "stopping"} <= {json.loads(line)["ev"] for line in p.gw.log.lines}


def test_log_lines_are_text_with_level_and_event(gateway):
    gw = gateway({}).ready()
    gw.stop()
    for line in gw.log.lines:
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z level=(error|warning|notice|info|debug) room=\w+ (dev=\S+ )?ev=[\w.]+", line), line


@pytest.mark.parametrize("level, shown", [("error", set()), ("warning", set()), ("notice", {"notice"}), ("info", {"notice", "info"})])
def test_the_level_of_the_log_is_obeyed_and_v_means_debug(gateway, level, shown):
    gw = gateway({"log": {"level": level}}).ready()
    gw.stop()
    assert {re.search(r"level=(\w+)", line).group(1) for line in gw.log.lines} == shown


def test_v_logs_at_debug(gateway, udp_peer):
    srv = udp_peer(port=5683)
    gw = gateway(udp_config(srv.uri, {"m": "127.0.0.9"}), "-v", log_level="error").ready()
    gw.stop()
    assert any("level=notice" in line for line in gw.log.lines)


@pytest.mark.parametrize("true_stream", [True, False])
def test_priority_prefixes_only_when_stderr_is_the_journal(tmp_path, true_stream):
    file = write(tmp_path, "niddgw.conf", own_dirs(tmp_path) + 'admin = { listen = "off"; };\n')
    notify = NotifySocket(tmp_path / "n")
    with open(tmp_path / "log", "w+b") as log:
        st = os.fstat(log.fileno())
        env = dict(os.environ, NOTIFY_SOCKET=notify.path, JOURNAL_STREAM="%d:%d" % (st.st_dev, st.st_ino if true_stream else st.st_ino + 1))
        daemon = subprocess.Popen([DAEMON, "-c", str(file)], stderr=log, env=env)
        assert notify.wait("READY=1", lambda: daemon.poll() is None)
        daemon.terminate()
        assert daemon.wait(DEADLINE) == 0
    notify.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines
    for line in lines:
        assert bool(re.match(r"<[3-7]>level=", line)) == true_stream, line
        if true_stream and "level=notice" in line:
            assert line.startswith("<5>")


def test_a_log_reader_that_goes_away_ends_nothing(gateway, udp_peer):
    p = pair(gateway, udp_peer)
    os.set_blocking(p.gw.program.process.stderr.fileno(), False)
    fd = p.gw.program.process.stderr.fileno()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, fd)  # the read end of the pipe is closed by this
    os.close(null)
    p.register()
    assert p.gw.ctl("status")["gateway"] == "test"
    assert p.gw.stop() == 0


# ---- surroundings ----

def locales():
    return subprocess.run(["locale", "-a"], stdout=subprocess.PIPE, universal_newlines=True).stdout.split()


@pytest.mark.parametrize("env", [{"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "C"}, {"LC_ALL": "nonsense"},
                                 {"TZ": "Pacific/Kiritimati"}, {"TZ": ":/etc/passwd"}, {"TZ": "America/St_Johns", "LANG": ""}],
                         ids=lambda e: "-".join(e.values()).replace("/", "_"))
def test_r17_locale_and_time_zone_change_nothing(tmp_path, env):
    text = own_dirs(tmp_path) + conf_text(udp_config("coap://127.0.0.1", {"m": "127.0.0.9"}, host="127.0.0.1", profile={"empty_ack_at": 0.25}))
    file = write(tmp_path, "niddgw.conf", text)
    plain = run("-c", file, "--print-config")
    assert "0.25" in plain.stdout
    assert run("-c", file, "--print-config", env=dict(os.environ, **env)).stdout == plain.stdout
    notify = NotifySocket(tmp_path / "n")
    write(tmp_path, "conf.d/x.conf", 'admin = { listen = "unix:%s/admin"; };\nlog = { format = "json"; };\n' % tmp_path)
    daemon = subprocess.Popen([DAEMON, "-c", str(file)], stderr=subprocess.PIPE, env=dict(os.environ, NOTIFY_SOCKET=notify.path, **env))
    assert notify.wait("READY=1", lambda: daemon.poll() is None)
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(tmp_path / "admin"))
    s.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
    page = b""
    while True:
        more = s.recv(65536)
        if not more:
            break
        page += more
    s.close()
    assert not re.search(rb"\d,\d", page.split(b"\r\n\r\n", 1)[1].replace(b'",', b""))
    daemon.terminate()
    err = daemon.communicate(timeout=DEADLINE)[1].decode()
    notify.close()
    assert daemon.returncode == 0
    now = time.strftime("%Y-%m-%dT%H", time.gmtime())
    assert all(json.loads(line)["ts"][:10] == now[:10] for line in err.splitlines())


def test_r17_closed_standard_streams(tmp_path):
    """Nothing of ours may get descriptor 0, 1 or 2: a socket there would be fed with log lines."""
    host = loop_host()
    file = write(tmp_path, "niddgw.conf", own_dirs(tmp_path) + conf_text(dict(
        udp_config("coap://127.0.0.1", {"m": "127.0.0.9"}, host=host), admin={"listen": host + ":9660"})))
    notify = NotifySocket(tmp_path / "n")
    daemon = subprocess.Popen(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', DAEMON, str(file)], env=dict(os.environ, NOTIFY_SOCKET=notify.path))
    assert notify.wait("READY=1", lambda: daemon.poll() is None)
    for fd in range(3):
        assert os.readlink("/proc/%d/fd/%d" % (daemon.pid, fd)) == "/dev/null"
    daemon.terminate()
    assert daemon.wait(DEADLINE) == 0
    notify.close()


def test_a_notify_socket_that_is_not_there_hinders_nothing(gateway):
    gw = gateway({}, start=False)
    for path in ("/nonexistent/socket", "relative", "@abstract-nobody", "/" + "x" * 300):
        daemon = subprocess.Popen([DAEMON, "-c", str(gw.file)], stderr=subprocess.PIPE, env=dict(os.environ, NOTIFY_SOCKET=path))
        for line in daemon.stderr:
            if b"ev=ready" in line:
                break
        daemon.terminate()
        daemon.communicate(timeout=DEADLINE)
        assert daemon.returncode == 0
