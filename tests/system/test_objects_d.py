# SPDX-License-Identifier: Apache-2.0
"""Definitions of objects: the compiled table beside the program, and those of the site in objects.d."""
import re
import shutil
import subprocess

from bed import DEADLINE, REPO, build_dir

CONF = 'gateway = { id = "t"; state_dir = "state"; run_dir = "run"; };\nadmin = { listen = "off"; };\n'
GOOD = """<LWM2M><Object><Name>Pump</Name><ObjectID>33000</ObjectID><Resources>
<Item ID="1" Mirror="never"><Name>Key</Name><Type>String</Type></Item></Resources></Object></LWM2M>"""
BAD = """<LWM2M>
<Object><Name>Pump</Name><ObjectID>33000</ObjectID><Resources>
<Item ID="1"><Name>Speed</Name><Type>Flaot</Type></Item>
</Resources></Object></LWM2M>"""
FAULT = ':3: resource 1: Type "Flaot" is none of String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk, Corelnk'


def check(directory):
    return subprocess.run([build_dir() / "niddgwd", "-t", "-c", directory / "niddgw.conf"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=DEADLINE)


def test_a_check_tells_every_fault_of_every_file(tmp_path):
    (tmp_path / "niddgw.conf").write_text(CONF + "gateway = { idd = 1; };\n")
    site = tmp_path / "objects.d"
    site.mkdir()
    (site / "pump.xml").write_text(BAD)
    (site / "bomb.xml").write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]>\n<LWM2M>&a;</LWM2M>')
    (site / "notes.txt").write_text("no XML, and none of ours")
    done = check(tmp_path)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert f"{site}/pump.xml{FAULT}" in lines
    assert f"{site}/bomb.xml:1: a document type declaration is not taken" in lines
    assert any("idd" in line for line in lines) and len(lines) == 3
    (tmp_path / "niddgw.conf").write_text(CONF)
    assert check(tmp_path).returncode == 1
    (site / "bomb.xml").unlink()
    (site / "pump.xml").write_text(GOOD)
    done = check(tmp_path)
    assert done.returncode == 0 and not done.stderr


def test_a_faulty_definition_is_refused_at_start_and_at_reload(gateway):
    gw = gateway(CONF, start=False)
    site = gw.dir / "objects.d"
    site.mkdir()
    (site / "pump.xml").write_text(BAD)
    gw.start()
    gw.program.wait_exit()
    assert any(line.endswith(FAULT) for line in gw.log.lines)
    (site / "pump.xml").write_text(GOOD)
    gw.start().ready()
    assert not [line for line in gw.log.lines if "registry." in line]  # the table was found beside the program
    (site / "pump.xml").write_text(BAD)
    done = gw.reload()
    assert done.returncode == 1 and FAULT in done.stdout + done.stderr
    (site / "pump.xml").write_text(GOOD)
    assert gw.reload().returncode == 0


def test_without_its_table_the_daemon_runs_and_says_so(tmp_path):
    """Losing names is no reason to stop forwarding; a damaged table counts as none."""
    program = tmp_path / "bin/niddgwd"
    program.parent.mkdir()
    shutil.copy(build_dir() / "niddgwd", program)
    (tmp_path / "niddgw.conf").write_text(CONF)
    for table, want in ((None, "ev=registry.missing"), (b"NIDDOBJ\1, but no table behind it", "ev=registry.damaged")):
        if table:
            (tmp_path / "bin/objects.tbl").write_bytes(table)
        p = subprocess.Popen([program, "-c", tmp_path / "niddgw.conf"], stderr=subprocess.PIPE, universal_newlines=True)
        lines = []
        for line in p.stderr:
            lines.append(line)
            if "ev=ready" in line:
                break
        p.terminate()
        p.stderr.read()
        assert p.wait(DEADLINE) == 0
        assert any(want in line for line in lines), lines


def test_notices_of_all_definitions_travel_with_the_table():
    text = (build_dir() / "objects-licences.txt").read_text()
    named = set(re.findall(r"(?:history/)?[\w-]+\.xml", text))
    objects = REPO / "src/lwm2m/objects"
    assert {str(p.relative_to(objects)) for p in objects.rglob("*.xml")} <= named
    assert "Redistribution and use in source and binary forms" in text
