"""GitLab code quality: the findings as a JSON list that a merge request compares with that of its target branch.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from hashlib import sha256
from typing import Any

from mlcheck.report import Finding, Report, Severity
from mlcheck.reporters.base import Options
from mlcheck.reporters.jsontext import dumps
from mlcheck.reporters.place import first_files, relative, safe_path
from mlcheck.reporters.selection import listed, occurrences
from mlcheck.reporters.text import clean, prose
from mlcheck.reporters.troubles import Trouble, troubles
from mlcheck.reporters.wording import against_limit, cost, period, subject

SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}
_MOST_TROUBLES = 1_000


class GitlabReporter:
    """A list of issues. What GitLab has no word for stays in the description: the run, since when, against what limit."""

    name = "gitlab"

    def render(self, report: Report, options: Options) -> str:
        """See `Reporter.render`. Active findings only: GitLab knows no suppression, and would count them as new."""
        files = first_files(report)
        active = tuple(f for f in listed(report, options) if f.status == "active")
        issues = [_issue(f, number, files) for f, number in zip(active, occurrences(active), strict=True)]
        wanted = [one for one in troubles(report) if one.severity.rank >= options.min_severity.rank]
        issues += [_trouble(one, files) for one in wanted[:_MOST_TROUBLES]]
        return dumps(issues, indent=1) + "\n"


def _issue(finding: Finding, number: int, files: dict[str, str]) -> dict[str, Any]:
    where = ", ".join(part for part in (subject(finding), period(finding)) if part)
    parts = [f"{clean(finding.run)}: {prose(finding.message)}", where, against_limit(finding), cost(finding)]
    return {
        "description": "; ".join(part for part in parts if part),
        "check_name": f"{clean(finding.rule)} {clean(finding.name)}",
        "fingerprint": finding_key(finding.fingerprint, number),
        "severity": SEVERITIES[finding.severity],
        "location": _location(files.get(finding.run, relative(finding.run))),
    }


def finding_key(fingerprint: str, number: int) -> str:
    """64 hexadecimal digits, unique in the report: GitLab shows only the first issue of a fingerprint."""
    return sha256(f"{fingerprint}\n{number}".encode("utf-8", "surrogatepass")).hexdigest()


def _trouble(trouble: Trouble, files: dict[str, str]) -> dict[str, Any]:
    path = trouble.path or files.get(trouble.run or "", trouble.run or "run")
    key = "\n".join([trouble.kind, trouble.path or "", trouble.run or "", trouble.rule or "", trouble.text])
    return {
        "description": trouble.text,
        "check_name": f"mlcheck {trouble.kind}",
        "fingerprint": sha256(key.encode("utf-8", "surrogatepass")).hexdigest(),
        "severity": SEVERITIES[trouble.severity],
        "location": _location(relative(path)),
    }


def _location(path: str) -> dict[str, Any]:
    # A binary log has no lines, and GitLab wants one.
    return {"path": safe_path(path), "lines": {"begin": 1}}
