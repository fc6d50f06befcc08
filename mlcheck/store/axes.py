"""What the steps of a series count, where its tag does not say: judged against the other series of the run."""

from collections.abc import Sequence

import numpy as np

from mlcheck.arrays import distinct, median
from mlcheck.records import replace
from mlcheck.store import labels as words
from mlcheck.store.series import Series

SHORTER = 5
"""An axis whose last step is this many times smaller while time goes by alike counts something else."""
SHARED_TIME = 0.5
"""Share of the run's wall time that a series must span to be compared at all."""


def with_axes(series: Sequence[Series]) -> list[Series]:
    """The series with `axis: epoch` where steps can only be epochs, and without it where they can only be steps; and with role
    `progress` where what is called a time only counts up.

    A loop that logs batches by iteration and validation by epoch writes both as steps (formats.md §1.14). The epochs are those that
    count one by one, last for at least half of the run's wall time, and end at a fifth of its last step or before. The other way
    round, a tag that speaks of epochs (Ludwig's `epoch_loss`) whose steps end where the run's iterations end is on steps.
    """
    series = _with_counters(series)
    on_steps = [one for one in series if len(one) > 1 and one.axis == "step" and _counts(one)]
    dense = [one for one in on_steps if one.kind == "scalar"]
    if not dense:
        return _saved_by_epoch(series)
    longest = max(dense, key=lambda one: int(one.steps.max()))
    last, span = int(longest.steps.max()), _span(longest)
    series = _saved_by_epoch([_placed(one, longest, last, span) for one in series])
    tensors = [one for one in series if one.kind == "tensor" and one.axis == "step" and len(one) > 1 and _counts(one)]
    return _beside_tensors(series, tensors, last) if tensors else series


def _beside_tensors(series: list[Series], tensors: list[Series], last: int) -> list[Series]:
    """Where tensors were dumped by iteration and every scalar stands at an epoch, none of them tells of the iterations. Dumps have
    no wall times; where they have, a series must span as much of theirs as another scalar would.
    """
    longest = max(tensors, key=lambda one: int(one.steps.max()))
    saved, span = distinct(longest.steps), _span(longest)
    # The training went on until the next save would have come.
    ends = int(saved[-1]) + (int(median(np.diff(saved))) if len(saved) > 1 else 0)
    if SHORTER * max(last, 1) > ends:
        return series
    return [_placed(one, longest, ends, span or None) if one.kind == "scalar" else one for one in series]


FEWEST_SAVES = 3
"""Saves from which their numbers are compared with those of epochs."""


def _saved_by_epoch(series: Sequence[Series]) -> list[Series]:
    """Where all scalars stand at epochs and tensors were saved at numbers that end where the epochs end, those numbers are epochs.

    Of the tensors of a directory the scalars of that directory decide, where it has some: Keras writes histograms beside `epoch_loss`
    in `train`, and in `validation` `evaluation_loss_vs_iterations`. Tensors in a file of their own have the epochs of all scalars that
    stand at some, where the others count much further.
    """
    if all(one.kind != "tensor" for one in series):
        return list(series)
    scalars = [one for one in series if one.kind == "scalar" and _counts(one) and len(one)]
    of_part: dict[str, list[Series]] = {}
    for one in scalars:
        of_part.setdefault(one.part, []).append(one)
    epochs = {part: _epochs(those) for part, those in of_part.items()}
    by_epoch = _epochs([one for one in scalars if one.axis == "epoch"])
    ends = [_edges(one)[1] for one in scalars if one.axis != "epoch"]
    apart = by_epoch if by_epoch and all(end >= SHORTER * max(by_epoch[1], 1) for end in ends) else None
    return [_saved(one, epochs.get(one.part) or apart) for one in series]


def _epochs(scalars: Sequence[Series]) -> tuple[int, int] | None:
    """The first and the last epoch, where all of them stand at epochs."""
    if not scalars or any(one.axis != "epoch" for one in scalars):
        return None
    edges = [_edges(one) for one in scalars]
    return min(first for first, _ in edges), max(last for _, last in edges)


def _saved(one: Series, epochs: tuple[int, int] | None) -> Series:
    if epochs is None or one.kind != "tensor" or one.axis != "step" or len(one) < FEWEST_SAVES:
        return one
    if not _ends_with(one, *epochs):
        return one
    reason = f"{one.reason}; saved up to {epochs[1]:,}, the last epoch"
    return replace(one, labels={**one.labels, "axis": "epoch"}, reason=reason)


def _edges(one: Series) -> tuple[int, int]:
    return int(one.steps.min()), int(one.steps.max())


def _ends_with(one: Series, first: int, last: int) -> bool:
    """Whether the steps lie between a first and a last epoch, counted from 0 or from 1, and the next one would come after the last."""
    least, most = _edges(one)
    spacing = int(median(np.diff(distinct(one.steps)))) if most > least else 1
    return first - 1 <= least and last > first and -max(spacing, 2) < most - last <= 1


COUNTER_POINTS = 5
"""Points from which a time that never falls is taken for a counter."""


def _with_counters(series: Sequence[Series]) -> list[Series]:
    """Composer's `time/batch` and `time/train` count up what has passed; others write how long a batch took under such names."""
    return [
        replace(one, role="progress", reason=f"{one.reason}; never falls and grows threefold: counts up")
        if one.role == "step_time" and words.normalise(one.tag).startswith("time/") and _counts_up(one)
        else one
        for one in series
    ]


def _counts_up(one: Series) -> bool:
    values = one.live.columns.get("value", np.empty(0))
    if len(values) < COUNTER_POINTS or not np.isfinite(values).all():
        return False
    return bool((np.diff(values) >= 0).all() and values[-1] >= 3 * values[0] and values[-1] > 0)


def _placed(one: Series, longest: Series, last: int, span: float | None) -> Series:
    """`span`: seconds of the longest series; None where the times of a dump are not known and need not be shared."""
    if one is longest or one.kind == "fact" or len(one) < 2:
        return one
    steps = distinct(one.steps)
    spacing = int(median(np.diff(steps))) if len(steps) > 1 else 0
    mine = int(steps[-1])
    if one.labels.get("axis") == "epoch" and spacing > 1 and 0 <= mine + spacing - last <= 2 * spacing:
        labels = {key: value for key, value in one.labels.items() if key != "axis"}
        return replace(one, labels=labels, reason=f"{one.reason}; its steps end where the run's steps end")
    if "axis" in one.labels or not _counts(one) or spacing != 1 or len(steps) < 3 or SHORTER * max(mine, 1) > last:
        return one
    beside = span is None or _span(one) >= SHARED_TIME * span > 0
    if beside and len(steps) >= 0.9 * (mine - int(steps[0]) + 1):
        labels = {**one.labels, "axis": "epoch"}
        return replace(
            one, labels=labels, reason=f"{one.reason}; counts one by one while {longest.name} counts to {last:,}"
        )
    return one


def _counts(one: Series) -> bool:
    return one.role not in ("placeholder", "hparams", "meta", "final_summary", "progress", "alternate_axis")


def _span(one: Series) -> float:
    """Seconds from the first to the last record; 0 where unknown."""
    finite = one.wall_times[np.isfinite(one.wall_times)]
    return float(finite.max() - finite.min()) if len(finite) else 0.0
