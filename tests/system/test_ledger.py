# SPDX-License-Identifier: Apache-2.0
"""The ledger with few rounds: every unit exactly once, or its sender told, while the daemon is killed (`make endure` runs it in full)."""
import os
import pathlib
import subprocess
import sys

import pytest

LEDGER = pathlib.Path(__file__).resolve().parents[1] / "ledger" / "ledger.py"
KILLS = os.environ.get("NIDDGW_LEDGER_KILLS", "8")


@pytest.mark.limit(400)
def test_every_unit_arrives_once_while_the_daemon_is_killed():
    done = subprocess.run([sys.executable, "-B", str(LEDGER), "--kills", KILLS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-20000:]
    assert "0 lost, 0 doubled, order kept" in done.stdout
