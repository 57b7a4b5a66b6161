# SPDX-License-Identifier: Apache-2.0
"""daemon.py - the daemon under test: one directory, many lives, a log file for each"""
import asyncio
import os
import re
import socket
import subprocess
import urllib.request

from bed import build_dir, conf_text
from book import Fault, log_filter

READY_S = 30 * float(os.environ.get("NIDDGW_SLOW", "1"))


class Daemon:
    def __init__(self, book, directory, tree, admin):
        self.book, self.dir, self.admin = book, directory, admin
        self.state = directory / "state"
        tree = dict({"gateway": {"id": "ledger", "state_dir": str(self.state), "run_dir": str(directory / "run")},
                     "admin": {"listen": admin}, "log": {"level": "debug"}}, **tree)
        self.conf = directory / "niddgw.conf"
        self.conf.write_text(conf_text(tree))
        self.conf.chmod(0o640)
        self.process = self.log = None
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(directory / "notify"))
        self.sock.setblocking(False)

    def log_path(self, life):
        return self.dir / ("log.%03d" % life)

    async def start(self, env=None):
        """Until READY=1."""
        self.book.begin_life()
        while True:  # what the life before said last
            try:
                self.sock.recv(4096)
            except BlockingIOError:
                break
        self.log = open(self.log_path(self.book.life), "wb")
        self.process = subprocess.Popen([str(build_dir() / "niddgwd"), "-c", str(self.conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log,
                                        env=dict(os.environ, NOTIFY_SOCKET=str(self.dir / "notify"), **(env or {})))
        loop, deadline = asyncio.get_running_loop(), asyncio.get_running_loop().time() + READY_S
        while loop.time() < deadline:
            try:
                text = await asyncio.wait_for(loop.sock_recv(self.sock, 4096), 0.1)
            except asyncio.TimeoutError:
                if self.process.poll() is not None:
                    return False
                continue
            if b"READY=1" in text.split(b"\n"):
                return True
        raise Fault("the daemon did not get ready:\n" + self.tail())

    def died(self):
        return self.process.poll() is not None

    async def ended(self, seconds):
        """Whether it ends by itself within so long."""
        try:
            await asyncio.wait_for(asyncio.to_thread(self.process.wait), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    def kill(self):
        if not self.died():
            self.process.kill()
        self.gone()

    def gone(self):
        """It has ended: nothing that is read from now on is of this life."""
        self.process.wait()
        self.log.close()
        self.book.end_life()

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.gone()
        return self.process.returncode

    def tail(self, n=30):
        return "\n".join(self.log_path(self.book.life).read_text(errors="replace").splitlines()[-n:])

    def log_lines(self, u, most=60):
        """Debug lines of all lives about a unit."""
        wanted, found = log_filter(u), []
        for life in sorted({e[1] for e in u.events} | {e[1] + 1 for e in u.events}):
            path = self.log_path(life)
            if path.exists():
                found += ["life %d %s" % (life, line) for line in path.read_text(errors="replace").splitlines() if wanted.search(line)]
        return found[:most]

    def count_log(self, pattern):
        """Lines of all lives."""
        wanted = re.compile(pattern)
        return sum(bool(wanted.search(line)) for p in self.dir.glob("log.*") for line in p.open(errors="replace"))

    async def metrics(self):
        def get():
            with urllib.request.urlopen("http://%s/metrics" % self.admin, timeout=10) as answer:
                return answer.read().decode()
        text, out = await asyncio.to_thread(get), {}
        for line in text.splitlines():
            found = re.match(r"(\w+)(\{.*\})? (\S+)$", line)
            if found:
                out[found.group(1)] = out.get(found.group(1), 0.0) + float(found.group(3))
        return out
