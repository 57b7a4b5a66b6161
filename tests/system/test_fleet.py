# SPDX-License-Identifier: Apache-2.0
"""R14: a site gets its power back and all devices register at once. Scaled here; make bench has it in full."""
import ipaddress
import json
import resource
import subprocess

import pytest

from bed import build_dir, loop_host, udp_config, wait_until
from t8scene import is_sanitized

FIRST = ipaddress.IPv4Address("127.64.0.1")


@pytest.fixture
def descriptors():
    """As many as may be had; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def load(*words):
    done = subprocess.run([str(build_dir() / "niddgw-sim"), "load", *map(str, words)], stdout=subprocess.PIPE, check=True, text=True, timeout=100)
    return json.loads(done.stdout.splitlines()[-1])


def all_is_over(gw, n):
    """Everybody is registered, and nothing is left of it."""
    wait_until(lambda: gw.metric('niddgw_devices{state="registered"}') == n, None,
               lambda: "registered: %s" % gw.metric('niddgw_devices{state="registered"}'))
    wait_until(lambda: gw.metric("niddgw_store_open_entries") == 0 and gw.metric("niddgw_store_queued_bytes") == 0)
    assert gw.ctl("queue")["items"] == [] and gw.ctl("alarms")["items"] == []


@pytest.mark.limit(120)
def test_r14_thousands_of_devices_register_at_once_over_the_tunnel(gateway, descriptors):
    n = min(6000, descriptors - 500)
    server, host = loop_host(), loop_host()
    tree = udp_config("coap://%s:5683" % server, {"d%05d" % i: str(FIRST + i) for i in range(n)}, host=host, profile={"ack_timeout_s": 60})
    tree["north"] = {"bind": loop_host()}                  # with all its ports
    gw = gateway(tree, log_level="warning").ready()
    before = gw.metric("niddgw_rss_bytes")
    result = load("udp", "--endpoints", n, "--window", n, "--register", "--warmup-ms", 0, "--seconds", 3, "--timeout-ms", 30000,
                  "--first", FIRST, "--to", tree["links"][0]["listen"], "--server", server + ":5683")
    assert result["lost"] == result["errors"] == 0, result
    all_is_over(gw, n)
    if not is_sanitized():  # with what is remembered of the last messages of each
        assert (gw.metric("niddgw_rss_bytes") - before) / n <= 4096
    assert gw.stop() == 0


@pytest.mark.limit(120)
def test_r14_thousands_of_devices_register_at_once_over_t8(gateway, descriptors):
    n = 2000
    scef, server, callback = loop_host(), loop_host(), loop_host()
    tree = {
        "north": {"bind": loop_host()},
        "links": [{"name": "op", "type": "t8", "api_root": "http://%s:8080" % scef, "scs_as_id": "gw01", "test_notification": False,
                   "callback": {"listen": callback + ":8444", "url": "http://%s:8444" % callback}}],
        "servers": [{"name": "main", "uri": "coap://%s:5683" % server}],
        "devices": [{"name": "dev-%d" % i, "ep": "dev-%d" % i, "link": "op", "external_id": "dev-%012d@iot.example.net" % i} for i in range(n)]}
    gw = gateway(tree, log_level="warning", start=False)
    sim = subprocess.Popen([str(build_dir() / "niddgw-sim"), "load", "t8", "--endpoints", str(n), "--window", str(n), "--register", "--warmup-ms", "0",
                            "--seconds", "3", "--timeout-ms", "30000", "--listen", scef + ":8080", "--server", server + ":5683"],
                           stdout=subprocess.PIPE, text=True)
    try:
        gw.start().ready()
        out, _ = sim.communicate(timeout=100)
    finally:
        sim.kill()
        sim.wait()
    result = json.loads(out.splitlines()[-1])
    assert result["lost"] == result["errors"] == 0, result
    all_is_over(gw, n)
