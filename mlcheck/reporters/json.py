"""The JSON report, `mlcheck.report/1`: everything, for machines and for `mlcheck render`.

One object, keys sorted, one line per run, finding and so on, ASCII only. Within version 1 keys may be added and are
never removed or changed in meaning; readers ignore what they do not know.
"""

import dataclasses
import json
from graphlib import CycleError, TopologicalSorter
from typing import Any

from mlcheck.errors import UsageError
from mlcheck.report import SCHEMA, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.codec import decode, encode
from mlcheck.reporters.jsontext import for_logs

# Fields of Report that say how it was judged stand together under `settings`.
SETTINGS = ("fail_on", "fail_when", "strict", "allow_empty", "missing_paths", "unmet")


class JsonReporter:
    """Everything that the report holds; the options change nothing."""

    name = "json"

    def render(self, report: Report, options: Options) -> str:
        """The JSON text, the same bytes for the same report; see `dumps`."""
        return dumps(report)


def as_dict(report: Report) -> dict[str, Any]:
    """The report as plain values, laid out as in design.md §7."""
    plain = encode(report)
    settings = {key: plain.pop(key) for key in SETTINGS}
    version = plain.pop("version")
    return {
        **plain,
        "schema": SCHEMA,
        "tool": {"name": "mlcheck", "version": version},
        "settings": settings,
        "summary": encode(report.summary),
    }


def dumps(report: Report) -> str:
    """JSON text with a line end: lists of objects have one object a line, so that `diff` compares two reports."""
    parts = []
    for key, value in sorted(as_dict(report).items()):
        if isinstance(value, list) and value:
            lines = ",\n".join(f"  {_compact(item)}" for item in value)
            parts.append(f" {_compact(key)}: [\n{lines}\n ]")
        else:
            parts.append(f" {_compact(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    # ASCII also keeps bidi overrides and lone surrogates of tag names from whoever reads the file in a terminal.
    return for_logs(json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=True))


def loads(text: str) -> Report:
    """The report that `dumps` wrote. The summary is computed anew.

    Raises UsageError for text that is no JSON, for another schema, and for a bad key, which it names.
    """
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not a report of mlcheck: no valid JSON: {error}") from None
    if not isinstance(data, dict) or "schema" not in data:
        raise UsageError(f"not a report of mlcheck: no key `schema`, expected {SCHEMA!r}")
    if data["schema"] != SCHEMA:
        raise UsageError(f"the report has schema {str(data['schema'])[:60]!r}, this version reads {SCHEMA!r}")
    flat = {field.name: data[field.name] for field in dataclasses.fields(Report) if field.name in data}
    for key, names in (("tool", ("version",)), ("settings", SETTINGS)):
        part = data.get(key)
        if not isinstance(part, dict):
            raise UsageError(f"not a report of mlcheck: {key} is missing or no object")
        flat.update({name: part[name] for name in names if name in part})
    report = decode(Report, flat, "")
    _refuse_cycles(report)
    return report


def _refuse_cycles(report: Report) -> None:
    """Findings that explain each other in a circle have no root, and what draws them would never end."""
    parents: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for finding in report.findings:
        above = {(finding.run, finding.caused_by)} if finding.caused_by is not None else set()
        parents.setdefault((finding.run, finding.fingerprint), set()).update(above)
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        shown = " -> ".join(fingerprint[:60] for _, fingerprint in error.args[1])
        raise UsageError(f"not a report of mlcheck: findings.caused_by runs in a circle: {shown}") from None


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is a string in a report")
