# SPDX-License-Identifier: Apache-2.0
"""The ledger (tests/ledger) with a few rounds; `make endure` has the full number. NIDDGW_LEDGER replaces the arguments."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bed import build_dir
from t8scene import is_sanitized

LEDGER = Path(__file__).resolve().parents[1] / "ledger" / "ledger.py"
# About twenty seconds each.
ROUNDS = "--kills 6 --failpoints 1 --hasty --cuts 3 --full 1"
SOAK = "--devices 1000 --rate 500 --soak 2 --units 1200 --hasty"


def ledger(directory, rounds):
    done = subprocess.run([sys.executable, "-B", str(LEDGER), "--keep", str(directory), *rounds], timeout=290,
                          env=dict(os.environ, NIDDGW_BUILD=str(build_dir())), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")


@pytest.mark.limit(300)
def test_r2_r4_r6_every_unit_arrives_once_or_its_sender_is_told(tmp_path):
    ledger(tmp_path / "ledger", os.environ.get("NIDDGW_LEDGER", ROUNDS).split())


@pytest.mark.limit(300)
def test_r1_a_short_soak_leaves_nothing_behind(tmp_path):
    """A thousand devices, all kinds of units, 1 % that are none, peers that come and go; memory is no measure under a sanitizer."""
    ledger(tmp_path / "soak", SOAK.split() + (["--growth", "10000"] if is_sanitized() else []))
