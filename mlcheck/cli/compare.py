"""`mlcheck compare`: a run against its baseline, a model against its predecessor."""

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlcheck.cli.choices import ColorChoice
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
    from mlcheck.updates.table import ReadSettings


class AlignChoice(StrEnum):
    """Values of --align."""

    step = "step"
    epoch = "epoch"
    time = "time"


class SimilarityChoice(StrEnum):
    """Values of --similarity."""

    cosine = "cosine"
    l2 = "l2"


class LabelsChoice(StrEnum):
    """Values of --labels-from."""

    both = "both"
    old = "old"
    new = "new"


ComparedPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="BASE NEW",
        help="Two runs; or dumps of predictions, embeddings or rewrites (Parquet, CSV, JSON lines) of the old and the new model. "
        "Repeated runs: a pattern in quotes.",
    ),
]
_PREDICTIONS, _EMBEDDINGS, _TEXTS = "Dumps of predictions", "Dumps of embeddings", "Dumps of texts"
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=COLUMN",
        help="Which column is what: example_id=uid (repeatable).",
        rich_help_panel=_PREDICTIONS,
    ),
]
Seeds = Annotated[
    list[str] | None,
    typer.Option(
        "--seeds",
        metavar="PATH",
        help="Dumps of the old recipe with other seeds, or a pattern: what retraining alone does.",
        rich_help_panel=_PREDICTIONS,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="COLUMN",
        help="What is drawn as one by the bootstrap (user, dialogue).  [default: group_id]",
        show_default=False,
        rich_help_panel=_PREDICTIONS,
    ),
]
Slices = Annotated[
    list[str] | None,
    typer.Option(
        "--slice",
        metavar="COLUMN",
        help="Judge each value of this column by itself (repeatable).  [default: slice_*]",
        show_default=False,
        rich_help_panel=_PREDICTIONS,
    ),
]
TopK = Annotated[
    int,
    typer.Option(
        "--top-k", min=1, metavar="K", help="Right is a label among the K highest scores.", rich_help_panel=_PREDICTIONS
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        "--tolerance",
        min=0,
        metavar="ERROR",
        help="Regression: an error of at most so much is right.",
        rich_help_panel=_PREDICTIONS,
    ),
]
LabelsFrom = Annotated[
    LabelsChoice,
    typer.Option("--labels-from", help="Whose labels count; both: they must agree.", rich_help_panel=_PREDICTIONS),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="METRIC",
        help="recall@K, mAP, mAP@K, TAR@FAR=RATE (repeatable).  [default: recall@1]",
        show_default=False,
        rich_help_panel=_EMBEDDINGS,
    ),
]
Similarity = Annotated[
    SimilarityChoice, typer.Option("--similarity", help="Of two embeddings.", rich_help_panel=_EMBEDDINGS)
]
Paragon = Annotated[
    str | None,
    typer.Option(
        "--paragon",
        metavar="PATH",
        help="The new model trained without a thought of compatibility.",
        rich_help_panel=_EMBEDDINGS,
    ),
]
Mapped = Annotated[
    str | None,
    typer.Option(
        "--mapped",
        metavar="PATH",
        help="The old gallery, taken into the new space by a learned map.",
        rich_help_panel=_EMBEDDINGS,
    ),
]
Heterogeneous = Annotated[
    bool,
    typer.Option(
        "--heterogeneous", help="The new model is a small one that embeds queries only.", rich_help_panel=_EMBEDDINGS
    ),
]
Swapped = Annotated[
    str | None,
    typer.Option(
        "--swapped",
        metavar="PATH",
        help="Rewrites of the same inputs with their entities renamed.",
        rich_help_panel=_TEXTS,
    ),
]
Forced = Annotated[
    str | None,
    typer.Option("--forced", metavar="PATH", help="The same model under teacher forcing.", rich_help_panel=_TEXTS),
]
Training = Annotated[
    str | None,
    typer.Option(
        "--training", metavar="PATH", help="Training data, whose entities the model has seen.", rich_help_panel=_TEXTS
    ),
]
Vocabulary = Annotated[
    Path | None,
    typer.Option(
        "--vocabulary",
        metavar="FILE",
        help="Words that can be generated without copying, one a line.",
        rich_help_panel=_TEXTS,
    ),
]
Align = Annotated[AlignChoice, typer.Option("--align", help="What must be equal for values of runs to be compared.")]


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
    align: Align = AlignChoice.step,
    columns: Columns = None,
    seeds: Seeds = None,
    cluster: Cluster = None,
    slices: Slices = None,
    top_k: TopK = 1,
    tolerance: Tolerance = None,
    labels_from: LabelsFrom = LabelsChoice.both,
    metrics: Metrics = None,
    similarity: Similarity = SimilarityChoice.cosine,
    paragon: Paragon = None,
    mapped: Mapped = None,
    heterogeneous: Heterogeneous = False,
    swapped: Swapped = None,
    forced: Forced = None,
    training: Training = None,
    vocabulary: Vocabulary = None,
    regime: Regime = None,
    config: Config = None,
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
) -> int:
    """Judge a run against its baseline, or a model's dumps against its predecessor's."""
    started = time.perf_counter()
    from mlcheck import api
    from mlcheck.comparing.dumps import DumpOptions
    from mlcheck.updates.prediction_settings import PredictionSettings
    from mlcheck.updates.retrieval_settings import RetrievalSettings
    from mlcheck.updates.rewrite_settings import RewriteSettings
    from mlcheck.updates.runs import RunSettings

    settings = effective(
        config,
        output=output,
        fail_on=fail_on.value if fail_on else None,
        select=words("--select", select),
        require=words("--require", require),
        regime=regime,
        baseline=baseline,
        min_severity=min_severity.value if min_severity else None,
        max_chars=max_chars,
    )
    outputs = parse_outputs(settings.output)
    options = scan_options(
        settings,
        ignore=words("--ignore", ignore) or (),
        assignments=assignments or (),
        rules_dirs=rules or (),
        baseline=baseline_path(settings, no_baseline),
        baseline_runs=baseline_run or (),
        identical=expect_identical,
        run_settings=RunSettings(align=align.value),
        no_cache=no_cache,
    )
    dumps = DumpOptions(
        read=_read_settings(columns or ()),
        predictions=PredictionSettings(
            cluster=cluster,
            slices=tuple(slices) if slices else None,
            top_k=top_k,
            tolerance=tolerance,
            labels_from=labels_from.value,
        ),
        retrieval=RetrievalSettings(
            metrics=tuple(metrics or ("recall@1",)),
            similarity=similarity.value,
            heterogeneous=heterogeneous,
            cluster=cluster,
        ),
        rewrites=RewriteSettings(cluster=cluster),
        seeds=seeds or (),
        paragon=paragon,
        mapped=mapped,
        swapped=swapped,
        forced=forced,
        training=training,
        vocabulary=vocabulary,
    )
    progress = Progress(not no_progress and not quiet)
    try:
        report = api.compare(paths, options, progress, dumps)
    finally:
        progress.stop()
    shown = report_options(color, settings, verbose=verbose, quiet=quiet, show_suppressed=show_suppressed)
    return finish(report, outputs, shown, started)


def _read_settings(columns: Sequence[str]) -> "ReadSettings":
    """`NAME=COLUMN`, each. Raises UsageError."""
    from mlcheck.updates.table import ReadSettings

    found = {}
    for text in columns:
        name, separator, column = text.partition("=")
        if not (separator and name.strip() and column):
            raise UsageError(f"--column {text}: write NAME=COLUMN, such as example_id=uid")
        found[name.strip()] = column
    return ReadSettings(columns=found)
