"""What becomes of each tensor of a trial: a scalar, statistics, a statistic of another tensor, a fact, or nothing, and then why."""

import re
from array import array
from collections.abc import Callable, Iterable
from math import prod

import numpy as np

from mlcheck.importers.smdebug.boosting import Boosting, is_of_boosting, stated_value
from mlcheck.importers.smdebug.index import Index
from mlcheck.importers.smdebug.membership import SCALARS, Lookup
from mlcheck.importers.smdebug.reductions import Reduced, reduction_of
from mlcheck.importers.smdebug.saved import BFLOAT16, MODES, TEXTS, Saved
from mlcheck.importers.stated import FACTS_KEPT, LONGEST_KEY
from mlcheck.records import dataclass, field, replace
from mlcheck.store.series import Fact, Hints, RawSeries
from mlcheck.store.tensors.collect import TensorCollector, Track
from mlcheck.store.tensors.request import TENSOR_ROLES, Request

GRADIENT = "gradient/"
"""What smdebug puts before the name of a weight."""

# The first two inputs of PyTorch's loss modules: what the model said, and what it should have said.
_LOSS_INPUT = re.compile(r"\w*[Ll]oss(?:_module)?_input_([01])")
_OF_LOSS = {"0": "predictions", "1": "labels"}

Key = tuple[str, int]
"""Tag and mode."""
Handler = Callable[[Saved], None]


@dataclass
class _Scalar:
    hints: Hints
    steps: "array[int]" = field(default_factory=lambda: array("q"))
    wall_times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def series(self, tag: str) -> RawSeries:
        steps, walls, values = np.array(self.steps), np.array(self.wall_times), np.array(self.values)
        return RawSeries(tag, "scalar", steps.astype(np.int64), walls, {"value": values}, self.hints)


