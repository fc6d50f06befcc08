"""The values of a log, line by line, and the series that come of them in the end."""

import re
from array import array
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from mlcheck.importers.console.ansi import Text
from mlcheck.importers.console.blocks import Box, Columns, Row, head_of
from mlcheck.importers.console.lines import Form, Forms, Plan, number, splits_in, words_of
from mlcheck.importers.console.steps import FARTHEST, MISSING, Axis, Counters, place
from mlcheck.records import dataclass, field
from mlcheck.store.labels import is_split, take_split
from mlcheck.store.series import Fact, Hints, RawSeries

TAGS = 5_000
"""Tags of one log; more are no metrics."""
SAME_KEYS = 3
"""Lines of no known writer that must have a key before it counts."""
ENOUGH = 0.5
"""Share of an epoch that a progress bar must have seen for its values to stand for the epoch, when it never ends."""

_UNKNOWN = float("nan")
_EPOCH = date(1970, 1, 1).toordinal()
_FRACTION = re.compile(r"[.,](\d{1,6})")
_BAR = re.compile(r"^\s*\d+%\|[^|]*\|\s*(\d+)/(\d+) \[")


@dataclass(slots=True)
class _Points:
    rows: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    generic: bool = True


@dataclass(frozen=True, slots=True)
class _Bar:
    """The last state of a progress bar."""

    plan: Plan
    numbers: list[str]
    wall: float
    epoch: float
    batch: float
    batches: float


