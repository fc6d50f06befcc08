"""`mlcheck render`: any format from saved JSON reports, several of them merged."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlcheck.cli.choices import ColorChoice
from mlcheck.cli.effective import effective
from mlcheck.cli.options import Color, MaxChars, MinSeverity, Output, Quiet, ShowSuppressed, Verbose
from mlcheck.cli.output import finish, parse_outputs, report_options
from mlcheck.errors import UsageError
from mlcheck.records import replace

if TYPE_CHECKING:
    from mlcheck.report import Report

STDIN = "-"

Reports = Annotated[
    list[str],
    typer.Argument(metavar="REPORT...", help="JSON reports of mlcheck scan -o json=…; - reads standard input."),
]


def render(
    reports: Reports,
    output: Output = None,
    min_severity: MinSeverity = None,
    show_suppressed: ShowSuppressed = False,
    max_chars: MaxChars = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    color: Color = ColorChoice.auto,
) -> int:
    """Make any format from saved JSON reports; several are merged. Exits as the scan did."""
    started = time.perf_counter()
    settings = effective(None, min_severity=min_severity.value if min_severity else None, max_chars=max_chars)
    outputs = parse_outputs(output or ())
    report = merged(reports)
    options = report_options(color, settings, verbose=verbose, quiet=quiet, show_suppressed=show_suppressed)
    return finish(report, outputs, options, started)


def merged(names: Sequence[str]) -> "Report":
    """The report of all files; ranked, and with the settings that split the runs, as one scan of them would be.

    Raises UsageError, which names the file, for one that cannot be read or is no report.
    """
    from mlcheck.reporters.merge import Part, merge

    if sum(name == STDIN for name in names) > 1:
        raise UsageError("- stands for standard input and can be read only once")
    parts = [Part("standard input" if name == STDIN else name, _load(name)) for name in names]
    report = merge(parts)
    if len(parts) == 1:
        return report
    from mlcheck.engine import sweep
    from mlcheck.engine.evidence import trim
    from mlcheck.engine.overview import within_budget
    from mlcheck.engine.rank import ranked

    return replace(
        report,
        findings=trim(ranked(report.findings)),
        panels=within_budget(report.panels),
        splits=sweep.splits(report.runs, report.outcomes),
        identical=sweep.identical(report.runs),
    )


def _load(name: str) -> "Report":
    from mlcheck.reporters.json import loads

    shown = "standard input" if name == STDIN else name
    try:
        report = loads(_read(name))
    except UsageError as error:
        raise UsageError(f"{shown}: {error}") from None
    if not _is_share(report.fail_when):
        raise UsageError(f"{shown}: not a report of mlcheck: settings.fail_when is {report.fail_when[:60]!r}")
    return report


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except (OSError, ValueError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot be read: {reason}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"not a report of mlcheck: not UTF-8 text at byte {error.start:,}") from None


def _is_share(text: str) -> bool:
    if text in ("any", "all"):
        return True
    try:
        return 0 < float(text) <= 1
    except ValueError:
        return False
