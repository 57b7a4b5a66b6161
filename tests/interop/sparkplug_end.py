# SPDX-License-Identifier: Apache-2.0
"""sparkplug_end.py HOST PORT GROUP - a host application of Sparkplug B on pysparkplug.

Messages of the group go out as JSON lines: {"ev": TYPE, "node", "device", "seq", "timestamp", "retain", "metrics": [{"name", "type", "value",
"alias", "timestamp"}]}; octets are hexadecimal; {"ev": "subscribed"} each time that it is connected. A message that the library cannot read, or whose alias no birth has explained, ends the program.
Commands come as JSON lines with "cmd" and "id":

    ncmd node name type value            dcmd node device name type value      type is one of the library's names ("DOUBLE")
"""
import json
import os
import sys
import threading
import time
import traceback

import pysparkplug as spb


lock = threading.Lock()


def tell(ev, **fields):
    with lock:
        print(json.dumps(dict(fields, ev=ev)), flush=True)


def shown(value):
    return value.hex() if isinstance(value, bytes) else value.isoformat() if hasattr(value, "isoformat") else value


def metric(m):
    return {"name": m.name, "type": m.datatype.name, "value": shown(m.value), "alias": m.alias, "timestamp": m.timestamp, "null": m.is_null}


def on_message(client, message):
    topic, payload = message.topic, message.payload
    metrics = [payload.bd_seq_metric] if isinstance(payload, spb.NDeath) else getattr(payload, "metrics", ())
    tell(str(topic.message_type), node=topic.edge_node_id, device=topic.device_id, seq=getattr(payload, "seq", None), timestamp=payload.timestamp,
         retain=message.retain, metrics=[metric(m) for m in metrics])


class Strict(spb.Client):
    """Ends where the library cannot read what it is given."""

    def _handle_message(self, mqtt_message):
        try:
            return super()._handle_message(mqtt_message)
        except Exception:
            print(mqtt_message.topic, mqtt_message.payload.hex(), file=sys.stderr)
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)


def command(client, group, cmd, id, node, name, type, value, device=None):
    now, kind = int(time.time() * 1000), spb.DataType[type]
    payload = (spb.NCmd if cmd == "ncmd" else spb.DCmd)(timestamp=now, metrics=(spb.Metric(timestamp=now, name=name, datatype=kind, value=value),))
    topic = spb.Topic(group_id=group, message_type=spb.MessageType(cmd.upper()), edge_node_id=node, device_id=device)
    client.publish(spb.Message(topic=topic, payload=payload, qos=spb.QoS.AT_LEAST_ONCE, retain=False), include_dtypes=True)
    tell("ok", id=id)


def main(host, port, group):
    client, subscribed = Strict(), threading.Event()

    def on_subscribe(*_):
        subscribed.set()
        tell("subscribed")
    client._client.on_subscribe = on_subscribe
    client.subscribe(spb.Topic(group_id=group, message_type="#"), spb.QoS.AT_LEAST_ONCE, on_message)
    client.connect(host, port=int(port))
    subscribed.wait()
    tell("ready")
    for line in sys.stdin:
        command(client, group, **json.loads(line))
    client.disconnect()


main(*sys.argv[1:])
