# SPDX-License-Identifier: Apache-2.0
"""Device records that are no files' own: niddgwctl device add, remove, import, export; rules; what a restart leaves of them."""
import csv
import io
import json

import pytest

from bed import split_addr, udp_config, wait_until
from coapmsg import LOCATION_PATH, OSCORE, Msg
from t8scene import t8  # noqa: F401  (a fixture)

HEADER = "name,link,address,ep,servers\n"


@pytest.fixture
def gw(gateway, udp_peer):
    """Link sgi, servers main and b, device filed of the files; ready."""
    server = udp_peer(port=5683)
    tree = udp_config(server.uri, {"filed": "127.3.3.3"})
    tree["servers"].append({"name": "b", "uri": "coap://127.3.3.4"})
    g = gateway(tree, log_level="info").ready()
    g.server, g.tree, g.listen = server, tree, split_addr(tree["links"][0]["listen"])
    return g


def names(g):
    return [d["device"] for d in g.ctl("device", "list")["items"]]


def write(g, name, text):
    path = g.dir / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def register(dev, server, ep, mid=1, where="r1"):
    """The device registers by itself, without a name in its request; the source of its association."""
    dev.send(Msg.request("POST", "/rd", ["lt=3000", "lwm2m=1.1", "b=U"], token=b"r%d" % mid, mid=mid, content_format=40, payload=b"</1/0>"))
    asked = server.recv(where=lambda m: m.is_request)
    assert asked.query()[-1] == "ep=" + ep
    source = server.source
    server.reply(asked, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, where.encode())])
    assert dev.recv().code == "2.01"
    return source


def fleet(n, first=0):
    return HEADER + "".join("m%05d,sgi,10.7.%d.%d,urn:m:%d,main;b\n" % (i, i // 250, 1 + i % 250, i) for i in range(first, first + n))


# ---- one record ----

def test_a_device_that_is_added_works_at_once_and_after_a_kill(gw, udp_peer):
    dev = udp_peer(to=gw.listen)
    assert gw.run_ctl("device", "add", "name=m1", "link=sgi", "address=%s" % dev.addr[0], "ep=meter-1").returncode == 0
    assert names(gw) == ["filed", "m1"]
    shown = gw.ctl("device", "show", "m1")
    assert shown["record"] == {"origin": "store"} and gw.ctl("device", "show", "filed")["record"]["origin"] == "files"
    source = register(dev, gw.server, "meter-1")
    gw.kill9()  # adding was answered, so it is on disk
    gw.start().ready()
    assert names(gw) == ["filed", "m1"]
    assert register(dev, gw.server, "meter-1", mid=2, where="r2") == source


def test_a_record_that_cannot_be_is_refused_with_every_fault(gw):
    done = gw.run_ctl("device", "add", "name=f/1", "link=nowhere", "adress=1", "ep=filed")
    assert done.returncode == 1 and not done.stdout
    assert [line.partition(": ")[2].partition(":")[0] for line in done.stderr.splitlines()] == ["name", "adress"]
    done = gw.run_ctl("device", "add", "name=m1", "link=nowhere", "address=x", "servers=main;c", "profile=p")
    for text in ('link: no link is named "nowhere"', 'profile: no profile', 'servers[1]: no server is named "c"'):
        assert text in done.stderr
    done = gw.run_ctl("device", "add", "name=m1", "link=sgi", "address=127.3.3.3", "ep=filed")
    assert done.returncode == 1 and done.stderr.count("already") == 2
    assert gw.run_ctl("device", "add", "m1").returncode == 1
    assert gw.run_ctl("device", "add").returncode == 2
    assert names(gw) == ["filed"]


def test_a_removed_device_is_silent_both_ways_and_stays_gone(gw, udp_peer):
    dev = udp_peer(to=gw.listen)
    gw.run_ctl("device", "add", "name=m1", "link=sgi", "address=%s" % dev.addr[0], "ep=meter-1")
    source = register(dev, gw.server, "meter-1")
    assert gw.run_ctl("device", "remove", "m1").returncode == 0
    dev.send(Msg.request("GET", "/x", token=b"x", mid=9))
    gw.wait_metric('niddgw_uplink_total{result="unknown_device"}', 1)
    gw.server.send(Msg.request("GET", "/3/0/0", token=b"y", mid=9), source)
    gw.kill9()
    gw.start().ready()
    assert names(gw) == ["filed"]
    assert gw.run_ctl("device", "remove", "m1").returncode == 1
    done = gw.run_ctl("device", "remove", "filed")
    assert done.returncode == 1 and "files" in done.stderr
    assert gw.run_ctl("device", "show", "m1").returncode == 1


# ---- many ----

def test_an_import_is_exported_as_it_came_and_taken_again(gw):
    text = HEADER + 'a,sgi,10.7.0.1,"e,1",main;b\r\n"q""q",sgi,10.7.0.2,,\r\n\r\n\xe4\xf6,sgi,10.7.0.3,\xfc,b'
    done = gw.run_ctl("device", "import", write(gw, "in.csv", "\ufeff" + text))
    assert done.returncode == 0 and "3 records imported: 3 added, 0 replaced" in done.stdout, done
    out = gw.run_ctl("device", "export").stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["name"], r["address"], r["ep"], r["servers"]) for r in rows] == [
        ("a", "10.7.0.1", "e,1", "main;b"), ('q"q', "10.7.0.2", "", ""), ("\xe4\xf6", "10.7.0.3", "\xfc", "b")]
    lines = gw.run_ctl("device", "export", "--jsonl").stdout
    assert [json.loads(x) for x in lines.splitlines()][0] == {
        "name": "a", "link": "sgi", "address": "10.7.0.1", "ep": "e,1", "servers": ["main", "b"]}
    for name, content in (("out.csv", out), ("out.jsonl", lines)):
        again = gw.run_ctl("--json", "device", "import", write(gw, name, content))
        assert again.returncode == 0, again
        result = json.loads(again.stdout)
        assert (result["added"], result["replaced"], result["records"]) == (0, 3, 3)
    assert gw.run_ctl("device", "export").stdout == out
    everything = [json.loads(x)["name"] for x in gw.run_ctl("device", "export", "--jsonl", "--all").stdout.splitlines()]
    assert everything == ["filed", "a", 'q"q', "\xe4\xf6"]
    gw.restart()
    assert sorted(gw.run_ctl("device", "export").stdout.splitlines()) == sorted(out.splitlines())


