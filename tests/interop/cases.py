# SPDX-License-Identifier: Apache-2.0
"""cases.py - what is done between a Leshan client and a Leshan server, in this order, on every way.

A case gets a Run, asserts what must hold by itself, and returns what came out: that has to be the same on all ways, octet
for octet where payloads are in it. Its first line of documentation is its name in the output.
"""
import hashlib
import itertools

from peers import PORTS, split_addr, wait_until

TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, JSON = 0, 42, 60, 110, 112, 11542, 11543
COMPOSITE = [SENML_JSON, SENML_CBOR]
SENSOR = "/3303/0/5700"

# Of an answer, what may differ between two ways: who was asked, and how the message layer carried it.
PASSING = ("ev", "id", "ep", "type", "observe")


def content(answer):
    return {k: v for k, v in answer.items() if k not in PASSING}


class Run:
    """One way with both peers, and the names of what a case needs often."""

    def __init__(self, way, clients):
        self.way, self.clients, self.ep = way, clients, way.main
        self.source = None  # the address the server knows the main device by

    @property
    def server(self):
        return self.way.server  # another one after a restart

    def post(self, cmd, ep=None, **fields):
        return self.server.post(cmd, ep=ep or self.ep, **fields)

    def ask(self, cmd, **fields):
        """An operation of the server on the main device: its answer, as content() leaves it."""
        return content(self.server.answer(self.post(cmd, **fields), 60))

    def good(self, cmd, code, **fields):
        answer = self.ask(cmd, **fields)
        assert answer.get("code") == code, (cmd, fields, answer)
        return answer

    def client(self, cmd, ep=None, **fields):
        return self.clients.do(cmd, ep=ep or self.ep, **fields)

    def client_answer(self, cmd, ep=None, **fields):
        """The same for what the other end answers, perhaps with an error."""
        return self.clients.cmd(cmd, 60, ep=ep or self.ep, **fields)

    def start(self, ep=None, **fields):
        """Starts a client; returns the server's event and leaves nothing of the client's to wait for."""
        here, there = self.clients.mark(), self.server.mark()
        ep = ep or self.ep
        self.client("start", **dict(self.way.fields(ep), **fields))
        event = self.server.wait("registered", since=there, ep=ep)
        self.clients.wait("registered", since=here, ep=ep, location="/rd/" + event["location"])
        return event

    def set(self, value, path=SENSOR, ep=None):
        self.client("set", ep=ep, path=path, value=value)

    def notified(self, since, value=None, path=SENSOR, ep=None):
        """The notification that brings this value (any when None)."""
        return self.server.wait("notify", since=since, ep=ep or self.ep,
                                where=lambda e: path in e.get("values", {}) and value in (None, e["values"][path]))

    def seen(self, kind):
        """What a device's wire has counted: kind of message towards its server or from there."""
        return sum(c[kind] for c in self.client("peers")["peers"].values())

    def sources(self):
        """All addresses of this way that the server has ever had a message from."""
        host = self.way.client_host()
        return {a: c for a, c in self.server.do("peers")["peers"].items() if split_addr(a)[0] == host}


def registration(event):
    return {k: event[k] for k in ("lt", "version", "queue", "links", "attributes")}


# ---- one device --------------------------------------------------------------------------------------------------------


def register(run):
    """register"""
    event = run.start()
    run.source = event["addr"]
    host, port = split_addr(run.source)
    assert host == run.way.client_host(), event
    assert run.way.gateway is None or PORTS[0] <= port <= PORTS[1], event
    assert sorted(event["binding"]) == sorted(run.way.binding), event
    return registration(event)


def update(run):
    """update, three times, always from the same port"""
    out = []
    for _ in range(3):
        here, there = run.clients.mark(), run.server.mark()
        run.client("update")
        event = run.server.wait("updated", since=there, ep=run.ep)
        run.clients.wait("updated", since=here, ep=run.ep)
        assert event["addr"] == run.source, (event, run.source)
        out.append(registration(event))
    return out


