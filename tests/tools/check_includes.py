#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds every #include under src/ against the table of what a room may see.

The table is the design: rooms know each other only through the headers named here, and a third-party header stands in the
rooms that own it. Headers of libc and POSIX are free everywhere; so are those of the room itself and its own sub-rooms
for the code above them. Prints `FILE:LINE: room X may not see Y` for each breach and exits 1.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What all may see beside the standard headers.
EVERYWHERE = ["base/", "config/schema.h"]

# Room: what it may see beside EVERYWHERE and itself. A name that ends in / is a whole room or, as <name/>, all headers of
# a library; anything else is one header. The longest matching room of a file counts.
ROOMS = {
    "base": [],  # libevent only where the loop is wrapped: see FILES
    "config": ["<libconfig.h>"],
    "store": ["<sqlite3.h>"],  # other rooms see store.h alone
    "coap": [],  # no socket, no library: time and octets come in as arguments
    "lwm2m": ["coap/", "<cbor.h>", "<expat.h>"],
    "http": ["<event2/>", "<openssl/>", "<curl/>"],  # knows nothing of T8
    "link": ["store/store.h"],  # a link's own records
    "link/t8": ["link/link.h", "store/store.h", "http/", "<jansson.h>"],
    "link/udp": ["link/link.h", "store/store.h"],
    "north": ["<event2/>", "<openssl/>"],  # evdns; TLS later
    "session": ["coap/", "lwm2m/", "link/link.h", "north/north.h", "store/store.h", "mirror/mirror.h"],
    # control only reads: links and servers through their status functions
    "control": ["session/", "lwm2m/", "coap/option.h", "mirror/mirror.h", "config/", "link/link.h", "north/north.h", "store/store.h", "plugin/plugins.h", "mirror/json.h", "<event2/>",
                "<jansson.h>"],
    "mirror": ["lwm2m/", "coap/", "niddgw/plugin.h", "plugin/plugins.h"],
    "plugin": ["mirror/report.h", "mirror/json.h", "niddgw/plugin.h", "host/host.h", "control/version.h"],  # host.h for those in the daemon
    # one plug-in and what it may call
    "host": ["mirror/report.h", "mirror/json.h", "niddgw/plugin.h", "plugin/frame.h", "control/version.h"],
    "ctl": ["<jansson.h>"],
    "sim": ["coap/", "http/", "<coap3/>", "<jansson.h>"],
    "main": ["*"],  # what stands in src/ itself wires all rooms, so it sees all of them
}

# Single files of a room that see more than the rest of it.
FILES = {
    "base/loop.c": ["<event2/>"],
    "link/link.c": ["link/t8/conf.h", "link/udp/conf.h"],  # the table of kinds
    "north/stream.h": ["coap/codec.h"],  # TCP and TLS have framing and signals of their own
    "north/stream_parts.h": ["coap/signal.h"],
    "north/stream_out.c": ["coap/option.h"],
    "sim/load_conn.c": ["<openssl/>"],  # a load must cost less than the http room does
}

# What comes with the compiler and the system: never a breach.
SYSTEM = re.compile(
    r"^(arpa|net|netinet|sys|linux|asm)/[\w/]+\.h$|^(aio|alloca|assert|complex|cpio|ctype|dirent|dlfcn|endian|byteswap|err|errno|"
    r"fcntl|fenv|float|fnmatch|ftw|getopt|glob|grp|iconv|ifaddrs|inttypes|iso646|langinfo|libgen|limits|link|locale|malloc|math|"
    r"mqueue|netdb|poll|pthread|pty|pwd|regex|resolv|sched|search|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|"
    r"stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|tgmath|threads|time|uchar|ucontext|unistd|utime|wchar|"
    r"wctype|execinfo)\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    """The room of a file named relative to src/: the longest room its directory lies in."""
    inside = [r for r in ROOMS if path.parent == pathlib.PurePath(r) or pathlib.PurePath(r) in path.parents]
    if inside:
        return max(inside, key=len)
    return "main" if len(path.parts) == 1 else None


def matches(entry, name, angle):
    if entry == "*":
        return True
    if entry.startswith("<"):
        wanted = entry[1:-1]
        return angle and (name.startswith(wanted) if wanted.endswith("/") else name == wanted)
    return not angle and (name.startswith(entry) if entry.endswith("/") else name == entry)


def may_see(path, room, name, angle):
    if angle and SYSTEM.match(name):
        return True
    if not angle and room_of(pathlib.PurePath(name)) == room:
        return True
    return any(matches(e, name, angle) for e in EVERYWHERE + ROOMS[room] + FILES.get(str(path), []))


def breaches(source):
    """Yields the complaints about the tree below `source` (the src/ directory)."""
    for file in sorted([*source.rglob("*.c"), *source.rglob("*.h")]):
        path = file.relative_to(source)
        room = room_of(path)
        shown = f"{source.name}/{path}"
        if room is None:
            yield f"{shown}:1: in no room of the table in tests/tools/check_includes.py"
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            m = INCLUDE.match(line)
            if not m:
                continue
            angle, name = m.group(1) == "<", m.group(2)
            if not angle and not (source / name).is_file() and not (source.parent / "include" / name).is_file():
                yield f"{shown}:{number}: \"{name}\" is not below src/ or include/; name headers of ours from there"
            elif not may_see(path, room, name, angle):
                yield f"{shown}:{number}: room {room} may not see {name}"


def main():
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "src"
    found = list(breaches(source))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
