# SPDX-License-Identifier: Apache-2.0
"""spb.py - a reader of Sparkplug B that shares nothing with the plug-in: the messages are described here, and Debian's protobuf reads them.

    host = Host(broker)                       # watches spBv1.0/#
    birth = host.wait("NBIRTH"); birth.seq; birth["bdSeq"].value
    host.check()                              # numbers without gaps, births before data, no alias that nobody has explained
"""
import time

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bed import DEADLINE

TYPES = {1: "Int8", 2: "Int16", 3: "Int32", 4: "Int64", 5: "UInt8", 6: "UInt16", 7: "UInt32", 8: "UInt64", 9: "Float", 10: "Double", 11: "Boolean",
         12: "String", 13: "DateTime", 14: "Text", 15: "UUID", 17: "Bytes"}
FIELDS = {
    "PropertyValue": [("type", 1, "UINT32"), ("is_null", 2, "BOOL"), ("int_value", 3, "UINT32"), ("long_value", 4, "UINT64"),
                      ("float_value", 5, "FLOAT"), ("double_value", 6, "DOUBLE"), ("boolean_value", 7, "BOOL"), ("string_value", 8, "STRING")],
    "PropertySet": [("keys", 1, "*STRING"), ("values", 2, "*PropertyValue")],
    "Metric": [("name", 1, "STRING"), ("alias", 2, "UINT64"), ("timestamp", 3, "UINT64"), ("datatype", 4, "UINT32"), ("is_historical", 5, "BOOL"),
               ("is_transient", 6, "BOOL"), ("is_null", 7, "BOOL"), ("properties", 9, "PropertySet"), ("int_value", 10, "UINT32"),
               ("long_value", 11, "UINT64"), ("float_value", 12, "FLOAT"), ("double_value", 13, "DOUBLE"), ("boolean_value", 14, "BOOL"),
               ("string_value", 15, "STRING"), ("bytes_value", 16, "BYTES")],
    "Payload": [("timestamp", 1, "UINT64"), ("metrics", 2, "*Metric"), ("seq", 3, "UINT64"), ("uuid", 4, "STRING"), ("body", 5, "BYTES")],
}
VALUES = ("int_value", "long_value", "float_value", "double_value", "boolean_value", "string_value", "bytes_value")


def _payload_class():
    file = descriptor_pb2.FileDescriptorProto(name="spb_test.proto", package="spbtest", syntax="proto2")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            one = message.field.add(name=field, number=number, label=3 if kind[0] == "*" else 1)
            kind = kind.lstrip("*")
            if kind in FIELDS:
                one.type, one.type_name = one.TYPE_MESSAGE, ".spbtest." + kind
            else:
                one.type = getattr(one, "TYPE_" + kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("spbtest.Payload"))


Payload = _payload_class()


class Metric:
    def __init__(self, m):
        self.name, self.alias = m.name or None, m.alias if m.HasField("alias") else None
        self.type, self.timestamp = TYPES.get(m.datatype), m.timestamp
        self.properties = {k: v.string_value for k, v in zip(m.properties.keys, m.properties.values)}
        found = [getattr(m, f) for f in VALUES if m.HasField(f)]
        assert len(found) == (0 if m.is_null else 1), m
        self.value = found[0] if found else None
        if self.type == "Int64" and self.value is not None:
            self.value -= 2**64 if self.value >= 2**63 else 0

    def __repr__(self):
        return "%s=%r" % (self.name or self.alias, self.value)


class Message:
    def __init__(self, topic, octets, retained=False):
        words = topic.split("/")
        self.topic, self.group, self.kind, self.node = topic, words[1], words[2], words[3]
        self.device, self.retained = words[4] if len(words) > 4 else None, retained
        payload = Payload.FromString(octets)
        self.seq = payload.seq if payload.HasField("seq") else None
        self.timestamp, self.metrics = payload.timestamp, [Metric(m) for m in payload.metrics]

    def __getitem__(self, name):
        return next(m for m in self.metrics if m.name == name)

    def names(self):
        return [m.name for m in self.metrics]

    def __repr__(self):
        return "%s %s seq=%s %s" % (self.kind, self.device or "", self.seq, self.metrics)


class Host:
    """What a host application knows of one edge node. DDATA is given its names by the births before it."""

    def __init__(self, broker):
        self.watch = broker.watch("spBv1.0/#", "-F", "%r %q %t\t%x")
        self.broker, self.at, self.messages, self.names = broker, 0, [], {}

    def _take(self):
        lines = self.watch.out.lines
        for line in lines[self.at:len(lines)]:
            self.at += 1
            if not hasattr(line, "topic") or "CMD" in line.topic:
                continue
            m = Message(line.topic, bytes.fromhex(line.payload), line.retained)
            if m.kind == "DBIRTH":
                self.names[m.device] = {x.alias: x.name for x in m.metrics}
            if m.kind == "DDATA":
                for x in m.metrics:
                    assert x.name is None
                    x.name = self.names[m.device][x.alias]
            self.messages.append(m)

    def mark(self):
        self._take()
        return len(self.messages)

    def wait(self, kind, n=1, since=0, where=lambda m: True, **fields):
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            self._take()
            found = [m for m in self.messages[since:] if kind in (None, m.kind) and where(m) and all(getattr(m, k) == v for k, v in fields.items())][:n]
            if len(found) == n:
                return found[0] if n == 1 else found
            time.sleep(0.02)
        raise AssertionError("no %s %s among %s" % (kind, fields, self.messages[since:]))

    def check(self):
        """Of everything that came: numbers, order and retain flags are those of Sparkplug B 3.0."""
        self._take()
        seq, bd_seq, born = None, None, set()
        assert self.messages and not any(m.retained for m in self.messages)
        for m in self.messages:
            if m.kind == "NDEATH":
                assert m.seq is None and m["bdSeq"].value == bd_seq, (m, bd_seq)
                seq, born = None, set()
                continue
            if m.kind == "NBIRTH":
                assert m.seq == 0 and m["Node Control/Rebirth"].type == "Boolean", m
                assert bd_seq is None or m["bdSeq"].value in (bd_seq, (bd_seq + 1) & 255) or m["bdSeq"].value > bd_seq, (m, bd_seq)
                bd_seq, born = m["bdSeq"].value, set()
            else:
                assert seq is not None and m.seq == (seq + 1) & 255, (m, seq)
            seq = m.seq
            if m.kind == "DBIRTH":
                assert all(x.name and x.alias and x.type for x in m.metrics), m
                born.add(m.device)
            elif m.kind in ("DDATA", "DDEATH"):
                assert m.device in born, m
            if m.kind == "DDEATH":
                born.discard(m.device)
            assert m.timestamp and all(x.timestamp for x in m.metrics), m
        aliases = [a for names in self.names.values() for a in names]
        assert len(aliases) == len(set(aliases))




def command(*metrics):
    """Octets of an NCMD or DCMD: metrics are (name or alias, datatype as in TYPES, field, value)."""
    payload = Payload(timestamp=int(time.time() * 1000))
    for key, kind, field, value in metrics:
        m = payload.metrics.add(timestamp=payload.timestamp, datatype=next(n for n, t in TYPES.items() if t == kind))
        setattr(m, "name" if isinstance(key, str) else "alias", key)
        setattr(m, field, value)
    return payload.SerializeToString()
