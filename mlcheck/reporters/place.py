"""Where a finding is shown by tools that want a file: the first file of its run."""

from urllib.parse import quote

from mlcheck.report import Finding, Report, RunInfo, SourceStatus
from mlcheck.reporters.text import clean

_LONGEST = 1_000
"""Characters of a path that are shown."""


def first_files(report: Report) -> dict[str, str]:
    """For each run the path of its first file that was read, else of any file, else of the run; see `relative`."""
    found: dict[str, SourceStatus] = {}
    for source in report.sources:
        if source.run is None:
            continue
        known = found.get(source.run)
        if known is None or (source.status == "read" and known.status != "read"):
            found[source.run] = source
    return {run.name: relative(found[run.name].path if run.name in found else _path(run)) for run in report.runs}


def _path(run: RunInfo) -> str:
    return run.name if run.path == "." else run.path


def relative(path: str) -> str:
    """A path that stays below where it is resolved: no root, no drive, no `.` or `..`; `run` where nothing is left."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "run"


def uri(path: str) -> str:
    """A relative path as a relative reference (RFC 3986): everything but letters, digits and `-._~/` percent-encoded."""
    return quote(path[:_LONGEST], safe="/", errors="surrogatepass")


def safe_path(path: str) -> str:
    """A relative path as text."""
    return clean(path, _LONGEST)


def logical_name(finding: Finding) -> str:
    """`run/series@step`: where in the data the finding is; without the step for a rule that judges the run as a whole."""
    series = f"/{clean(finding.series[0])}" if finding.series else ""
    step = "" if finding.onset is None else f"@{finding.onset}"
    return f"{clean(finding.run)}{series}{step}"
