"""A tree of data sets to the tensors and scalars over steps that it holds: every shape of formats.md §2.

Structure decides, never a file's own name: steps are words, attributes or numbers among their likes in a path, a data set called
`steps` beside the values, a dimension scale, or the axis of a history. What has no step is a snapshot, and counted as such.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from mlcheck.importers.hdf5.attributes import seconds
from mlcheck.importers.hdf5.history import histories
from mlcheck.importers.hdf5.keras import is_keras, name_vars, without_repetition
from mlcheck.importers.hdf5.naming import Named, attributes_around, name_of
from mlcheck.importers.hdf5.repeats import Rows, firsts_of_their_places, may_stay
from mlcheck.importers.hdf5.source import Layout, Piece, Source, SourceKey
from mlcheck.importers.hdf5.stacks import Stacks, Values, whole_steps
from mlcheck.importers.hdf5.steps import Places, StepFound, without_step
from mlcheck.importers.hdf5.storage import bomb, is_bomb_at_once
from mlcheck.importers.hdf5.tree import Leaf, Place, Tree
from mlcheck.importers.hdf5.words import DECISIVE, HISTORY_STEPS, SCALAR_COLLECTIONS, WRAPPERS
from mlcheck.records import replace

LARGEST_SNAPSHOT = 1 << 28
"""Bytes of a data set without a step that may still be a tensor of the run, where no collection says so."""
_NUMBERS = re.compile(r"([0-9]{1,18})")


def lay_out(tree: Tree, values: Values) -> Layout:
    """Find out what is in a file. Never raises for what the file says; `values` reads the data sets that count steps."""
    return _Layout(tree, values).run()


_Form = tuple[Place, str | None, Any, bool, tuple[int, ...]]
"""Place without the step, axis, dtype, whether it is bfloat16, shape."""


class _Layout:
    def __init__(self, tree: Tree, values: Values) -> None:
        self.tree = tree
        self.values = values
        self.result = Layout(lost=list(tree.lost), left_out=list(tree.notes), is_cut=tree.is_cut)
        places = [leaf.path for leaf in tree.leaves] + [(*one.path, one.first[0].path[-1]) for one in tree.repeats]
        self.result.is_keras = is_keras(places, tree.attributes)
        self.sources: dict[SourceKey, Source] = {}
        self.named: dict[tuple[Place, str | None, Any], Named] = {}
        """Names of places without attributes, which many steps share."""
        self.plain: dict[_Form, Source] = {}
        """The sources of data sets without attributes that are all there: those alike at another step belong to them as well."""

    def run(self) -> Layout:
        self.tree.spread(None if self.result.is_keras or not may_stay(self.tree) else firsts_of_their_places(self.tree))
        good = [leaf for leaf in self.tree.leaves if leaf.refused is None]
        self._refused()
        places = Places.of(good, self.tree.groups)
        stacks = Stacks(self.tree, good, places, self.values)
        single = [leaf for leaf in good if leaf.path not in stacks.used and not self._stacked(leaf, stacks)]
        # A data set of steps may stand before the values that it counts.
        self._unstacked([(leaf, places.find(leaf)) for leaf in single if leaf.path not in stacks.used])
        self._repeated(places)
        self.result.left_out += stacks.doubts
        self._number_in_epochs()
        for source in self.sources.values():
            source.listed.sort(key=lambda piece: piece.first_step)
        self.result.sources = _in_order(list(self.sources.values()), self.tree.is_ordered)
        return self.result

    def _refused(self) -> None:
        for leaf in self.tree.leaves:
            if leaf.refused is not None:
                (self.result.lost if leaf.is_lost else self.result.left_out).append((leaf.name, leaf.refused))
                self.result.lost_bytes += leaf.stored if leaf.is_lost else 0

    def _stacked(self, leaf: Leaf, stacks: Stacks) -> bool:
        """Take in a data set whose axis 0 is the step, if it is one."""
        stack = stacks.find(leaf)
        if stack is None:
            return False
        self._add(stack.place, stack.axis, Piece(leaf, steps=stack.steps, wall_times=stack.wall_times))
        self.result.has_steps |= stack.is_sure
        self.result.has_numbers |= not stack.is_sure
        return True

    def _unstacked(self, plain: Sequence[tuple[Leaf, StepFound | None]]) -> None:
        stepless = [leaf for leaf, found in plain if found is None]
        steps_of = histories(stepless)
        stated = self._stated_by_data(stepless)
        places = [without_step(leaf.path, found) for leaf, found in plain]
        keras = name_vars({place: leaf.shape for place, (leaf, _) in zip(places, plain, strict=True)})
        for place, (leaf, found) in zip(places, plain, strict=True):
            if found is None and leaf.path in steps_of:
                self._add(leaf.path, "epoch", Piece(leaf, steps=np.arange(leaf.shape[0])))
                self.result.has_steps = True
                continue
            wall_time = self._wall_time(leaf)
            place = keras.get(place, place)
            found = found or stated.get(leaf.path[:-1])
            if found is None:
                self._add(place, None, Piece(leaf, wall_time=wall_time, is_snapshot=True))
            else:
                self._add(place, found.axis, Piece(leaf, found.step, wall_time, outer=found.outer))
                self.result.has_steps |= found.is_sure
                self.result.has_numbers |= not found.is_sure

    def _repeated(self, places: Places) -> None:
        """Take in the groups that hold the same as others: what is said of the group holds for all that is in it."""
        sheets: dict[tuple[int, Place, str], Rows] = {}
        taken: set[int] = set()
        for repeat in self.tree.repeats:
            leaf = next(repeat.leaves())
            found = places.find(leaf)
            assert found is not None
            self.result.has_steps |= found.is_sure
            group = without_step(leaf.path, found)[:-1]
            key = (id(repeat.first), group, found.axis)
            rows = sheets.get(key)
            if rows is None:
                sources = self._sources_of(repeat.first, group, found.axis)
                if sources is None or not taken.isdisjoint(map(id, sources)):
                    self._unstacked([(one, found) for one in repeat.leaves()])
                    continue
                rows = sheets[key] = Rows(repeat.first, sources)
                taken.update(map(id, sources))
            rows.add(repeat, found.step)
        for rows in sheets.values():
            rows.hand_out()

    def _sources_of(self, leaves: Sequence[Leaf], group: Place, axis: str) -> list[Source] | None:
        """The sources that hold a step of each data set of a group already; None unless all do."""
        forms = [((*group, one.path[-1]), axis, one.dtype, one.is_bfloat16, one.shape) for one in leaves]
        sources = [source for form in forms if (source := self.plain.get(form)) is not None]
        return sources if len(sources) == len(leaves) else None

    def _wall_time(self, leaf: Leaf) -> float:
        if not leaf.attributes and not self.tree.groups:
            return float("nan")
        for one in attributes_around(leaf.path, leaf.attributes, self.tree.groups):
            for key in ("wall_time", "timestamp"):
                if key in one:
                    return seconds(one[key])
        return float("nan")

    def _stated_by_data(self, stepless: Sequence[Leaf]) -> Mapping[Place, StepFound]:
        """The steps of groups that hold one number called `step` or `epoch`, for all that is in them and below."""
        stated: dict[Place, StepFound] = {}
        for leaf in stepless:
            name = leaf.path[-1].lower()
            if leaf.count != 1 or name not in ("step", "global_step", "epoch") or "optimizer" in leaf.path:
                continue
            found = self.values(leaf)
            whole = None if found is None else whole_steps(found.reshape(-1))
            if whole is not None and (leaf.path[:-1] not in stated or HISTORY_STEPS[name] == "step"):
                stated[leaf.path[:-1]] = StepFound(int(whole[0]), HISTORY_STEPS[name], (), True)
        if not stated:
            return stated
        inherited = dict(stated)
        for leaf in stepless:
            for depth in range(len(leaf.path) - 1, -1, -1):
                if leaf.path[:depth] in stated:
                    inherited[leaf.path[:-1]] = stated[leaf.path[:depth]]
                    break
        return inherited

    def _named(self, place: Place, leaf: Leaf, axis: str | None) -> Named:
        around = attributes_around(leaf.path, leaf.attributes, self.tree.groups)
        known = self.named.get((place, axis, leaf.dtype)) if not around else None
        if known is not None:
            return known
        is_keras = self.result.is_keras
        own = without_repetition(place) if is_keras else place
        named = name_of(own, around, is_keras=is_keras, axis=axis, dtype=_dtype_name(leaf))
        if is_keras and named.hints.collection == "weights" and _is_whole(leaf):
            # Counters and the states of random generators are no weights.
            named = replace(named, hints=replace(named.hints, collection=None))
        if not around:
            self.named[place, axis, leaf.dtype] = named
        return named

    def _add(self, place: Place, axis: str | None, piece: Piece) -> None:
        leaf = piece.leaf
        form: _Form | None = None
        if not (leaf.attributes or leaf.is_packed or piece.is_snapshot or self.tree.groups or piece.steps is not None):
            form = (place, axis, leaf.dtype, leaf.is_bfloat16, leaf.shape)
            known = self.plain.get(form)
            if known is not None and leaf.written is None:
                known.listed.append(piece)
                return
        source = self._source(place, axis, piece)
        if source is None:
            return
        source.listed.append(piece)
        if form is not None and leaf.written is None:
            self.plain[form] = source

    def _source(self, place: Place, axis: str | None, piece: Piece) -> Source | None:
        """The source that a piece belongs to; None where it is not read."""
        named = self._named(place, piece.leaf, axis)
        size = 1
        for length in piece.shape:
            size *= length
        collection = named.hints.collection
        if not self._may_be_read(piece, size, collection):
            return None
        is_new = named.is_group and collection is not None and collection not in self.result.collections
        if is_new and collection and not WRAPPERS.keys() & {name.lower() for name in piece.leaf.path}:
            self.result.collections.add(collection)
        is_scalar = not piece.shape or (size == 1 and collection in SCALAR_COLLECTIONS)
        key = (named.tag, named.hints.mode, named.hints.worker, is_scalar)
        source = self.sources.get(key)
        if source is None:
            source = self.sources[key] = Source(named.tag, named.hints, is_scalar)
        return source

    def _may_be_read(self, piece: Piece, size: int, collection: str | None) -> bool:
        """Whether one step of it is all there, and no larger than may be held; what is not is named."""
        leaf = piece.leaf
        step_bytes = size * (leaf.dtype.itemsize if leaf.dtype is not None else 1)
        if piece.steps is None and leaf.written is not None and not leaf.written.all():
            reason = "only a part of it was written"
        elif is_bomb_at_once(leaf, step_bytes):
            reason = bomb(step_bytes, leaf.stored)
        elif piece.is_snapshot and collection not in DECISIVE and step_bytes > LARGEST_SNAPSHOT:
            reason = f"{step_bytes:,} bytes without a step: taken for a data set, not read"
            self.result.left_out.append((leaf.name, reason))
            return False
        else:
            return True
        self.result.lost.append((leaf.name, reason))
        self.result.lost_bytes += leaf.stored
        return False

    def _number_in_epochs(self) -> None:
        """Steps that begin anew in each epoch are counted on over the epochs."""
        pieces = [piece for source in self.sources.values() for piece in source.listed if piece.outer is not None]
        if not pieces:
            return
        repeated = False
        for source in self.sources.values():
            steps = [piece.step for piece in source.listed if piece.outer is not None]
            repeated |= len(set(steps)) < len(steps)
        if not repeated:
            return
        length = max(piece.step for piece in pieces) + 1
        for piece in pieces:
            piece.step += length * (piece.outer or 0)
        self.result.left_out.append(("/", f"steps begin anew in each epoch: step = epoch × {length:,} + step"))


def _dtype_name(leaf: Leaf) -> str:
    return "bfloat16" if leaf.is_bfloat16 else _name_of(leaf.dtype)


@lru_cache(maxsize=64)
def _name_of(dtype: Any) -> str:
    # numpy puts the name together anew each time.
    return str(dtype)


def _is_whole(leaf: Leaf) -> bool:
    return leaf.dtype is not None and leaf.dtype.kind in "iu" and not leaf.is_bfloat16


def _in_order(sources: list[Source], is_ordered: bool) -> list[Source]:
    """In the file's own order where it keeps one, else by name, numbers by size."""
    if not is_ordered:
        return sorted(sources, key=lambda source: _natural(source.tag))
    for order, source in enumerate(sources):
        source.hints = replace(source.hints, order=order)
    return sources


def _natural(tag: str) -> list[tuple[int, str]]:
    return [(int(text), "") if text.isdecimal() else (-1, text) for text in _NUMBERS.split(tag) if text]
