"""SARIF 2.1.0, for GitHub code scanning and other viewers of static analysis.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub makes of it and where its limits are:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

import re
from typing import Any

from mlcheck.report import Finding, Report
from mlcheck.reporters.base import Options
from mlcheck.reporters.codec import encode
from mlcheck.reporters.jsontext import dumps
from mlcheck.reporters.place import first_files, logical_name, relative, uri
from mlcheck.reporters.sarif_rules import LEFT_OUT, LEVELS, descriptors, notification_descriptors
from mlcheck.reporters.selection import occurrences
from mlcheck.reporters.text import clean, plural, prose
from mlcheck.reporters.troubles import KINDS, Trouble, troubles
from mlcheck.reporters.wording import against_limit, cost, doubts

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 25_000
"""Results of a run beyond which GitHub refuses the file."""
_MOST_NOTIFICATIONS = 1_000
_MOST_CAUSES = 10
_ROOT = "%SRCROOT%"
_NOTIFICATIONS = (*KINDS, LEFT_OUT)
# https://semver.org; a version of Python such as 1.0.dev3 is none, and the specification wants one there.
_SEMANTIC = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


class SarifReporter:
    """One SARIF run for the whole report."""

    name = "sarif"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`. Baselined and suppressed findings are always there, marked as such."""
        log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_Run(report, options).plain()]}
        return dumps(log, indent=1) + "\n"


class _Run:
    """Gathers what the results of a report share."""

    def __init__(self, report: Report, options: Options) -> None:
        self.report = report
        self.rules, self.index = descriptors(report)
        self.files = first_files(report)
        self.known = {(f.run, f.fingerprint): f for f in report.findings}
        wanted = [f for f in report.findings if f.severity.rank >= options.min_severity.rank]
        # Stable: where nothing must go, the order of the report stays.
        worst = sorted(wanted, key=_urgency) if len(wanted) > MOST_RESULTS else wanted
        self.findings = tuple(worst[:MOST_RESULTS])
        self.left_out = len(wanted) - len(self.findings)
        # All results of a run say whether they are suppressed and whether they are new, or none does (§3.27.23, §3.27.24).
        self.suppresses = any(f.status != "active" for f in report.findings)
        self.compares = any(f.status == "baselined" for f in report.findings)

    def plain(self) -> dict[str, Any]:
        version = self.report.version
        driver = {"name": "mlcheck", "version": clean(version), "rules": self.rules}
        if _SEMANTIC.fullmatch(version):
            driver["semanticVersion"] = version
        pairs = zip(self.findings, occurrences(self.findings), strict=True)
        return {
            "tool": {"driver": {**driver, "notifications": notification_descriptors()}},
            "invocations": [self.invocation()],
            "originalUriBaseIds": {
                _ROOT: {"description": _message("The scanned path; best the root of the repository.")}
            },
            "results": [self.result(finding, number) for finding, number in pairs],
        }

    def result(self, finding: Finding, number: int) -> dict[str, Any]:
        """One result (§3.27); `number`: which one of its fingerprint it is."""
        advice = f" Try: {prose(finding.advice)}" if finding.advice else ""
        fingerprint = clean(finding.fingerprint)
        result = {
            "ruleId": clean(finding.rule),
            "ruleIndex": self.index[finding.rule],
            "level": LEVELS[finding.severity.value],
            "message": _message(f"{clean(finding.run)}: {_sentence(finding)}{advice}"),
            # GitHub matches alerts by `primaryLocationLineHash`, and adds `:2` itself for the second of equal ones.
            "partialFingerprints": {
                "mlcheck/v1": fingerprint,
                "primaryLocationLineHash": f"{fingerprint}:{number}",
            },
            "locations": [self.location(finding)],
            "properties": _properties(finding),
        }
        causes = self.causes(finding)
        if causes:
            result["relatedLocations"] = [
                {**self.location(one), "id": i, "message": _message(f"Caused by {clean(one.name)}: {_sentence(one)}")}
                for i, one in enumerate(causes, 1)
            ]
        if self.suppresses:
            result["suppressions"] = _suppressions(finding)
        if self.compares:
            result["baselineState"] = "new" if finding.status == "active" else "unchanged"
        return result

    def location(self, finding: Finding) -> dict[str, Any]:
        """The first file of the run, and where in the data: `run/series@step`."""
        name = clean(finding.series[0]) if finding.series else clean(finding.run)
        kind = "series" if finding.series else "run"
        file = self.files.get(finding.run, relative(finding.run))
        logical = {"name": name, "fullyQualifiedName": logical_name(finding), "kind": kind}
        return {**_physical(file), "logicalLocations": [logical]}

    def causes(self, finding: Finding) -> list[Finding]:
        """What explains the finding, the nearest first."""
        found: list[Finding] = []
        seen = {finding.fingerprint}
        above = finding.caused_by
        while above is not None and above not in seen and len(found) < _MOST_CAUSES:
            seen.add(above)
            cause = self.known.get((finding.run, above))
            if cause is None:
                break
            found.append(cause)
            above = cause.caused_by
        return found

    def invocation(self) -> dict[str, Any]:
        """Whether mlcheck could do its work (§3.20); findings are no failure of it."""
        summary = self.report.summary
        found = troubles(self.report)
        notifications = [self.notification(one) for one in found[:_MOST_NOTIFICATIONS]]
        for count, noun in (
            (self.left_out, "result"),
            (len(found) - len(notifications), "notification"),
        ):
            if count > 0:
                text = f"{plural(count, noun)} left out, the least severe ones; the JSON report has all of them."
                notifications.append(
                    {"descriptor": _reference(LEFT_OUT), "level": "warning", "message": _message(text)}
                )
        return {
            "executionSuccessful": set(summary.exit_reason) <= {"finding"},
            "exitCode": summary.exit_code,
            "toolExecutionNotifications": notifications,
        }

    def notification(self, trouble: Trouble) -> dict[str, Any]:
        """One notification (§3.58)."""
        plain: dict[str, Any] = {
            "descriptor": _reference(trouble.kind),
            "level": LEVELS[trouble.severity.value],
            "message": _message(trouble.text),
        }
        if trouble.path is not None:
            plain["locations"] = [_physical(relative(trouble.path))]
        if trouble.rule is not None:
            place = {"index": self.index[trouble.rule]} if trouble.rule in self.index else {}
            plain["associatedRule"] = {"id": clean(trouble.rule), **place}
        return plain