READ = ["/3", "/3/0", "/3/0/0", "/3/0/7", "/3/0/7/1", "/3/0/13", "/3303", "/3303/0", SENSOR, "/32770/0"] + [
    "/32770/0/%d" % n for n in (0, 1, 2, 3, 4, 5, 6, 7, 9)] + ["/32770/0/7/7"]


def read_formats(run):
    """read objects, instances, resources and their instances in every format there is"""
    out = {}
    for path in READ:
        for fmt in [None, *run.server.info["formats"]]:
            out["%s in %s" % (path, fmt)] = run.ask("read", path=path, **({} if fmt is None else {"format": fmt}))
    good = [name for name, answer in out.items() if answer.get("code") == "2.05"]
    for fmt in (TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, JSON):
        assert any(name.endswith(" in %d" % fmt) for name in good), "nothing could be read in %d" % fmt
    return out


def errors(run):
    """errors of the device reach the server with code and text"""
    out = [run.good("read", "4.04", path="/3/1"), run.good("read", "4.04", path="/3304/0/5700"),
           run.good("write", "4.05", path=SENSOR, values={SENSOR: 1.5}, format=TEXT),
           run.good("execute", "4.05", path="/32770/0/1"), run.good("read", "4.05", path="/32770/0/8"),
           run.good("delete", "4.04", path="/32770/9"), run.good("observe", "4.04", path="/3303/7"),
           run.good("execute", "4.00", path="/32770/0/8", arguments="9")]
    assert out[-1]["text"] == "argument 9: gr\u00fc\u00dfe", out[-1]
    return out


VALUES = {0: "hex:00ff0d0a80", 1: 4711, 2: "tr\u00e8s \u20ac", 3: False, 4: -0.125, 5: "2024-02-29T23:59:59Z", 6: "3:0"}


def write_formats(run):
    """write resources in every format, and read them back"""
    out = {}
    for (number, value), fmt in itertools.product(VALUES.items(), (TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, JSON)):
        path = "/32770/0/%d" % number
        if fmt == OPAQUE and number != 0:
            continue
        mark = run.clients.mark()
        answer = run.ask("write", path=path, values={path: value}, format=fmt)
        out["%s in %d" % (path, fmt)] = answer
        if answer.get("code") == "2.04":
            run.clients.wait("written", since=mark, ep=run.ep, path=path)
            got = run.good("read", "2.05", path=path)["values"]
            assert got == {path: value}, (path, fmt, got)
    assert sum(a.get("code") == "2.04" for a in out.values()) >= 7 * 5, out
    return out


def write_instances(run):
    """write instances: partial, replacing, and a resource of many values"""
    out = []
    base = "/32770/0/"
    for fmt in (TLV, SENML_JSON, SENML_CBOR, JSON):
        out.append(run.ask("write", path="/32770/0", update=True, values={base + "1": fmt, base + "2": "partly"}, format=fmt))
        out.append(run.good("read", "2.05", path="/32770/0"))
        out.append(run.ask("write", path="/32770/0", values={base + "1": -fmt, base + "3": True, base + "7/2": 5}, format=fmt))
        out.append(run.good("read", "2.05", path="/32770/0"))
        out.append(run.ask("write", path=base + "7", values={base + "7/0": fmt, base + "7/9": -1}, format=fmt))
        out.append(run.good("read", "2.05", path=base + "7"))
    assert {a["code"] for a in out} <= {"2.04", "2.05"}, out
    return out


def attributes(run):
    """write attributes, and discover them"""
    out = [run.good("attributes", "2.04", path=SENSOR, pmin=0, pmax=3600),
           run.good("discover", "2.05", path="/3303"), run.good("discover", "2.05", path="/3303/0"),
           run.good("discover", "2.05", path=SENSOR), run.good("discover", "2.05", path="/3"),
           run.good("discover", "4.04", path="/4711")]
    assert any("pmax=3600" in link for link in out[3]["links"]), out[3]
    return out


