# SPDX-License-Identifier: Apache-2.0
"""secpeer.py - scripted servers over DTLS, TCP and TLS, with the face of bed.UdpPeer.

    srv = DtlsPeer(keys={"meter-17": KEY})          # srv.uri is coaps://..
    srv = StreamPeer()                              # coap+tcp://; StreamPeer(tls={"keys": {..}}) is coaps+tcp://
    asked = srv.recv(); srv.reply(asked, "2.04")    # to the association that it came from

OpenSSL is called as it lies on the system, with records in memory: what travels stays in the hands of the test. A thread serves the
sockets; a peer is closed with the bed that it is given to (bed.items).
"""
import ctypes
import ctypes.util
import itertools
import queue
import select
import socket
import threading
import time

from bed import DEADLINE, loop_host
from coapmsg import NON, Msg

KEY = "00112233445566778899aabbccddeeff"

ssl_ = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
PSK_CB = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_uint)
P, I, L, S = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p


def _declare():
    for lib, name, result, args in (
            (ssl_, "DTLS_server_method", P, []), (ssl_, "TLS_server_method", P, []), (ssl_, "SSL_CTX_new", P, [P]), (ssl_, "SSL_CTX_free", None, [P]),
            (ssl_, "SSL_CTX_set_cipher_list", I, [P, S]), (ssl_, "SSL_CTX_set_psk_server_callback", None, [P, PSK_CB]),
            (ssl_, "SSL_CTX_use_certificate_chain_file", I, [P, S]), (ssl_, "SSL_CTX_use_PrivateKey_file", I, [P, S, I]),
            (ssl_, "SSL_CTX_set_session_id_context", I, [P, S, ctypes.c_uint]), (ssl_, "SSL_CTX_set_options", ctypes.c_uint64, [P, ctypes.c_uint64]),
            (ssl_, "SSL_new", P, [P]), (ssl_, "SSL_free", None, [P]), (ssl_, "SSL_set_bio", None, [P, P, P]), (ssl_, "SSL_set_accept_state", None, [P]),
            (ssl_, "SSL_do_handshake", I, [P]), (ssl_, "SSL_read", I, [P, P, I]), (ssl_, "SSL_write", I, [P, S, I]), (ssl_, "SSL_shutdown", I, [P]),
            (ssl_, "SSL_get_error", I, [P, I]), (ssl_, "SSL_is_init_finished", I, [P]), (ssl_, "SSL_ctrl", L, [P, I, L, P]),
            (ssl_, "SSL_set_options", ctypes.c_uint64, [P, ctypes.c_uint64]), (ssl_, "SSL_session_reused", I, [P]),
            (ssl_, "SSL_get_psk_identity", S, [P]),
            (crypto, "BIO_new", P, [P]), (crypto, "BIO_s_mem", P, []), (crypto, "BIO_read", I, [P, P, I]), (crypto, "BIO_write", I, [P, S, I]),
            (crypto, "BIO_ctrl_pending", ctypes.c_size_t, [P]), (crypto, "ERR_clear_error", None, [])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, args


_declare()
SSL_CTRL_SET_MTU, SSL_OP_NO_QUERY_MTU, FILETYPE_PEM = 17, 0x1000, 1


class Context:
    """Keys of a server: PSK by identity, or a certificate. May be changed while it runs."""

    def __init__(self, dtls, keys=None, cert=None, key=None):
        self.keys, self.identities = dict(keys or {}), {}  # identities: by SSL; TLS 1.3 does not tell it afterwards
        self.ctx = ssl_.SSL_CTX_new(ssl_.DTLS_server_method() if dtls else ssl_.TLS_server_method())
        self._callback = PSK_CB(self._psk)  # kept: OpenSSL holds it
        ssl_.SSL_CTX_set_psk_server_callback(self.ctx, self._callback)
        ssl_.SSL_CTX_set_cipher_list(self.ctx, b"ALL:PSK:@SECLEVEL=0")
        ssl_.SSL_CTX_set_session_id_context(self.ctx, b"peer", 4)
        if cert:
            assert ssl_.SSL_CTX_use_certificate_chain_file(self.ctx, str(cert).encode()) == 1
            assert ssl_.SSL_CTX_use_PrivateKey_file(self.ctx, str(key).encode(), FILETYPE_PEM) == 1

    def _psk(self, ssl, identity, psk, most):
        name = (identity or b"").decode("utf-8", "replace")
        if name in self.keys:
            self.identities[ssl] = name
        key = bytes.fromhex(self.keys.get(name, ""))
        for i, octet in enumerate(key[:most]):
            psk[i] = octet
        return min(len(key), most)

    def close(self):
        ssl_.SSL_CTX_free(self.ctx)


class Session:
    """One association or connection: octets of the network in and out, octets of the application in and out."""

    def __init__(self, context, dtls):
        self.context, self.ssl, self.open = context, ssl_.SSL_new(context.ctx), False
        self.into, self.out = crypto.BIO_new(crypto.BIO_s_mem()), crypto.BIO_new(crypto.BIO_s_mem())
        ssl_.SSL_set_bio(self.ssl, self.into, self.out)
        ssl_.SSL_set_accept_state(self.ssl)
        if dtls:
            ssl_.SSL_set_options(self.ssl, SSL_OP_NO_QUERY_MTU)
            ssl_.SSL_ctrl(self.ssl, SSL_CTRL_SET_MTU, 1200, None)

    def feed(self, data):
        """What came from the network. A list of what is for the application; None: the other side has closed it."""
        crypto.BIO_write(self.into, data, len(data))
        if not ssl_.SSL_is_init_finished(self.ssl):
            ssl_.SSL_do_handshake(self.ssl)
        found, buf = [], ctypes.create_string_buffer(65536)
        while ssl_.SSL_is_init_finished(self.ssl):
            self.open = True
            n = ssl_.SSL_read(self.ssl, buf, len(buf))
            if n <= 0:
                if ssl_.SSL_get_error(self.ssl, n) == 6:  # close_notify
                    return None
                break
            found.append(buf.raw[:n])
        crypto.ERR_clear_error()
        return found

    def write(self, data):
        ssl_.SSL_write(self.ssl, data, len(data))

    def taken(self):
        """What is to go to the network."""
        n = crypto.BIO_ctrl_pending(self.out)
        buf = ctypes.create_string_buffer(n + 1)
        got = crypto.BIO_read(self.out, buf, n) if n else 0
        return buf.raw[:max(0, got)]

    @property
    def resumed(self):
        return bool(ssl_.SSL_session_reused(self.ssl))

    @property
    def identity(self):
        return self.context.identities.get(self.ssl, "") or (ssl_.SSL_get_psk_identity(self.ssl) or b"").decode()

    def shutdown(self):
        ssl_.SSL_shutdown(self.ssl)

    def close(self):
        self.context.identities.pop(self.ssl, None)
        ssl_.SSL_free(self.ssl)


class Served:
    """What both have: a thread, a queue of messages, and the face of bed.UdpPeer."""

    def __init__(self):
        self.to, self.source, self._mid, self._got = None, None, itertools.count(1000), queue.Queue()
        self.lock, self._end = threading.RLock(), socket.socketpair()
        self.made = []  # of every association that came up: (its source, identity, resumed)

    def _start(self):
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def next_mid(self):
        return next(self._mid) & 0xFFFF

    def recv_bytes(self, timeout=None):
        try:
            data, self.source = self._got.get(timeout=DEADLINE if timeout is None else timeout)
        except queue.Empty:
            raise AssertionError("no message at %s" % self.uri)
        return data

    def recv(self, timeout=None, where=None):
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        while True:
            m = self.parse(self.recv_bytes(max(0.001, deadline - time.monotonic())))
            if where is None or where(m):
                return m

    def reply(self, request, code, payload=b"", to=None, **kw):
        answer = request.reply(code, payload, **kw)
        self.send(answer, to)
        return answer

    def silent(self, seconds):
        try:
            data, source = self._got.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError("a message from %s:%d: %s" % (source[0], source[1], data.hex()))

    def wait_made(self, n, timeout=None):
        """Until so many associations have come up in all; the latest."""
        deadline = time.monotonic() + (DEADLINE if timeout is None else timeout)
        while len(self.made) < n:
            assert time.monotonic() < deadline, "%d associations at %s, not %d" % (len(self.made), self.uri, n)
            time.sleep(0.005)
        return self.made[-1]

    def close(self):
        self._end[1].send(b"x")
        self._thread.join(5)
        for s in self._end:
            s.close()


class DtlsPeer(Served):
    """DTLS 1.2, PSK or certificate; one session per source address."""

    def __init__(self, host=None, port=5684, **keys):
        super().__init__()
        self.context, self.sessions = Context(True, **(keys or {"keys": {}})), {}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host or loop_host(), port))
        self.addr = self.sock.getsockname()[:2]
        self.uri, self.dropped = "coaps://%s:%d" % self.addr, 0
        self._start()

    @property
    def keys(self):
        return self.context.keys

    @staticmethod
    def parse(data):
        return Msg.parse(data)

    @staticmethod
    def _is_hello(data):
        return len(data) > 13 and data[0] == 22 and data[3:5] == b"\0\0" and data[13] == 1

    def _flush(self, session, source):
        data = session.taken()
        if data:
            self.sock.sendto(data, source)

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.sock, self._end[0]], [], [])
            if self._end[0] in ready:
                return
            data, source = self.sock.recvfrom(65535)
            with self.lock:
                self._datagram(data, source)

    def _datagram(self, data, source):
        session = self.sessions.get(source)
        if self._is_hello(data) and (session is None or session.random != data[27:59]):
            session = self.sessions[source] = Session(self.context, True)  # who begins anew has lost the old one
            session.random = data[27:59]
        if session is None:
            self.dropped += 1
            return
        was_open, found = session.open, session.feed(data)
        if session.open and not was_open:
            self.made.append((source, session.identity, session.resumed))
        self._flush(session, source)
        if found is None:
            self.sessions.pop(source).close()
        for message in found or []:
            self._got.put((message, source))

    def send(self, what, to=None):
        source = to or self.to or self.source
        with self.lock:
            self.sessions[source].write(what.encode() if isinstance(what, Msg) else what)
            self._flush(self.sessions[source], source)

    def bye(self, source=None):
        """close_notify."""
        with self.lock:
            session = self.sessions.pop(source or self.source)
            session.shutdown()
            self._flush(session, source or self.source)
            session.close()

    def forget(self):
        """All sessions, without a word: the server has been restarted."""
        with self.lock:
            for session in self.sessions.values():
                session.close()
            self.sessions.clear()

    def close(self):
        super().close()
        self.forget()
        self.sock.close()
        self.context.close()


