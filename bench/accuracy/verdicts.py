"""What a tool said of one labelled run: the label, and the ranked rows, in the words that the measures are made of."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlcheck.report import Report
    from mlcheck.report import Row as ReportRow

LEVELS = ("info", "warning", "error")
HEALTHY = "healthy"


@dataclass(frozen=True)
class Label:
    """What was planted in a run."""

    run: str
    """RECIPE/SEED."""
    path: Path
    recipe: str
    kind: str
    """`healthy` or the kind of fault."""
    half: str
    seed: int
    expects: tuple[str, ...]
    """Names of rules that name the planted fault; empty for a healthy run."""
    scalars_only: bool
    since: int | None = None
    layer: str | None = None
    framework: str = ""
    logger: str = ""

    @property
    def faulty(self) -> bool:
        """Whether a fault was planted."""
        return self.kind != HEALTHY


@dataclass(frozen=True)
class Row:
    """One row of a tool's ranked table."""

    name: str
    """Name of the rule."""
    level: str
    """`info`, `warning` or `error`: the highest of the row and of what is filed under it."""
    message: str = ""
    stands_for: tuple[str, ...] = ()
    """Names of mlcheck's rules that say the same, for a tool with names of its own."""

    def names(self, expects: Collection[str]) -> bool:
        """Whether it is one of these rules, or says the same as one."""
        return self.name in expects or any(name in expects for name in self.stands_for)


@dataclass(frozen=True)
class Verdict:
    """One tool on one run."""

    label: Label
    rows: tuple[Row, ...]
    """In the tool's order; consequences that it files under a row are no rows of their own."""
    trouble: str = ""
    """Why the tool could not judge the run; empty when it could. Then there are no rows: it is as silent as on a healthy run."""

    def at(self, level: str) -> tuple[Row, ...]:
        """The rows at a level or above."""
        least = LEVELS.index(level)
        return tuple(row for row in self.rows if LEVELS.index(row.level) >= least)

    def alarms(self, level: str) -> bool:
        """Whether there is a row at the level or above."""
        return bool(self.at(level))

    def hit(self, first: int) -> bool:
        """Whether a rule that names the planted fault is among the `first` rows at warning or above."""
        return any(row.names(self.label.expects) for row in self.at("warning")[:first])


LATER_BY_KIND = {
    "wrong-loss-sign": ("impossible-loss",),
    "labels-minus-one-with-bce": ("impossible-loss",),
    "labels-of-minus-one": ("impossible-loss",),
    "loss-sign": ("impossible-loss", "nothing-found"),
    "background-only": ("nothing-found",),
    "discriminator-wins": ("discriminator-wins",),
    "posterior-collapse": ("posterior-collapse",),
    "wrong-target": ("noise-not-predicted",),
    "gradient-vanishes-in-a-gan": ("discriminator-wins",),
    "no-shuffling": ("batches-of-one-class",),
    "sorted-by-class": ("batches-of-one-class",),
    "embedding-collapse": ("loss-at-margin",),
    "representation-collapse": ("representation-collapse",),
    "task-without-weight": ("task-not-learned",),
    "critic-without-constraint": ("adversarial-divergence",),
    "decoder-sees-the-answer": ("metric-left-behind",),
    "negatives-of-the-same-class": ("loss-at-margin",),
    "likelihood-of-raw-outputs": ("impossible-loss",),
    "targets-outside-of-the-loss": ("impossible-loss",),
    "double-softmax": ("softmax-twice",),
    "softmax-twice": ("softmax-twice",),
    "softmax-before-the-loss": ("softmax-twice",),
    "cross-entropy-of-softmax": ("softmax-twice",),
    "weight-decay-too-strong": ("weights-vanish",),
    "regularisation-too-strong": ("weights-vanish", "boosting-too-slow"),
    "learning-rate-too-low": ("boosting-too-slow",),
    "penalty-too-strong": ("weights-vanish",),
    "data-leak": ("answer-among-the-features",),
    "relu-at-the-output": ("output-clipped-at-zero",),
    "relu-on-regression-output": ("output-clipped-at-zero",),
    "output-activation-does-not-fit": ("output-clipped-at-zero",),
    "label-among-the-inputs": ("answer-among-the-features",),
}
LATER_BY_RULE = {
    "dead-relu": ("output-clipped-at-zero",),
    "overfit": ("generalisation-gap",),
    "class-imbalance": ("nothing-found", "class-never-found"),
    "metric-at-chance": ("constant-answer", "metric-left-behind", "most-answers-wrong", "confidently-wrong"),
    "underfit": ("most-answers-wrong",),
    "learning-rate-zero": ("rate-falls-too-soon",),
    "data-not-normalized": ("constant-answer",),
    "learning-rate-too-high": ("validation-swings",),
    "unstable-loss": ("validation-swings",),
}
"""Rules that are newer than the recipes, by the kind of fault or by the rule beside which they name it, by their definitions.

Those for impossible-loss, nothing-found, discriminator-wins and generalisation-gap were written before the part was scanned that was held
out then; posterior-collapse, noise-not-predicted, batches-of-one-class, constant-answer, metric-left-behind, rate-falls-too-soon, loss-
at-margin, representation-collapse, adversarial-divergence, task-not-learned, validation-swings, most-answers-wrong, confidently-wrong,
weights-vanish, softmax-twice, boosting-too-slow, answer-among-the-features and output-clipped-at-zero are rules that were written for what
was seen in scanned parts; class-never-found for what a user missed. The author of `post-*` had a list of names without impossible-loss.
"""


