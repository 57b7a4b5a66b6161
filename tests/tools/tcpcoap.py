# SPDX-License-Identifier: Apache-2.0
"""tcpcoap.py - LwM2M servers over TCP and TLS, played by a script (RFC 8323).

    srv = StreamServer()                         # listens; srv.uri is for a server entry
    c = srv.accept()                             # the gateway's connection, CSMs exchanged
    asked = c.recv()                             # a Msg; type and mid mean nothing here
    c.reply(asked, "2.01", options=LOCATION)
    c.send(Msg.request("GET", "/3/0", token=b"T")); answer = c.recv()
    c.signal(PING, token=b"x"); c.recv_signal(PONG)

What a script does not ask for is not corrected: recv() answers Pings of the gateway (unless pong is False) and keeps signals in
c.signals, and that is all. A connection is a socket, or the pipes of an openssl s_server for what Python's ssl cannot do.
"""
import os
import socket
import ssl
import subprocess
import threading
import time

from bed import DEADLINE, loop_host, split_addr, udp_config
from coapmsg import Msg, uint
from pair import LOCATION, REGISTER, Pair

CSM, PING, PONG, RELEASE, ABORT = "7.01", "7.02", "7.03", "7.04", "7.05"
MAX_MESSAGE_SIZE, BLOCK_WISE, CUSTODY, ALTERNATIVE, HOLD_OFF, BAD_CSM_OPTION = 2, 4, 2, 2, 4, 2
OUR_CSM = [(MAX_MESSAGE_SIZE, uint(65535)), (BLOCK_WISE, b"")]


def encode(m):
    """A Msg in stream framing."""
    datagram = m.encode()
    tkl = len(m.token)
    body, code = datagram[4 + tkl:], datagram[1:2]
    if len(body) < 13:
        head = bytes([len(body) << 4 | tkl])
    elif len(body) < 269:
        head = bytes([13 << 4 | tkl, len(body) - 13])
    elif len(body) < 65805:
        head = bytes([14 << 4 | tkl]) + (len(body) - 269).to_bytes(2, "big")
    else:
        head = bytes([15 << 4 | tkl]) + (len(body) - 65805).to_bytes(4, "big")
    return head + code + m.token + body


def decode(data):
    """(Msg, octets it took), or None while it is not whole."""
    if len(data) < 2:
        return None
    nibble, tkl = data[0] >> 4, data[0] & 15
    more = {13: 1, 14: 2, 15: 4}.get(nibble, 0)
    if len(data) < 2 + more:
        return None
    size = int.from_bytes(data[1:1 + more], "big") + {13: 13, 14: 269, 15: 65805}[nibble] if more else nibble
    total = 2 + more + tkl + size
    if len(data) < total:
        return None
    code = data[1 + more]
    return Msg.parse(bytes([0x50 | tkl, code, 0, 0]) + data[2 + more:total]), total


class Closed(Exception):
    """The gateway has ended the connection."""


class Conn:
    """One connection. source is a socket, or a process whose pipes carry the octets."""

    def __init__(self, source):
        self.source, self.data, self.signals, self.pong = source, b"", [], True
        self.ended = False

    # -- octets ----------------------------------------------------------------------------------------------------

    def send_bytes(self, data):
        self.source.sendall(data)

    def _more(self, deadline):
        self.source.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            got = self.source.recv(65536)
        except socket.timeout:
            raise AssertionError("nothing came in time; what is there: %s, signals: %s" % (self.data[:64].hex(), self.signals))
        except (ConnectionResetError, ssl.SSLError) as fault:
            self.ended = True
            raise Closed(str(fault))
        if not got:
            self.ended = True
            raise Closed("the end of the stream")
        self.data += got

    def next(self, timeout=None):
        """The next message of whatever kind."""
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        while True:
            found = decode(self.data)
            if found:
                self.data = self.data[found[1]:]
                return found[0]
            self._more(deadline)

    # -- messages --------------------------------------------------------------------------------------------------

    def send(self, *what):
        """Messages or octets, with one write."""
        self.send_bytes(b"".join(encode(w) if isinstance(w, Msg) else w for w in what))

    def signal(self, code, options=(), token=b"", payload=b""):
        self.send(Msg(code=code, token=token, options=options, payload=payload))

    def _take_signal(self, m):
        self.signals.append(m)
        if m.code == PING and self.pong:
            self.signal(PONG, [(CUSTODY, b"")] if m.has(CUSTODY) else [], m.token)

    def recv(self, timeout=None, where=None):
        """The next request or response (that where() likes; others are thrown away)."""
        while True:
            m = self.next(timeout)
            if m.code[0] == "7":
                self._take_signal(m)
            elif m.code != "0.00" and (where is None or where(m)):
                return m

    def recv_signal(self, code, timeout=None):
        """The next signal of that code; one that came before and was not asked for counts. Nothing else may come meanwhile."""
        while True:
            for at, m in enumerate(self.signals):
                if m.code == code:
                    return self.signals.pop(at)
            m = self.next(timeout)
            assert m.code[0] == "7", "%s instead of the signal %s" % (m, code)
            self._take_signal(m)

    def reply(self, request, code, payload=b"", **kw):
        self.send(request.reply(code, payload, **kw))

    @staticmethod
    def next_mid():
        return 0  # there is none here

    def exchange_csm(self, options=OUR_CSM):
        """Sends ours and returns theirs, which is the first that comes."""
        self.signal(CSM, options)
        return self.first_csm()

    def first_csm(self):
        m = self.next()
        assert m.code == CSM, m
        return m

    def sync(self):
        """All that was on its way to the gateway has been read by it, and what it said at once has come (and is kept)."""
        self.signal(PING, token=b"sync")
        kept = []
        while True:
            m = self.next()
            if m.code == PONG and m.token == b"sync":
                return kept
            if m.code[0] == "7":
                self._take_signal(m)
            else:
                kept.append(m)

    def wait_closed(self, timeout=None):
        """Until the gateway has ended it; the messages that came before."""
        got = []
        try:
            while True:
                got.append(self.next(timeout))
        except Closed:
            return got

    def close(self, reset=False):
        if reset:
            self.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.source.close()


