"""The rules of a report as SARIF reporting descriptors (SARIF 2.1.0, §3.49)."""

from typing import Any

from mlcheck.report import Finding, Report, RuleInfo
from mlcheck.reporters.codec import encode
from mlcheck.reporters.text import clean, prose
from mlcheck.reporters.troubles import KINDS

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
"""Severity of mlcheck to level of SARIF."""

LEFT_OUT = "results-left-out"
"""Notification for what did not fit."""

_PROBLEM = {"error": "error", "warning": "warning", "info": "recommendation"}
_TAGS = 20
"""Tags of a rule beyond which GitHub refuses the file."""
_DESCRIPTION = 1_024
"""Characters of a description that GitHub takes."""
_HELP_LINE = 2_000


def descriptors(report: Report) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The descriptors of all rules, in the report's order, and the index of each rule id.

    A rule that has findings and that the report does not list gets a descriptor made from its first finding.
    """
    found: list[dict[str, Any]] = []
    index: dict[str, int] = {}
    for rule in report.rules:
        if rule.id not in index:
            index[rule.id] = len(found)
            found.append(_descriptor(rule))
    for finding in report.findings:
        if finding.rule not in index:
            index[finding.rule] = len(found)
            found.append(_descriptor(_stand_in(finding)))
    return found, index


def _stand_in(finding: Finding) -> RuleInfo:
    severity = finding.severity.value
    return RuleInfo(
        finding.rule, finding.name, finding.category, "unknown", severity, severity, finding.headline, "", ()
    )


def _descriptor(rule: RuleInfo) -> dict[str, Any]:
    name = clean(rule.name)
    summary = prose(rule.summary, _DESCRIPTION) or name
    doc = _block(rule.doc) or summary
    tags = dict.fromkeys(clean(tag, 60) for tag in ("mlcheck", rule.category, rule.status, *rule.regimes) if tag)
    severity = rule.effective_severity
    return {
        "id": clean(rule.id),
        "name": name,
        "shortDescription": {"text": f"{name}: {summary}"[:_DESCRIPTION]},
        "fullDescription": {"text": summary},
        "help": {"text": doc, "markdown": doc},
        # A rule that is switched off, or that picks its severity, has no word of SARIF's.
        "defaultConfiguration": {"level": LEVELS.get(severity, "warning")},
        "properties": {
            "tags": list(tags)[:_TAGS],
            "precision": "medium" if rule.status == "preview" else "high",
            "problem.severity": _PROBLEM.get(severity, "warning"),
            "category": clean(rule.category),
            "status": clean(rule.status),
            "regimes": [clean(regime) for regime in rule.regimes],
            "params": {clean(key): _value(value) for key, value in rule.params.items()},
        },
    }


def _value(value: float | bool | str) -> Any:
    return clean(value) if isinstance(value, str) else encode(value)


def _block(text: str) -> str:
    """Documentation of several lines, each of them safe."""
    return "\n".join(clean(line.rstrip(), _HELP_LINE) for line in text.splitlines()).strip()


def notification_descriptors() -> list[dict[str, Any]]:
    """What `toolExecutionNotifications` refer to, in the order of `KINDS`, then `results-left-out`."""
    kinds = {**KINDS, LEFT_OUT: "The report holds more than a consumer takes."}
    return [
        {"id": kind, "name": kind, "shortDescription": {"text": text}, "fullDescription": {"text": text}}
        for kind, text in kinds.items()
    ]
