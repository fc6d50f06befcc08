"""`mlcheck learn`: limits from a project's own good runs."""

from pathlib import Path
from typing import Annotated

import typer

from mlcheck.cli.effective import effective, scan_options, words
from mlcheck.cli.options import Config, Ignore, Isolated, NoCache, NoProgress, Regime, RulesDirs, Select
from mlcheck.cli.output import Progress, say, write, write_file

GoodRuns = Annotated[
    list[str],
    typer.Argument(metavar="GOOD...", help="Good runs, directories of them, or patterns in quotes; three or more."),
]
Limits = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where the limits go; default: standard output.")
]


def learn(
    paths: GoodRuns,
    output: Limits = None,
    select: Select = None,
    ignore: Ignore = None,
    rules: RulesDirs = None,
    regime: Regime = None,
    config: Config = None,
    isolated: Isolated = False,
    no_cache: NoCache = False,
    no_progress: NoProgress = False,
) -> int:
    """Take limits and noise from good runs; later scans read them: mlcheck scan RUN --config limits.toml."""
    from mlcheck import learning
    from mlcheck.reporters.text import clean, listing
    from mlcheck.updates.limits import FEWEST_RUNS

    settings = effective(config, isolated=isolated, select=words("--select", select), regime=regime)
    options = scan_options(settings, ignore=words("--ignore", ignore) or (), rules_dirs=rules or (), no_cache=no_cache)
    progress = Progress(not no_progress)
    try:
        found = learning.learn(paths, options, progress)
    finally:
        progress.stop()
    for run, names in found.doubtful.items():
        say(f"mlcheck: {run} has errors ({', '.join(names)}): is it a good run?")
    if found.unlearned:
        say(
            f"mlcheck: no limit for {listing([clean(one) for one in found.unlearned], 5)}: fewer than "
            f"{FEWEST_RUNS} good runs of a kind log such a series under one name"
        )
    text = learning.as_toml(found)
    if output is None:
        write(text)
        return 0
    write_file(output, text)
    say(
        f"{output}: {len(found.limits):,} limits, {len(found.relaxed):,} relaxed rules, from {len(found.runs):,} good runs; "
        f"mlcheck scan RUN --config {output}"
    )
    return 0
