# SPDX-License-Identifier: Apache-2.0
"""powercut.py - what a disk may hold after a power cut: what was synced, and of the rest whatever the disk got to

A daemon runs with powercut.c, which writes down each change below its state directory. cut() plays that back onto the
directory as it was at the start: a file has what was written before its last sync, and of what came later any part in any
order, torn at sectors; names follow the last sync of their directory, and after that any number of the next changes.
"""
import os
import random
import shutil
import struct
import subprocess
from pathlib import Path

RECORD = struct.Struct("<B3xIQQ")
SECTOR = 512


class File:
    def __init__(self, data=b""):
        self.data, self.later = bytearray(data), []  # later: (offset, octets) or (length, None)

    def change(self, at, octets):
        self.later.append((at, octets))

    def sync(self):
        for change in self.later:
            self._apply(*change)
        self.later = []

    def _apply(self, at, octets):
        if octets is None:
            del self.data[at:]
            self.data.extend(bytes(at - len(self.data)))
            return
        if len(self.data) < at:
            self.data.extend(bytes(at - len(self.data)))
        self.data[at:at + len(octets)] = octets

    def lose_power(self, luck):
        """Each later change has got to the disk with a probability of luck, some of them in part."""
        for at, octets in self.later:
            if random.random() >= luck:
                continue
            if octets is None or random.random() < 0.7:
                self._apply(at, octets)
                continue
            for begin in range(0, len(octets), SECTOR):
                if random.random() < luck:
                    self._apply(at + begin, octets[begin:begin + SECTOR])
        self.later = []


class Directory:
    def __init__(self):
        self.names, self.later = {}, []  # later: functions that change names

    def sync(self):
        for change in self.later:
            change(self.names)
        self.later = []

    def lose_power(self, luck):
        for change in self.later:
            if random.random() >= luck:
                break
            change(self.names)
        self.later = []


class PowerCut:
    def __init__(self, state, trace):
        self.state, self.trace = Path(state), Path(trace)
        self.trace.unlink(missing_ok=True)
        self.by_inode = {}
        self.root = self._read(self.state)

    def _read(self, path):
        """The tree as it is now, all of it on disk."""
        inode = path.stat().st_ino
        node = Directory() if path.is_dir() else File(path.read_bytes())
        self.by_inode[inode] = node
        if path.is_dir():
            node.names = {p.name: self._read(p) for p in path.iterdir() if p.name != "lock" and not p.name.endswith("-shm")}
        return node

    def _replay(self):
        data = self.trace.read_bytes() if self.trace.exists() else b""
        at = 0
        while at + RECORD.size <= len(data):
            kind, size, inode, a = RECORD.unpack_from(data, at)
            at += RECORD.size
            self._one(chr(kind), inode, a, data[at:at + size])
            at += size

    def _one(self, kind, inode, a, more):
        node = self.by_inode.get(inode)
        if kind in "CM":
            node = self.by_inode[inode] = File() if kind == "C" else Directory()
            self._change(a, lambda names, n=node, name=more.decode(): names.__setitem__(name, n))
        elif kind == "L":
            self._change(a, lambda names, n=node, name=more.decode(): names.__setitem__(name, n))
        elif kind == "U":
            self._change(inode, lambda names, name=more.decode(): names.pop(name, None))
        elif kind == "R":
            old, _, new = more.decode().partition("/")
            assert inode == a, "renamed across directories"
            self._change(a, lambda names, o=old, n=new: o in names and names.__setitem__(n, names.pop(o)))
        elif node is None:
            return
        elif kind == "W":
            node.change(a, more)
        elif kind == "T":
            node.change(a, None)
        elif kind == "S":
            node.sync()

    def _change(self, directory, change):
        node = self.by_inode.get(directory)
        if node:
            node.later.append(change)

    def cut(self):
        """The daemon is dead: the state directory is made what the disk has."""
        self._replay()
        luck = random.choice((0, 0, 0.3, 0.7, 1))
        for node in set(self.by_inode.values()):
            node.lose_power(luck)
        self._write(self.root, self.state)
        self.trace.unlink(missing_ok=True)
        return luck

    def _write(self, node, path):
        """In place, so that the directory itself stays (it may be a mount)."""
        for p in list(path.iterdir()):
            shutil.rmtree(p) if p.is_dir() else p.unlink()
        for name, child in node.names.items():
            if isinstance(child, Directory):
                (path / name).mkdir(mode=0o700)
                self._write(child, path / name)
            else:
                fd = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fd, "wb") as f:
                    f.write(child.data)


def build(source, directory):
    """A library to be preloaded."""
    out = Path(directory) / (Path(source).stem + ".so")
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-o", str(out), str(source), "-lpthread"], check=True)
    return out
