# SPDX-License-Identifier: Apache-2.0
"""daemon.py - the daemon under test: one directory, many lives, a log file for each

Its clock can be moved (tests/tools/warp.c), a failpoint can be set, and what it does to its files can be written down
(powercut.c).
"""
import asyncio
import json
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import urllib.request
from pathlib import Path

from bed import REPO, build_dir, conf_text
from book import Fault, log_filter
from powercut import PowerCut, build

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
        self.warp_library = build(REPO / "tests/tools/warp.c", directory)
        self.trace_library = build(Path(__file__).with_name("powercut.c"), directory)
        (directory / "warp").write_bytes(bytes(16))
        with open(directory / "warp", "r+b") as f:
            self.warp = mmap.mmap(f.fileno(), 16)
        self.disk_mounted = False
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(directory / "notify"))
        self.sock.setblocking(False)

    def log_path(self, life):
        return self.dir / ("log.%03d" % life)

    def forward(self, seconds):
        """Time passes for the daemon and for the simulated ends."""
        self.book.clock.forward(seconds)
        a, b = struct.unpack("qq", self.warp[:16])
        self.warp[:16] = struct.pack("qq", a + seconds * 1000, b + seconds * 1000)

    def spawn(self, fail=None, trace=None):
        """fail: NAME:N of a failpoint; trace: a PowerCut that is to be told."""
        self.book.begin_life()
        while True:  # what the life before said last
            try:
                self.sock.recv(4096)
            except BlockingIOError:
                break
        asan = os.environ.get("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
        env = dict(os.environ, NOTIFY_SOCKET=str(self.dir / "notify"), LD_PRELOAD=str(self.warp_library), NIDDGW_WARP=str(self.dir / "warp"),
                   ASAN_OPTIONS=asan + ":verify_asan_link_order=0")
        if fail:
            env["NIDDGW_FAIL"] = fail
        if trace:
            env.update(LD_PRELOAD="%s %s" % (self.warp_library, self.trace_library), NIDDGW_TRACE=str(trace.trace),
                       NIDDGW_TRACE_DIR=str(trace.state))
        self.log = open(self.log_path(self.book.life), "wb")
        self.process = subprocess.Popen([str(build_dir() / "niddgwd"), "-c", str(self.conf)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log, env=env)

    async def ready(self):
        """Until READY=1; False: it ended before."""
        loop, deadline = asyncio.get_running_loop(), asyncio.get_running_loop().time() + READY_S
        while loop.time() < deadline:
            try:
                text = await asyncio.wait_for(loop.sock_recv(self.sock, 4096), 0.1)
            except asyncio.TimeoutError:
                if self.died():
                    return False
                continue
            if b"READY=1" in text.split(b"\n"):
                return True
        raise Fault("the daemon did not get ready:\n" + self.tail())

    async def start(self, **how):
        self.spawn(**how)
        if not await self.ready():
            status = self.process.returncode
            self.gone()
            raise Fault("the daemon ended with %s before it was ready:\n%s" % (status, self.tail()))

    def died(self):
        return self.process.poll() is not None

    async def ended(self, seconds):
        """Whether it ends by itself within so long."""
        loop, deadline = asyncio.get_running_loop(), asyncio.get_running_loop().time() + seconds
        while not self.died() and loop.time() < deadline:
            await asyncio.sleep(0.02)
        return self.died()

    def segments(self):
        return len(list((self.state / "journal").glob("*.seg")))

    # -- its disk -----------------------------------------------------------------------------------------------------------

    def power_cut(self):
        """For spawn(); cut() when it is dead."""
        return PowerCut(self.state, self.dir / "trace")

    def mount_small(self, size):
        """The state directory on a small file system of its own, while the daemon is down. False: not permitted."""
        aside = self.state.with_name("state.aside")
        self.state.rename(aside)
        self.state.mkdir(mode=0o750)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0750,size=%d" % size, "ledger", str(self.state)], stderr=subprocess.DEVNULL)
        if done.returncode:
            self.state.rmdir()
            aside.rename(self.state)
            return False
        self.disk_mounted = True
        shutil.copytree(aside, self.state, dirs_exist_ok=True)
        shutil.rmtree(aside)
        return True

    def unmount(self):
        """Back to the directory, with what is on the small one now."""
        aside = self.state.with_name("state.aside")
        shutil.copytree(self.state, aside)
        subprocess.run(["umount", str(self.state)], check=True)
        self.disk_mounted = False
        self.state.rmdir()
        aside.rename(self.state)

    def fill_disk(self):
        with open(self.state / "ballast", "wb", buffering=0) as f:
            for size in (1 << 20, 4096, 512, 1):
                try:
                    while True:
                        f.write(bytes(size))
                except OSError:
                    pass

    def free_disk(self):
        (self.state / "ballast").unlink()

    def kill(self):
        """kill -9"""
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
                result = re.search(r'result="(\w+)"', found.group(2) or "")
                if result:  # NAME{RESULT}, over all else
                    key = "%s{%s}" % (found.group(1), result.group(1))
                    out[key] = out.get(key, 0.0) + float(found.group(3))
        return out

    async def waiting(self):
        """What is in the daemon's queue."""
        def get():
            with urllib.request.urlopen("http://%s/api/v1/queue?limit=1000" % self.admin, timeout=10) as answer:
                return json.load(answer)["items"]
        return await asyncio.to_thread(get)
