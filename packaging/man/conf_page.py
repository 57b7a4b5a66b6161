#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes niddgw.conf(5) of what `niddgwd --print-defaults` prints: conf_page.py <DEFAULTS >niddgw.conf.5

The words stand once, in the tables of the program; this only gives them the form of a manual page.
"""
import re
import sys

HEAD = r""".\" SPDX-License-Identifier: Apache-2.0
.\" made by packaging/man/conf_page.py from niddgwd --print-defaults (make defaults): edit the tables in src/ instead
.TH NIDDGW.CONF 5 2026-11-26 "niddgw 0.1.0" "File formats"
.SH NAME
niddgw.conf \- configuration of niddgwd
.SH DESCRIPTION
.BR niddgwd (8)
reads
.IR /etc/niddgw/niddgw.conf ,
then
.I conf.d/*.conf
and
.I devices.d/*.conf
beside it, each in byte order of the names. All have the syntax of libconfig: groups in braces, lists of groups in parentheses, arrays
of strings in brackets, text in double quotes, comments after
.BR # .
Relative paths are relative to the directory of the main file.
.PP
In groups a later value wins; lists grow. The same
.I name
twice in one list is a fault.
.B niddgwd \-t
prints every fault of all files as
.IR "FILE:LINE: path: text" .
.PP
A secret stands in a file of its own, named as
.IR \(dqfile:PATH\(dq :
one line, owned by root or the user of the daemon, mode 0640 or tighter.
.PP
Addresses are written
.I HOST:PORT
or
.IR [V6]:PORT .
.SH KEYS
"""
TAIL = r""".SH EXAMPLE
.nf
links   = ( { name = "sgi"; type = "udp"; listen = "10.20.0.1:20000"; } );
servers = ( { name = "main"; uri = "coap://lwm2m.example:5683"; } );
devices = ( { name = "meter\-18"; link = "sgi"; address = "10.20.0.18"; ep = "meter\-18"; } );
.fi
.SH FILES
.I /etc/niddgw/niddgw.conf
.SH SEE ALSO
.BR niddgwd (8),
.BR niddgwctl (1)
"""

OPEN = re.compile(r"^(\w+) = ([{(])$")
KEY = re.compile(r"^(\w+) = (.*);$")
COMMON = ("name", "type", "plugin", "isolation", "commands")


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return "\\&" + text if text[:1] in ".'" else text


def plain(line):
    """A line without the marks that comment it out; whether it is a remark rather than a setting."""
    text = line.strip()
    remark = False
    while text.startswith("#"):
        text = text[1:].strip()
        remark = True
    setting = OPEN.match(text) or KEY.match(text) or text in ("{", "}", "};", "},", ");")
    return text, remark and not setting


def page(lines):
    place, remark, seen, out, name = [], [], set(), [], ""
    for line in lines:
        text, is_remark = plain(line)
        if not text:
            remark = []  # the head of the file, or the end of a group
            continue
        if is_remark:
            remark.append(text)
            continue
        opened, key = OPEN.match(text), KEY.match(text)
        if opened:
            place.append(opened.group(1))
            title = ".".join(place) if len(place) > 1 else f"{place[0]}{' (list)' if opened.group(2) == '(' else ''}"
            out.append(f".SS {escape(title)}\n{escape(sentence(remark))}\n")
        elif text in ("};", ");"):
            place.pop()
        elif key:
            # The kinds of one list are printed one after the other, each with the keys that they all have.
            if key.group(1) not in COMMON or (place[0], key.group(1)) not in seen:
                out.append(setting(key.group(1), '""' if key.group(1) == "name" else key.group(2), remark))
            seen.add((place[0], key.group(1)))
            if key.group(1) == "name":
                name = key.group(2)
            if key.group(1) == "type" and len(place) == 1:
                out.append(f".SS {escape(place[0])} of type {escape(key.group(2))}\n")
            if key.group(1) == "commands" and place == ["plugins"]:
                out.append(f".SS plugins: {escape(name)}\n")
        remark = []
    return HEAD + "".join(out) + TAIL


def sentence(remark):
    text = " ".join(remark)
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+(,? |$)", text) else text


def setting(name, default, remark):
    text = " ".join(remark)
    none = default in ('""', '"file:"', "[ ]") or "Required." in text or "absent:" in text
    shown = "" if none else f" = {default}"
    return f".TP\n\\fB{escape(name)}\\fR{escape(shown)}\n{escape(sentence(remark))}\n"


if __name__ == "__main__":
    sys.stdout.write(page(sys.stdin))
