"""`mlcheck export`: the store as Parquet, for any tool."""

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from mlcheck.cli.effective import effective
from mlcheck.cli.options import Config, Isolated, NoProgress, Quiet, Regime
from mlcheck.cli.output import Progress, say
from mlcheck.errors import UsageError

NO_RUN = 3

ExportPaths = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Runs, or directories above them; NAME=PATH names a run.")
]
Directory = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Directory for the tables; made where it is missing.")
]
Force = Annotated[bool, typer.Option("--force", help="Write into a directory that holds other files.")]


def export(
    paths: ExportPaths,
    output: Directory,
    force: Force = False,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
) -> int:
    """Write scalars and statistics of tensors as Parquet tables (columns: docs/export.md)."""
    from mlcheck import api
    from mlcheck.store.export import Exporter, check

    check(output, force=force)
    progress = Progress(not no_progress and not quiet)
    incomplete = 0
    exporter: Exporter | None = None
    try:
        found = api.Loading(
            paths, regime=regime, settings=effective(config, isolated=isolated), without=output, progress=progress
        )
        # Nothing is made where there is nothing to write.
        waiting = iter(found)
        first = next(waiting, None)
        if first is not None:
            with Exporter(output) as exporter:
                for run in chain([first], waiting):
                    exporter.add(run)
                    incomplete += sum(one.status in ("partial", "unreadable") for one in run.sources)
    except OSError as error:
        raise UsageError(f"{error.filename or output}: cannot be written: {error.strerror or error}") from None
    finally:
        progress.stop()
    for text in found.missing:
        say(f"mlcheck: {text}")
    if exporter is None:
        say("mlcheck: no run data found: nothing is written")
        return NO_RUN
    if not quiet:
        done = exporter.written
        runs = "1 run" if done.runs == 1 else f"{done.runs:,} runs"
        say(f"{output}: {runs}, {done.series:,} series, {done.rows:,} rows")
        if incomplete:
            files = "1 file" if incomplete == 1 else f"{incomplete:,} files"
            say(f"{files} could not be read in full: mlcheck inspect says which and why")
    return NO_RUN if found.missing else 0
