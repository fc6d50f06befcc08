"""Class counts and confusion from dumped labels and predictions, as facts (language.md, "Facts are series").

Labels are compared with the predictions whose name is otherwise the same (`labels/age`, `predictions/age`); where there is only one
tensor of labels, with any predictions that have its shape.
"""

import numpy as np

from mlcheck.store.series import Hints, RawSeries
from mlcheck.store.tensors.class_ids import NoClasses, counted, label_ids, prediction_ids
from mlcheck.store.tensors.confusion import classes_of, confusion, wrong_of
from mlcheck.store.tensors.pairing import MOST_HELD, Labels, Lane, Predictions, Room, Waiting, alike
from mlcheck.store.tensors.scratch import Floats, Values

MOST_CLASSES = 1_000
"""Labels with more distinct values are taken for tokens."""
_MOST_CELLS = 4 * 10**6
"""Steps times classes of one tensor of labels."""


class ClassCounter:
    """Counts the labels of each class, and what was predicted for them."""

    def __init__(self, class_count: bool, confusion: bool) -> None:
        self._class_count, self._confusion = class_count, confusion
        self._labels: dict[tuple[str, Lane], Labels] = {}
        self._predictions: dict[tuple[str, Lane], Predictions] = {}
        self._room = Room()
        self._problems: list[str] = []

    @property
    def problems(self) -> tuple[str, ...]:
        """What was not counted and why, one line each."""
        if not self._room.refused:
            return tuple(self._problems)
        line = f"{self._room.refused}: more than {MOST_HELD:,} class ids wait for labels or predictions; not all are compared"
        return (*self._problems, line)

    def counts(self, role: str) -> bool:
        """Whether tensors of this role are counted."""
        return role in ("label", "prediction") and (self._class_count or self._confusion)

    def add(self, role: str, tag: str, hints: Hints, step: int, wall_time: float, values: Values) -> None:
        """One step of a tensor with role label or prediction."""
        key = (tag, (hints.mode, hints.worker))
        if role == "label":
            labels = self._labels.get(key)
            if labels is None:
                labels = self._labels[key] = Labels(*key, Waiting(self._room))
            if not labels.closed:
                self._add_labels(labels, step, wall_time, values)
        else:
            predictions = self._predictions.get(key)
            if predictions is None:
                predictions = self._predictions[key] = Predictions(*key, Waiting(self._room))
            if not predictions.closed:
                self._add_predictions(predictions, step, values)

    def _add_labels(self, labels: Labels, step: int, wall_time: float, values: Values) -> None:
        try:
            found = label_ids(values, labels.form)
        except NoClasses as error:
            self._close(labels, str(error))
            return
        count = counted(found.ids)
        labels.classes.update(count[0].tolist())
        if len(labels.classes) > MOST_CLASSES:
            self._close(labels, f"more than {MOST_CLASSES:,} distinct values: taken for tokens")
            return
        labels.form = labels.form or (found.form if found.ids.size else None)
        row = len(labels.steps)
        labels.steps.append(step)
        labels.walls.append(wall_time)
        labels.counts.append(count)
        for one in self._predictions.values():
            if one.lane == labels.lane and alike(one.tag, labels.tag) and labels.may_meet(one):
                guesses = one.waiting.take(step, found.shape)
                if guesses:
                    self._note(labels.meet(row, found, one, guesses[1]))
                    return
        if not labels.alone:
            labels.waiting.put(labels.tag, step, row, found)

    def _add_predictions(self, predictions: Predictions, step: int, values: Values) -> None:
        like = [
            one for one in self._labels.values() if one.lane == predictions.lane and alike(one.tag, predictions.tag)
        ]
        if like and not any(one.may_meet(predictions) for one in like):
            return
        try:
            found = prediction_ids(values)
        except NoClasses:
            predictions.closed = True
            predictions.waiting.clear()
            return
        for labels in like:
            held = labels.waiting.take(step, found.shape) if labels.may_meet(predictions) else None
            if held:
                self._note(labels.meet(*held, predictions, found))
                return
        predictions.waiting.put(predictions.tag, step, -1, found)

    def _close(self, labels: Labels, reason: str) -> None:
        labels.close()
        self._note(f"{labels.tag}: {reason}, no class counts" if reason else None)

    def _note(self, line: str | None) -> None:
        if line:
            self._problems.append(line)

    def series(self) -> tuple[RawSeries, ...]:
        """Facts by class: `class_count/3` and `confusion/3` with the label category."""
        self._meet_the_rest()
        found: list[RawSeries] = []
        for labels in self._labels.values():
            if labels.closed or not labels.steps:
                continue
            if len(labels.steps) * len(labels.classes) > _MOST_CELLS:
                self._close(labels, f"{len(labels.steps):,} steps of {len(labels.classes):,} classes are too many")
                continue
            several = sum(one.lane == labels.lane and not one.closed for one in self._labels.values()) > 1
            group = (("group", labels.tag),) if several else ()
            found += _count_series(labels, group) if self._class_count else []
            found += self._confusion_series(labels, group) if self._confusion and labels.pairs else []
        return tuple(found)

    def _meet_the_rest(self) -> None:
        """Where a mode has one tensor of labels, its name need not be that of the predictions."""
        open_labels = [one for one in self._labels.values() if not one.closed]
        for labels in open_labels:
            if labels.partner or sum(one.lane == labels.lane for one in open_labels) > 1:
                continue
            for one in self._predictions.values():
                if one.lane != labels.lane:
                    continue
                for step, row, ids in list(labels.waiting.all()):
                    guesses = one.waiting.take(step, ids.shape) if labels.may_meet(one) else None
                    if guesses:
                        self._note(labels.meet(row, ids, one, guesses[1]))
            labels.waiting.clear()

    def _confusion_series(self, labels: Labels, group: tuple[tuple[str, str], ...]) -> list[RawSeries]:
        rows = sorted(labels.pairs)
        pairs = [labels.pairs[row] for row in rows]
        classes = classes_of(pairs)
        if len(classes) > MOST_CLASSES:
            self._note(f"{labels.tag}: more than {MOST_CLASSES:,} classes with those predicted, no confusion")
            return []
        found = confusion(pairs, classes)
        kept = np.array(rows)[found.rows]
        return _facts("confusion", labels, kept, classes.tolist(), found.columns, group)


