"""`mlcheck compare`: a run against its baseline, a model against its predecessor."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlcheck.cli.choices import ColorChoice
from mlcheck.cli.compare_options import with_compare_options
from mlcheck.cli.effective import baseline_path, effective, scan_options, words
from mlcheck.cli.options import (
    Assignments,
    Baseline,
    BaselineRun,
    Color,
    Config,
    ExpectIdentical,
    FailOn,
    Ignore,
    Isolated,
    MaxChars,
    MinSeverity,
    NoBaseline,
    NoCache,
    NoProgress,
    Output,
    Quiet,
    Regime,
    Require,
    RulesDirs,
    Select,
    ShowSuppressed,
    Verbose,
)
from mlcheck.cli.output import Progress, finish, parse_outputs, report_options
from mlcheck.errors import UsageError

if TYPE_CHECKING:
    from mlcheck.settings import Settings
    from mlcheck.work import ScanOptions

ComparedPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="BASE NEW",
        help="Two runs; or dumps of predictions, embeddings or rewrites (Parquet, CSV, JSON lines) of the old and the new model. "
        "Repeated runs: a pattern in quotes.",
    ),
]


@with_compare_options
def compare(
    paths: ComparedPaths,
    output: Output = None,
    fail_on: FailOn = None,
    select: Select = None,
    ignore: Ignore = None,
    require: Require = None,
    assignments: Assignments = None,
    rules: RulesDirs = None,
    baseline_run: BaselineRun = None,
    expect_identical: ExpectIdentical = False,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
    baseline: Baseline = None,
    no_baseline: NoBaseline = False,
    min_severity: MinSeverity = None,
    show_suppressed: ShowSuppressed = False,
    max_chars: MaxChars = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_progress: NoProgress = False,
    color: Color = ColorChoice.auto,
    **values: Any,
) -> int:
    """Judge a run against its baseline, or a model's dumps against its predecessor's."""
    given = locals()
    started = time.perf_counter()
    from mlcheck import api

    settings = _settings(**given)
    outputs = parse_outputs(settings.output)
    options = _options(settings, **given)
    progress = Progress(not no_progress and not quiet)
    try:
        report = api.compare(paths, options, progress)
    finally:
        progress.stop()
    shown = report_options(color, settings, verbose=verbose, quiet=quiet, show_suppressed=show_suppressed)
    return finish(report, outputs, shown, started)


def _settings(
    *, config: Path | None, isolated: bool, select: Sequence[str] | None, values: Mapping[str, Any], **given: Any
) -> "Settings":
    """The settings that hold, by the arguments of `compare`. Raises ConfigError and UsageError."""
    from mlcheck.settings.compare import from_options

    try:
        told = from_options(values)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return effective(
        config,
        isolated=isolated,
        output=given["output"],
        fail_on=given["fail_on"].value if given["fail_on"] else None,
        select=words("--select", select),
        require=words("--require", given["require"]),
        regime=given["regime"],
        baseline=given["baseline"],
        min_severity=given["min_severity"].value if given["min_severity"] else None,
        max_chars=given["max_chars"],
        compare=told or None,
    )


def _options(settings: "Settings", **given: Any) -> "ScanOptions":
    """What is asked for beside the settings, by the arguments of `compare`."""
    return scan_options(
        settings,
        ignore=words("--ignore", given["ignore"]) or (),
        assignments=given["assignments"] or (),
        rules_dirs=given["rules"] or (),
        baseline=baseline_path(settings, given["no_baseline"]),
        baseline_runs=given["baseline_run"] or (),
        identical=given["expect_identical"],
        no_cache=given["no_cache"],
    )