BAD = [
    (3, "m2,sgi", "2 fields, and the header has 5"),
    (4, "m3,sgi,10.7.0.1,,", "identity of \"m1\" in line 2"),
    (5, "m1,sgi,10.7.0.9,,", "name: \"m1\" stands in line 2 already"),
    (6, "m5,sgi,127.3.3.3,,", "that of \"filed\" at "),
    (7, "m6,nowhere,10.7.0.6,,", "no link is named"),
    (8, 'm7,sgi,10.7.0.7,"x"y,', "behind a closing quote"),
    (9, "m8,sgi,10.7.0.8,,main;c", "servers[1]: no server is named \"c\""),
    (10, ",sgi,10.7.0.10,,", "name: required and missing"),
    (11, "m10,sgi,300.1.1.1,,", "is not HOST"),
    (12, "m11,sgi,10.7.0.11,\x01,", "not printable"),
    (13, "m12,sgi,10.7.0.12,filed,", "that of \"filed\""),
]


def test_oscore_identities_are_imported_shown_and_exported(gw, udp_peer):
    """An entry is SERVER/KID[/KID_CONTEXT], in JSON lines an object too; a kid that is in no entry is refused after a kill as before."""
    dev = udp_peer(to=gw.listen)
    rows = ["o1,sgi,%s,main/0a0b;b//37cb" % dev.addr[0], "o2,sgi,10.7.0.2,"]
    done = gw.run_ctl("device", "import", write(gw, "in.csv", "\n".join(["name,link,address,oscore"] + rows)))
    assert done.returncode == 0, done
    objects = [{"server": "main", "kid": "0C"}, {"kid": "0d", "kid_context": ""}]
    lines = json.dumps({"name": "o3", "link": "sgi", "address": "10.7.0.3", "oscore": objects})
    assert gw.run_ctl("device", "import", write(gw, "in.jsonl", lines)).returncode == 0
    want = {"o1": "main/0a0b;b//37cb", "o2": "", "o3": "main/0C;/0d/"}
    for mid in (1, 3):
        out = list(csv.DictReader(io.StringIO(gw.run_ctl("device", "export").stdout)))
        assert {r["name"]: r["oscore"] for r in out} == want
        dev.send(Msg(0, "0.02", mid, b"a", [(OSCORE, bytes.fromhex("09010a0b"))], b"x"))
        asked = gw.server.recv()
        gw.server.reply(asked, "2.04", options=[(OSCORE, b"")])
        assert dev.recv().code == "2.04"
        dev.send(Msg(0, "0.02", mid + 1, b"b", [(OSCORE, bytes.fromhex("09020a"))], b"x"))
        assert dev.recv().code == "4.03"
        gw.kill9()
        gw.start().ready()
        dev = udp_peer(host=dev.addr[0], to=gw.listen)
    again = gw.run_ctl("device", "export", "--jsonl").stdout
    assert gw.run_ctl("device", "import", write(gw, "again.jsonl", again)).returncode == 0
    assert gw.run_ctl("device", "export", "--jsonl").stdout == again
    for entry, fault in (("main", "an entry has no kid"), ("main/0a/0b/0c", "too many parts"), ("c/0a", 'no server is named "c"'),
                         ("main/0", "is not 0 to 64 octets in hexadecimal"), ("main/0a;b/0A", "stands in the list twice")):
        done = gw.run_ctl("device", "add", "name=o4", "link=sgi", "address=10.7.0.4", "oscore=" + entry)
        assert done.returncode == 1 and fault in done.stderr, done
    bad = json.dumps({"name": "o4", "link": "sgi", "address": "10.7.0.4", "oscore": [{"kid": "0a", "key": "1"}]})
    assert gw.run_ctl("device", "import", write(gw, "bad.jsonl", bad)).returncode == 1