CSM, PING, PONG, RELEASE, ABORT = 0xE1, 0xE2, 0xE3, 0xE4, 0xE5


def frame(code, token=b"", rest=b""):
    """RFC 8323 3.2; rest: options, marker and payload."""
    n = len(rest)
    head, more = (n, b"") if n < 13 else (13, bytes([n - 13])) if n < 269 else (14, (n - 269).to_bytes(2, "big")) if n < 65805 else (
        15, (n - 65805).to_bytes(4, "big"))
    return bytes([head << 4 | len(token)]) + more + bytes([code]) + token + rest


def unframe(data):
    """(octets used, code, token, rest) of the first message; None: it is not all there."""
    if not data:
        return None
    head, tkl, at = data[0] >> 4, data[0] & 15, 1
    size = {13: 1, 14: 2, 15: 4}.get(head, 0)
    if len(data) < at + size + 1 + tkl:
        return None
    n = head if head < 13 else int.from_bytes(data[at:at + size], "big") + {13: 13, 14: 269, 15: 65805}[head]
    at += size
    if len(data) < at + 1 + tkl + n:
        return None
    return at + 1 + tkl + n, data[at], data[at + 1:at + 1 + tkl], data[at + 1 + tkl:at + 1 + tkl + n]


class Connection:
    def __init__(self, sock, source, session):
        self.sock, self.source, self.session, self.got, self.up = sock, source, session, b"", False


