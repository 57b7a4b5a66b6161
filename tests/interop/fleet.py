# SPDX-License-Identifier: Apache-2.0
"""fleet.py - a thousand registered devices over a kill -9 of the gateway, against the Leshan server.

The devices are simulated, so that the side that is no subject of the test stays cheap; the server is Leshan's. Half of them
are in queue mode with an awake window of two seconds. After the restart the server gets to each one: at once where it listens
always, at its next wake-up where it sleeps. Nobody registers again, and nobody comes from another port.
"""
from pathlib import Path

from peers import PORTS, Way, bed, loop_host, split_addr, wait_until

VALUE = "/3303/0/5700"
HALF = 500    # devices that always listen, and as many that sleep
SAMPLE = 20   # read first; and as many sleepers are read before the kill
WINDOW_S = 2


class Fleet(Way):
    """link udp, its devices imported into the store: their records have to survive as well."""
    name = "fleet"
    transport, link = "udp", "sgi"

    def open(self):
        self.local, self.crowd = {}, []
        tree = bed.udp_config(self.server.uri, {})
        del tree["devices"]
        tree["profiles"] = [{"name": "awake"}, {"name": "sleeper", "awake_window_s": WINDOW_S}]
        self.north = loop_host()
        tree["north"] = {"bind": self.north}
        self.uri = "coap://" + tree["links"][0]["listen"]
        self.gateway = self.bed.gateway(tree).ready(60)
        self.bases = {prefix: "%s:40000" % loop_host() for prefix in ("awake", "sleeper")}
        self.names = {prefix: ["%s-%d" % (prefix, n) for n in range(HALF)] for prefix in self.bases}
        self.add_records()

    def add_records(self):
        lines = ["name,link,address,profile,ep"]
        for prefix, base in self.bases.items():
            host, port = split_addr(base)
            lines += ["%s,sgi,%s:%d,%s,%s" % (ep, host, port + n, prefix, ep) for n, ep in enumerate(self.names[prefix])]
        path = Path(self.bed.directory) / "fleet.csv"
        path.write_text("\n".join(lines) + "\n")
        done = self.gateway.run_ctl("device", "import", str(path))
        assert done.returncode == 0, done.stderr

    def client_host(self):
        return self.north

    def start_devices(self):
        """Both halves; they register by themselves."""
        to = split_addr(self.uri[len("coap://"):])
        self.devices = {prefix: self.bed.devices(to, "--count", HALF, "--first", 0, "--prefix", prefix + "-", "--binding", "U", "--rate", 250,
                                                 "--ack-timeout", 2, "--notify-type", "con", *(["--queue"] if prefix == "sleeper" else []),
                                                 bind=self.bases[prefix]) for prefix in self.bases}

    def sleeping(self):
        """How many devices the gateway takes for asleep."""
        return sum(d["reach"] == "sleeping" for d in self.gateway.ctl("device", "list")["items"])


# ---- what the cases are made of ----------------------------------------------------------------------------------------


def ends(run, ep):
    """The simulator that plays this device."""
    return run.way.devices[ep.partition("-")[0]]


def put(run, ep, value, notify=False):
    ends(run, ep).post("set", ep=ep, path=VALUE, value=value, notify=notify)


def ask(run, cmd, names, path=VALUE):
    """One operation on each of them: {id: ep}, and where to look for what comes of it."""
    mark = run.server.mark()
    return {run.post(cmd, ep=ep, path=path): ep for ep in names}, mark


def answered(run, asked, mark):
    """{ep: answer}: one of the device itself for each."""
    found = run.server.wait(n=len(asked), since=mark, timeout=60, where=lambda e: e.get("id") in asked)
    answers = {asked[e["id"]]: e for e in (found if len(asked) > 1 else [found])}
    bad = [a for a in answers.values() if a.get("code") != "2.05"]
    assert not bad, bad[:3]
    return answers


def read(run, asked, mark, values):
    """The same, and each has told its own value."""
    answers = answered(run, asked, mark)
    got = {ep: a["values"].get(VALUE) for ep, a in answers.items()}
    assert got == {ep: values[ep] for ep in got}, [(ep, v, values[ep]) for ep, v in got.items() if v != values[ep]][:3]


def wait_asleep(run):
    wait_until(lambda: run.way.sleeping() == HALF, 30, lambda: "%d of %d sleep" % (run.way.sleeping(), HALF))


def nothing_went_down(run, names, mark):
    """No request reached these sleepers since their simulator's mark."""
    early = run.way.devices["sleeper"].events("request", since=mark, where=lambda e: e["ep"] in names)
    assert not early, early[:3]


def notified(run, values, mark):
    """The server has had a notification of each value."""
    run.server.wait("notify", n=len(values), since=mark, timeout=60,
                    where=lambda e: e.get("values", {}).get(VALUE) == values.get(e["ep"], ""))


