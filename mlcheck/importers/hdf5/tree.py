"""What is in an HDF5 file: one record for each data set, without any of its values."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlcheck.importers.hdf5.attributes import NONE, Attributes
from mlcheck.records import dataclass, field

Place = tuple[str, ...]
"""Names from the root of the file downwards."""


@dataclass(slots=True, eq=False)
class Leaf:
    """A data set."""

    path: Place
    shape: tuple[int, ...]
    dtype: "np.dtype[Any] | None"
    """Of its values as they are read, in native byte order; None where they are no numbers."""
    raw: "np.dtype[Any] | None" = None
    """Of its bytes as they lie in the file, where they can be taken as they are."""
    offset: int | None = None
    """Where its bytes begin, where they lie in one piece."""
    stored: int = 0
    """Bytes that it takes in the file."""
    chunk: tuple[int, ...] | None = None
    is_packed: bool = False
    """It takes fewer bytes in the file than its values do: it went through filters."""
    written: "np.ndarray[Any, Any] | None" = None
    """bool, shape (shape[0],): the entries of axis 0 that were written; None for all."""
    is_bfloat16: bool = False
    attributes: Attributes = field(default_factory=lambda: NONE)
    steps: "Leaf | None" = None
    """The dimension scale on axis 0 that counts steps."""
    steps_axis: str = "step"
    """What the dimension scale counts: step or epoch."""
    refused: str | None = None
    """Why its values are not read; None where they are."""
    is_lost: bool = False
    """What was refused is data of the run, not something that is no tensor."""

    @property
    def name(self) -> str:
        """Its place in the file."""
        return "/" + "/".join(self.path)

    @property
    def count(self) -> int:
        """How many values."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def bytes(self) -> int:
        """Bytes of its values once they are read."""
        return self.count * (self.dtype.itemsize if self.dtype is not None else 1)

    def refuse(self, reason: str, is_lost: bool = True) -> None:
        """Leave it out, with the first reason that was found."""
        if self.refused is None:
            self.refused, self.is_lost = reason, is_lost


@dataclass(slots=True, eq=False)
class Repeat:
    """A group that holds data sets like those of a group before it, and nothing else."""

    path: Place
    first: Sequence[Leaf]
    """The data sets of the group before it."""
    offsets: Sequence[int]
    """Where the bytes of its own begin."""
    before: int
    """How many of the leaves of the tree stand before it in the file."""

    def leaves(self) -> Iterator[Leaf]:
        """Its data sets."""
        for leaf, offset in zip(self.first, self.offsets, strict=True):
            yield Leaf(
                (*self.path, leaf.path[-1]),
                leaf.shape,
                leaf.dtype,
                leaf.raw,
                offset,
                leaf.stored,
                is_bfloat16=leaf.is_bfloat16,
                refused=leaf.refused,
                is_lost=leaf.is_lost,
            )


@dataclass
class Tree:
    """All that a walk found."""

    leaves: list[Leaf] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    """Groups whose data sets are not among the leaves, in the order of the file."""
    groups: dict[Place, Attributes] = field(default_factory=dict)
    """Attributes of the groups that have any that count; `()` is the file's own."""
    lost: list[tuple[str, str]] = field(default_factory=list)
    """(object, reason): data that could not be reached."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(object, reason): what is no data of its own."""
    is_ordered: bool = False
    """The file keeps the order in which its objects were made."""
    is_cut: bool = False
    """There are more objects than were looked at."""

    def spread(self, only: Collection[Place] | None = None) -> None:
        """Put the data sets of the repeats, or only of those at some places, among the leaves, where they stand in the file."""
        leaves: list[Leaf] = []
        kept: list[Repeat] = []
        done = 0
        for repeat in self.repeats:
            leaves += self.leaves[done : repeat.before]
            done = repeat.before
            if only is None or repeat.path in only:
                leaves += repeat.leaves()
            else:
                repeat.before = len(leaves)
                kept.append(repeat)
        self.leaves, self.repeats = leaves + self.leaves[done:], kept

    def stretches(self) -> list[tuple[int, int]]:
        """Offset and bytes of all data sets that lie in one piece."""
        found = [(leaf.offset, leaf.stored) for leaf in self.leaves if leaf.offset is not None]
        for repeat in self.repeats:
            found += [(offset, leaf.stored) for leaf, offset in zip(repeat.first, repeat.offsets, strict=True)]
        return found

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The file's own attributes."""
        return self.groups.get((), NONE)
