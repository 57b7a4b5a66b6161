# SPDX-License-Identifier: Apache-2.0
"""Every document that the renderer's unit test makes, held against the schemas that are installed, by an implementation that is not ours."""
import json
import os
import subprocess

import jsonschema

from bed import REPO, build_dir


def strict(text):
    """As RFC 8259 has it: neither NaN nor a member twice."""
    def pairs(items):
        assert len({k for k, _ in items}) == len(items), items
        return dict(items)

    def constant(name):
        raise AssertionError(name)
    return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)


def test_documents_of_reports_are_those_of_their_schemas(tmp_path):
    dump = tmp_path / "documents"
    done = subprocess.run([str(build_dir() / "unit/mirror/test_json")], env=dict(os.environ, NIDDGW_JSON_DUMP=str(dump)),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    schemas, seen = {}, {}
    for line in dump.read_text().split("\n")[:-1]:
        kind, _, text = line.partition("\t")
        if kind not in schemas:
            schema = json.loads((REPO / "plugins/mqtt/schema" / (kind + ".schema.json")).read_text())
            schemas[kind] = jsonschema.Draft7Validator(schema)
        schemas[kind].validate(strict(text))
        seen[kind] = seen.get(kind, 0) + 1
    assert set(seen) == {"dev-event-data", "dev-event-data-senml", "dev-event-raw"} and min(seen.values()) >= 4, seen
