"""The same labelled runs, judged by others: `runmedic`, and SageMaker Debugger's rules as our pack `sagemaker` has them.

runmedic gets two rows. In one it reads the run directory as its user would call it (`runmedic diagnose DIR`); it knows TensorBoard, CSV,
JSON lines and logs, and of a run that it cannot read it says nothing, which counts as silence. In the other it is handed all scalars that
mlcheck found, as one run, with train loss, validation loss, learning rate and gradient norm named to it (its options `--train-loss` and
so on), so that neither formats nor tags stand in its way. Its severities `critical`, `warning` and `info` are error, warning and info.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.accuracy.verdicts import Label, Row, Verdict, scanned

if TYPE_CHECKING:
    from mlcheck.store.series import Run, Series

SAME_AS_RUNMEDIC: Mapping[str, tuple[str, ...]] = {
    "non_finite": ("non-finite",),
    "divergence": ("loss-divergence",),
    "loss_spikes": ("loss-spike",),
    "no_learning": ("loss-not-decreasing", "underfit", "metric-at-chance"),
    "overfitting": ("overfit",),
    "val_below_train": ("too-good",),
    "grad_spikes": ("exploding-gradient",),
    "constant_lr_plateau": ("loss-plateau",),
    "input_bound": ("input-bound",),
    "slow_steps": ("step-time-outliers", "stalled-training"),
    "slowdown": ("throughput-drop",),
    "memory_growth": ("gpu-memory-increase",),
}
"""By runmedic's checks, the rules of mlcheck that say the same."""

SAME_AS_SAGEMAKER: Mapping[str, tuple[str, ...]] = {
    "exploding-tensor": ("non-finite",),
    "poor-weight-initialization": ("poor-initialization",),
    "saturated-activation": ("saturated-tanh", "saturated-sigmoid"),
    "weight-update-ratio": ("updates-too-small", "updates-too-large"),
    "tensor-variance": ("low-variance",),
    "confusion": ("classifier-confusion",),
    "check-input-images": ("data-not-normalized",),
    "nlp-sequence-ratio": ("token-ratio",),
    "stalled-training-rule": ("stalled-training",),
    "step-outlier": ("step-time-outliers",),
}
"""By rules of the pack, the rules of ours that say the same, where the names differ."""

LEVEL_OF_RUNMEDIC = {"critical": "error", "warning": "warning", "info": "info"}


def sagemaker(found: Iterable[Label]) -> Iterator[Verdict]:
    """The pack `sagemaker` alone, with its documented defaults."""
    for verdict in scanned(found, ("sagemaker",)):
        yield replace(verdict, rows=tuple(_same(row) for row in verdict.rows))


def _same(row: Row) -> Row:
    return replace(row, stands_for=SAME_AS_SAGEMAKER.get(row.name, ()))


def runmedic(found: Iterable[Label]) -> Iterator[Verdict]:
    """runmedic on the run directories as they are."""
    from runmedic import loaders

    for label in found:
        try:
            runs = loaders.load(str(label.path))
        except Exception as error:  # noqa: BLE001 another tool's readers may raise anything; that is its verdict
            yield Verdict(label, (), f"{type(error).__name__}: {error}")
            continue
        yield Verdict(label, _diagnosed(runs, {}), "" if runs else "no run found")


def runmedic_with_help(found: Iterable[Label]) -> Iterator[Verdict]:
    """runmedic on the scalars that mlcheck found, as one run, with their roles."""
    for label in found:
        given: list[Any] = []
        overrides: dict[str, str] = {}
        for run in _imported(label.path):
            given.append(_handed_over(run))
            overrides |= _named(run)
        yield Verdict(label, _diagnosed(given, overrides), "" if given else "no run found")


def _imported(path: Path) -> "Iterator[Run]":
    """The runs below a path with their scalars; of tensors nothing is computed."""
    from mlcheck.importers.discover import discover
    from mlcheck.reading import import_run
    from mlcheck.store.tensors.request import Request

    for found in discover([str(path)]).runs:
        yield import_run(found, None, Request(), None)


def _diagnosed(runs: Sequence[Any], overrides: Mapping[str, str]) -> tuple[Row, ...]:
    """Its findings over all runs that it sees in the directory, ranked as it ranks them."""
    from runmedic import roles
    from runmedic.checks import run_checks
    from runmedic.model import SEVERITY_ORDER

    findings = []
    for run in runs:
        own = {role: name for role, name in overrides.items() if name in run.series}
        findings += run_checks(run, roles.detect(run, own))
    findings.sort(key=lambda one: SEVERITY_ORDER[one.severity])
    return tuple(
        Row(one.check, LEVEL_OF_RUNMEDIC[one.severity], one.title, SAME_AS_RUNMEDIC.get(one.check, ()))
        for one in findings
    )


def _handed_over(run: "Run") -> Any:
    """A run in runmedic's own form: every logged scalar under its name."""
    from runmedic.model import Run as TheirRun

    theirs = TheirRun(name=run.name, source="mlcheck", path=run.path)
    for series in _scalars(run):
        into = theirs.get(series.name)
        for step, value in zip(series.live.steps.tolist(), series.live.columns["value"].tolist(), strict=True):
            into.add(step, value)
    return theirs.finalize()


def _named(run: "Run") -> dict[str, str]:
    """Which series has which of runmedic's roles."""
    found: dict[str, str] = {}
    for series in _scalars(run):
        role = _their_role(series)
        if role:
            found.setdefault(role, series.name)
    return found


def _scalars(run: "Run") -> "list[Series]":
    return [one for one in run.series if one.kind == "scalar"]


def _their_role(series: "Series") -> str | None:
    primary = series.role == "loss" and "primary" in series.labels
    split = series.labels.get("split", "train")
    if primary:
        return "train_loss" if split == "train" else "val_loss"
    return series.role if series.role in ("lr", "grad_norm") else None
