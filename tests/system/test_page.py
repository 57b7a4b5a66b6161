# SPDX-License-Identifier: Apache-2.0
"""The status page in a real browser: it shows the flow while the daemon runs, fits a phone, loads nothing from elsewhere."""
import http.client
import re
import shutil
import subprocess

import pytest

from bed import DEADLINE, build_dir, loop_host, udp_config
from pair import LOCATION, REGISTER

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(not BROWSER, reason="chromium is not installed")


@pytest.fixture
def running(testbed, gateway):
    """One meter registered, one that was never heard, and an alarm."""
    host, server, silent = loop_host(), testbed.peer(loop_host(), 5683), loop_host()
    tree = udp_config("coap://%s:5683" % server.sock.getsockname()[0], {"meter-17": host, "<b>odd": silent}, host=loop_host())
    gw = gateway(tree).ready()
    device = testbed.peer(host, 0, (tree["links"][0]["listen"].split(":")[0], 20000))
    device.send(REGISTER)
    server.reply(server.recv(), "2.01", options=LOCATION)
    assert device.recv().code == "2.01"
    return gw


def fetch(gw, path, method="GET", headers={}):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection(gw.admin, timeout=DEADLINE)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def browse(gw, tmp_path, *args):
    done = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=%s" % (tmp_path / "profile"),
                           "--virtual-time-budget=5000", *args, "http://%s/" % gw.admin], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=3 * DEADLINE)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@needs_browser
def test_the_page_shows_devices_links_and_servers(running, tmp_path):
    dom = browse(running, tmp_path, "--dump-dom")
    assert re.search(r'data-rounds="[1-9]', dom) and "all is well" in dom
    assert re.search(r"<td>meter-17</td><td class=\"ok\">registered</td>", dom)
    assert re.search(r"<dt>registered</dt><dd>1</dd>", dom)
    assert re.search(r'<li class="ok">sgi', dom) and re.search(r'<li class="ok">main', dom)
    assert "&lt;b&gt;odd" in dom and "<b>odd" not in dom


@needs_browser
def test_the_page_is_drawn_for_a_desk_and_for_a_phone(running, tmp_path):
    out = build_dir() / "test-output"
    out.mkdir(parents=True, exist_ok=True)
    for name, size in (("page.png", "1280,1000"), ("page-phone.png", "390,1400")):
        browse(running, tmp_path, "--screenshot=%s" % (out / name), "--window-size=" + size)
        assert (out / name).stat().st_size > 10000
    print("screenshots:", out / "page.png", out / "page-phone.png")


def test_the_page_is_small_and_loads_nothing_from_elsewhere(running):
    total = 0
    for path in ("/", "/page.css", "/page.js"):
        status, headers, body = fetch(running, path)
        assert status == 200
        total += len(body)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert not re.search(rb"https?://|//[a-z]+\.", body), path
    assert total < 40000


def test_S44_the_page_only_answers_its_own_name_and_only_get(running):
    assert fetch(running, "/", headers={"Host": "evil.example"})[0] == 403
    assert fetch(running, "/", method="POST")[0] == 405
    assert fetch(running, "/../etc/passwd")[0] == 404