def test_every_bad_line_is_named_and_nothing_is_imported(gw):
    path = write(gw, "bad.csv", HEADER + "m1,sgi,10.7.0.1,,\n" + "".join(line + "\n" for _, line, _ in BAD) + "m99,sgi,10.7.0.99,,\n")
    for more in ([], ["--dry-run"]):
        done = gw.run_ctl("device", "import", *more, path)
        assert done.returncode == 1 and not done.stdout
        said = done.stderr.splitlines()
        for number, _, text in BAD:
            assert [x for x in said if x.startswith("%s:%d: " % (path, number)) and text in x], (number, text, said)
        assert len(said) == len(BAD) + 1 and "nothing was imported" in said[-1]
        assert names(gw) == ["filed"]
    gw.restart()
    assert names(gw) == ["filed"]


@pytest.mark.parametrize("text,line,fault", [
    ("", 1, "is empty"), ("link,address\n", 1, 'no column is called "name"'), ("name,link,name\n", 1, "twice"), ("name,lnk\n", 1, 'did you mean "link"'),
    ("name,\n", 1, "no name"), ("name,cid\n", 1, "not built"), (b"name,link\n\xff,sgi\n", 2, "not UTF-8"), (b"name,li\x00nk\n", 1, "octet of 0"),
    ('name,link\n"m1,sgi\n', 2, "not closed"), ("name,link\nm1,sgi\rm2,sgi\n", 2, "carriage return"), ("name,link\n" + "x" * 40000 + "\n", 2, "longer"),
])
def test_files_that_are_no_such_csv(gw, text, line, fault):
    path = write(gw, "odd.csv", text)
    done = gw.run_ctl("device", "import", path)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("%s:%d: " % (path, line)) and fault in done.stderr.splitlines()[0], done.stderr


