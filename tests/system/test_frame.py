# SPDX-License-Identifier: Apache-2.0
"""The frame around the programs: the checker of rooms, the sums of `make check`, what is installed, what is printed."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bed import REPO, build_dir

PYTHON = sys.executable


def run(*command, **kwargs):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                          timeout=120, **kwargs)


# ---- who may see what ----

@pytest.fixture
def tree(tmp_path):
    """A src/ to sin in; tree(file, text) writes a file and returns what the checker says."""
    source = tmp_path / "src"
    for room in ("base", "coap", "session", "link/t8", "link/udp", "control"):
        (source / room).mkdir(parents=True)
    for header in ("base/log.h", "base/loop.h", "coap/codec.h", "session/session.h", "link/link.h", "link/t8/t8.h"):
        (source / header).write_text("/* */\n")

    def write(name, text):
        (source / name).write_text(text)
        done = run(PYTHON, REPO / "tests/tools/check_includes.py", source)
        assert done.returncode == (1 if done.stdout else 0)
        return done.stdout

    return write


@pytest.mark.parametrize("name, include, room", [
    ("coap/a.c", '"session/session.h"', "coap"),
    ("coap/a.c", "<event2/event.h>", "coap"),
    ("base/log.c", "<event2/event.h>", "base"),
    ("session/a.c", '"link/t8/t8.h"', "session"),
    ("link/udp/a.c", '"link/t8/t8.h"', "link/udp"),
    ("link/udp/a.c", "<jansson.h>", "link/udp"),
    ("control/a.c", "<openssl/ssl.h>", "control"),
])
def test_a_room_that_sees_too_much_is_named_with_its_line(tree, name, include, room):
    said = tree(name, '/* */\n#include "base/log.h"\n#include %s\n' % include)
    assert said == "src/%s:3: room %s may not see %s\n" % (name, room, include.strip('<>"'))


@pytest.mark.parametrize("name, include", [
    ("base/loop.c", "<event2/event.h>"),
    ("session/a.c", '"link/link.h"'),
    ("session/a.c", '"coap/codec.h"'),
    ("link/t8/a.c", '"link/t8/t8.h"'),
    ("link/t8/a.c", "<jansson.h>"),
    ("coap/a.c", "<sys/types.h>"),
    ("main.c", '"link/t8/t8.h"'),
])
def test_what_the_table_allows_passes(tree, name, include):
    assert tree(name, "#include %s\n" % include) == ""


def test_a_directory_outside_the_table_is_a_breach(tree, tmp_path):
    (tmp_path / "src/attic").mkdir()
    assert "src/attic/a.c:1: in no room" in tree("attic/a.c", "")


def test_a_header_is_named_from_src(tree):
    assert 'src/coap/a.c:1: "codec.h" is not below src/' in tree("coap/a.c", '#include "codec.h"\n')


# ---- sums ----

@pytest.fixture
def check():
    """check.py as a module."""
    sys.path.insert(0, str(REPO / "tests/tools"))
    import check as module
    return module


@pytest.mark.parametrize("status, output, passed, failed, skipped", [
    (0, "1..2\nok 1 - a\nok 2 - b\n", 2, 0, 0),
    (1, "1..2\nok 1 - a\nnot ok 2 - b\n# why\n", 1, 1, 0),
    (0, "1..2\nok 1 - a\nnot ok 2 # SKIP b\n", 1, 0, 1),
    (-11, "1..3\nok 1 - a\n", 1, 1, 0),       # crashed in the second
    (-9, "1..1\nok 1 - a\n", 1, 1, 0),        # hung behind the last
    (1, "1..1\nok 1 - a\n", 1, 1, 0),         # a leak found at the end
    (0, "", 0, 1, 0),                         # no test at all
])
def test_a_unit_program_is_summed_up_by_what_it_did(check, capsys, status, output, passed, failed, skipped):
    tally = check.Tally()
    check.count_tap(tally, "x", status, output)
    assert (tally.passed, tally.failed, tally.skipped) == (passed, failed, skipped)


def test_a_hanging_program_is_ended_with_its_children(check):
    status, output = check.run(["sh", "-c", "echo begun; sleep 300 & sleep 300"], 1)
    assert status < 0
    assert "begun" in output and "still running after 1 s" in output


def test_a_program_that_is_not_there_failed(check):
    status, output = check.run(["/nonexistent/test_x"], 1)
    tally = check.Tally()
    check.count_tap(tally, "x", status, output)
    assert (tally.passed, tally.failed) == (0, 1)


def test_a_stage_that_ran_nothing_is_a_failure(tmp_path):
    (tmp_path / "tests/tools").mkdir(parents=True)
    for name in ("check.py",):
        (tmp_path / "tests/tools" / name).write_text((REPO / "tests/tools" / name).read_text())
    done = run(PYTHON, tmp_path / "tests/tools/check.py", "--build", tmp_path, "--only", "replay", "--only", "system")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 passed, 2 failed"


def ci(tmp_path, check_says, interop_says):
    """.ci/run with a make of our own in front of the real one."""
    (tmp_path / "make").write_text("#!/bin/sh\n[ $1 = check ] && { %s; }\n[ $1 = interop ] && { %s; }\n" % (check_says, interop_says))
    (tmp_path / "make").chmod(0o755)
    done = run(REPO / ".ci/run", env={**os.environ, "PATH": "%s:%s" % (tmp_path, os.environ["PATH"])})
    return done.returncode, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("check_says, interop_says, status, line", [
    ("echo 5 passed, 0 failed; exit 0", "echo 2 passed, 0 failed; exit 0", 0, "7 passed, 0 failed"),
    ("echo 5 passed, 1 failed; exit 1", "echo 2 passed, 0 failed; exit 0", 1, "7 passed, 1 failed"),
    ("echo 5 passed, 0 failed, 1 skipped; exit 0", "echo 0 passed, 0 failed, 1 skipped; exit 0", 0, "5 passed, 0 failed, 2 skipped"),
    ("echo 5 passed, 0 failed; exit 0", "echo 1 passed, 1 failed; exit 0", 1, "6 passed, 1 failed"),
    ("echo 5 passed, 0 failed; exit 2", "echo 1 passed, 0 failed; exit 0", 1, "6 passed, 1 failed"),
    ("exit 2", "echo 1 passed, 0 failed; exit 0", 1, "1 passed, 1 failed"),
])
def test_ci_fails_when_anything_failed_and_sums_up(tmp_path, check_says, interop_says, status, line):
    assert ci(tmp_path, check_says, interop_says) == (status, line)


# ---- packages ----

def with_tools(tmp_path, **scripts):
    """An environment in which these commands are scripts of ours; each leaves its name and arguments in calls."""
    for name, text in scripts.items():
        tool = tmp_path / name.replace("_", "-")
        tool.write_text('#!/bin/sh\necho "%s $*" >>%s/calls\n%s\n' % (tool.name, tmp_path, text))
        tool.chmod(0o755)
    return {**os.environ, "PATH": "%s:%s" % (tmp_path, os.environ["PATH"])}


def calls(tmp_path):
    return re.findall(r"^(dpkg-query|apt-get|sudo) ", (tmp_path / "calls").read_text(), re.MULTILINE)


def test_what_is_missing_is_named_and_nothing_is_installed(tmp_path):
    env = with_tools(tmp_path, dpkg_query="exit 1", apt_get="exit 0", sudo="exit 0")
    done = run(REPO / "tests/tools/deps.sh", "need", "build", env=env)
    assert done.returncode == 2
    assert "missing: gcc" in done.stdout and "libevent-dev" in done.stdout and "make deps" in done.stdout
    assert set(calls(tmp_path)) == {"dpkg-query"}


def test_deps_leave_apt_alone_when_all_is_there(tmp_path):
    env = with_tools(tmp_path, dpkg_query="echo installed", apt_get="exit 1", sudo="exit 1")
    assert run(REPO / "tests/tools/deps.sh", "install", "check", env=env).returncode == 0
    assert set(calls(tmp_path)) == {"dpkg-query"}


@pytest.mark.parametrize("uid, by", [(0, "env"), (1000, "sudo")])
def test_deps_install_what_is_missing_as_root(tmp_path, uid, by):
    env = with_tools(tmp_path, dpkg_query='[ "$4" = libconfig-dev ] || echo installed', apt_get="exit 0", sudo='exec "$@"', id="echo %d" % uid)
    done = run(REPO / "tests/tools/deps.sh", "install", "check", env=env)
    assert done.returncode == 0, done.stdout
    said = (tmp_path / "calls").read_text()
    assert "apt-get update" in said and re.search(r"apt-get install .*--no-install-recommends libconfig-dev\s*\n", said)
    assert ("sudo apt-get update" in said) == (by == "sudo")


# ---- what is printed from the tables ----

def defaults():
    return subprocess.run([str(build_dir() / "niddgwd"), "--print-defaults"], stdout=subprocess.PIPE, check=True, timeout=20,
                          universal_newlines=True).stdout


def test_the_shipped_file_is_what_the_program_prints():
    assert (REPO / "etc/niddgw.conf").read_text() == defaults(), "run make defaults"


def test_the_manual_page_of_the_file_names_every_key():
    made = subprocess.run([PYTHON, str(REPO / "packaging/man/conf_page.py")], input=defaults(), stdout=subprocess.PIPE, check=True,
                          timeout=20, universal_newlines=True).stdout
    assert (REPO / "packaging/man/niddgw.conf.5").read_text() == made, "run make defaults"
    for key in set(re.findall(r"^[#\s]*(\w+) = ", defaults(), re.MULTILINE)):
        assert re.search(r"^(\\fB|\.SS .*)%s\b" % key, made, re.MULTILINE), key


@pytest.mark.parametrize("page, program", [("niddgwd.8", "niddgwd"), ("niddgwctl.1", "niddgwctl"), ("niddgw-sim.1", "niddgw-sim")])
def test_the_manual_page_of_a_program_has_every_option_and_verb(page, program):
    text = (REPO / "packaging/man" / page).read_text().replace("\\-", "-")
    said = run(build_dir() / program, "--help").stdout
    wanted = re.findall(r"(?<!\w)--[a-z][a-z-]+", said) if program != "niddgw-sim" else []
    wanted += re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?:  | [A-Z])", said, re.MULTILINE)
    assert wanted
    for word in wanted:
        assert word in text, "%s: %s" % (page, word)


def test_programs_say_version_and_usage():
    for program in ("niddgwd", "niddgwctl"):
        assert re.match(r"%s \d+\.\d+\.\d+" % program, run(build_dir() / program, "--version").stdout)
        assert run(build_dir() / program, "--help").returncode == 0
        assert run(build_dir() / program, "--no-such-option").returncode == 2


# ---- installing ----

def test_install_keeps_a_configuration_that_is_there_and_leaves_nothing_open(tmp_path):
    command = ["make", "--no-print-directory", "install", "BUILD=%s" % build_dir(), "DESTDIR=%s" % tmp_path]
    mine = tmp_path / "etc/niddgw/niddgw.conf"
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    # The programs are built already; -o says that they are not to be looked at again.
    command += sum((["-o", "%s/%s" % (build_dir(), p)] for p in ("niddgwd", "niddgwctl", "niddgw-sim")), [])
    done = run(*command, cwd=REPO, env=env)
    assert done.returncode == 0, done.stdout
    assert mine.read_text() == (REPO / "etc/niddgw.conf").read_text()
    mine.write_text("# mine\n")
    assert run(*command, cwd=REPO, env=env).returncode == 0
    assert mine.read_text() == "# mine\n"
    for name in ("usr/sbin/niddgwd", "usr/bin/niddgwctl", "usr/bin/niddgw-sim", "usr/share/man/man5/niddgw.conf.5"):
        assert (tmp_path / name).is_file()
    for path in [p for p in tmp_path.rglob("*")]:
        assert not path.lstat().st_mode & 0o002, path