@dataclass(slots=True)
class Collector:
    """Everything that one log gave so far."""

    lines: int = 0
    """Lines with values, all states of progress bars among them."""
    writers: set[str] = field(default_factory=set)
    tags_left_out: int = 0
    epochs_planned: float = float("nan")
    steps_planned: int = 0
    _forms: Forms = field(default_factory=Forms)
    _tags: dict[str, _Points] = field(default_factory=dict)
    _step: "array[int]" = field(default_factory=lambda: array("q"))
    _total: "array[int]" = field(default_factory=lambda: array("q"))
    _epoch: "array[float]" = field(default_factory=lambda: array("d"))
    _wall: "array[float]" = field(default_factory=lambda: array("d"))
    _counted: "array[int]" = field(default_factory=lambda: array("b"))
    _counts: "array[int]" = field(default_factory=lambda: array("b"))
    _header: float = float("nan")
    """Epoch that the last header named."""
    _row_epoch: float = float("nan")
    """Epoch that the last line of no known writer named with its values."""
    _is_begun: bool = False
    """Such a line was met, so that what names neither step nor epoch stands at it."""
    _section: str = ""
    """The split that the last line without numbers named, since that header."""
    _columns: Columns | None = None
    """The table that was begun last."""
    _box: Box = field(default_factory=Box)
    _pending: _Bar | None = None
    _position: int = MISSING
    """Where the progress bar of the training stands."""
    _stamp: str = ""
    """The last time stamp up to its seconds."""
    _second: float = float("nan")
    """Of that stamp."""

    def read(self, text: Text) -> None:
        """Take the values of a piece of text."""
        form_of = self._forms.of
        overwritten = text.overwritten
        for index, (line, key) in enumerate(zip(text.lines, text.keys, strict=True)):
            if overwritten and index in overwritten:
                self._watch(overwritten[index])
            if line[:1] in ("|", "-") and self._in_box(line):
                continue
            form = form_of(line, key)
            if form is None:
                if self._columns is not None:
                    self._block(self._columns.row(line))
            elif form.plans:
                numbers = [line[place] for place in form.numbers]
                self._line(form.plans, numbers, self._time(line, form.time) if form.time >= 0 else _UNKNOWN)
            else:
                self._between(form, line)

    def end(self) -> None:
        """Take what a progress bar or a box showed last."""
        self._flush()
        self._block(self._box.end())

    def _in_box(self, line: str) -> bool:
        if line[0] == "|":
            return self._box.takes(line)
        if line.rstrip().strip("-"):
            return False
        self._block(self._box.end())
        return True

    def _between(self, form: Form, line: str) -> None:
        # A line without numbers says what those behind it are.
        if form.is_head and (head := head_of(line)):
            self._columns = Columns(head)
        elif form.section:
            self._section = form.section

    def _block(self, row: Row | None) -> None:
        if row is not None:
            self.lines += 1
            plan, numbers = row
            self._row(plan, numbers, _UNKNOWN, self._epoch_of(plan, numbers))

    def _watch(self, state: str) -> None:
        # The bar without a description that is there first is that of the training; HF prints no step otherwise.
        bar = _BAR.match(state)
        if bar is None or len(bar[1]) > 15 or len(bar[2]) > 15:
            return
        if not self.steps_planned:
            self.steps_planned = int(bar[2])
        if int(bar[2]) == self.steps_planned:
            self._position = int(bar[1])

    def _line(self, plans: tuple[Plan, ...], numbers: list[str], wall: float) -> None:
        plan = plans[0]
        if plan.pattern.epoch_known and self._header != self._header:
            fitting = [one for one in plans if not one.pattern.epoch_known]
            if not fitting and not (self._is_begun and plan.pattern.writer == "generic"):
                return
            plan = fitting[0] if fitting else plan
        kind = plan.pattern.kind
        if kind == "header":
            self._flush()
            self._header, self._section = number(numbers[plan.epoch]), ""
            if plan.epochs >= 0:
                self.epochs_planned = number(numbers[plan.epochs])
            return
        self.lines += 1
        if kind == "row":
            if self._pending is not None:
                self._interrupt(plan)
            self._row(plan, numbers, wall, self._epoch_of(plan, numbers))
        elif kind == "progress":
            self._progress(plan, numbers, wall)
        else:
            self._close(plan, numbers, wall)

    def _epoch_of(self, plan: Plan, numbers: list[str]) -> float:
        if plan.epoch >= 0:
            return number(numbers[plan.epoch])
        return self._header if self._header == self._header else self._row_epoch

    def _progress(self, plan: Plan, numbers: list[str], wall: float) -> None:
        bar = _Bar(
            plan,
            numbers,
            wall,
            self._epoch_of(plan, numbers),
            number(numbers[plan.batch]),
            number(numbers[plan.batches]),
        )
        last = self._pending
        same = last is not None and last.plan.pattern is plan.pattern and _equal(last.epoch, bar.epoch)
        if last is not None and not (same and bar.batch >= last.batch and bar.batches == last.batches):
            self._flush()
        self._pending = bar

    def _interrupt(self, plan: Plan) -> None:
        # A message between the states of a bar does not end it; the writer's own next line does.
        bar = self._pending
        if bar is not None and (bar.plan.pattern.writer in ("evaluation", plan.pattern.writer) or _is_done(bar)):
            self._flush()

    def _close(self, plan: Plan, numbers: list[str], wall: float) -> None:
        bar = self._pending
        self._pending = None
        row = self._row(plan, numbers, wall, self._header if bar is None else bar.epoch)
        if bar is not None:
            there = {value.tag for value in plan.values}
            self._values(bar.plan, bar.numbers, row, without=there)

    def _flush(self) -> None:
        bar = self._pending
        self._pending = None
        if bar is None:
            return
        numbers = [number(bar.numbers[value.number]) for value in bar.plan.values]
        broken = any(one - one != 0 for one in numbers)
        if _is_done(bar) or bar.batch >= ENOUGH * bar.batches or broken:
            self._row(bar.plan, bar.numbers, bar.wall, bar.epoch)

    def _row(self, plan: Plan, numbers: list[str], wall: float, epoch: float) -> int:
        row = len(self._step)
        pattern = plan.pattern
        if pattern.writer == "generic" and (plan.epoch >= 0 or plan.step >= 0):
            self._is_begun, self._row_epoch = True, epoch
        if pattern.counted:
            self._step.append(self._position)
            self._counts.append(any(value.tag == "train/loss" for value in plan.values))
        else:
            self._step.append(_count(numbers[plan.step]) if plan.step >= 0 else MISSING)
            self._counts.append(0)
        self._counted.append(pattern.counted)
        self._total.append(_count(numbers[plan.total]) if plan.total >= 0 else MISSING)
        self._epoch.append(epoch)
        self._wall.append(wall)
        if plan.epochs >= 0:
            self.epochs_planned = number(numbers[plan.epochs])
        self.writers.add(pattern.writer)
        self._values(plan, numbers, row)
        return row

    def _values(self, plan: Plan, numbers: list[str], row: int, without: set[str] | None = None) -> None:
        generic = plan.pattern.writer == "generic"
        section = self._section if generic and plan.pattern.epoch_known else ""
        for value in plan.values:
            if without is not None and value.tag in without:
                continue
            tag = f"{section}/{value.tag}" if section and not splits_in(value.tag) else value.tag
            points = self._tags.get(tag)
            if points is None:
                if len(self._tags) >= TAGS:
                    self.tags_left_out += 1
                    continue
                points = self._tags[tag] = _Points()
            amount = number(numbers[value.number])
            if value.over >= 0:
                whole = number(numbers[value.over])
                amount = amount / whole if whole else float("nan")
            points.rows.append(row)
            points.values.append(amount * value.scale)
            points.generic &= generic

    def _time(self, line: str, start: int) -> float:
        # Seconds since 1970 of a time without a zone: only differences of them mean something.
        stamp = line[start : start + 19]
        if stamp != self._stamp:
            clock = int(stamp[11:13]) * 3600 + int(stamp[14:16]) * 60 + int(stamp[17:19])
            self._stamp, self._second = stamp, _midnight(stamp[:10]) + clock
        found = _FRACTION.match(line, start + 19)
        return self._second + float(f"0.{found[1]}") if found else self._second

    def series(self, worker: str | None = None) -> tuple[tuple[RawSeries, ...], Axis]:
        """All series in order of first appearance, and what their steps count."""
        placed = place(self.counters())
        wall = np.frombuffer(self._wall, dtype=np.float64) if self._wall else np.empty(0)
        result: list[RawSeries] = []
        told = {
            tag: points for tag, points in self._tags.items() if not points.generic or len(points.rows) >= SAME_KEYS
        }
        names = _named(told)
        for tag, points in told.items():
            rows = np.frombuffer(points.rows, dtype=np.int64)
            hints = Hints(order=len(result), worker=worker, axis="epoch" if placed.axis == "epoch" else None)
            columns = {"value": np.frombuffer(points.values, dtype=np.float64).copy()}
            result.append(RawSeries(names.get(tag, tag), "scalar", placed.steps[rows], wall[rows], columns, hints))
        return tuple(result), placed.axis

    def counters(self) -> Counters:
        """What the lines print of their place."""
        return Counters(
            step=np.array(self._step, dtype=np.int64),
            total=np.array(self._total, dtype=np.int64),
            epoch=np.array(self._epoch, dtype=np.float64),
            counted=np.array(self._counted, dtype=bool),
            counts=np.array(self._counts, dtype=bool),
        )

    def facts(self, source: str) -> list[Fact]:
        """How long the training was meant to be, as the log says."""
        facts = []
        if 0 < self.epochs_planned < FARTHEST:
            facts.append(Fact("epochs", self.epochs_planned, source))
        if self.steps_planned and "hf" in self.writers:
            facts.append(Fact("max_steps", float(self.steps_planned), source))
        return facts


