# SPDX-License-Identifier: Apache-2.0
"""t8fake.py - an SCEF of a few hundred lines of standard library, and the usual scene around it.

It shares no line with niddgw-sim, so a misreading of the API in the one is not in the other, and it does on request what
no SCEF should: answers that are lost, late, wrong or never given. Every request is held against the OpenAPI files.

    fake = T8Fake(loop_host())
    fake.when("deliver", Answer(503, headers={"Retry-After": "20"}))          # once; times=None: always
    fake.when("deliver", Lost())                                              # taken, and the connection reset
    fake.wait("create", n=2)                                                  # Request: .json .headers .path .at ..
    fake.uplink("m1@iot.example", msg).status; fake.up(..) wants 204 within a second
    fake.down("m1@iot.example").code                                          # next unit for the device that was accepted
"""
import array
import base64
import fcntl
import functools
import http.client
import json
import os
import select
import socket
import ssl
import struct
import termios
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bed import DEADLINE, b64, wait_until
from coapmsg import Msg
from openapi_check import Api, folder

PROMPT_S = 1.0 * int(os.environ.get("NIDDGW_SLOW", "1"))  # a notification is answered within this


_api = functools.lru_cache(maxsize=None)(Api)


def request_faults(r, release):
    """What is wrong with a request of ours under Rel-15 and Rel-19; [] when all is well or the files are not there.

    A peer of Rel-17 or later may be asked to change notificationDestination, which Rel-15 does not know: that one request is
    held against Rel-19 only.
    """
    if folder() is None:
        return []
    body = r.json if r.json is not None or not r.body else r.body.decode("utf-8", "replace")
    releases = ["rel19"] if r.method == "PATCH" and release >= 17 else ["rel15", "rel19"]
    return [f for name in releases for f in _api(name).request(r.method, r.path, body, r.headers.get("Content-Type"))]


class Answer:
    """What goes back. body: None, dict or list (JSON), text, octets, or an iterable of octets (chunked)."""

    def __init__(self, status, body=None, headers=None, content_type=None, after=None):
        self.status, self.body, self.headers, self.content_type = status, body, dict(headers or {}), content_type
        self.after = after  # an Event: the answer leaves when it is set


class Lost:
    """The connection is reset in place of an answer; taken: the request has had its effect."""

    def __init__(self, taken=True):
        self.taken = taken


class Silent:
    """No answer, and no end of the connection either."""


class Late:
    """The normal answer, when the event is set."""

    def __init__(self, after):
        self.after = after


def failure(cause=None, retry=None, status=500, **more):
    """A NiddDownlinkDataDeliveryFailure: the problem stands nested."""
    body = {"problemDetail": dict({"status": status}, **({"cause": cause} if cause else {}), **more)}
    if retry:
        body["requestedRetransmissionTime"] = retry
    return Answer(status, body, content_type="application/json")


def when_utc(seconds_ahead):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds_ahead))


class Request:
    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        self.at, self.port, self.status, self.answer = time.monotonic(), handler.client_address[1], None, None
        self.handed = None  # what the device is given when the request is answered
        self.subject = handler.connection.getpeercert() if isinstance(handler.connection, ssl.SSLSocket) else None
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None
        self.op = self._op()

    def _op(self):
        parts = urllib.parse.urlsplit(self.path).path.split("/")
        if parts[-1] == "token":
            return "token"
        if "configurations" not in parts:
            return "other"
        rest = parts[parts.index("configurations") + 1:]
        table = {0: {"GET": "list", "POST": "create"}, 1: {"GET": "read", "PATCH": "patch", "DELETE": "delete"},
                 2: {"POST": "deliver", "GET": "lookup"}, 3: {"DELETE": "cancel", "GET": "status"}}
        return table.get(len(rest), {}).get(self.method, "other")

    @property
    def data(self):
        return base64.b64decode(self.json["data"])

    @property
    def form(self):
        return {k: v[0] for k, v in urllib.parse.parse_qs(self.body.decode()).items()}

    def __repr__(self):
        return "<%s %s %s -> %s %r>" % (self.op, self.method, self.path, self.status, self.body[:200])


