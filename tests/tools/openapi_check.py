# SPDX-License-Identifier: Apache-2.0
"""openapi_check.py - holds T8 requests, answers and notifications against the OpenAPI files of 3GPP TS 29.122

The files are not part of this tree; they are read from $NIDDGW_SHARED or ../shared (folder t8/relNN). Uses PyYAML and
jsonschema of the distribution and no network: references between files are resolved inside the folder.

    api = Api("rel19")
    faults = api.request("POST", "/3gpp-nidd/v1/gw/configurations", {...}, "application/json")
    faults = api.answer("POST", path, 201, {...}, "application/json", {"Location": ...})
    faults = api.notification({...})
    faults = api.event(line)          # a "request" or "notify" line of niddgw-sim scef
A fault is a text; an empty list means sound.

    python3 openapi_check.py rel15 rel19 < lines.jsonl     # checks every line, exit status 1 when there is a fault
"""
import copy
import functools
import json
import os
import re
import sys
from pathlib import Path

import jsonschema
import yaml

RELEASES = ("rel15", "rel16", "rel17", "rel18", "rel19")
SERVER_ONLY = ("self", "status", "maximumPacketSize", "deliveryStatus", "requestedRetransmissionTime", "manageEntity")
METHODS = ("get", "put", "post", "delete", "patch")