def _named(tags: Mapping[str, _Points]) -> Mapping[str, str]:
    """Names for what a log calls by its split alone (`train=2.3 dev=2.2`, `tr 2.3 | va 2.2`): scores, where all are shares that rise,
    else losses.
    """
    splits = {tag: take_split(f"{tag.lower()} loss").split for tag in tags if tag.isalpha()}
    bare = {tag: np.frombuffer(tags[tag].values, dtype=np.float64) for tag, split in splits.items() if split}
    if len(bare) < 2 or any(words_of(tag)[-1:] == ["loss"] for tag in tags):
        return {}
    score = all(map(_is_rising_share, bare.values()))
    end = "_score" if score else "/loss"
    names = {tag: (tag if is_split(tag.lower()) else str(splits[tag])) + end for tag in bare}
    return names if len({*names.values(), *tags}) == len(names) + len(tags) else {}


def _is_rising_share(values: "np.ndarray[Any, Any]") -> bool:
    is_share = bool(((values >= 0) & (values <= 1)).all())
    return is_share and bool(np.median(values[len(values) // 2 :]) > values[0])


@lru_cache(maxsize=8)
def _midnight(day: str) -> float:
    # Seconds since 1970 at the beginning of `2024-01-31`; NaN for a day that is none.
    try:
        return (date(int(day[:4]), int(day[5:7]), int(day[8:10])).toordinal() - _EPOCH) * 86_400.0
    except ValueError:
        return _UNKNOWN


def _is_done(bar: _Bar) -> bool:
    # Some count from 0 and never show the whole.
    return bar.batch >= bar.batches - 1


def _equal(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)


def _count(text: str) -> int:
    amount = number(text)
    return int(amount) if 0 <= amount < FARTHEST else MISSING
