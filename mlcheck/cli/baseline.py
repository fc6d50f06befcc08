"""`mlcheck baseline write` and `mlcheck baseline prune`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mlcheck.cli.effective import baseline_path, effective, scan_options, words
from mlcheck.cli.options import Baseline, Config, Ignore, Isolated, Paths, Regime, RulesDirs, Select
from mlcheck.cli.output import say, write, write_file
from mlcheck.errors import UsageError
from mlcheck.records import replace
from mlcheck.settings import BASELINE_FILE

if TYPE_CHECKING:
    from mlcheck.engine import baseline as engine
    from mlcheck.report import Report
    from mlcheck.settings import Settings

baseline_commands = typer.Typer(
    help="Findings that are accepted: later scans fail only on new ones, and on those that got worse.",
    no_args_is_help=True,
)


@baseline_commands.command("write")
def write_baseline(
    paths: Paths = None,
    baseline: Baseline = None,
    select: Select = None,
    ignore: Ignore = None,
    rules: RulesDirs = None,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
) -> int:
    """Accept the findings that there are. Accepted ones of runs that are not scanned stay."""
    from mlcheck.engine import baseline as engine

    settings = effective(config, isolated=isolated, baseline=baseline, select=words("--select", select), regime=regime)
    path = baseline_path(settings, off=False) or Path(BASELINE_FILE)
    earlier = engine.load(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None
    report = _scan(settings, paths, ignore, rules, None)
    if not report.runs:
        raise UsageError("no run was found, so nothing is accepted")
    accepted = engine.of(report, earlier)
    write_file(path, engine.dump(accepted))
    write(
        f"{path}: {_count(len(accepted.findings))} accepted in {len(report.runs):,} {'run' if len(report.runs) == 1 else 'runs'}\n"
    )
    return 0


@baseline_commands.command("prune")
def prune_baseline(
    paths: Paths = None,
    baseline: Baseline = None,
    ignore: Ignore = None,
    rules: RulesDirs = None,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
) -> int:
    """Take out what is fixed; new findings are never taken in."""
    from mlcheck.engine import baseline as engine

    settings = effective(config, isolated=isolated, baseline=baseline, regime=regime)
    path = baseline_path(settings, off=False)
    if path is None or not path.is_file():
        raise UsageError(f"{path or BASELINE_FILE}: no such baseline; `mlcheck baseline write` makes one")
    before = engine.load(path.read_text(encoding="utf-8"), str(path))
    report = _scan(settings, paths, ignore, rules, path)
    after = engine.pruned(report, before)
    write_file(path, engine.dump(after))
    gone = len(before.findings) - len(after.findings)
    write(f"{path}: {_count(gone)} fixed and taken out, {len(after.findings):,} left{_kept(report, after)}\n")
    return 0


def _kept(report: "Report", after: "engine.Baseline") -> str:
    """Of what is left, how much nobody looked at: it may be fixed all the same."""
    from mlcheck.engine import baseline as engine

    there = {finding.fingerprint for finding in report.findings}
    elsewhere = engine.unscanned(report, after)
    unjudged = after.findings.keys() - there - elsewhere.keys()
    parts = [
        f"{len(found):,} {why}"
        for found, why in (
            (elsewhere, "of runs that were not scanned"),
            (unjudged, "whose rule was not judged"),
        )
        if found
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _scan(
    settings: "Settings", paths: list[str] | None, ignore: list[str] | None, rules: list[Path] | None, path: Path | None
) -> "Report":
    from mlcheck import api

    options = scan_options(
        settings,
        ignore=words("--ignore", ignore) or (),
        rules_dirs=rules or (),
        baseline=path,
    )
    report = api.scan(paths or ["."], replace(options, require=(), expect=()))
    for missing in report.missing_paths:
        say(f"mlcheck: {missing}")
    return report


def _count(number: int) -> str:
    return "1 finding" if number == 1 else f"{number:,} findings"
