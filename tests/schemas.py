# SPDX-License-Identifier: GPL-2.0-or-later
"""The schemas in docs/schema, and what `--json` prints checked against them.

A published schema lets unknown fields be, for more may be added; here they are closed, so that a
field that no schema knows is noticed as well as one that is missing."""

import copy
import json
import os

import jsonschema

import support
from support import check

DIRECTORY = os.path.join(support.ROOT, "docs/schema")


def _load(name):
    path = os.path.join(DIRECTORY, f"{name}.json")
    check(os.path.exists(path), f"no schema for `{name}`: write docs/schema/{name}.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _closed(schema):
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _closed(value) for key, value in schema.items()}
    if out.get("type") == "object" and "properties" in out:
        out["additionalProperties"] = False
    return out


def names():
    return {name.removesuffix(".json") for name in os.listdir(DIRECTORY)
            if name.endswith(".json")} - {"common"}


class Schemas:
    """Remembers which of them something was checked against."""

    def __init__(self):
        self.used = set()
        self._common = _closed(_load("common"))
        self._validators = {}

    def _validator(self, name):
        if name not in self._validators:
            schema = _closed(_load(name))
            jsonschema.Draft202012Validator.check_schema(schema)
            resolver = jsonschema.RefResolver(
                schema["$id"], schema, store={"common.json": self._common, schema["$id"]: schema})
            self._validators[name] = jsonschema.Draft202012Validator(schema, resolver=resolver)
        return self._validators[name]

    def fits(self, name, document):
        return self._validator(name).is_valid(document)

    def check(self, name, document):
        """Fails unless it is as the schema says, with no field to spare: without any one of its
        fields, or with one more, it must not be."""
        validator = self._validator(name)
        problems = [f"{'/'.join(map(str, p.absolute_path))}: {p.message}"
                    for p in validator.iter_errors(document)]
        check(not problems, f"{name}: {problems[:3]} in {json.dumps(document)[:2000]}")
        for changed, what in _spoilt(document):
            check(not validator.is_valid(changed), f"{name}: the schema does not notice {what}")
        self.used.add(name)


def _objects(value, path=()):
    if isinstance(value, dict):
        yield path
        for key, below in value.items():
            yield from _objects(below, (*path, key))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], (*path, 0))


def _spoilt(document):
    for path in _objects(document):
        changed = copy.deepcopy(document)
        at = changed
        for step in path:
            at = at[step]
        for key in list(at):
            value = at.pop(key)
            yield changed, f"{path} without {key}"
            at[key] = value
        at["no_such_field"] = 1
        yield changed, f"{path} with one more field"
