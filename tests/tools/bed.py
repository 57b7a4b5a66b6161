# SPDX-License-Identifier: Apache-2.0
"""bed.py - starts the programs of this project and talks to them: what system tests, benches and the demo stand on.

Nothing here sleeps as a way to synchronise: each wait is for a line, a datagram or a counter, with a deadline that only
ends a test that has failed anyhow. Programs are ended by the handle they were started with.

    bed = Bed()
    scef = bed.scef("--test-notifications", "on")            # niddgw-sim scef, T8 on scef.root, radio on scef.radio
    lwm2m = bed.server()                                     # niddgw-sim server on lwm2m.addr
    gw = bed.gateway(t8_config(scef, lwm2m, {"dev-1": "dev-1@iot.example"}))
    gw.ready()
    scef.uplink("dev-1@iot.example", register_datagram)      # as if the device had sent it
    down = scef.wait("downlink", external_id="dev-1@iot.example")
    lwm2m.wait("registered", ep="dev-1")
    answer = lwm2m.cmd("read", ep="dev-1", path="/3/0/0")     # {"ev": "response", "code": "2.05", "text": ...}
    gw.ctl("status"); gw.metric('niddgw_uplink_total{transport="t8"}')
    bed.close()
"""
import base64
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from coapmsg import Msg

REPO = Path(__file__).resolve().parents[2]
DEADLINE = 20 * float(os.environ.get("NIDDGW_SLOW", "1"))


def build_dir():
    return Path(os.environ.get("NIDDGW_BUILD", REPO / "build"))


def shared_dir():
    """Where the OpenAPI files lie, or None."""
    path = Path(os.environ.get("NIDDGW_SHARED", REPO.parent / "shared"))
    return path if (path / "t8").is_dir() else None


_hosts = itertools.count(1)