class Sorter:
    """Takes the tensors of one worker, in order of steps, and passes them on."""

    def __init__(self, collector: TensorCollector, request: Request, lookup: Lookup, part: str, worker: str | None):
        self._collector = collector
        self._request = request
        self._lookup = lookup
        self._part = part
        self._worker = worker
        self._handlers: dict[Key, Handler] = {}
        self._tracks: dict[Key, Track] = {}
        self._scalars: dict[Key, _Scalar] = {}
        self._reduced: dict[Key, Reduced] = {}
        self._boosting: dict[int, Boosting] = {}
        self._texts: dict[str, Fact] = {}
        self._orders: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        """Of tensors, at their first step."""
        self._stated: dict[str, tuple[int, ...]] = {}
        """By the index of the step at hand."""
        self.refused: dict[str, str] = {}
        """Tensors of which nothing is read, each with the reason."""
        self.unused: set[str] = set()
        """Reductions that tell none of our statistics."""

    def expect(self, index: Index | None) -> None:
        """Learn what the index of the step that comes says, if there is one."""
        self._stated = {}
        if index is None:
            return
        self._lookup.learn(_base(tag) for tag in index.ranges)
        for tag, shape in index.shapes.items():
            base = _base(tag)
            self._shapes.setdefault(base, shape)
            self._stated[base] = shape

    def take(self, saved: Saved) -> None:
        """Take one tensor. Raises Malformed of `wire` where it contradicts itself."""
        key = (saved.tag, saved.mode)
        handler = self._handlers.get(key)
        if handler is None:
            handler = self._handlers[key] = self._handler(saved, key)
        handler(saved)

    def _handler(self, saved: Saved, key: Key) -> Handler:
        tag = saved.tag
        boosting = self._boosting.setdefault(
            saved.mode, Boosting(Hints(mode=MODES.get(saved.mode), worker=self._worker))
        )
        boosting.see(tag)
        if is_of_boosting(tag):
            return boosting.add
        named = reduction_of(tag)
        if named is not None:
            return self._reduction(named, saved.mode)
        if saved.dtype in TEXTS and saved.value is None:
            return self._text
        hints = self._hints(tag, saved)
        if self._is_scalar(saved, hints):
            self._scalars[key] = _Scalar(hints)
            return self._scalar
        return self._tensor

    def _hints(self, tag: str, saved: Saved) -> Hints:
        collection = self._lookup.of(tag)
        of_loss = _LOSS_INPUT.fullmatch(tag) if collection is None else None
        if of_loss:
            collection = _OF_LOSS[of_loss[1]]
        # Gradients come in the order of backpropagation: their layers stand where their weights do.
        order = self._orders.get(tag.removeprefix(GRADIENT))
        if order is None and not tag.startswith(GRADIENT) and collection != "gradients":
            order = self._orders.setdefault(tag, len(self._orders))
        dtype = "bfloat16" if saved.dtype == BFLOAT16 else None
        return Hints(collection, MODES.get(saved.mode), self._worker, order, dtype=dtype)

    def _is_scalar(self, saved: Saved, hints: Hints) -> bool:
        """A single number; but a bias may have one element, and a batch one label."""
        if saved.value is not None:
            return True
        if len(saved.shape) > 1 or prod(saved.shape) != 1 or not saved.is_numeric:
            return False
        if hints.collection in SCALARS:
            return True
        return saved.is_float and self._request.plan(saved.tag, self._part, hints).role not in TENSOR_ROLES

    def _scalar(self, saved: Saved) -> None:
        if not saved.is_numeric or prod(saved.shape) != 1:
            self._tensor(saved)
            return
        rows = self._scalars[saved.tag, saved.mode]
        value = float(saved.array().reshape(-1)[0].astype(np.float64)) if saved.value is None else saved.value
        rows.steps.append(saved.step)
        rows.wall_times.append(saved.wall_time)
        rows.values.append(value)

    def _tensor(self, saved: Saved) -> None:
        if not saved.is_numeric:
            kind = "complex numbers" if saved.has_values else "a data type that is not known"
            self.refused.setdefault(saved.tag, f"{saved.dtype_name}, {kind}")
            return
        key = (saved.tag, saved.mode)
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = self._collector.track(saved.tag, self._hints(saved.tag, saved))
            self._shapes.setdefault(saved.tag, saved.shape)
        values = saved.array()
        if track.needed:
            track.add(saved.step, saved.wall_time, values)
        else:
            track.add_unread(saved.step, saved.wall_time, saved.shape, values.dtype)

    def _reduction(self, named: tuple[str, str], mode: int) -> Handler:
        name, tag = named
        reduced = self._reduced.get((tag, mode))
        if reduced is None:
            hints = Hints(self._lookup.of(tag), MODES.get(mode), self._worker)
            order = self._orders.get(tag.removeprefix(GRADIENT))
            if order is None and not tag.startswith(GRADIENT):
                order = self._orders.setdefault(tag, len(self._orders))
            reduced = self._reduced[tag, mode] = Reduced(replace(hints, order=order))

        def add(saved: Saved) -> None:
            if saved.is_numeric and prod(saved.shape) == 1:
                value = float(saved.array().reshape(-1)[0].astype(np.float64)) if saved.value is None else saved.value
                reduced.add(saved.step, saved.wall_time, name, value, self._stated.get(tag))

        return add

    def _text(self, saved: Saved) -> None:
        if saved.is_numeric:
            # The first of this name was damaged or empty; it hides none of the others.
            self._tensor(saved)
            return
        if saved.tag in self._texts or len(self._texts) >= FACTS_KEPT:
            return
        value = stated_value(saved) if len(saved.tag) <= LONGEST_KEY else None
        if value is None:
            self.refused.setdefault(saved.tag, "text")
            return
        self._texts[saved.tag] = Fact(saved.tag, value, "text in the trial")

    def finish(self) -> None:
        """Free what was kept of the tensors to compare them with the next step."""
        for track in self._tracks.values():
            track.done()

    def facts(self) -> list[Fact]:
        """Hyperparameters and short texts."""
        settings = [fact for one in self._boosting.values() for fact in one.settings.values()]
        return [*settings, *self._texts.values()]

    def problems(self) -> list[str]:
        """What could not be used, in words."""
        return [
            f"{problem}, first at step {step:,}"
            for one in self._boosting.values()
            for problem, step in one.problems.items()
        ]

    def series(self) -> list[RawSeries]:
        """All but the tensors, which the collector has: scalars, and facts of trees."""
        found = [one.series(tag) for (tag, _), one in self._scalars.items() if len(one.steps)]
        for one in self._boosting.values():
            found += one.series()
        return found

    def reduced(self) -> list[RawSeries]:
        """The tensors of which reductions were saved."""
        found = []
        for (tag, _), one in self._reduced.items():
            shape = self._shapes.get(tag, self._shapes.get(tag.removeprefix(GRADIENT)))
            series, unused = one.series(tag, shape)
            self.unused |= unused
            if series is not None:
                found.append(series)
        return found


def _base(tag: str) -> str:
    named = reduction_of(tag)
    return named[1] if named else tag


def merged(tensors: Iterable[RawSeries], reduced: Iterable[RawSeries]) -> list[RawSeries]:
    """Tensors with the steps at which only their reductions were saved. A tensor itself says more than its reductions."""
    by_key = {(one.tag, one.kind, one.hints.mode, one.hints.worker): one for one in tensors}
    for one in reduced:
        key = (one.tag, one.kind, one.hints.mode, one.hints.worker)
        whole = by_key.get(key)
        by_key[key] = one if whole is None else _with_steps(whole, one)
    return list(by_key.values())


def _with_steps(whole: RawSeries, reduced: RawSeries) -> RawSeries:
    new = ~np.isin(reduced.steps, whole.steps)
    if not new.any():
        return whole
    steps = np.concatenate([whole.steps, reduced.steps[new]])
    order = np.argsort(steps, kind="stable")
    columns = {}
    for name in whole.columns:
        more = reduced.columns[name][new] if name in reduced.columns else np.full(int(new.sum()), np.nan)
        columns[name] = np.concatenate([whole.columns[name], more])[order]
    walls = np.concatenate([whole.wall_times, reduced.wall_times[new]])
    return replace(whole, steps=steps[order], wall_times=walls[order], columns=columns)