def _urgency(finding: Finding) -> tuple[bool, int]:
    return finding.status != "active", -finding.severity.rank


def _reference(kind: str) -> dict[str, Any]:
    return {"id": kind, "index": _NOTIFICATIONS.index(kind)}


def _physical(file: str) -> dict[str, Any]:
    # A binary log has no lines, but GitHub shows no alert without one.
    place = {"artifactLocation": {"uri": uri(file), "uriBaseId": _ROOT}, "region": {"startLine": 1}}
    return {"physicalLocation": place}


def _message(text: str) -> dict[str, str]:
    """A plain text message: braces doubled, since single ones are placeholders (§3.11.5), and nothing that is a link (§3.11.6)."""
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "] (")}


def _sentence(finding: Finding) -> str:
    text = prose(finding.message) or prose(finding.headline) or clean(finding.name)
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _suppressions(finding: Finding) -> list[dict[str, Any]]:
    if finding.status == "active":
        return []
    why = "accepted in the baseline" if finding.status == "baselined" else "suppressed in the configuration of mlcheck"
    return [{"kind": "external", "status": "accepted", "justification": why}]


def _properties(finding: Finding) -> dict[str, Any]:
    """What SARIF has no member for; texts are safe."""
    plain = {
        "run": clean(finding.run),
        "status": finding.status,
        "confidence": finding.confidence.value,
        "labels": {clean(key): clean(value) for key, value in finding.labels.items()},
        "series": [clean(name) for name in finding.series],
        "axis": clean(finding.axis),
        "onset": finding.onset,
        "firstStep": finding.first_step,
        "lastStep": finding.last_step,
        "points": finding.points,
        "episodes": finding.episode_count,
        "healed": finding.healed,
        "value": encode(finding.value),
        "limit": encode(finding.limit),
        "against": against_limit(finding),
        "cost": cost(finding),
        "doubts": doubts(finding),
        "explains": len(finding.explains),
    }
    return {key: value for key, value in plain.items() if value not in (None, "", [], {})}