def folder():
    """The folder of the releases, or None when it is not there."""
    shared = Path(os.environ.get("NIDDGW_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
    return shared / "t8" if (shared / "t8").is_dir() else None


def _to_json_schema(node):
    """OpenAPI 3.0 spells null and examples its own way; everything else is JSON Schema of draft 4."""
    if isinstance(node, list):
        return [_to_json_schema(n) for n in node]
    if not isinstance(node, dict):
        return node
    out = {k: _to_json_schema(v) for k, v in node.items() if k not in ("example", "description", "discriminator")}
    if out.pop("nullable", None) is True:
        if "type" in out:
            out["type"] = [out["type"], "null"]
        if "enum" in out and None not in out["enum"]:
            out["enum"] = out["enum"] + [None]
    return out


_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time")
def _date_time(value):
    return not isinstance(value, str) or bool(
        re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", value))


@_formats.checks("byte")
def _byte(value):
    return not isinstance(value, str) or bool(
        re.match(r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", value))


@functools.lru_cache(maxsize=None)
def _load(path):
    with open(path, encoding="utf-8") as text:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.lru_cache(maxsize=None)
def _store(directory):
    """Every file of a release as JSON Schema, by its address."""
    store = {}
    for file in sorted(directory.glob("*.yaml")):
        schema = _to_json_schema(copy.deepcopy(_load(file)))
        octets = schema.get("components", {}).get("schemas", {}).get("Bytes")
        if octets and "format" not in octets:
            octets["format"] = "byte"  # only its description says so
        store[file.as_uri()] = schema
    return store


class Api:
    """The NIDD API of one release."""

    def __init__(self, release):
        self.dir = folder() / release
        self.release = release
        self.files = {}
        self.doc = self._file("TS29122_NIDD.yaml")
        self.paths = []
        for template, item in self.doc["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}|\{\w+\}", r"[^/?]+", template)
            self.paths.append((re.compile("^.*/3gpp-nidd/v1" + pattern + r"(\?.*)?$"), item))

    def _file(self, name):
        if name not in self.files:
            self.files[name] = _load(self.dir / name)
        return self.files[name]

    def _resolve(self, node, name="TS29122_NIDD.yaml"):
        """(node, file) behind $ref."""
        while isinstance(node, dict) and "$ref" in node:
            file, _, pointer = node["$ref"].partition("#")
            name = file or name
            node = self._file(name)
            for part in pointer.strip("/").split("/"):
                node = node[part.replace("~1", "/").replace("~0", "~")]
        return node, name

    def _validate(self, schema, body, where, name="TS29122_NIDD.yaml"):
        base = (self.dir / name).as_uri()
        store = _store(self.dir)
        resolver = jsonschema.RefResolver(base, store[base], store=store)
        checker = jsonschema.Draft4Validator(_to_json_schema(copy.deepcopy(schema)), resolver=resolver,
                                             format_checker=_formats)
        return ["%s: %s/%s: %s" % (self.release, where, "/".join(map(str, e.absolute_path)), e.message[:300])
                for e in checker.iter_errors(body)]

    def _members(self, schema, body, where, name, request):
        """Members nobody declared, and in a request those that only a server may set."""
        schema, name = self._resolve(schema, name)
        known, faults = (schema or {}).get("properties", {}), []
        if not isinstance(body, dict) or not known:
            return faults
        for member in body:
            if member not in known:
                faults.append("%s: %s: member %s is not declared" % (self.release, where, member))
            elif request and (known[member].get("readOnly") or member in SERVER_ONLY):
                faults.append("%s: %s: member %s is for the server to set" % (self.release, where, member))
        return faults

    def _operation(self, method, path):
        for pattern, item in self.paths:
            if pattern.match(path):
                return item.get(method.lower()) if method.lower() in METHODS else None
        return None

    def has(self, method, path):
        """Does this release know the operation?"""
        return self._operation(method, path) is not None

    def request(self, method, path, body=None, content_type="application/json"):
        where = "request %s %s" % (method, path)
        operation = self._operation(method, path)
        if operation is None:
            return ["%s: %s: no such operation" % (self.release, where)]
        wanted = operation.get("requestBody")
        if not wanted:
            return [] if body is None else ["%s: %s: a body is not declared" % (self.release, where)]
        if body is None:
            return ["%s: %s: the body is missing" % (self.release, where)] if wanted.get("required") else []
        media = wanted["content"].get((content_type or "").split(";")[0].strip())
        if media is None:
            return ["%s: %s: media type %s is not declared" % (self.release, where, content_type)]
        return self._validate(media["schema"], body, where) + self._members(
            media["schema"], body, where, "TS29122_NIDD.yaml", True)

    def answer(self, method, path, status, body=None, content_type=None, headers=None):
        where = "answer %s to %s %s" % (status, method, path)
        operation = self._operation(method, path)
        if operation is None:
            return ["%s: %s: no such operation" % (self.release, where)]
        declared = operation["responses"].get(str(status))
        if declared is None:
            if not 400 <= status < 600:
                return ["%s: %s: the status is not declared" % (self.release, where)]
            return []  # "default" says nothing of what is in it
        response, name = self._resolve(declared)
        faults = []
        present = {k.lower() for k in headers or {}}
        for header, spec in (response.get("headers") or {}).items():
            if spec.get("required") and header.lower() not in present:
                faults.append("%s: %s: header %s is missing" % (self.release, where, header))
        content = response.get("content")
        if body is None or not content:
            if body is not None:
                faults.append("%s: %s: a body is not declared" % (self.release, where))
            elif content and 200 <= status < 300:
                faults.append("%s: %s: the body is missing" % (self.release, where))
            return faults
        media = content.get((content_type or "").split(";")[0].strip())
        if media is None:
            return faults + ["%s: %s: media type %s is not declared" % (self.release, where, content_type)]
        return faults + self._validate(media["schema"], body, where, name)

    KINDS = (("subscription", "TS29122_CommonData.yaml", "TestNotification"),
             ("gmdResults", "TS29122_NIDD.yaml", "GmdNiddDownlinkDataDeliveryNotification"),
             ("niddDownlinkDataTransfer", "TS29122_NIDD.yaml", "NiddDownlinkDataDeliveryStatusNotification"),
             ("data", "TS29122_NIDD.yaml", "NiddUplinkDataNotification"),
             ("status", "TS29122_NIDD.yaml", "NiddConfigurationStatusNotification"),
             ("niddConfiguration", "TS29122_NIDD.yaml", "ManagePortNotification"))

    def notification(self, body):
        for member, name, schema in self.KINDS:
            if isinstance(body, dict) and member in body:
                ref = {"$ref": "%s#/components/schemas/%s" % ((self.dir / name).as_uri(), schema)}
                node = {"$ref": "%s#/components/schemas/%s" % (name, schema)}
                return self._validate(ref, body, schema) + self._members(node, body, schema, name, False)
        return ["%s: notification: of no known kind" % self.release]

    def notification_answer(self, status, body=None):
        """Ours, to a notification."""
        if status == 204:
            return [] if body in (None, "") else ["%s: 204 with a body" % self.release]
        if status == 200:
            ref = {"$ref": (self.dir / "TS29122_CommonData.yaml").as_uri() + "#/components/schemas/Acknowledgement"}
            return self._validate(ref, body, "answer 200 to a notification")
        return [] if status in (307, 308) or 400 <= status < 600 else ["%s: status %d is not declared" % (self.release, status)]

    def event(self, line, requests=True, answers=True):
        """A line of niddgw-sim scef. Faults made by command (fault, lost) are not the API's; lines of other kinds are sound."""
        if line.get("ev") == "notify":
            return self.notification(line["body"]) if line.get("kind") != "raw" else []
        if line.get("ev") != "request" or line.get("op") in ("token", "unknown"):
            return []
        faults = []
        if requests:
            media = "application/merge-patch+json" if line["op"] == "patch" else "application/json"
            body = line.get("body", line.get("text"))
            faults += self.request(line["method"], line["path"], body, line.get("request_type", media))
        if answers and not line.get("fault"):
            headers = dict(line.get("headers") or {})
            if "location" in line:
                headers["Location"] = line["location"]
            faults += self.answer(line["method"], line["path"], line["status"], line.get("answer", line.get("raw")),
                                  line.get("content_type"), headers)
        return faults


def main(arguments):
    if folder() is None:
        print("the OpenAPI files are not there (NIDDGW_SHARED or ../shared)", file=sys.stderr)
        return 2
    apis, faults = [Api(r) for r in arguments or ("rel15", "rel19")], 0
    for number, text in enumerate(sys.stdin, 1):
        for api in apis:
            for fault in api.event(json.loads(text)):
                print("line %d: %s" % (number, fault))
                faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