def test_json_lines_are_told_by_their_suffix_and_judged_alike(gw):
    lines = ['{"name":"m1","link":"sgi","address":"10.7.0.1","servers":["b","main"]}', "", '{"name":"m2","link":"sgi"', "[1]",
             '{"name":"m3","link":"sgi","address":"10.7.0.3","name":"m4"}', '{"name":"m5","link":"sgi","address":{"a":1}}',
             '{"name":"m6","link":"sgi","address":"10.7.0.6","ep":null}']
    path = write(gw, "in.jsonl", "\n".join(lines))
    done = gw.run_ctl("device", "import", path)
    assert done.returncode == 1
    assert sorted(int(x[len(path) + 1:].split(":")[0]) for x in done.stderr.splitlines()[:-1]) == [3, 4, 5, 6]
    path = write(gw, "good.jsonl", "\n".join([lines[0], lines[6]]) + "\n")
    assert gw.run_ctl("device", "import", path).returncode == 0
    assert names(gw) == ["filed", "m1", "m6"]
    assert "b;main" in gw.run_ctl("device", "export").stdout


def test_a_dry_run_says_what_would_be_and_does_nothing(gw):
    gw.run_ctl("device", "import", write(gw, "one.csv", fleet(1)))
    done = gw.run_ctl("device", "import", "--dry-run", write(gw, "in.csv", fleet(5)))
    assert done.returncode == 0 and "5 records are sound: 4 added, 1 replaced" in done.stdout
    assert names(gw) == ["filed", "m00000"]
    assert gw.run_ctl("device", "list", "--dry-run").returncode == 2


def test_a_fleet_is_imported_listed_and_there_after_a_kill(gw, udp_peer):
    dev = udp_peer(host="127.3.9.9", to=gw.listen)
    path = write(gw, "fleet.csv", fleet(3000) + "last,sgi,127.3.9.9,the-last,main\n")
    assert gw.run_ctl("device", "import", path).returncode == 0
    source = register(dev, gw.server, "the-last")
    listed = names(gw)
    assert len(listed) == len(set(listed)) == 3002 and listed[0] == "filed" and listed[1:4] == ["m00000", "m00001", "m00002"]
    gw.kill9()
    gw.start().ready()
    assert sorted(names(gw)) == sorted(listed)
    assert register(dev, gw.server, "the-last", mid=2) == source
    assert gw.ctl("device", "show", "m02999")["ep"] == "urn:m:2999"


@pytest.mark.parametrize("point,left", [("state.commit", 0), ("state.committed", 500)])
def test_a_kill_in_the_middle_of_an_import_leaves_all_or_nothing(gw, point, left):
    """The daemon kills itself just before or behind the commit that holds the records, the n-th since its start."""
    for n in range(1, 20):
        gw.stop()
        gw.env["NIDDGW_FAIL"] = "%s:%d" % (point, n)
        gw.start()
        path = write(gw, "fleet.csv", fleet(500, 500 * n))
        if not gw.notify.wait("READY=1", gw.program.running):
            gw.kill9()  # that commit came with the start
            continue
        done = gw.run_ctl("device", "import", path)
        if done.returncode == 0 and gw.program.running():
            continue
        gw.program.wait_exit()
        gw.kill9()
        assert done.returncode == 1
        del gw.env["NIDDGW_FAIL"]
        gw.start().ready()
        mine = [x for x in names(gw) if "m%05d" % (500 * n) <= x < "m%05d" % (500 * n + 500)]
        assert len(mine) == left
        return
    raise AssertionError("the import was never killed")


# ---- keys ----

KEY = "00112233445566778899aabbccddeeff"


def write_key(g, name, text=KEY, mode=0o600):
    path = g.dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


@pytest.fixture
def secured(gw):
    """The same with a server that wants a key of each device, and a profile of devices that cannot have it themselves."""
    gw.tree["servers"].append({"name": "sec", "uri": "coaps://127.3.3.5"})
    gw.tree["profiles"] = [{"name": "plain", "dtls": "off"}]
    gw.write(gw.tree)
    assert gw.reload().returncode == 0
    return gw


