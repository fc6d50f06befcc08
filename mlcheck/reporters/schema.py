"""The JSON schema of the JSON report, generated from the dataclasses of `mlcheck.report` and their docstrings.

`python -m mlcheck.reporters.schema > schema/mlcheck.report-1.schema.json` writes it anew; a test fails when the
committed one is stale.
"""

import ast
import inspect
import json
import sys
import types
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

from mlcheck import report
from mlcheck.report import SCHEMA, Report, Summary
from mlcheck.reporters.codec import NOT_FINITE, hints
from mlcheck.reporters.json import SETTINGS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {int: {"type": "integer"}, str: {"type": "string"}, bool: {"type": "boolean"}, type(None): {"type": "null"}}
_NUMBER = "number"


def schema() -> dict[str, Any]:
    """The schema as plain values. Unknown keys are allowed, since version 1 may gain keys."""
    definitions: dict[str, Any] = {
        _NUMBER: {
            "description": "A number of at most seven significant digits; what JSON has no number for is a word.",
            "anyOf": [{"type": "number"}, {"enum": sorted(NOT_FINITE)}],
        }
    }
    docs = _field_docs()
    whole = _object(Report, definitions, docs)["properties"]
    version = whole.pop("version")
    settings = {key: whole.pop(key) for key in SETTINGS}
    properties = {
        **whole,
        "schema": {"const": SCHEMA},
        "tool": _closed({"name": {"const": "mlcheck"}, "version": version}),
        "settings": _closed(settings),
        "summary": _type(Summary, definitions, docs),
    }
    return {
        "$schema": DIALECT,
        "title": SCHEMA,
        "description": inspect.getdoc(report),
        **_closed(properties),
        "$defs": dict(sorted(definitions.items())),
    }


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(sorted(properties.items())), "required": sorted(properties)}


def _object(cls: type, definitions: dict[str, Any], docs: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    properties = {}
    for name, hint in hints(cls).items():
        described = docs.get((cls.__name__, name))
        properties[name] = _type(hint, definitions, docs) | ({"description": described} if described else {})
    return {"description": inspect.getdoc(cls), **_closed(properties)}


def _type(hint: Any, definitions: dict[str, Any], docs: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is float:
        return {"$ref": f"#/$defs/{_NUMBER}"}
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type(a, definitions, docs) for a in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions, docs)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1], definitions, docs)}
    if issubclass(hint, StrEnum):
        return {"enum": [member.value for member in hint]}
    if hint.__name__ not in definitions:
        definitions[hint.__name__] = {}
        definitions[hint.__name__] = _object(hint, definitions, docs)
    return {"$ref": f"#/$defs/{hint.__name__}"}


def _field_docs() -> dict[tuple[str, str], str]:
    """The docstrings under the fields of the report's dataclasses, by (class, field)."""
    found = {}
    for node in ast.parse(inspect.getsource(report)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_docstring(after):
                found[node.name, field.target.id] = inspect.cleandoc(ast.literal_eval(after.value))  # type: ignore[attr-defined]
    return found


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def text() -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
