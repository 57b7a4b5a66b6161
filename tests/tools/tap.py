# SPDX-License-Identifier: Apache-2.0
"""tap.py - the plug-in of tests/plugins/tap.c in a build tree of its own: all that the daemon tells plug-ins, as Python objects.

    tap = Tap(tmp_path, monkeypatch)       # before the daemon starts; from now on NIDDGW_BUILD is its tree
    tree["plugins"] = [tap.conf(commands=["read"])]
    tap.next("session", device="meter-17", event="registered")
    tap.command("read", "meter-17", path="/3/0/9"); tap.answer()
"""
import json
import os
import shutil
import time
from pathlib import Path

from bed import DEADLINE, REPO, build_dir

SCHEMAS = {"phase": "state-conn", "info": "state-info", "health": "state-health", "stats": "event-stats", "down": "dev-event-down",
           "data": "dev-event-data", "raw": "dev-event-raw", "answer": "response"}


def validator(name):
    import jsonschema  # of Debian
    schema = json.loads((REPO / "plugins/mqtt/schema" / (name + ".schema.json")).read_text())
    return jsonschema.Draft7Validator(schema)


class Tap:
    def __init__(self, directory, monkeypatch, name="tap"):
        build, self.name = build_dir(), name
        self.dir = Path(directory) / name
        self.dir.mkdir()
        tree = self.dir / "build"
        (tree / "plugins").mkdir(parents=True)
        for what in ("niddgwd", "niddgwctl", "niddgw-sim", "niddgw-plugin-host", "objects.tbl"):
            if (build / what).exists():
                os.link(build / what, tree / what) if (build / what).stat().st_dev == tree.stat().st_dev else \
                    shutil.copy2(build / what, tree / what)
        for library in [*(build / "plugins").glob("*.so"), build / "tests/plugins/tap.so"]:
            shutil.copy2(library, tree / "plugins" / library.name)
        monkeypatch.setenv("NIDDGW_BUILD", str(tree))
        self.out, self.into = self.dir / "out", self.dir / "in"
        self.into.write_text("")
        self.seen, self.cookie, self._valid = 0, 0, {}

    def conf(self, **keys):
        return dict({"name": self.name, "plugin": "tap", "file": str(self.out), "in": str(self.into)}, **keys)

    def lines(self):
        text = self.out.read_text() if self.out.exists() else ""
        found = [json.loads(line) for line in text.split("\n")[:-1]]
        for one in found[len(self._valid):]:
            self._valid[len(self._valid)] = True
            self.check(one)
        return found

    def check(self, one):
        """Each document is held against the schema of the topic it would have."""
        if one["kind"] == "session":
            parts = [("dev-state-session", one["state"]), ("dev-state-objects", one["objects"]), ("dev-event-session", one["json"])]
        elif one["kind"] == "alarm":
            parts = [("state-alarm", one["state"]), ("event-alarm", one["json"])]
        else:
            parts = [(SCHEMAS.get(one["kind"]), one.get("json"))]
        for schema, document in parts:
            if schema and document is not None:
                errors = [e.message for e in validator(schema).iter_errors(document)]
                assert not errors, (schema, errors, document)

    def next(self, kind, where=None, **want):
        """The next document of that kind, behind those that were looked at: want compares members of the line, where its json."""
        deadline = time.monotonic() + DEADLINE
        while True:
            lines = self.lines()
            for at in range(self.seen, len(lines)):
                one = lines[at]
                if one["kind"] == kind and all(one.get(k) == v for k, v in want.items()) and \
                        all((one.get("json") or {}).get(k) == v for k, v in (where or {}).items()):
                    self.seen = at + 1
                    return one
            if time.monotonic() > deadline:
                raise AssertionError("no %s with %s %s among %s" % (kind, want, where, lines[self.seen:]))
            time.sleep(0.02)

    def until(self, kind, holds):
        """The next document of that kind whose json holds what is asked for."""
        while True:
            one = self.next(kind)
            if holds(one["json"]):
                return one["json"]

    def all(self, kind):
        return [one for one in self.lines() if one["kind"] == kind]

    # ---- commands ----

    def command(self, name, device=None, /, id=None, timeout_ms=None, raw_args=None, **args):
        self.cookie += 1
        words = [device, name, "c-%d" % self.cookie if id is None else id or None, raw_args or (json.dumps(args) if args else None), timeout_ms,
                 self.cookie]
        with open(self.into, "a", encoding="utf-8") as f:
            f.write("\t".join("-" if w is None else str(w) for w in words) + "\n")
        return self.cookie

    def answer(self, cookie=None, final=True):
        """The answer to the command with that cookie (the latest): its response object."""
        want = {"cookie": self.cookie if cookie is None else cookie}
        if final is not None:
            want["final"] = final
        deadline = time.monotonic() + DEADLINE
        while True:
            for one in self.all("answer"):
                if all(one[k] == v for k, v in want.items()):
                    return one["json"]
            if time.monotonic() > deadline:
                raise AssertionError("no answer %s among %s" % (want, self.all("answer")[-5:]))
            time.sleep(0.02)

    def ask(self, name, device=None, /, **kw):
        return self.answer(self.command(name, device, **kw))

    def replay(self):
        with open(self.into, "a", encoding="utf-8") as f:
            f.write("replay\n")