def execute(run):
    """execute, without and with arguments"""
    out = []
    for arguments in (None, "0", "0='5',2='http://host/path?x=1',7"):
        mark = run.clients.mark()
        answer = run.good("execute", "2.04", path="/32770/0/8", **({} if arguments is None else {"arguments": arguments}))
        event = run.clients.wait("executed", since=mark, ep=run.ep, path="/32770/0/8")
        assert (event["arguments"] or None) == arguments, event
        out.append([answer, event["arguments"]])
    return out


def slow_device(run):
    """execute on a device that takes 4 s: it gets it once, and the server its answer"""
    mark = run.clients.mark()
    answer = run.good("execute", "2.04", path="/32770/0/8", arguments="8='4000'")
    run.good("read", "2.05", path=SENSOR)  # what might have come twice is there by now
    assert len(run.clients.events("executed", since=mark, ep=run.ep)) == 1
    return answer


def at_once(run):
    """40 requests at once to one device: each gets its own answer"""
    paths = READ * 2
    asked = [run.post("read", path=path, format=SENML_JSON) for path in paths]
    answers = [content(run.server.answer(ident, 60)) for ident in asked]
    for path, answer in zip(paths, answers):  # a resource that an earlier case has removed is 4.04
        assert answer["code"] in ("2.05", "4.04"), answer
        assert all((name + "/").startswith(path + "/") for name in answer.get("values", {})), (path, answer)
    return answers


def create_delete(run):
    """create with and without a number, tell the server the new links, delete"""
    out = []
    for number, (fmt, fields) in enumerate([(TLV, {}), (TLV, {"instance": 7}), (SENML_JSON, {"instance": 8}),
                                            (SENML_CBOR, {"instance": 9})]):
        path = "/32770/%d" % fields.get("instance", 1)
        mark = run.server.mark()
        # An instance without a number is described by paths that do not matter beyond the resource.
        values = {"/32770/%d/1" % fields.get("instance", 0): 100 + number, "/32770/%d/2" % fields.get("instance", 0): "new"}
        out.append(run.good("create", "2.01", path="/32770", format=fmt, values=values, **fields))
        event = run.server.wait("updated", since=mark, ep=run.ep, where=lambda e: any("<%s>" % path in s for s in e["links"]))
        assert event["addr"] == run.source, event
        out += [event["links"], run.good("read", "2.05", path=path + "/1")]
        mark = run.server.mark()
        out.append(run.good("delete", "2.02", path=path))
        event = run.server.wait("updated", since=mark, ep=run.ep)
        assert not any("<%s>" % path in s for s in event["links"]), event
        out += [event["links"], run.good("read", "4.04", path=path)]
    return out


def observe(run):
    """observe: 20 notifications in order, from the same port"""
    out = [run.good("observe", "2.05", path=SENSOR, format=SENML_CBOR)]
    start = run.server.mark()
    for n in range(20):
        mark = run.server.mark()
        run.set(100.5 + n)
        out.append(content(run.notified(mark, 100.5 + n)))
    events = run.server.events("notify", since=start, ep=run.ep)
    assert [e["values"][SENSOR] for e in events] == [100.5 + n for n in range(20)], events
    assert {e["type"] for e in events} == {"CON"}, events  # the device's own choice
    numbers = [e["observe"] for e in events]
    assert numbers == sorted(set(numbers)), numbers
    return out


def burst(run):
    """observe: 20 values at once, none out of order, the last one there"""
    start = run.server.mark()
    for n in range(20):
        run.set(200.5 + n)
    run.notified(start, 219.5)
    values = [e["values"][SENSOR] for e in run.server.events("notify", since=start, ep=run.ep)]
    assert values == sorted(set(values)), values


def active_cancel(run):
    """cancel an observation actively: the device is asked, and stops"""
    out = [run.ask("cancel", path=SENSOR, active=True)]
    assert out[0].get("code") == "2.05", out
    sent = run.seen("sent_notifications")
    run.set(300.5)
    out.append(run.good("read", "2.05", path=SENSOR))
    assert run.seen("sent_notifications") == sent
    return out


