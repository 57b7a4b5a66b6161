# SPDX-License-Identifier: Apache-2.0
"""dtlspeer.py - an LwM2M server over DTLS 1.2, played by script: OpenSSL through ctypes, one session per client address.

    srv = testbed._keep(DtlsPeer(keys={"meter-17": KEY}))      # or cert=, key=
    p = dtls_pair(gateway, testbed, srv)                       # as pair.pair(): dev, srv, gw
    asked = srv.recv(); srv.reply(asked, "2.01")               # as bed.UdpPeer; srv.source is the client

    srv.deaf = True       what comes is thrown away, or given to srv.on_deaf(data, source)
    srv.forget()          as after a restart without its sessions; resumption fails too
    srv.end(source)       close_notify
"""
import ctypes
import itertools
import queue
import socket
import threading

from bed import DEADLINE, loop_host, split_addr, udp_config
from coapmsg import Msg
from pair import Pair

KEY = "000102030405060708090a0b0c0d0e0f"
OTHER_KEY = "ffeeddccbbaa99887766554433221100"

ssl = ctypes.CDLL("libssl.so.3")
crypto = ctypes.CDLL("libcrypto.so.3")
PTR, INT, LONG, TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p
PSK_FN = ctypes.CFUNCTYPE(ctypes.c_uint, PTR, TEXT, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_uint)
VERIFY_FN = ctypes.CFUNCTYPE(INT, INT, PTR)
OP_NO_QUERY_MTU, CTRL_SET_MTU, EOF_RETURN, PENDING = 0x1000, 17, 130, 10
WANT_READ, ZERO_RETURN = 2, 6


def declare(lib, name, result, *arguments):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, arguments
    return f


DTLS_server_method = declare(ssl, "DTLS_server_method", PTR)
SSL_CTX_new = declare(ssl, "SSL_CTX_new", PTR, PTR)
SSL_CTX_free = declare(ssl, "SSL_CTX_free", None, PTR)
SSL_CTX_set_cipher_list = declare(ssl, "SSL_CTX_set_cipher_list", INT, PTR, TEXT)
SSL_CTX_set_psk_server_callback = declare(ssl, "SSL_CTX_set_psk_server_callback", None, PTR, PSK_FN)
SSL_CTX_set_session_id_context = declare(ssl, "SSL_CTX_set_session_id_context", INT, PTR, TEXT, ctypes.c_uint)
SSL_CTX_use_certificate_chain_file = declare(ssl, "SSL_CTX_use_certificate_chain_file", INT, PTR, TEXT)
SSL_CTX_use_PrivateKey_file = declare(ssl, "SSL_CTX_use_PrivateKey_file", INT, PTR, TEXT, INT)
SSL_CTX_set_verify = declare(ssl, "SSL_CTX_set_verify", None, PTR, INT, VERIFY_FN)
SSL_new = declare(ssl, "SSL_new", PTR, PTR)
SSL_free = declare(ssl, "SSL_free", None, PTR)
SSL_set_bio = declare(ssl, "SSL_set_bio", None, PTR, PTR, PTR)
SSL_set_options = declare(ssl, "SSL_set_options", ctypes.c_uint64, PTR, ctypes.c_uint64)
SSL_ctrl = declare(ssl, "SSL_ctrl", LONG, PTR, INT, LONG, PTR)
SSL_set_accept_state = declare(ssl, "SSL_set_accept_state", None, PTR)
SSL_is_init_finished = declare(ssl, "SSL_is_init_finished", INT, PTR)
SSL_session_reused = declare(ssl, "SSL_session_reused", INT, PTR)
SSL_get_error = declare(ssl, "SSL_get_error", INT, PTR, INT)
SSL_shutdown = declare(ssl, "SSL_shutdown", INT, PTR)
SSL_read = declare(ssl, "SSL_read", INT, PTR, PTR, INT)
SSL_write = declare(ssl, "SSL_write", INT, PTR, TEXT, INT)
BIO_new = declare(crypto, "BIO_new", PTR, PTR)
BIO_s_mem = declare(crypto, "BIO_s_mem", PTR)
BIO_ctrl = declare(crypto, "BIO_ctrl", LONG, PTR, INT, LONG, PTR)
BIO_read = declare(crypto, "BIO_read", INT, PTR, PTR, INT)
BIO_write = declare(crypto, "BIO_write", INT, PTR, TEXT, INT)
ERR_clear_error = declare(crypto, "ERR_clear_error", None)


class Session:
    """One client address. Everything runs under the lock of the peer."""

    def __init__(self, peer, source):
        self.peer, self.source, self.random = peer, source, None
        self.ssl, self.buf = SSL_new(peer.ctx), ctypes.create_string_buffer(65536)
        self.rbio, self.wbio = BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())
        BIO_ctrl(self.rbio, EOF_RETURN, -1, None)
        SSL_set_bio(self.ssl, self.rbio, self.wbio)
        SSL_set_options(self.ssl, OP_NO_QUERY_MTU)
        SSL_ctrl(self.ssl, CTRL_SET_MTU, 1400, None)
        SSL_set_accept_state(self.ssl)

    def flush(self):
        n = BIO_read(self.wbio, self.buf, len(self.buf))
        if n > 0:
            self.peer.sock.sendto(self.buf.raw[:n], self.source)

    def take(self, data):
        """False when it has ended."""
        shaken = SSL_is_init_finished(self.ssl)
        BIO_write(self.rbio, data, len(data))
        while True:
            n = SSL_read(self.ssl, self.buf, len(self.buf))
            if n <= 0:
                break
            self.peer.inbox.put((self.buf.raw[:n], self.source))
        error = SSL_get_error(self.ssl, n)
        ERR_clear_error()
        if not shaken and SSL_is_init_finished(self.ssl):
            self.peer.handshakes += 1
            self.peer.resumed += SSL_session_reused(self.ssl)
        self.flush()
        return error == WANT_READ

    def close(self):
        SSL_free(self.ssl)