class Reply:
    """How a notification was answered."""

    def __init__(self, status, headers, body, seconds):
        self.status, self.headers, self.body, self.seconds = status, headers, body, seconds

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%s %s %r after %.3f s>" % (self.status, dict(self.headers), self.body[:200], self.seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.fake._serve(self, Request(self, body))

    def finish(self):
        with self.server.fake.cond:
            self.server.fake.conns.pop(self.connection, None)
        try:
            super().finish()
        except OSError:
            pass

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def reset(self):
        self.close_connection = True
        try:
            raw = self.connection
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.socket.close(raw)
        except OSError:
            pass

    def give(self, answer):
        body, kind = answer.body, answer.content_type
        stream = None
        if body is None:
            body = b""
        elif isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            kind = kind or ("application/json" if answer.status < 400 else "application/problem+json")
        elif isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            stream, kind = body, kind or "application/json"
        self.send_response(answer.status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if stream is None:
            if answer.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in stream:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


def _unread(sock):
    """Octets that wait in the kernel."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, count)
    except (OSError, ValueError):
        return 0
    return count[0]


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size, allow_reuse_address = True, False, 512, True

    def handle_error(self, request, client_address):
        pass  # the far end went away, or was made to

    def get_request(self):
        sock, addr = super().get_request()
        if self.fake.tls:
            sock = self.fake.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with self.fake.cond:
            self.fake.conns[sock] = True
        return sock, addr


class T8Fake:
    def __init__(self, host, port=8080, scs="gw", tls=None, auth=None, token_auth="body", client=("gw", "secret"),
                 token_s=3600, release=19, max_packet=10864, exists=409, prefix=""):
        self.host, self.port, self.scs, self.tls, self.auth, self.token_auth = host, port, scs, tls, auth, token_auth
        self.client, self.token_s, self.release, self.max_packet, self.exists = client, token_s, release, max_packet, exists
        self.root = "%s://%s:%d%s" % ("https" if tls else "http", host, port, prefix)
        self.cond = threading.Condition(threading.RLock())
        self.requests, self.faults, self.rules, self.configs, self.pending = [], [], [], {}, {}
        self.downs, self.tokens, self.next_id = [], set(), 1
        self.test, self.buffering, self.on_down = "after", False, []
        self.notify_tls, self.notify_headers = None, {}
        self.closing, self.busy, self.conns = threading.Event(), 0, {}  # conns: whether the first request is still to come
        self.http = None
        self.open()

    def open(self):
        self.http = _Server((self.host, self.port), _Handler)
        self.http.fake = self
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def shut(self):
        """The port is closed: whoever comes is refused. open() ends that."""
        if self.http:
            self.http.shutdown()
            self.http.server_close()
            self.http = None

    def close(self):
        self.closing.set()
        self.shut()

    # -- what the test says --------------------------------------------------------------------------------------------

    def when(self, op, answer, times=1, where=None):
        """answer: Answer, Lost, Silent, Late, or a function of the request that gives one (None: the normal answer)."""
        with self.cond:
            self.rules.append([op, answer, times, where])

    def normal(self):
        with self.cond:
            self.rules.clear()

    def forget(self):
        """A restart that lost everything."""
        with self.cond:
            self.configs.clear()
            self.pending.clear()

    def put(self, external_id, destination="http://old.example/cb", **members):
        """A configuration that is there already."""
        with self.cond:
            body = dict({"externalId": external_id, "notificationDestination": destination}, **members)
            return self._store({k: v for k, v in body.items() if v is not None})

    def config(self, external_id):
        with self.cond:
            return next((c for c in self.configs.values() if c.get("externalId") == external_id), None)

    # -- what came -------------------------------------------------------------------------------------------------------

    def mark(self):
        with self.cond:
            return len(self.requests)

    def all(self, op=None, since=0, where=None):
        with self.cond:
            return [r for r in self.requests[since:] if (op is None or r.op == op) and (where is None or where(r))]

    def wait(self, op, n=1, since=0, where=None, timeout=None, answered=True):
        """The n-th such request; answered: when its answer is about to leave."""
        def test(r):
            return r.op == op and (r.status is not None or not answered) and (where is None or where(r))
        return self._until(lambda: ([r for r in self.requests[since:] if test(r)] + [None] * n)[n - 1], timeout,
                           lambda: "%s number %d; came: %s" % (op, n, self.requests[-12:]))

    def _until(self, get, timeout=None, what=lambda: "condition"):
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        with self.cond:
            while True:
                found = get()
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError("not in time: %s" % what())
                self.cond.wait(left)

    def down(self, external_id=None, where=None, timeout=None):
        """The next unit that was accepted for the device, as a Msg; each is given once."""
        return Msg.parse(self.down_bytes(external_id, where and (lambda d: where(Msg.parse(d))), timeout))

    def down_bytes(self, external_id=None, where=None, timeout=None):
        def take():
            for i, (eid, data) in enumerate(self.downs):
                if (external_id is None or eid == external_id) and (where is None or where(data)):
                    del self.downs[i]
                    return data
            return None
        return self._until(take, timeout, lambda: "a unit for %s; there are %s; requests: %s" % (
            external_id, [(e, d.hex()) for e, d in self.downs], self.requests[-8:]))

    # -- serving ---------------------------------------------------------------------------------------------------------

    def _rule(self, r):
        for rule in self.rules:
            op, answer, times, where = rule
            if op not in (r.op, "any") or (op == "any" and r.op == "token") or (where and not where(r)) or times == 0:
                continue
            if callable(answer):
                answer = answer(r)
                if answer is None:
                    continue
            if times is not None:
                rule[2] -= 1
            return answer
        return None

    def quiet(self):
        """Waits until no request is on its way here, and every answer that is not held back on purpose has been written."""
        wait_until(self._is_quiet, what=lambda: "a quiet SCEF; %d are being answered" % self.busy)

    def _is_quiet(self):
        with self.cond:
            listener = self.http.socket if self.http else None
            if self.busy or any(self.conns.values()) or (listener and select.select([listener], [], [], 0)[0]):
                return False
            return not any(_unread(c) for c in self.conns)

    def _count(self, change):
        with self.cond:
            self.busy += change
            self.cond.notify_all()

    def _serve(self, handler, r):
        with self.cond:
            self.conns[handler.connection] = False
        self._count(1)
        try:
            self._answer(handler, r)
        finally:
            self._count(-1)

    def _answer(self, handler, r):
        with self.cond:
            if r.op != "token":
                self.faults += request_faults(r, self.release)
            self.requests.append(r)
            self.cond.notify_all()
            answer = self._rule(r)
            taken = answer is None or isinstance(answer, Late) or (isinstance(answer, Lost) and answer.taken)
            normal = self._normal(r) if taken else None
        after = getattr(answer, "after", None)
        if after and not self.hold(after):
            return handler.reset()
        if isinstance(answer, (Lost, Silent)):
            self._done(r, 0, answer)
            if isinstance(answer, Silent):
                self.hold(self.closing)
            return handler.reset()
        answer = answer if isinstance(answer, Answer) else normal
        test = r.op == "create" and answer is normal and answer.status == 201 and r.json.get("requestTestNotification")
        if test and self.test == "before":
            self._test(answer.body)
        self._done(r, answer.status, answer)
        try:
            handler.give(answer)
        except OSError:
            handler.close_connection = True
        if test and self.test == "after":
            self._test(answer.body)

    def hold(self, event):
        """Waits in place of an answer, on purpose; False: the end came first."""
        self._count(-1)
        try:
            while not event.wait(0.02):
                if self.closing.is_set():
                    return False
        finally:
            self._count(1)
        return True

    def _done(self, r, status, answer):
        with self.cond:
            r.status, r.answer = status, answer
            self.cond.notify_all()
        if r.handed:
            self.hand_over(*r.handed)

    def _test(self, config):
        self.notify({"subscription": config["self"]}, url=config["notificationDestination"])

    def _allowed(self, r):
        text = r.headers.get("Authorization", "")
        if self.auth == "bearer":
            return text.startswith("Bearer ") and text[7:] in self.tokens
        if self.auth == "basic":
            return text == "Basic " + b64(":".join(self.client).encode())
        return True

    def _token(self, r):
        form = r.form
        given = (form.get("client_id"), form.get("client_secret"))
        if self.token_auth == "basic":
            given = tuple(base64.b64decode(r.headers.get("Authorization", "Basic ")[6:]).decode().split(":", 1))
        if form.get("grant_type") != "client_credentials" or given != tuple(self.client):
            return Answer(401, {"error": "invalid_client"}, content_type="application/json")
        token = "t%d" % self._id()
        self.tokens.add(token)
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": self.token_s})

    def _id(self):
        self.next_id += 1
        return self.next_id - 1

    def _store(self, body):
        cid = str(self._id())
        body = dict(body, self="%s/3gpp-nidd/v1/%s/configurations/%s" % (self.root, self.scs, cid), status="ACTIVE")
        body.pop("requestTestNotification", None)
        if self.max_packet:
            body["maximumPacketSize"] = self.max_packet
        self.configs[cid] = body
        return body

    def _normal(self, r):
        if r.op == "token":
            return self._token(r)
        if not self._allowed(r):
            return Answer(401, {"title": "who are you"})
        parts = urllib.parse.urlsplit(r.path).path.split("/")
        rest = parts[parts.index("configurations") + 1:] if "configurations" in parts else []
        config = self.configs.get(rest[0]) if rest else None
        if r.op == "list":
            return Answer(200, list(self.configs.values()))
        if r.op == "create":
            return self._create(r)
        if r.op == "other" or config is None:
            return Answer(404, {"title": "no such resource", "status": 404})
        if r.op == "read":
            return Answer(200, config)
        if r.op == "patch":
            config.update({k: v for k, v in r.json.items() if v is not None})
            return Answer(200, config)
        if r.op == "delete":
            del self.configs[rest[0]]
            return Answer(204)
        if r.op == "deliver":
            return self._deliver(r, config)
        if r.op == "lookup":
            return Answer(200, [d for d in self.pending.values() if d["self"].startswith(config["self"] + "/")])
        found = self.pending.pop(config["self"] + "/downlink-data-deliveries/" + rest[2], None)
        return Answer(204) if found else Answer(404, {"title": "no longer pending"})

    def _create(self, r):
        old = self.config(r.json.get("externalId"))
        if old and self.exists:
            return Answer(self.exists, {"title": "the user has one", "status": self.exists})
        body = self._store(r.json)
        return Answer(201, body, {"Location": body["self"]})

    def hand_over(self, external_id, data):
        with self.cond:
            self.downs.append((external_id, data))
            hooks = list(self.on_down)
            self.cond.notify_all()
        for hook in hooks:
            hook(external_id, data)

    def _deliver(self, r, config):
        if not self.buffering:
            r.handed = (config["externalId"], r.data)
            return Answer(200, {"externalId": config["externalId"], "data": r.json["data"], "deliveryStatus": "SUCCESS"})
        self_ = "%s/downlink-data-deliveries/%d" % (config["self"], self._id())
        item = dict(r.json, self=self_, deliveryStatus="BUFFERING")
        self.pending[self_] = item
        return Answer(201, item, {"Location": self_})

    # -- calling back ----------------------------------------------------------------------------------------------------

    def notify(self, body, external_id=None, url=None, headers=None, content_type="application/json", method="POST",
               context=None, timeout=None):
        """POSTs to where the user's configuration says, or to url. body: JSON value, or octets as they are."""
        url = urllib.parse.urlsplit(url or self.config(external_id)["notificationDestination"])
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        timeout = DEADLINE if timeout is None else timeout
        if url.scheme == "https":
            c = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout, context=context or self.notify_tls)
        else:
            c = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
        lines = dict({"Content-Type": content_type} if content_type else {}, **self.notify_headers)
        lines.update(headers or {})
        begun = time.monotonic()
        try:
            c.request(method, url.path + ("?" + url.query if url.query else ""), text,
                      {k: v for k, v in lines.items() if v is not None})
            answer = c.getresponse()
            return Reply(answer.status, answer.headers, answer.read(), time.monotonic() - begun)
        finally:
            c.close()

    def uplink_body(self, external_id, data, **members):
        data = data.encode() if isinstance(data, Msg) else data
        body = {"niddConfiguration": (self.config(external_id) or {}).get("self", "x"), "externalId": external_id,
                "data": b64(data) if isinstance(data, bytes) else data}
        body.update(members)
        return {k: v for k, v in body.items() if v is not None}

    def uplink(self, external_id, data, url=None, **members):
        return self.notify(self.uplink_body(external_id, data, **members), external_id, url)

    def up(self, external_id, data, **members):
        """An uplink that has to be taken, and soon."""
        reply = self.uplink(external_id, data, **members)
        assert reply.status == 204 and reply.seconds < PROMPT_S, reply
        return reply

    def status(self, external_id, status, **members):
        """A configuration status notification."""
        config = self.config(external_id)
        config["status"] = status
        return self.notify(dict({"niddConfiguration": config["self"], "externalId": external_id, "status": status}, **members),
                           external_id)

    def delivery_status(self, delivery, status, external_id, **members):
        """delivery: its link."""
        with self.cond:
            item = self.pending.pop(delivery, None)
        if item and status.startswith("SUCCESS"):
            self.hand_over(external_id, base64.b64decode(item["data"]))
        return self.notify(dict({"niddDownlinkDataTransfer": delivery, "deliveryStatus": status}, **members), external_id)


