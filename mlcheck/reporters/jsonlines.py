"""JSON lines: one finding a line, then one line with the counts; for log collectors and `jq`.

The keys of a finding are those of the JSON report, without evidence and episodes.
"""

from typing import Any

from mlcheck.records import replace
from mlcheck.report import SCHEMA, Finding, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.codec import encode
from mlcheck.reporters.jsontext import dumps, scrubbed
from mlcheck.reporters.selection import listed
from mlcheck.reporters.troubles import troubles

_LEFT_OUT = ("evidence", "episodes")
_MOST_TROUBLES = 1_000


class JsonLinesReporter:
    """Lines of JSON; `type` is `finding` or, once at the end, `summary`."""

    name = "jsonl"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`. Only findings of the severities and states that the options ask for."""
        shown = listed(report, options)
        lines = [_line({"type": "finding", **_finding(one)}) for one in shown]
        return "".join([*lines, _line({"type": "summary", **_summary(report, len(shown))})])


def _line(value: dict[str, Any]) -> str:
    return dumps(scrubbed(value)) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    plain: dict[str, Any] = encode(replace(finding, evidence=(), episodes=()))
    return {key: value for key, value in plain.items() if key not in _LEFT_OUT}


def _summary(report: Report, shown: int) -> dict[str, Any]:
    found = troubles(report)
    return {
        "schema": SCHEMA,
        "tool": {"name": "mlcheck", "version": report.version},
        "runs": len(report.runs),
        "findings": len(report.findings),
        "listed": shown,
        "summary": encode(report.summary),
        "troubles": [
            {"kind": one.kind, "severity": one.severity.value, "text": one.text} for one in found[:_MOST_TROUBLES]
        ],
        "more_troubles": max(0, len(found) - _MOST_TROUBLES),
    }