def passive_cancel(run):
    """cancel an observation passively: the RST reaches the device by its second value"""
    out = [run.good("observe", "2.05", path=SENSOR, format=TLV)]
    mark = run.server.mark()
    run.set(400.5)
    run.notified(mark, 400.5)
    resets = run.seen("resets")
    run.server.do("cancel", ep=run.ep, path=SENSOR)
    run.set(401.5)
    out.append(run.good("read", "2.05", path=SENSOR))  # whatever the first value brought is over now
    run.set(402.5)
    wait_until(lambda: run.seen("resets") > resets, 20, lambda: "no RST at the device")
    sent = run.seen("sent_notifications")
    run.set(403.5)
    out.append(run.good("read", "2.05", path=SENSOR))
    assert run.seen("sent_notifications") == sent
    return out


def observe_again(run):
    """observe a path twice: the older observation ends by RST, the newer goes on"""
    out = [run.good("observe", "2.05", path=SENSOR, format=TLV)]
    resets = run.seen("resets")
    out.append(run.good("observe", "2.05", path=SENSOR, format=SENML_JSON))
    mark = run.server.mark()
    run.set(500.5)
    out.append(content(run.notified(mark, 500.5)))
    run.set(501.5)
    out.append(content(run.notified(mark, 501.5)))
    run.set(502.5)
    out.append(content(run.notified(mark, 502.5)))
    values = [e["values"][SENSOR] for e in run.server.events("notify", since=mark, ep=run.ep)]
    assert values == [500.5, 501.5, 502.5], values
    wait_until(lambda: run.seen("resets") > resets, 20, lambda: "no RST at the device")
    out.append(run.ask("cancel", path=SENSOR, active=True))
    return out


def observe_instance(run):
    """observe an instance and an object at once: each gets its own notifications"""
    out = [run.good("observe", "2.05", path="/3303/0", format=TLV), run.good("observe", "2.05", path="/32770", format=SENML_CBOR)]
    mark = run.server.mark()
    run.set(600.5)
    out.append(content(run.notified(mark, 600.5)))
    run.set(77, path="/32770/0/1")
    out.append(content(run.notified(mark, 77, path="/32770/0/1")))
    out += [run.ask("cancel", path="/3303/0", active=True), run.ask("cancel", path="/32770", active=True)]
    return out


def send(run):
    """Send in both formats, from the same port"""
    out = []
    for fmt, value in zip(COMPOSITE, (700.5, 701.5)):
        run.set(value)
        mark = run.server.mark()
        answer = run.client_answer("send", paths=[SENSOR, "/3/0/0", "/32770/0/1"], format=fmt)
        assert answer.get("code") == "2.04", answer
        event = run.server.wait("send", since=mark, ep=run.ep)
        assert event["addr"] == run.source and event["values"][SENSOR] == value, event
        out.append([content(answer), event["values"], event["format"]])
    return out


def composite(run):
    """read and write several paths at once, in both formats"""
    out = []
    for fmt in COMPOSITE:
        out.append(run.good("read-composite", "2.05", paths=["/3/0/0", SENSOR, "/32770/0/7"], format=fmt))
        values = {"/32770/0/1": fmt, "/32770/0/2": "all of it", "/32770/0/4": 2.5}
        out.append(run.good("write-composite", "2.04", values=values, format=fmt))
        got = run.good("read-composite", "2.05", paths=sorted(values), format=fmt)
        assert got["values"] == values, got
        out += [got, run.ask("read-composite", paths=["/3/0/0", "/4711/0/1"], format=fmt)]
    return out


def composite_observe(run):
    """observe several paths at once, in both formats, and cancel"""
    out = []
    for fmt in COMPOSITE:
        out.append(run.good("observe-composite", "2.05", paths=[SENSOR, "/32770/0/1"], format=fmt))
        for n in range(3):
            mark = run.server.mark()
            run.set(800.5 + n)
            out.append(content(run.notified(mark, 800.5 + n)))
        mark = run.server.mark()
        run.set(fmt + 1000, path="/32770/0/1")
        out.append(content(run.notified(mark, fmt + 1000, path="/32770/0/1")))
        out.append(run.ask("cancel", active=True))
        sent = run.seen("sent_notifications")
        run.set(900.5)
        out.append(run.good("read", "2.05", path=SENSOR))
        assert run.seen("sent_notifications") == sent
    return out


