# SPDX-License-Identifier: Apache-2.0
"""The ledger (tests/ledger) with a few rounds; `make endure` has the full number. NIDDGW_LEDGER replaces the arguments."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bed import build_dir

LEDGER = Path(__file__).resolve().parents[1] / "ledger" / "ledger.py"
ROUNDS = "--kills 6 --failpoints 1 --hasty --cuts 3 --full 1"  # about half a minute


@pytest.mark.limit(300)
def test_r2_r4_r6_every_unit_arrives_once_or_its_sender_is_told(tmp_path):
    rounds = os.environ.get("NIDDGW_LEDGER", ROUNDS).split()
    done = subprocess.run([sys.executable, "-B", str(LEDGER), "--keep", str(tmp_path / "ledger"), *rounds], timeout=290,
                          env=dict(os.environ, NIDDGW_BUILD=str(build_dir())), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