def _count_series(labels: Labels, group: tuple[tuple[str, str], ...]) -> list[RawSeries]:
    classes = np.array(sorted(labels.classes), dtype=np.int64)
    value = np.zeros((len(labels.steps), len(classes)))
    wrong = np.full(value.shape, np.nan)
    for row, (present, times) in enumerate(labels.counts):
        value[row, np.searchsorted(classes, present)] = times
    for row, pairs in labels.pairs.items():
        wrong[row] = wrong_of(pairs, classes)
    columns = {"value": value, "wrong": wrong}
    return _facts("class_count", labels, np.arange(len(labels.steps)), classes.tolist(), columns, group)


def _facts(
    role: str,
    labels: Labels,
    rows: np.ndarray,
    classes: list[int],
    columns: dict[str, Floats],
    group: tuple[tuple[str, str], ...],
) -> list[RawSeries]:
    """One series for each class; columns have shape (rows, classes)."""
    steps = np.array(labels.steps, dtype=np.int64)[rows]
    walls = np.array(labels.walls, dtype=np.float64)[rows]
    mode, worker = labels.lane
    return [
        RawSeries(
            f"{role}/{category}",
            "fact",
            steps,
            walls,
            {name: np.ascontiguousarray(column[:, place]) for name, column in columns.items()},
            Hints(collection=role, mode=mode, worker=worker, labels=(("category", str(category)), *group)),
        )
        for place, category in enumerate(classes)
    ]