class StreamPeer(Served):
    """TCP or TLS with CSM; a message is a Msg of type NON with id 0. csm: the options of ours, None: none is sent. pongs: whether a Ping
    is answered."""

    def __init__(self, host=None, port=5683, tls=None, csm=b"\x23\x01\x00\x00\x20"):
        super().__init__()
        self.context = Context(False, **tls) if tls else None
        self.csm, self.pongs, self.pings, self.connections, self.doomed, self.signals = csm, True, 0, {}, [], []
        self.listener = socket.create_server((host or loop_host(), port))
        self.addr = self.listener.getsockname()[:2]
        self.uri = "%s://%s:%d" % ("coaps+tcp" if tls else "coap+tcp", *self.addr)
        self._start()

    @property
    def keys(self):
        return self.context.keys

    @staticmethod
    def parse(data):
        return Msg.parse(data)

    def _write(self, c, data):
        if c.session:
            c.session.write(data)
            data = c.session.taken()
        try:
            c.sock.sendall(data)
        except OSError:
            pass

    def _accept(self):
        sock, source = self.listener.accept()
        c = self.connections[source] = Connection(sock, source, Session(self.context, False) if self.context else None)
        if not c.session:
            self._begin(c)

    def _begin(self, c):
        c.up = True
        self.made.append((c.source, c.session.identity if c.session else "", bool(c.session and c.session.resumed)))
        if self.csm is not None:
            self._write(c, frame(CSM, b"", self.csm))

    def _gone(self, c):
        self.connections.pop(c.source, None)
        c.sock.close()

    def _read(self, c):
        try:
            data = c.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            return self._gone(c)
        if c.session:
            found = c.session.feed(data)
            try:
                c.sock.sendall(c.session.taken())
            except OSError:
                found = None
            if found is None:
                return self._gone(c)
            if c.session.open and not c.up:
                self._begin(c)
            data = b"".join(found)
        c.got += data
        while True:
            m = unframe(c.got)
            if m is None:
                return None
            c.got = c.got[m[0]:]
            self._message(c, *m[1:])

    def _message(self, c, code, token, rest):
        if code == PING:
            self.pings += 1
            if self.pongs:
                self._write(c, frame(PONG, token))
        elif code >> 5 == 7:
            self.signals.append((c.source, code, token, rest))
        elif code:
            self._got.put((bytes([0x40 | NON << 4 | len(token), code, 0, 0]) + token + rest, c.source))

    def _serve(self):
        while True:
            with self.lock:
                for c in self.doomed:
                    c.sock.close()
                self.doomed = []
                socks = {c.sock: c for c in self.connections.values()}
            ready, _, _ = select.select([self.listener, self._end[0], *socks], [], [])
            if self._end[0] in ready and b"x" in self._end[0].recv(64):
                return
            with self.lock:
                for s in ready:
                    if s is self.listener:
                        self._accept()
                    elif s in socks and socks[s].source in self.connections:
                        self._read(socks[s])

    def send(self, what, to=None):
        """A Msg without its type and id, or octets as they are."""
        with self.lock:
            c = self.connections[to or self.to or self.source]
            if isinstance(what, Msg):
                raw = what.encode()
                tkl = raw[0] & 15
                what = frame(raw[1], raw[4:4 + tkl], raw[4 + tkl:])
            self._write(c, what)

    def signal(self, code, token=b"", options=b"", to=None):
        self.send(frame(code, token, options), to)

    def drop(self, source=None, reset=False):
        """The connection ends, with FIN or RST."""
        with self.lock:
            c = self.connections.pop(source or self.source)
            if reset:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.doomed.append(c)  # closed by the thread that waits on it
        self._end[1].send(b"w")

    def close(self):
        super().close()
        for c in list(self.connections.values()):
            self._gone(c)
        self.listener.close()
        if self.context:
            self.context.close()