def with_later(kind: str, expects: tuple[str, ...]) -> tuple[str, ...]:
    """The names of rules that a recipe expects, with those that came after it was written; none for a healthy one."""
    later = [*LATER_BY_KIND.get(kind, ()), *(name for one in expects for name in LATER_BY_RULE.get(one, ()))]
    return tuple(dict.fromkeys((*expects, *later))) if expects else ()


def labels(root: Path, half: str) -> list[Label]:
    """The labelled runs of a half below ROOT, in order. Raises ValueError for a label whose run is not there."""
    found = []
    for path in sorted((root / half).glob("*/*.label.json")):
        read: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        run = path.with_name(path.name.removesuffix(".label.json"))
        if not run.is_dir():
            raise ValueError(f"{path}: there is no run directory {run}; train again")
        found.append(_label(read, run))
    return found


def _label(read: Mapping[str, Any], run: Path) -> Label:
    return Label(
        run=f"{read['recipe']}/{read['seed']}",
        path=run,
        recipe=read["recipe"],
        kind=read["kind"],
        half=read["half"],
        seed=read["seed"],
        expects=with_later(read["kind"], tuple(read["expects"])),
        scalars_only=read["scalars_only"],
        since=read["since"],
        layer=read["layer"],
        framework=read["framework"],
        logger=read["logger"],
    )


def mlcheck_rows(report: "Report") -> tuple[Row, ...]:
    """The rows of a report of one directory, as its table shows them; where it holds several runs, one after another."""
    from mlcheck.report import rows

    return tuple(_row(one) for run in report.runs for one in rows(report, run.name))


def _row(row: "ReportRow") -> Row:
    level = max(_levels(row), key=LEVELS.index)
    return Row(row.lead.name, level, row.lead.message)


def _levels(row: "ReportRow") -> Iterator[str]:
    yield row.lead.severity.value
    for one in row.explained:
        yield from _levels(one)


def scanned(found: Iterable[Label], select: Sequence[str] = ()) -> Iterator[Verdict]:
    """mlcheck on each run by itself, without its cache of runs; `select` as the option of that name. Raises what a scan raises."""
    from mlcheck.api import ScanOptions, scan

    for label in found:
        report = scan([label.path], ScanOptions(select=select, cache=False, keep_rules=True))
        trouble = "" if report.runs else "no run found"
        yield Verdict(label, mlcheck_rows(report), trouble)
