"""Groups that hold the same data sets as one before them: a dump has one for each step.

Each stays one record for as long as nothing in the file asks for its data sets one by one: what 20,000 of them are is found out in two
fifths of the time.
"""

from collections.abc import Sequence
from operator import add
from typing import NamedTuple

import numpy as np

from mlcheck.importers.hdf5.headers import PlainTuple
from mlcheck.importers.hdf5.source import Alike, Source
from mlcheck.importers.hdf5.steps import Places, without_step
from mlcheck.importers.hdf5.tree import Leaf, Place, Repeat, Tree
from mlcheck.importers.hdf5.words import HISTORY_STEPS, HISTORY_TIMES, step_word
from mlcheck.records import dataclass, field

FEWEST = 8
"""Data sets of a group for which remembering it costs less than looking at each."""
STEP_RANK = 3
"""Of a word that names a step for sure (words.py)."""


class _First(NamedTuple):
    leaves: Sequence[Leaf]
    forms: Sequence[tuple[bytes, int]]
    """Of each: what its header says, and its bytes."""
    sizes: Sequence[int]


class Firsts:
    """The groups of plain data sets that a walk has met, and what it found again."""

    def __init__(self, tree: Tree, base: int, file_bytes: int) -> None:
        self._tree = tree
        self._base = base
        self._file_bytes = file_bytes
        self._known: dict[tuple[bytes, ...], _First] = {}
        self._addresses: dict[Place, tuple[Sequence[int], Sequence[Leaf]]] = {}

    def keep(self, names: tuple[bytes, ...], leaves: Sequence[Leaf], plain: Sequence[PlainTuple | None]) -> None:
        """Remember a group, if all of its members are data sets that the headers tell all about."""
        forms = _forms(plain)
        if len(names) < FEWEST or forms is None or len(leaves) != len(names):
            return
        if all(_is_as_said(leaf, size) for leaf, (_, size) in zip(leaves, forms, strict=True)):
            self._known.setdefault(names, _First(leaves, forms, [size for _, size in forms]))

    def take(
        self,
        here: Place,
        names: tuple[bytes, ...],
        addresses: Sequence[int],
        plain: Sequence[PlainTuple | None],
        seen: dict[int, Place],
    ) -> bool:
        """Take in a group as a repeat of one before it, with the addresses of its data sets; False if it is none."""
        first = self._known.get(names)
        if first is None or _forms(plain) != first.forms:
            return False
        offsets = [self._base + one[1] for one in plain if one is not None]
        if max(map(add, offsets, first.sizes)) > self._file_bytes:
            return False
        if len(set(addresses)) < len(addresses) or not seen.keys().isdisjoint(addresses):
            return False
        seen.update(dict.fromkeys(addresses, here))
        self._addresses[here] = addresses, first.leaves
        self._tree.repeats.append(Repeat(here, first.leaves, offsets, len(self._tree.leaves)))
        return True

    def name_of(self, address: int, place: Place) -> Place:
        """The data set at an address, of which `seen` has only the group."""
        if place not in self._addresses:
            return place
        addresses, first = self._addresses[place]
        return (*place, first[addresses.index(address)].path[-1])


def _is_as_said(leaf: Leaf, size: int) -> bool:
    """Whether a data set lies in one piece, as its header says."""
    return leaf.refused is None and leaf.offset is not None and leaf.raw is not None and leaf.stored == size


def _forms(plain: Sequence[PlainTuple | None]) -> list[tuple[bytes, int]] | None:
    """What the headers say but for the places; None unless all are plain data sets without attributes."""
    forms = [(one[0], one[2]) for one in plain if one is not None and not one[3]]
    return forms if len(forms) == len(plain) else None


def may_stay(tree: Tree) -> bool:
    """Whether what the repeats hold can be told from the groups alone: a word in their paths names the step, and nothing else in the
    file has a say in it.
    """
    if not tree.repeats or tree.is_ordered or tree.groups:
        return False
    counters = HISTORY_STEPS.keys() | HISTORY_TIMES
    for leaf in tree.leaves:
        if leaf.attributes or leaf.steps is not None or (len(leaf.shape) == 1 and leaf.path[-1].lower() in counters):
            return False
        # What a tensor is counted by is said by the first of its data sets in the file.
        if any((word := step_word(name)) is not None and word.axis == "epoch" for name in leaf.path):
            return False
    for first in {id(one.first): one.first for one in tree.repeats}.values():
        if any(leaf.refused is not None or step_word(leaf.path[-1]) is not None for leaf in first):
            return False
    return all(_is_of_a_step(repeat.path) for repeat in tree.repeats)


def _is_of_a_step(path: Place) -> bool:
    words = [word for name in path if (word := step_word(name)) is not None]
    return bool(words) and all(word.rank == STEP_RANK for word in words)


def firsts_of_their_places(tree: Tree) -> set[Place]:
    """Of repeats that may stay, those that are the first step of their tensors: what a tensor is, its first data set in the file says."""
    alone = Places({}, {}, frozenset())
    known: set[tuple[int, Place]] = set()
    firsts: set[Place] = set()
    for first in {id(one.first): one.first for one in tree.repeats}.values():
        if _is_of_a_step(first[0].path[:-1]):
            known.add((id(first), without_step(first[0].path, alone.find(first[0]))[:-1]))
    for repeat in tree.repeats:
        leaf = next(repeat.leaves())
        key = (id(repeat.first), without_step(leaf.path, alone.find(leaf))[:-1])
        if key not in known:
            known.add(key)
            firsts.add(repeat.path)
    return firsts


@dataclass(slots=True, eq=False)
class Rows:
    """Repeats of the same tensors: a row for each step, a column for each tensor."""

    leaves: Sequence[Leaf]
    """A data set of each tensor."""
    sources: Sequence[Source]
    """Of each tensor."""
    paths: list[Place] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    offsets: list[Sequence[int]] = field(default_factory=list)

    def add(self, repeat: Repeat, step: int) -> None:
        """Add a row."""
        self.paths.append(repeat.path)
        self.steps.append(step)
        self.offsets.append(repeat.offsets)

    def hand_out(self) -> None:
        """Give each source its column."""
        steps = np.array(self.steps, dtype=np.int64)
        columns = np.ascontiguousarray(np.array(self.offsets, dtype=np.int64).T)
        for source, leaf, offsets in zip(self.sources, self.leaves, columns, strict=True):
            source.alike = Alike(leaf, steps, offsets, self.paths)
