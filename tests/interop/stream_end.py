# SPDX-License-Identifier: Apache-2.0
"""stream_end.py SCHEME HOST:PORT [CERTIFICATE KEY] - an aiocoap end: a device on coap, an LwM2M server on coap+tcp or coaps+tcp.

Commands come as JSON lines with "cmd" and "id", events go out as JSON lines; octets are hexadecimal. A target is a URI, or a path: then
the end that has asked for /rd last, over the connection that it came on.

    request method target [payload]  -> {"ev": "answer", "id", "code", "payload", "location"} or {"ev": "failed", "id", "why"}
    observe target                   -> the same for the first, then {"ev": "notify", "observation", "code", "payload"} for each
    cancel observation               -> {"ev": "ok"}
    set payload                      what /3303/0/5700 has from now on; observers are told
Each request: {"ev": "request", "method", "path", "query", "payload", "remote"}; {"ev": "observers", "n"}
"""
import asyncio
import json
import ssl
import sys

import aiocoap
from aiocoap import Message, error, resource


def tell(ev, **fields):
    print(json.dumps(dict(fields, ev=ev)), flush=True)


class Any(resource.ObservableResource):
    """All paths: what was put there last; /rd gives a location and is remembered; /3303/0/5700 can be observed."""

    def __init__(self):
        super().__init__()
        self.values, self.registered = {"3/0/0": b"aiocoap"}, None

    async def needs_blockwise_assembly(self, request):
        return True

    def update_observation_count(self, newcount):
        tell("observers", n=newcount)

    async def add_observation(self, request, serverobservation):
        if request.opt.uri_path == ("3303", "0", "5700"):
            await super().add_observation(request, serverobservation)

    async def render(self, request):
        path = "/".join(request.opt.uri_path)
        tell("request", method=str(request.code), path=path, query=list(request.opt.uri_query), payload=request.payload.hex(),
             remote=request.remote.hostinfo)
        if request.code == aiocoap.GET:
            if path not in self.values:
                raise error.NotFound()
            return Message(code=aiocoap.CONTENT, payload=self.values[path])
        if request.code == aiocoap.PUT:
            self.values[path] = request.payload
            return Message(code=aiocoap.CHANGED)
        if request.code == aiocoap.POST and path == "rd":
            self.registered = request.remote
            return Message(code=aiocoap.CREATED, location_path=("rd", "a1"))
        if request.code == aiocoap.POST:
            self.registered = request.remote if path.startswith("rd/") else self.registered
            return Message(code=aiocoap.CHANGED, payload=request.payload)
        raise error.UnallowedMethod()

    def set(self, payload):
        self.values["3303/0/5700"] = payload
        self.updated_state()


class End:
    def __init__(self, context, site):
        self.context, self.site, self.observations = context, site, {}

    def _message(self, method, target, payload=b"", **kw):
        if "://" in target:
            return Message(code=getattr(aiocoap, method), uri=target, payload=payload, **kw)
        msg = Message(code=getattr(aiocoap, method), uri_path=[p for p in target.split("/") if p], payload=payload, **kw)
        msg.remote = self.site.registered
        return msg

    @staticmethod
    def _fields(answer):
        return {"code": answer.code.dotted, "payload": answer.payload.hex(), "location": "/".join(answer.opt.location_path or ())}

    async def request(self, id, method, target, payload=""):
        msg = self._message(method, target, bytes.fromhex(payload))
        tell("answer", id=id, **self._fields(await self.context.request(msg).response))

    async def observe(self, id, target):
        asked = self.context.request(self._message("GET", target, observe=0))
        tell("answer", id=id, **self._fields(await asked.response))
        self.observations[id] = asked.observation
        try:
            async for note in asked.observation:
                tell("notify", observation=id, **self._fields(note))
        except error.Error as e:
            tell("ended", observation=id, why=repr(e))

    async def cancel(self, id, observation):
        self.observations.pop(observation).cancel()
        tell("ok", id=id)

    async def set(self, id, payload):
        self.site.set(bytes.fromhex(payload))
        tell("ok", id=id)

    async def run(self, command):
        verb = getattr(self, command.pop("cmd"))
        try:
            await verb(**command)
        except Exception as e:  # whatever it is: the test wants to know
            tell("failed", id=command["id"], why="%s: %s" % (type(e).__name__, e))


async def main(scheme, bind, *pair):
    host, _, port = bind.rpartition(":")
    transport = {"coap": "udp6", "coap+tcp": "tcpserver", "coaps+tcp": "tlsserver"}[scheme]
    context, port = None, int(port)
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        context.set_alpn_protocols(["coap"])
        port -= 1  # aiocoap counts from the port of the other scheme
    site = Any()
    ctx = await aiocoap.Context.create_server_context(site, bind=(host, port), transports=[transport], _ssl_context=context)
    end, tasks = End(ctx, site), set()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tell("ready")
    while line := await lines.readline():
        task = asyncio.create_task(end.run(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await ctx.shutdown()  # on a stream with a Release


asyncio.run(main(*sys.argv[1:]))