# ---- the cases ---------------------------------------------------------------------------------------------------------


def fleet_register(run):
    """1000 devices register, half of them in queue mode, and each is observed"""
    way = run.way
    names = [ep for half in way.names.values() for ep in half]
    mark = run.server.mark()
    way.start_devices()
    events = run.server.wait("registered", n=len(names), since=mark, timeout=60, where=lambda e: not e["again"])
    sources = {e["ep"]: e["addr"] for e in events}
    assert sorted(sources) == sorted(names) and len(set(sources.values())) == len(names), sorted(sources)[:5]
    assert all(PORTS[0] <= split_addr(a)[1] <= PORTS[1] for a in sources.values())
    assert {e["ep"] for e in events if e["queue"]} == set(way.names["sleeper"])
    for devices in way.devices.values():
        devices.wait("registered", n=HALF, timeout=60)
    asked, mark = ask(run, "observe", names)
    way.devices["sleeper"].post("update", ep="*")  # whoever is asleep again gets its request now
    answered(run, asked, mark)
    way.values = {ep: n + 0.5 for n, ep in enumerate(names)}
    for ep, value in way.values.items():
        put(run, ep, value)
    run.source = sources


def fleet_killed(run):
    """kill -9 while requests for sleepers wait, and a restart"""
    way = run.way
    wait_asleep(run)
    way.marks = {prefix: devices.mark() for prefix, devices in way.devices.items()}
    way.waiting = ask(run, "read", way.names["sleeper"][-SAMPLE:])
    wait_until(lambda: way.gateway.metric("niddgw_exchanges{leg=\"down\"}") >= SAMPLE, 20, lambda: "not all of them have arrived")
    way.since = run.server.mark()
    way.gateway.kill9()
    way.gateway.start().ready(60)
    listed = way.gateway.ctl("device", "list")["items"]
    assert sum(d["state"] == "registered" for d in listed) == len(way.values), [d["state"] for d in listed][:5]


def fleet_sample(run):
    """after the restart: some that listen answer at once, some sleepers when they wake"""
    way = run.way
    awake, sleepers = way.names["awake"][:SAMPLE], way.names["sleeper"][:SAMPLE]
    asked, mark = ask(run, "read", sleepers + awake)
    read(run, {i: ep for i, ep in asked.items() if ep in awake}, mark, way.values)
    nothing_went_down(run, way.names["sleeper"], way.marks["sleeper"])
    for ep in sleepers + way.names["sleeper"][-SAMPLE:]:
        way.devices["sleeper"].post("update", ep=ep)
    read(run, {i: ep for i, ep in asked.items() if ep in sleepers}, mark, way.values)
    read(run, *way.waiting, way.values)  # what had been asked for in the life before


def fleet_read(run):
    """after the restart: all 1000 can be read, each sleeper at its next Update or notification"""
    way = run.way
    wait_asleep(run)
    mine = way.devices["sleeper"].mark()
    asked, mark = ask(run, "read", way.names["sleeper"] + way.names["awake"])
    read(run, {i: ep for i, ep in asked.items() if ep in way.names["awake"]}, mark, way.values)
    nothing_went_down(run, way.names["sleeper"], mine)
    for n, ep in enumerate(way.names["sleeper"]):
        if n % 2:
            way.devices["sleeper"].post("update", ep=ep)
        else:
            way.devices["sleeper"].post("notify", ep=ep, path=VALUE)
    read(run, {i: ep for i, ep in asked.items() if ep in way.names["sleeper"]}, mark, way.values)


def fleet_observe(run):
    """after the restart: every observation of before goes on"""
    way = run.way
    way.values = {ep: value + 1000 for ep, value in way.values.items()}
    mark = run.server.mark()
    for ep, value in way.values.items():
        put(run, ep, value, notify=True)
    notified(run, way.values, mark)


def fleet_stayed(run):
    """nobody has registered again, and nobody has come from another port"""
    way = run.way
    for kind in ("registered", "replaced", "deregistered", "cancelled", "notify_fault"):
        again = run.server.events(kind, since=way.since)
        assert not again, (kind, len(again), again[:3])
    assert run.server.do("registrations")["registrations"] == run.source
    assert set(run.sources()) == set(run.source.values())
    for devices in way.devices.values():
        count = devices.do("count")
        assert (count["registered"], count["registrations"], count["failed"]) == (HALF, HALF, 0), count
    assert way.units("answered") > 0
    bad = {r: way.units(r) for r in ("malformed", "refused", "unknown_device", "too_big", "quota", "failed", "dropped")}
    assert not any(bad.values()), bad


CASES = [fleet_register, fleet_killed, fleet_sample, fleet_read, fleet_observe, fleet_stayed]