def test_keys_of_a_record_are_files_and_never_shown(secured):
    g, path = secured, write_key(secured, "m1.key")
    more = ["link=sgi", "address=10.7.0.1", "servers=sec", "profile=plain"]
    done = g.run_ctl("device", "add", "name=m1", *more)
    assert done.returncode == 1 and '"m1" has none, and server "sec" has security psk' in done.stderr
    for bad, said in ((KEY, "named by its file"), ("file:none.key", "No such file"), ("file:%s" % write_key(g, "open.key", mode=0o644), "mode is 0644"),
                      ("file:%s" % write_key(g, "odd.key", "0a0"), "hexadecimal"), ("file:%s" % write_key(g, "text.key", "password"), "hexadecimal")):
        done = g.run_ctl("device", "add", "name=m1", "psk_key=" + bad, *more)
        assert done.returncode == 1 and said in done.stderr and "psk_key: " in done.stderr, (bad, done.stderr)
        assert KEY not in done.stderr and "password" not in done.stderr
    assert g.run_ctl("device", "add", "name=m1", "psk_key=file:m1.key", "psk_identity=one", *more).returncode == 0  # relative to the directory of the files
    out = g.run_ctl("device", "export").stdout
    assert "file:%s" % path in out and "one" in out
    g.kill9()
    g.start().ready()
    assert g.run_ctl("device", "export").stdout == out
    assert g.run_ctl("device", "import", write(g, "again.csv", out)).returncode == 0
    assert KEY not in out + g.run_ctl("--json", "device", "show", "m1").stdout + "".join(g.log.lines)


def test_a_rule_finds_the_key_of_each_device(secured, udp_peer):
    g = secured
    known, stranger = udp_peer(host="127.3.5.1", to=g.listen), udp_peer(host="127.3.5.2", to=g.listen)
    path = write_key(g, "keys/127.3.5.1.key")
    g.tree["rules"] = [{"link": "sgi", "match": "127.3.5.*", "servers": ["main", "sec"], "psk_key_dir": "keys", "profile": "plain"}]
    g.write(g.tree)
    assert g.reload().returncode == 0
    known.send(Msg.request("GET", "/x", token=b"x", mid=1))
    assert g.server.recv(where=lambda m: m.is_request).path() == "/x"
    stranger.send(Msg.request("GET", "/x", token=b"x", mid=1))
    g.wait_metric('niddgw_provisioned_total{result="refused"}', 1)
    assert names(g) == ["filed", "127.3.5.1"]
    assert "file:%s" % path in g.run_ctl("device", "export").stdout
    del g.tree["rules"][0]["psk_key_dir"]
    g.write(g.tree)
    status, text = g.check()
    assert status == 1 and 'rules[0].psk_key_dir: is needed: server "sec"' in text


# ---- files and store ----

def test_the_files_win_as_long_as_they_have_the_name(gw):
    gw.run_ctl("device", "add", "name=m1", "link=sgi", "address=10.7.0.1", "ep=stored")
    gw.tree["devices"].append({"name": "m1", "link": "sgi", "address": "10.7.0.2", "ep": "filed-m1"})
    gw.write(gw.tree)
    assert gw.reload().returncode == 0
    assert gw.ctl("device", "show", "m1")["ep"] == "filed-m1" and names(gw) == ["filed", "m1"]
    done = gw.run_ctl("device", "add", "name=m1", "link=sgi", "address=10.7.0.3", "ep=stored")
    assert done.returncode == 0 and "not in effect" in done.stderr
    gw.restart()
    assert gw.ctl("device", "show", "m1")["ep"] == "filed-m1"
    gw.tree["devices"].pop()
    gw.write(gw.tree)
    assert gw.reload().returncode == 0
    shown = gw.ctl("device", "show", "m1")
    assert shown["ep"] == "stored" and shown["identity"] == {"address": "10.7.0.3"} and shown["record"]["origin"] == "store"


def test_a_record_that_no_longer_fits_is_an_alarm_and_comes_back(gw):
    gw.run_ctl("device", "add", "name=m1", "link=sgi", "address=10.7.0.1", "servers=b")
    server = gw.tree["servers"].pop()
    gw.write(gw.tree)
    assert gw.reload().returncode == 0
    assert names(gw) == ["filed"]
    done = gw.run_ctl("device", "show", "m1")
    assert done.returncode == 1 and 'no server is named "b"' in done.stderr
    assert [a["type"] for a in gw.ctl("alarms")["items"]] == ["device.record_unusable"]
    gw.tree["servers"].append(server)
    gw.write(gw.tree)
    assert gw.reload().returncode == 0
    assert names(gw) == ["filed", "m1"] and gw.ctl("alarms")["items"] == []