BODY = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(625))  # 20 kB
BODY_PATH = "/32770/0/0"


def write_body(run):
    mark = run.clients.mark()
    answer = run.good("write", "2.04", path=BODY_PATH, format=OPAQUE, values={BODY_PATH: "hex:" + BODY.hex()})
    event = run.clients.wait("written", since=mark, ep=run.ep, path=BODY_PATH)
    assert (event["len"], event["sha256"]) == (len(BODY), hashlib.sha256(BODY).hexdigest()), event
    return answer


def blockwise(run):
    """write 20 kB block by block, and read them back"""
    before = run.seen("requests")
    answer = write_body(run)
    assert run.seen("requests") - before == len(BODY) // 512 + 1, "other blocks than the server cut"
    back = run.good("read", "2.05", path=BODY_PATH, format=OPAQUE)
    assert back["values"] == {BODY_PATH: "hex:" + BODY.hex()}
    return [answer, hashlib.sha256(back["payload"].encode()).hexdigest()]


def narrow_blockwise(run):
    """write 20 kB over a link that is narrower than the server's blocks: it is told, and cuts smaller ones"""
    before = run.seen("requests")
    write_body(run)
    assert run.seen("requests") - before >= len(BODY) / run.way.mtu, "no smaller blocks"


def register_again(run):
    """register again without a farewell: a new location, the same port, old observations gone"""
    out = [run.good("observe", "2.05", path=SENSOR)]
    run.client("stop", deregister=False)
    mark = run.server.mark()
    event = run.start()
    run.server.wait("replaced", since=mark, ep=run.ep)
    assert event["again"] and event["addr"] == run.source, (event, run.source)
    mark = run.server.mark()
    run.set(950.5)
    out.append(run.good("read", "2.05", path=SENSOR))
    assert not run.server.events("notify", since=mark, ep=run.ep)
    return out + [registration(event)]


def deregister(run):
    """de-register"""
    mark = run.server.mark()
    here = run.clients.mark()
    run.client("stop")
    event = run.server.wait("deregistered", since=mark, ep=run.ep)
    run.clients.wait("deregistered", since=here, ep=run.ep)
    assert not event["expired"], event
    assert run.ask("read", path=SENSOR)["why"].endswith("not registered")


def queue_mode(run):
    """register with queue mode, be asked while awake, and de-register"""
    event = run.start(queue=True, lt=900)
    assert event["queue"] is True and event["addr"] == run.source, event
    out = [registration(event), run.good("read", "2.05", path="/3303/0")]
    mark = run.server.mark()
    run.client("stop")
    run.server.wait("deregistered", since=mark, ep=run.ep)
    return out


def one_port(run):
    """no message of the device has ever come from a second port"""
    assert list(run.sources()) == [run.source], (run.sources(), run.source)


# ---- many devices ------------------------------------------------------------------------------------------------------


def crowd(run):
    """50 clients at once: each gets what is its own, and keeps its port"""
    names = run.way.crowd
    mark = run.server.mark()
    for n, ep in enumerate(names):
        run.clients.post("start", **dict(run.way.fields(ep), value=n + 0.5))
    events = {e["ep"]: e for e in run.server.wait("registered", n=len(names), since=mark, timeout=60,
                                                  where=lambda e: e["ep"] in names)}
    sources = {ep: e["addr"] for ep, e in events.items()}
    assert sorted(sources) == names and len(set(sources.values())) == len(names), sources
    crowd_reads(run, names)
    crowd_notifies(run, names)
    crowd_sends(run, names)
    assert run.server.do("registrations")["registrations"] == sources
    mark = run.server.mark()
    for ep in names:
        run.clients.post("stop", ep=ep)
    run.server.wait("deregistered", n=len(names), since=mark, timeout=60, where=lambda e: e["ep"] in names)
    assert set(run.sources()) == {*sources.values(), run.source}, (run.sources(), sources)