class DtlsPeer:
    def __init__(self, keys=None, cert=None, key=None, suites=None, host=None, port=5684):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host or loop_host(), port))
        self.addr = self.sock.getsockname()
        self.uri = "coaps://%s:%d" % self.addr
        self.keys, self.cert, self.key = dict(keys or {}), cert, key
        self.suites = suites or ("ECDHE+AESGCM:ECDHE-ECDSA-AES128-CCM8" if cert else "PSK-AES128-CCM8:PSK-AES128-GCM-SHA256")
        self.sessions, self.inbox, self.lock = {}, queue.Queue(), threading.Lock()
        self.deaf, self.on_deaf, self.source, self.to = False, None, None, None
        self.handshakes = self.resumed = self.hellos = self.thrown = 0
        self._mid, self._ended, self.ctx = itertools.count(1000), False, None
        self._psk, self._verify = PSK_FN(self._find_key), VERIFY_FN(lambda ok, store: 1)
        self._renew()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _find_key(self, _ssl, identity, out, size):
        key = bytes.fromhex(self.keys.get((identity or b"").decode(), ""))
        ctypes.memmove(out, key, min(len(key), size))
        return len(key)

    def _renew(self):
        self.ctx = SSL_CTX_new(DTLS_server_method())
        assert SSL_CTX_set_cipher_list(self.ctx, self.suites.encode()) == 1
        SSL_CTX_set_session_id_context(self.ctx, b"peer", 4)
        if self.cert:
            assert SSL_CTX_use_certificate_chain_file(self.ctx, str(self.cert).encode()) == 1
            assert SSL_CTX_use_PrivateKey_file(self.ctx, str(self.key).encode(), 1) == 1
            SSL_CTX_set_verify(self.ctx, 1, self._verify)
        else:
            SSL_CTX_set_psk_server_callback(self.ctx, self._psk)

    # -- datagrams --

    def _run(self):
        while True:
            data, source = self.sock.recvfrom(65535)
            if self._ended:
                return
            with self.lock:
                if not self.deaf:
                    self._take(data, source)
                    continue
                self.thrown += 1
                if self.on_deaf:
                    self.on_deaf(data, source)

    def _take(self, data, source):
        hello = len(data) > 59 and data[0] == 22 and data[3:5] == b"\0\0" and data[13] == 1
        session = self.sessions.get(source)
        if hello:
            self.hellos += 1
            if session and session.random != data[27:59]:  # the same client anew (RFC 6347 4.2.8)
                self._drop(source)
                session = None
        if not session:
            if not hello:
                self.thrown += 1
                return
            session = self.sessions[source] = Session(self, source)
        if hello:
            session.random = data[27:59]
        if not session.take(data):
            self._drop(source)

    def _drop(self, source):
        self.sessions.pop(source).close()

    # -- as bed.UdpPeer --

    def next_mid(self):
        return next(self._mid) & 0xFFFF

    def send(self, what, to=None):
        data = what.encode() if isinstance(what, Msg) else bytes(what)
        with self.lock:
            session = self.sessions[to or self.to or self.source]
            assert SSL_write(session.ssl, data, len(data)) == len(data)
            session.flush()

    def recv_bytes(self, timeout=None):
        try:
            data, self.source = self.inbox.get(timeout=DEADLINE if timeout is None else timeout)
        except queue.Empty:
            raise AssertionError("no message at %s:%d; %d handshakes, %d hellos" % (*self.addr, self.handshakes, self.hellos))
        return data

    def recv(self, timeout=None):
        return Msg.parse(self.recv_bytes(timeout))

    def reply(self, request, code, payload=b"", to=None, **kw):
        answer = request.reply(code, payload, **kw)
        self.send(answer, to)
        return answer

    # -- what goes wrong --

    def forget(self):
        with self.lock:
            for source in list(self.sessions):
                self._drop(source)
            SSL_CTX_free(self.ctx)
            self._renew()

    def end(self, source=None):
        with self.lock:
            source = source or self.source
            SSL_shutdown(self.sessions[source].ssl)
            self.sessions[source].flush()
            self._drop(source)

    def raw(self, data, to=None):
        self.sock.sendto(data, to or self.source)

    def close(self):
        if self._ended:
            return
        self._ended = True
        self.sock.sendto(b"", self.addr)
        self._thread.join(5)
        for session in self.sessions.values():
            session.close()
        self.sock.close()


def dtls_pair(gateway, testbed, srv=None, name="meter-17", key=KEY, tree_change=None, server_keys=None, device_keys=None, start=True, **kw):
    """kw goes to the gateway and to udp_config; key None: the device has none."""
    srv = srv or testbed._keep(DtlsPeer(keys={name: KEY}))
    dev = testbed.peer()
    more = {k: kw.pop(k) for k in ("profile", "link", "host") if k in kw}
    tree = udp_config(srv.uri, {name: "%s:%d" % dev.addr}, server_keys=server_keys, device_keys=device_keys, **more)
    gw = gateway(tree, start=False, **kw)
    if key:
        tree["devices"][0]["psk_key"] = gw.secret(name + ".key", key)
    if tree_change:
        tree_change(gw, tree)
    gw.write(tree)
    dev.to = split_addr(tree["links"][0]["listen"])
    if start:
        gw.start().ready()
    return Pair(gw, dev, srv, tree)
