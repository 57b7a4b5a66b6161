# SPDX-License-Identifier: Apache-2.0
"""pytest plugin: a test that takes longer than NIDDGW_TEST_LIMIT_S fails, and the run goes on.

@pytest.mark.limit(SECONDS) gives a test another limit; NIDDGW_SLOW multiplies it.
"""
import os
import signal

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long this test may take")


def limit_of(item):
    mark = item.get_closest_marker("limit")
    if mark:
        return int(mark.args[0]) * int(os.environ.get("NIDDGW_SLOW", "1"))
    return int(os.environ.get("NIDDGW_TEST_LIMIT_S", "120"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    seconds = limit_of(item)

    def on_alarm(_signo, _frame):
        raise TimeoutError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