def all_answers(run, names, cmd, fields):
    """The same operation on all of them at once: {ep: answer}."""
    asked = {ep: run.post(cmd, ep=ep, **fields(n, ep)) for n, ep in enumerate(names)}
    return {ep: run.server.answer(ident, 60) for ep, ident in asked.items()}


def crowd_reads(run, names):
    answers = all_answers(run, names, "read", lambda n, ep: {"path": SENSOR})
    assert [answers[ep]["values"][SENSOR] for ep in names] == [n + 0.5 for n in range(len(names))], answers
    path = "/32770/0/2"
    answers = all_answers(run, names, "write", lambda n, ep: {"path": path, "values": {path: ep}, "format": SENML_CBOR})
    assert {a["code"] for a in answers.values()} == {"2.04"}, answers
    answers = all_answers(run, names, "read", lambda n, ep: {"path": path})
    assert all(a["values"] == {path: ep} for ep, a in answers.items()), answers


def crowd_notifies(run, names):
    answers = all_answers(run, names, "observe", lambda n, ep: {"path": SENSOR})
    assert {a["code"] for a in answers.values()} == {"2.05"}, answers
    for turn in range(1, 4):
        mark = run.server.mark()
        for n, ep in enumerate(names):
            run.clients.post("set", ep=ep, path=SENSOR, value=1000 * turn + n + 0.5)
        events = run.server.wait("notify", n=len(names), since=mark, timeout=60, where=lambda e: e["ep"] in names)
        got = {e["ep"]: e["values"][SENSOR] for e in events}
        assert got == {ep: 1000 * turn + n + 0.5 for n, ep in enumerate(names)}, got


def crowd_sends(run, names):
    mark = run.server.mark()
    asked = [run.clients.post("send", ep=ep, paths=["/32770/0/2"], format=SENML_CBOR) for ep in names]
    answers = [run.clients.answer(ident, 60) for ident in asked]
    assert {a.get("code") for a in answers} == {"2.04"}, answers
    events = run.server.wait("send", n=len(names), since=mark, timeout=60, where=lambda e: e["ep"] in names)
    assert {e["ep"]: e["values"]["/32770/0/2"] for e in events} == {ep: ep for ep in names}, events


# ---- what the gateway says about all that -----------------------------------------------------------------------------


def counters(run, copies=False):
    """the gateway has counted nothing as lost, refused or failed"""
    way = run.way
    assert way.units("answered") > 0
    bad = {r: way.units(r) for r in ("malformed", "refused", "unknown_device", "too_big", "quota", "failed")}
    assert not any(bad.values()), bad
    # Notifications of observations that the server has forgotten, one in each of two cases; a second copy of an ACK is no
    # duplicate that could be told from a stray one.
    assert copies or way.units("dropped") <= 2, way.units("dropped")


def t8_counters(run, copies=False):
    """the gateway has counted nothing as lost, refused or failed, and everything went by T8"""
    counters(run, copies)
    deliveries = run.way.scef.requests("delivery", status=200)
    downlinks = run.way.scef.events("downlink")
    notified = run.way.scef.events("notify", status=204)
    assert len(deliveries) == len(downlinks) > 300, (len(deliveries), len(downlinks))
    assert len(notified) > 300, len(notified)


def rough_counters(run):
    """the gateway has counted nothing as refused or failed, and has found out what was notified twice"""
    t8_counters(run, copies=True)
    assert run.way.units("duplicate") > 100, run.way.units("duplicate")


def close_gateway(run):
    """the daemon ends well"""
    status = run.way.gateway.stop()
    lines = run.way.gateway.log.lines
    errors = [line for line in lines if any(word in line for word in ("Sanitizer", "runtime error:"))]
    assert status == 0 and not errors, "it ended with %s\n%s" % (status, "\n".join(errors or lines[-20:]))