class StreamServer:
    """Listens on an address of its own. context: an ssl.SSLContext makes it TLS."""

    def __init__(self, host=None, port=5683, context=None, backlog=1024):
        self.host, self.context = host or loop_host(), context
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((self.host, port))
        self.sock.listen(backlog)
        self.addr = self.sock.getsockname()[:2]
        self.uri = "%s://%s:%d" % (("coaps+tcp" if context else "coap+tcp",) + self.addr)
        self.conns = []

    def accept_raw(self, timeout=None):
        self.sock.settimeout(DEADLINE if timeout is None else timeout)
        try:
            sock, self.source = self.sock.accept()
        except socket.timeout:
            raise AssertionError("nobody connects to %s" % self.uri)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def accept(self, csm=OUR_CSM, timeout=None):
        """The next connection; csm: options of ours, None: nothing is said or read."""
        sock = self.accept_raw(timeout)
        if self.context:
            sock.settimeout(DEADLINE)
            sock = self.context.wrap_socket(sock, server_side=True)
        conn = Conn(sock)
        self.conns.append(conn)
        if csm is not None:
            conn.csm = conn.exchange_csm(csm)
        return conn

    def pending(self):
        """Whether somebody waits to be accepted now."""
        self.sock.setblocking(False)
        try:
            sock, _ = self.sock.accept()
        except BlockingIOError:
            return False
        sock.close()
        return True

    def listen_no_more(self):
        self.sock.close()

    def close(self):
        for conn in self.conns:
            conn.close()
        self.sock.close()


class _Pipes:
    """Looks like a socket to Conn."""

    def __init__(self, process):
        self.process, self.timeout = process, None
        self.chunks, self.cond, self.over = [], threading.Condition(), False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            got = os.read(self.process.stdout.fileno(), 65536)
            with self.cond:
                self.chunks.append(got)
                self.over = not got
                self.cond.notify_all()
            if not got:
                return

    def settimeout(self, seconds):
        self.timeout = seconds

    def sendall(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def recv(self, size):
        with self.cond:
            if not self.cond.wait_for(lambda: self.chunks, self.timeout):
                raise socket.timeout()
            return self.chunks.pop(0)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class OpensslServer:
    """openssl s_server, one connection at a time: what it gets and sends is the stream itself. args as for s_server, without -accept."""

    def __init__(self, *args, host=None, port=5684):
        self.host, self.args = host or loop_host(), [str(a) for a in args]
        self.addr, self.uri = (self.host, port), "coaps+tcp://%s:%d" % (self.host, port)
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", "%s:%d" % self.addr, *self.args],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE
        while not self._is_listening():
            assert self.process.poll() is None and time.monotonic() < deadline, "openssl s_server does not listen"
            time.sleep(0.01)
        self.pipes = _Pipes(self.process)
        return self

    def _is_listening(self):
        want = "%08X:%04X" % (int.from_bytes(socket.inet_aton(self.host), "little"), self.addr[1])
        with open("/proc/net/tcp") as table:
            return any(line.split()[1] == want and line.split()[3] == "0A" for line in table.readlines()[1:])

    def accept(self, csm=OUR_CSM):
        conn = Conn(self.pipes)
        if csm is not None:
            conn.csm = conn.first_csm()  # s_server sends what it is given once somebody is there
            conn.signal(CSM, csm)
        return conn

    def close(self):
        self.pipes.close()


# -- with a gateway --------------------------------------------------------------------------------------------------------

class StreamPair(Pair):
    """As Pair, with a connection in place of the server's socket: srv is the Conn, listener the server."""

    def __init__(self, gw, dev, listener, tree):
        super().__init__(gw, dev, None, tree)
        self.listener = listener

    def accept(self, **kw):
        self.srv = self.listener.accept(**kw)
        return self.srv

    def register(self, data=REGISTER, options=LOCATION, csm=OUR_CSM):
        """The association is made by the first message of its device."""
        self.dev.send(data)
        if not self.srv:
            self.accept(csm=csm)
        asked = self.srv.recv()
        self.srv.reply(asked, "2.01", options=options)
        return asked, self.dev.recv()

    def ping(self):
        """A round trip on both legs: all that was on its way before has arrived, and was read here already."""
        left = self.srv.sync()
        assert not left, left
        mid = self.dev.next_mid()
        self.dev.send(Msg(mid=mid))
        answer = self.dev.recv()
        assert (answer.type, answer.code, answer.mid) == (3, "0.00", mid), answer


def stream_pair(gateway, testbed, listener=None, name="meter-17", tree_change=None, **kw):
    """kw goes to udp_config. There is a connection when the device has said something: see register()."""
    listener = listener or testbed._keep(StreamServer())
    dev = testbed.peer()
    tree = udp_config(listener.uri, {name: "%s:%d" % dev.addr}, **kw)
    if tree_change:
        tree_change(tree)
    gw = gateway(tree).ready()
    dev.to = split_addr(tree["links"][0]["listen"])
    return StreamPair(gw, dev, listener, tree)
