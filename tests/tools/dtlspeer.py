# SPDX-License-Identifier: Apache-2.0
"""dtlspeer.py - a daemon with one scripted device and a server over DTLS that can go wrong.

    p = dtls_pair(gateway, testbed)         # as pair.pair(): dev, srv, gw; the device has the key of the server
    p.srv.deaf = True                       # what comes is thrown away, or given to srv.on_deaf(data, source)
    p.srv.forget()                          # as after a restart without its sessions; resumption fails too
    p.srv.end()                             # close_notify
"""
import secpeer
from bed import split_addr, udp_config
from pair import Pair
from secpeer import KEY

OTHER_KEY = "ffeeddccbbaa99887766554433221100"


class DtlsPeer(secpeer.DtlsPeer):
    def __init__(self, keys=None, cert=None, key=None, host=None, port=5684):
        self.deaf, self.on_deaf, self.thrown, self._closed = False, None, 0, False
        self._keys = {"cert": cert, "key": key} if cert else {"keys": keys or {}}
        super().__init__(host, port, **self._keys)

    def _datagram(self, data, source):
        if not self.deaf:
            super()._datagram(data, source)
            return
        self.thrown += 1
        if self.on_deaf:
            self.on_deaf(data, source)

    @property
    def handshakes(self):
        return len(self.made)

    @property
    def resumed(self):
        return sum(resumed for _, _, resumed in self.made)

    @property
    def waiting(self):
        """Messages that nobody has taken yet."""
        return self._got.qsize()

    def forget(self):
        super().forget()
        old, self.context = self.context, secpeer.Context(True, **dict(self._keys, **({"keys": self.keys} if "keys" in self._keys else {})))
        old.close()

    def end(self, source=None):
        self.bye(source)

    def raw(self, data, to=None):
        """A datagram as it is."""
        self.sock.sendto(data, to or self.source)

    def close(self):
        if not self._closed:
            self._closed = True
            super().close()


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