class Radio:
    """Devices on UDP behind a fake SCEF: each source of datagrams is the next of the users."""

    def __init__(self, fake, host, users, port=5700):
        self.fake, self.users, self.addr_of, self.user_of = fake, list(users), {}, {}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.addr = self.sock.getsockname()
        self.faults = []
        fake.on_down.append(self._send)
        threading.Thread(target=self._listen, daemon=True).start()

    def _send(self, external_id, data):
        if external_id in self.addr_of:
            self.sock.sendto(data, self.addr_of[external_id])

    def _listen(self):
        while True:
            try:
                data, source = self.sock.recvfrom(65535)
            except OSError:
                return
            user = self.user_of.get(source)
            if user is None and self.users:
                user = self.user_of[source] = self.users.pop(0)
                self.addr_of[user] = source
            if user:
                self._up(user, data)

    def _up(self, user, data):
        try:
            reply = self.fake.uplink(user, data)
        except Exception as fault:  # the radio goes on; the test looks at what went wrong
            self.faults.append(fault)
        else:
            if reply.status != 204 or reply.seconds > PROMPT_S:
                self.faults.append(reply)

    def move(self, source, user):
        """The device shows itself on another port from now on."""
        self.user_of[source] = user
        self.addr_of[user] = source

    def close(self):
        self.sock.close()
