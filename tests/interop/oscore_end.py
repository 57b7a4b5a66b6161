# SPDX-License-Identifier: Apache-2.0
"""oscore_end.py BIND DIRECTORY - an aiocoap end that is client and server on one OSCORE context and one port.

DIRECTORY is the context as aiocoap keeps it (settings.json, sequence.json). Commands come as JSON lines with "cmd" and "id", events
go out as JSON lines; octets are hexadecimal.

    request method uri [payload]   -> {"ev": "answer", "id", "code", "payload", "location", "protected"} or {"ev": "failed", "id", "why"}
    observe uri                    -> the same for the first, then {"ev": "notify", "id", "code", "payload"} for each, "ended" at last
    cancel observation             -> {"ev": "ok"}
    set payload                    what /3303/0/5700 has from now on; observers are told
Each request that was protected: {"ev": "request", "method", "path", "query", "payload", "remote", "observers"}
"""
import asyncio
import json
import sys

import aiocoap
from aiocoap import Message, error, oscore, resource
from aiocoap.credentials import CredentialsMap
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper


def tell(ev, **fields):
    print(json.dumps(dict(fields, ev=ev)), flush=True)


class Any(resource.ObservableResource):
    """All paths: what was put there last; /rd gives a location; /3303/0/5700 can be observed."""

    def __init__(self):
        super().__init__()
        self.values, self.observers = {"3/0/0": b"aiocoap"}, 0

    def update_observation_count(self, newcount):
        self.observers = newcount
        tell("observers", n=newcount)

    async def add_observation(self, request, serverobservation):
        if request.opt.uri_path == ("3303", "0", "5700"):
            await super().add_observation(request, serverobservation)

    def _seen(self, request):
        path = "/".join(request.opt.uri_path)
        protected = hasattr(request.remote, "security_context")
        remote = request.remote.underlying_address if protected else request.remote
        tell("request", method=str(request.code), path=path, query=list(request.opt.uri_query), payload=request.payload.hex(),
             remote=remote.hostinfo, protected=protected)
        return path

    async def render(self, request):
        path = self._seen(request)
        if request.code == aiocoap.GET:
            if path not in self.values:
                raise error.NotFound()
            return Message(code=aiocoap.CONTENT, payload=self.values[path])
        if request.code == aiocoap.PUT:
            self.values[path] = request.payload
            return Message(code=aiocoap.CHANGED)
        if request.code == aiocoap.POST and path == "rd":
            return Message(code=aiocoap.CREATED, location_path=("rd", "a1"))
        if request.code == aiocoap.POST:
            return Message(code=aiocoap.CHANGED, payload=request.payload)
        raise error.UnallowedMethod()

    def set(self, payload):
        self.values["3303/0/5700"] = payload
        self.updated_state()


class End:
    def __init__(self, context, site):
        self.context, self.site, self.observations = context, site, {}

    @staticmethod
    def _fields(answer):
        return {"code": answer.code.dotted, "payload": answer.payload.hex(), "location": "/".join(answer.opt.location_path or ()),
                "protected": hasattr(answer.remote, "security_context")}

    async def request(self, id, method, uri, payload=""):
        msg = Message(code=getattr(aiocoap, method), uri=uri, payload=bytes.fromhex(payload))
        tell("answer", id=id, **self._fields(await self.context.request(msg).response))

    async def observe(self, id, uri):
        asked = self.context.request(Message(code=aiocoap.GET, uri=uri, observe=0))
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


async def main(bind, directory):
    host, _, port = bind.rpartition(":")
    security = oscore.FilesystemSecurityContext(directory)
    security.authenticated_claims = [":peer"]
    known = CredentialsMap()
    known[":peer"] = security
    site = Any()
    context = await aiocoap.Context.create_server_context(OscoreSiteWrapper(site, known), bind=(host, int(port)))
    context.client_credentials["coap://*"] = security
    end, tasks = End(context, site), set()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tell("ready")
    while line := await lines.readline():
        task = asyncio.create_task(end.run(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await context.shutdown()


asyncio.run(main(*sys.argv[1:]))