# ---- rules ----

def test_an_unknown_source_with_a_rule_registers_over_udp_and_survives_a_kill(gw, udp_peer):
    known, stranger = udp_peer(host="127.3.5.1", to=gw.listen), udp_peer(host="127.3.6.1", to=gw.listen)
    gw.tree["rules"] = [{"link": "sgi", "match": "127.3.5.*", "ep": "urn:ip:{identity}", "servers": ["main"]}]
    gw.write(gw.tree)
    assert gw.reload().returncode == 0
    source = register(known, gw.server, "urn:ip:127.3.5.1")
    assert names(gw) == ["filed", "127.3.5.1"]
    assert gw.metric("niddgw_provisioned_total") == 1
    stranger.send(Msg.request("GET", "/x", token=b"x", mid=1))
    gw.wait_metric('niddgw_uplink_total{result="unknown_device"}', 1)
    wait_until(lambda: "127.3.5.1" in gw.run_ctl("device", "export").stdout)
    gw.kill9()
    del gw.tree["rules"]  # what a rule has made does not need it any more
    gw.write(gw.tree)
    gw.start().ready()
    assert names(gw) == ["filed", "127.3.5.1"]
    assert register(known, gw.server, "urn:ip:127.3.5.1", mid=2) == source


def test_an_unknown_user_with_a_rule_registers_over_t8_and_survives_a_kill(t8):  # noqa: F811
    s = t8(start=False)
    s.tree["rules"] = [{"link": "op", "match": "n[0-9]*@iot.example", "ep": "urn:{domain}:{local}"}]
    s.gw.write(s.tree)
    s.gw.start()
    s.ready()
    eid = "n7@iot.example"
    s.devices["n7"] = eid
    msg = s.message(query=["lt=3000", "lwm2m=1.1", "b=N"])
    answer = s.fake.uplink("m1@iot.example", msg, externalId=eid, niddConfiguration="x")
    assert answer.status == 204  # not one 404 before
    asked = s.srv.recv(where=lambda m: m.is_request)
    assert asked.query()[-1] == "ep=urn:iot.example:n7"
    source = s.srv.source
    s.srv.reply(asked, "2.01", options=[(LOCATION_PATH, b"rd"), (LOCATION_PATH, b"n7")])
    assert s.fake.down(eid).code == "2.01"
    assert s.fake.uplink("m1@iot.example", msg, externalId="x7@iot.example", niddConfiguration="x").status == 404
    s.gw.kill9()
    s.gw.start().ready()
    shown = s.gw.ctl("device", "show", eid)
    assert shown["state"] == "registered" and shown["ep"] == "urn:iot.example:n7"
    wait_until(lambda: s.gw.ctl("device", "show", eid)["link"].get("configuration_state") == "active")
    update = s.message(path="/rd/n7", query=[], payload=b"")
    assert s.fake.uplink(eid, update).status == 204
    asked = s.srv.recv(where=lambda m: m.path() == "/rd/n7")
    assert s.srv.source == source
    s.srv.reply(asked, "2.04")
    assert s.fake.down(eid, where=lambda m: m.mid == update.mid).code == "2.04"

    assert s.gw.run_ctl("device", "remove", eid).returncode == 0  # and its configuration goes with it
    s.fake.wait("delete")
    assert s.fake.config(eid) is None and s.fake.config("m1@iot.example")


def test_a_rule_is_checked_with_the_rest_of_the_configuration(gw):
    gw.tree["rules"] = [{"link": "nowhere"}, {"link": "sgi", "ep": "same"}, {"link": "sgi", "ep": "{name}"}, {"link": "sgi", "psk_key_dir": "keys"},
                        {"link": "sgi", "servers": ["c"], "profile": "p", "match": ""}]
    gw.write(gw.tree)
    status, text = gw.check()
    assert status == 1
    for path in ("rules[0].link", "rules[1].ep", "rules[2].ep", "rules[3].psk_key_dir", "rules[4].servers[0]", "rules[4].profile", "rules[4].match"):
        assert path in text, (path, text)
