"""`mlcheck scan`, once its arguments are read."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.cli.choices import ColorChoice, FailOnChoice, SeverityChoice
from mlcheck.cli.effective import baseline_path, effective, scan_options, words
from mlcheck.cli.output import Progress, finish, parse_outputs, report_options
from mlcheck.errors import UsageError

if TYPE_CHECKING:
    from mlcheck.settings import Settings
    from mlcheck.updates.runs import RunSettings


def scan_runs(
    *,
    paths: Sequence[str] | None = None,
    output: Sequence[str] | None = None,
    fail_on: FailOnChoice | None = None,
    select: Sequence[str] | None = None,
    ignore: Sequence[str] | None = None,
    fail_when: str | None = None,
    require: Sequence[str] | None = None,
    expect: Sequence[str] | None = None,
    assignments: Sequence[str] | None = None,
    rules: Sequence[Path] | None = None,
    regime: str | None = None,
    config: Path | None = None,
    isolated: bool = False,
    profile: str | None = None,
    baseline: str | None = None,
    no_baseline: bool = False,
    baseline_run: Sequence[str] | None = None,
    expect_identical: bool = False,
    run_name: str | None = None,
    min_severity: SeverityChoice | None = None,
    show_suppressed: bool = False,
    max_chars: int | None = None,
    strict: bool | None = None,
    allow_empty: bool | None = None,
    jobs: int | None = None,
    no_cache: bool = False,
    verify: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    no_progress: bool = False,
    color: ColorChoice = ColorChoice.auto,
) -> int:
    """Import runs, judge them, report what is wrong; the exit code. The arguments are those of `mlcheck scan`."""
    started = time.perf_counter()
    from mlcheck import api

    settings = effective(
        config,
        isolated=isolated,
        output=output,
        fail_on=fail_on.value if fail_on else None,
        select=words("--select", select),
        fail_when=fail_when,
        require=words("--require", require),
        expect=words("--expect", expect),
        regime=regime,
        profile=profile,
        baseline=baseline,
        min_severity=min_severity.value if min_severity else None,
        max_chars=max_chars,
        strict=strict,
        allow_empty=allow_empty,
        jobs=jobs,
    )
    if expect_identical and not baseline_run:
        raise UsageError("--expect-identical needs a run to be identical with: --baseline-run BASE")
    outputs = parse_outputs(settings.output)
    options = scan_options(
        settings,
        ignore=words("--ignore", ignore) or (),
        assignments=assignments or (),
        rules_dirs=rules or (),
        run_name=run_name,
        baseline_runs=baseline_run or (),
        comparing="also" if baseline_run else "no",
        run_settings=_run_settings(settings) if baseline_run and settings.compare else None,
        identical=expect_identical,
        baseline=baseline_path(settings, no_baseline),
        verify=verify,
        no_cache=no_cache,
    )
    progress = Progress(not no_progress and not quiet)
    try:
        report = api.scan(paths or ["."], options, progress)
    finally:
        progress.stop()
    shown = report_options(color, settings, verbose=verbose, quiet=quiet, show_suppressed=show_suppressed)
    return finish(report, outputs, shown, started)


def _run_settings(settings: "Settings") -> "RunSettings":
    from mlcheck.comparing.settings import run_settings

    return run_settings(settings.compare)