def loop_host():
    """A loopback address that nobody else in this run uses, nor a run beside it, so that ports can be fixed numbers."""
    n, pid = next(_hosts), os.getpid()
    return "127.%d.%d.%d" % (16 + pid % 200, (pid // 200 * 16 + n // 250) % 250, 1 + n % 250)


def split_addr(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def answers_ping(addr):
    """Whether a CoAP endpoint over UDP is there: it answers an empty CON with a reset."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.05)
        s.connect(addr)
        try:
            s.send(Msg(mid=1).encode())
            return s.recv(64)[0] == 0x70
        except OSError:
            return False


class Lines:
    """The lines of one stream, read by a thread; waits look at what is there already first."""

    def __init__(self, stream, echo=None):
        self.lines, self.closed, self._cond = [], False, threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream, echo), daemon=True)
        self._thread.start()

    def _read(self, stream, echo):
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if echo:
                echo(line)
            with self._cond:
                self.lines.append(self.parse(line))
                self._cond.notify_all()
        stream.close()
        with self._cond:
            self.closed = True
            self._cond.notify_all()

    def parse(self, line):
        return line

    def mark(self):
        with self._cond:
            return len(self.lines)

    def wait(self, test, n=1, since=0, timeout=None, what="line"):
        """The first n entries from index `since` on that test() likes (one entry when n is 1)."""
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        found, at = [], since
        with self._cond:
            while True:
                while at < len(self.lines):
                    if test(self.lines[at]):
                        found.append(self.lines[at])
                    at += 1
                    if len(found) == n:
                        return found[0] if n == 1 else found
                left = deadline - time.monotonic()
                if self.closed or left <= 0:
                    break
                self._cond.wait(left)
            raise AssertionError("%s: %d of %d came%s; last lines:\n  %s" % (
                what, len(found), n, " before the stream ended" if self.closed else "",
                "\n  ".join(str(x)[:600] for x in self.lines[-12:])))

    def all(self, test, since=0):
        with self._cond:
            return [x for x in self.lines[since:] if test(x)]

    def join(self):
        self._thread.join(DEADLINE)


class JsonLines(Lines):
    def parse(self, line):
        try:
            value = json.loads(line)
        except ValueError:
            return {"ev": "not-json", "line": line}
        return value if isinstance(value, dict) else {"ev": "not-an-object", "line": line}


class Program:
    """A started program with its stderr (and stdout) as lines."""

    def __init__(self, argv, env=None, cwd=None, stdout=Lines, echo=None):
        self.argv = [str(a) for a in argv]
        full_env = dict(os.environ)
        full_env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
        full_env.update(env or {})
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=full_env, cwd=cwd)
        self.out = stdout(self.process.stdout, echo)
        self.err = Lines(self.process.stderr, echo)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def wait_exit(self, timeout=None):
        """The exit status; negative is the signal."""
        try:
            code = self.process.wait(DEADLINE if timeout is None else timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end" % self.argv[0])
        self.out.join()
        self.err.join()
        return code

    def signal(self, number):
        self.process.send_signal(number)

    def kill9(self):
        if self.running():
            self.process.kill()
        return self.wait_exit()

    def stop(self):
        """Ends it with SIGTERM; SIGKILL only when that is not obeyed. The exit status, or None when it had to be killed."""
        if self.running():
            self.process.terminate()
        try:
            return self.wait_exit(15)
        except AssertionError:
            self.kill9()
            return None
        finally:
            if self.process.stdin:
                try:
                    self.process.stdin.close()
                except OSError:
                    pass


class Sim(Program):
    """A niddgw-sim subcommand: JSON lines out, commands in."""

    def __init__(self, subcommand, args, echo=None, env=None):
        super().__init__([build_dir() / "niddgw-sim", subcommand, *args], stdout=JsonLines, echo=echo, env=env)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self.info = self.wait("ready")

    @staticmethod
    def matcher(ev, where, fields):
        def test(line):
            return (ev is None or line.get("ev") == ev) and all(line.get(k) == v for k, v in fields.items()) and (
                where is None or where(line))
        return test

    def wait(self, ev=None, n=1, since=0, timeout=None, where=None, **fields):
        """The first n events of that kind whose members equal fields and that where() likes; AssertionError at the deadline."""
        return self.out.wait(self.matcher(ev, where, fields), n, since, timeout,
                             "%s: event %s %s" % (self.argv[1], ev or "any", fields))

    def events(self, ev=None, since=0, where=None, **fields):
        """Those that have come so far."""
        return self.out.all(self.matcher(ev, where, fields), since)

    def mark(self):
        """Pass as since= to look only at what comes from now on."""
        return self.out.mark()

    def post(self, cmd, **fields):
        """Give a command without waiting; returns its id."""
        with self._lock:
            ident = fields.pop("id", None) or "c%d" % next(self._ids)
            line = json.dumps(dict(fields, cmd=cmd, id=ident)) + "\n"
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        return ident

    def answer(self, ident, timeout=None):
        """The line that carries the id: ok, error, response, failed or whatever the command ends in."""
        return self.wait(timeout=timeout, where=lambda e: e.get("id") == ident)

    def cmd(self, cmd, timeout=None, **fields):
        """Give a command and return the line that answers it."""
        return self.answer(self.post(cmd, **fields), timeout)

    def do(self, cmd, timeout=None, **fields):
        """The same, and it has to be well."""
        line = self.cmd(cmd, timeout, **fields)
        assert line["ev"] not in ("error", "failed", "refused"), line
        return line


class Scef(Sim):
    """niddgw-sim scef. root: api_root of the T8 side; radio: (host, port) for devices, or None."""

    def __init__(self, args, echo=None):
        super().__init__("scef", args, echo)
        self.root = self.info["root"]
        self.radio = split_addr(self.info["radio"]) if self.info.get("radio") else None

    def uplink(self, external_id, data, **fields):
        """A unit as if it came over the radio; waits for the gateway's answer and returns that line ("status" in it)."""
        ident = self.post("uplink", external_id=external_id, data=bytes(data.encode() if isinstance(data, Msg) else data).hex(),
                          **fields)
        return self.answer(ident)

    def downlink(self, external_id=None, since=0, timeout=None, where=None):
        """The first unit sent to the device as a Msg."""
        def test(line):
            return (external_id is None or line.get("external_id") == external_id) and (
                where is None or where(Msg.parse(bytes.fromhex(line["data"]))))
        return Msg.parse(bytes.fromhex(self.wait("downlink", since=since, timeout=timeout, where=test)["data"]))

    def downlinks(self, external_id=None, since=0):
        return [bytes.fromhex(e["data"]) for e in self.events("downlink", since)
                if external_id is None or e.get("external_id") == external_id]

    def requests(self, op=None, since=0, **fields):
        return self.events("request", since, where=(lambda e: e.get("op") == op) if op else None, **fields)

    def fault(self, on, **fields):
        return self.do("fault", on=on, **fields)


class Server(Sim):
    """niddgw-sim server. addr: (host, port); uri for a server entry."""

    def __init__(self, args, echo=None):
        super().__init__("server", args, echo)
        self.addr = split_addr(self.info["listen"])
        self.uri = "coap://%s:%d" % self.addr


class Devices(Sim):
    """niddgw-sim device."""

    def __init__(self, args, echo=None):
        super().__init__("device", args, echo)


# -- configuration -------------------------------------------------------------------------------------------------------




def _conf_value(value, depth):
    tab = "\t" * depth
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return "%d%s" % (value, "L" if abs(value) > 0x7FFFFFFF else "")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    if isinstance(value, dict):
        return "{\n%s%s}" % ("".join("%s\t%s = %s;\n" % (tab, k, _conf_value(v, depth + 1)) for k, v in value.items()), tab)
    if value and not isinstance(value[0], dict):
        return "[%s]" % ", ".join(_conf_value(v, depth) for v in value)
    return "(%s)" % ",\n\t".join(_conf_value(v, depth + 1) for v in value)


def conf_text(tree):
    """A configuration tree (dict of dicts and lists) as the text of a file."""
    return "".join("%s = %s;\n" % (k, _conf_value(v, 0)) for k, v in tree.items())


def t8_config(scef, server, devices, link=None, callback=None, profile=None, server_keys=None, device_keys=None, host=None):
    """The usual tree: link "op" to scef, server "main", devices {name: external_id}, ep = name."""
    host = host or loop_host()
    tree = {
        "links": [dict({"name": "op", "type": "t8", "api_root": scef if isinstance(scef, str) else scef.root, "scs_as_id": "gw",
                        "callback": dict({"listen": "%s:8444" % host, "url": "http://%s:8444/t8" % host}, **(callback or {}))},
                       **(link or {}))],
        "servers": [dict({"name": "main", "uri": server if isinstance(server, str) else server.uri}, **(server_keys or {}))],
        "devices": [dict({"name": n, "link": "op", "external_id": e, "ep": n}, **(device_keys or {}))
                    for n, e in devices.items()],
    }
    return _with_profile(tree, profile)


def udp_config(server, devices, host=None, link=None, profile=None, server_keys=None, device_keys=None):
    """The usual tree for link udp: devices {name: "HOST[:PORT]"}; the link listens on tree["links"][0]["listen"]."""
    tree = {
        "links": [dict({"name": "sgi", "type": "udp", "listen": "%s:20000" % (host or loop_host())}, **(link or {}))],
        "servers": [dict({"name": "main", "uri": server if isinstance(server, str) else server.uri}, **(server_keys or {}))],
        "devices": [dict({"name": n, "link": "sgi", "address": a, "ep": n}, **(device_keys or {})) for n, a in devices.items()],
    }
    return _with_profile(tree, profile)


def _with_profile(tree, profile):
    if profile is not None:
        tree["profiles"] = [dict({"name": "p"}, **profile)]
        for device in tree["devices"]:
            device["profile"] = "p"
    return tree


class NotifySocket:
    """Stands for systemd: READY=1 arrives here."""

    def __init__(self, path):
        self.path = str(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.texts = []

    def wait(self, word, alive, timeout=None):
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        while not any(word in t.split("\n") for t in self.texts):
            self.sock.settimeout(0.2)
            try:
                self.texts.append(self.sock.recv(4096).decode())
            except socket.timeout:
                if not alive() or time.monotonic() > deadline:
                    return False
        return True

    def close(self):
        self.sock.close()


class Gateway:
    """The daemon with a directory of its own. config is text or a tree; gateway, admin and log groups are added to a tree."""

    def __init__(self, config, args=(), directory=None, echo=None, start=True, log_level="debug", env=None, programs=None):
        self.env = dict(env or {})
        self.programs = Path(programs or build_dir())  # the daemon looks for plug-ins beside itself
        self.dir = Path(directory or tempfile.mkdtemp(prefix="ngw-"))
        self.host = loop_host()
        self.admin = "%s:9660" % self.host
        self.args, self.echo, self.log_level = list(args), echo, log_level
        self.file = self.dir / "niddgw.conf"
        self.program, self.down, self.exits = None, True, []
        self.write(config)
        if start:
            self.start()

    def write(self, config):
        if not isinstance(config, str):
            tree = {"gateway": {"id": "test", "state_dir": str(self.dir / "state"), "run_dir": str(self.dir / "run")},
                    "admin": {"listen": self.admin}, "log": {"level": self.log_level}}
            for key, value in config.items():
                tree[key] = dict(tree.get(key, {}), **value) if isinstance(value, dict) else value
            config = conf_text(tree)
        self.file.write_text(config)
        self.file.chmod(0o640)

    def secret(self, name, text):
        """A secret file beside the configuration; returns the value for the key."""
        path = self.dir / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return "file:" + name

    def start(self):
        notify = self.dir / ("n%d" % len(self.exits))
        notify.unlink(missing_ok=True)
        self.notify = NotifySocket(notify)
        self.program = Program([self.programs / "niddgwd", "-c", self.file, *self.args],
                               env=dict(self.env, NOTIFY_SOCKET=str(notify)), echo=self.echo)
        self.down = False
        return self

    def ready(self, timeout=None):
        if not self.notify.wait("READY=1", self.program.running, timeout):
            raise AssertionError("the daemon did not get ready:\n  " + "\n  ".join(self.program.err.lines[-20:]))
        return self

    @property
    def log(self):
        return self.program.err

    def wait_log(self, pattern, n=1, since=0, timeout=None):
        """The log line that matches the regular expression."""
        return self.log.wait(lambda line: re.search(pattern, line), n, since, timeout, "log /%s/" % pattern)

    def check(self):
        """niddgwd -t: (exit status, text)."""
        done = subprocess.run([str(self.programs / "niddgwd"), "-c", str(self.file), "-t"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=DEADLINE)
        return done.returncode, done.stdout.decode()

    def run_ctl(self, *args):
        """niddgwctl without --json: the finished process with text output."""
        return subprocess.run([str(build_dir() / "niddgwctl"), "-s", str(self.dir / "run" / "ctl"), *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE, universal_newlines=True)

    def start_ctl(self, *args):
        """The same with --json, running: a Popen."""
        return subprocess.Popen([str(build_dir() / "niddgwctl"), "-s", str(self.dir / "run" / "ctl"), "--json", *args], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, universal_newlines=True)

    def ctl(self, *args):
        """niddgwctl --json VERB ..: the document."""
        done = self.run_ctl("--json", *args)
        assert done.returncode == 0, "niddgwctl %s: %d %s" % (args, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def http(self, path):
        """GET on the admin listener: (status, text)."""
        try:
            with urllib.request.urlopen("http://%s%s" % (self.admin, path), timeout=DEADLINE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as fault:
            return fault.code, fault.read().decode()

    def metric(self, series):
        """Sum of all series with this name that carry at least the labels given: 'niddgw_uplink_total{peer="op"}'."""
        name, _, labels = series.partition("{")
        wanted = set(re.findall(r'(\w+="(?:[^"\\]|\\.)*")', labels))
        total = 0.0
        for line in self.http("/metrics")[1].splitlines():
            found = re.match(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found.group(1) == name and wanted <= set(re.findall(r'(\w+="(?:[^"\\]|\\.)*")', found.group(2) or "")):
                total += float(found.group(3))
        return total

    def wait_metric(self, series, at_least, timeout=None):
        return wait_until(lambda: self.metric(series) >= at_least, timeout,
                          lambda: "%s is %s, not yet %s" % (series, self.metric(series), at_least))

    def signal(self, number):
        self.program.signal(number)

    def reload(self):
        return self.run_ctl("reload")

    def kill9(self):
        self.exits.append(self.program.kill9())
        self.notify.close()
        self.down = True

    def stop(self):
        """SIGTERM; returns the exit status."""
        if not self.down:
            self.exits.append(self.program.stop())
            self.notify.close()
            self.down = True
        return self.exits[-1] if self.exits else None

    def restart(self):
        self.stop()
        return self.start().ready()

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def wait_until(test, timeout=None, what=lambda: "condition"):
    """For what tells nobody when it changes (a counter behind HTTP): asks again, with growing pauses, until the deadline."""
    deadline, pause = time.monotonic() + (DEADLINE if timeout is None else timeout), 0.01
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("not in time: %s" % what())
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def raw_http(addr, data, timeout=None, close=False):
    """Octets to an HTTP listener as they are; what comes back until it closes, or until one whole answer is there."""
    with socket.create_connection(addr, DEADLINE if timeout is None else timeout) as sock:
        sock.sendall(data)
        if close:
            sock.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            try:
                part = sock.recv(65536)
            except ConnectionResetError:
                return got
            if not part:
                return got
            got += part
            head, end, body = got.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if end and b" 100 " not in head.split(b"\r\n")[0] and len(body) >= int(length.group(1) if length else 0):
                return got


class UdpPeer:
    """A socket that plays a device or a server by script.

    dev = bed.peer()                       # on an address of its own; dev.addr
    dev.send(Msg.request("POST", "/rd", ...), gw_addr)
    answer = dev.recv()                    # Msg; AssertionError at the deadline
    srv.reply(request, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"1")])    # to where it came from
    """

    def __init__(self, host=None, port=0, to=None):
        self.sock = socket.socket(socket.AF_INET6 if host and ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host or loop_host(), port))
        self.addr = self.sock.getsockname()[:2]
        self.uri = "coap://%s:%d" % self.addr
        self.to = to
        self.source = None  # of the datagram received last
        self._mid = itertools.count(1000)

    def next_mid(self):
        return next(self._mid) & 0xFFFF

    def send(self, what, to=None):
        self.sock.sendto(what.encode() if isinstance(what, Msg) else what, to or self.to or self.source)

    def recv_bytes(self, timeout=None):
        self.sock.settimeout(DEADLINE if timeout is None else timeout)
        try:
            data, self.source = self.sock.recvfrom(65535)
        except socket.timeout:
            raise AssertionError("no datagram at %s:%d" % self.addr)
        return data

    def recv(self, timeout=None, where=None):
        """The next message (that where() likes; others are thrown away)."""
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        while True:
            m = Msg.parse(self.recv_bytes(max(0.001, deadline - time.monotonic())))
            if where is None or where(m):
                return m

    def reply(self, request, code, payload=b"", to=None, **kw):
        answer = request.reply(code, payload, **kw)
        self.send(answer, to)
        return answer

    def silent(self, seconds):
        """Nothing may arrive for so long. Prefer to prove silence by a later message that must be the next one."""
        self.sock.settimeout(seconds)
        try:
            data, source = self.sock.recvfrom(65535)
        except socket.timeout:
            return
        raise AssertionError("a datagram from %s:%d: %s" % (source[0], source[1], data.hex()))

    def close(self):
        self.sock.close()


class Bed:
    """Starts things and ends all of them."""

    def __init__(self, echo=None):
        self.echo, self.items = echo, []

    def _keep(self, item):
        self.items.append(item)
        return item

    def scef(self, *args, radio=False, host=None):
        """T8 at http://HOST:8080 of an address of its own; with radio=True also a radio at HOST:5700."""
        host = host or loop_host()
        more = ["--radio", "udp:%s:5700" % host] if radio else []
        return self._keep(Scef(["--listen", "%s:8080" % host, *more, *map(str, args)], self.echo))

    def server(self, *args, host=None, port=5683):
        return self._keep(Server(["--listen", "%s:%d" % (host or loop_host(), port), *map(str, args)], self.echo))

    def devices(self, to, *args, bind=None):
        host = "%s:%d" % tuple(to) if not isinstance(to, str) else to
        return self._keep(Devices(["--to", host, "--bind-base", bind or "%s:40000" % loop_host(), *map(str, args)], self.echo))

    def gateway(self, config, *args, **kw):
        return self._keep(Gateway(config, args, echo=self.echo, **kw))

    def peer(self, host=None, port=0, to=None):
        return self._keep(UdpPeer(host, port, to))

    def close(self):
        for item in reversed(self.items):
            getattr(item, "close", item.stop if hasattr(item, "stop") else None)()
        self.items = []


def b64(data):
    return base64.b64encode(data).decode()
